//! Eve in the line: where she stands, what she does, and what she has learnt.

use qkd_attacks::{Announced, Attack, AttackTally, Grade, TowardsAlice};
use qkd_bits::PhysicsRng;
use qkd_optics::{
    AlicesDoor, Basis, Choice, EvePort, Fibre, FlashPhoton, Layout, PulseTrain, Reflections,
    Transmitter,
};
use qkd_security::{IntensityClass, binary_entropy};

use crate::Error;

/// Somebody who listens in.
#[derive(Debug, Clone, PartialEq)]
pub struct Eve {
    /// What she does, as `qkd-attacks` spells it.
    pub attack: String,
    /// Where she does it.
    pub site: EveSite,
}

/// Where Eve stands, and by what way her light gets to Bob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EveSite {
    /// At Bob's door: all of the fibre's loss lies before her.
    BobsDoor,
    /// Between two lines of her choice. Nothing obliges her to use the fibre that was there.
    Between {
        /// Transmittance from Alice to her.
        before: f64,
        /// Transmittance from her to Bob.
        after: f64,
    },
}

impl EveSite {
    /// At Alice's door, with a lossless line of her own to Bob.
    pub const LOSSLESS_LINE: Self = Self::Between {
        before: 1.0,
        after: 1.0,
    };
}

impl Eve {
    /// An attack at Bob's door.
    pub fn at_bobs_door(attack: impl Into<String>) -> Self {
        Self {
            attack: attack.into(),
            site: EveSite::BobsDoor,
        }
    }

    /// An attack at Alice's door, with a lossless line to Bob.
    pub fn with_lossless_line(attack: impl Into<String>) -> Self {
        Self {
            attack: attack.into(),
            site: EveSite::LOSSLESS_LINE,
        }
    }

    /// What she does to Alice's laboratory.
    pub(crate) fn towards_alice(&self) -> Result<TowardsAlice, Error> {
        Ok(qkd_attacks::by_name(&self.attack)?.towards_alice())
    }

    /// Transmittance from Alice to her, where that of the whole fibre is `channel`.
    pub(crate) fn before(&self, channel: f64) -> f64 {
        match self.site {
            EveSite::BobsDoor => channel,
            EveSite::Between { before, .. } => before,
        }
    }
}

/// Eve at work.
pub(crate) struct Tap {
    attack: Box<dyn Attack>,
    line: Fibre,
    /// Decides what she does.
    choices: PhysicsRng,
    /// Decides how her measurements come out and what her line loses.
    nature: PhysicsRng,
    score: EveScore,
}

impl Tap {
    pub fn new(eve: &Eve, choices: PhysicsRng, nature: PhysicsRng) -> Result<Self, Error> {
        let after = match eve.site {
            EveSite::BobsDoor => 1.0,
            EveSite::Between { after, .. } => after,
        };
        Ok(Self {
            attack: qkd_attacks::by_name(&eve.attack)?,
            line: Fibre::new(after)?,
            choices,
            nature,
            score: EveScore::default(),
        })
    }

    /// Lets her keep notes, so that she can be asked.
    pub fn take_notes(&mut self) {
        self.attack.record().notebook.open();
    }

    /// Lets Alice transmit so many slots, while Eve does what she does to her laboratory, and returns
    /// what leaves Eve's hands.
    pub fn transmit(
        &mut self,
        alice: &mut Transmitter,
        door: &AlicesDoor,
        span: u32,
    ) -> Result<PulseTrain, Error> {
        let from = alice.next_slot();
        let mut reflections = Reflections::default();
        let train = match self.attack.towards_alice() {
            TowardsAlice::Remapped { step } if door.layout == Layout::TwoWay => {
                alice.transmit_remapped(span, step)
            }
            TowardsAlice::Nothing | TowardsAlice::Remapped { .. } => alice.transmit(span),
            TowardsAlice::Light(light) => {
                let train = alice.transmit(span);
                let returned = door.returned_photons(&light);
                let slots = from..alice.next_slot();
                reflections = alice.reflect(slots, returned, &mut self.nature)?;
                train
            }
        };
        Ok(self.act(train, reflections))
    }

    /// What leaves her hands when this train comes into them.
    pub fn pass(&mut self, train: PulseTrain) -> PulseTrain {
        self.act(train, Reflections::default())
    }

    /// Gives her what Bob's clicks of these slots have sent back.
    pub fn catch(&mut self, photons: Vec<FlashPhoton>) {
        if !photons.is_empty() {
            self.attack.catch(photons, &mut self.choices);
        }
    }

    fn act(&mut self, train: PulseTrain, reflections: Reflections) -> PulseTrain {
        let port = EvePort::new(train, self.nature.fork());
        let mut port = port.with_reflections(reflections);
        self.attack.act(&mut port, &mut self.choices);
        self.line.carry(port.finish(), &mut self.nature)
    }

    /// Tells her what is public of a sifted slot, and sets her answer beside Alice's bit, which she
    /// never sees.
    pub fn ask(&mut self, slot: u64, alice: &Choice) {
        let basis = alice.basis;
        let notebook = &mut self.attack.record().notebook;
        let guess = notebook.hear(Announced { slot, basis }, &mut self.nature);
        let share = self.score.share_mut(basis, alice.intensity.0.into());
        share.sifted_bits += 1;
        if let Some(guess) = guess {
            let grade = match guess.grade {
                Grade::Known => &mut share.known,
                Grade::Likely => &mut share.likely,
            };
            grade.guesses += 1;
            grade.right += u64::from(guess.bit == alice.bit);
        }
    }

    /// Nothing will be said of slots before this one any more.
    pub fn forget_before(&mut self, slot: u64) {
        self.attack.record().notebook.forget_before(slot);
    }

    pub fn tally(&mut self) -> AttackTally {
        self.attack.record().tally
    }

    pub fn score(&self) -> EveScore {
        self.score
    }
}

/// What Eve knows of the sifted bits, set beside Alice's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EveScore {
    /// Key basis, then test basis; signal, then decoy.
    shares: [[EveShare; 2]; 2],
}

/// The same for sifted bits of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EveShare {
    /// Sifted bits.
    pub sifted_bits: u64,
    /// What she was sure of.
    pub known: GuessCount,
    /// What she thought likelier than its opposite.
    pub likely: GuessCount,
}

/// Guesses and how many of them were right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuessCount {
    /// Bits that she said anything about.
    pub guesses: u64,
    /// Those of them that are Alice's.
    pub right: u64,
}

impl EveScore {
    /// Of the bits of one basis and intensity.
    pub fn share(&self, basis: Basis, intensity: IntensityClass) -> EveShare {
        self.shares[row(basis)][intensity.index()]
    }

    /// Of all bits of a basis.
    pub fn basis(&self, basis: Basis) -> EveShare {
        let [signal, decoy] = self.shares[row(basis)];
        signal.plus(decoy)
    }

    /// Of all sifted bits.
    pub fn all(&self) -> EveShare {
        self.basis(Basis::Z).plus(self.basis(Basis::X))
    }

    fn share_mut(&mut self, basis: Basis, class: usize) -> &mut EveShare {
        // Links here have two intensities.
        &mut self.shares[row(basis)][class.min(1)]
    }
}

fn row(basis: Basis) -> usize {
    match basis {
        Basis::Z => 0,
        Basis::X => 1,
    }
}

impl EveShare {
    /// Her information, bits per sifted bit: 1 − h(r) for guesses of which a share r is right. It is
    /// estimated from how right she was, never from how right she thought she would be.
    pub fn information(&self) -> f64 {
        let bits = self.known.information_bits() + self.likely.information_bits();
        bits / self.sifted_bits as f64
    }

    /// Share of the sifted bits that she gets right when she tosses a fair coin for those that she
    /// knows nothing about.
    pub fn right(&self) -> f64 {
        let guesses = self.known.guesses + self.likely.guesses;
        let coins = 0.5 * (self.sifted_bits - guesses) as f64;
        ((self.known.right + self.likely.right) as f64 + coins) / self.sifted_bits as f64
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sifted_bits: self.sifted_bits + other.sifted_bits,
            known: self.known.plus(other.known),
            likely: self.likely.plus(other.likely),
        }
    }
}

impl GuessCount {
    fn information_bits(self) -> f64 {
        if self.guesses == 0 {
            return 0.0;
        }
        let right = self.right as f64 / self.guesses as f64;
        self.guesses as f64 * (1.0 - binary_entropy(right))
    }

    fn plus(self, other: Self) -> Self {
        Self {
            guesses: self.guesses + other.guesses,
            right: self.right + other.right,
        }
    }
}
