//! Settings: what they are, where they come from, what is wrong with them.

pub mod duration;
mod error;

pub use error::SettingError;
