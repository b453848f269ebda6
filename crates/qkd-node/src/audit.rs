//! The audit log: one file per node in which every line follows from the one before.
//!
//! | what | how |
//! |---|---|
//! | form | JSON Lines, mode 0600, `audit.log` in the data folder; put aside as `audit-NUMBER-000.log` at 64 MiB |
//! | chain | HMAC-SHA-256 over the previous value and the bytes of the line, under a key that follows from the store key |
//! | deliveries | keys leave when their line is durable; when it cannot be written they are refused |
//! | a crash in the middle of a line | its bytes stay, and the next start marks them |
//! | an edit, a gap, another order | the chain breaks there, and [`verify()`] says where |
//! | a tail cut off | the key store keeps the last value that it saw with each of its own commits; a log that ends before it is found at the next start |
//!
//! The store forgets keys before their line is written, so there are four ways a delivery can end: not
//! in the log and not delivered (a crash before the line: burnt), in the log and delivered, and in the
//! log and not received (a crash or a lost connection after the line: burnt too, and the application
//! will say so). Delivered and not in the log is not among them.
//!
//! It never holds a byte of a key, and what strangers can cause is counted rather than written once a
//! few lines say it: they must not be able to fill the disk.

mod chain;
mod check;
mod event;
mod file;
mod throttle;
mod verify;
mod watch;
mod witness;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_delivery::{Audit, Grant, Rejection, Written};
use tokio::sync::oneshot;

use crate::status::StatusBoard;
pub(crate) use chain::ChainKey;
use chain::Head;
pub use check::Findings;
pub(crate) use event::Event;
pub use event::Kind;
pub use file::FILE;
use file::{FILE_BYTES_MAX, LogFile};
use throttle::Throttle;
pub use verify::{VerifyError, files_in, verify};
pub(crate) use watch::watch;
pub(crate) use witness::Witness;
use writer::{Entry, Writer, unix_ms};

/// Lines that may wait for the disk: more than deliveries can be under way.
const WAITING_MAX: usize = 4096;

/// The alarm while the log cannot be written begins so.
const ALARM: &str = "the audit log cannot be written, and no keys are delivered";

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("audit log {}: {source}", .path.display())]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: io::Error,
}

/// The way to the log. Dropping it waits until everything is written.
pub(crate) struct AuditLog {
    /// Gone only while the log is dropped.
    entries: Option<SyncSender<Entry>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// What the thread and those who use it have in common.
pub(super) struct Shared {
    /// Why the log cannot be written, while that is so.
    fault: RwLock<Option<String>>,
    board: StatusBoard,
    throttle: Mutex<Throttle>,
    began: Instant,
    lines: AtomicU64,
    /// Events that found no room to wait.
    lost: AtomicU64,
}

impl Shared {
    fn new(board: StatusBoard) -> Self {
        Self {
            fault: RwLock::default(),
            board,
            throttle: Mutex::default(),
            began: Instant::now(),
            lines: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn fault(&self) -> Option<String> {
        let fault = self.fault.read();
        fault.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it can be written from now on, with an alarm while not.
    fn broken(&self, fault: Option<String>) {
        let mut now = self.fault.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = now.take() {
            self.board.withdraw(&alarm(&before));
        }
        if let Some(fault) = &fault {
            self.board.alarm(alarm(fault));
        }
        *now = fault;
    }
}

fn alarm(fault: &str) -> String {
    format!("{ALARM}: {fault}")
}

impl AuditLog {
    /// Opens the log in `folder`, marks what a crash left at its end, and compares its end with what
    /// the key store saw last.
    ///
    /// # Errors
    /// When the file cannot be used or written.
    pub(crate) fn open(
        folder: &Path,
        key: ChainKey,
        witness: Arc<Witness>,
        board: StatusBoard,
    ) -> Result<Self, AuditError> {
        let path = folder.join(FILE);
        Self::open_with(folder, key, witness, (board, FILE_BYTES_MAX))
            .map_err(|source| AuditError { path, source })
    }

    fn open_with(
        folder: &Path,
        key: ChainKey,
        witness: Arc<Witness>,
        (board, bytes_max): (StatusBoard, u64),
    ) -> io::Result<Self> {
        let (mut file, end) = LogFile::open(folder, &key, bytes_max)?;
        let mut head = end.head;
        let mut first = Vec::new();
        if head == Head::START && end.torn.is_some() {
            board.alarm("the audit log was not written under this store key; it was put aside, and a new one begun".to_owned());
            file.put_aside(unix_ms())?;
        } else if let Some((bytes, digest)) = &end.torn {
            first.push(torn(*bytes, digest));
        }
        if let Some(missing) = witness.missing(head) {
            let alarm = format!("the audit log {missing}");
            tracing::error!("{alarm}");
            board.alarm(alarm);
            first.push(Event::new(Kind::LinesMissing).text("what", &missing));
            // What follows begins a file of its own: its first line says behind which line it stands,
            // and so the gap can be seen for ever.
            if !file.is_empty() {
                file.rotate(head.seq)?;
            }
            head = witness.ahead(head);
        }
        let shared = Arc::new(Shared::new(board));
        let mut writer = Writer::new(file, key, head, shared.clone(), witness);
        let entries = first.into_iter().map(|event| Entry {
            event,
            written: None,
        });
        let entries: Vec<Entry> = entries.collect();
        if !entries.is_empty() {
            writer.write(entries);
        }
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("audit log".into())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self {
            entries: Some(sender),
            thread: Some(thread),
            shared,
        })
    }

    /// Writes an event down, without waiting for it. One that finds no room is counted in a later line.
    pub(crate) fn note(&self, event: Event) {
        let entry = Entry {
            event,
            written: None,
        };
        let sent = self.entries.as_ref().map(|entries| entries.try_send(entry));
        if let Some(Err(_)) = sent {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`note`](Self::note), for what others can cause as often as they like: events of the same
    /// `subject` become a count when there are many.
    pub(crate) fn note_often(&self, subject: &str, event: Event) {
        let passes = {
            let throttle = self.shared.throttle.lock();
            let mut throttle = throttle.unwrap_or_else(PoisonError::into_inner);
            let subject = format!("{} {subject}", event.kind.name());
            throttle.passes(&subject, self.shared.began.elapsed())
        };
        if passes {
            self.note(event);
        }
    }

    /// Lines written since the node started, and whether more can be.
    pub(crate) fn state(&self) -> (u64, bool) {
        let lines = self.shared.lines.load(Ordering::Relaxed);
        (lines, self.shared.fault().is_none())
    }

    /// As [`note`](Self::note), and waits for a moment until it is written.
    pub(crate) async fn last(&self, event: Event) {
        let written = tokio::time::timeout(LAST_LINE_WITHIN, self.durable(event));
        if !matches!(written.await, Ok(Ok(()))) {
            tracing::warn!("the last line of the audit log was not written");
        }
    }

    fn durable(&self, event: Event) -> Written<'static> {
        let (written, waiting) = oneshot::channel();
        let entry = Entry {
            event,
            written: Some(written),
        };
        let sent = self.entries.as_ref().map(|entries| entries.try_send(entry));
        Box::pin(async move {
            let behind = || Err("it is behind".to_owned());
            match sent {
                Some(Ok(())) => waiting.await.unwrap_or_else(|_| behind()),
                Some(Err(_)) | None => behind(),
            }
        })
    }
}

fn torn(bytes: u64, digest: &str) -> Event {
    Event::new(Kind::TornLine)
        .number("bytes", bytes)
        .text("sha256", digest)
}

impl Audit for AuditLog {
    fn check(&self) -> Result<(), String> {
        match self.shared.fault() {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    fn granted<'a>(&'a self, grant: &Grant<'_>) -> Written<'a> {
        let event = Event::new(Kind::KeysDelivered)
            .text("api", grant.api.name())
            .text("call", grant.call)
            .text("sae", grant.caller.as_str())
            .maybe(
                "from",
                grant.origin.address.map(|from| from.to_string()).as_deref(),
            )
            .text("certificate", &grant.origin.certificate)
            .list("partners", grant.partners.iter().map(|sae| sae.to_string()))
            .number("size_bits", u64::from(grant.size_bits))
            .list("key_ids", grant.key_ids.iter().map(|id| id.to_string()));
        self.durable(event)
    }

    fn refused(&self, refusal: &Rejection<'_>) {
        let from = refusal.origin.address.map(|from| from.to_string());
        let event = Event::new(Kind::CallRefused)
            .text("api", refusal.api.name())
            .text("call", refusal.call)
            .maybe("sae", refusal.caller.map(|sae| sae.as_str()))
            .maybe("from", from.as_deref())
            .text("certificate", &refusal.origin.certificate)
            .text("fault", refusal.fault.name())
            .text("reason", refusal.reason);
        let who = refusal.caller.map_or("", |sae| sae.as_str());
        self.note_often(&format!("{} {who}", refusal.fault), event);
    }
}

impl Drop for AuditLog {
    /// What was handed in becomes durable.
    fn drop(&mut self) {
        drop(self.entries.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been logged; what waited was refused.
            let _panicked = thread.join();
        }
    }
}

/// How long the daemon's end may wait for the last line.
const LAST_LINE_WITHIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
