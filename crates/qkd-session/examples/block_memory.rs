//! Memory of one block in each state, both sides together: blocks are taken to a state and left
//! there, and what this adds to the resident memory of the process is divided by their number. Linux
//! only.
//!
//! `cargo run --release -p qkd-session --example block_memory -- 1000000`

#[path = "../benches/block/link.rs"]
mod link;

use std::error::Error;
use std::process::Command;

use link::{Link, Pair};
use qkd_session::Message;

/// Blocks that wait in one state.
const BLOCKS: u64 = 100;

/// A state, by the message that is not delivered any more.
struct State {
    name: &'static str,
    keep: fn(&Message) -> bool,
}

const STATES: [State; 4] = [
    State {
        name: "waiting for the reconciliation plan",
        keep: |message| matches!(message, Message::ReconciliationPlan { .. }),
    },
    State {
        name: "in round 40 of the reconciliation",
        keep: |message| matches!(message, Message::Comparison { round, .. } if *round >= 40),
    },
    State {
        name: "waiting for the verification",
        keep: |message| matches!(message, Message::Verification { .. }),
    },
    State {
        name: "waiting for the seed",
        keep: |message| matches!(message, Message::Verified { .. }),
    },
];

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .ok_or("no VmRSS in /proc/self/status")?
        .parse()?;
    Ok(kib * 1024)
}

/// Bytes of one block in a state. What another state left to the allocator would hide them, so that
/// each is measured in a process of its own.
fn bytes_in(state: &State, block_bits: u64) -> Result<u64, Box<dyn Error>> {
    let link = Link::new(block_bits, 0.02);
    let mut pair = Pair::new(&link);
    // The first blocks fill what the allocator keeps from all that was larger on the way.
    for _ in 0..BLOCKS {
        pair.block(state.keep);
    }
    let before = resident_bytes()?;
    for _ in 0..BLOCKS {
        pair.block(state.keep);
    }
    assert_eq!(
        pair.kept.len() as u64,
        2 * BLOCKS,
        "a block was never {}",
        state.name
    );
    Ok(resident_bytes()?.saturating_sub(before) / BLOCKS)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let block_bits = arguments
        .next()
        .map_or(Ok(1_000_000), |bits| bits.parse())?;
    if let Some(state) = arguments.next() {
        let state = STATES.iter().find(|known| known.name == state);
        println!("{}", bytes_in(state.ok_or("no such state")?, block_bits)?);
        return Ok(());
    }
    println!("bytes of a block of {block_bits} bits at 2 %, Alice's and Bob's together");
    for State { name, .. } in &STATES {
        let mut measuring = Command::new(std::env::current_exe()?);
        let output = measuring.arg(block_bits.to_string()).arg(name).output()?;
        let bytes = String::from_utf8_lossy(&output.stdout);
        println!("{:>10}  {name}", bytes.trim());
    }
    Ok(())
}
