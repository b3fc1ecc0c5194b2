use std::collections::BTreeMap;

use peerlearn_protocols::id::{PeerId, TaskId};
use proptest::prelude::*;

use super::*;
use crate::{Column, ColumnType, FrameRule, Merge, Missing, Moments, Output, Real};

const TASK: TaskId = TaskId([7; 32]);

/// Two numbers, `age` with the task's numbers and `weight` without, and a word.
fn schema(merge: Merge) -> Schema {
    let real = |value| Some(Real::new(value).unwrap());
    let age = Column { mean: real(50.0), sd: real(10.0), ..Column::new(ColumnType::Number) };
    let weight = Column { missing: Missing::MeanAndFlag, ..Column::new(ColumnType::Number) };
    let sex = Column { values: vec!["f".into(), "m".into()], ..Column::new(ColumnType::Category) };
    let columns = BTreeMap::from([("age".into(), age), ("weight".into(), weight), ("sex".into(), sex)]);
    let mut schema = Schema::table(columns, Output::classes("sick", vec!["no".into(), "yes".into()]));
    (schema.frame.rule, schema.frame.merge) = (FrameRule::Agreed, merge);
    schema
}

fn of(values: &[f64]) -> Moments {
    let mut moments = Moments::default();
    values.iter().for_each(|value| moments.push(*value));
    moments
}

fn says(peer: u8, version: u64, columns: &[(&str, f64, f64)]) -> Summary {
    let voice = |(name, mean, sd): &(&str, f64, f64)| ((*name).to_owned(), Voice { mean: *mean, sd: *sd, count: None });
    Summary::unsigned(TASK, PeerId([peer; 32]), version, columns.iter().map(voice).collect())
}

fn all(said: &[Summary]) -> Summaries {
    let mut summaries = Summaries::new(TASK, schema(Merge::Median));
    said.iter().cloned().for_each(|summary| {
        summaries.join(summary);
    });
    summaries
}

#[test]
fn what_is_told_is_rounded_and_of_columns_with_enough_values_that_differ() {
    let moments = BTreeMap::from([
        ("age".to_owned(), of(&[54.213, 61.9, 47.03, 39.44, 70.01, 54.213, 61.9, 47.03, 39.44, 70.01])),
        ("weight".to_owned(), of(&[5.0; 20])),
        ("sex".to_owned(), of(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])),
        ("unknown".to_owned(), of(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])),
    ]);
    let columns = told(&schema(Merge::Median), &moments);
    assert_eq!(columns, BTreeMap::from([("age".to_owned(), Voice { mean: 55.0, sd: 11.0, count: None })]));
    let exact = told(&schema(Merge::Pooled), &moments)["age"];
    assert_eq!((exact.count, exact.mean), (Some(10), moments["age"].mean));
}

#[test]
fn a_peer_with_nine_rows_tells_nothing() {
    let nine: Vec<f64> = (0..9).map(|row| 17.25 + f64::from(row)).collect();
    let moments = BTreeMap::from([("age".to_owned(), of(&nine)), ("weight".to_owned(), of(&nine))]);
    for merge in [Merge::Median, Merge::Pooled] {
        let schema = schema(merge);
        let summary = Summary::unsigned(TASK, PeerId([1; 32]), 1, told(&schema, &moments));
        let bytes = summary.to_bytes(&schema);
        // All bytes: the peer, the version, two columns of which nothing is told, the signature.
        assert_eq!(bytes, [&[1; 32][..], &[1, 0, 0, 0, 0, 0, 0, 0], &[0, 0], &[0; 64]].concat());
    }
    // Whatever the task says, one value is never told.
    let mut careless = schema(Merge::Pooled);
    careless.frame.min_rows = 0;
    assert!(told(&careless, &BTreeMap::from([("age".to_owned(), of(&[17.0]))])).is_empty());
}

#[test]
fn bytes_of_strangers_are_summaries_or_errors() {
    for merge in [Merge::Median, Merge::Pooled] {
        let (schema, count) = (schema(merge), (merge == Merge::Pooled).then_some(12));
        let columns = BTreeMap::from([("weight".to_owned(), Voice { mean: -3.5, sd: 0.25, count })]);
        let summary = Summary { signature: [9; 64], ..Summary::unsigned(TASK, PeerId([3; 32]), 77, columns) };
        let bytes = summary.to_bytes(&schema);
        assert!(bytes.len() <= Summary::most_bytes(&schema));
        assert_eq!(Summary::from_bytes(&bytes, TASK, &schema), Ok(summary.clone()));
        for length in 0..bytes.len() {
            assert_eq!(Summary::from_bytes(&bytes[..length], TASK, &schema), Err(SummaryError::Form));
        }
        assert_eq!(Summary::from_bytes(&[&bytes[..], &[0]].concat(), TASK, &schema), Err(SummaryError::Form));
        for (mean, sd) in [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::INFINITY), (1e200, 1.0), (0.0, 1e-200)]
        {
            let columns = BTreeMap::from([("weight".to_owned(), Voice { mean, sd, count })]);
            let wrong = Summary::unsigned(TASK, PeerId([3; 32]), 1, columns).to_bytes(&schema);
            assert_eq!(Summary::from_bytes(&wrong, TASK, &schema), Err(SummaryError::Number), "{mean} {sd}");
        }
        let other = Summary { task: TaskId([8; 32]), ..summary.clone() };
        assert_ne!(other.message(&schema), summary.message(&schema), "a signature is for one task");
    }
}

#[test]
fn the_task_is_one_more_voice_where_it_has_numbers() {
    // One peer changes nothing of a column with numbers, and is all there is of one without.
    let one = all(&[says(1, 1, &[("age", 70.0, 5.0), ("weight", 70.0, 5.0)])]).numbers();
    assert_eq!((one.of("age"), one.of("weight")), (Scale { mean: 50.0, sd: 10.0 }, Scale { mean: 70.0, sd: 5.0 }));
    // Two peers and the task: the one in the middle.
    let two = all(&[says(1, 1, &[("age", 70.0, 5.0)]), says(2, 1, &[("age", 60.0, 5.0)])]).numbers();
    assert_eq!(two.of("age").mean, 60.0);
    // Deviations are about the common mean: 14.14, 11.18 and 5.
    assert_eq!(two.of("age").sd, 11.18);
    assert_eq!(two.of("weight"), Scale::NONE);
}

#[test]
fn pooled_numbers_are_those_of_all_rows_together() {
    let schema = schema(Merge::Pooled);
    let rows: Vec<f64> = (0..60).map(|row| 1_700_000_000.0 + f64::from(row * row % 61)).collect();
    let mut summaries = Summaries::new(TASK, schema.clone());
    for (peer, part) in [&rows[..15], &rows[15..27], &rows[27..]].iter().enumerate() {
        let columns = told(&schema, &BTreeMap::from([("age".to_owned(), of(part))]));
        summaries.join(Summary::unsigned(TASK, PeerId([peer as u8; 32]), 1, columns));
    }
    let (merged, whole) = (summaries.numbers().of("age"), of(&rows));
    assert!((merged.sd / whole.sd() - 1.0).abs() < 1e-3, "{merged:?} {}", whole.sd());
    assert!((merged.mean - whole.mean).abs() < 1e-2, "{merged:?} {}", whole.mean);
}

#[test]
fn who_says_two_things_under_one_version_has_no_voice_until_it_says_one() {
    let (one, other) = (says(2, 5, &[("age", 10.0, 1.0)]), says(2, 5, &[("age", 90.0, 1.0)]));
    let mut summaries = all(&[says(1, 1, &[("age", 60.0, 10.0)]), says(3, 1, &[("age", 62.0, 10.0)]), one.clone()]);
    assert_eq!((summaries.voices(), summaries.join(one.clone())), (3, Joined::Known));
    assert_eq!(summaries.join(other.clone()), Joined::Contradiction);
    assert_eq!((summaries.voices(), summaries.contradicting().collect::<Vec<_>>()), (2, vec![PeerId([2; 32])]));
    assert_eq!(summaries.digests().len(), 4, "both are kept as proof");
    assert!(summaries.digests().iter().all(|digest| summaries.get(digest).is_some()));
    assert_eq!(summaries.join(says(2, 4, &[])), Joined::Known);
    assert_eq!((summaries.join(says(2, 6, &[("age", 61.0, 9.0)])), summaries.voices()), (Joined::New, 3));
    assert_eq!((summaries.join(other), summaries.voices()), (Joined::Known, 3));
    assert_eq!(summaries.join(Summary { task: TaskId([1; 32]), ..says(9, 9, &[]) }), Joined::Known);
}

#[test]
fn a_map_that_is_full_keeps_the_same_peers_in_any_order() {
    let said: Vec<Summary> = (0..400u16)
        .map(|number| {
            let mut peer = [0; 32];
            peer[..2].copy_from_slice(&number.to_le_bytes());
            Summary { peer: PeerId(peer), ..says(0, 1, &[("age", f64::from(number), 1.0)]) }
        })
        .collect();
    let forwards = all(&said);
    let backwards = all(&said.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!((forwards.voices(), &forwards), (MAX_SUMMARIES, &backwards));
    let columns = |count: usize| {
        let columns = (0..count).map(|number| (number.to_string(), Column::new(ColumnType::Number))).collect();
        Schema::table(columns, Output::classes("sick", vec!["no".into(), "yes".into()]))
    };
    for (count, most) in [(10, 256), (1000, 61), (65_536, 3)] {
        assert_eq!(Summaries::new(TASK, columns(count)).most_digests(), 2 * most, "{count} columns");
    }
}

#[test]
fn lots_of_voices_grow_by_half() {
    let lots: Vec<usize> = (0..20).map(bucket).collect();
    assert_eq!(lots, [0, 1, 2, 3, 4, 4, 6, 6, 6, 9, 9, 9, 9, 13, 13, 13, 13, 13, 13, 19]);
    assert!(bucket(usize::MAX / 2) > 1 << 60);
}

#[test]
fn new_numbers_are_taken_of_enough_voices_more_or_when_they_moved_much() {
    let schema = schema(Merge::Median);
    let none = Frame::declared(&schema);
    assert_eq!(none.next(&all(&[])), None);
    let said: Vec<Summary> = (1..=6).map(|peer| says(peer, 1, &[("age", 60.0, 10.0), ("weight", 7.0, 2.0)])).collect();
    let alone = none.next(&all(&said[..1])).unwrap();
    assert_eq!(alone.changes(&none).map(|(name, ..)| name).collect::<Vec<_>>(), ["weight"]);
    let two = alone.next(&all(&said[..2])).unwrap();
    assert_eq!((two.voices, two.numbers.of("age").mean), (2, 60.0));
    assert_eq!(two.next(&all(&said[..2])), None);
    assert_eq!(two.next(&all(&said[..1])), None, "fewer voices are never better");
    let four = two.next(&all(&said[..4])).unwrap();
    assert_eq!((four.voices, four.next(&all(&said[..5]))), (4, None));
    assert_eq!(four.next(&all(&said)).unwrap().voices, 6);
    let moved: Vec<Summary> = (1..=4).map(|peer| says(peer, 2, &[("age", 66.0, 10.0), ("weight", 7.0, 2.0)])).collect();
    assert_eq!(four.next(&all(&moved)).unwrap().numbers.of("age").mean, 66.0);
    let text = serde_json::to_string(&four).unwrap();
    assert_eq!(serde_json::from_str::<Frame>(&text).unwrap(), four);
}

#[test]
fn inputs_are_brought_to_a_frame_and_held_within_it() {
    let schema = schema(Merge::Median);
    let frame =
        all(&[says(1, 1, &[("age", 70.0, 5.0), ("weight", 7.0, 2.0)]), says(2, 1, &[("age", 70.0, 5.0)])]).numbers();
    let rescales = frame.rescales(&schema);
    // age, sex=f, sex=m, weight, weight?
    assert_eq!(rescales.len(), 5);
    let age = frame.of("age");
    for raw in [40.0, 50.0, 71.5] {
        let (z0, want) = ((raw - 50.0) / 10.0, age.apply(raw));
        assert!((f64::from(rescales[0].apply(z0 as f32)) - want).abs() < 1e-5, "{raw}");
    }
    assert_eq!((rescales[3].apply(9.0), rescales[3].apply(1e6), rescales[0].apply(-1e6)), (1.0, 8.0, -8.0));
    assert!([1, 2, 4].iter().all(|slot| rescales[*slot] == Rescale::NONE));
    // Where nothing is known, nothing is far; the task's own numbers are judged by.
    let declared = Numbers::declared(&schema).rescales(&schema);
    assert_eq!((declared[3].apply(1e6), declared[0].apply(1e6)), (1e6, 8.0));
}

fn anything() -> impl Strategy<Value = Summary> {
    let number = prop_oneof![-1e3..1e3f64, -1e150..1e150f64];
    let column = proptest::option::of((number, prop_oneof![1e-3..1e3f64, 1e-150..1e150f64]));
    (0u8..6, 0u64..3, column.clone(), column).prop_map(|(peer, version, age, weight)| {
        let columns = [("age", age), ("weight", weight)];
        let columns: Vec<_> =
            columns.into_iter().filter_map(|(name, of)| of.map(|(mean, sd)| (name, mean, sd))).collect();
        says(peer, version, &columns)
    })
}

proptest! {
    #[test]
    fn order_repetition_and_loss_do_not_matter(
        said in proptest::collection::vec(anything(), 0..14),
        order in any::<prop::sample::Index>(),
        twice in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = all(&said);
        let mut other = said.clone();
        other.extend(twice.iter().filter(|_| !said.is_empty()).map(|index| index.get(&said).clone()));
        let turn = order.index(other.len().max(1));
        let turn = turn.min(other.len());
        other.rotate_left(turn);
        other.reverse();
        prop_assert_eq!(&all(&other), &whole);
        prop_assert_eq!(all(&other).numbers(), whole.numbers());
        // Each of two peers lost some; they exchange what they kept.
        let (some, rest) = said.split_at(said.len() / 2);
        let (mut one, two) = (all(some), all(rest));
        for digest in two.digests() {
            one.join(two.get(&digest).unwrap().clone());
        }
        prop_assert_eq!(&one, &whole);
        prop_assert!(whole.numbers().fits(&schema(Merge::Median)));
    }

    #[test]
    fn fewer_than_half_of_the_voices_move_no_column_out_of_the_range_of_the_honest(
        honest in proptest::collection::vec((-100.0..100.0f64, 1.0..10.0f64), 2..9),
        lies in proptest::collection::vec((-1e150..1e150f64, 1e-150..1e150f64), 0..8),
    ) {
        // Of `age` the task is honest too.
        for (column, task) in [("age", Some((50.0, 10.0))), ("weight", None)] {
            let honest: Vec<(f64, f64)> = honest.iter().copied().chain(task).collect();
            let told = if task.is_some() { &honest[..honest.len() - 1] } else { &honest[..] };
            let lies = &lies[..lies.len().min(honest.len() - 1)];
            let said = told.iter().chain(lies).enumerate().map(|(peer, (mean, sd))| says(peer as u8, 1, &[(column, *mean, *sd)]));
            let merged = all(&said.collect::<Vec<_>>()).numbers().of(column);
            let least = honest.iter().map(|(mean, _)| *mean).fold(f64::INFINITY, f64::min);
            let most = honest.iter().map(|(mean, _)| *mean).fold(f64::NEG_INFINITY, f64::max);
            let widest = honest.iter().map(|(_, sd)| *sd).fold(0.0, f64::max).hypot(most - least);
            let narrowest = honest.iter().map(|(_, sd)| *sd).fold(f64::INFINITY, f64::min);
            // As fine as the numbers are rounded.
            let fine = 1e-3 * merged.sd;
            prop_assert!((least - fine..=most + fine).contains(&merged.mean), "{merged:?} {honest:?}");
            prop_assert!((narrowest - fine..=widest + fine).contains(&merged.sd), "{merged:?} {honest:?}");
        }
    }
}
