//! Meetings of two over the simulated network: the conversations around [`peerlearn_protocols::exchange::pairing`], on both sides, with
//! the limits that nodes have.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::exchange::pairing::{
    ASK_AGAIN, GUEST_LIMIT, Half, Lead, MAX_OPEN, NoLead, OPEN_LIMIT, Settling,
};
use peerlearn_protocols::exchange::{ExchangeConfig, Meeting, Pairing, Publication, PullOrder};
use peerlearn_protocols::id::{PeerId, Root};
use peerlearn_protocols::round::Input;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::blob::{Blob, encoded_len};
use peerlearn_protocols::wire::{BulkRequest, Refusal, Request, Response};

use super::event::{Message, Timer};
use super::peer::Peer;
use super::pulling::Active;
use super::{Environment, index_of, peer_id};

/// The meetings of one peer.
#[derive(Debug)]
pub(super) struct Meetings {
    pairing: Pairing,
    /// Those that it leads, once it has the other's model and until the other has settled.
    settling: Vec<Asking>,
    /// The one of which it is the guest, and the number of its pull.
    guest: Option<(u32, PeerId, u64)>,
}

/// What a pull is for, if it belongs to a meeting.
#[derive(Debug)]
pub(super) enum Party {
    /// This peer leads it, in the round of this number.
    Leader { lead: Lead, round: u64 },
    /// The other does.
    Guest { number: u64 },
}

/// A meeting whose guest is asked to settle.
#[derive(Debug)]
struct Asking {
    number: u64,
    /// The number of the question.
    question: u32,
    half: Half,
    round: u64,
    until: Time,
    /// Whether others may be met meanwhile.
    is_open: bool,
}

impl Meetings {
    /// Nobody met yet in the life of this number.
    pub fn new(own: PeerId, life: u32) -> Self {
        Self { pairing: Pairing::new(own, life), settling: Vec::new(), guest: None }
    }

    pub fn publish(&mut self, publication: Publication) {
        self.pairing.publish(publication);
    }

    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, std::ops::Range<usize>)> {
        self.pairing.open(request)
    }

    pub fn take(&mut self, last: bool) -> Vec<Half> {
        self.pairing.take(last)
    }
}

impl Peer {
    /// Leads a meeting with a peer that was drawn. The half is added with the mix, or later, if the round does not wait so
    /// long.
    pub(super) fn meet(&mut self, env: &Environment<'_>, peer: PeerId, deadline: Time) {
        let round = self.stats.rounds;
        let Some(meetings) = &mut self.meetings else { return };
        match meetings.pairing.lead(peer) {
            Ok(lead) => {
                let meeting = Meeting::Led { number: lead.number, ours: lead.ours.offer.root };
                let order = order(env, &lead.ours, meeting);
                let gives_up = deadline.min(self.now + env.config.request_timeout);
                self.start_pull(env, peer, order, Some(Box::new(Party::Leader { lead, round })), gives_up);
            }
            // Later in this instant: the round is still telling what it wants.
            Err(no) => self.set_timer(self.now, Timer::NotMet { peer: index_of(peer), met: no == NoLead::Spent }),
        }
    }

    pub(super) fn on_not_met(&mut self, env: &Environment<'_>, peer: u32, met: bool) {
        self.stats.failed += u64::from(!met);
        self.tell_round(env, Input::PullEnded { peer: peer_id(peer), arrived: met });
    }

    /// Answers a question of a meeting, if it is one.
    pub(super) fn answer_meeting(&mut self, env: &Environment<'_>, from: u32, request: &Request) -> Option<Response> {
        let refuse = |reason| Response::Refused { reason, retry_after_ms: ASK_AGAIN[0].as_millis() as u32 };
        let leader = peer_id(from);
        let meetings = self.meetings.as_mut()?;
        match *request {
            Request::Meet { codec, number, root, .. } => Some(match meetings.pairing.invited(leader, number, codec) {
                Ok(ours) => {
                    self.be_guest(env, leader, number, &ours, root);
                    Response::Meeting { offer: ours.offer, hashes: ours.first_hashes(), number }
                }
                Err(reason) => refuse(reason),
            }),
            Request::Settle { number, .. } => Some(match meetings.pairing.settle(leader, number) {
                Settling::Settled => Response::Settled,
                Settling::Wait => refuse(Refusal::Busy),
                Settling::Gone => refuse(Refusal::Gone),
            }),
            _ => None,
        }
    }

    fn be_guest(&mut self, env: &Environment<'_>, leader: PeerId, number: u64, ours: &Publication, theirs: Root) {
        let order = order(env, ours, Meeting::Guest { theirs });
        let gives_up = self.now + GUEST_LIMIT.min(env.config.request_timeout);
        let pull = self.start_pull(env, leader, order, Some(Box::new(Party::Guest { number })), gives_up);
        self.meetings.iter_mut().for_each(|meetings| meetings.guest = Some((pull, leader, number)));
    }

    /// The model of the other is here, or does not come.
    pub(super) fn meeting_pulled(&mut self, env: &Environment<'_>, active: Active, party: Party, model: Option<Model>) {
        let peer = active.peer();
        let model = model.filter(|model| Blob::parse(&model.blob, env.model.layout()).is_ok());
        let Some(meetings) = &mut self.meetings else { return };
        match (party, model) {
            (Party::Leader { lead, round }, Some(Model { blob, age })) => {
                let half = Half { peer, ours: lead.ours.blob, theirs: blob, age };
                let until = self.now + OPEN_LIMIT;
                let asking = Asking { number: lead.number, question: 0, half, round, until, is_open: false };
                self.ask_to_settle(env, asking);
            }
            (Party::Leader { lead, round }, None) => {
                meetings.pairing.lead_failed(lead.number);
                self.met(env, peer, round, false);
            }
            (Party::Guest { number }, Some(Model { blob, age })) => {
                meetings.pairing.arrived(peer, number, blob, age);
                self.set_timer(self.now + GUEST_LIMIT, Timer::GuestWaited(active.number()));
            }
            (Party::Guest { number }, None) => meetings.pairing.abandoned(peer, number),
        }
    }

    pub(super) fn on_guest_waited(&mut self, pull: u32) {
        let Some(meetings) = &mut self.meetings else { return };
        if let Some((_, leader, number)) = meetings.guest.take_if(|(number, ..)| *number == pull) {
            meetings.pairing.abandoned(leader, number);
        }
    }

    fn ask_to_settle(&mut self, env: &Environment<'_>, mut asking: Asking) {
        let to = index_of(asking.half.peer);
        asking.question = self.next_number();
        let request = Request::Settle { task: super::discovery::TASK, number: asking.number };
        let message = Message::Ask { pull: asking.question, door: self.discovery.door(to), request: Box::new(request) };
        self.set_timer(self.now + env.config.request_timeout, Timer::Unsettled(asking.question));
        if let Some(meetings) = &mut self.meetings {
            meetings.settling.push(asking);
        }
        self.send(env, to, message);
    }

    /// Takes the answer to such a question; false if it is none.
    pub(super) fn on_settle_answer(
        &mut self,
        env: &Environment<'_>,
        from: u32,
        question: u32,
        response: &Response,
    ) -> bool {
        let Some(meetings) = &mut self.meetings else { return false };
        let is_this = |asking: &Asking| asking.question == question && asking.half.peer == peer_id(from);
        let Some(at) = meetings.settling.iter().position(is_this) else { return false };
        match response {
            Response::Settled => {
                let Asking { number, half, round, .. } = meetings.settling.swap_remove(at);
                let peer = half.peer;
                meetings.pairing.led(number, half);
                self.met(env, peer, round, true);
            }
            // It still fetches.
            Response::Refused { reason: Refusal::Busy, .. } => self.ask_later(question, ASK_AGAIN[0]),
            _ => {
                let Asking { number, half, round, .. } = meetings.settling.swap_remove(at);
                meetings.pairing.lead_failed(number);
                self.met(env, half.peer, round, false);
            }
        }
        true
    }

    fn ask_later(&mut self, question: u32, pause: Duration) {
        self.set_timer(self.now + pause, Timer::AskAgain(question));
    }

    /// No answer: it may have settled. Others may be met meanwhile, unless too many hang like this one.
    pub(super) fn on_unsettled(&mut self, question: u32) {
        let Some(meetings) = &mut self.meetings else { return };
        let open = meetings.settling.iter().filter(|asking| asking.is_open).count();
        let Some(asking) = meetings.settling.iter_mut().find(|asking| asking.question == question) else { return };
        if !asking.is_open && open < MAX_OPEN {
            asking.is_open = true;
            meetings.pairing.lead_open(asking.number);
        }
        self.ask_later(question, ASK_AGAIN[1]);
    }

    pub(super) fn on_ask_again(&mut self, env: &Environment<'_>, question: u32) {
        let Some(meetings) = &mut self.meetings else { return };
        let Some(at) = meetings.settling.iter().position(|asking| asking.question == question) else { return };
        let asking = meetings.settling.swap_remove(at);
        if self.now >= asking.until {
            meetings.pairing.lead_open(asking.number);
            return self.met(env, asking.half.peer, asking.round, false);
        }
        self.ask_to_settle(env, asking);
    }

    /// A meeting that it leads has ended. The round in which it began hears of it, if that still goes on.
    fn met(&mut self, env: &Environment<'_>, peer: PeerId, round: u64, arrived: bool) {
        self.stats.failed += u64::from(!arrived);
        if round == self.stats.rounds {
            self.tell_round(env, Input::PullEnded { peer, arrived });
        }
    }
}

/// A model that was pulled for a meeting.
#[derive(Debug)]
pub(super) struct Model {
    pub blob: Arc<Vec<u8>>,
    pub age: u64,
}

fn order(env: &Environment<'_>, ours: &Publication, meeting: Meeting) -> PullOrder {
    let codec = ours.offer.codec;
    PullOrder {
        task: super::discovery::TASK,
        codec,
        bytes: encoded_len(codec, env.model.layout()),
        least_age: 0,
        resumes: ExchangeConfig::default().resumes,
        packed: false,
        share: None,
        meeting: Some(meeting),
    }
}
