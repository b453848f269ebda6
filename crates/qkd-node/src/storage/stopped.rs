//! The key store of a node that does not run, in the hands of its operator.

use std::path::{Path, PathBuf};

use qkd_bits::{SecretBytes, SecretRng};
use qkd_keystore::{Abandon, BlockId, Error, History, Inspection, StorageError};

use super::{RedbStorage, STORE_FILE};
use crate::config::{ConfigError, NodeConfig};
use crate::secret_file::{self, SecretFileError};

/// A key store's file and the key that opens it. While a node has the file open nothing here does
/// anything but say so.
pub struct StoppedStore {
    path: PathBuf,
    store_key: SecretBytes,
}

/// Why nothing was done to a stopped store.
#[derive(Debug, thiserror::Error)]
pub enum StoppedStoreError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration is of a node that keeps no keys.
    #[error("{}: this node is in the fibre and keeps no keys; expected the configuration of Alice or Bob", .path.display())]
    NoStore {
        /// The configuration.
        path: PathBuf,
    },
    /// The store key cannot be read.
    #[error(transparent)]
    StoreKey(#[from] SecretFileError),
    /// There is no such file.
    #[error("{}: there is no key store; expected the file that a node keeps its keys in", .path.display())]
    NotThere {
        /// The file.
        path: PathBuf,
    },
    /// The file is in use, damaged, or of somebody else.
    #[error(transparent)]
    File(#[from] StorageError),
    /// What is in it does not allow it.
    #[error("{}: {source}", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Error,
    },
    /// The operating system has no randomness.
    #[error("cannot draw a random number: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

impl StoppedStore {
    /// The store in the file `path`, under the key in the file `store_key`.
    ///
    /// # Errors
    /// When the key cannot be read or there is no such store.
    pub fn new(path: &Path, store_key: &Path) -> Result<Self, StoppedStoreError> {
        if !path.exists() {
            return Err(StoppedStoreError::NotThere {
                path: path.to_path_buf(),
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            store_key: secret_file::read_store_key(store_key)?,
        })
    }

    /// The store of the node whose configuration is the file `config`.
    ///
    /// # Errors
    /// When the configuration is wrong or Eve's, and as [`new`](Self::new).
    pub fn of_node(config: &Path) -> Result<Self, StoppedStoreError> {
        let node = NodeConfig::of_any(config)?;
        let link = node.link().ok_or_else(|| StoppedStoreError::NoStore {
            path: config.to_path_buf(),
        })?;
        Self::new(&link.data_dir.join(STORE_FILE), &link.store.store_key)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the store holds, and whether it is whole. Changes nothing, not even what a node that was
    /// killed has left to be repaired.
    ///
    /// # Errors
    /// When the file cannot be read, is in use or damaged as a whole; of single records it is said in the
    /// inspection.
    pub fn inspect(&self) -> Result<Inspection, StoppedStoreError> {
        let mut storage = RedbStorage::look(&self.path)?;
        qkd_keystore::inspect(&mut storage, &self.store_key).map_err(|error| self.failed(error))
    }

    /// Discards all keys and begins a history, a fresh one when none is given. Returns which, and what the
    /// store held before.
    ///
    /// # Errors
    /// As [`qkd_keystore::begin_history`], and when the file cannot be written.
    pub fn begin_history(
        &self,
        history: Option<History>,
    ) -> Result<(History, Inspection), StoppedStoreError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let mut rng = SecretRng::from_seed(seed);
        let history = history.unwrap_or_else(|| History::random(&mut rng));
        let mut storage = RedbStorage::open(&self.path)?;
        qkd_keystore::begin_history(&mut storage, &self.store_key, &mut rng, history)
            .map(|before| (history, before))
            .map_err(|error| self.failed(error))
    }

    /// Gives blocks in doubt up, and returns which.
    ///
    /// # Errors
    /// As [`qkd_keystore::abandon`], and when the file cannot be written.
    pub fn abandon(&self, which: Abandon) -> Result<Vec<BlockId>, StoppedStoreError> {
        let mut storage = RedbStorage::open(&self.path)?;
        qkd_keystore::abandon(&mut storage, &self.store_key, which)
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, source: Error) -> StoppedStoreError {
        StoppedStoreError::Store {
            path: self.path.clone(),
            source,
        }
    }
}
