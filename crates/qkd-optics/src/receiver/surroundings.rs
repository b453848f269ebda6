//! What the receiver stands in: the channel's conditions and the light that has come in.

use super::click_law::Response;
use super::integrator::Integrator;
use crate::light::Pulse;
use crate::{Channel, Conditions, DetectorEffects};

/// What changes from time to time and is constant in between.
pub(super) struct Surroundings {
    channel: Option<Box<dyn Channel + Send>>,
    conditions: Conditions,
    /// First slot in which the conditions may be others.
    conditions_until: u64,
    monitor: Option<Integrator>,
    alarms: u64,
    /// The light that blinds, and what blind detectors then do.
    blinding: Option<(Integrator, Response)>,
    response: Response,
    /// Steady light of Eve's, photons per slot, and what it was when last taken over.
    illumination: [f64; 2],
}

impl Surroundings {
    /// Still conditions and darkness.
    pub fn new(effects: &DetectorEffects) -> Self {
        let monitor = effects.power_monitor.as_ref();
        let blinding = effects.linear_mode.as_ref();
        Self {
            channel: None,
            conditions: Conditions::STILL,
            conditions_until: u64::MAX,
            monitor: monitor.map(|it| Integrator::new(it.window_slots, it.alarm_photons)),
            alarms: 0,
            blinding: blinding.map(|it| {
                let integrator = Integrator::new(it.window_slots, it.blinding_photons);
                let threshold_photons = it.threshold_photons;
                (integrator, Response::Linear { threshold_photons })
            }),
            response: Response::SinglePhotons,
            illumination: [0.0; 2],
        }
    }

    /// From the next slot on so much steady light comes in, photons per slot.
    pub fn shine(&mut self, illumination_photons: f64) {
        self.illumination[0] = illumination_photons;
    }

    /// A channel that is asked for its conditions from slot `from` on.
    pub fn set_channel(&mut self, channel: Box<dyn Channel + Send>, from: u64) {
        self.channel = Some(channel);
        self.conditions_until = from;
    }

    /// Takes over what holds from `slot` on; returns whether anything has changed.
    pub fn enter(&mut self, slot: u64) -> bool {
        let before = (self.conditions, self.response);
        if slot >= self.conditions_until
            && let Some(channel) = &mut self.channel
        {
            let (conditions, until) = channel.conditions(slot);
            self.conditions_until = until.max(slot.saturating_add(1));
            self.conditions = match conditions.check() {
                Ok(()) => conditions,
                Err(_) => Conditions {
                    transmittance: 0.0,
                    ..Conditions::STILL
                },
            };
        }
        if let Some(monitor) = &mut self.monitor {
            self.alarms += u64::from(monitor.close(slot) == Some(true));
        }
        if let Some((integrator, blind)) = &mut self.blinding
            && let Some(reached) = integrator.close(slot)
        {
            self.response = if reached {
                *blind
            } else {
                Response::SinglePhotons
            };
        }
        let [now, taken_over] = self.illumination;
        self.illumination[1] = now;
        now != taken_over || before != (self.conditions, self.response)
    }

    /// First slot in which something may change.
    pub fn until(&self) -> u64 {
        let mut until = self.conditions_until;
        if let Some(monitor) = &self.monitor {
            until = until.min(monitor.until());
        }
        if let Some((integrator, _)) = &self.blinding {
            until = until.min(integrator.until());
        }
        until
    }

    /// Counts the light that comes in during `slots` slots. Both instruments measure energy: of
    /// the loss at the entrance they see the mean.
    pub fn illuminate(&mut self, pulses: &[Pulse], slots: u64) {
        if self.monitor.is_none() && self.blinding.is_none() {
            return;
        }
        let photons: u64 = pulses.iter().map(Pulse::quanta).sum();
        let steady = self.conditions.background_photons + self.illumination[1];
        let light = photons as f64 * self.conditions.transmittance + slots as f64 * steady;
        if let Some(monitor) = &mut self.monitor {
            monitor.add(light);
        }
        if let Some((integrator, _)) = &mut self.blinding {
            integrator.add(light);
        }
    }

    /// What the channel does, with all steady light as its background.
    pub fn conditions(&self) -> Conditions {
        Conditions {
            background_photons: self.conditions.background_photons + self.illumination[1],
            ..self.conditions
        }
    }

    /// How the detectors answer light.
    pub fn response(&self) -> Response {
        self.response
    }

    /// Windows of the power monitor that reached its alarm level.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }
}
