//! Parquet files.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array,
    Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::super::{Dialect, Format};
use super::{file, has, read_path, rows, wrong};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, compression: Compression) {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(100));
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read(columns: Vec<(&str, ArrayRef)>) -> super::Read {
    let (_directory, path) = file("rows.parquet", "");
    write(&path, columns, Compression::UNCOMPRESSED);
    read_path(&path, &Dialect::default()).unwrap_or_else(|error| panic!("{error}")).0
}

#[test]
fn every_kind_of_column_is_cells() {
    let instants = vec![Some(0), Some(86_400_500_000), None];
    let got = read(vec![
        ("null", Arc::new(NullArray::new(3))),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(-1), None, Some(2)]))),
        ("i64", Arc::new(Int64Array::from(vec![Some(7), Some(i64::MAX), None]))),
        ("u64", Arc::new(UInt64Array::from(vec![Some(7), Some(u64::MAX), None]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN), None]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::INFINITY), None]))),
        (
            "decimal",
            Arc::new(Decimal128Array::from(vec![Some(125), None, Some(-50)]).with_precision_and_scale(9, 2).unwrap()),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(19_782), None]))),
        ("instant", Arc::new(TimestampMicrosecondArray::from(instants.clone()))),
        ("zoned", Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC"))),
        ("text", Arc::new(StringArray::from(vec![Some(" a "), Some("NA"), None]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("b"), Some(""), None]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("a text longer than twelve"), Some("c"), None]))),
        ("category", Arc::new([Some("x"), None, Some("y")].into_iter().collect::<DictionaryArray<Int8Type>>())),
    ]);
    assert_eq!(got.columns[..3], ["null", "bool", "i32"]);
    let columns: Vec<[&str; 3]> =
        (0..got.columns.len()).map(|column| [0, 1, 2].map(|row| &got.rows[row][column][..])).collect();
    let want = [
        ["~", "~", "~"],
        ["!true", "~", "!false"],
        ["#-1", "~", "#2"],
        ["#7", "9223372036854775807", "~"],
        ["#7", "18446744073709551615", "~"],
        ["#0.5", "~", "~"],
        ["#0.1", "inf", "~"],
        ["#1.25", "~", "#-0.5"],
        ["1970-01-01", "2024-02-29", "~"],
        ["1970-01-01", "1970-01-02T00:00:00.5", "~"],
        ["1970-01-01", "1970-01-02T00:00:00.5Z", "~"],
        ["a", "~", "~"],
        ["b", "~", "~"],
        ["a text longer than twelve", "c", "~"],
        ["x", "~", "y"],
    ];
    assert_eq!(columns, want);
    assert_eq!(got.lines, [1, 2, 3]);
    for text in ["1970-01-02T00:00:00.5", "1970-01-02T00:00:00.5Z"] {
        assert_eq!(super::super::date(text, None), Ok(1.0 + 0.5 / 86_400.0));
    }
}

#[test]
fn every_compression_and_many_row_groups_give_the_same_table() {
    let (gzip, zstd) = (Compression::GZIP(GzipLevel::default()), Compression::ZSTD(ZstdLevel::default()));
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, zstd, Compression::LZ4_RAW] {
        let (_directory, path) = file("rows", "");
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..20_000));
        write(&path, vec![("x", numbers)], compression);
        let (got, understood) = read_path(&path, &Dialect::default()).unwrap();
        let want: Vec<Vec<String>> = (0..20_000).map(|number| vec![format!("#{number}")]).collect();
        assert_eq!(got.rows, want, "{compression:?}");
        assert_eq!((understood.format, &understood.to_string()[..]), (Format::Parquet, "Parquet"));
    }
}

#[test]
fn an_empty_category_and_an_empty_table_are_read() {
    let empty: DictionaryArray<Int8Type> = [None::<&str>, None].into_iter().collect();
    assert_eq!(read(vec![("category", Arc::new(empty) as ArrayRef)]).rows, rows(&["~", "~"]));
    assert_eq!(read(vec![("x", Arc::new(Int32Array::from(Vec::<i32>::new())) as ArrayRef)]).rows.len(), 0);
}

#[test]
fn lists_and_bytes_are_refused_with_the_column() {
    let list = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([Some([Some(1), Some(2)])]);
    let (_directory, path) = file("rows", "");
    write(&path, vec![("embedding", Arc::new(list))], Compression::UNCOMPRESSED);
    let error = read_path(&path, &Dialect::default()).map(|_| ()).unwrap_err().to_string();
    has(&error, &["column \"embedding\"", "lists", "without this column"]);
}

#[test]
fn a_damaged_file_says_so() {
    has(&wrong([&b"PAR1"[..], &[7; 400]].concat()), &["Parquet", "damaged", "CSV text"]);
    let (_directory, path) = file("rows", "");
    write(&path, vec![("x", Arc::new(Int32Array::from_iter_values(0..2000)))], Compression::SNAPPY);
    let bytes = std::fs::read(&path).unwrap();
    has(&wrong(&bytes[..bytes.len() / 2]), &["Parquet", "damaged"]);
}
