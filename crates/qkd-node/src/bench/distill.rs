//! One side of a real link without light, for whoever measures how fast post-processing is.
//!
//! Everything from the detector clicks on is what the daemons run: mutual TLS, gRPC, the handshake,
//! envelopes, the session's engine, the commit of both key stores and the refresh of authentication
//! keys. In place of the optical instruments stand two generators that know the same raw blocks from
//! a public seed. The key store keeps its records in memory alone, so that no disk is measured; keys
//! that come out are worth nothing, and nobody gets them.

mod answer;
mod instruments;
mod node;
mod raw;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

pub use instruments::THREAD as INSTRUMENTS_THREAD;
pub use node::Figures;
pub use source::SLOTS_PER_DETECTION;

pub use crate::link::Traffic;

use crate::NodeError;
use crate::parameters::{FIXED_LENGTH_MIN_BITS, LinkParameters};
use crate::pki::{LabPki, Parties, PkiError};
use crate::presets;
use crate::shutdown::Shutdown;
use node::Node;
use raw::Raw;

/// Fibre of the link, km: short, as post-processing is what limits a short link.
pub const DISTANCE_KM: f64 = 10.0;

/// Names of the two nodes in their certificates.
const NAMES: [&str; 2] = ["alice", "bob"];

/// The seed that both sides draw the raw blocks from.
const RAW_SEED: u64 = 0x6469_7374_696c;

/// What both sides of a measurement are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The link; its light is what the generators imitate.
    pub parameters: LinkParameters,
    /// Blocks between announcement and key.
    pub blocks_in_flight_max: usize,
    /// Folder with the certificates and the pre-shared key of both, as [`make_pki`] makes them; the
    /// sides put their own files there as well.
    pub folder: PathBuf,
}

/// Makes certificates and the pre-shared key for two sides.
///
/// # Errors
/// When the folder cannot be written.
pub fn make_pki(folder: &std::path::Path) -> Result<(), PkiError> {
    let nodes = &NAMES;
    LabPki::create(folder, &Parties { nodes, saes: &[] }).map(drop)
}

/// The link that is measured: nanowire detectors over [`DISTANCE_KM`] of fibre, an error rate of
/// `qber` by misalignment alone, and the source with the most secret bits per detection in blocks of
/// `block_bits`, a detection every [`SLOTS_PER_DETECTION`] slots. Where no source gives a key to
/// applications, the source is the preset's.
///
/// # Errors
/// When a figure is out of range.
pub fn link(qber: f64, block_bits: u64) -> Result<LinkParameters, qkd_security::Error> {
    let mut parameters = presets::snspd(DISTANCE_KM);
    parameters.protocol.misalignment_error = qber;
    parameters.security.block_bits = block_bits;
    let Some(best) = source::best(&parameters)? else {
        return Ok(parameters);
    };
    let length = best.block_plan()?.acceptance.secret_length_bits;
    Ok(if length >= FIXED_LENGTH_MIN_BITS {
        best
    } else {
        parameters
    })
}

/// What a block of a link is planned to come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// Bits that an accepted block is amplified to.
    pub fixed_length_bits: u64,
    /// The same over the sifted bits that are expected.
    pub secret_fraction: f64,
    /// Slots from one detection to the next, expected.
    pub slots_per_detection: f64,
    /// Secret bits per slot, expected of blocks that are accepted.
    pub secret_bits_per_slot: f64,
}

/// What a block of `link` is planned to come to.
///
/// # Errors
/// When a figure is out of range.
pub fn planned(link: &LinkParameters) -> Result<Planned, qkd_security::Error> {
    let plan = link.block_plan()?;
    let length = plan.acceptance.secret_length_bits as f64;
    let [signal, decoy] = plan.statistics_expected.key.counts;
    Ok(Planned {
        fixed_length_bits: plan.acceptance.secret_length_bits,
        secret_fraction: length / (signal + decoy),
        slots_per_detection: plan.slots_expected / plan.detections as f64,
        secret_bits_per_slot: length / plan.slots_expected,
    })
}

/// Bob, bound and not yet called.
pub struct Answering {
    node: Node,
    raw: Raw,
    listener: TcpListener,
    address: SocketAddr,
}

impl Answering {
    /// Opens Bob's side and binds a port of loopback that the system chooses.
    ///
    /// # Errors
    /// When the link makes no sense, or a file or socket cannot be had.
    pub async fn listen(settings: &Settings) -> Result<Self, NodeError> {
        let node = Node::open(settings, qkd_keystore::Side::Bob)?;
        let raw = node.raw();
        let address = SocketAddr::from(([127, 0, 0, 1], 0)).into();
        let (listener, address) = crate::daemon::listen("the bench's Bob", &address).await?;
        Ok(Self {
            node,
            raw,
            listener,
            address,
        })
    }

    /// Where Alice has to call.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has come to, from any thread and at any time.
    pub fn figures(&self) -> Figures {
        self.node.figures()
    }

    /// Answers one call and distils until it ends; says why it did.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve(self, shutdown: Shutdown) -> Result<String, NodeError> {
        answer::answer(self.node, self.raw, self.listener, shutdown).await
    }
}

/// Alice, before she calls.
pub struct Calling {
    node: Node,
    raw: Raw,
}

impl Calling {
    /// Opens Alice's side.
    ///
    /// # Errors
    /// As [`Answering::listen`].
    pub fn open(settings: &Settings) -> Result<Self, NodeError> {
        let node = Node::open(settings, qkd_keystore::Side::Alice)?;
        let raw = node.raw();
        Ok(Self { node, raw })
    }

    /// What it has come to, from any thread and at any time.
    pub fn figures(&self) -> Figures {
        self.node.figures()
    }

    /// Calls Bob at `peer` and distils until the link ends; says why it did.
    pub async fn serve(self, peer: SocketAddr, shutdown: Shutdown) -> String {
        self.node.call(self.raw, peer, shutdown).await
    }
}

#[cfg(test)]
mod tests;
