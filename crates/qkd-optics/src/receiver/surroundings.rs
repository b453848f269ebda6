//! What the receiver stands in: the channel's conditions and the light that has come in.

use qkd_bits::SecretRng;

use super::click_law::Response;
use super::integrator::Integrator;
use super::readings::{Level, Readings, Weakened};
use crate::light::Pulse;
use crate::{Channel, Conditions, Detectors, PhotocurrentMonitor, RandomEfficiency};

/// What changes from time to time and is constant in between.
pub(super) struct Surroundings {
    channel: Option<Box<dyn Channel + Send>>,
    conditions: Conditions,
    /// First slot in which the conditions may be others.
    conditions_until: u64,
    monitor: Option<Watched>,
    alarms: u64,
    current: Option<(Watched, PhotocurrentMonitor)>,
    blinding: Option<Blinding>,
    response: Response,
    weakening: Option<Weakening>,
    /// Steady light of Eve's, photons per slot, and what it was when last taken over.
    illumination: [f64; 2],
    insertion_transmittance: f64,
    /// Slots and registered clicks that have been accounted for.
    accounted: [u64; 2],
}

/// A sum over windows with its readings.
struct Watched {
    integrator: Integrator,
    level: Level,
}

impl Watched {
    fn new(window_slots: u64, limit: f64) -> Self {
        Self {
            integrator: Integrator::new(window_slots),
            level: Level::new(window_slots, limit),
        }
    }

    /// When `slot` has left the present window: whether that one reached the level.
    fn close(&mut self, slot: u64) -> bool {
        let Some(sum) = self.integrator.close(slot) else {
            return false;
        };
        self.level.window(sum);
        sum >= self.level.limit
    }

    fn take(&mut self) -> Level {
        let fresh = Level::new(self.level.window_slots, self.level.limit);
        std::mem::replace(&mut self.level, fresh)
    }
}

/// What light does to the detectors.
struct Blinding {
    integrator: Integrator,
    /// Light in a window that blinds.
    photons: f64,
    /// What blind detectors do.
    blind: Response,
}

/// Bob's attenuator.
struct Weakening {
    settings: RandomEfficiency,
    /// First slot after the present window.
    until: u64,
    active: bool,
    secret: SecretRng,
    counted: Weakened,
    /// Slots and clicks of the present window so far.
    window: [u64; 2],
}

impl Weakening {
    fn account(&mut self, slots: u64, clicks: u64) {
        self.window[0] += slots;
        self.window[1] += clicks;
        if self.active {
            self.counted.slots += slots;
            self.counted.clicks += clicks;
        }
    }

    fn enter(&mut self, slot: u64) {
        while slot >= self.until {
            let [slots, clicks] = std::mem::take(&mut self.window);
            // None but whole ones can be compared.
            if slots == self.settings.window_slots {
                self.counted.windows[usize::from(self.active)].add(clicks);
            }
            self.active = self.secret.chance(self.settings.probability);
            self.until = self.until.saturating_add(self.settings.window_slots);
        }
    }

    fn transmittance(&self) -> f64 {
        if self.active {
            self.settings.transmittance
        } else {
            1.0
        }
    }
}

impl Surroundings {
    /// Still conditions and darkness. Nothing is drawn from `secret` unless Bob weakens light.
    pub fn new(detectors: &Detectors, secret: &mut SecretRng) -> Self {
        let effects = &detectors.effects;
        let monitor = effects.power_monitor.as_ref();
        let current = effects.photocurrent_monitor;
        let blinding = effects.linear_mode.as_ref();
        Self {
            channel: None,
            conditions: Conditions::STILL,
            conditions_until: u64::MAX,
            monitor: monitor.map(|it| Watched::new(it.window_slots, it.alarm_photons)),
            alarms: 0,
            current: current.map(|it| (Watched::new(it.window_slots, it.alarm_electrons), it)),
            blinding: blinding.map(|it| Blinding {
                integrator: Integrator::new(it.window_slots),
                photons: it.blinding_photons,
                blind: Response::Linear {
                    threshold_photons: it.threshold_photons,
                },
            }),
            response: Response::SinglePhotons,
            weakening: effects.random_efficiency.map(|settings| Weakening {
                settings,
                until: 0,
                active: false,
                secret: secret.fork(),
                counted: Weakened::default(),
                window: [0; 2],
            }),
            illumination: [0.0; 2],
            insertion_transmittance: detectors.insertion_transmittance,
            accounted: [0; 2],
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

    /// Takes over what holds from `slot` on, after so many registered clicks in all; returns whether
    /// anything has changed that decides clicks.
    pub fn enter(&mut self, slot: u64, clicks: u64) -> bool {
        let before = (self.conditions, self.response, self.attenuation());
        self.account(slot, clicks);
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
            self.alarms += u64::from(monitor.close(slot));
        }
        if let Some((current, _)) = &mut self.current {
            current.close(slot);
        }
        if let Some(blinding) = &mut self.blinding
            && let Some(photons) = blinding.integrator.close(slot)
        {
            self.response = if photons >= blinding.photons {
                blinding.blind
            } else {
                Response::SinglePhotons
            };
        }
        if let Some(weakening) = &mut self.weakening {
            weakening.enter(slot);
        }
        let [now, taken_over] = self.illumination;
        self.illumination[1] = now;
        now != taken_over || before != (self.conditions, self.response, self.attenuation())
    }

    /// Books the slots and clicks since it was last asked to where they belong.
    fn account(&mut self, slot: u64, clicks: u64) {
        let [slots_before, clicks_before] = self.accounted;
        let (slots, new_clicks) = (slot - slots_before, clicks - clicks_before);
        self.accounted = [slot, clicks];
        if let Some(weakening) = &mut self.weakening {
            weakening.account(slots, new_clicks);
        }
        if self.response == Response::SinglePhotons
            && let Some((current, monitor)) = &mut self.current
        {
            let charge = new_clicks as f64 * monitor.avalanche_electrons;
            current.integrator.add(charge);
        }
    }

    /// First slot in which something may change.
    pub fn until(&self) -> u64 {
        let mut until = self.conditions_until;
        if let Some(monitor) = &self.monitor {
            until = until.min(monitor.integrator.until());
        }
        if let Some((current, _)) = &self.current {
            until = until.min(current.integrator.until());
        }
        if let Some(blinding) = &self.blinding {
            until = until.min(blinding.integrator.until());
        }
        if let Some(weakening) = &self.weakening {
            until = until.min(weakening.until);
        }
        until
    }

    /// Counts the light that comes in during `slots` slots. All of it is energy: of the loss at the
    /// entrance the instruments see the mean.
    pub fn illuminate(&mut self, pulses: &[Pulse], slots: u64) {
        if self.monitor.is_none() && self.blinding.is_none() {
            return;
        }
        let photons: u64 = pulses.iter().map(Pulse::quanta).sum();
        let steady = self.conditions.background_photons + self.illumination[1];
        let light = photons as f64 * self.conditions.transmittance + slots as f64 * steady;
        if let Some(monitor) = &mut self.monitor {
            monitor.integrator.add(light);
        }
        let behind = light * self.attenuation();
        if let Some(blinding) = &mut self.blinding {
            blinding.integrator.add(behind);
        }
        if self.response != Response::SinglePhotons
            && let Some((current, monitor)) = &mut self.current
        {
            let on_detectors = behind * self.insertion_transmittance;
            current
                .integrator
                .add(on_detectors * monitor.electrons_per_photon);
        }
    }

    /// Transmittance of Bob's own attenuator.
    fn attenuation(&self) -> f64 {
        self.weakening
            .as_ref()
            .map_or(1.0, Weakening::transmittance)
    }

    /// What the channel does and Bob's attenuator after it, with all steady light as background.
    pub fn conditions(&self) -> Conditions {
        let attenuation = self.attenuation();
        let steady = self.conditions.background_photons + self.illumination[1];
        Conditions {
            transmittance: self.conditions.transmittance * attenuation,
            background_photons: steady * attenuation,
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

    /// Adds what its instruments showed since they were last read, up to `slot` and so many clicks.
    pub fn read(&mut self, slot: u64, clicks: u64, readings: &mut Readings) {
        self.account(slot, clicks);
        readings.input_power = self.monitor.as_mut().map(Watched::take);
        let current = self.current.as_mut();
        readings.photocurrent = current.map(|(current, _)| current.take());
        let weakening = self.weakening.as_mut();
        readings.weakened = weakening.map(|it| std::mem::take(&mut it.counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole windows alone, however their clicks came to be asked for.
    #[test]
    fn windows_that_ended_are_counted_one_by_one() {
        let mut weakening = Weakening {
            settings: RandomEfficiency {
                window_slots: 100,
                probability: 0.5,
                transmittance: 0.5,
            },
            until: 0,
            active: false,
            secret: SecretRng::from_seed([1; 32]),
            counted: Weakened::default(),
            window: [0; 2],
        };
        weakening.enter(0);
        for window in 1..=20u64 {
            weakening.account(60, window);
            weakening.account(40, 2 * window);
            weakening.enter(100 * window);
        }
        // Lost before its end, and not at its beginning.
        weakening.account(30, 5);
        weakening.enter(2_100);
        let [full, weakened] = weakening.counted.windows;
        assert!(full.count > 0 && weakened.count > 0);
        assert_eq!(full.count + weakened.count, 20);
        assert_eq!(full.clicks + weakened.clicks, 3 * 210);
        assert_eq!(full.squares + weakened.squares, 9 * 2_870);
    }
}
