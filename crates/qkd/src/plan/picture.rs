//! What a picture of the rows shows: a curve for each series, and the repeaterless bound.

use qkd_security::planning::PlanTheorem;

use super::args::{PlotRate, TableArgs};
use super::plot::{COLOURS, Chart, Curve, CurveStyle, DASHES, raised};
use super::rows::{Row, Series, Title};
use crate::words::grouped;

/// The chart of all series: what they have in common is in its title, what tells them apart in the
/// legend.
pub fn chart(all: &[Series], args: &TableArgs) -> Chart {
    let rate = args.plot_rate;
    let titles: Vec<&Title> = all.iter().map(|series| &series.title).collect();
    let words = Words::of(&titles, args.optimise);
    let by_distance = all
        .iter()
        .flat_map(|series| &series.rows)
        .any(|row| row.distance_km.is_some());
    let styles = styles(&titles);
    let rates = all.iter().zip(styles).map(|(series, style)| Curve {
        label: words.label(&series.title),
        points: points(series, |row| Some(rate_of(row, rate))),
        style,
        nothing: match rate {
            PlotRate::Fixed if !is_run(series) => "not run by this system",
            PlotRate::Bps | PlotRate::PerPulse | PlotRate::Fixed => "no key",
        },
    });
    Chart {
        title: words.title(&titles, rate),
        x_label: match by_distance {
            true => "distance (km)".to_owned(),
            false => "loss of the fibre (dB)".to_owned(),
        },
        y_label: match rate {
            PlotRate::Bps => "secret key rate (bit/s)".to_owned(),
            PlotRate::PerPulse => "secret bits per pulse".to_owned(),
            PlotRate::Fixed => "key rate fixed in advance (bit/s)".to_owned(),
        },
        curves: rates.chain(bounds(all, rate)).collect(),
        nothing: match rate {
            PlotRate::Bps | PlotRate::PerPulse => "no secret key anywhere",
            PlotRate::Fixed if !all.iter().any(is_run) => "this system runs none of these",
            PlotRate::Fixed => "this system would fix no key anywhere",
        },
    }
}

/// What the curves show of a row.
fn rate_of(row: &Row, rate: PlotRate) -> f64 {
    match rate {
        PlotRate::Bps => row.secret_key_rate_bps,
        PlotRate::PerPulse => row.secret_bits_per_pulse,
        PlotRate::Fixed => row.fixed_key_rate_bps.unwrap_or(0.0),
    }
}

/// Whether the running system could run any of the rows.
fn is_run(series: &Series) -> bool {
    series
        .rows
        .iter()
        .any(|row| row.fixed_key_rate_bps.is_some())
}

/// A colour for each configuration and theorem with dashes for each block size, where there are
/// several of both and enough to tell them apart; else a colour for each curve, and other dashes in
/// each round through the colours.
fn styles(titles: &[&Title]) -> Vec<CurveStyle> {
    let mut families: Vec<(&str, PlanTheorem)> = Vec::new();
    let mut sizes: Vec<u64> = Vec::new();
    let mut places = Vec::with_capacity(titles.len());
    for title in titles {
        let family = place_of((title.configuration.as_str(), title.theorem), &mut families);
        let size = title.block_bits.map(|bits| place_of(bits, &mut sizes));
        places.push((family, size.unwrap_or(0)));
    }
    let several = families.len() > 1 && sizes.len() > 1;
    let by_family = several && families.len() <= COLOURS.len() && sizes.len() <= DASHES.len();
    let styles = places.into_iter().enumerate();
    styles
        .map(|(at, (family, size))| match by_family {
            true => CurveStyle::Rate {
                colour: family,
                dashes: size,
            },
            false => CurveStyle::Rate {
                colour: at % COLOURS.len(),
                dashes: at / COLOURS.len() % DASHES.len(),
            },
        })
        .collect()
}

/// Where in the list this is, at its end if it is new.
fn place_of<T: PartialEq>(one: T, all: &mut Vec<T>) -> usize {
    let found = all.iter().position(|other| *other == one);
    found.unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

/// Which of their names tell the curves of a chart apart.
struct Words {
    configuration: bool,
    theorem: bool,
    /// Among the theorems that know blocks.
    blocks: bool,
    /// Whether the choices of the rows are the best ones, which no curve is told apart by.
    optimised: bool,
}

impl Words {
    fn of(titles: &[&Title], optimised: bool) -> Self {
        let blocks: Vec<u64> = titles.iter().filter_map(|it| it.block_bits).collect();
        let differs = |differ: fn(&Title, &Title) -> bool| {
            titles.windows(2).any(|two| differ(two[0], two[1]))
        };
        Self {
            configuration: differs(|one, other| one.configuration != other.configuration),
            theorem: differs(|one, other| one.theorem != other.theorem),
            blocks: blocks.windows(2).any(|two| two[0] != two[1]),
            optimised,
        }
    }

    fn label(&self, title: &Title) -> String {
        let blocks = title.block_bits.filter(|_| self.blocks);
        let words = [
            self.configuration.then(|| title.configuration.clone()),
            self.theorem.then(|| title.theorem.to_string()),
            blocks.map(|bits| format!("{} bits", round(bits))),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        match words.as_slice() {
            [] => title.configuration.clone(),
            words => words.join(", "),
        }
    }

    fn title(&self, titles: &[&Title], rate: PlotRate) -> String {
        let first = titles.first();
        let blocks = match titles.iter().find_map(|it| it.block_bits) {
            Some(bits) => format!("blocks of {} bits", round(bits)),
            None => "infinitely many pulses".to_owned(),
        };
        let words = [
            first
                .filter(|_| !self.configuration)
                .map(|it| it.configuration.clone()),
            first
                .filter(|_| !self.theorem)
                .map(|it| it.theorem.to_string()),
            first.filter(|_| !self.blocks).map(|_| blocks),
            self.optimised.then(|| "optimised".to_owned()),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let what = match rate {
            PlotRate::Bps | PlotRate::PerPulse => "Secret key rate",
            PlotRate::Fixed => "Key rate of this system",
        };
        match words.as_slice() {
            [] => what.to_owned(),
            words => format!("{what}: {}", words.join(", ")),
        }
    }
}

/// `10⁷` and `5×10⁶` rather than a row of noughts.
fn round(number: u64) -> String {
    let text = number.to_string();
    let digits = text.trim_end_matches('0');
    let noughts = text.len() - digits.len();
    match (digits, noughts) {
        ("1", 4..) => format!("10{}", raised(&noughts.to_string())),
        (digits, 4..) if digits.len() == 1 => {
            format!("{digits}×10{}", raised(&noughts.to_string()))
        }
        (_, _) => grouped(number),
    }
}

/// A point for each row; what there is not is not drawn.
fn points(series: &Series, rate: impl Fn(&Row) -> Option<f64>) -> Vec<(f64, f64)> {
    let place = |row: &Row| row.distance_km.unwrap_or(row.loss_db);
    let rows = series.rows.iter();
    rows.map(|row| (place(row), rate(row).unwrap_or(f64::INFINITY)))
        .collect()
}

/// What no repeaterless link can exceed, in a second at the clock of each configuration or in a pulse,
/// each line once.
fn bounds(all: &[Series], rate: PlotRate) -> Vec<Curve> {
    let mut bounds: Vec<Curve> = Vec::new();
    let mut names: Vec<Vec<&str>> = Vec::new();
    for series in all {
        let pulses = match rate {
            PlotRate::Bps | PlotRate::Fixed => series.title.clock_hz,
            PlotRate::PerPulse => 1.0,
        };
        let points = points(series, |row| {
            row.repeaterless_bits_per_pulse.map(|bits| bits * pulses)
        });
        let name = series.title.configuration.as_str();
        match bounds.iter().position(|drawn| drawn.points == points) {
            Some(at) if names[at].contains(&name) => {}
            Some(at) => names[at].push(name),
            None => {
                names.push(vec![name]);
                bounds.push(Curve {
                    label: "repeaterless bound".to_owned(),
                    points,
                    style: CurveStyle::Bound,
                    nothing: "none without loss",
                });
            }
        }
    }
    if bounds.len() > 1 {
        for (bound, names) in bounds.iter_mut().zip(names) {
            let whose = match names.as_slice() {
                [first, _, _, ..] => format!("{first} and {} more", names.len() - 1),
                few => few.join(", "),
            };
            bound.label = format!("{}, {whose}", bound.label);
        }
    }
    bounds
}

#[cfg(test)]
mod tests;
