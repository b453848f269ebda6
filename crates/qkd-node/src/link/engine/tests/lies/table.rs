//! What becomes of a lie about each field.

use std::collections::BTreeMap;

/// What a lie about a field can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It never goes unnoticed: the link ends, a store is sealed, or a block comes to nothing.
    Caught,
    /// It may go unnoticed, and keys are equal all the same: why that is no harm.
    Harmless(&'static str),
    /// It may go unnoticed, and the keys that the liar's own application gets may be others: why
    /// nobody else can help that.
    OwnKeys(&'static str),
}

/// The verdict on every field.
///
/// # Panics
/// When a field has two.
pub fn verdicts() -> BTreeMap<&'static str, Verdict> {
    let caught = CAUGHT.iter().map(|&field| (field, Verdict::Caught));
    let others = OTHERS.iter().flat_map(|(fields, verdict)| {
        let judged = fields.iter().map(|&field| (field, *verdict));
        judged.collect::<Vec<_>>()
    });
    let mut all = BTreeMap::new();
    for (field, verdict) in caught.chain(others) {
        assert!(
            all.insert(field, verdict).is_none(),
            "{field} has two verdicts"
        );
    }
    all
}

#[rustfmt::skip]
const CAUGHT: &[&str] = &[
    "LinkMessage.heartbeat", "LinkMessage.rekey", "LinkMessage.relay", "LinkMessage.relay_answer",
    "LinkMessage.session", "SessionMessage.abort", "SessionMessage.amplification",
    "SessionMessage.announcement", "SessionMessage.clock", "SessionMessage.comparison",
    "SessionMessage.disclosure", "SessionMessage.parities", "SessionMessage.reconciliation_plan",
    "SessionMessage.verification", "SessionMessage.verified", "StoreMessage.assign_refused",
    "StoreMessage.commit", "StoreMessage.committed", "StoreMessage.give", "StoreMessage.prepared",
    "StoreMessage.quarantine", "StoreMessage.resume", "StoreMessage.taken",
    "StoreMessage.void_accepted", "abort.block", "abort.reason", "amplification.block",
    "amplification.confirmation_point", "amplification.output_bits", "amplification.part",
    "amplification.parts", "amplification.seed", "amplification.seed.count",
    "amplification.seed.packed", "announcement.bases", "announcement.bases.count",
    "announcement.bases.packed", "announcement.block", "announcement.first_slot",
    "announcement.gaps", "announcement.long_gaps", "announcement.part", "announcement.parts",
    "assign.id", "assign.master_sae_id", "assign_accepted.id", "assign_refused.id", "commit.block",
    "commit.block.block", "commit.block.session", "commit.chain", "commit.index",
    "comparison.bits", "comparison.bits.count", "comparison.block", "comparison.round",
    "disclosure.bases", "disclosure.bases.count", "disclosure.bases.packed", "disclosure.block",
    "disclosure.decoys", "disclosure.decoys.count", "disclosure.decoys.packed", "disclosure.part",
    "disclosure.parts", "disclosure.test_bits", "disclosure.test_bits.count", "give.block",
    "give.session", "parities.bits", "parities.bits.count", "parities.block", "parities.round",
    "prepared.block", "prepared.block.block", "prepared.block.session", "prepared.check",
    "quarantine.reason", "reconciliation_plan.block", "reconciliation_plan.key_bits",
    "reconciliation_plan.seed", "rekey.block", "rekey.check", "rekey.epoch", "rekey.session",
    "relay.from_sae_id", "relay.to_sae_id", "resume.chain", "resume.commits",
    "resume.last_accepted", "resume.last_confirmed", "taken.block", "taken.session",
    "verification.block", "verification.hash_key", "verification.tag", "verified.block",
    "verified.statistics", "verified.statistics.key", "verified.statistics.key.counts",
    "verified.statistics.key.errors", "verified.statistics.test",
    "verified.statistics.test.counts", "void.id", "void_accepted.id",
];

/// Fields, and what may come of a lie about them.
const OTHERS: &[(&[&str], Verdict)] = &[
    (
        &["abort.observed", "abort.limit"],
        Verdict::Harmless("figures for the report; the block has ended in any case"),
    ),
    (
        &["announcement.end_slot"],
        Verdict::Harmless(
            "a range that ends later than its last detection; the next one begins after it",
        ),
    ),
    (
        &["assign_refused.reason"],
        Verdict::Harmless("words for whoever asked for keys, who gets none in any case"),
    ),
    (
        &["clock.emitted_slots"],
        Verdict::Harmless(
            "a clock that is behind delays light, and one that is ahead loses it: Alice can stop her laser as well",
        ),
    ),
    (
        &["transmission.wanted", "SessionMessage.transmission"],
        Verdict::Harmless("whoever wants no light gets none, and no key"),
    ),
    (
        &[
            "commit.spent",
            "commit.spent.runs",
            "commit.spent.secrecy",
            "commit.spent.correctness",
            "resume.spent",
            "resume.spent.runs",
            "resume.spent.secrecy",
            "resume.spent.correctness",
        ],
        Verdict::Harmless(
            "each side keeps the larger account: Alice's word cannot lower Bob's, and who says too much spoils the pair's own account",
        ),
    ),
    (
        &[
            "committed.block",
            "committed.block.session",
            "committed.block.block",
        ],
        Verdict::Harmless("a commit is confirmed by its number alone, and all before it with it"),
    ),
    (
        &["committed.index"],
        Verdict::Harmless(
            "a lower number confirms less, so Alice keeps more of her history for the next meeting; a higher one is refused",
        ),
    ),
    (
        &[
            "discard.block",
            "discard.block.session",
            "discard.block.block",
            "discard.reason",
            "StoreMessage.discard",
        ],
        Verdict::Harmless(
            "to discard what was never distilled throws nothing away; what was comes to nothing on both sides",
        ),
    ),
    (
        &["disclosure.test_bits.packed"],
        Verdict::Harmless(
            "errors of the test basis that there were not: one more is Bob's loss, and too many end the block",
        ),
    ),
    (
        &["verified.statistics.test.errors"],
        Verdict::Harmless(
            "Bob alone can count them, as he could make up his detections; key and length he shares with Alice",
        ),
    ),
    (
        &["parities.bits.packed", "comparison.bits.packed"],
        Verdict::Harmless(
            "one more error to find, or one less: the hashes of the keys decide, and each bit is counted as said",
        ),
    ),
    (
        &["reconciliation_plan.prior_qber"],
        Verdict::Harmless(
            "both sides plan with other parities and find it out, or with the same: every one is counted as said",
        ),
    ),
    (
        &[
            "resume.abandoned",
            "resume.abandoned.session",
            "resume.abandoned.block",
            "resume.in_doubt",
            "resume.in_doubt.block",
            "resume.in_doubt.block.session",
            "resume.in_doubt.block.block",
            "resume.in_doubt.check",
        ],
        Verdict::Harmless(
            "what Alice has not committed she discards, and what Bob gave up is on neither side",
        ),
    ),
    (
        &[
            "resume.boot_epoch",
            "resume.boot_id",
            "resume.last_assigned",
        ],
        Verdict::Harmless(
            "the peer will be held to it: its next honest word contradicts it, and then both stores are sealed",
        ),
    ),
    (
        &[
            "StoreMessage.assign",
            "StoreMessage.assign_accepted",
            "StoreMessage.void",
            "LinkMessage.store",
        ],
        Verdict::Harmless(
            "said twice, or refused as another kind: nothing was assigned that either side would deliver",
        ),
    ),
    (
        &[
            "assign.keys",
            "assign.keys.key_id",
            "assign.keys.ranges",
            "assign.keys.ranges.block",
            "assign.keys.ranges.block.session",
            "assign.keys.ranges.block.block",
            "assign.keys.ranges.bytes",
            "assign.keys.ranges.offset",
            "assign.slave_sae_ids",
        ],
        Verdict::OwnKeys(
            "the owner decides what its own application gets, whatever it tells the peer of it; the peer gives nothing twice and nothing that is not the owner's",
        ),
    ),
    (
        &[
            "void.keys",
            "void.keys.key_id",
            "void.keys.ranges",
            "void.keys.ranges.block",
            "void.keys.ranges.block.session",
            "void.keys.ranges.block.block",
            "void.keys.ranges.bytes",
            "void.keys.ranges.offset",
            "void.master_sae_id",
            "void.slave_sae_ids",
        ],
        Verdict::Harmless(
            "an owner burns bits of its own share only; keys that it drops are those of the assignment that it names",
        ),
    ),
    (
        &[
            "relay.number",
            "relay.key_id",
            "relay.sender",
            "relay.sequence",
            "relay.ciphertext",
            "relay_answer.number",
            "relay_answer.outcome",
        ],
        Verdict::Harmless(
            "the daemons carry ciphertext: the applications open it or refuse it, and who hears no answer sends again",
        ),
    ),
    (
        &[
            "StoreMessage.compare",
            "StoreMessage.compared",
            "compare.pad",
            "compare.pad.id",
            "compare.pad.keys",
            "compare.pad.keys.key_id",
            "compare.pad.keys.ranges",
            "compare.pad.keys.ranges.block",
            "compare.pad.keys.ranges.block.block",
            "compare.pad.keys.ranges.block.session",
            "compare.pad.keys.ranges.bytes",
            "compare.pad.keys.ranges.offset",
            "compare.pad.master_sae_id",
            "compare.pad.slave_sae_ids",
            "compare.point",
            "compare.ranges",
            "compare.ranges.block",
            "compare.ranges.block.block",
            "compare.ranges.block.session",
            "compare.ranges.bytes",
            "compare.ranges.offset",
            "compare.tag",
            "compared.equal",
            "compared.id",
        ],
        Verdict::Harmless(
            "a question about the asker's own share, which it pays for: a false one, or a false answer, throws a block away on both sides at most",
        ),
    ),
];
