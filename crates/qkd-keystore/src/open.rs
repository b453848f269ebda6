//! Opening a store: reading what storage kept, and checking that all of it fits together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qkd_bits::{SecretBytes, SecretRng};
use sha2::{Digest, Sha256};

use crate::expiry::Clock;
use crate::material::Block;
use crate::pool::Pool;
use crate::record::{AssignmentRecord, BlockRecord, KeyRecord, Ledger, Place, format_of, identity};
use crate::store::{KeyStore, Link, Unsettled};
use crate::wrap::Vault;
use crate::{BlockId, Error, Health, KeyRange, Record, Side, Storage, StoreLimits};

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
        let records = storage.load()?;
        let is_new = records.is_empty();
        if !is_new {
            check_identity(side, &vault, &records)?;
        }
        let contents = Contents::read(&vault, records, is_new)?;
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
            unsettled: BTreeMap::new(),
            keys: BTreeMap::new(),
            waiting_since: BTreeSet::new(),
            clock: Clock::default(),
            is_clock_told: false,
            expired: 0,
            has_room: true,
            giving: BTreeSet::new(),
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
        for (key_id, record) in contents.keys {
            for range in &record.ranges {
                self.adopt_user(range).ok_or_else(|| {
                    Place::Key(key_id).corrupt("it names bytes that are not here")
                })?;
            }
            self.waiting_since.insert((record.since_s, key_id));
            self.keys.insert(key_id, record);
        }
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

    /// Counts a key that waits here as a user of its block.
    fn adopt_user(&mut self, range: &KeyRange) -> Option<()> {
        let block = self.pool.get(&range.block)?;
        if !block.was_assigned(range) {
            return None;
        }
        self.pool.change(&range.block, Block::hold)
    }
}

/// All records, parsed.
struct Contents {
    ledger: Ledger,
    chain: BTreeMap<u64, [u8; 32]>,
    blocks: BTreeMap<BlockId, Block>,
    assignments: BTreeMap<u64, AssignmentRecord>,
    keys: BTreeMap<crate::KeyId, KeyRecord>,
}

impl Contents {
    fn read(vault: &Vault, records: Vec<Record>, is_new: bool) -> Result<Self, Error> {
        let mut ledger = is_new.then(Ledger::default);
        let mut chain = BTreeMap::new();
        let mut assignments = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut states = BTreeMap::new();
        let mut wrapped = BTreeMap::new();
        for (key, value) in records {
            let place = Place::from_bytes(&key)?;
            let content = place.content(vault, &value)?;
            let parsed = match place {
                Place::Identity => Some(()),
                Place::Ledger => {
                    Ledger::decode(format_of(&value), &content).map(|record| ledger = Some(record))
                }
                Place::Chain(commits) => content.try_into().ok().map(|value| {
                    chain.insert(commits, value);
                }),
                Place::Material(id) => {
                    wrapped.insert(id, content);
                    Some(())
                }
                Place::Block(id) => {
                    BlockRecord::decode(format_of(&value), &content).map(|record| {
                        states.insert(id, record);
                    })
                }
                Place::Assignment(id) => AssignmentRecord::decode(&content)
                    .filter(|record| record.assignment.id == id)
                    .map(|record| {
                        assignments.insert(id, record);
                    }),
                Place::Key(key_id) => {
                    KeyRecord::decode(format_of(&value), &content).map(|record| {
                        keys.insert(key_id, record);
                    })
                }
            };
            parsed.ok_or_else(|| place.corrupt("its fields cannot be read"))?;
        }
        Ok(Self {
            ledger: ledger.ok_or_else(|| Place::Ledger.corrupt("it is missing"))?,
            chain,
            blocks: join(vault, states, wrapped)?,
            assignments,
            keys,
        })
    }
}

/// Every block has a state and material, or is damaged.
fn join(
    vault: &Vault,
    states: BTreeMap<BlockId, BlockRecord>,
    mut wrapped: BTreeMap<BlockId, Vec<u8>>,
) -> Result<BTreeMap<BlockId, Block>, Error> {
    let mut blocks = BTreeMap::new();
    for (id, record) in states {
        let place = Place::Material(id);
        let bytes = wrapped
            .remove(&id)
            .ok_or_else(|| place.corrupt("it is missing"))?;
        let material = vault
            .unwrap(id, &bytes)
            .ok_or_else(|| place.corrupt("it does not open under the store key"))?;
        let block = Block::restore(record, material)
            .ok_or_else(|| Place::Block(id).corrupt("its cursors lie outside its shares"))?;
        blocks.insert(id, block);
    }
    match wrapped.keys().next() {
        Some(&id) => Err(Place::Block(id).corrupt("it is missing")),
        None => Ok(blocks),
    }
}

fn check_identity(side: Side, vault: &Vault, records: &[Record]) -> Result<(), Error> {
    let key = Place::Identity.to_bytes();
    let (_, value) = records
        .iter()
        .find(|(place, _)| *place == key)
        .ok_or_else(|| Place::Identity.corrupt("it is missing"))?;
    // Tags are bound to a side, so the other side's record is recognised by its text.
    let other = identity(side.peer());
    if value.get(1..1 + other.len()) == Some(&other[..]) {
        return Err(Error::OtherSide);
    }
    match Place::Identity.content(vault, value) {
        Ok(content) if content == identity(side) => Ok(()),
        Ok(_) | Err(_) => Err(Error::WrongStoreKey),
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
