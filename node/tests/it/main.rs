//! The program as people and scripts use it: real processes, real files, kill -9, a real terminal.

mod errors;
mod kill;
mod life;
mod process;
mod terminal;
