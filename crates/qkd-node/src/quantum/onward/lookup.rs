//! Looking for the end of the fibre, on a thread that may wait for name servers.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Line, Tell, Trouble, Way};
use crate::config::HostPort;

/// How the addresses of a name are found.
pub(super) type Resolver = Box<dyn FnMut(&HostPort) -> std::io::Result<Vec<SocketAddr>> + Send>;

/// How often somebody is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Distance of two looks at a name that answers.
    pub steady: Duration,
    /// Distance of two looks while nobody is found.
    pub trouble: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            steady: Duration::from_secs(5),
            trouble: Duration::from_secs(1),
        }
    }
}

/// The addresses of a name as the operating system knows them.
pub(super) fn of_the_system(name: &HostPort) -> std::io::Result<Vec<SocketAddr>> {
    let addresses = (name.host.as_str(), name.port).to_socket_addrs()?;
    Ok(addresses.collect())
}

/// Who looks, and what was found last.
pub(super) struct Lookup {
    key: &'static str,
    peer: HostPort,
    resolver: Resolver,
    tell: Tell,
    current: Option<SocketAddr>,
    /// Whether senders met trouble before the last look already.
    in_trouble: bool,
    /// Whether light is known to go nowhere, and how many datagrams had been sent then.
    dark: Option<u64>,
}

impl Lookup {
    pub(super) fn new(key: &'static str, peer: HostPort, resolver: Resolver, tell: Tell) -> Self {
        Self {
            key,
            peer,
            resolver,
            tell,
            current: None,
            in_trouble: false,
            dark: None,
        }
    }

    /// Looks again and again, until nobody needs the line any more.
    pub(super) fn run(mut self, line: &Line, is_name: bool, pace: Pace) {
        let mut trouble = None;
        loop {
            self.look(line, trouble);
            let wanting = self.current.is_none() || self.in_trouble || self.dark.is_some();
            let most = match (wanting, is_name) {
                (true, _) => Some(pace.trouble),
                (false, true) => Some(pace.steady),
                // An address in numbers does not change: only trouble is a reason to look.
                (false, false) => None,
            };
            match line.wait(pace.trouble, most) {
                Some(met) => trouble = met,
                None => return,
            }
        }
    }

    /// One look, after senders met `trouble` or none.
    pub(super) fn look(&mut self, line: &Line, trouble: Option<Trouble>) {
        let found = (self.resolver)(&self.peer);
        let addresses = found.as_deref().unwrap_or_default();
        match self.choose(addresses, trouble) {
            Some(next) if self.current != Some(next) || trouble == Some(Trouble::Unreachable) => {
                self.connect(line, next, addresses.len() == 1);
            }
            Some(_) => {}
            // A name server that fails now and then does not cut a fibre that works.
            None if trouble.is_none() && self.current.is_some() => {}
            None => {
                let why = match &found {
                    Ok(_) => "it has no address".to_owned(),
                    Err(error) => error.to_string(),
                };
                self.disconnect(line, format!("cannot be found: {why}"));
                return;
            }
        }
        self.judge(line, trouble);
    }

    /// The address in use as long as the name has it and it answers; else the next one.
    fn choose(&self, addresses: &[SocketAddr], trouble: Option<Trouble>) -> Option<SocketAddr> {
        let place = |current| addresses.iter().position(|address| *address == current);
        match self.current.and_then(place) {
            Some(place) if trouble.is_none() => Some(addresses[place]),
            Some(place) => Some(addresses[(place + 1) % addresses.len()]),
            None => addresses.first().copied(),
        }
    }

    fn connect(&mut self, line: &Line, address: SocketAddr, only_one: bool) {
        match Way::to(address) {
            Ok(way) => {
                line.connect(Some(way));
                if self.current != Some(address) {
                    if only_one || self.current.is_none() {
                        tracing::info!(peer = %self.peer, %address, "light goes to its peer");
                    } else {
                        // One of many that are tried in turn.
                        tracing::debug!(peer = %self.peer, %address, "light goes to its peer");
                    }
                }
                if self.current.replace(address).is_none() && self.dark.is_some() {
                    self.brighten(address);
                }
            }
            Err(error) => self.disconnect(line, format!("cannot be reached: {error}")),
        }
    }

    fn disconnect(&mut self, line: &Line, why: String) {
        line.connect(None);
        self.current = None;
        self.in_trouble = false;
        self.darken(line, &why);
    }

    /// One refusal is a peer that starts again; a second one in the next look is worth a word.
    fn judge(&mut self, line: &Line, trouble: Option<Trouble>) {
        let Some(address) = self.current else {
            return;
        };
        let sent = line.sent.load(Ordering::Relaxed);
        match trouble {
            Some(Trouble::Refused) if self.in_trouble => {
                self.darken(line, &format!("refuses it: nobody listens at {address}"));
            }
            Some(Trouble::Unreachable) if self.in_trouble => {
                self.darken(line, &format!("cannot be reached at {address}"));
            }
            Some(_) | None => {}
        }
        self.in_trouble = trouble.is_some();
        if trouble.is_none() && self.dark.is_some_and(|before| sent > before) {
            self.brighten(address);
        }
        if let Some(before) = &mut self.dark {
            *before = sent;
        }
    }

    fn darken(&mut self, line: &Line, why: &str) {
        let fault = format!(
            "light goes nowhere: {} `{}` {why}; start it or name another",
            self.key, self.peer
        );
        if self.dark.is_none() {
            tracing::warn!("{fault}");
        }
        self.dark = Some(line.sent.load(Ordering::Relaxed));
        (self.tell)(Some(fault));
    }

    fn brighten(&mut self, address: SocketAddr) {
        self.dark = None;
        tracing::info!(peer = %self.peer, %address, "light finds its way again");
        (self.tell)(None);
    }
}
