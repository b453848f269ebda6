//! The legend: a sample of each line and what it stands for.

use plotters::coord::Shift;
use plotters::element::Rectangle;
use plotters::prelude::{DrawingArea, DrawingBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, WHITE};

use super::curve::Stroke;
use super::layout::Layout;
use super::{Curve, CurveStyle, Drawn, GRID, INK, line, path, style, text, units};

const EM_PIXELS: i32 = 15;
const ROW_PIXELS: f64 = 24.0;
const PADDING_PIXELS: f64 = 10.0;
const SAMPLE_PIXELS: f64 = 42.0;
const GAP_PIXELS: f64 = 10.0;
const LABEL_MAX_PIXELS: f64 = 300.0;
/// As many rows as stand beside the plot.
const ROWS_MAX: usize = 27;

/// The rows: a stroke and a label each. Those of rates without key are the last and have no stroke,
/// nor has the very last when there are too many curves.
fn rows(curves: &[Curve]) -> Vec<(Option<Stroke>, String)> {
    let labels: Vec<&str> = curves.iter().map(|curve| curve.label.as_str()).collect();
    let labels = text::told_apart(&labels, EM_PIXELS, LABEL_MAX_PIXELS);
    let some_key = curves.iter().any(Curve::has_key);
    let mut rows: Vec<(Option<Stroke>, String)> = Vec::new();
    let mut without: Vec<(Option<Stroke>, String)> = Vec::new();
    let strokes = Stroke::of_all(curves).into_iter();
    for ((curve, stroke), label) in curves.iter().zip(strokes).zip(labels) {
        match (curve.is_drawn(some_key), curve.style) {
            (true, CurveStyle::Rate { .. } | CurveStyle::Bound) => rows.push((Some(stroke), label)),
            // Where there is no key at all, the chart says so itself.
            (false, CurveStyle::Rate { .. }) if some_key => {
                without.push((None, format!("{label}: {}", curve.nothing)));
            }
            (false, CurveStyle::Rate { .. } | CurveStyle::Bound) => {}
        }
    }
    rows.append(&mut without);
    if rows.len() > ROWS_MAX {
        let more = rows.len() - (ROWS_MAX - 1);
        rows.truncate(ROWS_MAX - 1);
        rows.push((None, format!("and {more} more")));
    }
    rows
}

/// Width and height of the legend of these curves.
pub(super) fn size_pixels(curves: &[Curve]) -> (f64, f64) {
    let rows = rows(curves);
    let widest = rows
        .iter()
        .map(|(_, label)| text::width_pixels(label, EM_PIXELS))
        .fold(0.0, f64::max);
    (
        2.0 * PADDING_PIXELS + SAMPLE_PIXELS + GAP_PIXELS + widest,
        2.0 * PADDING_PIXELS + ROW_PIXELS * rows.len() as f64,
    )
}

/// Draws the legend at its place.
pub(super) fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    layout: &Layout,
    curves: &[Curve],
) -> Drawn<DB> {
    let rows = rows(curves);
    if rows.is_empty() {
        return Ok(());
    }
    let place = &layout.legend;
    let corners = [
        (units(place.left), units(place.top)),
        (units(place.right), units(place.bottom)),
    ];
    area.draw(&Rectangle::new(corners, WHITE.filled()))?;
    area.draw(&path(&place.outline(), line(GRID, 1.0)))?;
    let left = place.left + PADDING_PIXELS;
    let words = style(EM_PIXELS, INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (index, (stroke, label)) in rows.into_iter().enumerate() {
        let y = place.top + PADDING_PIXELS + ROW_PIXELS * (index as f64 + 0.5);
        if let Some(stroke) = stroke {
            stroke.draw(area, &[(left, y), (left + SAMPLE_PIXELS, y)])?;
        }
        let x = left + SAMPLE_PIXELS + GAP_PIXELS;
        area.draw_text(&label, &words, (units(x), units(y)))?;
    }
    Ok(())
}
