//! One way out: sockets that are connected to one address and never block.

use std::io::{ErrorKind, Result};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use qkd_optics::FRAME_BYTES;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::SockRef;

/// Send buffer to ask the system for, in bytes; what does not fit is lost light.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// Sockets that lead to one address.
pub(super) struct Way {
    address: SocketAddr,
    /// Takes one datagram at a time, cut to pieces where a network on the way has small ones.
    single: UdpSocket,
    /// Takes many at a time (generic segmentation offload), which this system does not cut.
    batches: UdpSocket,
    /// Knows whether the system can do that. An error that says it cannot makes it know.
    state: UdpSocketState,
    /// A network on the way is known to be too small for a whole frame: one at a time from now on.
    cut: AtomicBool,
}

impl Way {
    /// The way to `address`, as far as it is known without sending anything.
    pub fn to(address: SocketAddr) -> Result<Self> {
        let single = connected(address)?;
        single.set_nonblocking(true)?;
        let batches = connected(address)?;
        let state = UdpSocketState::new(UdpSockRef::from(&batches))?;
        heed_the_path(&batches, address)?;
        Ok(Self {
            address,
            single,
            state,
            batches,
            cut: AtomicBool::new(false),
        })
    }

    /// Sends datagrams of [`FRAME_BYTES`] each, of which the last may be shorter; returns how many
    /// left. Either all of a batch leave, or the ones before the error.
    pub fn send(&self, datagrams: &[u8]) -> Result<u64> {
        if datagrams.len() > FRAME_BYTES && self.takes_batches() {
            let transmit = Transmit {
                destination: self.address,
                ecn: None,
                contents: datagrams,
                segment_size: Some(FRAME_BYTES),
                src_ip: None,
            };
            match self
                .state
                .try_send(UdpSockRef::from(&self.batches), &transmit)
            {
                Ok(()) => return Ok(datagrams.len().div_ceil(FRAME_BYTES) as u64),
                // From now on one at a time: this system, or the network card, cannot do it.
                Err(_) if self.state.max_gso_segments() == 1 => {}
                // A frame is too long for the way and has to be cut.
                Err(error) if quinn_udp::is_msg_size_err(&error) => {
                    self.cut.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        let mut left = 0;
        for datagram in datagrams.chunks(FRAME_BYTES) {
            match self.send_one(datagram) {
                Ok(()) => left += 1,
                Err(error) if left == 0 => return Err(error),
                // The next batch meets the same error first, and says so.
                Err(_) => break,
            }
        }
        Ok(left)
    }

    /// One piece of what the address has sent to either socket: the system may have put several
    /// datagrams together in the one for batches.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when nothing waits.
    pub fn receive(&self, room: &mut [u8]) -> Result<usize> {
        match self.single.recv(room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.batches.recv(room),
            received => received,
        }
    }

    fn takes_batches(&self) -> bool {
        self.state.max_gso_segments() > 1 && !self.cut.load(Ordering::Relaxed)
    }

    fn send_one(&self, datagram: &[u8]) -> Result<()> {
        let sent = match self.single.send(datagram) {
            // News of the way, about an earlier datagram. It is cut from now on.
            Err(error) if quinn_udp::is_msg_size_err(&error) => self.single.send(datagram),
            sent => sent,
        };
        sent.map(drop)
    }
}

/// Lets frames of a batch be cut like single ones, or be refused where only Alice may cut (IPv6). A
/// socket for probes, as `UdpSocketState` makes it, forbids both, and they vanish without a word.
#[cfg(target_os = "linux")]
fn heed_the_path(batches: &UdpSocket, address: SocketAddr) -> Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    // Also for the sixth version, whose sockets reach addresses of the fourth.
    set_ip_mtu_discover(batches, Ipv4PathMtuDiscovery::WANT)?;
    if address.is_ipv6() {
        set_ipv6_mtu_discover(batches, Ipv6PathMtuDiscovery::WANT)?;
    }
    Ok(())
}

/// Elsewhere there are no batches.
#[cfg(not(target_os = "linux"))]
fn heed_the_path(_batches: &UdpSocket, _address: SocketAddr) -> Result<()> {
    Ok(())
}

/// A socket of the same family, connected to `address`.
fn connected(address: SocketAddr) -> Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    // A smaller one works too.
    let _refused = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER_BYTES);
    socket.connect(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
