//! What a liar says instead of the truth, and what became of it.

use std::sync::{Arc, Mutex, PoisonError};

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use qkd_keystore::Side;
use qkd_wire::link::{LinkMessage, decode_payload};

use super::super::Forge;
use super::fields::{Change, Site, changed, link_type, put, sites, specimens};
use super::leakage::Disclosed;
use super::seen::Seen;
use super::town::Town;

/// One message of an honest day, in the order of all of them.
#[derive(Clone)]
pub struct Said {
    pub from: Side,
    pub kind: String,
    pub message: DynamicMessage,
}

/// What is said in place of one message.
#[derive(Clone)]
pub struct Lie {
    /// Its place among all messages.
    pub at: usize,
    /// Its kind.
    pub kind: String,
    /// The fields that it lies about, and how, in words.
    pub field: String,
    pub how: String,
    pub with: Instead,
}

/// What a message gives way to.
#[derive(Clone)]
pub enum Instead {
    /// These messages, in order; nothing but a sign of life if there are none.
    These(Vec<Vec<u8>>),
    /// Itself, once its sender has said so many more.
    Later(usize),
    /// Itself with a change, and so do all later ones of its kind.
    FromNowOn(Site, Change),
}

/// What became of a lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The link ended, in these words.
    Refused(String),
    /// A store is sealed, for this reason.
    Quarantined(String),
    /// A block ended otherwise than on an honest day, or a key was not made or not given.
    Failed,
    /// An operator was alarmed, and all the same everything went on.
    Alarmed,
    /// Nobody can tell it from an honest day.
    Unnoticed,
}

/// The kind of a message, down to the innermost alternative.
pub fn kind_of(message: &DynamicMessage) -> String {
    let alternatives = message.descriptor();
    let Some(field) = (alternatives
        .oneofs()
        .flat_map(|oneof| oneof.fields().collect::<Vec<_>>()))
    .find(|field| message.has_field(field)) else {
        return "nothing".to_owned();
    };
    match message.get_field(&field).as_ref() {
        Value::Message(inner) if inner.descriptor().oneofs().len() > 0 => {
            format!("{}.{}", field.name(), kind_of(inner))
        }
        _ => field.name().to_owned(),
    }
}

/// The messages of a payload.
fn messages_of(payload: &[u8]) -> Vec<DynamicMessage> {
    let payload = DynamicMessage::decode(link_type("Payload"), payload).expect("it is honest");
    let messages = payload.get_field_by_name("messages").expect("it is there");
    let inner = messages.as_list().expect("it is a list").iter();
    inner
        .filter_map(|value| value.as_message().cloned())
        .collect()
}

/// Looks on, and lies where it is told to.
struct Liar {
    lie: Option<Lie>,
    /// Messages so far, of both sides.
    count: usize,
    said: Vec<Said>,
    /// Who lied, what is held back, and how many messages are still to come before it.
    held: Option<(Side, Vec<u8>, usize)>,
    disclosed: Disclosed,
}

impl Liar {
    fn forge(&mut self, side: Side, payload: &[u8]) -> Vec<u8> {
        let mut forged = Vec::new();
        for message in messages_of(payload) {
            let at = self.count;
            self.count += 1;
            for bytes in self.instead(side, at, &message) {
                put(1, &bytes, &mut forged);
            }
            if self.lie.is_none() {
                let kind = kind_of(&message);
                self.said.push(Said {
                    from: side,
                    kind,
                    message,
                });
            }
        }
        self.disclosed.count(side, payload, &forged);
        forged
    }

    fn instead(&mut self, side: Side, at: usize, message: &DynamicMessage) -> Vec<Vec<u8>> {
        let honest = message.encode_to_vec();
        let Some(lie) = &self.lie else {
            return vec![honest];
        };
        let mut said = match &lie.with {
            Instead::These(with) if at == lie.at && with.is_empty() => vec![sign_of_life()],
            Instead::These(with) if at == lie.at => with.clone(),
            Instead::Later(by) if at == lie.at => {
                self.held = Some((side, honest, *by));
                return vec![sign_of_life()];
            }
            Instead::FromNowOn(site, change) if at >= lie.at && kind_of(message) == lie.kind => {
                vec![changed(message, site, *change, &[]).unwrap_or(honest)]
            }
            Instead::These(_) | Instead::Later(_) | Instead::FromNowOn(..) => vec![honest],
        };
        match self.held.take() {
            Some((of, held, 0 | 1)) if of == side => said.push(held),
            Some((of, held, more)) if of == side => self.held = Some((of, held, more - 1)),
            held => self.held = held,
        }
        said
    }
}

fn sign_of_life() -> Vec<u8> {
    let heartbeat = specimens(&link_type("LinkMessage")).into_iter();
    let mut heartbeat = heartbeat.filter(|message| kind_of(message) == "heartbeat");
    heartbeat
        .next()
        .expect("there is a sign of life")
        .encode_to_vec()
}

/// Lives a day with a lie in it, or an honest one.
fn day(lie: Option<Lie>) -> (Town, Vec<Said>) {
    let liar = Arc::new(Mutex::new(Liar {
        lie,
        count: 0,
        said: Vec::new(),
        held: None,
        disclosed: Disclosed::default(),
    }));
    let forge = |side| -> Forge {
        let liar = liar.clone();
        Box::new(move |payload| {
            let mut liar = liar.lock().unwrap_or_else(PoisonError::into_inner);
            liar.forge(side, &payload)
        })
    };
    let mut town = Town::new(Some([forge(Side::Alice), forge(Side::Bob)]), None);
    town.live();
    let mut liar = liar.lock().unwrap_or_else(PoisonError::into_inner);
    town.seen.disclosed = std::mem::take(&mut liar.disclosed);
    (town, std::mem::take(&mut liar.said))
}

/// An honest day: what came of it, and what was said.
pub fn honest_day() -> (Seen, Vec<Said>) {
    let (town, said) = day(None);
    (town.seen, said)
}

/// What becomes of a lie, once the two have met again honestly if it ended their connection. Whatever
/// it is, both stores have equal keys.
pub fn fate_of(lie: &Lie, honest: &str) -> (Fate, Seen) {
    let (mut town, _said) = day(Some(lie.clone()));
    judged(&mut town, honest)
}

/// As [`fate_of`], of a day that has been lived.
pub fn judged(town: &mut Town, honest: &str) -> (Fate, Seen) {
    town.seen.assert_blocks_agree();
    town.seen.assert_leakage_paid();
    let fault = town.seen.fault.clone();
    if fault.is_some() {
        town.reconnect_honestly();
        town.seen.assert_blocks_agree();
    }
    assert!(
        fault.is_some() || town.quarantine().is_some() || town.nobody_waits(),
        "a block waits for ever: {}",
        town.seen.summary()
    );
    let fate = match (fault, town.quarantine()) {
        (_, Some(reason)) => Fate::Quarantined(reason),
        (Some((_, words)), None) => Fate::Refused(words),
        (None, None) if town.seen.summary() == honest => Fate::Unnoticed,
        (None, None) if town.seen.alarms.is_empty() => Fate::Failed,
        (None, None) => Fate::Alarmed,
    };
    (fate, std::mem::take(&mut town.seen))
}

/// Whether the bytes say what the message says.
pub fn means_the_same(message: &DynamicMessage, bytes: &[u8]) -> bool {
    let decoded = |bytes: &[u8]| -> Option<Vec<LinkMessage>> {
        let mut payload = Vec::new();
        put(1, bytes, &mut payload);
        decode_payload(&payload).ok()
    };
    let meant = decoded(&message.encode_to_vec());
    meant.is_some() && meant == decoded(bytes)
}

/// The places in a day at which each kind is lied about: its first and its last, and its middle unless
/// that belongs to the block of which nothing comes anyway.
pub fn places(said: &[Said]) -> Vec<(usize, &Said)> {
    let mut kinds: Vec<&str> = said.iter().map(|said| said.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut found = Vec::new();
    for kind in kinds {
        let of_kind: Vec<_> = said
            .iter()
            .enumerate()
            .filter(|(_, said)| said.kind == kind)
            .collect();
        let last = of_kind.len() - 1;
        let mut chosen = match last {
            0..=2 => vec![0, last],
            _ => vec![0, last / 2, last],
        };
        chosen.dedup();
        found.extend(chosen.into_iter().map(|place| of_kind[place]));
    }
    found
}

/// All changes of one field after the other of a message, with what they lie about.
pub fn changes(
    message: &DynamicMessage,
    others: &[DynamicMessage],
) -> Vec<(String, Change, Vec<u8>)> {
    let mut found = Vec::new();
    for site in sites(message) {
        for change in Change::ALL {
            if let Some(bytes) = changed(message, &site, change, others) {
                found.push((site.name(), change, bytes));
            }
        }
    }
    found
}

/// The message with something in those lists of its own that are empty, as its kind could have.
pub fn grafted(message: &DynamicMessage) -> DynamicMessage {
    let kind = kind_of(message);
    let made_up = specimens(&link_type("LinkMessage")).into_iter();
    let mut made_up = made_up.filter(|specimen| kind_of(specimen) == kind);
    let scion = made_up.next().expect("there is a specimen of each kind");
    graft(message, &scion)
}

fn graft(message: &DynamicMessage, scion: &DynamicMessage) -> DynamicMessage {
    let mut grown = message.clone();
    for field in message.descriptor().fields() {
        let (ours, theirs) = (message.get_field(&field), scion.get_field(&field));
        match (ours.as_ref(), theirs.as_ref()) {
            (Value::List(ours), theirs @ Value::List(_)) if ours.is_empty() => {
                grown.set_field(&field, theirs.clone());
            }
            (Value::Message(ours), Value::Message(theirs)) if message.has_field(&field) => {
                grown.set_field(&field, Value::Message(graft(ours, theirs)));
            }
            _ => {}
        }
    }
    grown
}
