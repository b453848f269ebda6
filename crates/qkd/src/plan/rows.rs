//! The rows: every configuration with every theorem and block size, over every fibre.

use std::collections::BTreeSet;

use qkd_node::config::{PlanConfig, PlanError, PlanFibre};
use qkd_node::parameters::{BLOCK_BITS, FIXED_LENGTH_MIN_BITS, delivered_bits};
use qkd_security::planning::{self, PlanInput, PlanTheorem};
use serde::Serialize;

use super::args::TableArgs;
use super::fault::Fault;
use super::list::NUMBERS_MAX;
use super::progress::Progress;

/// Lengths of fibre where nothing says which: the first, the last and the step, km.
const DISTANCES_KM: [u32; 3] = [0, 250, 5];

/// One configuration with one theorem and one block size.
#[derive(Debug)]
pub struct Series {
    /// What stands above its rows, and beside its curve.
    pub title: Title,
    /// In the order of the fibres.
    pub rows: Vec<Row>,
    /// Sentences below its rows.
    pub notes: Vec<String>,
}

/// What the rows of a series have in common.
#[derive(Debug, Clone)]
pub struct Title {
    /// Name of the configuration, its own among all of them.
    pub configuration: String,
    /// The key-length theorem.
    pub theorem: PlanTheorem,
    /// How counts are predicted.
    pub channel: planning::ChannelModel,
    /// Sifted key-basis bits; `None` for asymptotic theorems.
    pub block_bits: Option<u64>,
    /// Slots per second.
    pub clock_hz: f64,
}

/// One row, with the names that JSON and CSV have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub configuration: String,
    pub theorem: &'static str,
    pub standing: String,
    pub channel_model: &'static str,
    /// `None` for asymptotic theorems, as are the other figures of a block.
    pub block_bits: Option<u64>,
    /// `None` when losses were given.
    pub distance_km: Option<f64>,
    /// Of the fibre alone.
    pub loss_db: f64,
    pub qber: f64,
    pub phase_error_rate: f64,
    pub secret_length_bits: Option<u64>,
    pub secret_bits_per_pulse: f64,
    pub secret_key_rate_bps: f64,
    /// `None` without loss, where it is infinite.
    pub repeaterless_bits_per_pulse: Option<f64>,
    pub intensities: Vec<f64>,
    pub intensity_probabilities: Vec<f64>,
    pub key_basis_probability: f64,
    pub reconciliation_inefficiency: f64,
    pub block_seconds: Option<f64>,
    /// Of the running system, 0 where its blocks would give nothing; `None` where it could not run so.
    pub fixed_length_bits: Option<u64>,
    /// What applications would get of it.
    pub fixed_key_rate_bps: Option<f64>,
}

/// A configuration under its name.
struct Named {
    name: String,
    config: PlanConfig,
}

/// All rows that `args` ask for.
///
/// # Errors
/// When a configuration is wrong or does not go with what is asked for, and when that is too much.
pub fn all(args: &TableArgs, progress: &mut Progress) -> Result<Vec<Series>, Fault> {
    let configurations = configurations(args)?;
    let mut planned = Vec::new();
    for named in &configurations {
        let titles = titles(args, named).into_iter();
        planned.extend(titles.map(|(title, block_bits)| (named, title, block_bits)));
    }
    // Counted before there is a list of them: there may be far too many.
    let counted = planned.iter();
    let rows: usize = counted
        .map(|(named, _, _)| fibres(args, &named.config).len())
        .sum();
    if rows > NUMBERS_MAX {
        return Err(Fault::Usage(format!(
            "{rows} rows are too many: expected at most {NUMBERS_MAX} of all configurations, \
             theorems, block sizes and distances together, such as --distances 0:250:5"
        )));
    }
    let mut done = 0;
    let mut all = Vec::with_capacity(planned.len());
    for (named, title, block_bits) in planned {
        let fibres = fibres(args, &named.config);
        let mut series = Series {
            notes: notes(&title, &named.config),
            title,
            rows: Vec::with_capacity(fibres.len()),
        };
        let mut before = None;
        for fibre in fibres {
            let row = row(args, named, &series.title, block_bits, fibre, &mut before);
            series.rows.push(row.map_err(|source| Fault::Plan {
                configuration: named.name.clone(),
                place: match fibre {
                    PlanFibre::DistanceKm(distance_km) => format!(" at {distance_km} km"),
                    PlanFibre::LossDb(loss_db) => format!(" at {loss_db} dB"),
                },
                source,
            })?);
            done += 1;
            progress.at(done, rows);
        }
        all.push(series);
    }
    Ok(all)
}

fn configurations(args: &TableArgs) -> Result<Vec<Named>, Fault> {
    let mut all: Vec<Named> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut add = |name: String, config| {
        let name = unique(name, &taken);
        taken.insert(name.clone());
        all.push(Named { name, config });
    };
    for path in &args.config {
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        let config = PlanConfig::load(path, &args.theorem)?;
        // A name must not steer a terminal.
        add(
            stem.to_string_lossy().replace(char::is_control, "?"),
            config,
        );
    }
    for preset in &args.preset {
        add(preset.name().to_owned(), PlanConfig::of_preset(*preset));
    }
    for Named { name, config } in &all {
        let checked = |theorem: &PlanTheorem| config.check_theorem(*theorem);
        let optimisable = match args.optimise {
            true => config.check_optimisable(),
            false => Ok(()),
        };
        let checked = args.theorem.iter().try_for_each(checked).and(optimisable);
        checked.map_err(|source| Fault::Plan {
            configuration: name.clone(),
            place: String::new(),
            source,
        })?;
    }
    Ok(all)
}

/// `name`, or with a number when it is taken.
fn unique(name: String, taken: &BTreeSet<String>) -> String {
    let mut names = (2..).map(|number| format!("{name}-{number}"));
    match taken.contains(&name) {
        false => name,
        // One of endlessly many is free.
        true => names.find(|one| !taken.contains(one)).unwrap_or(name),
    }
}

/// Over which fibres a configuration is planned.
fn fibres<'a>(
    args: &'a TableArgs,
    config: &PlanConfig,
) -> Box<dyn ExactSizeIterator<Item = PlanFibre> + 'a> {
    if let Some(losses) = &args.loss_db {
        return Box::new(losses.0.iter().copied().map(PlanFibre::LossDb));
    }
    if let Some(distances) = &args.distances {
        return Box::new(distances.0.iter().copied().map(PlanFibre::DistanceKm));
    }
    // A picture of one point shows nothing.
    let all = match config.distance_km.filter(|_| !args.draws()) {
        Some(distance_km) => vec![distance_km],
        None => {
            let [first, last, step] = DISTANCES_KM;
            let all = (first..=last).step_by(step as usize);
            all.map(f64::from).collect()
        }
    };
    Box::new(all.into_iter().map(PlanFibre::DistanceKm))
}

/// Every series of a configuration, each with its block size.
fn titles(args: &TableArgs, named: &Named) -> Vec<(Title, u64)> {
    let own = [named.config.security.theorem];
    let theorems = match args.theorem.as_slice() {
        [] => own.as_slice(),
        chosen => chosen,
    };
    let own = [named.config.security.block_bits];
    let sizes = match args.block_bits.as_slice() {
        [] => own.as_slice(),
        chosen => chosen,
    };
    let mut titles = Vec::new();
    for theorem in theorems {
        // Of infinitely many pulses there is one size.
        let sizes = if theorem.is_finite() { sizes } else { &own };
        titles.extend(sizes.iter().map(|&block_bits| {
            let title = Title {
                configuration: named.name.clone(),
                theorem: *theorem,
                channel: args.channel_model.unwrap_or(theorem.default_channel()),
                block_bits: theorem.is_finite().then_some(block_bits),
                clock_hz: named.config.source.clock_hz,
            };
            (title, block_bits)
        }));
    }
    titles
}

/// `before` are the choices of the last row, another place for the search to begin.
fn row(
    args: &TableArgs,
    named: &Named,
    title: &Title,
    block_bits: u64,
    fibre: PlanFibre,
    before: &mut Option<PlanInput>,
) -> Result<Row, PlanError> {
    let theorem = title.theorem;
    let mut input = PlanInput {
        channel: title.channel,
        block_bits,
        ..named.config.input(theorem, fibre)?
    };
    if args.optimise {
        // Where the search alone finds no key, the choices of the row before may still give one.
        input = planning::optimise(&input, before.as_ref())?;
        *before = Some(input.clone());
    }
    let point = planning::plan(&input)?;
    let fixed = fixed(&input);
    Ok(Row {
        configuration: named.name.clone(),
        theorem: theorem.name(),
        standing: theorem.standing().to_string(),
        channel_model: title.channel.name(),
        block_bits: title.block_bits,
        distance_km: match fibre {
            PlanFibre::DistanceKm(distance_km) => Some(distance_km),
            PlanFibre::LossDb(_) => None,
        },
        loss_db: named.config.fibre_loss_db(fibre),
        qber: point.qber,
        phase_error_rate: point.phase_error_rate,
        secret_length_bits: point.block.as_ref().map(|block| block.secret_length_bits),
        secret_bits_per_pulse: point.secret_bits_per_pulse,
        secret_key_rate_bps: point.secret_key_rate_bps,
        repeaterless_bits_per_pulse: Some(point.repeaterless_bits_per_pulse)
            .filter(|bits| bits.is_finite()),
        intensities: point.intensities,
        intensity_probabilities: point.intensity_probabilities,
        key_basis_probability: point.key_basis_probability,
        reconciliation_inefficiency: input.reconciliation_inefficiency,
        block_seconds: point.block.as_ref().map(|block| block.seconds),
        fixed_length_bits: fixed.map(|(bits, _)| bits),
        fixed_key_rate_bps: fixed.map(|(_, rate_bps)| rate_bps),
    })
}

/// The length that Alice and Bob fix for such a link, and the rate at which applications get key of
/// it; both 0 where a block gives them nothing.
fn fixed(input: &PlanInput) -> Option<(u64, f64)> {
    if !BLOCK_BITS.contains(&input.block_bits) {
        return None;
    }
    // A link on which no block ever ends has no length to fix.
    let plan = planning::fixed(input)?.ok()?;
    let bits = plan.acceptance.secret_length_bits;
    let seconds = plan.slots_expected / input.link.clock_hz;
    Some(match bits >= FIXED_LENGTH_MIN_BITS {
        true => (bits, delivered_bits(bits) as f64 / seconds),
        false => (0, 0.0),
    })
}

/// What a reader of the rows should know.
fn notes(title: &Title, config: &PlanConfig) -> Vec<String> {
    let mut notes = Vec::new();
    let theorem = title.theorem;
    if !theorem.is_finite() {
        let unused = match theorem.intensities_used() {
            1 => "decoy intensities, intensity probabilities",
            _ => "intensity probabilities",
        };
        notes.push(format!(
            "{theorem} is about infinitely many pulses: {unused}, block size and failure \
             probabilities play no part."
        ));
    }
    let uncovered = config.effects.uncovered();
    let name = &title.configuration;
    let uncovered = uncovered.into_iter();
    notes.extend(uncovered.map(|sentence| format!("{name}: {sentence}.")));
    notes
}

#[cfg(test)]
pub(super) mod tests;
