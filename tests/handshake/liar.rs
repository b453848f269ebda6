//! A peer who lies in the handshake, or right after it.

use qkd_auth::{Authentication, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use qkd_node::secret_file::read_pre_shared_key;
use qkd_session::{Abort, AbortReason, Message};
use qkd_wire::PROTOCOL_VERSION;
use qkd_wire::link::{Batch, Frame as Decoded, LinkMessage, MESSAGES_PER_PAYLOAD_MAX};
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::{Envelope, Frame, Opening, Proof};
use tonic::Streaming;

use crate::support::Nodes;

/// What is wrong with the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    OtherVersion,
    ShortNonce,
    Reflection,
    OtherKey,
    GarbageProof,
    ShortProof,
    ReflectedProof,
    OtherDistance,
    OtherBlock,
    OtherAuthentication,
    OtherBlocksInFlight,
    EnvelopeFirst,
    NoKind,
    AuthenticGarbage,
    UnannouncedBlock,
    TooManyMessages,
}

pub const LIES: [Lie; 16] = [
    Lie::OtherVersion,
    Lie::ShortNonce,
    Lie::Reflection,
    Lie::OtherKey,
    Lie::GarbageProof,
    Lie::ShortProof,
    Lie::ReflectedProof,
    Lie::OtherDistance,
    Lie::OtherBlock,
    Lie::OtherAuthentication,
    Lie::OtherBlocksInFlight,
    Lie::EnvelopeFirst,
    Lie::NoKind,
    Lie::AuthenticGarbage,
    Lie::UnannouncedBlock,
    Lie::TooManyMessages,
];

impl Lie {
    /// What the other side must say about it.
    pub fn complaint(self) -> &'static str {
        match self {
            Self::OtherVersion => {
                "the peer speaks version 5 of the authenticated channel, this side 4"
            }
            Self::ShortNonce => "`opening.nonce`",
            Self::Reflection => "carries our own nonce: it was reflected",
            Self::OtherKey | Self::GarbageProof | Self::ReflectedProof => {
                "it holds another pre-shared key"
            }
            Self::ShortProof => "`proof.tag`",
            Self::OtherDistance => "channel.distance_km is 25.0 here and 50.0 at the peer",
            Self::OtherBlock => "security.block_bits is 200000 here and 100000 at the peer",
            // The values stand in quotation marks, which a log writes otherwise.
            Self::OtherAuthentication => "configured differently: security.authentication is",
            Self::OtherBlocksInFlight => {
                "session.blocks_in_flight_max is 32 here and 31 at the peer"
            }
            Self::EnvelopeFirst => "sent an envelope where an opening was expected",
            Self::NoKind => "`frame.kind`",
            Self::AuthenticGarbage => "sent a payload that is no message",
            Self::UnannouncedBlock => "peer sent abort while it was never announced",
            Self::TooManyMessages => "`payload.messages` has 1025",
        }
    }

    /// Whether it counts as a failed handshake, and whether as a payload that is none.
    pub fn counts(self) -> (bool, bool) {
        let shakes_hands = self.payload().is_some();
        // What it says is a message, and contradicts what went before.
        let is_a_message = self == Self::UnannouncedBlock;
        (!shakes_hands, shakes_hands && !is_a_message)
    }

    /// What it says under a good tag, if its handshake is good.
    fn payload(self) -> Option<Vec<u8>> {
        let said = |messages: Vec<LinkMessage>| {
            let mut batch = Batch::default();
            let full = messages
                .into_iter()
                .filter_map(|message| batch.add(message));
            let mut payloads: Vec<Vec<u8>> = full.collect();
            payloads.extend(batch.take());
            payloads.concat()
        };
        let abort = Abort {
            reason: AbortReason::ZeroLength,
            observed: 0.0,
            limit: 0.0,
        };
        let block = 7;
        match self {
            Self::AuthenticGarbage => Some(vec![0xff; 1000]),
            Self::UnannouncedBlock => {
                let message = Message::Abort { block, abort };
                Some(said(vec![LinkMessage::Session(message)]))
            }
            Self::TooManyMessages => Some(said(vec![
                LinkMessage::Heartbeat;
                MESSAGES_PER_PAYLOAD_MAX + 1
            ])),
            Self::OtherVersion
            | Self::ShortNonce
            | Self::Reflection
            | Self::OtherKey
            | Self::GarbageProof
            | Self::ShortProof
            | Self::ReflectedProof
            | Self::OtherDistance
            | Self::OtherBlock
            | Self::OtherAuthentication
            | Self::OtherBlocksInFlight
            | Self::EnvelopeFirst
            | Self::NoKind => None,
        }
    }
}

/// A liar in one of the two roles.
#[derive(Clone)]
pub struct Liar {
    role: Role,
    lie: Lie,
    key: Vec<u8>,
    authentication: Authentication,
    parameters: String,
}

impl Liar {
    /// A false Alice, who knows all of Alice's secrets.
    pub fn alice(nodes: &Nodes, lie: Lie) -> Self {
        Self::new(nodes, lie, Role::Alice)
    }

    /// A false Bob, who knows all of Bob's secrets.
    pub fn bob(nodes: &Nodes, lie: Lie) -> Self {
        Self::new(nodes, lie, Role::Bob)
    }

    fn new(nodes: &Nodes, lie: Lie, role: Role) -> Self {
        let file = nodes.pki.pre_shared_key();
        let mut key = read_pre_shared_key(&file)
            .expect("the key was made")
            .expose()
            .to_vec();
        let mut link = nodes.alice_config.link.clone();
        match lie {
            Lie::OtherKey => key[0] ^= 1,
            Lie::OtherDistance => link.parameters.channel.distance_km = 50.0,
            Lie::OtherBlock => link.parameters.security.block_bits = 100_000,
            Lie::OtherAuthentication => {
                link.parameters.security.authentication = Authentication::PolyvalHmacSha256;
            }
            Lie::OtherBlocksInFlight => link.session.blocks_in_flight_max -= 1,
            Lie::OtherVersion
            | Lie::ShortNonce
            | Lie::Reflection
            | Lie::GarbageProof
            | Lie::ShortProof
            | Lie::ReflectedProof
            | Lie::EnvelopeFirst
            | Lie::NoKind
            | Lie::AuthenticGarbage
            | Lie::UnannouncedBlock
            | Lie::TooManyMessages => {}
        }
        Self {
            role,
            lie,
            key,
            authentication: link.parameters.security.authentication,
            parameters: (link.parameters).agreed_text(link.session.blocks_in_flight_max),
        }
    }

    /// Lies, and returns the hint with which the other side hangs up; without one, why there is
    /// none.
    pub async fn talk(self, incoming: &mut Streaming<Frame>, send: impl Fn(Frame)) -> String {
        match self.lie(incoming, &send).await {
            Ok(()) => loop {
                match next(incoming).await {
                    Ok(_envelope) => {}
                    Err(hint) => return hint,
                }
            },
            Err(hint) => hint,
        }
    }

    async fn lie(
        self,
        incoming: &mut Streaming<Frame>,
        send: &impl Fn(Frame),
    ) -> Result<(), String> {
        let key = PreSharedKey::new(self.key.clone().into()).expect("it is long enough");
        let mut rng = SecretRng::from_seed([7; 32]);
        let parameters = self.parameters.into_bytes();
        let started = Handshake::start(self.role, &key, self.authentication, parameters, &mut rng);
        let (handshake, ours) = started.expect("the parameters are short");
        let mut opening = Frame::from(ours);
        match self.lie {
            Lie::OtherVersion => opening_of(&mut opening).version = PROTOCOL_VERSION + 1,
            Lie::ShortNonce => opening_of(&mut opening).nonce.truncate(31),
            Lie::EnvelopeFirst => opening.kind = Some(Kind::Envelope(Envelope::default())),
            Lie::NoKind => opening.kind = None,
            Lie::Reflection => {
                send(next(incoming).await?);
                return Ok(());
            }
            Lie::OtherKey
            | Lie::GarbageProof
            | Lie::ShortProof
            | Lie::ReflectedProof
            | Lie::OtherDistance
            | Lie::OtherBlock
            | Lie::OtherAuthentication
            | Lie::OtherBlocksInFlight
            | Lie::AuthenticGarbage
            | Lie::UnannouncedBlock
            | Lie::TooManyMessages => {}
        }
        send(opening);
        let theirs = match Decoded::try_from(next(incoming).await?) {
            Ok(Decoded::Opening(opening)) => opening,
            other => return Err(format!("no opening: {other:?}")),
        };
        let taken = handshake.receive_opening(theirs);
        let (keyed, proof) = taken.expect("the honest side's opening is good");
        let mut proof = proof.tag.to_vec();
        if self.lie == Lie::ReflectedProof {
            proof = proof_of(next(incoming).await?)?.tag;
        }
        match self.lie {
            Lie::GarbageProof => proof.fill(0x5a),
            Lie::ShortProof => proof.truncate(31),
            Lie::OtherVersion
            | Lie::ShortNonce
            | Lie::Reflection
            | Lie::OtherKey
            | Lie::ReflectedProof
            | Lie::OtherDistance
            | Lie::OtherBlock
            | Lie::OtherAuthentication
            | Lie::OtherBlocksInFlight
            | Lie::EnvelopeFirst
            | Lie::NoKind
            | Lie::AuthenticGarbage
            | Lie::UnannouncedBlock
            | Lie::TooManyMessages => {}
        }
        send(Frame {
            kind: Some(Kind::Proof(Proof { tag: proof })),
        });
        if let Some(payload) = self.lie.payload() {
            let Ok(Decoded::Proof(proof)) = Decoded::try_from(next(incoming).await?) else {
                return Err("no proof".to_owned());
            };
            let mut channel = keyed.receive_proof(&proof).map_err(|e| e.to_string())?;
            let sealed = channel.seal(payload).map_err(|e| e.to_string())?;
            send(sealed.into());
        }
        Ok(())
    }
}

fn opening_of(frame: &mut Frame) -> &mut Opening {
    match &mut frame.kind {
        Some(Kind::Opening(opening)) => opening,
        other => panic!("no opening: {other:?}"),
    }
}

fn proof_of(frame: Frame) -> Result<Proof, String> {
    match frame.kind {
        Some(Kind::Proof(proof)) => Ok(proof),
        other => Err(format!("no proof: {other:?}")),
    }
}

/// The next frame that is not the last; the words of a refusal, or of the end, otherwise.
async fn next(incoming: &mut Streaming<Frame>) -> Result<Frame, String> {
    match incoming.message().await {
        Ok(Some(Frame {
            kind: Some(Kind::Refusal(refusal)),
        })) => Err(refusal.reason),
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err("the other side hung up without a word".to_owned()),
        Err(status) => Err(format!("{status:?}")),
    }
}
