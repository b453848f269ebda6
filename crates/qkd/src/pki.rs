//! Certificates on disk: making, renewing and listing them.

mod args;
mod plan;
mod show;

use std::io::{self, Write};
use std::time::Duration;

use qkd_node::pki::{KeptPki, Made, PkiError};
use qkd_node::tls::now_seconds;
use serde_json::json;

pub use args::PkiArgs;
use args::{InitArgs, IssueArgs, PkiAction, RenewArgs, RevokeArgs, ShowArgs};

use crate::exit::Exit;

/// How long a kept authority is good for. What it signs is short-lived; its own change takes a
/// change-over at every node.
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

/// Seconds of a day.
const DAY: i64 = 24 * 3600;

/// The name that stands for the authority on the command line.
const AUTHORITY: &str = "authority";

/// Why `qkd pki` failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The options contradict each other.
    #[error("{0}")]
    Usage(String),
    /// A file, a name or a certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Standard output takes nothing.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Does what was asked for with certificates, and says how it ended.
pub fn run(args: &PkiArgs) -> Exit {
    let done = match &args.action {
        PkiAction::Init(args) => init(args),
        PkiAction::Issue(args) => issue(args),
        PkiAction::Renew(args) => renew(args),
        PkiAction::Revoke(args) => revoke(args),
        PkiAction::Show(args) => show(args),
    };
    match done {
        Ok(()) => Exit::Success,
        // Whoever closed the pipe has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            // If nobody is left to read it, the exit status still says that something failed.
            let _ = writeln!(io::stderr(), "qkd pki: {error}");
            match error {
                Error::Usage(_) => Exit::Usage,
                Error::Pki(_) | Error::Print(_) => Exit::Fault,
            }
        }
    }
}

fn init(args: &InitArgs) -> Result<(), Error> {
    let set = plan::set(args)?;
    let kept = KeptPki::in_folder(&args.directory, args.authority.authority_key.as_deref());
    let made = if args.if_absent {
        kept.create_if_absent(&set)?
    } else {
        kept.create(&set)?;
        Made::New
    };
    let folder = args.directory.display();
    let (outcome, text, renewed) = match made {
        Made::New => (
            "created",
            format!(
                "Made an authority and {} certificates in {folder}. Whoever has {} can make more.",
                set.parties.len(),
                kept.authority_key().display()
            ),
            Vec::new(),
        ),
        Made::Present { renewed } if renewed.is_empty() => (
            "present",
            format!("{folder} holds a whole and good set already; nothing was changed."),
            renewed,
        ),
        Made::Present { renewed } => (
            "present",
            format!(
                "{folder} holds a whole set already; renewed: {}.",
                renewed.join(", ")
            ),
            renewed,
        ),
    };
    if args.json {
        let certificates = show::json(&kept.files().inventory()?);
        return print(&json!({
            "directory": args.directory,
            "outcome": outcome,
            "renewed": renewed,
            "certificates": certificates,
        }));
    }
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn issue(args: &IssueArgs) -> Result<(), Error> {
    let kept = KeptPki::in_folder(&args.directory, args.authority.authority_key.as_deref());
    kept.issue(&args.party(), args.validity.or_default())?;
    report(&kept, std::slice::from_ref(&args.name), args.json)
}

fn renew(args: &RenewArgs) -> Result<(), Error> {
    let kept = KeptPki::in_folder(&args.directory, args.authority.authority_key.as_deref());
    let within = args.within.map(|days| i64::from(days) * DAY);
    let is_due = |left: i64| within.is_none_or(|within| left <= within);
    // What an earlier run could not finish is on the list as it is then.
    kept.finish_renewals()?;
    let entries = kept.files().inventory()?;
    let mut names: Vec<String> = if args.names.is_empty() {
        kept.names()?
    } else {
        args.names.clone()
    };
    // A new authority signs the others.
    names.sort_by_key(|name| name != AUTHORITY);
    let now = now_seconds();
    let mut renewed = Vec::new();
    for name in names {
        // Of the authority's certificates the first one signs.
        let entry = entries.iter().find(|entry| entry.name == name);
        if entry.is_some_and(|entry| !is_due(entry.facts.validity.left(now))) {
            continue;
        }
        if name == AUTHORITY {
            let validity = args.validity.given().unwrap_or(AUTHORITY_VALIDITY);
            kept.renew_authority(validity)?;
        } else {
            kept.renew(&name, args.validity.given())?;
        }
        renewed.push(name);
    }
    report(&kept, &renewed, args.json)
}

fn revoke(args: &RevokeArgs) -> Result<(), Error> {
    let kept = KeptPki::in_folder(&args.directory, args.authority.authority_key.as_deref());
    let serials = kept.revoke(&args.names, &args.serials)?;
    let list = kept.files().revoked();
    if args.json {
        return print(&json!({
            "directory": args.directory,
            "list": list,
            "serials": serials,
        }));
    }
    Ok(writeln!(
        io::stdout(),
        "{} certificates are revoked by {}. Nodes whose tls.revoked names it take them no longer, at \
         once.",
        serials.len(),
        list.display()
    )?)
}

fn show(args: &ShowArgs) -> Result<(), Error> {
    let entries = KeptPki::in_folder(&args.directory, None)
        .files()
        .inventory()?;
    if args.json {
        return print(&json!({
            "directory": args.directory,
            "certificates": show::json(&entries),
        }));
    }
    Ok(io::stdout().write_all(show::table(&entries).as_bytes())?)
}

/// Shows the certificates of `names`, which are new.
fn report(kept: &KeptPki, names: &[String], as_json: bool) -> Result<(), Error> {
    let mut entries = kept.files().inventory()?;
    entries.retain(|entry| names.contains(&entry.name));
    if as_json {
        return print(&json!({
            "directory": kept.files().directory(),
            "certificates": show::json(&entries),
        }));
    }
    if entries.is_empty() {
        return Ok(writeln!(
            io::stdout(),
            "Nothing is due; nothing was changed."
        )?);
    }
    Ok(io::stdout().write_all(show::table(&entries).as_bytes())?)
}

fn print(value: &serde_json::Value) -> Result<(), Error> {
    Ok(writeln!(io::stdout(), "{value}")?)
}

#[cfg(test)]
mod tests;
