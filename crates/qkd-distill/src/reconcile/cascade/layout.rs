//! How a key is cut into pieces, and the orders in which its bits are read.

use qkd_bits::SecretRng;
use zeroize::Zeroizing;

use super::instructions::Instructions;
use super::leaves::Blocks;
use super::sieve::Sieve;
use super::tiles::{TILE_BITS, Tiles};

/// Longest piece in bits: its tables stay in the innermost cache. Longer ones leak a thousandth less.
const PIECE_BITS_MAX: usize = 1 << 17;
/// Longest key that is permuted bit by bit, in bits: whole tiles would fill it up too far.
const TABLE_BITS_MAX: usize = 1 << 15;

/// Equal pieces that run side by side, each starting at a whole word. The last one is filled up
/// with zeros that both sides know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) piece_bits: usize,
    pub(super) pieces: usize,
}

impl Layout {
    pub(super) fn new(key_bits: usize) -> Self {
        if key_bits <= TABLE_BITS_MAX {
            return Self {
                piece_bits: key_bits.max(1),
                pieces: 1,
            };
        }
        let pieces = key_bits.div_ceil(PIECE_BITS_MAX);
        let piece_bits = key_bits.div_ceil(pieces).next_multiple_of(TILE_BITS);
        Self { piece_bits, pieces }
    }

    /// Bits of all pieces, the fill included.
    pub(super) fn total(&self) -> usize {
        self.piece_bits * self.pieces
    }

    /// Words of all pieces.
    pub(super) fn words(&self) -> usize {
        self.total().div_ceil(64)
    }
}

/// An order in which one pass reads the bits of each piece: the same in every piece, because errors
/// in different pieces are independent and one order is cheap to draw.
pub(super) enum Order {
    /// As they are in the key.
    Plain,
    /// A short key, bit by bit.
    Table(Table),
    /// By words and tiles.
    Tiles(Tiles),
    /// By words and tiles, and then all bits of a chosen set first.
    Sorted(Tiles, Sieve),
}

impl Order {
    /// An order drawn at random.
    pub(super) fn drawn(layout: Layout, rng: &mut SecretRng) -> Self {
        if layout.piece_bits <= TABLE_BITS_MAX {
            Self::Table(Table::drawn(layout.piece_bits, rng))
        } else {
            Self::Tiles(Tiles::drawn(layout.piece_bits, rng))
        }
    }

    /// This order with the bits of the key that are set in `chosen` before all others, if it is by
    /// tiles; and the blocks of either kind, of sizes near these.
    #[inline(always)]
    pub(super) fn sorted(
        self,
        chosen: &[u64],
        sizes: [f64; 2],
        instructions: Instructions,
    ) -> Self {
        match self {
            Order::Tiles(tiles) => {
                let mut read = vec![0; chosen.len()];
                tiles.read(chosen, &mut read);
                Order::Sorted(tiles, Sieve::new(read, sizes, instructions))
            }
            Order::Plain | Order::Table(_) | Order::Sorted(..) => self,
        }
    }

    /// Whether a bit of the key, or of the fill, is read at `place`.
    #[inline(always)]
    pub(super) fn reads(&self, place: u32, layout: Layout) -> bool {
        match self {
            Order::Plain | Order::Table(_) | Order::Tiles(_) => (place as usize) < layout.total(),
            Order::Sorted(_, sieve) => sieve.fills(place),
        }
    }

    /// Where in this order the key's bits at `positions` are read.
    #[inline(always)]
    pub(super) fn places(&self, positions: &[u32]) -> Vec<u32> {
        let mut places = positions.to_vec();
        // Loops: what is handed to another function, a closure even, is not compiled for the caller's
        // instructions.
        match self {
            Order::Plain => {}
            Order::Table(table) => {
                for at in &mut places {
                    *at = u32::from(table.places[*at as usize]);
                }
            }
            Order::Tiles(tiles) => {
                for at in &mut places {
                    *at = tiles.place(*at);
                }
            }
            Order::Sorted(tiles, sieve) => {
                for at in &mut places {
                    *at = sieve.place(tiles.place(*at));
                }
            }
        }
        places
    }

    /// Which bits of the key are read at `places`, at each of which one [is](Order::reads).
    #[inline(always)]
    pub(super) fn positions(&self, places: &[u32]) -> Vec<u32> {
        let mut positions = places.to_vec();
        match self {
            Order::Plain => {}
            Order::Table(table) => {
                for at in &mut positions {
                    *at = u32::from(table.offsets[*at as usize]);
                }
            }
            Order::Tiles(tiles) => {
                for at in &mut positions {
                    *at = tiles.position(*at);
                }
            }
            Order::Sorted(tiles, sieve) => {
                for at in &mut positions {
                    *at = tiles.position(sieve.origin(*at));
                }
            }
        }
        positions
    }

    /// The words of `key` read in this order, as many as `blocks` need.
    #[inline(always)]
    pub(super) fn read(&self, key: &[u64], blocks: Blocks) -> Zeroizing<Vec<u64>> {
        let needed = blocks.words().max(key.len() + 1);
        let mut words = Zeroizing::new(Vec::with_capacity(needed));
        match self {
            Order::Plain => words.extend_from_slice(key),
            Order::Table(table) => {
                words.extend(table.offsets.chunks(64).map(|offsets| {
                    let bit = |&at: &u16| key[usize::from(at / 64)] >> (at % 64) & 1;
                    (0..)
                        .zip(offsets)
                        .fold(0, |word, (i, at)| word | bit(at) << i)
                }));
            }
            Order::Tiles(tiles) => {
                words.resize(key.len(), 0);
                tiles.read(key, &mut words);
            }
            Order::Sorted(tiles, sieve) => {
                let mut read = Zeroizing::new(vec![0; key.len()]);
                tiles.read(key, &mut read);
                return sieve.sort(&read);
            }
        }
        words.resize(needed, 0);
        words
    }
}

/// A permutation of the bits of a short key.
pub(super) struct Table {
    /// Which bit is read at each place.
    offsets: Vec<u16>,
    /// The inverse: the place at which each bit is read.
    places: Vec<u16>,
}

impl Table {
    fn drawn(bits: usize, rng: &mut SecretRng) -> Self {
        let (offsets, places) = shuffled(bits, rng);
        Self { offsets, places }
    }
}

/// A permutation of `count` numbers (Fisher and Yates) and its inverse. `count` is at most 2¹⁶, so
/// that they fit, and each draw uniform to 2⁻⁵ of what a number is worth, to 2⁻¹⁰ for the 2¹¹ words
/// of a piece, which is more than locating errors takes.
pub(super) fn shuffled(count: usize, rng: &mut SecretRng) -> (Vec<u16>, Vec<u16>) {
    let mut numbers: Vec<u16> = (0..count).map(|i| i as u16).collect();
    let mut last = count;
    while last > 1 {
        // One draw of 64 bits does for three numbers of 21.
        let drawn = rng.next_u64();
        for i in 0..3.min(last - 1) {
            last -= 1;
            let j = ((drawn >> (21 * i) & 0x1f_ffff) * (last as u64 + 1)) >> 21;
            numbers.swap(last, j as usize);
        }
    }
    let mut inverse = vec![0; count];
    for (i, &number) in numbers.iter().enumerate() {
        inverse[usize::from(number)] = i as u16;
    }
    (numbers, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::BitString;

    #[test]
    fn place_and_position_are_inverse_and_reading_follows_them() {
        for key_bits in [1, 2, 63, 64, 65, 1000, 32_768, 32_769, 65_537, 600_001] {
            let layout = Layout::new(key_bits);
            let total = layout.total();
            assert!(total >= key_bits && total < key_bits + TILE_BITS * layout.pieces);
            let mut rng = SecretRng::from_seed([11; 32]);
            let key = rng.public_bits(total);
            let chosen = rng.public_bits(total);
            let sorted = Order::drawn(layout, &mut rng);
            let orders = [
                Order::Plain,
                Order::drawn(layout, &mut rng),
                sorted.sorted(chosen.words(), [20.0, 200.0], Instructions::best()),
            ];
            for order in orders {
                let blocks = match &order {
                    Order::Sorted(_, sieve) => sieve.blocks(),
                    Order::Plain | Order::Table(_) | Order::Tiles(_) => Blocks::new(total, 40.0),
                };
                let words = order.read(key.words(), blocks).to_vec();
                let len = words.len() * 64;
                let read = BitString::from_words(words, len);
                let positions: Vec<u32> = (0..total as u32).collect();
                let places = order.places(&positions);
                assert!(order.positions(&places) == positions);
                for (position, place) in positions.into_iter().zip(places) {
                    assert!(order.reads(place, layout));
                    assert_eq!(read.get(place as usize), key.get(position as usize));
                }
            }
        }
    }
}
