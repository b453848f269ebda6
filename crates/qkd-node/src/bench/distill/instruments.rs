//! What stands in place of Bob's detectors and of Alice's transmitter's memory: a thread each.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use qkd_protocols::AliceRecord;

use super::raw::{PIECE, Raw};
use crate::link::{LinkEvent, LinkHandle};
use crate::quantum::Command;

/// Name of the thread in place of the optical instruments: what it takes is no post-processing.
pub const THREAD: &str = "instruments";

/// Detections handed to the link at once, in whole pieces of the run: as many as a receiver that
/// brings so much light hands over, at most.
const PORTION: std::ops::RangeInclusive<u64> = PIECE as u64..=1 << 16;

/// A block takes so many portions or more.
const PORTIONS_PER_BLOCK: u64 = 16;

/// Share of the link's queue up to which it is filled, about twelve portions: what waits there when
/// the last block in flight closes is thrown away.
const TAKEN_MAX: f64 = 1.0 / 16.0;

/// Distance of two looks whether there is room.
const LOOK: Duration = Duration::from_micros(300);

/// Bob's detections of blocks of `block_detections`, as fast as the link takes them while light is
/// wanted.
pub(super) fn detect(
    mut raw: Raw,
    block_detections: u64,
    link: LinkHandle,
    commands: Receiver<Command>,
) -> std::io::Result<JoinHandle<()>> {
    let portion = (block_detections / PORTIONS_PER_BLOCK).clamp(*PORTION.start(), *PORTION.end());
    let pieces = portion as usize / PIECE;
    let thread = std::thread::Builder::new().name(THREAD.into());
    thread.spawn(move || {
        let mut wanted = false;
        let mut held = None;
        loop {
            if wanted && link.taken() < TAKEN_MAX {
                let event = held
                    .take()
                    .unwrap_or_else(|| next_portion(&mut raw, pieces));
                // What the link does not take now it takes later: a block has no holes.
                held = link.try_tell(event).err();
            }
            let full = held.is_some() || link.taken() >= TAKEN_MAX;
            let command = match (wanted, full) {
                (true, false) => commands.recv_timeout(Duration::ZERO),
                (true, true) => commands.recv_timeout(LOOK),
                (false, _) => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(Command::Transmit { wanted: now }) => wanted = now,
                Ok(Command::Recall { .. } | Command::Clock { .. })
                | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })
}

fn next_portion(raw: &mut Raw, pieces: usize) -> LinkEvent {
    let detections = raw.detections(pieces);
    let next_slot = detections.last_slot().map_or(0, |last| last + 1);
    LinkEvent::Detections {
        detections: Box::new(detections),
        next_slot,
        // There is no receiver: nobody watches.
        readings: Box::default(),
    }
}

/// Alice's memory: answers what she is asked until the link ends.
pub(super) fn recall(
    mut raw: Raw,
    link: LinkHandle,
    commands: Receiver<Command>,
) -> std::io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(THREAD.into());
    thread.spawn(move || {
        for command in commands {
            let Command::Recall { block, slots, .. } = command else {
                continue;
            };
            match raw.recall(&slots) {
                Some(choices) => link.tell(LinkEvent::Recalled {
                    block,
                    record: AliceRecord::new(choices),
                }),
                None => return link.end(format!("block {block} is of slots that nobody sent")),
            }
        }
    })
}
