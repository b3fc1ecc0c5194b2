//! The commented scenario that `peerlearn-testnet init` writes.

/// A scenario that runs as it is, with every key that there is.
pub fn template() -> &'static str {
    include_str!("template.toml")
}
