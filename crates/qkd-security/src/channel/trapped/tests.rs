//! The chain against a receiver run slot by slot, which knows nothing of it.

use super::*;
use crate::{DecoySource, LinkModel, Statistics};

/// A small generator: what matters is that nothing of the chain is in it.
struct Coin(u64);

impl Coin {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

fn link(light: f64, dark: f64, dead: u64, a: f64, decay: f64) -> LinkModel {
    LinkModel {
        source: DecoySource::new([0.6, 0.2], [0.6, 0.4]).unwrap(),
        key_basis_probability: 0.7,
        clock_hz: 1e9,
        transmittance_channel: light,
        insertion_transmittance: 1.0,
        detector_efficiency: 1.0,
        dark_count_probability: dark,
        dead_time_slots: dead,
        afterpulse_probability: a,
        afterpulse_decay_slots: decay,
        misalignment_error: 0.05,
    }
}

struct Seen {
    slots: f64,
    registered: f64,
    statistics: Statistics<f64>,
}

/// When a run of the receiver ends.
#[derive(Clone, Copy)]
enum Until {
    Slots(u64),
    Detections(u64),
}

/// Runs the receiver slot by slot, with a list of charges.
fn run(link: &LinkModel, until: Until, coin: &mut Coin) -> Seen {
    let mut seen = Seen {
        slots: 0.0,
        registered: 0.0,
        statistics: Statistics::default(),
    };
    let (mut alive_from, mut charges): (u64, Vec<(u64, usize)>) = (0, Vec::new());
    let [signal, _] = link.source.probabilities();
    for slot in 0.. {
        let ended = match until {
            Until::Slots(slots) => slot >= slots,
            Until::Detections(detections) => seen.registered >= detections as f64,
        };
        if ended {
            break;
        }
        seen.slots += 1.0;
        let class = usize::from(!coin.chance(signal));
        let [alice_key, bob_key] = [(); 2].map(|()| coin.chance(link.key_basis_probability));
        let alice_bit = usize::from(coin.chance(0.5));
        let mean = link.transmittance() * link.source.intensities()[class];
        let wrong = if alice_key == bob_key {
            link.misalignment_error
        } else {
            0.5
        };
        let mut fired = [false; 2];
        for (detector, fired) in fired.iter_mut().enumerate() {
            let share = if detector == alice_bit {
                1.0 - wrong
            } else {
                wrong
            };
            let silent = (1.0 - link.dark_count_probability) * (-mean * share).exp();
            *fired = !coin.chance(silent);
        }
        charges.retain(|(at, detector)| {
            fired[*detector] |= *at == slot;
            *at > slot
        });
        if slot < alive_from || fired == [false; 2] {
            continue;
        }
        let both = fired[0] && fired[1];
        let bit = if both {
            usize::from(coin.chance(0.5))
        } else {
            usize::from(fired[1])
        };
        alive_from = slot + 1 + link.dead_time_slots;
        if coin.chance(link.afterpulse_probability) {
            let delay = -link.afterpulse_decay_slots * (1.0 - coin.uniform()).ln();
            let exit = if both {
                usize::from(coin.chance(0.5))
            } else {
                bit
            };
            charges.push((alive_from + delay as u64, exit));
        }
        seen.registered += 1.0;
        let basis = match (alice_key, bob_key) {
            (true, true) => &mut seen.statistics.key,
            (false, false) => &mut seen.statistics.test,
            (true, false) | (false, true) => continue,
        };
        basis.counts[class] += 1.0;
        basis.errors[class] += f64::from(u8::from(bit != alice_bit));
    }
    seen
}

/// Every figure of a model, in one order.
fn figures(registered: f64, statistics: &Statistics<f64>) -> Vec<f64> {
    let mut all = vec![registered];
    for basis in [&statistics.key, &statistics.test] {
        all.extend(basis.counts);
        all.extend(basis.errors);
    }
    all
}

const NAMES: [&str; 9] = [
    "registered",
    "key signal",
    "key decoy",
    "key signal errors",
    "key decoy errors",
    "test signal",
    "test decoy",
    "test signal errors",
    "test decoy errors",
];

/// Runs the link in pieces of 20,000 slots and wants mean and variance of every count to be those
/// expected: the means within 5 standard deviations of the total, the variances of the pieces too.
fn check(link: LinkModel, seed: u64) {
    let (pieces, slots) = (60, 20_000);
    let expected = link.expected();
    let spread = link.spread();
    let rates = figures(expected.registered_probability, &expected.per_slot());
    let variances = figures(spread.registered, &spread.statistics);
    let mut coin = Coin(seed);
    let runs: Vec<Vec<f64>> = (0..pieces)
        .map(|_| run(&link, Until::Slots(slots), &mut coin))
        .map(|seen| figures(seen.registered, &seen.statistics))
        .collect();
    for (i, name) in NAMES.iter().enumerate() {
        let (mean, variance) = (rates[i] * slots as f64, variances[i] * slots as f64);
        let total: f64 = runs.iter().map(|run| run[i]).sum();
        let n = f64::from(pieces);
        let off = (total - n * mean) / (n * variance).sqrt();
        assert!(
            off.abs() < 5.0,
            "{name}: {total} is {off:.1} sigma off {} (seed {seed}, {link:?})",
            n * mean
        );
        let seen = runs.iter().map(|run| (run[i] - mean).powi(2)).sum::<f64>() / n;
        // χ² with 60 degrees of freedom spreads by √(2/60) = 0.18, skewed to the right; counts of
        // few add their own.
        let ratio = seen / variance;
        assert!(
            (0.35..2.3).contains(&ratio),
            "{name}: variance {seen} against {variance} (seed {seed}, {link:?})"
        );
    }
}

/// Blocks of a fixed number of detections: the spread of what is in them and of the slots they take.
#[test]
fn detections_of_a_block_stray_as_the_chain_says() {
    let links = [
        link(0.5, 1e-3, 50, 0.0, 0.0),
        link(0.5, 1e-3, 1, 0.3, 3.0),
        link(0.1, 1e-2, 20, 0.3, 200.0),
        link(1e-9, 1e-2, 3, 0.5, 5.0),
    ];
    let (blocks, detections) = (400, 400);
    for (seed, link) in (31..).zip(links) {
        let shares = link.spread_of_detections();
        let per_block = |value: f64| value * detections as f64;
        let variances = figures(
            per_block(link.slots_variance_per_detection()),
            &shares.map(|share| per_block(share.variance)),
        );
        let means = figures(0.0, &shares.map(|share| per_block(share.share)));
        let predicted = figures(
            0.0,
            &link.expected().per_detection.scaled(detections as f64),
        );
        let mut coin = Coin(seed);
        let runs: Vec<Vec<f64>> = (0..blocks)
            .map(|_| run(&link, Until::Detections(detections), &mut coin))
            .map(|seen| figures(seen.slots, &seen.statistics))
            .collect();
        for (i, name) in NAMES.iter().enumerate() {
            let n = f64::from(blocks);
            let mean = runs.iter().map(|run| run[i]).sum::<f64>() / n;
            let seen = runs.iter().map(|run| (run[i] - mean).powi(2)).sum::<f64>() / n;
            let ratio = seen / variances[i];
            // √(2/400) is 0.07; rare errors are skewed.
            assert!(
                (0.6..1.6).contains(&ratio),
                "{name}: variance {seen} against {} (seed {seed}, {link:?})",
                variances[i]
            );
            if i > 0 {
                assert!((means[i] / predicted[i] - 1.0).abs() < 1e-9, "{name}");
            }
        }
    }
}

#[test]
fn the_chain_agrees_with_a_receiver_run_slot_by_slot() {
    let links = [
        link(0.5, 1e-3, 0, 0.0, 0.0),
        link(0.5, 1e-3, 50, 0.0, 0.0),
        link(0.5, 1e-3, 0, 0.1, 0.0),
        link(0.5, 1e-3, 1, 0.1, 0.0),
        link(0.5, 1e-3, 1, 0.1, 3.0),
        link(0.1, 1e-3, 0, 0.3, 20.0),
        link(0.1, 1e-2, 50, 0.1, 200.0),
        link(0.02, 1e-3, 20, 0.3, 15.0),
        link(1e-9, 1e-2, 3, 0.5, 5.0),
    ];
    for (seed, link) in (1..).zip(links) {
        check(link, seed);
    }
}

/// Charges that fire together with light and with each other, at the very edge of what is sane.
#[test]
fn bright_light_and_many_afterpulses_agree_too() {
    check(link(1.0, 0.05, 0, 0.4, 2.0), 21);
    check(link(1.0, 0.05, 2, 0.6, 1.0), 22);
}

#[test]
fn a_law_too_wide_to_follow_joins_the_one_that_is_followed() {
    let rate = |decay: f64, light: f64| {
        let trapped = link(light, 1e-4, 10, 0.3, decay).trapped();
        let expected = link(light, 1e-4, 10, 0.3, decay).expected();
        (trapped.law.len(), expected)
    };
    let (states, followed) = rate(1500.0, 0.3);
    assert!(states > 1);
    let (states, fluid) = rate(6000.0, 0.3);
    assert_eq!(states, 1);
    let apart = fluid.registered_probability / followed.registered_probability - 1.0;
    assert!(apart.abs() < 0.3 * 0.3 / 100.0, "{apart}");
    let apart = fluid.per_detection.key.qber() / followed.per_detection.key.qber() - 1.0;
    assert!(apart.abs() < 0.01, "{apart}");
    // An afterpulse in the far future is one that independent light would have made.
    let (_, forever) = rate(1e15, 0.3);
    assert!((forever.registered_probability / fluid.registered_probability - 1.0).abs() < 1e-3);
}

#[test]
fn detectors_that_never_click_trap_nothing() {
    let memory = Memory {
        dead_time_slots: 3.0,
        afterpulse_probability: 0.5,
        afterpulse_decay_slots: 10.0,
    };
    assert_eq!(Trapped::new(memory, 0.0).law, [(0.0, 1.0)]);
    let (decays, clicks) = (
        [0.0, 1e-6, 1.0, 1e3, 1e15, 1e300],
        [1e-300, 1e-20, 1e-3, 0.5, 1.0],
    );
    for (decay, click) in decays.into_iter().flat_map(|d| clicks.map(|c| (d, c))) {
        let memory = Memory {
            afterpulse_decay_slots: decay,
            ..memory
        };
        let law = Trapped::new(memory, click).law;
        let total: f64 = law.iter().map(|(_, weight)| weight).sum();
        assert!((total - 1.0).abs() < 1e-12, "{decay} {click}: {law:?}");
    }
}
