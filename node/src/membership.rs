//! The membership room: interprets the machine of [`peerlearn_protocols::membership`] and keeps the scores of peers.
//!
//! Network events come in, dials and announcements go out. Whoever wants peers asks for a draw. It knows nothing of
//! rounds or models.

mod actor;
mod api;
mod config;

pub use api::{MembershipHandle, PeerReport};
pub use config::{MembershipSettings, SamplingError};
