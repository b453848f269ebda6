//! The folder of a laboratory: certificates, keys and one configuration per service.

use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qkd_node::bench;
use qkd_node::config::{
    AliceConfig, BobConfig, ClientProfile, DebugConfig, DeliveryConfig, EveConfig, EveFibre,
    EvePosition, HostPort, IdentityRule, LinkConfig, MessagesConfig, MonitorsConfig, NodeConfig,
    SaeConfig, SessionConfig, StoreConfig,
};
use qkd_node::parameters::LinkParameters;
use qkd_node::pki::{LabPki, Parties};
use qkd_optics::AlicesDoor;

use super::fault::Fault;
use super::folder::Folder;
use super::weakness::Hardware;
use super::{Running, tour};
use crate::cli::{EveAttack, LabArgs};

/// Alice's node.
pub const ALICE: &str = "kme-alice";
/// Bob's node.
pub const BOB: &str = "kme-bob";
/// Eve's node.
pub const EVE: &str = "eve";
/// The application at Alice's node.
pub const SAE_ALICE: &str = "sae-alice";
/// The application at Bob's node.
pub const SAE_BOB: &str = "sae-bob";
/// The laboratory's own application at Alice's node: the messages and keys of others are theirs.
pub const LAB_ALICE: &str = "lab-alice";
/// The laboratory's own application at Bob's node.
pub const LAB_BOB: &str = "lab-bob";
/// Who looks at what the nodes are doing.
pub const OPERATOR: &str = "operator";

/// Bits of the keys in store: what AES-256 takes.
const KEY_SIZE_BITS: u64 = 256;

/// Keys that a store of the laboratory holds at least before light stops.
const KEY_COUNT_MIN: u64 = 10_000;

/// The most keys of 256 bits, rounded, that a configuration may ask for.
const KEY_COUNT_MAX: u64 = 67_000_000;

/// A slow laser is no reason to wait: the laboratory emulates up to so many slots a second.
const SLOTS_PER_SECOND_MIN: f64 = 1e9;

/// Pulses a second that Eve is given at least, and at most. She handles pulse by pulse; nothing holds
/// Alice back, so what is too much for Eve would be lost as in a cut fibre.
const PULSES_PER_SECOND_EVE: RangeInclusive<f64> = 4e6..=1.5e7;

/// Share of what she can handle that she is given: Alice, Bob and the network want their time too.
const SHARE_OF_EVES_SPEED: f64 = 0.4;

/// For how long her speed is measured.
const MEASURE_EVE: Duration = Duration::from_millis(40);

/// Time for a block after which somebody wants to know what they wait for.
const PATIENCE_SECONDS: f64 = 20.0;

/// Folder of certificates and keys.
const PKI: &str = "pki";

/// What this laboratory is to be.
#[derive(Clone)]
pub struct Plan {
    hardware: Hardware,
    /// How often the nodes began anew in other hardware.
    round: usize,
    blocks_max: Option<u64>,
    key_count_max: u64,
    seed: Option<u64>,
    slots_per_second_max: f64,
    /// What Eve does first, if she is there.
    eve: Option<EveAttack>,
    is_tour: bool,
    /// Whether the fibre is Eve's to stand in: Alice's process applies no loss, Eve's all of it.
    fibre_is_eves: bool,
    blocks_in_flight_max: u64,
    /// Whether the nodes deliver keys by ETSI GS QKD 014 too.
    etsi014: bool,
}

impl Plan {
    /// What the command line asks for.
    pub fn new(args: &LabArgs) -> Self {
        let mut hardware = Hardware {
            parameters: args.preset.parameters(args.distance),
            door: AlicesDoor::default(),
        };
        let block_bits = args.tour.then_some(tour::BLOCK_BITS);
        if let Some(bits) = args.block_bits.or(block_bits) {
            hardware.parameters.security.block_bits = bits;
        }
        let weakness = args.eve.as_ref().and_then(EveAttack::weakness);
        if let Some(weakness) = weakness {
            weakness.put_into(&mut hardware);
        }
        let parameters = &hardware.parameters;
        let eve = match args.tour {
            true => Some(EveAttack::passive()),
            false => args.eve.clone(),
        };
        let fibre_is_eves = args.tour || eve.as_ref().is_some_and(EveAttack::needs_the_fibre);
        // Never so few that light stops before the last block of the report.
        let wanted = args.blocks.saturating_mul(parameters.security.block_bits) / KEY_SIZE_BITS;
        Self {
            blocks_max: (!args.serve && !args.tour).then_some(args.blocks),
            key_count_max: match args.tour {
                true => tour::KEY_COUNT_MAX,
                false => wanted.clamp(KEY_COUNT_MIN, KEY_COUNT_MAX),
            },
            seed: args.seed,
            etsi014: args.serve,
            slots_per_second_max: (parameters.source.clock_hz)
                .max(SLOTS_PER_SECOND_MIN)
                .min(hardware.slots_per_second_max()),
            blocks_in_flight_max: match args.tour {
                true => tour::BLOCKS_IN_FLIGHT_MAX,
                false => SessionConfig::default().blocks_in_flight_max,
            },
            eve,
            is_tour: args.tour,
            fibre_is_eves,
            hardware,
            round: 0,
        }
    }

    /// The same in other hardware, which `fit_out` makes of the present one, with nodes that have no
    /// keys yet.
    #[must_use]
    pub fn in_hardware(&self, round: usize, fit_out: impl Fn(&mut Hardware)) -> Self {
        let mut plan = self.clone();
        fit_out(&mut plan.hardware);
        let most = plan.hardware.slots_per_second_max();
        plan.slots_per_second_max = plan.slots_per_second_max.min(most);
        plan.round = round;
        plan
    }

    /// What somebody who waits for a key should know beforehand.
    pub fn warning(&self) -> Option<String> {
        let block = self.hardware.parameters.block_plan().ok()?;
        if block.acceptance.secret_length_bits == 0 {
            return Some(format!(
                "WARNING: {} sifted bits over {} km leave no secret key: every block will be refused. \
                 Larger blocks (--block-bits) or a shorter fibre (--distance) would leave one.",
                self.hardware.parameters.security.block_bits,
                self.hardware.parameters.channel.distance_km
            ));
        }
        let seconds = block.slots_expected / self.slots_per_second_max;
        (seconds > PATIENCE_SECONDS)
            .then(|| format!("So little light arrives that a block takes about {seconds:.0} s."))
    }

    /// Sifted bits of a block.
    pub fn block_bits(&self) -> u64 {
        self.hardware.parameters.security.block_bits
    }

    /// Measures how fast Eve is on this machine, if she is there, and has Alice send no faster.
    ///
    /// # Errors
    /// When the link cannot be.
    pub fn keep_up_with_eve(&mut self) -> Result<(), Fault> {
        let Some(attack) = &self.eve else {
            return Ok(());
        };
        // Looking on is the least that she does in a tour.
        let spec = match self.is_tour {
            true => "intercept-resend".to_owned(),
            false => attack.spec(),
        };
        let speed = bench::eve::measure(
            &self.hardware.parameters,
            &spec,
            self.fibre_is_eves,
            MEASURE_EVE,
        )?;
        let (least, most) = (PULSES_PER_SECOND_EVE.start(), PULSES_PER_SECOND_EVE.end());
        let pulses = SHARE_OF_EVES_SPEED * speed.pulses_per_wall_second();
        let slots = pulses.clamp(*least, *most) / speed.occupied_probability;
        self.slots_per_second_max = self.slots_per_second_max.min(slots);
        Ok(())
    }

    /// Why a clock may be slower than it should.
    pub fn held_up_by(&self) -> &'static str {
        match self.eve {
            None => "this machine cannot keep up",
            Some(_) => "Eve, who handles light pulse by pulse, cannot keep up on this machine",
        }
    }

    /// Everything that both ends have to agree on.
    pub fn parameters(&self) -> &LinkParameters {
        &self.hardware.parameters
    }

    /// What Eve does first, if she is there.
    pub fn first_attack(&self) -> Option<&EveAttack> {
        self.eve.as_ref()
    }

    /// The protocol's name.
    pub fn protocol(&self) -> &'static str {
        self.hardware.parameters.protocol.name.name()
    }

    /// Bob, listening wherever the system has a free port.
    pub fn bob(&self) -> NodeConfig {
        NodeConfig::Bob(BobConfig {
            link: self.link(BOB, ALICE, "bob-data"),
            quantum_listen: any_port(),
            classical_listen: any_port(),
        })
    }

    /// Alice, whose light goes to `quantum` and whose words go to `classical`.
    pub fn alice(&self, quantum: SocketAddr, classical: SocketAddr) -> NodeConfig {
        NodeConfig::Alice(AliceConfig {
            link: self.link(ALICE, BOB, "alice-data"),
            quantum_peer: quantum.into(),
            slots_per_second_max: self.slots_per_second_max,
            segment_loss_db: self.fibre_is_eves.then_some(0.0),
            door: self.hardware.door,
            classical_peer: classical.into(),
            server_name: BOB.to_owned(),
        })
    }

    /// Eve before Bob's `quantum` address: at the end of the fibre, or wherever on it each attack has
    /// to stand.
    pub fn eve(&self, attack: &EveAttack, quantum: SocketAddr) -> NodeConfig {
        NodeConfig::Eve(EveConfig {
            name: EVE.to_owned(),
            quantum_listen: any_port(),
            quantum_peer: quantum.into(),
            services_listen: any_port(),
            metrics_listen: None,
            tls: relative_pki().files_of(EVE),
            attack: attack.spec(),
            position: EvePosition::AsNeeded,
            fibre: EveFibre {
                distance_km: match self.fibre_is_eves {
                    true => self.hardware.parameters.channel.distance_km,
                    false => 0.0,
                },
                attenuation_db_per_km: self.attenuation_db_per_km(),
            },
        })
    }

    /// All fixed loss between the laboratories on each km between them: that of the fibre, or of free
    /// space.
    fn attenuation_db_per_km(&self) -> f64 {
        let channel = &self.hardware.parameters.channel;
        let Ok(hardware) = self.hardware.parameters.hardware() else {
            return channel.attenuation_db_per_km;
        };
        let loss_db = -10.0 * hardware.segment_transmittance.log10();
        let is_fibres = (loss_db - self.hardware.parameters.fibre_attenuation_db()).abs() < 1e-9;
        match is_fibres || channel.distance_km == 0.0 {
            true => channel.attenuation_db_per_km,
            false => loss_db / channel.distance_km,
        }
    }

    fn link(&self, name: &str, peer: &str, data: &str) -> LinkConfig {
        let pki = relative_pki();
        let sae = |id: &str, kme: &str| SaeConfig {
            id: id.to_owned(),
            kme: kme.to_owned(),
            quota: None,
        };
        LinkConfig {
            file: None,
            name: name.to_owned(),
            peer: peer.to_owned(),
            data_dir: match self.round {
                0 => PathBuf::from(data),
                round => PathBuf::from(format!("{data}-{round}")),
            },
            pre_shared_key: pki.pre_shared_key(),
            services_listen: any_port(),
            sae_identity: IdentityRule::default(),
            etsi014_listen: self.etsi014.then(any_port),
            metrics_listen: None,
            tls: pki.files_of(name),
            parameters: self.hardware.parameters.clone(),
            session: SessionConfig {
                blocks_max: self.blocks_max,
                blocks_in_flight_max: self.blocks_in_flight_max,
                seed: self.seed.map(|seed| derived_seed(seed, name)),
                ..SessionConfig::default()
            },
            store: StoreConfig {
                key_size_bits: KEY_SIZE_BITS,
                key_count_max: self.key_count_max,
                unfetched_age_max_s: StoreConfig::UNFETCHED_AGE_MAX_S,
                compare_every_s: StoreConfig::COMPARE_EVERY_S,
                store_key: pki.store_key_of(name),
            },
            messages: MessagesConfig::default(),
            monitors: MonitorsConfig::default(),
            debug: DebugConfig::default(),
            delivery: DeliveryConfig::default(),
            saes: vec![
                sae(SAE_ALICE, ALICE),
                sae(SAE_BOB, BOB),
                sae(LAB_ALICE, ALICE),
                sae(LAB_BOB, BOB),
            ],
        }
    }
}

/// Makes the certificates and keys of everybody in the folder.
///
/// # Errors
/// When a file cannot be written.
pub fn make_pki(folder: &Folder) -> Result<LabPki, Fault> {
    let parties = Parties {
        nodes: &[ALICE, BOB, EVE],
        saes: &[SAE_ALICE, SAE_BOB, LAB_ALICE, LAB_BOB, OPERATOR],
    };
    Ok(LabPki::create(&folder.path().join(PKI), &parties)?)
}

/// Writes a configuration into the folder and returns its path.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Folder, name: &str, config: &NodeConfig) -> Result<PathBuf, Fault> {
    write_toml(folder, name, "", &config.to_toml())
}

/// The profile with which the application at Alice's node calls it.
pub const PROFILE_SAE_ALICE: &str = "sae-alice.toml";
/// The same at Bob's node.
pub const PROFILE_SAE_BOB: &str = "sae-bob.toml";
/// The profile with which the operator looks at Alice.
pub const PROFILE_OPERATOR: &str = "operator.toml";
/// The same for Bob.
pub const PROFILE_OPERATOR_BOB: &str = "operator-bob.toml";
/// The same for Eve, when there is one.
pub const PROFILE_OPERATOR_EVE: &str = "operator-eve.toml";

/// Writes the profiles of all clients of the services that run.
///
/// # Errors
/// When one cannot be written.
pub fn write_profiles(folder: &Folder, running: &Running) -> Result<(), Fault> {
    let (alice, bob) = (running.alice.services, running.bob.services);
    let mut all = vec![
        (PROFILE_SAE_ALICE, SAE_ALICE, ALICE, alice),
        (PROFILE_SAE_BOB, SAE_BOB, BOB, bob),
        (PROFILE_OPERATOR, OPERATOR, ALICE, alice),
        (PROFILE_OPERATOR_BOB, OPERATOR, BOB, bob),
    ];
    if let Some(eve) = &running.eve {
        all.push((PROFILE_OPERATOR_EVE, OPERATOR, EVE, eve.services));
    }
    for (file, name, node, services) in all {
        let profile = ClientProfile {
            name: name.to_owned(),
            node: node.to_owned(),
            services: services.into(),
            tls: relative_pki().files_of(name),
        };
        let remark =
            "# The address is that of this one run: a kept folder started again has others.\n";
        write_toml(folder, file, remark, &profile.to_toml())?;
    }
    Ok(())
}

fn write_toml(folder: &Folder, name: &str, remark: &str, toml: &str) -> Result<PathBuf, Fault> {
    let path = folder.file(name);
    let head = "# Written by 'qkd lab'. Paths start from this folder.\n";
    let text = format!("{head}{remark}\n{toml}");
    fs::write(&path, text).map_err(Fault::io(format!("write {}", path.display())))?;
    Ok(path)
}

/// The certificates as a configuration names them: it starts from its own folder, so that the
/// whole can be moved.
fn relative_pki() -> LabPki {
    LabPki::in_folder(Path::new(PKI))
}

fn any_port() -> HostPort {
    HostPort::new("127.0.0.1", 0)
}

/// A seed for each node, so that no two draw the same numbers: splitmix64 (Steele, Lea, Flood 2014)
/// over the bytes of its name, without the sign bit that TOML's integers have.
fn derived_seed(seed: u64, name: &str) -> u64 {
    let mix = |state: u64| {
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mixed = name
        .bytes()
        .fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
    mixed >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use qkd_node::config::Role;

    fn plan(arguments: &[&str]) -> Plan {
        let all = ["qkd", "lab"].iter().chain(arguments);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Lab(args) => Plan::new(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_configuration_is_accepted_by_the_service_it_is_for() {
        let folder = Folder::prepare(None).unwrap();
        make_pki(&folder).unwrap();
        let plans = [
            plan(&["--seed", "18446744073709551615", "--block-bits", "1000"]),
            plan(&["--blocks", "1000000", "--block-bits", "20000000"]),
        ];
        let somewhere = SocketAddr::from(([127, 0, 0, 1], 4567));
        let attack = EveAttack::read("intercept-resend:0.1").unwrap();
        for plan in plans {
            for (name, role, config) in [
                ("alice.toml", Role::Alice, plan.alice(somewhere, somewhere)),
                ("bob.toml", Role::Bob, plan.bob()),
                ("eve.toml", Role::Eve, plan.eve(&attack, somewhere)),
            ] {
                let path = write(&folder, name, &config).unwrap();
                NodeConfig::load(&path, role).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    #[test]
    fn light_never_stops_before_the_last_block_of_the_report() {
        let plan = plan(&["--blocks", "10", "--block-bits", "5000000"]);
        assert!(plan.key_count_max >= 10 * 5_000_000 / 256);
        assert_eq!(plan.blocks_max, Some(10));
    }

    #[test]
    fn both_ends_draw_from_different_seeds() {
        let seeds =
            [0, 1, u64::MAX].map(|seed| (derived_seed(seed, ALICE), derived_seed(seed, BOB)));
        for (at, (alice, bob)) in seeds.iter().enumerate() {
            assert_ne!(alice, bob);
            assert!(*alice <= i64::MAX as u64 && *bob <= i64::MAX as u64);
            assert!(!seeds[..at].contains(&(*alice, *bob)));
        }
    }
}
