//! Real daemons are killed at every named step of the key store, before and after it is durable, each
//! of them and both: everything that was answered is fetched afterwards, and the checker of the
//! invariants finds nothing.
//!
//! The tests here are a small part of it; the whole campaign is a program of its own, `campaign.rs`.

mod applications;
mod mail;
mod plan;
mod rig;
pub mod run;

use std::time::{Duration, Instant};

use qkd_bits::PhysicsRng;
use qkd_node::fail_point::Moment;

use crate::support::PATIENCE;

pub use plan::Point;
pub use rig::HEALED_WITHIN;
use run::Campaign;

/// What every test run has time for.
const SHORT: Duration = Duration::from_secs(12);

/// What a run has time for that is done before a change lands.
const LONG: Duration = Duration::from_secs(240);

/// Points in an order of their own for each seed, so that a part of them is a sample of all.
pub fn shuffled(mut points: Vec<Point>, seed: u64) -> Vec<Point> {
    let mut rng = PhysicsRng::from_seed(seed ^ 0x5eed);
    for last in (1..points.len()).rev() {
        points.swap(last, rng.below(last as u64 + 1) as usize);
    }
    points
}

/// As many points as there is time for.
async fn strike_for(limit: Duration, seed: u64) {
    let began = Instant::now();
    let mut campaign = Campaign::start(seed, HEALED_WITHIN).await;
    let mut struck = 0;
    for point in shuffled(Point::all(&Moment::ALL), seed) {
        struck += campaign.strike(point).await.struck;
        // On a busy machine the first steps may come by too late.
        let is_over = began.elapsed() > limit && struck > 0;
        if is_over || began.elapsed() > limit + PATIENCE {
            break;
        }
    }
    let summary = campaign.finish().await;
    println!("{}", summary.table());
    assert!(summary.broken.is_empty(), "seed {seed}");
    assert!(struck > 0, "no step came by");
    assert!(summary.total().fetched > 0, "nothing was fetched");
    assert!(summary.messages > 0, "no message came");
}

#[tokio::test(flavor = "multi_thread")]
async fn some_kills_at_named_steps_break_no_invariant() {
    strike_for(SHORT, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs four minutes"]
async fn four_minutes_of_kills_at_named_steps_break_no_invariant() {
    strike_for(LONG, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a minute"]
async fn a_minute_of_kills_at_random_breaks_no_invariant() {
    let began = Instant::now();
    let mut campaign = Campaign::start(3, HEALED_WITHIN).await;
    while began.elapsed() < Duration::from_secs(60) {
        campaign.random_round().await;
    }
    let summary = campaign.finish().await;
    println!("{}", summary.table());
    assert!(summary.broken.is_empty());
    let total = summary.total();
    assert!(total.fetched > 0 && total.kills >= 20, "{total:?}");
}
