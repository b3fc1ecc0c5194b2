//! The text form of a graph.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Graph;

/// A text is no graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseGraphError {
    /// No family has this name.
    #[error(
        "unknown graph {got:?}, expected line, ring, star, torus, complete, regular:DEGREE, regular:DEGREE:SEED, \
         exponential, base:K or edges:PATH"
    )]
    Unknown {
        /// The text, cut to 80 characters.
        got: String,
    },
    /// A number is missing, wrong or zero.
    #[error("{got:?} needs {what}")]
    Number {
        /// What is wanted in its place.
        what: &'static str,
        /// The text, cut to 80 characters.
        got: String,
    },
    /// The edges are in a file that nobody has read yet.
    #[error("edges:{path} names a file: it can be given as a setting, which is read first, but not as a ready graph")]
    NeedsFile {
        /// Where the file is.
        path: String,
    },
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => f.write_str("line"),
            Self::Ring => f.write_str("ring"),
            Self::Star => f.write_str("star"),
            Self::Torus => f.write_str("torus"),
            Self::Complete => f.write_str("complete"),
            Self::RandomRegular { degree, seed: 0 } => write!(f, "regular:{degree}"),
            Self::RandomRegular { degree, seed } => write!(f, "regular:{degree}:{seed}"),
            Self::OnePeerExponential => f.write_str("exponential"),
            Self::BaseK { k } => write!(f, "base:{k}"),
            Self::Edges(edges) => write!(f, "edges:{}", edges.path()),
        }
    }
}

impl FromStr for Graph {
    type Err = ParseGraphError;

    fn from_str(text: &str) -> Result<Self, ParseGraphError> {
        let quoted = || text.chars().take(80).collect::<String>();
        let wrong = |what| ParseGraphError::Number { what, got: quoted() };
        let positive = |what, digits: &str| digits.parse().ok().filter(|&number| number > 0).ok_or_else(|| wrong(what));
        match text.split_once(':') {
            None => named(text).ok_or_else(|| ParseGraphError::Unknown { got: quoted() }),
            Some(("regular", numbers)) => {
                let (degree, seed) = numbers.split_once(':').unwrap_or((numbers, "0"));
                let seed = seed.parse().map_err(|_| wrong("a whole number as seed"))?;
                Ok(Self::RandomRegular { degree: positive("a degree of at least 1", degree)?, seed })
            }
            Some(("base", k)) => Ok(Self::BaseK { k: positive("a number of neighbours of at least 1", k)? }),
            Some(("edges", path)) if !path.is_empty() => Err(ParseGraphError::NeedsFile { path: path.to_owned() }),
            Some(_) => Err(ParseGraphError::Unknown { got: quoted() }),
        }
    }
}

fn named(text: &str) -> Option<Graph> {
    Some(match text {
        "line" => Graph::Line,
        "ring" => Graph::Ring,
        "star" => Graph::Star,
        "torus" => Graph::Torus,
        "complete" => Graph::Complete,
        "exponential" => Graph::OnePeerExponential,
        _ => return None,
    })
}

serde_as_text!(Graph);
