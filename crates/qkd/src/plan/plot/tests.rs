//! What a picture shows and what it never does, on charts made up for it.

use super::axis::{Decades, Distances};
use super::curve::{Stroke, dashed, runs};
use super::layout::Layout;
use super::*;

fn solid(label: &str, points: Vec<(f64, f64)>) -> Curve {
    Curve {
        label: label.to_owned(),
        points,
        style: CurveStyle::Rate {
            colour: 0,
            dashes: 0,
        },
        nothing: "no key",
    }
}

/// Two rates that end, and a bound that does not.
fn chart() -> Chart {
    let rate = |start: f64, end: u32| -> Vec<(f64, f64)> {
        let halvings = (0..=20).scan(start, |rate, index| {
            *rate *= 0.5;
            Some((
                f64::from(index) * 5.0,
                if index < end { *rate } else { 0.0 },
            ))
        });
        halvings.collect()
    };
    Chart {
        title: "Secret key rate".to_owned(),
        x_label: "distance (km)".to_owned(),
        y_label: "secret key rate (bit/s)".to_owned(),
        curves: vec![
            solid("snspd", rate(1e6, 15)),
            Curve {
                style: CurveStyle::Rate {
                    colour: 1,
                    dashes: 0,
                },
                ..solid("<b>&", rate(1e4, 9))
            },
            Curve {
                style: CurveStyle::Bound,
                ..solid("repeaterless bound", rate(1e8, 99))
            },
        ],
        nothing: "no secret key anywhere",
    }
}

fn alone(points: Vec<(f64, f64)>) -> Chart {
    Chart {
        curves: vec![solid("one", points)],
        ..chart()
    }
}

#[test]
fn the_same_chart_gives_the_same_bytes_on_every_machine() {
    let svg = chart().svg();
    assert_eq!(svg, chart().svg());
    // When a change of the drawing is meant, so is this number.
    assert_eq!(
        crc32c::crc32c(svg.as_bytes()),
        0xEB55_9869,
        "{} bytes",
        svg.len()
    );
    let png = chart().png().expect("the chart is painted");
    assert_eq!(png, chart().png().expect("the chart is painted"));
}

#[test]
fn a_png_holds_twelve_hundred_by_eight_hundred_pixels_with_ink_on_white() {
    let png = chart().png().expect("the chart is painted");
    let pixels = Pixmap::decode_png(&png).expect("the file is a PNG");
    assert_eq!((pixels.width(), pixels.height()), SIZE_PIXELS);
    let corner = pixels.pixel(0, 0).expect("the corner is on the page");
    assert_eq!((corner.red(), corner.alpha()), (255, 255));
    let blue = |pixel: &&tiny_skia::PremultipliedColorU8| {
        (pixel.red(), pixel.green(), pixel.blue()) == (0x00, 0x72, 0xB2)
    };
    assert!(pixels.pixels().iter().filter(blue).count() > 500);
    // The title is above the frame, and it is letters, not boxes: neither empty nor full.
    let rows = (15..50).flat_map(|y| (480..720).map(move |x| (x, y)));
    let dark = rows.filter(|(x, y)| pixels.pixel(*x, *y).is_some_and(|pixel| pixel.red() < 128));
    assert!((500..3000).contains(&dark.count()));
}

#[test]
fn a_label_is_text_and_never_markup() {
    let svg = chart().svg();
    assert!(svg.contains("&lt;b&gt;&amp;"), "{svg}");
    assert!(!svg.contains("<b>"));
    let mut odd = chart();
    odd.title = "a\u{0}b\u{1b}[31m\u{FFFF}\n\"c'".to_owned();
    let svg = odd.svg();
    assert!(svg.contains("a b [31m\u{FFFD} &quot;c&apos;"), "{svg}");
}

#[test]
fn an_svg_names_families_that_every_viewer_has() {
    let svg = chart().svg();
    assert!(svg.starts_with("<svg width=\"1200\" height=\"800\" "));
    assert!(svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("sans-serif\""));
    assert!(svg.contains("viewBox=\"0 0 12000 8000\""));
    assert!(!svg.contains("<image"));
}

#[test]
fn a_curve_ends_where_its_key_ends() {
    let layout = Layout::new(&chart().curves);
    let points = [
        (10.0, 1e4),
        (0.0, 1e5),
        (20.0, 0.0),
        (30.0, 1e3),
        (40.0, f64::NAN),
    ];
    let runs = runs(&layout, &points);
    let lengths: Vec<_> = runs
        .iter()
        .map(|run| (run.points.len(), run.falls))
        .collect();
    // What is no number has no place; what is zero ends the stretch.
    assert_eq!(lengths, [(2, true), (1, false)]);
    assert!(
        runs[0].points[0].0 < runs[0].points[1].0,
        "in order of distance"
    );
    assert!(
        runs[0].points[0].1 < runs[0].points[1].1,
        "less key is lower"
    );
}

#[test]
fn few_points_are_shown_and_many_are_a_line() {
    let dots = |points: u32| {
        let points = (0..points).map(|index| (f64::from(index), 1.0));
        alone(points.collect()).svg().matches("<circle").count()
    };
    assert_eq!((dots(1), dots(3), dots(15), dots(16)), (1, 3, 15, 0));
}

#[test]
fn no_numbers_stop_the_drawing() {
    let numbers = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        -0.0,
        1.0,
        1e9,
    ];
    for x in numbers {
        for y in numbers {
            for points in [
                vec![(x, y)],
                vec![(0.0, 1.0), (x, y)],
                vec![(x, 1.0), (y, 1e-3)],
            ] {
                let svg = alone(points).svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{x} {y}");
            }
        }
    }
    let empty = Chart {
        title: String::new(),
        x_label: String::new(),
        y_label: String::new(),
        curves: Vec::new(),
        nothing: "",
    };
    assert!(empty.png().is_ok());
    assert!(alone(Vec::new()).png().is_ok());
    let mut long = alone(vec![(0.0, 1.0)]);
    long.curves[0].label = "long ".repeat(100_000);
    long.title = long.curves[0].label.clone();
    assert!(long.svg().len() < 20_000);
}

#[test]
fn no_key_at_all_is_said() {
    let notice = "no secret key anywhere";
    assert!(alone(vec![(0.0, 0.0), (10.0, 0.0)]).svg().contains(notice));
    assert!(!chart().svg().contains(notice));
    let mut bound_only = chart();
    bound_only.curves.drain(..2);
    assert!(bound_only.svg().contains(notice), "a bound is nobody's key");
    assert!(bound_only.svg().contains("repeaterless"));
    // A bound at one place is a dot, as a rate would be.
    bound_only.curves[0].points.truncate(1);
    let svg = bound_only.svg();
    assert!(
        !svg.contains("<circle") && !svg.contains("repeaterless"),
        "{svg}"
    );
}

#[test]
fn the_rate_axis_spans_whole_decades_and_at_most_twelve() {
    let axis = |rates: &[f64]| {
        let decades = Decades::around(rates.iter().copied());
        let range = plotters::coord::ranged1d::Ranged::range(&decades);
        (range.start, range.end)
    };
    assert_eq!(axis(&[3e-7, 2e-2]), (-7.0, -1.0));
    assert_eq!(axis(&[1e3]), (2.0, 4.0));
    assert_eq!(axis(&[0.0, 5.0, f64::INFINITY]), (0.0, 1.0));
    assert_eq!(axis(&[1e-40, 1e6]), (-5.0, 7.0));
    assert_eq!(axis(&[]), (-8.0, 0.0));
}

#[test]
fn ticks_are_words_that_a_reader_knows() {
    assert_eq!(Decades::label(-3.0), "10⁻³");
    assert_eq!(Decades::label(10.0), "10¹⁰");
    assert_eq!(Decades::label(3.301_029_995_663_981), "2×10³");
    let labels = |from: f64, to: f64| -> Vec<String> {
        let axis = Distances::around([from, to].into_iter());
        let hint = plotters::coord::ranged1d::BoldPoints(10);
        plotters::coord::ranged1d::Ranged::key_points(&axis, hint)
            .into_iter()
            .map(|distance| axis.label(distance))
            .collect()
    };
    assert_eq!(labels(0.0, 250.0)[..3], ["0", "50", "100"]);
    assert_eq!(labels(0.0, 250.0).len(), 6);
    assert_eq!(labels(-1.0, 1.0)[..2], ["−1.0", "−0.8"]);
    assert_eq!(labels(-1.0, 1.0)[5], "0.0");
    assert_eq!(labels(0.0, 1e5).last().map(String::as_str), Some("100000"));
}

#[test]
fn every_character_of_the_axes_has_a_glyph() {
    let face = ttf_parser::Face::parse(text::FONT, 0).expect("the font can be read");
    let words = "10⁰¹²³⁴⁵⁶⁷⁸⁹⁻×−…no secret key anywhere µν µω ≥≤≈ äöüßéèñøåçłšž Привет";
    for character in words.chars() {
        assert!(face.glyph_index(character).is_some(), "{character}");
    }
}

#[test]
fn a_legend_stands_in_a_corner_without_curves_or_beside_the_plot() {
    let few = Layout::new(&chart().curves);
    assert!(few.legend.right < few.plot.right);
    for curve in &chart().curves {
        for run in runs(&few, &curve.points) {
            assert!(!run.touches(|(x, y)| {
                let legend = &few.legend;
                x > legend.left && x < legend.right && y > legend.top && y < legend.bottom
            }));
        }
    }
    // A cross leaves no corner free.
    let cross = [
        solid("falling", vec![(0.0, 9e6), (100.0, 1.1)]),
        solid("rising", vec![(0.0, 1.1), (100.0, 9e6)]),
    ];
    let beside = Layout::new(&cross);
    assert!(beside.legend.left > beside.plot.right);
    assert!(beside.legend.right <= f64::from(SIZE_PIXELS.0));
    let many: Vec<Curve> = (0..100)
        .map(|index| solid(&format!("curve {index}"), vec![(0.0, 1.0), (9.0, 2.0)]))
        .collect();
    let crowded = Layout::new(&many);
    assert!(crowded.legend.bottom <= f64::from(SIZE_PIXELS.1));
    let chart = Chart {
        curves: many,
        ..chart()
    };
    assert!(chart.svg().contains("and 74 more"));
}

#[test]
fn colours_and_dashes_are_told_apart() {
    let curves: Vec<Curve> = (0..COLOURS.len() * DASHES.len())
        .map(|index| Curve {
            style: CurveStyle::Rate {
                colour: index / DASHES.len(),
                dashes: index % DASHES.len(),
            },
            ..solid("", Vec::new())
        })
        .collect();
    let strokes = Stroke::of_all(&curves);
    for (index, stroke) in strokes.iter().enumerate() {
        assert!(!strokes[..index].contains(stroke), "{index}");
    }
}

#[test]
fn a_rate_without_key_is_named_last_and_has_no_line() {
    let mut some = chart();
    some.curves
        .insert(0, solid("dark", vec![(0.0, 0.0), (100.0, 0.0)]));
    let svg = some.svg();
    let at = |word: &str| svg.find(word).unwrap_or_else(|| panic!("{word}: {svg}"));
    assert!(at("snspd") < at("repeaterless bound"));
    assert!(at("repeaterless bound") < at("dark: no key"));
    let lines = |chart: &Chart| chart.svg().matches("<polyline").count();
    assert_eq!(lines(&some), lines(&chart()));
}

#[test]
fn a_line_down_is_drawn_only_between_many_points() {
    let lines = |points: u32, with_key: u32| {
        let rate = |index: u32| if index < with_key { 1.0 } else { 0.0 };
        let points = (0..points).map(|index| (f64::from(index), rate(index)));
        alone(points.collect()).svg().matches("<polyline").count()
    };
    assert_eq!(lines(15, 5), lines(15, 15));
    assert!(lines(16, 5) > lines(16, 16) + 20);
}

#[test]
fn an_svg_has_nothing_that_viewers_trip_over() {
    let mut quoting = chart();
    quoting.title = "a opacity=\"1\" rotate(270, 1, 2)\" title".to_owned();
    let svg = quoting.svg();
    assert!(
        !svg.contains(" opacity=\"") && !svg.contains("transform=\"rotate"),
        "{svg}"
    );
    assert!(
        svg.contains("a opacity=&quot;1&quot; rotate(270, 1, 2)&quot; title"),
        "{svg}"
    );
    // The words beside the rates stand upright, where they stood.
    let place = "x=\"0\" y=\"0\" dy=\"0.76em\" text-anchor=\"middle\"";
    let turned = svg
        .lines()
        .find(|line| line.contains("transform="))
        .unwrap();
    assert!(turned.contains(place), "{turned}");
    assert!(
        turned.contains("transform=\"matrix(0 -1 1 0 240 3920)\""),
        "{turned}"
    );
}

#[test]
fn labels_are_cut_at_their_end_and_stay_apart() {
    let long = "a laboratory with a very long name in a large city".to_owned();
    let told = |labels: &[&str]| {
        let cut = text::told_apart(labels, 15, 300.0);
        for label in &cut {
            assert!(text::width_pixels(label, 15) <= 300.0, "{label}");
        }
        cut
    };
    let one = told(&[&long, "snspd"]);
    assert!(
        one[0].starts_with("a laboratory with a very") && one[0].ends_with('…'),
        "{one:?}"
    );
    assert_eq!(one[1], "snspd");
    let labels = [format!("{long}, 10⁵ bits"), format!("{long}, 10⁷ bits")];
    let two = told(&[&labels[0], &labels[1]]);
    assert!(
        two[0].starts_with("a laboratory") && two[0].ends_with("…10⁵ bits"),
        "{two:?}"
    );
    assert!(
        two[1].starts_with("a laboratory") && two[1].ends_with("…10⁷ bits"),
        "{two:?}"
    );
    let words = long.replace(' ', "_");
    let labels = [format!("{words}-1{long}"), format!("{words}-2{long}")];
    let three = told(&[&labels[0], &labels[1]]);
    assert!(
        three[0].contains("…1a laboratory") && three[1].contains("…2a"),
        "{three:?}"
    );
    // What is the same twice is cut as one is.
    assert_eq!(told(&[&long, &long])[1], one[0]);
}

#[test]
fn dashes_go_on_around_a_bend() {
    let bent = [(0.0, 0.0), (6.0, 0.0), (6.0, 8.0)];
    let dashes = dashed(&bent, &[4.0, 1.0]);
    assert_eq!(
        dashes,
        [
            vec![(0.0, 0.0), (4.0, 0.0)],
            vec![(5.0, 0.0), (6.0, 0.0), (6.0, 3.0)],
            vec![(6.0, 4.0), (6.0, 8.0)],
        ]
    );
    assert!(dashed(&[(1.0, 1.0)], &[4.0, 1.0]).is_empty());
    assert!(dashed(&[], &[4.0, 1.0]).is_empty());
}

#[test]
fn a_long_label_keeps_both_its_ends() {
    let label = format!(
        "a laboratory {} 10⁷ bits",
        "with a very long name ".repeat(10)
    );
    let fitted = text::fitted(&label, 15, 300.0);
    assert!(text::width_pixels(&fitted, 15) <= 300.0);
    assert!(
        fitted.starts_with("a laboratory") && fitted.ends_with("10⁷ bits"),
        "{fitted}"
    );
    assert_eq!(text::fitted("snspd", 15, 300.0), "snspd");
    assert_eq!(text::fitted("snspd", 15, 1.0), "");
}
