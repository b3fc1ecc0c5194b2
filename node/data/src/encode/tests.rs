use std::collections::BTreeMap;

use peerlearn_task::{Accepted, Output, Real};
use proptest::prelude::*;

use super::*;
use crate::map::{Map, add_to_map};
use crate::mapping::{Labels, map_columns};
use crate::records::{Dialect, open};

fn column(kind: ColumnType) -> Column {
    Column::new(kind)
}

fn number_column(mean: f64, sd: f64) -> Column {
    Column { mean: Real::new(mean), sd: Real::new(sd), ..column(ColumnType::Number) }
}

fn schema(columns: Vec<(&str, Column)>) -> Schema {
    let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    Schema::table(columns, Output::classes("label", vec!["a".into(), "b".into()]))
}

/// Encodes every row of a text; the first error ends it.
fn encoded(schema: &Schema, charter: &Charter, said: &[&str], text: &str) -> (Result<Vec<Vec<f32>>, CellError>, Tally) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    let dialect = Dialect { header: Some(true), delimiter: Some(','), ..Dialect::default() };
    let (mut rows, _) = open(&path, &dialect).unwrap();
    let mut map = Map::new();
    said.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
    let mapping = map_columns(schema, charter, &map, rows.columns(), Labels::Ignored).unwrap();
    let mut encoder = Encoder::new(schema, charter, &Numbers::declared(schema), &mapping);
    let (mut row, mut all) = (Row::new(), Vec::new());
    while rows.read(&mut row).unwrap() {
        let mut out = Vec::new();
        match encoder.inputs(&row, &mut out) {
            Ok(Believed::Yes) => all.push(out),
            Ok(Believed::No) => assert!(out.is_empty()),
            Err(error) => return (Err(error), encoder.tally),
        }
    }
    (Ok(all), encoder.tally)
}

#[test]
fn numbers_are_scaled_in_double_precision() {
    let seconds = schema(vec![("t", number_column(1_700_000_000.0, 20.0))]);
    let (rows, _) = encoded(&seconds, &Charter::default(), &[], "t\n1700000001\n1700000002\n");
    let rows = rows.unwrap();
    assert!((rows[1][0] - rows[0][0] - 0.05).abs() < 1e-6, "{rows:?}");
}

#[test]
fn each_way_with_missing_cells() {
    let with = |kind: Column, missing: Missing| Column { missing, ..kind };
    let category = || Column { values: vec!["x".into(), "y".into()], ..column(ColumnType::Category) };
    let cases: Vec<(Column, Option<Vec<f32>>)> = vec![
        (number_column(5.0, 2.0), None),
        (with(number_column(5.0, 2.0), Missing::Mean), Some(vec![0.0])),
        (with(number_column(5.0, 2.0), Missing::MeanAndFlag), Some(vec![0.0, 1.0])),
        (with(number_column(5.0, 2.0), Missing::Value("9".into())), Some(vec![2.0])),
        (category(), None),
        (with(category(), Missing::Own), Some(vec![0.0, 0.0, 1.0])),
        (with(category(), Missing::Value("y".into())), Some(vec![0.0, 1.0])),
        (with(column(ColumnType::Boolean), Missing::Own), Some(vec![0.0, 1.0])),
        (with(column(ColumnType::Boolean), Missing::Value("true".into())), Some(vec![1.0])),
    ];
    for (column, want) in cases {
        let said = format!("{column:?}");
        let (rows, tally) = encoded(
            &schema(vec![("c", column), ("d", number_column(0.0, 1.0))]),
            &Charter::default(),
            &[],
            "c,d\nNA,1\n",
        );
        match (rows, want) {
            (Ok(rows), Some(want)) => {
                assert_eq!(rows[0][..want.len()], want, "{said}");
                assert_eq!(tally.columns[0].filled, 1);
            }
            (Err(error), None) => assert!(error.got.is_none() && error.mend.contains("missing"), "{error:?}"),
            (got, want) => panic!("{said}: {got:?} for {want:?}"),
        }
    }
}

#[test]
fn values_are_found_by_word_by_number_and_as_somebody_says() {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let sex = Column { values: values(&["female", "male"]), other: true, ..column(ColumnType::Category) };
    let code = Column { values: values(&["1", "2"]), ..column(ColumnType::Category) };
    let accepted = Accepted { values: BTreeMap::from([("female".into(), values(&["f", "w"]))]), ..Accepted::default() };
    let charter = Charter { accepts: BTreeMap::from([("sex".into(), accepted)]), ..Charter::default() };
    let schema = schema(vec![("code", code), ("sex", sex)]);
    let (rows, tally) =
        encoded(&schema, &charter, &["sex:male=Kerl"], "code,sex\n1.0,FEMALE\n2,w\n2.00,Kerl\n1,nobody\n");
    assert_eq!(rows.unwrap(), [[1., 0., 1., 0., 0.], [0., 1., 1., 0., 0.], [0., 1., 0., 1., 0.], [1., 0., 0., 0., 1.]]);
    assert_eq!(tally.columns[1].other, 1);
    let (error, _) = encoded(&schema, &charter, &[], "code,sex\n3,w\n");
    let error = error.unwrap_err();
    assert!(
        error.got.as_deref() == Some("3") && error.expected.contains("1, 2") && error.mend.contains("--map"),
        "{error:?}"
    );
}

#[test]
fn what_is_far_or_implausible_is_counted_and_never_silent() {
    let range = Range { minimum: Real::new(0.0), maximum: Real::new(1e6) };
    let charter = Charter { checks: BTreeMap::from([("x".into(), range)]), ..Charter::default() };
    let schema = schema(vec![("x", number_column(10.0, 1.0))]);
    let (rows, tally) = encoded(&schema, &charter, &[], "x\n10\n500\n-1\n");
    assert_eq!(rows.unwrap(), [[0.0], [8.0]]);
    assert_eq!((tally.columns[0].clamped, tally.columns[0].quarantined), (1, 1));
    let said = tally.sentences().join("\n");
    assert!(said.contains("lines 3") && said.contains("left out") && said.contains("another unit"), "{said}");
}

#[test]
fn units_are_converted() {
    let units = BTreeMap::from([("mmol/L".to_owned(), Real::new(38.67).unwrap())]);
    let accepted = Accepted { names: vec!["cholesterin".into()], units, values: BTreeMap::new() };
    let charter = Charter { accepts: BTreeMap::from([("chol".into(), accepted)]), ..Charter::default() };
    let schema = schema(vec![("chol", number_column(0.0, 1000.0))]);
    let (rows, _) = encoded(&schema, &charter, &[], "Cholesterin (mmol/L)\n5\n");
    assert!((rows.unwrap()[0][0] - 0.19335).abs() < 1e-6);
}

proptest! {
    #[test]
    fn any_cell_gives_finite_inputs_or_an_error(cell in "[ -~]{0,12}", invalid in 0usize..3) {
        prop_assume!(!cell.contains([',', '"', '#']) && !cell.trim().is_empty());
        let invalid = [Invalid::Refuse, Invalid::Missing, Invalid::Quarantine][invalid];
        let base = Column { invalid, missing: Missing::Mean, ..number_column(3.0, 1e-3) };
        let (rows, _) = encoded(&schema(vec![("x", base), ("y", Column { missing: Missing::Mean, ..number_column(0.0, 1.0) })]), &Charter::default(), &[], &format!("x,y\n{cell},1\n"));
        if let Ok(rows) = rows {
            prop_assert!(rows.iter().flatten().all(|value| value.is_finite()));
        }
    }
}
