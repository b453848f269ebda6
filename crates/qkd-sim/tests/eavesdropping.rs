//! Every attack in every setting beside what the literature says that Alice and Bob see of it and Eve
//! learns by it. Links are free of dark counts and dead time unless the row is about them.

mod eavesdropping {
    mod blinding;
    mod laboratories;
    pub mod links;
    pub mod table;
}

use eavesdropping::links::{detection_probability, faint, link, poisson};
use eavesdropping::table::{Row, check};
use qkd_optics::{Basis, EfficiencyMismatch};
use qkd_security::{IntensityClass, binary_entropy};
use qkd_sim::{Eve, Link};

const SIGNAL: IntensityClass = IntensityClass::Signal;
const DECOY: IntensityClass = IntensityClass::Decoy;

/// `attack_signatures.csv`: fraction, QBER without misalignment, QBER with 1 %, Eve's bits.
const INTERCEPT_RESEND: [(f64, f64, f64, f64); 8] = [
    (0.0, 0.0, 0.01, 0.0),
    (0.1, 0.025, 0.0345, 0.05),
    (0.25, 0.0625, 0.07125, 0.125),
    (0.4, 0.1, 0.108, 0.2),
    (0.44, 0.11, 0.1178, 0.22),
    (0.5, 0.125, 0.1325, 0.25),
    (0.75, 0.1875, 0.19375, 0.375),
    (1.0, 0.25, 0.255, 0.5),
];

#[test]
fn intercept_resend_shows_a_quarter_of_its_fraction_and_gives_half_of_it() {
    for (seed, (fraction, clean, misaligned, bits)) in (1..).zip(INTERCEPT_RESEND) {
        for (error, qber) in [(0.0, clean), (0.01, misaligned)] {
            let mut link = faint(seed);
            link.model.misalignment_error = error;
            link.attack = Some(Eve::at_bobs_door(format!("intercept-resend:{fraction}")));
            let seen = link.eavesdrop(0..20_000_000).expect("a sound link");
            let all = seen.score.all();
            let mut row = Row::new(
                "intercept-resend",
                format!("f={fraction}, e0={error}"),
                seed,
            );
            row.share("QBER", qber, errors(&seen), all.sifted_bits);
            row.share("known bits", bits, all.known.guesses, all.sifted_bits);
            row.exactly(
                "wrong among them",
                0.0,
                (all.known.guesses - all.known.right) as f64,
            );
            let honest = detection_probability(&link.model, SIGNAL);
            row.share(
                "gain",
                honest,
                detections(&seen, SIGNAL),
                sent(&seen, &link, SIGNAL),
            );
            check(&row);
        }
    }
}

/// cos²(π/8) = 0.853553, 1 − h(0.853553) = 0.399123963307, QBER 0.25.
#[test]
fn between_the_bases_eve_is_right_in_85_percent_and_bob_wrong_in_a_quarter() {
    let mut link = faint(21);
    link.attack = Some(Eve::at_bobs_door("intercept-resend:basis=breidbart"));
    let seen = link.eavesdrop(0..40_000_000).expect("a sound link");
    let all = seen.score.all();
    let mut row = Row::new("intercept-resend", "Breidbart", 21);
    row.share("QBER", 0.25, errors(&seen), all.sifted_bits);
    row.share(
        "right guesses",
        0.853_553_390_593,
        all.likely.right,
        all.likely.guesses,
    );
    row.exactly("guesses", all.sifted_bits as f64, all.likely.guesses as f64);
    // The slope of the information at that share turns its deviation into bits.
    let slope = (0.853_553_390_593f64 / 0.146_446_609_407).log2();
    let sigma = slope * (0.125 / all.sifted_bits as f64).sqrt();
    row.near("information", 0.399_123_963_307, all.information(), sigma);
    check(&row);
}

#[test]
fn in_one_basis_eve_has_every_bit_of_it_and_half_of_the_other_is_wrong() {
    for (seed, name, own, other) in [(31, "z", Basis::Z, Basis::X), (32, "x", Basis::X, Basis::Z)] {
        let mut link = faint(seed);
        link.attack = Some(Eve::at_bobs_door(format!("intercept-resend:basis={name}")));
        let seen = link.eavesdrop(0..20_000_000).expect("a sound link");
        let statistics = seen.photons.statistics;
        let of = |basis| match basis {
            Basis::Z => statistics.key,
            Basis::X => statistics.test,
        };
        let total = |counts: [u64; 2]| counts[0] + counts[1];
        let mut row = Row::new("intercept-resend", format!("basis {name}"), seed);
        row.exactly("errors in her basis", 0.0, total(of(own).errors) as f64);
        row.share(
            "QBER in the other",
            0.5,
            total(of(other).errors),
            total(of(other).counts),
        );
        row.exactly(
            "information there",
            1.0,
            seen.score.basis(own).information(),
        );
        row.exactly(
            "information in the other",
            0.0,
            seen.score.basis(other).information(),
        );
        check(&row);
    }
}

/// All single photons can be stopped beyond 13.288 dB at μ = 0.1 and 7.234 dB at μ = 0.5; below,
/// those that cannot are the bits she does not have.
#[test]
fn without_decoys_photon_number_splitting_has_every_bit_as_soon_as_the_loss_hides_it() {
    for (seed, intensity, loss_db, slots) in [
        (41, 0.1, 14.0, 6_000_000),
        (42, 0.1, 12.0, 6_000_000),
        (43, 0.5, 8.0, 1_000_000),
        (44, 0.5, 6.0, 1_000_000),
    ] {
        let mut link = link([intensity, 1e-6], [0.999_999, 1e-6], loss_db, 1.0, seed);
        let spec = format!("photon-number-splitting:loss_db={loss_db}");
        link.attack = Some(Eve::with_lossless_line(spec));
        // What she may leave out before she has seen enough is over by then.
        let seen = link.eavesdrop(100_000..slots).expect("a sound link");
        let share = seen.score.share(Basis::Z, SIGNAL);
        let honest = detection_probability(&link.model, SIGNAL);
        let several = 1.0 - poisson(intensity, 0) - poisson(intensity, 1);
        let setting = format!("no decoy, mu={intensity}, {loss_db} dB");
        let mut row = Row::new("photon-number-splitting", setting, seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        row.share(
            "gain",
            honest,
            detections(&seen, SIGNAL),
            sent(&seen, &link, SIGNAL),
        );
        if several > honest {
            row.exactly("information", 1.0, share.information());
        } else {
            row.share(
                "known bits",
                several / honest,
                share.known.guesses,
                share.sifted_bits,
            );
        }
        check(&row);
    }
}

/// At 0.5 and 0.1 the ratio of the gains falls from 0.20127 (15 dB) and 0.20040 (20 dB) to 0.05187,
/// with n − 1 photons forwarded to detectors of 20 % to 0.047; the lower bound of the single photons'
/// yield, 3.162e-2 and 1.000e-2 on an honest line, falls to −1.691e-3 and −5.377e-4.
#[test]
fn decoys_betray_photon_number_splitting_by_the_ratio_of_the_gains_and_a_bound_below_zero() {
    for (seed, loss_db, forward, efficiency, ratio, bound) in [
        (51, 15.0, "one", 1.0, 0.051_87, Some(-1.691e-3)),
        (52, 20.0, "one", 1.0, 0.051_87, Some(-5.377e-4)),
        (53, 15.0, "rest", 0.2, 0.047, None),
    ] {
        let mut link = link([0.5, 0.1], [0.5, 0.5], loss_db, efficiency, seed);
        let slots = 8_000_000;
        let honest = link.clone().eavesdrop(0..2_000_000).expect("a sound link");
        let spec = format!("photon-number-splitting:loss_db={loss_db},forward={forward}");
        link.attack = Some(Eve::with_lossless_line(spec));
        let seen = link.eavesdrop(100_000..slots).expect("a sound link");
        let setting = format!("decoys 0.5/0.1, {loss_db} dB, forward {forward}");
        let mut row = Row::new("photon-number-splitting", setting, seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        row.exactly("information", 1.0, seen.score.all().information());
        let gain =
            |seen: &_, class| detections(seen, class) as f64 / sent(seen, &link, class) as f64;
        let seen_ratio = gain(&seen, DECOY) / gain(&seen, SIGNAL);
        let decoys = detections(&seen, DECOY) as f64;
        // The third figure of the paper's 0.047 is not given: half of it is granted.
        let rounding = if forward == "rest" { 0.0005 } else { 0.0 };
        row.near(
            "ratio of the gains",
            ratio,
            seen_ratio,
            ratio / decoys.sqrt() + rounding / 5.0,
        );
        let honest_ratio = gain(&honest, DECOY) / gain(&honest, SIGNAL);
        let spread = 0.2 / (detections(&honest, DECOY) as f64).sqrt();
        let expected =
            detection_probability(&link.model, DECOY) / detection_probability(&link.model, SIGNAL);
        row.near("ratio without Eve", expected, honest_ratio, 1.1 * spread);
        if let Some(bound) = bound {
            // Y1 ≥ μ/(μν − ν²) (Qν e^ν − Qμ e^μ ν²/μ² − …Y0) (Ma et al., PRA 72 012326, equation 34),
            // at the gain of signals that an honest line has.
            let y1 = |ratio: f64| {
                let signal = detection_probability(&link.model, SIGNAL);
                12.5 * signal * (ratio * 0.1f64.exp() - 0.5f64.exp() * 0.04)
            };
            let sigma = (y1(1.0) - y1(0.0)) * ratio / decoys.sqrt();
            row.near("bound of Y1", bound, y1(seen_ratio), sigma + 1e-7);
            row.at_most("bound of Y1", 0.0, y1(seen_ratio));
        }
        check(&row);
    }
}

/// 1 − e^(−μ(1−η)): 0.362371848378 at η = 0.1, 0.390429092704 at 0.01, for μ = 0.5.
#[test]
fn beam_splitting_shows_nothing_and_gives_what_the_fibre_would_have_lost() {
    for (seed, loss_db, bits, slots) in [
        (61, 10.0, 0.362_371_848_378, 1_000_000),
        (62, 20.0, 0.390_429_092_704, 4_000_000),
    ] {
        let mut link = link([0.5, 0.1], [0.9, 0.1], loss_db, 1.0, seed);
        let spec = format!("beam-splitting:loss_db={loss_db}");
        link.attack = Some(Eve::with_lossless_line(spec));
        let seen = link.eavesdrop(0..slots).expect("a sound link");
        let share = seen.score.share(Basis::Z, SIGNAL);
        let mut row = Row::new("beam-splitting", format!("mu=0.5, {loss_db} dB"), seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        row.share("known bits", bits, share.known.guesses, share.sifted_bits);
        row.exactly(
            "wrong among them",
            0.0,
            (share.known.guesses - share.known.right) as f64,
        );
        for class in [SIGNAL, DECOY] {
            let honest = detection_probability(&link.model, class);
            row.share(
                "gain",
                honest,
                detections(&seen, class),
                sent(&seen, &link, class),
            );
        }
        check(&row);
    }
}

/// Of n ≥ 3 photons the state is told with probability 1 − 2^(1−n/2) or 1 − 2^((1−n)/2).
#[test]
fn unambiguous_discrimination_makes_no_error_and_the_decoys_all_but_vanish() {
    let (seed, loss_db) = (71, 25.0);
    let mut link = link([0.5, 0.1], [0.5, 0.5], loss_db, 1.0, seed);
    let spec = format!("unambiguous-discrimination:loss_db={loss_db}");
    link.attack = Some(Eve::with_lossless_line(spec));
    let seen = link.eavesdrop(200_000..8_000_000).expect("a sound link");
    let told = |intensity: f64| -> f64 {
        [
            (3, 0.5),
            (4, 0.5),
            (5, 0.75),
            (6, 0.75),
            (7, 0.875),
            (8, 0.875),
        ]
        .iter()
        .map(|&(photons, told)| told * poisson(intensity, photons))
        .sum()
    };
    let expected = told(0.1) / told(0.5);
    let all = detections(&seen, SIGNAL) + detections(&seen, DECOY);
    let mut row = Row::new(
        "unambiguous-discrimination",
        format!("0.5/0.1, {loss_db} dB"),
        seed,
    );
    row.exactly("errors", 0.0, errors(&seen) as f64);
    row.exactly("information", 1.0, seen.score.all().information());
    let share = expected / (1.0 + expected);
    row.share(
        "decoys among the detections",
        share,
        detections(&seen, DECOY),
        all,
    );
    check(&row);
}

/// Two detectors whose gates lie apart so that `arrival_ps` late light sees one `ratio` times as well
/// as the other: with a deviation s and gates at ∓g the ratio is e^(2tg/s²).
fn with_mismatch(link: &mut Link, arrival_ps: f64, ratio: f64) {
    let deviation = 200.0;
    let apart = deviation * deviation * ratio.ln() / (2.0 * arrival_ps);
    let mut hardware = qkd_protocols::Hardware::of(&link.model);
    hardware.detectors.effects.efficiency_mismatch = Some(EfficiencyMismatch {
        relative_efficiency: [1.0, 1.0],
        gate_offset_ps: [-apart, apart],
        gate_deviation_ps: deviation,
        arrival_offset_ps: 0.0,
    });
    link.hardware = Some(hardware);
}

/// QBER 2r/(1+3r) (Makarov, Anisimov and Skaar); known bits (1+r)/(1+3r), from the same tree of
/// cases.
#[test]
fn faked_states_show_the_error_rate_that_the_mismatch_leaves_them() {
    for (seed, r, qber) in [
        (91, 0.1, 0.153_846_153_846),
        (92, 0.2, 0.25),
        (93, 0.5, 0.4),
        (94, 1.0, 0.5),
    ] {
        let mut link = faint(seed);
        with_mismatch(&mut link, 100.0, 1.0 / r);
        link.attack = Some(Eve::at_bobs_door("faked-states:zero_ps=-100,one_ps=100"));
        let seen = link.eavesdrop(0..40_000_000).expect("a sound link");
        let all = seen.score.all();
        let mut row = Row::new("faked-states", format!("r={r}"), seed);
        row.share("QBER", qber, errors(&seen), all.sifted_bits);
        let known = (1.0 + r) / (1.0 + 3.0 * r);
        row.share("sure of", known, all.known.guesses, all.sifted_bits);
        check(&row);
    }
}

/// 1 − h(1/(1+m)): 0.0817 at m = 2, 0.2173 at 3.297, 1 − 3.1e-8 at 1e9; QBER unchanged.
#[test]
fn time_shift_biases_every_bit_and_is_no_error() {
    for (seed, m, arrival_ps, bits, error) in [
        (101, 2.0, 100.0, 0.081_704_165_945_5, 0.0),
        (102, 3.297, 100.0, 0.217_276_312_129, 0.01),
        (103, 1e9, 1000.0, 0.999_999_968_66, 0.0),
    ] {
        let mut link = faint(seed);
        link.model.misalignment_error = error;
        with_mismatch(&mut link, arrival_ps, m);
        let spec = format!("time-shift:zero_ps=-{arrival_ps},one_ps={arrival_ps}");
        link.attack = Some(Eve::at_bobs_door(spec));
        let seen = link.eavesdrop(0..40_000_000).expect("a sound link");
        let all = seen.score.all();
        let mut row = Row::new("time-shift", format!("m={m}, e0={error}"), seed);
        row.share("QBER", error, errors(&seen), all.sifted_bits);
        // What is an error of Bob's is one of hers: she guesses his bit.
        let right = m / (1.0 + m);
        let alices = right * (1.0 - error) + (1.0 - right) * error;
        row.share("right guesses", alices, all.likely.right, all.sifted_bits);
        if error == 0.0 {
            assert!((1.0 - binary_entropy(right) - bits).abs() < 1e-9);
            let slope = (right / (1.0 - right)).log2();
            let sigma = slope * (right * (1.0 - right) / all.sifted_bits as f64).sqrt();
            row.near("information", bits, all.information(), sigma + 1e-6);
        }
        check(&row);
    }
}

#[test]
fn a_cut_fibre_is_dark_and_half_of_one_half_as_bright() {
    for (seed, share) in [(111, 1.0), (112, 0.5)] {
        let mut link = faint(seed);
        link.attack = Some(Eve::at_bobs_door(format!("denial-of-service:{share}")));
        let seen = link.eavesdrop(0..10_000_000).expect("a sound link");
        let honest = detection_probability(&link.model, SIGNAL) * (1.0 - share);
        let mut row = Row::new("denial-of-service", format!("share {share}"), seed);
        row.share(
            "gain",
            honest,
            detections(&seen, SIGNAL),
            sent(&seen, &link, SIGNAL),
        );
        row.exactly("known bits", 0.0, seen.score.all().known.guesses as f64);
        check(&row);
    }
}

fn errors(seen: &qkd_sim::Eavesdropped) -> u64 {
    let statistics = seen.photons.statistics;
    let both = [statistics.key, statistics.test];
    both.iter()
        .map(|basis| basis.errors[0] + basis.errors[1])
        .sum()
}

/// Sifted detections of one intensity, which both choose their bases for with equal chances.
fn detections(seen: &qkd_sim::Eavesdropped, class: IntensityClass) -> u64 {
    let statistics = seen.photons.statistics;
    statistics.key.counts[class.index()] + statistics.test.counts[class.index()]
}

/// Half of the pulses sent: those whose bases are equal.
fn sent(seen: &qkd_sim::Eavesdropped, link: &Link, class: IntensityClass) -> u64 {
    assert_eq!(link.model.key_basis_probability, 0.5);
    seen.photons.sent[class.index()] / 2
}
