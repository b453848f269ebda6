//! Bases that follow from a number that somebody else knows.

use qkd_bits::SecretRng;

use super::click_law::{ClickLaw, Response};
use super::click_table::ClickTable;
use super::outcome::Outcome;
use crate::light::Pulse;
use crate::{Basis, Conditions, Detectors, WeakGenerator};

/// The laws of a receiver whose basis is not free.
pub(super) struct Foreseen {
    generator: WeakGenerator,
    /// Always in Z, always in X.
    laws: [(ClickLaw, ClickTable); 2],
}

impl Foreseen {
    /// Nothing for a receiver that chooses as it should.
    pub fn new(
        detectors: &Detectors,
        conditions: &Conditions,
        response: Response,
    ) -> Option<Box<Self>> {
        let generator = detectors.effects.weak_generator?;
        let laws = [1.0, 0.0].map(|key_basis_probability| {
            let detectors = Detectors {
                key_basis_probability,
                ..detectors.clone()
            };
            let law = ClickLaw::new(&detectors, conditions, response);
            let table = ClickTable::new(&law);
            (law, table)
        });
        Some(Box::new(Self { generator, laws }))
    }

    /// What becomes of a pulse where the basis is foreseen; nothing where it is free.
    pub fn draw(
        &self,
        slot: u64,
        pulse: &Pulse,
        word: u32,
        further: &mut SecretRng,
    ) -> Option<Outcome> {
        let (law, table) = self.laws_at(slot)?;
        let outcome = table.draw(pulse, word);
        Some(if outcome.is_open() {
            table.close(pulse, word, law, further)
        } else {
            outcome
        })
    }

    /// The law of a slot whose basis is foreseen.
    pub fn law_at(&self, slot: u64) -> Option<&ClickLaw> {
        self.laws_at(slot).map(|(law, _)| law)
    }

    fn laws_at(&self, slot: u64) -> Option<&(ClickLaw, ClickTable)> {
        let index = match self.generator.basis(slot)? {
            Basis::Z => 0,
            Basis::X => 1,
        };
        Some(&self.laws[index])
    }
}
