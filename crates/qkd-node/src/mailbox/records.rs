//! The mailboxes' file: messages by receiver and number, and what repetitions are known by.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use qkd_keystore::{SaeId, StorageError};
use qkd_messaging::SealedMessage;
use qkd_wire::link::{RelayOutcome, RelayedMessage};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use sha2::{Digest, Sha256};

use super::AcknowledgeFault;
use crate::storage::database::{self, Purpose, failed};

/// What the file is for.
const PURPOSE: Purpose = Purpose {
    name: "message store",
    content: "messages",
};

/// Receiver and number; then sender, key, the sender's number, sequence and ciphertext.
type Key = (&'static str, u64);
type Value = (&'static str, [u8; 16], u32, u64, &'static [u8]);
const MESSAGES: TableDefinition<'_, Key, Value> = TableDefinition::new("messages");

/// Receiver; then the number of its last message, which never comes again.
const LAST_NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("last_numbers");

/// Receiver, sender, key and the sender's number; then of the last message so named: its number
/// here, its sequence and the SHA-256 of its ciphertext.
type Chain = (&'static str, &'static str, [u8; 16], u32);
type Last = (u64, u64, [u8; 32]);
const CHAINS: TableDefinition<'_, Chain, Last> = TableDefinition::new("chains");

/// Chains of one sender and receiver that are remembered: those used last. A sender that waits for
/// each answer repeats the last message of its present key, and perhaps of the one before.
const CHAINS_MAX: usize = 16;

/// What a message takes of its mailbox beside its ciphertext, in bytes: names, numbers, the tree.
pub(super) const MESSAGE_BYTES: u64 = 1024;

/// What is in the mailboxes, without the messages. A copy is changed, and takes the place of the
/// original when the change is on disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies {
    boxes: HashMap<SaeId, Tally>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    last_number: u64,
    waiting_count: u64,
    waiting_bytes: u64,
}

impl Tallies {
    /// The applications, each with the number of its last message.
    pub(super) fn last_numbers(&self) -> impl Iterator<Item = (&SaeId, u64)> {
        let boxes = self.boxes.iter();
        boxes.map(|(sae, tally)| (sae, tally.last_number))
    }
}

/// The file. It is closed after a failure, and opened again later.
pub(super) struct Records {
    path: PathBuf,
    database: RwLock<Option<Database>>,
}

impl Records {
    /// Opens the file, and counts what is in it.
    pub(super) fn open(path: PathBuf, local: &[SaeId]) -> Result<(Self, Tallies), StorageError> {
        let records = Self {
            path,
            database: RwLock::new(None),
        };
        let tallies = records.open_again(local)?;
        Ok((records, tallies))
    }

    /// Opens the file after [`close`](Self::close), and counts what is in it: what the disk says
    /// now is the truth.
    pub(super) fn open_again(&self, local: &[SaeId]) -> Result<Tallies, StorageError> {
        self.close();
        let database = database::open(&self.path, PURPOSE)?;
        let tallies = prepare(&database, local)
            .map_err(|error| failed(&self.path, &format!("cannot read the messages: {error}")))?;
        let mut open = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *open = Some(database);
        Ok(tallies)
    }

    /// Closes the file: after a failed write nobody may go on with it.
    pub(super) fn close(&self) {
        let mut open = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *open = None;
    }

    /// The first message of `sae` with a number above `after`.
    pub(super) fn next(
        &self,
        sae: &SaeId,
        after: u64,
    ) -> Result<Option<(u64, RelayedMessage)>, StorageError> {
        self.with(|database| read_next(database, sae, after))
    }

    /// Does what `work` does in one durable transaction; nothing of it when it returns an error or
    /// says that there is nothing to keep.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&mut Changes<'_>) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut changes = Changes::of(&transaction)?;
            let result = work(&mut changes)?;
            let changed = changes.changed;
            drop(changes);
            if changed {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(result)
        })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = open.as_ref() else {
            let what = "the message store is closed since a write failed; try again in a moment";
            return Err(failed(&self.path, what));
        };
        work(database).map_err(|error| {
            let what = format!("the message store failed: {error}; is the disk full or failing?");
            failed(&self.path, &what)
        })
    }
}

/// Makes the tables, so that reading never has to ask whether they are there, and counts.
fn prepare(database: &Database, local: &[SaeId]) -> Result<Tallies, redb::Error> {
    let transaction = database.begin_write()?;
    drop(Changes::of(&transaction)?);
    transaction.commit()?;
    let mut tallies = Tallies::default();
    let transaction = database.begin_read()?;
    let last_numbers = transaction.open_table(LAST_NUMBERS)?;
    for sae in local {
        let last_number = last_numbers.get(sae.as_str())?;
        let tally = Tally {
            last_number: last_number.map_or(0, |number| number.value()),
            ..Tally::default()
        };
        tallies.boxes.insert(sae.clone(), tally);
    }
    let mut strangers = 0;
    for message in transaction.open_table(MESSAGES)?.iter()? {
        let (key, value) = message?;
        let sae = SaeId::new(key.value().0).ok();
        match sae.and_then(|sae| tallies.boxes.get_mut(&sae)) {
            Some(tally) => {
                tally.waiting_count += 1;
                tally.waiting_bytes += MESSAGE_BYTES + value.value().4.len() as u64;
            }
            None => strangers += 1,
        }
    }
    if strangers > 0 {
        tracing::warn!(
            messages = strangers,
            "messages wait for applications that are not in the configuration any more"
        );
    }
    Ok(tallies)
}

fn read_next(
    database: &Database,
    sae: &SaeId,
    after: u64,
) -> Result<Option<(u64, RelayedMessage)>, redb::Error> {
    let transaction = database.begin_read()?;
    let messages = transaction.open_table(MESSAGES)?;
    let Some(first) = after.checked_add(1) else {
        return Ok(None);
    };
    let Some(found) = messages
        .range((sae.as_str(), first)..=(sae.as_str(), u64::MAX))?
        .next()
    else {
        return Ok(None);
    };
    let (key, value) = found?;
    let (from, key_id, sender, sequence, ciphertext) = value.value();
    let from = SaeId::new(from)
        .map_err(|_| redb::StorageError::Corrupted("a message of nobody".into()))?;
    let message = RelayedMessage {
        from,
        to: sae.clone(),
        sealed: SealedMessage {
            key_id,
            sender,
            sequence,
            ciphertext: ciphertext.to_vec(),
        },
    };
    Ok(Some((key.value().1, message)))
}

/// One transaction.
pub(super) struct Changes<'t> {
    messages: Table<'t, Key, Value>,
    last_numbers: Table<'t, &'static str, u64>,
    chains: Table<'t, Chain, Last>,
    changed: bool,
}

impl<'t> Changes<'t> {
    fn of(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            messages: transaction.open_table(MESSAGES)?,
            last_numbers: transaction.open_table(LAST_NUMBERS)?,
            chains: transaction.open_table(CHAINS)?,
            changed: false,
        })
    }

    /// Puts a message behind all others of its receiver, unless its mailbox has no room up to
    /// `bytes_max`, or it is the last one of its chain said again.
    pub(super) fn put(
        &mut self,
        message: &RelayedMessage,
        tallies: &mut Tallies,
        bytes_max: u64,
    ) -> Result<RelayOutcome, redb::Error> {
        let Some(tally) = tallies.boxes.get_mut(&message.to) else {
            return Ok(RelayOutcome::UnknownApplication);
        };
        let SealedMessage {
            key_id,
            sender,
            sequence,
            ref ciphertext,
        } = message.sealed;
        let (from, to) = (message.from.as_str(), message.to.as_str());
        let chain = (to, from, key_id, sender);
        let digest: [u8; 32] = Sha256::digest(ciphertext).into();
        let last = self.chains.get(chain)?.map(|last| last.value());
        if last.is_some_and(|(_, last, of)| (last, of) == (sequence, digest)) {
            return Ok(RelayOutcome::Stored);
        }
        let bytes = MESSAGE_BYTES + ciphertext.len() as u64;
        if tally.waiting_bytes.saturating_add(bytes) > bytes_max {
            return Ok(RelayOutcome::MailboxFull);
        }
        let number = tally.last_number + 1;
        let value = (from, key_id, sender, sequence, ciphertext.as_slice());
        self.messages.insert((to, number), value)?;
        self.last_numbers.insert(to, number)?;
        self.chains.insert(chain, (number, sequence, digest))?;
        if last.is_none() {
            self.forget_oldest_chain(from, to)?;
        }
        tally.last_number = number;
        tally.waiting_count += 1;
        tally.waiting_bytes += bytes;
        self.changed = true;
        Ok(RelayOutcome::Stored)
    }

    /// Forgets the messages of `sae` up to and including `number`; how many are left.
    pub(super) fn acknowledge(
        &mut self,
        sae: &SaeId,
        number: u64,
        tallies: &mut Tallies,
    ) -> Result<Result<u64, AcknowledgeFault>, redb::Error> {
        let Some(tally) = tallies.boxes.get_mut(sae) else {
            return Ok(Err(AcknowledgeFault::NoMailbox(sae.clone())));
        };
        let last = tally.last_number;
        if number > last {
            return Ok(Err(AcknowledgeFault::Ahead { number, last }));
        }
        let name = sae.as_str();
        let all = |_: (&str, u64), _: (&str, [u8; 16], u32, u64, &[u8])| true;
        let forgotten = self
            .messages
            .extract_from_if((name, 0)..=(name, number), all)?;
        for message in forgotten {
            let (_, value) = message?;
            tally.waiting_count -= 1;
            tally.waiting_bytes -= MESSAGE_BYTES + value.value().4.len() as u64;
            self.changed = true;
        }
        Ok(Ok(tally.waiting_count))
    }

    /// Makes room for a chain of `from` and `to` when there are too many.
    fn forget_oldest_chain(&mut self, from: &str, to: &str) -> Result<(), redb::Error> {
        let (first, end) = ((to, from, [0; 16], 0), (to, from, [0xff; 16], u32::MAX));
        let mut known = Vec::new();
        for chain in self.chains.range(first..=end)? {
            let (key, last) = chain?;
            let (_, _, key_id, sender) = key.value();
            known.push((last.value().0, key_id, sender));
        }
        known.sort_unstable();
        for (_, key_id, sender) in known.iter().take(known.len().saturating_sub(CHAINS_MAX)) {
            self.chains.remove((to, from, *key_id, *sender))?;
        }
        Ok(())
    }
}
