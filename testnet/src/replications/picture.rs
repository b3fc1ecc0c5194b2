//! Curves as an SVG picture.

use std::path::Path;

use plotters::prelude::*;

use super::{Curve, ReplicationError};

/// What the axes of a picture mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Axes {
    /// Name of the horizontal axis.
    pub x: String,
    /// Name of the vertical axis.
    pub y: String,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
}

const COLOURS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(100, 100, 100),
    RGBColor(160, 160, 30),
    RGBColor(23, 190, 207),
];

/// Draws all curves; those of others thin with crosses, ours thick.
pub(super) fn draw(path: &Path, title: &str, axes: &Axes, curves: &[Curve]) -> Result<(), ReplicationError> {
    let failed = |reason: String| ReplicationError::Picture { reason };
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let bounds = |pick: fn(&(f64, f64)) -> f64| {
        let (least, most) = points().map(pick).fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(v), m.max(v)));
        if most > least { (least, most) } else { (least - 0.5, least + 0.5) }
    };
    let ((x_least, x_most), (y_least, y_most)) = (bounds(|point| point.0), bounds(|point| point.1));
    let root = SVGBackend::new(path, (960, 600)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
    let scale = |x: f64| if axes.log_x { x.max(1e-9).log10() } else { x };
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(scale(x_least)..scale(x_most), y_least..y_most)
        .map_err(|error| failed(error.to_string()))?;
    let label = |x: &f64| if axes.log_x { format!("{:.0}", 10f64.powf(*x)) } else { format!("{x:.0}") };
    chart
        .configure_mesh()
        .x_desc(axes.x.as_str())
        .y_desc(axes.y.as_str())
        .x_label_formatter(&label)
        .light_line_style(RGBColor(240, 240, 240))
        .draw()
        .map_err(|error| failed(error.to_string()))?;
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let style = colour.stroke_width(if curve.theirs { 1 } else { 3 });
        let line = curve.points.iter().map(|&(x, y)| (scale(x), y));
        let legend = move |(x, y): (i32, i32)| PathElement::new(vec![(x, y), (x + 22, y)], style);
        let drawn =
            chart.draw_series(LineSeries::new(line.clone(), style)).map_err(|error| failed(error.to_string()))?;
        drawn.label(curve.label.as_str()).legend(legend);
        if curve.theirs {
            let crosses = line.map(|point| Cross::new(point, 3, style));
            chart.draw_series(crosses).map_err(|error| failed(error.to_string()))?;
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .position(SeriesLabelPosition::LowerRight)
        .draw()
        .map_err(|error| failed(error.to_string()))?;
    root.present().map_err(|error| failed(error.to_string()))
}
