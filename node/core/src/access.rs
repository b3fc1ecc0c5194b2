//! Who takes part in the task of a node: what it shows of itself, whom it lets in, and what its owner decides.
//!
//! The network asks [`Access`] as its [`Gate`] before a peer is told or taken anything. In a task that is open there is no gate, and
//! nothing is asked.

mod state;
#[cfg(test)]
mod tests;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use peerlearn_network::{Admission, Gate, Identity, Refuser};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_runtime::event::{EventBus, NodeEvent};
use peerlearn_task::access::{Hello, Invite, Member, Voucher, clean_name};
use peerlearn_task::{Document, Join};
use tokio::sync::watch;

pub use view::{Members, SeenView};

use self::state::{Rules, State, label, since, vouched};
use crate::registry::{OwnMember, SeenMember};
use crate::ticket::Invitation;

/// Who takes part. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: Rules,
    state: Mutex<State>,
    events: EventBus,
    changed: watch::Sender<()>,
}

/// Seconds since 1970.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A membership made from an invitation, without asking anybody.
///
/// # Errors
/// The invitation is not for this task, has ended, or the name is none; in words.
pub fn redeem(document: &Document, identity: &Identity, invitation: &Invitation, name: &str) -> Result<Member, String> {
    let key = Identity::from_secret(invitation.secret);
    let invite = invitation.invite.clone();
    if key.peer() != invite.key {
        return Err("the invitation's secret does not belong to it".to_owned());
    }
    let member = Member::by_invite(invite, identity.peer(), name, |message| key.sign(message))?;
    let rules = Rules { identity: identity.clone(), document: document.clone() };
    rules.verify(&member, unix_now())?;
    Ok(member)
}

impl Access {
    /// What a node knows of who takes part, with what it kept from earlier.
    pub fn new(
        identity: Identity,
        document: Document,
        own: OwnMember,
        seen: Vec<SeenMember>,
        events: EventBus,
    ) -> Self {
        let (changed, _) = watch::channel(());
        let rules = Rules { identity, document };
        Self { inner: Arc::new(Inner { rules, state: Mutex::new(State::new(own, seen)), events, changed }) }
    }

    /// The gate of the network; none, where everybody takes part.
    pub fn gate(&self) -> Option<Arc<dyn Gate>> {
        (self.inner.rules.join() != Join::Open).then(|| Arc::new(self.clone()) as Arc<dyn Gate>)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) {
        self.inner.changed.send_replace(());
    }

    /// Tells of every change of what is to be kept.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changed.subscribe()
    }

    /// What is to be kept: for which task, what this node shows of itself, and whom it has let in.
    pub fn kept(&self) -> (TaskId, OwnMember, Vec<SeenMember>) {
        let (task, state) = (self.inner.rules.document.definition.id(), self.state());
        (task, state.own.clone(), state.seen.values().cloned().collect())
    }

    /// The name that a peer goes by, once it was let in.
    pub fn name_of(&self, peer: &PeerId) -> Option<String> {
        self.state().name_of(peer).map(str::to_owned)
    }

    /// A peer for people: its name and its short id, as far as known.
    pub fn label(&self, peer: &PeerId) -> String {
        self.name_of(peer).map_or_else(|| peer.short(), |name| label(&name, peer))
    }

    /// Whether this node may take part: its task is open, it is an owner's, or it has a membership that has not ended.
    pub fn is_member(&self) -> bool {
        let rules = &self.inner.rules;
        let own = self.state().own.member.clone();
        rules.join() == Join::Open || rules.am_owner() || own.is_some_and(|member| is_usable(&member, rules))
    }

    /// Signs an invitation, with a key of its own.
    ///
    /// # Errors
    /// The task is open, this node is not an owner's, or the words are none; says which.
    pub fn invite(&self, uses: u32, seconds: u64, label: &str) -> Result<Invitation, String> {
        let rules = &self.inner.rules;
        if rules.join() == Join::Open {
            return Err("this task is open to everybody: peerlearn ticket is enough".to_owned());
        }
        if !rules.am_owner() {
            let (own, owners) = (rules.identity.peer().short(), rules.owners());
            return Err(format!(
                "only an owner of the task can invite; the key of this node, {own}, is none ({owners} can); use --home with the \
                 directory in which peerlearn new was run"
            ));
        }
        let key = Identity::generate();
        let (task, until) = (rules.document.definition.id(), unix_now().saturating_add(seconds));
        let owner = rules.identity.peer();
        let invite = Invite::new(task, key.peer(), uses, until, label, owner, |message| rules.identity.sign(message))?;
        Ok(Invitation { invite, secret: key.secret() })
    }

    /// Becomes a member by an invitation, unless this node is one already.
    ///
    /// # Errors
    /// Any of [`redeem`].
    pub fn redeem(&self, invitation: &Invitation) -> Result<(), String> {
        if self.is_member() {
            return Ok(());
        }
        let (rules, name) = (&self.inner.rules, self.state().own.name.clone());
        let member = redeem(&rules.document, &rules.identity, invitation, &name)?;
        self.state().own = OwnMember { name: member.name.clone(), member: Some(member) };
        self.keep();
        Ok(())
    }

    /// Lets in one of those who wait, by its name or the beginning of its id; answers who it is, in words.
    ///
    /// # Errors
    /// Nobody who waits, or more than one, is called so; or this node is not an owner's.
    pub fn allow(&self, who: &str) -> Result<String, String> {
        let rules = &self.inner.rules;
        if !rules.am_owner() {
            return Err(format!(
                "only an owner of the task can let somebody in; the key of this node is none ({} can)",
                rules.owners()
            ));
        }
        let mut state = self.state();
        let name = clean_name(who).unwrap_or_default();
        let found: Vec<PeerId> = state
            .pending
            .iter()
            .filter(|(peer, pending)| pending.name == name || (who.len() >= 4 && peer.to_string().starts_with(who)))
            .map(|(peer, _)| *peer)
            .collect();
        let peer = match found.as_slice() {
            [peer] => *peer,
            [] => return Err(format!("nobody called {who:?} waits to be let in; peerlearn members lists who does")),
            several => {
                let ids: Vec<String> = several.iter().map(PeerId::short).collect();
                return Err(format!("{} are called {who:?}: say which by its id", ids.join(" and ")));
            }
        };
        let name = state.pending.get(&peer).map(|pending| pending.name.clone()).unwrap_or_default();
        let known = state.seen.values().find(|seen| seen.peer != peer && seen.name == name);
        if let Some(known) = known.filter(|_| who == name) {
            let (peer, known) = (peer.short(), known.peer.short());
            return Err(format!("{name} is the name of {known}, and {peer} asks: to let that one in, say its id"));
        }
        let now = unix_now();
        let papers = rules.vouch(peer, &name, None, now)?;
        let seen =
            SeenMember { peer, name: name.clone(), since: now, by_owner: true, invite: None, papers: Some(papers) };
        state.seen.insert(peer, seen);
        state.pending.remove(&peer);
        drop(state);
        self.keep();
        Ok(label(&name, &peer))
    }

    /// Who takes part, waits, and was refused.
    pub fn members(&self, connected: &[PeerId]) -> Members {
        let (rules, now, member) = (&self.inner.rules, unix_now(), self.is_member());
        let state = self.state();
        let view = |peer: &PeerId, name: &str, since: u64, why: String| SeenView {
            peer: *peer,
            name: name.to_owned(),
            since,
            why,
            connected: connected.contains(peer),
        };
        let members =
            state.seen.values().map(|seen| view(&seen.peer, &seen.name, seen.since, vouched(rules, seen, &state)));
        let mut members: Vec<SeenView> = members.collect();
        members.sort_by(|one, other| (&one.name, one.peer).cmp(&(&other.name, other.peer)));
        let asked = |last: u64| format!("asked {}", since(last, now));
        let pending = state.pending.iter();
        let pending = pending.map(|(peer, waits)| view(peer, &waits.name, waits.since, asked(waits.last))).collect();
        let refused = state.refused.iter();
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let mut refused: Vec<SeenView> =
            refused.map(|(peer, no)| view(peer, &name(&no.name), no.at, no.reason.clone())).collect();
        refused.sort_by_key(|view| std::cmp::Reverse(view.since));
        Members {
            join: rules.join(),
            peer: rules.identity.peer(),
            name: state.own.name.clone(),
            owner: rules.am_owner(),
            member,
            members,
            pending,
            refused,
        }
    }

    /// The network says that a peer and this node do not take part together; people hear it where it is news.
    pub(crate) fn not_admitted(&self, peer: PeerId, refuser: Refuser, reason: String) {
        let reason = match refuser {
            Refuser::Here => reason,
            Refuser::There => format!("{} says: {reason}; {}", peer.short(), self.advice()),
            Refuser::Undecided => format!("{} says: {reason}; this node asks again every few seconds", peer.short()),
        };
        let here = refuser == Refuser::Here;
        if self.state().keep_apart(here, peer, &reason, unix_now()) {
            let event =
                if here { NodeEvent::PeerRefused { peer, reason } } else { NodeEvent::NotLetIn { peer, reason } };
            self.inner.events.emit(event);
        }
    }

    /// What somebody can do who is not let in.
    fn advice(&self) -> String {
        let rules = &self.inner.rules;
        let owners = rules.owners();
        match (rules.join(), self.is_member()) {
            (Join::Open, _) => {
                format!("its task lets in members only, the one here everybody: ask {owners} for the newest task")
            }
            (Join::Invited, _) => {
                format!("ask an owner ({owners}) for an invitation (peerlearn invite), then: peerlearn join TICKET")
            }
            (Join::Approved, true) => format!("ask an owner ({owners}) what this node's membership lacks"),
            (Join::Approved, false) => format!("an owner ({owners}) has to let this node in, from a node of its own"),
        }
    }
}

/// Whether a membership is worth showing: to those who saw it in time, one by invitation never ends.
fn is_usable(member: &Member, rules: &Rules) -> bool {
    let at = match member.by {
        Voucher::Invite(_) => 0,
        Voucher::Owner { .. } => unix_now(),
    };
    member.peer == rules.identity.peer() && rules.verify(member, at).is_ok()
}

impl Gate for Access {
    fn hello(&self) -> Vec<u8> {
        let OwnMember { name, member } = self.state().own.clone();
        Hello { name, member }.to_bytes()
    }

    fn judge(&self, peer: PeerId, hello: &[u8]) -> Admission {
        let (admission, events) = self.state().judge(&self.inner.rules, peer, hello, unix_now());
        events.into_iter().for_each(|event| self.inner.events.emit(event));
        if matches!(admission, Admission::LetIn { .. }) {
            self.keep();
        }
        admission
    }

    fn let_in(&self, by: PeerId, papers: &[u8]) {
        let rules = &self.inner.rules;
        let mut state = self.state();
        state.was_let_in(&by);
        let Some(papers) = Member::from_bytes(papers) else { return };
        let lasts = |member: &Member| if matches!(member.by, Voucher::Owner { .. }) { member.until } else { 0 };
        let is_better = state.own.member.as_ref().is_none_or(|held| lasts(&papers) > lasts(held));
        if is_better && papers.peer == rules.identity.peer() && rules.verify(&papers, unix_now()).is_ok() {
            state.own = OwnMember { name: papers.name.clone(), member: Some(papers) };
            drop(state);
            self.keep();
        }
    }

    fn refuses(&self, peer: &PeerId) -> bool {
        self.state().refuses(peer, unix_now())
    }
}
