//! What a certificate says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::dates::{now_seconds, utc};

/// The names, dates and purposes in a certificate. Whoever made it wrote them: print names quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The common name of its subject; empty when there is none.
    pub common_name: String,
    /// The DNS names among its alternative names.
    pub dns_names: Vec<String>,
    /// The IP addresses among its alternative names.
    pub addresses: Vec<IpAddr>,
    /// Whether a server may show it.
    pub for_servers: bool,
    /// When it is in force.
    pub validity: Validity,
    /// Its public key: a DER SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

/// First and last second of a certificate, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Validity {
    /// Whether `now` is within it.
    pub fn contains(self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Seconds from `now` to its end; negative when it has passed.
    pub fn left(self, now: i64) -> i64 {
        self.not_after.saturating_sub(now)
    }

    /// Seconds from its begin to its end.
    pub fn length(self) -> i64 {
        self.not_after.saturating_sub(self.not_before)
    }

    /// Why it is not in force at this moment, in one clause; `None` when it is.
    pub fn fault_now(self) -> Option<String> {
        let now = now_seconds();
        if now > self.not_after {
            let not_after = utc(self.not_after);
            return Some(format!(
                "expired on {not_after}, and it is {} now",
                utc(now)
            ));
        }
        (now < self.not_before).then(|| {
            let not_before = utc(self.not_before);
            format!(
                "is valid only from {not_before} on, and it is {} now",
                utc(now)
            )
        })
    }
}

impl Facts {
    /// Reads the certificate `der`, which must be exactly one.
    ///
    /// # Errors
    /// What the parser said.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes after its end", rest.len()));
        }
        let names = certificate
            .subject_alternative_name()
            .map_err(|error| error.to_string())?;
        let purposes = certificate
            .extended_key_usage()
            .map_err(|error| error.to_string())?;
        let (mut dns_names, mut addresses) = (Vec::new(), Vec::new());
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(dns) => dns_names.push((*dns).to_owned()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                // Not our enum: every other kind of name identifies no node.
                _ => {}
            }
        }
        let common_name = certificate.subject().iter_common_name().next();
        let validity = certificate.validity();
        Ok(Self {
            common_name: common_name
                .and_then(|name| name.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            dns_names,
            addresses,
            for_servers: purposes.is_some_and(|purposes| purposes.value.server_auth),
            validity: Validity {
                not_before: validity.not_before.timestamp(),
                not_after: validity.not_after.timestamp(),
            },
            public_key: certificate.public_key().raw.to_vec(),
        })
    }

    /// The name by which people know it: the common name, or else the first DNS name.
    pub fn name(&self) -> &str {
        match (self.common_name.as_str(), self.dns_names.first()) {
            ("", Some(dns)) => dns,
            ("", None) => "nobody",
            (common, _) => common,
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
    v4.or(v6).ok()
}
