//! Which calls are to be measured, with how many keys in store and by how many clients.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use qkd_node::bench::delivery as node;
use serde::{Deserialize, Serialize};

use crate::bench::args::{parsed, within};

pub const EXAMPLES: &str = "\
Examples:
  qkd bench delivery                                all rows: about ten minutes
  qkd bench delivery --api etsi014 --call enc_keys --concurrency 16
                                                    fresh keys, from 1,000 to 1,000,000 in store
  qkd bench delivery --stored-keys 1e5 --folder /var/lib/qkd-bench
                                                    on the disk that matters
  qkd bench delivery --races 100000 --stored-keys 1e4
                                                    who else is given a key that was given?
  qkd bench delivery --json > delivery.json

Exit status: 0 all rows measured, 1 a fault (its cause is printed), also when a key was given twice or
differs between the two sides, 64 wrong usage, 130 interrupted by Ctrl-C (143: by SIGTERM); the rows so
far are printed then.";

/// What applications speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiName {
    /// ETSI GS QKD 014 over HTTP/1.1
    Etsi014,
    /// qkd.delivery.v1
    Grpc,
}

impl ApiName {
    const ALL: [ApiName; 2] = [ApiName::Etsi014, ApiName::Grpc];

    /// As in the table, the JSON, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ApiName::Etsi014 => "etsi014",
            ApiName::Grpc => "grpc",
        }
    }
}

impl From<ApiName> for node::Api {
    fn from(name: ApiName) -> Self {
        match name {
            ApiName::Etsi014 => node::Api::Etsi014,
            ApiName::Grpc => node::Api::Grpc,
        }
    }
}

/// What applications ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum CallName {
    /// What the pool holds
    Status,
    /// A fresh key, at Alice's node
    EncKeys,
    /// A key that was given there, at Bob's node
    DecKeys,
    /// Both, one after the other
    Pair,
}

impl CallName {
    const ALL: [CallName; 4] = [
        CallName::Status,
        CallName::EncKeys,
        CallName::DecKeys,
        CallName::Pair,
    ];

    /// As in the table, the JSON, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            CallName::Status => "status",
            CallName::EncKeys => "enc_keys",
            CallName::DecKeys => "dec_keys",
            CallName::Pair => "pair",
        }
    }
}

impl From<CallName> for node::Call {
    fn from(name: CallName) -> Self {
        match name {
            CallName::Status => node::Call::Status,
            CallName::EncKeys => node::Call::EncKeys,
            CallName::DecKeys => node::Call::DecKeys,
            CallName::Pair => node::Call::Pair,
        }
    }
}

/// The options of `qkd bench delivery`.
#[derive(Debug, Clone, Args)]
pub struct DeliveryBenchArgs {
    /// What applications speak [default: both]
    #[arg(long, value_name = "API,…", value_delimiter = ',', value_enum)]
    pub api: Vec<ApiName>,
    /// What they ask for [default: all]
    #[arg(long, value_name = "CALL,…", value_delimiter = ',', value_enum)]
    pub call: Vec<CallName>,
    /// Keys of 256 bits in store: so many for each direction, and so many more that wait for the
    /// application at Bob's node; 1 to 5000000, such as 1000 or 1e6
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = stored_keys(),
          default_value = "1e3,1e4,1e5,1e6")]
    pub stored_keys: Vec<u64>,
    /// Connections, on each of which there is one call at a time, 1 to 120
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,16,64",
          value_parser = clap::value_parser!(u16).range(1..=120))]
    pub concurrency: Vec<u16>,
    /// Length of the measurement of each row, 0.05 to 3600 s
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds())]
    pub seconds: f64,
    /// Also have so many keys raced for, half of them in each direction, 0 to 10000000
    #[arg(long, value_name = "N", default_value = "0",
          value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub races: u64,
    /// Connections that want the same key at the same moment, 2 to 120
    #[arg(long, value_name = "N", default_value = "16",
          value_parser = clap::value_parser!(u16).range(2..=120))]
    pub racers: u16,
    /// Where the key stores are: on the disk to be measured [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Print the rows as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What is spoken.
    pub api: ApiName,
    /// What is asked for.
    pub call: CallName,
    /// Connections.
    pub concurrency: usize,
    /// Length of the measurement, s.
    pub seconds: f64,
}

impl Case {
    /// What is being measured, in a few words.
    pub fn line(&self) -> String {
        let (api, call) = (self.api.name(), self.call.name());
        format!("{api} {call}, {} clients", self.concurrency)
    }
}

impl DeliveryBenchArgs {
    /// The rows for each number of stored keys, in order.
    pub fn cases(&self) -> Vec<Case> {
        let calls = or_all(&self.call, &CallName::ALL);
        let mut cases = Vec::new();
        for &api in self.apis() {
            for &call in calls {
                cases.extend(self.concurrency.iter().map(|&concurrency| Case {
                    api,
                    call,
                    concurrency: usize::from(concurrency),
                    seconds: self.seconds,
                }));
            }
        }
        cases
    }

    /// What is spoken, in order.
    pub fn apis(&self) -> &[ApiName] {
        or_all(&self.api, &ApiName::ALL)
    }
}

fn or_all<'a, T>(chosen: &'a [T], all: &'a [T]) -> &'a [T] {
    match chosen {
        [] => all,
        chosen => chosen,
    }
}

fn stored_keys() -> impl TypedValueParser<Value = u64> {
    parsed(
        "a whole number of keys from 1 to 5000000, such as 1e6",
        |text| {
            let keys = text.replace('_', "").parse::<f64>().ok()?;
            let fits = (1.0..=5e6).contains(&keys) && keys.fract() == 0.0;
            // Whole and far below 2^53: exact.
            fits.then_some(keys as u64)
        },
    )
}

fn seconds() -> impl TypedValueParser<Value = f64> {
    within(0.05..=3600.0, "seconds from 0.05 to 3600, such as 5")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::bench::BenchCommand;
    use crate::cli::{Cli, Command};

    fn delivery(arguments: &[&str]) -> Result<DeliveryBenchArgs, String> {
        let all = ["qkd", "bench", "delivery"].iter().chain(arguments);
        match Cli::try_parse_from(all) {
            Ok(Cli {
                command:
                    Command::Bench {
                        command: BenchCommand::Delivery(args),
                    },
            }) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_options_every_call_is_measured_over_both_standards() {
        let args = delivery(&[]).unwrap();
        assert_eq!(args.cases().len(), 2 * 4 * 3);
        assert_eq!(args.stored_keys, [1000, 10_000, 100_000, 1_000_000]);
        assert_eq!(args.cases()[4].line(), "etsi014 enc_keys, 16 clients");
        let args = delivery(&[
            "--api",
            "grpc",
            "--call",
            "pair,dec_keys",
            "--concurrency",
            "3",
        ]);
        let lines: Vec<String> = args.unwrap().cases().iter().map(Case::line).collect();
        assert_eq!(lines, ["grpc pair, 3 clients", "grpc dec_keys, 3 clients"]);
        assert!(
            CallName::ALL
                .iter()
                .all(|call| { call.to_possible_value().unwrap().get_name() == call.name() })
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&["--api", "rest"], &["rest", "etsi014", "grpc"]),
            (&["--call", "get"], &["'get'", "enc_keys", "pair"]),
            (&["--stored-keys", "0"], &["'0'", "from 1 to 5000000"]),
            (&["--stored-keys", "1e7"], &["1e7", "such as 1e6"]),
            (&["--concurrency", "121"], &["121", "1..=120"]),
            (&["--seconds", "nan"], &["from 0.05 to 3600"]),
            (&["--racers", "1"], &["2..=120"]),
        ];
        for (arguments, words) in cases {
            let said = delivery(arguments).unwrap_err();
            for word in words {
                assert!(said.contains(word), "{arguments:?}: {said}");
            }
        }
    }
}
