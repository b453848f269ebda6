//! What lies between the two laboratories: frames, Eve, and a network that loses datagrams.

use qkd_attacks::AttackTally;
use qkd_bits::PhysicsRng;
use qkd_optics::{FRAME_BYTES, FrameEncoder, FrameOrder, PulseFrame, PulseTrain};

use crate::eve::Tap;
use crate::{Error, FrameLoss};

/// The way of the frames from Alice to Bob.
pub(crate) struct QuantumChannel {
    encoder: FrameEncoder,
    order: FrameOrder,
    tap: Option<Tap>,
    /// Eve's own frames start a new sequence, as those of her process do.
    resend: FrameEncoder,
    frame_loss: FrameLoss,
    /// Datagrams given to the network so far.
    sent_frames: u64,
    nature: PhysicsRng,
    datagrams: Vec<u8>,
}

impl QuantumChannel {
    pub(crate) fn new(
        encoder: FrameEncoder,
        order: FrameOrder,
        tap: Option<Tap>,
        frame_loss: FrameLoss,
        nature: PhysicsRng,
    ) -> Self {
        Self {
            resend: FrameEncoder::new(*encoder.shape()),
            encoder,
            order,
            tap,
            frame_loss,
            sent_frames: 0,
            nature,
            datagrams: Vec::new(),
        }
    }

    /// Carries one train and returns what Bob's receiver may measure now.
    pub(crate) fn carry(
        &mut self,
        train: PulseTrain,
        now_ps: u64,
    ) -> Result<Vec<PulseFrame>, Error> {
        self.datagrams.clear();
        self.encoder.encode(train, &mut self.datagrams)?;
        if let Some(tap) = &mut self.tap {
            let intercepted = std::mem::take(&mut self.datagrams);
            for datagram in intercepted.chunks(FRAME_BYTES) {
                let light = PulseFrame::decode(datagram)?.into_light();
                self.resend.encode(tap.pass(light), &mut self.datagrams)?;
            }
        }
        for datagram in self.datagrams.chunks(FRAME_BYTES) {
            let number = self.sent_frames;
            self.sent_frames += 1;
            if !self.frame_loss.loses(number, &mut self.nature) {
                // What became of it stands in the counters.
                let _verdict = self.order.receive(now_ps, datagram)?;
            }
        }
        Ok(self.order.release(now_ps))
    }

    /// What Eve did, when she was there.
    pub(crate) fn tally(&mut self) -> Option<AttackTally> {
        self.tap.as_mut().map(Tap::tally)
    }

    /// Slots whose frames were lost.
    pub(crate) fn lost_slots(&self) -> u64 {
        self.order.counters().lost_slots
    }
}
