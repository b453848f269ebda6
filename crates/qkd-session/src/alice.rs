//! Alice: answers announcements, referees the reconciliation, decides, draws the seed.

mod announcing;

use std::collections::BTreeMap;

use qkd_bits::{BitString, SecretRng};
use qkd_distill::reconcile::cascade::CascadePlan;
use qkd_distill::{Method, ReconciledKey, Referee, SiftedKey, Step, seed_bits};
use qkd_protocols::{AliceRecord, Protocol, Sifted, SiftedCounts};
use qkd_security::{SecurityParameters, Statistics};

use crate::finish::{Draw, OVERHEAD_BITS, distil};
use crate::parts::{
    Announced, PartCounter, SEED_BITS_PER_PART_MAX, disclosure_messages, part_count,
};
use crate::report::{Ledger, leakage};
use crate::{
    Abort, BlockReport, Distilled, Error, Message, Outcome, SessionId, SessionLimits, Time,
};

/// What Alice's engine is told.
pub enum AliceInput {
    /// A message of Bob's, already authenticated.
    Message(Message),
    /// The transmitter's memory of the slots an [`AliceOutput::Recall`] asked for, in that order.
    Recalled {
        /// Block the recall was for.
        block: u64,
        /// What was sent in those slots.
        record: AliceRecord,
    },
}

/// What Alice's engine wants done.
pub enum AliceOutput {
    /// Send this to Bob.
    Send(Message),
    /// A run of the protocol has begun, as Alice has a whole announcement: it spends its budget
    /// whatever becomes of it. Before this she has said nothing of her bases, intensities or bits;
    /// the count shall be durable before she does.
    Begun {
        /// Block number.
        block: u64,
        /// What it may spend.
        budget: SecurityParameters,
    },
    /// Start or pause the transmitter.
    Transmit {
        /// Whether Bob wants light.
        wanted: bool,
    },
    /// Ask the transmitter what it sent in these slots, then forget everything before the end.
    Recall {
        /// Block number.
        block: u64,
        /// Announced slots, strictly rising.
        slots: Vec<u64>,
        /// First slot after the block.
        end_slot: u64,
    },
    /// A key to commit on both sides.
    Distilled(Distilled),
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// Alice's end of one session.
pub struct Alice {
    session: SessionId,
    protocol: Box<dyn Protocol>,
    limits: SessionLimits,
    secret: SecretRng,
    blocks: BTreeMap<u64, Block>,
    next_block: u64,
    next_slot: u64,
}

/// A block at Alice, with everything that its state knows.
struct Block {
    ledger: Ledger,
    state: State,
}

enum State {
    Announcing {
        counter: PartCounter,
        announced: Announced,
    },
    Recalling {
        bases: BitString,
    },
    Disclosed(Sifted),
    Reconciling {
        referee: Box<dyn Referee>,
        counts: SiftedCounts,
        round: u32,
    },
    Verifying {
        key: ReconciledKey,
        counts: SiftedCounts,
    },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Announcing { .. } => "its announcement is incomplete",
            Self::Recalling { .. } => "its slots are being recalled",
            Self::Disclosed(_) => "it waits for a reconciliation plan",
            Self::Reconciling { .. } => "it is being reconciled",
            Self::Verifying { .. } => "it waits for the verification",
        }
    }
}

/// What a transition leaves behind: a block that goes on, or nothing.
type Next = Result<Option<State>, Error>;

impl Alice {
    /// An engine for one session.
    pub fn new(
        session: SessionId,
        protocol: Box<dyn Protocol>,
        limits: SessionLimits,
        secret: SecretRng,
    ) -> Self {
        Self {
            session,
            protocol,
            limits,
            secret,
            blocks: BTreeMap::new(),
            next_block: 0,
            next_slot: 0,
        }
    }

    /// Takes one input at `_now` and returns what is to be done, in order.
    ///
    /// # Errors
    /// When the peer broke the rules ([`Error::Misuse`]: the caller did). The block it concerns is
    /// gone; the caller should end the session.
    pub fn handle(&mut self, _now: Time, input: AliceInput) -> Result<Vec<AliceOutput>, Error> {
        let mut outputs = Vec::new();
        match input {
            AliceInput::Message(Message::Transmission { wanted }) => {
                outputs.push(AliceOutput::Transmit { wanted });
            }
            AliceInput::Message(message) => self.message(message, &mut outputs)?,
            AliceInput::Recalled { block, record } => self.recalled(block, record, &mut outputs)?,
        }
        Ok(outputs)
    }

    fn message(&mut self, message: Message, out: &mut Vec<AliceOutput>) -> Result<(), Error> {
        let Some(number) = message.block() else {
            return Err(message.unexpected(0, "only Alice says that"));
        };
        if let Message::Announcement {
            parts,
            first_slot,
            end_slot,
            ..
        } = message
        {
            self.admit(number, parts, first_slot, end_slot)?;
        }
        // A block that ended here may still be on its way to its end at Bob.
        let Some(Block { mut ledger, state }) = self.blocks.remove(&number) else {
            return if number < self.next_block {
                Ok(())
            } else {
                Err(message.unexpected(number, "it was never announced"))
            };
        };
        let next = match (state, message) {
            (State::Announcing { counter, announced }, message @ Message::Announcement { .. }) => {
                self.announced(counter, announced, message, &mut ledger, out)
            }
            (State::Disclosed(sifted), message @ Message::ReconciliationPlan { .. }) => {
                reconcile(sifted, message, &mut ledger, out)
            }
            (
                State::Reconciling {
                    referee,
                    counts,
                    round,
                },
                Message::Comparison {
                    round: given, bits, ..
                },
            ) => {
                if given != round {
                    return Err(Error::contradiction(number, "round", given, round));
                }
                self.compared(referee, counts, round, &bits, &mut ledger, out)
            }
            (State::Verifying { key, counts }, Message::Verified { statistics, .. }) => {
                self.verified(number, key, &counts, &statistics, &mut ledger, out)
            }
            (_, Message::Abort { abort, .. }) => {
                out.push(ledger.close(Outcome::Aborted(abort)).into());
                Ok(None)
            }
            (state, message) => Err(message.unexpected(number, state.name())),
        }?;
        if let Some(state) = next {
            self.blocks.insert(number, Block { ledger, state });
        }
        Ok(())
    }

    fn recalled(
        &mut self,
        number: u64,
        record: AliceRecord,
        out: &mut Vec<AliceOutput>,
    ) -> Result<(), Error> {
        let misuse = Error::Misuse {
            block: number,
            input: "recalled slots",
        };
        let Some(Block { mut ledger, state }) = self.blocks.remove(&number) else {
            // Bob may have aborted while the transmitter was asked.
            return if number < self.next_block {
                Ok(())
            } else {
                Err(misuse)
            };
        };
        let State::Recalling { bases } = state else {
            return Err(misuse);
        };
        let failed = |source| Error::Protocol {
            block: number,
            source,
        };
        let disclosed = self.protocol.disclose(&record, &bases).map_err(failed)?;
        for message in disclosure_messages(number, &bases, &disclosed) {
            out.push(AliceOutput::Send(message));
        }
        let sifted = self.protocol.sift_alice(record, &bases).map_err(failed)?;
        ledger.sifted_by_alice(&sifted.counts);
        let state = State::Disclosed(sifted);
        self.blocks.insert(number, Block { ledger, state });
        Ok(())
    }

    fn compared(
        &mut self,
        mut referee: Box<dyn Referee>,
        counts: SiftedCounts,
        round: u32,
        comparison: &BitString,
        ledger: &mut Ledger,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let block = ledger.block();
        let failed = |source| Error::Distillation { block, source };
        match referee.answer(comparison).map_err(failed)? {
            Step::Parities(bits) => {
                let round = round + 1;
                out.push(AliceOutput::Send(Message::Parities { block, round, bits }));
                Ok(Some(State::Reconciling {
                    referee,
                    counts,
                    round,
                }))
            }
            Step::Finished => {
                let mut key = referee.finish().map_err(failed)?;
                let hash_key = self.secret.array();
                let tag = key.tag(hash_key).0;
                ledger.leaked(leakage(key.disclosed()));
                out.push(AliceOutput::Send(Message::Verification {
                    block,
                    hash_key,
                    tag,
                }));
                Ok(Some(State::Verifying { key, counts }))
            }
        }
    }

    fn verified(
        &mut self,
        block: u64,
        key: ReconciledKey,
        counts: &SiftedCounts,
        claimed: &Statistics,
        ledger: &mut Ledger,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let mut ours = self
            .protocol
            .tally(counts, key.error_positions())
            .map_err(|source| Error::Protocol { block, source })?;
        // Only Bob can count the errors of the test basis; everything else Alice knows herself.
        ours.test.errors = claimed.test.errors;
        if ours != *claimed {
            return Err(Error::contradiction(
                block,
                "statistics",
                format!("{claimed:?}"),
                format!("{ours:?}"),
            ));
        }
        let leakage = leakage(key.disclosed());
        ledger.verified(ours, leakage, self.protocol.as_ref());
        let accepted = self
            .protocol
            .accept(&ours, &leakage)
            .map_err(Abort::from)
            .and_then(|accepted| {
                Abort::unless_full(ledger.detections(), self.protocol.plan())?;
                Abort::unless_longer(accepted.secret_length_bits, OVERHEAD_BITS)
            });
        let output_bits = match accepted {
            Ok(output_bits) => output_bits,
            Err(abort) => {
                out.push(AliceOutput::Send(Message::Abort { block, abort }));
                out.push(ledger.close(Outcome::Aborted(abort)).into());
                return Ok(None);
            }
        };
        let key = key
            .confirmed_by_peer()
            .map_err(|source| Error::Distillation { block, source })?;
        let draw = Draw {
            output_bits,
            confirmation_point: self.secret.array(),
            seed: self.secret.public_bits(seed_bits(key.len())),
        };
        send_seed(block, &draw, out);
        let distilled = distil(self.session, block, key, &draw)?;
        let secret_length_bits = distilled.key.len() as u64;
        out.push(AliceOutput::Distilled(distilled));
        out.push(ledger.close(Outcome::Key { secret_length_bits }).into());
        Ok(None)
    }
}

fn reconcile(
    sifted: Sifted,
    message: Message,
    ledger: &mut Ledger,
    out: &mut Vec<AliceOutput>,
) -> Next {
    let Message::ReconciliationPlan {
        block,
        key_bits,
        prior_qber,
        seed,
    } = message
    else {
        return Err(message.unexpected(ledger.block(), "it waits for a reconciliation plan"));
    };
    if key_bits != sifted.key.len() as u64 {
        return Err(Error::contradiction(
            block,
            "sifted key length",
            key_bits,
            sifted.key.len(),
        ));
    }
    let plan = CascadePlan {
        key_bits: sifted.key.len(),
        prior_qber,
        seed,
    };
    let referee = Method::Cascade(plan)
        .referee(SiftedKey::new(sifted.key))
        .map_err(|source| Error::Distillation { block, source })?;
    let bits = referee.begin();
    out.push(AliceOutput::Send(Message::Parities {
        block,
        round: 0,
        bits,
    }));
    Ok(Some(State::Reconciling {
        referee,
        counts: sifted.counts,
        round: 0,
    }))
}

fn send_seed(block: u64, draw: &Draw, out: &mut Vec<AliceOutput>) {
    let parts = part_count(draw.seed.len(), SEED_BITS_PER_PART_MAX);
    for part in 0..parts {
        let start = part as usize * SEED_BITS_PER_PART_MAX;
        let end = (start + SEED_BITS_PER_PART_MAX).min(draw.seed.len());
        out.push(AliceOutput::Send(Message::Amplification {
            block,
            part,
            parts,
            output_bits: draw.output_bits,
            confirmation_point: draw.confirmation_point,
            seed: draw.seed.slice(start..end),
        }));
    }
}

impl From<BlockReport> for AliceOutput {
    fn from(report: BlockReport) -> Self {
        Self::Report(Box::new(report))
    }
}
