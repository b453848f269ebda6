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
        self.tag(head, body).ct_eq(tag).into()
    }
}

/// Bytes of what a tag covers before the payload.
pub(crate) const HEAD_BYTES: usize = 13;
