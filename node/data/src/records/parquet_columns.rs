//! The columns of a batch of a Parquet file, as cells.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow_schema::{DataType, TimeUnit};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::json_row::MAX_EXACT;
use super::row::{Row, Stored};
use super::values::Missing;

/// A column of a batch.
pub(super) enum Values {
    Null,
    Boolean(BooleanArray),
    /// Missing values are NaN.
    Numbers(Vec<f64>),
    Whole(PrimitiveArray<Int64Type>),
    Unsigned(PrimitiveArray<UInt64Type>),
    /// Days since 1970-01-01.
    Days(PrimitiveArray<Date32Type>),
    /// Points in time, and how many of their units are a second; if a zone is known, they are in UTC.
    Instants(Vec<Option<i64>>, i64, bool),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    /// The places of values; none where one is missing.
    Dictionary(Vec<Option<usize>>, Box<Values>),
}

/// What kind of values it is that no cell can be; none for those that can.
pub(super) fn unreadable(kind: &DataType) -> Option<String> {
    match kind {
        DataType::Null | DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => None,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => None,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => None,
        kind if kind.is_integer() || kind.is_floating() => None,
        DataType::Dictionary(_, values) => unreadable(values),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Some("lists".to_owned()),
        DataType::Struct(_) | DataType::Map(..) => Some("nested values".to_owned()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Some("bytes".to_owned())
        }
        other => Some(format!("values of the type {other}")),
    }
}

impl Values {
    /// The column of an array; none if its type is unreadable.
    pub(super) fn of(array: &ArrayRef) -> Option<Self> {
        let kind = array.data_type();
        if unreadable(kind).is_some() {
            return None;
        }
        Some(match kind {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean_opt()?.clone()),
            DataType::Int64 => Self::Whole(array.as_primitive_opt()?.clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive_opt()?.clone()),
            DataType::Date32 => Self::Days(array.as_primitive_opt()?.clone()),
            DataType::Date64 => Self::Instants(array.as_primitive_opt::<Date64Type>()?.iter().collect(), 1000, false),
            DataType::Timestamp(unit, zone) => instants(array, *unit, zone.is_some())?,
            DataType::Utf8 => Self::Text(array.as_string_opt()?.clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string_opt()?.clone()),
            DataType::Utf8View => Self::TextView(array.as_string_view_opt()?.clone()),
            DataType::Dictionary(..) => dictionary(array)?,
            _ => Self::Numbers(numbers(array)?),
        })
    }

    /// Adds one value to a row.
    pub(super) fn push(&self, at: usize, row: &mut Row, missing: &Missing) {
        match self {
            Self::Null => row.push(Stored::Missing),
            Self::Boolean(array) if array.is_null(at) => row.push(Stored::Missing),
            Self::Boolean(array) => row.push(Stored::Boolean(array.value(at))),
            Self::Numbers(numbers) => push_number(numbers[at], row),
            Self::Whole(array) => match known(array, at) {
                Some(whole) if whole.unsigned_abs() > MAX_EXACT => row.push_shown(whole),
                whole => row.push(whole.map_or(Stored::Missing, |whole| Stored::Number(whole as f64))),
            },
            Self::Unsigned(array) => match known(array, at) {
                Some(whole) if whole > MAX_EXACT => row.push_shown(whole),
                whole => row.push(whole.map_or(Stored::Missing, |whole| Stored::Number(whole as f64))),
            },
            Self::Days(array) => {
                let second = known(array, at).map(|days| i64::from(days) * 86_400);
                push_instant(second, 1, false, row);
            }
            Self::Instants(instants, per_second, zoned) => push_instant(instants[at], *per_second, *zoned, row),
            Self::Text(array) => push_text(array.is_valid(at).then(|| array.value(at)), row, missing),
            Self::LargeText(array) => push_text(array.is_valid(at).then(|| array.value(at)), row, missing),
            Self::TextView(array) => push_text(array.is_valid(at).then(|| array.value(at)), row, missing),
            Self::Dictionary(places, values) => match places[at] {
                Some(place) => values.push(place, row, missing),
                None => row.push(Stored::Missing),
            },
        }
    }
}

fn known<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, at: usize) -> Option<T::Native> {
    array.is_valid(at).then(|| array.value(at))
}

fn push_text(text: Option<&str>, row: &mut Row, missing: &Missing) {
    match text.map(str::trim) {
        Some(text) if !missing.is(text) => row.push_text(text),
        _ => row.push(Stored::Missing),
    }
}

/// An infinite number is a text, so that whoever needs numbers complains.
fn push_number(number: f64, row: &mut Row) {
    match number {
        number if number.is_nan() => row.push(Stored::Missing),
        number if number.is_infinite() => row.push_shown(number),
        number => row.push(Stored::Number(number)),
    }
}

/// A day, or a point in time, as ISO 8601 has it.
fn push_instant(instant: Option<i64>, per_second: i64, zoned: bool, row: &mut Row) {
    let Some(instant) = instant else { return row.push(Stored::Missing) };
    let (second, part) = (instant.div_euclid(per_second), instant.rem_euclid(per_second));
    // Less than a second in nanoseconds fits.
    let nanoseconds = part * (1_000_000_000 / per_second);
    let Ok(timestamp) = Timestamp::new(second, nanoseconds as i32) else { return row.push_shown(instant) };
    let civil = Offset::UTC.to_datetime(timestamp);
    match (second.rem_euclid(86_400) == 0 && nanoseconds == 0, zoned) {
        (true, _) => row.push_shown(civil.date()),
        (false, true) => row.push_shown(timestamp),
        (false, false) => row.push_shown(civil),
    }
}

fn instants(array: &ArrayRef, unit: TimeUnit, zoned: bool) -> Option<Values> {
    fn all<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Option<Vec<Option<i64>>> {
        Some(array.as_primitive_opt::<T>()?.iter().collect())
    }
    Some(match unit {
        TimeUnit::Second => Values::Instants(all::<TimestampSecondType>(array)?, 1, zoned),
        TimeUnit::Millisecond => Values::Instants(all::<TimestampMillisecondType>(array)?, 1000, zoned),
        TimeUnit::Microsecond => Values::Instants(all::<TimestampMicrosecondType>(array)?, 1_000_000, zoned),
        TimeUnit::Nanosecond => Values::Instants(all::<TimestampNanosecondType>(array)?, 1_000_000_000, zoned),
    })
}

fn dictionary(array: &ArrayRef) -> Option<Values> {
    let dictionary = array.as_any_dictionary_opt()?;
    let values = Values::of(dictionary.values())?;
    if dictionary.values().is_empty() {
        return Some(Values::Dictionary(vec![None; array.len()], Box::new(values)));
    }
    let keys = dictionary.normalized_keys();
    let places = keys.into_iter().enumerate().map(|(at, place)| dictionary.keys().is_valid(at).then_some(place));
    Some(Values::Dictionary(places.collect(), Box::new(values)))
}

fn numbers(array: &ArrayRef) -> Option<Vec<f64>> {
    fn all<T: ArrowPrimitiveType>(array: &ArrayRef, number: impl Fn(T::Native) -> f64) -> Option<Vec<f64>> {
        let array = array.as_primitive_opt::<T>()?;
        Some(array.iter().map(|value| value.map_or(f64::NAN, &number)).collect())
    }
    let scaled = |scale: i8| 10f64.powi(i32::from(scale));
    match array.data_type() {
        DataType::Int8 => all::<Int8Type>(array, f64::from),
        DataType::Int16 => all::<Int16Type>(array, f64::from),
        DataType::Int32 => all::<Int32Type>(array, f64::from),
        DataType::UInt8 => all::<UInt8Type>(array, f64::from),
        DataType::UInt16 => all::<UInt16Type>(array, f64::from),
        DataType::UInt32 => all::<UInt32Type>(array, f64::from),
        DataType::Float16 => all::<Float16Type>(array, f64::from),
        DataType::Float32 => all::<Float32Type>(array, f64::from),
        DataType::Float64 => all::<Float64Type>(array, |number| number),
        DataType::Decimal32(_, scale) => all::<Decimal32Type>(array, |value| f64::from(value) / scaled(*scale)),
        DataType::Decimal64(_, scale) => all::<Decimal64Type>(array, |value| value as f64 / scaled(*scale)),
        DataType::Decimal128(_, scale) => all::<Decimal128Type>(array, |value| value as f64 / scaled(*scale)),
        _ => None,
    }
}
