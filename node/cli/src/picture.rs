//! The accuracy curves as an SVG picture.

use peerlearn_harness::{Board, Outcome};
use plotters::prelude::*;

const SIZE: (u32, u32) = (960, 540);

/// Draws test accuracy over rounds: one thin line a peer, the mean thick, pooled and alone as reference lines.
///
/// # Errors
/// The drawing library's reason, in words.
pub(super) fn accuracy_picture(board: &Board, outcome: &Outcome) -> Result<String, String> {
    let mut svg = String::new();
    draw(&mut svg, board, outcome).map_err(|error| error.to_string())?;
    Ok(svg)
}

fn draw(svg: &mut String, board: &Board, outcome: &Outcome) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let last = board.lines().iter().map(|line| line.round).max().unwrap_or(1).max(1);
    let title = format!("{} peers, {}, {}", outcome.peers.len(), outcome.partition, outcome.model);
    let numbers = board.is_of_numbers();
    let show = |value: f64, decimals: usize| match numbers {
        true => format!("{value:.2}"),
        false => format!("{:.decimals$} %", value * 100.0),
    };
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0f64..last as f64, 0f64..1f64)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("round")
        .y_desc(if numbers { "R2 on the shared test rows" } else { "accuracy on the shared test rows" })
        .y_label_formatter(&|value| show(*value, 0))
        .draw()?;
    for line in board.lines() {
        let points = line.curve.iter().map(|(round, _, accuracy)| (*round as f64, f64::from(*accuracy)));
        chart.draw_series(LineSeries::new(points, BLUE.mix(0.25)))?;
    }
    let references = [("pooled", outcome.pooled, &BLACK), ("alone, mean", outcome.alone_mean, &RED)];
    let mean = chart.draw_series(LineSeries::new(mean_curve(board), BLUE.stroke_width(3)))?;
    mean.label("together: mean, each peer thin")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(3)));
    for (label, value, color) in references {
        let points = [(0.0, f64::from(value)), (last as f64, f64::from(value))];
        let series = chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
        let text = format!("{label}: {}", show(f64::from(value), 1));
        let style = color.stroke_width(2);
        series.label(text).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// Mean over the peers that measured a round.
fn mean_curve(board: &Board) -> Vec<(f64, f64)> {
    let mut sums: std::collections::BTreeMap<u64, (f64, f64)> = std::collections::BTreeMap::new();
    for (round, _, accuracy) in board.lines().iter().flat_map(|line| &line.curve) {
        let (sum, count) = sums.entry(*round).or_insert((0.0, 0.0));
        (*sum, *count) = (*sum + f64::from(*accuracy), *count + 1.0);
    }
    sums.into_iter().map(|(round, (sum, count))| (round as f64, sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerlearn::learner::Evaluation;
    use peerlearn::protocols::id::PeerId;
    use peerlearn::{NodeEvent, Stamped};

    use super::*;

    #[test]
    fn the_picture_says_what_the_lines_are() {
        let mut board = Board::default();
        board.add(PeerId([0; 32]), "ant".to_owned());
        let event = NodeEvent::RoundClosed {
            round: 1,
            drawn: 1,
            mixed: 1,
            refused: 0,
            age: 1,
            own: None,
            test: Some(Box::new(Evaluation::new(1.0, 0.5, 10))),
            bytes_in: 100,
            bytes_out: 50,
            cpu: Duration::from_millis(500),
        };
        board.fold(&Stamped { at_ms: 5, node: PeerId([0; 32]), event });
        let outcome = serde_json::json!({
            "worst": 0.5, "mean": 0.5, "best": 0.5, "alone_mean": 0.25, "pooled": 0.75,
            "seconds": 2.5, "cpu_seconds": 4.0, "bytes_in": 100, "bytes_out": 50, "rounds": 1, "test_rows": 10,
            "model": "linear", "partition": "iid", "seed": 3, "version": "0.1.0", "peers": [],
        });
        let picture = accuracy_picture(&board, &serde_json::from_value(outcome).unwrap()).unwrap();
        assert!(picture.starts_with("<svg"), "{picture}");
        for words in ["pooled: 75.0 %", "alone, mean: 25.0 %", "iid, linear"] {
            assert!(picture.contains(words), "{words}: {picture}");
        }
    }
}
