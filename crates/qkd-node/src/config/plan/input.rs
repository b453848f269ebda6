//! From the description of a link to what a theorem is applied to.

use qkd_security::planning::{self, PlanInput, PlanLink, PlanTheorem};
use qkd_security::{Error, LinkModel};

use super::{Line, PlanConfig};
use crate::parameters::{
    AcceptLimits, ChannelParameters, LinkParameters, ProtocolParameters, SecuritySettings,
    SourceParameters,
};

/// How much fibre lies between Alice and Bob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlanFibre {
    /// So many km, with the loss that the configuration says.
    DistanceKm(f64),
    /// Any length with so many dB; losses inside the receiver come on top.
    LossDb(f64),
}

/// Why a link cannot be planned so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The configuration says something that does not go with what was asked for.
    #[error("{key}: {reason}")]
    Contradiction {
        /// The key or section, such as `source.intensities`.
        key: &'static str,
        /// What does not go together.
        reason: String,
    },
    /// A figure is out of range.
    #[error(transparent)]
    Model(#[from] Error),
}

/// Of effects that depend on what the source sends.
const NEEDS_TWO_INTENSITIES: &str = "its effect is known for a signal and one decoy alone: it needs \
                                     two intensities above 0, each with a probability above 0";

/// Of the same, where intensities are to be chosen.
const NEEDS_THE_GIVEN: &str = "its effect is known for the configured intensities alone: it cannot \
                               be planned with others, as --optimise would choose them";

impl PlanConfig {
    /// The loss of `fibre`, dB; that inside the receiver not included.
    pub fn fibre_loss_db(&self, fibre: PlanFibre) -> f64 {
        let channel = self.channel(fibre);
        channel.distance_km * channel.attenuation_db_per_km
    }

    /// What `theorem` is applied to, with every effect that shifts an expectation in its figures, as
    /// [`LinkParameters::link_model`] has them. Without probabilities the signal is sent always, and
    /// without a key-basis probability it is ½: conventions of the asymptotic formulas.
    ///
    /// # Errors
    /// When the configuration does not say what the theorem needs, or says what does not go with
    /// `fibre`.
    pub fn input(&self, theorem: PlanTheorem, fibre: PlanFibre) -> Result<PlanInput, PlanError> {
        self.check_theorem(theorem)?;
        self.check_fibre(fibre)?;
        let pair = self.pair();
        if pair.is_none()
            && let Some(key) = self.effect_of_the_source()
        {
            return contradiction(key, NEEDS_TWO_INTENSITIES);
        }
        // Without effects of the source, what is sent changes nothing else.
        let signal = self.source.intensities[0];
        let (intensities, probabilities) = pair.unwrap_or(([signal, signal / 2.0], [0.5, 0.5]));
        let model = self
            .parameters(fibre, intensities, probabilities)
            .link_model()?;
        let link = match pair {
            Some(_) => planned(
                &model,
                model.source.intensities().to_vec(),
                model.source.probabilities().to_vec(),
            ),
            None => planned(
                &model,
                self.source.intensities.clone(),
                self.probabilities(),
            ),
        };
        Ok(PlanInput {
            link,
            theorem,
            channel: theorem.default_channel(),
            block_bits: self.security.block_bits,
            parameters: self.security.parameters,
            side_channels: self.security.side_channels,
            reconciliation_inefficiency: self.protocol.reconciliation_inefficiency,
        })
    }

    /// The same link as Alice and Bob would run it, with derived acceptance limits.
    ///
    /// # Errors
    /// When it has not two intensities with probabilities, or what does not go with `fibre`.
    pub fn link_parameters(&self, fibre: PlanFibre) -> Result<LinkParameters, PlanError> {
        self.check_theorem(PlanTheorem::Wiesemann2024)?;
        self.check_fibre(fibre)?;
        let Some((intensities, probabilities)) = self.pair() else {
            let reason = "a link runs with a signal and one decoy, both brighter than 0";
            return contradiction("source.intensities", reason);
        };
        Ok(self.parameters(fibre, intensities, probabilities))
    }

    /// Whether intensities can be chosen anew without changing what was said of the hardware.
    ///
    /// # Errors
    /// Names the effect that depends on them.
    pub fn check_optimisable(&self) -> Result<(), PlanError> {
        match self.effect_of_the_source() {
            Some(key) => contradiction(key, NEEDS_THE_GIVEN),
            None => Ok(()),
        }
    }

    /// Whether the configuration says what `theorem` needs, in number and kind.
    ///
    /// # Errors
    /// Names the key that does not.
    pub fn check_theorem(&self, theorem: PlanTheorem) -> Result<(), PlanError> {
        let taken = theorem.intensities();
        let found = self.source.intensities.len();
        if !taken.contains(&found) {
            let many = match (*taken.start(), *taken.end()) {
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            let reason = format!("{theorem} takes {many} intensities, not {found}");
            return contradiction("source.intensities", reason);
        }
        if theorem != PlanTheorem::Wiesemann2024 && !self.security.side_channels.is_none() {
            let reason =
                format!("{theorem} does not reckon with side channels: wiesemann2024 does");
            return contradiction("security.side_channels", reason);
        }
        if !theorem.is_finite() {
            return Ok(());
        }
        let probabilities = self.source.intensity_probabilities.as_deref();
        if !probabilities.is_some_and(|all| all.iter().all(|probability| *probability > 0.0)) {
            let reason = format!("{theorem} needs a probability above 0 for each intensity");
            return contradiction("source.intensity_probabilities", reason);
        }
        if self.protocol.key_basis_probability.is_none() {
            let reason = format!("{theorem} needs a probability above 0 and below 1");
            return contradiction("protocol.key_basis_probability", reason);
        }
        Ok(())
    }

    /// Tries `theorem` on the shortest link that is asked for by default.
    pub(super) fn try_theorem(&self, theorem: PlanTheorem) -> Result<(), PlanError> {
        let fibre = PlanFibre::DistanceKm(self.distance_km.unwrap_or(0.0));
        planning::plan(&self.input(theorem, fibre)?)?;
        Ok(())
    }

    fn check_fibre(&self, fibre: PlanFibre) -> Result<(), PlanError> {
        let PlanFibre::LossDb(_) = fibre else {
            return Ok(());
        };
        let effects = &self.effects.channel;
        let shared = effects.background.and_then(|it| it.shared_fibre).is_some();
        let rows = [
            (effects.free_space.is_some(), "channel.free_space"),
            (effects.satellite_pass.is_some(), "channel.satellite_pass"),
            (effects.turbulence.is_some(), "channel.turbulence"),
            (shared, "channel.shared_fibre"),
        ];
        match rows.into_iter().find(|(configured, _)| *configured) {
            Some((_, key)) => contradiction(
                key,
                "says itself what lies between Alice and Bob: it can be planned for a distance, \
                 not for a loss in its place",
            ),
            None => Ok(()),
        }
    }

    /// The key of an effect that depends on which intensities are sent, and how often.
    fn effect_of_the_source(&self) -> Option<&'static str> {
        let source = &self.effects.source;
        let rows = [
            (source.extinction.is_some(), "source.extinction_ratio_db"),
            (
                source.intensity_noise.is_some(),
                "source.intensity_relative_deviation",
            ),
            (
                self.effects.detector.timing_jitter.is_some(),
                "detector.timing_jitter",
            ),
        ];
        rows.into_iter()
            .find_map(|(configured, key)| configured.then_some(key))
    }

    /// Intensities and probabilities of a source with a signal and one decoy, both sent.
    fn pair(&self) -> Option<([f64; 2], [f64; 2])> {
        let intensities: [f64; 2] = self.source.intensities.as_slice().try_into().ok()?;
        let probabilities = self.source.intensity_probabilities.as_deref()?;
        let probabilities: [f64; 2] = probabilities.try_into().ok()?;
        let sent = probabilities.iter().all(|probability| *probability > 0.0);
        (sent && intensities[1] > 0.0).then_some((intensities, probabilities))
    }

    fn probabilities(&self) -> Vec<f64> {
        let given = self.source.intensity_probabilities.clone();
        given.unwrap_or_else(|| {
            let mut always_the_signal = vec![0.0; self.source.intensities.len()];
            always_the_signal[0] = 1.0;
            always_the_signal
        })
    }

    fn channel(&self, fibre: PlanFibre) -> ChannelParameters {
        let distance_km = match fibre {
            PlanFibre::DistanceKm(distance_km) => distance_km,
            PlanFibre::LossDb(_) => 0.0,
        };
        let channel = match &self.line {
            Line::Preset(preset) => preset.parameters(distance_km).channel,
            Line::Fibre(channel) => ChannelParameters {
                distance_km,
                ..channel.clone()
            },
        };
        match fibre {
            PlanFibre::DistanceKm(_) => channel,
            PlanFibre::LossDb(loss_db) => ChannelParameters {
                distance_km: loss_db,
                attenuation_db_per_km: 1.0,
                ..channel
            },
        }
    }

    fn parameters(
        &self,
        fibre: PlanFibre,
        intensities: [f64; 2],
        intensity_probabilities: [f64; 2],
    ) -> LinkParameters {
        let security = &self.security;
        LinkParameters {
            source: SourceParameters {
                clock_hz: self.source.clock_hz,
                intensities,
                intensity_probabilities,
            },
            channel: self.channel(fibre),
            detector: self.detector.clone(),
            protocol: ProtocolParameters {
                name: self.protocol.name,
                key_basis_probability: self.protocol.key_basis_probability.unwrap_or(0.5),
                misalignment_error: self.protocol.misalignment_error,
            },
            security: SecuritySettings {
                theorem: qkd_security::Theorem::Wiesemann2024,
                block_bits: security.block_bits,
                secrecy: security.parameters.secrecy,
                correctness: security.parameters.correctness,
                // A plan is of light, and says nothing in public.
                authentication: qkd_auth::Authentication::default(),
                side_channels: security.side_channels,
                accept: AcceptLimits::default(),
            },
            effects: self.effects.clone(),
        }
    }
}

fn planned(model: &LinkModel, intensities: Vec<f64>, probabilities: Vec<f64>) -> PlanLink {
    PlanLink {
        intensities,
        intensity_probabilities: probabilities,
        key_basis_probability: model.key_basis_probability,
        clock_hz: model.clock_hz,
        transmittance_channel: model.transmittance_channel,
        insertion_transmittance: model.insertion_transmittance,
        detector_efficiency: model.detector_efficiency,
        dark_count_probability: model.dark_count_probability,
        dead_time_slots: model.dead_time_slots,
        afterpulse_probability: model.afterpulse_probability,
        afterpulse_decay_slots: model.afterpulse_decay_slots,
        misalignment_error: model.misalignment_error,
    }
}

fn contradiction<T>(key: &'static str, reason: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError::Contradiction {
        key,
        reason: reason.into(),
    })
}
