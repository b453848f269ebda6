use super::published::PublishedChannel;
use super::{CLASSES_MAX, Setting};
use crate::channel::{Receiver, Registering};
use crate::decoy::SinglePhotons;

/// What the pulses of one intensity show, both bases being equal: registered detections, and wrong
/// ones among them, per slot of Alice's clock that is sent with it. Dead time is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ClassRate {
    pub clicks: f64,
    pub errors: f64,
}

impl ClassRate {
    /// A class in which no more is wrong than is there, and no more is there than was sent.
    pub fn new(clicks: f64, errors: f64) -> Self {
        let clicks = clicks.clamp(0.0, 1.0);
        ClassRate {
            clicks,
            errors: errors.clamp(0.0, clicks),
        }
    }

    /// E: share of wrong bits; 0 without clicks.
    pub fn qber(&self) -> f64 {
        if self.clicks > 0.0 {
            self.errors / self.clicks
        } else {
            0.0
        }
    }
}

/// One of the channel models, with the figures of a link.
#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Exact(Receiver),
    Published(PublishedChannel),
}

impl Channel {
    /// What each class shows when the classes are sent as `setting` says.
    pub fn rates(&self, setting: &Setting) -> [ClassRate; CLASSES_MAX] {
        match self {
            Channel::Exact(receiver) => {
                let pulses = setting.intensities.map(|mu| receiver.coherent(mu));
                let registering = registering(receiver, setting);
                pulses.map(|pulse| {
                    ClassRate::new(
                        registering.rate(pulse.click_mark()),
                        registering.rate(pulse.error_mark()),
                    )
                })
            }
            Channel::Published(channel) => channel.rates(setting),
        }
    }

    /// What single photons show: the truth that infinitely many decoys find.
    pub fn single_photons(&self, setting: &Setting) -> SinglePhotons {
        let [vacuum, single] = match self {
            Channel::Exact(receiver) => {
                let registering = registering(receiver, setting);
                [receiver.coherent(0.0), receiver.single_photon()].map(|pulse| {
                    ClassRate::new(
                        registering.rate(pulse.click_mark()),
                        registering.rate(pulse.error_mark()),
                    )
                })
            }
            Channel::Published(channel) => channel.photons(setting),
        };
        SinglePhotons {
            vacuum_yield: vacuum.clicks,
            photon_yield: single.clicks,
            error_rate: single.qber().min(0.5),
        }
    }
}

fn registering(receiver: &Receiver, setting: &Setting) -> Registering {
    receiver.registering(mean(setting, |mu| receiver.coherent(mu).gain))
}

/// Mean of `value` over the intensities, weighted by how often each is sent.
pub(super) fn mean(setting: &Setting, value: impl Fn(f64) -> f64) -> f64 {
    let classes = setting.intensities.iter().zip(setting.probabilities);
    classes
        .filter(|(_, probability)| *probability > 0.0)
        .map(|(&mu, probability)| probability * value(mu))
        .sum()
}
