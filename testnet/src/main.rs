//! The program `peerlearn-testnet`.

fn main() {}
