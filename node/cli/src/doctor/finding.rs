//! What was found, in one sentence, and what to do.

use serde_json::{Value, json};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It is as it should be.
    Ok,
    /// Good to know.
    Note,
    /// It costs something, or soon will.
    Warning,
    /// The node cannot do its work.
    Fault,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub severity: Severity,
    /// What it is about, in a word.
    pub about: &'static str,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing need be done.
    pub advice: String,
}

impl Finding {
    pub fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, about, found: found.into(), advice: String::new() }
    }

    pub fn note(about: &'static str, found: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::ok(about, found) }
    }

    pub fn warning(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, advice: advice.into(), ..Self::ok(about, found) }
    }

    pub fn fault(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Fault, advice: advice.into(), ..Self::ok(about, found) }
    }

    /// One that could not be looked at.
    pub fn unmeasured(about: &'static str, what: &str) -> Self {
        Self::note(about, format!("{what}: not measured here"))
    }

    /// With something to do.
    pub fn do_this(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    pub fn json(&self) -> Value {
        let mut value = json!({ "severity": self.severity.name(), "about": self.about, "found": self.found });
        if !self.advice.is_empty() {
            value["advice"] = json!(self.advice);
        }
        value
    }

    /// One line, and one for what to do.
    pub fn line(&self) -> String {
        let name = format!("{:<7}", self.severity.name());
        let name = match self.severity {
            Severity::Ok => console::style(name).green(),
            Severity::Note => console::style(name),
            Severity::Warning => console::style(name).yellow(),
            Severity::Fault => console::style(name).red().bold(),
        };
        let advice = if self.advice.is_empty() { String::new() } else { format!("\n{:<20}do: {}", "", self.advice) };
        format!("{name}  {:<10} {}{advice}\n", self.about, self.found)
    }
}
