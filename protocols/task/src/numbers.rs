//! The numbers that columns are scaled by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::real::Real;
use crate::schema::Schema;

/// What one column is scaled by: `(x - mean) / sd`, in double precision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, above 0.
    pub sd: f64,
}

impl Scale {
    /// Leaves numbers as they are.
    pub const NONE: Self = Self { mean: 0.0, sd: 1.0 };

    /// The number, scaled.
    pub fn apply(self, value: f64) -> f64 {
        (value - self.mean) / self.sd
    }
}

/// Number, mean and sum of squared differences from the mean of values seen one after the other, by Welford's formulas: a sum of
/// squares would lose all digits of values that are large beside their spread.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// How many values.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Sum of their squared differences from the mean.
    pub squares: f64,
}

impl Moments {
    /// Takes one value more.
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        let difference = value - self.mean;
        self.mean += difference / self.count as f64;
        self.squares += difference * (value - self.mean);
    }

    /// The moments of both lots of values (Chan, Golub and LeVeque 1979, equation 2.1).
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0 {
            return self;
        }
        let (difference, share) = (other.mean - self.mean, other.count as f64 / count as f64);
        let between = difference * difference * self.count as f64 * share;
        Self { count, mean: self.mean + difference * share, squares: self.squares + other.squares + between }
    }

    /// Sample standard deviation; 0 for fewer than two values.
    pub fn sd(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / (self.count - 1) as f64).max(0.0).sqrt() }
    }

    /// What to scale by; a column without spread is only moved.
    pub fn scale(&self) -> Scale {
        let sd = self.sd();
        let sd = if sd.is_finite() && sd > 1e-9 * self.mean.abs().max(1e-3) { sd } else { 1.0 };
        Scale { mean: if self.mean.is_finite() { self.mean } else { 0.0 }, sd }
    }

    /// What to scale by, rounded to what a task needs: the deviation to two digits, the mean to an eighth of it, so that the
    /// numbers tell no more of single rows than they must.
    pub fn rounded(&self) -> Option<(Real, Real)> {
        let Scale { mean, sd } = self.scale();
        let sd = two_digits(sd);
        // A power of ten, so that the mean is a short decimal.
        let place = (sd / 8.0).log10().floor();
        let step = 10f64.powf(place);
        let mean = if step > 0.0 { (mean / step).round() * step } else { mean };
        // Through text, so that 0.30000000000000004 is written 0.3.
        let digits = (-place).clamp(0.0, 300.0) as usize;
        let mean: f64 = format!("{mean:.digits$}").parse().ok()?;
        Some((Real::new(mean)?, Real::new(sd)?))
    }
}

fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// What the columns of a task are scaled by; columns that are no numbers are not in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Numbers(pub BTreeMap<String, Scale>);

impl Numbers {
    /// Those that the task itself says; columns of which it says nothing are left as they are.
    pub fn declared(schema: &Schema) -> Self {
        let numeric = schema.columns.iter().filter(|(_, column)| column.kind.is_numeric());
        let scale = |mean: Option<Real>, sd: Option<Real>| match (mean, sd) {
            (Some(mean), Some(sd)) => Scale { mean: mean.get(), sd: sd.get() },
            _ => Scale::NONE,
        };
        Self(numeric.map(|(name, column)| (name.clone(), scale(column.mean, column.sd))).collect())
    }

    /// What a column is scaled by.
    pub fn of(&self, column: &str) -> Scale {
        self.0.get(column).copied().unwrap_or(Scale::NONE)
    }

    /// Whether every number is finite, every deviation above 0, and the columns are the numeric ones of the task.
    pub fn fits(&self, schema: &Schema) -> bool {
        let numeric = schema.columns.iter().filter(|(_, column)| column.kind.is_numeric()).map(|(name, _)| name);
        let sound = |scale: &Scale| scale.mean.is_finite() && scale.sd.is_finite() && scale.sd > 0.0;
        self.0.keys().eq(numeric) && self.0.values().all(sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.push(*value));
        moments
    }

    #[test]
    fn large_numbers_keep_their_small_spread() {
        // Unix seconds within a minute; a sum of squares in doubles gives a negative variance for such values.
        let values: Vec<f64> = (0..1000).map(|second| 1_700_000_000.0 + f64::from(second % 60)).collect();
        let (all, halves) = (of(&values), of(&values[..300]).merged(of(&values[300..])));
        let exact: Vec<f64> = values.iter().map(|value| value - 1_700_000_000.0).collect();
        assert!((all.sd() - of(&exact).sd()).abs() < 1e-4, "{} {}", all.sd(), of(&exact).sd());
        assert!((halves.sd() - all.sd()).abs() < 1e-4 && (halves.mean - all.mean).abs() < 1e-6);
    }

    #[test]
    fn rounded_numbers_are_short_and_near() {
        let moments = of(&[54.213, 61.9, 47.03, 39.44, 70.01]);
        let (mean, sd) = moments.rounded().unwrap();
        assert_eq!((mean.to_string(), sd.to_string()), ("55".to_owned(), "12".to_owned()));
        let (mean, sd) = of(&[1e-9, 2e-9, 3e-9]).rounded().unwrap();
        assert!((mean.get() - 2e-9).abs() < 2e-10 && (sd.get() - 1e-9).abs() < 1e-10, "{mean} {sd}");
        let (mean, sd) = of(&[5.0, 5.0, 5.0]).rounded().unwrap();
        assert_eq!((mean.get(), sd.get()), (5.0, 1.0));
        assert!(of(&[1e300, -1e300]).rounded().is_some());
    }
}
