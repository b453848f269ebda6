//! Two nodes with full key stores and no light, for whoever measures how fast applications get keys.
//!
//! Both nodes are the daemons themselves: their configuration, key stores on disk, link with mutual
//! TLS and envelopes, gRPC and ETSI GS QKD 014 services. Three things are replaced. No light is wanted,
//! as the session may attempt no block. What the stores hold at the beginning was put into them by
//! [`fill`], through the same two engines and files, in one process. And what applications take is
//! made up for by blocks that both sides draw from a public seed and commit as they commit any other
//! ([`Served::keep_filled`]): such keys are worth nothing.

mod client;
mod fill;
mod load;
mod percentiles;
mod races;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qkd_bits::SecretRng;
use qkd_keystore::{BlockId, StoreLimits};

pub use client::{Api, CallFault, Caller, Key, Place};
pub use fill::{fill, make_pki};
pub use load::{Call, Load, LoadFigures, Phase, run_load};
pub use percentiles::Percentiles;
pub use qkd_keystore::Side;
pub use races::{Race, RaceFigures, run_races};

use crate::NodeError;
use crate::config::{
    AliceConfig, BobConfig, DebugConfig, DeliveryConfig, HostPort, IdentityRule, LinkConfig,
    MessagesConfig, MonitorsConfig, NodeConfig, SaeConfig, SessionConfig, StoreConfig,
};
use crate::daemon::{Ready, run_link, store_limits};
use crate::hub::KeyHub;
use crate::pki::LabPki;
use crate::presets;
use crate::shutdown::Shutdown;

/// Names of the two nodes in their certificates and configurations.
const NODES: [&str; 2] = ["kme-alice", "kme-bob"];

/// The applications, one at each node.
const SAES: [&str; 2] = ["sae-alice", "sae-bob"];

/// Size of every key, bits.
pub const KEY_BITS: u64 = 256;

/// Keys of a block: half of them for each direction.
const KEYS_PER_BLOCK: u64 = 2048;

/// Keys beyond those of the beginning that may wait for their slaves.
const WAITING_MAX: u64 = 1_000_000;

/// The session of blocks that no session distilled.
const SESSION: u64 = u64::MAX;

/// Distance of two looks at what the store holds.
const LOOK: Duration = Duration::from_millis(5);

/// What both nodes of a measurement are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where certificates, configurations and stores are.
    pub folder: PathBuf,
    /// Keys that each direction has free, at least.
    pub stored_keys: u64,
    /// Keys that were given to their master at Alice's node and wait for their slave at Bob's.
    pub waiting_keys: u64,
}

impl Settings {
    /// Alice's configuration; `quantum` and `classical` are where Bob is.
    fn alice(&self, quantum: SocketAddr, classical: SocketAddr) -> NodeConfig {
        NodeConfig::Alice(AliceConfig {
            link: self.link(Side::Alice),
            quantum_peer: quantum.into(),
            slots_per_second_max: 1e6,
            segment_loss_db: None,
            door: Default::default(),
            classical_peer: classical.into(),
            server_name: node_name(Side::Bob).to_owned(),
        })
    }

    fn bob(&self) -> NodeConfig {
        NodeConfig::Bob(BobConfig {
            link: self.link(Side::Bob),
            quantum_listen: any_port(),
            classical_listen: any_port(),
        })
    }

    fn link(&self, side: Side) -> LinkConfig {
        let pki = pki(&self.folder);
        let (name, peer) = (node_name(side), node_name(side.peer()));
        let sae = |side: Side| SaeConfig {
            id: sae_name(side).to_owned(),
            kme: node_name(side).to_owned(),
            quota: None,
        };
        LinkConfig {
            file: None,
            // One master is all there is, and may have all the room.
            delivery: DeliveryConfig {
                unfetched_share_max: 1.0,
                ..DeliveryConfig::default()
            },
            name: name.to_owned(),
            peer: peer.to_owned(),
            data_dir: data_folder(&self.folder, side),
            pre_shared_key: pki.pre_shared_key(),
            services_listen: any_port(),
            sae_identity: IdentityRule::default(),
            etsi014_listen: Some(any_port()),
            metrics_listen: None,
            tls: pki.files_of(name),
            parameters: presets::snspd(50.0),
            session: SessionConfig {
                blocks_max: Some(0),
                ..SessionConfig::default()
            },
            store: StoreConfig {
                key_size_bits: KEY_BITS,
                key_count_max: self.stored_keys + self.waiting_keys + WAITING_MAX,
                unfetched_age_max_s: StoreConfig::UNFETCHED_AGE_MAX_S,
                compare_every_s: StoreConfig::COMPARE_EVERY_S,
                store_key: pki.store_key_of(name),
            },
            messages: MessagesConfig::default(),
            monitors: MonitorsConfig::default(),
            saes: vec![sae(Side::Alice), sae(Side::Bob)],
            debug: DebugConfig::default(),
        }
    }

    /// What the daemon would make of the configuration.
    fn store_limits(&self, side: Side) -> StoreLimits {
        let config = self.link(side);
        let share = config.delivery.unfetched_share_max;
        store_limits(
            (&config.store, share),
            config.session.blocks_in_flight_max,
            0,
        )
    }
}

/// A node that serves, as far as a measurement may look into it. Cheap to clone.
#[derive(Clone)]
pub struct Served {
    side: Side,
    addresses: Ready,
    hub: Arc<KeyHub>,
}

/// What a node's store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Keys that this side may give, and that the other side may.
    pub free_keys: [u64; 2],
    /// Keys that wait here for their slaves.
    pub waiting_keys: u64,
    /// Whether the link is up and both stores agree.
    pub peer_ready: bool,
    /// Commits that were made durable since the node began.
    pub durable_commits: u64,
}

impl Served {
    /// Where it is called.
    pub fn addresses(&self) -> Ready {
        self.addresses
    }

    /// What the store holds after its last commit.
    pub fn held(&self) -> Held {
        let status = self.hub.status();
        let keys = |bits: u64| bits / KEY_BITS;
        Held {
            free_keys: [status.available_bits, status.peer_available_bits].map(keys),
            waiting_keys: status.assigned_count,
            peer_ready: status.peer_ready,
            durable_commits: status.durable_commits,
        }
    }

    /// Gives the store a block whenever Alice's direction holds less than `stored_keys`, until the
    /// peer has gone or `shutdown`. The other node has to do the same: both commit a block once both
    /// have given it.
    pub fn keep_filled(&self, stored_keys: u64, shutdown: &Shutdown) {
        let given = self.hub.status().commits;
        for number in given.. {
            while !self.wants_block(stored_keys, number) {
                if shutdown.is_requested() {
                    return;
                }
                std::thread::sleep(LOOK);
            }
            let (block, key, check) = block(number);
            self.hub.distilled(block, key, check);
        }
    }

    /// Whether another block is wanted beside those that were given before the one with `number`.
    fn wants_block(&self, stored_keys: u64, number: u64) -> bool {
        let status = self.hub.status();
        let bits = match self.side {
            Side::Alice => status.available_bits,
            Side::Bob => status.peer_available_bits,
        };
        let on_the_way = number.saturating_sub(status.commits) * KEYS_PER_BLOCK / 2;
        status.peer_ready && bits / KEY_BITS + on_the_way < stored_keys
    }
}

/// Runs one node as its daemon runs, until `shutdown`; Alice calls Bob at `bob`, the addresses of his
/// light and of his words. `ready` is told once that it serves.
///
/// # Errors
/// As [`crate::run`], and when Alice is not told where Bob is.
pub async fn serve(
    settings: &Settings,
    side: Side,
    bob: Option<(SocketAddr, SocketAddr)>,
    shutdown: Shutdown,
    ready: impl FnOnce(Served) + Send,
) -> Result<(), NodeError> {
    let config = match (side, bob) {
        (Side::Bob, _) => settings.bob(),
        (Side::Alice, Some((quantum, classical))) => settings.alice(quantum, classical),
        (Side::Alice, None) => {
            let missing = std::io::Error::other("Alice is not told where Bob is");
            return Err(NodeError::Thread(missing));
        }
    };
    run_link(config, shutdown, |addresses, hub| {
        ready(Served {
            side,
            addresses: *addresses,
            hub: hub.clone(),
        });
    })
    .await
}

/// The block with a number, as both sides draw it.
fn block(number: u64) -> (BlockId, qkd_bits::SecretBits, [u8; 8]) {
    let mut seed = [0x64; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    let bits = (KEYS_PER_BLOCK * KEY_BITS) as usize;
    let key = SecretRng::from_seed(seed).public_bits(bits).into();
    let id = BlockId {
        session: SESSION,
        block: number,
    };
    (id, key, number.to_be_bytes())
}

fn node_name(side: Side) -> &'static str {
    NODES[side as usize]
}

fn sae_name(side: Side) -> &'static str {
    SAES[side as usize]
}

fn pki(folder: &Path) -> LabPki {
    LabPki::in_folder(&folder.join("pki"))
}

fn data_folder(folder: &Path, side: Side) -> PathBuf {
    folder.join(side.to_string())
}

fn any_port() -> HostPort {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}
