//! Two openings and two proofs on a fresh stream, within a time limit.

use std::time::Duration;

use qkd_auth::{Authentication, Channel, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use qkd_session::SessionId;
use qkd_wire::link::{Frame, refusal};
use qkd_wire::proto::link as proto;
use tonic::{Status, Streaming};

use super::FrameSender;
use crate::parameters::{LinkParameters, first_difference};

/// Time for the four messages of a handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);

/// Time for a last word to reach the peer.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(500);

/// A channel with a peer that proved to hold the key and the same parameters.
pub struct Established {
    /// The authenticated channel.
    pub channel: Channel,
    /// The session's name, the same on both sides.
    pub session: SessionId,
}

/// Why no link came about, in words for the operator who can act.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeFault {
    /// The peer hung up or said nothing.
    #[error("the peer closed the connection during the handshake{}", because(.0))]
    Closed(Option<String>),
    /// The transport failed.
    #[error("the connection broke during the handshake: {0}")]
    Broken(#[source] Box<Status>),
    /// The peer gave a reason.
    #[error("the peer refused the link: {0}")]
    Refused(String),
    /// The peer sent bytes that are no frame.
    #[error("the peer sent garbage: {0}")]
    Garbage(#[from] qkd_wire::DecodeError),
    /// The peer sent a frame out of turn.
    #[error("the peer sent an {given} where an {expected} was expected")]
    OutOfTurn {
        /// What came.
        given: &'static str,
        /// What was due.
        expected: &'static str,
    },
    /// The peer took too long.
    #[error("the peer did not finish the handshake within {} s", HANDSHAKE_TIME_MAX.as_secs())]
    Slow,
    /// The peer cannot be authenticated.
    #[error("{0}")]
    Authentication(#[from] qkd_auth::Error),
    /// The two sides are configured differently.
    #[error(
        "the two sides are configured differently: {0}; make the sections [source], [channel], [detector], [protocol] and [security], and session.blocks_in_flight_max, equal"
    )]
    Parameters(String),
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default()
}

/// What must be the same on both sides of a link.
pub struct Agreed {
    /// One `key = value` per line ([`LinkParameters::agreed_text`]).
    text: String,
    /// How envelopes are tagged, which the text says as well.
    authentication: Authentication,
}

impl Agreed {
    /// What a link with these parameters, and so many blocks in flight at most, has to agree on.
    pub fn of(parameters: &LinkParameters, blocks_in_flight_max: u64) -> Self {
        Self {
            text: parameters.agreed_text(blocks_in_flight_max),
            authentication: parameters.security.authentication,
        }
    }
}

/// Runs the handshake, and refuses a peer that differs in what is to be `agreed`. What it learns
/// before the peer's proof changes nothing but this connection.
///
/// # Errors
/// When the peer is another one, speaks another version, is configured differently, or is not
/// there. The peer is told why, as an unauthenticated hint.
pub async fn shake_hands(
    role: Role,
    key: &PreSharedKey,
    agreed: &Agreed,
    rng: &mut SecretRng,
    outgoing: &FrameSender,
    incoming: &mut Streaming<proto::Frame>,
) -> Result<Established, HandshakeFault> {
    let handshake = exchange(role, key, agreed, rng, outgoing, incoming);
    let result = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake)
        .await
        .unwrap_or(Err(HandshakeFault::Slow));
    if let Err(fault) = &result
        && !matches!(fault, HandshakeFault::Refused(_))
    {
        // The peer may have gone already; then nobody needs the hint.
        let _gone = outgoing.send(refusal(&fault.to_string()));
    }
    result
}

/// Hangs up, once what was said last has reached the peer: who drops the incoming half at once
/// cancels the call, and the peer would never learn the reason.
pub async fn hang_up(outgoing: FrameSender, mut incoming: Streaming<proto::Frame>) {
    drop(outgoing);
    let peer_hangs_up = async { while let Ok(Some(_unheard)) = incoming.message().await {} };
    // A peer that is not there any more hangs up in vain.
    let _in_time = tokio::time::timeout(FAREWELL_TIME_MAX, peer_hangs_up).await;
}

async fn exchange(
    role: Role,
    key: &PreSharedKey,
    agreed: &Agreed,
    rng: &mut SecretRng,
    outgoing: &FrameSender,
    incoming: &mut Streaming<proto::Frame>,
) -> Result<Established, HandshakeFault> {
    let parameters = agreed.text.as_bytes().to_vec();
    let (handshake, opening) = Handshake::start(role, key, agreed.authentication, parameters, rng)?;
    send(outgoing, opening.into())?;
    let theirs = match next(incoming).await? {
        Frame::Opening(opening) => opening,
        other => return Err(out_of_turn(&other, "opening")),
    };
    let (keyed, proof) = handshake.receive_opening(theirs)?;
    send(outgoing, proof.into())?;
    let proof = match next(incoming).await? {
        Frame::Proof(proof) => proof,
        other => return Err(out_of_turn(&other, "proof")),
    };
    let channel = keyed.receive_proof(&proof)?;
    let theirs = String::from_utf8_lossy(channel.peer_parameters()).into_owned();
    if let Some(difference) = first_difference(&agreed.text, &theirs) {
        return Err(HandshakeFault::Parameters(difference));
    }
    let mut name = [0; 8];
    name.copy_from_slice(&channel.transcript()[..8]);
    let session = SessionId(u64::from_le_bytes(name));
    Ok(Established { channel, session })
}

fn send(outgoing: &FrameSender, frame: proto::Frame) -> Result<(), HandshakeFault> {
    let taken = outgoing.send(frame);
    taken.map_err(|_ended| HandshakeFault::Closed(None))
}

async fn next(incoming: &mut Streaming<proto::Frame>) -> Result<Frame, HandshakeFault> {
    match incoming.message().await {
        Ok(Some(frame)) => match Frame::try_from(frame)? {
            Frame::Refusal(reason) => Err(HandshakeFault::Refused(reason)),
            frame => Ok(frame),
        },
        Ok(None) => Err(HandshakeFault::Closed(None)),
        Err(status) => Err(HandshakeFault::Broken(Box::new(status))),
    }
}

fn out_of_turn(frame: &Frame, expected: &'static str) -> HandshakeFault {
    HandshakeFault::OutOfTurn {
        given: frame.name(),
        expected,
    }
}
