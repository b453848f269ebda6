//! One TOML file per node, checked to the last key before any socket opens.
//!
//! Every complaint names file, line, column and key, what was found and what was expected. A key
//! that nobody would read is an error. Paths are relative to the folder of the file, and secrets
//! are given by path, never by value.

mod address;
mod alices_door;
mod debug;
mod delivery;
mod detector_effects;
mod document;
mod effects;
mod eve;
mod files;
mod measured;
mod monitors;
mod place;
mod plan;
mod profile;
mod read;
mod rules;
mod security;
mod side_channels;
mod store;
#[cfg(test)]
mod tests;
mod write;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use qkd_bits::Defect;
use sha2::Digest as _;

pub use address::{HostPort, NotAnAddress};
pub use eve::EvePosition;
pub use measured::Measurement;
pub use place::{ConfigError, Place, nearest};
pub use plan::{PlanConfig, PlanError, PlanFibre, PlanProtocol, PlanSecurity, PlanSource};
pub use qkd_delivery::{IdentityRule, SaeQuota};
use qkd_optics::AlicesDoor;
use qkd_session::Actions;

use crate::fail_point::FailPoint;
use crate::parameters::LinkParameters;

/// Which of the three services a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends light and coordinates the link.
    Alice,
    /// Detects light.
    Bob,
    /// Sits in the fibre.
    Eve,
}

/// The checked configuration of one node.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeConfig {
    /// Of the sender.
    Alice(AliceConfig),
    /// Of the receiver.
    Bob(BobConfig),
    /// Of the eavesdropper.
    Eve(EveConfig),
}

/// What Alice needs to run.
#[derive(Debug, Clone, PartialEq)]
pub struct AliceConfig {
    /// What both ends of a link need.
    pub link: LinkConfig,
    /// `quantum.peer`: where photon frames go, Bob's or Eve's UDP address.
    pub quantum_peer: HostPort,
    /// `quantum.slots_per_second_max`: at most so many slots in a second of wall-clock time; the
    /// clock rate of the source (real time) when absent.
    pub slots_per_second_max: f64,
    /// `quantum.segment_loss_db`: loss of the fibre from Alice to whoever gets her light first, dB;
    /// all fixed loss of the channel when absent. What it leaves out Eve's process has to apply.
    pub segment_loss_db: Option<f64>,
    /// `[alices_door]`: what stands between the fibre and her instruments; nobody looks in when absent.
    pub door: AlicesDoor,
    /// `classical.peer`: Bob's address for the classical channel.
    pub classical_peer: HostPort,
    /// `classical.server_name`: the name that Bob's certificate must carry; `node.peer` when absent.
    pub server_name: String,
}

/// What Bob needs to run.
#[derive(Debug, Clone, PartialEq)]
pub struct BobConfig {
    /// What both ends of a link need.
    pub link: LinkConfig,
    /// `quantum.listen`: the UDP address at which photon frames arrive.
    pub quantum_listen: HostPort,
    /// `classical.listen`: the TCP address at which Alice connects.
    pub classical_listen: HostPort,
}

/// What Eve needs to run.
#[derive(Debug, Clone, PartialEq)]
pub struct EveConfig {
    /// `node.name`.
    pub name: String,
    /// `quantum.listen`: the UDP address at which Alice's photon frames arrive.
    pub quantum_listen: HostPort,
    /// `quantum.peer`: where photon frames go on to.
    pub quantum_peer: HostPort,
    /// `services.listen`: the TCP address of her control service.
    pub services_listen: HostPort,
    /// `metrics.listen`: the TCP address at which Prometheus finds `/metrics`; none when absent.
    pub metrics_listen: Option<HostPort>,
    /// `[tls]`.
    pub tls: TlsFiles,
    /// `eve.attack`: what she does first, such as `intercept-resend:1.0`.
    pub attack: String,
    /// `eve.position`: where on that fibre she stands.
    pub position: EvePosition,
    /// `[channel]`: the fibre whose loss her process applies; none when absent.
    pub fibre: EveFibre,
}

/// `[channel]` of Eve: the fibre that she stands in. Alice's process applies the loss before it.
#[derive(Debug, Clone, PartialEq)]
pub struct EveFibre {
    /// Length, km.
    pub distance_km: f64,
    /// Attenuation, dB per km.
    pub attenuation_db_per_km: f64,
}

impl EveFibre {
    /// Its loss, dB.
    pub fn loss_db(&self) -> f64 {
        self.distance_km * self.attenuation_db_per_km
    }
}

/// What both ends of a link need.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkConfig {
    /// The file that it was read from, which is read again on SIGHUP; none when it came from elsewhere.
    pub file: Option<PathBuf>,
    /// `node.name`: the key-management entity's identity, such as `kme-alice`.
    pub name: String,
    /// `node.peer`: the identity of the other end, as in its certificate.
    pub peer: String,
    /// `node.data_dir`: the folder of the key store, mode 0700.
    pub data_dir: PathBuf,
    /// `classical.pre_shared_key`: a file with 64 hexadecimal digits, mode 0600.
    pub pre_shared_key: PathBuf,
    /// `services.listen`: the TCP address of delivery, messaging, status, health and reflection.
    pub services_listen: HostPort,
    /// `services.sae_identity`: where in a client certificate the name of its application stands.
    pub sae_identity: IdentityRule,
    /// `etsi014.listen`: the TCP address of key delivery by ETSI GS QKD 014; none when absent.
    pub etsi014_listen: Option<HostPort>,
    /// `metrics.listen`: the TCP address at which Prometheus finds `/metrics`; none when absent.
    pub metrics_listen: Option<HostPort>,
    /// `[tls]`.
    pub tls: TlsFiles,
    /// `[source]`, `[channel]`, `[detector]`, `[protocol]`, `[security]`.
    pub parameters: LinkParameters,
    /// `[session]`.
    pub session: SessionConfig,
    /// `[monitors]`.
    pub monitors: MonitorsConfig,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[messages]`.
    pub messages: MessagesConfig,
    /// `[delivery]`.
    pub delivery: DeliveryConfig,
    /// `[[sae]]`: the applications, and the node each one sits at.
    pub saes: Vec<SaeConfig>,
    /// `[debug]`, which only a development build reads.
    pub debug: DebugConfig,
}

impl LinkConfig {
    /// Tells one configuration from another: SHA-256 of all that is in force, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        let mut text = String::new();
        write::link(&mut text, self);
        let digest = sha2::Sha256::digest(text);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `[tls]`: PEM files of the mutual TLS that every service of the node requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `tls.certificate`: the node's certificate chain.
    pub certificate: PathBuf,
    /// `tls.private_key`: its private key, mode 0600.
    pub private_key: PathBuf,
    /// `tls.authority`: the certificates of the authority that signed all parties.
    pub authority: PathBuf,
    /// `tls.revoked`: the authority's list of revoked certificates (a CRL, RFC 5280), in PEM; none when
    /// absent.
    pub revoked: Option<PathBuf>,
}

/// What an application or an operator needs to reach its node: a file of its own, or what the node's
/// own configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// `client.name`: the identity in the certificate.
    pub name: String,
    /// `client.node`: the name that the node's certificate must carry.
    pub node: String,
    /// `client.services`: the TCP address of the node's gRPC services.
    pub services: HostPort,
    /// `[tls]`: certificate, private key and authority of the client.
    pub tls: TlsFiles,
}

/// `[session]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// `blocks_max`: no more light is wanted once so many blocks were attempted in the life of the
    /// daemon; no limit when absent.
    pub blocks_max: Option<u64>,
    /// `blocks_in_flight_max`: blocks in post-processing at once, the same at both ends; each takes
    /// about 1.5 bytes a sifted bit, and all of them may take 4 GiB. Light pauses while there are so many: a block takes 60 to 240
    /// round trips.
    pub blocks_in_flight_max: u64,
    /// `worker_threads`: threads that compute for the blocks in flight; as many as the machine has
    /// cores when absent.
    pub worker_threads: Option<NonZeroUsize>,
    /// `seed`: all randomness, **secrets too**, comes from this number. For reproducible
    /// demonstrations: keys made so are worth nothing, and the daemon says so loudly.
    pub seed: Option<u64>,
}

/// `[monitors]`: what this node does when a monitor of its own is not content. The other end may do
/// something else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorsConfig {
    /// `input_power`, `double_clicks`, …, each `"stop"`, `"report"` or `"off"`: what becomes of a block
    /// on an alarm.
    pub actions: Actions,
    /// `false_alarm_probability`: that an undisturbed block raises the alarm of one monitor, at most.
    pub false_alarm_probability: f64,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `key_size_bits`: size of a delivered key when the application asks for none, bits.
    pub key_size_bits: u64,
    /// `key_count_max`: no more light is wanted once so many keys are in store.
    pub key_count_max: u64,
    /// `unfetched_age_max_s`: seconds that a key waits here for the slaves that may fetch it; after
    /// that it is dropped. While the daemon runs, what is done to the clock on the wall changes
    /// nothing; the time while it does not run counts if that clock says that it was a quarter of
    /// this at most.
    pub unfetched_age_max_s: u64,
    /// `compare_every_s`: seconds between two comparisons of the keys in store with the peer's copies.
    pub compare_every_s: u64,
    /// `store_key`: a file with 64 hexadecimal digits that wraps the keys at rest; made with mode
    /// 0600 when absent.
    pub store_key: PathBuf,
}

impl StoreConfig {
    /// How long keys wait when nothing is said: thirty days.
    pub const UNFETCHED_AGE_MAX_S: u64 = 30 * 24 * 3600;

    /// How often they are compared when nothing is said: every ten minutes.
    pub const COMPARE_EVERY_S: u64 = 600;
}

/// `[messages]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesConfig {
    /// `mailbox_bytes_max`: bytes of messages that may wait for one application at this node, on
    /// disk; each message takes its ciphertext and 1 KiB. More are refused until it has
    /// acknowledged some.
    pub mailbox_bytes_max: u64,
}

/// `[debug]`: for tests of the daemons. A release build refuses the whole section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DebugConfig {
    /// `fail_points`: where the process kills itself, such as `["decide:after:3"]`.
    pub fail_points: Vec<FailPoint>,
    /// `generator`: how the generator that light is drawn from is broken, such as `"biased:154"`.
    pub generator: Option<Defect>,
}

/// `[delivery]`: what every application of this node may take, over REST and gRPC together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveryConfig {
    /// `keys_per_second_max`, `keys_burst_max`, `keys_per_day_max` and `requests_open_max`: of each
    /// application, where its `[[sae]]` says nothing else.
    pub quota: SaeQuota,
    /// `unfetched_share_max`: the part of `store.key_count_max` that keys of one master at the other
    /// side may have here while nobody fetches them.
    pub unfetched_share_max: f64,
}

/// One `[[sae]]`: an application that may ask for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaeConfig {
    /// `id`: its identity, as in its certificate.
    pub id: String,
    /// `kme`: the node it sits at, `node.name` or `node.peer`.
    pub kme: String,
    /// What it may take, where that is not what everybody may.
    pub quota: Option<SaeQuota>,
}

impl NodeConfig {
    /// Reads the configuration of a `role` from `path` and looks at every file that it names.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn load(path: &Path, role: Role) -> Result<Self, ConfigError> {
        let (mut config, named) = read::node(&read::text(path)?, path, role)?;
        files::check(&config, &named)?;
        match &mut config {
            NodeConfig::Alice(AliceConfig { link, .. })
            | NodeConfig::Bob(BobConfig { link, .. }) => {
                link.file = Some(path.to_path_buf());
            }
            NodeConfig::Eve(_) => {}
        }
        Ok(config)
    }

    /// Reads the configuration of whatever node it is of from `path`, and looks at no other file.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn of_any(path: &Path) -> Result<Self, ConfigError> {
        let text = read::text(path)?;
        read::node(&text, path, profile::role(&text)).map(|(config, _)| config)
    }

    /// The end of a link that this node is; none for Eve.
    pub fn link(&self) -> Option<&LinkConfig> {
        match self {
            NodeConfig::Alice(alice) => Some(&alice.link),
            NodeConfig::Bob(bob) => Some(&bob.link),
            NodeConfig::Eve(_) => None,
        }
    }

    /// Reads the configuration of a `role` from `text`; `path` is only its name in errors and the
    /// place that relative paths start from. Does not look at the files it names.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn parse(text: &str, path: &Path, role: Role) -> Result<Self, ConfigError> {
        read::node(text, path, role).map(|(config, _)| config)
    }

    /// Whose configuration this is.
    pub fn role(&self) -> Role {
        match self {
            NodeConfig::Alice(_) => Role::Alice,
            NodeConfig::Bob(_) => Role::Bob,
            NodeConfig::Eve(_) => Role::Eve,
        }
    }

    /// The name of the node.
    pub fn name(&self) -> &str {
        match self {
            NodeConfig::Alice(alice) => &alice.link.name,
            NodeConfig::Bob(bob) => &bob.link.name,
            NodeConfig::Eve(eve) => &eve.name,
        }
    }

    /// The TLS files of the node.
    pub fn tls(&self) -> &TlsFiles {
        match self {
            NodeConfig::Alice(alice) => &alice.link.tls,
            NodeConfig::Bob(bob) => &bob.link.tls,
            NodeConfig::Eve(eve) => &eve.tls,
        }
    }

    /// A configuration file that reads back as this configuration.
    pub fn to_toml(&self) -> String {
        write::node(self)
    }
}
