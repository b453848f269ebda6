//! What is seen of a day from outside, whatever was said in it.

use std::collections::BTreeMap;

use qkd_keystore::{BlockId, KeyId, Side};
use qkd_security::Leakage;
use qkd_session::{BlockReport, Outcome};
use qkd_wire::link::{RelayOutcome, RelayedMessage};

use super::leakage::Disclosed;
use super::town::place;

/// What one run looks like from outside, whatever was said in it.
#[derive(Default)]
pub struct Seen {
    /// Why the connection ended, in the words of the side that ended it.
    pub fault: Option<(Side, String)>,
    /// What an operator was alarmed with.
    pub alarms: Vec<String>,
    /// Blocks and the digests of the keys that went to each store.
    pub distilled: [BTreeMap<BlockId, Vec<u8>>; 2],
    /// Blocks that each store committed.
    pub committed: [Vec<BlockId>; 2],
    /// How the blocks ended.
    pub reports: [Vec<BlockReport>; 2],
    /// Keys that masters got, on each side, and those that their slaves fetched on the other.
    pub given: [BTreeMap<KeyId, Vec<u8>>; 2],
    pub fetched: [BTreeMap<KeyId, Vec<u8>>; 2],
    /// Answers of all kinds that applications got.
    pub answers: [usize; 2],
    /// Messages that reached a mailbox, and answers that came back.
    pub relayed: [Vec<RelayedMessage>; 2],
    pub relay_answers: [Vec<(u64, RelayOutcome)>; 2],
    /// What was said in public about the key of each block.
    pub disclosed: Disclosed,
    /// How far Alice's clock has come at Bob.
    pub clock: u64,
    /// Envelopes that arrived, and the bytes of their payloads.
    pub envelopes: usize,
    pub bytes: usize,
}

impl Seen {
    /// Both stores hold equal keys, or not both of them a key.
    pub fn assert_blocks_agree(&self) {
        for block in &self.committed[0] {
            if self.committed[1].contains(block) {
                let [alice, bob] = [0, 1].map(|side| &self.distilled[side][block]);
                assert!(
                    alice == bob,
                    "both stores have block {block}, and not the same key"
                );
            }
        }
    }

    /// The accounts of blocks with a key count what was said about it, and nothing else.
    pub fn assert_accounts_are_exact(&self) {
        let of = |side| self.reports[place(side)].iter().map(move |it| (side, it));
        let keys = of(Side::Alice).chain(of(Side::Bob));
        let keys: Vec<_> = keys
            .filter(|(_, report)| report.secret_length_bits() > 0)
            .collect();
        assert_eq!(keys.len(), 4, "two blocks with keys on each side");
        for (side, report) in keys {
            let Leakage {
                from_alice_bits,
                from_bob_bits,
                ..
            } = report.leakage;
            let said = self.disclosed.corrected(side, report.block);
            assert_eq!(said, [from_alice_bits, from_bob_bits], "{side}");
            assert!(said[0] > 1_000, "{said:?}");
        }
    }

    /// Nothing that was said about a key is missing in an account of it.
    pub fn assert_leakage_paid(&self) {
        for side in [Side::Alice, Side::Bob] {
            for report in &self.reports[place(side)] {
                self.disclosed.assert_paid(side, report);
            }
        }
    }

    /// Keys that both applications have: how many, and how many of them differ.
    pub fn delivered(&self) -> (usize, usize) {
        let pairs = [0, 1].into_iter().flat_map(|owner| {
            let fetched = &self.fetched[1 - owner];
            let given = self.given[owner].iter();
            given.filter_map(|(id, key)| Some((key, fetched.get(id)?)))
        });
        let pairs: Vec<_> = pairs.collect();
        let differ = pairs.iter().filter(|(given, fetched)| given != fetched);
        (pairs.len(), differ.count())
    }

    /// Keys that a master has and its slave could not fetch.
    pub fn lost(&self) -> usize {
        let given: usize = self.given.iter().map(BTreeMap::len).sum();
        given - self.delivered().0
    }

    /// How the blocks ended on a side: bits, or the reason for none.
    pub fn endings(&self, side: Side) -> Vec<String> {
        let ending = |report: &BlockReport| match report.outcome {
            Outcome::Key { secret_length_bits } => format!("{secret_length_bits} bits"),
            Outcome::Aborted(abort) => abort.reason.name().to_owned(),
        };
        self.reports[place(side)].iter().map(ending).collect()
    }

    /// Everything that applications and operators can tell this run from another by.
    pub fn summary(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {} lost, {:?} {:?} {:?}",
            self.fault.as_ref().map(|(_, words)| words),
            self.alarms,
            self.endings(Side::Alice),
            self.endings(Side::Bob),
            self.delivered(),
            self.lost(),
            self.answers,
            self.relayed,
            self.relay_answers,
        )
    }
}
