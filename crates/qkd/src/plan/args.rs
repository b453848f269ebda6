//! What is to be planned, as people type it.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use qkd_node::presets::Preset;
use qkd_security::planning::{ChannelModel, PlanTheorem};

use super::accept::AcceptArgs;
use super::evaluate::EvaluateArgs;
use super::list::{self, List};
use crate::cli::presets;

const EXAMPLES: &str = "\
Examples:
  qkd plan --preset snspd                                 from 0 to 250 km
  qkd plan --config alice.toml                            what this link gives
  qkd plan --config alice.toml --distances 0:250:5 --block-bits 1e5,1e6,1e7
  qkd plan --config a.toml --config b.toml --loss-db 0,10,26.5 --json
  qkd plan --config alice.toml --optimise --distances 0:200:10 --csv rates.csv
  qkd plan --preset snspd,ingaas,boaron2018 --distances 0:400:5 --png rates.png

A list is made of numbers and of ranges FIRST:LAST:STEP, separated by commas. What a configuration
says of fibre length, theorem and block size is used where no option says otherwise; a configuration
without a length, a preset and a picture are planned from 0 to 250 km in steps of 5 km.

Exit status: 0 planned, with a key or without, 1 a fault (its cause is printed), 64 wrong usage.";

/// `qkd plan`: the table, or one of the commands beside it.
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub struct PlanArgs {
    /// What to do instead of the table.
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
    /// The options of the table.
    #[command(flatten)]
    pub table: TableArgs,
}

/// What stands beside the table.
#[derive(Debug, Clone, Subcommand)]
pub enum PlanCommand {
    /// Write the limits of the acceptance test for the configurations of both ends
    ///
    /// A block is accepted inside limits that stand before it begins, and yields exactly the length
    /// that is fixed with them. The section [security.accept] holds them: the smallest counts, the
    /// largest numbers of errors, the most bits of error correction, and the length, derived from
    /// the expected link with a margin for chance and for the model. It says how often a block is
    /// refused though nobody listens.
    Accept(AcceptArgs),
    /// Say how much key is in what a laboratory has measured
    ///
    /// Prints every intermediate figure with its meaning and unit, the length of the key, its rate,
    /// and what the theorem behind them is worth. Nothing is assumed in silence.
    Evaluate(EvaluateArgs),
}

/// The options of the table.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("link").args(["config", "preset"]).required(true).multiple(true))]
#[command(group = ArgGroup::new("picture").args(["svg", "png"]).multiple(true))]
pub struct TableArgs {
    /// A TOML file with the sections of a link; may be given several times
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Hardware that needs no file; may be given several times
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = presets())]
    pub preset: Vec<Preset>,
    /// Lengths of the fibre in km, 0 to 1000, such as 0:250:5 or 0,10,25
    #[arg(long, value_name = "LIST", value_parser = list::distances, allow_hyphen_values = true,
          conflicts_with = "loss_db")]
    pub distances: Option<List>,
    /// Losses in dB, 0 to 300, in place of the fibre's, such as 0,10,26.5 or 0:40:1; the loss inside
    /// the receiver stays
    #[arg(long, value_name = "LIST", value_parser = list::losses, allow_hyphen_values = true)]
    pub loss_db: Option<List>,
    /// Sifted key-basis bits per block, 100 to 1e15, in place of the configuration's
    #[arg(long, value_name = "BITS,…", value_delimiter = ',', value_parser = list::block_bits,
          allow_hyphen_values = true)]
    pub block_bits: Vec<u64>,
    /// Key-length theorems in place of the configuration's: wiesemann2024, rusca2018, lim2014, and
    /// without a block size gllp, gllp-decoy-infinite, gllp-vacuum-weak
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = theorems())]
    pub theorem: Vec<PlanTheorem>,
    /// How counts are predicted: exact, or with the formulas of the theorem's publication [default:
    /// exact for wiesemann2024, published for the others]
    #[arg(long, value_name = "MODEL", value_parser = channel_models())]
    pub channel_model: Option<ChannelModel>,
    /// Find in every row the intensities, their probabilities and the key-basis probability that give
    /// the most secret bits
    #[arg(long)]
    pub optimise: bool,
    /// Write the rows to this file too, "-" for standard output in place of the table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw the rates as SVG into this file too
    #[arg(long, value_name = "FILE", value_parser = file())]
    pub svg: Option<PathBuf>,
    /// Draw the rates as PNG into this file too, 1200 by 800 pixels
    #[arg(long, value_name = "FILE", value_parser = file())]
    pub png: Option<PathBuf>,
    /// What the pictures show: bits per second, or per pulse of the source, which compares links of
    /// different clocks, or what this system fixes in advance
    #[arg(long, value_name = "RATE", value_enum, default_value_t = PlotRate::Bps,
          requires = "picture")]
    pub plot_rate: PlotRate,
    /// Print the rows as one JSON object on standard output in place of the table
    #[arg(long)]
    pub json: bool,
}

impl TableArgs {
    /// Whether a picture is to be drawn.
    pub fn draws(&self) -> bool {
        self.svg.is_some() || self.png.is_some()
    }
}

/// What the axis of a picture counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlotRate {
    /// Secret bits per second
    Bps,
    /// Secret bits per slot of Alice's clock
    PerPulse,
    /// Bits per second of the length that Alice and Bob fix in advance, which leaves room for chance
    Fixed,
}

/// A file that gets a picture: no terminal shows one.
fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" {
        true => Err("expected the name of a file: pictures are not printed"),
        false => Ok(path),
    })
}

fn theorems() -> impl TypedValueParser<Value = PlanTheorem> {
    PossibleValuesParser::new(PlanTheorem::ALL.map(PlanTheorem::name))
        .try_map(|name| name.parse::<PlanTheorem>())
}

fn channel_models() -> impl TypedValueParser<Value = ChannelModel> {
    PossibleValuesParser::new(ChannelModel::ALL.map(ChannelModel::name))
        .try_map(|name| name.parse::<ChannelModel>())
}
