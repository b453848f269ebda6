//! The whole crash campaign, as long as somebody wants it to be:
//! `cargo test -p qkd --test crash_campaign -- --seeds 20`.
//!
//! Every point (step × moment × victim) once with every seed, or kills at random for some minutes.
//! Ctrl-C ends it after the point under way; either way the table is printed, and the exit status is 1
//! when an invariant was violated.

// The helpers of a test may fail it; clippy excuses test functions only.
#![allow(clippy::unwrap_used)]
// The helpers are those of all system tests, of which this program needs a part.
#![allow(dead_code, unused_imports)]

mod crash_campaign;
mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use qkd_node::fail_point::Moment;

use crash_campaign::run::{Campaign, Summary};
use crash_campaign::{HEALED_WITHIN, Point, shuffled};

/// Kills real daemons at every named step of the key store, or at random, and checks that no
/// invariant is violated.
#[derive(Parser)]
#[command(name = "crash_campaign")]
struct Arguments {
    /// How often every point is struck, each time with another seed.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Only points whose name contains this, such as `decide`.
    #[arg(long, default_value = "")]
    only: String,
    /// Also between "durable" and "said": all three moments in place of before and after.
    #[arg(long)]
    said: bool,
    /// Kill at random every 0.1 to 3 seconds, in place of at named steps.
    #[arg(long)]
    random: bool,
    /// Seconds that healing may take: until everything is fetched, and until another block is committed.
    /// Ten are enough on a machine that does nothing else.
    #[arg(long, default_value_t = HEALED_WITHIN.as_secs())]
    heal_within: u64,
    /// Ends after so many minutes, if not before.
    #[arg(long)]
    minutes: Option<f64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let summary = runtime.block_on(run(&arguments));
    println!("{}", summary.table());
    if summary.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(arguments: &Arguments) -> Summary {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("ending after this point");
            told.store(true, Ordering::Relaxed);
        }
    });
    let began = Instant::now();
    let limit = arguments
        .minutes
        .map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let goes_on =
        || !is_over.load(Ordering::Relaxed) && limit.is_none_or(|limit| began.elapsed() < limit);
    let moments = match arguments.said {
        true => &Moment::ALL[..],
        false => &[Moment::Before, Moment::After],
    };
    let mut points = Point::all(moments);
    points.retain(|point| point.to_string().contains(&arguments.only));
    let mut summary = Summary::default();
    for seed in (arguments.first_seed..).take(arguments.seeds as usize) {
        if !goes_on() {
            break;
        }
        let within = Duration::from_secs(arguments.heal_within);
        let mut campaign = Campaign::start(seed, within).await;
        if arguments.random {
            while goes_on() {
                let round = campaign.random_round().await;
                eprintln!("seed {seed} random: {round:?}");
            }
        } else {
            for point in shuffled(points.clone(), seed) {
                let came = campaign.strike(point).await;
                eprintln!("seed {seed} {point} {came:?}");
                if !goes_on() {
                    break;
                }
            }
        }
        summary += campaign.finish().await;
    }
    summary
}
