//! Words on a page: how wide they are, and cut to what fits.

use ttf_parser::Face;

/// DejaVu Sans: Latin, Greek, Cyrillic, superscripts and a few signs; its licence stands beside it.
pub(super) const FONT: &[u8] = include_bytes!("../../../fonts/DejaVuSans-subset.ttf");

/// What `plotters` calls the size of a font is this many times its em.
pub(super) const SIZE_PER_EM: f64 = 1.24;

/// Labels beyond this are cut without being measured: no line of the page holds as much.
const CHARACTERS_MAX: usize = 200;

/// How far the pen moves for one character.
pub(super) fn advance(face: &Face<'_>, character: char) -> f64 {
    let glyph = face.glyph_index(character).unwrap_or_default();
    f64::from(face.glyph_hor_advance(glyph).unwrap_or_default()) / f64::from(face.units_per_em())
}

/// The width of a line of text whose em has this height.
pub(super) fn width_pixels(text: &str, em_pixels: i32) -> f64 {
    let ems: f64 = match Face::parse(FONT, 0) {
        Ok(face) => text.chars().map(|c| advance(&face, c)).sum(),
        // The page will say what is wrong with the font.
        Err(_) => 0.6 * text.chars().count() as f64,
    };
    ems * f64::from(em_pixels)
}

/// The text without what no line of a document may hold, cut with `…` to a width; both ends stay,
/// for the end of a label is often what tells it from the next.
pub(super) fn fitted(text: &str, em_pixels: i32, width_max_pixels: f64) -> String {
    let whole: Vec<char> = text.chars().map(writable).collect();
    let length = whole.len();
    let cut_to = |kept: usize| -> String {
        let tail = kept / 3;
        let (head, tail) = (&whole[..kept - tail], &whole[length - tail..]);
        let (head, tail) = (String::from_iter(head), String::from_iter(tail));
        format!("{}…{}", head.trim_end(), tail.trim_start())
    };
    if length <= CHARACTERS_MAX {
        let whole = String::from_iter(&whole);
        if width_pixels(&whole, em_pixels) <= width_max_pixels {
            return whole;
        }
    }
    (0..length.min(CHARACTERS_MAX))
        .rev()
        .map(cut_to)
        .find(|cut| width_pixels(cut, em_pixels) <= width_max_pixels)
        .unwrap_or_default()
}

/// The character, or one in its place that any document may hold.
fn writable(character: char) -> char {
    match character {
        // XML has no way to write these.
        '\u{FFFE}' | '\u{FFFF}' => char::REPLACEMENT_CHARACTER,
        character if character.is_control() => ' ',
        character => character,
    }
}

/// Digits and signs as a superscript: `−3` becomes `⁻³`.
pub fn raised(exponent: &str) -> String {
    exponent.chars().map(superscript).collect()
}

fn superscript(character: char) -> char {
    match character {
        '-' | '−' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        other => other,
    }
}
