//! The registry: what a node keeps on disk, and how nothing of it is lost.
//!
//! ```text
//! HOME/
//!   identity.key             the secret of the ed25519 key
//!   identity.pub             the peer that it makes this node: a damaged or lost key is noticed by it
//!   lock                     held while a node runs; the number of its process
//!   addresses                where the node listened
//!   starts                   how often a node was started here
//!   checkpoint.safetensors   parameters, drift state; round, age and task in its header
//!   checkpoint.previous.safetensors   the one before, taken when the newest is damaged or gone
//!   checkpoint.damaged.safetensors    a newest one that was damaged
//!   task.json                what is learnt here
//!   frame.json               what columns are scaled by; where peers agree on that, what this node trains in and has told
//!   member.json              own name and membership in the task
//!   members.json             peers that were let in
//!   settings.toml            settings that were given at the first start here
//!   book.json                addresses of peers met
//!   control.sock             the local control socket of the running node
//! ```
//!
//! The directory has mode 0700 and every file in it 0600; a laxer home is tightened, or said where it holds other files too.
//! Every file is written aside, synced and renamed, and its directory synced, so that kill -9 at any instant leaves the
//! old or the new one. Writing happens on a thread of its own; a node that cannot write says so and goes on in memory.

mod actor;
mod api;
mod book;
mod checkpoint;
mod error;
mod export;
mod frame;
mod home;
mod key;
mod lock;
mod member;
mod private;
mod task;
#[cfg(test)]
mod tests;
mod upgrade;

pub use api::RegistryHandle;
pub use book::BookEntry;
pub use checkpoint::{Checkpoint, has_checkpoint, load_checkpoint};
pub use error::RegistryError;
pub use export::{Manifest, export};
pub use frame::{KeptFrame, KeptTold, frame_of};
pub use home::Home;
pub(crate) use home::minutes_since_2025;
pub use key::identity_of;
pub use member::{InviteUse, OwnMember, SeenMember, member_of, seen_of};
pub use task::{HomeTask, task_of};
pub use upgrade::UpgradeError;
