//! What the values of a measurement have to be.

use qkd_security::chsh::{Coincidences, Correlators};
use qkd_security::evaluation::BlockTheorem;
use qkd_security::gg02::Quadratures;
use toml::de::DeValue;

use crate::config::document::Rule;
pub(super) use crate::config::rules::FAILURE_PROBABILITY;
use crate::config::rules::{integer, number};

/// Every number of an array.
fn list(value: &DeValue<'_>) -> Option<Vec<f64>> {
    value
        .as_array()?
        .iter()
        .map(|one| number(one.get_ref()))
        .collect()
}

fn array<const N: usize>(value: &DeValue<'_>) -> Option<[f64; N]> {
    list(value)?.try_into().ok()
}

fn matrix(value: &DeValue<'_>) -> Option<[[f64; 3]; 3]> {
    let rows: Option<Vec<[f64; 3]>> = value
        .as_array()?
        .iter()
        .map(|row| array(row.get_ref()))
        .collect();
    rows?.try_into().ok()
}

pub(super) const THEOREM: Rule<BlockTheorem> = Rule {
    expected: "a theorem for the counts of a block, \"wiesemann2024\", \"rusca2018\" or \
               \"lim2014\" (gllp and its kin are asymptotic and take no counts)",
    read: |value| value.as_str()?.parse().ok(),
    known: &["wiesemann2024", "rusca2018", "lim2014"],
};

/// What [`SUMMARY_THEOREM`] calls a source that is no source of weak pulses.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum SummaryTheorem {
    Decoy(BlockTheorem),
    SinglePhotons,
}

pub(super) const SUMMARY_THEOREM: Rule<SummaryTheorem> = Rule {
    expected: "\"wiesemann2024\", \"rusca2018\" or \"lim2014\" for weak pulses with decoys, \
               \"bbm92\" for pairs or single photons (gllp and its kin are asymptotic and know no \
               block)",
    read: |value| match value.as_str()? {
        "bbm92" => Some(SummaryTheorem::SinglePhotons),
        name => Some(SummaryTheorem::Decoy(name.parse().ok()?)),
    },
    known: &["wiesemann2024", "rusca2018", "lim2014", "bbm92"],
};

pub(super) const INTENSITIES: Rule<Vec<f64>> = Rule::new(
    "two or three mean photon numbers from 0 to 10, the signal first, such as [0.5, 0.15]",
    |value| {
        list(value).filter(|all| {
            (2..=3).contains(&all.len()) && all.iter().all(|one| (0.0..=10.0).contains(one))
        })
    },
);

pub(super) const PROBABILITIES: Rule<Vec<f64>> = Rule::new(
    "a probability above 0 and below 1 for each intensity, with sum 1 (within 1e-9), such as \
     [0.7, 0.3]",
    |value| {
        list(value).filter(|all| {
            all.iter().all(|one| *one > 0.0 && *one < 1.0)
                && (all.iter().sum::<f64>() - 1.0).abs() <= 1e-9
        })
    },
);

pub(super) const KEY_BASIS_PROBABILITY: Rule<f64> =
    Rule::new("a probability above 0 and below 1, such as 0.9", |value| {
        number(value).filter(|p| *p > 0.0 && *p < 1.0)
    });

/// Most bits, detections or symbols of a block: a gigahertz sends them in eleven days, and doubles
/// still count them one by one.
const MOST: f64 = 1e15;

/// Most of anything per second: the same clocks as elsewhere.
const MOST_HZ: f64 = 1e12;

pub(super) const CLOCK_HZ: Rule<f64> = Rule::new(
    "a clock rate in Hz from 1e-3 to 1e12, such as 1e9",
    |value| number(value).filter(|hz| (1e-3..=MOST_HZ).contains(hz)),
);

pub(super) const BITS: Rule<f64> =
    Rule::new("a number of bits from 0 to 1e15, such as 150000", |value| {
        number(value).filter(|bits| (0.0..=MOST).contains(bits))
    });

pub(super) const SLOTS: Rule<f64> = Rule::new(
    "a number of slots from 1 to 1e18, such as 5.6e8: those after which a block of the link is closed, \
     slots_max of `qkd plan accept --json`, since light may come back in all of them",
    |value| number(value).filter(|slots| (1.0..=1e18).contains(slots)),
);

pub(super) const SOME_BITS: Rule<f64> =
    Rule::new("a number of bits from 1 to 1e15, such as 1e7", |value| {
        number(value).filter(|bits| (1.0..=MOST).contains(bits))
    });

pub(super) const INEFFICIENCY: Rule<f64> = Rule::new(
    "bits disclosed by error correction in units of n h(Q), from 1 to 10, such as 1.16",
    |value| number(value).filter(|f| (1.0..=10.0).contains(f)),
);

pub(super) const SECONDS: Rule<f64> = Rule::new(
    "a time in seconds from 1e-9 to 1e12, such as 12.5",
    |value| number(value).filter(|seconds| (1e-9..=1e12).contains(seconds)),
);

pub(super) const RATE_BPS: Rule<f64> = Rule::new(
    "a rate in bit/s from 1e-12 to 1e12, such as 12e3",
    |value| number(value).filter(|rate| (1e-12..=MOST_HZ).contains(rate)),
);

pub(super) const LOSS_DB: Rule<f64> =
    Rule::new("a loss in dB from 0 to 300, such as 42.7", |value| {
        number(value).filter(|db| (0.0..=300.0).contains(db))
    });

pub(super) const COUNTS: Rule<Vec<f64>> = Rule::new(
    "a number of detections from 0 to 1e15 for each intensity, such as [900000, 100000]",
    |value| list(value).filter(|all| all.iter().all(|count| (0.0..=MOST).contains(count))),
);

pub(super) const ERROR_RATE: Rule<f64> = Rule::new(
    "a share of wrong bits from 0 to 0.5, such as 0.01",
    |value| number(value).filter(|rate| (0.0..=0.5).contains(rate)),
);

pub(super) const VARIANCE: Rule<f64> = Rule::new(
    "a variance in shot-noise units above 0 and at most 1e6, such as 18.5",
    |value| number(value).filter(|variance| *variance > 0.0 && *variance <= 1e6),
);

pub(super) const NOISE: Rule<f64> = Rule::new(
    "a variance in shot-noise units from 0 to 1e6, such as 0.005",
    |value| number(value).filter(|noise| (0.0..=1e6).contains(noise)),
);

pub(super) const SHARE: Rule<f64> = Rule::new(
    "a number above 0 and at most 1 (no unit), such as 0.6",
    |value| number(value).filter(|share| *share > 0.0 && *share <= 1.0),
);

pub(super) const DETECTION: Rule<Quadratures> = Rule {
    expected: "\"homodyne\" (one quadrature) or \"heterodyne\" (both)",
    read: |value| match value.as_str()? {
        "homodyne" => Some(Quadratures::One),
        "heterodyne" => Some(Quadratures::Both),
        _ => None,
    },
    known: &["homodyne", "heterodyne"],
};

pub(super) const SYMBOLS: Rule<f64> =
    Rule::new("a number of symbols from 1 to 1e15, such as 1e9", |value| {
        number(value).filter(|symbols| (1.0..=MOST).contains(symbols))
    });

pub(super) const SYMBOL_RATE_HZ: Rule<f64> = Rule::new(
    "symbols per second from 1e-12 to 1e12 Hz, such as 350e3",
    |value| number(value).filter(|rate| (1e-12..=MOST_HZ).contains(rate)),
);

pub(super) const THREE_INTENSITIES: Rule<[f64; 3]> = Rule::new(
    "three mean photon numbers, falling, at most 10, the last 0 or more, such as [0.4, 0.05, 0.001]",
    |value| {
        array(value).filter(|[signal, decoy, low]: &[f64; 3]| {
            *signal <= 10.0 && signal > decoy && decoy > low && *low >= 0.0
        })
    },
);

pub(super) const GAINS: Rule<[[f64; 3]; 3]> = Rule::new(
    "three rows, one for each intensity of Alice, of three probabilities from 0 to 1, one for each \
     intensity of Bob: announcements per pair of pulses",
    |value| matrix(value).filter(|rows| rows.iter().flatten().all(|one| (0.0..=1.0).contains(one))),
);

pub(super) const ERRORS: Rule<[[f64; 3]; 3]> = Rule::new(
    "three rows, one for each intensity of Alice, of three shares of wrong bits from 0 to 1, one for \
     each intensity of Bob",
    |value| matrix(value).filter(|rows| rows.iter().flatten().all(|one| (0.0..=1.0).contains(one))),
);

pub(super) const CORRELATORS: Rule<Correlators> = Rule::new(
    "four mean products from -1 to 1, of (a0, b0), (a0, b1), (a1, b0) and (a1, b1), such as \
     [0.69, 0.68, 0.69, -0.68]",
    |value| {
        let all: [f64; 4] = array(value)?;
        let [a0_b0, a0_b1, a1_b0, a1_b1] = all;
        all.iter()
            .all(|one| (-1.0..=1.0).contains(one))
            .then_some(Correlators {
                a0_b0,
                a0_b1,
                a1_b0,
                a1_b1,
            })
    },
);

pub(super) const COINCIDENCES: Rule<[Coincidences; 4]> = Rule::new(
    "four pairs of whole numbers [equal, different], not both 0 and at most 1e15, for (a0, b0), (a0, b1), \
     (a1, b0) and (a1, b1), such as [[850, 150], [845, 155], [852, 148], [149, 851]]",
    |value| {
        let pair = |value: &DeValue<'_>| match value.as_array()?.iter().as_slice() {
            [equal, different] => Some(Coincidences {
                equal: integer(equal.get_ref())?,
                different: integer(different.get_ref())?,
            }),
            _ => None,
        };
        let settings: Option<Vec<Coincidences>> = value
            .as_array()?
            .iter()
            .map(|one| pair(one.get_ref()))
            .collect();
        let settings: [Coincidences; 4] = settings?.try_into().ok()?;
        settings
            .iter()
            .all(|one| {
                let few = |count: u64| count as f64 <= MOST;
                few(one.equal) && few(one.different) && one.correlator().is_ok()
            })
            .then_some(settings)
    },
);
