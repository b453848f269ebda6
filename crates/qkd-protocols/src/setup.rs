//! What Alice and Bob agreed on before the first pulse.

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{
    ChannelEffects, DetectorEffects, Detectors, Error, Receiver, Source, SourceEffects, Transmitter,
};
use qkd_security::{BlockPlan, LinkModel, SecurityParameters, Theorem};

/// The expected link with the plan that was made for it, and the hardware that realises it.
#[derive(Debug, Clone)]
pub struct LinkSetup {
    /// The link as both sides expect it: effects of the hardware are in its figures.
    pub link: LinkModel,
    /// Size and acceptance limits of a block.
    pub plan: BlockPlan,
    /// The theorem that bounds the key length.
    pub theorem: Theorem,
    /// The failure budget.
    pub parameters: SecurityParameters,
    /// What the link is made of.
    pub hardware: Hardware,
}

/// The instruments of a link and what lies between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// Alice's source.
    pub source: Source,
    /// Transmittance of all fixed loss between the two laboratories: that of the best moment where
    /// loss changes. The light of her transmitter has passed it.
    pub segment_transmittance: f64,
    /// What else happens on the way, at Bob's entrance.
    pub channel: ChannelEffects,
    /// Bob's receiver.
    pub detectors: Detectors,
}

impl Hardware {
    /// Hardware that does what `link` says and nothing else.
    pub fn of(link: &LinkModel) -> Self {
        Self {
            source: Source {
                clock_hz: link.clock_hz,
                intensities: link.source.intensities().to_vec(),
                intensity_probabilities: link.source.probabilities().to_vec(),
                key_basis_probability: link.key_basis_probability,
                effects: SourceEffects::default(),
            },
            segment_transmittance: link.transmittance_channel,
            channel: ChannelEffects::default(),
            detectors: Detectors {
                detector_efficiency: link.detector_efficiency,
                dark_count_probability: link.dark_count_probability,
                dead_time_slots: link.dead_time_slots,
                afterpulse_probability: link.afterpulse_probability,
                afterpulse_decay_slots: link.afterpulse_decay_slots,
                misalignment_error: link.misalignment_error,
                insertion_transmittance: link.insertion_transmittance,
                key_basis_probability: link.key_basis_probability,
                effects: DetectorEffects::default(),
            },
        }
    }
}

impl Hardware {
    /// Alice's transmitter, with all fixed loss behind it.
    ///
    /// # Errors
    /// When the source cannot be.
    pub fn transmitter(&self, secret: SecretRng) -> Result<Transmitter, Error> {
        Transmitter::new(self.source.clone(), self.segment_transmittance, secret)
    }

    /// Bob's receiver, with whatever else the channel does in front of it.
    ///
    /// # Errors
    /// When channel or detectors cannot be.
    pub fn receiver(&self, secret: SecretRng, mut physics: PhysicsRng) -> Result<Receiver, Error> {
        self.channel.check()?;
        let weather = physics.fork();
        let receiver = Receiver::new(self.detectors.clone(), secret, physics)?;
        Ok(match self.channel.channel(self.source.clock_hz, weather) {
            Some(channel) => receiver.with_channel(channel),
            None => receiver,
        })
    }
}
