//! Parquet files, a batch of rows at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Rows;
use super::dialect::{Dialect, Format, Packed, Understood};
use super::parquet_columns::{Values, unreadable};
use super::row::Row;
use super::source::Source;
use super::tidy::MAX_COLUMNS;
use super::values::Missing;
use super::wrong::{TableError, TableFault};
use crate::DataError;

/// Most cells of a batch, so that wide tables need no more memory than narrow ones.
const BATCH_CELLS: usize = 1 << 20;
const BATCH_ROWS: usize = 8192;

/// A Parquet file.
pub(super) struct Parquet {
    source: Arc<Source>,
    columns: Vec<String>,
    missing: Missing,
    batches: ParquetRecordBatchReader,
    /// The batch that is handed out, column by column.
    batch: Vec<Values>,
    rows: usize,
    /// Rows handed out of the batch, and of the file.
    given: usize,
    line: u64,
}

impl Parquet {
    pub(super) fn open(source: Arc<Source>, dialect: &Dialect) -> Result<(Self, Understood), DataError> {
        let builder = builder(&source)?;
        let schema = builder.schema().clone();
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let wrong = |code, reason: String| TableError::new(code, source.shown(), reason);
        if !(1..=MAX_COLUMNS).contains(&columns.len()) {
            let reason = format!("it has {} columns; 1 to {MAX_COLUMNS} are read", columns.len());
            return Err(wrong(TableFault::ConstraintError, reason).into());
        }
        for field in schema.fields() {
            if let Some(kind) = unreadable(field.data_type()) {
                let error = wrong(TableFault::TypeError, format!("it holds {kind}, and a cell is one value"));
                let mend = "write the file without this column, or each value as a column of its own";
                return Err(error.column(field.name()).mend(mend).into());
            }
        }
        let batches = batches(builder, &source)?;
        let missing = Missing::new(dialect.missing.as_deref());
        let understood = Understood::new(Format::Parquet, Packed::None);
        let (batch, rows, given, line) = (Vec::new(), 0, 0, 0);
        Ok((Self { source, columns, missing, batches, batch, rows, given, line }, understood))
    }

    /// Reads batches until one has rows; whether there is one.
    fn next_batch(&mut self) -> Result<bool, DataError> {
        loop {
            let Some(batch) = self.batches.next() else { return Ok(false) };
            let batch: RecordBatch = batch.map_err(|error| damaged(&self.source, &error.to_string()))?;
            (self.rows, self.given) = (batch.num_rows(), 0);
            let values = batch.columns().iter().map(Values::of).collect::<Option<_>>();
            self.batch =
                values.ok_or_else(|| damaged(&self.source, "a column is of another type than its schema says"))?;
            if self.rows > 0 {
                return Ok(true);
            }
        }
    }
}

fn builder(source: &Source) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let file = source.file()?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(source, &error.to_string()))
}

fn batches(
    builder: ParquetRecordBatchReaderBuilder<File>,
    source: &Source,
) -> Result<ParquetRecordBatchReader, DataError> {
    let columns = builder.schema().fields().len().max(1);
    let rows = (BATCH_CELLS / columns).clamp(16, BATCH_ROWS);
    builder.with_batch_size(rows).build().map_err(|error| damaged(source, &error.to_string()))
}

fn damaged(source: &Source, reason: &str) -> DataError {
    let reason = format!("it begins as a Parquet file and is damaged or cut short: {reason}");
    let error = TableError::new(TableFault::FormatError, source.shown(), reason);
    error.mend("write it again, or as CSV text in UTF-8").into()
}

impl Rows for Parquet {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if self.given == self.rows && !self.next_batch()? {
            return Ok(false);
        }
        self.line += 1;
        row.begin(self.line);
        for column in &self.batch {
            column.push(self.given, row, &self.missing);
        }
        self.given += 1;
        Ok(true)
    }

    fn file(&self) -> &Path {
        self.source.shown()
    }

    fn rewind(&mut self) -> Result<(), DataError> {
        self.batches = batches(builder(&self.source)?, &self.source)?;
        (self.rows, self.given, self.line) = (0, 0, 0);
        Ok(())
    }
}
