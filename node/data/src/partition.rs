//! How the rows of one file are partitioned among many peers, for demos, tests and research.

use std::fmt;
use std::str::FromStr;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Least rows a peer gets, where there are enough: with fewer a minibatch means nothing.
const LEAST_ROWS: usize = 8;

/// A way to partition rows among peers. Text form: `iid`, `dirichlet:0.1`, `shards:2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Partition {
    /// At random, equally many to each.
    Iid,
    /// Each class is partitioned in proportions drawn from a symmetric Dirichlet distribution: the smaller alpha, the
    /// fewer peers share a class (Hsu et al. 2019).
    Dirichlet(f64),
    /// Rows sorted by class are cut into shards, and each peer gets this many (McMahan et al. 2017, section 3).
    Shards(usize),
}

/// Text that is no partition, or rows that cannot be partitioned so.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PartitionError {
    /// The text means nothing.
    #[error(
        "{got:?} is no partition; use iid, dirichlet:ALPHA (a number above 0, such as 0.1) or shards:K (1 to 1000)"
    )]
    Text {
        /// The text.
        got: String,
    },
    /// More parts than rows.
    #[error("{rows} rows cannot be partitioned among {parts} peers")]
    TooFew {
        /// Rows.
        rows: usize,
        /// Peers, or shards.
        parts: usize,
    },
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let wrong = || PartitionError::Text { got: text.chars().take(80).collect() };
        match text.split_once(':') {
            None if text == "iid" => Ok(Self::Iid),
            Some(("dirichlet", alpha)) => {
                let alpha: f64 = alpha.parse().map_err(|_| wrong())?;
                if alpha.is_finite() && alpha > 0.0 { Ok(Self::Dirichlet(alpha)) } else { Err(wrong()) }
            }
            Some(("shards", count)) => {
                let count: usize = count.parse().map_err(|_| wrong())?;
                if (1..=1000).contains(&count) { Ok(Self::Shards(count)) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid => f.write_str("iid"),
            Self::Dirichlet(alpha) => write!(f, "dirichlet:{alpha}"),
            Self::Shards(count) => write!(f, "shards:{count}"),
        }
    }
}

impl Serialize for Partition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Partition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Partition {
    /// Partitions rows among `parts` peers; the same seed gives the same parts on every machine.
    ///
    /// Shapes: answer `[parts]`, each a list of row indices; every row is in exactly one, none is empty.
    ///
    /// # Errors
    /// Fewer rows than peers or shards.
    ///
    /// # Panics
    /// The parameter of a Dirichlet distribution is not a finite number above 0, which no text gives.
    pub fn assign(
        &self,
        labels: &[u32],
        classes: usize,
        parts: usize,
        seed: u64,
    ) -> Result<Vec<Vec<usize>>, PartitionError> {
        let too_few = |parts| PartitionError::TooFew { rows: labels.len(), parts };
        if parts == 0 || labels.len() < parts {
            return Err(too_few(parts));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rows: Vec<usize> = (0..labels.len()).collect();
        rows.shuffle(&mut rng);
        let mut partitioned = match *self {
            Self::Iid => cut(&rows, parts),
            Self::Dirichlet(alpha) => dirichlet(&rows, labels, classes, parts, alpha, &mut rng),
            Self::Shards(count) => {
                let shards = parts.checked_mul(count).filter(|&shards| shards <= rows.len());
                shards_of(rows, labels, parts, shards.ok_or_else(|| too_few(parts.saturating_mul(count)))?, &mut rng)
            }
        };
        top_up(&mut partitioned, (labels.len() / parts / 2).clamp(1, LEAST_ROWS));
        partitioned.iter_mut().for_each(|part| part.sort_unstable());
        Ok(partitioned)
    }
}

/// Equal pieces; the first few are one longer.
fn cut(rows: &[usize], pieces: usize) -> Vec<Vec<usize>> {
    (0..pieces).map(|n| rows[rows.len() * n / pieces..rows.len() * (n + 1) / pieces].to_vec()).collect()
}

fn dirichlet(
    rows: &[usize],
    labels: &[u32],
    classes: usize,
    parts: usize,
    alpha: f64,
    rng: &mut impl Rng,
) -> Vec<Vec<usize>> {
    let mut partitioned = vec![Vec::new(); parts];
    for class in 0..classes {
        let of_class: Vec<usize> = rows.iter().copied().filter(|&row| labels[row] as usize == class).collect();
        let pieces = cut_by_shares(&of_class, &dirichlet_shares(alpha, parts, rng));
        partitioned.iter_mut().zip(pieces).for_each(|(part, piece)| part.extend(piece));
    }
    partitioned
}

/// Draws what each of `parts` gets from a symmetric Dirichlet distribution, as draws from a gamma distribution that are
/// still to be divided by their sum. None is zero.
///
/// Shapes: answer `[parts]`.
///
/// # Panics
/// `alpha` is not a finite number above 0.
pub fn dirichlet_shares(alpha: f64, parts: usize, rng: &mut impl Rng) -> Vec<f64> {
    let gamma = Gamma::new(alpha, 1.0).expect("alpha is a finite number above 0");
    // With a tiny alpha most draws are too small for any number.
    (0..parts).map(|_| gamma.sample(rng).max(f64::MIN_POSITIVE)).collect()
}

/// Cuts rows into consecutive pieces by shares, which need not add up to one. The last piece takes what rounding
/// leaves.
///
/// Shapes: `shares: [pieces]`, each above 0; answer `[pieces]`.
pub fn cut_by_shares(rows: &[usize], shares: &[f64]) -> Vec<Vec<usize>> {
    let total: f64 = shares.iter().sum();
    let (mut start, mut share) = (0, 0.0);
    let mut pieces: Vec<Vec<usize>> = Vec::with_capacity(shares.len());
    for draw in shares {
        share += draw;
        let end = ((rows.len() as f64 * (share / total).min(1.0)).round() as usize).max(start);
        pieces.push(rows[start..end].to_vec());
        start = end;
    }
    pieces.last_mut().into_iter().for_each(|last| last.extend_from_slice(&rows[start..]));
    pieces
}

fn shards_of(mut rows: Vec<usize>, labels: &[u32], parts: usize, shards: usize, rng: &mut impl Rng) -> Vec<Vec<usize>> {
    rows.sort_by_key(|&row| labels[row]);
    let mut shards = cut(&rows, shards);
    shards.shuffle(rng);
    let each = shards.len() / parts;
    shards.chunks(each).map(<[_]>::concat).collect()
}

/// Moves rows from the largest parts to those below `least`.
fn top_up(partitioned: &mut [Vec<usize>], least: usize) {
    while let Some(poor) = (0..partitioned.len()).find(|&part| partitioned[part].len() < least) {
        let Some(rich) = (0..partitioned.len()).max_by_key(|&part| partitioned[part].len()) else { return };
        let Some(row) = partitioned[rich].pop() else { return };
        partitioned[poor].push(row);
    }
}
