//! A ticket: one string that lets somebody join, with addresses, task and network.
//!
//! `peerlearn1` and base64url of: addresses, peer, task id, readable task; then four bytes of blake3 over all that.
//! Text fields are a length byte and UTF-8. Short enough for a QR code that fits a terminal.

mod ranking;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use peerlearn_network::is_multiaddress;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::task::TaskSummary;
use peerlearn_protocols::wire::Address;
use thiserror::Error;

const PREFIX: &str = "peerlearn";
const VERSION: &str = "1";
/// Most addresses in a ticket: TCP and QUIC, inside and outside.
const MAX_ADDRESSES: usize = 6;
/// Longest ticket read.
const MAX_CHARACTERS: usize = 4096;

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Whom to dial.
    pub peer: PeerId,
    /// Where, without peer id.
    pub addresses: Vec<String>,
    /// What is learnt there.
    pub task: TaskSummary,
}

/// Text that is no ticket, or a ticket for something else.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TicketError {
    /// Not a ticket at all.
    #[error("{got:?} is neither a ticket (peerlearn1…) nor a multiaddress (/ip4/…/tcp/…)")]
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
        "the ticket is for {theirs}, this node works on {ours}; two are the same when network, model, scaling, column names and \
         class names are (data.columns and data.classes say which)"
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
    if ticket.task.id != task.id {
        return Err(TicketError::OtherTask { theirs: describe(&ticket.task), ours: describe(task) });
    }
    Ok(ticket.contact())
}

/// A task in words.
pub fn describe(task: &TaskSummary) -> String {
    let input: Vec<String> = task.input.iter().map(usize::to_string).collect();
    format!(
        "task {} (network {}, model {}, input {}, {} classes, scaling {})",
        task.id.short(),
        task.network,
        task.model,
        input.join("x"),
        task.classes,
        task.scaling
    )
}

impl Ticket {
    /// A ticket to a node at these addresses; of many the most useful few are taken.
    pub fn new(peer: PeerId, addresses: &[String], task: TaskSummary) -> Self {
        let bare = addresses.iter().map(|address| address.split("/p2p/").next().unwrap_or(address).to_owned());
        Self { peer, addresses: ranking::most_useful(bare.collect(), MAX_ADDRESSES), task }
    }

    /// What membership is told.
    pub fn contact(&self) -> Contact {
        Contact { peer: Some(self.peer), addresses: self.addresses.iter().cloned().map(Address).collect() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut text = |text: &str| {
            let end = text.len().min(255);
            bytes.push(end as u8);
            bytes.extend_from_slice(&text.as_bytes()[..end]);
        };
        text(&self.task.network);
        text(&self.task.model);
        text(&self.task.scaling);
        text(&self.task.input.iter().map(usize::to_string).collect::<Vec<_>>().join("x"));
        text(&self.task.classes.to_string());
        self.addresses.iter().for_each(|address| text(address));
        [self.peer.0.as_slice(), &self.task.id.0, &bytes].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (peer, rest) = bytes.split_first_chunk::<32>()?;
        let (task, mut rest) = rest.split_first_chunk::<32>()?;
        let mut texts = Vec::new();
        while let Some((&length, after)) = rest.split_first() {
            let (text, after) = after.split_at_checked(usize::from(length))?;
            texts.push(String::from_utf8(text.to_vec()).ok()?);
            rest = after;
        }
        let mut texts = texts.into_iter();
        let task = TaskSummary {
            id: TaskId(*task),
            network: texts.next()?,
            model: texts.next()?,
            scaling: texts.next()?,
            input: texts.next()?.split('x').map(|size| size.parse().ok()).collect::<Option<_>>()?,
            classes: texts.next()?.parse().ok()?,
        };
        let addresses: Vec<String> = texts.collect();
        let fits = addresses.len() <= MAX_ADDRESSES && addresses.iter().all(|address| is_multiaddress(address));
        fits.then_some(Self { peer: PeerId(*peer), addresses, task })
    }
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
    use super::*;

    fn ticket() -> Ticket {
        let task = TaskSummary {
            id: TaskId([2; 32]),
            network: "digits".into(),
            model: "mlp:64,32".into(),
            input: vec![1, 8, 8],
            classes: 10,
            scaling: "unit:16".into(),
        };
        let addresses =
            ["/ip4/192.168.1.7/tcp/4001/p2p/12D3KooWGjMDBaXhCh9uSx9VRgFUm6KqMrGmEAfWzdRKF5RjYvZr".to_owned()];
        Ticket::new(PeerId([1; 32]), &addresses, task)
    }

    #[test]
    fn a_ticket_round_trips_and_is_short() {
        let text = ticket().to_string();
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(format!("  {text}\n").parse(), Ok(ticket()));
        assert_eq!(ticket().addresses, ["/ip4/192.168.1.7/tcp/4001"]);
        assert!(text.len() < 220, "{}", text.len());
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
        assert_eq!("peerlearn2abc".parse::<Ticket>(), Err(TicketError::Version { theirs: "2".into() }));
        assert!(matches!("hello".parse::<Ticket>(), Err(TicketError::NotATicket { .. })));
    }

    #[test]
    fn a_ticket_for_another_task_names_both() {
        let ours = TaskSummary { id: TaskId([3; 32]), network: "ward".into(), ..ticket().task };
        let error = contact_of(&ticket().to_string(), &ours).unwrap_err().to_string();
        assert!(error.contains("02020202") && error.contains("03030303") && error.contains("ward"), "{error}");
        assert!(contact_of(&ticket().to_string(), &ticket().task).is_ok());
        assert!(contact_of("/ip4/127.0.0.1/tcp/1", &ours).is_ok());
    }
}
