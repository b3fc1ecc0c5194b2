//! One row of a table, kept so that reading the next one allocates nothing.

/// One cell as its file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// It is empty, or a word that stands for a missing value.
    Missing,
    /// A text without spaces around it. Numbers in text files are texts too, except those with a decimal comma.
    Text(&'a str),
    /// A finite number.
    Number(f64),
    /// True or false, where the file has such values.
    Boolean(bool),
}

/// A row. One row is used for a whole table; the next one overwrites it without allocating.
#[derive(Debug, Clone, Default)]
pub struct Row {
    line: u64,
    text: String,
    cells: Vec<Stored>,
}

/// A cell, its text as a range of the text of its row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stored {
    Missing,
    Text { from: usize, to: usize },
    Number(f64),
    Boolean(bool),
}

impl Row {
    /// A row without cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its line in the file, from 1; the number of the row, from 1, in files without lines.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Number of its cells: as many as the table has columns.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether nothing was read into it yet.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell in a column; missing where there is no such column.
    pub fn cell(&self, column: usize) -> Cell<'_> {
        match self.cells.get(column) {
            None | Some(Stored::Missing) => Cell::Missing,
            Some(&Stored::Text { from, to }) => Cell::Text(self.text.get(from..to).unwrap_or_default()),
            Some(&Stored::Number(number)) => Cell::Number(number),
            Some(&Stored::Boolean(value)) => Cell::Boolean(value),
        }
    }

    /// Its cells in the order of the columns.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        (0..self.len()).map(|column| self.cell(column))
    }

    /// Forgets the row before.
    pub(super) fn begin(&mut self, line: u64) {
        self.line = line;
        self.text.clear();
        self.cells.clear();
    }

    /// As [`Row::begin`], with as many missing cells.
    pub(super) fn begin_missing(&mut self, line: u64, cells: usize) {
        self.begin(line);
        self.cells.resize(cells, Stored::Missing);
    }

    /// Text for cells to refer to; the place where it begins.
    pub(super) fn add(&mut self, text: &str) -> usize {
        self.text.push_str(text);
        self.text.len() - text.len()
    }

    pub(super) fn push(&mut self, cell: Stored) {
        self.cells.push(cell);
    }

    #[cfg(feature = "parquet")]
    pub(super) fn push_text(&mut self, text: &str) {
        let cell = self.stored(text);
        self.cells.push(cell);
    }

    /// Adds a cell whose text is written in place.
    #[cfg(feature = "parquet")]
    pub(super) fn push_shown(&mut self, shown: impl std::fmt::Display) {
        use std::fmt::Write;
        let from = self.text.len();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{shown}");
        self.cells.push(Stored::Text { from, to: self.text.len() });
    }

    /// Makes a missing cell one that is known, beyond which there are cells already.
    pub(super) fn set(&mut self, column: usize, cell: Stored) {
        if column >= self.cells.len() {
            self.cells.resize(column + 1, Stored::Missing);
        }
        self.cells[column] = cell;
    }

    pub(super) fn stored(&mut self, text: &str) -> Stored {
        let from = self.add(text);
        Stored::Text { from, to: from + text.len() }
    }

    /// Puts the cells in another order: cell `i` becomes the one that was at `order[i]`.
    pub(super) fn reorder(&mut self, order: &[usize], spare: &mut Vec<Stored>) {
        spare.clear();
        spare.extend(order.iter().map(|&from| self.cells.get(from).copied().unwrap_or(Stored::Missing)));
        std::mem::swap(spare, &mut self.cells);
    }
}
