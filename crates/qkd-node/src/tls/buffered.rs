//! A socket that is read ahead of TLS, and as far ahead as it has shown to be worth.
//!
//! TLS asks for 4 KiB at a time, five times for each of its records. Read ahead, the same bytes cost
//! the system a fraction of the calls; a connection that carries much at a time has more room for it
//! than one that asks for a key now and then.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Bytes that are read ahead at first: a handshake, or a call.
const READ_AHEAD_BYTES_MIN: usize = 8 << 10;

/// Bytes that are read ahead at most: eight records.
const READ_AHEAD_BYTES_MAX: usize = 128 << 10;

/// Bytes that TLS makes records of before the socket is asked to take them: as many as are read at
/// once.
pub(super) const WRITE_AT_ONCE_BYTES: usize = READ_AHEAD_BYTES_MAX;

/// A TCP connection: what was read ahead comes before what the socket has, what is written goes
/// to the socket at once.
pub(crate) struct Buffered {
    tcp: TcpStream,
    room: Box<[u8]>,
    /// Where what was read ahead and not yet taken begins in `room`, and where it ends.
    taken: usize,
    filled: usize,
}

impl Buffered {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            room: vec![0; READ_AHEAD_BYTES_MIN].into(),
            taken: 0,
            filled: 0,
        }
    }

    /// Address of the other end.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// Reads what the socket has. A socket that fills all the room gets more of it for the next time.
    fn read_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.filled == self.room.len() && self.room.len() < READ_AHEAD_BYTES_MAX {
            self.room = vec![0; 2 * self.room.len()].into();
        }
        (self.taken, self.filled) = (0, 0);
        let mut room = ReadBuf::new(&mut self.room);
        ready!(Pin::new(&mut self.tcp).poll_read(context, &mut room))?;
        self.filled = room.filled().len();
        Poll::Ready(Ok(()))
    }
}

/// A server's calls know the addresses at both ends.
impl Connected for Buffered {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.tcp.connect_info()
    }
}

impl AsyncRead for Buffered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken == self.filled {
            ready!(self.read_ahead(context))?;
        }
        let end = self.filled.min(self.taken + into.remaining());
        into.put_slice(&self.room[self.taken..end]);
        self.taken = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_read_in_its_order_with_more_room_where_much_comes() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (here, there) = tokio::join!(connecting, listener.accept());
        let (mut here, mut there) = (here.unwrap(), Buffered::new(there.unwrap().0));
        here.write_all(b"a call").await.unwrap();
        let mut call = [0; 6];
        there.read_exact(&mut call).await.unwrap();
        assert_eq!(&call, b"a call");
        assert_eq!(there.room.len(), READ_AHEAD_BYTES_MIN);

        let sent: Vec<u8> = (0..8_000_000_u32).map(|i| (i % 251) as u8).collect();
        let copy = sent.clone();
        let sending = tokio::spawn(async move {
            here.write_all(&copy).await.unwrap();
        });
        let mut heard = Vec::new();
        // In pieces as TLS takes them.
        let mut piece = [0; 4096];
        loop {
            match there.read(&mut piece).await.unwrap() {
                0 => break,
                bytes => heard.extend_from_slice(&piece[..bytes]),
            }
        }
        sending.await.unwrap();
        assert!(heard == sent);
        assert!(there.room.len() > READ_AHEAD_BYTES_MIN);
        assert!(there.room.len() <= READ_AHEAD_BYTES_MAX);
    }
}
