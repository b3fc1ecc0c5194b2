//! What a node tells of its rows, and when it tells it anew; in words too.

use std::collections::BTreeMap;
use std::path::Path;

use peerlearn_data::{Loaded, short};
use peerlearn_task::frame::{Frame, Voice, told};
use peerlearn_task::{FrameRule, InputKind, Moments, Schema};

use crate::access::unix_now;
use crate::registry::{KeptTold, frame_of};

/// Least time between two versions of what is told.
const LEAST_AGE: u64 = 3600;
/// Columns whose change is told in words.
const NAMED: usize = 6;

/// What is told now: what was told before, unless enough is new. One version less the one before would tell of the rows that came
/// between them, so there must be `frame.min_rows` of these, and a tenth of all; or it must be other data.
pub(super) fn newest(
    schema: &Schema,
    before: Option<KeptTold>,
    moments: &BTreeMap<String, Moments>,
    rows: usize,
    now: u64,
) -> Option<KeptTold> {
    let columns = told(schema, moments);
    let version = before.as_ref().map_or(now, |before| now.max(before.version + 1));
    let is_due = before.as_ref().is_none_or(|before| {
        let enough = (schema.frame.min_rows as usize).max(before.rows / 10).max(2);
        let is_other = rows.abs_diff(before.rows) >= enough || differ(&before.columns, &columns);
        before.columns != columns && is_other && now.saturating_sub(before.version) >= LEAST_AGE
    });
    match is_due {
        true => Some(KeptTold { version, rows, columns }).filter(|told| !told.columns.is_empty()),
        false => before,
    }
}

/// Whether two tell of other data: of other columns, or of one that is far away.
fn differ(before: &BTreeMap<String, Voice>, now: &BTreeMap<String, Voice>) -> bool {
    let far = |(before, now): (&Voice, &Voice)| {
        (now.mean - before.mean).abs() > before.sd / 2.0 || !(0.5..=2.0).contains(&(now.sd / before.sd))
    };
    !before.keys().eq(now.keys()) || before.values().zip(now.values()).any(far)
}

/// What a node with these rows would tell peers of this task, from a home directory: columns with mean, deviation and (pooled) number
/// of values. Nothing, where numbers are not agreed on.
pub fn would_tell(home: &Path, schema: &Schema, data: &Loaded) -> BTreeMap<String, Voice> {
    if schema.kind != InputKind::Table || schema.frame.rule != FrameRule::Agreed {
        return BTreeMap::new();
    }
    let before = frame_of(home, schema).and_then(|kept| kept.told);
    let told = newest(schema, before, &data.moments, data.train.len(), unix_now());
    told.map_or_else(BTreeMap::new, |told| told.columns)
}

/// How the numbers of one frame differ from those of another, in words: `age 54±9 -> 57±11`.
pub fn changes(before: &Frame, now: &Frame) -> String {
    let pair = |scale: peerlearn_task::Scale| format!("{}±{}", short(scale.mean), short(scale.sd));
    let all: Vec<String> =
        now.changes(before).map(|(name, from, to)| format!("{name} {} -> {}", pair(from), pair(to))).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    all.into_iter().take(NAMED).collect::<Vec<_>>().join(", ") + &more
}
