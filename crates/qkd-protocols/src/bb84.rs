//! BB84 with one decoy intensity: key in Z, test in X.
//!
//! C. H. Bennett, G. Brassard, Proc. IEEE ICCSSP 1984, p. 175; efficient asymmetric bases: Lo,
//! Chau, Ardehali, J. Cryptology 18, 133 (2005); one decoy: Rusca et al., APL 112, 171104 (2018).

use qkd_bits::{BitString, SecretBits};
use qkd_optics::Source;
use qkd_security::{Accepted, BasisStatistics, BlockPlan, Leakage, Refusal, Statistics};

use crate::{AliceRecord, BobRecord, Disclosed, Error, LinkSetup, Protocol, Sifted, SiftedCounts};

/// Decoy-state BB84 with signal and one decoy.
pub struct DecoyBb84 {
    source: Source,
    setup: LinkSetup,
}

impl DecoyBb84 {
    /// The protocol on the link that `setup` describes.
    pub fn new(setup: LinkSetup) -> Self {
        Self {
            source: setup.source(),
            setup,
        }
    }
}

fn same_length(what: &'static str, expected: usize, given: usize) -> Result<(), Error> {
    if expected == given {
        Ok(())
    } else {
        Err(Error::LengthMismatch {
            what,
            expected,
            given,
        })
    }
}

impl Protocol for DecoyBb84 {
    fn name(&self) -> &'static str {
        "bb84"
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn plan(&self) -> &BlockPlan {
        &self.setup.plan
    }

    fn disclose(
        &self,
        record: &AliceRecord,
        announced_bases: &BitString,
    ) -> Result<Disclosed, Error> {
        same_length("announced bases", record.len(), announced_bases.len())?;
        let bits = record.bits.expose();
        let test_bits = (0..record.len())
            .filter(|&i| record.bases.get(i) && announced_bases.get(i))
            .map(|i| bits.get(i))
            .collect();
        Ok(Disclosed {
            bases: record.bases.clone(),
            decoys: record.decoys.clone(),
            test_bits,
        })
    }

    fn sift_alice(
        &self,
        record: AliceRecord,
        announced_bases: &BitString,
    ) -> Result<Sifted, Error> {
        same_length("announced bases", record.len(), announced_bases.len())?;
        let mut sifting = Sifting::of(record.len());
        let bits = record.bits.expose();
        for i in 0..record.len() {
            match (record.bases.get(i), announced_bases.get(i)) {
                (false, false) => sifting.key(bits.get(i), record.decoys.get(i)),
                (true, true) => sifting.test(record.decoys.get(i), false),
                (true, false) | (false, true) => {}
            }
        }
        Ok(sifting.finish())
    }

    fn sift_bob(&self, record: BobRecord, disclosed: &Disclosed) -> Result<Sifted, Error> {
        let len = record.bases.len();
        same_length("disclosed bases", len, disclosed.bases.len())?;
        same_length("disclosed intensities", len, disclosed.decoys.len())?;
        let tested = (0..len)
            .filter(|&i| record.bases.get(i) && disclosed.bases.get(i))
            .count();
        same_length("disclosed test bits", tested, disclosed.test_bits.len())?;
        let mut sifting = Sifting::of(len);
        let bits = record.bits.expose();
        let mut test_bits = disclosed.test_bits.iter();
        for i in 0..len {
            match (disclosed.bases.get(i), record.bases.get(i)) {
                (false, false) => sifting.key(bits.get(i), disclosed.decoys.get(i)),
                (true, true) => {
                    let wrong = test_bits.next() != Some(bits.get(i));
                    sifting.test(disclosed.decoys.get(i), wrong);
                }
                (true, false) | (false, true) => {}
            }
        }
        Ok(sifting.finish())
    }

    fn tally(&self, sifted: &SiftedCounts, error_positions: &[u32]) -> Result<Statistics, Error> {
        let len = sifted.key_decoys.len();
        let mut errors = [0; 2];
        for &position in error_positions {
            let position = position as usize;
            if position >= len {
                return Err(Error::LengthMismatch {
                    what: "error positions",
                    expected: len,
                    given: position,
                });
            }
            errors[usize::from(sifted.key_decoys.get(position))] += 1;
        }
        Ok(Statistics {
            key: BasisStatistics {
                counts: sifted.key_counts(),
                errors,
            },
            test: sifted.test,
        })
    }

    fn accept(&self, statistics: &Statistics, leakage: &Leakage) -> Result<Accepted, Refusal> {
        self.setup.plan.acceptance.test(
            statistics,
            leakage,
            &self.setup.link.source,
            &self.setup.parameters,
            self.setup.theorem,
        )
    }

    fn accept_test_basis(&self, counts: &SiftedCounts) -> Result<(), Refusal> {
        self.setup
            .plan
            .acceptance
            .test_before_reconciliation(counts.key_counts(), &counts.test)
    }
}

struct Sifting {
    key: BitString,
    key_decoys: BitString,
    test: BasisStatistics,
}

impl Sifting {
    /// Room for the key from the start: growing would leave copies behind that nobody wipes.
    fn of(slots: usize) -> Self {
        Self {
            key: BitString::with_capacity(slots),
            key_decoys: BitString::new(),
            test: BasisStatistics::default(),
        }
    }

    fn key(&mut self, bit: bool, decoy: bool) {
        self.key.push(bit);
        self.key_decoys.push(decoy);
    }

    fn test(&mut self, decoy: bool, wrong: bool) {
        self.test.counts[usize::from(decoy)] += 1;
        self.test.errors[usize::from(decoy)] += u64::from(wrong);
    }

    fn finish(self) -> Sifted {
        Sifted {
            key: SecretBits::from(self.key),
            counts: SiftedCounts {
                key_decoys: self.key_decoys,
                test: self.test,
            },
        }
    }
}
