//! Bob: collects detections into blocks, announces, corrects, verifies, counts.

mod collecting;

use std::collections::BTreeMap;

use qkd_bits::{BitString, SecretRng};
use qkd_distill::reconcile::cascade::CascadePlan;
use qkd_distill::{
    Comparison, Corrector, Method, ReconciledKey, SiftedKey, VerificationTag, VerifiedKey,
    seed_bits,
};
use qkd_optics::Detection;
use qkd_protocols::{BobRecord, Disclosed, Protocol, SiftedCounts};

use crate::finish::{Draw, OVERHEAD_BITS, distil};
use crate::parts::{PartCounter, SEED_BITS_PER_PART_MAX, part_count};
use crate::report::{Ledger, leakage};
use crate::{
    Abort, AbortReason, BlockReport, Distilled, Error, Message, Outcome, SessionId, SessionLimits,
    Time,
};
use collecting::Collecting;

/// What Bob's engine is told.
pub enum BobInput {
    /// The receiver's detections, in slot order, and how far it has come.
    Detections {
        /// Newly registered detections.
        detections: Vec<Detection>,
        /// Every slot before this one has been measured or lost.
        next_slot: u64,
    },
    /// A message of Alice's, already authenticated.
    Message(Message),
    /// Whether more key is wanted: false when the store is full.
    Demand {
        /// True to collect blocks.
        wanted: bool,
    },
}

/// What Bob's engine wants done.
pub enum BobOutput {
    /// Send this to Alice.
    Send(Message),
    /// A key to commit on both sides.
    Distilled(Distilled),
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// How far a block has been filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its number in its session.
    pub block: u64,
    /// Detections registered so far.
    pub detections: u64,
    /// Detections that close it.
    pub detections_wanted: u64,
}

/// Bob's end of one session.
pub struct Bob {
    session: SessionId,
    protocol: Box<dyn Protocol>,
    limits: SessionLimits,
    secret: SecretRng,
    collecting: Collecting,
    blocks: BTreeMap<u64, Block>,
    next_block: u64,
    prior_qber: f64,
    demand: bool,
    asked_for_light: bool,
}

struct Block {
    ledger: Ledger,
    state: State,
}

enum State {
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
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "it waits for the disclosure",
            Self::Reconciling { .. } => "it is being reconciled",
            Self::Verifying { .. } => "it waits for the verification",
            Self::Amplifying { .. } => "it waits for the amplification seed",
        }
    }
}

type Next = Result<Option<State>, Error>;

impl Bob {
    /// An engine for one session. `prior_qber` is the error rate expected of the first block.
    pub fn new(
        session: SessionId,
        protocol: Box<dyn Protocol>,
        limits: SessionLimits,
        prior_qber: f64,
        secret: SecretRng,
    ) -> Self {
        Self {
            session,
            protocol,
            limits,
            secret,
            collecting: Collecting::default(),
            blocks: BTreeMap::new(),
            next_block: 0,
            prior_qber,
            demand: false,
            asked_for_light: false,
        }
    }

    /// Takes one input at `_now` and returns what is to be done, in order.
    ///
    /// # Errors
    /// When the peer broke the rules. The block it concerns is gone; the caller should end the
    /// session.
    pub fn handle(&mut self, _now: Time, input: BobInput) -> Result<Vec<BobOutput>, Error> {
        let mut outputs = Vec::new();
        match input {
            BobInput::Detections {
                detections,
                next_slot,
            } => {
                self.collect(detections, next_slot, &mut outputs)?;
            }
            BobInput::Message(message) => self.message(message, &mut outputs)?,
            BobInput::Demand { wanted } => self.demand = wanted,
        }
        self.ask_for_light(&mut outputs);
        Ok(outputs)
    }

    /// How far the block being collected is.
    pub fn progress(&self) -> Progress {
        Progress {
            block: self.next_block,
            detections: self.collecting.detections.len() as u64,
            detections_wanted: self.protocol.plan().detections,
        }
    }

    fn message(&mut self, message: Message, out: &mut Vec<BobOutput>) -> Result<(), Error> {
        let Some(number) = message.block() else {
            return Err(message.unexpected(0, "only Bob says that"));
        };
        let Some(Block { mut ledger, state }) = self.blocks.remove(&number) else {
            return if number < self.next_block {
                Ok(())
            } else {
                Err(message.unexpected(number, "it was never announced"))
            };
        };
        let next = match (state, message) {
            (
                State::Announced {
                    record,
                    counter,
                    disclosed,
                },
                message @ Message::Disclosure { .. },
            ) => self.disclosed(record, counter, disclosed, message, &mut ledger, out),
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
                compare(corrector, counts, round, &bits, &ledger, out)
            }
            (State::Verifying { key, counts }, Message::Verification { hash_key, tag, .. }) => {
                self.verify(key, &counts, hash_key, tag, &mut ledger, out)
            }
            (
                State::Amplifying {
                    key,
                    output_bits,
                    seed,
                },
                message @ Message::Amplification { .. },
            ) => self.amplify(key, output_bits, seed, message, &mut ledger, out),
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

    fn disclosed(
        &mut self,
        record: BobRecord,
        mut counter: PartCounter,
        mut disclosed: Disclosed,
        message: Message,
        ledger: &mut Ledger,
        out: &mut Vec<BobOutput>,
    ) -> Next {
        let Message::Disclosure {
            block,
            part,
            parts,
            bases,
            decoys,
            test_bits,
        } = message
        else {
            return Err(message.unexpected(ledger.block(), "it waits for the disclosure"));
        };
        let missing = record.bases().len() - disclosed.bases.len();
        if bases.len() > missing || decoys.len() != bases.len() || test_bits.len() > bases.len() {
            return Err(Error::contradiction(
                block,
                "disclosure",
                bases.len(),
                format!("at most {missing} slots"),
            ));
        }
        let last = counter.take(part, parts)?;
        disclosed.bases.append(&bases);
        disclosed.decoys.append(&decoys);
        disclosed.test_bits.append(&test_bits);
        if !last {
            return Ok(Some(State::Announced {
                record,
                counter,
                disclosed,
            }));
        }
        let sifted = self
            .protocol
            .sift_bob(record, &disclosed)
            .map_err(|source| Error::Protocol { block, source })?;
        ledger.sifted_by_bob(&sifted.counts);
        let accepted = self
            .protocol
            .accept_test_basis(&sifted.counts)
            .map_err(Abort::from)
            .and_then(|()| Abort::unless_full(ledger.detections(), self.protocol.plan()));
        if let Err(refused) = accepted {
            return Ok(abort(refused, ledger, out));
        }
        let prior_qber = self.prior(&sifted.counts);
        let plan = CascadePlan {
            key_bits: sifted.key.len(),
            prior_qber,
            seed: self.secret.array(),
        };
        out.push(BobOutput::Send(Message::ReconciliationPlan {
            block,
            key_bits: sifted.key.len() as u64,
            prior_qber,
            seed: plan.seed,
        }));
        let corrector = Method::Cascade(plan)
            .corrector(SiftedKey::new(sifted.key))
            .map_err(|source| Error::Distillation { block, source })?;
        Ok(Some(State::Reconciling {
            corrector,
            counts: sifted.counts,
            round: 0,
        }))
    }

    /// The error rate to plan for: the mean of the previous block's and the test basis', weighted
    /// so that a test basis with few errors says little. No key bit is given up for it.
    fn prior(&self, counts: &SiftedCounts) -> f64 {
        const EQUAL_WEIGHT_ERRORS: f64 = 100.0;
        let errors = counts.test.errors.iter().sum::<u64>() as f64;
        let tested = counts.test_qber().unwrap_or(self.prior_qber);
        let weight = errors / (errors + EQUAL_WEIGHT_ERRORS);
        weight * tested + (1.0 - weight) * self.prior_qber
    }

    fn verify(
        &mut self,
        key: ReconciledKey,
        counts: &SiftedCounts,
        hash_key: [u8; 16],
        tag: [u8; 16],
        ledger: &mut Ledger,
        out: &mut Vec<BobOutput>,
    ) -> Next {
        let block = ledger.block();
        let statistics = self
            .protocol
            .tally(counts, key.error_positions())
            .map_err(|source| Error::Protocol { block, source })?;
        let key = match key.verify(hash_key, &VerificationTag(tag)) {
            Ok(key) => key,
            Err(failed) => {
                ledger.leaked(leakage(failed.disclosed));
                let abort_ = Abort {
                    reason: AbortReason::VerificationFailed,
                    observed: 0.0,
                    limit: 0.0,
                };
                return Ok(abort(abort_, ledger, out));
            }
        };
        let leakage = leakage(key.disclosed());
        ledger.verified(statistics, leakage, self.protocol.as_ref());
        let sifted: u64 = statistics.key.counts.iter().sum();
        let errors: u64 = statistics.key.errors.iter().sum();
        self.prior_qber = errors as f64 / sifted.max(1) as f64;
        let accepted = self
            .protocol
            .accept(&statistics, &leakage)
            .map_err(Abort::from)
            .and_then(|accepted| Abort::unless_longer(accepted.secret_length_bits, OVERHEAD_BITS));
        match accepted {
            Ok(output_bits) => {
                out.push(BobOutput::Send(Message::Verified { block, statistics }));
                Ok(Some(State::Amplifying {
                    key,
                    output_bits,
                    seed: None,
                }))
            }
            Err(refused) => Ok(abort(refused, ledger, out)),
        }
    }

    fn amplify(
        &mut self,
        key: VerifiedKey,
        output_bits: u64,
        seed: Option<(PartCounter, Draw)>,
        message: Message,
        ledger: &mut Ledger,
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
            return Err(message.unexpected(ledger.block(), "it waits for the amplification seed"));
        };
        if given != output_bits {
            return Err(Error::contradiction(
                block,
                "output length",
                given,
                output_bits,
            ));
        }
        let (mut counter, mut draw) = seed.unwrap_or_else(|| {
            let parts = part_count(seed_bits(key.len()), SEED_BITS_PER_PART_MAX);
            let seed = BitString::new();
            (
                PartCounter::new(block, parts),
                Draw {
                    output_bits,
                    confirmation_point,
                    seed,
                },
            )
        });
        let wanted = seed_bits(key.len());
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
            return Ok(Some(State::Amplifying {
                key,
                output_bits,
                seed: Some((counter, draw)),
            }));
        }
        let distilled = distil(self.session, block, key, &draw)?;
        let secret_length_bits = distilled.key.len() as u64;
        out.push(BobOutput::Distilled(distilled));
        out.push(ledger.close(Outcome::Key { secret_length_bits }).into());
        Ok(None)
    }
}

fn compare(
    mut corrector: Box<dyn Corrector>,
    counts: SiftedCounts,
    round: u32,
    parities: &BitString,
    ledger: &Ledger,
    out: &mut Vec<BobOutput>,
) -> Next {
    let block = ledger.block();
    let failed = |source| Error::Distillation { block, source };
    let Comparison { differs, finished } = corrector.compare(parities).map_err(failed)?;
    out.push(BobOutput::Send(Message::Comparison {
        block,
        round,
        bits: differs,
    }));
    if finished {
        let key = corrector.finish().map_err(failed)?;
        Ok(Some(State::Verifying { key, counts }))
    } else {
        Ok(Some(State::Reconciling {
            corrector,
            counts,
            round: round + 1,
        }))
    }
}

fn abort(abort: Abort, ledger: &mut Ledger, out: &mut Vec<BobOutput>) -> Option<State> {
    let block = ledger.block();
    out.push(BobOutput::Send(Message::Abort { block, abort }));
    out.push(ledger.close(Outcome::Aborted(abort)).into());
    None
}

impl From<BlockReport> for BobOutput {
    fn from(report: BlockReport) -> Self {
        Self::Report(Box::new(report))
    }
}
