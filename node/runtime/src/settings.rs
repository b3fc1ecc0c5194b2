//! Settings: where they come from, and what is wrong with them.
//!
//! Every component has its own settings in its own crate or `config.rs`; whoever puts them together implements
//! [`Settings`] and reads them in layers: built-in defaults, then the file, then the environment, then flags. An error
//! names the layer, the key and the line.

pub mod duration;
mod error;
mod layers;
mod lines;

pub use error::SettingError;
pub use layers::{ConfigError, Layers, Settings};
pub use lines::{line_at, line_of};
