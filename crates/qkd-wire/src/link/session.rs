//! Session messages to protobuf and back.

use qkd_bits::BitString;
use qkd_security::{BasisStatistics, Statistics};
use qkd_session::{
    Abort, AbortReason, DETECTIONS_PER_PART_MAX, Gaps, Message, Monitor, SEED_BITS_PER_PART_MAX,
};

use super::field::{array, at_most, bits, finite, out_of_range, packed, part, rate, required};
use crate::DecodeError;
use crate::proto::link as proto;
use proto::session_message::Kind;

/// Parities, or comparisons, in one round: more than a block of 10⁷ bits ever has pending.
pub const PARITIES_PER_ROUND_MAX: usize = 1 << 23;

/// Parts of one announcement or seed: with the limits on a part, more than any block has.
pub const PARTS_MAX: u32 = 1 << 12;

pub(super) fn encode(message: Message) -> proto::SessionMessage {
    let kind = match message {
        Message::Transmission { wanted } => Kind::Transmission(proto::Transmission { wanted }),
        Message::Clock { emitted_slots } => Kind::Clock(proto::Clock { emitted_slots }),
        Message::Announcement {
            block,
            part,
            parts,
            first_slot,
            end_slot,
            gaps,
            bases,
        } => {
            let (short, long) = gaps.into_bytes();
            Kind::Announcement(proto::Announcement {
                block,
                part,
                parts,
                first_slot,
                end_slot,
                gaps: short.into(),
                bases: packed(&bases),
                long_gaps: long.into(),
            })
        }
        Message::Disclosure {
            block,
            part,
            parts,
            bases,
            decoys,
            test_bits,
        } => Kind::Disclosure(proto::Disclosure {
            block,
            part,
            parts,
            bases: packed(&bases),
            decoys: packed(&decoys),
            test_bits: packed(&test_bits),
        }),
        Message::ReconciliationPlan {
            block,
            key_bits,
            prior_qber,
            seed,
        } => Kind::ReconciliationPlan(proto::ReconciliationPlan {
            block,
            key_bits,
            prior_qber,
            seed: seed.to_vec(),
        }),
        Message::Parities { block, round, bits } => Kind::Parities(proto::Parities {
            block,
            round,
            bits: packed(&bits),
        }),
        Message::Comparison { block, round, bits } => Kind::Comparison(proto::Comparison {
            block,
            round,
            bits: packed(&bits),
        }),
        Message::Verification {
            block,
            hash_key,
            tag,
        } => Kind::Verification(proto::Verification {
            block,
            hash_key: hash_key.to_vec(),
            tag: tag.to_vec(),
        }),
        Message::Verified { block, statistics } => Kind::Verified(proto::Verified {
            block,
            statistics: Some(encode_statistics(&statistics)),
        }),
        Message::Amplification {
            block,
            part,
            parts,
            output_bits,
            confirmation_point,
            seed,
        } => Kind::Amplification(proto::Amplification {
            block,
            part,
            parts,
            output_bits,
            confirmation_point: confirmation_point.to_vec(),
            seed: packed(&seed),
        }),
        Message::Abort { block, abort } => Kind::Abort(proto::Abort {
            block,
            reason: encode_reason(abort.reason).into(),
            observed: abort.observed,
            limit: abort.limit,
        }),
    };
    proto::SessionMessage { kind: Some(kind) }
}

pub(super) fn decode(message: proto::SessionMessage) -> Result<Message, DecodeError> {
    Ok(match required("session.kind", message.kind)? {
        Kind::Transmission(proto::Transmission { wanted }) => Message::Transmission { wanted },
        Kind::Clock(proto::Clock { emitted_slots }) => Message::Clock { emitted_slots },
        Kind::Announcement(announcement) => decode_announcement(announcement)?,
        Kind::Disclosure(disclosure) => decode_disclosure(disclosure)?,
        Kind::ReconciliationPlan(plan) => Message::ReconciliationPlan {
            block: plan.block,
            key_bits: plan.key_bits,
            prior_qber: rate("reconciliation_plan.prior_qber", plan.prior_qber)?,
            seed: array("reconciliation_plan.seed", &plan.seed)?,
        },
        Kind::Parities(parities) => Message::Parities {
            block: parities.block,
            round: parities.round,
            bits: bits("parities.bits", parities.bits, PARITIES_PER_ROUND_MAX)?,
        },
        Kind::Comparison(comparison) => Message::Comparison {
            block: comparison.block,
            round: comparison.round,
            bits: bits("comparison.bits", comparison.bits, PARITIES_PER_ROUND_MAX)?,
        },
        Kind::Verification(verification) => Message::Verification {
            block: verification.block,
            hash_key: array("verification.hash_key", &verification.hash_key)?,
            tag: array("verification.tag", &verification.tag)?,
        },
        Kind::Verified(verified) => Message::Verified {
            block: verified.block,
            statistics: decode_statistics(required("verified.statistics", verified.statistics)?)?,
        },
        Kind::Amplification(amplification) => decode_amplification(amplification)?,
        Kind::Abort(abort) => Message::Abort {
            block: abort.block,
            abort: Abort {
                reason: decode_reason(abort.reason)?,
                observed: finite("abort.observed", abort.observed)?,
                limit: finite("abort.limit", abort.limit)?,
            },
        },
    })
}

/// What the gaps lead to is for the block to find out, on a thread that has the time.
fn decode_announcement(announcement: proto::Announcement) -> Result<Message, DecodeError> {
    let proto::Announcement {
        block,
        part: index,
        parts,
        first_slot,
        end_slot,
        gaps: short,
        bases,
        long_gaps: long,
    } = announcement;
    check_part("announcement.part", index, parts)?;
    let count = short.len();
    at_most("announcement.gaps", count as u64, DETECTIONS_PER_PART_MAX)?;
    let long_bytes_max = count * (Gaps::BYTES_MAX - 1);
    at_most("announcement.long_gaps", long.len() as u64, long_bytes_max)?;
    let bases = bits("announcement.bases", bases, DETECTIONS_PER_PART_MAX)?;
    same_length("announcement.bases", &bases, count)?;
    if end_slot < first_slot {
        let expected = "no less than first_slot";
        return Err(out_of_range("announcement.end_slot", end_slot, expected));
    }
    Ok(Message::Announcement {
        block,
        part: index,
        parts,
        first_slot,
        end_slot,
        // Whoever is the last to share a payload would keep all of its memory: both are copied.
        gaps: Gaps::from_bytes(short.to_vec(), long.to_vec()),
        bases,
    })
}

fn decode_disclosure(disclosure: proto::Disclosure) -> Result<Message, DecodeError> {
    check_part("disclosure.part", disclosure.part, disclosure.parts)?;
    let max = DETECTIONS_PER_PART_MAX;
    let bases = bits("disclosure.bases", disclosure.bases, max)?;
    let decoys = bits("disclosure.decoys", disclosure.decoys, max)?;
    same_length("disclosure.decoys", &decoys, bases.len())?;
    // A test bit belongs to a slot in which Alice, among others, used X.
    let test_bits = bits("disclosure.test_bits", disclosure.test_bits, max)?;
    at_most(
        "disclosure.test_bits",
        test_bits.len() as u64,
        bases.count_ones(),
    )?;
    Ok(Message::Disclosure {
        block: disclosure.block,
        part: disclosure.part,
        parts: disclosure.parts,
        bases,
        decoys,
        test_bits,
    })
}

fn decode_amplification(amplification: proto::Amplification) -> Result<Message, DecodeError> {
    let proto::Amplification {
        block,
        part: index,
        parts,
        output_bits,
        confirmation_point,
        seed,
    } = amplification;
    check_part("amplification.part", index, parts)?;
    Ok(Message::Amplification {
        block,
        part: index,
        parts,
        output_bits,
        confirmation_point: array("amplification.confirmation_point", &confirmation_point)?,
        seed: bits("amplification.seed", seed, SEED_BITS_PER_PART_MAX)?,
    })
}

fn check_part(field: &'static str, index: u32, parts: u32) -> Result<(), DecodeError> {
    at_most(field, u64::from(parts), PARTS_MAX as usize)?;
    part(field, index, parts)
}

fn same_length(field: &'static str, bits: &BitString, expected: usize) -> Result<(), DecodeError> {
    if bits.len() == expected {
        Ok(())
    } else {
        Err(DecodeError::WrongSize {
            field,
            given: bits.len(),
            expected,
        })
    }
}

fn encode_statistics(statistics: &Statistics) -> proto::Statistics {
    let encode_basis = |basis: &BasisStatistics| proto::BasisStatistics {
        counts: basis.counts.to_vec(),
        errors: basis.errors.to_vec(),
    };
    proto::Statistics {
        key: Some(encode_basis(&statistics.key)),
        test: Some(encode_basis(&statistics.test)),
    }
}

fn decode_statistics(statistics: proto::Statistics) -> Result<Statistics, DecodeError> {
    Ok(Statistics {
        key: decode_basis("statistics.key", statistics.key)?,
        test: decode_basis("statistics.test", statistics.test)?,
    })
}

fn decode_basis(
    field: &'static str,
    basis: Option<proto::BasisStatistics>,
) -> Result<BasisStatistics, DecodeError> {
    let proto::BasisStatistics { counts, errors } = required(field, basis)?;
    let counts = per_intensity(field, &counts)?;
    let errors = per_intensity(field, &errors)?;
    if errors
        .iter()
        .zip(&counts)
        .any(|(errors, count)| errors > count)
    {
        let found = format!("{errors:?} errors among {counts:?}");
        return Err(out_of_range(field, found, "no more errors than counts"));
    }
    Ok(BasisStatistics { counts, errors })
}

fn per_intensity(field: &'static str, numbers: &[u64]) -> Result<[u64; 2], DecodeError> {
    numbers.try_into().map_err(|_| DecodeError::WrongSize {
        field,
        given: numbers.len(),
        expected: 2,
    })
}

fn encode_reason(reason: AbortReason) -> proto::AbortReason {
    match reason {
        AbortReason::QberTooHigh => proto::AbortReason::QberTooHigh,
        AbortReason::TooFewDetections => proto::AbortReason::TooFewDetections,
        AbortReason::ZeroLength => proto::AbortReason::ZeroLength,
        AbortReason::VerificationFailed => proto::AbortReason::VerificationFailed,
        AbortReason::Alarm(monitor) => encode_monitor(monitor),
    }
}

fn encode_monitor(monitor: Monitor) -> proto::AbortReason {
    match monitor {
        Monitor::InputPower => proto::AbortReason::InputPower,
        Monitor::Photocurrent => proto::AbortReason::Photocurrent,
        Monitor::DoubleClicks => proto::AbortReason::DoubleClicks,
        Monitor::RandomEfficiency => proto::AbortReason::RandomEfficiency,
        Monitor::DetectorBalance => proto::AbortReason::DetectorBalance,
        Monitor::ArrivalTimes => proto::AbortReason::ArrivalTimes,
        Monitor::DecoyShare => proto::AbortReason::DecoyShare,
        Monitor::ErrorRates => proto::AbortReason::ErrorRates,
        Monitor::RawKeyBias => proto::AbortReason::RawKeyBias,
        Monitor::BackwardLight => proto::AbortReason::BackwardLight,
        Monitor::OutputPower => proto::AbortReason::OutputPower,
        Monitor::RandomNumbers => proto::AbortReason::RandomNumbers,
    }
}

fn decode_reason(reason: i32) -> Result<AbortReason, DecodeError> {
    let alarm = |monitor| Ok(AbortReason::Alarm(monitor));
    match proto::AbortReason::try_from(reason) {
        Ok(proto::AbortReason::QberTooHigh) => Ok(AbortReason::QberTooHigh),
        Ok(proto::AbortReason::TooFewDetections) => Ok(AbortReason::TooFewDetections),
        Ok(proto::AbortReason::ZeroLength) => Ok(AbortReason::ZeroLength),
        Ok(proto::AbortReason::VerificationFailed) => Ok(AbortReason::VerificationFailed),
        Ok(proto::AbortReason::InputPower) => alarm(Monitor::InputPower),
        Ok(proto::AbortReason::Photocurrent) => alarm(Monitor::Photocurrent),
        Ok(proto::AbortReason::DoubleClicks) => alarm(Monitor::DoubleClicks),
        Ok(proto::AbortReason::RandomEfficiency) => alarm(Monitor::RandomEfficiency),
        Ok(proto::AbortReason::DetectorBalance) => alarm(Monitor::DetectorBalance),
        Ok(proto::AbortReason::ArrivalTimes) => alarm(Monitor::ArrivalTimes),
        Ok(proto::AbortReason::DecoyShare) => alarm(Monitor::DecoyShare),
        Ok(proto::AbortReason::ErrorRates) => alarm(Monitor::ErrorRates),
        Ok(proto::AbortReason::RawKeyBias) => alarm(Monitor::RawKeyBias),
        Ok(proto::AbortReason::BackwardLight) => alarm(Monitor::BackwardLight),
        Ok(proto::AbortReason::OutputPower) => alarm(Monitor::OutputPower),
        Ok(proto::AbortReason::RandomNumbers) => alarm(Monitor::RandomNumbers),
        Ok(proto::AbortReason::Unspecified) | Err(_) => Err(out_of_range(
            "abort.reason",
            reason,
            "one of the reasons 1 to 4 and 16 to 27 of the protocol",
        )),
    }
}
