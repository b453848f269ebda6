//! Where the plot and its legend stand, and where on the page a point lies.

use super::axis::{Decades, Distances, drawable};
use super::curve::runs;
use super::legend;
use super::{Curve, SIZE_PIXELS};

/// Free space at the edges of the page.
pub(super) const MARGIN_PIXELS: f64 = 24.0;
/// Room for ticks and words left of the plot, and below it.
pub(super) const LABELS_LEFT_PIXELS: f64 = 96.0;
pub(super) const LABELS_BOTTOM_PIXELS: f64 = 64.0;
const TITLE_SPACE_PIXELS: f64 = 64.0;
/// Distance of a legend from the frame and from the curves.
const CLEARANCE_PIXELS: f64 = 12.0;
/// Distance of a legend beside the plot, where half a number stands below.
const BESIDE_PIXELS: f64 = 24.0;

/// A rectangle on the page in pixels; y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn centre(&self) -> (f64, f64) {
        (
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        )
    }

    /// The corners, the first one twice.
    pub(super) fn outline(&self) -> [(f64, f64); 5] {
        let (left, right) = (self.left, self.right);
        [
            (left, self.top),
            (right, self.top),
            (right, self.bottom),
            (left, self.bottom),
            (left, self.top),
        ]
    }

    fn at((left, top): (f64, f64), (width, height): (f64, f64)) -> Self {
        Self {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }

    fn contains(&self, (x, y): (f64, f64)) -> bool {
        x >= self.left && x <= self.right && y >= self.top && y <= self.bottom
    }

    fn grown(&self, by: f64) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }
}

/// The places of everything on a page.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) plot: Rect,
    pub(super) legend: Rect,
    pub(super) distances: Distances,
    pub(super) decades: Decades,
}

impl Layout {
    /// The legend goes into a corner of the plot where no curve passes, else beside the plot.
    pub(super) fn new(curves: &[Curve]) -> Self {
        let points = || curves.iter().flat_map(|curve| drawable(&curve.points));
        let (width, height) = (f64::from(SIZE_PIXELS.0), f64::from(SIZE_PIXELS.1));
        let legend_size = legend::size_pixels(curves);
        let mut layout = Self {
            plot: Rect {
                left: MARGIN_PIXELS + LABELS_LEFT_PIXELS,
                top: TITLE_SPACE_PIXELS,
                right: width - MARGIN_PIXELS - 8.0,
                bottom: height - MARGIN_PIXELS - LABELS_BOTTOM_PIXELS + 8.0,
            },
            legend: Rect::at((0.0, 0.0), legend_size),
            distances: Distances::around(points().map(|(x, _)| x)),
            decades: Decades::around(points().map(|(_, rate)| rate)),
        };
        match layout.free_corner(curves, legend_size) {
            Some(corner) => layout.legend = corner,
            None => {
                layout.plot.right -= legend_size.0 + BESIDE_PIXELS;
                let place = (layout.plot.right + BESIDE_PIXELS, layout.plot.top);
                layout.legend = Rect::at(place, legend_size);
            }
        }
        layout
    }

    /// The page's pixel of a distance and a power of ten of the rate.
    pub(super) fn place(&self, (distance, power): (f64, f64)) -> (f64, f64) {
        let plot = &self.plot;
        (
            plot.left + self.distances.share(distance) * (plot.right - plot.left),
            plot.bottom - self.decades.share(power) * (plot.bottom - plot.top),
        )
    }

    fn free_corner(&self, curves: &[Curve], size: (f64, f64)) -> Option<Rect> {
        let inside = self.plot.grown(-CLEARANCE_PIXELS);
        let (left, right) = (inside.left, inside.right - size.0);
        let (top, bottom) = (inside.top, inside.bottom - size.1);
        if size.0 > (inside.right - inside.left) / 2.0
            || size.1 > (inside.bottom - inside.top) / 2.0
        {
            return None;
        }
        [(right, top), (left, bottom), (right, bottom), (left, top)]
            .into_iter()
            .map(|corner| Rect::at(corner, size))
            .find(|corner| {
                let kept = corner.grown(CLEARANCE_PIXELS);
                !curves
                    .iter()
                    .flat_map(|curve| runs(self, &curve.points))
                    .any(|run| run.touches(|point| kept.contains(point)))
            })
    }
}
