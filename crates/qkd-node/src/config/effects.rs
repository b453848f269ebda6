//! The optional keys of `[source]` and the optional sections below `[channel]`.

use qkd_optics::{
    Background, Beam, ChannelEffects, Daylight, Error as OpticsError, Extinction, FreeSpace,
    IntensityNoise, PhotonStatistics, PolarisationDrift, PreparationError, SatellitePass,
    SharedFibre, SharedLength, SourceEffects, Turbulence, Window,
};

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::rules;
use crate::parameters::ChannelParameters;

/// The keys of `[source]` that belong to an effect.
pub(super) const SOURCE_KEYS: [&str; 4] = [
    "photon_statistics",
    "extinction_ratio_db",
    "intensity_relative_deviation",
    "preparation_error",
];

/// The sections below `[channel]`.
pub(super) const CHANNEL_SECTIONS: [&str; 7] = [
    "background",
    "daylight",
    "shared_fibre",
    "polarisation_drift",
    "free_space",
    "satellite_pass",
    "turbulence",
];

const WINDOW_KEYS: [&str; 3] = ["wavelength_nm", "filter_bandwidth_nm", "gate_time_ps"];

/// The emulator knows more kinds of light, but no theorem here gives a key length for them.
const PHOTON_STATISTICS: Rule<PhotonStatistics> = Rule {
    expected: "\"weak-coherent\", the only light that a key-length theorem here holds for \
               (\"single-photon\" and \"heralded-pairs\" exist in qkd-optics without one)",
    read: |value| match value.as_str()? {
        "weak-coherent" => Some(PhotonStatistics::WeakCoherent),
        _ => None,
    },
    known: &["weak-coherent"],
};

/// What `[source]` says of effects.
pub(super) fn source(source: &Section<'_>) -> Result<SourceEffects, ConfigError> {
    let number = |key| source.optional(key, &rules::NUMBER);
    let statistics = source.optional("photon_statistics", &PHOTON_STATISTICS)?;
    let extinction = number("extinction_ratio_db")?;
    let noise = number("intensity_relative_deviation")?;
    let error = source.optional("preparation_error", &rules::PREPARATION_ERROR)?;
    let [key_basis, test_basis] = error.unwrap_or([0.0, 0.0]);
    let effects = SourceEffects {
        photon_statistics: statistics.unwrap_or_default(),
        extinction: extinction.map(|extinction_ratio_db| Extinction {
            extinction_ratio_db,
        }),
        intensity_noise: noise.map(|relative_deviation| IntensityNoise { relative_deviation }),
        preparation_error: PreparationError {
            key_basis,
            test_basis,
        },
    };
    if let Some(extinction) = &effects.extinction {
        possible(source, extinction.check())?;
    }
    if let Some(noise) = &effects.intensity_noise
        && let Err(OpticsError::OutOfRange { expected, .. }) = noise.check()
    {
        return Err(source.refuse("intensity_relative_deviation", expected));
    }
    Ok(effects)
}

/// What the sections below `[channel]` say of effects.
pub(super) fn channel(
    channel: &Section<'_>,
    parameters: &ChannelParameters,
    clock_hz: f64,
) -> Result<ChannelEffects, ConfigError> {
    let effects = ChannelEffects {
        background: background(channel, parameters, 1e12 / clock_hz)?,
        polarisation_drift: polarisation_drift(channel, clock_hz)?,
        free_space: free_space(channel)?,
        satellite_pass: satellite_pass(channel)?,
        turbulence: turbulence(channel, clock_hz)?,
    };
    if effects.free_space.is_some() && effects.satellite_pass.is_some() {
        let expected = "one of [channel.free_space] and [channel.satellite_pass]";
        return Err(channel.refuse("satellite_pass", expected));
    }
    if let Err(OpticsError::OutOfRange { expected, .. }) = effects.check() {
        return Err(channel.refuse("turbulence", expected));
    }
    Ok(effects)
}

fn background(
    channel: &Section<'_>,
    parameters: &ChannelParameters,
    slot_ps: f64,
) -> Result<Option<Background>, ConfigError> {
    let mut background = None;
    let known = &["photons_per_slot"];
    if let Some(section) = channel.section_if_present("background", known)? {
        let it: &mut Background = background.get_or_insert_default();
        it.photons_per_slot = section.required("photons_per_slot", &rules::NUMBER)?;
        possible(&section, it.check())?;
    }
    let mut known = vec![
        "radiance_w_per_m2_sr_nm",
        "field_of_view_urad",
        "receiver_diameter_m",
    ];
    known.extend(WINDOW_KEYS);
    if let Some(section) = channel.section_if_present("daylight", &known)? {
        let number = |key| section.required(key, &rules::NUMBER);
        let daylight = Daylight {
            radiance_w_per_m2_sr_nm: number("radiance_w_per_m2_sr_nm")?,
            field_of_view_urad: number("field_of_view_urad")?,
            receiver_diameter_m: number("receiver_diameter_m")?,
            window: window(&section, slot_ps)?,
        };
        let it = background.get_or_insert_default();
        it.daylight = Some(daylight);
        possible(&section, it.check())?;
    }
    let mut known = vec![
        "co_propagating_dbm",
        "counter_propagating_dbm",
        "raman_per_km_nm",
    ];
    known.extend(WINDOW_KEYS);
    if let Some(section) = channel.section_if_present("shared_fibre", &known)? {
        let raman = section.optional("raman_per_km_nm", &rules::NUMBER)?;
        let shared = SharedFibre {
            co_propagating_dbm: section.optional("co_propagating_dbm", &rules::NUMBER)?,
            counter_propagating_dbm: section.optional("counter_propagating_dbm", &rules::NUMBER)?,
            raman_per_km_nm: raman.unwrap_or(2e-9),
            fibre: SharedLength {
                distance_km: parameters.distance_km,
                attenuation_db_per_km: parameters.attenuation_db_per_km,
            },
            window: window(&section, slot_ps)?,
        };
        let it = background.get_or_insert_default();
        it.shared_fibre = Some(shared);
        possible(&section, it.check())?;
    }
    Ok(background)
}

fn window(section: &Section<'_>, slot_ps: f64) -> Result<Window, ConfigError> {
    let wavelength = section.optional("wavelength_nm", &rules::NUMBER)?;
    let window = Window {
        wavelength_nm: wavelength.unwrap_or(1550.0),
        filter_bandwidth_nm: section.required("filter_bandwidth_nm", &rules::NUMBER)?,
        gate_time_ps: section.required("gate_time_ps", &rules::NUMBER)?,
    };
    within_a_slot(section, ("gate_time_ps", window.gate_time_ps), slot_ps)?;
    Ok(window)
}

/// A gate is open for a slot at most.
pub(super) fn within_a_slot(
    section: &Section<'_>,
    (key, time_ps): (&str, f64),
    slot_ps: f64,
) -> Result<(), ConfigError> {
    if time_ps > slot_ps {
        let expected = format!("at most the duration of a slot, {slot_ps} ps at this clock");
        return Err(section.refuse(key, expected));
    }
    Ok(())
}

fn polarisation_drift(
    channel: &Section<'_>,
    clock_hz: f64,
) -> Result<Option<PolarisationDrift>, ConfigError> {
    let known = &[
        "drift_rad_per_sqrt_s",
        "compensation_interval_s",
        "residual_rad",
    ];
    let Some(section) = channel.section_if_present("polarisation_drift", known)? else {
        return Ok(None);
    };
    let residual = section.optional("residual_rad", &rules::NUMBER)?;
    let drift = PolarisationDrift {
        drift_rad_per_sqrt_s: section.required("drift_rad_per_sqrt_s", &rules::NUMBER)?,
        compensation_interval_s: section.required("compensation_interval_s", &rules::NUMBER)?,
        residual_rad: residual.unwrap_or(0.0),
    };
    possible(&section, drift.check())?;
    let least_s = PolarisationDrift::least_interval_s(clock_hz);
    if drift.compensation_interval_s < least_s {
        let expected = format!("at least {least_s} s at this clock: faster changes overwhelm Bob");
        return Err(section.refuse("compensation_interval_s", expected));
    }
    Ok(Some(drift))
}

const BEAM_KEYS: [&str; 5] = [
    "divergence_urad",
    "pointing_jitter_urad",
    "receiver_diameter_m",
    "zenith_transmittance",
    "telescope_transmittance",
];

fn beam(section: &Section<'_>) -> Result<Beam, ConfigError> {
    let required = |key| section.required(key, &rules::NUMBER);
    let optional = |key| section.optional(key, &rules::NUMBER);
    Ok(Beam {
        divergence_urad: required("divergence_urad")?,
        pointing_jitter_urad: optional("pointing_jitter_urad")?.unwrap_or(0.0),
        receiver_diameter_m: required("receiver_diameter_m")?,
        zenith_transmittance: optional("zenith_transmittance")?.unwrap_or(1.0),
        telescope_transmittance: optional("telescope_transmittance")?.unwrap_or(1.0),
    })
}

fn free_space(channel: &Section<'_>) -> Result<Option<FreeSpace>, ConfigError> {
    let mut known = vec!["range_km", "elevation_deg"];
    known.extend(BEAM_KEYS);
    let Some(section) = channel.section_if_present("free_space", &known)? else {
        return Ok(None);
    };
    let elevation = section.optional("elevation_deg", &rules::NUMBER)?;
    let path = FreeSpace {
        range_km: section.required("range_km", &rules::NUMBER)?,
        elevation_deg: elevation.unwrap_or(90.0),
        beam: beam(&section)?,
    };
    possible(&section, path.check())?;
    Ok(Some(path))
}

fn satellite_pass(channel: &Section<'_>) -> Result<Option<SatellitePass>, ConfigError> {
    let mut known = vec![
        "altitude_km",
        "elevation_max_deg",
        "elevation_min_deg",
        "step_ms",
    ];
    known.extend(BEAM_KEYS);
    let Some(section) = channel.section_if_present("satellite_pass", &known)? else {
        return Ok(None);
    };
    let elevation_min = section.optional("elevation_min_deg", &rules::NUMBER)?;
    let pass = SatellitePass {
        altitude_km: section.required("altitude_km", &rules::NUMBER)?,
        elevation_max_deg: section.required("elevation_max_deg", &rules::NUMBER)?,
        elevation_min_deg: elevation_min.unwrap_or(20.0),
        step_ms: section.optional("step_ms", &rules::NUMBER)?.unwrap_or(10.0),
        beam: beam(&section)?,
    };
    possible(&section, pass.check())?;
    Ok(Some(pass))
}

fn turbulence(channel: &Section<'_>, clock_hz: f64) -> Result<Option<Turbulence>, ConfigError> {
    let known = &["scintillation_index", "coherence_time_ms"];
    let Some(section) = channel.section_if_present("turbulence", known)? else {
        return Ok(None);
    };
    let turbulence = Turbulence {
        scintillation_index: section.required("scintillation_index", &rules::NUMBER)?,
        coherence_time_ms: section.required("coherence_time_ms", &rules::NUMBER)?,
    };
    possible(&section, turbulence.check())?;
    let least_ms = Turbulence::least_coherence_time_ms(clock_hz);
    if turbulence.coherence_time_ms < least_ms {
        let expected =
            format!("at least {least_ms} ms at this clock: faster changes overwhelm Bob");
        return Err(section.refuse("coherence_time_ms", expected));
    }
    Ok(Some(turbulence))
}

/// Refuses what the instruments refuse, at the key that they name: their ranges are the only ones.
pub(super) fn possible(
    section: &Section<'_>,
    checked: Result<(), OpticsError>,
) -> Result<(), ConfigError> {
    match checked {
        Ok(()) => Ok(()),
        Err(OpticsError::OutOfRange { name, expected, .. }) => Err(section.refuse(name, expected)),
        // A check has no light in its hands, and says none of these. If it did, the section could not stand.
        Err(
            error @ (OpticsError::Frame(_)
            | OpticsError::Generator(_)
            | OpticsError::Forgotten { .. }
            | OpticsError::NotYetSent { .. }
            | OpticsError::BehindReceiver { .. }
            | OpticsError::Injection { .. }),
        ) => Err(section.contradict("effects", &error.to_string())),
    }
}
