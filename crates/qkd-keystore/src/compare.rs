//! Both sides compare what they have committed and not given away, from time to time.
//!
//! A block's check value shows at its commit that both sides have the same key, and records are sealed:
//! what a disk does to them is found. Neither finds a key that was altered under a valid seal, in memory,
//! by a defect or by whoever has the store key. So every side asks the other, share by share, whether it
//! has the same bytes; a block of which they differ is thrown away on both sides, with every key that was
//! cut from it and not given away, and operators are told.
//!
//! **What is said about the key: nothing**, while P is secret. The bytes M of some shares are the
//! coefficients of a polynomial over GF(2¹²⁸) (POLYVAL, RFC 8452), taken at a point that the asking side
//! draws for each comparison. Its value alone would be 128 bits of knowledge about M. It is therefore added
//! to 16 bytes P of the same key that no application ever gets: the sum is a one-time pad of it, uniform
//! whatever M is, since P is as uniform as M and independent of it. Privacy amplification has made nothing
//! else than such bits, so no assumption is added to those of the key. P is burnt durably before the sum
//! is said, by the same record as an assignment that nobody was answered ([`StoreMessage::Void`]): it is
//! never used twice, whatever crashes. What the peer answers, equal or not, depends on the difference of
//! the two copies alone, because the polynomial is linear in M. (A bare hash, or one keyed with
//! authentication keys, would make the secrecy of M rest on that hash. The check value of the commit cannot
//! be computed again: its pad is gone, and so are the bytes that were given away since.)
//!
//! **Where P rests.** In memory it is wiped. On disk it lies under the store's key in the record of its
//! block, as all spent bytes do, until the block is used up and shredded. Whoever has heard the sum, and
//! gets that record and the store key before, has the rest of that block anyway, and 128 bits of knowledge
//! about M besides, also where it was given away since.
//!
//! **What it finds.** Different bytes of n words of 16 bytes collide for at most n of the 2¹²⁸ points:
//! 2⁻¹⁰⁹ for a group of the largest size, 2⁻¹⁰⁰ for a share alone that were as large as any can be. Groups
//! that differ are halved until the block is found; each group takes its P from one of its own members, so
//! that a P which differs accuses no other block.
//!
//! **What it costs.** 16 bytes for each group, side and round, of a share that was used before if there is
//! one: only untouched shares change hands. A store that gets no more blocks is compared ever less often, up
//! to once a day, so that it does not eat itself. Who can break the link cannot make a side ask more often:
//! what was not answered is asked again in the next round, unless it is known to hold a block that differs.
//!
//! **When it is not chance.** Defects of memory and disk alter a block or two. After [`DIFFERING_MAX`] blocks
//! that were thrown away since the store was opened the next one quarantines both stores: a peer that has the
//! key and lies must not have a whole store thrown away, and an operator has to look at both machines.
//!
//! **What is compared**: what the asking side may assign. The link keeps messages in order, so the
//! peer's copy of those bytes is untouched when the question comes. Keys that wait at the peer for their
//! slaves have left the owner: there is nothing to compare them with.
//!
//! **What it does not clear away.** A peer that has thrown a block away says so in an answer. When that is
//! lost with the link, this side asks again, unless its own share was used up meanwhile: then what is left of
//! the block, which is the peer's share, stays here and is counted as the peer's. No key can come of it.

use std::collections::{BTreeSet, VecDeque};

use polyval::Polyval;
use polyval::universal_hash::UniversalHash as _;
use qkd_bits::SecretBytes;

use crate::record::{AssignmentRecord, Place};
use crate::store::{KeyStore, Link, Unsettled};
use crate::{
    Alarm, AssignedKey, Assignment, BlockId, Comparison, Error, Health, KeyId, KeyRange, Output,
    RequestError, SaeId, Side, Step, StoreMessage,
};

/// Bytes of key that one comparison spends.
const PAD_BYTES: u32 = 16;

/// Bytes that are compared at once, each share filled up to words of 16, if one share has not more: some
/// milliseconds, and the store answers others in between.
const GROUP_BYTES_MAX: u64 = 8 << 20;

/// Shares that are compared at once at most.
pub(crate) const GROUP_SHARES_MAX: usize = 256;

/// Blocks that are thrown away since the store was opened, at most: more is no bit that fell over.
const DIFFERING_MAX: u64 = 16;

/// Seconds between two rounds in a store that gets no more blocks, at most, unless it is configured so.
const PAUSE_MAX_S: u64 = 24 * 3600;

/// Whom a pad is assigned to, where an application would stand.
const NOBODY: &str = "comparison of both stores";

/// A share of a block, by the side that it was cut for.
type Share = (BlockId, Side);

/// How far this side's questions have come.
#[derive(Default)]
pub(crate) struct Comparisons {
    /// What is still to be compared in this round, group by group.
    due: VecDeque<Group>,
    /// What the peer was asked and has not answered.
    asked: Option<Asked>,
    /// When the latest round began, by the store's own clock.
    began_s: Option<u64>,
    /// Blocks that had been committed then.
    commits: u64,
    /// Seconds from then to the next round, if no block is committed before.
    pause_s: u64,
    /// Whether nothing of the latest round differed or went without an answer, so far.
    is_equal: bool,
    /// Bytes that the peer said are equal, since the store was opened.
    pub(crate) equal_bytes: u64,
    /// Blocks that were thrown away because they were not.
    pub(crate) differing_blocks: u64,
}

/// What is compared at once.
#[derive(Default)]
struct Group {
    shares: Vec<Share>,
    /// It is half of one that differed.
    is_suspect: bool,
}

struct Asked {
    id: u64,
    group: Group,
    bytes: u64,
}

impl Comparisons {
    /// The link has ended. What it leaves without an answer waits for the next round: asked again at each
    /// new link, it would let who breaks links burn a pad with each of them. What is known to differ
    /// somewhere does not wait.
    pub(crate) fn interrupted(&mut self) {
        self.is_equal &= self.asked.is_none() && self.due.is_empty();
        if let Some(asked) = self.asked.take() {
            self.due.push_front(asked.group);
        }
        self.due.retain(|group| group.is_suspect);
    }

    /// A round begins at `now_s`, in a store to which so many blocks were committed. The next one is as far
    /// away as configured, or twice as far as this one was from one that found all equal, and since when
    /// there has been no new block.
    fn begin_round(&mut self, now_s: u64, commits: u64, every_s: u64) {
        let is_idle = self.began_s.is_some() && self.commits == commits;
        self.pause_s = if is_idle && self.is_equal {
            self.pause_s.saturating_mul(2).min(PAUSE_MAX_S.max(every_s))
        } else {
            every_s
        };
        self.began_s = Some(now_s);
        self.commits = commits;
        self.is_equal = true;
    }

    /// A group that differs: the block is in one of its halves.
    fn halve(&mut self, mut shares: Vec<Share>) {
        self.is_equal = false;
        let second = shares.split_off(shares.len() / 2);
        for shares in [second, shares] {
            self.due.push_front(Group {
                shares,
                is_suspect: true,
            });
        }
    }
}

impl KeyStore {
    /// Alters a bit of the newest block in memory, as a fault of it would, so that a test can see it
    /// found. False when there is no block.
    pub fn alter(&mut self) -> bool {
        self.pool.alter_newest()
    }

    /// Asks the peer the next question, when it is time for one.
    pub(crate) fn compare(&mut self, outputs: &mut Vec<Output>) {
        let may_ask = self.health == Health::Sound && self.link == Link::Ready;
        if !may_ask || self.comparisons.asked.is_some() {
            return;
        }
        self.begin_round_if_due();
        while self.comparisons.asked.is_none()
            && let Some(group) = self.comparisons.due.pop_front()
        {
            self.ask(group, outputs);
        }
    }

    fn begin_round_if_due(&mut self) {
        let every_s = self.limits.compare_every_s;
        if !self.comparisons.due.is_empty() || every_s == 0 || !self.is_clock_told {
            return;
        }
        let now_s = self.clock.store_s;
        let commits = self.ledger.commits;
        let pause_s = if commits == self.comparisons.commits {
            self.comparisons.pause_s
        } else {
            every_s
        };
        let is_early = |began_s: u64| now_s < began_s.saturating_add(pause_s);
        if self.comparisons.began_s.is_some_and(is_early) {
            return;
        }
        self.comparisons.begin_round(now_s, commits, every_s);
        let mut group = Group::default();
        let mut group_bytes = 0;
        for (share, bytes) in self.pool.held(self.side) {
            let bytes = u64::from(bytes).next_multiple_of(16);
            let shares = group.shares.len();
            let is_full = shares == GROUP_SHARES_MAX || group_bytes + bytes > GROUP_BYTES_MAX;
            if is_full && shares > 0 {
                self.comparisons.due.push_back(std::mem::take(&mut group));
                group_bytes = 0;
            }
            group.shares.push(share);
            group_bytes += bytes;
        }
        if !group.shares.is_empty() {
            self.comparisons.due.push_back(group);
        }
    }

    /// Asks whether the peer has the same bytes of these shares, as far as they are still here and free.
    /// Of what is too short for a pad and something to compare nothing is asked; it is burnt if it is
    /// suspect.
    fn ask(&mut self, group: Group, outputs: &mut Vec<Output>) {
        let free = |&(block, first): &Share| {
            let found = self.pool.get(&block)?;
            let (offset, bytes) = found.free_of(self.side, first)?;
            let range = KeyRange {
                block,
                offset,
                bytes,
            };
            Some((range, found.untouched(first).is_some()))
        };
        let (mut ranges, untouched): (Vec<KeyRange>, Vec<bool>) =
            group.shares.iter().filter_map(free).unzip();
        let mut long = (0..ranges.len()).filter(|&at| ranges[at].bytes > PAD_BYTES);
        let first_long = long.clone().next();
        let Some(padding) = long.find(|&at| !untouched[at]).or(first_long) else {
            if group.is_suspect {
                self.burn(ranges, outputs);
            }
            return;
        };
        let padding = &mut ranges[padding];
        let pad = KeyRange {
            bytes: PAD_BYTES,
            ..*padding
        };
        padding.offset += PAD_BYTES;
        padding.bytes -= PAD_BYTES;
        let point = self.rng.array();
        let spent = self.spend(&pad);
        let tag = self.tag(&point, &ranges, spent);
        let pad = self.burnt(pad);
        self.steps.push(Step::Compare);
        self.comparisons.asked = Some(Asked {
            id: pad.id,
            group,
            bytes: ranges.iter().map(|range| u64::from(range.bytes)).sum(),
        });
        outputs.push(Output::Send(StoreMessage::Compare(Box::new(Comparison {
            pad,
            ranges,
            point,
            tag,
        }))));
    }

    /// Burns what is too short to be compared, here and at the peer.
    fn burn(&mut self, pieces: Vec<KeyRange>, outputs: &mut Vec<Output>) {
        for piece in pieces {
            drop(self.spend(&piece));
            let void = self.burnt(piece);
            self.steps.push(Step::Void);
            self.retire_blocks_of(&void);
            outputs.push(Output::Send(StoreMessage::Void(void)));
        }
    }

    /// The record of a piece that nobody gets: an assignment that is void from the beginning, so that the
    /// peer burns it too, if not now then when both resume.
    fn burnt(&mut self, piece: KeyRange) -> Assignment {
        self.ledger.last_assigned += 1;
        let assignment = Assignment {
            id: self.ledger.last_assigned,
            master: SaeId::new(NOBODY).expect("it has 25 of at most 256 bytes"),
            slaves: Vec::new(),
            keys: vec![AssignedKey {
                key_id: KeyId::random(&mut self.rng),
                ranges: vec![piece],
            }],
        };
        let record = AssignmentRecord {
            void: true,
            assignment,
        };
        let put = Place::Assignment(record.assignment.id).put(&self.vault, record.encode());
        self.changes.push(put);
        let unsettled = Unsettled {
            ticket: None,
            assignment: record.assignment.clone(),
        };
        self.unsettled.insert(record.assignment.id, unsettled);
        record.assignment
    }

    /// The peer asks whether this side has the same bytes.
    pub(crate) fn peer_compares(
        &mut self,
        theirs: &Comparison,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let pad = self.check_comparison(theirs)?;
        let ranges = &theirs.ranges;
        let mut named = ranges.iter().chain([&pad]);
        let is_equal = named.all(|range| self.pool.contains(&range.block)) && {
            let spent = self.spend(&pad);
            // Both are public, so an ordinary comparison does.
            self.tag(&theirs.point, ranges, spent) == theirs.tag
        };
        self.pool.advance(&pad);
        self.ledger.last_accepted = self.ledger.last_accepted.max(theirs.pad.id);
        self.steps.push(Step::Compared);
        if let ([only], false) = (&ranges[..], is_equal) {
            self.withdraw(only.block, outputs);
        }
        self.retire_blocks_of(&theirs.pad);
        if self.health != Health::Sound {
            // The peer was told of the quarantine, and hears nothing after that.
            return Ok(());
        }
        outputs.push(Output::Send(StoreMessage::Compared {
            id: theirs.pad.id,
            is_equal,
        }));
        Ok(())
    }

    /// The pad, when the question is about free bytes of the peer's.
    fn check_comparison(&self, theirs: &Comparison) -> Result<KeyRange, Error> {
        let misbehaved = |rule| Error::PeerMisbehaved {
            message: "Compare",
            rule,
        };
        let mut pads = theirs.pad.keys.iter().flat_map(|key| &key.ranges);
        let pad = match (pads.next(), pads.next()) {
            (Some(pad), None) if pad.bytes == PAD_BYTES => *pad,
            (_, _) => return Err(misbehaved("it spends 16 bytes of one share")),
        };
        if theirs.pad.id <= self.ledger.last_accepted {
            return Err(misbehaved("its number is higher than all before"));
        }
        if theirs.ranges.is_empty() || theirs.ranges.len() > GROUP_SHARES_MAX {
            return Err(misbehaved("it is about 1 to 256 shares"));
        }
        let owner = self.side.peer();
        // A block that is gone here was thrown away when it was found to differ.
        let is_foreign = |range: &KeyRange| {
            let block = self.pool.get(&range.block);
            block.is_some_and(|block| !block.is_free(owner, range))
        };
        if is_foreign(&pad) || theirs.ranges.iter().any(is_foreign) {
            return Err(misbehaved("an owner compares free bits of its own share"));
        }
        let mut shares = BTreeSet::new();
        let is_again = |range: &KeyRange| {
            let block = self.pool.get(&range.block);
            let first = block.and_then(|block| block.cut_for(range));
            // Both are free, so they end within their share.
            first.is_some_and(|first| {
                let is_over_pad = pad.block == range.block
                    && range.offset < pad.offset + pad.bytes
                    && pad.offset < range.offset + range.bytes;
                is_over_pad || !shares.insert((range.block, first))
            })
        };
        if theirs.ranges.iter().any(is_again) {
            return Err(misbehaved(
                "it names each share once, and its pad nowhere else",
            ));
        }
        Ok(pad)
    }

    /// The peer has answered.
    pub(crate) fn peer_compared(
        &mut self,
        id: u64,
        is_equal: bool,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let asked = self.comparisons.asked.take_if(|asked| asked.id == id);
        let asked = asked.ok_or(Error::PeerMisbehaved {
            message: "Compared",
            rule: "no such comparison waits for an answer",
        })?;
        if let Some(settled) = self.unsettled.remove(&id) {
            self.steps.push(Step::Forget);
            self.changes.push(Place::Assignment(id).delete());
            self.retire_blocks_of(&settled.assignment);
        }
        match (is_equal, &asked.group.shares[..]) {
            (true, _) => self.comparisons.equal_bytes += asked.bytes,
            (false, &[(block, _)]) => {
                self.comparisons.is_equal = false;
                self.withdraw(block, outputs);
            }
            (false, _) => self.comparisons.halve(asked.group.shares),
        }
        Ok(())
    }

    /// Throws a block away whose copies differ, with every key of it that has not left this side. The
    /// peer does the same: it has found it, or is told now. After too many of them it throws nothing away
    /// and quarantines both stores.
    fn withdraw(&mut self, id: BlockId, outputs: &mut Vec<Output>) {
        if !self.pool.contains(&id) {
            return;
        }
        if self.comparisons.differing_blocks >= DIFFERING_MAX {
            let reason = format!(
                "the copies of more than {DIFFERING_MAX} blocks differ: one of the two stores was altered"
            );
            self.quarantine(reason, outputs);
            return;
        }
        let is_of_it = |range: &KeyRange| range.block == id;
        let waits = |unsettled: &Unsettled| {
            let mut keys = unsettled.assignment.keys.iter();
            unsettled.ticket.is_some() && keys.any(|key| key.ranges.iter().any(is_of_it))
        };
        let waiting = self.unsettled.values().filter(|unsettled| waits(unsettled));
        let waiting: Vec<Assignment> = waiting.map(|one| one.assignment.clone()).collect();
        for assignment in waiting {
            self.void(assignment.id, RequestError::PeerUnavailable, outputs);
            outputs.push(Output::Send(StoreMessage::Void(assignment)));
        }
        let keys = self.keys.iter();
        let keys = keys.filter(|(_, record)| record.ranges.iter().any(is_of_it));
        let keys: Vec<KeyId> = keys.map(|(key_id, _)| *key_id).collect();
        for &key_id in &keys {
            // Taken only to be wiped.
            drop(self.remove_key(key_id));
        }
        drop(self.pool.remove(&id));
        self.changes.push(Place::Material(id).delete());
        self.changes.push(Place::Block(id).delete());
        self.steps.push(Step::Withdraw);
        self.comparisons.differing_blocks += 1;
        outputs.push(Output::Alarm(Alarm::CopiesDiffer {
            block: id,
            keys: keys.len() as u64,
        }));
    }

    /// Takes a pad out of its block, for ever.
    fn spend(&mut self, pad: &KeyRange) -> SecretBytes {
        let mut bytes = SecretBytes::from(vec![0; pad.bytes as usize]);
        self.pool
            .change(&pad.block, |block| block.take(pad, bytes.expose_mut()));
        self.pool.advance(pad);
        bytes
    }

    /// The polynomial of the bytes under `ranges` at `point`, added to `pad`.
    fn tag(&self, point: &[u8; 16], ranges: &[KeyRange], mut pad: SecretBytes) -> [u8; 16] {
        let mut polynomial = Polyval::new(&(*point).into());
        for range in ranges {
            if let Some(block) = self.pool.get(&range.block) {
                polynomial.update_padded(block.bytes(range));
            }
        }
        let mut tag = [0; 16];
        let value = SecretBytes::from(polynomial.finalize().to_vec());
        let sum = pad.expose_mut().iter_mut().zip(value.expose());
        for (out, (pad, value)) in tag.iter_mut().zip(sum) {
            *pad ^= value;
            *out = *pad;
        }
        tag
    }
}
