//! One line of a chart: its stretches with key, its colour, its dashes.

use plotters::coord::Shift;
use plotters::element::Circle;
use plotters::prelude::{DrawingArea, DrawingBackend};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::axis::drawable;
use super::layout::Layout;
use super::{Curve, CurveStyle, Drawn, line, path, units};

/// Okabe and Ito's colours (2008), which the colour-blind tell apart as well, without the yellow,
/// which is too pale on white.
pub const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2), // blue
    RGBColor(0xD5, 0x5E, 0x00), // vermilion
    RGBColor(0x00, 0x9E, 0x73), // bluish green
    RGBColor(0xCC, 0x79, 0xA7), // reddish purple
    RGBColor(0xE6, 0x9F, 0x00), // orange
    RGBColor(0x56, 0xB4, 0xE9), // sky blue
    RGBColor(0x00, 0x00, 0x00), // black
];

/// Dashes and gaps in pixels.
pub const DASHES: [&[f64]; 4] = [&[], &[14.0, 6.0], &[3.0, 5.0], &[14.0, 5.0, 3.0, 5.0]];

/// Greys and dashes of the lines to compare with.
const GREYS: [RGBColor; 2] = [RGBColor(0x77, 0x77, 0x77), RGBColor(0xAA, 0xAA, 0xAA)];
const GREY_DASHES: [&[f64]; 4] = [
    &[10.0, 7.0],
    &[3.0, 6.0],
    &[18.0, 6.0],
    &[10.0, 5.0, 3.0, 5.0],
];

/// A curve of no more points than this shows them.
const DOTS_MAX: usize = 15;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: RGBColor,
    pub(super) dashes: &'static [f64],
    pub(super) width_pixels: f64,
}

impl Stroke {
    /// The strokes of these curves; bounds are told apart as long as there are enough greys.
    pub(super) fn of_all(curves: &[Curve]) -> Vec<Self> {
        let mut bounds = 0;
        curves
            .iter()
            .map(|curve| match curve.style {
                CurveStyle::Rate { colour, dashes } => Self {
                    colour: COLOURS[colour % COLOURS.len()],
                    dashes: DASHES[dashes % DASHES.len()],
                    width_pixels: 2.4,
                },
                CurveStyle::Bound => {
                    let index = bounds;
                    bounds += 1;
                    Self {
                        colour: GREYS[index / GREY_DASHES.len() % GREYS.len()],
                        dashes: GREY_DASHES[index % GREY_DASHES.len()],
                        width_pixels: 1.8,
                    }
                }
            })
            .collect()
    }

    pub(super) fn style(&self) -> ShapeStyle {
        line(self.colour, self.width_pixels)
    }

    /// Draws a polyline, its points in pixels.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        points: &[(f64, f64)],
    ) -> Drawn<DB> {
        if self.dashes.is_empty() {
            return area.draw(&path(points, self.style()));
        }
        for dash in dashed(points, self.dashes) {
            area.draw(&path(&dash, self.style()))?;
        }
        Ok(())
    }
}

/// A stretch of neighbouring points that all have key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    /// Its points on the page, in pixels.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether the next point of the curve has no key: the rate falls off within the next step.
    pub(super) falls: bool,
}

impl Run {
    /// Whether a point of the line is one that is asked for, in steps of a few pixels.
    pub(super) fn touches(&self, asked: impl Fn((f64, f64)) -> bool) -> bool {
        let between = self.points.windows(2).any(|ends| {
            let (from, to) = (ends[0], ends[1]);
            let steps = (((to.0 - from.0).abs() + (to.1 - from.1).abs()) / 4.0).ceil() as u32;
            (0..=steps).any(|step| {
                let share = f64::from(step) / f64::from(steps.max(1));
                asked((
                    from.0 + share * (to.0 - from.0),
                    from.1 + share * (to.1 - from.1),
                ))
            })
        });
        between || self.points.iter().any(|point| asked(*point))
    }
}

/// The stretches with key of a curve, in order of distance.
pub(super) fn runs(layout: &Layout, points: &[(f64, f64)]) -> Vec<Run> {
    let mut points: Vec<(f64, f64)> = drawable(points).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut runs = Vec::new();
    let mut open: Vec<(f64, f64)> = Vec::new();
    for (distance, rate) in points {
        match layout.decades.power(rate) {
            Some(power) => open.push(layout.place((distance, power))),
            None if open.is_empty() => {}
            None => runs.push(Run {
                points: std::mem::take(&mut open),
                falls: true,
            }),
        }
    }
    if !open.is_empty() {
        runs.push(Run {
            points: open,
            falls: false,
        });
    }
    runs
}

/// Draws every curve.
pub(super) fn draw_all<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    layout: &Layout,
    curves: &[Curve],
) -> Drawn<DB> {
    let rates = curves.iter().filter(|curve| curve.has_key()).count();
    // A thicket of falls would hide the curves.
    let falls_shown = rates <= COLOURS.len();
    for (curve, stroke) in curves.iter().zip(Stroke::of_all(curves)) {
        if !curve.is_drawn(rates > 0) {
            continue;
        }
        let runs = runs(layout, &curve.points);
        for run in &runs {
            stroke.draw(area, &run.points)?;
        }
        draw_dots(area, curve, &runs, &stroke)?;
        // Between few points the key may end anywhere: a line down would say where.
        if falls_shown && !has_few_points(curve) {
            draw_falls(area, layout, &runs, &stroke)?;
        }
    }
    Ok(())
}

/// Whether the points of a rate are so few that they are shown.
fn has_few_points(curve: &Curve) -> bool {
    match curve.style {
        CurveStyle::Rate { .. } => curve.points.len() <= DOTS_MAX,
        CurveStyle::Bound => false,
    }
}

/// Draws a dot where a point stands alone, and at every point of a rate that has few: the line
/// between them is nobody's result.
fn draw_dots<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    curve: &Curve,
    runs: &[Run],
    stroke: &Stroke,
) -> Drawn<DB> {
    let few = has_few_points(curve);
    let dotted = runs.iter().filter(|run| few || run.points.len() == 1);
    for (x, y) in dotted.flat_map(|run| &run.points) {
        let centre = (units(*x), units(*y));
        area.draw(&Circle::new(centre, units(4.2), stroke.colour.filled()))?;
    }
    Ok(())
}

/// Draws a thin line down where the key ends.
fn draw_falls<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    layout: &Layout,
    runs: &[Run],
    stroke: &Stroke,
) -> Drawn<DB> {
    let fall = Stroke {
        dashes: &[2.0, 4.0],
        width_pixels: 1.2,
        ..*stroke
    };
    for run in runs.iter().filter(|run| run.falls) {
        if let Some((x, y)) = run.points.last() {
            fall.draw(area, &[(*x, *y), (*x, layout.plot.bottom)])?;
        }
    }
    Ok(())
}

/// Cuts a polyline into dashes; `pattern` gives the lengths of dashes and gaps in turn.
pub(super) fn dashed(points: &[(f64, f64)], pattern: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut index, mut left) = (0, pattern[0]);
    for ends in points.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt();
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let point = (from.0 + gone / length * dx, from.1 + gone / length * dy);
            if index % 2 == 0 {
                dash.push(point);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![point];
            }
            index = (index + 1) % pattern.len();
            left = pattern[index];
        }
        left -= length - gone;
        if index % 2 == 0 {
            dash.push(to);
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}
