//! A laser that somebody makes brighter than it was set to be.

use super::{Sampler, Sampling, Transmitter};
use crate::Error;

impl Transmitter {
    /// From the next slot on every pulse is `times` as bright as it was set to be, 1 or more, as light
    /// that reaches the laser makes it (Huang et al., Phys. Rev. Applied 12, 064043 (2019)); 1 is as
    /// it should be. The laser saturates as [`Source::brightened`](crate::Source::brightened) says.
    ///
    /// What Alice chose is drawn as before, and slots that were sent stay what they were. What is said
    /// of empty slots ([`choice_at`](Self::choice_at), [`close_totals`](Self::close_totals)) follows
    /// the brightness that each was sent with: the classes of light that is brighter are emptier.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for what is no factor, and where the source's own law knows no light that
    /// bright (a single-photon source); nothing changes then.
    pub fn brighten(&mut self, times: f64) -> Result<(), Error> {
        if !(1.0..).contains(&times) {
            return Err(Error::OutOfRange {
                name: "times as bright",
                value: times,
                expected: "1 or more",
            });
        }
        let times = self.source.saturated(times);
        if times == self.brightness {
            return Ok(());
        }
        let brighter = self.source.brightened(times);
        brighter.check()?;
        let law = brighter.emission_law(self.segment_transmittance);
        self.density = law.density();
        self.brightness = times;
        self.empty_slots.change(self.next_slot, &law.empty);
        let cheaper = Sampling::for_density(self.density.occupied_probability);
        let dark = std::mem::replace(&mut self.sampler, Sampler::Dark);
        if let Some(generator) = dark.into_generator() {
            self.sampler = Sampler::of(&law, self.sampling.unwrap_or(cheaper), generator);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use qkd_bits::{Defect, SecretRng};

    use super::*;
    use crate::{INTENSITY_MAX, Source};

    const SEGMENT: f64 = 0.25;
    const SPAN: u32 = 200_000;

    fn alice(seed: u8) -> Transmitter {
        let source = Source {
            clock_hz: 1e9,
            intensities: vec![0.5, 0.1],
            intensity_probabilities: vec![0.6, 0.4],
            key_basis_probability: 0.8,
            effects: Default::default(),
        };
        Transmitter::new(source, SEGMENT, SecretRng::from_seed([seed; 32])).expect("sound")
    }

    /// Share of slots that hold light, p_k (1 − e^(−μ_k η)) summed, of light so many times as bright.
    fn occupied(times: f64) -> f64 {
        let of = |p: f64, mu: f64| p * -(-mu * times * SEGMENT).exp_m1();
        of(0.6, 0.5) + of(0.4, 0.1)
    }

    /// P(signal | empty).
    fn signals_among_empty(times: f64) -> f64 {
        0.6 * (-0.5 * times * SEGMENT).exp() / (1.0 - occupied(times))
    }

    fn sigmas(hits: u64, trials: f64, p: f64) -> f64 {
        (hits as f64 - trials * p).abs() / (trials * p * (1.0 - p)).sqrt()
    }

    #[test]
    fn brighter_light_is_brighter_from_its_slot_on_and_what_was_sent_stays_what_it_was() {
        let mut alice = alice(1);
        let mut pieces = Vec::new();
        for times in [1.0, 4.0, 1.0] {
            alice.brighten(times).expect("a factor");
            let from = alice.next_slot();
            let train = alice.transmit(SPAN);
            let lit: Vec<u64> = train
                .pulses
                .iter()
                .map(|p| from + u64::from(p.offset))
                .collect();
            assert!(sigmas(lit.len() as u64, SPAN.into(), occupied(times)) < 5.0);
            pieces.push((times, from, lit));
        }
        for (times, from, lit) in &pieces {
            let (mut empty, mut signals) = (0u64, 0);
            let mut counts = [0u64; 2];
            for slot in *from..from + u64::from(SPAN) {
                let choice = alice.choice_at(slot).expect("known");
                if lit.binary_search(&slot).is_err() {
                    empty += 1;
                    signals += u64::from(choice.intensity.0 == 0);
                }
                counts[usize::from(choice.intensity.0)] += 1;
            }
            let expected = signals_among_empty(*times);
            assert!(sigmas(signals, empty as f64, expected) < 5.0, "{times}");
            // Whatever comes of it, Alice chose as she always does.
            assert!(
                sigmas(counts[0], SPAN.into(), 0.6) < 5.0,
                "{times}: {counts:?}"
            );
        }
        // Across both changes, and from the middle of one law to that of another.
        let end = alice.next_slot();
        for slots in [0..end, u64::from(SPAN / 2)..end - 7] {
            let totals = alice.close_totals(slots.clone()).expect("known");
            let all = (slots.end - slots.start) as f64;
            assert_eq!(totals.iter().sum::<u64>() as f64, all);
            assert!(sigmas(totals[0], all, 0.6) < 5.0, "{totals:?}");
            assert_eq!(alice.close_totals(slots), Ok(totals));
        }
    }

    #[test]
    fn what_is_forgotten_takes_its_law_along_and_what_is_kept_keeps_its_own() {
        let mut alice = alice(2);
        for round in 0..100 {
            alice
                .brighten(if round % 2 == 0 { 3.0 } else { 1.0 })
                .expect("a factor");
            let _gone = alice.transmit(100);
        }
        let choices = |alice: &Transmitter| -> Vec<u8> {
            let of = |slot| alice.choice_at(slot).expect("known").intensity.0;
            (9_050..10_000).map(of).collect()
        };
        let before = choices(&alice);
        alice.forget_before(9_050);
        assert_eq!(choices(&alice), before);
        assert!(alice.choice_at(9_049).is_err());
        let (pieces, first) = {
            let known = 9_050..10_000;
            let pieces: Vec<_> = alice
                .empty_slots
                .pieces(&known)
                .map(|(piece, _)| piece)
                .collect();
            (pieces.len(), pieces[0].clone())
        };
        assert_eq!((pieces, first), (10, 9_050..9_100));
    }

    #[test]
    fn no_light_makes_a_laser_brighter_than_it_can_be_and_what_is_no_factor_is_refused() {
        let mut alice = alice(3);
        for factor in [0.5, 0.0, -1.0, f64::NAN] {
            assert!(alice.brighten(factor).is_err(), "{factor}");
        }
        for factor in [1e12, f64::INFINITY] {
            alice.brighten(factor).expect("it saturates");
            assert_eq!(alice.brightness, INTENSITY_MAX / 0.5);
        }
        assert_eq!(
            alice.source().intensities,
            [0.5, 0.1],
            "what Alice believes"
        );
    }

    /// Honest light never takes more than is reckoned with, brighter light is counted, and its memory is not
    /// kept once it is forgotten.
    #[test]
    fn light_that_is_made_brighter_takes_more_memory_while_it_is_remembered_and_not_afterwards() {
        let mut alice = alice(6);
        let slots = 10 * u64::from(SPAN);
        let undisturbed = alice.undisturbed_bytes(slots);
        for times in [1.0, 32.0, 1.0] {
            alice.brighten(times).expect("a factor");
            for _ in 0..10 {
                let _gone = alice.transmit(SPAN);
            }
            let entries = slots as f64 * occupied(times) * 4.0;
            let off = alice.remembered_bytes() as f64 / entries - 1.0;
            assert!(off.abs() < 0.01, "{times}: {off}");
            assert_eq!(alice.remembered_bytes() > undisturbed, times > 1.0);
            alice.forget_before(alice.next_slot());
            assert!(alice.remembered_bytes() < 1_000, "{times}");
            assert_eq!(alice.record.spares(), if times > 1.0 { 0 } else { 10 });
        }
    }

    #[test]
    fn every_change_of_the_light_is_counted_among_what_is_remembered() {
        let mut alice = alice(7);
        for round in 0..1_000 {
            alice
                .brighten(1.0 + f64::from(round % 2))
                .expect("a factor");
            let _gone = alice.transmit(1);
        }
        assert!(alice.remembered_bytes() > 1_000 * 64);
        assert!(alice.undisturbed_bytes(1_000) >= 4_000 * 3 / 20);
    }

    #[test]
    fn a_generator_that_fails_is_noticed_however_often_the_light_changes() {
        let mut alice = alice(4);
        alice.spoil_generator(Defect::Stuck { bit: true });
        for round in 0..20 {
            alice
                .brighten(1.0 + f64::from(round % 2))
                .expect("a factor");
            let _gone = alice.transmit(10_000);
        }
        assert!(alice.generator_alarm().is_some());
    }

    /// The same seed sends the same light when nobody has ever looked in.
    #[test]
    fn a_laser_that_is_left_alone_sends_what_it_always_sent() {
        let (mut left_alone, mut asked) = (alice(5), alice(5));
        asked.brighten(1.0).expect("a factor");
        let offsets = |alice: &mut Transmitter| -> Vec<u32> {
            let train = alice.transmit(SPAN);
            train.pulses.iter().map(|pulse| pulse.offset).collect()
        };
        assert_eq!(offsets(&mut left_alone), offsets(&mut asked));
    }
}
