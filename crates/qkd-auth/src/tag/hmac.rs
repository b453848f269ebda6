//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) that has taken its key in: for messages of a kilobyte, which
//! come by the thousand, where a tag should cost no more than the compressions of its bytes and one.
//!
//! It is built on the compression function of the hash library. What the library's own HMAC does
//! around that, copying and wiping two hashes and their buffers for each tag, is a fifth of a kilobyte's tag.

use qkd_bits::SecretBytes;
use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::TAG_BYTES;
use crate::schedule::KEY_BYTES;

/// Bytes that one compression takes in.
pub(super) const BLOCK_BYTES: usize = 64;

/// Bytes of a block that the length of the message takes, and the bit before it.
const PADDING_BYTES_MIN: usize = 9;

/// FIPS 180-4, section 5.3.3.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The states of the two hashes once each has taken its form of the key in. As secret as the key, and
/// wiped on drop.
#[derive(ZeroizeOnDrop)]
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl HmacKey {
    /// The states for a key that was derived, which has the bytes of a digest.
    pub(crate) fn derived(key: &SecretBytes) -> Self {
        let key = key.expose().try_into();
        Self::new(key.expect("a derived key has KEY_BYTES"))
    }

    /// The states for a key. HMAC would hash one that is longer than a block.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        let state = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_BYTES]);
            block
                .iter_mut()
                .zip(key)
                .for_each(|(byte, key)| *byte ^= key);
            let mut state = START;
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Self {
            inner: state(0x36),
            outer: state(0x5c),
        }
    }

    /// The tag of `head` and then `body`; a head is shorter than a block. Inlined, so that the length of
    /// heads is known where blocks are filled.
    #[inline(always)]
    pub(crate) fn tag(&self, head: &[u8], body: &[u8]) -> [u8; TAG_BYTES] {
        let mut state = self.inner;
        let mut rest = take_in(&mut state, head, body);
        close(&mut state, &mut rest, head.len() + body.len());
        self.finish(&mut state)
    }

    /// The tag of the first `bytes` of a block that holds no others: so many that there is room for what
    /// ends a hash. It is written into the block; nothing of them is copied.
    pub(super) fn tag_of_block(
        &self,
        block: &mut [u8; BLOCK_BYTES],
        bytes: usize,
    ) -> [u8; TAG_BYTES] {
        let mut state = self.inner;
        end_in(block, bytes, bytes);
        compress256(&mut state, std::slice::from_ref(block));
        self.finish(&mut state)
    }

    /// The tag, by the state of the hash that is under it, which is wiped: with that a tag says nothing
    /// more, but it is nobody's business.
    fn finish(&self, state: &mut [u32; 8]) -> [u8; TAG_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        write_state(&mut block[..TAG_BYTES], state);
        state.zeroize();
        end_in(&mut block, TAG_BYTES, TAG_BYTES);
        let mut state_of_tag = self.outer;
        compress256(&mut state_of_tag, std::slice::from_ref(&block));
        block[..TAG_BYTES].zeroize();
        let mut tag = [0; TAG_BYTES];
        write_state(&mut tag, &state_of_tag);
        tag
    }
}

/// What does not fill a block.
struct Rest {
    block: [u8; BLOCK_BYTES],
    bytes: usize,
}

impl Rest {
    fn of(bytes: &[u8]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block[..bytes.len()].copy_from_slice(bytes);
        Self {
            block,
            bytes: bytes.len(),
        }
    }
}

/// Compresses the whole blocks of `head` and then `body`; a head is shorter than a block.
#[inline(always)]
fn take_in(state: &mut [u32; 8], head: &[u8], body: &[u8]) -> Rest {
    let mut first = Rest::of(head);
    let Some((filling, body)) = body.split_at_checked(BLOCK_BYTES - head.len()) else {
        first.bytes = head.len() + body.len();
        first.block[head.len()..first.bytes].copy_from_slice(body);
        return first;
    };
    first.block[head.len()..].copy_from_slice(filling);
    compress256(state, std::slice::from_ref(&first.block));
    let (blocks, rest) = body.as_chunks::<BLOCK_BYTES>();
    compress256(state, blocks);
    Rest::of(rest)
}

/// Ends a hash of so many bytes behind the key, of which `rest` is still to be taken in.
fn close(state: &mut [u32; 8], rest: &mut Rest, bytes: usize) {
    let Rest {
        block,
        bytes: filled,
    } = rest;
    if *filled + PADDING_BYTES_MIN > BLOCK_BYTES {
        block[*filled] = 0x80;
        compress256(state, std::slice::from_ref(block));
        *block = [0; BLOCK_BYTES];
        write_length(block, bytes);
    } else {
        end_in(block, *filled, bytes);
    }
    compress256(state, std::slice::from_ref(block));
}

/// Writes what ends a hash of so many bytes behind the key into its last block, which has room for it.
fn end_in(block: &mut [u8; BLOCK_BYTES], filled: usize, bytes: usize) {
    block[filled] = 0x80;
    write_length(block, bytes);
}

fn write_length(block: &mut [u8; BLOCK_BYTES], bytes: usize) {
    // The key has taken a block. No message has 2⁶¹ bytes.
    let bits = 8 * (BLOCK_BYTES + bytes) as u64;
    block[BLOCK_BYTES - 8..].copy_from_slice(&bits.to_be_bytes());
}

fn write_state(bytes: &mut [u8], state: &[u32; 8]) {
    let words = bytes.as_chunks_mut::<4>().0.iter_mut().zip(state);
    words.for_each(|(bytes, word)| *bytes = word.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use hmac::Mac;
    use proptest::prelude::*;
    use subtle::ConstantTimeEq;

    use super::*;
    use crate::schedule::mac;

    fn verifies(key: &HmacKey, head: &[u8], body: &[u8], tag: &[u8; TAG_BYTES]) -> bool {
        key.tag(head, body).ct_eq(tag).into()
    }

    fn key(start: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        key[..start.len()].copy_from_slice(start);
        key
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 1 to 4, whose keys are no longer than ours; a shorter key is followed by
    /// zeros, as HMAC itself does it.
    #[test]
    fn tags_are_those_of_the_rfc() {
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 4] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
        ];
        for (start, data, tag) in cases {
            let keyed = HmacKey::new(&key(start));
            for split in 0..data.len() {
                let (head, body) = data.split_at(split);
                assert_eq!(hex(&keyed.tag(head, body)), tag, "{split}");
            }
        }
    }

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// Project Wycheproof, `hmac_sha256_test.json` 0.8rc21, cases 2, 17, 20, 23, and 29 with the bit
    /// flipped that makes it invalid.
    #[test]
    fn tags_are_those_of_wycheproof_and_a_flipped_bit_is_seen() {
        let cases = [
            (
                "8159fd15133cd964c9a6964c94f0ea269a806fd9f43f0da58b6cd1b33d189b2a",
                "77",
                "dfc5105d5eecf7ae7b8b8de3930e7659e84c4172f2555142f1e568fc1872ad93",
                true,
            ),
            (
                "6fa353868c82e5deeedac7f09471a61bf749ab5498239e947e012eee3c82d7c4",
                "aeed3e4d4cb9bbb60d482e98c126c0f5",
                "9ed7f0e73812a27a87a3808ee0c89a6456499e835974ba57c5aab2a0d8c69e93",
                true,
            ),
            (
                "186e248ad824e1eb93329a7fdcd565b6cb4eaf3f85b90b910777128d8c538d27",
                "92ef9ff52f46eccc7e38b9ee19fd2de3b37726c8e6ce9e1b96db5dda4c317902",
                "3fc1d73dd4a8858c1fc3d8c4a3f33ed5ad0c70210038394a5902cb26fe287348",
                true,
            ),
            (
                "69c50d5274358188cff4c0fae742243d4e8a5e5ba55d94ff40edd90f6a43dd10",
                "1ac5255aff052828d8ea21b376f1ebdd4bb879949913900405aebce83e48feb6813b5e9c89f94501a8ade41b26b815c521",
                "4b0b4d0416fa2e11586fbfa7fb11261e69991dfa34019b9893d69a2be8c1fc80",
                true,
            ),
            (
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "000102030405060708090a0b0c0d0e0f",
                "d9b99f2709a3ca74172cbe93824c1f29b23a0c1e9c21bd851ff2d2c39dbef14e",
                false,
            ),
        ];
        for (key, message, tag, is_valid) in cases {
            let key = HmacKey::new(&bytes(key).try_into().unwrap());
            let (message, tag) = (bytes(message), bytes(tag).try_into().unwrap());
            assert_eq!(verifies(&key, &message[..1], &message[1..], &tag), is_valid);
        }
    }

    #[test]
    fn tags_of_every_length_around_a_block_are_those_of_the_library() {
        let data: Vec<u8> = (0..300).map(|i: u32| (i * 7) as u8).collect();
        let keyed = HmacKey::new(&[5; 32]);
        for bytes in 0..data.len() {
            for head in [0, 1, 13, 63] {
                let (head, body) = data[..bytes].split_at(head.min(bytes));
                let expected = mac(&[5; 32], &[head, body]).finalize().into_bytes();
                assert_eq!(keyed.tag(head, body)[..], expected[..], "{bytes}");
            }
        }
    }

    proptest! {
        #[test]
        fn tags_are_those_of_the_library(
            key: [u8; 32],
            head in proptest::collection::vec(any::<u8>(), 0..64),
            body in proptest::collection::vec(any::<u8>(), 0..2000),
            flipped in any::<prop::sample::Index>(),
        ) {
            let expected = mac(&key, &[&head, &body]).finalize().into_bytes();
            let keyed = HmacKey::new(&key);
            let mut tag = keyed.tag(&head, &body);
            prop_assert_eq!(&tag[..], &expected[..]);
            prop_assert!(verifies(&keyed, &head, &body, &tag));
            let bit = flipped.index(256);
            tag[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verifies(&keyed, &head, &body, &tag));
        }
    }

    #[test]
    fn states_are_wiped_on_drop() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<HmacKey>();
    }
}
