//! BB84 with one decoy intensity: key in Z, test in X.
//!
//! C. H. Bennett, G. Brassard, Proc. IEEE ICCSSP 1984, p. 175; efficient asymmetric bases: Lo,
//! Chau, Ardehali, J. Cryptology 18, 133 (2005); one decoy: Rusca et al., APL 112, 171104 (2018).

use qkd_bits::{BitString, SecretBits};
use qkd_optics::Source;
use qkd_security::{
    Accepted, BasisStatistics, BlockPlan, KeyLength, Leakage, Refusal, SecurityParameters,
    Statistics, Theorem,
};

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
            source: setup.hardware.source.clone(),
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

    fn theorem(&self) -> Theorem {
        self.setup.theorem
    }

    fn parameters(&self) -> SecurityParameters {
        self.setup.parameters
    }

    fn disclose(
        &self,
        record: &AliceRecord,
        announced_bases: &BitString,
    ) -> Result<Disclosed, Error> {
        same_length("announced bases", record.len(), announced_bases.len())?;
        let tested = record.bases.and(announced_bases);
        let test_bits = record.bits.expose().select(&tested);
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
        let tested = record.bases.and(announced_bases);
        let test = BasisStatistics {
            counts: per_class(tested.count_ones(), tested.count_ones_and(&record.decoys)),
            errors: [0; 2],
        };
        let key = record.bases.nor(announced_bases);
        Ok(sifted(record.bits.expose(), &record.decoys, &key, test))
    }

    fn sift_bob(&self, record: BobRecord, disclosed: &Disclosed) -> Result<Sifted, Error> {
        let len = record.bases.len();
        same_length("disclosed bases", len, disclosed.bases.len())?;
        same_length("disclosed intensities", len, disclosed.decoys.len())?;
        let tested = record.bases.and(&disclosed.bases);
        let bits = record.bits.expose();
        let expected = tested.count_ones();
        same_length("disclosed test bits", expected, disclosed.test_bits.len())?;
        let [ours, decoys] = BitString::select_each([bits, &disclosed.decoys], &tested);
        let ours = SecretBits::from(ours);
        let wrong = ours.expose().xor(&disclosed.test_bits);
        let test = BasisStatistics {
            counts: per_class(ours.len(), decoys.count_ones()),
            errors: per_class(wrong.count_ones(), wrong.count_ones_and(&decoys)),
        };
        let key = record.bases.nor(&disclosed.bases);
        Ok(sifted(bits, &disclosed.decoys, &key, test))
    }

    fn tally(&self, sifted: &SiftedCounts, errors: &BitString) -> Result<Statistics, Error> {
        same_length("errors of the key", sifted.key_decoys.len(), errors.len())?;
        let decoys = errors.count_ones_and(&sifted.key_decoys);
        let errors = per_class(errors.count_ones(), decoys);
        Ok(Statistics {
            key: BasisStatistics {
                counts: sifted.key_counts(),
                errors,
            },
            test: sifted.test,
        })
    }

    fn key_length(&self, statistics: &Statistics, leakage: &Leakage) -> KeyLength {
        let (source, parameters) = (&self.setup.plan.source, &self.setup.parameters);
        let theorem = self.setup.theorem;
        theorem.secret_length(*statistics, source, leakage, parameters)
    }

    fn accept(&self, statistics: &Statistics, leakage: &Leakage) -> Result<Accepted, Refusal> {
        self.setup.plan.acceptance.test(
            statistics,
            leakage,
            &self.setup.plan.source,
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

/// Counts of the signal and the decoy, out of those of both and of the decoy.
fn per_class(both: usize, decoy: usize) -> [u64; 2] {
    [both - decoy, decoy].map(|count| count as u64)
}

/// The sifted block of the slots in which `key` is set. The bits of those slots are copied once,
/// to where they stay.
fn sifted(bits: &BitString, decoys: &BitString, key: &BitString, test: BasisStatistics) -> Sifted {
    let [bits, key_decoys] = BitString::select_each([bits, decoys], key);
    Sifted {
        key: SecretBits::from(bits),
        counts: SiftedCounts { key_decoys, test },
    }
}

#[cfg(test)]
mod tests {
    use qkd_optics::{Basis, Choice, Detection, IntensityClass};
    use qkd_security::{DecoySource, LinkModel, Margin};

    use super::*;

    fn protocol() -> DecoyBb84 {
        let link = LinkModel {
            source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).unwrap(),
            key_basis_probability: 0.8,
            clock_hz: 1e9,
            transmittance_channel: 0.3,
            insertion_transmittance: 1.0,
            detector_efficiency: 0.8,
            dark_count_probability: 1e-8,
            dead_time_slots: 0,
            afterpulse_probability: 0.0,
            afterpulse_decay_slots: 50.0,
            misalignment_error: 0.01,
        };
        let parameters = SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        };
        let (theorem, margin) = (Theorem::default(), Margin::default());
        let plan = BlockPlan::derive(&link, 200_000, &parameters, theorem, &margin).unwrap();
        DecoyBb84::new(LinkSetup {
            hardware: crate::Hardware::of(&link),
            link,
            plan,
            theorem,
            parameters,
        })
    }

    /// Slots as (Alice's basis, bit and class, Bob's basis and bit): every pair of bases, both
    /// classes, and an error in each basis.
    const SLOTS: [(Basis, bool, u8, Basis, bool); 8] = [
        (Basis::Z, true, 0, Basis::Z, true),
        (Basis::Z, true, 1, Basis::X, false),
        (Basis::X, true, 0, Basis::X, true),
        (Basis::X, false, 1, Basis::Z, true),
        (Basis::Z, false, 1, Basis::Z, true),
        (Basis::X, true, 1, Basis::X, false),
        (Basis::X, false, 0, Basis::X, false),
        (Basis::Z, true, 0, Basis::Z, true),
    ];

    fn alice() -> AliceRecord {
        let choices = SLOTS.map(|(basis, bit, class, _, _)| Choice {
            basis,
            bit,
            intensity: IntensityClass(class),
        });
        AliceRecord::new(choices.into_iter().collect())
    }

    fn bob() -> BobRecord {
        let detections =
            (0..)
                .zip(SLOTS)
                .map(|(slot, (.., basis, bit))| Detection { slot, basis, bit });
        BobRecord::new(detections.collect())
    }

    fn bits(text: &str) -> BitString {
        text.chars().map(|c| c == '1').collect()
    }

    #[test]
    fn alice_discloses_bases_classes_and_the_bits_of_the_test_basis_and_no_other_bit() {
        let disclosed = protocol().disclose(&alice(), bob().bases()).unwrap();
        let expected = Disclosed {
            bases: bits("00110110"),
            decoys: bits("01011100"),
            test_bits: bits("110"),
        };
        assert_eq!(disclosed, expected);
        // Every key-basis bit turned round: nothing that is disclosed changes.
        let turned = SLOTS.map(|(basis, bit, class, other, _)| Choice {
            basis,
            bit: bit ^ ((basis, other) != (Basis::X, Basis::X)),
            intensity: IntensityClass(class),
        });
        let turned = AliceRecord::new(turned.into_iter().collect());
        assert_eq!(protocol().disclose(&turned, bob().bases()), Ok(expected));
    }

    #[test]
    fn both_sift_the_same_slots_and_bob_counts_the_errors_of_the_test_basis() {
        let protocol = protocol();
        let bases = bob().bases().clone();
        let disclosed = protocol.disclose(&alice(), &bases).unwrap();
        let alice = protocol.sift_alice(alice(), &bases).unwrap();
        let bob = protocol.sift_bob(bob(), &disclosed).unwrap();
        assert_eq!(alice.key.expose(), &bits("101"));
        assert_eq!(bob.key.expose(), &bits("111"));
        assert_eq!(alice.counts.key_decoys, bob.counts.key_decoys);
        assert_eq!(bob.counts.key_counts(), [2, 1]);
        assert_eq!(bob.counts.test.counts, [2, 1]);
        assert_eq!(alice.counts.test.counts, [2, 1]);
        assert_eq!(bob.counts.test.errors, [0, 1]);
        assert_eq!(bob.counts.test_qber(), Some(1.0 / 3.0));
    }

    #[test]
    fn errors_are_tallied_under_the_class_of_their_position() {
        let protocol = protocol();
        let disclosed = protocol.disclose(&alice(), bob().bases()).unwrap();
        let counts = protocol.sift_bob(bob(), &disclosed).unwrap().counts;
        let statistics = protocol.tally(&counts, &bits("011")).unwrap();
        assert_eq!(statistics.key.counts, [2, 1]);
        assert_eq!(statistics.key.errors, [1, 1]);
        assert_eq!(statistics.test, counts.test);
        for other in ["01", "0110"] {
            assert!(protocol.tally(&counts, &bits(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn lists_of_another_length_are_refused_by_name() {
        let protocol = protocol();
        let complaint = |result: Result<Sifted, Error>| match result {
            Ok(_) => panic!("it was accepted"),
            Err(error) => error.to_string(),
        };
        let short = bits("0");
        assert!(protocol.disclose(&alice(), &short).is_err());
        assert!(complaint(protocol.sift_alice(alice(), &short)).contains("announced bases"));
        let disclosed = protocol.disclose(&alice(), bob().bases()).unwrap();
        let with = |change: fn(&mut Disclosed)| {
            let mut changed = disclosed.clone();
            change(&mut changed);
            complaint(protocol.sift_bob(bob(), &changed))
        };
        assert!(with(|d| d.bases.push(true)).contains("disclosed bases"));
        assert!(with(|d| d.decoys.push(true)).contains("disclosed intensities"));
        assert!(with(|d| d.test_bits.push(true)).contains("disclosed test bits"));
        assert!(with(|d| d.test_bits = BitString::new()).contains("disclosed test bits"));
        // A basis changed afterwards changes how many test bits there must be.
        assert!(with(|d| d.bases.flip(2)).contains("disclosed test bits"));
    }

    #[test]
    fn the_expected_block_is_accepted_and_one_with_a_quarter_of_errors_is_not() {
        let protocol = protocol();
        let expected = protocol.plan().statistics_expected;
        let whole = |basis: BasisStatistics<f64>| BasisStatistics {
            counts: basis.counts.map(|count| count.round() as u64),
            errors: basis.errors.map(|count| count.round() as u64),
        };
        let mut statistics = Statistics {
            key: whole(expected.key),
            test: whole(expected.test),
        };
        let leakage = Leakage::default();
        let accepted = protocol.accept(&statistics, &leakage).unwrap();
        let fixed = protocol.plan().acceptance.secret_length_bits;
        assert_eq!(accepted.secret_length_bits, fixed);
        let mut counts = SiftedCounts {
            key_decoys: [false, true]
                .into_iter()
                .zip(statistics.key.counts)
                .flat_map(|(decoy, count)| std::iter::repeat_n(decoy, count as usize))
                .collect(),
            test: statistics.test,
        };
        assert_eq!(counts.key_counts(), statistics.key.counts);
        assert_eq!(protocol.accept_test_basis(&counts), Ok(()));

        statistics.test.errors = statistics.test.counts.map(|count| count / 4);
        counts.test = statistics.test;
        let refused = |refusal| matches!(refusal, Refusal::QberTooHigh { .. });
        assert!(protocol.accept(&statistics, &leakage).is_err_and(refused));
        assert!(protocol.accept_test_basis(&counts).is_err_and(refused));
    }

    #[test]
    fn no_protocol_goes_by_an_unknown_name() {
        let setup = protocol().setup;
        for name in crate::PROTOCOL_NAMES {
            assert_eq!(crate::by_name(name, setup.clone()).unwrap().name(), name);
        }
        let unknown = crate::by_name("bb85", setup).err().unwrap().to_string();
        assert!(
            unknown.contains("bb85") && unknown.contains("bb84"),
            "{unknown}"
        );
    }
}
