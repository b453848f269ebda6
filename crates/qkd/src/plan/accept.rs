//! `qkd plan accept`: the limits of the acceptance test, as a section of the configuration.

mod text;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use qkd_node::config::{PlanConfig, PlanError, PlanFibre};
use qkd_node::parameters::{BLOCK_BITS, FIXED_LENGTH_MIN_BITS};
use qkd_node::presets::Preset;
use qkd_security::planning::PlanTheorem;
use qkd_security::{
    BlockPlan, Error, HonestBlock, Margin, SecurityParameters, Theorem, cascade_inefficiency_max,
};

use super::fault::Fault;
use super::file;
use crate::cli::presets;
use crate::output::print;
use crate::words::grouped;

const EXAMPLES: &str = "\
Examples:
  qkd plan accept --config alice.toml                         limits for the link of this file
  qkd plan accept --config alice.toml --output accept.toml    to be pasted at both ends
  qkd plan accept --preset ingaas --distance 50 --deviations 5 --model-error 0.1
  qkd plan accept --config bob.toml --output accept.toml --json

The section [security.accept] goes into the configurations of both ends, the same one, printed once:
at the end of a file that has none, and in place of one that is there (a second one in a file is
refused). Without it both derive the same limits by themselves, with the margins that are the
defaults here. Limits are for the block that the configuration says, 1000 to 20000000 sifted bits,
and for the link that it says: another fibre needs others.

Exit status: 0 limits printed, 1 a fault, or no length to fix with these margins (the cause is
printed, no section is), 64 wrong usage.";

/// The options of `qkd plan accept`.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("limits of").args(["config", "preset"]).required(true),
    after_help = EXAMPLES
)]
pub struct AcceptArgs {
    /// A TOML file with the sections of a link, such as the configuration of a daemon
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Hardware that needs no file
    #[arg(long, value_name = "NAME", value_parser = presets())]
    preset: Option<Preset>,
    /// Length of the fibre in km, 0 to 1000, in place of the configuration's
    #[arg(long, value_name = "KM", value_parser = distance, allow_hyphen_values = true)]
    distance: Option<f64>,
    /// Standard deviations left to chance in every count and error limit, 0 to 100
    #[arg(long, value_name = "NUMBER", value_parser = deviations, allow_hyphen_values = true,
          default_value_t = Margin::default().deviations)]
    deviations: f64,
    /// Standard deviations left to chance in the length, 0 to 100
    #[arg(long, value_name = "NUMBER", value_parser = deviations, allow_hyphen_values = true,
          default_value_t = Margin::default().length_deviations)]
    length_deviations: f64,
    /// Share by which a good link may show more errors than it is expected to, 0 to 100
    #[arg(long, value_name = "SHARE", value_parser = deviations, allow_hyphen_values = true,
          default_value_t = Margin::default().model_error)]
    model_error: f64,
    /// Share by which a good link may show fewer detections of a class than it is expected to, 0 to
    /// 0.99
    #[arg(long, value_name = "SHARE", value_parser = model_count, allow_hyphen_values = true,
          default_value_t = Margin::default().model_count)]
    model_count: f64,
    /// Largest f of error correction that there is room for, Alice's bits ÷ (n·h(QBER)), 1 to 100
    /// [default: what Cascade keeps to with the errors that are expected]
    #[arg(long, value_name = "F", value_parser = inefficiency, allow_hyphen_values = true)]
    reconciliation_inefficiency_max: Option<f64>,
    /// Write to this file in place of standard output, - for standard output itself
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One JSON object in place of the section
    #[arg(long)]
    json: bool,
}

fn distance(text: &str) -> Result<f64, String> {
    within(text, 0.0..=1000.0, "km")
}

fn deviations(text: &str) -> Result<f64, String> {
    within(text, 0.0..=100.0, "")
}

fn model_count(text: &str) -> Result<f64, String> {
    within(text, 0.0..=0.99, "")
}

fn inefficiency(text: &str) -> Result<f64, String> {
    within(text, 1.0..=100.0, "")
}

fn within(text: &str, range: RangeInclusive<f64>, unit: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let gap = if unit.is_empty() { "" } else { " " };
            let (least, most) = (range.start(), range.end());
            format!("expected a number from {least} to {most}{gap}{unit}")
        })
}

impl AcceptArgs {
    fn margin(&self) -> Margin {
        Margin {
            deviations: self.deviations,
            length_deviations: self.length_deviations,
            model_error: self.model_error,
            model_count: self.model_count,
            reconciliation_inefficiency_max: self.reconciliation_inefficiency_max,
            ..Margin::default()
        }
    }

    /// The link, and what it is called.
    fn link(&self) -> Result<(String, PlanConfig), Fault> {
        match (&self.config, self.preset) {
            (Some(path), None) => {
                let stem = path.file_stem().unwrap_or(path.as_os_str());
                let name = stem.to_string_lossy().into_owned();
                Ok((name, PlanConfig::load(path, &[])?))
            }
            (None, Some(preset)) => Ok((preset.name().to_owned(), PlanConfig::of_preset(preset))),
            (None, None) | (Some(_), Some(_)) => {
                let words = "either --config or --preset says which link: give one of them";
                Err(Fault::Usage(words.to_owned()))
            }
        }
    }
}

/// Limits, and everything that is said of them.
#[derive(Debug)]
struct Limits {
    configuration: String,
    distance_km: f64,
    loss_db: f64,
    clock_hz: f64,
    block_bits: u64,
    parameters: SecurityParameters,
    margin: Margin,
    plan: BlockPlan,
    honest: HonestBlock,
    /// What the figures leave out: whole sentences.
    notes: Vec<String>,
}

/// Prints the limits, or writes them to the file that is asked for.
///
/// # Errors
/// When the configuration is wrong, and when no length can be fixed.
pub fn run(args: &AcceptArgs) -> Result<(), Fault> {
    let inputs = args.config.as_slice();
    file::keep(inputs, [("--output", args.output.as_deref())])?;
    let (name, config) = args.link()?;
    let limits = limits(&name, &config, args)?;
    let text = match args.json {
        true => text::json(&limits),
        false => text::section(&limits),
    };
    match &args.output {
        Some(path) if path != Path::new("-") => file::replace(path, text.as_bytes()),
        Some(_) | None => print(&text).map_err(Fault::Print),
    }
}

fn limits(name: &str, config: &PlanConfig, args: &AcceptArgs) -> Result<Limits, Fault> {
    let refused = |place: String, source: PlanError| Fault::Plan {
        configuration: name.to_owned(),
        place,
        source,
    };
    let theorem = config.security.theorem;
    if theorem != PlanTheorem::Wiesemann2024 {
        let source = PlanError::Contradiction {
            key: "security.theorem",
            reason: format!(
                "there are no limits for {theorem}: the daemons make keys of a fixed length under \
                 wiesemann2024 alone"
            ),
        };
        return Err(refused(String::new(), source));
    }
    if !BLOCK_BITS.contains(&config.security.block_bits) {
        let source = PlanError::Contradiction {
            key: "security.block_bits",
            reason: format!(
                "there are no limits for blocks of {} sifted bits: the daemons take {} to {}",
                config.security.block_bits,
                BLOCK_BITS.start(),
                BLOCK_BITS.end()
            ),
        };
        return Err(refused(String::new(), source));
    }
    let distance_km = args.distance.or(config.distance_km).ok_or_else(|| {
        Fault::Usage(format!(
            "{name} has no fibre of a known length: add --distance KM"
        ))
    })?;
    let fibre = PlanFibre::DistanceKm(distance_km);
    let place = format!(" at {distance_km} km");
    let parameters = config
        .link_parameters(fibre)
        .map_err(|source| refused(place.clone(), source))?;
    let derived = || -> Result<(BlockPlan, HonestBlock), Error> {
        let (link, budget) = (parameters.link_model()?, parameters.security_parameters());
        let theorem = Theorem::Wiesemann2024;
        let block_bits = parameters.security.block_bits;
        let plan = BlockPlan::derive(&link, block_bits, &budget, theorem, &args.margin())?;
        let f = plan.reconciliation_inefficiency_max;
        let honest = plan.honest_block(&link, theorem, &budget, f)?;
        Ok((plan, honest))
    };
    let (plan, honest) = derived().map_err(|source| refused(place.clone(), source.into()))?;
    if plan.acceptance.secret_length_bits < FIXED_LENGTH_MIN_BITS {
        return Err(Fault::NoLength {
            configuration: name.to_owned(),
            place,
            length_expected_bits: plan.length_expected.length_unclamped,
            fixed_length_bits: plan.acceptance.secret_length_bits,
            side_channel_bits: plan.length_expected.side_channel_bits(),
        });
    }
    let uncovered = config.effects.uncovered();
    let notes = too_little_room(&plan).into_iter();
    let notes = notes.chain(uncovered.into_iter().map(str::to_owned));
    Ok(Limits {
        configuration: name.to_owned(),
        distance_km,
        loss_db: config.fibre_loss_db(fibre),
        clock_hz: config.source.clock_hz,
        block_bits: parameters.security.block_bits,
        parameters: parameters.security_parameters(),
        margin: args.margin(),
        notes: notes.collect(),
        plan,
        honest,
    })
}

/// Says so where error correction needs more than there is room for.
fn too_little_room(plan: &BlockPlan) -> Option<String> {
    let room = plan.reconciliation_inefficiency_max;
    let needed = cascade_inefficiency_max(&plan.statistics_expected.key);
    (room < needed).then(|| {
        format!(
            "Error correction does not keep to an f of {room:.3}: with the errors that are \
             expected Cascade may need up to {needed:.3}. Blocks will be refused for their \
             leakage, and the probabilities of refusal leave that out."
        )
    })
}

/// A length in bits as a person reads it, below zero too.
pub(super) fn bits(length: f64) -> String {
    let sign = if length < 0.0 { "-" } else { "" };
    // A float-to-integer cast saturates.
    format!("{sign}{} bits", grouped(length.abs().round() as u64))
}
