//! The photon path: UDP sockets and optical instruments on plain threads.
//!
//! Nothing here is authenticated, acknowledged or sent twice; what is lost is vacuum.

mod light_in;
mod onward;
mod receive;
mod tap;
mod transmit;

use std::net::SocketAddr;

use qkd_optics::{FrameAddress, SlotList};
use qkd_session::SessionId;

use crate::config::HostPort;

pub use light_in::{RECEIVE_BUFFER_BYTES, bind, receive_buffer_bytes};
pub use onward::{Onward, OnwardSender};
pub use receive::ReceivePath;
pub use tap::{Stand, Tap, TapError, Workbench, name_of};
pub use transmit::{TransmitPath, shape};

/// What the link tells the optical instruments.
pub enum Command {
    /// Start or pause the transmitter.
    Transmit {
        /// Whether Bob wants light.
        wanted: bool,
    },
    /// Tell what was sent in these slots, then forget all before the end.
    Recall {
        /// Block in this session.
        block: u64,
        /// The slots, rising.
        slots: SlotList,
        /// First slot of the block.
        first_slot: u64,
        /// First slot after the block.
        end_slot: u64,
    },
    /// Alice's clock has come so far.
    Clock {
        /// Slots since the session began.
        emitted_slots: u64,
    },
}

/// Whom the frames of a session belong to. Nothing changes within a session that would take another
/// link or epoch.
pub fn address(session: SessionId) -> FrameAddress {
    FrameAddress {
        session: session.0,
        link: 0,
        epoch: 0,
    }
}

/// The first address of a name.
///
/// # Errors
/// When the name does not resolve.
pub fn resolve(name: &HostPort) -> std::io::Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;
    (name.host.as_str(), name.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::other(format!("`{name}` has no address")))
}
