//! The command line as people type it.

mod eve_attack;
mod help;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{ArgPredicate, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use qkd_node::config::HostPort;
use qkd_node::presets::Preset;

pub use self::eve_attack::EveAttack;
pub use self::help::command;
use crate::attack::AttackCommand;
use crate::audit::AuditArgs;
use crate::bench::BenchCommand;
use crate::completions::CompletionsArgs;
use crate::key::KeyCommand;
use crate::mail::{ReceiveArgs, SendArgs};
use crate::man::ManArgs;
use crate::pki::PkiArgs;
use crate::plan::PlanArgs;
use crate::status::StatusArgs;
use crate::store::StoreCommand;

const EXAMPLES: &str = "\
Examples:
  qkd lab                              see the whole chain happen, from photons to a message
  qkd lab --distance 50 --blocks 5     over more fibre, for longer
  qkd lab --eve intercept-resend       and somebody listens in: no key comes out
  qkd lab --tour                       every attack of the literature, one after the other
  qkd bob --config bob.toml            run one end of a link as a service
  qkd plan --preset snspd              what such a link gives, from 0 to 250 km
  qkd status --watch                   see what your node is doing
  qkd key get sae-bob                  a key that you and the application sae-bob share

Exit status: 0 success, 1 a fault (its cause is printed), 64 wrong usage.
'qkd lab --help' lists those of the laboratory.";

const LAB_EXAMPLES: &str = "\
Examples:
  qkd lab
  qkd lab --distance 100 --blocks 1 --preset ingaas
  qkd lab --eve intercept-resend:0.1        Eve measures and resends a tenth of the pulses
  qkd lab --eve photon-number-splitting     from Alice's door, with a lossless line to Bob
  qkd lab --tour                            every attack, one after the other, in a minute or so
  qkd lab --tour --pace enter               the same, for a class
  qkd lab --json > report.json              one JSON object, for scripts
  qkd lab --keep /tmp/lab                   look at configurations, certificates and logs later
  qkd lab --serve                           stay up, and print where clients can connect

What --keep leaves in DIR:
  alice.toml bob.toml eve.toml    configurations, good for 'qkd bob --config DIR/bob.toml' too
  pki/                            certificates and private keys of nodes and applications
  alice-data/ bob-data/           the key stores
  alice.log bob.log eve.log       what the services said
  sae-alice.toml sae-bob.toml     profiles of the applications, for 'qkd key get --client FILE'
  operator.toml operator-bob.toml
    operator-eve.toml             profiles for 'qkd status --client FILE': Alice's, Bob's, Eve's
  report.json                     what --json prints

Exit status:
  0    keys agreed and the message arrived
  1    a fault; its cause is printed
  2    every block was aborted; the report says why
  64   wrong usage
  130  interrupted by Ctrl-C before the report was complete (143: by SIGTERM)
With --serve, Ctrl-C after the report is the normal end and gives 0 or 2. With --tour, 0: every attack
ended as 'qkd attack list' says; 2: one did not.";

/// Quantum key distribution with real sockets and emulated photons.
///
/// Alice sends light, Bob detects it, Eve may sit in the fibre between them. From what Bob detects
/// both ends distil the same secret keys, or notice that somebody listened in. Applications fetch
/// the keys over gRPC.
#[derive(Debug, Parser)]
#[command(name = "qkd", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run Alice, who sends light and keeps one end of the keys
    Alice(AliceArgs),
    /// Run Bob, who detects light and keeps the other end of the keys
    Bob(DaemonArgs),
    /// Run Eve, who sits in the fibre between them
    Eve(DaemonArgs),
    /// Try everything on this machine: no preparation needed
    ///
    /// Makes throw-away certificates and pre-shared keys, starts Alice and Bob (and Eve, if asked)
    /// as separate processes on loopback, distils decoy-state BB84 keys, sends one message that is
    /// encrypted under such a key from Alice to Bob, prints a report and stops everything.
    #[command(after_help = LAB_EXAMPLES)]
    Lab(LabArgs),
    /// Say what a link would give: secret key rate against distance or loss
    ///
    /// Reads source, channel, detector, protocol and security from a configuration, that of a running
    /// link too, and applies a key-length theorem to the counts that such a link is expected to show.
    /// Nothing is sent and nothing is measured.
    Plan(PlanArgs),
    /// Measure how fast this machine is
    #[command(arg_required_else_help = true)]
    Bench {
        /// What to measure.
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Make, renew, revoke and list the certificates of a laboratory
    Pki(PkiArgs),
    /// Show what a node is doing: link, blocks, error rate, keys in store
    Status(StatusArgs),
    /// Steer a running Eve: list, start and stop attacks
    #[command(arg_required_else_help = true)]
    Attack {
        /// What she is to do.
        #[command(subcommand)]
        command: AttackCommand,
    },
    /// Check the key store of a stopped node, and bring it out of quarantine
    #[command(arg_required_else_help = true)]
    Store {
        /// What to do with the store.
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Show and verify the log of who was given keys and who was refused
    Audit(AuditArgs),
    /// Get, fetch and count keys, as an application
    #[command(arg_required_else_help = true)]
    Key {
        /// What to do with keys.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Send a text or a file of any size to an application at the other end
    ///
    /// It is sealed here with AES-256-GCM under keys that only the two applications have, one key
    /// after another, and relayed by the nodes as ciphertext.
    Send(SendArgs),
    /// Receive texts and files from applications at the other end
    ///
    /// Every message is opened once and in order: what is forged, replayed or missing is told.
    Receive(ReceiveArgs),
    /// Print a script that completes qkd's commands in a shell
    Completions(CompletionsArgs),
    /// Print the manual page of qkd, or write the pages of all commands
    Man(ManArgs),
}

/// The options of Alice.
#[derive(Debug, Clone, Args)]
pub struct AliceArgs {
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// Where the fibre leads, HOST:PORT: Bob, or Eve when she is in it. Replaces quantum.peer; an
    /// empty value does not
    #[arg(long, value_name = "HOST:PORT", env = "QKD_FIBRE", value_parser = fibre,
          default_value = "", hide_default_value = true)]
    pub fibre: Fibre,
}

/// Where the fibre leads, when the configuration is not to say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fibre(pub Option<HostPort>);

/// The options of a service.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
When every socket is open, one JSON line with the addresses goes to standard output; logs go to
standard error. SIGINT (Ctrl-C) or SIGTERM stops the service cleanly.

Exit status: 0 stopped as asked, 1 a fault (its cause is printed), 64 wrong usage.")]
pub struct DaemonArgs {
    /// The TOML file that configures this service
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The form of log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    #[command(flatten)]
    pub log: LogLevelArgs,
    /// Stop when standard input ends, as it does when the parent process dies
    #[arg(long)]
    pub exit_with_parent: bool,
}

/// How much is logged.
#[derive(Debug, Clone, Args)]
pub struct LogLevelArgs {
    /// How much to log: error, warn, info, debug, trace, or directives for single parts such as
    /// "info,qkd_session=debug" [default: what RUST_LOG says, or else info]
    #[arg(long, value_name = "LEVEL", value_parser = log_level)]
    pub log_level: Option<String>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

/// The options of the laboratory.
#[derive(Debug, Clone, Args)]
pub struct LabArgs {
    /// Length of the fibre from Alice to Bob in km, 0 to 1000
    #[arg(long, value_name = "KM", default_value_t = 25.0, value_parser = distance,
          allow_negative_numbers = true)]
    pub distance: f64,
    /// Blocks to attempt; each is accepted or aborted as a whole. With --tour one for each attack
    /// when not said
    #[arg(long, value_name = "N", default_value_t = 3,
          default_value_if("tour", ArgPredicate::IsPresent, "1"),
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub blocks: u64,
    /// The hardware to emulate: superconducting nanowires or InGaAs avalanche photodiodes at 1 GHz,
    /// or a published system: Gobby, Yuan and Shields (2004, 2 MHz), Lucamarini et al. (2013, 1 GHz
    /// InGaAs), the satellite Micius (2017, the distance is that to the satellite), Boaron et al.
    /// (2018, 2.5 GHz, nanowires, 421 km)
    #[arg(long, value_name = "NAME", default_value = "snspd", value_parser = presets())]
    pub preset: Preset,
    #[arg(long, value_name = "NAME[:PARAMETERS]", value_parser = EveAttack::read,
          help = eve_attack::help())]
    pub eve: Option<EveAttack>,
    /// Sifted key-basis bits per block, 1000 to 20000000, in place of the preset's; below about
    /// 150000 no key can be proven secret
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u64).range(1_000..=20_000_000))]
    pub block_bits: Option<u64>,
    /// Make all randomness from this number, so that a demonstration can be repeated. Everybody
    /// who knows the number knows the keys
    #[arg(long, value_name = "S", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Keep configurations, certificates, key stores and logs in this folder, which must be new or
    /// empty; without it they go to a temporary folder that is removed
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Put Eve into the fibre and walk through her attacks, one after the other, on hardware that is
    /// sound, weak and watched: what each does, what Alice and Bob see of it, what she gets, and how it
    /// ends. --blocks is then that of each attack
    #[arg(long, conflicts_with_all = ["eve", "serve"])]
    pub tour: bool,
    /// With --tour, how long each attack stays: "enter", until that key is pressed, or at least so
    /// many seconds, 0 to 3600
    #[arg(long, value_name = "S|enter", default_value = "2", value_parser = Pace::read,
          requires = "tour")]
    pub pace: Pace,
    /// Stay up until Ctrl-C; the first line on standard output is a JSON object with every address,
    /// certificate and key file that a client needs, the report goes to standard error
    #[arg(long)]
    pub serve: bool,
    /// Print the report as one JSON object on standard output; with --tour one for each attack, on
    /// a line of its own
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub log: LogLevelArgs,
}

/// How long each attack of a tour stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Until somebody presses Enter.
    Enter,
    /// For at least so long.
    AtLeast(Duration),
}

impl Pace {
    fn read(text: &str) -> Result<Self, String> {
        if text == "enter" {
            return Ok(Pace::Enter);
        }
        let seconds = text.parse::<f64>().ok();
        let fitting = seconds.filter(|seconds| (0.0..=3600.0).contains(seconds));
        let pace = fitting.map(|seconds| Pace::AtLeast(Duration::from_secs_f64(seconds)));
        pace.ok_or_else(|| "expected \"enter\" or seconds from 0 to 3600, such as 2".to_owned())
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A lone word has to be a level; directives are judged by the service that follows them.
fn log_level(text: &str) -> Result<String, String> {
    if LEVELS.contains(&text) || text.contains(['=', ',']) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "there is no such level, known are: {}",
            LEVELS.join(", ")
        ))
    }
}

/// Whoever starts containers writes an empty variable for one that is not set.
fn fibre(text: &str) -> Result<Fibre, String> {
    if text.is_empty() {
        return Ok(Fibre(None));
    }
    match text.parse::<HostPort>() {
        Ok(address) if address.port > 0 => Ok(Fibre(Some(address))),
        Ok(_) | Err(_) => Err("expected HOST:PORT with a port from 1, such as eve:7103".to_owned()),
    }
}

/// A length of fibre, km.
pub fn distance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(km) if (0.0..=1000.0).contains(&km) => Ok(km),
        Ok(_) | Err(_) => Err("expected a length in km from 0 to 1000, such as 25".to_owned()),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse();
    seed.map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// A preset by its name.
pub fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name)).try_map(|name| {
        Preset::from_name(&name).ok_or_else(|| format!("there is no preset {name:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn lab(arguments: &[&str]) -> Result<LabArgs, String> {
        let all = ["qkd", "lab"].iter().chain(arguments);
        match Cli::try_parse_from(all) {
            Ok(Cli {
                command: Command::Lab(args),
            }) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_manual_has_a_column_for_every_preset() {
        let page = include_str!("../manual/presets.md");
        let names = page.lines().find(|line| line.starts_with("| | ")).unwrap();
        let columns: Vec<&str> = names.split('|').map(str::trim).skip(2).collect();
        let expected = Preset::ALL.map(|preset| format!("`{}`", preset.name()));
        assert_eq!(columns[..columns.len() - 1], expected);
    }

    #[test]
    fn the_laboratory_needs_no_option() {
        let args = lab(&[]).unwrap();
        assert_eq!((args.distance, args.blocks), (25.0, 3));
        assert_eq!((args.preset, args.eve), (Preset::Snspd, None));
        assert_eq!((args.seed, args.keep, args.block_bits), (None, None, None));
        assert!(!args.serve && !args.json);
        assert_eq!(args.log.log_level, None);
    }

    #[test]
    fn the_fibre_leads_where_alice_is_told_and_an_empty_value_tells_nothing() {
        let alice = |fibre: &str| {
            let arguments = ["qkd", "alice", "--config", "alice.toml", "--fibre", fibre];
            match Cli::try_parse_from(arguments) {
                Ok(Cli {
                    command: Command::Alice(args),
                }) => Ok(args.fibre.0),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        assert_eq!(alice("eve:7103"), Ok(Some(HostPort::new("eve", 7103))));
        assert_eq!(alice(""), Ok(None));
        for wrong in ["eve", "eve:0", "udp://eve:1"] {
            let said = alice(wrong).unwrap_err();
            assert!(said.contains("such as eve:7103"), "{said}");
        }
    }

    #[test]
    fn an_attack_is_a_name_with_optional_parameters() {
        for (text, parameters, fraction) in [
            ("intercept-resend", None, Some(1.0)),
            ("intercept-resend:0.1", Some("0.1"), Some(0.1)),
            ("intercept-resend:basis=z", Some("basis=z"), Some(1.0)),
            (
                "intercept-resend:basis=z,fraction=0.5",
                Some("basis=z,fraction=0.5"),
                Some(0.5),
            ),
            ("passive", None, Some(0.0)),
            ("time-shift", None, None),
        ] {
            let eve = lab(&["--eve", text]).unwrap().eve.unwrap();
            assert_eq!(Some(eve.name()), text.split(':').next());
            assert_eq!((eve.parameters(), eve.fraction()), (parameters, fraction));
            assert_eq!(eve.spec(), text);
        }
    }

    #[test]
    fn the_help_of_the_laboratory_and_the_manual_name_every_attack() {
        let help = lab(&["--help"]).unwrap_err();
        let page = include_str!("../manual/attacks.md");
        for name in qkd_attacks::KNOWN {
            let words = help.split(|c: char| !(c.is_alphanumeric() || c == '-'));
            assert!(words.into_iter().any(|word| word == name), "{name}: {help}");
        }
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = words(page);
        for name in qkd_attacks::KNOWN {
            let about = qkd_attacks::about(name).expect("it is known");
            let lesson = format!("**{name}**: {}", words(about.lesson));
            assert!(plain.contains(&lesson), "not in attacks.md: {lesson}");
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
            for parameter in qkd_attacks::parameters_of(name).unwrap_or_default() {
                assert!(
                    page.contains(&format!("`{parameter}`")),
                    "{name}:{parameter}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &[&str]); 11] = [
            (
                &["--preset", "snspf"],
                &[
                    "--preset",
                    "snspd",
                    "gys2004",
                    "lucamarini2013",
                    "boaron2018",
                ],
            ),
            (
                &["--eve", "listen"],
                &["--eve", "passive", "intercept-resend"],
            ),
            (&["--eve", "intercept-resend:2"], &["from 0 to 1"]),
            (&["--distance", "-1"], &["from 0 to 1000"]),
            (&["--distance", "nan"], &["from 0 to 1000"]),
            (&["--blocks", "0"], &["1..=1000000"]),
            (&["--block-bits", "10"], &["1000..="]),
            (&["--log-level", "loud"], &["error, warn, info"]),
            (&["--seed", "x"], &["--seed", "whole number"]),
            (&["--seed", "-3"], &["--seed", "from 0 to"]),
            (&["--sede", "1"], &["--seed"]),
        ];
        for (arguments, words) in cases {
            let said = lab(arguments).unwrap_err();
            for word in words {
                assert!(said.contains(word), "{arguments:?}: {said}");
            }
        }
    }
}
