//! What one end of a link has said: bytes of each kind of message, and the envelopes they shared.

/// What was said since a connection began.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Envelopes sealed.
    pub envelopes: u64,
    /// By kind of message, in the order in which each was first said.
    pub kinds: Vec<Said>,
}

/// What was said of one kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The kind, as logs name it.
    pub name: &'static str,
    /// Messages.
    pub messages: u64,
    /// Their bytes in payloads: what tags, gRPC and TLS add is not in it.
    pub bytes: u64,
}

impl Traffic {
    /// Counts one message of so many bytes.
    pub(super) fn said(&mut self, name: &'static str, bytes: usize) {
        let kind = self.kinds.iter().position(|kind| kind.name == name);
        let kind = kind.unwrap_or_else(|| {
            let (messages, bytes) = (0, 0);
            self.kinds.push(Said {
                name,
                messages,
                bytes,
            });
            self.kinds.len() - 1
        });
        self.kinds[kind].messages += 1;
        self.kinds[kind].bytes += bytes as u64;
    }
}

/// Copies in place: the board is told after every turn of a link.
impl Clone for Traffic {
    fn clone(&self) -> Self {
        Self {
            envelopes: self.envelopes,
            kinds: self.kinds.clone(),
        }
    }

    fn clone_from(&mut self, other: &Self) {
        self.envelopes = other.envelopes;
        self.kinds.clone_from(&other.kinds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_on_its_own() {
        let mut traffic = Traffic::default();
        for (name, bytes) in [("clock", 3), ("parities", 10), ("clock", 4)] {
            traffic.said(name, bytes);
        }
        let counted = |kind: &Said| (kind.name, kind.messages, kind.bytes);
        let kinds: Vec<_> = traffic.kinds.iter().map(counted).collect();
        assert_eq!(kinds, [("clock", 2, 7), ("parities", 1, 10)]);
    }
}
