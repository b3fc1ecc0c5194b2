//! What a node knows of who may take part, and how it judges: no clock, no files, no network.

use std::collections::BTreeMap;

use peerlearn_network::{Admission, Identity, is_signed};
use peerlearn_protocols::id::PeerId;
use peerlearn_runtime::event::NodeEvent;
use peerlearn_task::access::{Hello, Member, Voucher, ago, verify};
use peerlearn_task::{Document, Join, same_name};

use crate::registry::{InviteUse, OwnMember, SeenMember};

/// How long a membership lasts that an owner signs. Whoever meets an owner's node in the second half gets a new one.
pub(super) const LASTING: u64 = 365 * 86_400;
/// Most peers let in and remembered.
const MAX_SEEN: usize = 4096;
/// Most peers that wait for an owner's decision.
const MAX_PENDING: usize = 64;
/// Most refusals remembered.
const MAX_REFUSED: usize = 64;
/// Seconds after which one who waited and has not asked again makes room for others.
const GIVEN_UP: u64 = 60;
/// Seconds for which a refusal is not said again, and for which what a refused peer says is not taken from others.
const QUIET: u64 = 600;

/// What does not change while a node runs.
#[derive(Debug)]
pub(super) struct Rules {
    pub identity: Identity,
    pub document: Document,
}

/// One who asked to be let in.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub name: String,
    pub since: u64,
    /// When it last asked.
    pub last: u64,
}

/// One who was not let in, or who does not let this node in.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub name: Option<String>,
    pub reason: String,
    pub at: u64,
    /// What was last said of it, and when.
    told: Option<(String, u64)>,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub own: OwnMember,
    pub seen: BTreeMap<PeerId, SeenMember>,
    pub pending: BTreeMap<PeerId, Pending>,
    pub refused: BTreeMap<PeerId, Refusal>,
    /// Who does not let this node in, and what was said of it.
    closed: BTreeMap<PeerId, Refusal>,
}

/// A peer in words.
pub(super) fn label(name: &str, peer: &PeerId) -> String {
    match name == peer.short() {
        true => name.to_owned(),
        false => format!("{name} ({})", peer.short()),
    }
}

impl Rules {
    pub fn is_owner(&self, peer: &PeerId) -> bool {
        self.document.definition.owners.contains(peer)
    }

    pub fn am_owner(&self) -> bool {
        self.is_owner(&self.identity.peer())
    }

    pub fn join(&self) -> Join {
        self.document.charter.access.join
    }

    /// Owners in words, for those who look for one.
    pub fn owners(&self) -> String {
        let owners: Vec<String> = self.document.definition.owners.iter().map(PeerId::short).collect();
        if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") }
    }

    pub fn verify(&self, member: &Member, now: u64) -> Result<(), String> {
        verify(&self.document.definition, member, now, &|key, message, signature| is_signed(key, message, signature))
    }

    /// Signs a membership as an owner.
    pub fn vouch(&self, peer: PeerId, name: &str, invite: Option<PeerId>, now: u64) -> Result<Member, String> {
        let (task, owner) = (self.document.definition.id(), self.identity.peer());
        Member::by_owner(task, peer, name, now + LASTING, owner, invite, |message| self.identity.sign(message))
    }
}

impl State {
    pub fn new(own: OwnMember, seen: Vec<SeenMember>) -> Self {
        let seen = seen.into_iter().map(|member| (member.peer, member)).collect();
        let (pending, refused, closed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { own, seen, pending, refused, closed }
    }

    /// What to make of a peer that shows this of itself, and what people should hear of it.
    pub fn judge(&mut self, rules: &Rules, peer: PeerId, hello: &[u8], now: u64) -> (Admission, Vec<NodeEvent>) {
        let mut events = Vec::new();
        let Some(hello) = Hello::from_bytes(hello) else {
            let reason = "what it shows of itself cannot be read".to_owned();
            return (self.refuse(peer, None, reason, now), events);
        };
        let name = hello.member.as_ref().map_or(&hello.name, |member| &member.name).clone();
        let judged = match hello.member {
            _ if rules.is_owner(&peer) => {
                let owner =
                    SeenMember { peer, name: name.clone(), since: now, by_owner: true, invite: None, papers: None };
                self.admit(owner, &mut events).map(|()| (u64::MAX, None))
            }
            Some(member) => self.judge_member(rules, peer, member, now, &mut events),
            None => match self.knock(rules, peer, &name, now, &mut events) {
                Ok(papers) => Ok((papers.until, Some(papers))),
                Err(Knock::Waits(reason)) => return (Admission::Waits { reason }, events),
                Err(Knock::Refused(reason)) => Err(reason),
            },
        };
        match judged {
            Ok((until, papers)) => {
                let papers = papers.map(|papers| papers.to_bytes()).unwrap_or_default();
                (Admission::LetIn { until, papers }, events)
            }
            Err(reason) => (self.refuse(peer, Some(name), reason, now), events),
        }
    }

    /// Until when a member may take part, and what an owner signs for it.
    fn judge_member(
        &mut self,
        rules: &Rules,
        peer: PeerId,
        member: Member,
        now: u64,
        events: &mut Vec<NodeEvent>,
    ) -> Result<(u64, Option<Member>), String> {
        if member.peer != peer {
            return Err(format!("the membership is that of another peer, {}", member.peer.short()));
        }
        let (until, at) = match &member.by {
            // Who was seen in time has used its invitation in time.
            Voucher::Invite(invite) => (u64::MAX, self.seen_by(&peer, &invite.key).map_or(now, |since| since.min(now))),
            Voucher::Owner { .. } => (member.until, now),
        };
        rules.verify(&member, at)?;
        let (by_owner, used) = match &member.by {
            Voucher::Invite(invite) => {
                if let Some(others) = self.used_up(&peer, &invite.key, invite.uses, now) {
                    let who = label(&member.name, &peer);
                    let message = format!(
                        "{}, for {} of them, was used by {others}, and now by {who}, who is refused",
                        invite.title(),
                        peers(invite.uses)
                    );
                    if !self.was_told(&peer, now) {
                        events.push(NodeEvent::Warning { message });
                    }
                    return Err(format!(
                        "{} was for {} and is used up, by {others}",
                        invite.title(),
                        peers(invite.uses)
                    ));
                }
                (false, Some(InviteUse { key: invite.key, label: invite.label.clone() }))
            }
            Voucher::Owner { invite, .. } => (true, invite.map(|key| InviteUse { key, label: String::new() })),
        };
        let name = member.name.clone();
        self.admit(SeenMember { peer, name, since: now, by_owner, invite: used, papers: None }, events)?;
        Ok((until, self.papers(rules, &member, now)))
    }

    /// What an owner's node signs for a member that has less than that: it then no longer hangs on its invitation.
    fn papers(&mut self, rules: &Rules, member: &Member, now: u64) -> Option<Member> {
        let lasts = matches!(member.by, Voucher::Owner { .. }) && member.until > now + LASTING / 2;
        if !rules.am_owner() || lasts {
            return None;
        }
        let seen = self.seen.get_mut(&member.peer)?;
        let held = seen.papers.take().filter(|held| held.until > now + LASTING / 2 && held.name == member.name);
        let papers = held.or_else(|| rules.vouch(member.peer, &member.name, member.invite(), now).ok());
        seen.papers.clone_from(&papers);
        papers
    }

    /// Somebody without a membership: known to this owner's node, to be decided on by it, or neither.
    fn knock(
        &mut self,
        rules: &Rules,
        peer: PeerId,
        name: &str,
        now: u64,
        events: &mut Vec<NodeEvent>,
    ) -> Result<Member, Knock> {
        let seen = self.seen.get_mut(&peer).filter(|_| rules.am_owner());
        if let Some(seen) = seen.filter(|seen| seen.papers.is_some()) {
            let held = seen.papers.take().filter(|held| held.until > now);
            let invite = seen.invite.as_ref().map(|used| used.key);
            let papers = match held {
                Some(held) => held,
                None => rules.vouch(peer, &seen.name, invite, now).map_err(Knock::Refused)?,
            };
            seen.papers = Some(papers.clone());
            self.refused.remove(&peer);
            return Ok(papers);
        }
        if rules.join() != Join::Approved {
            return Err(Knock::Refused("no membership was shown".to_owned()));
        }
        if !rules.am_owner() {
            let owners = rules.owners();
            let reason =
                format!("no membership was shown, and only an owner can give one: ask for a ticket of {owners}");
            return Err(Knock::Refused(reason));
        }
        self.pend(peer, name, now, events)
    }

    fn pend(&mut self, peer: PeerId, name: &str, now: u64, events: &mut Vec<NodeEvent>) -> Result<Member, Knock> {
        if !self.pending.contains_key(&peer) {
            if self.pending.len() >= MAX_PENDING {
                self.pending.retain(|_, pending| now.saturating_sub(pending.last) < GIVEN_UP);
            }
            if self.pending.len() >= MAX_PENDING {
                return Err(Knock::Refused("too many wait to be let in".to_owned()));
            }
            events.extend(self.namesake(&peer, name).map(|message| NodeEvent::Warning { message }));
            events.push(NodeEvent::Knocking { peer, name: name.to_owned() });
        }
        let pending =
            self.pending.entry(peer).or_insert_with(|| Pending { name: name.to_owned(), since: now, last: now });
        (pending.last, pending.name) = (now, name.to_owned());
        Err(Knock::Waits(format!("an owner was told and decides: peerlearn members allow {}", peer.short())))
    }

    /// Remembers one who is let in.
    fn admit(&mut self, fresh: SeenMember, events: &mut Vec<NodeEvent>) -> Result<(), String> {
        let (peer, known) = (fresh.peer, self.seen.get(&fresh.peer));
        if known.is_none() && self.seen.len() >= MAX_SEEN {
            return Err(format!("{MAX_SEEN} members are known, and no more are taken"));
        }
        if known.is_none_or(|known| known.name != fresh.name) {
            events.extend(self.namesake(&peer, &fresh.name).map(|message| NodeEvent::Warning { message }));
        }
        let seen = self.seen.entry(peer).or_insert_with(|| SeenMember { invite: None, ..fresh.clone() });
        seen.name = fresh.name;
        seen.by_owner |= fresh.by_owner;
        if let Some(used) = fresh.invite {
            let same = seen.invite.take().filter(|held| held.key == used.key && used.label.is_empty());
            seen.invite = Some(same.unwrap_or(used));
        }
        self.pending.remove(&peer);
        self.refused.remove(&peer);
        Ok(())
    }

    fn refuse(&mut self, peer: PeerId, name: Option<String>, reason: String, now: u64) -> Admission {
        note(&mut self.refused, peer, name, &reason, now);
        Admission::Refused { reason }
    }

    /// When a peer was first let in by this invitation.
    fn seen_by(&self, peer: &PeerId, key: &PeerId) -> Option<u64> {
        let seen = self.seen.get(peer)?;
        seen.invite.as_ref().filter(|used| used.key == *key).map(|_| seen.since)
    }

    /// Those who have used an invitation up before this peer came with it; whom an owner has vouched for comes first.
    fn used_up(&self, peer: &PeerId, key: &PeerId, uses: u32, now: u64) -> Option<String> {
        let by = |seen: &&SeenMember| seen.invite.as_ref().is_some_and(|used| used.key == *key);
        let own = self.seen.get(peer).filter(by);
        let (mine, vouched) = own.map_or((now, false), |own| (own.since, own.by_owner));
        let is_before = |seen: &&SeenMember| {
            let is_first_of_equals = own.is_none() || seen.peer < *peer;
            (seen.by_owner && !vouched)
                || (seen.by_owner == vouched && (seen.since < mine || seen.since == mine && is_first_of_equals))
        };
        let before = self.seen.values().filter(|seen| seen.peer != *peer).filter(by).filter(is_before);
        // This node itself came first, unless an owner has vouched for the other.
        let here =
            self.own.member.as_ref().filter(|mine| !vouched && mine.peer != *peer && mine.invite() == Some(*key));
        let here = here.map(|mine| label(&mine.name, &mine.peer));
        let before: Vec<String> = here.into_iter().chain(before.map(|seen| label(&seen.name, &seen.peer))).collect();
        (before.len() >= uses as usize).then(|| before.join(", "))
    }

    /// What is to be said of a peer that goes by the name of another.
    fn namesake(&self, peer: &PeerId, name: &str) -> Option<String> {
        let mut others = self.seen.values().filter(|seen| seen.peer != *peer && same_name(&seen.name, name));
        others.next().map(|other| {
            format!(
                "ANOTHER KEY UNDER A KNOWN NAME: {} is not {}, who was met before; ask who that is before you trust it",
                label(name, peer),
                label(&other.name, &other.peer)
            )
        })
    }

    /// Whether somebody was refused lately.
    pub fn refuses(&self, peer: &PeerId, now: u64) -> bool {
        self.refused.get(peer).is_some_and(|refusal| now.saturating_sub(refusal.at) < QUIET)
    }

    /// Whether people have heard lately that this peer was refused.
    fn was_told(&self, peer: &PeerId, now: u64) -> bool {
        let told = self.refused.get(peer).and_then(|refusal| refusal.told.as_ref());
        told.is_some_and(|(_, at)| now.saturating_sub(*at) < QUIET)
    }

    /// Remembers that two peers do not take part together; answers whether people should hear it now.
    pub fn keep_apart(&mut self, here: bool, peer: PeerId, reason: &str, now: u64) -> bool {
        let refusals = if here { &mut self.refused } else { &mut self.closed };
        note(refusals, peer, None, reason, now);
        let Some(refusal) = refusals.get_mut(&peer) else { return true };
        let is_old = refusal.told.as_ref().is_some_and(|(said, at)| said == reason && now.saturating_sub(*at) < QUIET);
        if !is_old {
            refusal.told = Some((reason.to_owned(), now));
        }
        !is_old
    }

    /// This node was let in by a peer.
    pub fn was_let_in(&mut self, by: &PeerId) {
        self.closed.remove(by);
    }

    /// The name that a peer goes by.
    pub fn name_of(&self, peer: &PeerId) -> Option<&str> {
        self.seen.get(peer).map(|seen| seen.name.as_str())
    }
}

enum Knock {
    Waits(String),
    Refused(String),
}

fn note(refusals: &mut BTreeMap<PeerId, Refusal>, peer: PeerId, name: Option<String>, reason: &str, now: u64) {
    if refusals.len() >= MAX_REFUSED && !refusals.contains_key(&peer) {
        let oldest = refusals.iter().min_by_key(|(_, refusal)| refusal.at).map(|(peer, _)| *peer);
        oldest.into_iter().for_each(|oldest| drop(refusals.remove(&oldest)));
    }
    let fresh = || Refusal { name: None, reason: String::new(), at: now, told: None };
    let refusal = refusals.entry(peer).or_insert_with(fresh);
    refusal.name = name.or(refusal.name.take());
    (refusal.reason, refusal.at) = (reason.to_owned(), now);
}

fn peers(count: u32) -> String {
    if count == 1 { "one peer".to_owned() } else { format!("{count} peers") }
}

/// By what somebody is a member, for people.
pub(super) fn vouched(rules: &Rules, seen: &SeenMember, state: &State) -> String {
    if rules.is_owner(&seen.peer) {
        return "owner".to_owned();
    }
    let Some(used) = &seen.invite else { return "approved by an owner".to_owned() };
    let named = state
        .seen
        .values()
        .filter_map(|other| other.invite.as_ref())
        .find(|other| other.key == used.key && !other.label.is_empty());
    let title = named.map_or_else(|| used.key.short(), |named| named.label.clone());
    format!("invitation {title}")
}

/// Seconds since, in words.
pub(super) fn since(then: u64, now: u64) -> String {
    ago(now.saturating_sub(then))
}
