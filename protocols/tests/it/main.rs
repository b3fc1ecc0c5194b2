//! The crate from outside.

mod damage;
mod golden;
mod samples;
