//! The ledger: counters and chain.

use qkd_security::Spent;
use sha2::{Digest, Sha256};

use super::fields::Reader;
use super::{FORMAT_OF_CLOCK, FORMAT_OF_HISTORIES, FORMAT_OLDEST};
use crate::expiry::Clock;
use crate::{BlockId, CheckValue};

/// Counters and chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    pub(crate) boot_epoch: u64,
    pub(crate) boot_id: [u8; 16],
    pub(crate) commits: u64,
    pub(crate) chain: [u8; 32],
    /// What the pair has spent, and with Alice what runs may spend that have not begun yet.
    pub(crate) spent_max: Spent,
    /// Commits of a version that did not count what was spent.
    pub(crate) commits_uncounted: u64,
    pub(crate) last_assigned: u64,
    pub(crate) last_confirmed: u64,
    pub(crate) last_accepted: u64,
    pub(crate) peer_boot_epoch: u64,
    pub(crate) peer_boot_id: [u8; 16],
    /// What time it was when this was written.
    pub(crate) clock: Clock,
    /// Which history this is: 0 since the store was created, else what both operators were given when
    /// they had all keys discarded.
    pub(crate) history: u64,
    /// Why the store is quarantined; empty when it is not.
    pub(crate) quarantine: String,
}

/// The chain value before the first commit of a history. In the first one it is zero; in later ones it
/// differs from every other value of any chain, so two stores of different histories never agree.
pub(crate) fn chain_start(history: u64) -> [u8; 32] {
    if history == 0 {
        return [0; 32];
    }
    let mut hash = Sha256::new();
    hash.update(b"qkd-keystore/1 history");
    hash.update(history.to_be_bytes());
    hash.finalize().into()
}

/// The chain value after a commit: H(chain ‖ block ‖ check value), as both sides compute it.
pub(crate) fn chain_next(chain: &[u8; 32], block: BlockId, check: &CheckValue) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update(block.session.to_be_bytes());
    hash.update(block.block.to_be_bytes());
    hash.update(check);
    hash.finalize().into()
}

impl Ledger {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [
            self.boot_epoch,
            self.commits,
            self.last_assigned,
            self.last_confirmed,
            self.last_accepted,
            self.peer_boot_epoch,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.boot_id);
        bytes.extend_from_slice(&self.peer_boot_id);
        bytes.extend_from_slice(&self.chain);
        for number in [
            self.spent_max.runs,
            self.spent_max.secrecy.to_bits(),
            self.spent_max.correctness.to_bits(),
            self.commits_uncounted,
            self.clock.store_s,
            self.clock.wall_s,
            self.history,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        // Last, as it takes whatever is left.
        bytes.extend_from_slice(self.quarantine.as_bytes());
        bytes
    }

    pub(crate) fn decode(format: u8, content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut ledger = Self {
            boot_epoch: reader.u64()?,
            commits: reader.u64()?,
            last_assigned: reader.u64()?,
            last_confirmed: reader.u64()?,
            last_accepted: reader.u64()?,
            peer_boot_epoch: reader.u64()?,
            boot_id: reader.array()?,
            peer_boot_id: reader.array()?,
            chain: reader.array()?,
            ..Self::default()
        };
        if format == FORMAT_OLDEST {
            // What those blocks spent is not known here any more, only that they did.
            ledger.commits_uncounted = ledger.commits;
        } else {
            ledger.spent_max = reader.spent()?;
            ledger.commits_uncounted = reader.u64()?;
        }
        if format >= FORMAT_OF_CLOCK {
            ledger.clock = Clock {
                store_s: reader.u64()?,
                wall_s: reader.u64()?,
            };
        }
        if format >= FORMAT_OF_HISTORIES {
            ledger.history = reader.u64()?;
        }
        std::str::from_utf8(reader.0)
            .ok()?
            .clone_into(&mut ledger.quarantine);
        Some(ledger)
    }
}
