//! The audit log of a node: shown to people, followed, and verified.

mod args;
mod show;

use std::io::{self, Write};
use std::path::PathBuf;

use qkd_node::audit::{self, Findings, VerifyError};
use serde_json::json;

pub use args::AuditArgs;
use args::{AuditAction, VerifyArgs};

use crate::exit::Exit;

/// Why `qkd audit` failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A log or a key cannot be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A file or folder cannot be read.
    #[error("{}: cannot read the audit log: {source}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Standard output takes nothing.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Does what was asked for with audit logs, and says how it ended.
pub fn run(args: &AuditArgs) -> Exit {
    let done = match &args.action {
        AuditAction::Show(args) => show::show(args).map(|()| Exit::Success),
        AuditAction::Verify(args) => verify(args),
    };
    match done {
        Ok(exit) => exit,
        // Whoever closed the pipe has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            // If nobody is left to read it, the exit status still says that something failed.
            let _ = writeln!(io::stderr(), "qkd audit: {error}");
            Exit::Fault
        }
    }
}

fn verify(args: &VerifyArgs) -> Result<Exit, Error> {
    let files = files(&args.paths)?;
    let findings = audit::verify(&args.store_key, &files)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json(&files, &findings))?;
    } else {
        text(&mut out, &files, &findings)?;
    }
    Ok(match findings.is_sound() {
        true => Exit::Success,
        false => Exit::Altered,
    })
}

/// The files of folders and files, in the order given; those of a folder in the order of their lines.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let inside = audit::files_in(path);
            files.extend(inside.map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn json(files: &[PathBuf], findings: &Findings) -> serde_json::Value {
    let last = findings.last.as_ref();
    json!({
        "files": files,
        "sound": findings.is_sound(),
        "lines": findings.lines,
        "first": findings.first,
        "last": last.map(|(seq, _)| seq),
        "last_mac": last.map(|(_, mac)| mac),
        "torn_lines": findings.torn,
        "torn_tail_bytes": findings.torn_tail_bytes,
        "fault_count": findings.fault_count,
        "faults": findings.faults,
    })
}

fn text(out: &mut impl Write, files: &[PathBuf], findings: &Findings) -> io::Result<()> {
    for fault in &findings.faults {
        writeln!(out, "{fault}")?;
    }
    let more = findings.fault_count - findings.faults.len() as u64;
    if more > 0 {
        writeln!(out, "and {more} more like these")?;
    }
    let number = files.len();
    match (findings.first, &findings.last) {
        (Some(first), Some((last, mac))) => {
            writeln!(
                out,
                "{} lines in {number} file(s), number {first} to {last}; the last value of the chain is\n{mac}",
                findings.lines
            )?;
        }
        (None, _) | (_, None) => writeln!(out, "no line in {number} file(s)")?,
    }
    if findings.torn > 0 {
        let torn = findings.torn;
        writeln!(
            out,
            "{torn} line(s) that a crash tore, found and marked by the node"
        )?;
    }
    if findings.torn_tail_bytes > 0 {
        writeln!(
            out,
            "the last {} bytes are no whole line: the node is writing, or was stopped by a crash and \
             marks them when it starts",
            findings.torn_tail_bytes
        )?;
    }
    match findings.is_sound() {
        true => writeln!(
            out,
            "sound: every line is as it was written, and none is missing between them"
        ),
        false => writeln!(
            out,
            "NOT SOUND: {} place(s) are not as they were written",
            findings.fault_count
        ),
    }
}
