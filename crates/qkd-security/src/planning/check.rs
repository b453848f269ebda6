//! What a plan's input may be. Narrower than what the formulas take where these would overflow:
//! no plan needs a probability of 1e-300.

use super::channel::Channel;
use super::published::{Paper, PublishedChannel};
use super::{CLASSES_MAX, ChannelModel, Frame, PlanInput, PlanLink, PlanTheorem, Setting};
use crate::channel::{Memory, Receiver};
use crate::range::{self, require};
use crate::{DecoySource, Error, SideChannels, lim2014};

/// The darkest pulse that counts as light, and the rarest thing that is chosen.
const LEAST: f64 = 1e-9;

impl Frame {
    /// Everything but what Alice and Bob choose, when it lies in its range.
    pub(super) fn new(input: &PlanInput) -> Result<Self, Error> {
        let link = &input.link;
        check_fibre_and_detectors(link)?;
        range::inefficiency(input.reconciliation_inefficiency)?;
        if input.theorem.is_finite() {
            check_block(input)?;
        }
        known_side_channels(input.side_channels, input.theorem)?;
        Ok(Frame {
            theorem: input.theorem,
            channel: channel(input),
            clock_hz: checked_clock(link.clock_hz)?,
            transmittance_channel: link.transmittance_channel,
            block_bits: input.block_bits as f64,
            parameters: input.parameters,
            side_channels: input.side_channels,
            reconciliation_inefficiency: input.reconciliation_inefficiency,
        })
    }
}

/// No theorem overlooks what is stated.
pub(crate) fn known_side_channels(leaks: SideChannels, theorem: PlanTheorem) -> Result<(), Error> {
    let leaks = leaks.checked()?;
    let expected = "0 under every theorem but wiesemann2024, which alone reckons with it";
    for (what, value) in [
        ("reflected_photons", leaks.reflected_photons),
        ("back_flash_probability", leaks.back_flash_probability),
    ] {
        let holds = value == 0.0 || theorem == PlanTheorem::Wiesemann2024;
        require(what, value, holds, expected)?;
    }
    Ok(())
}

fn channel(input: &PlanInput) -> Channel {
    let link = &input.link;
    let transmittance =
        link.transmittance_channel * link.insertion_transmittance * link.detector_efficiency;
    match input.channel {
        ChannelModel::Exact => Channel::Exact {
            receiver: Receiver {
                transmittance,
                dark_count_probability: link.dark_count_probability,
                misalignment_error: link.misalignment_error,
                memory: Memory {
                    dead_time_slots: link.dead_time_slots as f64,
                    afterpulse_probability: link.afterpulse_probability,
                    afterpulse_decay_slots: link.afterpulse_decay_slots,
                },
            },
            table: None,
        },
        ChannelModel::Published => Channel::Published(PublishedChannel {
            paper: Paper::of(input.theorem),
            transmittance,
            dark_count_probability: link.dark_count_probability,
            misalignment_error: link.misalignment_error,
            afterpulse_probability: link.afterpulse_probability,
            dead_time_slots: link.dead_time_slots as f64,
        }),
    }
}

fn checked_clock(clock_hz: f64) -> Result<f64, Error> {
    let holds = (1e-3..=1e15).contains(&clock_hz);
    require(
        "clock_hz",
        clock_hz,
        holds,
        "a frequency from 0.001 to 1e15 Hz",
    )
}

fn check_fibre_and_detectors(link: &PlanLink) -> Result<(), Error> {
    let value = link.transmittance_channel;
    let holds = (1e-100..=1.0).contains(&value);
    let expected = "a transmittance from 1e-100 to 1 (no unit; 1000 dB to 0 dB)";
    require("transmittance_channel", value, holds, expected)?;
    for (what, value) in [
        ("insertion_transmittance", link.insertion_transmittance),
        ("detector_efficiency", link.detector_efficiency),
    ] {
        // A loss of 90 dB may be rounded to a little less than 1e-9.
        let holds = (LEAST * (1.0 - 1e-12)..=1.0).contains(&value);
        require(what, value, holds, "a number from 1e-9 to 1 (no unit)")?;
    }
    range::below_one("dark_count_probability", link.dark_count_probability)?;
    range::below_one("afterpulse_probability", link.afterpulse_probability)?;
    let expected = "zero or more slots";
    range::not_negative(
        "afterpulse_decay_slots",
        link.afterpulse_decay_slots,
        expected,
    )?;
    range::error_rate("misalignment_error", link.misalignment_error)?;
    Ok(())
}

fn check_block(input: &PlanInput) -> Result<(), Error> {
    let bits = input.block_bits as f64;
    let holds = (1.0..=1e15).contains(&bits);
    require("block_bits", bits, holds, "from 1 to 1e15 sifted bits")?;
    for (what, value) in [
        ("secrecy", input.parameters.secrecy),
        ("correctness", input.parameters.correctness),
    ] {
        let holds = (1e-100..1.0).contains(&value);
        require(what, value, holds, "a probability from 1e-100 to below 1")?;
    }
    Ok(())
}

impl Setting {
    /// What a configuration chooses, when the theorem can take it.
    pub(super) fn of(input: &PlanInput) -> Result<Self, Error> {
        let link = &input.link;
        let mut setting = Setting {
            intensities: [0.0; CLASSES_MAX],
            probabilities: [0.0; CLASSES_MAX],
            key_basis_probability: link.key_basis_probability,
        };
        let given = link.intensities.len();
        let holds = input.theorem.intensities().contains(&given);
        let expected = numbers_expected(input.theorem);
        require("the number of intensities", given as f64, holds, expected)?;
        let used = input.theorem.intensities_used();
        setting.intensities[..used].copy_from_slice(&link.intensities[..used]);
        if input.theorem.is_finite() {
            let given = link.intensity_probabilities.len();
            let what = "the number of intensity_probabilities";
            require(what, given as f64, given == used, "one for each intensity")?;
            setting.probabilities[..used].copy_from_slice(&link.intensity_probabilities);
        } else {
            setting.probabilities[0] = 1.0;
        }
        setting.checked(input.theorem)
    }

    /// The same when `theorem` can take it.
    pub(super) fn checked(self, theorem: PlanTheorem) -> Result<Self, Error> {
        let z = self.key_basis_probability;
        let holds = (1e-6..=1.0 - 1e-6).contains(&z);
        let expected = "a probability from 0.000001 to 0.999999";
        require("key_basis_probability", z, holds, expected)?;
        let [first, second, third] = self.intensities;
        range::intensity("intensities[0]", first)?;
        let [p_first, p_second, _] = self.probabilities;
        match theorem {
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => {
                DecoySource::new([first, second], [p_first, p_second])?;
            }
            PlanTheorem::Lim2014 => {
                lim2014::Source::new(self.intensities, self.probabilities)?;
                check_three(self.intensities)?;
            }
            PlanTheorem::GllpVacuumWeak => check_three(self.intensities)?,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => {}
        }
        for (what, intensity) in [
            ("intensities[0]", first),
            ("intensities[1]", second),
            ("intensities[2]", third),
        ] {
            let holds = intensity == 0.0 || intensity >= LEAST;
            let expected = "a mean photon number of 0 (where vacuum is allowed) or from 1e-9 to 10";
            require(what, intensity, holds, expected)?;
        }
        for probability in self.probabilities {
            let holds = probability == 0.0 || probability >= LEAST;
            let what = "an entry of intensity_probabilities";
            require(what, probability, holds, "a probability of at least 1e-9")?;
        }
        Ok(self)
    }
}

/// 0 ≤ ν₂ < ν₁ and ν₁ + ν₂ < μ, so far apart that nothing is divided by zero.
fn check_three([signal, weak, dim]: [f64; CLASSES_MAX]) -> Result<(), Error> {
    let holds = (0.0..=10.0).contains(&dim);
    let expected = "a mean photon number from 0 to 10";
    require("intensities[2]", dim, holds, expected)?;
    let holds = weak - dim >= LEAST;
    let expected = "a mean photon number above intensities[2] by 1e-9 or more";
    require("intensities[1]", weak, holds, expected)?;
    let holds = signal - weak - dim >= LEAST;
    let expected = "a mean photon number above intensities[1] + intensities[2] by 1e-9 or more";
    require("intensities[0]", signal, holds, expected)?;
    Ok(())
}

fn numbers_expected(theorem: PlanTheorem) -> &'static str {
    match theorem {
        PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => {
            "2 for a theorem with one decoy: signal, decoy"
        }
        PlanTheorem::Lim2014 => "3 for a theorem with two decoys: signal and two decoys",
        PlanTheorem::GllpVacuumWeak => "3: signal, weak decoy, vacuum (or a darker decoy)",
        PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => {
            "from 1 to 3, of which the first is used"
        }
    }
}
