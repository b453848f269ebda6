//! `qkd bench`: how fast this machine is.
//!
//! The photon path is measured as it is used: Alice's and Bob's own threads in two processes, with
//! loopback UDP between them. No key is made, and no classical channel is there.

mod args;
mod fault;
mod machine;
mod numpy;
mod pair;
mod report;
mod search;
mod side;

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

pub use self::args::{BenchCommand, LinkBenchArgs};
use self::fault::Fault;
use self::machine::Machine;
use self::numpy::Numpy;
use self::report::{Report, Row};
use crate::exit::Exit;
use crate::output::{one_line, print, tell};

/// Runs a measurement and says how it ended.
pub fn run(command: &BenchCommand) -> Exit {
    let ended = match command {
        BenchCommand::Link(args) => in_runtime(args),
        BenchCommand::Side(args) => side::run(args).map(|()| Exit::Success),
    };
    ended.unwrap_or_else(|fault| {
        tell(&format!("qkd bench: {}", one_line(&fault.to_string())));
        Exit::Fault
    })
}

fn in_runtime(args: &LinkBenchArgs) -> Result<Exit, Fault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::io("start the asynchronous runtime"))?
        .block_on(link(args))
}

/// Measures row after row until all are done or somebody stops it, and prints what there is.
async fn link(args: &LinkBenchArgs) -> Result<Exit, Fault> {
    let listen = |kind| signal(kind).map_err(Fault::io("listen to signals"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut report = Report::new(Machine::of_this(), args);
    let exit = tokio::select! {
        biased;
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
        // What it was waiting for, its processes included, ends when it is dropped.
        measured = measure(args, &mut report) => {
            measured?;
            Exit::Success
        }
    };
    let text = if args.json {
        report.json()
    } else {
        report.table()
    };
    match print(&format!("{text}\n")) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit),
        printed => printed
            .map(|()| exit)
            .map_err(Fault::io("print the report")),
    }
}

async fn measure(args: &LinkBenchArgs, report: &mut Report) -> Result<(), Fault> {
    let rows = args.rows();
    let progress = Progress::new(rows.len() as u64);
    progress.now("a numpy sampler");
    report.numpy = Numpy::measure().await;
    for (preset, distance_km) in rows {
        progress.now(&format!("{} {distance_km} km", preset.name()));
        let seen = search::highest(args, preset, distance_km, |what| progress.now(what)).await?;
        let row = Row::new(args, preset, distance_km, &seen, &report.numpy);
        progress.row(&row);
        report.rows.push(row);
    }
    Ok(())
}

/// How far it is, on standard error: a bar on a terminal, a line for each row elsewhere.
enum Progress {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    fn new(rows: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Progress::Lines;
        }
        let bar = ProgressBar::new(rows);
        // The template is a constant; a test parses it.
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        Progress::Bar(bar)
    }

    fn now(&self, what: &str) {
        match self {
            Progress::Bar(bar) => bar.set_message(what.to_owned()),
            Progress::Lines => {}
        }
    }

    fn row(&self, row: &Row) {
        match self {
            Progress::Bar(bar) => {
                bar.println(row.line());
                bar.inc(1);
            }
            Progress::Lines => tell(&row.line()),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match self {
            Progress::Bar(bar) => bar.finish_and_clear(),
            Progress::Lines => {}
        }
    }
}

const BAR: &str = "{bar:24} {pos} of {len} rows: {msg}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
