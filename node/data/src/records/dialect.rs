//! What the user says about a file, and what the reader made of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the user says about a table instead of leaving it to a guess. Keys that are not given are guessed, and the guess
/// is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialect {
    /// What separates cells: one ASCII character. A space stands for any number of spaces and tabs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// What cells that contain the delimiter are quoted with: one ASCII character; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// What separates whole numbers from their decimals: a point or a comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// Whether the first row names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The encoding of the text, by a name that browsers know, as `utf-8`, `utf-16le` or `windows-1252`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The words that stand for a missing value, instead of the usual ones. An empty cell is always missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// The names of the columns of a file without a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines of cells with a delimiter that is no tab.
    Csv,
    /// Lines of cells separated by tabs.
    Tsv,
    /// JSON objects, one a line or in an array.
    Jsonl,
    /// Parquet.
    Parquet,
}

/// What a file is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Packed {
    /// It is not packed.
    None,
    /// gzip.
    Gz,
    /// Zstandard.
    Zst,
}

/// What the reader made of a file: to be shown to people, never silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Understood {
    /// The kind of file; of a folder, that of its first file.
    pub format: Format,
    /// What the file is packed with.
    pub packed: Packed,
    /// The files of a folder that are read, in this order; empty if the source is one file.
    pub files: Vec<String>,
    /// The encoding of the text; empty for Parquet.
    pub encoding: String,
    /// What separates cells, in text with a delimiter. A space stands for any number of spaces and tabs.
    pub delimiter: Option<char>,
    /// What cells are quoted with, if some are in the part that was looked at.
    pub quote: Option<char>,
    /// Whether the file names its columns.
    pub header: bool,
    /// The line that names them, where a line does.
    pub header_line: Option<u64>,
    /// Whether numbers have a decimal comma; to be handed to [`number`](super::number) with every text.
    pub decimal_comma: bool,
    /// Lines before the table that are comments and passed over.
    pub comments: u64,
    /// The words that were seen for a missing value in the part that was looked at; the empty text for empty cells.
    pub missing: Vec<String>,
    /// Columns whose name in the header is empty, from 0. They are called `column1` and so on by their place. Most often
    /// one is the number of the row that a program has added.
    pub nameless: Vec<usize>,
    /// What was guessed and may be wrong, in words.
    pub guessed: Vec<String>,
}

impl Understood {
    pub(super) fn new(format: Format, packed: Packed) -> Self {
        Self {
            format,
            packed,
            files: Vec::new(),
            encoding: String::new(),
            delimiter: None,
            quote: None,
            header: true,
            header_line: None,
            decimal_comma: false,
            comments: 0,
            missing: Vec::new(),
            nameless: Vec::new(),
            guessed: Vec::new(),
        }
    }

    /// The words for missing values, as people say it; none if none was seen.
    fn missing_words(&self) -> Option<String> {
        let mut words: Vec<String> =
            self.missing.iter().filter(|word| !word.is_empty()).map(|word| format!("{word:?}")).collect();
        if self.missing.iter().any(String::is_empty) {
            words.push("empty".to_owned());
        }
        let last = words.pop()?;
        Some(if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) })
    }
}

/// `UTF-8, comma, header in line 1, decimal points, missing: "?" and empty`, and in a second line what was guessed.
impl fmt::Display for Understood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.files.is_empty() {
            let count = self.files.len();
            parts.push(if count == 1 { "1 file".to_owned() } else { format!("{count} files") });
        }
        match self.format {
            Format::Parquet => parts.push("Parquet".to_owned()),
            Format::Jsonl => parts.extend(["JSON objects".to_owned(), self.encoding.clone()]),
            Format::Csv | Format::Tsv => parts.push(self.encoding.clone()),
        }
        match self.packed {
            Packed::None => {}
            Packed::Gz => parts.push("gzip".to_owned()),
            Packed::Zst => parts.push("zstd".to_owned()),
        }
        if let Format::Csv | Format::Tsv = self.format {
            parts.push(self.delimiter.map_or("one column".to_owned(), delimiter_word));
            parts.extend(self.quote.filter(|&quote| quote != '"').map(|quote| format!("quotes {quote}")));
            parts.push(match self.header_line {
                Some(line) => format!("header in line {line}"),
                None => "no header".to_owned(),
            });
            parts.push(if self.decimal_comma { "decimal commas" } else { "decimal points" }.to_owned());
        }
        match self.comments {
            0 => {}
            1 => parts.push("1 comment line".to_owned()),
            more => parts.push(format!("{more} comment lines")),
        }
        parts.extend(self.missing_words().map(|words| format!("missing: {words}")));
        f.write_str(&parts.join(", "))?;
        match self.guessed.is_empty() {
            true => Ok(()),
            false => write!(f, "\nguessed: {}", self.guessed.join("; ")),
        }
    }
}

/// What people call a delimiter.
pub(super) fn delimiter_word(delimiter: char) -> String {
    match delimiter {
        ',' => "comma".to_owned(),
        ';' => "semicolon".to_owned(),
        '\t' => "tab".to_owned(),
        '|' => "pipe".to_owned(),
        ' ' => "spaces".to_owned(),
        other => format!("delimiter {other:?}"),
    }
}
