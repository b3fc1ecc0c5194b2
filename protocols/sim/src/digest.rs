//! A hash over what happened, to compare runs.

/// A running hash over numbers: cheap enough for every event. Not for hostile input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes in one number.
    pub fn push(&mut self, value: u64) {
        // The finalizer of SplitMix64 over the old state and the new number.
        let mut z = self.0.rotate_left(5) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }

    /// Takes in the bits of parameters.
    pub fn push_params(&mut self, params: &[f32]) {
        params.iter().for_each(|value| self.push(u64::from(value.to_bits())));
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
}
