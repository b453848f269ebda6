//! Whether a log is as it was written: every line, in order, with nothing missing between them.

use sha2::{Digest as _, Sha256};

use super::chain::{ChainKey, Head, Line, hex, unhex};
use super::event::Kind;

/// Faults that are told one by one.
const FAULTS_MAX: usize = 20;

/// What was found in one file or in several that follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Lines that are as they were written.
    pub lines: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// Number and chain value of the last: what to compare with a value that was kept elsewhere.
    pub last: Option<(u64, String)>,
    /// What crashes left in the middle of writing, found and marked when the node started again.
    pub torn: u64,
    /// Bytes at the end of the last file that are no whole line: marked when the node starts again.
    pub torn_tail_bytes: u64,
    /// What was changed, one sentence each, the first few.
    pub faults: Vec<String>,
    /// How many there are in all.
    pub fault_count: u64,
}

impl Findings {
    /// Whether nothing was changed.
    pub fn is_sound(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, place: &str, what: &str) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(format!("{place}: {what}"));
        }
    }
}

/// Goes through a log line by line.
pub(crate) struct Walk<'k> {
    key: &'k ChainKey,
    file: String,
    line_number: u64,
    /// The last line that follows; nothing before the first.
    head: Option<Head>,
    pending: Pending,
    findings: Findings,
}

/// Bytes that are no line of the chain, until it is known what they are.
#[derive(Default)]
struct Pending {
    first_line: u64,
    bytes: u64,
    digest: Sha256,
    /// What the last of them says to be its chain value.
    claimed: Option<Head>,
    lines: u64,
}

impl<'k> Walk<'k> {
    /// Begins behind `head`, or with whatever the first file says.
    pub(crate) fn new(key: &'k ChainKey, head: Option<Head>) -> Self {
        Self {
            key,
            file: String::new(),
            line_number: 0,
            head,
            pending: Pending::default(),
            findings: Findings::default(),
        }
    }

    /// What comes now is in this file.
    pub(crate) fn file(&mut self, name: &str) {
        self.settle_pending(true);
        name.clone_into(&mut self.file);
        self.line_number = 0;
    }

    /// The next line with its end; the last one of a file may have none.
    pub(crate) fn line(&mut self, bytes: &[u8]) {
        self.line_number += 1;
        let line = Line::read(bytes);
        let begins = line.as_ref().filter(|_| self.line_number == 1);
        let begins = begins.and_then(|line| self.begins(line));
        if let (Some(line), Some(before)) = (&line, begins) {
            self.first_line(line, before);
            return;
        }
        if let Some(line) = &line {
            if self.head.is_some_and(|head| self.follows(head, line)) {
                self.good(line, true);
                return;
            }
            let claimed = self.pending.claimed;
            if claimed.is_some_and(|head| self.follows(head, line)) {
                self.settle_pending(false);
                self.good(line, false);
                return;
            }
        }
        self.put_off(bytes, line.as_ref());
    }

    /// The end: what was found.
    pub(crate) fn end(mut self) -> Findings {
        self.settle_pending(true);
        if let Some(head) = self.head.filter(|_| self.findings.lines > 0) {
            self.findings.last = Some((head.seq, hex(&head.link)));
        }
        self.findings
    }

    /// Bytes that are no line of the chain yet, at the end of what was read, and their digest.
    pub(crate) fn rest(&self) -> (u64, String) {
        let digest = self.pending.digest.clone().finalize();
        (self.pending.bytes, hex(&digest))
    }

    /// The last line that follows.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }

    fn follows(&self, head: Head, line: &Line<'_>) -> bool {
        self.key.follows(&head.link, line)
            && seq(line).is_some_and(|seq| Some(seq) == head.seq.checked_add(1))
    }

    /// Where the file before ended, when `line` says so truly.
    fn begins(&self, line: &Line<'_>) -> Option<Head> {
        let members = line.members()?;
        if members.get("event")?.as_str()? != Kind::LogBegan.name() {
            return None;
        }
        let before = Head {
            seq: members.get("seq")?.as_u64()?.checked_sub(1)?,
            link: unhex(members.get("previous")?.as_str()?)?,
        };
        self.key.follows(&before.link, line).then_some(before)
    }

    fn first_line(&mut self, line: &Line<'_>, before: Head) {
        if let Some(head) = self.head.filter(|head| *head != before) {
            let what = format!(
                "begins behind line {}, expected behind line {}: a file between them is missing, or \
                 the end of the file before was cut off or changed",
                before.seq, head.seq
            );
            let file = self.file.clone();
            self.findings.fault(&file, &what);
        }
        self.good(line, false);
    }

    /// `line` follows; `is_marker_due` when what is pending stands between it and its predecessor.
    fn good(&mut self, line: &Line<'_>, is_marker_due: bool) {
        if is_marker_due && self.pending.bytes > 0 {
            if self.marks_pending(line) {
                self.findings.torn += 1;
                self.pending = Pending::default();
            } else {
                self.settle_pending(false);
            }
        }
        let seq = seq(line).unwrap_or_default();
        self.head = Some(Head {
            seq,
            link: line.link,
        });
        self.findings.lines += 1;
        self.findings.first.get_or_insert(seq);
    }

    /// Whether `line` says of exactly these bytes that a crash left them.
    fn marks_pending(&self, line: &Line<'_>) -> bool {
        let Some(members) = line.members() else {
            return false;
        };
        let text = |name: &str| members.get(name).and_then(|value| value.as_str());
        let (bytes, digest) = self.rest();
        text("event") == Some(Kind::TornLine.name())
            && members.get("bytes").and_then(|value| value.as_u64()) == Some(bytes)
            && text("sha256") == Some(&digest)
    }

    fn put_off(&mut self, bytes: &[u8], line: Option<&Line<'_>>) {
        if self.pending.lines == 0 {
            self.pending.first_line = self.line_number;
        }
        self.pending.lines += 1;
        self.pending.bytes += bytes.len() as u64;
        self.pending.digest.update(bytes);
        self.pending.claimed = line.and_then(|line| {
            Some(Head {
                seq: seq(line)?,
                link: line.link,
            })
        });
    }

    /// What is pending was left by no crash, unless it is the unfinished end of a file.
    fn settle_pending(&mut self, at_end: bool) {
        let pending = std::mem::take(&mut self.pending);
        if pending.lines == 0 {
            return;
        }
        if at_end && pending.lines == 1 && pending.claimed.is_none() && self.head.is_some() {
            self.findings.torn_tail_bytes += pending.bytes;
            return;
        }
        let lines = match pending.lines {
            1 => format!("line {}", pending.first_line),
            more => format!(
                "lines {} to {}",
                pending.first_line,
                pending.first_line + more - 1
            ),
        };
        let place = format!("{}: {lines}", self.file);
        let what = match self.head {
            Some(head) => format!(
                "what follows line number {} was changed, left out, added or moved here",
                head.seq
            ),
            None => "no beginning of a log under this key".to_owned(),
        };
        self.findings.fault(&place, &what);
    }
}

fn seq(line: &Line<'_>) -> Option<u64> {
    line.members()?.get("seq")?.as_u64()
}
