//! The certificate of a daemon that runs for longer than a certificate is good for.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::dates::{now_seconds, utc};
use super::facts::Validity;
use super::{TlsError, TlsMaterial, without_now};
use crate::config::TlsFiles;
use crate::status::{CertificateState, StatusBoard};

/// Distance of two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An alarm is raised when less than this part of a certificate's life is left.
const ALARM_BELOW_ONE_IN: i64 = 10;

/// Certificate, key and authority as they are on disk, or as they last were any good.
pub(crate) struct LiveTls {
    files: TlsFiles,
    current: RwLock<Arc<TlsMaterial>>,
    /// The files as they were before they were first read.
    first: Prints,
    /// SIGHUP since they were read, for the watch: unheard, it would end the daemon.
    hangup: Mutex<Option<Signal>>,
    /// Changes whenever what is shown and taken does.
    changes: watch::Sender<()>,
}

/// Tells one version of a file from the next: inode, length, and time of the last change.
type Print = Option<(u64, u64, i64, i64)>;

/// Of certificate, key, authority and list of revoked certificates.
type Prints = [Print; 4];

/// What the watch knows of the files.
struct Seen {
    /// Those that were read last, with or without success.
    prints: Prints,
    /// Why they were refused.
    fault: Option<String>,
    /// Whether the fault was told: the first look may have come between two files.
    told: bool,
}

impl LiveTls {
    /// Reads and checks the files, and hears SIGHUP from now on: whoever sees the daemon ready may
    /// send it. Must be called on a Tokio runtime with signals enabled.
    ///
    /// # Errors
    /// As [`TlsMaterial::load`].
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let first = prints(files);
        let hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP is not heard"))
            .ok();
        Ok(Self {
            hangup: Mutex::new(hangup),
            current: RwLock::new(Arc::new(TlsMaterial::load(files)?)),
            files: files.clone(),
            first,
            changes: watch::Sender::new(()),
        })
    }

    /// The material for a connection that begins now.
    pub(crate) fn current(&self) -> Arc<TlsMaterial> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows `material` to whoever comes from now on.
    pub(super) fn show(&self, material: TlsMaterial) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(material);
        drop(current);
        self.changes.send_replace(());
    }

    /// Returns when the certificate at the begin of `chain`, which was taken before, is revoked.
    pub(super) async fn until_revoked(&self, chain: &[CertificateDer<'_>]) {
        let mut changes = self.changes.subscribe();
        while !self.current().is_revoked(chain) {
            // The sender lives as long as this does.
            let _changed = changes.changed().await;
        }
    }

    /// Reads the files again whenever they change, and on SIGHUP, for ever. Files that are no
    /// good change nothing: what was good before stays, with an alarm on the board. To be called
    /// once: another watch would not hear SIGHUP.
    pub(crate) async fn watch(&self, board: &StatusBoard) -> Infallible {
        let hangup = self.hangup.lock();
        let mut hangup = hangup.unwrap_or_else(PoisonError::into_inner).take();
        let mut seen = Seen {
            prints: self.first,
            fault: None,
            told: false,
        };
        let mut alarmed = false;
        loop {
            self.report(board, &seen, &mut alarmed);
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                () = next(&mut hangup) => true,
            };
            if asked {
                tracing::info!("SIGHUP: the certificate is read again");
            }
            let now = prints(&self.files);
            if asked || now != seen.prints || (seen.fault.is_some() && !seen.told) {
                self.read_again(&mut seen, now).await;
            }
        }
    }

    async fn read_again(&self, seen: &mut Seen, prints: Prints) {
        let files = self.files.clone();
        // It may look more than once, with pauses.
        let read = tokio::task::spawn_blocking(move || TlsMaterial::load(&files)).await;
        let unchanged = prints == seen.prints;
        seen.prints = prints;
        match read {
            Ok(Ok(material)) => {
                seen.fault = None;
                let validity = material.facts().validity;
                self.show(material);
                tracing::info!(
                    valid_until = utc(validity.not_after),
                    "a new certificate is shown from now on"
                );
            }
            Ok(Err(error)) => {
                let fault = error.to_string();
                // A renewal in progress is no fault yet: files that stay as they are, are.
                let before = seen.fault.as_deref().map(without_now);
                seen.told = unchanged && before == Some(without_now(&fault));
                if seen.told {
                    tracing::warn!(
                        fault,
                        "the new certificate is refused; the one before stays"
                    );
                }
                seen.fault = Some(fault);
            }
            // The reading thread panicked; the next look tries again.
            Err(error) => tracing::error!(%error, "the certificate could not be read"),
        }
    }

    /// Puts the certificate's dates and its alarms on the board, and a new alarm into the log.
    fn report(&self, board: &StatusBoard, seen: &Seen, alarmed: &mut bool) {
        let validity = self.current().facts().validity;
        let ending = ending(validity, now_seconds());
        if let (Some(alarm), false) = (&ending, *alarmed) {
            tracing::error!(alarm, "the certificate must be renewed");
        }
        *alarmed = ending.is_some();
        let refused = seen.fault.as_ref().filter(|_| seen.told);
        let refused = refused.map(|fault| {
            format!("the new certificate is refused, the one before is still shown: {fault}")
        });
        board.certificate(CertificateState {
            not_after: u64::try_from(validity.not_after).ok(),
            alarms: ending.into_iter().chain(refused).collect(),
        });
    }
}

/// What an operator must know about the end of a certificate.
fn ending(validity: Validity, now: i64) -> Option<String> {
    let left = validity.left(now);
    let until = utc(validity.not_after);
    if left < 0 {
        return Some(format!(
            "this node's certificate expired on {until}, and nobody takes it any more; renew it with `qkd pki renew`"
        ));
    }
    (left < validity.length() / ALARM_BELOW_ONE_IN).then(|| {
        format!("this node's certificate expires on {until}; renew it with `qkd pki renew`")
    })
}

fn prints(files: &TlsFiles) -> Prints {
    let print = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        ))
    };
    [
        print(&files.certificate),
        print(&files.private_key),
        print(&files.authority),
        files.revoked.as_deref().and_then(print),
    ]
}

/// The next signal; never when they cannot be heard.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_comes_with_the_last_tenth_and_changes_with_the_end() {
        let validity = Validity {
            not_before: 0,
            not_after: 1_000,
        };
        assert_eq!(ending(validity, 900), None);
        let soon = ending(validity, 901).unwrap();
        assert!(
            soon.contains("expires on 1970-01-01 00:16:40 UTC"),
            "{soon}"
        );
        let over = ending(validity, 1_001).unwrap();
        assert!(over.contains("expired on") && over.contains("qkd pki renew"));
    }
}
