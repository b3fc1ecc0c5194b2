//! The machine: inputs, outputs and how one follows from the other.

use super::RoundConfig;
use crate::id::PeerId;
use crate::time::Time;

/// A fact about the current round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The node is up. `has_contacts` says whether there is anyone to look for.
    Started {
        /// Whether an address, an address book or a LAN may lead to others.
        has_contacts: bool,
    },
    /// A peer became known.
    PeerKnown,
    /// The answer to [`Output::Draw`]; may be empty.
    Drawn {
        /// The drawn peers.
        peers: Vec<PeerId>,
    },
    /// A pull ended.
    PullEnded {
        /// From whom.
        peer: PeerId,
        /// Whether a model arrived.
        arrived: bool,
    },
    /// Training ended, well or not.
    Trained,
    /// Mixing and measuring ended, well or not.
    Mixed,
    /// The time of [`Output::WakeAt`] has come.
    Woke,
}

/// Something for the interpreter to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Train the steps of this round and publish the result, then say [`Input::Trained`].
    Train {
        /// The round.
        round: u64,
    },
    /// Draw up to this many peers without those tried already, then say [`Input::Drawn`].
    Draw {
        /// How many.
        count: usize,
        /// Who was tried in this round.
        tried: Vec<PeerId>,
    },
    /// Pull from these, say [`Input::PullEnded`] for each.
    Pull {
        /// From whom.
        peers: Vec<PeerId>,
        /// When to give up.
        deadline: Time,
    },
    /// Stop the pulls that have not ended; nothing is said of them any more.
    CancelPulls,
    /// Mix what arrived and measure; then say [`Input::Mixed`].
    Mix {
        /// The round; 0 for the first pull of a joining peer.
        round: u64,
        /// Peers drawn in this round.
        drawn: usize,
    },
    /// Say [`Input::Woke`] at this time; replaces every earlier one.
    WakeAt(Time),
}

/// Where in its round a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Not started.
    Idle,
    /// Looking for others.
    Joining {
        /// When to stop looking.
        until: Time,
    },
    /// The learner trains.
    Training,
    /// A draw was asked for.
    Drawing {
        /// When gathering ends.
        deadline: Time,
    },
    /// Models are on their way.
    Gathering {
        /// When it ends at the latest.
        deadline: Time,
        /// When it ends with what is there by then; set once half is.
        enough: Option<Time>,
        /// Who has not answered yet.
        pending: Vec<PeerId>,
    },
    /// The learner mixes.
    Mixing,
    /// All rounds are done.
    Finished,
    /// Between rounds.
    Resting {
        /// When the next round starts.
        until: Time,
    },
}

/// The rounds of one peer.
#[derive(Debug)]
pub struct Round {
    config: RoundConfig,
    phase: Phase,
    round: u64,
    joining: bool,
    started: Time,
    tried: Vec<PeerId>,
    arrived: usize,
    /// When the first pulls of this round began.
    asked: Time,
    /// Whose pulls go on from earlier rounds.
    late: Vec<PeerId>,
    /// Whose models came late and wait for the next mix.
    kept: Vec<PeerId>,
}

impl Round {
    /// A machine that has closed `round` rounds.
    pub fn new(config: RoundConfig, round: u64) -> Self {
        Self {
            config,
            phase: Phase::Idle,
            round,
            joining: false,
            started: Time::ZERO,
            tried: Vec::new(),
            arrived: 0,
            asked: Time::ZERO,
            late: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Rounds closed.
    pub fn closed(&self) -> u64 {
        self.round
    }

    /// Whether the pulls under way are the first of a joining peer, which needs whole models.
    pub fn is_joining(&self) -> bool {
        self.joining
    }

    /// Whether a model of this peer is wanted: for this round, or late from an earlier one for the next mix.
    pub fn awaits(&self, peer: &PeerId) -> bool {
        let pending = matches!(&self.phase, Phase::Gathering { pending, .. } if pending.contains(peer));
        pending || self.late.contains(peer)
    }

    /// Where in its round the peer is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes one fact and pushes what follows. A fact that does not fit the phase is late and changes nothing.
    #[expect(clippy::collapsible_match, reason = "a guard cannot remove what it looks for")]
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Vec<Output>) {
        match (&mut self.phase, input) {
            (Phase::Idle, Input::Started { has_contacts }) => self.join(now, has_contacts, outputs),
            (Phase::Joining { .. }, Input::PeerKnown) => self.draw(now, self.config.fan_out, outputs),
            (Phase::Joining { until }, Input::Woke) if now >= *until => self.draw(now, self.config.fan_out, outputs),
            (Phase::Training, Input::Trained) => self.draw(now, self.config.fan_out, outputs),
            (Phase::Drawing { deadline }, Input::Drawn { peers }) => {
                let deadline = *deadline;
                self.pull(now, deadline, peers, outputs);
            }
            (_, Input::PullEnded { peer, arrived }) if take(&mut self.late, &peer) => {
                if arrived {
                    self.kept.push(peer);
                }
            }
            (Phase::Gathering { pending, deadline, .. }, Input::PullEnded { peer, arrived }) => {
                if take(pending, &peer) {
                    let (deadline, done) = (*deadline, pending.is_empty());
                    self.arrived += usize::from(arrived);
                    self.pull_ended(now, deadline, done, outputs);
                }
            }
            (Phase::Gathering { deadline, .. }, Input::Woke) if now >= *deadline => self.mix(true, outputs),
            (Phase::Gathering { enough: Some(enough), .. }, Input::Woke) if now >= *enough => self.mix(false, outputs),
            (Phase::Mixing, Input::Mixed) => self.close(now, outputs),
            (Phase::Resting { until }, Input::Woke) if now >= *until => self.train(now, outputs),
            (
                Phase::Joining { until }
                | Phase::Resting { until }
                | Phase::Gathering { enough: Some(until), .. }
                | Phase::Gathering { enough: None, deadline: until, .. },
                Input::Woke,
            ) => outputs.push(Output::WakeAt(*until)),
            _ => {}
        }
    }

    fn join(&mut self, now: Time, has_contacts: bool, outputs: &mut Vec<Output>) {
        if self.is_done() {
            self.phase = Phase::Finished;
            return;
        }
        if !has_contacts {
            return self.train(now, outputs);
        }
        self.joining = true;
        let until = now + self.config.join_wait;
        self.phase = Phase::Joining { until };
        outputs.push(Output::WakeAt(until));
    }

    fn is_done(&self) -> bool {
        self.config.rounds > 0 && self.round >= self.config.rounds
    }

    fn train(&mut self, now: Time, outputs: &mut Vec<Output>) {
        self.joining = false;
        self.started = now;
        self.phase = Phase::Training;
        outputs.push(Output::Train { round: self.round + 1 });
    }

    /// Draws as many as are missing beside the models that came late.
    fn draw(&mut self, now: Time, count: usize, outputs: &mut Vec<Output>) {
        self.tried.clear();
        self.arrived = self.kept.len();
        self.asked = now;
        let deadline = now + self.config.deadline;
        let count = count.saturating_sub(self.arrived);
        if count == 0 {
            return self.mix(false, outputs);
        }
        self.phase = Phase::Drawing { deadline };
        outputs.push(Output::Draw { count, tried: self.taken() });
    }

    /// Who is not to be drawn in this round.
    fn taken(&self) -> Vec<PeerId> {
        self.tried.iter().chain(&self.late).chain(&self.kept).copied().collect()
    }

    fn pull(&mut self, now: Time, deadline: Time, peers: Vec<PeerId>, outputs: &mut Vec<Output>) {
        let taken = self.taken();
        let mut fresh: Vec<PeerId> = peers.into_iter().filter(|peer| !taken.contains(peer)).collect();
        fresh.sort_unstable();
        fresh.dedup();
        if fresh.is_empty() || now >= deadline {
            return self.mix(false, outputs);
        }
        self.tried.extend_from_slice(&fresh);
        outputs.push(Output::Pull { peers: fresh.clone(), deadline });
        outputs.push(Output::WakeAt(deadline));
        self.phase = Phase::Gathering { deadline, enough: None, pending: fresh };
        self.set_enough(now, outputs);
    }

    /// With every pull ended, missing models are drawn for again while there is time and allowance.
    fn pull_ended(&mut self, now: Time, deadline: Time, done: bool, outputs: &mut Vec<Output>) {
        if !done {
            return self.set_enough(now, outputs);
        }
        let missing = self.config.fan_out.saturating_sub(self.arrived);
        let allowance = (self.config.fan_out * (1 + self.config.redraws)).saturating_sub(self.tried.len());
        let count = missing.min(allowance);
        // A joining peer that was told "nothing yet" has joined a network as young as itself: no use in asking on.
        if count == 0 || now >= deadline || self.joining {
            return self.mix(false, outputs);
        }
        self.phase = Phase::Drawing { deadline };
        outputs.push(Output::Draw { count, tried: self.taken() });
    }

    /// Once half of the models are there, the round waits for the others only so long: a slow one does not set the
    /// pace. Not more of them than a round draws may be late at a time, so that what they hold stays bounded.
    fn set_enough(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let half = self.config.fan_out.min(self.tried.len() + self.kept.len()).div_ceil(2);
        let Phase::Gathering { deadline, enough: enough @ None, pending } = &mut self.phase else { return };
        let room = self.late.len() + pending.len() <= self.config.fan_out;
        if self.config.straggler_timeout == 0 || self.joining || self.arrived < half || !room {
            return;
        }
        let (took, before) = (now.since(self.asked), self.asked.since(self.started));
        let patient = self.asked + took.saturating_mul(self.config.straggler_timeout).max(before);
        let at = patient.max(self.started + self.config.min_interval).min(*deadline);
        *enough = Some(at);
        outputs.push(Output::WakeAt(at));
    }

    fn mix(&mut self, cancel: bool, outputs: &mut Vec<Output>) {
        if let Phase::Gathering { pending, .. } = &mut self.phase
            && !cancel
        {
            self.late.append(pending);
        }
        if cancel {
            self.late.clear();
            outputs.push(Output::CancelPulls);
        }
        self.phase = Phase::Mixing;
        let round = if self.joining { self.round } else { self.round + 1 };
        outputs.push(Output::Mix { round, drawn: self.tried.len() + self.kept.len() });
        self.kept.clear();
    }

    fn close(&mut self, now: Time, outputs: &mut Vec<Output>) {
        if self.joining {
            return self.train(now, outputs);
        }
        self.round += 1;
        if self.is_done() {
            self.phase = Phase::Finished;
            if !std::mem::take(&mut self.late).is_empty() {
                outputs.push(Output::CancelPulls);
            }
            return;
        }
        let until = self.started + self.config.min_interval;
        if until <= now {
            return self.train(now, outputs);
        }
        self.phase = Phase::Resting { until };
        outputs.push(Output::WakeAt(until));
    }
}

/// Takes a peer off one of the lists here. They are as long as the fan-out, so a tree would be slower.
fn take(peers: &mut Vec<PeerId>, peer: &PeerId) -> bool {
    let at = peers.iter().position(|other| other == peer);
    at.map(|at| peers.swap_remove(at)).is_some()
}
