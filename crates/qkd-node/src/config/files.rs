//! A look at every file that a configuration names, before anything runs.

use std::path::Path;

use super::document::NamedFile;
use super::place::ConfigError;
use super::{LinkConfig, NodeConfig, TlsFiles};
use crate::secret_file;

/// Refuses a configuration one of whose files is missing, unreadable or unfit.
pub(super) fn check(config: &NodeConfig, named: &[NamedFile]) -> Result<(), ConfigError> {
    let complain = |path: &Path, reason: String| complaint(named, path, reason);
    if let Some(link) = link(config) {
        secret_file::read_pre_shared_key(&link.pre_shared_key)
            .map_err(|error| complain(&link.pre_shared_key, error.to_string()))?;
        if link.store.store_key.exists() {
            secret_file::read_store_key(&link.store.store_key)
                .map_err(|error| complain(&link.store.store_key, error.to_string()))?;
        }
    }
    check_tls(config.tls(), named)
}

/// Refuses certificates and keys that are missing, unreadable or unfit.
pub(super) fn check_tls(tls: &TlsFiles, named: &[NamedFile]) -> Result<(), ConfigError> {
    match crate::tls::TlsMaterial::load(tls) {
        Ok(_) => Ok(()),
        Err(error) => Err(complaint(named, error.file(), error.to_string())),
    }
}

/// Where files come from that nobody has made or brought yet.
const REMEDY: &str = "is its folder or volume there? `qkd pki init` makes certificates and keys, in containers `docker-compose run --rm init`";

/// What is wrong with the file at `path`, at the place that names it.
fn complaint(named: &[NamedFile], path: &Path, reason: String) -> ConfigError {
    let reason = match path.try_exists() {
        Ok(false) => format!("{reason}; {REMEDY}"),
        Ok(true) | Err(_) => reason,
    };
    let file = named.iter().find(|file| file.path == path);
    match file {
        Some(file) => ConfigError::File {
            place: file.place.clone(),
            reason,
        },
        None => ConfigError::Unreadable {
            file: path.to_path_buf(),
            source: std::io::Error::other(reason),
        },
    }
}

fn link(config: &NodeConfig) -> Option<&LinkConfig> {
    match config {
        NodeConfig::Alice(alice) => Some(&alice.link),
        NodeConfig::Bob(bob) => Some(&bob.link),
        NodeConfig::Eve(_) => None,
    }
}
