//! The randomised token account (Danner, Jelasity 2018): a node saves up messages and spends them in answer to others.

use rand::{Rng, RngExt};

/// Tokens of one node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    tokens: u32,
}

impl Account {
    /// Whether a node whose turn it is sends unasked; if not, it earns a token. Limits: capacity and reactivity.
    pub(super) fn acts(&mut self, (capacity, reactivity): (u32, u32), rng: &mut impl Rng) -> bool {
        let over = f64::from((self.tokens + 1).saturating_sub(reactivity));
        let acts = rng.random_bool((over / f64::from(capacity + 1 - reactivity)).min(1.0));
        self.tokens += u32::from(!acts);
        acts
    }

    /// Messages in answer to one that came.
    pub(super) fn reacts(&mut self, (_, reactivity): (u32, u32), rng: &mut impl Rng) -> u32 {
        let rest = f64::from(self.tokens % reactivity) / f64::from(reactivity);
        let count = self.tokens / reactivity + u32::from(rng.random_bool(rest));
        self.tokens = self.tokens.saturating_sub(count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn nothing_is_sent_unasked_before_there_are_tokens_and_always_at_capacity() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut account = Account::default();
        assert!((0..9).all(|_| !account.acts((20, 10), &mut rng)));
        assert_eq!(account.tokens, 9);
        let mut full = Account { tokens: 20 };
        assert!(full.acts((20, 10), &mut rng));
        assert_eq!((full.reacts((20, 10), &mut rng), full.tokens), (2, 18));
    }
}
