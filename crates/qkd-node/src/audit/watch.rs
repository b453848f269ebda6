//! What the node itself has to say: its key store's health, keys that expired, copies of keys that
//! differ, a random generator that failed, and what strangers tried on the classical channel. Read off what is shown anyway, once a second at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use qkd_keystore::Health;

use super::{AuditLog, Event, Kind};
use crate::hub::KeyHub;
use crate::status::{Snapshot, StatusBoard};

/// Distance of two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was seen last.
struct Seen {
    health: Health,
    expired: u64,
    differing_blocks: u64,
    generator_failed: bool,
    rejected: [u64; KINDS.len()],
}

/// What is rejected on the classical channel, by kind.
const KINDS: [&str; 8] = [
    "tag_length",
    "wrong_tag",
    "wrong_epoch",
    "reflection",
    "replay",
    "gap",
    "malformed",
    "handshakes",
];

fn rejected(board: &Snapshot) -> [u64; KINDS.len()] {
    let rejects = &board.rejects;
    [
        rejects.tag_length,
        rejects.wrong_tag,
        rejects.wrong_epoch,
        rejects.reflection,
        rejects.replay,
        rejects.gap,
        board.malformed,
        board.handshakes_failed,
    ]
}

/// Writes down what changes, for ever.
pub(crate) async fn watch(log: Arc<AuditLog>, hub: Arc<KeyHub>, board: StatusBoard) -> Infallible {
    let mut seen = Seen {
        health: Health::Sound,
        expired: 0,
        differing_blocks: 0,
        generator_failed: false,
        rejected: [0; KINDS.len()],
    };
    loop {
        seen.look(&log, &hub, &board.snapshot());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Seen {
    fn look(&mut self, log: &AuditLog, hub: &KeyHub, board: &Snapshot) {
        let store = hub.status();
        if store.health != self.health {
            match &store.health {
                Health::Sound => {}
                Health::Sealed => log.note(Event::new(Kind::StoreSealed)),
                Health::Quarantined { reason } => {
                    log.note(Event::new(Kind::StoreQuarantined).text("reason", reason));
                }
            }
            self.health = store.health;
        }
        if store.expired_count > self.expired {
            let keys = store.expired_count - self.expired;
            log.note(Event::new(Kind::KeysExpired).number("keys", keys));
            self.expired = store.expired_count;
        }
        if store.differing_blocks > self.differing_blocks {
            let blocks = store.differing_blocks - self.differing_blocks;
            log.note(Event::new(Kind::CopiesDiffer).number("blocks", blocks));
            self.differing_blocks = store.differing_blocks;
        }
        if let (false, Some(fault)) = (self.generator_failed, &board.generator_fault) {
            log.note(Event::new(Kind::GeneratorFailed).text("reason", fault));
            self.generator_failed = true;
        }
        let rejected = rejected(board);
        if rejected != self.rejected {
            let counts = KINDS.iter().zip(rejected.iter().zip(&self.rejected));
            let more = counts.filter_map(|(kind, (now, before))| {
                let more = now.saturating_sub(*before);
                (more > 0).then_some((*kind, more))
            });
            let event = more.fold(Event::new(Kind::LinkRejected), |event, (kind, more)| {
                event.number(kind, more)
            });
            log.note(event);
            self.rejected = rejected;
        }
    }
}
