//! Alice: calls Bob, keeps the link up, transmits.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_bits::PhysicsRng;
use qkd_keystore::Side;
use qkd_optics::{AlicesDoor, Doorway, FrameEncoder, Layout, Transmitter, transmittance};
use qkd_session::{Alice, SessionId};
use qkd_wire::link::FRAME_BYTES_MAX;
use qkd_wire::proto::link::link_client::LinkClient;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

use super::link_node::LinkNode;
use super::server::link_client;
use super::{NodeError, Ready};
use crate::config::{AliceConfig, HostPort, Role};
use crate::hub::KeyHub;
use crate::link::{Connection, LinkHandle, Party, frames, hang_up, serve};
use crate::quantum::{self, Command, Onward, TransmitPath};
use crate::shutdown::Shutdown;
use crate::status::LinkState;
use crate::tls;

/// Time before the first attempt to reach Bob again; the pause doubles with each one that comes to
/// nothing, up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(125);

/// Time between two attempts to reach Bob, at most.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Distance of two links whose end lets her call again after [`RETRY_FIRST`]: one that ends right after
/// every handshake must not have both sides shake hands, and log it, without a pause.
const HURRY_EVERY: Duration = Duration::from_secs(10);

/// Time to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

pub(super) async fn run(
    config: AliceConfig,
    shutdown: Shutdown,
    ready: impl FnOnce(&Ready, &Arc<KeyHub>) + Send,
) -> Result<(), NodeError> {
    let AliceConfig {
        link,
        quantum_peer,
        slots_per_second_max,
        segment_loss_db,
        door,
        classical_peer,
        server_name,
    } = config;
    let stated = link.parameters.security.side_channels.reflected_photons;
    for weakness in weaknesses(&door, stated) {
        tracing::warn!("[alices_door] {weakness}");
    }
    let node = LinkNode::open(link, Side::Alice)?;
    let listeners = node.listen().await?;
    let addresses = Ready {
        role: Role::Alice,
        quantum: None,
        classical: None,
        services: listeners.services_address,
        etsi014: listeners.etsi014_address(),
        metrics: listeners.metrics.address(),
    };
    ready(&addresses, &node.shared.hub);
    let board = node.shared.board.clone();
    let tell = Box::new(move |fault| board.fibre(fault));
    let onward = Onward::start("[quantum] peer or --fibre", quantum_peer, tell);
    let caller = Caller {
        node: &node,
        classical_peer,
        server_name,
        onward: onward.map_err(NodeError::Thread)?,
        slots_per_second_max,
        segment_loss_db,
        door,
    };
    tokio::try_join!(node.serve(listeners, shutdown.clone()), async {
        caller.keep_linked(&shutdown).await;
        Ok(())
    })?;
    Ok(())
}

/// What of her door the key length does not reckon with, where the operator states that so many photons
/// per slot come back.
fn weaknesses(door: &AlicesDoor, stated_photons: f64) -> Vec<String> {
    let mut weaknesses = Vec::new();
    let unseen = door.unseen_returned_photons();
    if unseen > stated_photons {
        weaknesses.push(format!(
            "lets {unseen:.3e} photons per slot come back unseen, but [security.side_channels] \
             reflected_photons states {stated_photons:e}: a Trojan horse may know more than is taken \
             off the key"
        ));
    }
    if door.brightens() && door.output_monitor.is_none() {
        weaknesses.push(
            "lets light reach the laser, and no output_monitor looks at what leaves: intensities may be \
             higher than the key length assumes"
                .to_owned(),
        );
    }
    match door.layout {
        Layout::OneWay => {}
        Layout::TwoWay => weaknesses.push(
            "has Bob's laser make Alice's pulses: somebody in the fibre may choose when they meet her \
             modulator"
                .to_owned(),
        ),
    }
    weaknesses
}

/// How long she waits before she calls again.
struct Pauses {
    next: Duration,
    /// When a link ended after which she was in a hurry.
    hurried: Option<Instant>,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            next: RETRY_FIRST,
            hurried: None,
        }
    }
}

impl Pauses {
    /// A link has ended that was up. Whether the next pause is the shortest for that, which it is once
    /// in [`HURRY_EVERY`].
    fn hurry(&mut self, now: Instant) -> bool {
        let is_early = |at| now.saturating_duration_since(at) < HURRY_EVERY;
        if self.hurried.is_some_and(is_early) {
            return false;
        }
        self.hurried = Some(now);
        self.next = RETRY_FIRST;
        true
    }

    /// The pause before the next call.
    fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = RETRY_MAX.min(2 * pause);
        pause
    }
}

struct Caller<'a> {
    node: &'a LinkNode,
    classical_peer: HostPort,
    /// The name that Bob's certificate must carry.
    server_name: String,
    onward: Onward,
    slots_per_second_max: f64,
    /// Loss up to whoever gets the light first, dB; all of the channel's when absent.
    segment_loss_db: Option<f64>,
    /// What stands between the fibre and her instruments.
    door: AlicesDoor,
}

impl Caller<'_> {
    /// Connects, serves, and connects again, until shutdown.
    async fn keep_linked(&self, shutdown: &Shutdown) {
        let board = &self.node.shared.board;
        let mut said = String::new();
        let mut pauses = Pauses::default();
        while !shutdown.is_requested() {
            let (ended, was_up) = match self.node.fault() {
                None => match self.link(shutdown).await {
                    Ok(ended) => (ended, true),
                    Err(reason) => (reason, false),
                },
                Some(fault) => (fault, false),
            };
            board.link(LinkState::Connecting, &ended);
            if shutdown.is_requested() {
                return;
            }
            let is_news = was_up && pauses.hurry(Instant::now());
            // The same reason once a second would bury everything else; a link that was up deserves
            // its own, unless another one has just ended.
            if tls::without_now(&said) != tls::without_now(&ended) || is_news {
                tracing::warn!(reason = ended, "no link to Bob; trying again");
                said = ended;
            }
            tokio::select! {
                () = tokio::time::sleep(pauses.next()) => {}
                () = shutdown.requested() => return,
            }
        }
    }

    /// One connection from call to end; says why it ended.
    ///
    /// # Errors
    /// Why there was none.
    async fn link(&self, shutdown: &Shutdown) -> Result<String, String> {
        // A connection that is served ends in its own good order; one that is still being made can
        // simply be dropped.
        let made = tokio::select! {
            made = self.connect() => made,
            () = shutdown.requested() => return Err("this node is shutting down".into()),
        };
        let (connection, transmitter, nature) = made?;
        let session = connection.established.session;
        tracing::info!(%session, "link to Bob established");
        let served = serve(connection, &self.node.shared, shutdown, |link, commands| {
            self.start(session, (transmitter, nature), link, commands)
        });
        Ok(served.await)
    }

    /// Calls Bob and shakes hands with him; the error says why there is no connection.
    async fn connect(&self) -> Result<(Connection, Transmitter, PhysicsRng), String> {
        let node = self.node;
        let tls = node.tls.current();
        let channel = tls
            .connect(&self.classical_peer, &self.server_name, link_client)
            .await
            .map_err(|error| {
                format!("Bob cannot be reached at {}: {error}", self.classical_peer)
            })?;
        let mut client = LinkClient::new(channel)
            .max_decoding_message_size(FRAME_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        let (outgoing, frames) = frames(node.waiting_bytes_max());
        // Both sides speak at once: the call returns when Bob's first frame is on its way.
        let frames = frames.filter_map(Result::ok);
        let mut incoming = tokio::time::timeout(CONNECT_TIME_MAX, client.connect(frames))
            .await
            .map_err(|_| "Bob does not answer the call".to_owned())?
            .map_err(|status| refused(&status))?
            .into_inner();
        let board = &node.shared.board;
        board.link(LinkState::Handshake, "");
        let shaken = node.shake_hands(&outgoing, &mut incoming).await;
        let (established, mut rng) = match shaken {
            Ok(shaken) => shaken,
            Err(fault) => {
                hang_up(outgoing, incoming).await;
                return Err(fault.to_string());
            }
        };
        let protocol = node.protocol().map_err(|error| error.to_string())?;
        let engine = Alice::new(established.session, protocol, node.limits(), rng.fork())
            .with_monitors(node.monitors());
        let connection = Connection {
            established,
            party: Party::Alice(engine),
            outgoing,
            incoming,
        };
        let mut hardware = node.setup.hardware.clone();
        if let Some(loss_db) = self.segment_loss_db {
            hardware.segment_transmittance = transmittance(loss_db);
        }
        let mut transmitter = hardware
            .transmitter(rng.fork())
            .map_err(|error| format!("Alice's transmitter cannot be built: {error}"))?;
        if let Some(defect) = node.config.debug.generator {
            transmitter.spoil_generator(defect);
        }
        let nature = PhysicsRng::from_seed(rng.next_u64());
        Ok((connection, transmitter, nature))
    }

    fn start(
        &self,
        session: SessionId,
        (transmitter, nature): (Transmitter, PhysicsRng),
        link: LinkHandle,
        commands: Receiver<Command>,
    ) -> std::io::Result<Vec<JoinHandle<()>>> {
        let address = quantum::address(session);
        let shape = quantum::shape(address, &transmitter, self.slots_per_second_max)
            .map_err(std::io::Error::other)?;
        let doorway = Doorway::new(self.door, &transmitter, address, nature);
        let path = TransmitPath {
            doorway: doorway.map_err(std::io::Error::other)?,
            transmitter,
            encoder: FrameEncoder::new(shape),
            onward: self.onward.sender(),
            slots_per_second_max: self.slots_per_second_max,
            failed_generator: self.node.failed_generator(),
            unannounced_slots_max: self.node.unannounced_slots_max(self.slots_per_second_max),
            link,
            board: self.node.shared.board.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("quantum-transmit".into())
            .spawn(move || path.run(&commands))?;
        Ok(vec![thread])
    }
}

/// Why a call came to nothing: in Bob's own words, or in those of a connection that he cut short.
fn refused(status: &Status) -> String {
    match status.source() {
        Some(source) => format!(
            "Bob cuts the connection off: {}; his log says why",
            tls::explain(source)
        ),
        None if status.code() == Code::Cancelled => {
            "Bob cuts the connection off before the call; his log says why".into()
        }
        None => format!("Bob refuses the link: {}", status.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_weak_where_nobody_looks_and_nobody_has_said_so() {
        use qkd_optics::{Isolation, OutputMonitor};
        assert!(weaknesses(&AlicesDoor::default(), 0.0).is_empty());
        let mut door = AlicesDoor {
            layout: Layout::TwoWay,
            isolation: Isolation::everywhere(190.0),
            laser_isolation: Isolation::everywhere(60.0),
            seeding_per_photon: 0.1,
            ..AlicesDoor::default()
        };
        let said = weaknesses(&door, 0.0);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("1.000e-7 photons"), "{}", said[0]);
        door.output_monitor = Some(OutputMonitor { tolerance: 0.05 });
        door.layout = Layout::OneWay;
        assert!(weaknesses(&door, 1.1e-7).is_empty());
    }

    #[test]
    fn a_link_that_ends_after_every_handshake_is_made_about_once_a_second() {
        let begun = Instant::now();
        let (mut pauses, mut waited, mut calls) = (Pauses::default(), Duration::ZERO, 0);
        while waited < Duration::from_secs(60) {
            let _ = pauses.hurry(begun + waited);
            waited += pauses.next();
            calls += 1;
        }
        assert!((60..90).contains(&calls), "{calls} calls in {waited:?}");
    }

    #[test]
    fn a_link_that_was_up_for_ten_seconds_is_made_again_at_once() {
        let mut at = Instant::now();
        let mut pauses = Pauses::default();
        for _ in 0..20 {
            pauses.next();
        }
        assert_eq!(pauses.next(), RETRY_MAX);
        for _ in 0..3 {
            assert!(pauses.hurry(at));
            assert_eq!(pauses.next(), RETRY_FIRST);
            at += HURRY_EVERY;
        }
        assert!(!pauses.hurry(at - HURRY_EVERY / 2));
    }
}
