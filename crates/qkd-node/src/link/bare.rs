//! A link without a connection: what the optical instruments tell it is heard, and goes nowhere.

use super::{LinkEvent, LinkHandle, Listener, Queueable, Queued, frames};

/// The other end of a [`LinkHandle`], for whoever measures the optical instruments alone.
pub struct BareLink {
    events: Listener<Queued>,
}

/// What an instrument said.
pub enum Heard {
    /// Alice's transmitter has come so far.
    Emitted {
        /// Slots since the beginning.
        slots: u64,
    },
    /// Bob's receiver has come so far.
    Passed {
        /// Every slot before this one is measured or lost.
        next_slot: u64,
        /// Detections since it said so last.
        detections: usize,
    },
    /// An instrument cannot go on, for this reason.
    Ended(String),
}

impl BareLink {
    /// A handle for an instrument, and what hears it.
    pub fn new() -> (LinkHandle, Self) {
        // Nothing is ever sent to a peer.
        let (outgoing, _no_stream) = frames(0);
        let (handle, events) = LinkHandle::new(outgoing);
        (handle, Self { events })
    }

    /// What was said next, if anything has been. Does not wait.
    pub fn next(&mut self) -> Option<Heard> {
        loop {
            let Queued { event, _place } = self.events.try_next()?;
            match event {
                Queueable::Event(LinkEvent::Emitted { slots }) => {
                    return Some(Heard::Emitted { slots });
                }
                Queueable::Event(LinkEvent::Detections {
                    detections,
                    next_slot,
                    ..
                }) => {
                    return Some(Heard::Passed {
                        next_slot,
                        detections: detections.len(),
                    });
                }
                Queueable::End(reason) => return Some(Heard::Ended(reason)),
                // Of sessions and stores that there are not.
                Queueable::Event(
                    LinkEvent::Envelope(_)
                    | LinkEvent::Outgoing(_)
                    | LinkEvent::Committed { .. }
                    | LinkEvent::Discarded { .. }
                    | LinkEvent::Recalled { .. }
                    | LinkEvent::Alarms(_)
                    | LinkEvent::Worked(_)
                    | LinkEvent::Tick { .. },
                )
                | Queueable::Tick => {}
            }
        }
    }
}
