//! One way out: sockets that are connected to one address and never block.

use std::io::Result;
use std::net::{SocketAddr, UdpSocket};

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
    /// Takes many at a time (generic segmentation offload), none of them cut.
    batches: UdpSocket,
    /// Knows whether the system can do that. An error that says it cannot makes it know.
    state: UdpSocketState,
}

impl Way {
    /// The way to `address`, as far as it is known without sending anything.
    pub fn to(address: SocketAddr) -> Result<Self> {
        let single = connected(address)?;
        single.set_nonblocking(true)?;
        let batches = connected(address)?;
        Ok(Self {
            address,
            single,
            state: UdpSocketState::new(UdpSockRef::from(&batches))?,
            batches,
        })
    }

    /// Sends datagrams of [`FRAME_BYTES`] each, of which the last may be shorter; returns how many
    /// left. Either all of a batch leave, or the ones before the error.
    pub fn send(&self, datagrams: &[u8]) -> Result<u64> {
        if datagrams.len() > FRAME_BYTES && self.state.max_gso_segments() > 1 {
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
                // A frame is too long for the network card and has to be cut.
                Err(error) if quinn_udp::is_msg_size_err(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let mut left = 0;
        for datagram in datagrams.chunks(FRAME_BYTES) {
            match self.single.send(datagram) {
                Ok(_) => left += 1,
                Err(error) if left == 0 => return Err(error),
                // The next batch meets the same error first, and says so.
                Err(_) => break,
            }
        }
        Ok(left)
    }
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
mod tests {
    use std::time::Duration;

    use super::*;

    fn listening() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Duration::from_secs(20);
        socket.set_read_timeout(Some(patience)).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn a_batch_arrives_as_datagrams_of_one_frame_each() {
        let (bob, address) = listening();
        let way = Way::to(address).unwrap();
        for (frames, rest) in [(46, 0), (3, 100), (1, 0), (0, 5)] {
            let mut sent = Vec::new();
            for frame in 0..frames {
                sent.extend([frame as u8; FRAME_BYTES]);
            }
            sent.extend(vec![255; rest]);
            let count = sent.len().div_ceil(FRAME_BYTES);
            assert_eq!(way.send(&sent).unwrap(), count as u64);
            for expected in sent.chunks(FRAME_BYTES) {
                let mut datagram = [0; FRAME_BYTES + 1];
                let bytes = bob.recv(&mut datagram).unwrap();
                assert_eq!(&datagram[..bytes], expected);
            }
        }
    }

    #[test]
    fn nobody_reads_and_sending_waits_for_nothing() {
        let (_bob, address) = listening();
        let way = Way::to(address).unwrap();
        let batch = vec![0; 46 * FRAME_BYTES];
        // Far more than any buffer holds: a socket that blocks would never come to the end.
        for _ in 0..2000 {
            let _lost = way.send(&batch);
        }
    }
}
