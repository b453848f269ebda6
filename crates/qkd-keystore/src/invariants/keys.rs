//! Every key that was seen: to whom it went, and to whom it is owed.

use std::collections::{BTreeMap, HashMap};

use super::event::{KeyDigest, Refusal, SeenKey};
use super::{Invariant, Violation};
use crate::{KeyId, SaeId, Side};

/// A key that its owner's application got and a slave has not fetched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owed {
    /// The side that answered; the key waits at the other.
    pub owner: Side,
    /// The key.
    pub key_id: KeyId,
    /// Who may fetch it.
    pub slave: SaeId,
    /// Whether it must be there: false when a fetch was not answered, which may have burnt it.
    pub is_certain: bool,
}

/// What a slave has of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Debt {
    /// It can have it.
    Open,
    /// It asked and does not know.
    Uncertain,
    /// It has it.
    Paid,
    /// It asked, did not get the answer, and the key is gone.
    Burnt,
    /// It came too late.
    Expired,
}

/// What is known of a key.
struct Known {
    digest: KeyDigest,
    /// Who answered it, if that was seen.
    owner: Option<Side>,
    slaves: BTreeMap<SaeId, Debt>,
    /// Who fetched it and where, until it is seen who may.
    early: Vec<(Side, SaeId)>,
}

/// All keys.
#[derive(Default)]
pub(super) struct Keys {
    known: BTreeMap<KeyId, Known>,
    /// Whose eight bytes these are.
    windows: HashMap<u64, KeyId>,
    pub(super) answered: u64,
    pub(super) fetched: u64,
    pub(super) burnt: u64,
}

/// Says what was broken.
pub(super) struct Report<'a> {
    pub(super) event: u64,
    pub(super) violations: &'a mut Vec<Violation>,
}

impl Report<'_> {
    pub(super) fn broken(&mut self, invariant: Invariant, evidence: String) {
        self.violations.push(Violation {
            invariant,
            event: self.event,
            evidence,
        });
    }
}

impl Keys {
    pub(super) fn answered(
        &mut self,
        owner: Side,
        slaves: &[SaeId],
        keys: Vec<SeenKey>,
        report: &mut Report<'_>,
    ) {
        for SeenKey { key_id, digest } in keys {
            self.answered += 1;
            let known = self.meet(key_id, digest, owner, report);
            if let Some(before) = known.owner.replace(owner) {
                let evidence = format!(
                    "key {key_id} was answered to a master at {before} and again at {owner}"
                );
                report.broken(Invariant::SingleUse, evidence);
                continue;
            }
            known.slaves = slaves.iter().map(|sae| (sae.clone(), Debt::Open)).collect();
            for (side, caller) in std::mem::take(&mut known.early) {
                known.pay(key_id, side, &caller, report);
            }
        }
    }

    pub(super) fn fetched(
        &mut self,
        side: Side,
        caller: &SaeId,
        keys: Vec<SeenKey>,
        report: &mut Report<'_>,
    ) {
        for SeenKey { key_id, digest } in keys {
            self.fetched += 1;
            let known = self.meet(key_id, digest, side, report);
            if known.owner.is_some() {
                known.pay(key_id, side, caller, report);
            } else {
                let fetch = (side, caller.clone());
                if known.early.contains(&fetch) {
                    let evidence = format!("{caller} got key {key_id} at {side} twice");
                    report.broken(Invariant::SingleUse, evidence);
                }
                known.early.push(fetch);
            }
        }
    }

    /// All or none of the keys: a refusal is wrong when every one of them must be there.
    pub(super) fn refused(
        &mut self,
        side: Side,
        caller: &SaeId,
        key_ids: &[KeyId],
        refusal: Refusal,
        report: &mut Report<'_>,
    ) {
        let why = match refusal {
            Refusal::Unavailable => return,
            Refusal::NotFound => "not there",
            Refusal::NotNamed => "not for it",
        };
        let is_due = |key_id| {
            let known = self.known.get(key_id);
            known.is_some_and(|known| {
                known.owner == Some(side.peer()) && known.slaves.get(caller) == Some(&Debt::Open)
            })
        };
        if !key_ids.is_empty() && key_ids.iter().all(is_due) {
            let first = key_ids[0];
            let evidence = format!(
                "{} keys, {first} the first, were answered at {} for {caller}, who was told at \
                 {side} that they are {why}",
                key_ids.len(),
                side.peer()
            );
            report.broken(Invariant::NothingLost, evidence);
            // Said once: it is not owed any more.
            self.set(caller, key_ids, |_| Debt::Burnt);
        } else if let [key_id] = key_ids {
            let burnt = &mut self.burnt;
            Self::change(&mut self.known, caller, key_id, |debt| match debt {
                Debt::Uncertain => {
                    *burnt += 1;
                    Debt::Burnt
                }
                Debt::Open | Debt::Paid | Debt::Burnt | Debt::Expired => debt,
            });
        }
    }

    pub(super) fn unanswered(&mut self, caller: &SaeId, key_ids: &[KeyId]) {
        self.set(caller, key_ids, |debt| match debt {
            Debt::Open => Debt::Uncertain,
            Debt::Uncertain | Debt::Paid | Debt::Burnt | Debt::Expired => debt,
        });
    }

    pub(super) fn expired(&mut self, key_ids: &[KeyId]) {
        for key_id in key_ids {
            let known = self.known.get_mut(key_id);
            for debt in known
                .into_iter()
                .flat_map(|known| known.slaves.values_mut())
            {
                if matches!(debt, Debt::Open | Debt::Uncertain) {
                    *debt = Debt::Expired;
                }
            }
        }
    }

    pub(super) fn owed(&self) -> impl Iterator<Item = Owed> {
        self.known.iter().flat_map(|(&key_id, known)| {
            known.owner.into_iter().flat_map(move |owner| {
                known.slaves.iter().filter_map(move |(slave, debt)| {
                    let is_certain = match debt {
                        Debt::Open => true,
                        Debt::Uncertain => false,
                        Debt::Paid | Debt::Burnt | Debt::Expired => return None,
                    };
                    Some(Owed {
                        owner,
                        key_id,
                        slave: slave.clone(),
                        is_certain,
                    })
                })
            })
        })
    }

    /// Everything is over: what is owed now was lost, and what nobody answered was never to leave.
    pub(super) fn close(&self, report: &mut Report<'_>) {
        for owed in self.owed().filter(|owed| owed.is_certain) {
            let Owed {
                owner,
                key_id,
                slave,
                ..
            } = owed;
            let evidence = format!(
                "key {key_id} was answered at {owner} for {slave}, who never got it though all faults \
                 are over"
            );
            report.broken(Invariant::NothingLost, evidence);
        }
        for (key_id, known) in &self.known {
            for (side, caller) in &known.early {
                let evidence = format!(
                    "{caller} got key {key_id} at {side}, and no master got it at {}",
                    side.peer()
                );
                report.broken(Invariant::OnlyNamed, evidence);
            }
        }
    }

    /// The key under this identity: the same bytes as ever, and no byte of another one's.
    fn meet(
        &mut self,
        key_id: KeyId,
        digest: KeyDigest,
        side: Side,
        report: &mut Report<'_>,
    ) -> &mut Known {
        let is_new = match self.known.get(&key_id) {
            None => true,
            Some(known) if known.digest == digest => false,
            Some(_) => {
                let evidence =
                    format!("key {key_id} as delivered at {side} has other bytes than before");
                report.broken(Invariant::Agreement, evidence);
                true
            }
        };
        if is_new {
            let owners = digest.windows.iter().map(|window| (*window, key_id));
            let mut shared = None;
            for (window, key_id) in owners {
                let before = *self.windows.entry(window).or_insert(key_id);
                shared = shared.or((before != key_id).then_some(before));
            }
            if let Some(before) = shared {
                let evidence = format!(
                    "key {key_id}, delivered at {side}, shares eight bytes or more with key {before}"
                );
                report.broken(Invariant::SingleUse, evidence);
            }
        }
        self.known.entry(key_id).or_insert_with(|| Known {
            digest,
            owner: None,
            slaves: BTreeMap::new(),
            early: Vec::new(),
        })
    }

    fn set(&mut self, caller: &SaeId, key_ids: &[KeyId], to: impl Fn(Debt) -> Debt) {
        for key_id in key_ids {
            Self::change(&mut self.known, caller, key_id, &to);
        }
    }

    fn change(
        known: &mut BTreeMap<KeyId, Known>,
        caller: &SaeId,
        key_id: &KeyId,
        to: impl FnOnce(Debt) -> Debt,
    ) {
        let known = known.get_mut(key_id);
        if let Some(debt) = known.and_then(|known| known.slaves.get_mut(caller)) {
            *debt = to(*debt);
        }
    }
}

impl Known {
    /// A slave got the key whose owner is known.
    fn pay(&mut self, key_id: KeyId, side: Side, caller: &SaeId, report: &mut Report<'_>) {
        if self.owner == Some(side) {
            let evidence = format!(
                "{caller} fetched key {key_id} at {side}, the side that answered it to a master"
            );
            report.broken(Invariant::OnlyNamed, evidence);
        }
        match self.slaves.get_mut(caller) {
            None => {
                let evidence = format!("{caller} got key {key_id} without being named for it");
                report.broken(Invariant::OnlyNamed, evidence);
            }
            Some(Debt::Paid | Debt::Burnt) => {
                let evidence = format!("{caller} got key {key_id} though it was gone for it");
                report.broken(Invariant::SingleUse, evidence);
            }
            // Expiry is when it need not be there; it may be a moment longer.
            Some(debt @ (Debt::Open | Debt::Uncertain | Debt::Expired)) => *debt = Debt::Paid,
        }
    }
}
