//! What `plotters` draws, as pixels: antialiased lines and the glyphs of the font compiled in.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};
use ttf_parser::{Face, FaceParsingError, OutlineBuilder};

use super::text::{FONT, SIZE_PER_EM, advance};
use super::{UNITS_PER_PIXEL, size_units};

/// A backend that paints on pixels.
pub(super) struct Page<'a> {
    pixels: &'a mut Pixmap,
    face: Face<'static>,
}

type Painted = Result<(), DrawingErrorKind<Infallible>>;

impl<'a> Page<'a> {
    /// A page on these pixels.
    ///
    /// # Errors
    /// When the font that is compiled in cannot be read.
    pub(super) fn new(pixels: &'a mut Pixmap) -> Result<Self, FaceParsingError> {
        Ok(Self {
            pixels,
            face: Face::parse(FONT, 0)?,
        })
    }

    fn fill(&mut self, path: Option<Path>, colour: BackendColor, transform: Transform) {
        // Without an extent there is nothing to fill.
        if let Some(path) = path {
            let transform = transform.post_concat(to_pixels());
            let paint = paint(colour);
            self.pixels
                .fill_path(&path, &paint, FillRule::Winding, transform, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, colour: BackendColor, width: u32) {
        if let Some(path) = path {
            let stroke = Stroke {
                width: width as f32,
                line_cap: LineCap::Butt,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            self.pixels
                .stroke_path(&path, &paint(colour), &stroke, to_pixels(), None);
        }
    }

    /// The outlines of a line of text whose baseline starts at the origin.
    fn outline(&self, text: &str, em: f64) -> (Option<Path>, f64) {
        let mut pen = Pen {
            path: PathBuilder::new(),
            scale: (em / f64::from(self.face.units_per_em())) as f32,
            x: 0.0,
        };
        let mut ems = 0.0;
        for character in text.chars() {
            pen.x = (ems * em) as f32;
            let glyph = self.face.glyph_index(character).unwrap_or_default();
            // A space has no outline.
            self.face.outline_glyph(glyph, &mut pen);
            ems += advance(&self.face, character);
        }
        (pen.path.finish(), ems * em)
    }
}

impl DrawingBackend for Page<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        size_units()
    }

    fn ensure_prepared(&mut self) -> Painted {
        Ok(())
    }

    fn present(&mut self) -> Painted {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Painted {
        self.draw_rect((x, y), (x + 1, y + 1), &colour, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Painted {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Painted {
        let (start, end) = (point(upper_left), point(bottom_right));
        let path = Rect::from_ltrb(start.0, start.1, end.0, end.1).map(PathBuilder::from_rect);
        if fill {
            self.fill(path, style.color(), Transform::identity());
        } else {
            self.stroke(path, style.color(), style.stroke_width());
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Painted {
        self.stroke(polyline(path).finish(), style.color(), style.stroke_width());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Painted {
        let (x, y) = point(center);
        let path = PathBuilder::from_circle(x, y, radius as f32);
        if fill {
            self.fill(path, style.color(), Transform::identity());
        } else {
            self.stroke(path, style.color(), style.stroke_width());
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Painted {
        let mut path = polyline(vert);
        path.close();
        self.fill(path.finish(), style.color(), Transform::identity());
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        pos: BackendCoord,
    ) -> Painted {
        let em = style.size() / SIZE_PER_EM;
        let (path, width) = self.outline(text, em);
        let dx = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        // The shifts of the SVG backend, where half an ex is a quarter of an em.
        let dy = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.27 * em,
            VPos::Bottom => -0.27 * em,
        };
        let degrees = match style.transform() {
            FontTransform::None => 0.0,
            FontTransform::Rotate90 => 90.0,
            FontTransform::Rotate180 => 180.0,
            FontTransform::Rotate270 => 270.0,
        };
        let (x, y) = point(pos);
        let transform = Transform::from_translate(dx as f32, dy as f32)
            .post_rotate(degrees)
            .post_translate(x, y);
        self.fill(path, style.color(), transform);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let em = style.size() / SIZE_PER_EM;
        let ems: f64 = text.chars().map(|c| advance(&self.face, c)).sum();
        Ok(((ems * em).ceil() as u32, em.ceil() as u32))
    }
}

/// Follows the outline of a glyph, whose y grows upwards.
struct Pen {
    path: PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2)) = (self.at(x1, y1), self.at(x2, y2));
        let (x, y) = self.at(x, y);
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

fn to_pixels() -> Transform {
    let scale = 1.0 / UNITS_PER_PIXEL as f32;
    Transform::from_scale(scale, scale)
}

fn point((x, y): BackendCoord) -> (f32, f32) {
    (x as f32, y as f32)
}

fn polyline(points: impl IntoIterator<Item = BackendCoord>) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (index, corner) in points.into_iter().enumerate() {
        let (x, y) = point(corner);
        if index == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    path
}

fn paint(colour: BackendColor) -> Paint<'static> {
    let (red, green, blue) = colour.rgb;
    let alpha = (colour.alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut paint = Paint::default();
    paint.set_color(Color::from_rgba8(red, green, blue, alpha));
    paint
}
