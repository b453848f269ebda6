//! The commands that talk to a node, as people and scripts call them.

mod attack;
mod faults;
mod keys;
mod shell;
mod status;

use serde_json::Value;

use crate::process::{PATIENCE, Running};

/// What a command answered.
struct Answer {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    /// Its standard output, of a command that succeeded without a word on standard error.
    fn good(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    /// The one JSON object it printed.
    fn json(self) -> Value {
        let text = self.good();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The one line on standard error of a command that failed and printed nothing else.
    fn fault(self) -> String {
        assert_eq!(
            (self.status, self.stdout.as_str()),
            (Some(1), ""),
            "{}",
            self.stderr
        );
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.stderr
    }
}

/// Runs `qkd` to its end.
fn qkd(arguments: &[&str]) -> Answer {
    let mut qkd = Running::start(arguments);
    let status = qkd.end_within(PATIENCE).code();
    Answer {
        status,
        stdout: qkd.stdout(),
        stderr: qkd.stderr(),
    }
}

/// A laboratory that stays up, with keys in both stores.
struct Lab {
    /// Ends with this value.
    _process: Running,
    /// The first line of `--serve`.
    line: Value,
}

impl Lab {
    /// With further arguments.
    fn start(arguments: &[&str]) -> Self {
        let fixed = ["lab", "--serve", "--blocks", "1", "--block-bits", "200000"];
        let all: Vec<&str> = fixed.iter().chain(arguments).copied().collect();
        let mut process = Running::start(&all);
        let line = process.line(0);
        let line = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("no JSON ({error}): {}", process.story());
        });
        process.while_running("report", |lab| {
            lab.stderr().contains("Serving until").then_some(())
        });
        Self {
            _process: process,
            line,
        }
    }

    /// The profile of `who`, as the first line names it.
    fn profile(&self, who: &str) -> String {
        let path = self.line["clients"][who].as_str();
        path.unwrap_or_else(|| panic!("no profile of {who}: {}", self.line))
            .to_owned()
    }
}
