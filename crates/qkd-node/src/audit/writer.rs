//! The thread that writes the log: what waits is written in one go, made durable once, and only then
//! acknowledged.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::chain::{ChainKey, Head};
use super::event::{Event, Kind};
use super::file::{LogFile, beginning};
use super::{Shared, Witness};

/// Lines that are written in one go at most.
const BATCH_MAX: usize = 512;

/// Distance of two attempts to write again, and of two looks at what was suppressed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One line to write, and who waits for it.
pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) written: Option<oneshot::Sender<Result<(), String>>>,
}

/// The thread's own.
pub(super) struct Writer {
    file: LogFile,
    key: ChainKey,
    head: Head,
    shared: Arc<Shared>,
    witness: Arc<Witness>,
    /// Events that could not be written, by their number.
    lost: u64,
}

impl Writer {
    pub(super) fn new(
        file: LogFile,
        key: ChainKey,
        head: Head,
        shared: Arc<Shared>,
        witness: Arc<Witness>,
    ) -> Self {
        Self {
            file,
            key,
            head,
            shared,
            witness,
            lost: 0,
        }
    }

    /// Writes what comes until nobody can say any more.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            let first = match entries.recv_timeout(LOOK_EVERY) {
                Ok(entry) => Some(entry),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut batch: Vec<Entry> = first.into_iter().collect();
            batch.extend(entries.try_iter().take(BATCH_MAX));
            batch.extend(self.shared.suppressed().map(|event| Entry {
                event,
                written: None,
            }));
            batch.extend(self.shared.crowded_out());
            if self.shared.fault().is_some() && !self.resume() {
                self.refuse(batch);
                continue;
            }
            if !batch.is_empty() {
                self.write(batch);
            }
        }
    }

    /// Writes all of `batch` or none of it.
    pub(super) fn write(&mut self, batch: Vec<Entry>) {
        let events = batch.iter().map(|entry| &entry.event);
        let written = self.append(events.collect());
        match written {
            Ok(()) => {
                for waits in batch.into_iter().filter_map(|entry| entry.written) {
                    // Who has gone away burns his keys.
                    let _gone = waits.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be written: no keys are delivered");
                self.shared.broken(Some(error.to_string()));
                self.refuse(batch);
            }
        }
    }

    fn append(&mut self, events: Vec<&Event>) -> std::io::Result<()> {
        if self.file.is_full() {
            self.file.rotate(self.head.seq)?;
        }
        let now_ms = unix_ms();
        let begins = self.file.is_empty().then(|| beginning(self.head));
        let mut text = String::new();
        let mut head = self.head;
        for event in begins.iter().chain(events) {
            let seq = head.seq + 1;
            let (line, link) = self.key.seal(&head.link, &event.body(seq, now_ms));
            text.push_str(&line);
            head = Head { seq, link };
        }
        self.file.append(text.as_bytes())?;
        let lines = head.seq - self.head.seq;
        self.head = head;
        self.witness.saw(head);
        self.shared.lines.fetch_add(lines, Ordering::Relaxed);
        Ok(())
    }

    /// Tries to write again after a fault.
    fn resume(&mut self) -> bool {
        let Some(fault) = self.shared.fault() else {
            return true;
        };
        let resumed = Event::new(Kind::WritingResumed)
            .text("fault", &fault)
            .number("lost", self.lost);
        let written = self
            .file
            .reopen()
            .and_then(|()| self.append(vec![&resumed]));
        match written {
            Ok(()) => {
                tracing::info!("the audit log can be written again");
                self.lost = 0;
                self.shared.broken(None);
                true
            }
            Err(error) => {
                self.shared.broken(Some(error.to_string()));
                false
            }
        }
    }

    /// What waits hears that it was not written.
    fn refuse(&mut self, batch: Vec<Entry>) {
        let fault = self.shared.fault().unwrap_or_default();
        self.lost += batch.len() as u64;
        for waits in batch.into_iter().filter_map(|entry| entry.written) {
            // Who has gone away need not hear it.
            let _gone = waits.send(Err(fault.clone()));
        }
    }
}

/// Milliseconds since 1970 by the clock on the wall; 0 when it stands before.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

impl Shared {
    /// An event about those that found no room to wait, where there are any.
    fn crowded_out(&self) -> Option<Entry> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let event = Event::new(Kind::LinesSuppressed)
            .text("of", "all: too many waited at once")
            .number("count", lost);
        (lost > 0).then_some(Entry {
            event,
            written: None,
        })
    }

    /// Events about what was suppressed, when they are due.
    fn suppressed(&self) -> impl Iterator<Item = Event> {
        let throttle = self.throttle.lock();
        let mut throttle = throttle.unwrap_or_else(PoisonError::into_inner);
        let due = throttle.due(self.began.elapsed());
        due.into_iter().map(|(kind, count)| {
            Event::new(Kind::LinesSuppressed)
                .text("of", &kind)
                .number("count", count)
        })
    }
}
