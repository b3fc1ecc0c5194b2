//! Peer ids of the protocol and of libp2p: the same 32 bytes of an ed25519 key.

use libp2p::identity::{self, Keypair, PublicKey};
use peerlearn_protocols::id::PeerId;

/// The key pair that a seed gives: for experiments, in which who is who is to be known beforehand.
pub fn keypair_of_seed(seed: &PeerId) -> Keypair {
    let secret = *blake3::Hasher::new_derive_key("peerlearn identity of a seed").update(&seed.0).finalize().as_bytes();
    // Every 32 bytes are an ed25519 secret.
    Keypair::ed25519_from_bytes(secret).unwrap_or_else(|_| Keypair::generate_ed25519())
}

/// The libp2p id of a peer; `None` for 32 bytes that are no ed25519 key.
pub fn to_libp2p(peer: &PeerId) -> Option<libp2p::PeerId> {
    public_key(peer).map(|key| key.to_peer_id())
}

/// The peer behind a libp2p id; `None` for other kinds of keys.
pub fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    // An ed25519 id is the key itself: an identity multihash (code 0) over its protobuf form.
    let hash = peer.as_ref();
    let key = (hash.code() == 0).then(|| PublicKey::try_decode_protobuf(hash.digest()).ok())??;
    Some(PeerId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The peer that a key pair is.
pub fn keypair_peer(keypair: &Keypair) -> Option<PeerId> {
    Some(PeerId(keypair.public().try_into_ed25519().ok()?.to_bytes()))
}

/// A peer as libp2p writes it, `12D3Koo…`; the hexadecimal form for bytes that are no key.
pub fn libp2p_text(peer: &PeerId) -> String {
    to_libp2p(peer).map_or_else(|| peer.to_string(), |peer| peer.to_base58())
}

pub(super) fn public_key(peer: &PeerId) -> Option<PublicKey> {
    identity::ed25519::PublicKey::try_from_bytes(&peer.0).ok().map(PublicKey::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_convert_without_loss_and_strange_ones_are_refused() {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair_peer(&keypair).unwrap();
        assert_eq!(to_libp2p(&peer), Some(keypair.public().to_peer_id()));
        assert_eq!(from_libp2p(&keypair.public().to_peer_id()), Some(peer));
        assert_eq!(from_libp2p(&libp2p::PeerId::random()), None);
    }
}
