//! Whether a certificate that the authority signed is the expected peer's.

use super::facts::Facts;

/// Names of a stranger that are repeated at most.
const NAMES_MAX: usize = 8;

/// Characters of each that are repeated at most: more than a name of a party may have.
const NAME_CHARS_MAX: usize = 64;

/// Why a peer that the authority vouches for is still the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerNameError {
    /// The peer showed no certificate, or one that cannot be parsed.
    #[error("the peer's certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// The certificate is another party's.
    #[error(
        "the peer's certificate is for {}, expected {expected:?} among its DNS names; [node] peer must be a name in the peer's certificate",
        quoted(.found)
    )]
    WrongName {
        /// The DNS names in the certificate.
        found: Vec<String>,
        /// The configured peer.
        expected: String,
    },
}

/// Checks that the certificate `der`, as the peer showed it in the TLS handshake, carries the DNS
/// name `expected` (letter case does not matter, wildcards do not count).
///
/// # Errors
/// When it cannot be parsed or carries other names only.
pub fn verify_peer_name(der: &[u8], expected: &str) -> Result<(), PeerNameError> {
    let facts = Facts::of(der).map_err(|reason| PeerNameError::Malformed { reason })?;
    let mut names = facts.dns_names.iter();
    if names.any(|dns| dns.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    Err(PeerNameError::WrongName {
        found: facts.dns_names,
        expected: expected.to_owned(),
    })
}

/// The begin of a name that a stranger chose, without anything that could disturb a terminal.
pub(super) fn harmless(name: &str) -> String {
    let escaped = name.chars().flat_map(char::escape_debug);
    let mut shown: String = escaped.take(NAME_CHARS_MAX).collect();
    if name.chars().flat_map(char::escape_debug).count() > NAME_CHARS_MAX {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Names in quotes: they are a stranger's, and must not disturb a terminal.
pub(super) fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nobody".to_owned();
    }
    let quoted: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| format!("\"{}\"", harmless(name)))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_name_is_cut_and_disturbs_no_terminal() {
        let longest = "a".repeat(NAME_CHARS_MAX);
        assert_eq!(harmless(&longest), longest);
        for long in ["a", "é", "\u{1b}[2J\n"].map(|piece| piece.repeat(10_000)) {
            let shown = harmless(&long);
            assert_eq!(shown.chars().count(), NAME_CHARS_MAX);
            assert!(shown.ends_with('…') && !shown.contains(char::is_control));
        }
        let many = vec!["x".repeat(10_000); 1_000];
        assert!(quoted(&many).len() < 1_000);
    }
}
