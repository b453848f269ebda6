//! A permutation of bits that moves 64 of them at a time.
//!
//! The words of a piece are shuffled, each is rotated, 64 of them at a time are transposed as a
//! square of bits, and the words that come out are shuffled again. Bits of one word end up in 64
//! different words, at places that say nothing about each other; two bits of one word and two of
//! another meet again in the same two words no more often than under a uniform permutation, because
//! the rotations differ. Three small tables tell where any bit went.

use qkd_bits::SecretRng;
use zeroize::Zeroizing;

use super::layout::shuffled;
use crate::squares::{ABREAST, SIDE, transpose};

/// Rotations that one draw of 64 bits gives.
const ROTATIONS: usize = 10;
/// Bits of a tile.
pub(super) const TILE_BITS: usize = SIDE * SIDE;

/// The tables of one such permutation of a piece; pieces follow each other.
pub(super) struct Tiles {
    piece_words: u32,
    /// 2⁴² ÷ `piece_words`, rounded up: a division takes as long as all the rest.
    pieces_per_word: u64,
    /// Which word is row r of tile t, at 64·t + r, and how far it is rotated.
    rows: Vec<Row>,
    /// The inverse: which row of which tile each word is.
    row_of_word: Vec<u16>,
    /// At which word column c of tile t comes out, at 64·t + c.
    word_of_column: Vec<u16>,
    /// The inverse: which column of which tile each word is.
    column_of_word: Vec<u16>,
}

#[derive(Clone, Copy)]
struct Row {
    word: u16,
    rotation: u16,
}

impl Tiles {
    /// A permutation of `piece_bits` bits, which are whole tiles and at most 2²² bits.
    pub(super) fn drawn(piece_bits: usize, rng: &mut SecretRng) -> Self {
        let words = piece_bits / SIDE;
        let (word_of_row, row_of_word) = shuffled(words, rng);
        let (word_of_column, column_of_word) = shuffled(words, rng);
        let mut rows = Vec::with_capacity(words);
        for words in word_of_row.chunks(ROTATIONS) {
            let drawn = rng.next_u64();
            rows.extend((0..).zip(words).map(|(i, &word)| Row {
                word,
                rotation: (drawn >> (6 * i) & 63) as u16,
            }));
        }
        Self {
            piece_words: words as u32,
            pieces_per_word: (1u64 << 42).div_ceil(words as u64),
            rows,
            row_of_word,
            word_of_column,
            column_of_word,
        }
    }

    /// Where the bit `position` is read.
    #[inline(always)]
    pub(super) fn place(&self, position: u32) -> u32 {
        let (first, word) = self.within_piece(position / 64);
        let at = u32::from(self.row_of_word[word]);
        let rotation = u32::from(self.rows[at as usize].rotation);
        let column = at / 64 * 64 + (position + rotation) % 64;
        let out = u32::from(self.word_of_column[column as usize]);
        (first + out) * 64 + at % 64
    }

    /// Which bit is read at `place`.
    #[inline(always)]
    pub(super) fn position(&self, place: u32) -> u32 {
        let (first, word) = self.within_piece(place / 64);
        let column = u32::from(self.column_of_word[word]);
        let row = self.rows[(column / 64 * 64 + place % 64) as usize];
        let bit = column.wrapping_sub(u32::from(row.rotation)) % 64;
        (first + u32::from(row.word)) * 64 + bit
    }

    /// First word of the piece that holds `word`, and which of the piece's words it is.
    #[inline(always)]
    fn within_piece(&self, word: u32) -> (u32, usize) {
        // Exact for words below 2²² and pieces of at most 2¹⁶ words.
        let piece = ((u64::from(word) * self.pieces_per_word) >> 42) as u32;
        let first = piece * self.piece_words;
        (first, (word - first) as usize)
    }

    /// Reads `key`, whole pieces, into `out`, which is as long.
    #[inline(always)]
    pub(super) fn read(&self, key: &[u64], out: &mut [u64]) {
        let words = self.piece_words as usize;
        let mut tiles = Zeroizing::new([[0; ABREAST]; SIDE]);
        for (piece, out) in key.chunks_exact(words).zip(out.chunks_exact_mut(words)) {
            let columns = self.word_of_column.chunks(ABREAST * SIDE);
            for (rows, columns) in self.rows.chunks(ABREAST * SIDE).zip(columns) {
                for (tile, rows) in rows.chunks_exact(SIDE).enumerate() {
                    for r in 0..SIDE {
                        let word = piece[usize::from(rows[r].word)];
                        tiles[r][tile % ABREAST] = word.rotate_left(u32::from(rows[r].rotation));
                    }
                }
                transpose(&mut tiles);
                for (tile, columns) in columns.chunks_exact(SIDE).enumerate() {
                    for c in 0..SIDE {
                        out[usize::from(columns[c])] = tiles[c][tile % ABREAST];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the second pass is for: bits that shared a word are spread over all of the piece.
    #[test]
    fn bits_of_one_word_go_to_different_words() {
        let mut rng = SecretRng::from_seed([5; 32]);
        let tiles = Tiles::drawn(16 * TILE_BITS, &mut rng);
        for word in 0..1024 {
            let mut places: Vec<u32> = (0..64).map(|i| tiles.place(64 * word + i) / 64).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), 64, "word {word}");
        }
    }
}
