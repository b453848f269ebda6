//! What is in a slot that holds light: one table behind every sampler.

use qkd_bits::SecretStream;
use zeroize::DefaultIsZeroes;

use crate::light::{Pulse, State};
use crate::sampling::alias::Alias;
use crate::sampling::threshold;
use crate::source::Emission;

/// Rows of the table: with eight bytes each they stay in the innermost cache.
const ROWS: usize = 256;

/// An emission in 15 bits: the label in the low five, the state that was sent in two, the photon
/// number above.
#[derive(Clone, Copy, Default)]
pub(super) struct Packed(u16);

impl DefaultIsZeroes for Packed {}

/// Stands in the table for all outcomes that have no row of their own.
const RARE: Packed = Packed(u16::MAX);

impl Packed {
    /// Alice's choice, for the record.
    pub const LABEL_BITS: u32 = 5;

    fn new(emission: Emission) -> Self {
        let sent = u16::from(emission.sent.code());
        Self(u16::from(emission.photons) << 7 | sent << 5 | u16::from(emission.label.0))
    }

    /// The label's bits.
    #[inline(always)]
    pub fn label(self) -> u32 {
        u32::from(self.0 & 0x1f)
    }

    /// The light itself.
    #[inline(always)]
    pub fn pulse(self, offset: u32) -> Pulse {
        Pulse {
            offset,
            photons: (self.0 >> 7) as u8,
            state: State::from_code((self.0 >> 5) as u8),
            crafted: [0; 2],
        }
    }
}

/// The joint law of (label, sent state, photon number) of a slot that holds light, drawn from 16
/// bits of the secret stream and now and then from 64 more.
pub(super) struct EmissionTable {
    likely: Alias<Packed, ROWS, 16>,
    /// The outcomes beyond the 255 likeliest: upper ends of their shares of 64 bits, ascending.
    rare: Vec<(u64, Packed)>,
}

impl EmissionTable {
    /// The table of a law with weights that need not add up to 1; nothing when there is no light.
    pub fn new(law: &[(Emission, f64)]) -> Option<Self> {
        const _: () = assert!(crate::INTENSITIES_MAX << 2 <= 1 << Packed::LABEL_BITS);
        let mut law: Vec<(Packed, f64)> = law.iter().map(|&(e, w)| (Packed::new(e), w)).collect();
        // A stable sort: the same law makes the same table everywhere.
        law.sort_by(|a, b| b.1.total_cmp(&a.1));
        let unlikely = law.split_off(law.len().min(ROWS - 1));
        let total: f64 = unlikely.iter().rev().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let mut rare: Vec<(u64, Packed)> = unlikely
            .iter()
            .map(|&(packed, weight)| {
                sum += weight;
                (threshold(sum / total), packed)
            })
            .collect();
        if let Some((end, _)) = rare.last_mut() {
            *end = u64::MAX;
            law.push((RARE, total));
        }
        Some(Self {
            likely: Alias::new(&law)?,
            rare,
        })
    }

    /// One outcome from the low 16 bits of `word`.
    #[inline(always)]
    pub fn draw(&self, word: u32, secret: &mut SecretStream) -> Packed {
        let packed = self.likely.draw(word & 0xffff, || more(secret));
        if packed.0 == RARE.0 {
            self.draw_rarely(more(secret))
        } else {
            packed
        }
    }

    /// The outcome of the low 16 bits of `word` and whether it is decided; when it is not, the same
    /// word must go to [`draw`](Self::draw).
    #[inline(always)]
    pub fn draw_quickly(&self, word: u32) -> (Packed, bool) {
        let (packed, decided) = self.likely.draw_quickly(word & 0xffff);
        (packed, decided & (packed.0 != RARE.0))
    }

    #[cold]
    #[inline(never)]
    fn draw_rarely(&self, bits: u64) -> Packed {
        let found = self.rare.iter().find(|(end, _)| bits < *end);
        // 2⁻⁶⁴ is left above the last end.
        found
            .or(self.rare.last())
            .map_or(RARE, |&(_, packed)| packed)
    }
}

/// Further bits where those of a word do not decide. Kept out of the loops that need it so rarely.
#[cold]
#[inline(never)]
pub(super) fn more(secret: &mut SecretStream) -> u64 {
    secret.next_u64()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use qkd_bits::SecretRng;

    use super::*;
    use crate::Source;

    /// A bright source of eight classes has some two thousand outcomes: most of them have no row.
    #[test]
    fn outcomes_without_a_row_of_their_own_come_at_their_weight_too() {
        let source = Source {
            clock_hz: 1e9,
            intensities: vec![16.0, 9.0, 6.0, 4.0, 2.0, 1.0, 0.5, 0.1],
            intensity_probabilities: vec![0.125; 8],
            key_basis_probability: 0.7,
            effects: Default::default(),
        };
        let law = source.emission_law(1.0);
        assert!(law.occupied.len() > 4 * ROWS);
        let table = EmissionTable::new(&law.occupied).expect("there is light");
        assert!(!table.rare.is_empty());
        let mut secret = SecretStream::new(SecretRng::from_seed([3; 32]));
        let draws = 2_000_000u32;
        let mut counts: HashMap<u16, u32> = HashMap::new();
        let mut words = [0; 1_000];
        for _ in 0..draws / 1_000 {
            secret.fill_u32(&mut words);
            for word in words {
                *counts.entry(table.draw(word, &mut secret).0).or_default() += 1;
            }
        }
        let total: f64 = law.occupied.iter().map(|(_, weight)| weight).sum();
        let (mut chi2, mut cells, mut rest, mut rest_count) = (0.0, 0.0, 0.0, draws);
        for &(emission, weight) in &law.occupied {
            let expected = weight / total * f64::from(draws);
            let count = counts.get(&Packed::new(emission).0).copied().unwrap_or(0);
            if expected < 10.0 {
                rest += expected;
                continue;
            }
            rest_count -= count;
            chi2 += (f64::from(count) - expected).powi(2) / expected;
            cells += 1.0;
        }
        chi2 += (f64::from(rest_count) - rest).powi(2) / rest;
        // Wilson and Hilferty's approximation of the quantile at z = 4.753, that is 1e-6.
        let quantile: f64 = 1.0 - 2.0 / (9.0 * cells) + 4.753 * f64::sqrt(2.0 / (9.0 * cells));
        let quantile = cells * quantile.powi(3);
        assert!(
            chi2 < quantile,
            "chi-square {chi2} over {cells} cells, at most {quantile}"
        );
        assert!(cells > ROWS as f64);
    }

    #[test]
    fn an_emission_keeps_its_label_its_state_and_its_photons_apart() {
        for (label, sent, photons) in [(0, 3, 255), (31, 0, 1), (9, 2, 128)] {
            let packed = Packed::new(Emission {
                label: crate::source::Label(label),
                sent: State::from_code(sent),
                photons,
            });
            let pulse = packed.pulse(77);
            assert_eq!(packed.label(), u32::from(label));
            assert_eq!(
                (pulse.offset, pulse.photons, pulse.state.code()),
                (77, photons, sent)
            );
        }
    }
}
