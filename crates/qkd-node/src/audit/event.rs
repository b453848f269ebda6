//! What is written down, and how a line of it looks before it is chained.

use std::fmt::Write as _;

use crate::tls::utc;

/// Characters of somebody else's words in a line.
const WORDS_MAX: usize = 300;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file begins; it says where the one before ended.
    LogBegan,
    /// Bytes at the end of the file were no line when the log was opened: what a crash in the middle
    /// of writing leaves.
    TornLine,
    /// The log begins behind where the key store last saw it.
    LinesMissing,
    /// The log could not be written for a while, and can be again.
    WritingResumed,
    /// Lines of one kind were too many and not written one by one.
    LinesSuppressed,
    /// The node started.
    NodeStarted,
    /// The node stopped.
    NodeStopped,
    /// Keys left for an application.
    KeysDelivered,
    /// A call for keys was refused.
    CallRefused,
    /// A connection was refused: its certificate was not taken.
    ConnectionRefused,
    /// An open connection was ended: its certificate was revoked.
    ConnectionEnded,
    /// Keys that nobody fetched in time were dropped.
    KeysExpired,
    /// The key store was sealed after a write failed.
    StoreSealed,
    /// The key store contradicts the other side's.
    StoreQuarantined,
    /// A block was thrown away because the two copies of it differed.
    CopiesDiffer,
    /// A random generator failed its health tests, and ended the link.
    GeneratorFailed,
    /// Messages of the classical channel, or handshakes on it, were refused.
    LinkRejected,
    /// What may call and how much it may take was read again.
    ConfigurationChanged,
}

impl Kind {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Kind::LogBegan => "log-began",
            Kind::TornLine => "torn-line",
            Kind::LinesMissing => "lines-missing",
            Kind::WritingResumed => "writing-resumed",
            Kind::LinesSuppressed => "lines-suppressed",
            Kind::NodeStarted => "node-started",
            Kind::NodeStopped => "node-stopped",
            Kind::KeysDelivered => "keys-delivered",
            Kind::CallRefused => "call-refused",
            Kind::ConnectionRefused => "connection-refused",
            Kind::ConnectionEnded => "connection-ended",
            Kind::KeysExpired => "keys-expired",
            Kind::StoreSealed => "store-sealed",
            Kind::StoreQuarantined => "store-quarantined",
            Kind::CopiesDiffer => "copies-differ",
            Kind::GeneratorFailed => "generator-failed",
            Kind::LinkRejected => "link-rejected",
            Kind::ConfigurationChanged => "configuration-changed",
        }
    }
}

/// One event with what there is to say about it. Never holds a byte of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(super) kind: Kind,
    /// Members of the JSON object, each with a comma in front.
    members: String,
}

impl Event {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            members: String::new(),
        }
    }

    /// With a text, which may be a stranger's: it is cut, and escaped as JSON has it.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        self.string(text);
        self
    }

    /// With a text where there is one.
    pub(crate) fn maybe(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// With a whole number.
    pub(crate) fn number(mut self, name: &str, number: u64) -> Self {
        self.name(name);
        // Writing to a String cannot fail.
        let _ = write!(self.members, "{number}");
        self
    }

    /// With texts in a row.
    pub(crate) fn list(mut self, name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        self.name(name);
        self.members.push('[');
        for (at, text) in texts.into_iter().enumerate() {
            if at > 0 {
                self.members.push(',');
            }
            self.string(&text);
        }
        self.members.push(']');
        self
    }

    fn name(&mut self, name: &str) {
        self.members.push_str(",\"");
        self.members.push_str(name);
        self.members.push_str("\":");
    }

    fn string(&mut self, text: &str) {
        let cut: String;
        let text = match text.char_indices().nth(WORDS_MAX) {
            Some((end, _)) => {
                cut = format!("{}…", &text[..end]);
                &cut
            }
            None => text,
        };
        // A string is always JSON.
        let json = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
        self.members.push_str(&json);
    }

    /// The line as number `seq` at `unix_ms`, but for its chain value and its end.
    pub(super) fn body(&self, seq: u64, unix_ms: u64) -> String {
        format!(
            "{{\"seq\":{seq},\"time\":\"{}\",\"event\":\"{}\"{}",
            moment(unix_ms),
            self.kind.name(),
            self.members
        )
    }
}

/// Milliseconds since 1970 as RFC 3339 writes them, in UTC.
pub(super) fn moment(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let text = utc(seconds);
    let text = text.trim_end_matches(" UTC").replace(' ', "T");
    format!("{text}.{:03}Z", unix_ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_strangers_write() {
        let event = Event::new(Kind::CallRefused)
            .text("reason", "a \"name\"\n\u{1b}[2J and, \"mac\":\"00\"")
            .number("number", 7)
            .list("sae", ["ü".repeat(1000), "b".to_owned()]);
        let body = event.body(3, 1_767_225_599_042);
        assert!(!body.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&format!("{body}}}")).unwrap();
        assert_eq!(value["seq"], 3);
        assert_eq!(value["time"], "2025-12-31T23:59:59.042Z");
        assert_eq!(value["event"], "call-refused");
        assert_eq!(value["number"], 7);
        assert!(value["sae"][0].as_str().unwrap().chars().count() <= WORDS_MAX + 1);
    }
}
