//! From what peers told to one number each.

use crate::numbers::{Numbers, Scale};
use crate::schema::{Merge, Schema};

use super::{Summary, Voice};

/// What columns are scaled by, of summaries in the order of their peers.
///
/// Of a column that fewer than two peers tell of, the numbers of the task stay; without those, what the one says. Else:
/// *median* of the means over peers, with the task's as one voice more where it has some, and median of the variances about that
/// mean, `sd^2 + (mean_i - mean)^2`; so fewer than half of the voices cannot move a mean out of the range of the others. *Pooled*:
/// moments of all rows together, without the task's.
pub(super) fn merge<'a>(summaries: impl Iterator<Item = &'a Summary>, schema: &Schema) -> Numbers {
    let summaries: Vec<&Summary> = summaries.collect();
    let mut numbers = Numbers::declared(schema);
    for (name, scale) in &mut numbers.0 {
        let voices: Vec<Voice> = summaries.iter().filter_map(|summary| summary.columns.get(name)).copied().collect();
        let declared = schema.columns.get(name).and_then(|column| column.mean.zip(column.sd));
        let merged = match (&voices[..], declared) {
            ([] | [_], Some(_)) | ([], None) => continue,
            ([one], None) => one.scale(),
            (voices, _) if schema.frame.merge == Merge::Pooled => pooled(voices),
            (voices, declared) => {
                let task = declared.map(|(mean, sd)| Scale { mean: mean.get(), sd: sd.get() });
                median(voices.iter().map(|voice| voice.scale()).chain(task).collect())
            }
        };
        if let Some(merged) = rounded(merged) {
            *scale = merged;
        }
    }
    numbers
}

fn median(voices: Vec<Scale>) -> Scale {
    let mean = middle(voices.iter().map(|voice| voice.mean).collect(), |a, b| a / 2.0 + b / 2.0);
    let spread = |voice: &Scale| voice.sd.hypot(voice.mean - mean);
    // The middle of two variances, without squares that could be too large.
    let sd = middle(voices.iter().map(spread).collect(), |a, b| (a / 2f64.sqrt()).hypot(b / 2f64.sqrt()));
    Scale { mean, sd }
}

/// The one in the middle, or what `between` makes of the two.
fn middle(mut values: Vec<f64>, between: impl Fn(f64, f64) -> f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        1 => values[half],
        // Of two equal ones the same, whatever rounding makes of the formula.
        _ if values[half - 1] == values[half] => values[half],
        _ => between(values[half - 1], values[half]).clamp(values[half - 1], values[half]),
    }
}

/// Moments of all values together; sums of squares are about means, so that digits are kept.
fn pooled(voices: &[Voice]) -> Scale {
    let count = |voice: &Voice| voice.count.unwrap_or(0) as f64;
    let all: f64 = voices.iter().map(count).sum();
    let mean: f64 = voices.iter().map(|voice| count(voice) / all * voice.mean).sum();
    let squares = |voice: &Voice| {
        let between = voice.mean - mean;
        (count(voice) - 1.0) / (all - 1.0) * voice.sd * voice.sd + count(voice) / (all - 1.0) * between * between
    };
    Scale { mean, sd: voices.iter().map(squares).sum::<f64>().sqrt() }
}

/// The deviation in four digits and the mean as fine as its last one; 1 for a deviation that is nothing beside the mean. `None` for
/// numbers that cannot be scaled by.
fn rounded(Scale { mean, sd }: Scale) -> Option<Scale> {
    if !mean.is_finite() || !sd.is_finite() {
        return None;
    }
    let sd = if sd < 1e-9 * mean.abs() { 1.0 } else { sd };
    let sd: f64 = format!("{sd:.3e}").parse().ok().filter(|sd| *sd > 0.0)?;
    let place = sd.log10().floor() - 3.0;
    let step = 10f64.powf(place);
    let mean = if step > 0.0 && step.is_finite() { (mean / step).round() * step } else { mean };
    // Through text, so that 0.30000000000000004 is written 0.3.
    let digits = (-place).clamp(0.0, 300.0) as usize;
    let mean: f64 = format!("{mean:.digits$}").parse().ok()?;
    mean.is_finite().then_some(Scale { mean, sd })
}
