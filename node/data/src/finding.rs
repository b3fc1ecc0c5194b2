//! What is noteworthy about a file, in words, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How much a finding matters; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be learnt from like this.
    Error,
    /// A guess that somebody must confirm.
    Question,
    /// It can be learnt from; somebody should know.
    Warning,
}

/// One thing that is noteworthy about a file. Codes follow the Frictionless framework where it has one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A word that stays the same.
    pub code: &'static str,
    /// The column, if it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub column: String,
    /// A sentence.
    pub words: String,
    /// What mends it; empty where nothing needs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mend: String,
}

impl Finding {
    /// A finding about a column.
    pub fn new(severity: Severity, code: &'static str, column: &str, words: impl Into<String>) -> Self {
        Self { severity, code, column: column.to_owned(), words: words.into(), mend: String::new() }
    }

    /// The same with what mends it.
    #[must_use]
    pub fn mended_by(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }
}

impl Finding {
    /// The finding as a sentence, for a log.
    pub fn sentence(&self) -> String {
        let column = if self.column.is_empty() { String::new() } else { format!("column {}: ", self.column) };
        let mend = if self.mend.is_empty() { String::new() } else { format!("; {}", self.mend) };
        format!("{column}{}{mend}", self.words)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.severity {
            Severity::Error => "E",
            Severity::Question => "?",
            Severity::Warning => "W",
        };
        write!(f, "{sign} {:12} ", self.code)?;
        if !self.column.is_empty() {
            write!(f, "{}: ", self.column)?;
        }
        f.write_str(&self.words)?;
        if !self.mend.is_empty() {
            write!(f, "; {}", self.mend)?;
        }
        Ok(())
    }
}
