//! Who may take part: asked of whoever owns the network, before a peer is told or taken anything.

use peerlearn_protocols::id::PeerId;

/// Most bytes of a reason.
const MAX_REASON: usize = 400;
/// What a node answers whose task is open.
pub(super) const OPEN: u8 = 3;

/// Decides who takes part in a task that is not open to everybody. Its answers come at once: no connection waits for a person.
pub trait Gate: std::fmt::Debug + Send + Sync + 'static {
    /// What this node shows of itself.
    fn hello(&self) -> Vec<u8>;

    /// What to make of a peer that has shown this of itself.
    fn judge(&self, peer: PeerId, hello: &[u8]) -> Admission;

    /// A peer has let this node in, and gave it these papers, if any.
    fn let_in(&self, by: PeerId, papers: &[u8]);

    /// Whether a peer was refused: its announcements are then not taken from others either.
    fn refuses(&self, peer: &PeerId) -> bool;
}

/// What a gate makes of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It takes part.
    LetIn {
        /// The last second since 1970 for which this holds.
        until: u64,
        /// What it is to keep and to show from now on; empty for nothing.
        papers: Vec<u8>,
    },
    /// A person has to decide; it asks again.
    Waits {
        /// In words.
        reason: String,
    },
    /// It does not take part.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// Whose decision keeps two peers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuser {
    /// This node does not let the peer in.
    Here,
    /// The peer does not let this node in.
    There,
    /// The peer has not decided yet, and is asked again.
    Undecided,
}

/// What a peer answers to a hello.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    LetIn {
        papers: Vec<u8>,
    },
    Waits {
        reason: String,
    },
    Refused {
        reason: String,
    },
    /// To the peer, the task is open to everybody: it has nothing to show.
    Open,
}

impl Admission {
    /// The answer to the peer: a tag, and papers or words.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (tag, rest) = match self {
            Self::LetIn { papers, .. } => (0, papers.as_slice()),
            Self::Waits { reason } => (1, cut(reason)),
            Self::Refused { reason } => (2, cut(reason)),
        };
        [&[tag], rest].concat()
    }
}

impl Answer {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        match *tag {
            0 => Some(Self::LetIn { papers: rest.to_vec() }),
            1 => Some(Self::Waits { reason: words(rest) }),
            2 => Some(Self::Refused { reason: words(rest) }),
            OPEN => Some(Self::Open),
            _ => None,
        }
    }
}

fn cut(reason: &str) -> &[u8] {
    &reason.as_bytes()[..reason.len().min(MAX_REASON)]
}

/// A stranger's words, harmless on a terminal and in a log.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_REASON)]).into_owned();
    let is_harmful = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
    };
    text.chars().map(|character| if is_harmful(character) { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_back_and_words_of_strangers_are_tamed() {
        let answer = |admission: Admission| Answer::from_bytes(&admission.to_bytes());
        assert_eq!(answer(Admission::LetIn { until: 1, papers: vec![7] }), Some(Answer::LetIn { papers: vec![7] }));
        assert_eq!(answer(Admission::Waits { reason: "soon".into() }), Some(Answer::Waits { reason: "soon".into() }));
        assert_eq!(Answer::from_bytes(&[]), None);
        assert_eq!(Answer::from_bytes(&[OPEN]), Some(Answer::Open));
        assert_eq!(Answer::from_bytes(&[4]), None);
        let Some(Answer::Refused { reason }) = Answer::from_bytes(b"\x02no\x1b[2J\nway\xff") else {
            panic!("not read")
        };
        assert_eq!(reason, "no [2J way\u{fffd}");
        let Some(Answer::Refused { reason }) = answer(Admission::Refused { reason: "ä".repeat(1000) }) else {
            panic!("not read")
        };
        assert_eq!(reason.chars().count(), MAX_REASON / 2);
    }
}
