//! One block at Bob: what he knows of it, and what he does when he is told something.

use std::sync::Arc;

use qkd_bits::{BitString, SecretRng};
use qkd_distill::{Comparison, Corrector, ReconciledKey, VerificationTag, VerifiedKey, seed_bits};
use qkd_protocols::{BobRecord, Disclosed, SiftedCounts};

use super::BobOutput;
use super::collecting::Collected;
use crate::blocks::{Block, Context};
use crate::finish::{Draw, OVERHEAD_BITS, distil};
use crate::monitors::RawKey;
use crate::parts::{
    DETECTIONS_PER_PART_MAX, PartCounter, SEED_BITS_PER_PART_MAX, announcement, part_count,
};
use crate::report::{Ledger, leakage};
use crate::{Abort, AbortReason, Error, Message, Outcome, short};

/// A block at Bob, with everything that its state knows.
pub(crate) struct BobBlock {
    facts: Facts,
    state: State,
}

/// What every state of a block knows.
pub(super) struct Facts {
    pub(super) context: Arc<Context>,
    pub(super) ledger: Ledger,
    /// The block's own: what it draws does not depend on when other blocks draw.
    pub(super) secret: SecretRng,
    /// Error rate of the latest block that was verified when this one began.
    pub(super) prior_qber: f64,
    /// Error rate of this one, once it is verified.
    verified_qber: Option<f64>,
}

pub(super) enum State {
    /// Closed, and not announced yet.
    Collected(Collected),
    Announced {
        record: BobRecord,
        counter: PartCounter,
        disclosed: Disclosed,
    },
    Reconciling {
        corrector: Box<dyn Corrector>,
        counts: SiftedCounts,
        round: u32,
    },
    Verifying {
        key: ReconciledKey,
        counts: SiftedCounts,
    },
    Amplifying {
        key: VerifiedKey,
        output_bits: u64,
        seed: Option<(PartCounter, Draw)>,
    },
    Ended,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Collected(_) => "it is not announced",
            Self::Announced { .. } => "it waits for the disclosure",
            Self::Reconciling { .. } => "it is being reconciled",
            Self::Verifying { .. } => "it waits for the verification",
            Self::Amplifying { .. } => "it waits for the amplification seed",
            Self::Ended => "it has ended",
        }
    }
}

/// What a transition leaves behind.
pub(super) type Next = Result<State, Error>;

impl BobBlock {
    /// A block of these detections, which begins by announcing them.
    pub(super) fn collected(
        context: Arc<Context>,
        ledger: Ledger,
        secret: SecretRng,
        prior_qber: f64,
        collected: Collected,
    ) -> Self {
        Self {
            facts: Facts {
                context,
                ledger,
                secret,
                prior_qber,
                verified_qber: None,
            },
            state: State::Collected(collected),
        }
    }

    /// Its error rate, once it is verified.
    pub(super) fn verified_qber(&self) -> Option<f64> {
        self.facts.verified_qber
    }
}

impl Block for BobBlock {
    type Input = Message;
    type Output = BobOutput;

    fn number(&self) -> u64 {
        self.facts.ledger.block()
    }

    fn context(&self) -> &Arc<Context> {
        &self.facts.context
    }

    fn take(&mut self, input: Option<Message>, out: &mut Vec<BobOutput>) -> Result<(), Error> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (state, input) {
            (State::Collected(collected), None) => Ok(self.facts.announce(collected, out)),
            (state, None) => Ok(state),
            (state, Some(message)) => self.facts.message(state, message, out),
        }?;
        Ok(())
    }

    fn goes_on(&self) -> bool {
        self.is_opening()
    }

    fn is_short(&self, input: Option<&Message>) -> bool {
        if let Some(Message::Abort { .. }) = input {
            return true;
        }
        match (&self.state, input) {
            (State::Collected(collected), _) => collected.detections.len() <= short::SIFTING_BITS,
            (State::Announced { record, .. }, _) => record.bases().len() <= short::SIFTING_BITS,
            (State::Reconciling { corrector, .. }, Some(message)) => {
                short::round(message) && corrector.next_scan_bits() <= short::PASS_BITS
            }
            (State::Verifying { key, .. }, _) => key.len() <= short::HASH_BITS,
            (State::Amplifying { key, .. }, _) => key.len() <= short::AMPLIFICATION_BITS,
            // Nothing comes of these.
            (State::Reconciling { .. } | State::Ended, _) => true,
        }
    }

    fn is_opening(&self) -> bool {
        matches!(self.state, State::Collected(_))
    }

    /// Alice waits for Bob until he amplifies, and counts no longer then.
    fn is_over_for_peer(&self) -> bool {
        false
    }

    fn is_last_word(input: &Message) -> bool {
        matches!(input, Message::Abort { .. })
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn outlives_its_block(_output: &BobOutput) -> bool {
        true
    }
}

impl Facts {
    /// Commits to the detections.
    fn announce(&mut self, collected: Collected, out: &mut Vec<BobOutput>) -> State {
        let number = self.ledger.block();
        let len = collected.detections.len();
        let pieces = collected.detections.into_pieces();
        if let Some(monitors) = &self.context.monitors {
            let mut raw = [RawKey::default(); 2];
            for piece in &pieces {
                RawKey::count(&mut raw, piece);
            }
            let readings = &collected.readings;
            self.ledger.alarmed(monitors.of_readings(readings));
            self.ledger.alarmed(monitors.of_raw_key(raw, readings));
        }
        let (record, messages) = announcement(number, self.ledger.slots(), len, pieces);
        out.extend(messages.into_iter().map(BobOutput::Send));
        self.ledger.announced(len as u64);
        let parts = part_count(len, DETECTIONS_PER_PART_MAX);
        State::Announced {
            record,
            counter: PartCounter::new(number, parts),
            disclosed: Disclosed::default(),
        }
    }

    fn message(&mut self, state: State, message: Message, out: &mut Vec<BobOutput>) -> Next {
        let number = self.ledger.block();
        match (state, message) {
            (
                State::Announced {
                    record,
                    counter,
                    disclosed,
                },
                message @ Message::Disclosure { .. },
            ) => self.disclosed(record, counter, disclosed, message, out),
            (
                State::Reconciling {
                    corrector,
                    counts,
                    round,
                },
                Message::Parities {
                    round: given, bits, ..
                },
            ) => {
                if given != round {
                    return Err(Error::contradiction(number, "round", given, round));
                }
                self.compare(corrector, counts, round, &bits, out)
            }
            (State::Verifying { key, counts }, Message::Verification { hash_key, tag, .. }) => {
                self.verify(key, &counts, hash_key, VerificationTag(tag), out)
            }
            (
                State::Amplifying {
                    key,
                    output_bits,
                    seed,
                },
                message @ Message::Amplification { .. },
            ) => self.amplify(key, output_bits, seed, message, out),
            (_, Message::Abort { abort, .. }) => {
                out.push(self.ledger.close(Outcome::Aborted(abort)).into());
                Ok(State::Ended)
            }
            (state, message) => Err(message.unexpected(number, state.name())),
        }
    }

    fn compare(
        &mut self,
        mut corrector: Box<dyn Corrector>,
        counts: SiftedCounts,
        round: u32,
        parities: &BitString,
        out: &mut Vec<BobOutput>,
    ) -> Next {
        let block = self.ledger.block();
        let failed = |source| Error::Distillation { block, source };
        let Comparison { differs, finished } = corrector.compare(parities).map_err(failed)?;
        out.push(BobOutput::Send(Message::Comparison {
            block,
            round,
            bits: differs,
        }));
        if finished {
            let key = corrector.finish().map_err(failed)?;
            self.ledger.reconciled(round);
            Ok(State::Verifying { key, counts })
        } else {
            Ok(State::Reconciling {
                corrector,
                counts,
                round: round + 1,
            })
        }
    }

    fn verify(
        &mut self,
        key: ReconciledKey,
        counts: &SiftedCounts,
        hash_key: [u8; 16],
        tag: VerificationTag,
        out: &mut Vec<BobOutput>,
    ) -> Next {
        let block = self.ledger.block();
        let protocol = self.context.protocol.as_ref();
        let statistics = protocol
            .tally(counts, key.errors())
            .map_err(|source| Error::Protocol { block, source })?;
        let key = match key.verify(hash_key, &tag) {
            Ok(key) => key,
            Err(failed) => {
                self.ledger.leaked(leakage(failed.disclosed));
                let abort = Abort {
                    reason: AbortReason::VerificationFailed,
                    observed: 0.0,
                    limit: 0.0,
                };
                return Ok(self.abort(abort, out));
            }
        };
        let leakage = leakage(key.disclosed());
        self.ledger.verified(statistics, leakage, protocol);
        let sifted: u64 = statistics.key.counts.iter().sum();
        let errors: u64 = statistics.key.errors.iter().sum();
        self.verified_qber = Some(errors as f64 / sifted.max(1) as f64);
        if let Some(monitors) = &self.context.monitors {
            self.ledger.alarmed(monitors.of_errors(0, &statistics.key));
        }
        let accepted = protocol
            .accept(&statistics, &leakage)
            .map_err(Abort::from)
            .and_then(|accepted| Abort::unless_longer(accepted.secret_length_bits, OVERHEAD_BITS));
        let accepted = self.unless_alarmed(accepted);
        match accepted {
            Ok(output_bits) => {
                out.push(BobOutput::Send(Message::Verified { block, statistics }));
                Ok(State::Amplifying {
                    key,
                    output_bits,
                    seed: None,
                })
            }
            Err(refused) => Ok(self.abort(refused, out)),
        }
    }

    fn amplify(
        &mut self,
        key: VerifiedKey,
        output_bits: u64,
        seed: Option<(PartCounter, Draw)>,
        message: Message,
        out: &mut Vec<BobOutput>,
    ) -> Next {
        let Message::Amplification {
            block,
            part,
            parts,
            output_bits: given,
            confirmation_point,
            seed: more,
        } = message
        else {
            let state = "it waits for the amplification seed";
            return Err(message.unexpected(self.ledger.block(), state));
        };
        if given != output_bits {
            return Err(Error::contradiction(
                block,
                "output length",
                given,
                output_bits,
            ));
        }
        let wanted = seed_bits(key.len());
        let (mut counter, mut draw) = seed.unwrap_or_else(|| {
            let parts = part_count(wanted, SEED_BITS_PER_PART_MAX);
            let draw = Draw {
                output_bits,
                confirmation_point,
                seed: BitString::new(),
            };
            (PartCounter::new(block, parts), draw)
        });
        if draw.seed.len() + more.len() > wanted || draw.confirmation_point != confirmation_point {
            let given = draw.seed.len() + more.len();
            return Err(Error::contradiction(
                block,
                "seed",
                given,
                format!("{wanted} bits under one point"),
            ));
        }
        let last = counter.take(part, parts)?;
        draw.seed.append(&more);
        if !last {
            return Ok(State::Amplifying {
                key,
                output_bits,
                seed: Some((counter, draw)),
            });
        }
        let distilled = distil(self.context.session, block, key, &draw)?;
        let secret_length_bits = distilled.key.len() as u64;
        out.push(BobOutput::Distilled(distilled));
        out.push(
            self.ledger
                .close(Outcome::Key { secret_length_bits })
                .into(),
        );
        Ok(State::Ended)
    }

    /// What was `decided`, unless an alarm stops the block. Too many errors are the plainest sign, and
    /// keep their name; of anything else an alarm says more than the count that it left too small.
    pub(super) fn unless_alarmed<T>(&self, decided: Result<T, Abort>) -> Result<T, Abort> {
        let monitors = self.context.monitors.as_ref();
        let stopping = monitors.and_then(|monitors| monitors.stopping(self.ledger.alarms()));
        match (decided, stopping) {
            (Err(abort), _) if abort.reason == AbortReason::QberTooHigh => Err(abort),
            (_, Some(alarm)) => Err(alarm),
            (decided, None) => decided,
        }
    }

    pub(super) fn abort(&mut self, abort: Abort, out: &mut Vec<BobOutput>) -> State {
        let block = self.ledger.block();
        out.push(BobOutput::Send(Message::Abort { block, abort }));
        out.push(self.ledger.close(Outcome::Aborted(abort)).into());
        State::Ended
    }
}
