//! Questions and answers: the request-response protocol of the swarm.

use libp2p::request_response::{self, Message, OutboundFailure, OutboundRequestId, ResponseChannel};
use peerlearn_protocols::wire::{Request, Response, Wire};

use super::super::event::ReplyToken;
use super::super::identity::from_libp2p;
use super::super::{NetworkEvent, TransportFailure, gossip};
use super::Driver;

impl Driver {
    pub(super) fn on_control(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request, channel, .. } => self.on_asked(peer, &request, channel),
                Message::Response { request_id, response } => {
                    let answer = Response::from_bytes(&response).map_err(|_| TransportFailure::Malformed);
                    self.answered(request_id, answer);
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.answered(request_id, Err(request_error(error)));
            }
            _ => {}
        }
    }

    fn on_asked(&mut self, peer: libp2p::PeerId, frame: &[u8], channel: ResponseChannel<Vec<u8>>) {
        let Some(peer) = from_libp2p(&peer) else { return };
        match Request::from_bytes(frame) {
            Ok(request) => {
                let reply = ReplyToken { channel, commands: self.commands.clone() };
                self.tell(NetworkEvent::Asked { peer, request, reply });
            }
            Err(error) => self.tell(NetworkEvent::Misbehaved { peer, fault: gossip::fault(&error) }),
        }
    }

    fn answered(&mut self, id: OutboundRequestId, answer: Result<Response, TransportFailure>) {
        if let Some(reply) = self.asked.remove(&id) {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(answer);
        }
    }
}

fn request_error(error: OutboundFailure) -> TransportFailure {
    match error {
        OutboundFailure::DialFailure => TransportFailure::Unreachable,
        OutboundFailure::Timeout => TransportFailure::Timeout,
        OutboundFailure::ConnectionClosed => TransportFailure::Cut { reason: "connection closed".to_owned() },
        OutboundFailure::UnsupportedProtocols => TransportFailure::Unsupported,
        OutboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => TransportFailure::Malformed,
        OutboundFailure::Io(error) => TransportFailure::Cut { reason: error.to_string() },
    }
}
