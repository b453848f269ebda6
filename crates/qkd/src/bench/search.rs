//! The highest clock at which no light is lost.

use qkd_node::presets::Preset;

use super::args::LinkBenchArgs;
use super::fault::Fault;
use super::machine;
use super::pair::{self, Link, Seen};

/// Length of a look, s.
const LOOK_SECONDS: f64 = 1.0;

/// Looks and measurements of a row at most: the last one counts, whatever it lost.
const LOOKS_MAX: u32 = 8;
const MEASUREMENTS_MAX: u32 = 3;

/// What may be lost of a clean run: a part of the frames.
const LOST_MAX: f64 = 1e-4;

/// What a clean run makes of its clock at least.
const CLOCK_SHARE_MIN: f64 = 0.99;

/// The next clock, of what was sustained at one that was too high.
const LOWER: f64 = 0.92;

/// Measures a row. `tell` hears what is being tried.
///
/// # Errors
/// When a run gives no figures.
pub async fn highest(
    args: &LinkBenchArgs,
    preset: Preset,
    distance_km: f64,
    tell: impl Fn(&str),
) -> Result<Seen, Fault> {
    let mut link = Link {
        preset,
        distance_km,
        clock_hz: args.clock_hz,
        seconds: LOOK_SECONDS.min(args.seconds),
        core: args.one_core.then(machine::last_core),
    };
    let name = preset.name();
    for look in 1..=LOOKS_MAX {
        tell(&format!(
            "{name} {distance_km} km: trying {:.3} GHz",
            link.clock_hz / 1e9
        ));
        let seen = pair::run(&link).await?;
        match lower(&seen) {
            // The look was as long as a measurement.
            None if link.seconds >= args.seconds => return Ok(seen),
            None => break,
            Some(_) if look == LOOKS_MAX && link.seconds >= args.seconds => return Ok(seen),
            Some(clock_hz) => link.clock_hz = clock_hz,
        }
    }
    link.seconds = args.seconds;
    let mut measurement = 1;
    loop {
        tell(&format!(
            "{name} {distance_km} km: measuring {:.3} GHz for {} s",
            link.clock_hz / 1e9,
            link.seconds
        ));
        let seen = pair::run(&link).await?;
        match lower(&seen) {
            Some(clock_hz) if measurement < MEASUREMENTS_MAX => link.clock_hz = clock_hz,
            Some(_) | None => return Ok(seen),
        }
        measurement += 1;
    }
}

/// The clock to try next; `None` after a clean run.
fn lower(seen: &Seen) -> Option<f64> {
    let lost = seen.lost_frames() as f64 / seen.alice.frames_total.max(1) as f64;
    let sustained = seen.sustained_clock_hz();
    let clean = lost <= LOST_MAX && sustained >= CLOCK_SHARE_MIN * seen.clock_hz;
    (!clean).then(|| LOWER * sustained.clamp(1e3, seen.clock_hz))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::side::{AliceFigures, BobFigures};

    fn seen(sustained_hz: f64, lost: u64) -> Seen {
        Seen {
            clock_hz: 1e9,
            receive_buffer_bytes: 4 << 20,
            alice: AliceFigures {
                seconds: 2.0,
                slots: 2_000_000_000,
                cpu_seconds: 1.0,
                frames: 90_000,
                frames_total: 100_000,
                occupied_probability: 0.02,
            },
            bob: BobFigures {
                seconds: 2.0,
                slots: (2.0 * sustained_hz) as u64,
                cpu_seconds: 1.0,
                detections: 1,
                clicks: 2,
                accepted_total: 100_000 - lost,
            },
        }
    }

    #[test]
    fn a_run_that_loses_light_or_time_is_tried_again_at_a_lower_clock() {
        assert_eq!(lower(&seen(1e9, 0)), None);
        assert_eq!(lower(&seen(0.995e9, 10)), None);
        assert_eq!(lower(&seen(1e9, 11)), Some(0.92e9));
        assert_eq!(lower(&seen(0.5e9, 0)), Some(0.46e9));
        assert!(lower(&seen(0.0, 100_000)) > Some(0.0));
    }
}
