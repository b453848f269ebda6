//! `qkd bench`: how fast this machine is.
//!
//! The photon path is measured as it is used: Alice's and Bob's own threads in two processes, with
//! loopback UDP between them. No key is made, and no classical channel is there. Distillation is
//! measured stage by stage, and as a whole between two processes, without light; delivery of keys between
//! two nodes whose stores are full, without light as well; Eve alone, without a network.

mod args;
mod child;
mod delivery;
mod distill;
mod eve;
mod fault;
mod machine;
mod numpy;
mod pair;
mod progress;
mod report;
mod search;
mod side;

use std::future::Future;
use std::io;

use qkd_node::shutdown::SignalListener;
use tokio::signal::unix::SignalKind;

pub use self::args::{BenchCommand, LinkBenchArgs};
use self::fault::Fault;
use self::machine::Machine;
use self::numpy::Numpy;
use self::progress::Progress;
use self::report::{Report, Row};
use crate::exit::Exit;
use crate::output::{one_line, print, tell};

/// Runs a measurement and says how it ended.
pub fn run(command: &BenchCommand) -> Exit {
    let ended = match command {
        BenchCommand::Link(args) => in_runtime(link(args)),
        BenchCommand::Distill(args) => in_runtime(distill::run(args)),
        BenchCommand::Eve(args) => in_runtime(eve::run(args)),
        BenchCommand::Delivery(args) => in_runtime(delivery::run(args)),
        BenchCommand::DeliverySide(args) => delivery::side::run(args).map(|()| Exit::Success),
        BenchCommand::Side(args) => side::run(args).map(|()| Exit::Success),
        BenchCommand::DistillSide(args) => {
            distill::pipeline::side::run(args).map(|()| Exit::Success)
        }
    };
    ended.unwrap_or_else(|fault| {
        tell(&format!("qkd bench: {}", one_line(&fault.to_string())));
        Exit::Fault
    })
}

fn in_runtime(bench: impl Future<Output = Result<Exit, Fault>>) -> Result<Exit, Fault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::io("start the asynchronous runtime"))?
        .block_on(bench)
}

/// Measures row after row until all are done or somebody stops it, and prints what there is.
async fn link(args: &LinkBenchArgs) -> Result<Exit, Fault> {
    let mut report = Report::new(Machine::of_this(), args);
    let exit = unless_stopped(measure(args, &mut report)).await?;
    let text = if args.json {
        report.json()
    } else {
        report.table()
    };
    show(&text, exit)
}

/// Measures until all is measured or somebody stops it. What it was waiting for then, its processes
/// included, ends when it is dropped.
async fn unless_stopped(measuring: impl Future<Output = Result<(), Fault>>) -> Result<Exit, Fault> {
    let listen = |kind| SignalListener::new(kind).map_err(Fault::io("listen to signals"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(tokio::select! {
        biased;
        () = interrupt.recv() => Exit::Interrupted,
        () = terminate.recv() => Exit::Terminated,
        measured = measuring => {
            measured?;
            Exit::Success
        }
    })
}

/// Prints a report. Whoever reads it may have enough before its end.
fn show(text: &str, exit: Exit) -> Result<Exit, Fault> {
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
        progress.done([row.line()]);
        report.rows.push(row);
    }
    Ok(())
}

/// Runs a measurement on a thread of its own, which is left behind when somebody stops it.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("measurement".to_owned())
        .spawn(move || {
            // Nobody listens any more when it was stopped.
            let _gone = tell.send(work());
        })
        .map_err(Fault::io("start a thread"))?;
    told.await.map_err(|_| Fault::Died)?
}
