//! Scaling a table by its own rows, in memory or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerlearn_protocols::dataset::{Rescale, RowError, Values};
use peerlearn_task::{Column, Missing, Moments, Numbers, Scale, Schema, SlotKind};

use super::encode::transformed;

/// Moments of every input. Shapes: `rows: [rows, inputs]`, answer `[inputs]`.
///
/// # Errors
/// A row that is not in memory cannot be read.
pub(super) fn moments(rows: &Values, inputs: usize) -> Result<Vec<Moments>, RowError> {
    let mut all = vec![Moments::default(); inputs];
    each(rows, inputs, |row| all.iter_mut().zip(row).for_each(|(moments, value)| moments.push(f64::from(*value))))?;
    Ok(all)
}

/// Calls `see` with every row, `[inputs]`. Shapes: `rows: [rows, inputs]`.
fn each(rows: &Values, inputs: usize, mut see: impl FnMut(&[f32])) -> Result<(), RowError> {
    match rows {
        Values::Floats(values) => values.chunks(inputs.max(1)).for_each(&mut see),
        Values::Bytes(_) => rows.to_vec().chunks(inputs.max(1)).for_each(&mut see),
        Values::Stored(stored) => {
            let mut row = Vec::with_capacity(inputs);
            for number in 0..stored.rows() {
                row.clear();
                stored.copy_row(number, &mut row)?;
                see(&row);
            }
        }
    }
    Ok(())
}

/// One number column among the inputs, as the task scales it.
struct Place<'a> {
    name: &'a String,
    at: usize,
    scale: Scale,
    /// The input that is 1 where a value is missing.
    flag: Option<usize>,
    /// What stands for a missing value, where no input says that it is missing.
    filled: Option<f32>,
}

impl<'a> Place<'a> {
    fn of(name: &'a String, column: &Column, at: usize, scale: Scale) -> Self {
        let (flag, filled) = match &column.missing {
            Missing::MeanAndFlag | Missing::Own => (Some(at + 1), None),
            Missing::Refuse => (None, None),
            Missing::Mean => (None, Some(0.0)),
            Missing::Value(value) => {
                (None, value.parse().ok().map(|value| scale.apply(transformed(column, value)) as f32))
            }
        };
        Self { name, at, scale, flag, filled }
    }

    /// The value of a row in the unit of the task; `None` where it was missing.
    fn value(&self, row: &[f32]) -> Option<f64> {
        let is_there = self.flag.is_none_or(|flag| row[flag] == 0.0) && self.filled != Some(row[self.at]);
        is_there.then(|| f64::from(row[self.at]) * self.scale.sd + self.scale.mean)
    }
}

/// Moments of the number columns of rows that are scaled by the numbers of the task: what may be told of them. Values that were
/// missing do not count; nor, where only the value that was filled in could show that, do others that equal it. Shapes:
/// `rows: [rows, inputs]`.
///
/// # Errors
/// As [`moments`].
pub(super) fn of_columns(schema: &Schema, rows: &Values) -> Result<BTreeMap<String, Moments>, RowError> {
    let (declared, mut places, mut at) = (Numbers::declared(schema), Vec::new(), 0);
    for (name, column) in &schema.columns {
        if column.kind.is_numeric() {
            places.push(Place::of(name, column, at, declared.of(name)));
        }
        at += column.slots().len();
    }
    let mut all = vec![Moments::default(); places.len()];
    each(rows, at, |row| {
        for (place, moments) in places.iter().zip(&mut all) {
            place.value(row).into_iter().for_each(|value| moments.push(value));
        }
    })?;
    Ok(places.iter().map(|place| place.name.clone()).zip(all).collect())
}

/// What the own rows say of each input that is a number. Shapes: `rows: [rows, inputs]`, answer `[inputs]`.
///
/// # Errors
/// As [`moments`].
pub(super) fn scales(schema: &Schema, rows: &Values) -> Result<Vec<Option<Scale>>, RowError> {
    let slots = schema.slots();
    let moments = moments(rows, slots.len())?;
    Ok(slots.iter().zip(moments).map(|(slot, own)| (slot.kind == SlotKind::Number).then(|| own.scale())).collect())
}

/// Scaling as a change of every value; inputs that are no numbers stay as they are. Shapes: `scales`, answer: `[inputs]`.
pub(super) fn rescale(scales: &[Option<Scale>], clip: f64) -> Arc<[Rescale]> {
    let by = |scale: &Option<Scale>| {
        scale.map_or(Rescale::NONE, |Scale { mean, sd }| Rescale { minus: mean, over: sd, limit: clip })
    };
    scales.iter().map(by).collect()
}
