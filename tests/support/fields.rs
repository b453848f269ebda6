//! Every field of every message of the link protocol, from its descriptor, and what a forger puts there.
//!
//! No message is named in here: whatever is added to `proto/` has its cases at once.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use prost_reflect::prost::Message as _;
use prost_reflect::prost::bytes::Bytes;
use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    ReflectMessage as _, Value,
};

/// Elements of a list that has grown beyond any use.
const LONG_LIST: usize = 5_000;

/// Bytes of a text that has grown beyond any use.
const LONG_TEXT: usize = 2_000;

/// What is done to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// One bit of it is turned over; of a list, its last element is taken away.
    Flip,
    /// It is the default of its type.
    Zero,
    /// It is as large as its type allows, or longer than anything needs.
    Max,
    /// It is not there.
    Delete,
    /// It is there twice; of a list, its last element.
    Duplicate,
    /// It holds what another message of its kind holds; one of several kinds claims to be the next.
    Swap,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Flip,
        Self::Zero,
        Self::Max,
        Self::Delete,
        Self::Duplicate,
        Self::Swap,
    ];
}

/// A field of one message, however deep inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// From the outermost message in; the last one is the field.
    hops: Vec<FieldDescriptor>,
}

impl Site {
    /// The field's name: from the innermost kind of message, or the outermost message, on. Which kind
    /// it is has a name too.
    pub fn name(&self) -> String {
        let mut names = Vec::new();
        for (place, field) in self.hops.iter().enumerate() {
            let is_kind = field.containing_oneof().is_some();
            let is_last = place + 1 == self.hops.len();
            if is_kind && !is_last {
                names.clear();
            } else if place == 0 || is_kind {
                names = vec![field.parent_message().name().to_owned()];
            }
            names.push(field.name().to_owned());
        }
        names.join(".")
    }
}

/// A message type of the link protocol.
pub fn link_type(name: &str) -> MessageDescriptor {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let pool = DescriptorPool::decode(qkd_wire::proto::FILE_DESCRIPTOR_SET);
        pool.expect("the descriptors are our own")
    });
    let found = pool.get_message_by_name(&format!("qkd.link.v1.{name}"));
    found.unwrap_or_else(|| panic!("there is no message {name}"))
}

/// The names of all fields that a message of this type can hold, however deep.
pub fn fields_of(message: &MessageDescriptor) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(message, &mut Vec::new(), &mut names);
    names
}

fn collect(
    message: &MessageDescriptor,
    hops: &mut Vec<FieldDescriptor>,
    names: &mut BTreeSet<String>,
) {
    for field in message.fields() {
        hops.push(field.clone());
        names.insert(Site { hops: hops.clone() }.name());
        if let Kind::Message(inner) = field.kind() {
            collect(&inner, hops, names);
        }
        hops.pop();
    }
}

/// The fields of a message with those inside them; of a list, those of its first element. Of
/// alternatives the one that is there.
pub fn sites(message: &DynamicMessage) -> Vec<Site> {
    let mut found = Vec::new();
    walk(message, &mut Vec::new(), &mut found);
    found
}

fn walk(message: &DynamicMessage, hops: &mut Vec<FieldDescriptor>, found: &mut Vec<Site>) {
    for field in message.descriptor().fields() {
        if field.containing_oneof().is_some() && !message.has_field(&field) {
            continue;
        }
        hops.push(field.clone());
        found.push(Site { hops: hops.clone() });
        if let Some(inner) = children(message, &field).first() {
            walk(inner, hops, found);
        }
        hops.pop();
    }
}

/// The messages that a field holds.
fn children(message: &DynamicMessage, field: &FieldDescriptor) -> Vec<DynamicMessage> {
    if !message.has_field(field) {
        return Vec::new();
    }
    match message.get_field(field).into_owned() {
        Value::Message(inner) => vec![inner],
        Value::List(items) => {
            let inner = items.into_iter().filter_map(|item| match item {
                Value::Message(inner) => Some(inner),
                _ => None,
            });
            inner.collect()
        }
        _ => Vec::new(),
    }
}

/// The bytes of `message` with its field at `site` changed; `None` where that changes no byte, or
/// nothing else can be put there. `others` are messages of the same type to take values from.
pub fn changed(
    message: &DynamicMessage,
    site: &Site,
    change: Change,
    others: &[DynamicMessage],
) -> Option<Vec<u8>> {
    let (field, way) = site.hops.split_last()?;
    let donated = others.iter().find_map(|other| {
        let value = value_at(other, &site.hops)?;
        (Some(&value) != value_at(message, &site.hops).as_ref()).then_some(value)
    });
    let bytes = rebuilt(message, way, &|parent| {
        edited(parent, field, change, donated.clone())
    })?;
    (bytes != rebuilt(message, way, &|parent| Some(parent.encode_to_vec()))?).then_some(bytes)
}

fn value_at(message: &DynamicMessage, hops: &[FieldDescriptor]) -> Option<Value> {
    let (field, rest) = hops.split_first()?;
    if rest.is_empty() {
        return message
            .has_field(field)
            .then(|| message.get_field(field).into_owned());
    }
    value_at(children(message, field).first()?, rest)
}

/// Encodes `message` with what `edit` makes of the message at the end of the way.
fn rebuilt(
    message: &DynamicMessage,
    way: &[FieldDescriptor],
    edit: &dyn Fn(&DynamicMessage) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let Some((field, rest)) = way.split_first() else {
        return edit(message);
    };
    let mut around = message.clone();
    around.clear_field(field);
    let mut bytes = around.encode_to_vec();
    for (place, inner) in children(message, field).iter().enumerate() {
        let inner = match place {
            0 => rebuilt(inner, rest, edit)?,
            _ => inner.encode_to_vec(),
        };
        put(field.number(), &inner, &mut bytes);
    }
    Some(bytes)
}

/// Appends a field of so many bytes to a message.
pub fn put(number: u32, content: &[u8], bytes: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

/// The bytes of `message` with one field of its own changed.
fn edited(
    message: &DynamicMessage,
    field: &FieldDescriptor,
    change: Change,
    donated: Option<Value>,
) -> Option<Vec<u8>> {
    let mut message = message.clone();
    let value = message.get_field(field).into_owned();
    let new = match change {
        Change::Duplicate if !field.is_list() => {
            let mut only = DynamicMessage::new(message.descriptor());
            only.set_field(field, value);
            let twice = [message.encode_to_vec(), only.encode_to_vec()];
            return Some(twice.concat());
        }
        Change::Swap if field.containing_oneof().is_some() => {
            return confused(&message, field);
        }
        Change::Duplicate => longer(value, field, 1),
        Change::Delete => {
            message.clear_field(field);
            return Some(message.encode_to_vec());
        }
        Change::Flip => flipped(value)?,
        Change::Zero => zero(&value, field),
        Change::Max => largest(value, field)?,
        Change::Swap => donated?,
    };
    message.set_field(field, new);
    Some(message.encode_to_vec())
}

/// The same content under the number of the next alternative.
fn confused(message: &DynamicMessage, field: &FieldDescriptor) -> Option<Vec<u8>> {
    let oneof = field.containing_oneof()?;
    let alternatives: Vec<u32> = oneof.fields().map(|field| field.number()).collect();
    let own = alternatives.iter().position(|&n| n == field.number())?;
    let next = alternatives[(own + 1) % alternatives.len()];
    let content = children(message, field).pop()?.encode_to_vec();
    let mut around = message.clone();
    around.clear_field(field);
    let mut bytes = around.encode_to_vec();
    put(next, &content, &mut bytes);
    Some(bytes)
}

fn longer(list: Value, field: &FieldDescriptor, by: usize) -> Value {
    let Value::List(mut items) = list else {
        return list;
    };
    let last = items.last().cloned();
    let last = last.unwrap_or_else(|| Value::default_value(&field.kind()));
    items.extend(std::iter::repeat_n(last, by));
    Value::List(items)
}

fn zero(value: &Value, field: &FieldDescriptor) -> Value {
    match value {
        Value::List(items) => {
            let blank = Value::default_value(&field.kind());
            Value::List(vec![blank; items.len().max(1)])
        }
        Value::Bytes(bytes) => Value::Bytes(vec![0; bytes.len()].into()),
        Value::Message(_) => Value::default_value(&field.kind()),
        _ => Value::default_value_for_field(field),
    }
}

/// `None` for a message: its own fields have cases of their own.
fn flipped(value: Value) -> Option<Value> {
    Some(match value {
        Value::Bool(value) => Value::Bool(!value),
        Value::I32(value) => Value::I32(value ^ 1),
        Value::I64(value) => Value::I64(value ^ 1),
        Value::U32(value) => Value::U32(value ^ 1),
        Value::U64(value) => Value::U64(value ^ 1),
        Value::F32(value) => Value::F32(f32::from_bits(value.to_bits() ^ 1 << 20)),
        Value::F64(value) => Value::F64(f64::from_bits(value.to_bits() ^ 1 << 50)),
        Value::EnumNumber(value) => Value::EnumNumber(value ^ 1),
        Value::String(mut text) => {
            let last = text.pop();
            text.push(if last == Some('x') { 'y' } else { 'x' });
            Value::String(text)
        }
        Value::Bytes(bytes) => {
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            match bytes.get_mut(middle) {
                Some(byte) => *byte ^= 1,
                None => bytes.push(1),
            }
            Value::Bytes(bytes.into())
        }
        Value::List(mut items) => {
            items.pop()?;
            Value::List(items)
        }
        Value::Message(_) | Value::Map(_) => return None,
    })
}

fn largest(value: Value, field: &FieldDescriptor) -> Option<Value> {
    Some(match value {
        Value::Bool(_) => Value::Bool(true),
        Value::I32(_) => Value::I32(i32::MAX),
        Value::I64(_) => Value::I64(i64::MAX),
        Value::U32(_) => Value::U32(u32::MAX),
        Value::U64(_) => Value::U64(u64::MAX),
        Value::F32(_) => Value::F32(f32::INFINITY),
        Value::F64(_) => Value::F64(f64::MAX),
        Value::EnumNumber(_) => Value::EnumNumber(i32::MAX),
        Value::String(_) => Value::String("x".repeat(LONG_TEXT)),
        Value::Bytes(bytes) => {
            let mut bytes = bytes.to_vec();
            bytes.fill(0xff);
            bytes.push(0xff);
            Value::Bytes(bytes.into())
        }
        list @ Value::List(_) => longer(list, field, LONG_LIST),
        Value::Message(_) | Value::Map(_) => return None,
    })
}

/// Messages of this type with something in every field, so that all alternatives occur.
pub fn specimens(message: &MessageDescriptor) -> Vec<DynamicMessage> {
    let mut plain = DynamicMessage::new(message.clone());
    let mut all = Vec::new();
    let is_alternative = |field: &FieldDescriptor| field.containing_oneof().is_some();
    for field in message.fields().filter(|field| !is_alternative(field)) {
        let Some(value) = values(&field).into_iter().next() else {
            continue;
        };
        let value = if field.is_list() {
            Value::List(vec![value.clone(), value])
        } else {
            value
        };
        plain.set_field(&field, value);
    }
    for field in message.fields().filter(is_alternative) {
        for value in values(&field) {
            let mut one = plain.clone();
            one.set_field(&field, value);
            all.push(one);
        }
    }
    if all.is_empty() { vec![plain] } else { all }
}

/// What may stand in one place of a field: each alternative of a message, else one value.
fn values(field: &FieldDescriptor) -> Vec<Value> {
    let value = match field.kind() {
        Kind::Message(inner) => {
            let inner = specimens(&inner);
            return inner.into_iter().map(Value::Message).collect();
        }
        Kind::Enum(inner) => Value::EnumNumber(first_meaning(&inner)),
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String("specimen".to_owned()),
        Kind::Bytes => Value::Bytes(Bytes::from_static(&[7; 16])),
        Kind::Double => Value::F64(0.5),
        Kind::Float => Value::F32(0.5),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(1),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1),
    };
    vec![value]
}

/// The first number that means anything.
fn first_meaning(of: &EnumDescriptor) -> i32 {
    of.values()
        .map(|value| value.number())
        .find(|&n| n != 0)
        .unwrap_or(0)
}
