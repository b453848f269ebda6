//! Attacks on what stands in the two laboratories: generators, dead times, doors, detectors that glow,
//! lasers. Each with what lets it in, and with what keeps it out.

use qkd_bits::Defect;
use qkd_optics::{
    AlicesDoor, BackFlash, BasisChoice, DeadTimes, InwardLight, Isolation, Layout, Monitor,
    OutputMonitor, SIGNAL_BAND_MAX_NM, TimeFilter, Watchdog, WeakGenerator,
};
use qkd_protocols::Hardware;
use qkd_security::SideChannels;
use qkd_security::back_flash::LeavingFlashes;
use qkd_sim::{Eavesdropped, Eve, EveShare, Link, presets};

use super::links::{detection_probability, faint, link, poisson};
use super::table::{Row, check};
use crate::{DECOY, SIGNAL, detections, errors, sent};

fn hardware(link: &mut Link) -> &mut Hardware {
    let usual = Hardware::of(&link.model);
    link.hardware.get_or_insert(usual)
}

/// The gains of both intensities are those of an honest line.
fn honest_gains(row: &mut Row, seen: &Eavesdropped, link: &Link) {
    for class in [SIGNAL, DECOY] {
        let honest = detection_probability(&link.model, class);
        row.share(
            "gain",
            honest,
            detections(seen, class),
            sent(seen, link, class),
        );
    }
}

/// She knows this share of the bits, and errs in none of them.
fn knows(row: &mut Row, share: f64, seen: &EveShare) {
    row.share("known bits", share, seen.known.guesses, seen.sifted_bits);
    let wrong = seen.known.guesses - seen.known.right;
    row.exactly("wrong among them", 0.0, wrong as f64);
}

/// Share of the pulses that arrive which hold one photon.
fn single_photons(link: &Link) -> f64 {
    let source = link.model.source;
    let of_photons = |photons| {
        let classes = source.intensities().into_iter().zip(source.probabilities());
        let mean = |intensity: f64| intensity * link.model.transmittance_channel;
        classes
            .map(|(intensity, share)| share * poisson(mean(intensity), photons))
            .sum::<f64>()
    };
    of_photons(1) / (1.0 - of_photons(0))
}

/// `attack_signatures.csv`: QBER (1 − g)/2, g of the bits, of those that come of single photons: the
/// others pass. A health test finds nothing in it.
#[test]
fn a_foreseen_basis_shows_half_of_what_is_not_foreseen_and_gives_all_that_is() {
    for (seed, g, qber) in [
        (121, 0.5, 0.25),
        (122, 0.6, 0.2),
        (123, 0.9, 0.05),
        (124, 1.0, 0.0),
    ] {
        let mut link = faint(seed);
        hardware(&mut link).detectors.effects.weak_generator = Some(WeakGenerator {
            seed: 77,
            foreseeable: 2.0 * g - 1.0,
        });
        link.attack = Some(Eve::at_bobs_door("random-number:seed=77"));
        let seen = link.eavesdrop(0..20_000_000).expect("a sound link");
        let all = seen.score.all();
        let single = single_photons(&link);
        let mut row = Row::new("random-number", format!("g={g}"), seed);
        row.share("QBER", qber * single, errors(&seen), all.sifted_bits);
        knows(&mut row, g * single, &all);
        honest_gains(&mut row, &seen, &link);
        check(&row);
    }
}

/// Whoever broke the generators, no key comes of them.
#[test]
fn a_generator_that_fails_ends_the_run_before_there_is_a_key() {
    for (side, defect) in [
        (0, Defect::Biased { ones_of_256: 154 }),
        (1, Defect::Stuck { bit: true }),
    ] {
        let mut link = presets::snspd(0.0, 125).expect("the preset is sound");
        link.defects[side] = Some(defect);
        let ended = match link.run() {
            Ok(_) => panic!("side {side}: {defect:?} went through"),
            Err(error) => error.to_string(),
        };
        assert!(ended.contains("the random generator failed"), "{ended}");
    }
}

/// Four detectors that count light in the middle of its slot alone, each with its own dead time or all
/// with one.
fn four_detectors(seed: u64, dead_times: DeadTimes) -> Link {
    let mut link = faint(seed);
    link.model.dead_time_slots = 10;
    let effects = &mut hardware(&mut link).detectors.effects;
    effects.basis_choice = BasisChoice::Passive;
    effects.dead_times = dead_times;
    effects.time_filter = Some(TimeFilter {
        half_width_ps: 500.0,
    });
    link
}

/// No error, and more than 0.9 bit of every bit; what is missing are detectors that clicked in one period
/// and wake up in the next.
#[test]
fn independent_dead_times_give_nine_tenths_of_every_bit_away_and_are_no_error() {
    let mut link = four_detectors(131, DeadTimes::Independent);
    link.attack = Some(Eve::at_bobs_door("dead-time:dead_slots=10"));
    let seen = link.eavesdrop(0..8_000_000).expect("a sound link");
    let all = seen.score.all();
    let mut row = Row::new("dead-time", "independent", 131);
    row.exactly("errors", 0.0, errors(&seen) as f64);
    row.at_most("what Eve does not know", 0.1, 1.0 - all.information());
    // A quarter of the time the detector of a photon is the one that is awake.
    assert!(all.sifted_bits > 5_000, "{}", all.sifted_bits);
    check(&row);
}

/// With one pulse after the other nothing is detected any more, with pauses between them what is
/// detected in those, of which she knows nothing.
#[test]
fn a_common_dead_time_gives_eve_a_dark_link_or_nothing() {
    for (seed, period) in [(132, 11), (133, 22)] {
        let mut link = four_detectors(seed, DeadTimes::Common);
        let spec = format!("dead-time:dead_slots=10,period_slots={period}");
        link.attack = Some(Eve::at_bobs_door(spec));
        let seen = link.eavesdrop(0..2_000_000).expect("a sound link");
        let mut row = Row::new("dead-time", format!("common, period {period}"), seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        // After a click late in a pause all of them sleep through her next pulse.
        let known = seen.score.all().known;
        row.share("right guesses", 0.5, known.right, known.guesses);
        let registered = seen.photons.registered;
        assert_eq!(registered == 0, period == 11, "{registered}");
        check(&row);
    }
}

/// `attack_signatures.csv`: the QBER of each state that may be sent, with δ = 90, 45 and 22.5 degrees.
#[test]
fn phase_remapping_errs_less_the_closer_the_states_and_only_in_a_two_way_system() {
    for (seed, delta, resend, qber) in [
        (141, "90", "best", 0.25),
        (142, "45", "0", 0.177_015_529_579),
        (143, "45", "1", 0.3312),
        (144, "45", "3", 0.177_015_529_579),
        (145, "22.5", "0", 0.160_356_896_617),
        (146, "22.5", "2", 0.3494),
        (147, "22.5", "best", 0.160_356_896_617),
    ] {
        let mut link = faint(seed);
        link.door.layout = Layout::TwoWay;
        let spec = format!("phase-remapping:delta_deg={delta},resend={resend}");
        link.attack = Some(Eve::at_bobs_door(spec));
        let seen = link.eavesdrop(0..20_000_000).expect("a sound link");
        let sifted = seen.score.all().sifted_bits;
        let setting = format!("delta={delta}, resend {resend}");
        let mut row = Row::new("phase-remapping", setting, seed);
        row.share("QBER", qber, errors(&seen), sifted);
        check(&row);
    }
    // A laser of Alice's own is met by nobody: the same measurement errs on her states as on any.
    let mut link = faint(148);
    link.attack = Some(Eve::at_bobs_door("phase-remapping"));
    let seen = link.eavesdrop(0..4_000_000).expect("a sound link");
    let qber = errors(&seen) as f64 / seen.score.all().sifted_bits as f64;
    assert!(qber > 0.24, "{qber}");
}

/// A door with this loss in the signal's band and beyond, and a diode that sees as far as the band.
fn door([signal_band_db, long_wave_db]: [f64; 2]) -> AlicesDoor {
    AlicesDoor {
        isolation: Isolation {
            signal_band_db,
            long_wave_db,
        },
        watchdog: Some(Watchdog {
            alarm_photons: 1e4,
            wavelength_max_nm: SIGNAL_BAND_MAX_NM,
        }),
        ..AlicesDoor::default()
    }
}

/// A bit with probability 1 − e^(−μ_out), and nothing that Alice or Bob could count. In the signal's band
/// the watchdog sees light that is bright enough, at 1924 nm nobody does unless a filter is there.
#[test]
fn a_trojan_horse_is_seen_by_the_watchdog_in_the_signals_band_alone() {
    let photons = 5e6;
    for (seed, wavelength_nm, isolation_db, returned, alarms) in [
        (151, 1536.0, [80.0, 80.0], 0.05, 1),
        (152, 1536.0, [170.0, 80.0], 0.0, 1),
        (153, 1924.0, [170.0, 80.0], 0.05, 0),
        (154, 1924.0, [170.0, 170.0], 0.0, 0),
    ] {
        let mut link = faint(seed);
        link.door = door(isolation_db);
        let spec = format!("trojan-horse:photons={photons},wavelength_nm={wavelength_nm}");
        link.attack = Some(Eve::at_bobs_door(spec));
        let light = InwardLight {
            wavelength_nm,
            photons,
        };
        let comes_back = link.door.returned_photons(&light);
        assert!((comes_back - returned).abs() < 1e-3, "{comes_back}");
        let seen = link.eavesdrop(0..5_000_000).expect("a sound link");
        let all = seen.score.all();
        let setting = format!("{wavelength_nm} nm, mu_out={returned}");
        let mut row = Row::new("trojan-horse", setting, seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        let known = 1.0 - f64::exp(-returned);
        knows(&mut row, known, &all);
        honest_gains(&mut row, &seen, &link);
        check(&row);
        let said = link.door_alarms().expect("there is such an attack");
        assert_eq!(said.len(), alarms, "{wavelength_nm} nm: {said:?}");
        assert!(said.iter().all(|it| it.monitor == Monitor::BackwardLight));
    }
}

/// p·T·η of the bits, and nothing that anybody could count; an isolator leaves nothing of it.
#[test]
fn detectors_that_glow_give_the_share_of_clicks_away_whose_light_gets_out() {
    for (seed, isolation_db, known) in [(161, 3.0, 0.015_035_617_008), (162, 60.0, 3e-8)] {
        let mut link = faint(seed);
        hardware(&mut link).detectors.effects.back_flash = Some(BackFlash {
            probability: 0.06,
            isolation_db,
        });
        link.attack = Some(Eve::at_bobs_door("back-flash:0.5"));
        let seen = link.eavesdrop(0..20_000_000).expect("a sound link");
        let all = seen.score.all();
        let mut row = Row::new("back-flash", format!("isolation {isolation_db} dB"), seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        knows(&mut row, known, &all);
        honest_gains(&mut row, &seen, &link);
        check(&row);
    }
}

/// Bits that a block of this link is charged for what its laboratories are stated to leak, for each bit
/// of its key basis, and the fixed length.
fn charged(link: &mut Link, leaks: SideChannels) -> (f64, u64) {
    link.model.source = link
        .model
        .source
        .with_side_channels(leaks)
        .expect("in range");
    link.block_bits = 10_000_000;
    let plan = link.plan().expect("a sound link");
    let bits = plan.statistics_expected.key.total_counts();
    let charged = plan.length_expected.side_channel_bits() / bits;
    (charged, plan.acceptance.secret_length_bits)
}

/// She scores herself: with as much light as was stated she never has more than was taken away for it.
#[test]
fn eve_learns_no_more_of_a_leaking_laboratory_than_is_charged_for_it() {
    for (seed, photons, key) in [(163, 1e3, true), (164, 2e4, true), (165, 5e6, false)] {
        let mut link = faint(seed);
        link.door = door([170.0, 80.0]);
        let spec = format!("trojan-horse:photons={photons},wavelength_nm=1924");
        link.attack = Some(Eve::at_bobs_door(spec));
        let light = InwardLight {
            wavelength_nm: 1924.0,
            photons,
        };
        let leaks = SideChannels {
            reflected_photons: link.door.returned_photons(&light),
            ..SideChannels::NONE
        };
        let (charged, fixed) = charged(&mut link, leaks);
        let all = link
            .eavesdrop(0..1_000_000)
            .expect("a sound link")
            .score
            .all();
        let (known, paid) = (all.known.right as f64, charged * all.sifted_bits as f64);
        assert!(known <= paid, "{photons}: {known} of {paid} bits");
        assert_eq!(
            fixed > 0,
            key,
            "{photons}: {fixed} bits, {charged} charged for each"
        );
    }
    let mut link = faint(166);
    let flashes = BackFlash {
        probability: 0.06,
        isolation_db: 3.0,
    };
    hardware(&mut link).detectors.effects.back_flash = Some(flashes);
    link.attack = Some(Eve::at_bobs_door("back-flash:1"));
    let probability = flashes.probability * qkd_optics::transmittance(3.0);
    let leaks = SideChannels {
        back_flash_probability: probability,
        ..SideChannels::NONE
    };
    let (charged, fixed) = charged(&mut link, leaks);
    assert!(
        charged > probability && fixed > 0,
        "{charged}, {fixed} bits"
    );
    let all = link
        .eavesdrop(0..2_000_000)
        .expect("a sound link")
        .score
        .all();
    // With perfect detectors she has the whole mean: the rest of the charge is for her luck.
    let flashes = LeavingFlashes { probability };
    let paid = flashes
        .charged_bits(all.sifted_bits, 1e-11)
        .expect("in range");
    let known = all.known.right;
    assert!(known > 0 && known <= paid, "{known} of {paid} bits");
}

/// Twice as bright, Bob counts what he always counts, and Eve holds photons of a signal with probability
/// 1 − e^(−μ(2−η)) = 0.613 where the bound assumes 1 − e^(−μ(1−η)) = 0.362. Isolated, the laser does
/// what it is told.
#[test]
fn a_seeded_laser_leaves_all_counts_alone_and_alices_diodes_see_it() {
    let honest = 0.362_371_848_378;
    for (seed, isolation_db, brighter, known, sees) in [
        (
            171,
            60.0,
            2.0,
            0.613_258_976,
            [Monitor::BackwardLight, Monitor::OutputPower].as_slice(),
        ),
        (172, 160.0, 1.0, honest, [Monitor::BackwardLight].as_slice()),
    ] {
        let mut link = link([0.5, 0.1], [0.9, 0.1], 10.0, 1.0, seed);
        link.door = AlicesDoor {
            laser_isolation: Isolation::everywhere(isolation_db),
            seeding_per_photon: 1.0,
            output_monitor: Some(OutputMonitor { tolerance: 0.05 }),
            ..door([170.0; 2])
        };
        let spec = format!("laser-seeding:photons=1e6,brighter={brighter},loss_db=10");
        link.attack = Some(Eve::with_lossless_line(spec));
        let seen = link.eavesdrop(0..1_000_000).expect("a sound link");
        let share = seen.score.share(qkd_optics::Basis::Z, SIGNAL);
        let mut row = Row::new("laser-seeding", format!("{brighter} times as bright"), seed);
        row.exactly("errors", 0.0, errors(&seen) as f64);
        row.share("known bits", known, share.known.guesses, share.sifted_bits);
        honest_gains(&mut row, &seen, &link);
        check(&row);
        let said = link.door_alarms().expect("there is such an attack");
        let monitors: Vec<_> = said.iter().map(|alarm| alarm.monitor).collect();
        assert_eq!(monitors, sees, "{said:?}");
    }
}

/// Without Eve they count what every receiver counts: dark counts, dead time and double clicks included.
#[test]
fn a_weak_generator_and_detectors_looked_at_one_by_one_do_what_the_formulas_say() {
    for (seed, weak) in [(181, true), (182, false)] {
        let mut link = faint(seed);
        link.model.dark_count_probability = 1e-4;
        link.model.dead_time_slots = 30;
        link.model.misalignment_error = 0.02;
        let effects = &mut hardware(&mut link).detectors.effects;
        if weak {
            effects.weak_generator = Some(WeakGenerator {
                seed: 3,
                foreseeable: 0.7,
            });
        } else {
            effects.time_filter = Some(TimeFilter {
                half_width_ps: 500.0,
            });
        }
        let counts = link.count_photons(10_000_000).expect("a sound link");
        assert!(counts.receiver.dark_counts > 0);
        for row in counts.against(&link.model) {
            assert!(row.is_within(5.0), "seed {seed}: {row:?}");
        }
    }
}
