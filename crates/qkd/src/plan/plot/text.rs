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

/// Labels that stand below each other, each cut with `…` at its end to a width; what tells it from
/// the label most like it stays, by a cut in the middle where it has to.
pub(super) fn told_apart(labels: &[&str], em_pixels: i32, width_max_pixels: f64) -> Vec<String> {
    let fits = |text: &str| width_pixels(text, em_pixels) <= width_max_pixels;
    let labels: Vec<Vec<char>> = labels
        .iter()
        .map(|label| label.chars().map(writable).collect())
        .collect();
    let cut = |(at, label): (usize, &Vec<char>)| {
        let whole = String::from_iter(label.iter().take(CHARACTERS_MAX));
        if label.len() <= CHARACTERS_MAX && fits(&whole) {
            return whole;
        }
        let others = labels.iter().enumerate();
        let others = others.filter(|(other, text)| *other != at && *text != label);
        let shared = others
            .map(|(_, other)| shared_characters(label, other))
            .max();
        let shared = shared.unwrap_or(0);
        // The longest beginning that fits, before what stays of the rest.
        let longest = |rest: &str| {
            let heads = (0..label.len().min(CHARACTERS_MAX)).rev();
            heads
                .map(|head| (head, joined(&label[..head], rest)))
                .find(|(_, text)| fits(text))
        };
        match longest("") {
            Some((head, text)) if head > shared => text,
            Some(_) | None => {
                // From the word on in which they differ.
                let word = label[..shared]
                    .iter()
                    .rposition(|character| *character == ' ');
                let rest = &label[word.map_or(shared, |at| at + 1)..];
                let room = width_max_pixels * 2.0 / 3.0;
                let rest = cut_at_end(rest, em_pixels, room);
                longest(&rest).map(|(_, text)| text).unwrap_or_default()
            }
        }
    };
    labels.iter().enumerate().map(cut).collect()
}

fn joined(head: &[char], rest: &str) -> String {
    format!("{}…{rest}", String::from_iter(head).trim_end())
}

fn cut_at_end(text: &[char], em_pixels: i32, width_max_pixels: f64) -> String {
    let most = text.len().min(CHARACTERS_MAX);
    let whole = std::iter::once(String::from_iter(&text[..most])).filter(|_| most == text.len());
    let cuts = (0..most).rev().map(|kept| joined(&text[..kept], ""));
    whole
        .chain(cuts)
        .find(|cut| width_pixels(cut, em_pixels) <= width_max_pixels)
        .unwrap_or_default()
}

/// How many characters two texts begin with alike.
fn shared_characters(one: &[char], other: &[char]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
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
