//! `qkd plan`: what a link would give.
//!
//! A table of secret key rate against distance or loss, for people, as JSON, as CSV and as a picture.
//! The mathematics is `qkd_security::planning`'s; nothing is sent, measured or drawn at random.

mod accept;
mod args;
mod evaluate;
mod fault;
mod file;
pub mod list;
mod picture;
mod plot;
mod progress;
mod rows;
mod table;

use std::path::Path;

pub use self::args::PlanArgs;
use self::args::{PlanCommand, TableArgs};
use self::fault::Fault;
use self::progress::Progress;
use self::rows::Series;
use crate::exit::Exit;
use crate::output::{one_line, print, tell};

/// Plans and says how it ended.
pub fn run(args: &PlanArgs) -> Exit {
    let (command, ended) = match &args.command {
        Some(PlanCommand::Accept(args)) => ("qkd plan accept", accept::run(args)),
        Some(PlanCommand::Evaluate(args)) => ("qkd plan evaluate", evaluate::run(args)),
        None => ("qkd plan", plan(&args.table)),
    };
    let Err(fault) = ended else {
        return Exit::Success;
    };
    let exit = fault.exit();
    if exit != Exit::Success {
        tell(&format!("{command}: {}", one_line(&fault.to_string())));
    }
    exit
}

/// The table, in every form that was asked for. Files come first: a table on the screen says that
/// all of them are there.
fn plan(args: &TableArgs) -> Result<(), Fault> {
    let csv_printed = args.csv.as_deref() == Some(Path::new("-"));
    if csv_printed && args.json {
        let words = "--json and --csv - both want standard output: give --csv a file";
        return Err(Fault::Usage(words.to_owned()));
    }
    let csv = args.csv.as_deref().filter(|_| !csv_printed);
    let pictures = [
        ("--svg", args.svg.as_deref()),
        ("--png", args.png.as_deref()),
    ];
    file::keep(&args.config, [("--csv", csv)].into_iter().chain(pictures))?;
    let all = rows::all(args, &mut Progress::new())?;
    if let Some(path) = csv {
        file::replace(path, table::csv(&all).as_bytes())?;
    }
    write_pictures(args, &all)?;
    let text = match (args.json, csv_printed) {
        (true, _) => table::json(&all),
        (false, true) => table::csv(&all),
        (false, false) => table::text(&all, args.optimise),
    };
    print(&text).map_err(Fault::Print)
}

/// The files of `--svg` and `--png`.
fn write_pictures(args: &TableArgs, all: &[Series]) -> Result<(), Fault> {
    if !args.draws() {
        return Ok(());
    }
    let chart = picture::chart(all, args);
    if let Some(path) = &args.svg {
        file::replace(path, chart.svg().as_bytes())?;
    }
    if let Some(path) = &args.png {
        file::replace(path, &chart.png()?)?;
    }
    Ok(())
}
