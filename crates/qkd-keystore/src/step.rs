//! The durable changes of a store by name: where a process can be killed, and is.

use std::fmt;
use std::str::FromStr;

use crate::Side;

/// One kind of durable change. Many of them, of one kind or several, may share a commit of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The store is opened: its boot epoch rises, assignments that nobody answered become void.
    Boot,
    /// The peer's history agrees: its boot epoch is written down.
    Resume,
    /// Alice: runs of the protocol are written down as spent ahead.
    Reserve,
    /// Alice: what was written down ahead and did not begin is given back.
    Release,
    /// Bob: a block is in doubt.
    Prepare,
    /// Alice: a block is committed. This is the decision.
    Decide,
    /// Bob: a block is committed.
    Commit,
    /// Alice: Bob has committed, so chain values before are forgotten.
    Acknowledge,
    /// Bob: a block in doubt is thrown away.
    Discard,
    /// The owner assigns keys to applications.
    Assign,
    /// The peer takes an assignment in: its keys can be fetched.
    Accept,
    /// The owner has heard so: the keys leave.
    Settle,
    /// The owner burns an assignment that was not answered.
    Void,
    /// The peer drops the keys of such an assignment.
    Drop,
    /// The owner has heard so.
    Forget,
    /// A slave's key is taken out of the store.
    Tombstone,
    /// Keys that nobody fetched in time are dropped.
    Expire,
    /// A share of a block is given up for the peer.
    Give,
    /// A share that the peer gave up becomes this side's.
    Take,
    /// The peer has a share that was given up.
    Given,
    /// The owner asks whether the peer has the same bytes: what the question spends is burnt.
    Compare,
    /// The peer burns it too, and answers.
    Compared,
    /// A block whose copies differ is thrown away.
    Withdraw,
    /// The store is sealed because the histories contradict each other.
    Quarantine,
}

/// A step's name, where it happens.
type Row = (Step, &'static str, &'static [Side]);

const ALICE: &[Side] = &[Side::Alice];
const BOB: &[Side] = &[Side::Bob];
const BOTH: &[Side] = &[Side::Alice, Side::Bob];

/// In the order of the enumeration.
const ROWS: [Row; 24] = [
    (Step::Boot, "boot", BOTH),
    (Step::Resume, "resume", BOTH),
    (Step::Reserve, "reserve", ALICE),
    (Step::Release, "release", ALICE),
    (Step::Prepare, "prepare", BOB),
    (Step::Decide, "decide", ALICE),
    (Step::Commit, "commit", BOB),
    (Step::Acknowledge, "acknowledge", ALICE),
    (Step::Discard, "discard", BOB),
    (Step::Assign, "assign", BOTH),
    (Step::Accept, "accept", BOTH),
    (Step::Settle, "settle", BOTH),
    (Step::Void, "void", BOTH),
    (Step::Drop, "drop", BOTH),
    (Step::Forget, "forget", BOTH),
    (Step::Tombstone, "tombstone", BOTH),
    (Step::Expire, "expire", BOTH),
    (Step::Give, "give", BOTH),
    (Step::Take, "take", BOTH),
    (Step::Given, "given", BOTH),
    (Step::Compare, "compare", BOTH),
    (Step::Compared, "compared", BOTH),
    (Step::Withdraw, "withdraw", BOTH),
    (Step::Quarantine, "quarantine", BOTH),
];

impl Step {
    /// All names, in the order of the enumeration.
    pub const NAMES: [&'static str; 24] = {
        let mut names = [""; 24];
        let mut index = 0;
        while index < ROWS.len() {
            names[index] = ROWS[index].1;
            index += 1;
        }
        names
    };

    /// Every step, in the order of the enumeration.
    pub fn all() -> impl Iterator<Item = Step> {
        ROWS.iter().map(|(step, ..)| *step)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ROWS[self as usize].1
    }

    /// The sides at which it happens.
    pub fn sides(self) -> &'static [Side] {
        ROWS[self as usize].2
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no step of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no step of a key store is called `{name}`; there are {}", Step::NAMES.join(", "))]
pub struct UnknownStep {
    /// The name.
    pub name: String,
}

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(name: &str) -> Result<Self, UnknownStep> {
        let row = ROWS.iter().find(|(_, of, _)| *of == name);
        row.map(|(step, ..)| *step).ok_or_else(|| UnknownStep {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_by_its_own_name_and_by_no_other() {
        for (index, step) in Step::all().enumerate() {
            assert_eq!(step as usize, index, "{step}: the rows are in order");
            assert_eq!(step.name().parse(), Ok(step));
            assert!(!step.sides().is_empty());
        }
        let said = "decided".parse::<Step>().unwrap_err().to_string();
        assert!(
            said.contains("`decided`") && said.contains("prepare, decide"),
            "{said}"
        );
    }
}
