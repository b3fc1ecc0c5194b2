//! Tables as JSON objects: one a line, or in an array. Keys are columns, in any order; a key that is not there is a missing
//! value.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;
use serde::de::DeserializeSeed;

use super::Rows;
use super::dialect::{Dialect, Format, Understood};
use super::json_objects::Objects;
use super::json_row::{Keys, RowSeed};
use super::row::Row;
use super::sniff::{MOST_ROWS, Sample};
use super::source::{Bytes, Source};
use super::text::{Decoded, Found, SAY_ENCODING};
use super::tidy::MAX_COLUMNS;
use super::values::Missing;
use super::wrong::{TableError, TableFault, shortened};
use crate::DataError;

/// Whether a text looks like JSON objects.
pub(super) fn looks_like(text: &str) -> bool {
    let text = text.trim_start();
    let object = |text: &str| text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']));
    object(text) || text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

/// A file of JSON objects.
pub(super) struct Json {
    source: Arc<Source>,
    encoding: &'static Encoding,
    columns: Vec<String>,
    objects: Objects<Decoded>,
    parser: Parser,
}

/// What turns an object into a row.
struct Parser {
    keys: Keys,
    missing: Missing,
}

impl Json {
    pub(super) fn open(
        source: Arc<Source>,
        sample: &Sample<'_>,
        found: &Found,
        dialect: &Dialect,
        mut understood: Understood,
    ) -> Result<(Self, Understood), DataError> {
        let mut parser = Parser {
            keys: Keys { places: HashMap::new(), grows: true },
            missing: Missing::new(dialect.missing.as_deref()),
        };
        understood.guessed.extend(found.guessed.clone());
        understood.format = Format::Jsonl;
        let late = parser.learn(&source, sample)?;
        if let Some((key, line)) = late {
            understood
                .guessed
                .push(format!("column \"{}\" comes first in line {line}, and is missing before", shortened(&key)));
        }
        let mut columns = vec![String::new(); parser.keys.places.len()];
        for (key, &place) in &parser.keys.places {
            columns[place].clone_from(key);
        }
        let refused = |reason: String| TableError::new(TableFault::ConstraintError, source.shown(), reason);
        match columns.len() {
            0 => {
                return Err(TableError::new(TableFault::FormatError, source.shown(), "its objects have no keys").into());
            }
            1..=MAX_COLUMNS => {}
            more => return Err(refused(format!("it has {more} different keys; at most {MAX_COLUMNS} are read")).into()),
        }
        parser.keys.grows = false;
        let objects = begin(&source, found.encoding)?;
        Ok((Self { source, encoding: found.encoding, columns, objects, parser }, understood))
    }
}

fn begin(source: &Source, encoding: &'static Encoding) -> Result<Objects<Decoded>, DataError> {
    let (bytes, _) = source.bytes()?;
    Ok(Objects::new(Decoded::new(bytes, encoding)))
}

impl Parser {
    /// Collects the keys of a sample in the order in which they come; the last one that the first row lacks, and its line.
    fn learn(&mut self, source: &Source, sample: &Sample<'_>) -> Result<Option<(String, u64)>, DataError> {
        let bytes: Bytes = Box::new(std::io::Cursor::new(sample.text.as_bytes().to_vec()));
        let mut objects = Objects::new(bytes);
        let (mut row, mut late, mut first) = (Row::new(), None, None);
        for _ in 0..MOST_ROWS {
            match objects.advance() {
                Ok(true) => {}
                Ok(false) => break,
                // The part of the file may end within an object.
                Err(fault) if !sample.whole && fault.is_end() => break,
                Err(fault) => return Err(fault.said(source.shown())),
            }
            let before = self.keys.places.len();
            self.parse(&objects, &mut row, source.shown())?;
            if before < self.keys.places.len() && first.is_some() {
                let last = self.keys.places.iter().find(|(_, place)| **place == before);
                late = late.or(last.map(|(key, _)| (key.clone(), objects.begins())));
            }
            first.get_or_insert(objects.begins());
        }
        Ok(late)
    }

    fn parse<R>(&mut self, objects: &Objects<R>, row: &mut Row, path: &Path) -> Result<(), DataError> {
        row.begin_missing(objects.begins(), self.keys.places.len());
        let mut parser = serde_json::Deserializer::from_slice(objects.object());
        let mut key = String::new();
        let seed = RowSeed { keys: &mut self.keys, missing: &self.missing, row, key: &mut key };
        let result = seed.deserialize(&mut parser);
        result.map_err(|error| {
            if str::from_utf8(objects.object()).is_err() {
                let error = TableError::new(TableFault::EncodingError, path, "it is no text in UTF-8");
                return error.line(objects.begins()).mend(SAY_ENCODING).into();
            }
            let whole = error.to_string();
            let reason = whole.rfind(" at line ").map_or(whole.as_str(), |end| &whole[..end]);
            let line = objects.begins() + error.line().saturating_sub(1) as u64;
            let code = if error.is_data() { TableFault::TypeError } else { TableFault::FormatError };
            let said = TableError::new(code, path, reason).line(line);
            let said = match error.is_data() {
                true => said
                    .column(&key)
                    .mend("rows are objects of texts, numbers, true, false and null, all with the same keys"),
                false => said.mend("write one JSON object a line"),
            };
            said.into()
        })
    }
}

impl Rows for Json {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        match self.objects.advance() {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(fault) => return Err(fault.said(self.source.shown())),
        }
        self.parser.parse(&self.objects, row, self.source.shown())?;
        Ok(true)
    }

    fn file(&self) -> &Path {
        self.source.shown()
    }

    fn rewind(&mut self) -> Result<(), DataError> {
        self.objects = begin(&self.source, self.encoding)?;
        Ok(())
    }
}
