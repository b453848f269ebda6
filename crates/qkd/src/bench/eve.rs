//! `qkd bench eve`: how fast Eve handles light, attack by attack.

use std::time::Duration;

use qkd_attacks::Site;
use qkd_node::bench::eve::{self, EveSpeed};
use serde::Serialize;

use super::args::EveBenchArgs;
use super::fault::Fault;
use super::machine::Machine;
use super::{on_a_thread, show, unless_stopped};
use crate::cli::EveAttack;
use crate::exit::Exit;
use crate::words::{metric, three_digits};

/// All that was measured; its serialized fields are what `--json` promises.
#[derive(Serialize)]
struct Report {
    machine: Machine,
    preset: &'static str,
    distance_km: f64,
    rows: Vec<Row>,
}

/// One attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    /// Its specification.
    attack: String,
    /// `bobs-door` or `lossless-line`.
    site: &'static str,
    /// Share of the slots that hold light when they come to her.
    occupied_probability: f64,
    /// Slots in a second of CPU time.
    slots_per_second: f64,
    /// Pulses with light in a second of CPU time.
    pulses_per_second: f64,
    /// Clock of the link, Hz, that one core of hers keeps: that of the preset, at most.
    clock_hz: f64,
}

impl Row {
    fn new(attack: &EveAttack, speed: &EveSpeed, clock_hz: f64) -> Self {
        Self {
            attack: attack.spec(),
            site: speed.site.name(),
            occupied_probability: speed.occupied_probability,
            slots_per_second: speed.slots_per_second(),
            pulses_per_second: speed.pulses_per_second(),
            clock_hz: clock_hz.min(speed.slots_per_second()),
        }
    }
}

/// Measures row after row until all are done or somebody stops it, and prints what there is.
pub async fn run(args: &EveBenchArgs) -> Result<Exit, Fault> {
    let mut report = Report {
        machine: Machine::of_this(),
        preset: args.preset.name(),
        distance_km: args.distance,
        rows: Vec::new(),
    };
    let exit = unless_stopped(measure(args, &mut report.rows)).await?;
    let text = match args.json {
        // Every field is a number, a text, or made of them: none of them can be refused.
        true => serde_json::to_string(&report).unwrap_or_default(),
        false => report.table(),
    };
    show(&text, exit)
}

async fn measure(args: &EveBenchArgs, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let all = || {
        qkd_attacks::KNOWN
            .into_iter()
            .filter_map(|name| EveAttack::read(name).ok())
    };
    let attacks = match args.attacks.as_slice() {
        [] => all().collect(),
        chosen => chosen.to_vec(),
    };
    let parameters = args.preset.parameters(args.distance);
    let time = Duration::from_secs_f64(args.seconds);
    for attack in attacks {
        let (link, spec, at_alices) = (parameters.clone(), attack.spec(), attack.needs_the_fibre());
        let speed = on_a_thread(move || Ok(eve::measure(&link, &spec, at_alices, time)?)).await?;
        rows.push(Row::new(&attack, &speed, parameters.source.clock_hz));
    }
    Ok(())
}

impl Report {
    fn table(&self) -> String {
        let mut lines = vec![
            self.machine.line(),
            format!(
                "Eve on a link of {} km, preset {}, by CPU time of one core",
                self.distance_km, self.preset
            ),
            String::new(),
            format!(
                "{:<27} {:<14} {:>7} {:>13} {:>13}",
                "attack", "she stands at", "light", "pulses", "slots"
            ),
        ];
        for row in &self.rows {
            lines.push(format!(
                "{:<27} {:<14} {:>5} % {:>13} {:>13}",
                row.attack,
                row.site,
                three_digits(100.0 * row.occupied_probability),
                metric(row.pulses_per_second, "/s"),
                metric(row.slots_per_second, "/s"),
            ));
        }
        if self
            .rows
            .iter()
            .any(|row| row.site == Site::LosslessLine.name())
        {
            lines.push(String::new());
            lines.push("At Alice's door every pulse with light comes by.".to_owned());
        }
        lines.join("\n")
    }
}
