//! Settings of the exchange.

/// Settings of the exchange that the pure part needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// Times a pull goes on after its stream was cut. Three cuts in one deadline mean a link that will not do.
    pub resumes: u32,
    /// Publications kept besides the newest, so that a pull begun before a new round can end.
    pub kept: usize,
    /// Whether models are asked for as compressed frames; needs the feature `zstd`, and is not done under push-sum.
    pub compressed: bool,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self { resumes: 3, kept: 1, compressed: false }
    }
}
