//! Blinding in the table of attacks: all of the time, and for a share of it.

use qkd_optics::{LinearMode, PowerMonitor};
use qkd_sim::{Eve, Link};

use super::links::{detection_probability, faint};
use super::table::{Row, check};
use crate::{DECOY, SIGNAL, errors};

/// Slots over which bright light adds up.
const WINDOW: u64 = 10_000;
/// Slots from the beginning of the light to the first trigger.
const LEAD: u64 = 20_000;
/// Slots with light per train: Eve's steady light goes on and off between trains.
const PULSES_PER_TRAIN: f64 = 1024.0;

/// Detectors that 10⁹ photons within 10,000 slots blind, and that then click from 10⁶ on.
fn with_linear_mode(link: &mut Link) {
    let mut hardware = qkd_protocols::Hardware::of(&link.model);
    hardware.detectors.effects.linear_mode = Some(LinearMode {
        window_slots: 10_000,
        blinding_photons: 1e9,
        threshold_photons: 1e6,
    });
    hardware.detectors.effects.power_monitor = Some(PowerMonitor {
        window_slots: 10_000,
        alarm_photons: 1e6,
    });
    link.hardware = Some(hardware);
}

/// QBER and double clicks 0, half of what Eve detects clicks, every bit is hers, and the monitor of
/// the incoming light sounds in every window.
#[test]
fn blinded_detectors_click_without_error_in_half_of_the_cases_and_the_monitor_sounds() {
    let mut link = faint(81);
    link.model.misalignment_error = 0.01;
    link.model.dark_count_probability = 1e-4;
    with_linear_mode(&mut link);
    link.attack = Some(Eve::at_bobs_door("blinding"));
    let start = 50_000;
    let seen = link.eavesdrop(start..20_050_000).expect("a sound link");
    let before = link.eavesdrop(0..start).expect("a sound link").tally.resent;
    let mut row = Row::new("blinding", "all the time", 81);
    row.exactly("errors", 0.0, errors(&seen) as f64);
    row.exactly(
        "double clicks",
        0.0,
        seen.photons.receiver.double_clicks as f64,
    );
    let triggers = seen.tally.resent - before;
    row.share(
        "clicks of Eve's detections",
        0.5,
        seen.photons.registered,
        triggers,
    );
    row.exactly("information", 1.0, seen.score.all().information());
    row.exactly("alarms", 2_000.0, seen.photons.receiver.power_alarms as f64);
    check(&row);
}

/// A link that is attacked for a share of each period.
struct Shared {
    link: Link,
    share: f64,
    period: u64,
    slots: u64,
}

impl Shared {
    /// Probability that a slot holds light, at Bob's entrance, of which detectors see so much.
    fn lit(&self, efficiency: f64) -> f64 {
        let mut model = self.link.model;
        model.detector_efficiency = efficiency;
        let classes = [SIGNAL, DECOY]
            .into_iter()
            .zip(model.source.probabilities());
        classes
            .map(|(class, share)| share * detection_probability(&model, class))
            .sum()
    }

    /// Trains: first slot, slot after the last, and whether Eve attacks in them.
    fn trains(&self) -> Vec<(u64, u64, bool)> {
        let span = (PULSES_PER_TRAIN / self.lit(1.0)) as u64;
        let attacks = |from: u64| ((from % self.period) as f64) < self.share * self.period as f64;
        let starts = (0..self.slots).step_by(span as usize);
        starts
            .map(|from| (from, (from + span).min(self.slots), attacks(from)))
            .collect()
    }

    /// Share of the registered clicks that Eve's triggers made. A window with a tenth of its slots lit
    /// blinds in the next one. In light that has not blinded yet a detector clicks as often as dead time
    /// lets it, and not at all where it is blind and nothing triggers it.
    fn known(&self) -> f64 {
        let dead = self.link.model.dead_time_slots as f64;
        let rate = |probability: f64| probability / (1.0 + dead * probability);
        let honest = rate(self.lit(self.link.model.detector_efficiency));
        let (triggered, dazzled) = (rate(0.5 * self.lit(1.0)), rate(1.0));
        let (mut hers, mut others) = (0.0, 0.0);
        let (mut window, mut bright, mut blind) = (0, 0, false);
        for (from, to, attacks) in self.trains() {
            let mut slot = from;
            while slot < to {
                if slot / WINDOW > window {
                    blind = 10 * bright >= WINDOW;
                    (window, bright) = (slot / WINDOW, 0);
                }
                let aims = attacks && slot % self.period >= LEAD;
                // Whatever changes does so at the end of a window or of the train, or of the lead,
                // which is one of a window.
                let end = to.min((window + 1) * WINDOW);
                let slots = (end - slot) as f64;
                match (attacks, blind) {
                    (true, true) if aims => hers += slots * triggered,
                    (_, true) => {}
                    (true, false) => others += slots * dazzled,
                    (false, false) => others += slots * honest,
                }
                bright += if attacks { end - slot } else { 0 };
                slot = end;
            }
        }
        hers / (hers + others)
    }
}

/// `attack_signatures.csv`: shares 0.5 and 0.25 of the attack give so many of the bits, and what the
/// beginnings and ends of attacks take from that is less than chance does. Eve's ideal detectors behind
/// Bob's 50 % and half of her triggers make his rate that of the honest time.
#[test]
fn blinding_for_a_share_of_the_time_gives_that_share_of_the_bits() {
    for (seed, share) in [(82, 0.5), (83, 0.25)] {
        let mut link = faint(seed);
        link.model.detector_efficiency = 0.5;
        link.model.dead_time_slots = 100;
        with_linear_mode(&mut link);
        let (period, slots) = (20_000_000, 40_000_000);
        let spec = format!("blinding:share={share},period_slots={period}");
        link.attack = Some(Eve::at_bobs_door(spec));
        let seen = link.eavesdrop(0..slots).expect("a sound link");
        let shared = Shared {
            link,
            share,
            period,
            slots,
        };
        let all = seen.score.all();
        let mut row = Row::new("blinding", format!("share {share}"), seed);
        let (known, sifted) = (all.known.guesses, all.sifted_bits);
        row.share("known bits", shared.known(), known, sifted);
        row.share("as the literature has it", share, known, sifted);
        row.exactly("wrong among them", 0.0, (known - all.known.right) as f64);
        check(&row);
    }
}
