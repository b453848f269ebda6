//! Which stages are to be measured, at which error rates and sizes, and for how long.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use qkd_auth::Authentication;
use qkd_distill::KEY_BITS_MAX;
use serde::Serialize;

use super::pipeline::Setting;
use crate::bench::args::{parsed, within};
use crate::plan::list;
use crate::words::{grouped, percent};

pub const EXAMPLES: &str = "\
Examples:
  qkd bench distill                                 all stages: two to four minutes
  qkd bench distill --stages cascade --qber 1%,3%   error correction at two error rates
  qkd bench distill --stages cascade --qber 1% --block-bits 65536 --blocks 10000
                                                    how often it fails
  qkd bench distill --stages amplify --block-bits 1e6,1e7 --ratio 0.25
  qkd bench distill --stages amplify --block-bits 1e6 --peer
                                                    beside cryptomite, in turns
  qkd bench distill --stages pipeline --qber 1% --round-trip-ms 0,1,10,100
                                                    all of it, over a long way
  qkd bench distill --json > distill.json

Exit status: 0 all rows measured, 1 a fault (its cause is printed), 64 wrong usage, 130 interrupted by
Ctrl-C (143: by SIGTERM); the rows so far are printed then.";

/// The steps that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Error correction, each role on its own
    Cascade,
    /// The tag that both sides compare
    Verify,
    /// Privacy amplification
    Amplify,
    /// Sealing and opening the envelopes of the classical channel
    Authenticate,
    /// All of it between two processes, from detections to keys in both stores
    Pipeline,
}

impl Stage {
    const ALL: [Stage; 5] = [
        Stage::Cascade,
        Stage::Verify,
        Stage::Amplify,
        Stage::Authenticate,
        Stage::Pipeline,
    ];

    /// As in the table, the JSON, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Cascade => "cascade",
            Stage::Verify => "verify",
            Stage::Amplify => "amplify",
            Stage::Authenticate => "authenticate",
            Stage::Pipeline => "pipeline",
        }
    }

    /// Sizes that are measured when none is asked for: blocks of the key, or messages.
    fn block_bits(self) -> &'static [usize] {
        match self {
            Stage::Cascade => &[1 << 16, 1 << 18, 1 << 20],
            Stage::Verify | Stage::Amplify => {
                &[10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
            }
            Stage::Authenticate => &[8_000, 80_000, 800_000, 8_000_000],
            Stage::Pipeline => &[1_000_000],
        }
    }

    /// Whether what it costs depends on the error rate.
    pub fn sees_errors(self) -> bool {
        match self {
            Stage::Cascade | Stage::Pipeline => true,
            Stage::Verify | Stage::Amplify | Stage::Authenticate => false,
        }
    }
}

/// The options of `qkd bench distill`.
#[derive(Debug, Clone, Args)]
pub struct DistillBenchArgs {
    /// What to measure [default: all stages]
    #[arg(long, value_name = "STAGE,…", value_delimiter = ',', value_enum)]
    pub stages: Vec<Stage>,
    /// Error rates of the sifted key for `cascade` and `pipeline`: 0.0001 to 0.25, or in per cent with a % sign
    #[arg(long, value_name = "RATE,…", value_delimiter = ',', value_parser = qber(),
          default_value = "0.5%,1%,2%,3%,5%,8%,11%")]
    pub qber: Vec<f64>,
    /// Bits of a block, or of a message to authenticate, 1000 to 268435456, such as 65536 or
    /// 1e5,1e6 [default: several sizes that depend on the stage]
    #[arg(long, value_name = "BITS,…", value_delimiter = ',', value_parser = block_bits())]
    pub block_bits: Vec<usize>,
    /// Length of the measurement of each row, 0.01 to 3600 s; three batches of blocks at least. Rows of
    /// `pipeline` end at 1 GiB of keys
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds(),
          conflicts_with = "blocks")]
    pub seconds: f64,
    /// Blocks of each row, in place of a time: 1 to 1000000000; fewer where `pipeline` has made 1 GiB
    /// of keys
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub blocks: Option<u64>,
    /// Output over input of `amplify`, 0.001 to 0.999
    #[arg(long, value_name = "RATIO", default_value = "0.5", value_parser = ratio())]
    pub ratio: f64,
    /// Cores that the two processes of `pipeline` share, 1 to 1024, as far as there are so many
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: Vec<u16>,
    /// Delay that `pipeline` adds to a message and its answer, 0 to 10000 ms
    #[arg(long, value_name = "MS,…", value_delimiter = ',', default_value = "0",
          value_parser = round_trip())]
    pub round_trip_ms: Vec<f64>,
    /// Blocks between announcement and key in `pipeline`, 1 to 4096 [default: 8 to 32, the
    /// fewer the larger a block is, and more for a round trip, as far as memory goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub blocks_in_flight: Option<u16>,
    /// How `pipeline` tags its envelopes; `authenticate` has a row for each way
    #[arg(long, value_name = "NAME", default_value = Authentication::HmacSha256.name(),
          value_parser = authentication())]
    pub authentication: Authentication,
    /// What keys, errors and seeds are drawn from: the same number gives the same blocks
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Also time privacy amplification by cryptomite of PyPI, in turns with ours, where `python3`
    /// has it
    #[arg(long)]
    pub peer: bool,
    /// Print the rows as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// How many blocks are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// So many.
    Blocks(u64),
    /// As many as there are within so many seconds of wall-clock time.
    Seconds(f64),
}

/// One stage at one size and, where it matters, one error rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What is measured.
    pub stage: Stage,
    /// Bits of a block.
    pub block_bits: usize,
    /// The error rate; 0 where it does not matter.
    pub qber: f64,
    /// Output over input of privacy amplification.
    pub ratio: f64,
    /// How long.
    pub effort: Effort,
    /// What the blocks are drawn from.
    pub seed: u64,
}

impl Case {
    /// What is being measured, in a few words.
    pub fn line(&self) -> String {
        let bits = grouped(self.block_bits as u64);
        match self.stage.sees_errors() {
            true => format!("{} {} {bits} bits", self.stage.name(), percent(self.qber)),
            false => format!("{} {bits} bits", self.stage.name()),
        }
    }
}

impl DistillBenchArgs {
    fn stages(&self) -> &[Stage] {
        match self.stages.as_slice() {
            [] => &Stage::ALL,
            chosen => chosen,
        }
    }

    /// What is to be measured of the whole pipeline, in order.
    pub fn pipelines(&self) -> Vec<Setting> {
        let (seconds, blocks_min) = match self.effort() {
            Effort::Blocks(blocks) => (0.0, blocks),
            Effort::Seconds(seconds) => (seconds, 1),
        };
        let mut settings = Vec::new();
        if !self.stages().contains(&Stage::Pipeline) {
            return settings;
        }
        for &qber in &self.qber {
            for &block_bits in self.sizes(Stage::Pipeline) {
                for &round_trip_ms in &self.round_trip_ms {
                    settings.extend(self.cores.iter().map(|&cores| Setting {
                        qber,
                        block_bits: block_bits as u64,
                        seconds,
                        blocks_min,
                        cores: usize::from(cores),
                        round_trip_ms,
                        blocks_in_flight: self.blocks_in_flight.map(usize::from),
                        authentication: self.authentication,
                    }));
                }
            }
        }
        settings
    }

    /// Every single stage that is to be measured, in order.
    pub fn cases(&self) -> Vec<Case> {
        let alone = |stage: &&Stage| **stage != Stage::Pipeline;
        let mut cases = Vec::new();
        for &stage in self.stages().iter().filter(alone) {
            let rates = match stage.sees_errors() {
                true => self.qber.as_slice(),
                false => &[0.0],
            };
            for &qber in rates {
                for &block_bits in self.sizes(stage) {
                    cases.push(Case {
                        stage,
                        block_bits,
                        qber,
                        ratio: self.ratio,
                        effort: self.effort(),
                        seed: self.seed,
                    });
                }
            }
        }
        cases
    }

    /// Sizes for the comparison: those of `amplify` that the peer can take.
    pub fn peer_block_bits(&self) -> Vec<usize> {
        let sizes = self.sizes(Stage::Amplify).iter().copied();
        sizes.filter(|&bits| bits <= PEER_BITS_MAX).collect()
    }

    fn sizes(&self, stage: Stage) -> &[usize] {
        match self.block_bits.as_slice() {
            [] => stage.block_bits(),
            chosen => chosen,
        }
    }

    fn effort(&self) -> Effort {
        self.blocks
            .map_or(Effort::Seconds(self.seconds), Effort::Blocks)
    }
}

/// Longest block that the peer is given: it takes about 250 bytes of memory for each bit.
pub const PEER_BITS_MAX: usize = 1 << 22;

const BLOCK_BITS_MIN: usize = 1000;

fn qber() -> impl TypedValueParser<Value = f64> {
    let expected = "a rate from 0.0001 to 0.25, such as 0.01 or 1%";
    parsed(expected, |text| {
        let rate = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse::<f64>().ok()? / 100.0,
            None => text.parse().ok()?,
        };
        (1e-4..=0.25).contains(&rate).then_some(rate)
    })
}

fn block_bits() -> impl TypedValueParser<Value = usize> {
    let expected = "a whole number of bits from 1000 to 268435456, such as 65536 or 1e6";
    parsed(expected, |text| {
        let bits = usize::try_from(list::block_bits(text).ok()?).ok()?;
        (BLOCK_BITS_MIN..=KEY_BITS_MAX)
            .contains(&bits)
            .then_some(bits)
    })
}

/// One of the names that a configuration knows.
pub fn authentication() -> impl TypedValueParser<Value = Authentication> {
    PossibleValuesParser::new(Authentication::NAMES)
        .try_map(|name| Authentication::from_name(&name).ok_or("no such name"))
}

fn seconds() -> impl TypedValueParser<Value = f64> {
    within(0.01..=3600.0, "seconds from 0.01 to 3600, such as 2")
}

fn round_trip() -> impl TypedValueParser<Value = f64> {
    within(0.0..=10_000.0, "milliseconds from 0 to 10000, such as 10")
}

fn ratio() -> impl TypedValueParser<Value = f64> {
    within(0.001..=0.999, "a ratio from 0.001 to 0.999, such as 0.5")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::bench::BenchCommand;
    use crate::cli::{Cli, Command};

    fn distill(arguments: &[&str]) -> Result<DistillBenchArgs, String> {
        let all = ["qkd", "bench", "distill"].iter().chain(arguments);
        match Cli::try_parse_from(all) {
            Ok(Cli {
                command:
                    Command::Bench {
                        command: BenchCommand::Distill(args),
                    },
            }) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_options_every_stage_is_measured_at_its_own_sizes() {
        let args = distill(&[]).unwrap();
        let cases = args.cases();
        let of = |stage: Stage| cases.iter().filter(|case| case.stage == stage).count();
        assert_eq!(Stage::ALL.map(of), [7 * 3, 5, 5, 4, 0]);
        assert_eq!(args.pipelines().len(), 7 * 2);
        assert_eq!(cases[0].line(), "cascade 0.50 % 65,536 bits");
        assert_eq!(cases[0].effort, Effort::Seconds(2.0));
        assert_eq!(args.peer_block_bits(), [10_000, 100_000, 1_000_000]);
        let args = distill(&["--stages", "verify,cascade", "--qber", "0.02,3%"]).unwrap();
        let rates: Vec<f64> = args.cases().iter().map(|case| case.qber).collect();
        assert_eq!(rates[5..], [0.02, 0.02, 0.02, 0.03, 0.03, 0.03]);
        assert!(Stage::ALL.iter().all(|stage| {
            let value = stage.to_possible_value().unwrap();
            value.get_name() == stage.name()
        }));
    }

    #[test]
    fn a_size_that_is_asked_for_is_one_for_all_stages() {
        let args = distill(&["--block-bits", "1e5,1_000_000"]).unwrap();
        assert_eq!(args.block_bits, [100_000, 1_000_000]);
        let args = distill(&["--block-bits", "1e6", "--qber", "1%", "--blocks", "3"]).unwrap();
        let cases = args.cases();
        assert_eq!(cases.len(), Stage::ALL.len() - 1);
        let whole = args.pipelines();
        let sizes = |setting: &Setting| (setting.block_bits, setting.blocks_min);
        assert!(whole.len() == 2 && whole.iter().all(|one| sizes(one) == (1_000_000, 3)));
        let fits = |case: &Case| case.block_bits == 1_000_000 && case.effort == Effort::Blocks(3);
        assert!(cases.iter().all(fits));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &[&str]); 11] = [
            (
                &["--stages", "cascade,sift"],
                &["sift", "cascade", "authenticate"],
            ),
            (&["--qber", "1"], &["'1'", "from 0.0001 to 0.25", "1%"]),
            (&["--qber", "30%"], &["30%", "from 0.0001 to 0.25"]),
            (&["--qber", "nan"], &["nan", "from 0.0001 to 0.25"]),
            (&["--block-bits", "999"], &["999", "from 1000 to 268435456"]),
            (&["--block-bits", "1e6,1.5"], &["1.5", "or 1e6"]),
            (&["--block-bits", "1e9"], &["1e9", "from 1000 to 268435456"]),
            (&["--seconds", "0"], &["from 0.01 to 3600"]),
            (
                &["--authentication", "hmac"],
                &["'hmac'", "hmac-sha-256", "polyval-hmac-sha-256"],
            ),
            (&["--ratio", "1"], &["from 0.001 to 0.999"]),
            (&["--blocks", "5", "--seconds", "1"], &["cannot be used"]),
        ];
        for (arguments, words) in cases {
            let said = distill(arguments).unwrap_err();
            for word in words {
                assert!(said.contains(word), "{arguments:?}: {said}");
            }
        }
    }
}
