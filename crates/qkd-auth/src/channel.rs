//! An authenticated, ordered channel: seal, open, refresh.

use qkd_bits::SecretBytes;

use crate::schedule::Root;
use crate::tag::{HEAD_BYTES, TagKey};
use crate::{Authentication, Envelope, Error, Reject, RejectCounters, Role, TAG_BYTES};

/// Distilled bytes that a refresh takes at least (256 bits).
const REFRESH_BYTES_MIN: usize = 32;

/// One end of an authenticated channel. Each direction has its own key, epoch and sequence.
///
/// # Refreshing keys without a race
///
/// Both ends [`stage`](Self::stage) the same distilled bits at any time, in any order. Each
/// direction then switches on its own: its sender seals a message that carries the [`Rekey`] as
/// the *last* envelope of the old epoch and calls [`switch_sending`](Self::switch_sending); its
/// receiver, having opened that message, calls [`switch_receiving`](Self::switch_receiving).
/// Envelopes of one direction arrive in order, so none of the old epoch can follow; envelopes in
/// flight in the other direction are not touched. The end that receives a [`Rekey`] answers with
/// its own. When both directions have switched, the old root is wiped.
pub struct Channel {
    role: Role,
    transcript: [u8; 32],
    peer_parameters: Vec<u8>,
    root: Root,
    authentication: Authentication,
    sending: Direction,
    receiving: Direction,
    staged: Option<Staged>,
    counters: RejectCounters,
    sequences_max: u64,
}

/// Names the distilled bits that a refresh mixes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshId {
    /// The session of the block that the bits come from.
    pub session: u64,
    /// The block that the bits come from.
    pub block: u64,
}

/// Announces that the sender's next envelope is of a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekey {
    /// The new epoch.
    pub epoch: u32,
    /// The bits that were mixed in.
    pub id: RefreshId,
    /// Public value, equal on both ends when they derived the same keys.
    pub check: [u8; 16],
}

struct Direction {
    epoch: u32,
    sequence: u64,
    /// Every tag begins from it: a third of a tag's work where messages are short.
    key: TagKey,
}

/// The next epoch's keys, each taken out when its direction switches.
struct Staged {
    rekey: Rekey,
    root: Root,
    sending: Option<Direction>,
    receiving: Option<Direction>,
}

impl Channel {
    pub(crate) fn new(
        role: Role,
        root: Root,
        authentication: Authentication,
        transcript: [u8; 32],
        peer_parameters: Vec<u8>,
    ) -> Self {
        Self {
            role,
            transcript,
            peer_parameters,
            sending: Direction::new(&root, authentication, role, 0),
            receiving: Direction::new(&root, authentication, role.peer(), 0),
            root,
            authentication,
            staged: None,
            counters: RejectCounters::default(),
            sequences_max: u64::MAX,
        }
    }

    /// This end's role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The link parameters that the peer proved to have sent.
    pub fn peer_parameters(&self) -> &[u8] {
        &self.peer_parameters
    }

    /// Hash of both openings: a public name of this channel, the same on both ends, never twice.
    pub fn transcript(&self) -> &[u8; 32] {
        &self.transcript
    }

    /// Envelopes rejected so far.
    pub fn counters(&self) -> RejectCounters {
        self.counters
    }

    /// Epoch of the next envelope sent.
    pub fn sending_epoch(&self) -> u32 {
        self.sending.epoch
    }

    /// Epoch of the next envelope accepted.
    pub fn receiving_epoch(&self) -> u32 {
        self.receiving.epoch
    }

    /// Tags a payload with the next sequence number of this direction.
    ///
    /// # Errors
    /// [`Error::SequenceExhausted`]; nothing was sealed.
    pub fn seal(&mut self, payload: Vec<u8>) -> Result<Envelope, Error> {
        let Direction {
            epoch, sequence, ..
        } = self.sending;
        if sequence >= self.sequences_max {
            return Err(Error::SequenceExhausted { epoch });
        }
        let head = head(epoch, self.role, sequence);
        let tag = self.sending.key.tag(&head, &payload);
        self.sending.sequence += 1;
        Ok(Envelope {
            epoch,
            sequence,
            payload,
            tag,
        })
    }

    /// Checks an envelope and returns its payload. It must be the very next one of its direction.
    ///
    /// # Errors
    /// A [`Reject`], which is counted and changes nothing else.
    pub fn open(&mut self, envelope: Envelope) -> Result<Vec<u8>, Reject> {
        let Envelope {
            epoch,
            sequence,
            payload,
            tag,
        } = envelope;
        self.open_parts(epoch, sequence, payload, &tag)
    }

    /// Like [`open`](Self::open), from fields of any length as a decoder has them, and with the
    /// payload in whatever holds it there.
    ///
    /// # Errors
    /// A [`Reject`], which is counted and changes nothing else.
    pub fn open_parts<P: AsRef<[u8]>>(
        &mut self,
        epoch: u32,
        sequence: u64,
        payload: P,
        tag: &[u8],
    ) -> Result<P, Reject> {
        match self.check(epoch, sequence, payload.as_ref(), tag) {
            Ok(()) => {
                self.receiving.sequence += 1;
                Ok(payload)
            }
            Err(reject) => {
                self.counters.count(reject);
                Err(reject)
            }
        }
    }

    /// Derives the next epoch's keys from the old root and at least 256 distilled bits that the
    /// peer holds as well. No direction switches yet.
    ///
    /// # Errors
    /// [`Error::RefreshPending`], [`Error::RefreshTooShort`] or [`Error::EpochsExhausted`].
    pub fn stage(&mut self, id: RefreshId, distilled: SecretBytes) -> Result<Rekey, Error> {
        if self.staged.is_some() {
            return Err(Error::RefreshPending);
        }
        if distilled.len() < REFRESH_BYTES_MIN {
            return Err(Error::RefreshTooShort {
                bytes: distilled.len(),
                min: REFRESH_BYTES_MIN,
            });
        }
        let epoch = self
            .sending
            .epoch
            .checked_add(1)
            .ok_or(Error::EpochsExhausted)?;
        let root = self.root.refreshed(&distilled, epoch, id);
        let rekey = Rekey {
            epoch,
            id,
            check: root.check(),
        };
        let direction = |sender| Direction::new(&root, self.authentication, sender, epoch);
        self.staged = Some(Staged {
            rekey,
            sending: Some(direction(self.role)),
            receiving: Some(direction(self.role.peer())),
            root,
        });
        Ok(rekey)
    }

    /// The refresh that is staged and not complete in both directions.
    pub fn staged(&self) -> Option<Rekey> {
        self.staged.as_ref().map(|staged| staged.rekey)
    }

    /// Throws away a staged refresh, such as one whose block came to nothing.
    ///
    /// # Errors
    /// [`Error::RefreshPending`] when one direction has switched already.
    pub fn unstage(&mut self) -> Result<(), Error> {
        match &self.staged {
            Some(staged) if staged.sending.is_none() || staged.receiving.is_none() => {
                Err(Error::RefreshPending)
            }
            Some(_) | None => {
                self.staged = None;
                Ok(())
            }
        }
    }

    /// Uses the new keys from the next envelope sent on. The last one sealed carried the
    /// [`Rekey`].
    ///
    /// # Errors
    /// [`Error::NothingStaged`] when nothing is staged or this direction has switched.
    pub fn switch_sending(&mut self) -> Result<(), Error> {
        let staged = self.staged.as_mut().ok_or(Error::NothingStaged)?;
        self.sending = staged.sending.take().ok_or(Error::NothingStaged)?;
        self.complete();
        Ok(())
    }

    /// Uses the new keys from the next envelope accepted on, as the peer's `rekey` announced.
    ///
    /// # Errors
    /// [`Error::NothingStaged`] when nothing is staged or this direction has switched,
    /// [`Error::RekeyMismatch`] when the peer derived other keys; nothing changed then.
    pub fn switch_receiving(&mut self, rekey: &Rekey) -> Result<(), Error> {
        let staged = self.staged.as_mut().ok_or(Error::NothingStaged)?;
        if staged.rekey != *rekey {
            return Err(Error::RekeyMismatch);
        }
        self.receiving = staged.receiving.take().ok_or(Error::NothingStaged)?;
        self.complete();
        Ok(())
    }

    /// When both directions have switched, the new root replaces the old one, which is wiped.
    fn complete(&mut self) {
        if let Some(staged) = self
            .staged
            .take_if(|staged| staged.sending.is_none() && staged.receiving.is_none())
        {
            self.root = staged.root;
        }
    }

    fn check(&self, epoch: u32, sequence: u64, payload: &[u8], tag: &[u8]) -> Result<(), Reject> {
        let tag: &[u8; TAG_BYTES] = tag.try_into().map_err(|_| Reject::TagLength)?;
        let fits = |direction: &Direction, sender: Role| {
            let head = head(epoch, sender, sequence);
            epoch == direction.epoch && direction.key.verifies(&head, payload, tag)
        };
        if fits(&self.receiving, self.role.peer()) {
            return match sequence.cmp(&self.receiving.sequence) {
                std::cmp::Ordering::Less => Err(Reject::Replay),
                std::cmp::Ordering::Equal => Ok(()),
                std::cmp::Ordering::Greater => Err(Reject::Gap),
            };
        }
        if fits(&self.sending, self.role) {
            return Err(Reject::Reflection);
        }
        if epoch != self.receiving.epoch {
            return Err(Reject::WrongEpoch);
        }
        Err(Reject::WrongTag)
    }
}

impl Direction {
    fn new(root: &Root, authentication: Authentication, sender: Role, epoch: u32) -> Self {
        Self {
            epoch,
            sequence: 0,
            key: TagKey::new(root, authentication, sender, epoch),
        }
    }
}

/// What the tag covers before the payload: fields of fixed length, so no two envelopes share its
/// input.
fn head(epoch: u32, sender: Role, sequence: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&epoch.to_be_bytes());
    head[4] = sender.direction();
    head[5..].copy_from_slice(&sequence.to_be_bytes());
    head
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hmac::{KeyInit, Mac};
    use polyval::Polyval;
    use polyval::universal_hash::UniversalHash;

    use super::*;
    use crate::schedule::{Binding, mac};

    fn channel(authentication: Authentication) -> Channel {
        let binding = Binding {
            nonces: &[1; 64],
            transcript: &[2; 32],
        };
        let root = Root::first(&[3; 32], &binding);
        Channel::new(Role::Alice, root, authentication, [2; 32], Vec::new())
    }

    /// The layout under the tag, computed independently: a change of it breaks running links.
    #[test]
    fn the_tag_covers_epoch_direction_sequence_and_payload_in_this_order() {
        let mut channel = channel(Authentication::HmacSha256);
        channel.sending.epoch = 0x0102_0304;
        channel.sending.sequence = 5;
        let envelope = channel.seal(b"payload".to_vec()).unwrap();
        let bytes = b"\x01\x02\x03\x04A\0\0\0\0\0\0\0\x05payload";
        let root = &channel.root;
        let key = root.envelope_key(Authentication::HmacSha256, Role::Alice, 0);
        mac(key.expose(), &[bytes])
            .verify_slice(&envelope.tag)
            .unwrap();
    }

    #[test]
    fn the_other_tag_covers_the_length_and_the_hash_of_the_payload_in_its_place() {
        let mut channel = channel(Authentication::PolyvalHmacSha256);
        channel.sending.epoch = 0x0102_0304;
        channel.sending.sequence = 5;
        let payload: Vec<u8> = (0..0x0123).map(|i| i as u8).collect();
        let envelope = channel.seal(payload.clone()).unwrap();
        let root = &channel.root;
        let point = root.envelope_point(Role::Alice, 0);
        let mut hash = Polyval::new_from_slice(&point.expose()[..16]).unwrap();
        hash.update_padded(&payload);
        let head = b"\x01\x02\x03\x04A\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x01\x23";
        let key = root.envelope_key(Authentication::PolyvalHmacSha256, Role::Alice, 0);
        mac(key.expose(), &[head, &hash.finalize()])
            .verify_slice(&envelope.tag)
            .unwrap();
    }

    #[test]
    fn every_way_direction_and_epoch_has_keys_of_its_own() {
        let root = channel(Authentication::HmacSha256).root;
        let mut keys = BTreeSet::new();
        for (role, epoch) in [(Role::Alice, 0), (Role::Bob, 0), (Role::Alice, 1)] {
            for authentication in Authentication::ALL {
                let key = root.envelope_key(authentication, role, epoch);
                keys.insert(key.expose().to_vec());
            }
            keys.insert(root.envelope_point(role, epoch).expose().to_vec());
        }
        assert_eq!(keys.len(), 9);
    }

    #[test]
    fn an_exhausted_sequence_seals_nothing_more() {
        let mut channel = channel(Authentication::HmacSha256);
        channel.sequences_max = 2;
        channel.seal(vec![1]).unwrap();
        channel.seal(vec![2]).unwrap();
        assert_eq!(
            channel.seal(vec![3]),
            Err(Error::SequenceExhausted { epoch: 0 })
        );
    }

    #[test]
    fn the_last_epoch_cannot_be_refreshed() {
        let mut channel = channel(Authentication::HmacSha256);
        channel.sending.epoch = u32::MAX;
        channel.receiving.epoch = u32::MAX;
        let id = RefreshId {
            session: 1,
            block: 1,
        };
        assert_eq!(
            channel.stage(id, vec![0; 32].into()),
            Err(Error::EpochsExhausted)
        );
    }
}
