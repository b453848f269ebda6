//! Frames of the link's stream: the handshake, envelopes, and a word before hanging up.

use qkd_auth::{Envelope, NONCE_BYTES, Opening, PARAMETERS_BYTES_MAX, Proof};

use super::field::{array, at_most, required, shortened};
use crate::DecodeError;
use crate::proto::link as proto;
use proto::frame::Kind;

/// One unit of the stream, not yet authenticated.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The first frame of each side.
    Opening(Opening),
    /// The second frame of each side.
    Proof(Proof),
    /// Every later frame, its tag of whatever length it came with: for
    /// [`qkd_auth::Channel::open_parts`], which counts the wrong ones.
    Envelope(proto::Envelope),
    /// Why the peer, or somebody who would like to be taken for it, is about to hang up: printable
    /// words for the operator, which change no state.
    Refusal(String),
}

impl Frame {
    /// What the frame is, for errors and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opening(_) => "opening",
            Self::Proof(_) => "proof",
            Self::Envelope(_) => "envelope",
            Self::Refusal(_) => "refusal",
        }
    }
}

/// A refusal in words, shortened to what a peer accepts.
pub fn refusal(reason: &str) -> proto::Frame {
    frame(Kind::Refusal(proto::Refusal {
        reason: shortened(reason),
    }))
}

impl TryFrom<proto::Frame> for Frame {
    type Error = DecodeError;

    fn try_from(frame: proto::Frame) -> Result<Self, DecodeError> {
        Ok(match required("frame.kind", frame.kind)? {
            Kind::Opening(opening) => Self::Opening(opening.try_into()?),
            Kind::Proof(proof) => Self::Proof(proof.try_into()?),
            Kind::Envelope(envelope) => Self::Envelope(envelope),
            Kind::Refusal(proto::Refusal { reason }) => Self::Refusal(printable(&reason)),
        })
    }
}

impl TryFrom<proto::Opening> for Opening {
    type Error = DecodeError;

    fn try_from(opening: proto::Opening) -> Result<Self, DecodeError> {
        let proto::Opening {
            version,
            nonce,
            parameters,
        } = opening;
        // Another version may have other lengths: all that matters then is to say which it is.
        if version != crate::PROTOCOL_VERSION {
            return Ok(Self {
                version,
                nonce: [0; NONCE_BYTES],
                parameters: Vec::new(),
            });
        }
        let nonce = array("opening.nonce", &nonce)?;
        let bytes = parameters.len() as u64;
        at_most("opening.parameters", bytes, PARAMETERS_BYTES_MAX)?;
        Ok(Self {
            version,
            nonce,
            parameters,
        })
    }
}

impl TryFrom<proto::Proof> for Proof {
    type Error = DecodeError;

    fn try_from(proof: proto::Proof) -> Result<Self, DecodeError> {
        Ok(Self {
            tag: array("proof.tag", &proof.tag)?,
        })
    }
}

impl From<Opening> for proto::Frame {
    fn from(opening: Opening) -> Self {
        frame(Kind::Opening(proto::Opening {
            version: opening.version,
            nonce: opening.nonce.to_vec(),
            parameters: opening.parameters,
        }))
    }
}

impl From<Proof> for proto::Frame {
    fn from(proof: Proof) -> Self {
        frame(Kind::Proof(proto::Proof {
            tag: proof.tag.to_vec(),
        }))
    }
}

impl From<Envelope> for proto::Frame {
    fn from(envelope: Envelope) -> Self {
        frame(Kind::Envelope(proto::Envelope {
            epoch: envelope.epoch,
            sequence: envelope.sequence,
            payload: envelope.payload.into(),
            tag: envelope.tag.to_vec(),
        }))
    }
}

fn frame(kind: Kind) -> proto::Frame {
    proto::Frame { kind: Some(kind) }
}

/// Anybody can send a refusal: it must not be able to forge log lines or control a terminal.
fn printable(words: &str) -> String {
    shortened(words)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening() -> Opening {
        Opening {
            version: crate::PROTOCOL_VERSION,
            nonce: [7; 32],
            parameters: b"clock_hz = 1e9".to_vec(),
        }
    }

    #[test]
    fn the_handshake_survives_the_wire() {
        let frame = proto::Frame::from(opening());
        assert_eq!(Frame::try_from(frame), Ok(Frame::Opening(opening())));
        let proof = Proof { tag: [9; 32] };
        let frame = proto::Frame::from(proof.clone());
        assert_eq!(Frame::try_from(frame), Ok(Frame::Proof(proof)));
    }

    #[test]
    fn an_envelope_keeps_its_bytes_and_a_wrong_tag_its_length() {
        let envelope = Envelope {
            epoch: 1,
            sequence: 2,
            payload: vec![0xff, 0, 0xff],
            tag: [3; 32],
        };
        let Ok(Frame::Envelope(sent)) = Frame::try_from(proto::Frame::from(envelope.clone()))
        else {
            panic!("no envelope");
        };
        let tag = sent.tag.try_into().unwrap();
        let (epoch, sequence, payload) = (sent.epoch, sent.sequence, sent.payload);
        let back = Envelope {
            epoch,
            sequence,
            payload: payload.to_vec(),
            tag,
        };
        assert_eq!(back, envelope);
        let short = frame(Kind::Envelope(proto::Envelope::default()));
        assert!(matches!(Frame::try_from(short), Ok(Frame::Envelope(e)) if e.tag.is_empty()));
    }

    #[test]
    fn wrong_lengths_of_the_handshake_are_refused_by_name() {
        let with = |change: fn(&mut proto::Opening)| {
            let Some(Kind::Opening(mut opening)) = proto::Frame::from(opening()).kind else {
                panic!("no opening");
            };
            change(&mut opening);
            Opening::try_from(opening).map_err(|error| error.to_string())
        };
        assert!(
            with(|o| o.nonce.truncate(31))
                .unwrap_err()
                .contains("`opening.nonce`")
        );
        let long = with(|o| o.parameters = vec![0; PARAMETERS_BYTES_MAX + 1]);
        assert!(long.unwrap_err().contains("`opening.parameters`"));
        let tag = vec![0; 33];
        let error = Proof::try_from(proto::Proof { tag })
            .unwrap_err()
            .to_string();
        assert!(error.contains("`proof.tag`"), "{error}");
        assert!(Frame::try_from(proto::Frame { kind: None }).is_err());
    }

    #[test]
    fn an_opening_of_another_version_gets_as_far_as_its_version() {
        let other = proto::Opening {
            version: 9,
            nonce: vec![1; 24],
            parameters: Vec::new(),
        };
        assert_eq!(Opening::try_from(other).map(|o| o.version), Ok(9));
    }

    #[test]
    fn a_refusal_cannot_control_a_terminal_or_flood_a_log() {
        let hostile = format!("bad\n\u{1b}[2J{}", "é".repeat(5000));
        let frame = frame(Kind::Refusal(proto::Refusal { reason: hostile }));
        let Ok(Frame::Refusal(words)) = Frame::try_from(frame) else {
            panic!("no refusal");
        };
        assert!(words.chars().all(|c| !c.is_control()), "{words}");
        assert!(words.len() < 1100);
        assert_eq!(
            Frame::try_from(refusal("wrong key")),
            Ok(Frame::Refusal("wrong key".into()))
        );
    }
}
