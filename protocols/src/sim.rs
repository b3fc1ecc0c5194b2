//! The simulator: many peers in one process, in virtual time, with the same machines, codecs and mixing rules as nodes.

mod model;

pub use model::{Model, Rows};
