//! The payload of an envelope: the messages that its sender had to say just then, under one tag.

use bytes::{Buf as _, Bytes};
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint, message};

use super::field::{out_of_range, required};
use super::{LINK_MESSAGE_BYTES_MAX, LinkMessage, from_proto, to_proto};
use crate::DecodeError;
use crate::proto::link as proto;

/// Bytes that the messages of one payload take together, unless there is only one.
pub const PAYLOAD_BYTES_SHARED_MAX: usize = 256 << 10;

/// Messages in one payload, at most.
pub const MESSAGES_PER_PAYLOAD_MAX: usize = 1024;

/// Largest payload, in bytes: the longest message with the two fields before it.
pub const PAYLOAD_BYTES_MAX: usize = LINK_MESSAGE_BYTES_MAX + FRAMING_BYTES_MAX;

/// Tag and length before a message, at most.
const FRAMING_BYTES_MAX: usize = 6;

/// Number of the field `Payload.messages`.
const MESSAGES: u32 = 1;

/// A payload that is being filled. Nothing can follow a `Rekey` in it.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: usize,
    /// Whether its last message is one that nothing may follow.
    closed: bool,
}

impl Batch {
    /// Puts a message after the others. Where it finds no room with them, they are returned as
    /// they are to be sealed, and it begins the next payload.
    ///
    /// The engines keep within the limits of the decoder; this function does not check them again.
    pub fn add(&mut self, message: LinkMessage) -> Option<Vec<u8>> {
        let closes = matches!(message, LinkMessage::Rekey(_));
        let encoded = to_proto(message);
        let encoded_bytes = encoded.encoded_len() + FRAMING_BYTES_MAX;
        let bytes = self.bytes.len() + encoded_bytes;
        let full = self.closed
            || self.messages >= MESSAGES_PER_PAYLOAD_MAX
            || bytes > PAYLOAD_BYTES_SHARED_MAX;
        let before = if full { self.take() } else { None };
        self.bytes.reserve(encoded_bytes);
        message::encode(MESSAGES, &encoded, &mut self.bytes);
        self.messages += 1;
        self.closed = closes;
        before
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The payload as it is, if there is anything in it; the next one begins empty.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.messages = 0;
        self.closed = false;
        let bytes = std::mem::take(&mut self.bytes);
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// [`take_payload`], for who keeps the bytes.
///
/// # Errors
/// Those of [`take_payload`].
pub fn decode_payload(payload: &[u8]) -> Result<Vec<LinkMessage>, DecodeError> {
    take_payload(Bytes::copy_from_slice(payload))
}

/// The messages that authentic bytes hold, in the order in which they were said. Long fields are
/// copied once, to where they stay.
///
/// # Errors
/// When the bytes are no payload of this protocol: the error of the first message that is none, or
/// one that names `payload.messages` where their number, their bytes or their order is wrong. It is
/// the sender's fault, and nothing has been changed.
pub fn take_payload(payload: Bytes) -> Result<Vec<LinkMessage>, DecodeError> {
    let too_long = |given, max| Err(DecodeError::TooLong { given, max });
    if payload.len() > PAYLOAD_BYTES_MAX {
        return too_long(payload.len(), PAYLOAD_BYTES_MAX);
    }
    let bytes = payload.len();
    let mut messages = Vec::new();
    let mut rest = payload;
    // Message by message, so that a flood of empty ones costs no more memory than the limit.
    while !rest.is_empty() {
        let message = first(&mut rest)?;
        if messages.len() == MESSAGES_PER_PAYLOAD_MAX {
            return Err(DecodeError::TooMany {
                field: "payload.messages",
                given: messages.len() as u64 + 1,
                max: MESSAGES_PER_PAYLOAD_MAX as u64,
            });
        }
        if matches!(messages.last(), Some(LinkMessage::Rekey(_))) {
            let found = format!("a {} after a rekey", message_name(message));
            let expected = "a rekey as the last message of its payload";
            return Err(out_of_range("payload.messages", found, expected));
        }
        if !messages.is_empty() && bytes > PAYLOAD_BYTES_SHARED_MAX {
            return too_long(bytes, PAYLOAD_BYTES_SHARED_MAX);
        }
        messages.push(decode(message)?);
    }
    required("payload.messages", messages.first())?;
    Ok(messages)
}

/// Takes the bytes of the first message away.
fn first(rest: &mut Bytes) -> Result<Bytes, DecodeError> {
    let (field, wire_type) = decode_key(rest)?;
    let length = decode_varint(rest)?;
    let length = usize::try_from(length).ok();
    match (field, wire_type, length) {
        (MESSAGES, WireType::LengthDelimited, Some(length)) if length <= rest.remaining() => {
            Ok(rest.split_to(length))
        }
        (_, _, _) => Err(out_of_range(
            "payload.messages",
            format!("field {field} of type {wire_type:?}, or longer than the payload"),
            "messages and nothing else",
        )),
    }
}

fn message_name(bytes: Bytes) -> &'static str {
    decode(bytes).map_or("message", |message| message.name())
}

fn decode(bytes: Bytes) -> Result<LinkMessage, DecodeError> {
    from_proto(proto::LinkMessage::decode(bytes)?)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use qkd_auth::{RefreshId, Rekey};
    use qkd_bits::BitString;
    use qkd_session::Message;

    use super::super::tests::strategies::link_message;
    use super::*;

    fn rekey() -> LinkMessage {
        LinkMessage::Rekey(Rekey {
            epoch: 1,
            id: RefreshId {
                session: 2,
                block: 3,
            },
            check: [4; 16],
        })
    }

    /// Parities of so many bytes.
    fn parities(bytes: usize) -> LinkMessage {
        LinkMessage::Session(Message::Parities {
            block: 1,
            round: 2,
            bits: BitString::zeros(bytes * 8),
        })
    }

    /// The payloads that carry these messages.
    fn payloads(messages: &[LinkMessage]) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        let mut all: Vec<_> = messages
            .iter()
            .cloned()
            .filter_map(|m| batch.add(m))
            .collect();
        all.extend(batch.take());
        all
    }

    fn decoded(payloads: &[Vec<u8>]) -> Vec<LinkMessage> {
        let messages = payloads.iter().map(|payload| decode_payload(payload));
        messages.flat_map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn messages_come_back_in_their_order(messages in vec(link_message(), 1..8)) {
            let payloads = payloads(&messages);
            prop_assert_eq!(decoded(&payloads), messages);
        }

        #[test]
        fn a_payload_is_what_the_protobuf_file_says(messages in vec(link_message(), 1..4)) {
            let expected = proto::Payload { messages: messages.iter().cloned().map(to_proto).collect() };
            prop_assert_eq!(payloads(&messages).concat(), expected.encode_to_vec());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = decode_payload(&bytes);
        }

        #[test]
        fn damaged_payloads_never_panic_and_what_is_accepted_can_be_sent_on(
            messages in vec(link_message(), 1..4),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = payloads(&messages).swap_remove(0);
            let _ = decode_payload(&bytes[..cut.index(bytes.len())]);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(messages) = decode_payload(&bytes) {
                prop_assert_eq!(decoded(&payloads(&messages)), messages);
            }
        }
    }

    #[test]
    fn nothing_shares_a_payload_with_a_rekey_before_it() {
        let messages = [parities(1), rekey(), parities(2), rekey(), rekey()];
        let payloads = payloads(&messages);
        let ends: Vec<_> = payloads
            .iter()
            .map(|payload| decode_payload(payload).unwrap().len())
            .collect();
        assert_eq!(ends, [2, 2, 1]);
        for after in [parities(1), rekey()] {
            let forged = proto::Payload {
                messages: [rekey(), after].map(to_proto).into(),
            };
            let error = decode_payload(&forged.encode_to_vec()).unwrap_err();
            assert!(error.to_string().contains("after a rekey"), "{error}");
        }
    }

    #[test]
    fn a_payload_is_closed_before_it_holds_too_many_bytes_or_messages() {
        let large = parities(PAYLOAD_BYTES_SHARED_MAX);
        let messages = [parities(9), large.clone(), parities(9), parities(9)];
        let sent = payloads(&messages);
        assert_eq!(sent.len(), 3);
        assert_eq!(decoded(&sent), messages);

        let many = vec![LinkMessage::Heartbeat; MESSAGES_PER_PAYLOAD_MAX + 1];
        let sent = payloads(&many);
        assert_eq!(sent.len(), 2);
        let error = decode_payload(&sent.concat()).unwrap_err();
        assert!(matches!(error, DecodeError::TooMany { .. }), "{error}");

        let shared = proto::Payload {
            messages: [large, parities(1)].map(to_proto).into(),
        };
        let error = decode_payload(&shared.encode_to_vec()).unwrap_err();
        assert!(matches!(error, DecodeError::TooLong { .. }), "{error}");
    }

    #[test]
    fn an_empty_an_endless_and_a_strange_payload_are_refused() {
        assert!(matches!(
            decode_payload(&[]),
            Err(DecodeError::Missing { .. })
        ));
        // A length beyond the end, another field, another type, no length, a message without kind.
        for bytes in [
            &[0x0a, 5, 1][..],
            &[0x12, 0],
            &[0x08, 1],
            &[0x0a],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
            &[0x0a, 0],
        ] {
            assert!(decode_payload(bytes).is_err(), "{bytes:?}");
        }
        let long = vec![0; PAYLOAD_BYTES_MAX + 1];
        assert!(matches!(
            decode_payload(&long),
            Err(DecodeError::TooLong { .. })
        ));
    }
}
