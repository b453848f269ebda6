//! Lines of an audit log for people.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::args::ShowArgs;
use super::{Error, files};

/// Distance of two looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Members that every line has and that are shown in columns, or not at all.
const COMMON: [&str; 4] = ["seq", "time", "event", "mac"];

pub(super) fn show(args: &ShowArgs) -> Result<(), Error> {
    let paths = files(&args.paths)?;
    let mut out = io::stdout().lock();
    let mut last = None;
    for path in &paths {
        let mut log = Log::open(path)?;
        log.print(args, &mut out)?;
        last = Some(log);
    }
    let Some(mut log) = last.filter(|_| args.follow) else {
        return Ok(());
    };
    loop {
        std::thread::sleep(LOOK_EVERY);
        log.print(args, &mut out)?;
        // A full file is put aside, and its name is the next one's. What was written to the old one in
        // between is read before it is let go.
        if log.was_replaced() {
            log.print(args, &mut out)?;
            log = Log::open(&log.path)?;
        }
    }
}

/// One file, read as far as there are whole lines.
struct Log {
    path: PathBuf,
    reader: BufReader<File>,
    /// The begin of a line that is being written.
    line: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            reader: BufReader::new(file),
            line: Vec::new(),
        })
    }

    fn was_replaced(&self) -> bool {
        let inode =
            |metadata: io::Result<std::fs::Metadata>| metadata.ok().map(|found| found.ino());
        let now = inode(std::fs::metadata(&self.path));
        now.is_some() && now != inode(self.reader.get_ref().metadata())
    }

    /// Prints the whole lines that are there.
    fn print(&mut self, args: &ShowArgs, out: &mut impl Write) -> Result<(), Error> {
        loop {
            let read = self.reader.read_until(b'\n', &mut self.line);
            let read = read.map_err(|source| Error::Read {
                path: self.path.clone(),
                source,
            })?;
            if read == 0 || self.line.last() != Some(&b'\n') {
                return Ok(out.flush()?);
            }
            print_line(&self.line, args, out)?;
            self.line.clear();
        }
    }
}

fn print_line(line: &[u8], args: &ShowArgs, out: &mut impl Write) -> Result<(), Error> {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(line) else {
        // What a crash left; `qkd audit verify` says whether it was one.
        if args.sae.is_none() && args.event.is_none() && !args.json {
            writeln!(out, "(no line: {} bytes)", line.len())?;
        }
        return Ok(());
    };
    if !is_wanted(&members, args) {
        return Ok(());
    }
    if args.json {
        out.write_all(line)?;
        return Ok(());
    }
    let word = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or("?");
    let seq = members.get("seq").and_then(Value::as_u64).unwrap_or(0);
    write!(
        out,
        "{} {seq:>8} {:<22}",
        harmless(word("time")),
        harmless(word("event"))
    )?;
    // Who it was comes first, whatever order a map of members has.
    let who = members.get_key_value("sae");
    let others = members
        .iter()
        .filter(|(name, _)| name.as_str() != "sae" && !COMMON.contains(&name.as_str()));
    for (name, value) in who.into_iter().chain(others) {
        write!(out, " {}={}", harmless(name), shown(value))?;
    }
    writeln!(out)?;
    Ok(())
}

fn is_wanted(members: &Map<String, Value>, args: &ShowArgs) -> bool {
    let word = |name: &str| members.get(name).and_then(Value::as_str);
    let is_about = |sae: &String| {
        let partners = members.get("partners").and_then(Value::as_array);
        let mut partners = partners.into_iter().flatten().filter_map(Value::as_str);
        word("sae") == Some(sae) || partners.any(|partner| partner == sae)
    };
    args.sae.as_ref().is_none_or(is_about)
        && args.event.as_deref().is_none_or(|event| word("event") == Some(event))
        // Moments are written so that their order is that of their letters.
        && args.since.as_deref().is_none_or(|since| word("time") >= Some(since))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(' ') => format!("\"{}\"", harmless(text)),
        Value::String(text) => harmless(text),
        Value::Array(values) => {
            let all: Vec<String> = values.iter().map(shown).collect();
            all.join(",")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            harmless(&value.to_string())
        }
    }
}

/// Without anything that could disturb a terminal: strangers choose some of these words.
fn harmless(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"seq\":7,\"time\":\"2026-11-22T13:50:00.000Z\",\"event\":\"call-refused\",\
                        \"sae\":\"a\",\"partners\":[\"b\"],\"reason\":\"no \\u001b[2J\",\"mac\":\"00\"}\n";

    fn args() -> ShowArgs {
        ShowArgs {
            paths: Vec::new(),
            follow: false,
            sae: None,
            since: None,
            event: None,
            json: false,
        }
    }

    fn printed(args: &ShowArgs) -> String {
        let mut out = Vec::new();
        print_line(LINE.as_bytes(), args, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_shows_what_it_says_and_disturbs_no_terminal() {
        let text = printed(&args());
        assert!(
            text.contains("call-refused") && text.contains("sae=a partners=b"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}') && !text.contains("mac"), "{text}");
        let json = ShowArgs {
            json: true,
            ..args()
        };
        assert_eq!(printed(&json), LINE);
    }

    #[test]
    fn lines_are_chosen_by_application_event_and_time() {
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            (
                ShowArgs {
                    sae: some("a"),
                    ..args()
                },
                true,
            ),
            (
                ShowArgs {
                    sae: some("b"),
                    ..args()
                },
                true,
            ),
            (
                ShowArgs {
                    sae: some("c"),
                    ..args()
                },
                false,
            ),
            (
                ShowArgs {
                    event: some("call-refused"),
                    ..args()
                },
                true,
            ),
            (
                ShowArgs {
                    event: some("keys-delivered"),
                    ..args()
                },
                false,
            ),
            (
                ShowArgs {
                    since: some("2026-11-22"),
                    ..args()
                },
                true,
            ),
            (
                ShowArgs {
                    since: some("2026-11-22T13:51"),
                    ..args()
                },
                false,
            ),
        ];
        for (args, expected) in cases {
            assert_eq!(!printed(&args).is_empty(), expected, "{args:?}");
        }
    }
}
