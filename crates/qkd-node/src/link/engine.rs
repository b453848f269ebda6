//! One end of an established link: authenticated channel, session engine and store messages in
//! one place, without a socket.

use std::collections::{BTreeMap, VecDeque};

use qkd_auth::{Channel, Envelope, RefreshId, Reject, RejectCounters, Rekey};
use qkd_bits::{SecretBits, SecretBytes};
use qkd_keystore::{BlockId, StoreMessage};
use qkd_optics::Detection;
use qkd_protocols::AliceRecord;
use qkd_session::{
    Alice, AliceInput, AliceOutput, BlockReport, Bob, BobInput, BobOutput, Distilled, Message,
    Progress, SessionId, Time,
};
use qkd_wire::link::{LinkMessage, RelayedMessage, decode, encode};

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

/// What happens to a link.
pub enum LinkEvent {
    /// An envelope arrived, its tag of whatever length it came with.
    Envelope(qkd_wire::proto::link::Envelope),
    /// The key store or an application has something for the other side.
    Outgoing(LinkMessage),
    /// The key store has committed a block on this side.
    Committed(BlockId),
    /// The key store will never commit a block.
    Discarded(BlockId),
    /// Alice's transmitter remembers the slots of a block.
    Recalled {
        /// Block in this session.
        block: u64,
        /// What was sent in them.
        record: AliceRecord,
    },
    /// Alice's transmitter has come so far.
    Emitted {
        /// Slots since the session began.
        slots: u64,
    },
    /// Bob's receiver registered detections.
    Detections {
        /// In slot order.
        detections: Vec<Detection>,
        /// Every slot before this one is measured or lost.
        next_slot: u64,
    },
    /// Time has passed.
    Tick {
        /// Whether the key store has room for more keys.
        demand: bool,
    },
}

impl LinkEvent {
    /// Bytes of the part that grows with what the network or the instruments deliver.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Envelope(envelope) => envelope.payload.len() + envelope.tag.len(),
            Self::Detections { detections, .. } => {
                detections.len() * std::mem::size_of::<Detection>()
            }
            Self::Outgoing(_)
            | Self::Committed(_)
            | Self::Discarded(_)
            | Self::Recalled { .. }
            | Self::Emitted { .. }
            | Self::Tick { .. } => 0,
        }
    }
}

/// What a link wants done.
pub enum LinkEffect {
    /// Send this envelope.
    Send(Envelope),
    /// Light is wanted, or is not any more: Alice's transmitter starts or pauses.
    Transmit {
        /// Whether Bob wants light.
        wanted: bool,
    },
    /// Ask Alice's transmitter what it sent.
    Recall {
        /// Block in this session.
        block: u64,
        /// The slots, rising.
        slots: Vec<u64>,
        /// First slot after the block.
        end_slot: u64,
    },
    /// Tell Bob's receiver how far Alice's clock has come.
    Clock {
        /// Slots since the session began.
        emitted_slots: u64,
    },
    /// Give the key store a block.
    Distilled {
        /// The block.
        block: BlockId,
        /// Its key.
        key: SecretBits,
        /// Its check value.
        check: [u8; 8],
    },
    /// Give the key store a message of its peer.
    Store(StoreMessage),
    /// Put ciphertext into an application's mailbox.
    Relay(RelayedMessage),
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// Why a link ends.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// The peer's authentic payload is no message of this protocol.
    #[error("the peer sent a payload that is no message: {0}")]
    Malformed(#[from] qkd_wire::DecodeError),
    /// The peer broke the session's rules.
    #[error("the session broke down: {0}")]
    Session(#[from] qkd_session::Error),
    /// A message for the other side came to this one.
    #[error("the peer sent {0}, which only this side may say")]
    WrongSide(&'static str),
    /// The authentication keys cannot be used any further.
    #[error("authentication: {0}")]
    Authentication(#[from] qkd_auth::Error),
    /// The peer refreshes with a block that is not committed here.
    #[error("the peer refreshes its keys with block {block}, which is not committed here")]
    UnknownRefresh {
        /// The block it names.
        block: u64,
    },
    /// No genuine envelope for too long.
    #[error(
        "no genuine envelope for {seconds:.0} s: the peer hangs, the network is cut, or envelopes \
         are being altered or dropped ({rejected} rejected)"
    )]
    Silence {
        /// How long.
        seconds: f64,
        /// Envelopes rejected in this connection.
        rejected: u64,
    },
}

/// One end of an established link.
pub struct LinkEngine {
    session: SessionId,
    party: Party,
    channel: Channel,
    /// Refresh bits of blocks that are distilled and not yet committed.
    distilled: BTreeMap<u64, SecretBytes>,
    /// Refresh bits of blocks that Alice has committed, in the order of her commits.
    committed: VecDeque<(u64, SecretBytes)>,
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
            committed: VecDeque::new(),
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

    /// Takes one event and returns what is to be done, in order.
    ///
    /// # Errors
    /// When the link cannot go on. A rejected envelope is no such reason: it is counted and
    /// changes nothing, whoever sent it.
    pub fn handle(&mut self, now: Time, event: LinkEvent) -> Result<Vec<LinkEffect>, LinkFault> {
        let mut effects = Vec::new();
        match event {
            LinkEvent::Envelope(envelope) => match self.open(envelope) {
                Ok(payload) => {
                    self.heard = now;
                    let message = decode(&payload)?;
                    tracing::trace!(session = %self.session, message = message.name(), "hearing");
                    self.heard(now, message, &mut effects)?;
                }
                Err(reject) => {
                    tracing::warn!(session = %self.session, %reject, "envelope rejected")
                }
            },
            LinkEvent::Outgoing(message) => self.send(now, &message, &mut effects)?,
            LinkEvent::Committed(block) => self.committed(now, block, &mut effects)?,
            LinkEvent::Discarded(block) => {
                if block.session == self.session.0 {
                    self.distilled.remove(&block.block);
                }
            }
            LinkEvent::Recalled { block, record } => {
                self.alice(now, AliceInput::Recalled { block, record }, &mut effects)?;
            }
            LinkEvent::Emitted { slots } => {
                let clock = Message::Clock {
                    emitted_slots: slots,
                };
                self.send(now, &LinkMessage::Session(clock), &mut effects)?;
            }
            LinkEvent::Detections {
                detections,
                next_slot,
            } => {
                self.bob(
                    now,
                    BobInput::Detections {
                        detections,
                        next_slot,
                    },
                    &mut effects,
                )?;
            }
            LinkEvent::Tick { demand } => self.tick(now, demand, &mut effects)?,
        }
        Ok(effects)
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
            LinkMessage::Store(message) => effects.push(LinkEffect::Store(message)),
            LinkMessage::Rekey(rekey) => self.rekeyed(now, &rekey, effects)?,
            LinkMessage::Relay(message) => effects.push(LinkEffect::Relay(message)),
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
            self.send(now, &LinkMessage::Heartbeat, effects)?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        now: Time,
        message: &LinkMessage,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.said = now;
        tracing::trace!(session = %self.session, message = message.name(), "saying");
        let envelope = self.channel.seal(encode(message))?;
        effects.push(LinkEffect::Send(envelope));
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
                AliceOutput::Send(message) => {
                    self.send(now, &LinkMessage::Session(message), effects)?;
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
                AliceOutput::Distilled(distilled) => self.distilled(distilled, effects),
                AliceOutput::Report(report) => effects.push(LinkEffect::Report(report)),
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
                BobOutput::Send(message) => {
                    if let Message::Transmission { wanted } = message {
                        effects.push(LinkEffect::Transmit { wanted });
                    }
                    self.send(now, &LinkMessage::Session(message), effects)?;
                }
                BobOutput::Distilled(distilled) => self.distilled(distilled, effects),
                BobOutput::Report(report) => effects.push(LinkEffect::Report(report)),
            }
        }
        Ok(())
    }

    fn distilled(&mut self, distilled: Distilled, effects: &mut Vec<LinkEffect>) {
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
        effects.push(LinkEffect::Distilled { block, key, check });
    }

    /// Authentication keys change by the same commit as the key store. It is Alice who decides a
    /// block, so it is she who begins the refresh with it.
    fn committed(
        &mut self,
        now: Time,
        block: BlockId,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        // A block of an earlier session, settled at reconnection, leaves this channel alone.
        if block.session != self.session.0 || matches!(self.party, Party::Bob(_)) {
            return Ok(());
        }
        if let Some(refresh) = self.distilled.remove(&block.block) {
            self.committed.push_back((block.block, refresh));
        }
        self.refresh(now, effects)
    }

    /// Alice begins the next refresh, when none is under way.
    fn refresh(&mut self, now: Time, effects: &mut Vec<LinkEffect>) -> Result<(), LinkFault> {
        if self.channel.staged().is_some() {
            return Ok(());
        }
        let Some((block, bits)) = self.committed.pop_front() else {
            return Ok(());
        };
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
                // Alice refreshes after her commit, which the store here took before this.
                let known = rekey.id.session == self.session.0;
                let bits = known.then(|| self.distilled.remove(&block)).flatten();
                let bits = bits.ok_or(LinkFault::UnknownRefresh { block })?;
                let ours = self.channel.stage(rekey.id, bits)?;
                self.channel.switch_receiving(rekey)?;
                self.switch_sending(now, ours, effects)
            }
        }
    }

    /// Says, in the last envelope of the old epoch, that the next one is of the new epoch.
    fn switch_sending(
        &mut self,
        now: Time,
        rekey: Rekey,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.send(now, &LinkMessage::Rekey(rekey), effects)?;
        Ok(self.channel.switch_sending()?)
    }
}

#[cfg(test)]
mod tests;
