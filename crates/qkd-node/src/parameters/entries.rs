//! Link parameters as keys and values: what a file says and what the handshake compares.

use qkd_auth::Authentication;
use qkd_optics::{
    Background, BasisChoice, Beam, BitAssignment, ChannelEffects, Daylight, DeadTimes,
    DetectorEffects, FreeSpace, PolarisationDrift, SatellitePass, SharedFibre, SourceEffects,
    Turbulence, Window,
};
use qkd_security::SideChannels;

use super::{
    AcceptLimits, ChannelParameters, DetectorParameters, LinkParameters, ProtocolParameters,
    SecuritySettings, SourceParameters,
};

/// Section, key and TOML value of one parameter.
pub(super) struct Entry {
    pub section: &'static str,
    pub key: &'static str,
    pub value: String,
}

/// Every parameter, section by section. An effect that is off has no entry.
pub(super) fn entries(parameters: &LinkParameters) -> Vec<Entry> {
    let mut entries = Entries::default();
    let effects = &parameters.effects;
    entries.source(&parameters.source);
    entries.source_effects(&effects.source);
    entries.channel(&parameters.channel);
    entries.channel_effects(&effects.channel);
    entries.detector(&parameters.detector);
    entries.detector_effects(&effects.detector);
    entries.protocol(&parameters.protocol);
    entries.security(&parameters.security);
    entries.all
}

/// The limits that are set.
pub(super) fn accept_entries(accept: &AcceptLimits) -> Vec<Entry> {
    let mut entries = Entries::default();
    entries.accept(accept);
    entries.all
}

#[derive(Default)]
struct Entries {
    all: Vec<Entry>,
    /// The section that entries are added to.
    section: &'static str,
}

impl Entries {
    fn add(&mut self, key: &'static str, value: impl Into<String>) {
        self.all.push(Entry {
            section: self.section,
            key,
            value: value.into(),
        });
    }

    /// A number in its shortest exact form.
    fn float(&mut self, key: &'static str, value: f64) {
        self.add(key, format!("{value:?}"));
    }

    fn float_if_set(&mut self, key: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.float(key, value);
        }
    }

    fn floats(&mut self, key: &'static str, [first, second]: [f64; 2]) {
        self.add(key, format!("[{first:?}, {second:?}]"));
    }

    fn source(&mut self, source: &SourceParameters) {
        self.section = "source";
        self.float("clock_hz", source.clock_hz);
        self.floats("intensities", source.intensities);
        let probabilities = source.intensity_probabilities;
        self.floats("intensity_probabilities", probabilities);
    }

    /// The photon statistics have no key: a configuration knows one kind only.
    fn source_effects(&mut self, effects: &SourceEffects) {
        self.section = "source";
        let extinction = effects.extinction.map(|it| it.extinction_ratio_db);
        self.float_if_set("extinction_ratio_db", extinction);
        let noise = effects.intensity_noise.map(|it| it.relative_deviation);
        self.float_if_set("intensity_relative_deviation", noise);
        let error = effects.preparation_error;
        let pair = [error.key_basis, error.test_basis];
        if pair != [0.0, 0.0] {
            self.floats("preparation_error", pair);
        }
    }

    fn channel(&mut self, channel: &ChannelParameters) {
        self.section = "channel";
        self.float("distance_km", channel.distance_km);
        self.float("attenuation_db_per_km", channel.attenuation_db_per_km);
        self.float("insertion_loss_db", channel.insertion_loss_db);
    }

    fn channel_effects(&mut self, effects: &ChannelEffects) {
        let ChannelEffects {
            background,
            polarisation_drift,
            free_space,
            satellite_pass,
            turbulence,
        } = effects;
        if let Some(background) = background {
            self.background(background);
        }
        if let Some(PolarisationDrift {
            drift_rad_per_sqrt_s,
            compensation_interval_s,
            residual_rad,
        }) = *polarisation_drift
        {
            self.section = "channel.polarisation_drift";
            self.float("drift_rad_per_sqrt_s", drift_rad_per_sqrt_s);
            self.float("compensation_interval_s", compensation_interval_s);
            self.float("residual_rad", residual_rad);
        }
        if let Some(FreeSpace {
            range_km,
            elevation_deg,
            beam,
        }) = *free_space
        {
            self.section = "channel.free_space";
            self.float("range_km", range_km);
            self.float("elevation_deg", elevation_deg);
            self.beam(&beam);
        }
        if let Some(SatellitePass {
            altitude_km,
            elevation_max_deg,
            elevation_min_deg,
            step_ms,
            beam,
        }) = *satellite_pass
        {
            self.section = "channel.satellite_pass";
            self.float("altitude_km", altitude_km);
            self.float("elevation_max_deg", elevation_max_deg);
            self.float("elevation_min_deg", elevation_min_deg);
            self.float("step_ms", step_ms);
            self.beam(&beam);
        }
        if let Some(Turbulence {
            scintillation_index,
            coherence_time_ms,
        }) = *turbulence
        {
            self.section = "channel.turbulence";
            self.float("scintillation_index", scintillation_index);
            self.float("coherence_time_ms", coherence_time_ms);
        }
    }

    fn background(&mut self, background: &Background) {
        self.section = "channel.background";
        self.float("photons_per_slot", background.photons_per_slot);
        if let Some(Daylight {
            radiance_w_per_m2_sr_nm,
            field_of_view_urad,
            receiver_diameter_m,
            window,
        }) = background.daylight
        {
            self.section = "channel.daylight";
            self.float("radiance_w_per_m2_sr_nm", radiance_w_per_m2_sr_nm);
            self.float("field_of_view_urad", field_of_view_urad);
            self.float("receiver_diameter_m", receiver_diameter_m);
            self.window(&window);
        }
        if let Some(SharedFibre {
            co_propagating_dbm,
            counter_propagating_dbm,
            raman_per_km_nm,
            // That of the link, which stands in `[channel]`.
            fibre: _,
            window,
        }) = background.shared_fibre
        {
            self.section = "channel.shared_fibre";
            self.float_if_set("co_propagating_dbm", co_propagating_dbm);
            self.float_if_set("counter_propagating_dbm", counter_propagating_dbm);
            self.float("raman_per_km_nm", raman_per_km_nm);
            self.window(&window);
        }
    }

    fn window(&mut self, window: &Window) {
        self.float("wavelength_nm", window.wavelength_nm);
        self.float("filter_bandwidth_nm", window.filter_bandwidth_nm);
        self.float("gate_time_ps", window.gate_time_ps);
    }

    fn beam(&mut self, beam: &Beam) {
        self.float("divergence_urad", beam.divergence_urad);
        self.float("pointing_jitter_urad", beam.pointing_jitter_urad);
        self.float("receiver_diameter_m", beam.receiver_diameter_m);
        self.float("zenith_transmittance", beam.zenith_transmittance);
        self.float("telescope_transmittance", beam.telescope_transmittance);
    }

    fn detector(&mut self, detector: &DetectorParameters) {
        self.section = "detector";
        self.float("detector_efficiency", detector.detector_efficiency);
        self.float("dark_count_probability", detector.dark_count_probability);
        self.float("dead_time_ns", detector.dead_time_ns);
        self.float("afterpulse_probability", detector.afterpulse_probability);
        self.float("afterpulse_decay_ns", detector.afterpulse_decay_ns);
    }

    fn detector_effects(&mut self, effects: &DetectorEffects) {
        let DetectorEffects {
            arrival_monitor,
            basis_choice,
            bit_assignment,
            efficiency_mismatch,
            gating,
            linear_mode,
            photocurrent_monitor,
            power_monitor,
            random_efficiency,
            timing_jitter,
            dead_times,
            time_filter,
            weak_generator,
            back_flash,
        } = effects;
        match basis_choice {
            BasisChoice::Active => {}
            BasisChoice::Passive => self.add("basis_choice", "\"passive\""),
        }
        match bit_assignment {
            BitAssignment::Fixed => {}
            BitAssignment::Random => self.add("bit_assignment", "\"random\""),
        }
        match dead_times {
            DeadTimes::Common => {}
            DeadTimes::Independent => self.add("dead_times", "\"independent\""),
        }
        if let Some(monitor) = arrival_monitor {
            self.section = "detector.arrival_monitor";
            self.float("bin_ps", monitor.bin_ps);
            self.float("deviation_ps", monitor.deviation_ps);
        }
        if let Some(mismatch) = efficiency_mismatch {
            self.section = "detector.efficiency_mismatch";
            self.floats("relative_efficiency", mismatch.relative_efficiency);
            self.floats("gate_offset_ps", mismatch.gate_offset_ps);
            self.float("gate_deviation_ps", mismatch.gate_deviation_ps);
            self.float("arrival_offset_ps", mismatch.arrival_offset_ps);
        }
        if let Some(gating) = gating {
            self.section = "detector.gating";
            self.add("hold_off_gates", gating.hold_off_gates.to_string());
            self.float("gate_width_ps", gating.gate_width_ps);
            self.float("pulse_deviation_ps", gating.pulse_deviation_ps);
        }
        if let Some(linear_mode) = linear_mode {
            self.section = "detector.linear_mode";
            self.add("window_slots", linear_mode.window_slots.to_string());
            self.float("blinding_photons", linear_mode.blinding_photons);
            self.float("threshold_photons", linear_mode.threshold_photons);
        }
        if let Some(monitor) = photocurrent_monitor {
            self.section = "detector.photocurrent_monitor";
            self.add("window_slots", monitor.window_slots.to_string());
            self.float("avalanche_electrons", monitor.avalanche_electrons);
            self.float("electrons_per_photon", monitor.electrons_per_photon);
            self.float("alarm_electrons", monitor.alarm_electrons);
        }
        if let Some(monitor) = power_monitor {
            self.section = "detector.power_monitor";
            self.add("window_slots", monitor.window_slots.to_string());
            self.float("alarm_photons", monitor.alarm_photons);
        }
        if let Some(random) = random_efficiency {
            self.section = "detector.random_efficiency";
            self.add("window_slots", random.window_slots.to_string());
            self.float("probability", random.probability);
            self.float("transmittance", random.transmittance);
        }
        if let Some(jitter) = timing_jitter {
            self.section = "detector.timing_jitter";
            // The duration of a slot is that of the clock, which stands in `[source]`.
            self.float("deviation_ps", jitter.deviation_ps);
        }
        if let Some(filter) = time_filter {
            self.section = "detector.time_filter";
            self.float("half_width_ps", filter.half_width_ps);
        }
        if let Some(generator) = weak_generator {
            self.section = "detector.weak_generator";
            self.add("seed", generator.seed.to_string());
            self.float("foreseeable", generator.foreseeable);
        }
        if let Some(flash) = back_flash {
            self.section = "detector.back_flash";
            self.float("probability", flash.probability);
            self.float("isolation_db", flash.isolation_db);
        }
    }

    fn protocol(&mut self, protocol: &ProtocolParameters) {
        self.section = "protocol";
        self.add("name", format!("\"{}\"", protocol.name.name()));
        self.float("key_basis_probability", protocol.key_basis_probability);
        self.float("misalignment_error", protocol.misalignment_error);
    }

    fn security(&mut self, security: &SecuritySettings) {
        self.section = "security";
        self.add("theorem", format!("\"{}\"", security.theorem.name()));
        self.add("block_bits", security.block_bits.to_string());
        self.float("secrecy", security.secrecy);
        self.float("correctness", security.correctness);
        // The default has no entry, as in links that know no other.
        match security.authentication {
            Authentication::HmacSha256 => {}
            other @ Authentication::PolyvalHmacSha256 => {
                self.add("authentication", format!("\"{other}\""));
            }
        }
        self.side_channels(security.side_channels);
        self.accept(&security.accept);
    }

    /// What is not stated has no entry.
    fn side_channels(&mut self, leaks: SideChannels) {
        self.section = "security.side_channels";
        for (key, value) in [
            ("reflected_photons", leaks.reflected_photons),
            ("back_flash_probability", leaks.back_flash_probability),
        ] {
            self.float_if_set(key, (value != 0.0).then_some(value));
        }
    }

    fn accept(&mut self, accept: &AcceptLimits) {
        self.section = "security.accept";
        for (key, limit) in [
            ("key_counts_min", accept.key_counts_min),
            ("test_counts_min", accept.test_counts_min),
            ("key_errors_max", accept.key_errors_max),
            ("test_errors_max", accept.test_errors_max),
        ] {
            if let Some([signal, decoy]) = limit {
                self.add(key, format!("[{signal}, {decoy}]"));
            }
        }
        for (key, limit) in [
            ("leaked_bits_max", accept.leaked_bits_max),
            ("secret_length_bits", accept.secret_length_bits),
        ] {
            if let Some(limit) = limit {
                self.add(key, limit.to_string());
            }
        }
    }
}
