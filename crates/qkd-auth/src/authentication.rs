//! The ways to tag an envelope.

use std::fmt;

/// How the envelopes of a channel are tagged. Both ends must have the same: with another one, or
/// with other keys, every envelope is rejected as [`WrongTag`](crate::Reject::WrongTag).
///
/// The proofs of the [`Handshake`](crate::Handshake) are HMAC-SHA-256 with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// HMAC-SHA-256 (RFC 2104) over the header and the payload.
    #[default]
    HmacSha256,
    /// HMAC-SHA-256 over the header, the length of the payload, and the payload's POLYVAL (RFC 8452)
    /// at a secret point: a universal hash and then a pseudorandom function. Three times as fast at a
    /// kilobyte and seven times at a hundred, where the processor has VPCLMULQDQ; worth nothing
    /// where it multiplies no polynomials at all.
    PolyvalHmacSha256,
}

impl Authentication {
    /// Both, the default first.
    pub const ALL: [Authentication; 2] = [
        Authentication::HmacSha256,
        Authentication::PolyvalHmacSha256,
    ];

    /// The name of each in a configuration, in the order of [`ALL`](Self::ALL).
    pub const NAMES: [&'static str; 2] = [
        Authentication::HmacSha256.name(),
        Authentication::PolyvalHmacSha256.name(),
    ];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Authentication::HmacSha256 => "hmac-sha-256",
            Authentication::PolyvalHmacSha256 => "polyval-hmac-sha-256",
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_no_other() {
        for (authentication, name) in Authentication::ALL.into_iter().zip(Authentication::NAMES) {
            assert_eq!(authentication.to_string(), name);
            assert_eq!(Authentication::from_name(name), Some(authentication));
        }
        assert_eq!(Authentication::from_name("HMAC-SHA-256"), None);
        assert_eq!(Authentication::default(), Authentication::HmacSha256);
    }
}
