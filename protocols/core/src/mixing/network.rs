//! A sorting network: the fixed sequence of exchanges that sorts any n values.
//!
//! Batcher's odd-even merge sort (Batcher 1968; Knuth, TAOCP 3, 5.3.4, algorithm M), for any n. Because the sequence
//! does not depend on the values, thousands of columns are sorted at a time, one exchange a row pair.

/// The pairs (lower, upper) to exchange, in order; afterwards values ascend.
pub(super) fn exchanges(n: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    if n < 2 {
        return pairs;
    }
    let top = n.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            pairs.extend((0..n - d).filter(|i| i & p == r).map(|i| (i, i + d)));
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that sorts every sequence of zeros and ones sorts everything (Knuth, TAOCP 3, 5.3.4, theorem Z).
    #[test]
    fn zeros_and_ones_are_sorted() {
        for n in 0..=14 {
            let pairs = exchanges(n);
            for bits in 0u32..1 << n {
                let mut values: Vec<bool> = (0..n).map(|at| bits >> at & 1 == 1).collect();
                for &(low, high) in &pairs {
                    if values[low] & !values[high] {
                        values.swap(low, high);
                    }
                }
                assert!(values.is_sorted(), "{n} values, {bits:b}");
            }
        }
    }

    #[test]
    fn the_number_of_exchanges_is_the_known_one() {
        // Knuth, TAOCP 3, 5.3.4: 5 for 4, 19 for 8, 63 for 16.
        assert_eq!([4, 8, 16].map(|n| exchanges(n).len()), [5, 19, 63]);
    }
}
