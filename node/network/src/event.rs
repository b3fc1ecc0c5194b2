//! What the network tells its owner, and the tokens by which the owner answers.

use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Acceptance;
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
