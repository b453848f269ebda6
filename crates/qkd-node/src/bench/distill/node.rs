//! One side: keys, store, board, and the call that Alice makes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use qkd_auth::{PreSharedKey, Role};
use qkd_bits::SecretRng;
use qkd_delivery::{Directory, KmeId};
use qkd_keystore::{Change, KeyStore, Record, Side, Storage, StorageError, StoreLimits};
use qkd_protocols::LinkSetup;
use qkd_session::{AbortReason, Alice, BlockReport, Bob, Outcome, SessionLimits};
use qkd_wire::link::FRAME_BYTES_MAX;
use qkd_wire::proto::link as proto;
use qkd_wire::proto::link::link_client::LinkClient;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::instruments;
use super::raw::Raw;
use super::{NAMES, RAW_SEED, Settings};
use crate::NodeError;
use crate::daemon::{blocks_undecided_max, link_client, waiting_bytes_max};
use crate::hub::KeyHub;
use crate::link::{
    Agreed, Connection, Established, FrameSender, Frames, Instruments, LinkHandle, Party, Traffic,
    cores, frames, serve, shake_hands,
};
use crate::mailbox::Mailboxes;
use crate::parameters::LinkParameters;
use crate::pki::LabPki;
use crate::quantum::Command;
use crate::secret_file;
use crate::shutdown::Shutdown;
use crate::status::StatusBoard;
use crate::tls::LiveTls;

/// Bytes of a mailbox that nobody writes to.
const MAILBOX_BYTES: u64 = 1 << 20;

/// Records that are gone when the process ends. The store holds its keys in memory and reads its
/// records once, when it is opened.
struct Forgetful;

impl Storage for Forgetful {
    fn load(&mut self) -> Result<Vec<Record>, StorageError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _changes: &[Change]) -> Result<(), StorageError> {
        Ok(())
    }
}

/// One side, opened.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) side: Side,
    pub(super) setup: LinkSetup,
    pub(super) tls: Arc<LiveTls>,
    parameters: LinkParameters,
    blocks_in_flight_max: usize,
    key: Arc<PreSharedKey>,
    shared: Instruments,
}

/// What one side has come to. Cheap to clone.
#[derive(Clone)]
pub struct Figures {
    board: StatusBoard,
    hub: Arc<KeyHub>,
}

impl Figures {
    /// Blocks that ended after the first `after` of them, with a key in both stores or without, in
    /// that order; at most the last 4096.
    pub fn reports_after(&self, after: u64) -> Vec<BlockReport> {
        let reports = self.board.reports_after(after).into_iter();
        reports.map(|numbered| numbered.report).collect()
    }

    /// Whether a block ended because the tags of its two sides differed.
    pub fn is_unverified(report: &BlockReport) -> bool {
        match &report.outcome {
            Outcome::Aborted(abort) => abort.reason == AbortReason::VerificationFailed,
            Outcome::Key { .. } => false,
        }
    }

    /// What this side has said to the other so far.
    pub fn traffic(&self) -> Traffic {
        self.board.traffic()
    }

    /// Bytes of key that the store holds in memory.
    pub fn key_bytes(&self) -> u64 {
        let status = self.hub.status();
        (status.available_bits + status.peer_available_bits) / 8
    }
}

impl Node {
    pub(super) fn open(settings: &Settings, side: Side) -> Result<Self, NodeError> {
        let (name, peer) = names(side);
        let pki = LabPki::in_folder(&settings.folder);
        let tls = Arc::new(LiveTls::load(&pki.files_of(name))?);
        let path = pki.pre_shared_key();
        let key = PreSharedKey::new(secret_file::read_pre_shared_key(&path)?)
            .map_err(|source| NodeError::PreSharedKey { path, source })?;
        let mut rng = random()?;
        // Nobody fetches the keys, so they need as much room as there can be.
        let limits = StoreLimits {
            material_bytes_max: u64::from(u32::MAX),
            blocks_undecided_max: blocks_undecided_max(settings.blocks_in_flight_max as u64),
            ..StoreLimits::default()
        };
        let store_key = rng.bytes(32);
        let store = KeyStore::open(side, Box::new(Forgetful), store_key, rng.fork(), limits)
            .map_err(|source| NodeError::Store {
                path: "in memory".into(),
                source,
            })?;
        let board = StatusBoard::default();
        let hub = KeyHub::new(store, u64::MAX, Box::new(|| true), board.clone())
            .map_err(NodeError::Thread)?;
        let mailboxes = settings.folder.join(format!("{name}.messages"));
        let mailboxes = Mailboxes::open(
            mailboxes,
            [],
            (MAILBOX_BYTES, Box::new(|| true)),
            board.clone(),
        )
        .map_err(NodeError::Messages)?;
        let directory = Directory::new(KmeId::new(name)?, KmeId::new(peer)?, [])?;
        Ok(Self {
            side,
            setup: settings.parameters.setup()?,
            tls,
            parameters: settings.parameters.clone(),
            blocks_in_flight_max: settings.blocks_in_flight_max,
            key: Arc::new(key),
            shared: Instruments {
                hub: Arc::new(hub),
                board,
                mailboxes: Arc::new(mailboxes),
                relay: Arc::default(),
                directory: Arc::new(directory),
                worker_threads: cores(),
            },
        })
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            board: self.shared.board.clone(),
            hub: self.shared.hub.clone(),
        }
    }

    /// The raw blocks of this link, from their beginning.
    pub(super) fn raw(&self) -> Raw {
        Raw::draw(&self.setup, RAW_SEED)
    }

    /// The name that the other side's certificate has.
    pub(super) fn peer(&self) -> &'static str {
        names(self.side).1
    }

    /// The two ends of the stream to the peer.
    pub(super) fn stream(&self) -> (FrameSender, Frames) {
        let blocks = self.blocks_in_flight_max as u64;
        frames(waiting_bytes_max(blocks, self.setup.plan.detections))
    }

    /// Alice's call, until the link ends.
    pub(super) async fn call(self, raw: Raw, peer: SocketAddr, shutdown: Shutdown) -> String {
        match self.connect(peer).await {
            Ok((outgoing, incoming)) => self.distil(raw, outgoing, incoming, shutdown).await,
            Err(reason) => reason,
        }
    }

    /// Alice's stream to Bob, before any word of it.
    pub(super) async fn connect(
        &self,
        peer: SocketAddr,
    ) -> Result<(FrameSender, Streaming<proto::Frame>), String> {
        let tls = self.tls.current();
        let channel = tls
            .connect(&peer.into(), self.peer(), link_client)
            .await
            .map_err(|error| format!("Bob cannot be reached at {peer}: {error}"))?;
        let mut client = LinkClient::new(channel)
            .max_decoding_message_size(FRAME_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        let (outgoing, frames) = self.stream();
        let incoming = client
            .connect(frames.filter_map(Result::ok))
            .await
            .map_err(|status| format!("Bob refuses the link: {}", status.message()))?
            .into_inner();
        Ok((outgoing, incoming))
    }

    /// Shakes hands on a fresh stream and distils until it ends; says why it did.
    pub(super) async fn distil(
        self,
        raw: Raw,
        outgoing: FrameSender,
        mut incoming: Streaming<proto::Frame>,
        shutdown: Shutdown,
    ) -> String {
        let begun = async {
            let established = self.shake_hands(&outgoing, &mut incoming).await?;
            let party = self.party(established.session)?;
            Ok::<_, String>((established, party))
        };
        let (established, party) = match begun.await {
            Ok(begun) => begun,
            Err(reason) => return reason,
        };
        let connection = Connection {
            established,
            party,
            outgoing,
            incoming,
        };
        let block_detections = self.setup.plan.detections;
        let start = |link: LinkHandle, commands: Receiver<Command>| {
            let thread: std::io::Result<JoinHandle<()>> = match self.side {
                Side::Alice => instruments::recall(raw, link, commands),
                Side::Bob => instruments::detect(raw, block_detections, link, commands),
            };
            Ok(vec![thread?])
        };
        serve(connection, &self.shared, &shutdown, start).await
    }

    /// The handshake on a fresh stream.
    pub(super) async fn shake_hands(
        &self,
        outgoing: &FrameSender,
        incoming: &mut Streaming<proto::Frame>,
    ) -> Result<Established, String> {
        let role = match self.side {
            Side::Alice => Role::Alice,
            Side::Bob => Role::Bob,
        };
        let agreed = Agreed::of(&self.parameters, self.blocks_in_flight_max as u64);
        let mut rng = random().map_err(in_words)?;
        let shaken = shake_hands(role, &self.key, &agreed, &mut rng, outgoing, incoming);
        shaken.await.map_err(in_words)
    }

    fn party(&self, session: qkd_session::SessionId) -> Result<Party, String> {
        let rng = random().map_err(in_words)?;
        let name = self.parameters.protocol.name.name();
        let protocol = qkd_protocols::by_name(name, self.setup.clone()).map_err(in_words)?;
        let limits = SessionLimits {
            blocks_in_flight_max: self.blocks_in_flight_max,
            blocks_max: None,
        };
        Ok(match self.side {
            Side::Alice => Party::Alice(Alice::new(session, protocol, limits, rng)),
            Side::Bob => {
                let prior = self.setup.plan.qber_expected();
                Party::Bob(Bob::new(session, protocol, limits, prior, rng))
            }
        })
    }
}

fn in_words(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The names of a side and of the other one.
fn names(side: Side) -> (&'static str, &'static str) {
    let [alice, bob] = NAMES;
    match side {
        Side::Alice => (alice, bob),
        Side::Bob => (bob, alice),
    }
}

fn random() -> Result<SecretRng, NodeError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(SecretRng::from_seed(seed))
}
