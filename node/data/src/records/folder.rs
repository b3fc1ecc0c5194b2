//! A folder of tables with the same columns, as one table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::dialect::{Dialect, Understood};
use super::row::{Row, Stored};
use super::wrong::{TableError, TableFault, shortened};
use super::{Rows, open_file};
use crate::DataError;

/// How the names of table files end, before `.gz` or `.zst`.
const TABLES: [&str; 9] = ["csv", "tsv", "txt", "tab", "psv", "jsonl", "ndjson", "json", "parquet"];
/// How the names of files end that make a folder one of images or arrays.
const ARRAYS: [&str; 10] = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "npy", "npz"];
/// Most names in a message.
const NAMED: usize = 5;

/// The tables of a folder, one after the other, by name.
pub(super) struct Folder {
    files: Vec<PathBuf>,
    dialect: Dialect,
    columns: Vec<String>,
    /// The place of the next file, and the file that is read.
    next: usize,
    current: Option<Part>,
    last: PathBuf,
    spare: Vec<Stored>,
}

/// One file.
struct Part {
    rows: Box<dyn Rows>,
    /// Where each column of the folder is in the file; none if they are in the same order.
    order: Option<Vec<usize>>,
}

/// What is in a folder.
#[derive(Default)]
struct Contents {
    tables: Vec<PathBuf>,
    others: Vec<String>,
    arrays: bool,
}

/// Whether a folder holds tables, and no images or arrays.
pub(super) fn is_folder_of_tables(path: &Path) -> bool {
    contents(path).is_ok_and(|contents| !contents.tables.is_empty() && !contents.arrays)
}

fn contents(path: &Path) -> Result<Contents, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let mut contents = Contents::default();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Programs leave files like `_SUCCESS` beside their parts.
        if name.starts_with(['.', '_']) || file.is_dir() {
            continue;
        }
        let lower = name.to_lowercase();
        let unpacked = lower.strip_suffix(".gz").or(lower.strip_suffix(".zst")).unwrap_or(&lower);
        let extension = unpacked.rsplit_once('.').map_or("", |(_, extension)| extension);
        contents.arrays |= ARRAYS.contains(&extension) || unpacked.contains("-ubyte");
        let read_me = unpacked.starts_with("readme") || unpacked.starts_with("licen");
        match TABLES.contains(&extension) && !read_me {
            true => contents.tables.push(file),
            false => contents.others.push(name),
        }
    }
    contents.tables.sort();
    contents.others.sort();
    Ok(contents)
}

impl Folder {
    pub(super) fn open(path: &Path, dialect: &Dialect) -> Result<(Self, Understood), DataError> {
        let Contents { tables: files, others, .. } = contents(path)?;
        let Some(first) = files.first() else {
            let error = TableError::new(TableFault::FormatError, path, "the folder has no table");
            let mend = format!("tables are files that end in .{}, plain or with .gz or .zst", TABLES.join(", ."));
            return Err(error.mend(mend).into());
        };
        let (rows, mut understood) = open_file(first, dialect)?;
        let columns = rows.columns().to_vec();
        drop(rows);
        // What is known of the first file holds for all: parts of one table are written alike.
        let mut dialect = Dialect { header: dialect.header.or(Some(understood.header)), ..dialect.clone() };
        if !understood.header {
            dialect.names = Some(columns.clone());
        }
        for file in &files[1..] {
            let (rows, other) = open_file(file, &dialect)?;
            order(&columns, rows.columns(), file, first)?;
            understood.decimal_comma |= other.decimal_comma;
            let new = |word: &String| !understood.missing.contains(word);
            let words: Vec<String> = other.missing.into_iter().filter(new).collect();
            understood.missing.extend(words);
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let notes = other.guessed.into_iter().filter(|note| !note.starts_with("no header"));
            understood.guessed.extend(notes.map(|note| format!("{name}: {note}")));
        }
        if understood.decimal_comma {
            dialect.decimal = Some(',');
        }
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        understood.files = files.iter().map(name).collect();
        understood.guessed.push(format!("the files are parts of one table: {}", listed(&understood.files)));
        if !others.is_empty() {
            understood.guessed.push(format!("left out: {}", listed(&others)));
        }
        let (next, current, last, spare) = (0, None, first.clone(), Vec::new());
        Ok((Self { files, dialect, columns, next, current, last, spare }, understood))
    }

    /// Opens the next file; whether there is one.
    fn advance(&mut self) -> Result<bool, DataError> {
        let Some(file) = self.files.get(self.next) else { return Ok(false) };
        self.next += 1;
        let (rows, _) = open_file(file, &self.dialect)?;
        let order = order(&self.columns, rows.columns(), file, &self.files[0])?;
        self.current = Some(Part { rows, order });
        self.last.clone_from(file);
        Ok(true)
    }
}

fn listed(names: &[String]) -> String {
    let some = names.iter().take(NAMED).map(|name| shortened(name)).collect::<Vec<_>>().join(", ");
    match names.len() {
        ..=NAMED => some,
        more => format!("{some} and {} more", more - NAMED),
    }
}

/// Where the columns of the first file are in another one; none if they are in the same order.
fn order(columns: &[String], other: &[String], file: &Path, first: &Path) -> Result<Option<Vec<usize>>, DataError> {
    if columns == other {
        return Ok(None);
    }
    let (own, others) = (columns.iter().collect::<BTreeSet<_>>(), other.iter().collect::<BTreeSet<_>>());
    let names = |names: Vec<&&String>| listed(&names.into_iter().map(|name| (*name).clone()).collect::<Vec<_>>());
    let (lacking, new) = (own.difference(&others).collect::<Vec<_>>(), others.difference(&own).collect::<Vec<_>>());
    let first = first.file_name().unwrap_or_default().to_string_lossy();
    let reason = match (lacking.is_empty(), new.is_empty()) {
        (true, true) => {
            let places: std::collections::HashMap<&String, usize> = other.iter().zip(0..).collect();
            return Ok(Some(columns.iter().filter_map(|column| places.get(column).copied()).collect()));
        }
        (false, true) => format!("it lacks columns that {first} has: {}", names(lacking)),
        (true, false) => format!("it has columns that {first} lacks: {}", names(new)),
        (false, false) => {
            format!("it lacks columns that {first} has: {}, and has others: {}", names(lacking), names(new))
        }
    };
    let mend = "all tables in a folder must have the same columns; move others elsewhere";
    Err(TableError::new(TableFault::IncorrectLabel, file, reason).mend(mend).into())
}

impl Rows for Folder {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        loop {
            if let Some(Part { rows, order }) = &mut self.current {
                if rows.read(row)? {
                    if let Some(order) = order {
                        row.reorder(order, &mut self.spare);
                    }
                    return Ok(true);
                }
                self.current = None;
            }
            if !self.advance()? {
                return Ok(false);
            }
        }
    }

    fn file(&self) -> &Path {
        &self.last
    }

    fn rewind(&mut self) -> Result<(), DataError> {
        (self.next, self.current) = (0, None);
        Ok(())
    }
}
