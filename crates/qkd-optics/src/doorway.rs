//! Alice's door while she transmits: what comes in through it, train by train, and what goes out.
//!
//! Nobody signs light, so what arrives is judged by what physics would let it do and by nothing else: it
//! is on for a bounded time, as bright as a fibre carries, in slots that are being sent now. It never
//! touches what Alice chooses, and never what was sent before it came.

mod alarm_log;

use std::ops::Range;

use qkd_bits::PhysicsRng;

use crate::{
    Alarm, AlicesDoor, Error, FrameAddress, FrameEncoder, FrameShape, Inward, InwardFrame,
    InwardLight, Layout, LightDensity, PulseTrain, Transmitter,
};
use alarm_log::AlarmLog;

/// Emulated time that one frame lights at most, s: light that is off is off.
const LIT_MAX_S: f64 = 1.0;

/// Photons that come back in a train at most, on average. What is beyond finds no room on the way, like any
/// light that a machine cannot keep up with; which photons that are is chance.
const REFLECTED_MAX: f64 = 16_384.0;

/// The door of one transmitter in one session.
pub struct Doorway {
    door: AlicesDoor,
    address: FrameAddress,
    /// Of Alice's own piece of fibre: light loses as much on its way in as on its way out.
    segment_transmittance: f64,
    lit_slots_max: u64,
    inward: Option<(Range<u64>, Inward)>,
    alarms: AlarmLog,
    reflected: Option<Reflected>,
    physics: PhysicsRng,
}

/// What light that comes back leaves in.
struct Reflected {
    returned_photons: f64,
    encoder: FrameEncoder,
}

impl Doorway {
    /// The door before a transmitter whose light leaves under `address`. `physics` decides what comes
    /// back of light that comes in.
    ///
    /// # Errors
    /// As [`AlicesDoor::check`], and [`Error::OutOfRange`] for a door that lets light make a source brighter
    /// which cannot be ([`Transmitter::brighten`]): nobody learns that by trying.
    pub fn new(
        door: AlicesDoor,
        transmitter: &Transmitter,
        address: FrameAddress,
        physics: PhysicsRng,
    ) -> Result<Self, Error> {
        door.check()?;
        let source = transmitter.source();
        if door.brightens() && source.brightened(f64::INFINITY).check().is_err() {
            return Err(Error::OutOfRange {
                name: "seeding_per_photon",
                value: door.seeding_per_photon,
                expected: "0 for a source that no light makes brighter",
            });
        }
        Ok(Self {
            door,
            address,
            segment_transmittance: transmitter.segment_transmittance(),
            lit_slots_max: (LIT_MAX_S * source.clock_hz).max(1.0) as u64,
            inward: None,
            alarms: AlarmLog::default(),
            reflected: None,
            physics,
        })
    }

    /// Whether it matters at all what comes in: else nobody has to look.
    pub fn matters(&self) -> bool {
        self.door != AlicesDoor::default()
    }

    /// Takes in what arrived from the fibre: light for slots that are not over, of this session. It
    /// takes the place of what was there before; everything else is nothing.
    pub fn receive(&mut self, datagram: &[u8], next_slot: u64) {
        let Ok(frame) = InwardFrame::decode(datagram) else {
            return;
        };
        let header = frame.header();
        if header.address != self.address {
            return;
        }
        let slots = header.slots();
        let most = next_slot.saturating_add(self.lit_slots_max);
        let slots = slots.start.max(next_slot)..slots.end.min(most);
        if !slots.is_empty() {
            self.inward = Some((slots, frame.inward()));
        }
    }

    /// Lets Alice transmit her next `span` slots with what comes in meanwhile; what comes out besides
    /// her pulses is appended to `datagrams`. Light is on or off for a whole train, as it is at its
    /// first slot.
    ///
    /// # Errors
    /// As those of [`Transmitter::brighten`] and [`Transmitter::reflect`].
    pub fn transmit(
        &mut self,
        transmitter: &mut Transmitter,
        span: u32,
        datagrams: &mut Vec<u8>,
    ) -> Result<PulseTrain, Error> {
        let from = transmitter.next_slot();
        let inward = self.inward_at(from);
        let light = match inward {
            Some(Inward::Light(light)) => Some(light),
            Some(Inward::TwoWay { .. }) | None => None,
        };
        transmitter.brighten(light.map_or(1.0, |light| self.door.brightening(&light)))?;
        let train = match inward {
            Some(Inward::TwoWay { step }) if self.door.layout == Layout::TwoWay => {
                transmitter.transmit_remapped(span, step)
            }
            Some(Inward::TwoWay { .. } | Inward::Light(_)) | None => transmitter.transmit(span),
        };
        if let Some(light) = light {
            let slots = from..transmitter.next_slot();
            let said = self.door.alarms(&light, transmitter.source());
            self.alarms.note(slots.clone(), &said);
            self.reflect(transmitter, slots, &light, datagrams)?;
        }
        Ok(train)
    }

    /// What her diodes say of these slots, of each the worst, and forgets all before their end.
    pub fn take_alarms(&mut self, slots: Range<u64>) -> Vec<Alarm> {
        self.alarms.take(slots)
    }

    /// What comes in at a slot, as it is behind Alice's own piece of fibre.
    fn inward_at(&mut self, slot: u64) -> Option<Inward> {
        let (slots, inward) = self.inward.as_ref()?;
        if slot >= slots.end {
            self.inward = None;
            return None;
        }
        if slot < slots.start {
            return None;
        }
        Some(match *inward {
            Inward::Light(light) => Inward::Light(InwardLight {
                photons: light.photons * self.segment_transmittance,
                ..light
            }),
            Inward::TwoWay { step } => Inward::TwoWay { step },
        })
    }

    fn reflect(
        &mut self,
        transmitter: &Transmitter,
        slots: Range<u64>,
        light: &InwardLight,
        datagrams: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let span = (slots.end - slots.start) as u32;
        let out = self.door.returned_photons(light) * self.segment_transmittance;
        let returned_photons = out.min(REFLECTED_MAX / f64::from(span.max(1)));
        if returned_photons == 0.0 {
            return Ok(());
        }
        let stale = |known: &Reflected| known.returned_photons != returned_photons;
        if self.reflected.as_ref().is_none_or(stale) {
            self.reflected = Some(Reflected {
                returned_photons,
                encoder: FrameEncoder::new(reflected_shape(self.address, returned_photons, span)?),
            });
        }
        let reflections =
            transmitter.reflect(slots.clone(), returned_photons, &mut self.physics)?;
        if let Some(reflected) = &mut self.reflected {
            reflected
                .encoder
                .encode_reflected(reflections, slots, datagrams);
        }
        Ok(())
    }
}

/// The shape of frames with so many photons per slot.
fn reflected_shape(
    address: FrameAddress,
    returned_photons: f64,
    span: u32,
) -> Result<FrameShape, Error> {
    let density = LightDensity {
        occupied_probability: -crate::mathematics::exp_m1(-returned_photons),
        few_photons_probability: 0.0,
        many_photons_probability: 0.0,
    };
    FrameShape::for_density(address, density, span)
}

#[cfg(test)]
mod tests;
