//! Who takes part: peers are strangers until each side has let the other in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peerlearn_protocols::id::PeerId;
use tokio::task::AbortHandle;

use super::super::NetworkEvent;
use super::super::gate::{Admission, Answer, Gate, Refuser};
use super::super::hello::{self, News};
use super::super::identity::from_libp2p;
use super::Driver;

/// How often it is looked for who has not shown itself in time, and whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Longest time a peer may be connected without having been let in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a connected peer stands.
#[derive(Debug)]
struct Standing {
    /// When it came, or was last heard of while it waits to be let in.
    since: Instant,
    /// Whether this node has dialled it: then this node shows itself first.
    dialled: bool,
    /// Whether it is of the same task and version.
    compatible: bool,
    /// Until when it may take part, once it is let in here.
    let_in: Option<u64>,
    /// Whether this node is let in there.
    lets_in: bool,
    /// Whether it was asked whether the task is open to it.
    wondered: bool,
    /// Whether both are true, and it was told.
    welcome: bool,
    /// Shows this node to it.
    showing: Option<AbortHandle>,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.showing.iter().for_each(AbortHandle::abort);
    }
}

/// Everyone connected, where not everybody takes part.
#[derive(Debug)]
pub(super) struct Admissions {
    gate: Option<Arc<dyn Gate>>,
    standings: BTreeMap<libp2p::PeerId, Standing>,
    swept: Instant,
}

impl Admissions {
    pub fn new(gate: Option<Arc<dyn Gate>>) -> Self {
        Self { gate, standings: BTreeMap::new(), swept: Instant::now() }
    }

    /// When to call [`Driver::sweep`] next; never, where everybody takes part.
    pub fn next_sweep(&self) -> Option<Instant> {
        self.gate.as_ref().map(|_| self.swept + SWEEP_EVERY)
    }

    pub fn connected(&mut self, peer: libp2p::PeerId, dialled: bool) {
        if self.gate.is_some() {
            let standing = self.standings.entry(peer).or_insert_with(|| Standing {
                since: Instant::now(),
                dialled,
                compatible: false,
                let_in: None,
                lets_in: false,
                wondered: false,
                welcome: false,
                showing: None,
            });
            standing.dialled |= dialled;
        }
    }

    pub fn closed(&mut self, peer: &libp2p::PeerId) {
        self.standings.remove(peer);
    }

    /// Whether what this author says is not wanted, whoever passes it on.
    pub fn refuses(&self, author: &PeerId) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.refuses(author))
    }
}

impl Driver {
    /// Streams of peers that need not have been let in.
    pub(in super::super) fn streams(&self) -> libp2p_stream::Control {
        self.swarm.behaviour().streams.new_control()
    }

    /// A peer is of the same task and version.
    pub(super) fn on_compatible(&mut self, peer: libp2p::PeerId, id: PeerId) {
        if self.admissions.gate.is_none() {
            return self.welcome(peer, id);
        }
        if let Some(standing) = self.admissions.standings.get_mut(&peer) {
            standing.compatible = true;
            self.proceed(peer);
        }
    }

    /// Somebody showed itself, or was shown this node.
    pub(super) fn on_hello(&mut self, peer: libp2p::PeerId, news: News) {
        match news {
            News::Judged(Admission::Refused { reason }) => {
                return self.turn_away(peer, Refuser::Here, reason);
            }
            News::Answered(Answer::Open) => {
                let reason = "it takes the task as one that is open to everybody, and shows no membership";
                return self.turn_away(peer, Refuser::Here, reason.to_owned());
            }
            News::Unlike => return self.turn_away(peer, Refuser::There, "no membership was shown".to_owned()),
            News::Answered(Answer::Refused { reason }) => return self.turn_away(peer, Refuser::There, reason),
            News::Answered(Answer::Waits { ref reason }) => {
                self.tell_not_admitted(peer, Refuser::Undecided, reason.clone())
            }
            _ => {}
        }
        let Some(standing) = self.admissions.standings.get_mut(&peer) else { return };
        match news {
            News::Judged(Admission::LetIn { until, .. }) => standing.let_in = Some(until),
            News::Answered(Answer::LetIn { .. }) => standing.lets_in = true,
            _ => standing.since = Instant::now(),
        }
        self.proceed(peer);
    }

    /// Shows this node where it is time to, and takes a peer in once both sides have let each other in.
    fn proceed(&mut self, peer: libp2p::PeerId) {
        let control = self.streams();
        let commands = self.commands.clone();
        let Some(gate) = self.admissions.gate.clone() else { return };
        let Some(standing) = self.admissions.standings.get_mut(&peer) else { return };
        if standing.showing.is_none() && standing.compatible && (standing.dialled || standing.let_in.is_some()) {
            let showing = tokio::spawn(hello::show(control, peer, gate, commands));
            standing.showing = Some(showing.abort_handle());
        }
        if standing.compatible && standing.let_in.is_some() && standing.lets_in && !standing.welcome {
            standing.welcome = true;
            self.swarm.behaviour_mut().let_in(peer);
            if let Some(id) = from_libp2p(&peer) {
                self.welcome(peer, id);
            }
        }
    }

    fn turn_away(&mut self, peer: libp2p::PeerId, refuser: Refuser, reason: String) {
        // It may be gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
        self.tell_not_admitted(peer, refuser, reason);
    }

    fn tell_not_admitted(&mut self, peer: libp2p::PeerId, refuser: Refuser, reason: String) {
        if let Some(peer) = from_libp2p(&peer) {
            self.tell(NetworkEvent::NotAdmitted { peer, refuser, reason });
        }
    }

    /// Hangs up on those who have not shown themselves in time, and on those whose time is over.
    pub(super) fn sweep(&mut self) {
        self.admissions.swept = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (mut over, control) = (Vec::new(), self.streams());
        for (peer, standing) in &mut self.admissions.standings {
            let is_mute = standing.compatible && standing.let_in.is_none() && standing.showing.is_none();
            if is_mute && !standing.wondered && standing.since.elapsed() > PATIENCE / 2 {
                standing.wondered = true;
                tokio::spawn(hello::wonder(control.clone(), *peer, self.commands.clone()));
            }
            match standing.let_in {
                Some(until) if until < now => over.push((*peer, Some("its membership has ended"))),
                _ if standing.welcome || standing.since.elapsed() < PATIENCE => {}
                None if standing.compatible => over.push((*peer, Some("it has not shown a membership"))),
                // Somebody who asks for the task, say, or who has not decided on this node in time.
                _ => over.push((*peer, None)),
            }
        }
        for (peer, reason) in over {
            match reason {
                Some(reason) => self.turn_away(peer, Refuser::Here, reason.to_owned()),
                None => drop(self.swarm.disconnect_peer_id(peer)),
            }
        }
    }
}
