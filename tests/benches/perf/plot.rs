//! Pictures of what was measured, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;

const SIZE: (u32, u32) = (760, 420);
const TEXT: (&str, i32) = ("sans-serif", 15);
/// Told apart by people who see few colours, too.
const COLOURS: [RGBColor; 4] =
    [RGBColor(213, 94, 0), RGBColor(0, 114, 178), RGBColor(204, 121, 167), RGBColor(86, 180, 233)];

/// One line of a plot.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    /// Whether both axes are. Else both begin with 0.
    pub(crate) logarithmic: bool,
    pub(crate) lines: Vec<Line>,
}

impl Plot {
    /// The range of one axis, to so many times the highest value.
    fn range(&self, axis: impl Fn(&(f64, f64)) -> f64, headroom: f64) -> Range<f64> {
        let values = || self.lines.iter().flat_map(|line| line.points.iter().map(&axis));
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        if self.logarithmic { least / 1.3..most * headroom } else { 0.0..most * headroom }
    }

    /// Writes it.
    pub(crate) fn draw(&self, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE).unwrap();
        // The names stand above the lines.
        let above = if self.logarithmic { 12.0 } else { 1.4 };
        let (xs, ys) = (self.range(|point| point.0, 1.1), self.range(|point| point.1, above));
        let mut canvas = ChartBuilder::on(&area);
        canvas.caption(self.title, ("sans-serif", 20)).margin(14);
        canvas.x_label_area_size(46).y_label_area_size(64);
        // Two types of axes, and one way to draw on them.
        macro_rules! lines_on {
            ($chart:expr) => {{
                let mut chart = $chart.unwrap();
                let mut mesh = chart.configure_mesh();
                mesh.x_desc(self.x)
                    .y_desc(self.y)
                    .x_labels(6)
                    .label_style(TEXT)
                    .light_line_style(TRANSPARENT);
                mesh.x_label_formatter(&|value| label(*value)).y_label_formatter(&|value| label(*value));
                mesh.draw().unwrap();
                for (line, colour) in self.lines.iter().zip(COLOURS) {
                    let style = colour.stroke_width(2);
                    let drawn =
                        chart.draw_series(LineSeries::new(line.points.iter().copied(), style)).unwrap();
                    drawn
                        .label(line.name)
                        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
                }
                let mut legend = chart.configure_series_labels();
                legend.position(SeriesLabelPosition::UpperLeft).label_font(TEXT);
                legend.background_style(WHITE).border_style(BLACK).draw().unwrap();
            }};
        }
        if self.logarithmic {
            lines_on!(canvas.build_cartesian_2d(xs.log_scale(), ys.log_scale()));
        } else {
            lines_on!(canvas.build_cartesian_2d(xs, ys));
        }
        area.present().unwrap();
        println!("Drawn: {}\n", path.display());
    }
}

/// A number on an axis, as short as it is.
fn label(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value}") }
}
