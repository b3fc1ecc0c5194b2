//! A sampling as a setting: complete, or still waiting for the file it names.

use std::fmt;
use std::str::FromStr;

use super::{EdgeList, Graph, ParseEdgesError, ParseSamplingError, Sampling};

/// What a setting says of sampling, before a file was read.
///
/// This crate reads no file. Whoever does parses the setting to a `Topology`, asks [`Topology::path`], and hands the
/// text of that file to [`Topology::resolve`].
///
/// As text: what [`Sampling`] takes, or `edges:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// Nothing is missing.
    Ready(Sampling),
    /// The edges are in a file.
    Edges {
        /// Where it is, as written in the setting.
        path: String,
    },
}

impl Topology {
    /// The file to read first, if any.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Ready(_) => None,
            Self::Edges { path } => Some(path),
        }
    }

    /// Completes the sampling with the text of the file; `read` is called only if [`Topology::path`] names one.
    ///
    /// # Errors
    ///
    /// What `read` fails with, or what [`EdgeList::parse`] does.
    pub fn resolve<E: From<ParseEdgesError>>(
        self,
        read: impl FnOnce(&str) -> Result<String, E>,
    ) -> Result<Sampling, E> {
        match self {
            Self::Ready(sampling) => Ok(sampling),
            Self::Edges { path } => {
                let text = read(&path)?;
                Ok(Sampling::Graph(Graph::Edges(EdgeList::parse(&path, &text)?)))
            }
        }
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self::Ready(Sampling::default())
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(sampling) => sampling.fmt(f),
            Self::Edges { path } => write!(f, "edges:{path}"),
        }
    }
}

impl FromStr for Topology {
    type Err = ParseSamplingError;

    fn from_str(text: &str) -> Result<Self, ParseSamplingError> {
        match text.strip_prefix("edges:") {
            Some(path) if !path.is_empty() => Ok(Self::Edges { path: path.to_owned() }),
            _ => Ok(Self::Ready(text.parse()?)),
        }
    }
}

serde_as_text!(Topology);
