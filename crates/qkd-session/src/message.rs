//! What Alice and Bob say to each other about a session, in public and authenticated.

use std::fmt;

use qkd_bits::BitString;
use qkd_optics::Monitor;
use qkd_security::{BlockPlan, Refusal, Statistics};

use crate::{Error, Gaps};

/// One message of the post-processing of one session. Blocks are numbered from zero in each
/// session. Nothing in here is secret: everything is assumed to be known to Eve.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Bob → Alice: whether he wants light. Alice transmits only while he does.
    Transmission {
        /// True to start or go on, false to pause.
        wanted: bool,
    },
    /// Alice → Bob: how far her clock has run, so that Bob can age slots whose frames were lost.
    Clock {
        /// Slots emitted since the session began.
        emitted_slots: u64,
    },
    /// Bob → Alice: the slots of one block in which he registered a detection, with his bases. He
    /// is committed to them before Alice says anything. Sent in parts, in order.
    Announcement {
        /// Block number.
        block: u64,
        /// Index of this part, from zero.
        part: u32,
        /// Number of parts of this block's announcement.
        parts: u32,
        /// First slot of the block; every part repeats it.
        first_slot: u64,
        /// First slot after the block; every part repeats it.
        end_slot: u64,
        /// Slots of this part, strictly rising, as distance from the previous one (the first of
        /// the first part from `first_slot`, of a later part from the last of the part before).
        gaps: Gaps,
        /// Bob's basis per slot of this part: set for X.
        bases: BitString,
    },
    /// Alice → Bob: what she prepared in the announced slots, but for the key bits. The same
    /// division into parts as the announcement.
    Disclosure {
        /// Block number.
        block: u64,
        /// Index of this part, from zero.
        part: u32,
        /// Number of parts.
        parts: u32,
        /// Alice's basis per announced slot of this part: set for X.
        bases: BitString,
        /// Intensity class per announced slot of this part: set for the decoy.
        decoys: BitString,
        /// Alice's bits, one for each slot of this part in which both used X.
        test_bits: BitString,
    },
    /// Bob → Alice: how he wants to reconcile the block.
    ReconciliationPlan {
        /// Block number.
        block: u64,
        /// Sifted key-basis bits, for a check against Alice's own count.
        key_bits: u64,
        /// Error rate to plan for, from the test basis and the previous block.
        prior_qber: f64,
        /// Seed of the permutations and random subsets, drawn after sifting.
        seed: [u8; 32],
    },
    /// Alice → Bob: her parities of one round.
    Parities {
        /// Block number.
        block: u64,
        /// Round, from zero.
        round: u32,
        /// One bit per parity.
        bits: BitString,
    },
    /// Bob → Alice: which parities of that round differ from his.
    Comparison {
        /// Block number.
        block: u64,
        /// Round, from zero.
        round: u32,
        /// One bit per parity: set where the two differ.
        bits: BitString,
    },
    /// Alice → Bob: universal hash of her key, under a key drawn now.
    Verification {
        /// Block number.
        block: u64,
        /// Point at which the polynomial is evaluated.
        hash_key: [u8; 16],
        /// The tag, sent whole.
        tag: [u8; 16],
    },
    /// Bob → Alice: the tags agree, and what he counted.
    Verified {
        /// Block number.
        block: u64,
        /// Counts and errors per basis and intensity.
        statistics: Statistics,
    },
    /// Alice → Bob: the privacy-amplification seed, drawn after the length was decided. In parts.
    Amplification {
        /// Block number.
        block: u64,
        /// Index of this part, from zero.
        part: u32,
        /// Number of parts.
        parts: u32,
        /// Bits to extract, the same for both: the theorem's whole output.
        output_bits: u64,
        /// Point at which the key confirmation is evaluated.
        confirmation_point: [u8; 16],
        /// This part of the Toeplitz seed.
        seed: BitString,
    },
    /// Either way: there is no key from this block.
    Abort {
        /// Block number.
        block: u64,
        /// Why.
        abort: Abort,
    },
}

impl Message {
    /// The block it is about, if it is about one.
    pub fn block(&self) -> Option<u64> {
        match self {
            Self::Transmission { .. } | Self::Clock { .. } => None,
            Self::Announcement { block, .. }
            | Self::Disclosure { block, .. }
            | Self::ReconciliationPlan { block, .. }
            | Self::Parities { block, .. }
            | Self::Comparison { block, .. }
            | Self::Verification { block, .. }
            | Self::Verified { block, .. }
            | Self::Amplification { block, .. }
            | Self::Abort { block, .. } => Some(*block),
        }
    }

    /// Its kind, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transmission { .. } => "transmission",
            Self::Clock { .. } => "clock",
            Self::Announcement { .. } => "announcement",
            Self::Disclosure { .. } => "disclosure",
            Self::ReconciliationPlan { .. } => "reconciliation plan",
            Self::Parities { .. } => "parities",
            Self::Comparison { .. } => "comparison",
            Self::Verification { .. } => "verification",
            Self::Verified { .. } => "verified",
            Self::Amplification { .. } => "amplification",
            Self::Abort { .. } => "abort",
        }
    }

    pub(crate) fn unexpected(&self, block: u64, state: &'static str) -> Error {
        Error::Unexpected {
            block,
            message: self.name(),
            state,
        }
    }
}

/// Why a block gives no key, with the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Abort {
    /// The rule that was violated.
    pub reason: AbortReason,
    /// What was observed: an error rate, a count or a length in bits, as the reason says.
    pub observed: f64,
    /// The limit it violated, in the same unit.
    pub limit: f64,
}

/// Rules that are no monitor's.
const RULES: usize = 4;

/// The rules a block can violate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortReason {
    /// An error rate above its acceptance limit; observed and limit are rates.
    QberTooHigh,
    /// A count below its acceptance limit; observed and limit are counts.
    TooFewDetections,
    /// The theorem allows no key, or a shorter one than fixed; observed and limit are bits.
    ZeroLength,
    /// The universal hashes of the two keys differ.
    VerificationFailed,
    /// A monitor is not content; observed and limit are in the unit of its
    /// [quantity](Monitor::quantity).
    Alarm(Monitor),
}

impl AbortReason {
    /// Every reason, each at its [index](Self::index): the rules first, then the monitors.
    pub const ALL: [Self; RULES + Monitor::ALL.len()] = {
        let mut all = [Self::QberTooHigh; RULES + Monitor::ALL.len()];
        all[1] = Self::TooFewDetections;
        all[2] = Self::ZeroLength;
        all[3] = Self::VerificationFailed;
        let mut monitor = 0;
        while monitor < Monitor::ALL.len() {
            all[RULES + monitor] = Self::Alarm(Monitor::ALL[monitor]);
            monitor += 1;
        }
        all
    };

    /// Its place among [all](Self::ALL).
    pub fn index(self) -> usize {
        match self {
            Self::QberTooHigh => 0,
            Self::TooFewDetections => 1,
            Self::ZeroLength => 2,
            Self::VerificationFailed => 3,
            Self::Alarm(monitor) => RULES + monitor.index(),
        }
    }

    /// The name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::QberTooHigh => "qber_too_high",
            Self::TooFewDetections => "too_few_detections",
            Self::ZeroLength => "zero_length",
            Self::VerificationFailed => "verification_failed",
            Self::Alarm(monitor) => monitor.name(),
        }
    }
}

impl Abort {
    /// Refuses a block that was closed before it was full: the theorem takes a number of announced
    /// detections that was fixed in advance.
    pub(crate) fn unless_full(detections: u64, plan: &BlockPlan) -> Result<(), Abort> {
        if detections >= plan.detections {
            Ok(())
        } else {
            Err(Abort {
                reason: AbortReason::TooFewDetections,
                observed: detections as f64,
                limit: plan.detections as f64,
            })
        }
    }

    /// The bits of `length` if they pay for `overhead` bits and at least one more.
    pub(crate) fn unless_longer(length: u64, overhead: u64) -> Result<u64, Abort> {
        if length > overhead {
            Ok(length)
        } else {
            Err(Abort {
                reason: AbortReason::ZeroLength,
                observed: length as f64,
                limit: overhead as f64,
            })
        }
    }
}

impl From<Refusal> for Abort {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::QberTooHigh {
                errors,
                counts,
                errors_max,
                ..
            } => Self {
                reason: AbortReason::QberTooHigh,
                observed: errors as f64 / counts.max(1) as f64,
                limit: errors_max as f64 / counts.max(1) as f64,
            },
            Refusal::TooFewDetections {
                counts, counts_min, ..
            } => Self {
                reason: AbortReason::TooFewDetections,
                observed: counts as f64,
                limit: counts_min as f64,
            },
            Refusal::ZeroLength {
                bound_bits,
                secret_length_bits,
                ..
            } => Self {
                reason: AbortReason::ZeroLength,
                observed: bound_bits,
                limit: secret_length_bits as f64,
            },
        }
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reason,
            observed,
            limit,
        } = self;
        match reason {
            AbortReason::QberTooHigh => write!(
                f,
                "error rate {:.2} % above the limit of {:.2} %: somebody listens, or the link is \
                 worse than planned",
                observed * 100.0,
                limit * 100.0
            ),
            AbortReason::TooFewDetections => write!(
                f,
                "{observed:.0} detections where at least {limit:.0} are needed"
            ),
            AbortReason::ZeroLength if *observed <= 0.0 => {
                f.write_str("the theorem leaves no secret bit")
            }
            AbortReason::ZeroLength if *limit <= 0.0 => f.write_str(
                "the link was planned with a key of length zero: blocks of this size, with the side \
                 channels that are stated, leave nothing that an honest channel is sure to reach",
            ),
            AbortReason::ZeroLength => write!(
                f,
                "the theorem leaves {observed:.0} bits where more than {limit:.0} are needed"
            ),
            AbortReason::VerificationFailed => {
                f.write_str("the keys still differed after error correction")
            }
            AbortReason::Alarm(monitor @ Monitor::ArrivalTimes) => {
                write!(f, "alarm {monitor}: its figures are in Bob's account alone")
            }
            AbortReason::Alarm(monitor) => write!(
                f,
                "alarm {monitor}: {observed:.0} {} where {} {limit:.0} pass",
                monitor.quantity(),
                if observed > limit {
                    "at most"
                } else {
                    "at least"
                }
            ),
        }
    }
}
