//! The closing table of a demo and of an experiment.

use std::fmt::Write;

/// A row of the table: what it is of, and worst, mean and best as text.
pub type AccuracyRow = (String, [String; 3]);

/// Worst, mean and best accuracy of peers together, alone, and of all rows pooled, one row each.
pub fn accuracy_table(head: &str, rows: &[AccuracyRow]) -> String {
    let label = rows.iter().map(|(label, _)| label.chars().count() + 2).chain([head.chars().count(), 30]).max();
    let label = label.unwrap_or(0);
    let cells = rows.iter().flat_map(|(_, cells)| cells.iter().map(|cell| cell.chars().count()));
    let width = cells.chain([8]).max().unwrap_or(0);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{head:<label$} {:>width$} {:>width$} {:>width$}", "worst", "mean", "best");
    for (name, [worst, mean, best]) in rows {
        let line = format!("  {name:<inner$} {worst:>width$} {mean:>width$} {best:>width$}", inner = label - 2);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// An accuracy for people.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_is_in_them() {
        let row = |label: &str, cells: [&str; 3]| (label.to_owned(), cells.map(str::to_owned));
        let rows =
            [row("8 peers together", ["1.00 %", "20.00 %", "100.00 %"]), row("all rows pooled", ["", "2 %", ""])];
        let text = accuracy_table("accuracy on 10 test rows", &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].find("mean").map(|at| at + 4), lines[1].find("20.00 %").map(|at| at + 7));
        assert_eq!(lines[2].len(), lines[1].find("20.00 %").unwrap() + 7, "nothing stands behind the last cell");
    }
}
