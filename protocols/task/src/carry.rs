//! Weights of one task in the next: a new column, a new class, other numbers to scale by.

use std::collections::BTreeMap;

use peerlearn_protocols::params::Layout;
use thiserror::Error;

use crate::column::{Slot, SlotKind};
use crate::definition::Definition;
use crate::numbers::{Numbers, Scale};
use crate::output::OutputKind;

/// How much less than the least certain old class a new one begins with, in logits.
const NEW_CLASS: f32 = 2.0;

/// Why weights cannot be carried from one task to the next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CarryError {
    /// The models differ.
    #[error("the model changes from {old} to {new}, so no weight means the same; start anew with peerlearn run")]
    Model {
        /// The old one.
        old: String,
        /// The new one.
        new: String,
    },
    /// Only models of dense layers over columns are carried.
    #[error("weights are carried between tables with linear or mlp models only")]
    Kind,
    /// The answer is another.
    #[error("the answer changes from {old} to {new}, so the last layer means nothing any more")]
    Answer {
        /// The old one.
        old: String,
        /// The new one.
        new: String,
    },
    /// Parameters that do not fit their layout.
    #[error("the parameters do not fit the model")]
    Damaged,
}

/// The parameters of the new task that answer as those of the old one did, as far as both know the same columns and classes.
///
/// For dense layers, `[inputs, outputs]` with a bias each. A row of the first layer follows its input by name; where a number is
/// scaled otherwise, it is rewritten so that its contribution stays the same (`W' = W s'/s`, `b' = b + sum ((m' - m)/s) W`). New
/// inputs begin at 0, so that nothing changes; inputs that are gone count as their mean. A column of the last layer follows its
/// class; a new class begins at 0 with a bias below all others.
///
/// # Errors
/// The models, the kinds or the answers are too different.
pub fn carry(
    (old, old_layout, params): (&Definition, &Layout, &[f32]),
    (new, new_layout): (&Definition, &Layout),
) -> Result<Vec<f32>, CarryError> {
    check(old, new)?;
    if params.len() != old_layout.len() || old_layout.tensors().len() != new_layout.tensors().len() {
        return Err(CarryError::Damaged);
    }
    let part = |tensor: usize| &params[old_layout.range(tensor)];
    let mut carried: Vec<Vec<f32>> = (0..old_layout.tensors().len()).map(|tensor| part(tensor).to_vec()).collect();
    let last = carried.len().checked_sub(2).ok_or(CarryError::Damaged)?;
    let hidden = carried[1].len();
    let (weight, bias) = first_layer(old, new, &carried[0], &carried[1], hidden);
    (carried[0], carried[1]) = (weight, bias);
    let (weight, bias) = last_layer(old, new, &carried[last], &carried[last + 1]);
    (carried[last], carried[last + 1]) = (weight, bias);
    let fits = carried
        .iter()
        .zip(new_layout.tensors())
        .all(|(part, tensor)| part.len() == tensor.shape.iter().product::<usize>());
    if fits { Ok(carried.concat()) } else { Err(CarryError::Damaged) }
}

fn check(old: &Definition, new: &Definition) -> Result<(), CarryError> {
    if old.model.net != new.model.net || old.model.layout != new.model.layout {
        return Err(CarryError::Model { old: old.model.net.clone(), new: new.model.net.clone() });
    }
    let dense = old.model.layout.is_none() && (old.model.net == "linear" || old.model.net.starts_with("mlp:"));
    if !dense || old.schema.columns.is_empty() || new.schema.columns.is_empty() {
        return Err(CarryError::Kind);
    }
    let (a, b) = (&old.schema.output, &new.schema.output);
    match a.kind == b.kind && a.unit == b.unit {
        true => Ok(()),
        false => Err(CarryError::Answer {
            old: format!("{:?} {}", a.kind, a.column),
            new: format!("{:?} {}", b.kind, b.column),
        }),
    }
}

/// A row for every input of the new task, and the bias. Shapes: `weight: [old inputs, hidden]`, `bias: [hidden]`.
fn first_layer(
    old: &Definition,
    new: &Definition,
    weight: &[f32],
    bias: &[f32],
    hidden: usize,
) -> (Vec<f32>, Vec<f32>) {
    let place: BTreeMap<String, usize> =
        old.schema.slots().iter().enumerate().map(|(at, slot)| (slot.name(), at)).collect();
    let (before, after) = (Numbers::declared(&old.schema), Numbers::declared(&new.schema));
    let row = |at: usize| weight[at * hidden..][..hidden].iter().map(|value| f64::from(*value));
    let mut bias: Vec<f64> = bias.iter().map(|value| f64::from(*value)).collect();
    let mut rows = Vec::new();
    for slot in new.schema.slots() {
        let Some(&at) = place.get(&slot.name()) else {
            rows.extend(std::iter::repeat_n(0.0, hidden));
            continue;
        };
        let (from, to) = scales(&slot, &before, &after);
        let shift = (to.mean - from.mean) / from.sd;
        bias.iter_mut().zip(row(at)).for_each(|(bias, value)| *bias += shift * value);
        rows.extend(row(at).map(|value| (value * to.sd / from.sd) as f32));
    }
    (rows, bias.into_iter().map(|value| value as f32).collect())
}

fn scales(slot: &Slot, before: &Numbers, after: &Numbers) -> (Scale, Scale) {
    match slot.kind {
        SlotKind::Number => (before.of(&slot.column), after.of(&slot.column)),
        _ => (Scale::NONE, Scale::NONE),
    }
}

/// A column for every class of the new task; for a number, its scale. Shapes: `weight: [hidden, old outputs]`.
fn last_layer(old: &Definition, new: &Definition, weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (a, b) = (&old.schema.output, &new.schema.output);
    if a.kind == OutputKind::Number {
        let real = |value: Option<crate::Real>, otherwise: f64| value.map_or(otherwise, crate::Real::get);
        let (from, to) = ((real(a.mean, 0.0), real(a.sd, 1.0)), (real(b.mean, 0.0), real(b.sd, 1.0)));
        let ratio = from.1 / to.1;
        let weight = weight.iter().map(|value| (f64::from(*value) * ratio) as f32).collect();
        let bias = bias.iter().map(|value| (f64::from(*value) * ratio + (from.0 - to.0) / to.1) as f32).collect();
        return (weight, bias);
    }
    let least = bias.iter().copied().fold(f32::INFINITY, f32::min);
    let places: Vec<Option<usize>> =
        b.values.iter().map(|class| a.values.iter().position(|other| other == class)).collect();
    let of_row = |row: &[f32]| places.iter().map(|place| place.map_or(0.0, |at| row[at])).collect::<Vec<f32>>();
    let bias = places.iter().map(|place| place.map_or(least - NEW_CLASS, |at| bias[at])).collect();
    (weight.chunks(a.values.len().max(1)).flat_map(of_row).collect(), bias)
}

#[cfg(test)]
mod tests {
    use peerlearn_protocols::params::TensorSpec;

    use super::*;
    use crate::{Column, ColumnType, ModelSpec, Output, Real, Schema};

    fn column(mean: f64, sd: f64) -> Column {
        Column { mean: Real::new(mean), sd: Real::new(sd), ..Column::new(ColumnType::Number) }
    }

    fn task(net: &str, columns: &[(&str, f64, f64)], classes: &[&str]) -> Definition {
        let columns = columns.iter().map(|(name, mean, sd)| ((*name).to_owned(), column(*mean, *sd))).collect();
        let output = Output::classes("y", classes.iter().map(|class| (*class).to_owned()).collect());
        let model = ModelSpec { net: net.into(), loss: "cross-entropy".into(), layout: None };
        Definition::new("t", model, Schema::table(columns, output)).unwrap()
    }

    fn layout(sizes: &[usize]) -> Layout {
        let tensor = |name: String, shape: Vec<usize>| TensorSpec { name, shape };
        let pairs = sizes.windows(2).enumerate();
        let both = pairs.flat_map(|(at, pair)| {
            [tensor(format!("{at}.weight"), vec![pair[0], pair[1]]), tensor(format!("{at}.bias"), vec![pair[1]])]
        });
        Layout::new(both.collect()).unwrap()
    }

    /// Logits of a raw row, by the numbers of the task.
    fn logits(task: &Definition, layout: &Layout, params: &[f32], raw: &BTreeMap<&str, f64>) -> Vec<f64> {
        let numbers = Numbers::declared(&task.schema);
        let scaled = |name: &String| numbers.of(name).apply(raw[name.as_str()]);
        let mut x: Vec<f64> = task.schema.columns.keys().map(scaled).collect();
        let layers = layout.tensors().len() / 2;
        for layer in 0..layers {
            let (weight, bias) = (&params[layout.range(2 * layer)], &params[layout.range(2 * layer + 1)]);
            let mut out: Vec<f64> = bias.iter().map(|value| f64::from(*value)).collect();
            for (row, input) in weight.chunks(bias.len()).zip(&x) {
                out.iter_mut().zip(row).for_each(|(sum, value)| *sum += input * f64::from(*value));
            }
            x = out.into_iter().map(|value| if layer + 1 < layers { value.max(0.0) } else { value }).collect();
        }
        x
    }

    fn params(layout: &Layout) -> Vec<f32> {
        (0..layout.len()).map(|at| ((at * 37 % 17) as f32 - 8.0) / 9.0).collect()
    }

    #[test]
    fn answers_stay_what_they_are() {
        for (net, hidden) in [("linear", vec![]), ("mlp:5", vec![5])] {
            let old = task(net, &[("a", 10.0, 2.0), ("c", 0.0, 1.0)], &["no", "yes"]);
            let new = task(net, &[("a", 12.0, 5.0), ("b", 1.0, 1.0), ("c", 0.5, 0.1)], &["no", "unsure", "yes"]);
            let sizes = |inputs, outputs| [vec![inputs], hidden.clone(), vec![outputs]].concat();
            let (before, after) = (layout(&sizes(2, 2)), layout(&sizes(3, 3)));
            let learnt = params(&before);
            let carried = carry((&old, &before, &learnt), (&new, &after)).unwrap();
            for (a, b, c) in [(11.0, 5.0, 0.3), (7.5, -2.0, -1.0)] {
                let raw = BTreeMap::from([("a", a), ("b", b), ("c", c)]);
                let (was, is) = (logits(&old, &before, &learnt, &raw), logits(&new, &after, &carried, &raw));
                assert!((was[0] - is[0]).abs() < 1e-4 && (was[1] - is[2]).abs() < 1e-4, "{net}: {was:?} {is:?}");
            }
        }
    }

    #[test]
    fn what_cannot_mean_the_same_is_refused() {
        let old = task("mlp:5", &[("a", 0.0, 1.0)], &["no", "yes"]);
        let sizes = layout(&[1, 5, 2]);
        let learnt = params(&sizes);
        let wider = task("mlp:6", &[("a", 0.0, 1.0)], &["no", "yes"]);
        assert!(matches!(carry((&old, &sizes, &learnt), (&wider, &layout(&[1, 6, 2]))), Err(CarryError::Model { .. })));
        assert_eq!(carry((&old, &sizes, &learnt[1..]), (&old, &sizes)), Err(CarryError::Damaged));
        assert_eq!(carry((&old, &sizes, &learnt), (&old, &sizes)).unwrap(), learnt);
    }
}
