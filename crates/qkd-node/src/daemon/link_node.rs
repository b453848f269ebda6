//! What Alice and Bob have in common: keys, store, board, services.

use std::net::SocketAddr;
use std::sync::Arc;

use qkd_auth::{PreSharedKey, Role as AuthRole};
use qkd_bits::SecretRng;
use qkd_bits::health::{CutOffs, HealthTests};
use qkd_delivery::{Access, Directory, Kme, KmeId};
use qkd_keystore::{Health, KeyStore, SaeId, Side, Step, StoreLimits};
use qkd_protocols::{LinkSetup, Protocol};
use qkd_session::{Action, Monitor, Monitors, SessionLimits, UNANNOUNCED_BLOCKS_MAX};
use qkd_wire::proto::link as proto;
use qkd_wire::proto::node::Role as ProtoRole;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tonic::Streaming;

use super::reload::{self, Hangup, quotas, sae_id};
use super::store_limits::store_limits;
use super::{NodeError, server};
use crate::audit::{self, AuditLog, ChainKey, Event, Kind};
use crate::config::{LinkConfig, MonitorsConfig, Role};
use crate::fail_point::{FailPoints, Moment};
use crate::hub::KeyHub;
use crate::link::{
    Agreed, Established, FrameSender, HandshakeFault, Instruments, WaitingBytes, cores, shake_hands,
};
use crate::mailbox::Mailboxes;
use crate::metrics::{self, CallTimes, Calls, HttpTimes, LinkMetrics, MetricsListener};
use crate::room::room_in;
use crate::secret_file;
use crate::services::NodeService;
use crate::shutdown::Shutdown;
use crate::status::StatusBoard;
use crate::storage::{RedbStorage, STORE_FILE};
use crate::tls::LiveTls;

/// Time that Bob may take to announce what Alice has sent, in seconds.
const ANSWER_SECONDS_MAX: f64 = 5.0;

/// Bytes of an announcement for one detection, at most: a gap and a basis.
const ANNOUNCED_BYTES_MAX: u64 = 5;

/// Announcements that may wait before nothing new is begun: with one alone the block that Bob
/// collects meanwhile would lose its detections.
const CALM_ANNOUNCEMENTS: u64 = 2;

/// Announcements that may wait at all: blocks that were closed before are still announced.
const ANNOUNCEMENTS_MAX: u64 = CALM_ANNOUNCEMENTS + UNANNOUNCED_BLOCKS_MAX;

/// Bytes that may wait for the peer however small the blocks: a full queue of events, each of them
/// said at once, and what waits while nothing new is begun.
const WAITING_BYTES_MIN: usize = 128 << 20;

/// Bytes of the operating system's randomness that are tested before any of it is used.
const ENTROPY_TESTED_BYTES: usize = 4 << 10;

/// File of the mailboxes there.
const MESSAGES_FILE: &str = "messages.redb";

/// One end of a link, opened and ready to bind.
pub(super) struct LinkNode {
    pub(super) config: LinkConfig,
    pub(super) side: Side,
    pub(super) setup: LinkSetup,
    pub(super) key: PreSharedKey,
    pub(super) tls: Arc<LiveTls>,
    pub(super) shared: Instruments,
    pub(super) store_limits: StoreLimits,
    pub(super) audit: Arc<AuditLog>,
    /// The gate in front of the key store, for every delivery standard.
    pub(super) access: Access,
    pub(super) hangup: Hangup,
    /// Where all randomness of this daemon comes from.
    pub(super) seeds: Mutex<SecretRng>,
}

impl LinkNode {
    /// Opens everything that a file or a number in the configuration can spoil.
    pub(super) fn open(config: LinkConfig, side: Side) -> Result<Self, NodeError> {
        let tls = Arc::new(LiveTls::load(&config.tls)?);
        let key = PreSharedKey::new(secret_file::read_pre_shared_key(&config.pre_shared_key)?)
            .map_err(|source| NodeError::PreSharedKey {
                path: config.pre_shared_key.clone(),
                source,
            })?;
        let setup = config.parameters.setup()?;
        // The protocol is looked up now, so that no session can fail for its name.
        qkd_protocols::by_name(config.parameters.protocol.name.name(), setup.clone())?;
        if setup.plan.acceptance.secret_length_bits == 0 {
            tracing::warn!(
                distance_km = config.parameters.channel.distance_km,
                block_bits = config.parameters.security.block_bits,
                side_channel_bits = setup.plan.length_expected.side_channel_bits(),
                "the expected channel leaves no secret key: every block will abort"
            );
        }
        for effect in config.parameters.effects.uncovered() {
            tracing::warn!("{effect}; keys are only as good as its assumptions");
        }
        let mut seeds = seeds(config.session.seed, side)?;
        let store_limits = store_limits(
            (&config.store, config.delivery.unfetched_share_max),
            config.session.blocks_in_flight_max,
            setup.plan.acceptance.secret_length_bits,
        );
        let (mut fail_points, of_mail) = FailPoints::arm(&config.debug.fail_points);
        fail_points.reach(Moment::Before, &[Step::Boot]);
        let board = StatusBoard::default();
        let rng = seeds.fork();
        let (store, audit) = open_store(&config, side, (rng, store_limits.clone()), &board)?;
        fail_points.reach(Moment::After, &[Step::Boot]);
        // A daemon that starts again with the seed it had must not say again what it said.
        if let Some(seed) = config.session.seed {
            seeds = seeded(seed, side, store.status().boot_epoch);
        }
        let key_bits_max = config.store.key_count_max * config.store.key_size_bits;
        let room = room_in(config.data_dir.clone());
        let hub = KeyHub::with_fail_points(store, key_bits_max, (room, board.clone()), fail_points)
            .map_err(NodeError::Thread)?;
        let (directory, local) = directory(&config)?;
        let audit = Arc::new(audit);
        let access = Access::new(config.delivery.quota, quotas(&config)?, audit.clone());
        let path = config.data_dir.join(MESSAGES_FILE);
        let room = room_in(config.data_dir.clone());
        let limits = (config.messages.mailbox_bytes_max, room);
        let mailboxes = Mailboxes::with_fail_points(path, local, limits, (board.clone(), of_mail))
            .map_err(NodeError::Messages)?;
        Ok(Self {
            shared: Instruments {
                hub: Arc::new(hub),
                board,
                mailboxes: Arc::new(mailboxes),
                relay: Arc::default(),
                directory: Arc::new(directory),
                worker_threads: config.session.worker_threads.unwrap_or_else(cores),
            },
            store_limits,
            audit,
            access,
            hangup: Hangup::listen(),
            seeds: Mutex::new(seeds),
            config,
            side,
            setup,
            key,
            tls,
        })
    }

    /// A protocol for one session's engine.
    pub(super) fn protocol(&self) -> Result<Box<dyn Protocol>, NodeError> {
        let name = self.config.parameters.protocol.name.name();
        Ok(qkd_protocols::by_name(name, self.setup.clone())?)
    }

    /// Shakes hands as this side does, with randomness for the session that follows. A failure is
    /// on the board.
    pub(super) async fn shake_hands(
        &self,
        outgoing: &FrameSender,
        incoming: &mut Streaming<proto::Frame>,
    ) -> Result<(Established, SecretRng), HandshakeFault> {
        let mut rng = self.seeds.lock().await.fork();
        let role = match self.side {
            Side::Alice => AuthRole::Alice,
            Side::Bob => AuthRole::Bob,
        };
        let blocks_in_flight_max = self.config.session.blocks_in_flight_max;
        let agreed = Agreed::of(&self.config.parameters, blocks_in_flight_max);
        let shaken = shake_hands(role, &self.key, &agreed, &mut rng, outgoing, incoming).await;
        if shaken.is_err() {
            self.shared.board.handshake_failed();
        }
        Ok((shaken?, rng))
    }

    /// Limits of the next session: what is left of the blocks this daemon may attempt.
    pub(super) fn limits(&self) -> SessionLimits {
        let attempted = self.shared.board.blocks_attempted();
        SessionLimits {
            blocks_in_flight_max: self.config.session.blocks_in_flight_max as usize,
            blocks_max: self
                .config
                .session
                .blocks_max
                .map(|max| max.saturating_sub(attempted)),
        }
    }

    /// What watches the blocks of a session, and what it does on an alarm.
    pub(super) fn monitors(&self) -> Monitors {
        let MonitorsConfig {
            actions,
            false_alarm_probability,
        } = self.config.monitors;
        Monitors {
            actions,
            false_alarm_probability,
            undisturbed: self.setup.undisturbed(),
        }
    }

    /// What happens once the generator that light or its measurement is drawn from has failed.
    pub(super) fn failed_generator(&self) -> Action {
        self.config.monitors.actions.of(Monitor::RandomNumbers)
    }

    /// As [`waiting_bytes_max`] for this link.
    pub(super) fn waiting_bytes_max(&self) -> WaitingBytes {
        let blocks = self.config.session.blocks_in_flight_max;
        waiting_bytes_max(blocks, self.setup.plan.detections)
    }

    /// Slots that Alice's transmitter remembers at most: the closed blocks that wait at Bob to be
    /// announced and the one that he collects, and as many as go by while Bob, on a busy machine, is
    /// slow to answer. Blocks that are announced take no room there, however many are in flight.
    pub(super) fn unannounced_slots_max(&self, slots_per_second: f64) -> u64 {
        let answering = slots_per_second * ANSWER_SECONDS_MAX;
        self.setup
            .plan
            .slots_max
            .saturating_mul(UNANNOUNCED_BLOCKS_MAX + 1)
            .saturating_add(answering as u64)
    }

    /// Why there can be no link: a generator that has failed, or a store that takes no key. `None`
    /// when nothing is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(alarm) = self.shared.board.generator_fault() {
            return Some(format!(
                "{alarm}: nothing it makes is secret; this node makes no key until it is started \
                 again"
            ));
        }
        match self.shared.hub.status().health {
            Health::Sound => None,
            Health::Sealed => Some(
                "the key store is sealed because a write failed: restart this node once the disk \
                 is good"
                    .into(),
            ),
            Health::Quarantined { reason } => {
                Some(format!("the key store is quarantined: {reason}"))
            }
        }
    }

    /// Binds everything that applications and operators call.
    pub(super) async fn listen(&self) -> Result<Listeners, NodeError> {
        let config = &self.config;
        let (services, services_address) =
            server::listen("[services] listen", &config.services_listen).await?;
        let etsi014 = match &config.etsi014_listen {
            Some(address) => Some(server::listen("[etsi014] listen", address).await?),
            None => None,
        };
        Ok(Listeners {
            services,
            services_address,
            etsi014,
            metrics: metrics::bind(config.metrics_listen.as_ref()).await?,
        })
    }

    /// Serves applications and operators on `listeners` until shutdown.
    pub(super) async fn serve(
        &self,
        listeners: Listeners,
        shutdown: Shutdown,
    ) -> Result<(), NodeError> {
        let (proto_role, role) = match self.side {
            Side::Alice => (ProtoRole::Alice, Role::Alice),
            Side::Bob => (ProtoRole::Bob, Role::Bob),
        };
        let node = NodeService {
            role: proto_role,
            name: self.config.name.clone(),
            peer: self.config.peer.clone(),
            clock_hz: self.setup.link.clock_hz,
            hub: self.shared.hub.clone(),
            actions: self.config.monitors.actions,
            board: self.shared.board.clone(),
        };
        let calls = Calls {
            delivery: CallTimes::of_delivery()?,
            messaging: CallTimes::of_messaging()?,
            etsi014: HttpTimes::of_etsi014()?,
        };
        let page = self.metrics(calls.clone());
        let times = calls.etsi014.clone();
        let services = (listeners.services, calls);
        let served = async {
            tokio::try_join!(
                server::link_services(self, node, services, shutdown.clone()),
                async {
                    if let Some((listener, _)) = listeners.etsi014 {
                        server::etsi014(self, listener, times, shutdown.clone()).await;
                    }
                    Ok(())
                },
                async {
                    listeners.metrics.serve(page, shutdown.clone()).await;
                    Ok(())
                },
            )
        };
        let started = Event::new(Kind::NodeStarted)
            .text("node", &self.config.name)
            .text("version", env!("CARGO_PKG_VERSION"))
            .text("configuration", &self.config.digest());
        self.audit.note(started);
        let (hub, board) = (self.shared.hub.clone(), self.shared.board.clone());
        let served = tokio::select! {
            served = served => served.map(|((), (), ())| ()),
            never = self.tls.watch(&self.shared.board) => match never {},
            never = reload::watch(self, role) => match never {},
            never = audit::watch(self.audit.clone(), hub, board) => match never {},
        };
        self.audit.last(Event::new(Kind::NodeStopped)).await;
        served
    }

    fn metrics(&self, calls: Calls) -> LinkMetrics {
        LinkMetrics {
            side: self.side,
            name: self.config.name.clone(),
            peer: self.config.peer.clone(),
            model: self.setup.link,
            key_size_bits: self.config.store.key_size_bits,
            key_count_max: self.config.store.key_count_max,
            hub: self.shared.hub.clone(),
            board: self.shared.board.clone(),
            calls,
            audit: self.audit.clone(),
        }
    }
}

/// Bytes that may wait for the peer to take them, at most: what is begun before the link notices, and
/// the answers that every block of `detections` in flight can have to give at once. Those are less
/// than a byte for each detection: a disclosure, parities and a seed.
pub(crate) fn waiting_bytes_max(blocks_in_flight_max: u64, detections: u64) -> WaitingBytes {
    let bytes = |per_detection: u64| {
        let bytes = detections.saturating_mul(per_detection);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    };
    let per_detection =
        blocks_in_flight_max.saturating_add(ANNOUNCEMENTS_MAX * ANNOUNCED_BYTES_MAX);
    let room = WaitingBytes::from(bytes(per_detection).saturating_add(WAITING_BYTES_MIN));
    WaitingBytes {
        calm: room
            .calm
            .max(bytes(CALM_ANNOUNCEMENTS * ANNOUNCED_BYTES_MAX)),
        ..room
    }
}

/// What applications and operators call, bound.
pub(super) struct Listeners {
    services: TcpListener,
    pub(super) services_address: SocketAddr,
    etsi014: Option<(TcpListener, SocketAddr)>,
    pub(super) metrics: MetricsListener,
}

impl Listeners {
    /// The address of key delivery by ETSI GS QKD 014, where there is one.
    pub(super) fn etsi014_address(&self) -> Option<SocketAddr> {
        self.etsi014.as_ref().map(|(_, address)| *address)
    }
}

/// The key store and the audit log, which follow from one key and look after each other.
fn open_store(
    config: &LinkConfig,
    side: Side,
    (rng, limits): (SecretRng, StoreLimits),
    board: &StatusBoard,
) -> Result<(KeyStore, AuditLog), NodeError> {
    secret_file::ensure_private_folder(&config.data_dir)?;
    let store_key = secret_file::read_or_create_store_key(&config.store.store_key)?;
    let path = config.data_dir.join(STORE_FILE);
    let failed = |source| NodeError::Store {
        path: path.clone(),
        source,
    };
    // Its lock says that nobody else writes the audit log either.
    let mut storage = RedbStorage::open(&path).map_err(|error| failed(error.into()))?;
    let witness = storage.witness().map_err(|error| failed(error.into()))?;
    let chain = ChainKey::derive(&store_key);
    // Another store key fails here, before the log is looked at with it.
    let store = KeyStore::open(side, Box::new(storage), store_key, rng, limits).map_err(failed)?;
    let audit = AuditLog::open(&config.data_dir, chain, witness, board.clone())?;
    Ok((store, audit))
}

/// Who sits where.
pub(super) fn places(config: &LinkConfig) -> Result<Vec<(SaeId, Kme)>, NodeError> {
    let places = config.saes.iter().map(|sae| {
        let kme = match sae.kme == config.name {
            true => Kme::Local,
            false => Kme::Peer,
        };
        Ok((sae_id(sae)?, kme))
    });
    places.collect()
}

/// Who sits where, and who of them sits here.
fn directory(config: &LinkConfig) -> Result<(Directory, Vec<SaeId>), NodeError> {
    let places = places(config)?;
    let local = places.iter().filter(|(_, kme)| *kme == Kme::Local);
    let local = local.map(|(id, _)| id.clone()).collect();
    let here = KmeId::new(config.name.as_str())?;
    let there = KmeId::new(config.peer.as_str())?;
    Ok((Directory::new(here, there, places)?, local))
}

/// Secrets from the operating system, or from the configured seed for a demonstration.
fn seeds(seed: Option<u64>, side: Side) -> Result<SecretRng, NodeError> {
    if let Some(seed) = seed {
        tracing::warn!(
            "[session] seed is set: every key of this daemon can be computed from it; for \
             demonstrations only"
        );
        return Ok(seeded(seed, side, 0));
    }
    test_entropy()?;
    let mut root = [0; 32];
    getrandom::fill(&mut root)?;
    Ok(SecretRng::from_seed(root))
}

/// The start-up test of SP 800-90B, section 4.3, on what all secrets of this daemon are drawn from.
/// What it looks at is used for nothing else.
fn test_entropy() -> Result<(), NodeError> {
    let mut samples = vec![0; ENTROPY_TESTED_BYTES];
    getrandom::fill(&mut samples)?;
    let mut tests = HealthTests::new(CutOffs::START);
    tests.test(&samples);
    match tests.alarm() {
        None => Ok(()),
        Some(alarm) => Err(NodeError::Generator(alarm)),
    }
}

fn seeded(seed: u64, side: Side, boot_epoch: u64) -> SecretRng {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&seed.to_le_bytes());
    root[8..16].copy_from_slice(&boot_epoch.to_le_bytes());
    root[16] = match side {
        Side::Alice => 1,
        Side::Bob => 2,
    };
    SecretRng::from_seed(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_alone_is_no_congestion_however_large_the_block() {
        for detections in [1_000, 15_000_000, 200_000_000] {
            let room = waiting_bytes_max(1, detections);
            let announcement = (detections * ANNOUNCED_BYTES_MAX) as usize;
            assert!(room.calm >= 16 << 20 && room.calm > announcement);
            assert!(room.max > room.calm + UNANNOUNCED_BLOCKS_MAX as usize * announcement);
        }
    }
}
