//! Which steps are over in about the time that handing them to another thread takes (20 µs).

use crate::Message;

/// Detections that are announced, disclosed or sifted in that time.
pub(crate) const SIFTING_BITS: usize = 1 << 12;

/// Bits over which a pass of the reconciliation is opened, or ends, in that time.
pub(crate) const PASS_BITS: usize = 1 << 14;

/// Bits that are hashed, or drawn, in that time.
pub(crate) const HASH_BITS: usize = 1 << 15;

/// Bits that are amplified in that time.
pub(crate) const AMPLIFICATION_BITS: usize = 1 << 12;

/// Parities that are told, or compared, in that time.
const PARITIES: usize = 1 << 8;

/// Whether a round of the reconciliation is short as far as its parities go: some of them go through
/// the whole key besides.
pub(crate) fn round(message: &Message) -> bool {
    match message {
        Message::Parities { bits, .. } | Message::Comparison { bits, .. } => bits.len() <= PARITIES,
        // Nothing but a complaint comes of anything else.
        Message::Transmission { .. }
        | Message::Clock { .. }
        | Message::Announcement { .. }
        | Message::Disclosure { .. }
        | Message::ReconciliationPlan { .. }
        | Message::Verification { .. }
        | Message::Verified { .. }
        | Message::Amplification { .. }
        | Message::Abort { .. } => true,
    }
}

/// Whether taking in a part of a long message is short.
pub(crate) fn part(message: &Message) -> bool {
    match message {
        Message::Announcement { bases, .. } => bases.len() <= SIFTING_BITS,
        Message::Amplification { seed, .. } => seed.len() <= HASH_BITS,
        // Nothing but a complaint comes of anything else.
        Message::Transmission { .. }
        | Message::Clock { .. }
        | Message::Disclosure { .. }
        | Message::ReconciliationPlan { .. }
        | Message::Parities { .. }
        | Message::Comparison { .. }
        | Message::Verification { .. }
        | Message::Verified { .. }
        | Message::Abort { .. } => true,
    }
}
