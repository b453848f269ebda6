//! Network addresses as people write them.

use std::fmt;
use std::str::FromStr;

/// `host:port`. The host is a name or an IP address; names are resolved when the socket opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Name, IPv4 address, or IPv6 address without its brackets.
    pub host: String,
    /// UDP or TCP port; 0 asks the operating system for a free one.
    pub port: u16,
}

/// The text is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected \"host:port\", such as \"127.0.0.1:7001\", \"[::1]:7001\" or \"bob.example:7001\""
)]
pub struct NotAnAddress;

impl HostPort {
    /// Host and port as one value.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl FromStr for HostPort {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnAddress)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnAddress);
        }
        let port = port.parse().map_err(|_| NotAnAddress)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or(NotAnAddress)?;
                inner
                    .parse::<std::net::Ipv6Addr>()
                    .map_err(|_| NotAnAddress)?;
                inner
            }
            None => host,
        };
        let bracketed = text.starts_with('[');
        let letters = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || (bracketed && c == ':')
        };
        if host.is_empty() || !host.chars().all(letters) {
            return Err(NotAnAddress);
        }
        Ok(Self::new(host, port))
    }
}

impl From<std::net::SocketAddr> for HostPort {
    fn from(address: std::net::SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_written() {
        for text in [
            "127.0.0.1:0",
            "[::1]:7001",
            "bob:65535",
            "kme-bob.example:1",
        ] {
            let address: HostPort = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong = [
            "",
            "bob",
            ":1",
            "bob:",
            "bob:65536",
            "bob:-1",
            "bob:+1",
            "::1:7001",
            "[::1]",
            "[bob]:1",
            "b ob:1",
            "http://bob:1",
        ];
        for text in wrong {
            assert_eq!(text.parse::<HostPort>(), Err(NotAnAddress), "{text:?}");
        }
    }
}
