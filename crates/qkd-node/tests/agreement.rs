//! The emulated link and its plan agree: every preset near, far and at the edge of its reach.
//!
//! Each cell of the table is a real run of a whole block: photons, fibre, clicks, sifting, error
//! correction, the acceptance test and privacy amplification, by the engines that the daemons run.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use qkd_node::config::Measurement;
use qkd_node::presets::Preset;
use qkd_optics::AlicesDoor;
use qkd_security::{
    BlockPlan, Leakage, LinkModel, SecurityParameters, SideChannels, Statistics, Theorem,
    binary_entropy,
};
use qkd_session::{BlockReport, OVERHEAD_BITS};
use qkd_sim::{FrameLoss, Link};

const DISTANCES_KM: [f64; 3] = [0.0, 50.0, 100.0];
const SEED: u64 = 2024;
/// Standard deviations between run and plan; chance takes one run in two million further.
const DEVIATIONS_MAX: f64 = 5.0;

/// One preset over one fibre.
struct Cell {
    preset: Preset,
    distance_km: f64,
    seed: u64,
}

impl Cell {
    fn all() -> Vec<Cell> {
        let presets = Preset::ALL.into_iter();
        let all = presets.flat_map(|preset| DISTANCES_KM.map(|km| (preset, km)));
        (SEED..)
            .zip(all)
            .map(|(seed, (preset, distance_km))| Cell {
                preset,
                distance_km,
                seed,
            })
            .collect()
    }

    /// Runs one block and sets it beside its plan.
    fn run(&self) -> Row {
        let parameters = self.preset.parameters(self.distance_km);
        let link = Link {
            protocol: "bb84",
            model: parameters.link_model().expect("a preset is sound"),
            hardware: Some(parameters.hardware().expect("a preset is sound")),
            block_bits: parameters.security.block_bits,
            parameters: parameters.security_parameters(),
            door: AlicesDoor::default(),
            defects: [None; 2],
            attack: None,
            monitors: None,
            frame_loss: FrameLoss::NONE,
            blocks: 1,
            seed: self.seed,
        };
        let plan = parameters.block_plan().expect("a preset can be planned");
        let simulated = link.plan().expect("a preset can be planned");
        assert_eq!(plan, simulated, "what the daemons plan and what is run");
        let outcome = link.run().expect("an honest link");
        assert!(outcome.keys.iter().all(|pair| pair.agrees()));
        Row::new(self, &link, &plan, &outcome.bob[0])
    }
}

/// A cell of the table: what was planned, what came of it, and how far apart they are.
struct Row {
    name: String,
    fixed_bits: u64,
    delivered_bits: u64,
    slots: f64,
    slots_expected: f64,
    /// Delivered secret bits per slot against the planned, in standard deviations.
    rate_deviations: f64,
    inefficiency: f64,
    inefficiency_max: f64,
    bound_bits: f64,
    bound_expected_bits: f64,
    /// The theorem's length at the counts seen against that at the counts expected.
    bound_deviations: f64,
}

impl Row {
    fn new(cell: &Cell, link: &Link, plan: &BlockPlan, report: &BlockReport) -> Row {
        let seen = report.statistics.expect("a whole block was counted");
        let inefficiency = report
            .reconciliation_inefficiency
            .expect("a whole block has errors");
        let theorem = Lengths {
            model: &link.model,
            parameters: &link.parameters,
        };
        let bound_bits = theorem.at(seen.into(), report.leakage);
        let expected = plan.statistics_expected;
        let shannon = expected.key.total_counts() * binary_entropy(expected.key.qber());
        let leakage = Leakage {
            from_alice_bits: (inefficiency * shannon) as u64,
            ..report.leakage
        };
        let bound_expected_bits = theorem.at(expected, leakage);
        let slots = (report.end_slot - report.first_slot) as f64;
        let fixed_bits = plan.acceptance.secret_length_bits;
        let delivered_bits = report.secret_length_bits();
        // ℓ is fixed, so bits per slot stray as the slots do.
        let ratio = (delivered_bits as f64 / slots)
            / (fixed_bits.saturating_sub(OVERHEAD_BITS) as f64 / plan.slots_expected);
        let rate_deviations = if fixed_bits == 0 && delivered_bits == 0 {
            0.0
        } else {
            (ratio - 1.0) * plan.slots_expected / plan.slots_deviation
        };
        Row {
            name: format!("{} {} km", cell.preset.name(), cell.distance_km),
            fixed_bits,
            delivered_bits,
            slots,
            slots_expected: plan.slots_expected,
            rate_deviations,
            inefficiency,
            inefficiency_max: plan.reconciliation_inefficiency_max,
            bound_bits,
            bound_expected_bits,
            bound_deviations: (bound_bits - bound_expected_bits) / plan.length_deviation_bits,
        }
    }

    fn agrees(&self) -> bool {
        (self.fixed_bits > 0) == (self.delivered_bits > 0)
            && self.rate_deviations.abs() < DEVIATIONS_MAX
            && self.bound_deviations.abs() < DEVIATIONS_MAX
            && self.inefficiency < self.inefficiency_max
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:22} fixed {:7} delivered {:7} in {:.4e} slots ({:.4e} expected): {:+.2} sigma; \
             f {:.4} of {:.4}; bound {:9.0} ({:9.0} expected): {:+.2} sigma",
            self.name,
            self.fixed_bits,
            self.delivered_bits,
            self.slots,
            self.slots_expected,
            self.rate_deviations,
            self.inefficiency,
            self.inefficiency_max,
            self.bound_bits,
            self.bound_expected_bits,
            self.bound_deviations
        )
    }
}

struct Lengths<'a> {
    model: &'a LinkModel,
    parameters: &'a SecurityParameters,
}

impl Lengths<'_> {
    fn at(&self, statistics: Statistics<f64>, leakage: Leakage) -> f64 {
        Theorem::Wiesemann2024
            .secret_length(statistics, &self.model.source, &leakage, self.parameters)
            .length_unclamped
    }
}

/// All cells, as many at a time as there are processors.
fn table() -> Vec<Row> {
    let (cells, next) = (Cell::all(), AtomicUsize::new(0));
    let work = || {
        let mut rows = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(cell) = cells.get(index) else {
                return rows;
            };
            rows.push((index, cell.run()));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rows: Vec<(usize, Row)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let rows = threads.into_iter().map(|thread| thread.join());
        rows.flat_map(|rows| rows.expect("a cell could be run"))
            .collect()
    });
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A key where one is planned and none elsewhere; as many secret bits per slot as planned, within
/// what chance does to the slots; and counts that support the length that they are expected to. All
/// rows together stray as far as the deviations say, so that these are neither too wide nor too
/// narrow.
#[test]
fn every_preset_gives_what_its_plan_says() {
    let rows = table();
    println!("seed {SEED}");
    rows.iter().for_each(|row| println!("{row}"));
    for row in &rows {
        assert!(row.agrees(), "{row} (seed {SEED})");
    }
    let with_key = rows.iter().filter(|row| row.fixed_bits > 0);
    let rates = with_key.map(|row| row.rate_deviations);
    let bounds = rows.iter().map(|row| row.bound_deviations);
    let deviations: Vec<f64> = rates.chain(bounds).collect();
    assert_eq!(deviations.len(), 35);
    let squares: f64 = deviations.iter().map(|d| d * d).sum();
    // χ² with 35 degrees of freedom leaves 1e-6 on either side.
    assert!((8.1..90.5).contains(&squares), "{squares} (seed {SEED})");
}

/// Of what a link's block showed, `qkd plan evaluate` makes the length that the block's own account has,
/// with side channels and without.
#[test]
fn what_a_block_showed_is_evaluated_to_the_length_that_it_has() {
    for (seed, leaks) in [
        (71, SideChannels::NONE),
        (
            72,
            SideChannels {
                reflected_photons: 1e-12,
                back_flash_probability: 1e-5,
            },
        ),
    ] {
        let mut link = qkd_sim::presets::snspd(25.0, seed).expect("the preset is sound");
        link.model.source = link
            .model
            .source
            .with_side_channels(leaks)
            .expect("in range");
        let plan = link.plan().expect("a sound link");
        let outcome = link.run().expect("an honest link");
        let report = &outcome.bob[0];
        let text = written(&link, &plan, report, leaks);
        let measured = Measurement::parse(&text, Path::new("block.toml"));
        let evaluation = measured
            .unwrap_or_else(|error| panic!("{error}"))
            .evaluation;
        let length = report.key_length.expect("a key has a length");
        assert_eq!(
            evaluation.secret_length_bits,
            Some(length.secret_length_bits())
        );
        let paid = length.side_channels.is_some();
        assert_eq!(paid, seed == 72);
        assert_eq!(evaluation.figure("basis_imbalance").is_some(), paid);
    }
}

/// The file that somebody would write who has counted this block.
fn written(link: &Link, plan: &BlockPlan, report: &BlockReport, leaks: SideChannels) -> String {
    let seen = report.statistics.expect("a whole block was counted");
    let said = report.leakage;
    let mut text = format!(
        "intensities = {:?}\nintensity_probabilities = {:?}\nkey_basis_probability = {:?}\n\
         secrecy = {:e}\ncorrectness = {:e}\nleaked_bits = {}\nverification_bits = {}\n",
        link.model.source.intensities(),
        link.model.source.probabilities(),
        link.model.key_basis_probability,
        link.parameters.secrecy,
        link.parameters.correctness,
        said.from_alice_bits,
        said.verification_tag_bits + said.verification_outcome_bits,
    );
    for (name, basis) in [("key_basis", seen.key), ("test_basis", seen.test)] {
        text += &format!(
            "[{name}]\ncounts = {:?}\nerrors = {:?}\n",
            basis.counts, basis.errors
        );
    }
    if !leaks.is_none() {
        text += &format!(
            "[side_channels]\nreflected_photons = {:e}\nback_flash_probability = {:e}\n\
             slots_max = {}\n",
            leaks.reflected_photons, leaks.back_flash_probability, plan.slots_max
        );
    }
    text
}
