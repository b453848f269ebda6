//! The physical and security parameters that Alice and Bob must agree on before light flows.

mod effects;
mod entries;
mod setup;

use std::fmt::Write as _;
use std::ops::RangeInclusive;

pub use effects::HardwareEffects;
use entries::{Entry, accept_entries, entries};
use qkd_auth::Authentication;
use qkd_security::{Acceptance, SideChannels, Theorem};

/// The shortest fixed length of which applications get anything: of every block the confirmation of
/// the key and the refresh of the authentication keys are paid first.
pub const FIXED_LENGTH_MIN_BITS: u64 = qkd_session::OVERHEAD_BITS + 1;

/// Sifted key-basis bits per block with which a link runs. A block is distilled in one piece on the
/// link's thread: a larger one would keep it from its signs of life for longer than the peer waits.
pub const BLOCK_BITS: RangeInclusive<u64> = 1_000..=20_000_000;

/// What applications get of a block of a fixed length, in bits: none below
/// [`FIXED_LENGTH_MIN_BITS`].
pub fn delivered_bits(fixed_length_bits: u64) -> u64 {
    fixed_length_bits.saturating_sub(qkd_session::OVERHEAD_BITS)
}

/// Everything about source, fibre, detectors, protocol and security that both sides must share.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkParameters {
    /// `[source]`: Alice's laser.
    pub source: SourceParameters,
    /// `[channel]`: the fibre.
    pub channel: ChannelParameters,
    /// `[detector]`: Bob's pair of detectors.
    pub detector: DetectorParameters,
    /// `[protocol]`: what is sent and measured.
    pub protocol: ProtocolParameters,
    /// `[security]`: what is promised.
    pub security: SecuritySettings,
    /// The optional keys and sections of `[source]`, `[channel]` and `[detector]`: what real
    /// hardware does beside what it should.
    pub effects: HardwareEffects,
}

/// `[source]`: a phase-randomised weak coherent source with a signal and a decoy intensity.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceParameters {
    /// Slots per second of emulated time, Hz.
    pub clock_hz: f64,
    /// Mean photon number per pulse, signal then decoy.
    pub intensities: [f64; 2],
    /// How often each intensity is sent; sum 1.
    pub intensity_probabilities: [f64; 2],
}

/// `[channel]`: the fibre from Alice to Bob.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelParameters {
    /// Length, km.
    pub distance_km: f64,
    /// Attenuation, dB per km.
    pub attenuation_db_per_km: f64,
    /// Loss inside the receiver before the detectors, dB.
    pub insertion_loss_db: f64,
}

/// `[detector]`: two equal detectors with a common dead time.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorParameters {
    /// Probability that a photon that reaches a detector makes it click.
    pub detector_efficiency: f64,
    /// Probability of a click without light, per detector and slot.
    pub dark_count_probability: f64,
    /// Time after a click in which both detectors are blind, ns.
    pub dead_time_ns: f64,
    /// Probability that a registered click is followed by an afterpulse.
    pub afterpulse_probability: f64,
    /// Mean time from the end of the dead time to the afterpulse, ns.
    pub afterpulse_decay_ns: f64,
}

/// `[protocol]`: the protocol and its free choices.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolParameters {
    /// Which protocol.
    pub name: ProtocolName,
    /// Probability that Alice sends, and that Bob measures, in the key basis Z.
    pub key_basis_probability: f64,
    /// Probability that a photon goes to the wrong detector.
    pub misalignment_error: f64,
}

/// The protocols that a link can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolName {
    /// Decoy-state BB84, key in Z, test in X.
    Bb84,
}

impl ProtocolName {
    /// Every protocol, by the name it has in a configuration.
    pub const NAMES: &'static [&'static str] = &["bb84"];

    /// The protocol of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "bb84" => Some(ProtocolName::Bb84),
            _ => None,
        }
    }

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ProtocolName::Bb84 => "bb84",
        }
    }
}

/// `[security]`: the promise that every key carries, and the block it is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SecuritySettings {
    /// Which theorem gives the length.
    pub theorem: Theorem,
    /// Sifted key-basis bits per block.
    pub block_bits: u64,
    /// Probability that the key is not secret, per block (ε_sec).
    pub secrecy: f64,
    /// Probability that both keys differ unnoticed, per block (ε_cor).
    pub correctness: f64,
    /// How messages of the classical channel are tagged.
    pub authentication: Authentication,
    /// `[security.side_channels]`: what the laboratories may leak, charged in the key length.
    pub side_channels: SideChannels,
    /// `[security.accept]`: limits of the acceptance test that replace the derived ones.
    pub accept: AcceptLimits,
}

/// `[security.accept]`: limits of the acceptance test; each one that is absent is derived from the
/// expected channel. Pairs are for signal and decoy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Fewest sifted detections in the key basis.
    pub key_counts_min: Option<[u64; 2]>,
    /// Fewest sifted detections in the test basis.
    pub test_counts_min: Option<[u64; 2]>,
    /// Most errors in the key basis.
    pub key_errors_max: Option<[u64; 2]>,
    /// Most errors in the test basis.
    pub test_errors_max: Option<[u64; 2]>,
    /// Most bits that Alice may send in error correction, verification not included.
    pub leaked_bits_max: Option<u64>,
    /// Length of the key of an accepted block, bits.
    pub secret_length_bits: Option<u64>,
}

impl LinkParameters {
    /// One `section.key = value` per line, sorted by key. Equal
    /// parameters give equal texts on every machine (numbers in their shortest exact form).
    pub fn canonical_text(&self) -> String {
        let mut lines: Vec<String> = entries(self)
            .into_iter()
            .map(|entry| format!("{}.{} = {}\n", entry.section, entry.key, entry.value))
            .collect();
        lines.sort();
        lines.concat()
    }

    /// What the two ends of a link must have the same, and the handshake compares: the
    /// [canonical text](Self::canonical_text), and how many blocks are in flight at most.
    pub fn agreed_text(&self, blocks_in_flight_max: u64) -> String {
        let mut text = self.canonical_text();
        let _ = writeln!(
            text,
            "session.blocks_in_flight_max = {blocks_in_flight_max}"
        );
        text
    }

    /// The sections of a configuration file that hold these parameters.
    pub fn to_toml(&self) -> String {
        toml(&entries(self))
    }
}

impl AcceptLimits {
    /// Every limit of `acceptance`: none is left to be derived.
    pub fn all_of(acceptance: &Acceptance) -> Self {
        Self {
            key_counts_min: Some(acceptance.key_counts_min),
            test_counts_min: Some(acceptance.test_counts_min),
            key_errors_max: Some(acceptance.key_errors_max),
            test_errors_max: Some(acceptance.test_errors_max),
            leaked_bits_max: Some(acceptance.leaked_bits_max),
            secret_length_bits: Some(acceptance.secret_length_bits),
        }
    }

    /// The section `[security.accept]` of a configuration file; nothing when no limit is set.
    pub fn to_toml(&self) -> String {
        toml(&accept_entries(self))
    }
}

/// Entries as sections of a file.
fn toml(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut section = "";
    for entry in entries {
        if entry.section != section {
            section = entry.section;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
        }
        let _ = writeln!(text, "{} = {}", entry.key, entry.value);
    }
    text
}

/// The first parameter in which two [canonical texts](LinkParameters::canonical_text) differ, with
/// both values; `None` when they are equal. Takes any text: `theirs` comes from the network, and of
/// a value that long only its beginning is repeated.
pub fn first_difference(ours: &str, theirs: &str) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let value_of = |text: &str, key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(" = "));
        pairs
            .find(|(name, _)| *name == key)
            .map(|(_, value)| shorten(value))
    };
    let keys = |text: &str| -> Vec<String> {
        let pairs = text.lines().filter_map(|line| line.split_once(" = "));
        pairs.map(|(key, _)| key.to_owned()).collect()
    };
    for key in keys(ours).into_iter().chain(keys(theirs)) {
        let (here, there) = (value_of(ours, &key), value_of(theirs, &key));
        if here != there {
            let say = |value: Option<String>| value.unwrap_or_else(|| "not set".to_owned());
            let key = shorten(&key);
            return Some(format!(
                "{key} is {} here and {} at the peer",
                say(here),
                say(there)
            ));
        }
    }
    Some("the texts of the parameters differ in form".to_owned())
}

/// At most 80 characters of `text`, none of which can disturb a terminal.
fn shorten(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(80).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn equal_parameters_have_equal_sorted_texts() {
        let text = presets::snspd(25.0).canonical_text();
        assert_eq!(text, presets::snspd(25.0).canonical_text());
        let lines: Vec<&str> = text.lines().collect();
        let mut sorted = lines.clone();
        sorted.sort_unstable();
        assert_eq!(lines, sorted);
        assert!(text.contains("channel.distance_km = 25.0\n"));
    }

    #[test]
    fn the_first_difference_names_the_key_and_both_values() {
        let ours = presets::snspd(25.0).canonical_text();
        assert_eq!(first_difference(&ours, &ours), None);
        let theirs = presets::snspd(50.0).canonical_text();
        assert_eq!(
            first_difference(&ours, &theirs).unwrap(),
            "channel.distance_km is 25.0 here and 50.0 at the peer"
        );
        let mut leaking = presets::snspd(25.0);
        leaking.security.side_channels.reflected_photons = 1e-7;
        assert_eq!(
            first_difference(&ours, &leaking.canonical_text()).unwrap(),
            "security.side_channels.reflected_photons is not set here and 1e-7 at the peer"
        );
        let mut hashing = presets::snspd(25.0);
        hashing.security.authentication = Authentication::PolyvalHmacSha256;
        assert_eq!(
            first_difference(&ours, &hashing.canonical_text()).unwrap(),
            "security.authentication is not set here and \"polyval-hmac-sha-256\" at the peer"
        );
        assert!(
            !ours.contains("authentication"),
            "a peer that knows only the default is told nothing new: {ours}"
        );
        let mut limited = presets::snspd(25.0);
        limited.security.accept.leaked_bits_max = Some(7);
        assert_eq!(
            first_difference(&ours, &limited.canonical_text()).unwrap(),
            "security.accept.leaked_bits_max is not set here and 7 at the peer"
        );
    }

    #[test]
    fn garbage_from_a_peer_is_a_short_printable_difference() {
        let ours = presets::snspd(25.0).canonical_text();
        for theirs in ["", "\0\u{1b}[2J", "a = ", &"x = y".repeat(100_000)] {
            let said = first_difference(&ours, theirs).unwrap();
            assert!(
                said.len() < 400 && !said.chars().any(char::is_control),
                "{said}"
            );
        }
    }
}
