//! Opening a store: reading what storage kept, and checking that all of it fits together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qkd_bits::{SecretBytes, SecretRng};
use sha2::{Digest, Sha256};

use crate::compare::Comparisons;
use crate::contents::Contents;
use crate::expiry::Clock;
use crate::id::Names;
use crate::material::Block;
use crate::pool::Pool;
use crate::record::{AbandonedRecord, KeyRecord, Place, identity};
use crate::store::{KeyStore, Link, Unsettled};
use crate::wrap::Vault;
use crate::{BlockId, Error, Health, KeyId, Side, Storage, StoreLimits};

impl KeyStore {
    /// Opens the store that `storage` keeps, or creates one when it keeps nothing.
    ///
    /// `store_key` has 32 bytes and wraps all material at rest; `rng` is freshly seeded.
    /// Assignments that were not answered become void.
    ///
    /// # Errors
    /// [`Error::WrongStoreKey`], [`Error::OtherSide`], [`Error::Corrupt`], [`Error::Limits`],
    /// [`Error::StoreKeyLength`] or [`Error::Storage`]; storage is unchanged but for the last.
    pub fn open(
        side: Side,
        mut storage: Box<dyn Storage>,
        store_key: SecretBytes,
        mut rng: SecretRng,
        limits: StoreLimits,
    ) -> Result<Self, Error> {
        check_limits(&limits)?;
        let vault = Vault::new(side, &store_key)?;
        let contents = Contents::of_store(side, &vault, &mut *storage)?;
        let is_new = contents.is_none();
        let contents = contents.unwrap_or_default();
        let mut ledger = contents.ledger.clone();
        ledger.boot_epoch += 1;
        ledger.boot_id = rng.array();

        // The durable epoch goes into the generator: even a caller that hands in the same seed
        // twice does not make this store draw a nonce or a key_ID twice.
        let mut seed = Sha256::new();
        seed.update(b"qkd-keystore/1 boot");
        seed.update(rng.bytes(32).expose());
        seed.update(ledger.boot_epoch.to_be_bytes());
        let rng = SecretRng::from_seed(seed.finalize().into());

        let health = match ledger.quarantine.as_str() {
            "" => Health::Sound,
            reason => Health::Quarantined {
                reason: reason.to_owned(),
            },
        };
        let mut store = Self {
            side,
            limits,
            rng,
            vault,
            storage,
            health,
            link: Link::Down,
            stored_ledger: contents.ledger.clone(),
            // Which of the reserved runs were begun, nobody knows any more: all of them, then.
            spent: ledger.spent_max,
            ledger,
            changes: Vec::new(),
            staged: Vec::new(),
            steps: Vec::new(),
            chain: BTreeMap::new(),
            pool: Pool::default(),
            undecided: BTreeMap::new(),
            prepared_at_peer: BTreeMap::new(),
            refused: VecDeque::new(),
            abandoned: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            keys: BTreeMap::new(),
            waiting_since: BTreeSet::new(),
            names: Names::default(),
            clock: Clock::default(),
            unfetched: BTreeMap::new(),
            is_clock_told: false,
            expired: 0,
            has_room: true,
            giving: BTreeSet::new(),
            comparisons: Comparisons::default(),
            durable_commits: 0,
        };
        store.adopt(contents)?;
        if is_new {
            let put = Place::Identity.put(&store.vault, identity(side));
            store.changes.push(put);
        }
        store.make_durable()?;
        Ok(store)
    }

    fn adopt(&mut self, contents: Contents) -> Result<(), Error> {
        self.chain = contents.chain;
        for (id, block) in contents.blocks {
            self.adopt_block(id, block)?;
        }
        for (id, record) in contents.abandoned {
            self.adopt_abandoned(id, record)?;
        }
        self.adopt_keys(contents.keys)?;
        for (id, mut record) in contents.assignments {
            // Nobody waits for it any more, and nobody ever received its keys.
            if !record.void {
                record.void = true;
                let put = Place::Assignment(id).put(&self.vault, record.encode());
                self.changes.push(put);
            }
            self.unsettled.insert(
                id,
                Unsettled {
                    ticket: None,
                    assignment: record.assignment,
                },
            );
        }
        self.adopt_clock();
        self.giving = self.pool.on_the_way(self.side);
        for id in self.pool.ids() {
            self.retire_if_exhausted(id);
        }
        Ok(())
    }

    fn adopt_block(&mut self, id: BlockId, block: Block) -> Result<(), Error> {
        let corrupt = |problem| Err(Place::Block(id).corrupt(problem));
        match (block.record().index, self.side) {
            (0, Side::Bob) => {
                self.undecided.insert(id, block);
            }
            (0, Side::Alice) => return corrupt("it is in doubt, which only Bob's blocks can be"),
            (index, _) if index > self.ledger.commits => {
                return corrupt("its commit is later than the last one");
            }
            (_, _) => {
                if !self.pool.insert(id, block) {
                    return corrupt("another block has the same place among the commits");
                }
            }
        }
        Ok(())
    }

    fn adopt_abandoned(&mut self, id: BlockId, record: AbandonedRecord) -> Result<(), Error> {
        let corrupt = |problem| Err(Place::Abandoned(id).corrupt(problem));
        if self.pool.contains(&id) || self.undecided.contains_key(&id) {
            return corrupt("the block it gives up is here");
        }
        let is_placed = match self.side {
            Side::Alice => {
                let placed = 1..=self.ledger.commits;
                placed.contains(&record.index) && self.pool.at(record.index).is_none()
            }
            Side::Bob => record.index == 0,
        };
        if !is_placed {
            return corrupt("its place among the commits cannot be");
        }
        self.abandoned.insert(id, record);
        Ok(())
    }

    fn adopt_keys(&mut self, keys: Vec<(KeyId, KeyRecord)>) -> Result<(), Error> {
        for (key_id, record) in &keys {
            for range in &record.ranges {
                let held = self.pool.hold_assigned(range);
                held.ok_or_else(|| {
                    Place::Key(*key_id).corrupt("it names bytes that are not here")
                })?;
            }
        }
        // Out of what is sorted already a map is made in one go.
        let since = keys
            .iter()
            .map(|(key_id, record)| (record.since_s, *key_id));
        self.waiting_since = since.collect();
        for (_, record) in &keys {
            self.count_unfetched(&record.master);
        }
        self.keys = keys.into_iter().collect();
        Ok(())
    }
}

fn check_limits(limits: &StoreLimits) -> Result<(), Error> {
    let sizes = [
        limits.key_size_min_bits,
        limits.key_size_bits,
        limits.key_size_max_bits,
    ];
    if sizes
        .iter()
        .any(|bits| *bits == 0 || !bits.is_multiple_of(8))
        || !sizes.is_sorted()
    {
        return Err(Error::Limits(
            "key sizes shall be multiples of 8 with smallest ≤ default ≤ largest",
        ));
    }
    if limits.keys_per_request_max == 0 || limits.slaves_per_request_max == 0 {
        return Err(Error::Limits(
            "a request shall be allowed one key and one slave",
        ));
    }
    if limits.material_bytes_max > u64::from(u32::MAX) {
        return Err(Error::Limits("material shall stay below 4 GiB"));
    }
    // An assignment travels and is stored whole.
    if limits.keys_per_request_max > 1 << 16 || limits.slaves_per_request_max > 1 << 10 {
        return Err(Error::Limits(
            "a request shall be allowed at most 65,536 keys and 1,024 slaves",
        ));
    }
    Ok(())
}
