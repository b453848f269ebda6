//! What the exit status of the program says.

use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: what was asked for happened; for a daemon, a clean stop.
    Success,
    /// 1: something failed; its cause was printed.
    Fault,
    /// 2: the laboratory ran as it should, and every block was aborted.
    Aborted,
    /// 2: what was to be verified is not as it was written.
    Altered,
    /// 2: an attack of a tour did not end as its table says.
    Unlike,
    /// 3: a key store is whole and quarantined.
    Quarantined,
    /// 64: the command line was wrong (`EX_USAGE` of `sysexits.h`).
    Usage,
    /// 130: the laboratory was interrupted by Ctrl-C before its report was complete.
    Interrupted,
    /// 143: the laboratory was asked to terminate before its report was complete.
    Terminated,
}

impl Exit {
    /// The status for what the command-line parser returned: help and version are no errors.
    pub fn of_usage(error: &clap::Error) -> Self {
        if error.exit_code() == 0 {
            Exit::Success
        } else {
            Exit::Usage
        }
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Fault => 1,
            Exit::Aborted | Exit::Altered | Exit::Unlike => 2,
            Exit::Quarantined => 3,
            Exit::Usage => 64,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn wrong_usage_ends_with_64_and_help_with_0() {
        let cases: [(&[&str], u8); 12] = [
            (&["--help"], 0),
            (&["--version"], 0),
            (&["lab", "--help"], 0),
            (&["help", "bob"], 0),
            (&[], 64),
            (&["laboratory"], 64),
            (&["lab", "--blocks"], 64),
            (&["lab", "--blocks", "0"], 64),
            (&["lab", "--preset", "apd"], 64),
            (&["lab", "--eve", "photon-splitting"], 64),
            (&["bob"], 64),
            (&["bob", "--config", "bob.toml", "--json"], 64),
        ];
        for (arguments, expected) in cases {
            let all = ["qkd"].iter().chain(arguments);
            let Err(error) = Cli::try_parse_from(all) else {
                panic!("{arguments:?} was accepted");
            };
            assert_eq!(Exit::of_usage(&error).code(), expected, "{arguments:?}");
        }
    }
}
