//! What can be wrong with a setting.

use thiserror::Error;

/// A setting whose value breaks a rule. Which layer it came from is added by whoever read it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key} is {got}, but it must be {want}")]
pub struct SettingError {
    /// Section and key, for example `training.learning_rate`.
    pub key: &'static str,
    /// The value.
    pub got: String,
    /// The rule, in words.
    pub want: &'static str,
}

impl SettingError {
    /// Checks one rule.
    ///
    /// # Errors
    /// The rule does not hold.
    pub fn check(holds: bool, key: &'static str, got: impl std::fmt::Debug, want: &'static str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { key, got: format!("{got:?}"), want }) }
    }
}
