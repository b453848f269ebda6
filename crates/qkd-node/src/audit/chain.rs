//! The chain: each line carries a value under a key that follows from it and from the line before.
//!
//! The value covers the bytes as they are in the file. Whoever has no key can neither change a line,
//! nor leave one out, nor add one; he can only cut off the end, which [`super::witness`] is for.

use hmac::{Hmac, KeyInit, Mac};
use qkd_bits::SecretBytes;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// A chain value.
pub(crate) type Link = [u8; 32];

/// What comes before the first line of all.
pub(crate) const BEGINNING: Link = [0; 32];

/// What the key of the chain is derived under, so that it says nothing of the store key.
const PURPOSE: &[u8] = b"qkd audit log: chain of lines, version 1";

/// Between the body of a line and its chain value.
const BEFORE: &str = ",\"mac\":\"";

/// After the chain value: the end of the line.
const AFTER: &str = "\"}\n";

/// Length of what follows the body.
const SUFFIX_BYTES: usize = BEFORE.len() + 64 + AFTER.len();

/// The key of the chain.
pub(crate) struct ChainKey(Hmac<Sha256>);

/// Where a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the last line; 0 before the first.
    pub(crate) seq: u64,
    /// Its chain value.
    pub(crate) link: Link,
}

impl Head {
    /// Before the first line.
    pub(crate) const START: Self = Self {
        seq: 0,
        link: BEGINNING,
    };
}

impl ChainKey {
    /// The key that follows from the key of a node's store.
    pub(crate) fn derive(store_key: &SecretBytes) -> Self {
        let derived = keyed(store_key.expose()).chain_update(PURPOSE);
        Self(keyed(&derived.finalize().into_bytes()))
    }

    fn link(&self, previous: &Link, body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(previous).chain_update(body)
    }

    /// The whole line of this body after `previous`, and its chain value.
    pub(crate) fn seal(&self, previous: &Link, body: &str) -> (String, Link) {
        let link: Link = self
            .link(previous, body.as_bytes())
            .finalize()
            .into_bytes()
            .into();
        let mut line = String::with_capacity(body.len() + SUFFIX_BYTES);
        line.push_str(body);
        line.push_str(BEFORE);
        line.push_str(&hex(&link));
        line.push_str(AFTER);
        (line, link)
    }

    /// Whether `line` follows `previous`.
    pub(crate) fn follows(&self, previous: &Link, line: &Line<'_>) -> bool {
        let expected: Link = self
            .link(previous, line.body)
            .finalize()
            .into_bytes()
            .into();
        expected.ct_eq(&line.link).into()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// A line of a file, taken apart; nothing of it is believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'b> {
    pub(crate) body: &'b [u8],
    pub(crate) link: Link,
}

impl<'b> Line<'b> {
    /// Takes a line with its end apart; nothing when it is none.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<Self> {
        let (body, suffix) = bytes.split_at_checked(bytes.len().checked_sub(SUFFIX_BYTES)?)?;
        let digits = suffix.strip_prefix(BEFORE.as_bytes())?;
        let digits = digits.strip_suffix(AFTER.as_bytes())?;
        Some(Self {
            body,
            link: unhex(std::str::from_utf8(digits).ok()?)?,
        })
    }

    /// Its members, without the chain value.
    pub(crate) fn members(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let mut json = self.body.to_vec();
        json.push(b'}');
        serde_json::from_slice(&json).ok()
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

/// 32 bytes from lower-case hexadecimal digits: a value has one spelling.
pub(crate) fn unhex(digits: &str) -> Option<Link> {
    let mut link = BEGINNING;
    if digits.len() != 64 || digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    for (byte, pair) in link.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ChainKey {
        ChainKey::derive(&SecretBytes::from(vec![byte; 32]))
    }

    #[test]
    fn a_line_follows_its_predecessor_under_its_key_and_nothing_else() {
        let key = key(1);
        let (first, link) = key.seal(&BEGINNING, "{\"seq\":1");
        let (second, _) = key.seal(&link, "{\"seq\":2");
        let read = |line: &'static str| Line::read(line.as_bytes()).unwrap();
        let (first, second) = (first.leak(), second.leak());
        assert!(key.follows(&BEGINNING, &read(first)));
        assert!(key.follows(&link, &read(second)));
        assert!(!key.follows(&BEGINNING, &read(second)), "one left out");
        assert!(!self::key(2).follows(&link, &read(second)), "another key");
        for at in 0..second.len() {
            let mut forged = second.as_bytes().to_vec();
            forged[at] ^= 1;
            let line = Line::read(&forged);
            assert!(line.is_none_or(|line| !key.follows(&link, &line)), "{at}");
        }
        for length in 0..second.len() {
            assert_eq!(Line::read(&second.as_bytes()[..length]), None, "{length}");
        }
        assert_eq!(read(second).members().unwrap()["seq"], 2);
    }

    #[test]
    fn the_chain_is_the_documented_one() {
        // Python: k = hmac(b'\x01'*32, b'qkd audit log: chain of lines, version 1').digest()
        //         hmac(k, bytes(32) + b'{"seq":1').hexdigest()
        let (line, _) = key(1).seal(&BEGINNING, "{\"seq\":1");
        assert_eq!(line, format!("{{\"seq\":1,\"mac\":\"{EXPECTED}\"}}\n"));
    }

    const EXPECTED: &str = "0f5bd09967f93a9e75f8d98d49c68de76ef32b54bf0942100be40433ee8c0165";
}
