//! What Bob makes of Alice's disclosure: his sifted key, and how he wants it reconciled.

use qkd_distill::reconcile::cascade::CascadePlan;
use qkd_distill::{Method, SiftedKey};
use qkd_protocols::{BobRecord, Disclosed, SiftedCounts};

use super::BobOutput;
use super::block::{Facts, Next, State};
use crate::parts::PartCounter;
use crate::{Abort, Error, Message};

impl Facts {
    pub(super) fn disclosed(
        &mut self,
        record: BobRecord,
        mut counter: PartCounter,
        mut disclosed: Disclosed,
        message: Message,
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
            return Err(message.unexpected(self.ledger.block(), "it waits for the disclosure"));
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
            return Ok(State::Announced {
                record,
                counter,
                disclosed,
            });
        }
        self.sift(record, &disclosed, out)
    }

    fn sift(&mut self, record: BobRecord, disclosed: &Disclosed, out: &mut Vec<BobOutput>) -> Next {
        let block = self.ledger.block();
        let protocol = self.context.protocol.as_ref();
        let sifted = protocol
            .sift_bob(record, disclosed)
            .map_err(|source| Error::Protocol { block, source })?;
        self.ledger.sifted_by_bob(&sifted.counts);
        if let Some(monitors) = &self.context.monitors {
            let key_counts = sifted.counts.key_counts();
            self.ledger.alarmed(monitors.of_sifting(key_counts));
            self.ledger
                .alarmed(monitors.of_errors(1, &sifted.counts.test));
        }
        let accepted = protocol
            .accept_test_basis(&sifted.counts)
            .map_err(Abort::from)
            .and_then(|()| Abort::unless_full(self.ledger.detections(), protocol.plan()));
        if let Err(refused) = self.unless_alarmed(accepted) {
            return Ok(self.abort(refused, out));
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
        Ok(State::Reconciling {
            corrector,
            counts: sifted.counts,
            round: 0,
        })
    }

    /// The error rate to plan for: the mean of an earlier block's and the test basis', weighted
    /// so that a test basis with few errors says little. No key bit is given up for it.
    fn prior(&self, counts: &SiftedCounts) -> f64 {
        const EQUAL_WEIGHT_ERRORS: f64 = 100.0;
        let errors = counts.test.errors.iter().sum::<u64>() as f64;
        let tested = counts.test_qber().unwrap_or(self.prior_qber);
        let weight = errors / (errors + EQUAL_WEIGHT_ERRORS);
        weight * tested + (1.0 - weight) * self.prior_qber
    }
}
