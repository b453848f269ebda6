//! Secret randomness by the gigabyte.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, Zeroizing};

use crate::SecretRng;
use crate::health::{CutOffs, Defect, HealthAlarm, HealthTests, WINDOW_BITS};

/// Blocks that are encrypted at once: enough to keep the cipher's pipeline full.
const BLOCKS: usize = 64;
const BLOCK_BYTES: usize = 16;
const BUFFER_BYTES: usize = BLOCKS * BLOCK_BYTES;
const _: () = assert!(8 * BUFFER_BYTES == WINDOW_BITS, "each buffer is one window");
/// Blocks under one key: 16 MiB.
const BLOCKS_PER_KEY: u64 = 1 << 20;

/// Secret randomness for what is drawn a hundred million times a second: AES-256 in counter mode
/// under keys from a [`SecretRng`], four times as fast as that generator itself.
///
/// It is as secret as the generator that keys it. AES-256 is a pseudo-random permutation under a
/// fresh 256-bit key, and its outputs at distinct counters differ from random blocks only in that
/// they never repeat: after n blocks under one key that is noticed with a chance of at most
/// n² / 2¹²⁹ (the PRP/PRF switching lemma; Bellare, Rogaway, EUROCRYPT 2006), 2⁻⁸⁹ for the 2²⁰
/// blocks of a key here.
///
/// Both AES in counter mode and the generator of its keys run backwards as well as forwards. So
/// every 16 MiB both are replaced: the generator by a [fork](SecretRng::fork) of itself, the key by
/// one that this fork draws, and the old ones are wiped. Whoever sees the state of today thus sees
/// all that was drawn under the present key, and nothing of what was drawn under the keys before -
/// provided that the generator from which `keys` was forked is gone too: its state, while there
/// is one, leads to all of them.
///
/// What it makes is tested all the time, before any of it is handed out ([`alarm`](Self::alarm)):
/// choices of bases and bits are only as good as it is.
///
/// Neither `Clone` nor `Debug`. The key, the generator's state and its buffer, and what has not been
/// handed out are wiped on drop; copies that the compiler left on the stack or in registers when
/// they were moved are not.
///
/// ```compile_fail
/// fn twice(stream: &qkd_bits::SecretStream) -> qkd_bits::SecretStream { stream.clone() }
/// ```
/// ```compile_fail
/// fn show(stream: &qkd_bits::SecretStream) -> String { format!("{stream:?}") }
/// ```
pub struct SecretStream {
    keys: SecretRng,
    cipher: Aes256,
    /// Next block under the present key.
    counter: u64,
    blocks: [[u8; BLOCK_BYTES]; BLOCKS],
    /// Bytes of `blocks` that have been handed out.
    used: usize,
    health: HealthTests,
    defect: Option<Defect>,
}

impl SecretStream {
    /// A stream that depends on nothing but the seed of `keys`.
    pub fn new(mut keys: SecretRng) -> Self {
        Self {
            cipher: cipher(&mut keys),
            keys,
            counter: 0,
            blocks: [[0; BLOCK_BYTES]; BLOCKS],
            used: BUFFER_BYTES,
            health: HealthTests::new(CutOffs::CONTINUOUS),
            defect: None,
        }
    }

    /// How the stream has failed its [health tests](crate::health), if it has. What was drawn since
    /// must not be used for anything.
    pub fn alarm(&self) -> Option<HealthAlarm> {
        self.health.alarm()
    }

    /// Breaks the stream: to see whether that is noticed.
    pub fn spoil(&mut self, defect: Defect) {
        self.defect = Some(defect);
        self.blocks.as_flattened_mut().zeroize();
        self.used = BUFFER_BYTES;
    }

    /// Fills `words` with uniform words.
    pub fn fill_u32(&mut self, words: &mut [u32]) {
        self.fill(words, u32::from_le_bytes);
    }

    /// Fills `words` with uniform words.
    pub fn fill_u64(&mut self, words: &mut [u64]) {
        self.fill(words, u64::from_le_bytes);
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut word = [0];
        self.fill_u64(&mut word);
        word[0]
    }

    fn fill<T, const BYTES: usize>(
        &mut self,
        mut words: &mut [T],
        read: impl Fn([u8; BYTES]) -> T,
    ) {
        while !words.is_empty() {
            // What is left of a buffer is skipped when it is less than a word.
            if self.used + BYTES > BUFFER_BYTES {
                self.refill();
            }
            let bytes = &self.blocks.as_flattened()[self.used..];
            let (bytes, _) = bytes.as_chunks::<BYTES>();
            let count = bytes.len().min(words.len());
            let (now, later) = words.split_at_mut(count);
            for (word, bytes) in now.iter_mut().zip(bytes) {
                *word = read(*bytes);
            }
            words = later;
            self.used += count * BYTES;
        }
    }

    fn refill(&mut self) {
        if self.counter == BLOCKS_PER_KEY {
            self.keys = self.keys.fork();
            self.cipher = cipher(&mut self.keys);
            self.counter = 0;
        }
        for (block, counter) in self.blocks.iter_mut().zip(self.counter..) {
            *block = u128::from(counter).to_le_bytes();
        }
        self.cipher
            .encrypt_blocks(Array::cast_slice_from_core_mut(&mut self.blocks));
        self.counter += BLOCKS as u64;
        if let Some(defect) = self.defect {
            let keys = &mut self.keys;
            defect.spoil(self.blocks.as_flattened_mut(), |more| keys.fill(more));
        }
        self.health.test(self.blocks.as_flattened());
        self.used = 0;
    }
}

impl Drop for SecretStream {
    /// The cipher and the generator wipe their own keys.
    fn drop(&mut self) {
        self.blocks.as_flattened_mut().zeroize();
    }
}

fn cipher(keys: &mut SecretRng) -> Aes256 {
    let key = Zeroizing::new(keys.array::<32>());
    Aes256::new(&Array::from(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u8) -> SecretStream {
        SecretStream::new(SecretRng::from_seed([seed; 32]))
    }

    /// The key is the ChaCha20 key stream of RFC 8439, A.1, vector 1; the block was computed with
    /// another implementation of AES-256.
    #[test]
    fn the_first_block_is_the_encryption_of_zero_under_the_first_key() {
        let mut words = [0u32; 4];
        stream(0).fill_u32(&mut words);
        assert_eq!(words, [0xa1eb_5ba1, 0x1045_0948, 0x8bf2_1909, 0xfe85_4c9d]);
    }

    /// AES-256 itself, against FIPS 197, appendix C.3.
    #[test]
    fn the_cipher_is_aes_256() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let mut block = Array::from(std::array::from_fn(|i| (i * 0x11) as u8));
        Aes256::new(&Array::from(key)).encrypt_block(&mut block);
        assert_eq!(block[..4], [0x8e, 0xa2, 0xb7, 0xca]);
    }

    #[test]
    fn the_same_seed_streams_the_same_words_however_they_are_asked_for() {
        let (mut whole, mut parts) = (vec![0; 5_000], vec![0; 5_000]);
        stream(1).fill_u32(&mut whole);
        let mut other = stream(1);
        let mut from = 0;
        for to in [1, 7, 255, 256, 257, 1_024, 5_000] {
            other.fill_u32(&mut parts[from..to]);
            from = to;
        }
        assert_eq!(whole, parts);
        let mut long = vec![0u64; 2_500];
        stream(1).fill_u64(&mut long);
        let joined = whole
            .chunks(2)
            .map(|w| u64::from(w[0]) | u64::from(w[1]) << 32);
        assert!(joined.eq(long));
        stream(2).fill_u32(&mut parts);
        assert_ne!(whole, parts);
    }

    fn is_wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}

    /// Features of two crates that nothing else here would miss.
    #[test]
    fn cipher_and_generator_wipe_their_state() {
        is_wiped_on_drop::<Aes256>();
        is_wiped_on_drop::<chacha20::ChaCha20Rng>();
        is_wiped_on_drop::<SecretRng>();
    }

    /// The generator that made a key is not the one that is kept afterwards, by which it could be
    /// drawn again.
    #[test]
    fn a_change_of_key_replaces_the_generator_of_keys() {
        let mut stream = stream(5);
        stream.counter = BLOCKS_PER_KEY;
        stream.next_u64();
        let mut before = SecretRng::from_seed([5; 32]);
        before.array::<32>();
        let mut fork = before.fork();
        fork.array::<32>();
        assert_eq!(stream.keys.next_u64(), fork.next_u64());
    }

    /// The counter starts again under the next key: the same words would come again if it were the
    /// same key.
    #[test]
    fn nothing_repeats_across_a_change_of_key() {
        let mut stream = stream(3);
        let mut first = [0u64; 128];
        stream.fill_u64(&mut first);
        stream.counter = BLOCKS_PER_KEY;
        stream.used = BUFFER_BYTES;
        let mut next = [0u64; 128];
        stream.fill_u64(&mut next);
        assert_eq!(stream.counter, BLOCKS as u64);
        let mut all: Vec<u64> = first.into_iter().chain(next).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 256, "64-bit words of two keys repeat");
    }
}
