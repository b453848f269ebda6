//! How often the monitors of an undisturbed link raise an alarm: blocks of every preset, and of links
//! with hardware and networks that are not ideal, run from the pulses on, with all monitors looking.
//!
//! `cargo run --release -p qkd-node --example false_alarms [BLOCKS [BLOCK_BITS [NAME]]]` runs 1,000
//! blocks of 10,000 bits of each at 25 km, or of those alone whose name has NAME in it, prints what was
//! raised, and ends with status 1 when anything was. How far it is stands on the standard error.
//! Limits are made for the size of a block, so that small blocks test them as well as large ones; but
//! light that is weakened at random is judged in blocks of 100,000 bits at least, which take ten
//! windows of it and more.

mod effects;

use std::process::ExitCode;
use std::time::Instant;

use effects::Row;
use qkd_node::presets::Preset;
use qkd_sim::FrameLoss;

const DISTANCE_KM: f64 = 25.0;
/// Smallest block in which weakened light is judged.
const WEAKENED_BITS_MIN: u64 = 100_000;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (blocks, block_bits) = (number(1_000u64)?, number(10_000u64)?);
    let name = arguments.next().unwrap_or_default();
    let presets = Preset::ALL.into_iter().map(|preset| Row {
        name: preset.name(),
        parameters: preset.parameters(DISTANCE_KM),
        frame_loss: FrameLoss::NONE,
    });
    let mut alarmed = 0;
    for (row, seed) in presets
        .chain(effects::rows(DISTANCE_KM))
        .zip((1..).map(|i| 1_000_000 * i))
    {
        if row.name.contains(name.as_str()) {
            alarmed += watch(&row, blocks, block_bits, seed)?;
        }
    }
    Ok(if alarmed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the blocks of one link and prints what was raised; returns how many blocks had an alarm.
fn watch(
    row: &Row,
    blocks: u64,
    block_bits: u64,
    seed: u64,
) -> Result<u64, Box<dyn std::error::Error>> {
    let weakens = row.parameters.effects.detector.random_efficiency.is_some();
    let block_bits = if weakens {
        block_bits.max(WEAKENED_BITS_MIN)
    } else {
        block_bits
    };
    let began = Instant::now();
    let link = row.link(block_bits, seed)?;
    let seen = link.false_alarms(blocks, |seen| {
        eprintln!(
            "{}: {} of {blocks} blocks, {:.0} s",
            row.name,
            seen.blocks,
            began.elapsed().as_secs_f64()
        );
    })?;
    println!(
        "{:<24} {:>6} blocks of {block_bits} bits: {} with an alarm, at most {:.2e} a block at 95 % \
         confidence",
        row.name,
        seen.blocks,
        seen.alarmed,
        seen.rate_max()
    );
    for alarm in &seen.alarms {
        println!("  {alarm}");
    }
    Ok(seen.alarmed)
}
