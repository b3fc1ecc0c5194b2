//! Who may join: invitations, memberships, and what peers show each other before they say anything else.
//!
//! ```text
//!   owner --signs--> Invite {key, uses, until}  --key signs--> Member {peer, name}      made offline, no owner need be awake
//!   owner --signs---------------------------------------------> Member {peer, name}      of one that an owner has approved
//! ```
//!
//! Everything here is bytes and rules: keys, signatures and clocks belong to whoever calls. What is signed begins with a context of
//! its own, so that no signature stands for anything else.

mod bytes;
#[cfg(test)]
mod tests;

use peerlearn_protocols::id::{PeerId, TaskId};

use crate::definition::Definition;
use crate::text::clean;
use bytes::{Reader, Writer};

/// Most bytes of a membership, and of what a peer says first.
pub const MAX_HELLO: usize = 2048;
/// Most peers that may join by one invitation.
pub const MAX_USES: u32 = 1000;
/// Most characters of the name of a peer or an invitation: it is shown on one line, beside others.
const MAX_NAME: usize = 40;
const INVITE: &[u8] = b"peerlearn 2026 invite v1";
const BY_INVITE: &[u8] = b"peerlearn 2026 member by invite v1";
const BY_OWNER: &[u8] = b"peerlearn 2026 member by owner v1";

/// What an owner has signed so that others can make themselves members: whoever has the secret of `key` can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The task that it lets into.
    pub task: TaskId,
    /// The public key of the invitation.
    pub key: PeerId,
    /// How many peers may join by it.
    pub uses: u32,
    /// The last second, since 1970, at which a membership made with it is believed by who has not seen it before.
    pub until: u64,
    /// What the owner calls it; may be empty.
    pub label: String,
    /// The owner who signed it.
    pub owner: PeerId,
    /// Its signature of [`Invite::message`].
    pub signature: [u8; 64],
}

/// Why somebody is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// By an invitation, whose key signed the membership.
    Invite(Box<Invite>),
    /// By an owner, who signed the membership.
    Owner {
        /// The owner.
        owner: PeerId,
        /// The key of the invitation by which the member first came, so that it still counts as a use of it.
        invite: Option<PeerId>,
    },
}

/// The right of one peer to take part in one task, and the name that it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskId,
    /// The peer.
    pub peer: PeerId,
    /// What it calls itself.
    pub name: String,
    /// The last second, since 1970: of the membership where an owner signed it, else not later than that of the invitation.
    pub until: u64,
    /// Why it is one.
    pub by: Voucher,
    /// Signature of [`Member::message`]: of the invitation's key, or of the owner.
    pub signature: [u8; 64],
}

/// What a peer says first: its name and, where it has one, its membership. Owners need none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What it calls itself.
    pub name: String,
    /// Its membership.
    pub member: Option<Member>,
}

/// A name of a peer or an invitation in its one form.
///
/// # Errors
/// It is empty, longer than 40 characters, or could disturb a terminal; says which.
pub fn clean_name(name: &str) -> Result<String, String> {
    let name = clean(name)?;
    match name.chars().count() {
        count if count > MAX_NAME => Err(format!("it has {count} characters, at most {MAX_NAME} are shown")),
        _ => Ok(name),
    }
}

fn is_clean(name: &str) -> bool {
    clean_name(name).is_ok_and(|cleaned| cleaned == name)
}

impl Invite {
    /// An invitation that `sign`, which knows the secret of `owner`, signs.
    ///
    /// # Errors
    /// A label that is no name, or a number of uses that is none.
    pub fn new(
        task: TaskId,
        key: PeerId,
        uses: u32,
        until: u64,
        label: &str,
        owner: PeerId,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, String> {
        let label = match label.trim() {
            "" => String::new(),
            label => clean_name(label).map_err(|reason| format!("the name of an invitation: {reason}"))?,
        };
        let mut invite = Self { task, key, uses, until, label, owner, signature: [0; 64] };
        if !invite.is_well_formed() {
            return Err(format!("an invitation lets in 1 to {MAX_USES} peers"));
        }
        invite.signature = sign(&invite.message());
        Ok(invite)
    }

    /// What the owner signs.
    pub fn message(&self) -> Vec<u8> {
        self.written(Writer::new(INVITE))
    }

    /// The bytes in which it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.written(Writer::new(b"")), self.signature.to_vec()].concat()
    }

    /// Reads what [`Invite::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, MAX_HELLO)?;
        let invite = Self::read(&mut reader)?;
        reader.is_done().then_some(invite)
    }

    fn written(&self, out: Writer) -> Vec<u8> {
        let out =
            out.id(&self.task.0).id(&self.key.0).u32(self.uses).u64(self.until).text(&self.label).id(&self.owner.0);
        out.done()
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (task, key) = (TaskId(reader.array()?), PeerId(reader.array()?));
        let (uses, until, label) =
            (u32::from_le_bytes(reader.array()?), u64::from_le_bytes(reader.array()?), reader.text()?);
        let invite = Self { task, key, uses, until, label, owner: PeerId(reader.array()?), signature: reader.array()? };
        invite.is_well_formed().then_some(invite)
    }

    fn is_well_formed(&self) -> bool {
        (1..=MAX_USES).contains(&self.uses) && (self.label.is_empty() || is_clean(&self.label))
    }

    /// What it is called in sentences.
    pub fn title(&self) -> String {
        match self.label.as_str() {
            "" => format!("the invitation {}", self.key.short()),
            label => format!("the invitation {label}"),
        }
    }
}

impl Member {
    /// A membership by an invitation, which `sign`, that knows the secret of [`Invite::key`], signs.
    ///
    /// # Errors
    /// A name that is none.
    pub fn by_invite(
        invite: Invite,
        peer: PeerId,
        name: &str,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, String> {
        let (task, until) = (invite.task, invite.until);
        Self { task, peer, name: name.to_owned(), until, by: Voucher::Invite(Box::new(invite)), signature: [0; 64] }
            .signed(sign)
    }

    /// A membership that an owner signs.
    ///
    /// # Errors
    /// A name that is none.
    pub fn by_owner(
        task: TaskId,
        peer: PeerId,
        name: &str,
        until: u64,
        owner: PeerId,
        invite: Option<PeerId>,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, String> {
        let by = Voucher::Owner { owner, invite };
        Self { task, peer, name: name.to_owned(), until, by, signature: [0; 64] }.signed(sign)
    }

    fn signed(mut self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Self, String> {
        self.name = clean_name(&self.name).map_err(|reason| format!("the name of a peer: {reason}"))?;
        self.signature = sign(&self.message());
        Ok(self)
    }

    /// What the invitation's key or the owner signs.
    pub fn message(&self) -> Vec<u8> {
        let context = match self.by {
            Voucher::Invite(_) => BY_INVITE,
            Voucher::Owner { .. } => BY_OWNER,
        };
        self.written(Writer::new(context))
    }

    /// The bytes in which it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.written(Writer::new(b"")), self.signature.to_vec()].concat()
    }

    /// Reads what [`Member::to_bytes`] wrote, and nothing else. Whether it is true is another question: [`verify`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, MAX_HELLO)?;
        let member = Self::read(&mut reader)?;
        reader.is_done().then_some(member)
    }

    fn written(&self, out: Writer) -> Vec<u8> {
        let out = out.id(&self.task.0).id(&self.peer.0).u64(self.until).text(&self.name);
        match &self.by {
            Voucher::Invite(invite) => out.byte(1).bytes(&invite.to_bytes()).done(),
            Voucher::Owner { owner, invite: None } => out.byte(2).id(&owner.0).done(),
            Voucher::Owner { owner, invite: Some(key) } => out.byte(3).id(&owner.0).id(&key.0).done(),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (task, peer) = (TaskId(reader.array()?), PeerId(reader.array()?));
        let (until, name) = (u64::from_le_bytes(reader.array()?), reader.text()?);
        let by = match reader.byte()? {
            1 => Voucher::Invite(Box::new(Invite::read(reader)?)),
            2 => Voucher::Owner { owner: PeerId(reader.array()?), invite: None },
            3 => Voucher::Owner { owner: PeerId(reader.array()?), invite: Some(PeerId(reader.array()?)) },
            _ => return None,
        };
        let member = Self { task, peer, name, until, by, signature: reader.array()? };
        is_clean(&member.name).then_some(member)
    }

    /// The key of the invitation by which it came.
    pub fn invite(&self) -> Option<PeerId> {
        match &self.by {
            Voucher::Invite(invite) => Some(invite.key),
            Voucher::Owner { invite, .. } => *invite,
        }
    }
}

impl Hello {
    /// The bytes in which it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        let out = Writer::new(b"").text(&self.name);
        match &self.member {
            None => out.byte(0).done(),
            Some(member) => out.byte(1).bytes(&member.to_bytes()).done(),
        }
    }

    /// Reads what [`Hello::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, MAX_HELLO)?;
        let name = reader.text()?;
        let member = match reader.byte()? {
            0 => None,
            1 => Some(Member::read(&mut reader)?),
            _ => return None,
        };
        (reader.is_done() && is_clean(&name)).then_some(Self { name, member })
    }
}

/// Whether a membership is true: of this task, signed down from one of its owners, and not over at second `now` since 1970. How
/// often an invitation was used is a matter of who has been seen: not asked here.
///
/// `check` says whether a signature of a message is that of a key.
///
/// # Errors
/// Why it is not, in words.
pub fn verify(
    definition: &Definition,
    member: &Member,
    now: u64,
    check: &impl Fn(&PeerId, &[u8], &[u8; 64]) -> bool,
) -> Result<(), String> {
    let task = definition.id();
    if member.task != task {
        return Err(format!("the membership is of task {}, this one is {}", member.task.short(), task.short()));
    }
    if !is_clean(&member.name) {
        return Err("the name cannot be shown".to_owned());
    }
    let signer = match &member.by {
        Voucher::Invite(invite) => {
            verify_invite(definition, invite, task, check)?;
            if member.until > invite.until {
                return Err(format!("the membership is to last longer than {}", invite.title()));
            }
            invite.key
        }
        Voucher::Owner { owner, .. } => owner_of(definition, owner, "the membership")?,
    };
    if !check(&signer, &member.message(), &member.signature) {
        return Err("the signature of the membership is wrong".to_owned());
    }
    match (&member.by, now > member.until) {
        (_, false) => Ok(()),
        (Voucher::Invite(invite), true) => Err(format!("{} ended {}", invite.title(), ago(now - member.until))),
        (Voucher::Owner { .. }, true) => Err(format!("the membership ended {}", ago(now - member.until))),
    }
}

fn verify_invite(
    definition: &Definition,
    invite: &Invite,
    task: TaskId,
    check: &impl Fn(&PeerId, &[u8], &[u8; 64]) -> bool,
) -> Result<(), String> {
    if invite.task != task {
        return Err(format!("{} is of task {}, this one is {}", invite.title(), invite.task.short(), task.short()));
    }
    if !invite.is_well_formed() {
        return Err("the invitation breaks its own rules".to_owned());
    }
    let owner = owner_of(definition, &invite.owner, "the invitation")?;
    match check(&owner, &invite.message(), &invite.signature) {
        true => Ok(()),
        false => Err("the signature of the invitation is wrong".to_owned()),
    }
}

fn owner_of(definition: &Definition, owner: &PeerId, what: &str) -> Result<PeerId, String> {
    match definition.owners.contains(owner) {
        true => Ok(*owner),
        false => Err(format!("{what} is signed by {}, who is no owner of this task", owner.short())),
    }
}

/// A time that has passed, in words.
pub fn ago(seconds: u64) -> String {
    format!("{} ago", span(seconds))
}

/// A span of time in words, in the largest unit of which there are two.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
