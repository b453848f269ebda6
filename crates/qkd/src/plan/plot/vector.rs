//! What `plotters` writes as SVG, said in the way that every viewer understands.

use super::{SIZE_PIXELS, size_units};

/// The document with its size in pixels, and without what a viewer is known to trip over. ImageMagick
/// without librsvg, which many programs read SVG with, takes an `opacity` for that of the fill that
/// a line does not have and paints the chart black, strokes letters that do not say `none`, closes
/// lines without round joins, and loses letters turned around a point.
pub(super) fn for_viewers(document: &str) -> String {
    // The coordinates keep their fine units.
    let (width, height) = size_units();
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let size_pixels = format!(
        "width=\"{}\" height=\"{}\" stroke=\"none\" stroke-linejoin=\"round\"",
        SIZE_PIXELS.0, SIZE_PIXELS.1
    );
    // Inside a text every quotation mark is written as an entity, so what has one is an attribute.
    let document = document
        .replacen(&size, &size_pixels, 1)
        .replace(" opacity=\"1\"", "");
    let lines: Vec<String> = document.lines().map(upright).collect();
    lines.join("\n") + "\n"
}

/// The line, turned by a matrix about the origin if it is turned about the point where it stands.
fn upright(line: &str) -> String {
    let turned = || {
        let (before, turn) = line.split_once(" transform=\"rotate(270, ")?;
        let (point, after) = turn.split_once(")\"")?;
        let (x, y) = point.split_once(", ")?;
        let place = format!("x=\"{x}\" y=\"{y}\"");
        let before = before.replacen(&place, "x=\"0\" y=\"0\"", 1);
        Some(format!(
            "{before} transform=\"matrix(0 -1 1 0 {x} {y})\"{after}"
        ))
    };
    turned().unwrap_or_else(|| line.to_owned())
}
