//! What a replication found, as table, raw numbers and picture.

use std::fmt::Write as _;
use std::path::Path;

use super::ReplicationError;
use super::picture::{self, Axes};

/// One line of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub label: String,
    /// Whether it was measured by others; drawn dashed.
    pub theirs: bool,
    /// Points (x, y) in the order of x.
    pub points: Vec<(f64, f64)>,
}

/// What a replication found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One sentence over the table; lines after the first are Markdown of their own between the two.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells, a row at a time.
    pub rows: Vec<Vec<String>>,
    /// Lines of the picture.
    pub curves: Vec<Curve>,
    /// What the picture's axes mean.
    pub axes: Axes,
}

impl Report {
    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("{}\n\n| {} |\n|{}\n", self.title, self.columns.join(" | "), "---|".repeat(self.columns.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }

    /// Writes `results.md`, `results.csv`, `curves.csv` and `picture.svg` to a folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ReplicationError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| ReplicationError::Write { path: folder.to_owned(), source })?;
        put(&folder.join("results.md"), &self.markdown())?;
        let rows = self.rows.iter().map(|row| csv_line(row.iter().map(String::as_str)));
        let table: String = std::iter::once(csv_line(self.columns.iter().map(String::as_str))).chain(rows).collect();
        put(&folder.join("results.csv"), &table)?;
        if self.curves.is_empty() {
            return Ok(());
        }
        let mut curves = csv_line(["curve", "measured_by_others", &self.axes.x, &self.axes.y].into_iter());
        for curve in &self.curves {
            for (x, y) in &curve.points {
                curves += &csv_line(
                    [curve.label.as_str(), &curve.theirs.to_string(), &x.to_string(), &y.to_string()].into_iter(),
                );
            }
        }
        put(&folder.join("curves.csv"), &curves)?;
        let caption = self.title.lines().next().unwrap_or_default();
        picture::draw(&folder.join("picture.svg"), caption, &self.axes, &self.curves)
    }
}

fn put(path: &Path, text: &str) -> Result<(), ReplicationError> {
    std::fs::write(path, text).map_err(|source| ReplicationError::Write { path: path.to_owned(), source })
}

fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| match cell.contains([',', '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

/// Mean and sample standard deviation as text, with so many digits; the mean alone of a single value.
pub fn spread(values: &[f64], digits: usize) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    if values.len() < 2 {
        return format!("{mean:.digits$}");
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    format!("{mean:.digits$} ± {:.digits$}", variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_tables_are_written_as_people_read_them() {
        assert_eq!(spread(&[1.0, 3.0], 2), "2.00 ± 1.41");
        assert_eq!(spread(&[0.5], 1), "0.5");
        assert_eq!(csv_line(["a", "b,c", "say \"x\""].into_iter()), "a,\"b,c\",\"say \"\"x\"\"\"\n");
    }
}
