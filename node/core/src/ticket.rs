//! A ticket: one string that lets somebody join, with addresses, task and network.
//!
//! `peerlearn2` and base64url of: peer, task id, addresses, an invitation where there is one, the task itself where it is short; then
//! four bytes of blake3 over all that. An address is a length byte and UTF-8. The highest bit of the number of addresses says that an
//! invitation follows them, as two bytes of length, its secret and what an owner has signed. The task is raw deflate; a longer one is fetched from the peer by its id.

mod ranking;

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use peerlearn_network::is_multiaddress;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::wire::Address;
use peerlearn_task::access::Invite;
use peerlearn_task::{Document, TaskSummary};
use thiserror::Error;

const PREFIX: &str = "peerlearn";
const VERSION: &str = "2";
/// Most addresses in a ticket: TCP and QUIC, inside and outside.
const MAX_ADDRESSES: usize = 6;
/// Longest ticket read.
const MAX_CHARACTERS: usize = 16 * 1024;
/// Most bytes of a packed task that a ticket holds; a longer ticket is no longer pasted easily.
const MAX_PACKED: usize = 1800;

/// In the number of addresses: an invitation follows them.
const INVITED: u8 = 0x80;
/// In the number of addresses: a turn follows them.
const DEALT: u8 = 0x40;

/// An invitation with its secret: whoever has it can join.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What an owner has signed.
    pub invite: Invite,
    /// The secret of its key.
    pub secret: [u8; 32],
}

impl fmt::Debug for Invitation {
    /// Never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Invitation").field(&self.invite).finish()
    }
}

/// What somebody needs to find a network and to learn with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Whom to dial.
    pub peer: PeerId,
    /// Where, without peer id.
    pub addresses: Vec<String>,
    /// Hash of what is learnt there.
    pub task: TaskId,
    /// Which of this node's tickets it is, from 1: whoever takes parts of one source takes another part for each.
    pub turn: Option<u16>,
    /// The right to join, where not everybody has it.
    pub invitation: Option<Invitation>,
    /// What is learnt there, where it is short enough for a ticket.
    pub document: Option<Document>,
}

/// Text that is no ticket, or a ticket for something else.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TicketError {
    /// Not a ticket at all.
    #[error("{got:?} is neither a ticket (peerlearn2…) nor a multiaddress (/ip4/…/tcp/…)")]
    NotATicket {
        /// The text, cut.
        got: String,
    },
    /// A ticket of another version.
    #[error("the ticket has version {theirs}, this program reads {VERSION}")]
    Version {
        /// Version of the ticket.
        theirs: String,
    },
    /// Cut off, mistyped or damaged.
    #[error("the ticket is damaged: {reason}; copy it again")]
    Damaged {
        /// What is wrong.
        reason: &'static str,
    },
    /// A ticket for another task.
    #[error(
        "the ticket is for {theirs}, this node works on {ours}; the node of the ticket decides: start in a home directory of its \
         own with peerlearn join"
    )]
    OtherTask {
        /// Task of the ticket, with network and model.
        theirs: String,
        /// Task of this node, with network and model.
        ours: String,
    },
}

/// The contact behind a ticket or a multiaddress; a ticket must be for `task`.
///
/// # Errors
/// Any [`TicketError`].
pub fn contact_of(text: &str, task: &TaskSummary) -> Result<Contact, TicketError> {
    if is_multiaddress(text) {
        return Ok(Contact { peer: None, addresses: vec![Address(text.to_owned())] });
    }
    let ticket: Ticket = text.parse()?;
    if ticket.task != task.id {
        let theirs = ticket.document.as_ref().map(|document| describe(&document.summary()));
        let theirs = theirs.unwrap_or_else(|| format!("task {}", ticket.task.short()));
        return Err(TicketError::OtherTask { theirs, ours: describe(task) });
    }
    Ok(ticket.contact())
}

/// A task in words.
pub fn describe(task: &TaskSummary) -> String {
    let input: Vec<String> = task.input.iter().map(usize::to_string).collect();
    format!(
        "task {} (network {}, model {}, input {}, {}, scaling {})",
        task.id.short(),
        task.network,
        task.model,
        input.join("x"),
        if task.classes == 1 { "a number".to_owned() } else { format!("{} classes", task.classes) },
        task.scaling
    )
}

impl Ticket {
    /// A ticket to a node at these addresses; of many the most useful few are taken, and the task only where it is short.
    pub fn new(peer: PeerId, addresses: &[String], document: &Document) -> Self {
        let bare = addresses.iter().map(|address| bare(address).to_owned());
        let short = packed(document).len() <= MAX_PACKED;
        Self {
            peer,
            addresses: ranking::most_useful(bare.collect(), MAX_ADDRESSES),
            task: document.definition.id(),
            turn: None,
            invitation: None,
            document: short.then(|| document.clone()),
        }
    }

    /// The same with its number among the tickets of its node.
    #[must_use]
    pub fn dealt(self, turn: u16) -> Self {
        Self { turn: Some(turn), ..self }
    }

    /// The same with an invitation.
    #[must_use]
    pub fn inviting(self, invitation: Invitation) -> Self {
        Self { invitation: Some(invitation), ..self }
    }

    /// What membership is told.
    pub fn contact(&self) -> Contact {
        Contact { peer: Some(self.peer), addresses: self.addresses.iter().cloned().map(Address).collect() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.peer.0.as_slice(), &self.task.0].concat();
        let flag = if self.invitation.is_some() { INVITED } else { 0 } | if self.turn.is_some() { DEALT } else { 0 };
        bytes.push(flag | self.addresses.len().min(MAX_ADDRESSES) as u8);
        for address in self.addresses.iter().take(MAX_ADDRESSES) {
            let end = address.len().min(255);
            bytes.push(end as u8);
            bytes.extend_from_slice(&address.as_bytes()[..end]);
        }
        self.turn.iter().for_each(|turn| bytes.extend_from_slice(&turn.to_le_bytes()));
        if let Some(Invitation { invite, secret }) = &self.invitation {
            let signed = invite.to_bytes();
            bytes.extend_from_slice(&(signed.len() as u16).to_le_bytes());
            bytes.extend_from_slice(secret);
            bytes.extend(signed);
        }
        bytes.extend(self.document.as_ref().map(packed).unwrap_or_default());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (peer, rest) = bytes.split_first_chunk::<32>()?;
        let (task, rest) = rest.split_first_chunk::<32>()?;
        let (&count, mut rest) = rest.split_first()?;
        let mut addresses = Vec::new();
        for _ in 0..count & !(INVITED | DEALT) {
            let (&length, after) = rest.split_first()?;
            let (text, after) = after.split_at_checked(usize::from(length))?;
            addresses.push(String::from_utf8(text.to_vec()).ok()?);
            rest = after;
        }
        let (turn, rest) = match count & DEALT {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(turn, rest)| (Some(u16::from_le_bytes(*turn)), rest))?,
        };
        let (invitation, rest) = match count & INVITED {
            0 => (None, rest),
            _ => invitation(rest).map(|(invitation, rest)| (Some(invitation), rest))?,
        };
        let task = TaskId(*task);
        let document = if rest.is_empty() { None } else { Some(unpacked(rest)?) };
        let fits = addresses.len() <= MAX_ADDRESSES
            && addresses.iter().all(|address| is_multiaddress(address))
            && invitation.as_ref().is_none_or(|invitation| invitation.invite.task == task)
            && document.as_ref().is_none_or(|document| document.definition.id() == task);
        fits.then_some(Self { peer: PeerId(*peer), addresses, task, turn, invitation, document })
    }
}

/// An address without the peer at its end; the relay that it may lead through stays.
pub(crate) fn bare(address: &str) -> &str {
    match address.rsplit_once("/p2p/") {
        Some((before, peer)) if !peer.contains('/') => before,
        _ => address,
    }
}

/// An invitation, and what follows it.
fn invitation(bytes: &[u8]) -> Option<(Invitation, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (secret, rest) = rest.split_first_chunk()?;
    let (signed, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((Invitation { invite: Invite::from_bytes(signed)?, secret: *secret }, rest))
}

/// A task in few bytes.
fn packed(document: &Document) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; what was lost would not be read back.
    let _ = packer.write_all(&document.to_bytes());
    packer.finish().unwrap_or_default()
}

fn unpacked(bytes: &[u8]) -> Option<Document> {
    let mut plain = Vec::new();
    // A few bytes can unpack to very many.
    let most = peerlearn_task::MAX_TRAVEL as u64;
    DeflateDecoder::new(bytes).take(most + 1).read_to_end(&mut plain).ok()?;
    Document::from_bytes(&plain).ok()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    [0, 1, 2, 3].map(|n| hash.as_bytes()[n])
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_bytes();
        let all = [bytes.as_slice(), &checksum(&bytes)].concat();
        write!(f, "{PREFIX}{VERSION}{}", URL_SAFE_NO_PAD.encode(all))
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        let not_a_ticket = || TicketError::NotATicket { got: text.chars().take(40).collect() };
        let rest = text.strip_prefix(PREFIX).ok_or_else(not_a_ticket)?;
        let Some(encoded) = rest.strip_prefix(VERSION) else {
            return Err(TicketError::Version { theirs: rest.chars().take(1).collect() });
        };
        let damaged = |reason| TicketError::Damaged { reason };
        if text.len() > MAX_CHARACTERS {
            return Err(damaged("it is too long"));
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| damaged("characters are missing or wrong"))?;
        let (bytes, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("it is cut off"))?;
        if checksum(bytes) != *sum {
            return Err(damaged("its checksum does not fit"));
        }
        Self::from_bytes(bytes).ok_or_else(|| damaged("its content makes no sense"))
    }
}

#[cfg(test)]
mod tests {
    use peerlearn_task::{Charter, Column, ColumnType, Definition, ModelSpec, Output, Schema};

    use super::*;

    fn document(name: &str, columns: usize) -> Document {
        let column = |at: usize| (format!("measurement number {at}"), Column::new(ColumnType::Number));
        let output = Output::classes("outcome", vec!["no".into(), "yes".into()]);
        let schema = Schema::table((0..columns).map(column).collect(), output);
        let model = ModelSpec { net: "mlp:64,32".into(), loss: "cross-entropy".into(), layout: None };
        Document { definition: Definition::new(name, model, schema).unwrap(), charter: Charter::default() }
    }

    fn ticket() -> Ticket {
        let addresses =
            ["/ip4/192.168.1.7/tcp/4001/p2p/12D3KooWGjMDBaXhCh9uSx9VRgFUm6KqMrGmEAfWzdRKF5RjYvZr".to_owned()];
        Ticket::new(PeerId([1; 32]), &addresses, &document("ward", 10))
    }

    #[test]
    fn a_ticket_round_trips_and_is_short() {
        let text = ticket().to_string();
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(format!("  {text}\n").parse(), Ok(ticket()));
        assert_eq!(ticket().addresses, ["/ip4/192.168.1.7/tcp/4001"]);
        assert_eq!(ticket().dealt(7).to_string().parse(), Ok(ticket().dealt(7)));
        assert!(text.len() < 800, "{}", text.len());
        assert_eq!(ticket().document, Some(document("ward", 10)), "whoever has it needs nothing else");
    }

    #[test]
    fn a_ticket_from_behind_a_router_leads_through_relays() {
        let id = "12D3KooWGjMDBaXhCh9uSx9VRgFUm6KqMrGmEAfWzdRKF5RjYvZr";
        let relayed = |ip: &str| format!("/ip4/{ip}/udp/65535/quic-v1/p2p/{id}/p2p-circuit");
        let told = [relayed("203.0.113.111"), relayed("198.51.100.222"), "/ip4/192.168.1.7/tcp/4001".to_owned()];
        let whole: Vec<String> = told.iter().map(|address| format!("{address}/p2p/{id}")).collect();
        let ticket = Ticket::new(PeerId([1; 32]), &whole, &document("ward", 10));
        for address in &told {
            assert!(ticket.addresses.contains(address) && address.len() < 256, "{address}: {:?}", ticket.addresses);
        }
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }

    #[test]
    fn an_invitation_goes_with_it_and_must_be_of_the_same_task() {
        let owner = peerlearn_network::Identity::generate();
        let invite = |task| {
            let sign = |message: &[u8]| owner.sign(message);
            Invite::new(task, PeerId([7; 32]), 1, 1000, "Basel", owner.peer(), sign).unwrap()
        };
        for bare in [ticket(), Ticket { document: None, addresses: Vec::new(), ..ticket() }] {
            let inviting = bare.clone().inviting(Invitation { invite: invite(bare.task), secret: [0xab; 32] });
            let text = inviting.to_string();
            assert_eq!(text.parse(), Ok(inviting.clone()));
            assert!(!format!("{inviting:?}").contains("171, 171"), "the secret is not shown");
            for end in 0..text.len() {
                assert!(text[..end].parse::<Ticket>().is_err());
            }
            let other = bare.inviting(Invitation { invite: invite(TaskId([9; 32])), secret: [0; 32] });
            assert!(matches!(other.to_string().parse::<Ticket>(), Err(TicketError::Damaged { .. })));
        }
    }

    #[test]
    fn damage_is_named_and_never_panics() {
        let text = ticket().to_string();
        for end in 0..text.len() {
            assert!(text[..end].parse::<Ticket>().is_err());
        }
        for at in 10..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(String::from_utf8(bytes).unwrap().parse::<Ticket>().is_err(), "at {at}");
        }
        assert_eq!("peerlearn3abc".parse::<Ticket>(), Err(TicketError::Version { theirs: "3".into() }));
        assert!(matches!("hello".parse::<Ticket>(), Err(TicketError::NotATicket { .. })));
    }

    #[test]
    fn a_long_task_is_named_by_its_hash_only() {
        // Names that do not pack well.
        let mut long = document("ward", 300);
        let name = |at: usize| blake3::hash(&at.to_le_bytes()).to_string();
        let columns = std::mem::take(&mut long.definition.schema.columns);
        long.definition.schema.columns = columns.into_values().enumerate().map(|(at, each)| (name(at), each)).collect();
        let ticket = Ticket::new(PeerId([1; 32]), &[], &long);
        let text = ticket.to_string();
        assert!(ticket.document.is_none() && text.len() < 200, "{}", text.len());
        assert_eq!(text.parse::<Ticket>().unwrap().task, long.definition.id());
    }

    #[test]
    fn a_ticket_whose_task_is_not_the_one_it_names_is_refused() {
        let forged = Ticket { task: document("other", 10).definition.id(), ..ticket() };
        assert!(matches!(forged.to_string().parse::<Ticket>(), Err(TicketError::Damaged { .. })));
        let bomb = {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&vec![b' '; 8 << 20]).unwrap();
            packer.finish().unwrap()
        };
        assert!(unpacked(&bomb).is_none());
    }

    #[test]
    fn a_ticket_for_another_task_names_both() {
        let ours = document("clinic", 10).summary();
        let error = contact_of(&ticket().to_string(), &ours).unwrap_err().to_string();
        let theirs = document("ward", 10).summary();
        assert!(
            error.contains(&ours.id.short()) && error.contains(&theirs.id.short()) && error.contains("ward"),
            "{error}"
        );
        assert!(contact_of(&ticket().to_string(), &theirs).is_ok());
        assert!(contact_of("/ip4/127.0.0.1/tcp/1", &ours).is_ok());
    }
}
