//! A connection with a delay: what arrives leaves later by half the round trip, in each direction,
//! as fast as it came.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::bench::fault::Fault;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 18;

/// Where one side calls to reach the other.
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// Relays one connection to `to` with a round trip of so many milliseconds; with none there is
    /// no relay, and the address is `to` itself.
    ///
    /// # Errors
    /// When the system has no port left.
    pub async fn start(to: SocketAddr, round_trip_ms: f64) -> Result<Self, Fault> {
        if round_trip_ms <= 0.0 {
            return Ok(Self { address: to });
        }
        let failed = Fault::io("listen for the delayed connection");
        let bound = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            listener.local_addr().map(|address| (listener, address))
        };
        let (listener, address) = bound.await.map_err(failed)?;
        let delay = Duration::from_secs_f64(round_trip_ms * 1e-3 / 2.0);
        tokio::spawn(async move {
            // Whoever called in vain says so itself.
            let _failed = relay(&listener, to, delay).await;
        });
        Ok(Self { address })
    }

    /// Where to call.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn relay(listener: &TcpListener, to: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let (from, _) = listener.accept().await?;
    let plain = |stream: tokio::net::TcpStream| {
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        Ok::<_, std::io::Error>(stream)
    };
    let from = plain(from)?;
    let to = plain(tokio::net::TcpStream::connect(to).await?)?;
    one_way(from.try_clone()?, to.try_clone()?, delay)?;
    one_way(to, from, delay)
}

/// Two threads: one reads and notes the time, the other waits and writes. A sleep is precise to some
/// fifty microseconds, unlike the timers of the asynchronous runtime. Both end with the connection.
fn one_way(mut from: TcpStream, mut to: TcpStream, delay: Duration) -> std::io::Result<()> {
    let (arrived, leaving): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    thread("delay-in").spawn(move || {
        let mut room = vec![0; READ_BYTES];
        while let Ok(read @ 1..) = from.read(&mut room) {
            if arrived
                .send((Instant::now(), room[..read].to_vec()))
                .is_err()
            {
                return;
            }
        }
    })?;
    thread("delay-out").spawn(move || {
        for (at, bytes) in leaving {
            std::thread::sleep((at + delay).saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        // The other side may have hung up already.
        let _gone = to.shutdown(Shutdown::Write);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_sent_arrives_whole_and_later() {
        let echo = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let to = echo.local_addr().unwrap();
        let relay = Relay::start(to, 40.0).await.unwrap();
        assert_ne!(relay.address(), to);
        assert_eq!(Relay::start(to, 0.0).await.unwrap().address(), to);
        tokio::spawn(async move {
            let (mut stream, _) = echo.accept().await.unwrap();
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        let address = relay.address();
        let task = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
            let mut back = vec![0; sent.len()];
            let began = Instant::now();
            let mut writing = stream.try_clone().unwrap();
            let copy = sent.clone();
            let writer = std::thread::spawn(move || writing.write_all(&copy).unwrap());
            stream.read_exact(&mut back).unwrap();
            writer.join().unwrap();
            assert!(back == sent);
            began.elapsed()
        });
        assert!(task.await.unwrap() >= Duration::from_millis(40));
    }
}
