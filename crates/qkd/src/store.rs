//! The key store of a node that does not run, in the hands of its operator.

mod args;
mod show;

use std::io;

use qkd_keystore::Abandon;
use qkd_node::storage::{StoppedStore, StoppedStoreError};
use serde_json::json;

pub use args::StoreCommand;
use args::{AbandonArgs, TargetArgs, UnsealArgs, VerifyArgs};

use crate::exit::Exit;
use crate::output::{one_line, print, tell};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The store does not allow it.
    #[error(transparent)]
    Store(#[from] StoppedStoreError),
    /// A quarantine is not lifted by itself.
    #[error(
        "the store is quarantined: {reason}; which of its keys are safe nobody can tell from here: stop both nodes and discard the keys of both, 'qkd store unseal --discard-keys' on one and the same with the --history that it prints on the other"
    )]
    Quarantined {
        /// What was found.
        reason: String,
    },
    /// The store is damaged.
    #[error(
        "the store is damaged in {findings} places, 'qkd store verify' lists them; put a whole copy back, or move it away: its keys are lost then"
    )]
    Damaged {
        /// How many records.
        findings: usize,
    },
    /// Standard output takes nothing.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Does what was asked for with a key store, and says how it ended.
pub fn run(command: &StoreCommand) -> Exit {
    let done = match command {
        StoreCommand::Verify(args) => verify(args),
        StoreCommand::Unseal(args) => unseal(args),
        StoreCommand::Abandon(args) => abandon(args),
    };
    match done {
        Ok(exit) => exit,
        // Whoever closed the pipe has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            tell(&format!("qkd store: {}", one_line(&error.to_string())));
            Exit::Fault
        }
    }
}

fn verify(args: &VerifyArgs) -> Result<Exit, Error> {
    let store = open(&args.target)?;
    let found = store.inspect()?;
    if args.target.json {
        print(&format!("{}\n", show::json(store.path(), &found)))?;
    } else {
        print(&show::table(store.path(), &found))?;
    }
    Ok(match (found.is_whole(), found.is_sound()) {
        (false, _) => Exit::Fault,
        (true, false) => Exit::Quarantined,
        (true, true) => Exit::Success,
    })
}

fn unseal(args: &UnsealArgs) -> Result<Exit, Error> {
    let store = open(&args.target)?;
    if args.discard_keys {
        return begin_history(&store, args);
    }
    let found = store.inspect()?;
    if !found.is_whole() {
        return Err(Error::Damaged {
            findings: found.findings.len(),
        });
    }
    if let Some(reason) = found.quarantine {
        return Err(Error::Quarantined { reason });
    }
    if args.target.json {
        print(&format!(
            "{}\n",
            json!({ "store": store.path(), "outcome": "sound", "history": null })
        ))?;
    } else {
        print(&format!(
            "{}: nothing seals this store: all of it is intact and it is in no quarantine. A node that \
             sealed it because a write failed opens it when it starts again.\n",
            store.path().display()
        ))?;
    }
    Ok(Exit::Success)
}

fn begin_history(store: &StoppedStore, args: &UnsealArgs) -> Result<Exit, Error> {
    let (history, before) = store.begin_history(args.history)?;
    if args.target.json {
        let line = json!({
            "store": store.path(),
            "outcome": "begun",
            "history": history.to_string(),
            "discarded": show::json(store.path(), &before),
        });
        print(&format!("{line}\n"))?;
        return Ok(Exit::Success);
    }
    let peer = before.side.peer();
    let next = match args.history {
        None => format!(
            "Now at {peer}, whose node has to be stopped too:\n  \
             qkd store unseal --config {peer}.toml --discard-keys --history {history}\n"
        ),
        Some(_) => format!("When {peer} is in the same history both nodes can start.\n"),
    };
    print(&format!(
        "{}: history {history} begins with no keys; gone are {} bits of material and {} keys that \
         waited.\n{next}",
        store.path().display(),
        before.material_bits,
        before.waiting_keys,
    ))?;
    Ok(Exit::Success)
}

fn abandon(args: &AbandonArgs) -> Result<Exit, Error> {
    let store = open(&args.target)?;
    let which = args.block.map_or(Abandon::AllInDoubt, Abandon::Block);
    let blocks = show::names(&store.abandon(which)?);
    if args.target.json {
        let line = json!({ "store": store.path(), "abandoned": blocks });
        print(&format!("{line}\n"))?;
    } else if blocks.is_empty() {
        print(&format!(
            "{}: nothing is in doubt\n",
            store.path().display()
        ))?;
    } else {
        print(&format!(
            "{}: abandoned {}; Alice is told when she comes back\n",
            store.path().display(),
            blocks.join(", ")
        ))?;
    }
    Ok(Exit::Success)
}

fn open(target: &TargetArgs) -> Result<StoppedStore, Error> {
    let store = match (&target.store, &target.store_key) {
        (Some(store), Some(key)) => StoppedStore::new(store, key)?,
        // Without a store there is a configuration: clap sees to it.
        (Some(_) | None, _) => StoppedStore::of_node(&target.config.clone().unwrap_or_default())?,
    };
    Ok(store)
}
