//! The checker: events in, violations out.

use std::collections::BTreeMap;

use qkd_security::Spent;

use super::event::{Event, Standing};
use super::keys::{Keys, Owed, Report};
use super::once::Once;
use super::{Invariant, Violation};
use crate::{BlockId, DiscardReason, Side};

/// What a history has had in it so far: one without answers proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub events: u64,
    /// Keys that masters got.
    pub answered: u64,
    /// Keys that slaves got.
    pub fetched: u64,
    /// Keys that slaves asked for without getting the answer, and that are gone.
    pub burnt: u64,
    /// Blocks that a side said it committed.
    pub committed: u64,
    /// Processes that began again.
    pub restarts: u64,
}

/// What is known of one side.
#[derive(Default)]
struct Node {
    standing: Option<Standing>,
    /// The largest account of what was spent.
    spent: Spent,
    /// Restarted since it last said where it stands.
    has_restarted: bool,
    is_tampered: bool,
    /// What became of each block.
    blocks: BTreeMap<BlockId, Fate>,
}

/// What became of a block on one side.
#[derive(Clone, Copy)]
enum Fate {
    Committed(Spent),
    Discarded(DiscardReason),
}

/// Takes a history, event by event, and keeps what it broke.
#[derive(Default)]
pub struct Checker {
    nodes: [Node; 2],
    keys: Keys,
    once: Once,
    counts: Counts,
    violations: Vec<Violation>,
}

impl Checker {
    /// Before the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event.
    pub fn see(&mut self, event: Event) {
        self.counts.events += 1;
        let mut report = Report {
            event: self.counts.events,
            violations: &mut self.violations,
        };
        match event {
            Event::Answered {
                owner,
                slaves,
                keys,
            } => self.keys.answered(owner, &slaves, keys, &mut report),
            Event::Fetched { side, caller, keys } => {
                self.keys.fetched(side, &caller, keys, &mut report);
            }
            Event::FetchRefused {
                side,
                caller,
                key_ids,
                refusal,
            } => {
                (self.keys).refused(side, &caller, &key_ids, refusal, &mut report);
            }
            Event::FetchUnanswered {
                side: _,
                caller,
                key_ids,
            } => self.keys.unanswered(&caller, &key_ids),
            Event::Expired { key_ids } => self.keys.expired(&key_ids),
            Event::Committed { side, block, spent } => {
                self.counts.committed += 1;
                self.fate(side, block, Fate::Committed(spent));
            }
            Event::Discarded {
                side,
                block,
                reason,
            } => self.fate(side, block, Fate::Discarded(reason)),
            Event::Restarted { side } => {
                self.counts.restarts += 1;
                self.node(side).has_restarted = true;
            }
            Event::Tampered { side } => {
                let node = self.node(side);
                (node.is_tampered, node.standing) = (true, None);
                node.spent = Spent::default();
            }
            Event::Quarantined { side, reason } => self.quarantined(side, &reason),
            Event::Stood { side, standing } => self.stood(side, standing),
            Event::Settled { alice, bob } => self.settled(alice, bob),
            Event::Used {
                side,
                scope,
                first,
                count,
            } => {
                if let Some(repeated) = self.once.take(scope.clone(), first, count) {
                    let evidence = format!("{side} used number {repeated} of {scope} again");
                    report.broken(Invariant::NoRepetition, evidence);
                }
            }
            Event::Replayed {
                side,
                before,
                after,
            } => {
                if before != after {
                    let evidence = format!("what {side} was sent a second time changed its state");
                    report.broken(Invariant::ReplaysAreIdle, evidence);
                }
            }
        }
    }

    /// The history is over, everything was healed and everything owed was asked for.
    pub fn close(&mut self) {
        let mut report = Report {
            event: self.counts.events + 1,
            violations: &mut self.violations,
        };
        self.keys.close(&mut report);
    }

    /// What slaves can still fetch, or can perhaps.
    pub fn owed(&self) -> Vec<Owed> {
        self.keys.owed().collect()
    }

    /// What was broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What the history had in it so far.
    pub fn counts(&self) -> Counts {
        Counts {
            answered: self.keys.answered,
            fetched: self.keys.fetched,
            burnt: self.keys.burnt,
            ..self.counts
        }
    }

    fn node(&mut self, side: Side) -> &mut Node {
        &mut self.nodes[side as usize]
    }

    fn broken(&mut self, invariant: Invariant, evidence: String) {
        self.violations.push(Violation {
            invariant,
            event: self.counts.events,
            evidence,
        });
    }

    fn fate(&mut self, side: Side, block: BlockId, fate: Fate) {
        let ours = self.node(side).blocks.insert(block, fate);
        let theirs = self.node(side.peer()).blocks.get(&block).copied();
        match (fate, ours) {
            (_, None) | (Fate::Discarded(_), Some(Fate::Discarded(_))) => {}
            (Fate::Committed(_), Some(Fate::Committed(_))) => self.broken(
                Invariant::SingleUse,
                format!("{side} committed block {block} twice"),
            ),
            (Fate::Committed(_), Some(Fate::Discarded(reason))) => self.broken(
                Invariant::OnlyCommitted,
                format!("{side} discarded block {block} ({reason}) and committed it later"),
            ),
            (Fate::Discarded(reason), Some(Fate::Committed(_))) => self.broken(
                Invariant::OnlyCommitted,
                format!("{side} committed block {block} and discarded it later ({reason})"),
            ),
        }
        match (fate, theirs) {
            (_, None) | (Fate::Discarded(_), Some(Fate::Discarded(_))) => {}
            (Fate::Committed(ours), Some(Fate::Committed(theirs))) => {
                // Alice counts; after a restart she may tell more, with a commit made before it too.
                let (alice, bob) = match side {
                    Side::Alice => (ours, theirs),
                    Side::Bob => (theirs, ours),
                };
                if bob.or_more(alice) != bob {
                    let evidence = format!(
                        "bob counts {} runs with block {block} and alice {}",
                        bob.runs, alice.runs
                    );
                    self.broken(Invariant::Agreement, evidence);
                }
            }
            (Fate::Committed(_), Some(Fate::Discarded(reason)))
            | (Fate::Discarded(reason), Some(Fate::Committed(_))) => self.broken(
                Invariant::OnlyCommitted,
                format!("one side committed block {block}, the other discarded it ({reason})"),
            ),
        }
        if let Fate::Committed(spent) = fate {
            let node = self.node(side);
            node.spent = node.spent.or_more(spent);
        }
    }

    fn stood(&mut self, side: Side, standing: Standing) {
        let node = self.node(side);
        let before = node.standing.replace(standing);
        let spent = std::mem::replace(&mut node.spent, standing.spent);
        let has_restarted = std::mem::take(&mut node.has_restarted);
        if standing.spent.or_more(spent) != standing.spent {
            let evidence = format!(
                "{side} had counted {} runs with an ε of {:e}, and counts {} with {:e} now",
                spent.runs,
                spent.total(),
                standing.spent.runs,
                standing.spent.total()
            );
            self.broken(Invariant::CountsOnlyGrow, evidence);
        }
        let Some(before) = before else { return };
        if standing.commits < before.commits {
            let evidence = format!(
                "{side} had committed {} blocks, and says {} now",
                before.commits, standing.commits
            );
            self.broken(Invariant::CountsOnlyGrow, evidence);
        }
        let (Some(epoch), Some(epoch_before)) = (standing.boot_epoch, before.boot_epoch) else {
            return;
        };
        if epoch < epoch_before + u64::from(has_restarted) {
            let evidence =
                format!("{side} is in boot epoch {epoch} after {epoch_before}, restarted or not");
            self.broken(Invariant::CountsOnlyGrow, evidence);
        }
    }

    fn settled(&mut self, alice: Standing, bob: Standing) {
        self.stood(Side::Alice, alice);
        self.stood(Side::Bob, bob);
        // Bob hears with the next commit of runs that came to nothing.
        let is_counted = alice.spent.or_more(bob.spent) == alice.spent;
        if alice.commits != bob.commits || !is_counted {
            let evidence = format!(
                "with everything told, alice has {} commits and {:?}, bob {} and {:?}",
                alice.commits, alice.spent, bob.commits, bob.spent
            );
            self.broken(Invariant::Agreement, evidence);
        }
    }

    /// Two stores that nobody touched never contradict each other.
    fn quarantined(&mut self, side: Side, reason: &str) {
        if self.nodes.iter().all(|node| !node.is_tampered) {
            let evidence = format!("{side} is quarantined though nobody touched a disk: {reason}");
            self.broken(Invariant::Agreement, evidence);
        }
    }
}
