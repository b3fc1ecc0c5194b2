//! Who is there: membership, and who is blamed for what.

use super::conversations::Purpose;
use super::{Effect, Peer, PeerEvent, Question};
use crate::id::PeerId;
use crate::membership::{Acceptance, Input, Output};
use crate::round;
use crate::score::{BAN_FOR, Fault};
use crate::time::Time;
use crate::wire::{Announcement, Request};

impl Peer {
    pub(super) fn on_announced(
        &mut self,
        now: Time,
        author: PeerId,
        via: Option<PeerId>,
        announcement: Announcement,
        effects: &mut Vec<Effect>,
    ) {
        if self.scores.is_banned(now, &author) {
            return effects.push(Effect::Judge(Acceptance::Ignore));
        }
        self.tell_membership(now, Input::Announced { author, via, announcement }, effects);
    }

    pub(super) fn on_connected(&mut self, now: Time, peer: PeerId, effects: &mut Vec<Effect>) {
        if let Some(until) = self.scores.banned_until(now, &peer) {
            return effects.push(Effect::Ban { peer, lasts: until.since(now) });
        }
        self.tell_membership(now, Input::Connected { peer }, effects);
    }

    pub(super) fn tell_membership(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        let mut outputs = std::mem::take(&mut self.membership_outputs);
        self.membership.handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.carry_out_membership(now, output, effects);
        }
        self.membership_outputs = outputs;
    }

    fn carry_out_membership(&mut self, now: Time, output: Output, effects: &mut Vec<Effect>) {
        match output {
            Output::Judge(verdict) => effects.push(Effect::Judge(verdict)),
            Output::Answer(response) => self.answer_shuffle(response, effects),
            Output::Shuffle { partner, addresses, descriptors } => {
                let request = Request::Shuffle { task: self.settings.task, descriptors };
                let until = now + self.settings.request_timeout;
                let question = Question { question: 0, peer: partner, addresses, request, until };
                self.ask(now, Purpose::Shuffle, question, effects);
            }
            Output::Announce(announcement) => effects.push(Effect::Announce(announcement)),
            Output::Dial { peer, addresses } => effects.push(Effect::Dial { peer, addresses }),
            Output::HangUp { peer } => effects.push(Effect::HangUp { peer }),
            Output::Discovered { peer, known } => {
                effects.push(Effect::Event(PeerEvent::Discovered { peer, known }));
                self.to_round.push_back(round::Input::PeerKnown);
            }
            Output::Expired { peer } => effects.push(Effect::Event(PeerEvent::Expired { peer })),
            Output::SameIdentity => {
                let words = "another node speaks under this identity: the home directory was copied, or put back from an old \
                             copy; stop one of them, and start it with a home of its own";
                effects.push(Effect::Event(PeerEvent::Warning(words.to_owned())));
            }
            Output::Flooded { author } => self.fault(now, author, Fault::Flood, effects),
            Output::WakeAt(at) => self.membership_wake = Some(at),
        }
    }

    /// Counts a fault. Slowness is counted in silence: everyone is slow at times.
    pub(super) fn fault(&mut self, now: Time, peer: PeerId, fault: Fault, effects: &mut Vec<Effect>) {
        let banned = self.scores.fault(now, peer, fault);
        if fault != Fault::Slow || banned {
            effects.push(Effect::Event(PeerEvent::Misbehaved { peer, fault, banned }));
        }
        if banned {
            effects.push(Effect::Ban { peer, lasts: BAN_FOR });
            self.tell_membership(now, Input::Refused { peer }, effects);
        }
    }
}
