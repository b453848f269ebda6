//! Error correction: both roles of Cascade, each on its own.
//!
//! The two first talk to each other, and what they say is written down. Then each role goes through
//! the same block again alone, with the words of the other as they were, and is timed from its sifted
//! key to its reconciled one: packing and unpacking of every message is in it, the work of the other
//! side and the clock are not.

use qkd_bits::{BitString, PhysicsRng, SecretBits, SecretRng};
use qkd_distill::{
    CascadeAlice, CascadeBob, CascadePlan, Disclosed, ReconciledKey, SiftedKey, Step,
};
use qkd_security::binary_entropy;

use super::args::Case;
use super::draw::{generators, with_errors};
use super::row::{Role, Row};
use super::sample::{Batches, Samples, batch, spent};
use crate::bench::fault::Fault;

/// Bits that are timed together at least.
const BATCH_BITS_MIN: usize = 1 << 16;

/// Both rows of a case.
///
/// # Errors
/// When Cascade refuses its own messages, or a role that is alone says something else.
pub fn measure(case: &Case) -> Result<Vec<Row>, Fault> {
    let (mut keys, mut nature) = generators(case);
    let mut sum = Sum::default();
    for size in Batches::new(case.effort, batch(case.block_bits, BATCH_BITS_MIN)) {
        let draw = |_| Recorded::draw(case, &mut keys, &mut nature);
        let blocks: Vec<Recorded> = (0..size).map(draw).collect::<Result<_, _>>()?;
        let bits = blocks.len() * case.block_bits;
        let alices: Vec<SiftedKey> = blocks.iter().map(|block| sifted(&block.alice)).collect();
        let bobs: Vec<SiftedKey> = blocks.iter().map(|block| sifted(&block.bob)).collect();
        let (alices, time) = spent(|| {
            let alone = blocks.iter().zip(alices);
            alone.map(|(block, key)| block.alice(key)).collect()
        });
        let alices: Vec<ReconciledKey> = all(alices)?;
        sum.alice.add(bits, time);
        let (bobs, time) = spent(|| {
            let alone = blocks.iter().zip(bobs);
            alone.map(|(block, key)| block.bob(key)).collect()
        });
        let bobs: Vec<ReconciledKey> = all(bobs)?;
        sum.bob.add(bits, time);
        for ((block, alice), bob) in blocks.iter().zip(alices).zip(bobs) {
            sum.count(block, alice, bob, keys.array())?;
        }
    }
    let rows = [(Role::Alice, &sum.alice), (Role::Bob, &sum.bob)];
    Ok(rows
        .map(|(role, samples)| sum.row(case, role, samples))
        .to_vec())
}

fn all<T>(results: Vec<Result<T, qkd_distill::Error>>) -> Result<Vec<T>, qkd_distill::Error> {
    results.into_iter().collect()
}

fn sifted(key: &BitString) -> SiftedKey {
    SiftedKey::new(SecretBits::from(key.clone()))
}

/// What was seen of all blocks.
#[derive(Default)]
struct Sum {
    alice: Samples,
    bob: Samples,
    blocks: u64,
    failures: u64,
    rounds: u64,
    alice_leaked_bits: u64,
    bob_leaked_bits: u64,
    /// What error correction tells at the least: Σ n·h(errors ÷ n).
    entropy_bits: f64,
}

impl Sum {
    fn count(
        &mut self,
        block: &Recorded,
        mut alice: ReconciledKey,
        bob: ReconciledKey,
        hash_key: [u8; 16],
    ) -> Result<(), Fault> {
        let disclosed = block.disclosed;
        if alice.disclosed() != disclosed || bob.disclosed() != disclosed {
            let what = "a role that was alone disclosed something else than with the other";
            return Err(Fault::Wrong {
                stage: "cascade",
                what,
            });
        }
        let bits = block.alice.len() as f64;
        let errors = block.alice.hamming_distance(&block.bob) as f64;
        self.blocks += 1;
        self.rounds += block.parities.len() as u64;
        self.alice_leaked_bits += disclosed.from_alice_bits;
        self.bob_leaked_bits += disclosed.from_bob_bits;
        self.entropy_bits += bits * binary_entropy(errors / bits);
        let tag = alice.tag(hash_key);
        self.failures += u64::from(bob.verify(hash_key, &tag).is_err());
        Ok(())
    }

    fn row(&self, case: &Case, role: Role, samples: &Samples) -> Row {
        let per_block = |sum: u64| Some(sum as f64 / self.blocks as f64);
        let inefficiency = self.alice_leaked_bits as f64 / self.entropy_bits;
        Row {
            role: Some(role),
            qber: Some(case.qber),
            // Without a single error there is nothing to compare with.
            reconciliation_inefficiency: Some(inefficiency).filter(|f| f.is_finite()),
            alice_leaked_bits: per_block(self.alice_leaked_bits),
            bob_leaked_bits: per_block(self.bob_leaked_bits),
            rounds: per_block(self.rounds),
            ..Row::new(case, self.blocks, samples).with_failures(self.failures)
        }
    }
}

/// A message as it travels.
struct Message {
    bits: usize,
    bytes: Vec<u8>,
}

impl Message {
    fn new(bits: &BitString) -> Self {
        Self {
            bits: bits.len(),
            bytes: bits.to_bytes(),
        }
    }

    fn bits(&self) -> Result<BitString, qkd_distill::Error> {
        BitString::from_bytes(&self.bytes, self.bits).map_err(|_| qkd_distill::Error::Misuse {
            what: "bits of a message",
            expected: "as many as its bytes hold",
            given: self.bits as u64,
        })
    }
}

/// One block, and all that was said about it.
struct Recorded {
    alice: BitString,
    bob: BitString,
    plan: CascadePlan,
    parities: Vec<Message>,
    comparisons: Vec<Message>,
    disclosed: Disclosed,
}

impl Recorded {
    /// Draws a block and lets both roles correct it.
    fn draw(
        case: &Case,
        keys: &mut SecretRng,
        nature: &mut PhysicsRng,
    ) -> Result<Self, qkd_distill::Error> {
        let alice_key = keys.public_bits(case.block_bits);
        let bob_key = with_errors(&alice_key, case.qber, nature);
        let plan = CascadePlan {
            key_bits: case.block_bits,
            prior_qber: case.qber,
            seed: keys.array(),
        };
        let mut alice = CascadeAlice::new(sifted(&alice_key), plan.clone())?;
        let mut bob = CascadeBob::new(sifted(&bob_key), plan.clone())?;
        let (mut parities, mut comparisons) = (Vec::new(), Vec::new());
        let mut due = alice.begin();
        loop {
            parities.push(Message::new(&due));
            let comparison = bob.compare(&due)?;
            comparisons.push(Message::new(&comparison.differs));
            match alice.answer(&comparison.differs)? {
                Step::Parities(next) => due = next,
                Step::Finished => break,
            }
        }
        Ok(Self {
            alice: alice_key,
            bob: bob_key,
            plan,
            parities,
            comparisons,
            disclosed: alice.disclosed(),
        })
    }

    /// Alice's role alone.
    fn alice(&self, key: SiftedKey) -> Result<ReconciledKey, qkd_distill::Error> {
        let mut alice = CascadeAlice::new(key, self.plan.clone())?;
        std::hint::black_box(alice.begin().to_bytes());
        for message in &self.comparisons {
            match alice.answer(&message.bits()?)? {
                Step::Parities(next) => drop(std::hint::black_box(next.to_bytes())),
                Step::Finished => {}
            }
        }
        alice.finish()
    }

    /// Bob's role alone.
    fn bob(&self, key: SiftedKey) -> Result<ReconciledKey, qkd_distill::Error> {
        let mut bob = CascadeBob::new(key, self.plan.clone())?;
        for message in &self.parities {
            let comparison = bob.compare(&message.bits()?)?;
            std::hint::black_box(comparison.differs.to_bytes());
        }
        bob.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::distill::args::{Effort, Stage};

    fn case(block_bits: usize, qber: f64) -> Case {
        Case {
            stage: Stage::Cascade,
            block_bits,
            qber,
            ratio: 0.5,
            effort: Effort::Blocks(4),
            seed: 1,
        }
    }

    #[test]
    fn both_roles_are_timed_over_the_same_blocks() {
        let rows = measure(&case(20_000, 0.03)).unwrap();
        let [alice, bob] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert_eq!((alice.role, bob.role), (Some(Role::Alice), Some(Role::Bob)));
        for row in &rows {
            assert_eq!((row.blocks, row.failures), (4, Some(0)));
            assert!(
                row.throughput_bps > 1e4 && row.throughput_bps.is_finite(),
                "{row:?}"
            );
            let f = row.reconciliation_inefficiency.unwrap();
            assert!((1.0..1.3).contains(&f), "{row:?}");
            assert!(row.rounds.unwrap() > 5.0, "{row:?}");
        }
        assert_eq!(alice.rounds, bob.rounds);
        assert_eq!(alice.alice_leaked_bits, bob.alice_leaked_bits);
    }

    #[test]
    fn a_role_alone_ends_with_the_key_that_it_had_in_company() {
        let case = case(5000, 0.05);
        let (mut keys, mut nature) = generators(&case);
        let block = Recorded::draw(&case, &mut keys, &mut nature).unwrap();
        let mut alice = block.alice(sifted(&block.alice)).unwrap();
        let bob = block.bob(sifted(&block.bob)).unwrap();
        let errors = block.alice.hamming_distance(&block.bob);
        assert_eq!(bob.errors().count_ones(), errors);
        assert_eq!(alice.errors(), bob.errors());
        let tag = alice.tag([3; 16]);
        assert!(bob.verify([3; 16], &tag).is_ok());
    }

    #[test]
    fn blocks_without_an_error_have_no_inefficiency() {
        let rows = measure(&case(1000, 1e-4)).unwrap();
        let f = rows[0].reconciliation_inefficiency;
        assert!(f.is_none_or(|f| f.is_finite()), "{f:?}");
    }
}
