//! Bits of a message, up to 64 at a time.

use qkd_bits::BitString;

/// Packs bits into a message of a length known in advance.
pub(super) struct Packer {
    words: Vec<u64>,
    pending: u64,
    pending_bits: usize,
    bits: usize,
}

impl Packer {
    pub(super) fn new(bits: usize) -> Self {
        Self {
            words: Vec::with_capacity(bits / 64 + 1),
            pending: 0,
            pending_bits: 0,
            bits,
        }
    }

    /// Appends the `count` lowest bits of `bits`, 1 to 64; higher ones are zero.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: usize) {
        self.pending |= bits << self.pending_bits;
        let filled = self.pending_bits + count;
        if filled < 64 {
            self.pending_bits = filled;
            return;
        }
        self.words.push(self.pending);
        // Two shifts: all 64 bits may have found room.
        self.pending = bits >> (63 - self.pending_bits) >> 1;
        self.pending_bits = filled - 64;
    }

    /// The message.
    pub(super) fn finish(mut self) -> BitString {
        self.words.push(self.pending);
        debug_assert_eq!((self.words.len() - 1) * 64 + self.pending_bits, self.bits);
        BitString::from_words(self.words, self.bits)
    }
}

/// Reads the bits of a message one after the other.
pub(super) struct Unpacker<'a> {
    words: &'a [u64],
    at: usize,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(message: &'a BitString) -> Self {
        Self {
            words: message.words(),
            at: 0,
        }
    }

    /// The next `count` bits, 1 to 64, the first one lowest. Beyond the end all are zero.
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> u64 {
        let word = |i: usize| self.words.get(i).copied().unwrap_or(0);
        let (i, shift) = (self.at / 64, self.at % 64);
        let bits = word(i) >> shift | word(i + 1) << (63 - shift) << 1;
        self.at += count;
        bits & u64::MAX >> (64 - count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    #[test]
    fn what_was_packed_is_unpacked() {
        let mut rng = SecretRng::from_seed([8; 32]);
        let parts: Vec<(u64, usize)> = (0..1000)
            .map(|_| {
                let count = 1 + rng.below(64) as usize;
                (rng.next_u64() >> (64 - count), count)
            })
            .collect();
        let bits = parts.iter().map(|&(_, count)| count).sum();
        let mut packer = Packer::new(bits);
        for &(word, count) in &parts {
            packer.put(word, count);
        }
        let message = packer.finish();
        assert_eq!(message.len(), bits);
        let mut unpacker = Unpacker::new(&message);
        for (word, count) in parts {
            assert_eq!(unpacker.take(count), word);
        }
        assert_eq!(unpacker.take(64), 0);
    }
}
