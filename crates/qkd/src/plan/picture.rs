//! What a picture of the rows shows: a curve for each series, and the repeaterless bound.

use super::args::PlotRate;
use super::plot::{Chart, Curve, CurveStyle, raised};
use super::rows::{Row, Series, Title};
use crate::words::grouped;

/// The chart of all series: what they have in common is in its title, what tells them apart in the
/// legend.
pub fn chart(all: &[Series], rate: PlotRate) -> Chart {
    let titles: Vec<&Title> = all.iter().map(|series| &series.title).collect();
    let words = Words::of(&titles);
    let by_distance = all
        .iter()
        .flat_map(|series| &series.rows)
        .any(|row| row.distance_km.is_some());
    let rates = all.iter().map(|series| Curve {
        label: words.label(&series.title),
        points: points(series, |row| {
            Some(match rate {
                PlotRate::Bps => row.secret_key_rate_bps,
                PlotRate::PerPulse => row.secret_bits_per_pulse,
            })
        }),
        style: CurveStyle::Solid,
    });
    Chart {
        title: words.title(&titles),
        x_label: match by_distance {
            true => "distance (km)".to_owned(),
            false => "loss of the fibre (dB)".to_owned(),
        },
        y_label: match rate {
            PlotRate::Bps => "secret key rate (bit/s)".to_owned(),
            PlotRate::PerPulse => "secret bits per pulse".to_owned(),
        },
        curves: rates.chain(bounds(all, rate)).collect(),
    }
}

/// Which of their names tell the curves of a chart apart.
struct Words {
    configuration: bool,
    theorem: bool,
    /// Among the theorems that know blocks.
    blocks: bool,
}

impl Words {
    fn of(titles: &[&Title]) -> Self {
        let blocks: Vec<u64> = titles.iter().filter_map(|it| it.block_bits).collect();
        let differs = |differ: fn(&Title, &Title) -> bool| {
            titles.windows(2).any(|two| differ(two[0], two[1]))
        };
        Self {
            configuration: differs(|one, other| one.configuration != other.configuration),
            theorem: differs(|one, other| one.theorem != other.theorem),
            blocks: blocks.windows(2).any(|two| two[0] != two[1]),
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

    fn title(&self, titles: &[&Title]) -> String {
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
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        match words.as_slice() {
            [] => "Secret key rate".to_owned(),
            words => format!("Secret key rate: {}", words.join(", ")),
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
            PlotRate::Bps => series.title.clock_hz,
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
                    style: CurveStyle::Dashed,
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
mod tests {
    use qkd_security::planning::{ChannelModel, PlanTheorem};

    use super::*;

    fn series(configuration: &str, block_bits: u64, clock_hz: f64) -> Series {
        let row = |distance_km: f64| Row {
            configuration: configuration.to_owned(),
            theorem: "wiesemann2024",
            standing: String::new(),
            channel_model: "exact",
            block_bits: Some(block_bits),
            distance_km: Some(distance_km),
            loss_db: 0.2 * distance_km,
            qber: 0.01,
            phase_error_rate: 0.02,
            secret_length_bits: Some(1000),
            secret_bits_per_pulse: 1e-3,
            secret_key_rate_bps: 1e-3 * clock_hz,
            repeaterless_bits_per_pulse: (distance_km > 0.0).then_some(0.1),
            intensities: vec![0.5, 0.1],
            intensity_probabilities: vec![0.5, 0.5],
            key_basis_probability: 0.5,
            reconciliation_inefficiency: 1.1,
            block_seconds: Some(1.0),
            fixed_length_bits: None,
            fixed_key_rate_bps: None,
        };
        Series {
            title: Title {
                configuration: configuration.to_owned(),
                theorem: PlanTheorem::Wiesemann2024,
                channel: ChannelModel::Exact,
                block_bits: Some(block_bits),
                clock_hz,
            },
            rows: vec![row(0.0), row(10.0)],
            notes: Vec::new(),
        }
    }

    fn labels(chart: &Chart) -> Vec<&str> {
        chart.curves.iter().map(|it| it.label.as_str()).collect()
    }

    #[test]
    fn the_title_has_what_is_common_and_the_legend_what_differs() {
        let one = chart(&[series("snspd", 10_000_000, 1e9)], PlotRate::Bps);
        assert_eq!(
            one.title,
            "Secret key rate: snspd, wiesemann2024, blocks of 10⁷ bits"
        );
        assert_eq!(labels(&one), ["snspd", "repeaterless bound"]);
        let sizes = chart(
            &[
                series("snspd", 100_000, 1e9),
                series("snspd", 5_000_000, 1e9),
            ],
            PlotRate::Bps,
        );
        assert_eq!(sizes.title, "Secret key rate: snspd, wiesemann2024");
        assert_eq!(
            labels(&sizes),
            ["10⁵ bits", "5×10⁶ bits", "repeaterless bound"]
        );
        let mut limit = series("snspd", 100_000, 1e9);
        limit.title.theorem = PlanTheorem::GllpDecoyInfinite;
        limit.title.block_bits = None;
        let theorems = chart(&[series("snspd", 100_000, 1e9), limit], PlotRate::Bps);
        assert_eq!(theorems.title, "Secret key rate: snspd, blocks of 10⁵ bits");
        assert_eq!(
            labels(&theorems)[..2],
            ["wiesemann2024", "gllp-decoy-infinite"]
        );
    }

    #[test]
    fn a_bound_is_drawn_once_for_each_clock() {
        let all = chart(
            &[
                series("a", 1_234_567, 1e9),
                series("b", 1_234_567, 1e9),
                series("c", 1_234_567, 1e8),
            ],
            PlotRate::Bps,
        );
        assert_eq!(
            all.title,
            "Secret key rate: wiesemann2024, blocks of 1,234,567 bits"
        );
        assert_eq!(
            labels(&all),
            [
                "a",
                "b",
                "c",
                "repeaterless bound, a, b",
                "repeaterless bound, c"
            ]
        );
        assert_eq!(all.curves[4].points[1], (10.0, 1e7));
        assert_eq!(all.curves[4].style, CurveStyle::Dashed);
        let clocks = [1e9, 1e9, 1e9, 1e8];
        let all: Vec<Series> = ["a", "b", "c", "d"]
            .into_iter()
            .zip(clocks)
            .map(|(name, clock_hz)| series(name, 1000, clock_hz))
            .collect();
        assert_eq!(
            labels(&chart(&all, PlotRate::Bps))[4..],
            ["repeaterless bound, a and 2 more", "repeaterless bound, d"]
        );
    }

    #[test]
    fn without_loss_there_is_no_bound_but_a_rate() {
        let all = chart(&[series("c", 1000, 1e8)], PlotRate::Bps);
        // Without loss there is no bound to draw, and the curve of rates starts there.
        assert_eq!(all.curves[0].points[0], (0.0, 1e5));
        assert!(all.curves[1].points[0].1.is_infinite());
    }

    #[test]
    fn a_rate_per_pulse_has_a_bound_that_no_clock_changes() {
        let all = [series("a", 1_000_000, 1e9), series("b", 1_000_000, 1e8)];
        let chart = chart(&all, PlotRate::PerPulse);
        assert_eq!(chart.y_label, "secret bits per pulse");
        assert_eq!(labels(&chart), ["a", "b", "repeaterless bound"]);
        assert_eq!(chart.curves[1].points, [(0.0, 1e-3), (10.0, 1e-3)]);
        assert_eq!(chart.curves[2].points[1], (10.0, 0.1));
    }
}
