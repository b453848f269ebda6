//! The classical link: a connection, the handshake on it, and the threads that serve it.
//!
//! One thread holds the engine and the authenticated channel, and decides; [`Instruments`] say how
//! many others compute for it. Everything that waits for one of them has a bound, whatever the peer
//! does:
//!
//! | what waits | at most |
//! |---|---|
//! | envelopes and detections for the link's thread | 256 of them, 64 MiB; then the network is not read, and detections stay at the receiver |
//! | events of this daemon's own making there | what one step of each block in flight, each answer of a mailbox and each request for keys brings |
//! | steps of blocks for a thread that computes | one for each block in flight |
//! | messages for a block that such a thread has | the parts of one long message, and an abort (`qkd_session`) |
//! | refresh bits of committed blocks | four at Alice, beside the refresh under way; 1024 at Bob, and none of a block before the latest refresh |
//! | envelopes for the network | 16 MiB, or two announcements if that is more; then nothing new is begun, and Bob wants no light. What blocks in flight have still to say comes on top: [`frames`] has a limit that no honest peer reaches, and the link ends at |
//! | messages for the next envelope | what a turn of the link's thread says: it is sealed and sent at 256 KiB, and at the end of the turn |
//! | commands for the optical instruments | a recall for each block in flight, changes of light, and a clock for each turn of the link's thread |
//! | detections at Bob's receiver | 2²⁰ and those of one batch; then light stays in the socket until that overflows |
//! | slots at Alice's transmitter | those of five blocks and of five seconds; then the link ends |

mod bare;
mod connection;
mod engine;
mod event;
mod handshake;
mod outgoing;
mod queue;
mod thread;
mod traffic;
mod workers;

use std::sync::Arc;

use qkd_wire::link::LinkMessage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use bare::{BareLink, Heard};
pub use connection::{Connection, Instruments, serve};
pub use engine::{LinkEngine, Party};
pub use event::{Broken, LinkEffect, LinkEvent, LinkFault};
pub use handshake::{Agreed, Established, HandshakeFault, hang_up, shake_hands};
pub use outgoing::{FrameSender, Frames, Outflow, Unsent, WaitingBytes, frames};
pub use traffic::Traffic;
pub use workers::cores;

pub(crate) use queue::Listener;
use queue::{Teller, WeakTeller};

/// Places in the queue of the link's thread for events of the network and of the instruments: each
/// event takes [`PLACES_PER_EVENT`] and one more for each KiB, so at most 256 events and 64 MiB wait.
const PLACES: u32 = 1 << 16;

/// Places that an event takes whatever its size.
const PLACES_PER_EVENT: u32 = PLACES / 256;

/// A way to tell the thread of one connection what happened. Cheap to clone.
#[derive(Clone)]
pub struct LinkHandle {
    events: Teller<Queued>,
    places: Arc<Semaphore>,
    outgoing: FrameSender,
}

/// An event in the queue, with the place it takes there if it takes one.
pub struct Queued {
    event: Queueable,
    _place: Option<OwnedSemaphorePermit>,
}

enum Queueable {
    Event(LinkEvent),
    Tick,
    End(String),
}

impl LinkHandle {
    /// A handle, and the queue of the thread that it tells.
    pub(crate) fn new(outgoing: FrameSender) -> (Self, Listener<Queued>) {
        let (events, receiver) = queue::queue();
        let places = Arc::new(Semaphore::new(PLACES as usize));
        let handle = Self {
            events,
            places,
            outgoing,
        };
        (handle, receiver)
    }

    /// Queues an event of this daemon's own making: the engines bound how many there are.
    pub fn tell(&self, event: LinkEvent) {
        self.queue(Queueable::Event(event), None);
    }

    /// Queues an application's message; false while too much waits for the network already.
    pub fn relay(&self, message: LinkMessage) -> bool {
        self.try_tell(LinkEvent::Outgoing(message)).is_ok()
    }

    /// A way to answer the peer, which keeps nothing alive: who takes long to find an answer may
    /// find the connection gone.
    pub fn answers(&self) -> LinkAnswers {
        LinkAnswers {
            events: self.events.downgrade(),
        }
    }

    /// Ends the connection, for the reason given.
    pub fn end(&self, reason: String) {
        self.queue(Queueable::End(reason), None);
    }

    /// Share of the queue for events from outside that is taken, 0 to 1.
    pub(crate) fn taken(&self) -> f64 {
        1.0 - self.places.available_permits() as f64 / f64::from(PLACES)
    }

    /// Queues an event from outside once there is room for it. False when the link has ended.
    pub async fn tell_when_room(&self, event: LinkEvent) -> bool {
        let places = places_of(&event);
        match self.places.clone().acquire_many_owned(places).await {
            Ok(place) => self.queue(Queueable::Event(event), Some(place)),
            Err(_closed) => false,
        }
    }

    /// Queues an event that begins something new: gives it back while there is no room for it, or
    /// too much waits for the network already.
    pub fn try_tell(&self, event: LinkEvent) -> Result<(), LinkEvent> {
        if self.outgoing.is_congested() {
            return Err(event);
        }
        let places = places_of(&event);
        match self.places.clone().try_acquire_many_owned(places) {
            Ok(place) => {
                self.queue(Queueable::Event(event), Some(place));
                Ok(())
            }
            Err(_full_or_closed) => Err(event),
        }
    }

    fn queue(&self, event: Queueable, place: Option<OwnedSemaphorePermit>) -> bool {
        // A link that has ended takes no more events; nobody waits for their effects.
        self.events.tell(Queued {
            event,
            _place: place,
        })
    }
}

/// A way to answer the peer of one connection while it lasts. Cheap to clone.
#[derive(Clone)]
pub struct LinkAnswers {
    events: WeakTeller<Queued>,
}

impl LinkAnswers {
    /// Queues an answer; a connection that has ended needs none.
    pub fn say(&self, message: LinkMessage) {
        if let Some(events) = self.events.upgrade() {
            let event = Queueable::Event(LinkEvent::Outgoing(message));
            let _ended = events.tell(Queued {
                event,
                _place: None,
            });
        }
    }
}

/// What an event takes of the queue, at most all of it.
fn places_of(event: &LinkEvent) -> u32 {
    let kib = event.bytes() / 1024;
    u32::try_from(kib).map_or(PLACES, |kib| {
        kib.saturating_add(PLACES_PER_EVENT).min(PLACES)
    })
}

/// A link between two hubs of one process: no channel, no engine, only their messages in order.
#[cfg(test)]
pub(crate) fn test_link(alice: &Arc<crate::hub::KeyHub>, bob: &Arc<crate::hub::KeyHub>) {
    let ways = [(alice, bob), (bob, alice)].map(|(from, to)| {
        let (outgoing, _frames) = frames(usize::MAX);
        let (handle, events) = LinkHandle::new(outgoing);
        from.connect(handle);
        (events, Arc::downgrade(to))
    });
    for (mut events, to) in ways {
        std::thread::spawn(move || {
            while let Some(Queued { event, .. }) = events.next() {
                if let Queueable::Event(LinkEvent::Outgoing(LinkMessage::Store(message))) = event
                    && let Some(to) = to.upgrade()
                {
                    to.message(message);
                }
            }
        });
    }
}
