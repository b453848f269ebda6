//! From a TOML document to a checked configuration, role by role.

use std::path::{Path, PathBuf};

use qkd_optics::{ChannelEffects, DetectorEffects, SourceEffects};

use super::document::{Document, NamedFile, Rule, Section};
use super::place::ConfigError;
use super::{
    AliceConfig, BobConfig, HostPort, LinkConfig, MessagesConfig, NodeConfig, Role, SessionConfig,
    TlsFiles,
};
use super::{alices_door, debug, delivery, detector_effects, effects, eve, monitors, rules};
use super::{security, store};
use crate::parameters::{
    ChannelParameters, DetectorParameters, HardwareEffects, LinkParameters, ProtocolName,
    ProtocolParameters, SourceParameters,
};

pub(super) const LINK_SECTIONS: &[&str] = &[
    "node",
    "quantum",
    "classical",
    "services",
    "etsi014",
    "metrics",
    "tls",
    "alices_door",
    "source",
    "channel",
    "detector",
    "protocol",
    "security",
    "session",
    "store",
    "monitors",
    "messages",
    "delivery",
    "sae",
    "debug",
];
pub(super) const EVE_SECTIONS: &[&str] = &[
    "node", "quantum", "services", "metrics", "tls", "eve", "channel",
];

/// The keys of Alice's `[quantum]`.
const ALICE_QUANTUM_KEYS: [&str; 3] = ["peer", "slots_per_second_max", "segment_loss_db"];

pub(super) const PROTOCOL: Rule<ProtocolName> = Rule {
    expected: "the name of a protocol, \"bb84\"",
    read: |value| ProtocolName::from_name(value.as_str()?),
    known: ProtocolName::NAMES,
};

/// The text of a configuration file.
pub(super) fn text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        file: path.to_path_buf(),
        source,
    })
}

/// Reads the whole text; also returns the files that it names.
pub(super) fn node(
    text: &str,
    path: &Path,
    role: Role,
) -> Result<(NodeConfig, Vec<NamedFile>), ConfigError> {
    let document = Document::new(text, path);
    let table = document.parse()?;
    let config = match role {
        Role::Alice => {
            let root = Section::root(&document, &table, LINK_SECTIONS)?;
            NodeConfig::Alice(alice(&root, path)?)
        }
        Role::Bob => {
            let alices = |section: &&&str| **section != alices_door::SECTION;
            let known: Vec<&str> = LINK_SECTIONS.iter().filter(alices).copied().collect();
            let root = Section::root(&document, &table, &known)?;
            NodeConfig::Bob(bob(&root, path)?)
        }
        Role::Eve => {
            let root = Section::root(&document, &table, EVE_SECTIONS)?;
            NodeConfig::Eve(eve::eve(&root)?)
        }
    };
    drop(table);
    Ok((config, document.into_files()))
}

fn alice(root: &Section<'_>, path: &Path) -> Result<AliceConfig, ConfigError> {
    let quantum = root.section("quantum", &ALICE_QUANTUM_KEYS)?;
    let classical = root.section("classical", &["peer", "server_name", "pre_shared_key"])?;
    let quantum_peer = quantum.required("peer", &rules::PEER)?;
    let pace = quantum.optional("slots_per_second_max", &rules::SLOTS_PER_SECOND)?;
    let segment_loss_db = quantum.optional("segment_loss_db", &rules::LOSS_DB)?;
    let classical_peer = classical.required("peer", &rules::PEER_URL)?;
    let server_name = classical.optional("server_name", &rules::SERVER_NAME)?;
    let link = link(root, &classical, path)?;
    Ok(AliceConfig {
        quantum_peer,
        slots_per_second_max: pace.unwrap_or(link.parameters.source.clock_hz),
        segment_loss_db,
        door: alices_door::read(root)?,
        classical_peer,
        server_name: server_name.unwrap_or_else(|| link.peer.clone()),
        link,
    })
}

fn bob(root: &Section<'_>, path: &Path) -> Result<BobConfig, ConfigError> {
    let quantum = root.section("quantum", &["listen"])?;
    let classical = root.section("classical", &["listen", "pre_shared_key"])?;
    Ok(BobConfig {
        quantum_listen: quantum.required("listen", &rules::LISTEN)?,
        classical_listen: classical.required("listen", &rules::LISTEN)?,
        link: link(root, &classical, path)?,
    })
}

fn link(
    root: &Section<'_>,
    classical: &Section<'_>,
    path: &Path,
) -> Result<LinkConfig, ConfigError> {
    let node = root.section("node", &["name", "peer", "data_dir"])?;
    let name = node.required("name", &rules::NODE_NAME)?;
    let peer = node.required("peer", &rules::NODE_NAME)?;
    if name == peer {
        return Err(node.refuse("peer", "the name of the other node, not this one's own"));
    }
    let data_dir = PathBuf::from(node.required("data_dir", &rules::DIRECTORY)?);
    let services = root.section("services", &["listen", "sae_identity"])?;
    let sae_identity = services.optional("sae_identity", &rules::SAE_IDENTITY)?;
    let parameters = parameters(root)?;
    let delivery_config = delivery::delivery(root)?;
    Ok(LinkConfig {
        file: None,
        data_dir: path.parent().unwrap_or(Path::new("")).join(data_dir),
        pre_shared_key: classical.file("pre_shared_key")?,
        services_listen: services.required("listen", &rules::LISTEN)?,
        sae_identity: sae_identity.unwrap_or_default(),
        etsi014_listen: listen_of(root, "etsi014")?,
        metrics_listen: listen_of(root, "metrics")?,
        tls: tls(root)?,
        session: session(root, parameters.security.block_bits)?,
        parameters,
        store: store::read(root)?,
        messages: messages(root)?,
        monitors: monitors::read(root)?,
        debug: debug::read(root)?,
        saes: delivery::saes(root, (&name, &peer), delivery_config.quota)?,
        delivery: delivery_config,
        name,
        peer,
    })
}

/// `listen` of a section that may be absent.
pub(super) fn listen_of(
    root: &Section<'_>,
    name: &'static str,
) -> Result<Option<HostPort>, ConfigError> {
    match root.section_if_present(name, &["listen"])? {
        Some(section) => Ok(Some(section.required("listen", &rules::LISTEN)?)),
        None => Ok(None),
    }
}

pub(super) fn tls(root: &Section<'_>) -> Result<TlsFiles, ConfigError> {
    let known = ["certificate", "private_key", "authority", "revoked"];
    let tls = root.section("tls", &known)?;
    Ok(TlsFiles {
        certificate: tls.file("certificate")?,
        private_key: tls.file("private_key")?,
        authority: tls.file("authority")?,
        revoked: match tls.has("revoked") {
            true => Some(tls.file("revoked")?),
            false => None,
        },
    })
}

fn parameters(root: &Section<'_>) -> Result<LinkParameters, ConfigError> {
    let (source, source_effects) = source(root)?;
    let (channel, channel_effects) = channel(root, source.clock_hz)?;
    let (detector, detector_effects) = detector(root, source.clock_hz)?;
    let parameters = LinkParameters {
        source,
        channel,
        detector,
        protocol: protocol(root)?,
        security: security::read(root)?,
        effects: HardwareEffects {
            source: source_effects,
            channel: channel_effects,
            detector: detector_effects,
        },
    };
    // Values that are each in range may still make a link on which no block ever ends.
    if let Err(error) = parameters.setup() {
        let security = root.section("security", security::KEYS)?;
        return Err(security.refuse("block_bits", format!("a link that can be planned: {error}")));
    }
    Ok(parameters)
}

fn source(root: &Section<'_>) -> Result<(SourceParameters, SourceEffects), ConfigError> {
    let source = source_section(root)?;
    let probabilities = "intensity_probabilities";
    let parameters = SourceParameters {
        clock_hz: source.required("clock_hz", &rules::CLOCK_HZ)?,
        intensities: source.required("intensities", &rules::INTENSITIES)?,
        intensity_probabilities: source.required(probabilities, &rules::INTENSITY_PROBABILITIES)?,
    };
    Ok((parameters, effects::source(&source)?))
}

pub(super) fn source_section<'d>(root: &Section<'d>) -> Result<Section<'d>, ConfigError> {
    let mut known = vec!["clock_hz", "intensities", "intensity_probabilities"];
    known.extend(effects::SOURCE_KEYS);
    root.section("source", &known)
}

/// The keys of `[protocol]`.
pub(super) const PROTOCOL_KEYS: [&str; 3] = ["name", "key_basis_probability", "misalignment_error"];

/// A key of `[protocol]` that `qkd plan` alone reads: here error correction does what it does.
pub(super) const PLANNED_INEFFICIENCY: &str = "reconciliation_inefficiency";

fn protocol(root: &Section<'_>) -> Result<ProtocolParameters, ConfigError> {
    let protocol = root.section("protocol", &PROTOCOL_KEYS);
    let protocol = protocol.map_err(|error| match error {
        ConfigError::Unknown {
            place,
            kind,
            suggestion,
            expected,
        } if place.key.ends_with(PLANNED_INEFFICIENCY) => ConfigError::Unknown {
            place,
            kind,
            suggestion,
            expected: format!("{expected} ({PLANNED_INEFFICIENCY} is for `qkd plan` alone)"),
        },
        other => other,
    })?;
    Ok(ProtocolParameters {
        name: protocol.required("name", &PROTOCOL)?,
        key_basis_probability: protocol
            .required("key_basis_probability", &rules::KEY_BASIS_PROBABILITY)?,
        misalignment_error: protocol.required("misalignment_error", &rules::MISALIGNMENT_ERROR)?,
    })
}

fn channel(
    root: &Section<'_>,
    clock_hz: f64,
) -> Result<(ChannelParameters, ChannelEffects), ConfigError> {
    let channel = channel_section(root)?;
    let distance_km = channel.required("distance_km", &rules::DISTANCE_KM)?;
    channel_of(&channel, distance_km, clock_hz)
}

pub(super) fn channel_section<'d>(root: &Section<'d>) -> Result<Section<'d>, ConfigError> {
    let mut known = vec!["distance_km", "attenuation_db_per_km", "insertion_loss_db"];
    known.extend(effects::CHANNEL_SECTIONS);
    root.section("channel", &known)
}

/// All that `channel` says, for a fibre of `distance_km`.
pub(super) fn channel_of(
    channel: &Section<'_>,
    distance_km: f64,
    clock_hz: f64,
) -> Result<(ChannelParameters, ChannelEffects), ConfigError> {
    let insertion_loss_db = channel.optional("insertion_loss_db", &rules::LOSS_DB)?;
    let parameters = ChannelParameters {
        distance_km,
        attenuation_db_per_km: attenuation(channel)?,
        insertion_loss_db: insertion_loss_db.unwrap_or(0.0),
    };
    let effects = effects::channel(channel, &parameters, clock_hz)?;
    Ok((parameters, effects))
}

/// 0.2 dB/km is standard fibre at 1550 nm.
pub(super) fn attenuation(channel: &Section<'_>) -> Result<f64, ConfigError> {
    let given = channel.optional("attenuation_db_per_km", &rules::ATTENUATION_DB_PER_KM)?;
    Ok(given.unwrap_or(0.2))
}

fn detector(
    root: &Section<'_>,
    clock_hz: f64,
) -> Result<(DetectorParameters, DetectorEffects), ConfigError> {
    let detector = detector_section(root)?;
    let dead_time_ns = detector.required("dead_time_ns", &rules::DEAD_TIME_NS)?;
    detector_of(&detector, dead_time_ns, clock_hz)
}

pub(super) fn detector_section<'d>(root: &Section<'d>) -> Result<Section<'d>, ConfigError> {
    let mut known = vec![
        "detector_efficiency",
        "dark_count_probability",
        "dead_time_ns",
        "afterpulse_probability",
        "afterpulse_decay_ns",
    ];
    known.extend(detector_effects::DETECTOR_KEYS);
    root.section("detector", &known)
}

/// All that `detector` says, with a dead time of `dead_time_ns`.
pub(super) fn detector_of(
    detector: &Section<'_>,
    dead_time_ns: f64,
    clock_hz: f64,
) -> Result<(DetectorParameters, DetectorEffects), ConfigError> {
    let parameters = DetectorParameters {
        detector_efficiency: detector.required("detector_efficiency", &rules::EFFICIENCY)?,
        dark_count_probability: detector
            .required("dark_count_probability", &rules::DARK_COUNT_PROBABILITY)?,
        dead_time_ns,
        afterpulse_probability: detector
            .optional("afterpulse_probability", &rules::AFTERPULSE_PROBABILITY)?
            .unwrap_or(0.0),
        afterpulse_decay_ns: detector
            .optional("afterpulse_decay_ns", &rules::DECAY_NS)?
            .unwrap_or(50.0),
    };
    let effects = detector_effects::detector(detector, clock_hz)?;
    detector_effects::go_together(detector, &parameters, &effects)?;
    Ok((parameters, effects))
}

fn session(root: &Section<'_>, block_bits: u64) -> Result<SessionConfig, ConfigError> {
    let known = &[
        "blocks_max",
        "blocks_in_flight_max",
        "worker_threads",
        "seed",
    ];
    let Some(session) = root.section_if_present("session", known)? else {
        return Ok(SessionConfig::default());
    };
    let in_flight = session.optional("blocks_in_flight_max", &rules::BLOCKS_IN_FLIGHT)?;
    let in_flight = in_flight.unwrap_or(SessionConfig::default().blocks_in_flight_max);
    let room = rules::BLOCKS_IN_FLIGHT_BYTES / (rules::BYTES_PER_BIT_IN_FLIGHT * block_bits);
    if in_flight > room {
        let expected = format!(
            "at most {room}: blocks of {block_bits} bits (security.block_bits), at 2 bytes a bit, \
             have 4 GiB of memory between them"
        );
        return Err(session.refuse("blocks_in_flight_max", expected));
    }
    Ok(SessionConfig {
        blocks_max: session.optional("blocks_max", &rules::BLOCKS_MAX)?,
        blocks_in_flight_max: in_flight,
        worker_threads: session.optional("worker_threads", &rules::WORKER_THREADS)?,
        seed: session.optional("seed", &rules::COUNT)?,
    })
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            blocks_max: None,
            blocks_in_flight_max: 32,
            worker_threads: None,
            seed: None,
        }
    }
}

fn messages(root: &Section<'_>) -> Result<MessagesConfig, ConfigError> {
    let Some(messages) = root.section_if_present("messages", &["mailbox_bytes_max"])? else {
        return Ok(MessagesConfig::default());
    };
    let bytes_max = messages.optional("mailbox_bytes_max", &rules::MAILBOX_BYTES)?;
    Ok(MessagesConfig {
        mailbox_bytes_max: bytes_max.unwrap_or(MessagesConfig::default().mailbox_bytes_max),
    })
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self {
            mailbox_bytes_max: 256 << 20,
        }
    }
}
