//! The way in for light: a UDP socket that is read in batches and never waited at for long.
//!
//! The system may put datagrams of one sender together (generic receive offload) and hands them
//! over as one piece with a stride. Whoever sends chooses the stride: it is judged nowhere but by
//! the length of each datagram that it cuts off.

use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Receive buffer to ask the system for, in bytes.
pub const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// The largest piece that the system hands over: a UDP length is a 16-bit number.
const PIECE_BYTES_MAX: usize = 1 << 16;

/// Pieces taken from the socket at once. One that was put together holds 46 frames.
const PIECES_MAX: usize = 8;

/// How long a socket that fails is left alone.
const AFTER_FAULT: Duration = Duration::from_millis(1);

/// Binds a socket for light with a large receive buffer.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    let socket = socket.into();
    let granted_bytes = receive_buffer_bytes(&socket)?;
    if granted_bytes < RECEIVE_BUFFER_BYTES {
        tracing::warn!(
            wanted_bytes = RECEIVE_BUFFER_BYTES,
            granted_bytes,
            "small receive buffer: light may be lost under load; raise net.core.rmem_max"
        );
    }
    Ok(socket)
}

/// The receive buffer that the system granted a socket, in bytes.
///
/// # Errors
/// When the system does not say.
pub fn receive_buffer_bytes(socket: &UdpSocket) -> std::io::Result<usize> {
    let said = SockRef::from(socket).recv_buffer_size()?;
    // Linux doubles what was asked for, to have room for its own bookkeeping (socket(7)).
    let bookkeeping = if cfg!(target_os = "linux") { 2 } else { 1 };
    Ok(said / bookkeeping)
}

/// What light is received with. Reading never blocks; only [`wait`](Self::wait) does.
pub struct LightIn {
    socket: UdpSocket,
    state: UdpSocketState,
    /// Room for every piece, one after the other.
    room: Vec<u8>,
    metas: [RecvMeta; PIECES_MAX],
    /// Where light came from last.
    sender: Option<SocketAddr>,
}

impl LightIn {
    /// Takes the light that arrives at `socket`, which becomes non-blocking.
    ///
    /// # Errors
    /// When the system refuses that.
    pub fn new(socket: UdpSocket) -> std::io::Result<Self> {
        Ok(Self {
            state: UdpSocketState::new(UdpSockRef::from(&socket))?,
            socket,
            room: vec![0; PIECES_MAX * PIECE_BYTES_MAX],
            metas: [RecvMeta::default(); PIECES_MAX],
            sender: None,
        })
    }

    /// Waits until something arrives, at most for `most`.
    pub fn wait(&self, most: Duration) {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        // A Timespec holds every time that anybody here waits for.
        let most = Timespec::try_from(most).ok();
        if poll(&mut watched, most.as_ref()).is_err() {
            std::thread::sleep(AFTER_FAULT);
        }
    }

    /// Hands every datagram of one batch to `each`, whatever its length, and returns how many they
    /// were: none when nothing waits. `each` says whether it was light of pulses: what goes
    /// [back](Self::send_back) goes to who sent that, and not to who sent garbage since.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8]) -> bool) -> usize {
        let mut pieces = self.room.chunks_exact_mut(PIECE_BYTES_MAX);
        // There are as many chunks as places.
        let mut room: [IoSliceMut<'_>; PIECES_MAX] =
            std::array::from_fn(|_| IoSliceMut::new(pieces.next().unwrap_or_default()));
        let socket = UdpSockRef::from(&self.socket);
        let received = match self.state.recv(socket, &mut room, &mut self.metas) {
            Ok(received) => received,
            Err(error) => {
                // Errors that strangers cause (ICMP) are no reason to stop, nor to spin.
                if error.kind() != ErrorKind::WouldBlock {
                    std::thread::sleep(AFTER_FAULT);
                }
                return 0;
            }
        };
        let mut datagrams = 0;
        let pieces = self.room.chunks_exact(PIECE_BYTES_MAX);
        for (piece, meta) in pieces.zip(&self.metas).take(received) {
            let mut lit = false;
            datagrams += split(
                &piece[..meta.len.min(PIECE_BYTES_MAX)],
                meta.stride,
                &mut |datagram| lit |= each(datagram),
            );
            if lit {
                self.sender = Some(meta.addr);
            }
        }
        datagrams
    }

    /// Sends a datagram the other way, to where light came from last; it is lost when there is no room
    /// for it, or nobody has sent any.
    pub fn send_back(&self, datagram: &[u8]) {
        if let Some(sender) = self.sender {
            let _lost = self.socket.send_to(datagram, sender);
        }
    }
}

/// Hands the datagrams of a piece to `each` and counts them. A piece without a byte is one empty
/// datagram.
fn split(piece: &[u8], stride: usize, each: &mut impl FnMut(&[u8])) -> usize {
    if piece.is_empty() || stride == 0 {
        each(piece);
        return 1;
    }
    let datagrams = piece.chunks(stride);
    let count = datagrams.len();
    datagrams.for_each(each);
    count
}

#[cfg(test)]
mod tests {
    use quinn_udp::Transmit;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn pair() -> (LightIn, UdpSocket, SocketAddr) {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        (LightIn::new(socket).unwrap(), sender, address)
    }

    /// The lengths of the next `count` datagrams.
    fn lengths(light: &mut LightIn, count: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        while lengths.len() < count {
            let each = |datagram: &[u8]| {
                lengths.push(datagram.len());
                datagram != b"garbage"
            };
            if light.receive(each) == 0 {
                light.wait(PATIENCE);
            }
        }
        lengths
    }

    #[test]
    fn datagrams_of_every_length_come_as_they_were_sent() {
        let (mut light, sender, address) = pair();
        let sent = [0, 1, 1408, 1409, 65_507, 0, 7];
        for bytes in sent {
            sender.send_to(&vec![7; bytes], address).unwrap();
        }
        assert_eq!(lengths(&mut light, sent.len()), sent);
        assert_eq!(light.receive(|_| panic!("nothing waits")), 0);
    }

    #[test]
    fn a_segmented_batch_comes_apart_into_its_datagrams() {
        let (mut light, sender, address) = pair();
        let state = UdpSocketState::new(UdpSockRef::from(&sender)).unwrap();
        for (bytes, stride) in [
            (46 * 1408, 1408),
            (10 * 1408 + 5, 1408),
            (64, 1),
            (2000, 999),
        ] {
            let transmit = Transmit {
                destination: address,
                ecn: None,
                contents: &vec![1; bytes],
                segment_size: Some(stride),
                src_ip: None,
            };
            if state.max_gso_segments() == 1 {
                // A kernel without segmentation offload has nothing to put together.
                return;
            }
            state
                .try_send(UdpSockRef::from(&sender), &transmit)
                .unwrap();
            let expected: Vec<usize> = vec![1; bytes].chunks(stride).map(<[u8]>::len).collect();
            assert_eq!(lengths(&mut light, expected.len()), expected, "{stride}");
        }
    }

    #[test]
    fn no_stride_makes_a_piece_vanish() {
        for (bytes, stride, count) in [(0, 0, 1), (0, 5, 1), (5, 0, 1), (5, 9, 1), (5, 2, 3)] {
            let mut seen = 0;
            let counted = split(&vec![0; bytes], stride, &mut |part: &[u8]| {
                seen += part.len()
            });
            assert_eq!((counted, seen), (count, bytes));
        }
    }

    #[test]
    fn light_goes_back_to_where_it_came_from() {
        let (mut light, sender, address) = pair();
        light.send_back(b"nobody is there");
        sender.send_to(b"light", address).unwrap();
        assert_eq!(lengths(&mut light, 1), [5]);
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"garbage", address).unwrap();
        assert_eq!(lengths(&mut light, 1), [7]);
        light.send_back(b"back");
        sender.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(sender.recv_from(&mut buffer).unwrap(), (4, address));
    }

    #[test]
    fn waiting_ends_without_light() {
        let (light, _sender, _address) = pair();
        light.wait(Duration::from_millis(1));
    }
}
