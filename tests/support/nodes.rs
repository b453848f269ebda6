//! Both ends of a link in a folder of their own: certificates, configurations, processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use qkd_auth::Authentication;
use qkd_node::config::{
    AliceConfig, BobConfig, ClientProfile, DebugConfig, DeliveryConfig, EveConfig, EveFibre,
    EvePosition, HostPort, IdentityRule, LinkConfig, MessagesConfig, MonitorsConfig, NodeConfig,
    SaeConfig, SessionConfig, StoreConfig,
};
use qkd_node::parameters::LinkParameters;
use qkd_node::pki::{KeptPki, LabPki, NewSet, Party, VALIDITY};
use qkd_node::presets;
use tempfile::TempDir;

use super::node::{Node, Program};
use super::{ALICE, BOB, EVE, OPERATOR, SAE_ALICE, SAE_BOB};

/// Slots that Alice emits in a second at most: as many as she can.
const SLOTS_PER_SECOND_MAX: f64 = 1e9;

/// What the two ends of a test's link are to be. The preset is `snspd`.
pub struct Builder {
    parameters: LinkParameters,
    session: SessionConfig,
    key_count_max: u64,
    log_level: Option<&'static str>,
}

impl Builder {
    /// Length of the fibre; 25 km when not said.
    pub fn distance_km(mut self, distance_km: f64) -> Self {
        self.parameters.channel.distance_km = distance_km;
        self
    }

    /// Sifted bits of a block; 200,000 when not said, which give about 90 keys in about a second.
    pub fn block_bits(mut self, block_bits: u64) -> Self {
        self.parameters.security.block_bits = block_bits;
        self
    }

    /// How messages are tagged; by HMAC alone when not said.
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.parameters.security.authentication = authentication;
        self
    }

    /// No light is wanted after so many blocks in the life of a daemon.
    pub fn blocks_max(mut self, blocks_max: u64) -> Self {
        self.session.blocks_max = Some(blocks_max);
        self
    }

    /// No light is wanted while so many keys of 256 bits are in store; 10,000 when not said.
    pub fn key_count_max(mut self, key_count_max: u64) -> Self {
        self.key_count_max = key_count_max;
        self
    }

    /// What the daemons log; `info` when not said.
    pub fn log_level(mut self, log_level: &'static str) -> Self {
        self.log_level = Some(log_level);
        self
    }

    /// Folder, certificates and configurations; no process yet.
    pub fn prepare(self) -> Nodes {
        let folder = tempfile::Builder::new()
            .prefix("qkd-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        let pki = make_pki(&folder.path().join("pki"));
        let somewhere = HostPort::new("127.0.0.1", 1);
        Nodes {
            alice_config: AliceConfig {
                link: self.link(&pki, folder.path(), (ALICE, BOB)),
                quantum_peer: somewhere.clone(),
                slots_per_second_max: SLOTS_PER_SECOND_MAX,
                segment_loss_db: None,
                door: Default::default(),
                classical_peer: somewhere,
                server_name: BOB.to_owned(),
            },
            bob_config: BobConfig {
                link: self.link(&pki, folder.path(), (BOB, ALICE)),
                quantum_listen: any_port(),
                classical_listen: any_port(),
            },
            eve_config: EveConfig {
                name: EVE.to_owned(),
                quantum_listen: any_port(),
                quantum_peer: HostPort::new("127.0.0.1", 1),
                services_listen: any_port(),
                metrics_listen: None,
                tls: pki.files_of(EVE),
                attack: "passive".to_owned(),
                position: EvePosition::default(),
                fibre: EveFibre {
                    distance_km: 0.0,
                    attenuation_db_per_km: 0.2,
                },
            },
            fibre: None,
            log_level: self.log_level,
            alice: None,
            bob: None,
            eve: None,
            pki,
            bob_clock: None,
            folder,
        }
    }

    fn link(&self, pki: &LabPki, folder: &Path, (name, peer): (&str, &str)) -> LinkConfig {
        let sae = |id: &str, kme: &str| SaeConfig {
            id: id.to_owned(),
            kme: kme.to_owned(),
            quota: None,
        };
        LinkConfig {
            file: None,
            name: name.to_owned(),
            peer: peer.to_owned(),
            data_dir: folder.join(format!("{name}-data")),
            pre_shared_key: pki.pre_shared_key(),
            services_listen: any_port(),
            sae_identity: IdentityRule::default(),
            etsi014_listen: None,
            metrics_listen: None,
            tls: pki.files_of(name),
            parameters: self.parameters.clone(),
            session: self.session.clone(),
            store: StoreConfig {
                key_size_bits: 256,
                key_count_max: self.key_count_max,
                unfetched_age_max_s: StoreConfig::UNFETCHED_AGE_MAX_S,
                compare_every_s: StoreConfig::COMPARE_EVERY_S,
                store_key: pki.store_key_of(name),
            },
            messages: MessagesConfig::default(),
            monitors: MonitorsConfig::default(),
            debug: DebugConfig::default(),
            delivery: DeliveryConfig::default(),
            saes: vec![sae(SAE_ALICE, ALICE), sae(SAE_BOB, BOB)],
        }
    }
}

/// Two daemons, started or not yet, and everything they need. All of it goes when dropped.
pub struct Nodes {
    /// Alice's configuration, for her next start; her peers are Bob's addresses once he runs.
    pub alice_config: AliceConfig,
    /// Bob's configuration, for his next start; it keeps the ports that he got at his first.
    pub bob_config: BobConfig,
    /// Eve's configuration, for her next start, right before Bob; passive when not said. She keeps
    /// the ports that she got at her first start.
    pub eve_config: EveConfig,
    /// What Alice is told with `--fibre`.
    pub fibre: Option<HostPort>,
    /// The certificates and keys of everybody.
    pub pki: LabPki,
    /// How far Bob's clock is ahead, as `faketime` takes it; right when not said.
    pub bob_clock: Option<&'static str>,
    log_level: Option<&'static str>,
    alice: Option<Node>,
    bob: Option<Node>,
    eve: Option<Node>,
    /// Dropped last, when no daemon uses it any more.
    folder: TempDir,
}

impl Nodes {
    /// A link over 25 km with `snspd` hardware and blocks of 200,000 bits, unless said otherwise.
    pub fn builder() -> Builder {
        let mut parameters = presets::snspd(25.0);
        parameters.security.block_bits = 200_000;
        Builder {
            parameters,
            session: SessionConfig::default(),
            key_count_max: 10_000,
            log_level: None,
        }
    }

    /// The folder of configurations, logs and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The key store of `name`.
    pub fn store_file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}-data/keys.redb"))
    }

    /// Starts Bob as `bob_config` says, and lets Alice's configuration name him as her peer.
    pub async fn start_bob(&mut self) {
        let config = NodeConfig::Bob(self.bob_config.clone());
        let bob = Node::start(self.program("bob", BOB), &config).await;
        self.put_bob(bob);
    }

    /// As [`start_bob`](Self::start_bob); false when he ended before he was there.
    pub async fn try_start_bob(&mut self) -> bool {
        let config = NodeConfig::Bob(self.bob_config.clone());
        let bob = Node::try_start(self.program("bob", BOB), &config).await;
        bob.map(|bob| self.put_bob(bob)).is_ok()
    }

    fn put_bob(&mut self, bob: Node) {
        let bound = |address: Option<SocketAddr>| HostPort::from(address.expect("Bob has bound"));
        self.bob_config.quantum_listen = bound(bob.quantum);
        self.bob_config.classical_listen = bound(bob.classical);
        self.bob_config.link.services_listen = HostPort::from(bob.services);
        self.alice_config.quantum_peer = self.bob_config.quantum_listen.clone();
        self.eve_config.quantum_peer = self.bob_config.quantum_listen.clone();
        self.alice_config.classical_peer = self.bob_config.classical_listen.clone();
        self.bob = Some(bob);
    }

    /// Starts Alice as `alice_config` says.
    pub async fn start_alice(&mut self) {
        let config = NodeConfig::Alice(self.alice_config.clone());
        let alice = Node::start(self.alice_program(), &config).await;
        self.put_alice(alice);
    }

    /// Starts both and waits until each has the keys of a block.
    pub async fn start_with_keys(&mut self) {
        self.start_bob().await;
        self.start_alice().await;
        for node in [self.alice(), self.bob()] {
            node.until("keys in store", |now| now.stored_key_count > 20)
                .await;
        }
    }

    /// As [`start_alice`](Self::start_alice); false when she ended before she was there.
    pub async fn try_start_alice(&mut self) -> bool {
        let config = NodeConfig::Alice(self.alice_config.clone());
        let alice = Node::try_start(self.alice_program(), &config).await;
        alice.map(|alice| self.put_alice(alice)).is_ok()
    }

    fn alice_program(&self) -> Program {
        let mut program = self.program("alice", ALICE);
        if let Some(fibre) = &self.fibre {
            program.arguments = vec!["--fibre".to_owned(), fibre.to_string()];
        }
        program
    }

    fn put_alice(&mut self, alice: Node) {
        self.alice_config.link.services_listen = HostPort::from(alice.services);
        self.alice = Some(alice);
    }

    /// Starts Eve as `eve_config` says, once Bob has been started.
    pub async fn start_eve(&mut self) {
        let config = NodeConfig::Eve(self.eve_config.clone());
        let eve = Node::start(self.program("eve", EVE), &config).await;
        let listening = eve.quantum.expect("Eve has bound");
        self.eve_config.quantum_listen = HostPort::from(listening);
        self.eve_config.services_listen = HostPort::from(eve.services);
        self.eve = Some(eve);
    }

    /// Alice, running.
    pub fn alice(&self) -> &Node {
        self.alice.as_ref().expect("Alice was started")
    }

    /// Bob, running.
    pub fn bob(&self) -> &Node {
        self.bob.as_ref().expect("Bob was started")
    }

    /// Eve, running.
    pub fn eve(&self) -> &Node {
        self.eve.as_ref().expect("Eve was started")
    }

    /// Takes Eve out, to stop or kill her.
    pub fn take_eve(&mut self) -> Node {
        self.eve.take().expect("Eve was started")
    }

    /// Alice, if she was started and not taken out.
    pub fn alice_mut(&mut self) -> Option<&mut Node> {
        self.alice.as_mut()
    }

    /// Bob, if he was started and not taken out.
    pub fn bob_mut(&mut self) -> Option<&mut Node> {
        self.bob.as_mut()
    }

    /// Takes Alice out, to stop or kill her.
    pub fn take_alice(&mut self) -> Node {
        self.alice.take().expect("Alice was started")
    }

    /// Takes Bob out, to stop or kill him.
    pub fn take_bob(&mut self) -> Node {
        self.bob.take().expect("Bob was started")
    }

    /// Writes a profile with which `client` calls `node` at `services`; returns its path.
    pub fn profile(
        &self,
        file: &str,
        (client, node): (&str, &str),
        services: SocketAddr,
    ) -> String {
        let profile = ClientProfile {
            name: client.to_owned(),
            node: node.to_owned(),
            services: services.into(),
            tls: self.pki.files_of(client),
        };
        let path = self.folder().join(file);
        std::fs::write(&path, profile.to_toml()).expect("a profile can be written");
        path.to_str().expect("paths of tests are text").to_owned()
    }

    fn program(&self, role: &'static str, name: &'static str) -> Program {
        Program {
            role,
            name,
            folder: self.folder().to_path_buf(),
            operator: self.pki.files_of(OPERATOR),
            log_level: self.log_level,
            arguments: Vec::new(),
            clock: if role == "bob" { self.bob_clock } else { None },
        }
    }
}

/// Certificates and keys for everybody who occurs in a test; the authority's key is kept.
pub fn make_pki(folder: &Path) -> LabPki {
    let nodes = [ALICE, BOB, EVE].map(Party::node);
    let applications = [SAE_ALICE, SAE_BOB, OPERATOR].map(Party::application);
    let set = NewSet {
        parties: nodes.into_iter().chain(applications).collect(),
        validity: VALIDITY,
        authority_validity: VALIDITY,
        public_files: Vec::new(),
    };
    let kept = KeptPki::in_folder(folder, None);
    kept.create(&set).expect("certificates can be made");
    kept.files().clone()
}

fn any_port() -> HostPort {
    HostPort::new("127.0.0.1", 0)
}
