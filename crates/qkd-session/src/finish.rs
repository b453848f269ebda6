//! The tail both sides share: amplify, confirm, and pay what a key costs.

use qkd_bits::BitString;
use qkd_distill::{CHECK_PAD_BITS, VerifiedKey};

use crate::{Distilled, Error, SessionId};

/// Distilled bits of each block that go into the authentication keys instead of the key store.
pub const AUTHENTICATION_REFRESH_BITS: u64 = 256;

/// Bits of each block's output that pad the check value of its key.
pub const CHECK_BITS: u64 = CHECK_PAD_BITS as u64;

/// Bits of the theorem's output that no application sees: the refresh, and the pad of the check
/// value. A fixed length up to this yields no key.
pub const OVERHEAD_BITS: u64 = CHECK_BITS + AUTHENTICATION_REFRESH_BITS;

/// What Alice draws once the length is decided.
pub(crate) struct Draw {
    pub(crate) output_bits: u64,
    pub(crate) confirmation_point: [u8; 16],
    pub(crate) seed: BitString,
}

/// Amplifies a verified key and divides the output into key, refresh bits and check pad.
pub(crate) fn distil(
    session: SessionId,
    block: u64,
    key: VerifiedKey,
    draw: &Draw,
) -> Result<Distilled, Error> {
    let failed = |source| Error::Distillation { block, source };
    let amplified = key.amplify(draw.output_bits, &draw.seed).map_err(failed)?;
    let mut context = [0; 16];
    context[..8].copy_from_slice(&session.0.to_le_bytes());
    context[8..].copy_from_slice(&block.to_le_bytes());
    let (mut key, check) = amplified
        .confirmation(&context, draw.confirmation_point)
        .map_err(failed)?;
    let refresh = key
        .split_off(AUTHENTICATION_REFRESH_BITS as usize)
        .ok_or(Error::Misuse {
            block,
            input: "an output shorter than its overhead",
        })?
        .to_secret_bytes();
    Ok(Distilled {
        block,
        key: key.into_bits(),
        refresh,
        check: check.0,
    })
}
