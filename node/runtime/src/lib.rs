//! The ground that the components of a node stand on. It knows nothing of networks, models or command lines.
//!
//! A component is one actor behind a cloneable handle. [`mailbox`] is where its messages go, also after a restart;
//! [`supervisor`] starts it and starts it again; [`clock`] is the only reader of the time; [`event`] is the one typed
//! stream of what happens; [`settings`] are what it is told, in layers; [`files`] writes what is kept.

pub mod clock;
pub mod event;
mod event_file;
pub mod files;
pub mod mailbox;
pub mod settings;
pub mod supervisor;

pub use event_file::EventFile;
