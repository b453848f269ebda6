//! One end of an established link: authenticated channel, session engine and store messages in
//! one place, without a socket.

mod patience;
mod refresh;

use std::collections::BTreeMap;

use qkd_auth::{Channel, RejectCounters};
use qkd_bits::SecretBytes;
use qkd_keystore::{BlockId, DiscardReason};
use qkd_session::{
    Abort, AbortReason, Alice, AliceInput, AliceOutput, BlockReport, Bob, BobInput, BobOutput,
    Distilled, Message, Outcome, Progress, SessionId, Time,
};
use qkd_wire::link::{Batch, LinkMessage, take_payload};
use qkd_wire::proto::link::Envelope;

use super::{Broken, LinkEffect, LinkEvent, LinkFault, Traffic};
use patience::Patience;

/// Silence of the peer after which the link is taken for dead.
const SILENCE_MAX: Time = Time(10_000_000_000_000);

/// Distance of two signs of life.
const HEARTBEAT: Time = Time(1_000_000_000_000);

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
    traffic: Traffic,
    heard: Time,
    said: Time,
    patience: Patience,
    /// What a liar does to its payloads before they are sealed.
    #[cfg(test)]
    forge: Option<tests::Forge>,
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
            traffic: Traffic::default(),
            heard: now,
            said: now,
            patience: Patience::new(now),
            #[cfg(test)]
            forge: None,
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

    /// What was said on this connection.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Bytes of what is said and not yet sealed.
    pub fn unsent_bytes(&self) -> usize {
        self.batch.bytes()
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
            LinkEvent::Envelope(envelope) => self.envelope(now, envelope, effects)?,
            LinkEvent::Outgoing(message) => self.say(now, message, effects)?,
            LinkEvent::Committed { block, spent } => {
                self.committed(now, block, spent, effects)?;
            }
            LinkEvent::Discarded { block, reason } => {
                self.patience.went_on(now);
                self.discarded(block, reason, effects);
            }
            LinkEvent::Alarms(alarms) => self.alice(now, AliceInput::Alarms(alarms), effects)?,
            LinkEvent::Recalled { block, record } => {
                self.alice(now, AliceInput::Recalled { block, record }, effects)?;
            }
            LinkEvent::Emitted { slots } => {
                let clock = Message::Clock {
                    emitted_slots: slots,
                };
                self.say(now, LinkMessage::Session(clock), effects)?;
            }
            LinkEvent::Detections {
                detections,
                next_slot,
                readings,
            } => {
                self.bob(now, BobInput::Readings(readings), effects)?;
                self.bob(
                    now,
                    BobInput::Detections {
                        detections: *detections,
                        next_slot,
                    },
                    effects,
                )?;
            }
            LinkEvent::Worked(worked) => {
                self.patience.went_on(now);
                match &self.party {
                    Party::Alice(_) => self.alice(now, AliceInput::Worked(worked), effects)?,
                    Party::Bob(_) => self.bob(now, BobInput::Worked(worked), effects)?,
                }
            }
            LinkEvent::Tick { demand, outflow } => {
                self.patience.network_took(now, outflow);
                self.tick(now, demand, effects)?;
            }
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
        self.seal(payload).map(Some)
    }

    fn seal(&mut self, payload: Vec<u8>) -> Result<LinkEffect, LinkFault> {
        #[cfg(test)]
        let payload = match &mut self.forge {
            Some(forge) => forge(payload),
            None => payload,
        };
        self.traffic.envelopes += 1;
        Ok(LinkEffect::Send(self.channel.seal(payload)?))
    }

    /// Opens an envelope and hears what is in it, where the network put it.
    fn envelope(
        &mut self,
        now: Time,
        envelope: Envelope,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        let Envelope {
            epoch,
            sequence,
            payload,
            tag,
        } = envelope;
        match self.channel.open_parts(epoch, sequence, payload, &tag) {
            Ok(payload) => {
                self.heard = now;
                for message in take_payload(payload)? {
                    let name = message.name();
                    tracing::trace!(session = %self.session, message = name, "hearing");
                    self.heard(now, message, effects)?;
                }
            }
            Err(reject) => {
                tracing::warn!(session = %self.session, %reject, "envelope rejected");
            }
        }
        Ok(())
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
        self.check_patience(now)?;
        if matches!(self.party, Party::Bob(_)) {
            self.bob(now, BobInput::Demand { wanted: demand }, effects)?;
        }
        if now.0.saturating_sub(self.said.0) >= HEARTBEAT.0 {
            self.say(now, LinkMessage::Heartbeat, effects)?;
        }
        Ok(())
    }

    /// Puts a message into the next envelope.
    fn say(
        &mut self,
        now: Time,
        message: LinkMessage,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.said = now;
        let name = message.name();
        tracing::trace!(session = %self.session, message = name, "saying");
        let before = self.batch.bytes();
        let full = self.batch.add(message);
        let before = if full.is_some() { 0 } else { before };
        self.traffic.said(name, self.batch.bytes() - before);
        if let Some(full) = full {
            effects.push(self.seal(full)?);
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
                    self.say(now, LinkMessage::Session(message), effects)?;
                }
                AliceOutput::Begun { budget, .. } => {
                    self.give_store(LinkEffect::Begun { budget }, effects)?;
                }
                AliceOutput::Transmit { wanted } => effects.push(LinkEffect::Transmit { wanted }),
                AliceOutput::Recall {
                    block,
                    slots,
                    first_slot,
                    end_slot,
                } => {
                    effects.push(LinkEffect::Recall {
                        block,
                        slots,
                        first_slot,
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
                    self.say(now, LinkMessage::Session(message), effects)?;
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
            Outcome::Aborted(_) => self.tell(report, effects),
        }
    }

    fn tell(&mut self, report: Box<BlockReport>, effects: &mut Vec<LinkEffect>) {
        self.patience.ended(&report.outcome);
        effects.push(LinkEffect::Report(report));
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
        self.tell(report, effects);
    }
}

#[cfg(test)]
pub(super) mod tests;
