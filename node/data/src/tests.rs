use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

fn config(source: &Path) -> DataConfig {
    DataConfig { source: source.display().to_string(), ..DataConfig::default() }
}

fn load_csv(text: &str) -> Result<Loaded, DataError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    load(&config(&path), &[0; 32], None)
}

fn message(text: &str) -> String {
    let error = load_csv(text).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("rows.csv"), "the file is named: {error}");
    error
}

fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend_from_slice(&size.to_be_bytes()));
    file.extend_from_slice(bytes);
    file
}

fn idx_directory(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("train-images-idx3-ubyte"), images).unwrap();
    std::fs::write(directory.path().join("train-labels-idx1-ubyte"), labels).unwrap();
    directory
}

#[test]
fn the_embedded_digits_are_those_of_uci() {
    let (train, test) = digits().unwrap();
    assert_eq!((train.labels.len(), test.labels.len()), (3823, 1797));
    assert_eq!(train.features.len(), 3823 * 64);
    let features = test.features.to_vec();
    assert!(train.features.to_vec().iter().chain(&features).all(|value| (0.0..=16.0).contains(value)));
    let path = Path::new(SHARED).join("optdigits/optdigits.tes.gz");
    let Ok(packed) = std::fs::read(&path) else {
        return eprintln!("SKIPPED the comparison with {}: it is not there", path.display());
    };
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut text).unwrap();
    for (row, line) in text.lines().enumerate() {
        let values: Vec<f32> = line.split(',').map(|value| value.trim().parse().unwrap()).collect();
        assert_eq!(values[..64], features[row * 64..][..64], "row {row}");
        assert_eq!(values[64], test.labels[row] as f32, "row {row}");
    }
}

#[test]
fn a_table_becomes_rows_with_classes_in_order() {
    let loaded = load_csv("a,label,b\n1,10,2\n3,9,4\n5,10,6\n 7 , 9 , 8 \n").unwrap();
    assert_eq!(loaded.classes(), ["9", "10"]);
    assert_eq!(loaded.train.input(), [2]);
    assert_eq!(loaded.train.len() + loaded.validation.unwrap().len(), 4);
    let words = load_csv("label,x\nspam,1\nham,2\nspam,3\n").unwrap();
    assert_eq!(words.classes(), ["ham", "spam"]);
}

#[test]
fn every_mistake_in_a_table_is_named_with_its_place() {
    let missing = message("a,b\n1,2\n2,3\n");
    assert!(missing.contains("\"label\"") && missing.contains("a, b") && missing.contains("data.label"), "{missing}");
    assert!(message("a,label\n1,x\n1,y,z\n").contains("line"), "ragged rows name their line");
    assert!(message("a,label\n").contains("no rows"));
    assert!(message("a,label\n1,x\n2,x\n").contains("1 different values"));
    assert!(message("a,a,label\n1,2,x\n").contains("\"a\""));
    assert!(message(",label\n0,x\n1,y\n").contains("without a name"), "nothing is left to learn from");
    let absent = config(&PathBuf::from("absent.csv"));
    assert!(matches!(load(&absent, &[0; 32], None), Err(DataError::Missing { .. })));
}

/// What is left out or filled is said, one sentence each.
#[test]
fn what_is_noteworthy_is_said() {
    let said = |text: &str| load_csv(text).unwrap().notes.join("\n");
    assert!(said("a,label\n1,x\n2,\n3,y\n").contains("1 rows have no label"));
    let nameless = said(",a,label\n0,1,x\n1,7,y\n2,2,x\n");
    assert!(nameless.contains("without a name"), "{nameless}");
    let gaps = load_csv("a,b,label\n1,2,x\n,3,y\n5,4,x\n").unwrap();
    assert_eq!(gaps.preprocessing.columns(), ["a", "a?", "b"], "a gap has an input of its own");
    let index = said("row_id,a,label\n1,5,x\n2,7,y\n3,6,x\n");
    assert!(index.contains("only numbers the rows"), "{index}");
    let price = load_csv("a,price\n1,10.5\n2,20.25\n3,31\n").map(|_| ()).unwrap_err().to_string();
    assert!(price.contains("label"), "{price}");
}

fn table(text: &str, change: impl Fn(&mut DataConfig)) -> Result<Loaded, DataError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    let mut config = DataConfig { validation: 0.0, ..config(&path) };
    change(&mut config);
    load(&config, &[0; 32], None)
}

#[test]
fn a_price_is_no_class() {
    let text: String = (0..60).map(|row| format!("{},{}.5\n", row % 7, 1000 + 37 * row)).collect();
    let loaded = table(&format!("rooms,price\n{text}"), |config| config.label = "price".into()).unwrap();
    assert_eq!((loaded.train.classes(), loaded.classes().len()), (1, 0));
    let numbers = loaded.train.numbers().unwrap();
    let mean = numbers.iter().sum::<f32>() / 60.0;
    assert!(mean.abs() < 0.1 && numbers.iter().all(|number| number.abs() < 2.0), "{numbers:?}");
    assert!(loaded.train.number_unit() > 600.0 && loaded.notes.join(" ").contains("regression"));
}

#[test]
fn words_truth_values_dates_and_gaps_are_read() {
    let rows =
        ["red,true,2024-01-01,1,a", "blue,false,2024-01-03,,b", "red,true,2024-01-02,3,a", "blue,false,2024-01-02,2,b"];
    let text = format!("colour,old,day,x,label\n{}\n", rows.join("\n"));
    let loaded = table(&text, |_| ()).unwrap();
    assert_eq!(loaded.preprocessing.columns(), ["colour=blue", "colour=red", "day", "old", "x", "x?"]);
    assert_eq!(loaded.train.len(), 4);
    let row = |at: usize| loaded.train.row(at).to_vec();
    let of_blue: Vec<Vec<f32>> = (0..4).map(row).filter(|row| row[0] == 1.0).collect();
    assert!(of_blue.iter().all(|row| row[1] == 0.0 && row[3] == 0.0), "{of_blue:?}");
    assert!(of_blue.iter().any(|row| row[4] == 0.0 && row[5] == 1.0), "a gap is the mean, and said: {of_blue:?}");
}

#[test]
fn a_test_table_must_have_the_same_columns() {
    let directory = tempfile::tempdir().unwrap();
    let (train, test) = (directory.path().join("train.csv"), directory.path().join("test.csv"));
    std::fs::write(&train, "a,label\n1,x\n2,y\n3,x\n").unwrap();
    std::fs::write(&test, "a,label\n1,x\n2,z\n").unwrap();
    let with_test = DataConfig { test: test.display().to_string(), ..config(&train) };
    let loaded = load(&with_test, &[0; 32], None).unwrap();
    assert_eq!(loaded.classes(), ["x", "y", "z"], "a class only the test rows have is a class");
    assert_eq!(loaded.test.unwrap().len(), 2);
    std::fs::write(&test, "b,label\n1,x\n").unwrap();
    let error = load(&with_test, &[0; 32], None).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("test.csv") && error.contains("no column \"a\""), "{error}");
}

fn known(loaded: &Loaded) -> Preprocessing {
    loaded.preprocessing.clone()
}

/// Two people with the same rows, whose columns lie otherwise and who have a column more: the second takes the task of the first.
#[test]
fn columns_are_matched_by_name() {
    let all = |config: &mut DataConfig| config.validation = 0.0;
    let one = table("age,label,chol\n60,yes,200\n50,no,300\n40,no,250\n", all).unwrap();
    let (task, words) = (known(&one), task::Charter::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    std::fs::write(&path, "CHOL;ward;age;label\n200;7;60;yes\n300;8;50;no\n250;9;40;no\n").unwrap();
    let mine = DataConfig { validation: 0.0, ..config(&path) };
    let other = load(&mine, &[0; 32], Some(Known { preprocessing: &task, charter: &words })).unwrap();
    assert_eq!(one.train.digest(), other.train.digest());
    assert_eq!(other.preprocessing, task);
    std::fs::write(&path, "cholesterol,age,label\n200,60,yes\n").unwrap();
    let error = load(&mine, &[0; 32], Some(Known { preprocessing: &task, charter: &words })).unwrap_err().to_string();
    assert!(error.contains("no column \"chol\"") && error.contains("--map 'chol=cholesterol'"), "{error}");
    let mut mapped = mine.clone();
    add_to_map(&mut mapped.map, "chol=cholesterol").unwrap();
    assert!(load(&mapped, &[0; 32], Some(Known { preprocessing: &task, charter: &words })).is_ok());
}

/// A peer that lacks some of the classes takes part; a word that is no class is refused, with what to do.
#[test]
fn classes_are_those_of_the_task() {
    let one = table("a,label\n1,cat\n2,dog\n3,wolf\n9,cat\n", |_| ()).unwrap();
    let (task, words) = (known(&one), task::Charter::default());
    let with = |text: &str, said: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        let mut mine = DataConfig { validation: 0.0, ..config(&path) };
        said.iter().for_each(|text| add_to_map(&mut mine.map, text).unwrap());
        load(&mine, &[0; 32], Some(Known { preprocessing: &task, charter: &words }))
    };
    let some = with("a,label\n1,wolf\n2,Wolf \n3,dog\n", &[]).unwrap();
    assert_eq!(some.train.class_counts(), [0, 1, 2]);
    let error = with("a,label\n1,wolf\n2,ant\n3,ant\n", &[]).map(|_| ()).unwrap_err().to_string();
    for part in ["\"ant\" in 2 rows, first in line 3", "cat, dog, wolf", "--map 'label:CLASS=ant'", "--map 'label!ant'"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(with("a,label\n1,wolf\n2,ant\n", &["label:dog=ant"]).unwrap().train.class_counts(), [0, 1, 1]);
    assert_eq!(with("a,label\n1,wolf\n2,ant\n", &["label!ant"]).unwrap().train.len(), 1);
    let error = with("a,label\nx,wolf\n", &[]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("\"x\"") && error.contains("finite number"), "{error}");
    let declared = |config: &mut DataConfig| config.classes = vec!["wolf".into(), "cat".into(), "dog".into()];
    assert_eq!(table("a,label\n1,wolf\n2,dog\n", declared).unwrap().classes(), ["cat", "dog", "wolf"]);
    let digits = (0..10).map(|digit| digit.to_string()).collect();
    let images = idx_directory(&idx(&[3, 2, 2], &[7; 12]), &idx(&[3], &[8, 3, 3]));
    let some = DataConfig { classes: digits, validation: 0.0, ..config(images.path()) };
    let loaded = load(&some, &[0; 32], None).unwrap();
    assert_eq!((loaded.classes().len(), loaded.train.class_counts()[3]), (10, 2));
}

#[test]
fn idx_files_must_be_what_their_header_says() {
    let images = idx(&[3, 2, 2], &[7; 12]);
    let labels = idx(&[3], &[0, 1, 1]);
    let good = idx_directory(&images, &labels);
    let loaded = load(&config(good.path()), &[0; 32], None).unwrap();
    assert_eq!(loaded.train.input(), [1, 2, 2]);
    assert_eq!(loaded.classes(), ["0", "1"]);
    assert_eq!(loaded.train.features()[0], 7.0 / 255.0);
    let wrong: Vec<(Vec<u8>, Vec<u8>, &str)> = vec![
        (images[..10].to_vec(), labels.clone(), "header"),
        (images[..20].to_vec(), labels.clone(), "bytes follow"),
        (idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), labels.clone(), "claims sizes"),
        (b"GIF89a..........".to_vec(), labels.clone(), "no IDX file"),
        (images.clone(), idx(&[2], &[0, 1]), "2 labels for 3 images"),
        (images.clone(), idx(&[3], &[1, 1, 1]), "every label is 1"),
        (idx(&[0, 2, 2], &[]), idx(&[0], &[]), "no images"),
        (idx(&[3, 0, 2], &[]), labels.clone(), "features"),
        (labels.clone(), images.clone(), "no IDX file"),
    ];
    for (images, labels, word) in wrong {
        let directory = idx_directory(&images, &labels);
        let error = load(&config(directory.path()), &[0; 32], None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(load(&config(empty.path()), &[0; 32], None), Err(DataError::NoIdx { .. })));
    std::fs::remove_file(good.path().join("train-labels-idx1-ubyte")).unwrap();
    assert!(matches!(load(&config(good.path()), &[0; 32], None), Err(DataError::NoIdx { .. })));
}

#[test]
fn damaged_gzip_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"] {
        std::fs::write(directory.path().join(name), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]).unwrap();
    }
    assert!(matches!(load(&config(directory.path()), &[0; 32], None), Err(DataError::Read { .. })));
}

#[test]
fn a_changed_file_is_noticed_and_the_rows_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    std::fs::write(&path, "a,label\n1,x\n2,y\n").unwrap();
    let loaded = load(&config(&path), &[0; 32], None).unwrap();
    assert_eq!(loaded.changed(), Vec::<PathBuf>::new());
    std::fs::write(&path, "a,label\n1,x\n2,y\n3,x\n").unwrap();
    assert_eq!(loaded.changed(), std::slice::from_ref(&path));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded.changed(), [path]);
    assert_eq!(loaded.train.len() + loaded.validation.unwrap().len(), 2);
}

#[test]
fn standard_scaling_is_learnt_from_training_rows_only() {
    let own = |config: &mut DataConfig| (config.scaling, config.validation) = (Scaling::Standard, 0.3);
    let text: String = (0..40).map(|row| format!("{},{}\n", row * row, row % 2)).collect();
    let loaded = table(&format!("a,label\n{text}"), own).unwrap();
    let mean = |rows: &Dataset| rows.features().iter().sum::<f32>() / rows.len() as f32;
    assert!(mean(&loaded.train).abs() < 1e-5 && mean(&loaded.validation.unwrap()).abs() > 1e-3);
    let plain = |config: &mut DataConfig| config.scaling = Scaling::None;
    assert_eq!(table("a,label\n1,x\n500,y\n", plain).unwrap().train.features().iter().sum::<f32>(), 501.0);
    for text in ["auto", "none", "standard", "unit:255"] {
        assert_eq!(text.parse::<Scaling>().unwrap().to_string(), text);
    }
    for text in ["unit:0", "unit:-1", "unit:nan", "unit:", "max", ""] {
        assert!(text.parse::<Scaling>().unwrap_err().contains("unit:MAX"));
    }
}

#[test]
fn a_part_is_chosen_by_identity_or_by_number() {
    let config = DataConfig { partition: Some(Partition::Iid), parts: 4, ..DataConfig::default() };
    let by_number: Vec<_> = (0..4)
        .map(|part| load(&DataConfig { part: Some(part), ..config.clone() }, &[9; 32], None).unwrap().train.digest())
        .collect();
    let mut distinct = by_number.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
    let mut identity = [0; 32];
    identity[0] = 6;
    assert_eq!(load(&config, &identity, None).unwrap().train.digest(), by_number[2]);
}

#[test]
fn partition_text_is_checked() {
    for text in ["iid", "dirichlet:0.1", "shards:2"] {
        assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
    }
    for text in ["dirichlet:0", "dirichlet:-1", "dirichlet:inf", "shards:0", "shards:x", "rows", "", "iid:3"] {
        assert!(text.parse::<Partition>().unwrap_err().to_string().contains("use iid"), "{text}");
    }
    let labels = vec![0, 1, 0];
    assert_eq!(Partition::Iid.assign(&labels, 2, 4, 0), Err(PartitionError::TooFew { rows: 3, parts: 4 }));
    assert_eq!(Partition::Iid.assign(&labels, 2, 0, 0), Err(PartitionError::TooFew { rows: 3, parts: 0 }));
    assert!(Partition::Shards(1000).assign(&labels, 2, 2, 0).is_err());
}

#[test]
fn two_shards_of_digits_are_about_two_classes() {
    let (train, _) = digits().unwrap();
    let partitioned = Partition::Shards(2).assign(&train.labels, 10, 8, 1).unwrap();
    for part in &partitioned {
        let mut classes: Vec<u32> = part.iter().map(|&row| train.labels[row]).collect();
        classes.sort_unstable();
        classes.dedup();
        assert!(classes.len() <= 4, "{classes:?}");
    }
}

fn partitions() -> impl Strategy<Value = Partition> {
    prop_oneof![
        Just(Partition::Iid),
        (0.01f64..10.0).prop_map(Partition::Dirichlet),
        (1usize..4).prop_map(Partition::Shards),
    ]
}

proptest! {
    #[test]
    fn partitioning_loses_no_row_and_leaves_nobody_empty(
        partition in partitions(),
        labels in proptest::collection::vec(0u32..5, 40..200),
        parts in 1usize..10,
        seed in any::<u64>(),
    ) {
        let partitioned = partition.assign(&labels, 5, parts, seed).unwrap();
        prop_assert_eq!(&partitioned, &partition.assign(&labels, 5, parts, seed).unwrap(), "the same seed gives the same parts");
        prop_assert_eq!(partitioned.len(), parts);
        prop_assert!(partitioned.iter().all(|part| !part.is_empty()));
        let mut all: Vec<usize> = partitioned.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_split_is_a_partition_of_the_rows(
        labels in proptest::collection::vec(0u32..5, 2..200),
        fraction in 0.0f64..0.9,
        seed in any::<u64>(),
    ) {
        let (train, kept) = split(&labels, 5, fraction, seed);
        prop_assert!(!train.is_empty());
        prop_assert_eq!(kept.is_empty(), fraction == 0.0);
        let mut all = [train, kept].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
    }
}

#[test]
fn a_node_keeps_only_its_own_images_and_they_are_those_of_the_whole_file() {
    let pixels: Vec<u8> = (0..40).collect();
    let labels: Vec<u8> = (0..10).map(|row| row % 2).collect();
    let directory = idx_directory(&idx(&[10, 2, 2], &pixels), &idx(&[10], &labels));
    let whole = DataConfig { validation: 0.0, ..config(directory.path()) };
    let part = |part| DataConfig { partition: Some(Partition::Iid), parts: 3, part: Some(part), ..whole.clone() };
    let all = load(&whole, &[0; 32], None).unwrap().train;
    let mut seen = Vec::new();
    for number in 0..3 {
        let own = load(&part(number), &[0; 32], None).unwrap().train;
        assert!(own.bytes().is_some(), "pictures stay bytes");
        for row in 0..own.len() {
            let at = (own.row(row)[0] * 255.0).round() as usize / 4;
            assert_eq!((own.row(row), own.labels()[row]), (all.row(at), all.labels()[at]));
            seen.push(at);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    // What is wanted may lie before the damage, and it is found all the same.
    let short = idx_directory(&idx(&[10, 2, 2], &pixels[..39]), &idx(&[10], &labels));
    let error = load(&DataConfig { source: short.path().display().to_string(), ..part(0) }, &[0; 32], None);
    assert!(error.map(|_| ()).unwrap_err().to_string().contains("39 bytes follow"));
}

/// Another file is measured and predicted as the rows were that the model has learnt from, not by its own numbers.
#[test]
fn other_rows_are_scaled_like_those_learnt_from() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.csv");
    std::fs::write(&other, "a,label,b\n50,x,100\n10,y,300\n").unwrap();
    for scaling in [Scaling::Auto, Scaling::Standard] {
        let own = table("b,a,label\n1,10,x\n3,30,y\n5,50,x\n", |config| config.scaling = scaling).unwrap();
        let before = known(&own);
        let (scales, words) = (before.numbers.clone(), task::Charter::default());
        assert_eq!((scales.of("a").mean, scales.of("a").sd, scales.of("b").sd), (30.0, 20.0, 2.0), "{scaling}");
        let elsewhere = DataConfig { validation: 0.0, ..config(&other) };
        let here = Known { preprocessing: &before, charter: &words };
        let measured = load(&elsewhere, &[0; 32], Some(here)).unwrap();
        assert_eq!(measured.preprocessing, before);
        let mut rows: Vec<Vec<f32>> = (0..2).map(|row| measured.train.row(row).to_vec()).collect();
        rows.sort_by(|one, other| one[0].total_cmp(&other[0]));
        // What lies more than eight deviations away is brought to eight.
        let far = 8.0;
        assert_eq!(rows, [[-1.0, far], [1.0, far]], "{scaling}");
        assert_eq!(before.read(&other, &elsewhere, &words).unwrap().features, [1.0, far, -1.0, far]);
        assert!(before.read(&directory.path().join("absent.csv"), &elsewhere, &words).is_err());
    }
}
