//! What stands in bodies and queries: orders for keys, lists of key_IDs, and what is answered.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use qkd_keystore::{DeliveredKey, KeyId, RequestError, SaeId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::refusal::Refusal;
use super::route::{parameters, sae_id};
use crate::{Directory, Pool, RequestLimits};

/// Extensions that a refusal names.
const NAMED_MAX: usize = 16;

/// Characters of each name that a refusal repeats.
const NAME_CHARS_MAX: usize = 64;

/// "Key request data format" (clause 6.2), or what the query says of it.
#[derive(Debug, Default)]
pub(super) struct KeyOrder {
    /// `number`, if it was said and is a whole number.
    number: Option<i128>,
    /// `size` in bits, likewise.
    size_bits: Option<i128>,
    /// `additional_slave_SAE_IDs`.
    pub(super) additional_slaves: Vec<SaeId>,
    /// Names in `extension_optional`: none is handled, and the answer says so.
    pub(super) unhandled: Vec<String>,
}

impl KeyOrder {
    /// Reads query and body. What the body says counts more; an empty body says nothing.
    pub(super) fn read(query: &str, body: &[u8]) -> Result<Self, Refusal> {
        let mut order = Self::default();
        for (name, value) in parameters(query)? {
            let (field, place) = match name.as_str() {
                "number" => ("number", &mut order.number),
                "size" => ("size", &mut order.size_bits),
                // To leave these out without a word would give other keys than those asked for.
                "additional_slave_SAE_IDs" | "extension_mandatory" => {
                    return Err(Refusal::bad(format!(
                        "{name} shall be in the body of a POST"
                    )));
                }
                _ => continue,
            };
            let number = value.parse().map_err(|_| not_whole(field))?;
            if place.replace(number).is_some() {
                return Err(Refusal::bad(format!("{field} is in the query twice")));
            }
        }
        if body.is_empty() {
            return Ok(order);
        }
        let members = object(body)?;
        order.number = whole(&members, "number")?.or(order.number);
        order.size_bits = whole(&members, "size")?.or(order.size_bits);
        order.additional_slaves = additional_slaves(&members)?;
        refuse_mandatory(&members)?;
        order.unhandled = optional_extensions(&members);
        Ok(order)
    }

    /// Number and size in bits, once they are known to be within the limits.
    pub(super) fn check(&self, limits: &RequestLimits) -> Result<(u32, u32), Refusal> {
        let max = limits.keys_per_request_max;
        let number = match self.number {
            None => 1,
            Some(number) => u32::try_from(number)
                .ok()
                .filter(|number| (1..=max).contains(number))
                .ok_or_else(|| {
                    Refusal::bad(format!(
                        "number of keys is {number}, it shall be 1 to {max}"
                    ))
                })?,
        };
        let (min_bits, max_bits) = (limits.key_size_min_bits, limits.key_size_max_bits);
        let size_bits = self.size_bits.unwrap_or(limits.key_size_bits.into());
        if size_bits % 8 != 0 {
            // The standard's own words.
            let size_bits = u32::try_from(size_bits).unwrap_or(u32::MAX);
            return Err(RequestError::SizeNotBytes { size_bits }.into());
        }
        let size_bits = u32::try_from(size_bits)
            .ok()
            .filter(|size| (min_bits..=max_bits).contains(size))
            .ok_or_else(|| {
                Refusal::bad(format!(
                    "size is {size_bits} bits, it shall be {min_bits} to {max_bits}"
                ))
            })?;
        Ok((number, size_bits))
    }
}

fn not_whole(field: &str) -> Refusal {
    Refusal::bad(format!("{field} shall be a whole number"))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Refusal::bad("the body shall be one JSON object")),
        // The parser's words hold its place, never the text around it.
        Err(error) => Err(Refusal::bad(format!("the body is no JSON: {error}"))),
    }
}

/// A member that is not there, or null: real clients send both.
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn whole(members: &Map<String, Value>, name: &str) -> Result<Option<i128>, Refusal> {
    let Some(value) = member(members, name) else {
        return Ok(None);
    };
    let number = value
        .as_u64()
        .map(i128::from)
        .or_else(|| value.as_i64().map(i128::from));
    number.map(Some).ok_or_else(|| not_whole(name))
}

fn additional_slaves(members: &Map<String, Value>) -> Result<Vec<SaeId>, Refusal> {
    let field = "additional_slave_SAE_IDs";
    let wrong = || Refusal::bad(format!("{field} shall be an array of strings"));
    let Some(value) = member(members, field) else {
        return Ok(Vec::new());
    };
    let names = value.as_array().ok_or_else(wrong)?;
    let names = names.iter().map(|name| name.as_str().ok_or_else(wrong));
    names.map(|name| sae_id(field, name?.to_owned())).collect()
}

/// The names of optional extensions, the first few of them. What is none is ignored.
fn optional_extensions(members: &Map<String, Value>) -> Vec<String> {
    let named: Vec<&String> = match member(members, "extension_optional") {
        Some(Value::Array(extensions)) => {
            let objects = extensions.iter().filter_map(Value::as_object);
            objects.flat_map(Map::keys).collect()
        }
        Some(Value::Object(extensions)) => extensions.keys().collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            Vec::new()
        }
    };
    let cut = |name: &String| name.chars().take(NAME_CHARS_MAX).collect();
    named.into_iter().take(NAMED_MAX).map(cut).collect()
}

/// No extension is supported, so none may be mandatory (clause 5.2 with 6.5).
fn refuse_mandatory(members: &Map<String, Value>) -> Result<(), Refusal> {
    let field = "extension_mandatory";
    let Some(value) = member(members, field) else {
        return Ok(());
    };
    let names: Vec<&String> = match value {
        Value::Array(extensions) if extensions.is_empty() => return Ok(()),
        Value::Array(extensions) => {
            let objects = extensions.iter().filter_map(Value::as_object);
            objects.flat_map(Map::keys).collect()
        }
        // A real client's documentation says object.
        Value::Object(extensions) if extensions.is_empty() => return Ok(()),
        Value::Object(extensions) => extensions.keys().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Refusal::bad(format!(
                "{field} shall be an array of objects"
            )));
        }
    };
    let details = names.iter().take(NAMED_MAX).map(|name| {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        json!({ "extension_mandatory_unsupported": name })
    });
    let message = "not all extension_mandatory parameters are supported";
    Err(Refusal::bad(message).with_details(details))
}

/// "Key IDs data format" (clause 6.4), or the one `key_ID` of a query: 1 to `max` different ones.
pub(super) fn key_ids(query: &str, body: &[u8], max: u32) -> Result<Vec<KeyId>, Refusal> {
    let named = if body.is_empty() {
        let parameters = parameters(query)?;
        let named = parameters.into_iter().filter(|(name, _)| name == "key_ID");
        let mut named = named.map(|(_, value)| value);
        let (Some(key_id), None) = (named.next(), named.next()) else {
            return Err(Refusal::bad(
                "expected exactly one key_ID in the query, or key_IDs in the body of a POST",
            ));
        };
        vec![key_id]
    } else {
        let wrong = || Refusal::bad("key_IDs shall be an array of objects with a string key_ID");
        let members = object(body)?;
        let list = members.get("key_IDs").and_then(Value::as_array);
        let list = list.ok_or_else(wrong)?;
        let one = |entry: &Value| {
            entry
                .get("key_ID")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let named: Option<Vec<String>> = list.iter().map(one).collect();
        named.ok_or_else(wrong)?
    };
    if named.is_empty() || named.len() as u64 > u64::from(max) {
        return Err(Refusal::bad(format!(
            "number of key_IDs is {}, it shall be 1 to {max}",
            named.len()
        )));
    }
    let mut seen = BTreeSet::new();
    let read = named.iter().map(|text| {
        let key_id: KeyId = text
            .parse()
            .map_err(|error| Refusal::bad(format!("key_ID: {error}")))?;
        // Refused as a whole: to answer once would hide that somebody counts on two.
        match seen.insert(key_id) {
            true => Ok(key_id),
            false => Err(Refusal::from(RequestError::DuplicateKeyId)),
        }
    });
    read.collect()
}

/// "Status data format" (clause 6.1).
#[derive(Serialize)]
struct Status<'a> {
    #[serde(rename = "source_KME_ID")]
    source_kme_id: &'a str,
    #[serde(rename = "target_KME_ID")]
    target_kme_id: &'a str,
    #[serde(rename = "master_SAE_ID")]
    master_sae_id: &'a str,
    #[serde(rename = "slave_SAE_ID")]
    slave_sae_id: &'a str,
    key_size: u32,
    stored_key_count: u64,
    max_key_count: u64,
    max_key_per_request: u32,
    max_key_size: u32,
    min_key_size: u32,
    #[serde(rename = "max_SAE_ID_count")]
    max_sae_id_count: u32,
}

/// The status of the pool that `master` and `slave` share.
pub(super) fn status(
    directory: &Directory,
    pool: &Pool,
    (master, slave): (&SaeId, &SaeId),
) -> Bytes {
    let status = Status {
        source_kme_id: directory.local().as_str(),
        target_kme_id: directory.peer().as_str(),
        master_sae_id: master.as_str(),
        slave_sae_id: slave.as_str(),
        key_size: pool.key_size_bits,
        stored_key_count: pool.stored_key_count,
        max_key_count: pool.key_count_max,
        max_key_per_request: pool.keys_per_request_max,
        max_key_size: pool.key_size_max_bits,
        min_key_size: pool.key_size_min_bits,
        max_sae_id_count: pool.additional_slaves_max(),
    };
    // Text and numbers: nothing that JSON could not carry.
    Bytes::from(serde_json::to_vec(&status).unwrap_or_default())
}

/// "Key container data format" (clause 6.3), wiped once it has been sent. A key's text is written
/// straight to its place, so that this leaves no other copy; the buffers of TLS, through which it
/// leaves, are not wiped here. Optional extensions that were `unhandled` are named in
/// `key_container_extension`, in the words of clause 6.5.
pub(super) fn container(keys: &[DeliveredKey], unhandled: &[String]) -> Bytes {
    const BEGIN: &[u8] = br#"{"keys":["#;
    const KEY_ID: &[u8] = br#"{"key_ID":""#;
    const KEY: &[u8] = br#"","key":""#;
    const KEY_END: &[u8] = br#""}"#;
    let end = match unhandled {
        [] => "]}".to_owned(),
        names => {
            let details = names
                .iter()
                .map(|name| json!({ "extension_optional_unhandled": name }));
            let remark = json!({
                "message": "not all extension_optional request options handled",
                "details": details.collect::<Vec<_>>(),
            });
            format!("],\"key_container_extension\":{remark}}}")
        }
    };
    let text_bytes = |key: &DeliveredKey| key.key.expose().len().div_ceil(3) * 4;
    let around = KEY_ID.len() + 36 + KEY.len() + KEY_END.len() + 1;
    let all: usize = keys.iter().map(|key| around + text_bytes(key)).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(BEGIN.len() + all + end.len()));
    text.extend_from_slice(BEGIN);
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(KEY_ID);
        text.extend_from_slice(key.key_id.to_string().as_bytes());
        text.extend_from_slice(KEY);
        let begin = text.len();
        text.resize(begin + text_bytes(key), 0);
        // The room is exactly that of padded base64, so it always fits.
        let _ = STANDARD.encode_slice(key.key.expose(), &mut text[begin..]);
        text.extend_from_slice(KEY_END);
    }
    text.extend_from_slice(end.as_bytes());
    Bytes::from_owner(text)
}
