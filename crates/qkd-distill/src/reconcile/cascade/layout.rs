//! How a key is cut into pieces, and the orders in which its bits are read.

use qkd_bits::SecretRng;
use zeroize::Zeroizing;

/// Longest piece in bits: its tables stay in the cache, and its indices fit 16 bits.
const PIECE_BITS_MAX: usize = 1 << 16;

/// Equal pieces that run side by side, each starting at a whole word. The last one is filled up
/// with zeros that both sides know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) piece_bits: usize,
    pub(super) pieces: usize,
}

impl Layout {
    pub(super) fn new(key_bits: usize) -> Self {
        let pieces = key_bits.div_ceil(PIECE_BITS_MAX).max(1);
        let piece_bits = match pieces {
            1 => key_bits.max(1),
            _ => key_bits.div_ceil(pieces).next_multiple_of(64),
        };
        Self { piece_bits, pieces }
    }

    /// Bits of all pieces, the fill included.
    pub(super) fn total(&self) -> usize {
        self.piece_bits * self.pieces
    }
}

/// An order in which one pass reads the bits of each piece.
pub(super) enum Order {
    /// As they are in the key.
    Plain,
    /// By a permutation, the same in every piece: errors in different pieces are independent, and
    /// one permutation is cheap to draw.
    Permuted(Permutation),
}

pub(super) struct Permutation {
    /// Offset in the piece of the bit read at each place.
    offsets: Vec<u16>,
    /// The inverse: the place at which each offset is read.
    places: Vec<u16>,
}

impl Order {
    /// A permutation of a piece (Fisher and Yates), uniform to 2⁻⁴⁸ in each draw, which is more
    /// than locating errors takes.
    pub(super) fn permuted(layout: Layout, rng: &mut SecretRng) -> Self {
        // A piece has at most 2¹⁶ bits, so its offsets fit.
        let mut offsets: Vec<u16> = (0..layout.piece_bits).map(|i| i as u16).collect();
        for i in (1..offsets.len()).rev() {
            let j = ((u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64) as usize;
            offsets.swap(i, j);
        }
        let mut places = vec![0; offsets.len()];
        for (place, &offset) in offsets.iter().enumerate() {
            places[usize::from(offset)] = place as u16;
        }
        Order::Permuted(Permutation { offsets, places })
    }

    /// Where in this order the key's bit `position` is read.
    pub(super) fn place(&self, layout: Layout, position: usize) -> usize {
        match self {
            Order::Plain => position,
            Order::Permuted(permutation) => {
                let offset = position % layout.piece_bits;
                position - offset + usize::from(permutation.places[offset])
            }
        }
    }

    /// Which bit of the key is read at `place`.
    pub(super) fn position(&self, layout: Layout, place: usize) -> usize {
        match self {
            Order::Plain => place,
            Order::Permuted(permutation) => {
                let offset = place % layout.piece_bits;
                place - offset + usize::from(permutation.offsets[offset])
            }
        }
    }

    /// The words of `key` read in this order.
    pub(super) fn read(&self, layout: Layout, key: &[u64]) -> Vec<u64> {
        let permutation = match self {
            Order::Plain => return key.to_vec(),
            Order::Permuted(permutation) => permutation,
        };
        let mut words = Vec::with_capacity(key.len());
        let mut piece = Zeroizing::new([0; PIECE_BITS_MAX / 64]);
        for part in key.chunks(layout.piece_bits.div_ceil(64)) {
            piece[..part.len()].copy_from_slice(part);
            for offsets in permutation.offsets.chunks(64) {
                let mut word = 0;
                for (i, &offset) in offsets.iter().enumerate() {
                    word |= (piece[usize::from(offset / 64)] >> (offset % 64) & 1) << i;
                }
                words.push(word);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::BitString;

    #[test]
    fn place_and_position_are_inverse_and_reading_follows_them() {
        for key_bits in [1, 2, 63, 64, 65, 1000, 65_536, 65_537, 200_001] {
            let layout = Layout::new(key_bits);
            assert!(layout.total() >= key_bits && layout.total() < key_bits + 64 * layout.pieces);
            let mut rng = SecretRng::from_seed([11; 32]);
            let key = rng.public_bits(layout.total());
            for order in [Order::Plain, Order::permuted(layout, &mut rng)] {
                let read = BitString::from_words(order.read(layout, key.words()), layout.total());
                for place in 0..layout.total() {
                    let position = order.position(layout, place);
                    assert_eq!(order.place(layout, position), place);
                    assert_eq!(read.get(place), key.get(position));
                }
            }
        }
    }
}
