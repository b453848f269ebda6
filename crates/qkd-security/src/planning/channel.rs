use super::published::PublishedChannel;
use super::{CLASSES_MAX, Setting};
use crate::channel::{Receiver, Registering, RegisteringTable, Response};
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
#[derive(Clone, Debug)]
pub(super) enum Channel {
    Exact {
        receiver: Receiver,
        /// What makes it fast and nearly exact, to search with.
        table: Option<RegisteringTable>,
    },
    Published(PublishedChannel),
}

impl Channel {
    /// The same, fast and nearly exact where pulses have mean photon numbers in `range`.
    pub fn tabulated(&self, range: [f64; 2]) -> Self {
        match self {
            Channel::Exact { receiver, .. } => {
                let gains = range.map(|mu| receiver.coherent(mu).gain);
                Channel::Exact {
                    receiver: *receiver,
                    table: Some(RegisteringTable::new(receiver, gains)),
                }
            }
            Channel::Published(channel) => Channel::Published(*channel),
        }
    }

    /// Slots after a registered click in which nothing is registered.
    pub fn dead_time_slots(&self) -> f64 {
        match self {
            Channel::Exact { receiver, .. } => receiver.memory.dead_time_slots,
            Channel::Published(channel) => channel.dead_time_slots,
        }
    }

    /// What each class shows when the classes are sent as `setting` says.
    pub fn rates(&self, setting: &Setting) -> [ClassRate; CLASSES_MAX] {
        match self {
            Channel::Exact { receiver, table } => {
                let pulses = setting.intensities.map(|mu| receiver.coherent(mu));
                let classes = pulses.iter().zip(setting.probabilities);
                let click_probability = classes.map(|(pulse, p)| p * pulse.gain).sum();
                let registering = match table {
                    Some(table) => table.registering(click_probability),
                    None => receiver.registering(click_probability),
                };
                pulses.map(|pulse| registered(&registering, &pulse))
            }
            Channel::Published(channel) => channel.rates(setting),
        }
    }

    /// What single photons show: the truth that infinitely many decoys find.
    pub fn single_photons(&self, setting: &Setting) -> SinglePhotons {
        let [vacuum, single] = match self {
            Channel::Exact { receiver, .. } => {
                let click_probability = mean(setting, |mu| receiver.coherent(mu).gain);
                let registering = receiver.registering(click_probability);
                [receiver.coherent(0.0), receiver.single_photon()]
                    .map(|pulse| registered(&registering, &pulse))
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

fn registered(registering: &Registering, pulse: &Response) -> ClassRate {
    ClassRate::new(
        registering.rate(pulse.click_mark()),
        registering.rate(pulse.error_mark()),
    )
}

/// Mean of `value` over the intensities, weighted by how often each is sent.
pub(super) fn mean(setting: &Setting, value: impl Fn(f64) -> f64) -> f64 {
    let classes = setting.intensities.iter().zip(setting.probabilities);
    classes
        .filter(|(_, probability)| *probability > 0.0)
        .map(|(&mu, probability)| probability * value(mu))
        .sum()
}
