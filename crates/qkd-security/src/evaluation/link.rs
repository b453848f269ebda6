use super::Evaluation;
use crate::mathematics::{log2, pow};
use crate::{Error, Figure, binary_entropy, range, repeaterless};

/// What is known of the line.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Link {
    /// Loss of the line alone, dB, 0 or more.
    pub loss_db: Option<f64>,
    /// Slots per second, Hz.
    pub clock_hz: Option<f64>,
}

impl Link {
    /// Part of the light that the line lets through, when its loss is known.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a negative loss.
    pub(super) fn transmittance(&self) -> Result<Option<f64>, Error> {
        let Some(loss) = self.loss_db else {
            return Ok(None);
        };
        let loss = range::not_negative("loss_db", loss, "decibels of loss, zero or more")?;
        Ok(Some(pow(10.0, -loss / 10.0)))
    }

    /// Adds the repeaterless bound and the secret bits per slot, and says which rates no line with
    /// this loss and this clock can have; `registered_hz` is how many detections a second were kept.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a negative loss or a clock that is not above 0.
    pub(super) fn hold(
        &self,
        evaluation: &mut Evaluation,
        registered_hz: Option<f64>,
    ) -> Result<(), Error> {
        let mut bound_per_slot = None;
        if let Some(transmittance) = self.transmittance()? {
            let bound = repeaterless::bits_per_use(transmittance)?;
            let meaning = "most that there is without repeaters";
            let figure = Figure::plain("repeaterless_bits_per_pulse", bound, meaning);
            evaluation.figures.push(figure.measured_in("bits/pulse"));
            bound_per_slot = Some(bound);
        }
        let Some(clock_hz) = self.clock_hz else {
            return Ok(());
        };
        let clock_hz = range::positive("clock_hz", clock_hz, "a clock rate in Hz above 0")?;
        if let Some(registered_hz) = registered_hz.filter(|registered| *registered > clock_hz) {
            evaluation.note(format!(
                "{registered_hz:.0} detections per second are more than the {clock_hz} slots that \
                 there are: clock_hz, or what the rate is made of, cannot be right."
            ));
        }
        let rate = evaluation.secret_key_rate_bps;
        evaluation.secret_bits_per_pulse = rate.map(|rate| rate / clock_hz);
        let Some(bound_bps) = bound_per_slot.map(|bound| bound * clock_hz) else {
            return Ok(());
        };
        let figure = Figure::plain("repeaterless_bps", bound_bps, "the same at clock_hz");
        evaluation.figures.push(figure.measured_in("bit/s"));
        if rate.is_some_and(|rate| rate > bound_bps) {
            evaluation.note(
                "The rate exceeds what any link without repeaters can give over this loss: \
                 loss_db, clock_hz or the time that the bits took cannot be right.",
            );
        }
        Ok(())
    }
}

/// Bits and errors that error correction may treat by themselves.
#[derive(Clone, Copy)]
pub(super) struct Sifted {
    pub bits: f64,
    pub qber: f64,
}

/// Says so when `leaked_bits` cannot have corrected `classes`. There are at most n + 1 numbers of
/// errors, so that the patterns of one of them are 2^(n h(Q)) / (n + 1) or more: less than that many
/// no message tells apart.
pub(super) fn note_leaked_too_little(
    evaluation: &mut Evaluation,
    leaked_bits: f64,
    classes: impl Iterator<Item = Sifted> + Clone,
) {
    let sum = |bits: fn(Sifted) -> f64| -> f64 { classes.clone().map(bits).sum() };
    let limit = sum(|class| class.bits * binary_entropy(class.qber));
    let short = sum(|class| log2(class.bits + 1.0));
    if leaked_bits < limit - short {
        evaluation.note(format!(
            "{leaked_bits} bits disclosed are {:.2} of the Shannon limit: error correction cannot \
             reveal less than n h(Q), here {limit:.0} bits, in the long run. Either leaked_bits is \
             not all that was said, or the error rate is not that of these bits.",
            leaked_bits / limit
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::tests::{boaron, figure, small_block};
    use crate::evaluation::{Disclosed, Measured};

    fn notes(measured: Measured, word: &str) -> usize {
        let found = measured.evaluate().unwrap();
        let said = found.notes.iter().filter(|note| note.contains(word));
        said.count()
    }

    #[test]
    fn bits_below_the_shannon_limit_are_said_to_be_too_few() {
        let limit = |found: &Evaluation| {
            let leaked = Disclosed::Inefficiency(1.0);
            let bits = figure(found, "block_bits");
            leaked.bits(bits, figure(found, "qber")).unwrap()
        };
        for (share, said) in [(0.97, 1), (1.0, 0), (1.03, 0)] {
            let mut counts = small_block();
            let bits = limit(&Measured::Counts(counts.clone()).evaluate().unwrap());
            counts.disclosed = Disclosed::Bits(share * bits);
            assert_eq!(notes(Measured::Counts(counts), "Shannon"), said, "{share}");

            let mut summary = boaron(1e7, 0.005, 0.022);
            let bits = limit(&Measured::Summary(summary.clone()).evaluate().unwrap());
            summary.disclosed = Disclosed::Bits(share * bits);
            assert_eq!(
                notes(Measured::Summary(summary), "Shannon"),
                said,
                "{share}"
            );
        }
    }

    #[test]
    fn an_intensity_with_fewer_errors_may_be_corrected_by_itself() {
        let mut counts = small_block();
        let key = &mut counts.block.key;
        key.errors = vec![0.0, 0.2 * key.counts[1]];
        let alone = key.counts[1] * binary_entropy(0.2);
        assert!(alone < 0.9 * key.total_counts() * binary_entropy(key.qber()));
        for (share, said) in [(1.01, 0), (0.97, 1)] {
            counts.disclosed = Disclosed::Bits(share * alone);
            let measured = Measured::Counts(counts.clone());
            assert_eq!(notes(measured, "Shannon"), said, "{share}");
        }
    }

    #[test]
    fn more_detections_than_slots_are_said_to_be_impossible() {
        for (clock_hz, said) in [(9e5, 1), (1.1e6, 0)] {
            let mut summary = boaron(1e7, 0.005, 0.022);
            summary.sifted_rate_bps = Some(1e6);
            summary.link.clock_hz = Some(clock_hz);
            assert_eq!(notes(Measured::Summary(summary), "slots"), said);

            // Those of both bases count.
            let mut counts = small_block();
            let block = &counts.block;
            let all = block.key.total_counts() + block.test.total_counts();
            counts.seconds = Some(all / 1e6);
            counts.link.clock_hz = Some(clock_hz);
            assert_eq!(notes(Measured::Counts(counts), "slots"), said);
        }
    }

    #[test]
    fn counts_are_held_against_the_repeaterless_bound_too() {
        let mut counts = small_block();
        counts.seconds = Some(1.0);
        counts.link = Link {
            loss_db: Some(10.0),
            clock_hz: Some(1e8),
        };
        let found = Measured::Counts(counts.clone()).evaluate().unwrap();
        let rate = found.secret_key_rate_bps.unwrap();
        assert!(rate > 0.0);
        assert_eq!(found.secret_bits_per_pulse, Some(rate / 1e8));
        let bound = figure(&found, "repeaterless_bps");
        assert_eq!(bound, 1e8 * figure(&found, "repeaterless_bits_per_pulse"));
        assert!(rate < bound, "{rate} above {bound}");
        assert_eq!(notes(Measured::Counts(counts.clone()), "repeaters"), 0);
        counts.link.loss_db = Some(60.0);
        assert_eq!(notes(Measured::Counts(counts), "repeaters"), 1);
    }
}
