//! The program as people and scripts use it: real processes, real files, kill -9, a real terminal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod doctor;
mod errors;
mod files;
mod first_hour;
mod kill;
mod life;
mod process;
mod surroundings;
mod tables;
mod terminal;
