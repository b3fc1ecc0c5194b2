use std::path::Path;
use std::sync::Arc;

use peerlearn_protocols::dataset::{Dataset, RowStore, Stored, Values};
use peerlearn_protocols::recipe::{BatchOrder, TrainPlan, Training};
use proptest::prelude::*;

use super::*;
use crate::{DataConfig, DataError, Known, Loaded, Preprocessing, Scaling, load, read, split, task::Charter};

/// A table of numbers, words and gaps with two classes.
fn table(rows: usize) -> String {
    let mut text = "x,word,gap,label\n".to_owned();
    for row in 0..rows {
        let gap = if row % 7 == 3 { String::new() } else { format!("{}", row % 13) };
        let (value, word) = ((row * 37 % 1000) as f64 / 7.0, ["red", "green", "blue"][row % 3]);
        text.push_str(&format!("{value:.3},{word},{gap},{}\n", ["no", "yes"][row / 5 % 2]));
    }
    text
}

fn config(path: &Path, memory: u64) -> DataConfig {
    DataConfig { source: path.display().to_string(), memory, ..DataConfig::default() }
}

/// A file in a folder of its own.
fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn same(one: &Dataset, other: &Dataset) {
    assert_eq!(one.digest(), other.digest());
    assert!(one.labels() == other.labels() && one.numbers() == other.numbers());
    let bits = |rows: &Dataset| rows.features().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(bits(one) == bits(other));
}

fn cached(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_table_beyond_the_limit_becomes_the_same_rows() {
    let (folder, path) = written(&table(3000));
    let test = folder.path().join("test.csv");
    std::fs::write(&test, table(200)).unwrap();
    for scaling in [Scaling::Auto, Scaling::Standard, Scaling::None, Scaling::Unit(10.0)] {
        let with = |memory| {
            let test = test.display().to_string();
            load(&DataConfig { scaling, test, ..config(&path, memory) }, &[0; 32], None).unwrap()
        };
        let (inside, outside) = (with(1024), with(0));
        assert!(!inside.train.is_stored() && outside.train.is_stored());
        let parts =
            |loaded: &Loaded| [loaded.train.clone(), loaded.validation.clone().unwrap(), loaded.test.clone().unwrap()];
        parts(&inside).iter().zip(&parts(&outside)).for_each(|(one, other)| same(one, other));
        assert!(parts(&outside).iter().all(Dataset::is_stored));
        assert_eq!((inside.preprocessing, inside.notes), (outside.preprocessing, outside.notes), "{scaling}");
    }
}

#[test]
fn parts_and_numbers_to_be_answered_are_the_same_too() {
    let text: String = (0..900).map(|row| format!("{},{}.5\n", row % 7, 1000 + 37 * (row % 400))).collect();
    let (_folder, path) = written(&format!("rooms,price\n{text}"));
    let prices = |memory| DataConfig { label: "price".to_owned(), ..config(&path, memory) };
    let (inside, outside) = (load(&prices(9), &[0; 32], None).unwrap(), load(&prices(0), &[0; 32], None).unwrap());
    assert!(outside.train.numbers().is_some() && outside.train.is_stored());
    same(&inside.train, &outside.train);
    let (_folder, path) = written(&table(1000));
    for part in 0..3 {
        let of = |memory| {
            let partition = Some("dirichlet:0.5".parse().unwrap());
            load(&DataConfig { partition, parts: 3, part: Some(part), ..config(&path, memory) }, &[0; 32], None)
                .unwrap()
        };
        same(&of(1).train, &of(0).train);
    }
    let scaled = |memory| {
        let mut source = read(&DataConfig { scaling: Scaling::None, ..config(&path, memory) }, None, &[]).unwrap();
        source.scale_by(&(0..500).collect::<Vec<_>>());
        source.train.features.to_vec()
    };
    assert_eq!(scaled(1), scaled(0));
}

#[test]
fn minibatches_have_the_same_rows_in_orders_that_both_know() {
    let (_folder, path) = written(&table(300));
    let [inside, outside] = [1, 0].map(|memory| load(&config(&path, memory), &[0; 32], None).unwrap().train);
    for order in [BatchOrder::Consecutive, BatchOrder::Repeated, BatchOrder::Shuffled] {
        let training = Training { batch: 30, order, ..Training::default() };
        let plan = TrainPlan::new(&training, 1, 0, None, 5);
        let drawn = |rows: &Dataset| -> Vec<usize> {
            let mut batches = plan.batches_of(rows);
            (0..9).flat_map(|_| batches.next_batch().to_vec()).collect()
        };
        let (mut one, mut other) = (drawn(&inside), drawn(&outside));
        assert_eq!(one == other, order != BatchOrder::Shuffled);
        let mut usual = plan.batches(inside.len());
        assert_eq!(
            one,
            (0..9).flat_map(|_| usual.next_batch().to_vec()).collect::<Vec<_>>(),
            "rows in memory are drawn as ever"
        );
        if order == BatchOrder::Shuffled {
            one.sort_unstable();
            other.sort_unstable();
            assert_eq!(one, other, "a pass has every row once");
        }
    }
}

#[test]
fn the_next_start_finds_encoded_rows() {
    let (_folder, path) = written(&table(2000));
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    let config = DataConfig { cache: cache.display().to_string(), ..config(&path, 0) };
    let first = load(&config, &[0; 32], None).unwrap();
    let kept = cached(&cache);
    assert_eq!(kept.len(), 1);
    // Rows that a cache alone has show where they come from.
    let known = first.preprocessing.clone();
    let of_task = |config: &DataConfig, charter: &Charter| {
        load(config, &[0; 32], Some(Known { preprocessing: &known, charter })).unwrap()
    };
    let before = std::fs::metadata(&kept[0]).unwrap().modified().unwrap();
    let second = of_task(&config, &Charter::default());
    same(&first.train, &second.train);
    same(first.validation.as_ref().unwrap(), second.validation.as_ref().unwrap());
    assert_eq!(first.understood, second.understood);
    assert_eq!((cached(&cache), std::fs::metadata(&kept[0]).unwrap().modified().unwrap()), (kept.clone(), before));
    // Another map, another schema and another file are other rows, and what is out of date is removed.
    let mut mapped = config.clone();
    crate::add_to_map(&mut mapped.map, "label!no").unwrap();
    let other = of_task(&mapped, &Charter::default());
    assert_ne!(other.train.digest(), first.train.digest());
    assert_eq!((cached(&cache).len(), cached(&cache) == kept), (1, false));
    same(&first.train, &of_task(&config, &Charter::default()).train);
    assert_eq!(cached(&cache), kept);
    std::fs::write(&path, table(1999)).unwrap();
    assert_eq!(of_task(&config, &Charter::default()).train.len() + 200, 1999);
    assert_ne!(cached(&cache), kept);
    // What was loaded before still has its rows, although its file has no name any more.
    same(&first.train, &second.train);
}

#[test]
fn a_damaged_cache_is_made_anew_and_said() {
    let (_folder, path) = written(&table(2000));
    let cache = tempfile::tempdir().unwrap();
    let config = DataConfig { cache: cache.path().display().to_string(), ..config(&path, 0) };
    // In memory, as the file of the first start is about to be spoilt.
    let first = load(&DataConfig { memory: 1024, ..config.clone() }, &[0; 32], None).unwrap();
    load(&config, &[0; 32], None).unwrap();
    let file = cached(cache.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let labels_at = 2000 * 4 * first.train.width();
    let spoilt = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for damaged in [
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        spoilt(labels_at),
        spoilt(whole.len() - 1),
        spoilt(whole.len() - 60),
    ] {
        std::fs::write(&file, damaged).unwrap();
        let again = load(&config, &[0; 32], None).unwrap();
        assert!(again.notes.iter().any(|note| note.contains("made anew")), "{:?}", again.notes);
        same(&first.train, &again.train);
        assert_eq!(std::fs::read(&file).unwrap(), whole);
    }
    std::fs::remove_file(&file).unwrap();
    same(&first.train, &load(&config, &[0; 32], None).unwrap().train);
    assert!(file.exists());
}

#[test]
fn a_file_that_is_cut_or_changed_while_it_is_read_is_an_error_in_words() {
    let (_folder, path) = written(&table(20_000));
    let cache = tempfile::tempdir().unwrap();
    let config = DataConfig { cache: cache.path().display().to_string(), ..config(&path, 0) };
    let fresh = || load(&config, &[0; 32], None).unwrap();
    let (cut, file) = (fresh().train, cached(cache.path()).remove(0));
    let whole = std::fs::read(&file).unwrap();
    let mut out = Vec::new();
    cut.read_row(0, &mut out).unwrap();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(100_000).unwrap();
    let error = cut.read_row(cut.len() - 1, &mut out).unwrap_err().to_string();
    assert!(error.contains("delete it") && error.contains(".rows at byte"), "{error}");
    assert_eq!(out.len(), cut.width());
    assert_eq!(cut.failure().map(ToString::to_string), Some(error));
    std::fs::remove_file(&file).unwrap();
    let changed = fresh().train;
    let mut bytes = whole.clone();
    bytes[70_000] ^= 1;
    // In place, as a failing disk would.
    std::io::Write::write_all(&mut std::fs::OpenOptions::new().write(true).open(&file).unwrap(), &bytes).unwrap();
    let errors = (0..changed.len()).filter(|row| changed.read_row(*row, &mut Vec::new()).is_err()).count();
    assert!(errors > 0 && errors <= BLOCK_BYTES / 4 / changed.width(), "{errors} rows of one block");
    assert!(changed.failure().unwrap().reason.contains("not what was written"));
    // A file that is deleted while it is read is still there for whoever reads it.
    std::fs::remove_file(&file).unwrap();
    let deleted = fresh().train;
    std::fs::remove_file(&file).unwrap();
    assert!((0..deleted.len()).all(|row| deleted.read_row(row, &mut Vec::new()).is_ok()));
}

/// More blocks than are kept, so that rows are read alone and with their block, in turn.
#[test]
fn rows_far_from_each_other_are_read_alone() {
    let (width, count) = (BLOCK_BYTES / 16, CACHE_BYTES / BLOCK_BYTES * 4 + 20);
    let value = |row: usize, at: usize| (row * 31 + at % 97) as f32;
    let mut writer = StoreWriter::unnamed(None, width).unwrap();
    for row in 0..count {
        writer.push(&(0..width).map(|at| value(row, at)).collect::<Vec<_>>()).unwrap();
    }
    let file = writer.finish().unwrap();
    let read = |row: usize| {
        let mut out = Vec::new();
        file.copy_row(row, &mut out).unwrap();
        assert!(out.iter().enumerate().all(|(at, got)| *got == value(row, at)) && out.len() == width, "row {row}");
    };
    for step in [1, 5, 1, 7, 3] {
        (0..count).step_by(step).for_each(read);
        (0..count).rev().step_by(step).for_each(read);
    }
    assert!(file.copy_row(count, &mut Vec::new()).is_err());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (folder, path) = written(&table(100));
    let config = DataConfig { cache: path.join("none").display().to_string(), ..config(&path, 0) };
    let error = load(&config, &[0; 32], None).map(|_| ()).unwrap_err();
    assert!(matches!(error, DataError::Store { .. }) && error.to_string().contains("data.cache"), "{error}");
    let mut writer = StoreWriter::unnamed(Some(folder.path()), 2).unwrap();
    assert!(writer.push(&[1.0]).is_err() && writer.push(&[1.0, f32::NAN]).is_err());
    assert!(StoreWriter::unnamed(Some(&path), 2).is_err());
}

#[test]
fn long_texts_and_wide_tables_are_surveyed_in_little_memory() {
    let mut text = "story,label\n".to_owned();
    for row in 0..3000 {
        text.push_str(&format!("{row}{},{}\n", "word ".repeat(600), row % 2));
    }
    let (_folder, path) = written(&text);
    let survey = crate::Survey::of(&path, &crate::records::Dialect::default()).unwrap();
    assert_eq!((survey.rows, survey.columns[0].distinct(), survey.columns[1].distinct()), (3000, None, Some(2)));
    assert!(survey.sample.iter().flatten().all(|word| word.len() <= 200));
    let names: Vec<String> = (0..5000).map(|column| format!("c{column}")).collect();
    let row = |row: usize| (0..5000).map(|column| format!("{}", (row * column) % 1009)).collect::<Vec<_>>().join(",");
    let rows: Vec<String> = (0..900).map(row).collect();
    let (_folder, path) = written(&format!("{}\n{}\n", names.join(","), rows.join("\n")));
    let survey = crate::Survey::of(&path, &crate::records::Dialect::default()).unwrap();
    assert_eq!((survey.rows, survey.sample.len()), (900, 800));
    assert_eq!((survey.columns[0].distinct(), survey.columns[5].distinct()), (Some(1), None));
}

/// Encoded rows `[rows, width]`, and rows of them.
fn rows() -> impl Strategy<Value = (usize, Vec<f32>, Vec<usize>)> {
    (1usize..40, 1usize..400).prop_flat_map(|(width, rows)| {
        let values = proptest::collection::vec(-1e30f32..1e30, width * rows);
        (Just(width), values, proptest::collection::vec(0..rows, 0..50))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_as_they_were_written((width, values, picked) in rows(), chunk in 1usize..90, seed: u64) {
        let mut writer = StoreWriter::unnamed(None, width).unwrap();
        values.chunks(chunk * width).for_each(|rows| writer.push(rows).unwrap());
        let file = Arc::new(writer.finish().unwrap());
        prop_assert_eq!((file.rows() * width, file.width()), (values.len(), width));
        let labels: Vec<u32> = (0..file.rows()).map(|row| (row % 3) as u32).collect();
        let plain = Dataset::new(vec![width], 3, values, labels.clone()).unwrap();
        let stored = Values::Stored(Stored::new(file));
        let kept = Dataset::in_units(vec![width], 3, stored, 1.0, labels).unwrap();
        same(&plain, &kept);
        // Once more, as blocks are compared with what was written only once.
        same(&plain, &kept);
        let (some, others) = (plain.select(&picked), kept.select(&picked));
        same(&some, &others);
        let (left, right) = split(some.labels(), 3, 0.3, seed);
        for part in [left, right] {
            same(&some.select(&part), &others.select(&part));
        }
        prop_assert!(kept.failure().is_none());
    }
}

#[test]
fn preprocessing_of_rows_elsewhere_reads_the_same_new_rows() {
    let (_folder, path) = written(&table(500));
    let standard = |memory| {
        load(&DataConfig { scaling: Scaling::Standard, ..config(&path, memory) }, &[0; 32], None).unwrap().preprocessing
    };
    let features = |by: &Preprocessing| by.read(&path, &config(&path, 0), &Charter::default()).unwrap().features;
    assert_eq!(features(&standard(0)), features(&standard(1)));
}
