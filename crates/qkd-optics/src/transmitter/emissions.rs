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
