//! How often the monitors of an undisturbed link raise an alarm: blocks of every preset, run from the
//! pulses on, with all monitors looking.
//!
//! `cargo run --release -p qkd-node --example false_alarms [BLOCKS [BLOCK_BITS]]` runs 1,000 blocks of
//! 10,000 bits of each preset at 25 km, prints what was raised, and ends with status 1 when anything
//! was. Limits are made for the size of a block, so that small blocks test them as well as large ones.

use std::process::ExitCode;

use qkd_node::presets::Preset;
use qkd_sim::{FrameLoss, Link};

const DISTANCE_KM: f64 = 25.0;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>());
    let blocks = arguments.next().transpose()?.unwrap_or(1_000);
    let block_bits = arguments.next().transpose()?.unwrap_or(10_000);
    let mut alarmed = 0;
    for (preset, seed) in Preset::ALL.into_iter().zip((1..).map(|i| 1_000_000 * i)) {
        let parameters = preset.parameters(DISTANCE_KM);
        let link = Link {
            protocol: parameters.protocol.name.name(),
            model: parameters.link_model()?,
            block_bits,
            parameters: parameters.security_parameters(),
            hardware: Some(parameters.hardware()?),
            door: qkd_optics::AlicesDoor::default(),
            defects: [None; 2],
            attack: None,
            monitors: None,
            frame_loss: FrameLoss::NONE,
            blocks,
            seed,
        };
        let seen = link.false_alarms(blocks)?;
        println!(
            "{:<16} {:>6} blocks of {block_bits} bits: {} with an alarm, at most {:.2e} a block at \
             95 % confidence",
            preset.name(),
            seen.blocks,
            seen.alarmed,
            seen.rate_max()
        );
        for alarm in &seen.alarms {
            println!("  {alarm}");
        }
        alarmed += seen.alarmed;
    }
    Ok(if alarmed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
