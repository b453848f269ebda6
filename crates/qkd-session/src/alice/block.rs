//! One block at Alice: what she knows of it, and what she does when she is told something.

use std::ops::Range;
use std::sync::Arc;

use qkd_bits::{BitString, SecretRng};
use qkd_distill::reconcile::cascade::CascadePlan;
use qkd_distill::{Method, ReconciledKey, Referee, SiftedKey, Step, VerifiedKey, seed_bits};
use qkd_optics::{Alarm, SlotList};
use qkd_protocols::{AliceRecord, Sifted, SiftedCounts};
use qkd_security::Statistics;

use super::AliceOutput;
use crate::blocks::{Block, Context};
use crate::finish::{Draw, OVERHEAD_BITS, distil};
use crate::parts::{
    Announced, PartCounter, SEED_BITS_PER_PART_MAX, disclosure_messages, part_count,
};
use crate::report::{Ledger, leakage};
use crate::{Abort, Error, Message, Outcome, short};

/// A block at Alice, with everything that its state knows.
pub(crate) struct AliceBlock {
    facts: Facts,
    state: State,
}

/// What every state of a block knows.
pub(super) struct Facts {
    pub(super) context: Arc<Context>,
    pub(super) ledger: Ledger,
    /// The block's own: what it draws does not depend on when other blocks draw.
    secret: SecretRng,
}

/// What a block is told.
pub(crate) enum Told {
    Message(Message),
    /// What was sent, and what the transmitter's monitors said meanwhile.
    Recalled(AliceRecord, Vec<Alarm>),
}

pub(super) enum State {
    Announcing {
        counter: PartCounter,
        announced: Announced,
    },
    Recalling {
        bases: BitString,
    },
    /// Has disclosed; Bob may sift while Alice does.
    Sifting {
        record: AliceRecord,
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
    /// Has sent the seed; Bob may amplify while Alice does.
    Amplifying {
        key: VerifiedKey,
        draw: Draw,
    },
    Ended,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Announcing { .. } => "its announcement is incomplete",
            Self::Recalling { .. } => "its slots are being recalled",
            Self::Sifting { .. } => "it is being sifted",
            Self::Disclosed(_) => "it waits for a reconciliation plan",
            Self::Reconciling { .. } => "it is being reconciled",
            Self::Verifying { .. } => "it waits for the verification",
            Self::Amplifying { .. } => "it is being amplified",
            Self::Ended => "it has ended",
        }
    }
}

/// What a transition leaves behind.
pub(super) type Next = Result<State, Error>;

impl AliceBlock {
    /// A block of which an announcement of `parts` parts has begun.
    pub(super) fn announced(
        context: Arc<Context>,
        ledger: Ledger,
        secret: SecretRng,
        slots: Range<u64>,
        parts: u32,
    ) -> Self {
        let counter = PartCounter::new(ledger.block(), parts);
        let announced = Announced {
            first_slot: slots.start,
            end_slot: slots.end,
            slots: SlotList::new(slots.start),
            bases: BitString::new(),
        };
        Self {
            facts: Facts {
                context,
                ledger,
                secret,
            },
            state: State::Announcing { counter, announced },
        }
    }
}

impl Block for AliceBlock {
    type Input = Told;
    type Output = AliceOutput;

    fn number(&self) -> u64 {
        self.facts.ledger.block()
    }

    fn context(&self) -> &Arc<Context> {
        &self.facts.context
    }

    fn take(&mut self, input: Option<Told>, out: &mut Vec<AliceOutput>) -> Result<(), Error> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match input {
            None => self.facts.go_on(state, out),
            Some(Told::Message(message)) => self.facts.message(state, message, out),
            Some(Told::Recalled(record, alarms)) => self.facts.recalled(state, record, alarms, out),
        }?;
        Ok(())
    }

    fn goes_on(&self) -> bool {
        match self.state {
            State::Sifting { .. } | State::Amplifying { .. } => true,
            State::Announcing { .. }
            | State::Recalling { .. }
            | State::Disclosed(_)
            | State::Reconciling { .. }
            | State::Verifying { .. }
            | State::Ended => false,
        }
    }

    fn is_short(&self, input: Option<&Told>) -> bool {
        if let Some(Told::Message(Message::Abort { .. })) = input {
            return true;
        }
        match (&self.state, input) {
            (State::Announcing { .. }, Some(Told::Message(message))) => short::part(message),
            (State::Recalling { bases }, _) | (State::Sifting { bases, .. }, _) => {
                bases.len() <= short::SIFTING_BITS
            }
            (State::Disclosed(sifted), _) => sifted.key.len() <= short::OPENING_BITS,
            (State::Reconciling { referee, .. }, Some(Told::Message(message))) => {
                short::round(message) && referee.next_scan_bits() <= short::PASS_BITS
            }
            (State::Verifying { key, .. }, _) => key.len() <= short::HASH_BITS,
            (State::Amplifying { key, .. }, _) => key.len() <= short::AMPLIFICATION_BITS,
            // Nothing but a complaint comes of these.
            (State::Announcing { .. } | State::Reconciling { .. } | State::Ended, _) => true,
        }
    }

    fn is_opening(&self) -> bool {
        matches!(self.state, State::Announcing { .. })
    }

    fn is_over_for_peer(&self) -> bool {
        matches!(self.state, State::Amplifying { .. })
    }

    fn is_last_word(input: &Told) -> bool {
        matches!(input, Told::Message(Message::Abort { .. }))
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The transmitter would forget the slots of the blocks before.
    fn outlives_its_block(output: &AliceOutput) -> bool {
        !matches!(output, AliceOutput::Recall { .. })
    }
}

impl Facts {
    fn go_on(&mut self, state: State, out: &mut Vec<AliceOutput>) -> Next {
        match state {
            State::Sifting { record, bases } => self.sift(record, &bases),
            State::Amplifying { key, draw } => self.amplify(key, &draw, out),
            state @ (State::Announcing { .. }
            | State::Recalling { .. }
            | State::Disclosed(_)
            | State::Reconciling { .. }
            | State::Verifying { .. }
            | State::Ended) => Ok(state),
        }
    }

    fn message(&mut self, state: State, message: Message, out: &mut Vec<AliceOutput>) -> Next {
        let number = self.ledger.block();
        match (state, message) {
            (State::Announcing { counter, announced }, message @ Message::Announcement { .. }) => {
                self.announced(counter, announced, message, out)
            }
            (State::Disclosed(sifted), message @ Message::ReconciliationPlan { .. }) => {
                self.reconcile(sifted, message, out)
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
                self.compared(referee, counts, round, &bits, out)
            }
            (State::Verifying { key, counts }, Message::Verified { statistics, .. }) => {
                self.verified(key, &counts, &statistics, out)
            }
            (_, Message::Abort { abort, .. }) => {
                out.push(self.ledger.close(Outcome::Aborted(abort)).into());
                Ok(State::Ended)
            }
            (state, message) => Err(message.unexpected(number, state.name())),
        }
    }

    fn recalled(
        &mut self,
        state: State,
        record: AliceRecord,
        alarms: Vec<Alarm>,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let block = self.ledger.block();
        let State::Recalling { bases } = state else {
            return Err(Error::Misuse {
                block,
                input: "recalled slots",
            });
        };
        // An alarm of her own stops the block before she has said anything of it.
        if let Some(monitors) = &self.context.monitors {
            self.ledger.alarmed(monitors.heeded(alarms));
            if let Some(abort) = monitors.stopping(self.ledger.alarms()) {
                out.push(AliceOutput::Send(Message::Abort { block, abort }));
                out.push(self.ledger.close(Outcome::Aborted(abort)).into());
                return Ok(State::Ended);
            }
        }
        let disclosed = self
            .context
            .protocol
            .disclose(&record, &bases)
            .map_err(|source| Error::Protocol { block, source })?;
        for message in disclosure_messages(block, &bases, &disclosed) {
            out.push(AliceOutput::Send(message));
        }
        Ok(State::Sifting { record, bases })
    }

    fn sift(&mut self, record: AliceRecord, bases: &BitString) -> Next {
        let block = self.ledger.block();
        let sifted = self
            .context
            .protocol
            .sift_alice(record, bases)
            .map_err(|source| Error::Protocol { block, source })?;
        self.ledger.sifted_by_alice(&sifted.counts);
        Ok(State::Disclosed(sifted))
    }

    fn reconcile(&mut self, sifted: Sifted, message: Message, out: &mut Vec<AliceOutput>) -> Next {
        let Message::ReconciliationPlan {
            block,
            key_bits,
            prior_qber,
            seed,
        } = message
        else {
            let state = "it waits for a reconciliation plan";
            return Err(message.unexpected(self.ledger.block(), state));
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
        Ok(State::Reconciling {
            referee,
            counts: sifted.counts,
            round: 0,
        })
    }

    fn compared(
        &mut self,
        mut referee: Box<dyn Referee>,
        counts: SiftedCounts,
        round: u32,
        comparison: &BitString,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let block = self.ledger.block();
        let failed = |source| Error::Distillation { block, source };
        match referee.answer(comparison).map_err(failed)? {
            Step::Parities(bits) => {
                let round = round + 1;
                out.push(AliceOutput::Send(Message::Parities { block, round, bits }));
                Ok(State::Reconciling {
                    referee,
                    counts,
                    round,
                })
            }
            Step::Finished => {
                let mut key = referee.finish().map_err(failed)?;
                self.ledger.reconciled(round);
                let hash_key = self.secret.array();
                let tag = key.tag(hash_key).0;
                self.ledger.leaked(leakage(key.disclosed()));
                out.push(AliceOutput::Send(Message::Verification {
                    block,
                    hash_key,
                    tag,
                }));
                Ok(State::Verifying { key, counts })
            }
        }
    }

    fn verified(
        &mut self,
        key: ReconciledKey,
        counts: &SiftedCounts,
        claimed: &Statistics,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let block = self.ledger.block();
        let protocol = self.context.protocol.as_ref();
        let mut ours = protocol
            .tally(counts, key.errors())
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
        self.ledger.verified(ours, leakage, protocol);
        let accepted = protocol
            .accept(&ours, &leakage)
            .map_err(Abort::from)
            .and_then(|accepted| {
                Abort::unless_full(self.ledger.detections(), protocol.plan())?;
                Abort::unless_longer(accepted.secret_length_bits, OVERHEAD_BITS)
            });
        let output_bits = match accepted {
            Ok(output_bits) => output_bits,
            Err(abort) => {
                out.push(AliceOutput::Send(Message::Abort { block, abort }));
                out.push(self.ledger.close(Outcome::Aborted(abort)).into());
                return Ok(State::Ended);
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
        Ok(State::Amplifying { key, draw })
    }

    fn amplify(&mut self, key: VerifiedKey, draw: &Draw, out: &mut Vec<AliceOutput>) -> Next {
        let distilled = distil(self.context.session, self.ledger.block(), key, draw)?;
        let secret_length_bits = distilled.key.len() as u64;
        out.push(AliceOutput::Distilled(distilled));
        out.push(
            self.ledger
                .close(Outcome::Key { secret_length_bits })
                .into(),
        );
        Ok(State::Ended)
    }
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
