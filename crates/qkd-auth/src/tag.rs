//! The key of one direction in one epoch, taken in, and the tags it makes.

mod hmac;
mod polyval;

use subtle::ConstantTimeEq;

use self::hmac::HmacKey;
use self::polyval::PolyvalKey;
use crate::schedule::Root;
use crate::{Authentication, Role, TAG_BYTES};

/// What tags are made and checked with. It holds secrets, and wipes them on drop.
pub(crate) enum TagKey {
    /// Of [`Authentication::HmacSha256`].
    Hmac(HmacKey),
    /// Of [`Authentication::PolyvalHmacSha256`].
    Polyval(Box<PolyvalKey>),
}

impl TagKey {
    /// The key for envelopes sent by `sender` in `epoch`.
    pub(crate) fn new(
        root: &Root,
        authentication: Authentication,
        sender: Role,
        epoch: u32,
    ) -> Self {
        let mac = HmacKey::derived(&root.envelope_key(authentication, sender, epoch));
        match authentication {
            Authentication::HmacSha256 => TagKey::Hmac(mac),
            Authentication::PolyvalHmacSha256 => {
                let point = root.envelope_point(sender, epoch);
                TagKey::Polyval(Box::new(PolyvalKey::new(&point, mac)))
            }
        }
    }

    /// The tag of `head` and then `body`. Heads are of one length, below a block of the hash.
    pub(crate) fn tag(&self, head: &[u8; HEAD_BYTES], body: &[u8]) -> [u8; TAG_BYTES] {
        match self {
            TagKey::Hmac(key) => key.tag(head, body),
            TagKey::Polyval(key) => key.tag(head, body),
        }
    }

    /// Whether `tag` is that of `head` and then `body`, in a time that does not depend on where they
    /// differ.
    pub(crate) fn verifies(
        &self,
        head: &[u8; HEAD_BYTES],
        body: &[u8],
        tag: &[u8; TAG_BYTES],
    ) -> bool {
        are_equal(&self.tag(head, body), tag)
    }
}

/// Whether two tags are equal, in a time that does not depend on where they differ. Eight bytes at a time:
/// each comparison goes through memory, so that no compiler sees through it.
fn are_equal(a: &[u8; TAG_BYTES], b: &[u8; TAG_BYTES]) -> bool {
    let words = |tag: &[u8; TAG_BYTES]| {
        let (words, _none) = tag.as_chunks();
        std::array::from_fn::<u64, 4, _>(|i| u64::from_ne_bytes(words[i]))
    };
    words(a).ct_eq(&words(b)).into()
}

/// Bytes of what a tag covers before the payload.
pub(crate) const HEAD_BYTES: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_differ_in_one_bit_are_not_equal() {
        let tag: [u8; TAG_BYTES] = std::array::from_fn(|i| (97 * i) as u8);
        assert!(are_equal(&tag, &tag));
        for bit in 0..8 * TAG_BYTES {
            let mut other = tag;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!are_equal(&tag, &other), "bit {bit}");
        }
    }
}
