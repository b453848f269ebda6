//! What the values of a configuration have to be.

use std::num::NonZeroUsize;

use qkd_delivery::IdentityRule;
use toml::de::DeValue;

use super::address::HostPort;
use super::document::Rule;

/// A finite number, written with or without a point.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    let number: f64 = match value {
        DeValue::Float(float) => float.as_str().parse().ok()?,
        DeValue::Integer(digits) => {
            i128::from_str_radix(digits.as_str(), digits.radix()).ok()? as f64
        }
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return None,
    };
    number.is_finite().then_some(number)
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let digits = value.as_integer()?;
    u64::from_str_radix(digits.as_str(), digits.radix()).ok()
}

fn pair<T>(value: &DeValue<'_>, read: fn(&DeValue<'_>) -> Option<T>) -> Option<[T; 2]> {
    match value.as_array()?.iter().as_slice() {
        [first, second] => Some([read(first.get_ref())?, read(second.get_ref())?]),
        _ => None,
    }
}

fn probability(value: &DeValue<'_>) -> Option<f64> {
    number(value).filter(|p| (0.0..=1.0).contains(p))
}

/// A number whose range whoever uses it knows.
pub(super) const NUMBER: Rule<f64> = Rule::new("a number, such as 0.5", number);

/// A pair of them, for the detectors of 0 and of 1.
pub(super) const NUMBERS: Rule<[f64; 2]> = Rule::new(
    "two numbers, for the detectors of 0 and of 1, such as [1.0, 0.9]",
    |value| pair(value, number),
);

pub(super) const GATES: Rule<u32> = Rule::new(
    "a whole number of gates from 0 to 4294967295, such as 10",
    |value| u32::try_from(integer(value)?).ok(),
);

pub(super) const PREPARATION_ERROR: Rule<[f64; 2]> = Rule::new(
    "two error probabilities from 0 to 0.5, of key and test basis, such as [0.01, 0.01]",
    |value| pair(value, probability).filter(|[key, test]| *key <= 0.5 && *test <= 0.5),
);

pub(super) const CLOCK_HZ: Rule<f64> = Rule::new(
    "a clock rate in Hz from 0.001 to 1e12, such as 1e9",
    |value| number(value).filter(|hz| (1e-3..=1e12).contains(hz)),
);

pub(super) const SLOTS_PER_SECOND: Rule<f64> = Rule::new(
    "a number of slots per second above 0, such as 1e8",
    |value| number(value).filter(|rate| *rate > 0.0),
);

pub(super) const INTENSITIES: Rule<[f64; 2]> = Rule::new(
    "two mean photon numbers, signal above decoy above 0, at most 10, such as [0.5, 0.15]",
    |value| {
        pair(value, number)
            .filter(|[signal, decoy]| signal > decoy && *decoy > 0.0 && *signal <= 10.0)
    },
);

pub(super) const INTENSITY_PROBABILITIES: Rule<[f64; 2]> = Rule::new(
    "two probabilities above 0, of signal and decoy, with sum 1 (within 1e-9), such as [0.6, 0.4]",
    |value| {
        pair(value, probability).filter(|[signal, decoy]| {
            *signal > 0.0 && *decoy > 0.0 && (signal + decoy - 1.0).abs() <= 1e-9
        })
    },
);

/// One to three values.
fn some(value: &DeValue<'_>, read: fn(&DeValue<'_>) -> Option<f64>) -> Option<Vec<f64>> {
    let array = value.as_array()?;
    let fits = (1..=3).contains(&array.len());
    let mut values = array.iter().map(|one| read(one.get_ref()));
    fits.then(|| values.by_ref().collect()).flatten()
}

pub(super) const PLAN_INTENSITIES: Rule<Vec<f64>> = Rule::new(
    "one to three mean photon numbers, the signal, at most 10, first and each one below the one \
     before, such as [0.5, 0.15]; the last of several may be 0",
    |value| {
        some(value, number).filter(|all| {
            all.is_sorted_by(|a, b| a > b)
                && all[0] > 0.0
                && all[0] <= 10.0
                && all[all.len() - 1] >= 0.0
        })
    },
);

pub(super) const PLAN_PROBABILITIES: Rule<Vec<f64>> = Rule::new(
    "a probability from 0 to 1 for each intensity, with sum 1 (within 1e-9), such as [0.6, 0.4]",
    |value| some(value, probability).filter(|all| (all.iter().sum::<f64>() - 1.0).abs() <= 1e-9),
);

pub(super) const RECONCILIATION_INEFFICIENCY: Rule<f64> = Rule::new(
    "bits revealed by error correction in units of n h(Q), from 1 to 10, such as 1.06",
    |value| number(value).filter(|f| (1.0..=10.0).contains(f)),
);

pub(super) const PLAN_BLOCK_BITS: Rule<u64> = Rule::new(
    "a whole number of sifted bits from 100 to 1e15, such as 1e7",
    |value| {
        let bits =
            number(value).filter(|bits| (1e2..=1e15).contains(bits) && bits.fract() == 0.0)?;
        Some(bits as u64)
    },
);

pub(super) const DISTANCE_KM: Rule<f64> =
    Rule::new("a length in km from 0 to 1000, such as 25", |value| {
        number(value).filter(|km| (0.0..=1000.0).contains(km))
    });

pub(super) const ATTENUATION_DB_PER_KM: Rule<f64> = Rule::new(
    "a fibre attenuation in dB per km from 0 to 100, such as 0.2",
    |value| number(value).filter(|db| (0.0..=100.0).contains(db)),
);

pub(super) const LOSS_DB: Rule<f64> =
    Rule::new("a loss in dB from 0 to 100, such as 1.5", |value| {
        number(value).filter(|db| (0.0..=100.0).contains(db))
    });

/// What `qkd plan` takes of it: less light than that is none.
pub(super) const PLAN_LOSS_DB: Rule<f64> =
    Rule::new("a loss in dB from 0 to 90, such as 1.5", |value| {
        number(value).filter(|db| (0.0..=90.0).contains(db))
    });

pub(super) const EFFICIENCY: Rule<f64> =
    Rule::new("an efficiency from 1e-9 to 1, such as 0.8", |value| {
        probability(value).filter(|efficiency| *efficiency >= 1e-9)
    });

pub(super) const DARK_COUNT_PROBABILITY: Rule<f64> = Rule::new(
    "a probability per detector and slot from 0 to below 0.5, such as 1e-8",
    |value| probability(value).filter(|p| *p < 0.5),
);

pub(super) const AFTERPULSE_PROBABILITY: Rule<f64> =
    Rule::new("a probability from 0 to below 0.5, such as 0.02", |value| {
        probability(value).filter(|p| *p < 0.5)
    });

pub(super) const DEAD_TIME_NS: Rule<f64> =
    Rule::new("a time in ns from 0 to 1e9, such as 30", |value| {
        number(value).filter(|ns| (0.0..=1e9).contains(ns))
    });

pub(super) const DECAY_NS: Rule<f64> = Rule::new(
    "a time in ns above 0 and at most 1e9, such as 50",
    |value| number(value).filter(|ns| *ns > 0.0 && *ns <= 1e9),
);

pub(super) const KEY_BASIS_PROBABILITY: Rule<f64> =
    Rule::new("a probability above 0 and below 1, such as 0.75", |value| {
        probability(value).filter(|p| *p > 0.0 && *p < 1.0)
    });

pub(super) const MISALIGNMENT_ERROR: Rule<f64> = Rule::new(
    "an error probability from 0 to 0.5, such as 0.01",
    |value| probability(value).filter(|p| *p <= 0.5),
);

pub(super) const FAILURE_PROBABILITY: Rule<f64> = Rule::new(
    "a failure probability from 1e-100 to 0.01, such as 1e-10",
    |value| number(value).filter(|p| (1e-100..=0.01).contains(p)),
);

pub(super) const BLOCK_BITS: Rule<u64> = Rule::new(
    "a whole number of sifted bits from 1000 to 20000000, such as 1000000",
    |value| integer(value).filter(|bits| crate::parameters::BLOCK_BITS.contains(bits)),
);

pub(super) const COUNT: Rule<u64> =
    Rule::new("a whole number from 0 to 9223372036854775807", |value| {
        integer(value).filter(|count| *count <= i64::MAX as u64)
    });

pub(super) const COUNTS: Rule<[u64; 2]> = Rule::new(
    "two whole numbers, for signal and decoy, such as [900000, 100000]",
    |value| pair(value, integer),
);

pub(super) const BLOCKS_MAX: Rule<u64> = Rule::new("a whole number of blocks from 1", |value| {
    integer(value).filter(|blocks| *blocks >= 1)
});

pub(super) const BLOCKS_IN_FLIGHT: Rule<u64> = Rule::new(
    "a whole number of blocks from 1 to 256, such as 32",
    |value| integer(value).filter(|blocks| (1..=256).contains(blocks)),
);

/// Memory of a block in flight on one side for each of its bits, rounded up: 1.5 while it is being
/// reconciled (`cargo run --release -p qkd-session --example block_memory`).
pub(super) const BYTES_PER_BIT_IN_FLIGHT: u64 = 2;

/// Memory that all blocks in flight may take on one side: 32 of the largest blocks take a third.
pub(super) const BLOCKS_IN_FLIGHT_BYTES: u64 = 4 << 30;

pub(super) const WORKER_THREADS: Rule<NonZeroUsize> = Rule::new(
    "a whole number of threads from 1 to 256, such as 2",
    |value| {
        let threads = integer(value).filter(|threads| *threads <= 256)?;
        NonZeroUsize::new(usize::try_from(threads).ok()?)
    },
);

pub(super) const KEY_SIZE_BITS: Rule<u64> = Rule::new(
    "a multiple of 8 bits from 64 to 4096, such as 256",
    |value| integer(value).filter(|bits| (64..=4096).contains(bits) && bits.is_multiple_of(8)),
);

pub(super) const KEY_COUNT: Rule<u64> = Rule::new(
    "a whole number of keys from 1 to 100000000, such as 100000",
    |value| integer(value).filter(|keys| (1..=100_000_000).contains(keys)),
);

pub(super) const AGE_SECONDS: Rule<u64> = Rule::new(
    "a whole number of seconds from 1 to 3153600000 (100 years), such as 2592000",
    |value| integer(value).filter(|seconds| (1..=3_153_600_000).contains(seconds)),
);

pub(super) const COMPARE_SECONDS: Rule<u64> = Rule::new(
    "a whole number of seconds from 1 to 2592000 (30 days), such as 600",
    |value| integer(value).filter(|seconds| (1..=2_592_000).contains(seconds)),
);

// The least still takes the longest message.
pub(super) const MAILBOX_BYTES: Rule<u64> = Rule::new(
    "a whole number of bytes from 2097152 (2 MiB) to 1099511627776 (1 TiB), such as 268435456",
    |value| integer(value).filter(|bytes| (1 << 21..=1 << 40).contains(bytes)),
);

/// The name of a node: it also stands in its certificate as a DNS name.
pub(super) const NODE_NAME: Rule<String> = Rule::new(
    "a name of 1 to 63 lower-case letters, digits and inner hyphens, such as \"kme-alice\"",
    |value| {
        let name = value.as_str()?;
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=63).contains(&name.len())
            && name.chars().all(letters)
            && !name.starts_with('-')
            && !name.ends_with('-');
        good.then(|| name.to_owned())
    },
);

pub(super) const SERVER_NAME: Rule<String> = Rule::new(
    "the DNS name or IP address in the peer's certificate, such as \"kme-bob\"",
    |value| {
        let name = value.as_str()?;
        rustls_pki_types::ServerName::try_from(name).ok()?;
        Some(name.to_owned())
    },
);

pub(super) const SAE_ID: Rule<String> = Rule::new(
    "the identity of an application, 1 to 256 bytes of text, such as \"app-a\"",
    |value| {
        let id = value.as_str()?;
        let good = (1..=256).contains(&id.len()) && !id.chars().any(char::is_control);
        good.then(|| id.to_owned())
    },
);

pub(super) const SAE_IDENTITY: Rule<IdentityRule> = Rule {
    expected: "the place of an application's name in its certificate, \"san-dns-or-common-name\", \
               \"san-dns\", \"san-uri\" or \"common-name\"",
    read: |value| value.as_str()?.parse().ok(),
    known: &[
        "san-dns-or-common-name",
        "san-dns",
        "san-uri",
        "common-name",
    ],
};

pub(super) const DIRECTORY: Rule<String> =
    Rule::new("the path of a folder, as a string", |value| {
        value
            .as_str()
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
    });

pub(super) const LISTEN: Rule<HostPort> = Rule::new(
    "an address to listen on, such as \"127.0.0.1:7001\" or \"[::1]:7001\" (port 0 picks a free one)",
    |value| value.as_str()?.parse().ok(),
);

pub(super) const PEER: Rule<HostPort> = Rule::new(
    "the peer's address \"host:port\" with a port from 1, such as \"bob.example:7001\"",
    |value| {
        let peer: HostPort = value.as_str()?.parse().ok()?;
        (peer.port != 0).then_some(peer)
    },
);

pub(super) const PEER_URL: Rule<HostPort> = Rule::new(
    "the peer's address \"https://host:port\" or \"host:port\" with a port from 1, such as \"https://bob.example:7002\"",
    |value| {
        let text = value.as_str()?;
        let text = text.strip_prefix("https://").unwrap_or(text);
        let peer: HostPort = text.strip_suffix('/').unwrap_or(text).parse().ok()?;
        (peer.port != 0).then_some(peer)
    },
);

/// `NAME` or `NAME:ARGUMENT`, as `qkd-attacks` reads it.
pub(super) const ATTACK: Rule<String> = Rule {
    expected: "an attack, NAME or NAME:PARAMETERS of the manual's attacks.md, such as \"passive\" or \
               \"intercept-resend:FRACTION\" with a fraction from 0 to 1",
    read: |value| {
        let attack = value.as_str()?;
        qkd_attacks::by_name(attack).ok()?;
        Some(attack.to_owned())
    },
    known: &qkd_attacks::KNOWN,
};
