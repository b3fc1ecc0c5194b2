//! Who a peer is: its key, and its id as the protocol and as libp2p write it, the same 32 bytes of an ed25519 key.

use libp2p::Multiaddr;
use libp2p::identity::{self, PublicKey};
use libp2p::multiaddr::Protocol;
use peerlearn_protocols::id::PeerId;

/// The key pair of a peer: ed25519.
#[derive(Clone)]
pub struct Identity(identity::ed25519::Keypair);

impl std::fmt::Debug for Identity {
    /// Never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.peer()).finish()
    }
}

impl Identity {
    /// A fresh one.
    pub fn generate() -> Self {
        Self(identity::ed25519::Keypair::generate())
    }

    /// The one that a seed gives: for experiments, in which who is who is to be known beforehand.
    pub fn of_seed(seed: &PeerId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("peerlearn identity of a seed");
        Self::from_secret(*hasher.update(&seed.0).finalize().as_bytes())
    }

    /// The one with this secret.
    pub fn from_secret(mut secret: [u8; 32]) -> Self {
        let secret = identity::ed25519::SecretKey::try_from_bytes(&mut secret);
        Self(secret.expect("any 32 bytes are an ed25519 secret").into())
    }

    /// Its secret, 32 bytes, to be kept where nobody else can read it.
    pub fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        secret.copy_from_slice(self.0.secret().as_ref());
        secret
    }

    /// The peer that it is.
    pub fn peer(&self) -> PeerId {
        PeerId(self.0.public().to_bytes())
    }

    /// Its signature of a message, which begins with a context of its own.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        // Signatures of ed25519 have 64 bytes.
        self.0.sign(message).try_into().unwrap_or([0; 64])
    }

    /// The same for libp2p.
    pub(crate) fn keypair(&self) -> identity::Keypair {
        self.0.clone().into()
    }
}

/// Whether a signature of a message is that of a peer.
pub fn is_signed(peer: &PeerId, message: &[u8], signature: &[u8; 64]) -> bool {
    public_key(peer).is_some_and(|key| key.verify(message, signature))
}

/// The libp2p id of a peer; `None` for 32 bytes that are no ed25519 key.
pub(crate) fn to_libp2p(peer: &PeerId) -> Option<libp2p::PeerId> {
    public_key(peer).map(|key| key.to_peer_id())
}

/// The peer behind a libp2p id; `None` for other kinds of keys.
pub(crate) fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    // An ed25519 id is the key itself: an identity multihash (code 0) over its protobuf form.
    let hash = peer.as_ref();
    let key = (hash.code() == 0).then(|| PublicKey::try_decode_protobuf(hash.digest()).ok())??;
    Some(PeerId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The peer that an address ends in, if it names one.
pub(crate) fn peer_in(address: &Multiaddr) -> Option<libp2p::PeerId> {
    // Not the relay that one may lead through.
    address.iter().last().and_then(|part| if let Protocol::P2p(peer) = part { Some(peer) } else { None })
}

/// The peer that a multiaddress ends in; `None` for one that ends in none, and for a text that is no multiaddress.
pub fn peer_at(text: &str) -> Option<PeerId> {
    peer_in(&text.parse().ok()?).as_ref().and_then(from_libp2p)
}

/// A peer as libp2p writes it, `12D3Koo…`; the hexadecimal form for bytes that are no key.
pub fn libp2p_text(peer: &PeerId) -> String {
    to_libp2p(peer).map_or_else(|| peer.to_string(), |peer| peer.to_base58())
}

/// Whether a text is a multiaddress, such as `/ip4/127.0.0.1/tcp/4001`. One without any part, the empty text, is none.
pub fn is_multiaddress(text: &str) -> bool {
    text.parse::<Multiaddr>().is_ok_and(|address| !address.is_empty())
}

pub(crate) fn public_key(peer: &PeerId) -> Option<PublicKey> {
    identity::ed25519::PublicKey::try_from_bytes(&peer.0).ok().map(PublicKey::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_convert_without_loss_and_strange_ones_are_refused() {
        let identity = Identity::generate();
        let peer = identity.peer();
        assert_eq!(to_libp2p(&peer), Some(identity.keypair().public().to_peer_id()));
        assert_eq!(from_libp2p(&identity.keypair().public().to_peer_id()), Some(peer));
        assert_eq!(from_libp2p(&libp2p::PeerId::random()), None);
    }

    #[test]
    fn a_secret_gives_the_same_peer_again_and_is_not_shown() {
        let identity = Identity::of_seed(&PeerId([7; 32]));
        assert_eq!(Identity::from_secret(identity.secret()).peer(), identity.peer());
        assert_eq!(format!("{identity:?}"), format!("Identity({:?})", identity.peer()));
    }
}
