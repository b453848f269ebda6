//! Looks for keys in places where none may be.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

/// Bytes of a key that are recognised wherever they occur. By chance, one of 100 million bytes
/// matches one of 100,000 such windows with a probability below 10⁻⁶.
const RAW_BYTES: usize = 8;

/// Characters of a key's hexadecimal or base64 text that are recognised: at least 64 bits.
const TEXT_BYTES: usize = 16;

/// Finds any 8 bytes of some keys, at any bit offset, and any 16 characters of their texts:
/// hexadecimal in either case, base64 in either alphabet, on its own or in the middle of more.
pub struct KeySearch {
    raw: Parts<RAW_BYTES>,
    text: Parts<TEXT_BYTES>,
}

impl KeySearch {
    /// A search for any part of these keys.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let (mut raw, mut text) = (Parts::new(), Parts::new());
        for key in keys {
            assert!(key.len() > RAW_BYTES, "a shorter key is not looked for");
            for shift in 0..8 {
                raw.add(&shifted(key, shift));
            }
            for way in texts(key) {
                text.add(way.as_bytes());
            }
        }
        Self { raw, text }
    }

    /// Where the first part of any key begins.
    pub fn find(&self, haystack: &[u8]) -> Option<usize> {
        self.raw.find(haystack).or_else(|| self.text.find(haystack))
    }
}

/// Parts of N bytes, and for speed which three bytes any of them begins with.
struct Parts<const N: usize> {
    parts: HashSet<[u8; N]>,
    begins: Vec<bool>,
}

impl<const N: usize> Parts<N> {
    fn new() -> Self {
        Self {
            parts: HashSet::new(),
            begins: vec![false; 1 << 24],
        }
    }

    fn add(&mut self, whole: &[u8]) {
        for part in whole.windows(N).filter_map(<[u8]>::first_chunk) {
            self.begins[beginning(part)] = true;
            self.parts.insert(*part);
        }
    }

    fn find(&self, haystack: &[u8]) -> Option<usize> {
        let mut windows = haystack.windows(N);
        windows.position(|window| self.begins[beginning(window)] && self.parts.contains(window))
    }
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16
}

/// Every way in which a key is written as text.
pub fn texts(key: &[u8]) -> Vec<String> {
    let mut hex = String::new();
    for byte in key {
        write!(hex, "{byte:02x}").expect("a String takes everything");
    }
    let mut texts = vec![hex.to_uppercase(), hex];
    for alphabet in [STANDARD, URL_SAFE] {
        let engine = GeneralPurpose::new(&alphabet, NO_PAD);
        for before in 0..3 {
            // In the middle of more, the first and the last characters belong to the neighbours.
            let embedded = engine.encode([&vec![0; before][..], key, &[0; 2]].concat());
            let own = (before * 8).div_ceil(6)..(before + key.len()) * 8 / 6;
            texts.push(embedded[own].to_owned());
        }
    }
    texts
}

/// The key's bits packed lowest first, as the link packs bits, `shift` places further on, without
/// the bytes that it shares with its neighbours.
pub fn shifted(key: &[u8], shift: u32) -> Vec<u8> {
    if shift == 0 {
        return key.to_vec();
    }
    key.windows(2)
        .map(|pair| pair[0] >> (8 - shift) | pair[1] << shift)
        .collect()
}
