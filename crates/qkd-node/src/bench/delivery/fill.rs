//! Two key stores with keys in them, as two nodes would have left them.

use std::path::Path;

use qkd_bits::SecretRng;
use qkd_keystore::{
    Error, Input, KeyRequest, KeyStore, Output, SaeId, Side, StorageError, StoreMessage,
};

use super::{KEY_BITS, KEYS_PER_BLOCK, NODES, SAES, Settings, block, data_folder, sae_name};
use crate::pki::{LabPki, Parties, PkiError};
use crate::storage::{RedbStorage, STORE_FILE};
use crate::{NodeError, secret_file};

/// Blocks that share a commit: fewer than may be undecided.
const BLOCKS_PER_COMMIT: u64 = 32;

/// Requests that share a commit.
const REQUESTS_PER_COMMIT: u64 = 64;

/// Makes certificates, the pre-shared key and the keys of both stores in `folder`.
///
/// # Errors
/// When the folder cannot be written.
pub fn make_pki(folder: &Path) -> Result<(), PkiError> {
    let parties = Parties {
        nodes: &NODES,
        saes: &SAES,
    };
    LabPki::create(&folder.join("pki"), &parties).map(drop)
}

/// Makes the stores of both nodes, with as many keys as `settings` say: every block by the two-sided
/// commit, and every key that waits by an assignment and its acknowledgement, on both disks, as
/// between two nodes. Only the link is none: messages go from engine to engine.
///
/// # Errors
/// When a file cannot be had, or a store refuses.
pub fn fill(settings: &Settings) -> Result<(), NodeError> {
    let mut pair = Pair::open(settings)?;
    pair.stage(Side::Alice, [Input::Connected])?;
    pair.stage(Side::Bob, [Input::Connected])?;
    pair.settle()?;
    // What waits is taken from Alice's half.
    let keys = settings.stored_keys + settings.waiting_keys;
    let blocks = keys.div_ceil(KEYS_PER_BLOCK / 2);
    let mut next = 0;
    while next < blocks {
        let end = (next + BLOCKS_PER_COMMIT).min(blocks);
        for side in [Side::Bob, Side::Alice] {
            let distilled = (next..end).map(|number| {
                let (block, key, check) = block(number);
                Input::Distilled { block, key, check }
            });
            pair.stage(side, distilled)?;
        }
        pair.settle()?;
        next = end;
    }
    pair.assign(settings.waiting_keys)
}

/// Both engines and what they say to each other.
struct Pair<'a> {
    settings: &'a Settings,
    stores: [KeyStore; 2],
}

impl<'a> Pair<'a> {
    fn open(settings: &'a Settings) -> Result<Self, NodeError> {
        let stores = [
            open_store(settings, Side::Alice)?,
            open_store(settings, Side::Bob)?,
        ];
        Ok(Self { settings, stores })
    }

    fn stage(
        &mut self,
        side: Side,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<(), NodeError> {
        let store = &mut self.stores[side as usize];
        let staged = inputs.into_iter().try_for_each(|input| store.stage(input));
        staged.map_err(|error| failed(self.settings, side, error))
    }

    /// Commits in turn until nobody has anything left to say.
    fn settle(&mut self) -> Result<(), NodeError> {
        let mut silent = 0;
        let mut side = Side::Alice;
        while silent < 2 {
            silent += 1;
            let mut said: Vec<StoreMessage> = Vec::new();
            for output in self.stores[side as usize].commit() {
                match output {
                    Output::Send(message) => said.push(message),
                    // The key of a request is known to nobody: it waits at the other side.
                    Output::Answer { .. } | Output::Committed { .. } | Output::Discarded { .. } => {
                    }
                    Output::Alarm(alarm) => {
                        let message = alarm.to_string();
                        return Err(failed(
                            self.settings,
                            side,
                            Error::Storage(StorageError { message }),
                        ));
                    }
                }
            }
            if !said.is_empty() {
                silent = 0;
                self.stage(side.peer(), said.into_iter().map(Input::Message))?;
            }
            side = side.peer();
        }
        Ok(())
    }

    /// Has `keys` keys given to the application at Alice's.
    fn assign(&mut self, keys: u64) -> Result<(), NodeError> {
        let each = u64::from(self.stores[0].limits().keys_per_request_max);
        let name = |side: Side| {
            SaeId::new(sae_name(side)).map_err(|source| NodeError::Sae {
                id: sae_name(side).to_owned(),
                source,
            })
        };
        let (master, slave) = (name(Side::Alice)?, name(Side::Bob)?);
        let mut left = keys;
        while left > 0 {
            let mut requests = Vec::new();
            for ticket in 0..REQUESTS_PER_COMMIT {
                let number = left.min(each);
                left -= number;
                if number == 0 {
                    break;
                }
                requests.push(Input::Request {
                    ticket,
                    request: KeyRequest {
                        number: number as u32,
                        size_bits: KEY_BITS as u32,
                        master: master.clone(),
                        slaves: vec![slave.clone()],
                    },
                });
            }
            self.stage(Side::Alice, requests)?;
            self.settle()?;
        }
        Ok(())
    }
}

/// The store of a node, as its daemon opens it.
pub(super) fn open_store(settings: &Settings, side: Side) -> Result<KeyStore, NodeError> {
    let config = settings.link(side);
    let folder = data_folder(&settings.folder, side);
    secret_file::ensure_private_folder(&folder)?;
    let store_key = secret_file::read_or_create_store_key(&config.store.store_key)?;
    let storage = RedbStorage::open(&folder.join(STORE_FILE))
        .map_err(|error| failed(settings, side, error.into()))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    KeyStore::open(
        side,
        Box::new(storage),
        store_key,
        SecretRng::from_seed(seed),
        settings.store_limits(side),
    )
    .map_err(|error| failed(settings, side, error))
}

fn failed(settings: &Settings, side: Side, source: Error) -> NodeError {
    NodeError::Store {
        path: data_folder(&settings.folder, side).join(STORE_FILE),
        source,
    }
}
