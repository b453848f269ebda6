//! Which steps are over in about the time that handing them to another thread takes (20 µs), by
//! `examples/step_times.rs` on one core of an AMD EPYC that others share.

use crate::Message;

/// Detections that are told, disclosed or sifted in that time: 1 ns each.
pub(crate) const SIFTING_BITS: usize = 1 << 14;

/// Detections of which Alice takes an announcement in: 0.2 ns each.
const ANNOUNCED_BITS: usize = 1 << 17;

/// Bits over which a reconciliation is begun: 0.1 ns each.
pub(crate) const OPENING_BITS: usize = 1 << 17;

/// Bits over which a pass of the reconciliation is opened, or ends: 0.5 ns each.
pub(crate) const PASS_BITS: usize = 1 << 15;

/// Bits that are hashed, or drawn: 0.15 ns each.
pub(crate) const HASH_BITS: usize = 1 << 17;

/// Bits that are amplified: 1 ns each, and more where they are few.
pub(crate) const AMPLIFICATION_BITS: usize = 1 << 13;

/// Parities that are told, or compared: 3 to 5 ns each.
const PARITIES: usize = 1 << 12;

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
        Message::Announcement { bases, .. } => bases.len() <= ANNOUNCED_BITS,
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
