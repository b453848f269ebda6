//! One end of an established link: authenticated channel, session engine and store messages in
//! one place, without a socket.

use std::collections::BTreeMap;

use qkd_auth::{Channel, RefreshId, Reject, RejectCounters, Rekey};
use qkd_bits::SecretBytes;
use qkd_keystore::{BlockId, DiscardReason};
use qkd_security::Spent;
use qkd_session::{
    Abort, AbortReason, Alice, AliceInput, AliceOutput, BlockReport, Bob, BobInput, BobOutput,
    Distilled, Message, Outcome, Progress, SessionId, Time,
};
use qkd_wire::link::{Batch, LinkMessage, decode_payload};

use super::{Broken, LinkEffect, LinkEvent, LinkFault};

/// Silence of the peer after which the link is taken for dead.
const SILENCE_MAX: Time = Time(10_000_000_000_000);

/// Distance of two signs of life.
const HEARTBEAT: Time = Time(1_000_000_000_000);

/// Refreshes that wait at Alice for the one under way, which takes a round trip: blocks may come far
/// more often, and the authentication keys need no bits of each of them.
const REFRESHES_WAITING_MAX: usize = 4;

/// Committed blocks whose refresh bits Bob keeps, as Alice may refresh with them: by the time that he
/// hears of a refresh, she has told him of no more commits since that block than wait for her store
/// at one time.
const REFRESHES_KEPT_MAX: usize = 1024;

/// Which engine this end runs.
pub enum Party {
    /// The transmitter's.
    Alice(Alice),
    /// The receiver's.
    Bob(Bob),
}

/// One end of an established link.
pub struct LinkEngine {
    session: SessionId,
    party: Party,
    channel: Channel,
    /// Refresh bits of blocks that are distilled and not yet committed.
    distilled: BTreeMap<u64, SecretBytes>,
    /// Reports of blocks that are distilled and not yet committed: no key counts before.
    reports: BTreeMap<u64, Box<BlockReport>>,
    /// Refresh bits of the latest blocks that are committed here, beyond those that were refreshed
    /// with.
    committed: BTreeMap<u64, SecretBytes>,
    /// The first block that may still be refreshed with: refreshes go by rising numbers.
    next_refresh: u64,
    /// What is said and not yet sealed.
    batch: Batch,
    heard: Time,
    said: Time,
}

impl LinkEngine {
    /// The link over an authenticated channel, from `now` on.
    pub fn new(session: SessionId, party: Party, channel: Channel, now: Time) -> Self {
        Self {
            session,
            party,
            channel,
            distilled: BTreeMap::new(),
            reports: BTreeMap::new(),
            committed: BTreeMap::new(),
            next_refresh: 0,
            batch: Batch::default(),
            heard: now,
            said: now,
        }
    }

    /// Envelopes rejected on this connection.
    pub fn rejects(&self) -> RejectCounters {
        self.channel.counters()
    }

    /// How far the block being collected is; `None` at Alice.
    pub fn progress(&self) -> Option<Progress> {
        match &self.party {
            Party::Alice(_) => None,
            Party::Bob(bob) => Some(bob.progress()),
        }
    }

    /// Takes one event and returns what is to be done, in order. What is to be said waits for
    /// [`flush`](Self::flush), unless there is too much of it for one envelope.
    ///
    /// # Errors
    /// When the link cannot go on, with what is to be done before it ends. A rejected envelope is
    /// no such reason: it is counted and changes nothing, whoever sent it.
    pub fn handle(&mut self, now: Time, event: LinkEvent) -> Result<Vec<LinkEffect>, Broken> {
        let mut effects = Vec::new();
        match self.happened(now, event, &mut effects) {
            Ok(()) => Ok(effects),
            Err(fault) => Err(Broken { effects, fault }),
        }
    }

    fn happened(
        &mut self,
        now: Time,
        event: LinkEvent,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        match event {
            LinkEvent::Envelope(envelope) => match self.open(envelope) {
                Ok(payload) => {
                    self.heard = now;
                    for message in decode_payload(&payload)? {
                        let name = message.name();
                        tracing::trace!(session = %self.session, message = name, "hearing");
                        self.heard(now, message, effects)?;
                    }
                }
                Err(reject) => {
                    tracing::warn!(session = %self.session, %reject, "envelope rejected")
                }
            },
            LinkEvent::Outgoing(message) => self.say(now, &message, effects)?,
            LinkEvent::Committed { block, spent } => {
                self.committed(now, block, spent, effects)?;
            }
            LinkEvent::Discarded { block, reason } => self.discarded(block, reason, effects),
            LinkEvent::Recalled { block, record } => {
                self.alice(now, AliceInput::Recalled { block, record }, effects)?;
            }
            LinkEvent::Emitted { slots } => {
                let clock = Message::Clock {
                    emitted_slots: slots,
                };
                self.say(now, &LinkMessage::Session(clock), effects)?;
            }
            LinkEvent::Detections {
                detections,
                next_slot,
            } => {
                self.bob(
                    now,
                    BobInput::Detections {
                        detections: *detections,
                        next_slot,
                    },
                    effects,
                )?;
            }
            LinkEvent::Worked(worked) => match &self.party {
                Party::Alice(_) => self.alice(now, AliceInput::Worked(worked), effects)?,
                Party::Bob(_) => self.bob(now, BobInput::Worked(worked), effects)?,
            },
            LinkEvent::Tick { demand } => self.tick(now, demand, effects)?,
        }
        Ok(())
    }

    /// Seals what was said since the last envelope into one, if anything was.
    ///
    /// # Errors
    /// When the link cannot go on because its keys are used up.
    pub fn flush(&mut self) -> Result<Option<LinkEffect>, LinkFault> {
        let Some(payload) = self.batch.take() else {
            return Ok(None);
        };
        Ok(Some(LinkEffect::Send(self.channel.seal(payload)?)))
    }

    fn open(&mut self, envelope: qkd_wire::proto::link::Envelope) -> Result<Vec<u8>, Reject> {
        let qkd_wire::proto::link::Envelope {
            epoch,
            sequence,
            payload,
            tag,
        } = envelope;
        self.channel.open_parts(epoch, sequence, payload, &tag)
    }

    fn heard(
        &mut self,
        now: Time,
        message: LinkMessage,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        match message {
            LinkMessage::Session(Message::Clock { emitted_slots }) => {
                if matches!(self.party, Party::Alice(_)) {
                    return Err(LinkFault::WrongSide("clock"));
                }
                effects.push(LinkEffect::Clock { emitted_slots });
            }
            LinkMessage::Session(message) => match &self.party {
                Party::Alice(_) => self.alice(now, AliceInput::Message(message), effects)?,
                Party::Bob(_) => self.bob(now, BobInput::Message(message), effects)?,
            },
            LinkMessage::Store(message) => self.give_store(LinkEffect::Store(message), effects)?,
            LinkMessage::Rekey(rekey) => self.rekeyed(now, &rekey, effects)?,
            LinkMessage::Relay { number, message } => {
                effects.push(LinkEffect::Relay { number, message });
            }
            LinkMessage::RelayAnswer { number, outcome } => {
                effects.push(LinkEffect::RelayAnswer { number, outcome });
            }
            LinkMessage::Heartbeat => {}
        }
        Ok(())
    }

    fn tick(
        &mut self,
        now: Time,
        demand: bool,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        let silence = now.0.saturating_sub(self.heard.0);
        if silence > SILENCE_MAX.0 {
            return Err(LinkFault::Silence {
                seconds: silence as f64 * 1e-12,
                rejected: self.channel.counters().total(),
            });
        }
        if matches!(self.party, Party::Bob(_)) {
            self.bob(now, BobInput::Demand { wanted: demand }, effects)?;
        }
        if now.0.saturating_sub(self.said.0) >= HEARTBEAT.0 {
            self.say(now, &LinkMessage::Heartbeat, effects)?;
        }
        Ok(())
    }

    /// Puts a message into the next envelope.
    fn say(
        &mut self,
        now: Time,
        message: &LinkMessage,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.said = now;
        tracing::trace!(session = %self.session, message = message.name(), "saying");
        if let Some(full) = self.batch.add(message) {
            effects.push(LinkEffect::Send(self.channel.seal(full)?));
        }
        Ok(())
    }

    fn alice(
        &mut self,
        now: Time,
        input: AliceInput,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        let Party::Alice(alice) = &mut self.party else {
            return Err(LinkFault::WrongSide("a record of emitted light"));
        };
        for output in alice.handle(now, input)? {
            match output {
                AliceOutput::Work(work) => effects.push(LinkEffect::Work(work)),
                AliceOutput::Send(message) => {
                    self.say(now, &LinkMessage::Session(message), effects)?;
                }
                AliceOutput::Begun { budget, .. } => {
                    self.give_store(LinkEffect::Begun { budget }, effects)?;
                }
                AliceOutput::Transmit { wanted } => effects.push(LinkEffect::Transmit { wanted }),
                AliceOutput::Recall {
                    block,
                    slots,
                    end_slot,
                } => {
                    effects.push(LinkEffect::Recall {
                        block,
                        slots,
                        end_slot,
                    });
                }
                AliceOutput::Distilled(distilled) => self.distilled(distilled, effects)?,
                AliceOutput::Report(report) => self.report(report, effects),
            }
        }
        Ok(())
    }

    fn bob(
        &mut self,
        now: Time,
        input: BobInput,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        let Party::Bob(bob) = &mut self.party else {
            return Err(LinkFault::WrongSide("detections"));
        };
        for output in bob.handle(now, input)? {
            match output {
                BobOutput::Work(work) => effects.push(LinkEffect::Work(work)),
                BobOutput::Send(message) => {
                    if let Message::Transmission { wanted } = message {
                        effects.push(LinkEffect::Transmit { wanted });
                    }
                    self.say(now, &LinkMessage::Session(message), effects)?;
                }
                BobOutput::Distilled(distilled) => self.distilled(distilled, effects)?,
                BobOutput::Report(report) => self.report(report, effects),
            }
        }
        Ok(())
    }

    fn distilled(
        &mut self,
        distilled: Distilled,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        let Distilled {
            block,
            key,
            refresh,
            check,
        } = distilled;
        self.distilled.insert(block, refresh);
        let block = BlockId {
            session: self.session.0,
            block,
        };
        self.give_store(LinkEffect::Distilled { block, key, check }, effects)
    }

    /// The store may have to wait for its disk: the peer has no part in that, and hears at once
    /// what was said before.
    fn give_store(
        &mut self,
        effect: LinkEffect,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        effects.extend(self.flush()?);
        effects.push(effect);
        Ok(())
    }

    /// A block without a key has ended; one with a key ends when both stores have it.
    fn report(&mut self, report: Box<BlockReport>, effects: &mut Vec<LinkEffect>) {
        match report.outcome {
            Outcome::Key { .. } => {
                self.reports.insert(report.block, report);
            }
            Outcome::Aborted(_) => effects.push(LinkEffect::Report(report)),
        }
    }

    /// Neither the store nor the authentication keys take anything of this block.
    fn discarded(&mut self, block: BlockId, reason: DiscardReason, effects: &mut Vec<LinkEffect>) {
        if block.session != self.session.0 {
            return;
        }
        self.distilled.remove(&block.block);
        let Some(mut report) = self.reports.remove(&block.block) else {
            return;
        };
        let reason = match reason {
            DiscardReason::CheckMismatch => AbortReason::VerificationFailed,
            DiscardReason::TooSmall => AbortReason::ZeroLength,
            // The block was never decided: it is void, as if it had not been attempted.
            DiscardReason::Interrupted | DiscardReason::StoreFull => return,
        };
        report.outcome = Outcome::Aborted(Abort {
            reason,
            observed: 0.0,
            limit: 0.0,
        });
        effects.push(LinkEffect::Report(report));
    }

    /// Authentication keys change by the same commit as the key store. It is Alice who decides a
    /// block, so it is she who begins the refresh with it.
    fn committed(
        &mut self,
        now: Time,
        block: BlockId,
        spent: Spent,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        // A block of an earlier session, settled at reconnection, leaves this channel alone.
        if block.session != self.session.0 {
            return Ok(());
        }
        effects.extend(self.reports.remove(&block.block).map(|mut report| {
            report.spent = Some(spent);
            LinkEffect::Report(report)
        }));
        if let Some(refresh) = self.distilled.remove(&block.block) {
            self.keep(block.block, refresh);
        }
        match self.party {
            Party::Alice(_) => self.refresh(now, effects),
            Party::Bob(_) => Ok(()),
        }
    }

    /// Keeps the refresh bits of a committed block, unless a refresh has overtaken it: the oldest
    /// give way to the latest, which the peer refreshes with if it keeps fewer.
    fn keep(&mut self, block: u64, refresh: SecretBytes) {
        if block < self.next_refresh {
            return;
        }
        self.committed.insert(block, refresh);
        let max = match self.party {
            Party::Alice(_) => REFRESHES_WAITING_MAX,
            Party::Bob(_) => REFRESHES_KEPT_MAX,
        };
        while self.committed.len() > max {
            self.committed.pop_first();
        }
    }

    /// Alice begins the next refresh, when none is under way.
    fn refresh(&mut self, now: Time, effects: &mut Vec<LinkEffect>) -> Result<(), LinkFault> {
        if self.channel.staged().is_some() {
            return Ok(());
        }
        let Some((block, bits)) = self.committed.pop_first() else {
            return Ok(());
        };
        self.next_refresh = block + 1;
        let id = RefreshId {
            session: self.session.0,
            block,
        };
        let rekey = self.channel.stage(id, bits)?;
        self.switch_sending(now, rekey, effects)
    }

    fn rekeyed(
        &mut self,
        now: Time,
        rekey: &Rekey,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        match &self.party {
            Party::Alice(_) => {
                self.channel.switch_receiving(rekey)?;
                self.refresh(now, effects)
            }
            Party::Bob(_) => {
                let block = rekey.id.block;
                let known = rekey.id.session == self.session.0 && block >= self.next_refresh;
                let bits = known.then(|| self.refresh_bits(block)).flatten();
                let bits = bits.ok_or(LinkFault::UnknownRefresh { block })?;
                let ours = self.channel.stage(rekey.id, bits)?;
                self.channel.switch_receiving(rekey)?;
                self.switch_sending(now, ours, effects)
            }
        }
    }

    /// Bob's bits for the refresh that Alice begins with a block; those that it overtakes are wiped.
    fn refresh_bits(&mut self, block: u64) -> Option<SecretBytes> {
        // Alice refreshes after her commit, of which the store here may not have told yet.
        let of_block = self.committed.remove(&block);
        let bits = of_block.or_else(|| self.distilled.remove(&block))?;
        self.next_refresh = block + 1;
        self.committed = self.committed.split_off(&self.next_refresh);
        Some(bits)
    }

    /// Says, as the last message of the last envelope of the old epoch, that the next envelope is
    /// of the new epoch.
    fn switch_sending(
        &mut self,
        now: Time,
        rekey: Rekey,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.say(now, &LinkMessage::Rekey(rekey), effects)?;
        effects.extend(self.flush()?);
        Ok(self.channel.switch_sending()?)
    }
}

#[cfg(test)]
pub(super) mod tests;
