//! How the values of each column are spread, as an SVG picture.

use std::path::Path;

use peerlearn::data::{ColumnSurvey, Survey};
use plotters::prelude::*;

/// Columns drawn; more would be too small to read.
const MOST: usize = 24;
/// Pictures beside each other.
const ACROSS: usize = 4;
/// Bars of a column of numbers.
const BARS: usize = 20;

/// Draws a histogram a column, by the sample of the survey.
///
/// # Errors
/// The drawing library's reason, in words.
pub(super) fn draw(path: &Path, survey: &Survey) -> Result<(), String> {
    drawn(path, survey).map_err(|error| error.to_string())
}

fn drawn(path: &Path, survey: &Survey) -> Result<(), Box<dyn std::error::Error>> {
    let shown = survey.columns.len().min(MOST);
    let down = shown.div_ceil(ACROSS).max(1);
    let root = SVGBackend::new(path, (280 * ACROSS as u32, 180 * down as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, at) in root.split_evenly((down, ACROSS)).iter().zip(0..shown) {
        let column = &survey.columns[at];
        let bars = bars(column, survey.sample.iter().map(|row| row[at].as_str()));
        let most = bars.iter().map(|bar| bar.1).max().unwrap_or(1);
        let name: String = column.name.chars().take(28).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(name, ("sans-serif", 14))
            .margin(6)
            .x_label_area_size(18)
            .build_cartesian_2d(0f64..bars.len() as f64, 0f64..most as f64)?;
        let label = |at: &f64| bars.get(*at as usize).map_or(String::new(), |bar| bar.0.clone());
        chart.configure_mesh().disable_mesh().y_labels(0).x_labels(5).x_label_formatter(&label).draw()?;
        let rectangle = |(at, bar): (usize, &(String, usize))| {
            Rectangle::new([(at as f64 + 0.05, 0.0), (at as f64 + 0.95, bar.1 as f64)], BLUE.mix(0.6).filled())
        };
        chart.draw_series(bars.iter().enumerate().map(rectangle))?;
    }
    root.present()?;
    Ok(())
}

/// Bars with their labels: values by frequency, or numbers in equal steps.
fn bars<'a>(column: &ColumnSurvey, cells: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let is_number = column.numbers > 0 && column.distinct().is_none_or(|distinct| distinct > BARS);
    if !is_number {
        let values = column.by_frequency().into_iter().take(BARS);
        return values.map(|(value, count)| (value.chars().take(8).collect(), count as usize)).collect();
    }
    let step = ((column.maximum - column.minimum) / BARS as f64).max(f64::MIN_POSITIVE);
    let from = |at: usize| column.minimum + at as f64 * step;
    let mut bars: Vec<(String, usize)> = (0..BARS).map(|at| (peerlearn::data::short(from(at)), 0)).collect();
    for value in cells.filter_map(|cell| cell.parse::<f64>().ok()) {
        let at = ((value - column.minimum) / step) as usize;
        bars[at.min(BARS - 1)].1 += 1;
    }
    bars
}
