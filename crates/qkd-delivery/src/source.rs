//! Where the keys come from: the port that every delivery standard asks.

use std::future::Future;
use std::pin::Pin;

use qkd_keystore::{
    DeliveredKey, KeyId, KeyRequest, RequestError, SaeId, StoreLimits, StoreStatus,
};
use tokio::sync::watch;

/// An answer that may have to wait for the peer's store.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RequestError>> + Send + 'a>>;

/// A key store as the delivery standards see it.
///
/// Who may ask for what has been settled before a method is called, but for what only the store
/// knows: numbers, sizes, and which application a key is for. Dropping an answer abandons the
/// request: its keys may be burnt, but are never delivered to anybody else or twice.
pub trait KeySource: Send + Sync + 'static {
    /// What the store holds and which requests it takes.
    fn pool(&self) -> Answer<'_, Pool>;

    /// Which requests the store takes: the same for as long as it is open.
    fn limits(&self) -> RequestLimits;

    /// Fresh keys for a master and its slaves, in full or not at all. They are durable at the peer
    /// when this answers.
    fn get_key(&self, request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>>;

    /// Changes whenever what the store holds may have.
    fn changes(&self) -> watch::Receiver<()>;

    /// What an operator must look at, one sentence each; empty when all is well.
    fn alarms(&self) -> Answer<'_, Vec<String>>;

    /// The keys with these identities, all or none, in their order, each once ever.
    fn get_key_with_ids(&self, request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>>;
}

/// Asks for keys that a master obtained at the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Who asks: it must have been named as slave.
    pub caller: SaeId,
    /// The application that obtained the keys, as the caller says.
    pub master: SaeId,
    /// The keys, at least one.
    pub key_ids: Vec<KeyId>,
}

/// Which requests a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Size of a key when a request names none, in bits.
    pub key_size_bits: u32,
    /// Smallest key, in bits.
    pub key_size_min_bits: u32,
    /// Largest key, in bits.
    pub key_size_max_bits: u32,
    /// Keys that one request may ask for.
    pub keys_per_request_max: u32,
    /// Slaves that one request may name.
    pub slaves_per_request_max: u32,
}

impl RequestLimits {
    /// Slaves beside the one that every request names: what ETSI GS QKD 014 counts.
    pub fn additional_slaves_max(&self) -> u32 {
        self.slaves_per_request_max.saturating_sub(1)
    }
}

impl From<&StoreLimits> for RequestLimits {
    fn from(limits: &StoreLimits) -> Self {
        Self {
            key_size_bits: limits.key_size_bits,
            key_size_min_bits: limits.key_size_min_bits,
            key_size_max_bits: limits.key_size_max_bits,
            keys_per_request_max: limits.keys_per_request_max,
            slaves_per_request_max: limits.slaves_per_request_max,
        }
    }
}

/// What a store holds and which requests it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Size of a key when a request names none, in bits.
    pub key_size_bits: u32,
    /// Smallest key, in bits.
    pub key_size_min_bits: u32,
    /// Largest key, in bits.
    pub key_size_max_bits: u32,
    /// Keys that one request may ask for.
    pub keys_per_request_max: u32,
    /// Slaves that one request may name.
    pub slaves_per_request_max: u32,
    /// Keys of the default size that could be delivered now.
    pub stored_key_count: u64,
    /// Keys that are stored at most: with so many, no more are made.
    pub key_count_max: u64,
}

impl Pool {
    /// Whether an application here could be given a key of the default size as master. A store
    /// that is not sound says that nothing could be delivered.
    pub fn is_healthy(&self) -> bool {
        self.stored_key_count > 0
    }

    /// Slaves beside the one that every request names: what ETSI GS QKD 014 counts.
    pub fn additional_slaves_max(&self) -> u32 {
        self.slaves_per_request_max.saturating_sub(1)
    }

    /// What a store with these limits says of itself.
    pub fn new(limits: &StoreLimits, status: &StoreStatus) -> Self {
        Self {
            key_size_bits: limits.key_size_bits,
            key_size_min_bits: limits.key_size_min_bits,
            key_size_max_bits: limits.key_size_max_bits,
            keys_per_request_max: limits.keys_per_request_max,
            slaves_per_request_max: limits.slaves_per_request_max,
            stored_key_count: status.stored_key_count,
            key_count_max: u64::from(limits.key_count_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use qkd_keystore::{Health, Side};

    use super::*;

    #[test]
    fn a_pool_says_what_the_store_holds_and_at_how_many_keys_it_is_full() {
        let limits = StoreLimits {
            key_size_bits: 256,
            key_count_max: 100,
            ..StoreLimits::default()
        };
        let status = StoreStatus {
            side: Side::Alice,
            health: Health::Sound,
            peer_ready: true,
            boot_epoch: 1,
            commits: 0,
            spent: Default::default(),
            commits_uncounted: 0,
            committed_blocks: 0,
            undecided_blocks: 0,
            available_bits: 7 * 256,
            peer_available_bits: 0,
            stored_key_count: 7,
            assigned_count: 0,
            expired_count: 0,
            has_room: true,
            durable_commits: 0,
            compared_bytes: 0,
            differing_blocks: 0,
            pending_requests: 0,
        };
        let pool = Pool::new(&limits, &status);
        assert_eq!((pool.stored_key_count, pool.key_count_max), (7, 100));
        assert!(pool.is_healthy());
        let empty = StoreStatus {
            stored_key_count: 0,
            ..status
        };
        assert!(!Pool::new(&limits, &empty).is_healthy());
    }
}
