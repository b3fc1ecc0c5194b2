//! What the swarm is made of.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, allow_block_list, identify, ping};
#[cfg(feature = "mdns")]
use libp2p::{mdns, swarm::behaviour::toggle::Toggle};
use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::wire::{Signed, VERSION, Wire};

use super::doors::Doors;
use super::frames::Frames;
use super::nat::Nat;
use super::valve::Valve;
use super::{NetworkConfig, NetworkError};

pub(super) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>;

/// Time between two pings on a connection, and longest wait for one.
pub(super) const PING_EVERY: Duration = Duration::from_secs(5);
/// Handshakes of others at a time.
const MOST_HANDSHAKES: u32 = 256;
/// Questions from one connection at a time.
const MAX_QUESTIONS: usize = 16;
/// Gossip messages queued for one peer: at 4 KiB each, half a megabyte.
const GOSSIP_QUEUE: usize = 128;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub limits: connection_limits::Behaviour,
    pub doors: Doors,
    pub blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    #[cfg(feature = "mdns")]
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    pub gossip: Valve<Gossip>,
    pub control: Valve<request_response::Behaviour<Frames>>,
    pub bulk: Valve<libp2p_stream::Behaviour>,
    /// Streams of peers that need not have been let in: the first words, and those who ask for the task.
    pub streams: libp2p_stream::Behaviour,
    pub nat: Nat,
}

/// The protocol that carries questions and answers.
pub(super) fn control_protocol() -> Result<StreamProtocol, NetworkError> {
    protocol(format!("/peerlearn/control/{VERSION}"))
}

/// The protocol that carries chunks.
pub(super) fn bulk_protocol() -> Result<StreamProtocol, NetworkError> {
    protocol(format!("/peerlearn/bulk/{VERSION}"))
}

fn protocol(name: String) -> Result<StreamProtocol, NetworkError> {
    StreamProtocol::try_from_owned(name)
        .map_err(|error| NetworkError::Setup { part: "protocol names", reason: error.to_string() })
}

/// What a peer calls itself to others; see [`Compatibility`].
pub(super) fn self_description(task: TaskId) -> String {
    format!("/peerlearn/{VERSION}/{task}")
}

/// What another peer's description makes of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compatibility {
    /// Same version, same task.
    Compatible,
    /// Some other libp2p program; mDNS finds them all.
    Foreign,
    /// A peerlearn peer that does not belong here, with both sides named.
    Refused(String),
}

pub(super) fn compatibility(task: TaskId, theirs: &str) -> Compatibility {
    let Some((version, their_task)) = theirs.strip_prefix("/peerlearn/").and_then(|rest| rest.split_once('/')) else {
        return Compatibility::Foreign;
    };
    if version != VERSION.to_string() {
        let version: String = version.chars().take(16).collect();
        return Compatibility::Refused(format!("it speaks protocol version {version}, this node speaks {VERSION}"));
    }
    match their_task.parse::<TaskId>() {
        Ok(theirs) if theirs == task => Compatibility::Compatible,
        Ok(theirs) => {
            let (theirs, ours) = (theirs.short(), task.short());
            Compatibility::Refused(format!(
                "it works on task {theirs}, this node on {ours}: network, model, scaling, column or class names differ"
            ))
        }
        Err(_) => Compatibility::Foreign,
    }
}

/// The topic of a task.
pub(super) fn topic(task: TaskId) -> IdentTopic {
    IdentTopic::new(self_description(task))
}

impl Behaviour {
    pub fn new(keypair: &Keypair, task: TaskId, config: &NetworkConfig) -> Result<Self, NetworkError> {
        let most = config.max_connections;
        let limits = ConnectionLimits::default()
            // Handshakes have a time limit, and each address its share.
            .with_max_pending_incoming(Some(MOST_HANDSHAKES))
            .with_max_pending_outgoing(Some(most.min(64)))
            // The rest is for those that this node looks for itself.
            .with_max_established_incoming(Some((most - most / 4).max(1)))
            .with_max_established(Some(most))
            .with_max_established_per_peer(Some(4));
        let describe = identify::Config::new(self_description(task), keypair.public())
            .with_agent_version(format!("peerlearn/{}", env!("CARGO_PKG_VERSION")))
            .with_cache_size(0);
        let timeout = request_response::Config::default()
            .with_request_timeout(config.request_timeout)
            .with_max_concurrent_streams(MAX_QUESTIONS);
        let protocols = [(control_protocol()?, ProtocolSupport::Full)];
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            doors: Doors::new(most),
            blocked: allow_block_list::Behaviour::default(),
            identify: identify::Behaviour::new(describe),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_EVERY)),
            #[cfg(feature = "mdns")]
            mdns: Toggle::from(config.mdns.then(|| local_peers(keypair)).flatten()),
            gossip: Valve::new(gossip(task)?),
            control: Valve::new(request_response::Behaviour::with_codec(Frames, protocols, timeout)),
            bulk: Valve::new(libp2p_stream::Behaviour::new()),
            streams: libp2p_stream::Behaviour::new(),
            nat: Nat::new(keypair.public().to_peer_id(), config),
        })
    }

    /// Holds everything back from peers that are not let in from now on.
    pub fn shut(&mut self) {
        self.gossip.shut();
        self.control.shut();
        self.bulk.shut();
    }

    /// Lets a peer in, until its last connection ends.
    pub fn let_in(&mut self, peer: libp2p::PeerId) {
        self.gossip.let_in(peer);
        self.control.let_in(peer);
        self.bulk.let_in(peer);
    }
}

/// Looks for peers on the local network. A machine without multicast can still be told of peers in other ways.
#[cfg(feature = "mdns")]
fn local_peers(keypair: &Keypair) -> Option<mdns::tokio::Behaviour> {
    let mdns = mdns::tokio::Behaviour::new(mdns::Config::default(), keypair.public().to_peer_id());
    mdns.inspect_err(|error| tracing::warn!(%error, "no mDNS")).ok()
}

/// Gossip for small, signed announcements. The signature is ours, inside the payload: gossipsub's own would be checked
/// for every copy, 2.6 times the CPU at 1 KB.
fn gossip(task: TaskId) -> Result<Gossip, NetworkError> {
    let failed = |reason: String| NetworkError::Setup { part: "gossip", reason };
    let topic = topic(task);
    let config = gossipsub::ConfigBuilder::default()
        .mesh_n_low(4)
        .heartbeat_initial_delay(Duration::from_millis(500))
        .flood_publish(false)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(message.topic.as_str().as_bytes());
            hasher.update(&message.data);
            MessageId::new(&hasher.finalize().as_bytes()[..20])
        })
        // The frame around the message takes a few bytes more.
        .max_transmit_size(Signed::LIMIT + 512)
        .idontwant_message_size_threshold(16 * 1024)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .max_publish_messages(100)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let filter = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip = Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|error| failed(error.to_owned()))?;
    gossip.subscribe(&topic).map_err(|error| failed(format!("{error:?}")))?;
    Ok(gossip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kin_strangers_and_those_who_do_not_belong_here() {
        let task = TaskId([1; 32]);
        assert_eq!(compatibility(task, &self_description(task)), Compatibility::Compatible);
        assert_eq!(compatibility(task, "ipfs/0.1.0"), Compatibility::Foreign);
        assert_eq!(compatibility(task, "/peerlearn/1/garbage"), Compatibility::Foreign);
        let Compatibility::Refused(reason) = compatibility(task, &self_description(TaskId([2; 32]))) else {
            panic!("taken in")
        };
        assert!(reason.contains("02020202") && reason.contains("01010101"), "{reason}");
        let Compatibility::Refused(reason) = compatibility(task, "/peerlearn/9/x") else { panic!("taken in") };
        assert!(reason.contains("version 9") && reason.contains("speaks 1"), "{reason}");
    }
}
