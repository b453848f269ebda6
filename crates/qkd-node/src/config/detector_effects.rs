//! The optional keys `basis_choice`, `bit_assignment` and `dead_times` of `[detector]` and the optional
//! sections below it.

mod weaknesses;

use qkd_optics::{
    ArrivalMonitor, BasisChoice, BitAssignment, DetectorEffects, EfficiencyMismatch, Gating,
    LinearMode, PhotocurrentMonitor, PowerMonitor, RandomEfficiency, TimingJitter,
};

use super::document::{Rule, Section};
use super::effects::{possible, within_a_slot};
use super::place::ConfigError;
use super::rules;
pub(super) use weaknesses::go_together;

/// The key of `[detector]`, and the sections below it, that belong to an effect.
pub(super) const DETECTOR_KEYS: [&str; 14] = [
    "arrival_monitor",
    "back_flash",
    "basis_choice",
    "bit_assignment",
    "dead_times",
    "efficiency_mismatch",
    "gating",
    "linear_mode",
    "photocurrent_monitor",
    "power_monitor",
    "random_efficiency",
    "time_filter",
    "timing_jitter",
    "weak_generator",
];

/// The emulator knows the passive choice, but no theorem here gives a key length for it.
const BASIS_CHOICE: Rule<BasisChoice> = Rule {
    expected: "\"active\", the only choice that a key-length theorem here holds for (\"passive\" \
               exists in qkd-optics without one)",
    read: |value| match value.as_str()? {
        "active" => Some(BasisChoice::Active),
        _ => None,
    },
    known: &["active"],
};

const BIT_ASSIGNMENT: Rule<BitAssignment> = Rule {
    expected: "which detector stands for which bit: \"fixed\", or \"random\" for every slot anew",
    read: |value| match value.as_str()? {
        "fixed" => Some(BitAssignment::Fixed),
        "random" => Some(BitAssignment::Random),
        _ => None,
    },
    known: &["fixed", "random"],
};

/// What `[detector]` and the sections below it say of effects.
pub(super) fn detector(
    detector: &Section<'_>,
    clock_hz: f64,
) -> Result<DetectorEffects, ConfigError> {
    let choice = detector.optional("basis_choice", &BASIS_CHOICE)?;
    let assignment = detector.optional("bit_assignment", &BIT_ASSIGNMENT)?;
    Ok(DetectorEffects {
        arrival_monitor: arrival_monitor(detector)?,
        basis_choice: choice.unwrap_or_default(),
        bit_assignment: assignment.unwrap_or_default(),
        efficiency_mismatch: efficiency_mismatch(detector)?,
        gating: gating(detector, 1e12 / clock_hz)?,
        linear_mode: linear_mode(detector)?,
        photocurrent_monitor: photocurrent_monitor(detector)?,
        power_monitor: power_monitor(detector)?,
        random_efficiency: random_efficiency(detector)?,
        timing_jitter: timing_jitter(detector, 1e12 / clock_hz)?,
        dead_times: weaknesses::dead_times(detector)?,
        time_filter: weaknesses::time_filter(detector)?,
        weak_generator: weaknesses::weak_generator(detector)?,
        back_flash: weaknesses::back_flash(detector)?,
    })
}

fn arrival_monitor(detector: &Section<'_>) -> Result<Option<ArrivalMonitor>, ConfigError> {
    let known = &["bin_ps", "deviation_ps"];
    let Some(section) = detector.section_if_present("arrival_monitor", known)? else {
        return Ok(None);
    };
    let monitor = ArrivalMonitor {
        bin_ps: section.required("bin_ps", &rules::NUMBER)?,
        deviation_ps: section.required("deviation_ps", &rules::NUMBER)?,
    };
    possible(&section, monitor.check())?;
    Ok(Some(monitor))
}

fn efficiency_mismatch(detector: &Section<'_>) -> Result<Option<EfficiencyMismatch>, ConfigError> {
    let known = &[
        "relative_efficiency",
        "gate_offset_ps",
        "gate_deviation_ps",
        "arrival_offset_ps",
    ];
    let Some(section) = detector.section_if_present("efficiency_mismatch", known)? else {
        return Ok(None);
    };
    let offset = section.optional("gate_offset_ps", &rules::NUMBERS)?;
    let deviation = section.optional("gate_deviation_ps", &rules::NUMBER)?;
    let arrival = section.optional("arrival_offset_ps", &rules::NUMBER)?;
    let mismatch = EfficiencyMismatch {
        relative_efficiency: section.required("relative_efficiency", &rules::NUMBERS)?,
        gate_offset_ps: offset.unwrap_or([0.0; 2]),
        // Half of a common gate; it matters to light that comes off its middle alone.
        gate_deviation_ps: deviation.unwrap_or(500.0),
        arrival_offset_ps: arrival.unwrap_or(0.0),
    };
    possible(&section, mismatch.check())?;
    Ok(Some(mismatch))
}

/// Gates open in every slot: those of a slower gate generator would waste Alice's light, and are
/// for qkd-optics alone.
fn gating(detector: &Section<'_>, slot_ps: f64) -> Result<Option<Gating>, ConfigError> {
    let known = &["hold_off_gates", "gate_width_ps", "pulse_deviation_ps"];
    let Some(section) = detector.section_if_present("gating", known)? else {
        return Ok(None);
    };
    let gating = Gating {
        gate_period_slots: 1,
        hold_off_gates: section.required("hold_off_gates", &rules::GATES)?,
        gate_width_ps: section.required("gate_width_ps", &rules::NUMBER)?,
        pulse_deviation_ps: section.required("pulse_deviation_ps", &rules::NUMBER)?,
    };
    possible(&section, gating.check())?;
    within_a_slot(&section, ("gate_width_ps", gating.gate_width_ps), slot_ps)?;
    Ok(Some(gating))
}

fn linear_mode(detector: &Section<'_>) -> Result<Option<LinearMode>, ConfigError> {
    let known = &["window_slots", "blinding_photons", "threshold_photons"];
    let Some(section) = detector.section_if_present("linear_mode", known)? else {
        return Ok(None);
    };
    let linear_mode = LinearMode {
        window_slots: section.required("window_slots", &rules::COUNT)?,
        blinding_photons: section.required("blinding_photons", &rules::NUMBER)?,
        threshold_photons: section.required("threshold_photons", &rules::NUMBER)?,
    };
    possible(&section, linear_mode.check())?;
    Ok(Some(linear_mode))
}

fn power_monitor(detector: &Section<'_>) -> Result<Option<PowerMonitor>, ConfigError> {
    let known = &["window_slots", "alarm_photons"];
    let Some(section) = detector.section_if_present("power_monitor", known)? else {
        return Ok(None);
    };
    let monitor = PowerMonitor {
        window_slots: section.required("window_slots", &rules::COUNT)?,
        alarm_photons: section.required("alarm_photons", &rules::NUMBER)?,
    };
    possible(&section, monitor.check())?;
    Ok(Some(monitor))
}

/// An avalanche moves about 10⁶ electrons, a blinded diode about ten for each photon.
fn photocurrent_monitor(
    detector: &Section<'_>,
) -> Result<Option<PhotocurrentMonitor>, ConfigError> {
    let known = &[
        "window_slots",
        "avalanche_electrons",
        "electrons_per_photon",
        "alarm_electrons",
    ];
    let Some(section) = detector.section_if_present("photocurrent_monitor", known)? else {
        return Ok(None);
    };
    let avalanche = section.optional("avalanche_electrons", &rules::NUMBER)?;
    let linear = section.optional("electrons_per_photon", &rules::NUMBER)?;
    let monitor = PhotocurrentMonitor {
        window_slots: section.required("window_slots", &rules::COUNT)?,
        avalanche_electrons: avalanche.unwrap_or(1e6),
        electrons_per_photon: linear.unwrap_or(10.0),
        alarm_electrons: section.required("alarm_electrons", &rules::NUMBER)?,
    };
    possible(&section, monitor.check())?;
    Ok(Some(monitor))
}

fn random_efficiency(detector: &Section<'_>) -> Result<Option<RandomEfficiency>, ConfigError> {
    let known = &["window_slots", "probability", "transmittance"];
    let Some(section) = detector.section_if_present("random_efficiency", known)? else {
        return Ok(None);
    };
    let random = RandomEfficiency {
        window_slots: section.required("window_slots", &rules::COUNT)?,
        probability: section.required("probability", &rules::NUMBER)?,
        transmittance: section.required("transmittance", &rules::NUMBER)?,
    };
    possible(&section, random.check())?;
    Ok(Some(random))
}

fn timing_jitter(
    detector: &Section<'_>,
    slot_ps: f64,
) -> Result<Option<TimingJitter>, ConfigError> {
    let known = &["deviation_ps"];
    let Some(section) = detector.section_if_present("timing_jitter", known)? else {
        return Ok(None);
    };
    let jitter = TimingJitter {
        deviation_ps: section.required("deviation_ps", &rules::NUMBER)?,
        slot_ps,
    };
    possible(&section, jitter.check())?;
    Ok(Some(jitter))
}
