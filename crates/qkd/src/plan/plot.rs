//! A picture of the plan: rate against distance or loss, as SVG and as PNG.
//!
//! `plotters` lays the chart out; its own backend writes the SVG, `page` paints the PNG. Neither asks
//! the system for a font: the SVG names a family and leaves the letters to the viewer, the PNG draws
//! the glyphs of the subset that is compiled in. Nothing here computes a rate, reads a clock or a
//! file, and the same chart gives the same bytes.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::{ChartBuilder, DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle, WHITE,
};
use tiny_skia::Pixmap;

use axis::Decades;
use layout::Layout;
use page::Page;

mod axis;
mod curve;
mod layout;
mod legend;
mod page;
mod text;
mod vector;

pub use self::curve::{COLOURS, DASHES};
pub use self::text::raised;

/// Width and height of a picture in pixels.
pub const SIZE_PIXELS: (u32, u32) = (1200, 800);

/// `plotters` rounds to whole units, so a pixel is this many of them: curves stay smooth in print.
const UNITS_PER_PIXEL: i32 = 10;

/// Families of the SVG's text, the widest first: the layout is measured with DejaVu Sans.
const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xD4, 0xD4, 0xD4);
const GRID_LIGHT: RGBColor = RGBColor(0xEE, 0xEE, 0xEE);

const TITLE_PIXELS: i32 = 22;
const AXIS_PIXELS: i32 = 18;
const TICK_PIXELS: i32 = 16;
const NOTICE_PIXELS: i32 = 24;

/// What a curve stands for decides how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveStyle {
    /// A rate that somebody would get.
    Rate {
        /// Which of the [`COLOURS`].
        colour: usize,
        /// Which of the [`DASHES`]; the first is a line without gaps.
        dashes: usize,
    },
    /// A line to compare with, such as the repeaterless bound: dashed and grey.
    Bound,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What the legend says.
    pub label: String,
    /// Distance in km or loss in dB, and the rate there. Where the rate is not a positive number
    /// there is no key, and the curve is not drawn.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: CurveStyle,
    /// What the legend says of it when there is no key to draw.
    pub nothing: &'static str,
}

/// Rates on a logarithmic axis against distance or loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Above the chart.
    pub title: String,
    /// Below it, with the unit.
    pub x_label: String,
    /// Beside it, with the unit.
    pub y_label: String,
    /// The lines, in the order of the legend.
    pub curves: Vec<Curve>,
    /// What stands in the middle when no rate has key.
    pub nothing: &'static str,
}

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The font that is compiled in could not be read.
    #[error("the font for pictures cannot be read: {0}")]
    Font(#[from] ttf_parser::FaceParsingError),
    /// There is no memory for the pixels.
    #[error("no memory for a picture of {} × {} pixels", SIZE_PIXELS.0, SIZE_PIXELS.1)]
    Memory,
    /// The pixels could not be packed.
    #[error("the picture cannot be written as PNG: {0}")]
    Encoding(String),
}

type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

impl Chart {
    /// The chart as an SVG document of [`SIZE_PIXELS`].
    pub fn svg(&self) -> String {
        let mut document = String::new();
        {
            let area = SVGBackend::with_string(&mut document, size_units()).into_drawing_area();
            self.draw(&area)
                .and_then(|()| area.present())
                // Errors of this backend are those of writing its file, and here there is none.
                .expect("drawing into a string does not fail");
        }
        vector::for_viewers(&document)
    }

    /// The chart as a PNG file of [`SIZE_PIXELS`].
    ///
    /// # Errors
    /// When there is no memory for the pixels; the other two do not happen with the font that is
    /// compiled in.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let mut pixels = Pixmap::new(SIZE_PIXELS.0, SIZE_PIXELS.1).ok_or(Error::Memory)?;
        {
            let area = Page::new(&mut pixels)?.into_drawing_area();
            self.draw(&area)
                .and_then(|()| area.present())
                .map_err(|error| Error::Encoding(error.to_string()))?;
        }
        pixels
            .encode_png()
            .map_err(|error| Error::Encoding(error.to_string()))
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let layout = Layout::new(&self.curves);
        area.fill(&WHITE)?;
        self.draw_title(area, &layout)?;
        self.draw_axes(area, &layout)?;
        curve::draw_all(area, &layout, &self.curves)?;
        area.draw(&path(&layout.plot.outline(), line(INK, 1.2)))?;
        if !self.curves.iter().any(Curve::has_key) {
            draw_notice(area, &layout, self.nothing)?;
        }
        legend::draw(area, &layout, &self.curves)
    }

    fn draw_title<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        layout: &Layout,
    ) -> Drawn<DB> {
        let middle = (layout.plot.left + layout.plot.right) / 2.0;
        let width = f64::from(SIZE_PIXELS.0) - 2.0 * layout::MARGIN_PIXELS;
        let title = text::fitted(&self.title, TITLE_PIXELS, width);
        // A long title keeps clear of both edges, a short one stands above the chart.
        let half = text::width_pixels(&title, TITLE_PIXELS) / 2.0 + layout::MARGIN_PIXELS;
        let middle = middle.max(half).min(f64::from(SIZE_PIXELS.0) - half);
        area.draw_text(
            &title,
            &style(TITLE_PIXELS, INK).pos(Pos::new(HPos::Center, VPos::Center)),
            (units(middle), units(layout.plot.top / 2.0)),
        )
    }

    /// Grid, ticks and the words at the axes.
    fn draw_axes<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        layout: &Layout,
    ) -> Drawn<DB> {
        let plot = &layout.plot;
        let size = (f64::from(SIZE_PIXELS.0), f64::from(SIZE_PIXELS.1));
        let mut chart = ChartBuilder::on(area)
            .margin_top(units(plot.top))
            .margin_right(units(size.0 - plot.right))
            .margin_left(units(plot.left - layout::LABELS_LEFT_PIXELS))
            .margin_bottom(units(size.1 - plot.bottom - layout::LABELS_BOTTOM_PIXELS))
            .x_label_area_size(units(layout::LABELS_BOTTOM_PIXELS))
            .y_label_area_size(units(layout::LABELS_LEFT_PIXELS))
            .build_cartesian_2d(layout.distances.clone(), layout.decades.clone())?;
        let (x_format, y_format) = (
            |value: &f64| layout.distances.label(*value),
            |value: &f64| Decades::label(*value),
        );
        chart
            .configure_mesh()
            .axis_style(line(INK, 1.2))
            .bold_line_style(line(GRID, 1.0))
            .light_line_style(line(GRID_LIGHT, 1.0))
            .label_style(style(TICK_PIXELS, INK))
            .axis_desc_style(style(AXIS_PIXELS, INK))
            .x_desc(text::fitted(
                &self.x_label,
                AXIS_PIXELS,
                plot.right - plot.left,
            ))
            .y_desc(text::fitted(
                &self.y_label,
                AXIS_PIXELS,
                plot.bottom - plot.top,
            ))
            .set_all_tick_mark_size(units(5.0))
            .x_label_formatter(&x_format)
            .y_label_formatter(&y_format)
            .draw()
    }
}

impl Curve {
    /// Whether this is a rate, and somewhere more than nothing.
    fn has_key(&self) -> bool {
        match self.style {
            CurveStyle::Rate { .. } => self.points_drawn() > 0,
            CurveStyle::Bound => false,
        }
    }

    /// Whether there is something of it on the page. A bound at a single place is a dot, which
    /// would pass for a rate where no rate is.
    fn is_drawn(&self, rates_drawn: bool) -> bool {
        match self.style {
            CurveStyle::Rate { .. } => self.has_key(),
            CurveStyle::Bound => self.points_drawn() > usize::from(!rates_drawn),
        }
    }

    fn points_drawn(&self) -> usize {
        let points = axis::drawable(&self.points);
        points.filter(|(_, rate)| *rate > 0.0).count()
    }
}

/// A word in the middle of the chart, on a ground that keeps lines off it.
fn draw_notice<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    layout: &Layout,
    words: &str,
) -> Drawn<DB> {
    let (x, y) = layout.plot.centre();
    let (half_width, half_height) = (text::width_pixels(words, NOTICE_PIXELS) / 2.0 + 14.0, 24.0);
    area.draw(&Rectangle::new(
        [
            (units(x - half_width), units(y - half_height)),
            (units(x + half_width), units(y + half_height)),
        ],
        WHITE.filled(),
    ))?;
    area.draw_text(
        words,
        &style(NOTICE_PIXELS, INK).pos(Pos::new(HPos::Center, VPos::Center)),
        (units(x), units(y)),
    )
}

/// A polyline in pixels.
fn path(points: &[(f64, f64)], style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new(
        points
            .iter()
            .map(|(x, y)| (units(*x), units(*y)))
            .collect::<Vec<_>>(),
        style,
    )
}

/// Pixels in the units that `plotters` counts.
fn units(pixels: f64) -> i32 {
    // A cast saturates, and every coordinate lies on the page.
    (pixels * f64::from(UNITS_PER_PIXEL)).round() as i32
}

fn size_units() -> (u32, u32) {
    let scale = UNITS_PER_PIXEL.unsigned_abs();
    (SIZE_PIXELS.0 * scale, SIZE_PIXELS.1 * scale)
}

fn line(colour: RGBColor, width_pixels: f64) -> ShapeStyle {
    colour.stroke_width(units(width_pixels).unsigned_abs())
}

/// Text of a height of em given in pixels.
fn style(em_pixels: i32, colour: RGBColor) -> TextStyle<'static> {
    // The backends divide the size by 1.24 to get the em.
    let size = f64::from(em_pixels * UNITS_PER_PIXEL) * text::SIZE_PER_EM;
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal).color(&colour)
}

#[cfg(test)]
mod tests;
