//! The two key stores and the wire between them.

use std::collections::VecDeque;

use qkd_bits::{SecretBytes, SecretRng};
use qkd_keystore::invariants::{Checker, Event, SeenKey, Standing};
use qkd_keystore::{
    BlockId, DeliveredKey, Input, KeyFetch, KeyRequest, KeyStore, MemoryStorage, Output, SaeId,
    Side, StoreLimits, StoreMessage,
};
use qkd_security::{SecurityParameters, Spent};
use qkd_session::{BlockReport, Distilled, SessionId};

use crate::Error;

/// Both key stores, connected, in memory.
pub(crate) struct Stores {
    session: SessionId,
    alice: KeyStore,
    bob: KeyStore,
    /// What the pair had spent with each block that a side committed.
    committed: Vec<(Side, u64, Spent)>,
    /// Sees what comes out of the stores.
    checker: Checker,
}

/// A key as each side delivered it to its application.
pub struct KeyPair {
    /// From the side that was asked first.
    pub owner: DeliveredKey,
    /// From the other side, by the same identity.
    pub peer: DeliveredKey,
}

impl Stores {
    pub(crate) fn new(session: SessionId, seeds: &mut SecretRng) -> Result<Self, Error> {
        let open = |side, seeds: &mut SecretRng| {
            let storage = Box::new(MemoryStorage::new());
            let store_key = seeds.bytes(32);
            KeyStore::open(
                side,
                storage,
                store_key,
                seeds.fork(),
                StoreLimits::default(),
            )
        };
        let mut stores = Self {
            session,
            alice: open(Side::Alice, seeds)?,
            bob: open(Side::Bob, seeds)?,
            committed: Vec::new(),
            checker: Checker::new(),
        };
        let mut said = stores.alice.handle(Input::Connected)?;
        let answered = stores.bob.handle(Input::Connected)?;
        said.retain(|output| matches!(output, Output::Send(_)));
        stores.talk(Side::Alice, said)?;
        stores.talk(Side::Bob, answered)?;
        Ok(stores)
    }

    /// Alice has begun a run of the protocol.
    pub(crate) fn begun(&mut self, budget: SecurityParameters) -> Result<(), Error> {
        let said = self.alice.handle(Input::Begun { budget })?;
        self.talk(Side::Alice, said).map(drop)
    }

    /// Completes the reports of one side's keys by what their commits say.
    pub(crate) fn complete(&self, side: Side, reports: &mut [BlockReport]) {
        for (_, block, spent) in self.committed.iter().filter(|(of, ..)| *of == side) {
            let report = reports.iter_mut().find(|report| report.block == *block);
            if let Some(report) = report {
                report.spent = Some(*spent);
            }
        }
    }

    /// What the pair has spent, as Alice's and as Bob's store say.
    pub(crate) fn spent(&self) -> [Spent; 2] {
        [&self.alice, &self.bob].map(|store| store.status().spent)
    }

    /// One side has distilled a block.
    pub(crate) fn distilled(&mut self, side: Side, distilled: Distilled) -> Result<(), Error> {
        let block = BlockId {
            session: self.session.0,
            block: distilled.block,
        };
        let input = Input::Distilled {
            block,
            key: distilled.key,
            check: distilled.check,
        };
        let said = self.at(side).handle(input)?;
        self.talk(side, said).map(drop)
    }

    /// Delivers every key of the default size: half of them asked for at Alice's side, half at
    /// Bob's, each fetched at the other. Nothing that came out of the stores may break an invariant.
    pub(crate) fn deliver_all(&mut self) -> Result<Vec<KeyPair>, Error> {
        let mut pairs = self.deliver_from(Side::Alice)?;
        pairs.extend(self.deliver_from(Side::Bob)?);
        for (side, store) in [(Side::Alice, &self.alice), (Side::Bob, &self.bob)] {
            let standing = Standing::from(&store.status());
            self.checker.see(Event::Stood { side, standing });
        }
        self.checker.close();
        match self.checker.violations().first() {
            Some(violation) => Err(Error::Violated(violation.clone())),
            None => Ok(pairs),
        }
    }

    fn deliver_from(&mut self, owner: Side) -> Result<Vec<KeyPair>, Error> {
        let application = |side: Side| SaeId::new(format!("sae-{side}"));
        let (master, slave) = (application(owner)?, application(owner.peer())?);
        let mut pairs = Vec::new();
        loop {
            let limits = self.at(owner).limits();
            let (size_bits, most) = (limits.key_size_bits, limits.keys_per_request_max);
            let number = self
                .at(owner)
                .status()
                .stored_key_count
                .min(u64::from(most)) as u32;
            if number == 0 {
                return Ok(pairs);
            }
            let request = KeyRequest {
                number,
                size_bits,
                master: master.clone(),
                slaves: vec![slave.clone()],
            };
            let said = self
                .at(owner)
                .handle(Input::Request { ticket: 0, request })?;
            let answered = self.talk(owner, said)?;
            let owned = answered.ok_or(Error::NoAnswer)??;
            let ids: Vec<_> = owned.iter().map(|key| key.key_id).collect();
            let fetched = self.at(owner.peer()).fetch(&KeyFetch {
                caller: slave.clone(),
                master: Some(master.clone()),
                key_ids: ids,
            })?;
            self.checker.see(Event::Answered {
                owner,
                slaves: vec![slave.clone()],
                keys: seen(&owned),
            });
            self.checker.see(Event::Fetched {
                side: owner.peer(),
                caller: slave.clone(),
                keys: seen(&fetched),
            });
            let both = owned.into_iter().zip(fetched);
            pairs.extend(both.map(|(owner, peer)| KeyPair { owner, peer }));
        }
    }

    /// Carries messages until both stores are silent; returns the answer to a request, if any.
    fn talk(
        &mut self,
        from: Side,
        said: Vec<Output>,
    ) -> Result<Option<Result<Vec<DeliveredKey>, qkd_keystore::RequestError>>, Error> {
        let mut answer = None;
        let mut queue: VecDeque<(Side, StoreMessage)> = VecDeque::new();
        let mut outputs = vec![(from, said)];
        loop {
            for (side, output) in outputs
                .drain(..)
                .flat_map(|(s, o)| o.into_iter().map(move |o| (s, o)))
            {
                match output {
                    Output::Send(message) => queue.push_back((side, message)),
                    Output::Answer { result, .. } => answer = Some(result),
                    Output::Committed { block, spent, .. } => {
                        self.committed.push((side, block.block, spent));
                        self.checker.see(Event::Committed { side, block, spent });
                    }
                    Output::Discarded { block, reason } => {
                        return Err(Error::Discarded { block, reason });
                    }
                    Output::Alarm(alarm) => return Err(Error::Alarm(alarm)),
                }
            }
            let Some((sender, message)) = queue.pop_front() else {
                return Ok(answer);
            };
            let receiver = sender.peer();
            let heard = self.at(receiver).handle(Input::Message(message))?;
            outputs.push((receiver, heard));
        }
    }

    fn at(&mut self, side: Side) -> &mut KeyStore {
        match side {
            Side::Alice => &mut self.alice,
            Side::Bob => &mut self.bob,
        }
    }
}

/// Keys as the checker may see them.
fn seen(keys: &[DeliveredKey]) -> Vec<SeenKey> {
    let seen = |key: &DeliveredKey| SeenKey::new(key.key_id, key.key.expose());
    keys.iter().map(seen).collect()
}

impl KeyPair {
    /// Whether both sides delivered the same bytes under the same identity.
    pub fn agrees(&self) -> bool {
        use subtle::ConstantTimeEq as _;
        let (owner, peer): (&SecretBytes, &SecretBytes) = (&self.owner.key, &self.peer.key);
        self.owner.key_id == self.peer.key_id && bool::from(owner.ct_eq(peer))
    }
}
