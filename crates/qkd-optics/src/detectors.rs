//! The parameters of Bob's receiver.

mod arrival_monitor;
mod back_flash;
mod basis_choice;
mod bit_assignment;
mod dead_times;
mod efficiency_mismatch;
mod gating;
mod linear_mode;
mod photocurrent_monitor;
mod power_monitor;
mod random_efficiency;
mod timing_jitter;
mod weak_generator;

pub use arrival_monitor::{ARRIVAL_BINS, ArrivalMonitor};
pub use back_flash::{BackFlash, FlashPhoton};
pub use basis_choice::BasisChoice;
pub use bit_assignment::BitAssignment;
pub use dead_times::{DeadTimes, TimeFilter};
pub use efficiency_mismatch::EfficiencyMismatch;
pub use gating::Gating;
pub use linear_mode::LinearMode;
pub use photocurrent_monitor::PhotocurrentMonitor;
pub use power_monitor::PowerMonitor;
pub use random_efficiency::RandomEfficiency;
pub use timing_jitter::TimingJitter;
pub use weak_generator::WeakGenerator;

use crate::Error;
use crate::source::check_probability;

/// Two gated detectors behind an active basis choice, and what real ones do beyond that.
#[derive(Debug, Clone, PartialEq)]
pub struct Detectors {
    /// Probability that a photon on a detector makes it fire (η_d).
    pub detector_efficiency: f64,
    /// Probability of a dark count, per detector and slot (p_d).
    pub dark_count_probability: f64,
    /// Slots after a click in which neither detector can click.
    pub dead_time_slots: u64,
    /// Probability that a registered click is followed by an afterpulse (p_ap).
    pub afterpulse_probability: f64,
    /// Mean delay of an afterpulse after the end of the dead time, in slots (exponential).
    pub afterpulse_decay_slots: f64,
    /// Probability that a photon measured in its own basis takes the wrong exit (e_d).
    pub misalignment_error: f64,
    /// Transmittance of the receiver's optics in front of the detectors.
    pub insertion_transmittance: f64,
    /// Probability that Bob measures in basis Z.
    pub key_basis_probability: f64,
    /// What distinguishes the receiver from the ideal one; nothing by default.
    pub effects: DetectorEffects,
}

/// Deviations of a receiver from the ideal one, each off by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectorEffects {
    /// A clock for the times of clicks within a slot.
    pub arrival_monitor: Option<ArrivalMonitor>,
    /// Who chooses the basis of a measurement.
    pub basis_choice: BasisChoice,
    /// Which detector stands for which bit.
    pub bit_assignment: BitAssignment,
    /// A difference between the efficiencies of the detectors of 0 and 1.
    pub efficiency_mismatch: Option<EfficiencyMismatch>,
    /// Gates in which alone the detectors see light.
    pub gating: Option<Gating>,
    /// What bright light makes of the detectors.
    pub linear_mode: Option<LinearMode>,
    /// A watch on the current that the detectors draw.
    pub photocurrent_monitor: Option<PhotocurrentMonitor>,
    /// A watch on the light at the entrance.
    pub power_monitor: Option<PowerMonitor>,
    /// A random loss in front of the detectors that clicks have to follow.
    pub random_efficiency: Option<RandomEfficiency>,
    /// Scatter of the time at which a click is registered.
    pub timing_jitter: Option<TimingJitter>,
    /// Whose dead time a click begins.
    pub dead_times: DeadTimes,
    /// Which clicks count by their moment; all of them when absent.
    pub time_filter: Option<TimeFilter>,
    /// A back door in the generator of bases.
    pub weak_generator: Option<WeakGenerator>,
    /// Light that clicks send back.
    pub back_flash: Option<BackFlash>,
}

impl DetectorEffects {
    fn check(&self) -> Result<(), Error> {
        if let Some(monitor) = &self.arrival_monitor {
            monitor.check()?;
        }
        if let Some(mismatch) = &self.efficiency_mismatch {
            mismatch.check()?;
        }
        if let Some(gating) = &self.gating {
            gating.check()?;
        }
        if let Some(linear_mode) = &self.linear_mode {
            linear_mode.check()?;
        }
        if let Some(monitor) = &self.photocurrent_monitor {
            monitor.check()?;
        }
        if let Some(monitor) = &self.power_monitor {
            monitor.check()?;
        }
        if let Some(random) = &self.random_efficiency {
            random.check()?;
        }
        let exchanged = self.bit_assignment == BitAssignment::Random;
        if self.wants_patterns() && exchanged {
            return Err(Error::OutOfRange {
                name: "bit_assignment",
                value: 1.0,
                expected: "fixed where detectors have dead times of their own or clicks are filtered by \
                           their time",
            });
        }
        if self.wants_patterns() && self.arrival_monitor.is_some() {
            return Err(Error::OutOfRange {
                name: "arrival_monitor",
                value: 1.0,
                expected: "none where detectors have dead times of their own or clicks are filtered by \
                           their time",
            });
        }
        let four_detectors = self.basis_choice == BasisChoice::Passive;
        if four_detectors && self.bit_assignment == BitAssignment::Random {
            return Err(Error::OutOfRange {
                name: "bit_assignment",
                value: 1.0,
                expected: "fixed with a passive choice of basis, which has no modulator to exchange \
                           detectors with",
            });
        }
        if let Some(jitter) = &self.timing_jitter {
            jitter.check()?;
            // A pulse that fires both pairs gets its basis, and loses the other pair's click, before
            // jitter moves what is left: exact only if nothing is moved.
            if self.basis_choice == BasisChoice::Passive && jitter.deviation_ps > 0.0 {
                return Err(Error::OutOfRange {
                    name: "deviation_ps",
                    value: jitter.deviation_ps,
                    expected: "0 ps with a passive choice of basis: clicks that four detectors \
                               register in different slots are not emulated",
                });
            }
        }
        if let Some(filter) = &self.time_filter {
            filter.check()?;
        }
        if let Some(generator) = &self.weak_generator {
            generator.check()?;
        }
        if let Some(flash) = &self.back_flash {
            flash.check()?;
        }
        Ok(())
    }

    /// Whether clicks have to be looked at one detector at a time.
    pub(crate) fn wants_patterns(&self) -> bool {
        self.dead_times == DeadTimes::Independent || self.time_filter.is_some()
    }
}

impl Detectors {
    /// Refuses parameters that no receiver can have.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [
            ("detector_efficiency", self.detector_efficiency),
            ("dark_count_probability", self.dark_count_probability),
            ("misalignment_error", self.misalignment_error),
            ("insertion_transmittance", self.insertion_transmittance),
            ("key_basis_probability", self.key_basis_probability),
        ] {
            check_probability(name, value)?;
        }
        // At 1 a click would never come to an end.
        if !(0.0..1.0).contains(&self.afterpulse_probability) {
            return Err(Error::OutOfRange {
                name: "afterpulse_probability",
                value: self.afterpulse_probability,
                expected: "0 to below 1",
            });
        }
        if !(0.0..=1e15).contains(&self.afterpulse_decay_slots) {
            return Err(Error::OutOfRange {
                name: "afterpulse_decay_slots",
                value: self.afterpulse_decay_slots,
                expected: "0 to 1e15 slots",
            });
        }
        self.effects.check()?;
        self.check_patterns()
    }

    /// Detectors that are looked at one by one, and bases that can be foreseen, are for showing what is
    /// wrong with them: what else a receiver can have does not go with them.
    fn check_patterns(&self) -> Result<(), Error> {
        let effects = &self.effects;
        let refuse = |name, value, expected| {
            Err(Error::OutOfRange {
                name,
                value,
                expected,
            })
        };
        let jitter = effects.timing_jitter.map_or(0.0, |it| it.deviation_ps);
        if effects.wants_patterns() {
            let expected = "0 where dead times are independent or clicks are filtered by time: not \
                            emulated together";
            if self.afterpulse_probability > 0.0 {
                let value = self.afterpulse_probability;
                return refuse("afterpulse_probability", value, expected);
            }
            if jitter > 0.0 {
                return refuse("deviation_ps", jitter, expected);
            }
        }
        let passive = effects.basis_choice == BasisChoice::Passive;
        if let Some(weak) = &effects.weak_generator
            && weak.foreseeable > 0.0
            && (passive || effects.wants_patterns())
        {
            let expected = "0 where a beam splitter chooses the basis, and where dead times are \
                            independent or clicks are filtered by time: not emulated together";
            return refuse("foreseeable", weak.foreseeable, expected);
        }
        Ok(())
    }

    /// Probabilities that a photon on the detector of bit 0, and of bit 1, makes it fire, with what
    /// mismatch and gates take away.
    pub fn efficiencies(&self) -> [f64; 2] {
        self.efficiencies_at(0.0)
    }

    /// The same for a pulse that arrives `arrival_ps` later than its fellows, in ps.
    pub fn efficiencies_at(&self, arrival_ps: f64) -> [f64; 2] {
        let factors = match &self.effects.efficiency_mismatch {
            Some(mismatch) => mismatch.factors_at(arrival_ps),
            None => [1.0; 2],
        };
        let in_gate = match &self.effects.gating {
            Some(gating) => gating.light_in_gate_at(arrival_ps),
            None => 1.0,
        };
        factors.map(|factor| self.detector_efficiency * in_gate * factor)
    }

    /// Slots after a click in which nothing is seen: the dead time or the hold-off, whichever is
    /// longer.
    pub fn blind_slots(&self) -> u64 {
        let hold_off = match &self.effects.gating {
            Some(gating) => gating.hold_off_slots(),
            None => 0,
        };
        self.dead_time_slots.max(hold_off)
    }

    /// Slots from one gate to the next: 1 without gating.
    pub(crate) fn gate_period_slots(&self) -> u64 {
        match &self.effects.gating {
            Some(gating) => u64::from(gating.gate_period_slots),
            None => 1,
        }
    }
}
