//! A universal hash and then a pseudorandom function: HMAC-SHA-256 over the head, the length of the
//! body, and POLYVAL (RFC 8452, section 3) of the body at a secret point.
//!
//! **What a forgery takes.** Let H be POLYVAL of a body of m blocks of 16 bytes, the last one filled up
//! with zeros: Σ Xᵢ·h^(m+1−i), up to a constant factor that its field multiplies each power with. Two
//! bodies of one length differ in a block, so their difference is a polynomial in h of degree 1 to m,
//! which at most m of the 2¹²⁸ points are a root of. Two bodies of different lengths differ in what HMAC
//! is given beside H, so filling up confuses none. HMAC is never given the same head for two bodies by
//! whoever has the key (a head has the sequence number of its direction and epoch), so whoever wants a
//! body accepted that was not sent has to make it collide with the one body that was sent under its head,
//! or to predict HMAC where it was never asked. Its tags show nothing about h while HMAC cannot be told
//! from a random function. Each attempt is therefore accepted with probability at most m·2⁻¹²⁸ + 2⁻²⁵⁶ and
//! what HMAC-SHA-256 lacks to be a pseudorandom function: 2⁻¹⁰⁶ for 64 MiB. (Wegman and Carter, J.
//! Comput. Syst. Sci. 22, 265 (1981); Shoup, CRYPTO '96, section 1; the same step from hash to tag as in
//! RFC 8452, with HMAC where that has AES.) What is left is computational, as with HMAC alone.

#[cfg(target_arch = "x86_64")]
mod wide;

use polyval::Polyval;
use polyval::universal_hash::UniversalHash as _;
use qkd_bits::SecretBytes;
use zeroize::Zeroizing;

use super::HEAD_BYTES;
use super::hmac::{BLOCK_BYTES, HmacKey};
use crate::TAG_BYTES;

/// Bytes of a point, of a block, and of a hash.
const POINT_BYTES: usize = 16;

/// Each of these.
type Block = [u8; POINT_BYTES];

/// The point, and the key of HMAC, taken in. Both wipe themselves on drop.
pub(crate) struct PolyvalKey {
    point: Point,
    mac: HmacKey,
}

/// Powers of the point, by who multiplies with them.
enum Point {
    /// The library, which has a hash of nothing so far.
    Library(Polyval),
    /// This crate, where the processor can.
    #[cfg(target_arch = "x86_64")]
    Wide(wide::Powers),
}

impl PolyvalKey {
    /// From the bytes of a derived key, of which the first are the point, and the key of HMAC.
    pub(crate) fn new(point: &SecretBytes, mac: HmacKey) -> Self {
        let mut bytes = Zeroizing::new([0; POINT_BYTES]);
        bytes.copy_from_slice(&point.expose()[..POINT_BYTES]);
        let point = Point::best(&bytes);
        Self { point, mac }
    }

    /// The tag of `head` and then `body`.
    pub(crate) fn tag(&self, head: &[u8; HEAD_BYTES], body: &[u8]) -> [u8; TAG_BYTES] {
        const HASH: usize = HEAD_BYTES + 8;
        const END: usize = HASH + POINT_BYTES;
        // Whoever saw the hash of a body would know a polynomial that the point is a root of.
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        block[..HEAD_BYTES].copy_from_slice(head);
        block[HEAD_BYTES..HASH].copy_from_slice(&(body.len() as u64).to_be_bytes());
        block[HASH..END].copy_from_slice(&*self.point.hash(body));
        self.mac.tag_of_block(&mut block, END)
    }
}

impl Point {
    fn best(point: &Block) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(powers) = wide::Powers::new(point) {
            return Point::Wide(powers);
        }
        library(point)
    }

    /// POLYVAL of a body, the last block filled up with zeros.
    fn hash(&self, body: &[u8]) -> Zeroizing<Block> {
        match self {
            Point::Library(none) => {
                let mut hash = none.clone();
                hash.update_padded(body);
                Zeroizing::new(hash.finalize().into())
            }
            #[cfg(target_arch = "x86_64")]
            Point::Wide(powers) => powers.hash(body),
        }
    }
}

fn library(point: &Block) -> Point {
    Point::Library(Polyval::new(polyval::Key::cast_from_core(point)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn keyed(point: Vec<u8>) -> PolyvalKey {
        let mac: Vec<u8> = (0..32).collect();
        let mac = HmacKey::derived(&mac.into());
        PolyvalKey::new(&point.into(), mac)
    }

    /// RFC 8452, appendix A.
    #[test]
    fn the_hash_is_that_of_the_rfc() {
        let key = keyed(bytes("25629347589242761d31f826ba4b757b"));
        let body = bytes("4f4f95668c83dfb6401762bb2d01a262d1a24ddd2721d006bbe45f20d3c9f362");
        assert_eq!(
            hex(&*key.point.hash(&body)),
            "f7a3b47b846119fae5b7866cf5e5b77e"
        );
    }

    /// Computed bit by bit in Python: Σ Xᵢ·h^(m+1−i)·x^(−128·(m+1−i)) modulo x¹²⁸ + x¹²⁷ + x¹²⁶ + x¹²¹ + 1,
    /// and `hmac.new(key, head + length.to_bytes(8, "big") + hash, "sha256")`.
    #[test]
    fn tags_are_those_of_another_program() {
        let key = keyed((100..116).collect());
        let head = std::array::from_fn(|i| 200 + i as u8);
        for (length, hash, tag) in [
            (
                0,
                "00000000000000000000000000000000",
                "2dc83e1d4a00c6c59472dbba66e326057cdbb041fe5ea26513f70760da4826dc",
            ),
            (
                1,
                "00000000000000000000000000000000",
                "002a872ee87549d7193dda4a16b22578539b611c87becf3ebed98adb7bf84b56",
            ),
            (
                16,
                "f2adff1493291f5ea474f9518e197f1b",
                "43a6039886ca03b46f7ce6fee3737bfb04bf2e8a0f5cb9d561f8d6647d5a83a5",
            ),
            (
                17,
                "26b982da750f9c90968331580e88b0da",
                "3d1abdc1cc3ee9e9563695fdba0e5888c0830fbe7534f715b3245e5e22b295b3",
            ),
            (
                300,
                "b660c102d974944a28fc6e041116440d",
                "7151f2b69186339b170aca12724a72ace65fbd4571af72f65d5991b375f6c956",
            ),
        ] {
            let body: Vec<u8> = (0..length).map(|i: u32| (7 * i) as u8).collect();
            assert_eq!(hex(&*key.point.hash(&body)), hash, "{length}");
            assert_eq!(hex(&key.tag(&head, &body)), tag, "{length}");
        }
    }

    #[test]
    fn every_length_around_a_step_has_the_hash_of_the_library() {
        let body: Vec<u8> = (0..600).map(|i: u32| (i * i) as u8).collect();
        let point: Block = std::array::from_fn(|i| (0xa5 + 37 * i) as u8);
        let (best, library) = (Point::best(&point), library(&point));
        for bytes in 0..body.len() {
            let body = &body[..bytes];
            assert_eq!(best.hash(body), library.hash(body), "{bytes} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_body_has_the_hash_of_the_library_at_any_point(
            point: Block, body in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            prop_assert_eq!(Point::best(&point).hash(&body), library(&point).hash(&body));
        }
    }
}
