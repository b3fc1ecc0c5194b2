//! What the network tells its owner, and the tokens by which the owner answers.

use std::time::Duration;

use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::{Acceptance, Scope};
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request, Response, Wire};
use tokio::sync::mpsc;

use super::bulk::BulkWriter;
use super::command::Command;
use super::gate::Refuser;
use super::identity::from_libp2p;

/// What happened on the network.
#[derive(Debug)]
pub enum NetworkEvent {
    /// The network is up, at first or again after a failure; there are no connections yet.
    Up,
    /// The addresses at which this node can be dialled changed; all of them, without peer id.
    Listening {
        /// The addresses, public ones first.
        addresses: Vec<String>,
    },
    /// A peer of the same task and version is connected.
    Connected {
        /// The peer.
        peer: PeerId,
        /// Whether this node dialled.
        dialled: bool,
        /// How far the address reaches over which it is connected.
        scope: Scope,
    },
    /// This machine, or this process, stood still for so long; all connections are made anew.
    Slept {
        /// How long.
        slept: Duration,
    },
    /// The last connection to a peer that was `Connected` ended.
    Disconnected {
        /// The peer.
        peer: PeerId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The peer that was expected, where known.
        peer: Option<PeerId>,
        /// Why.
        reason: String,
    },
    /// Another node runs under the key of this one; told once for each direction.
    SameIdentity {
        /// Where it is, or where it came from.
        address: String,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// A peer was disconnected because it does not belong here.
    Refused {
        /// The peer.
        peer: PeerId,
        /// Why, with both sides named; `None` for a program that is not peerlearn.
        reason: Option<String>,
    },
    /// A peer of this task and this node do not take part together, or not yet.
    NotAdmitted {
        /// The peer.
        peer: PeerId,
        /// Whose decision it is.
        refuser: Refuser,
        /// Why, in words.
        reason: String,
    },
    /// This node and a peer that had met through a relay have tried to connect directly, both at the same moment.
    Punched {
        /// The peer.
        peer: PeerId,
        /// Why that came to nothing; `None` where a direct connection is up.
        failed: Option<String>,
    },
    /// mDNS found a program at these addresses.
    Found {
        /// The peer.
        peer: PeerId,
        /// Where.
        addresses: Vec<String>,
    },
    /// An announcement with a good signature arrived.
    Announced {
        /// Who signed it.
        author: PeerId,
        /// What it says.
        announcement: Box<Announcement>,
        /// Must be answered, or the message is never passed on.
        verdict: VerdictToken,
    },
    /// A peer asks something.
    Asked {
        /// The peer.
        peer: PeerId,
        /// The question.
        request: Request,
        /// For the answer; dropping it closes the stream.
        reply: ReplyToken,
    },
    /// A peer wants chunks.
    BulkAsked {
        /// The peer.
        peer: PeerId,
        /// Which.
        request: BulkRequest,
        /// For the chunks; dropping it closes the stream.
        writer: BulkWriter,
    },
    /// A peer sent something it should not have.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// What.
        fault: Fault,
    },
}

/// The right to judge one announcement.
#[derive(Debug)]
pub struct VerdictToken {
    pub(super) message: MessageId,
    pub(super) source: libp2p::PeerId,
    pub(super) commands: mpsc::Sender<Command>,
}

impl VerdictToken {
    /// Who passed the announcement on; the author itself, if it did.
    pub fn via(&self) -> Option<PeerId> {
        from_libp2p(&self.source)
    }

    /// Says whether to pass the announcement on. When the network is too busy to listen, it is not passed on.
    pub fn judge(self, verdict: Acceptance) {
        let command = Command::Judge { message: self.message, source: self.source, verdict };
        let _ = self.commands.try_send(command);
    }
}

/// The right to answer one question.
#[derive(Debug)]
pub struct ReplyToken {
    pub(super) channel: ResponseChannel<Vec<u8>>,
    pub(super) commands: mpsc::Sender<Command>,
}

impl ReplyToken {
    /// Answers. When the network is too busy, the asker runs into its time limit and asks another peer.
    pub fn answer(self, response: &Response) {
        match response.to_bytes() {
            Ok(frame) => {
                let _ = self.commands.try_send(Command::Respond { channel: self.channel, frame });
            }
            Err(error) => tracing::error!(%error, "own answer breaks the wire's rules"),
        }
    }
}
