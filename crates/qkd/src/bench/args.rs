//! What is to be measured.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use clap::builder::TypedValueParser;
use clap::{Args, Subcommand, ValueEnum};
use qkd_node::parameters::LinkParameters;
use qkd_node::presets::Preset;

use super::delivery::side::DeliverySideArgs;
use super::delivery::{self, DeliveryBenchArgs};
use super::distill::pipeline::side::DistillSideArgs;
use super::distill::{self, DistillBenchArgs};
use crate::cli::{EveAttack, distance, presets};

const EXAMPLES: &str = "\
Examples:
  qkd bench link                                    every preset at 0 to 200 km: takes minutes
  qkd bench link --presets snspd --distances 50     one row
  qkd bench link --distances 50 --clock-hz 1e9 --one-core
  qkd bench link --json > bench.json

Exit status: 0 all rows measured, 1 a fault (its cause is printed), 64 wrong usage, 130 interrupted by
Ctrl-C (143: by SIGTERM); the rows so far are printed then.";

const EVE_EXAMPLES: &str = "\
Examples:
  qkd bench eve                                     every attack on a link of 50 km
  qkd bench eve --attacks intercept-resend:0.1,passive --distance 100
  qkd bench eve --json > eve.json

Exit status: 0 all rows measured, 1 a fault (its cause is printed), 64 wrong usage, 130 interrupted by
Ctrl-C (143: by SIGTERM); the rows so far are printed then.";

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// How fast the emulated hardware is: the highest clock at which no light is lost
    ///
    /// Alice and Bob run as two processes with loopback UDP between them, as they do in a link, but
    /// without the classical channel: no key is made.
    #[command(after_help = EXAMPLES)]
    Link(LinkBenchArgs),
    /// How fast keys are distilled: error correction, verification, privacy amplification, tags
    ///
    /// Each stage is measured in this process by the CPU time of one core, for each role where they
    /// differ, with fresh random keys for each block and errors at random places. The whole pipeline
    /// runs between two processes, with everything of the daemons but light and disks.
    #[command(after_help = distill::EXAMPLES)]
    Distill(DistillBenchArgs),
    /// How fast applications get keys, by ETSI GS QKD 014 and by gRPC, from full key stores
    ///
    /// Alice's node, Bob's node and all applications run as three processes, with mutual TLS between
    /// them and the key stores on a disk. A fresh key is durable on both sides before it is answered.
    #[command(after_help = delivery::EXAMPLES)]
    Delivery(DeliveryBenchArgs),
    /// How fast Eve is: each attack at its place, from a datagram to a datagram
    ///
    /// What her service does with light is done here over and over, without sockets, and measured by
    /// the CPU time of one core.
    #[command(after_help = EVE_EXAMPLES)]
    Eve(EveBenchArgs),
    /// One side of the link, started by the other command
    #[command(hide = true)]
    Side(SideArgs),
    /// One process of the delivery, started by the other command
    #[command(hide = true)]
    DeliverySide(DeliverySideArgs),
    /// One side of the pipeline, started by the other command
    #[command(hide = true)]
    DistillSide(DistillSideArgs),
}

/// The options of `qkd bench link`.
#[derive(Debug, Clone, Args)]
pub struct LinkBenchArgs {
    /// Lengths of the fibre in km, 0 to 1000
    #[arg(long, value_name = "KM,…", value_delimiter = ',', value_parser = distance,
          default_value = "0,10,25,50,75,100,200")]
    pub distances: Vec<f64>,
    /// The hardware to emulate [default: all presets]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = presets())]
    pub presets: Vec<Preset>,
    /// The clock to reach, Hz: a row is sought at this clock or the highest one below it
    #[arg(long, value_name = "HZ", default_value = "2.5e9", value_parser = clock())]
    pub clock_hz: f64,
    /// Length of the measurement of each row, 0.2 to 3600 s; the search before it takes some more
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds())]
    pub seconds: f64,
    /// Put both sides on one core, as if the other one were busy
    #[arg(long)]
    pub one_core: bool,
    /// Print the rows as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

impl LinkBenchArgs {
    /// Preset and distance of every row, in order.
    pub fn rows(&self) -> Vec<(Preset, f64)> {
        let presets = match self.presets.as_slice() {
            [] => Preset::ALL.as_slice(),
            chosen => chosen,
        };
        let mut rows = Vec::new();
        for &preset in presets {
            rows.extend(self.distances.iter().map(|&km| (preset, km)));
        }
        rows
    }
}

/// The options of `qkd bench eve`.
#[derive(Debug, Clone, Args)]
pub struct EveBenchArgs {
    /// The attacks [default: all that her service can do]
    #[arg(long, value_name = "SPEC,…", value_delimiter = ',', value_parser = EveAttack::read)]
    pub attacks: Vec<EveAttack>,
    /// Length of the fibre in km, 0 to 1000
    #[arg(long, value_name = "KM", default_value = "50", value_parser = distance)]
    pub distance: f64,
    /// The hardware to emulate
    #[arg(long, value_name = "NAME", default_value = "snspd", value_parser = presets())]
    pub preset: Preset,
    /// Length of the measurement of each row, 0.2 to 3600 s
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds())]
    pub seconds: f64,
    /// Print the rows as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Which side of the link a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideName {
    /// Sends.
    Alice,
    /// Receives.
    Bob,
}

/// The options of one side.
#[derive(Debug, Clone, Args)]
pub struct SideArgs {
    /// Which side it is
    #[arg(long, value_enum)]
    pub role: SideName,
    /// Where Bob listens; Alice only
    #[arg(long)]
    pub peer: Option<SocketAddr>,
    /// The hardware
    #[arg(long, value_parser = presets())]
    pub preset: Preset,
    /// Length of the fibre, km
    #[arg(long, value_parser = distance)]
    pub distance: f64,
    /// The clock, Hz
    #[arg(long, value_parser = clock())]
    pub clock_hz: f64,
    /// Length of the measurement, s
    #[arg(long, value_parser = seconds())]
    pub seconds: f64,
    /// The core to stay on
    #[arg(long)]
    pub core: Option<usize>,
}

impl SideArgs {
    /// The link at this clock. Times of the detectors stay what they are: they take more slots of a
    /// faster clock.
    pub fn parameters(&self) -> LinkParameters {
        let mut parameters = self.preset.parameters(self.distance);
        parameters.source.clock_hz = self.clock_hz;
        parameters
    }
}

fn clock() -> impl TypedValueParser<Value = f64> {
    within(1e3..=1e11, "a clock in Hz from 1e3 to 1e11, such as 1e9")
}

fn seconds() -> impl TypedValueParser<Value = f64> {
    within(0.2..=3600.0, "seconds from 0.2 to 3600, such as 10")
}

/// A number within `range`, which `expected` says in words.
pub(super) fn within(
    range: RangeInclusive<f64>,
    expected: &'static str,
) -> impl TypedValueParser<Value = f64> {
    parsed(expected, move |text| {
        text.parse().ok().filter(|number| range.contains(number))
    })
}

/// What `parse` makes of the text; `expected` says in words what it takes.
pub(super) fn parsed<T: Clone + Send + Sync + 'static>(
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    clap::builder::StringValueParser::new()
        .try_map(move |text| parse(&text).ok_or_else(|| format!("expected {expected}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn link(arguments: &[&str]) -> Result<LinkBenchArgs, String> {
        let all = ["qkd", "bench", "link"].iter().chain(arguments);
        match Cli::try_parse_from(all) {
            Ok(Cli {
                command:
                    Command::Bench {
                        command: BenchCommand::Link(args),
                    },
            }) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_options_every_preset_is_measured_at_every_distance() {
        let args = link(&[]).unwrap();
        assert_eq!(args.rows().len(), 7 * Preset::ALL.len());
        assert_eq!(args.rows()[3], (Preset::ALL[0], 50.0));
        assert_eq!((args.clock_hz, args.seconds), (2.5e9, 10.0));
        assert!(!args.json && !args.one_core);
        let args = link(&["--distances", "7,0", "--presets", "ingaas,snspd"]).unwrap();
        let (ingaas, snspd) = (Preset::Ingaas, Preset::Snspd);
        let expected = [(ingaas, 7.0), (ingaas, 0.0), (snspd, 7.0), (snspd, 0.0)];
        assert_eq!(args.rows(), expected);
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &[&str]); 5] = [
            (
                &["--presets", "snspd,apd"],
                &["apd", "snspd", "ingaas", "gys2004"],
            ),
            (&["--distances", "1,-1"], &["from 0 to 1000"]),
            (&["--clock-hz", "0"], &["from 1e3 to 1e11"]),
            (&["--seconds", "nan"], &["from 0.2 to 3600"]),
            (&["--presets", ""], &["snspd"]),
        ];
        for (arguments, words) in cases {
            let said = link(arguments).unwrap_err();
            for word in words {
                assert!(said.contains(word), "{arguments:?}: {said}");
            }
        }
    }

    #[test]
    fn dead_times_stay_and_take_more_slots_of_a_faster_clock() {
        let side = SideArgs {
            role: SideName::Bob,
            peer: None,
            preset: Preset::Snspd,
            distance: 50.0,
            clock_hz: 2.5e9,
            seconds: 1.0,
            core: None,
        };
        let model = side.parameters().link_model().unwrap();
        assert_eq!(model.dead_time_slots, 75);
    }
}
