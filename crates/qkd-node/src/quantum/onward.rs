//! Where a node's light goes: a UDP socket whose peer is looked up again when it stops answering.
//!
//! Names are looked up on a thread of their own. Whoever sends light never waits for a name server:
//! while there is no address, light goes nowhere, as into a cut fibre.

mod lookup;
#[cfg(test)]
mod tests;
mod way;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qkd_optics::FRAME_BYTES;

use crate::config::HostPort;
use lookup::{Lookup, Pace, Resolver};
use way::Way;

/// Room for what comes back in one piece: a UDP length is a 16-bit number.
const BACK_BYTES: usize = 1 << 16;

/// Datagrams that leave in one call at most: a segmented one may have 64 KiB, headers included.
pub const DATAGRAMS_AT_ONCE_MAX: usize = 46;

/// Hears what is wrong when light begins to go nowhere, and nothing when it arrives again.
pub type Tell = Box<dyn Fn(Option<String>) + Send>;

/// The way out for light. Looking for its end stops when it is dropped.
pub struct Onward {
    line: Arc<Line>,
}

/// What light is sent with; one for each thread that sends.
pub struct OnwardSender {
    line: Arc<Line>,
    seen: u64,
    way: Option<Arc<Way>>,
    /// For what comes back; made when it is first asked for.
    room: Vec<u8>,
}

/// What senders and the looking thread share.
#[derive(Default)]
struct Line {
    end: Mutex<End>,
    changed: Condvar,
    /// Counts the ways there have been: a sender sees without the lock that it has the present one.
    generation: AtomicU64,
    /// Datagrams that were sent without a complaint.
    sent: AtomicU64,
}

#[derive(Default)]
struct End {
    way: Option<Arc<Way>>,
    trouble: Option<Trouble>,
    closed: bool,
}

/// What a sender met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The host is there, but nobody listens at the port: another host may have the name by now.
    Refused,
    /// The socket does not get there at all.
    Unreachable,
}

impl Onward {
    /// A way to `peer`, which the user knows as `key`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(key: &'static str, peer: HostPort, tell: Tell) -> std::io::Result<Self> {
        let resolver = Box::new(lookup::of_the_system);
        Self::start_with(key, peer, (resolver, Pace::default()), tell)
    }

    fn start_with(
        key: &'static str,
        peer: HostPort,
        (resolver, pace): (Resolver, Pace),
        tell: Tell,
    ) -> std::io::Result<Self> {
        let line = Arc::new(Line::default());
        let is_name = peer.host.parse::<IpAddr>().is_err();
        let mut lookup = Lookup::new(key, peer, resolver, tell);
        if !is_name {
            // Nobody has to be asked: the way is there before the first light.
            lookup.look(&line, None);
        }
        let shared = line.clone();
        std::thread::Builder::new()
            .name("fibre-lookup".into())
            .spawn(move || lookup.run(&shared, is_name, pace))?;
        Ok(Self { line })
    }

    /// A sender for one thread.
    pub fn sender(&self) -> OnwardSender {
        OnwardSender {
            line: self.line.clone(),
            seen: 0,
            way: None,
            room: Vec::new(),
        }
    }
}

impl Drop for Onward {
    fn drop(&mut self) {
        self.line.lock().closed = true;
        self.line.changed.notify_all();
    }
}

impl OnwardSender {
    /// Sends datagrams of [`FRAME_BYTES`] each, of which the last may be shorter, or loses them;
    /// returns how many left this machine. Waits for nothing.
    pub fn send(&mut self, datagrams: &[u8]) -> u64 {
        self.look_up();
        let Some(way) = &self.way else {
            return 0;
        };
        let mut left = 0;
        for batch in datagrams.chunks(DATAGRAMS_AT_ONCE_MAX * FRAME_BYTES) {
            match way.send(batch) {
                Ok(count) => left += count,
                // A full queue loses light, as a fibre does.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.line.report(Trouble::Refused);
                }
                Err(_) => self.line.report(Trouble::Unreachable),
            }
        }
        self.line.sent.fetch_add(left, Ordering::Relaxed);
        left
    }

    /// Hands what travels the other way, from the peer to here, to `each`, datagrams of
    /// [`FRAME_BYTES`] and the rest of what is none; after `pieces_max` reads the rest waits. Waits
    /// for nothing.
    pub fn receive(&mut self, pieces_max: usize, mut each: impl FnMut(&[u8])) {
        self.look_up();
        let Some(way) = &self.way else {
            return;
        };
        self.room.resize(BACK_BYTES, 0);
        for _ in 0..pieces_max {
            match way.receive(&mut self.room) {
                Ok(bytes) => self.room[..bytes].chunks(FRAME_BYTES).for_each(&mut each),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // News of light that was sent, which the next call to send would have met.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.line.report(Trouble::Refused);
                }
                Err(_) => return,
            }
        }
    }

    /// Takes the present way.
    fn look_up(&mut self) {
        let generation = self.line.generation.load(Ordering::Acquire);
        if generation != self.seen {
            self.way = self.line.lock().way.clone();
            self.seen = generation;
        }
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, End> {
        // Everything behind the lock is replaced whole: a panic elsewhere leaves it good.
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, trouble: Trouble) {
        let mut end = self.lock();
        if end.trouble.is_none() {
            end.trouble = Some(trouble);
            self.changed.notify_all();
        }
    }

    /// From now on light leaves this way.
    fn connect(&self, way: Option<Way>) {
        let mut end = self.lock();
        end.way = way.map(Arc::new);
        // What the old way met says nothing about the new one.
        end.trouble = None;
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Waits for `least`, and then until a sender meets trouble or `most` is over; `None` when
    /// nobody needs the line any more.
    fn wait(&self, least: Duration, most: Option<Duration>) -> Option<Option<Trouble>> {
        let open = |end: &mut End| !end.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), least, open);
        let (end, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let quiet = |end: &mut End| !end.closed && end.trouble.is_none();
        let mut end = match most {
            Some(most) => {
                let rest = most.saturating_sub(least);
                let waited = self.changed.wait_timeout_while(end, rest, quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.changed.wait_while(end, quiet);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        (!end.closed).then(|| end.trouble.take())
    }
}
