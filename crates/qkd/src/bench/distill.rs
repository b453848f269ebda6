//! `qkd bench distill`: how fast sifted key becomes secret key, stage by stage.
//!
//! To add a stage: one file here that gives its rows, one variant of [`Stage`], one arm in
//! `measure`.

mod amplify;
mod args;
mod authenticate;
mod cascade;
mod draw;
mod peer;
pub mod pipeline;
mod python;
mod report;
mod row;
mod sample;
mod verify;

use self::args::Stage;
pub use self::args::{DistillBenchArgs, EXAMPLES};
use self::peer::Peer;
use self::python::Cryptomite;
use self::report::Report;
pub use self::report::{aligned, lines_of};
use self::row::Row;
use super::fault::Fault;
use super::machine::Machine;
use super::progress::Progress;
use super::{on_a_thread, show, unless_stopped};
use crate::exit::Exit;
use crate::words::grouped;

/// Measures row after row until all are done or somebody stops it, and prints what there is.
///
/// # Errors
/// When there are no figures.
pub async fn run(args: &DistillBenchArgs) -> Result<Exit, Fault> {
    let mut report = Report::new(Machine::of_this(), args);
    let exit = unless_stopped(measure(args, &mut report)).await?;
    let text = if args.json {
        report.json()
    } else {
        report.table()
    };
    show(&text, exit)
}

async fn measure(args: &DistillBenchArgs, report: &mut Report) -> Result<(), Fault> {
    // As in the benches of qkd-distill: whoever amplifies keys has freed as much before, and glibc
    // gives less back to the system since.
    drop(std::hint::black_box(vec![1u8; 16 << 20]));
    let cases = args.cases();
    let peer_sizes = match args.peer {
        true => args.peer_block_bits(),
        false => Vec::new(),
    };
    let pipelines = args.pipelines();
    let measurements = cases.len() + pipelines.len() + peer_sizes.len();
    let progress = Progress::new(measurements as u64);
    let mut cryptomite = None;
    if args.peer {
        progress.now("cryptomite");
        let started = Cryptomite::start().await;
        let peer = Peer::new(&started);
        progress.say(peer.complaint());
        report.peer = Some(peer);
        cryptomite = started.ok();
    }
    for case in cases {
        progress.now(&case.line());
        let rows = match case.stage {
            Stage::Cascade => on_a_thread(move || cascade::measure(&case)).await?,
            Stage::Verify => on_a_thread(move || verify::measure(&case)).await?,
            Stage::Amplify => on_a_thread(move || amplify::measure(&case)).await?,
            Stage::Authenticate => on_a_thread(move || authenticate::measure(&case)).await?,
            // Not a stage alone: its settings follow.
            Stage::Pipeline => continue,
        };
        progress.done(rows.iter().map(Row::line));
        report.rows.extend(rows);
    }
    for setting in pipelines {
        progress.now(&setting.line());
        let rows = pipeline::measure(&setting).await?;
        progress.done(rows.iter().map(Row::line));
        report.rows.extend(rows);
    }
    let (Some(peer), Some(mut cryptomite)) = (&mut report.peer, cryptomite) else {
        return Ok(());
    };
    for bits in peer_sizes {
        progress.now(&format!("cryptomite {} bits", grouped(bits as u64)));
        let line = peer.add(&mut cryptomite, args, bits).await?;
        let Some(line) = line else { break };
        progress.done([line]);
    }
    Ok(())
}
