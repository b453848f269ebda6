//! Whom certificates are for, and which names they may have.

use std::fmt;
use std::net::IpAddr;

use super::{AUTHORITY, PkiError};
use crate::tls::Facts;

/// What a party is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A node: a server to applications and to its peer, and a client of its peer.
    Node,
    /// An application or an operator: a client only.
    Application,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Node => "node",
            Kind::Application => "application",
        })
    }
}

/// Who gets a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its name, and that of its files.
    pub name: String,
    /// What its certificate is good for.
    pub kind: Kind,
    /// Further DNS names and IP addresses under which clients reach it; nodes only. Every node has
    /// `localhost` and the loopback addresses as well.
    pub other_names: Vec<String>,
}

impl Party {
    /// A node without further names.
    pub fn node(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Node,
            other_names: Vec::new(),
        }
    }

    /// An application.
    pub fn application(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Application,
            other_names: Vec::new(),
        }
    }

    /// The party whose certificate says `facts`, called `name` by its file.
    pub(super) fn of(name: &str, facts: &Facts) -> Self {
        let foreign = |dns: &&String| dns.as_str() != name && dns.as_str() != "localhost";
        let dns = facts.dns_names.iter().filter(foreign).cloned();
        let outside = |address: &&IpAddr| !address.is_loopback();
        let addresses = facts.addresses.iter().filter(outside);
        Self {
            name: name.to_owned(),
            kind: if facts.for_servers {
                Kind::Node
            } else {
                Kind::Application
            },
            other_names: dns.chain(addresses.map(IpAddr::to_string)).collect(),
        }
    }
}

/// Names that mean something else.
const RESERVED: [&str; 3] = [AUTHORITY, "pre-shared", "localhost"];

/// Refuses names that are no file names, no DNS names, or somebody else's. An application is known
/// by its one DNS name alone, so nobody may share it and it has no other.
pub(super) fn check(parties: &[Party]) -> Result<(), PkiError> {
    let mut taken: Vec<&str> = Vec::new();
    for party in parties {
        let own = [(&party.name, is_name(&party.name))];
        let others = party.other_names.iter().map(|name| {
            let fits = is_name(name) || name.parse::<IpAddr>().is_ok();
            (name, fits && party.kind == Kind::Node)
        });
        for (name, fits) in own.into_iter().chain(others) {
            if !fits || taken.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(PkiError::BadName { name: name.clone() });
            }
            taken.push(name);
        }
    }
    Ok(())
}

/// Whether it can be a file name as well as a DNS name.
fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=63).contains(&name.len())
        && name.chars().all(letters)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !RESERVED.contains(&name)
        && !name.ends_with(".store")
}
