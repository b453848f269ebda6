//! What was said in public about the key of each block, and whether it was paid for.

use std::collections::BTreeMap;

use qkd_keystore::Side;
use qkd_session::{BlockReport, Message, Outcome};
use qkd_wire::link::{LinkMessage, decode_payload};

use super::town::place;

/// Bits about one block that one side said.
#[derive(Debug, Clone, Copy, Default)]
struct Bits {
    /// Parities, or what became of them.
    corrected: u64,
    /// Tags of the key.
    tags: u64,
}

/// Bits about each block that each side meant to say, and that reached the other.
#[derive(Debug, Default)]
pub struct Disclosed {
    meant: [BTreeMap<u64, Bits>; 2],
    heard: [BTreeMap<u64, Bits>; 2],
}

impl Disclosed {
    /// Counts a payload as its sender's engine made it, and as it was sealed. What is sealed about a block
    /// that the sender was not speaking of is no step of that block: nobody takes it for one.
    pub fn count(&mut self, from: Side, meant: &[u8], sealed: &[u8]) {
        let (meant, sealed) = (bits_of(meant), bits_of(sealed));
        let heard = sealed.iter().filter(|(block, _)| meant.contains_key(block));
        add(&mut self.heard[place(from)], heard);
        add(&mut self.meant[place(from)], &meant);
    }

    /// What `side` knows that was said by `from`: its own words, and what it has heard.
    fn known(&self, side: Side, from: Side, block: u64) -> Bits {
        let said = if side == from {
            &self.meant
        } else {
            &self.heard
        };
        said[place(from)].get(&block).copied().unwrap_or_default()
    }

    /// Bits of error correction that `side` knows Alice and Bob to have said.
    pub fn corrected(&self, side: Side, block: u64) -> [u64; 2] {
        [Side::Alice, Side::Bob].map(|from| self.known(side, from, block).corrected)
    }

    /// A block with a key has counted every bit that was said about it, has charged Alice's, and its
    /// length is one that the theorem gives for them: whoever makes more be said makes it fail, and never
    /// gets anything for nothing.
    pub fn assert_paid(&self, side: Side, report: &BlockReport) {
        match report.outcome {
            Outcome::Key { .. } => {}
            Outcome::Aborted(_) => return,
        }
        let [alice, bob] = [Side::Alice, Side::Bob].map(|of| self.known(side, of, report.block));
        let counted = report.leakage;
        let block = format!("block {} at {side}: {counted:?}", report.block);
        assert!(
            counted.from_alice_bits >= alice.corrected,
            "{block}, {alice:?}"
        );
        assert!(counted.from_bob_bits >= bob.corrected, "{block}, {bob:?}");
        assert!(
            counted.verification_tag_bits >= alice.tags,
            "{block}, {alice:?}"
        );
        assert_eq!(counted.verification_outcome_bits, 1, "{block}");
        let said = alice.corrected + alice.tags + 1;
        assert!(
            report.leaked_bits >= said,
            "{block}: {} charged",
            report.leaked_bits
        );
        let length = report.key_length.as_ref().expect("a key has a length");
        assert!(
            length.charged_leakage_bits >= said as f64,
            "{block}: {length:?}"
        );
        let given = length.secret_length_bits();
        assert!(given >= report.fixed_length_bits, "{block}: {given}");
    }
}

fn add<'a>(all: &mut BTreeMap<u64, Bits>, more: impl IntoIterator<Item = (&'a u64, &'a Bits)>) {
    for (&block, bits) in more {
        let sum = all.entry(block).or_default();
        sum.corrected += bits.corrected;
        sum.tags += bits.tags;
    }
}

/// The bits of a payload, by block. What cannot be read tells nobody anything: it ends the link.
fn bits_of(payload: &[u8]) -> BTreeMap<u64, Bits> {
    let mut blocks: BTreeMap<u64, Bits> = BTreeMap::new();
    for message in decode_payload(payload).unwrap_or_default() {
        let LinkMessage::Session(message) = message else {
            continue;
        };
        match message {
            Message::Parities { block, bits, .. } | Message::Comparison { block, bits, .. } => {
                blocks.entry(block).or_default().corrected += bits.len() as u64;
            }
            Message::Verification { block, tag, .. } => {
                blocks.entry(block).or_default().tags += 8 * tag.len() as u64;
            }
            Message::Transmission { .. }
            | Message::Clock { .. }
            | Message::Announcement { .. }
            | Message::Disclosure { .. }
            | Message::ReconciliationPlan { .. }
            | Message::Verified { .. }
            | Message::Amplification { .. }
            | Message::Abort { .. } => {}
        }
    }
    blocks
}
