//! One JSON object as a row.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::row::{Row, Stored};
use super::values::Missing;

/// Largest whole number below which every whole number is a number of its own in 64 bits.
pub(super) const MAX_EXACT: u64 = 1 << 53;

/// Which column a key is.
pub(super) struct Keys {
    pub(super) places: HashMap<String, usize>,
    /// Whether a new key is a new column; else it is an error.
    pub(super) grows: bool,
}

/// Reads an object into a row of missing cells. `key` is the last one seen.
pub(super) struct RowSeed<'a> {
    pub(super) keys: &'a mut Keys,
    pub(super) missing: &'a Missing,
    pub(super) row: &'a mut Row,
    pub(super) key: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { keys, missing, row, key } = self;
        let mut seen = Seen::default();
        while let Some(place) = map.next_key_seed(KeySeed { keys, key })? {
            if !seen.insert(place) {
                return Err(A::Error::custom("this key is there twice in one object"));
            }
            let cell = map.next_value_seed(CellSeed { missing, row })?;
            row.set(place, cell);
        }
        Ok(())
    }
}

/// The places that were seen in one object, as bits; the first 64 without allocating.
#[derive(Default)]
struct Seen {
    first: u64,
    rest: Vec<u64>,
}

impl Seen {
    /// Whether a place is new.
    fn insert(&mut self, place: usize) -> bool {
        let (word, bit) = (place / 64, 1 << (place % 64));
        if word > self.rest.len() {
            self.rest.resize(word, 0);
        }
        let word = if word == 0 { &mut self.first } else { &mut self.rest[word - 1] };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

struct KeySeed<'a> {
    keys: &'a mut Keys,
    key: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        self.key.clear();
        self.key.push_str(key);
        if let Some(&place) = self.keys.places.get(key.trim()) {
            return Ok(place);
        }
        if !self.keys.grows {
            return Err(E::custom("this key is new here, and the columns are those of the beginning of the file"));
        }
        let place = self.keys.places.len();
        self.keys.places.insert(key.trim().to_owned(), place);
        Ok(place)
    }
}

struct CellSeed<'a> {
    missing: &'a Missing,
    row: &'a mut Row,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Stored;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Stored, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Stored;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Stored, E> {
        Ok(Stored::Boolean(value))
    }

    fn visit_unit<E>(self) -> Result<Stored, E> {
        Ok(Stored::Missing)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Stored, E> {
        Ok(Stored::Number(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Stored, E> {
        match value <= MAX_EXACT {
            true => Ok(Stored::Number(value as f64)),
            false => self.visit_str(&value.to_string()),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Stored, E> {
        match value.unsigned_abs() <= MAX_EXACT {
            true => Ok(Stored::Number(value as f64)),
            false => self.visit_str(&value.to_string()),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Stored, E> {
        let text = text.trim();
        Ok(if self.missing.is(text) { Stored::Missing } else { self.row.stored(text) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Stored, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("it is a list, and a cell is one value; write each value as a key of its own"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stored, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("it is an object within an object; write each of its values as a key of its own"))
    }
}
