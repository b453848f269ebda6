//! Who else saw the end of the log: the key store keeps it with every commit of its own.
//!
//! Whoever cuts lines off the end leaves a chain that is sound. He would have to put the key store back
//! as well, to a commit before those lines; the other side's store finds that at the next connection.
//! What the key store has not seen yet, lines since its last commit, can be cut off unnoticed: a value
//! that was kept elsewhere, from `qkd audit verify` or the collected logs, is what helps then.

use std::sync::{Mutex, PoisonError};

use super::chain::{Head, hex};

/// Bytes in which a head is kept.
const HEAD_BYTES: usize = 40;

/// The last line that is durable, for the key store to keep.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// What the key store had kept when it was opened.
    kept: Option<Head>,
    now: Mutex<Option<Head>>,
}

impl Witness {
    /// With what the key store has kept, if it has.
    pub(crate) fn new(kept: Option<&[u8]>) -> Self {
        Self {
            kept: kept.and_then(read),
            now: Mutex::default(),
        }
    }

    /// The log ends here now.
    pub(super) fn saw(&self, head: Head) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    /// What the key store is to keep with its next commit.
    pub(crate) fn bytes(&self) -> Option<[u8; HEAD_BYTES]> {
        let head = (*self.now.lock().unwrap_or_else(PoisonError::into_inner))?;
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&head.seq.to_be_bytes());
        bytes[8..].copy_from_slice(&head.link);
        Some(bytes)
    }

    /// What is wrong with a log that ends at `head`, in words; nothing when nothing is.
    pub(super) fn missing(&self, head: Head) -> Option<String> {
        let kept = self.kept?;
        if kept.seq > head.seq {
            return Some(format!(
                "ends with line {}, and the key store has seen line {}: its end was cut off",
                head.seq, kept.seq
            ));
        }
        (kept.seq == head.seq && kept.link != head.link).then(|| {
            format!(
                "has another line {} than the key store has seen (chain value {})",
                head.seq,
                hex(&kept.link)
            )
        })
    }

    /// Where a log goes on that ends at `head`: never with a number that was used.
    pub(super) fn ahead(&self, head: Head) -> Head {
        self.kept.filter(|kept| kept.seq > head.seq).unwrap_or(head)
    }
}

fn read(bytes: &[u8]) -> Option<Head> {
    let (seq, link) = bytes.split_first_chunk()?;
    Some(Head {
        seq: u64::from_be_bytes(*seq),
        link: link.try_into().ok()?,
    })
}
