//! `qkd completions`: what a shell needs to complete the commands of this program.

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;
use crate::output::{print, tell};

const EXAMPLES: &str = "\
Examples:
  qkd completions bash > ~/.local/share/bash-completion/completions/qkd
  qkd completions zsh > ~/.zfunc/_qkd        with ~/.zfunc in fpath, before compinit
  qkd completions fish > ~/.config/fish/completions/qkd.fish

They work from the next shell on. Exit status: 0 success, 1 a fault, 64 wrong usage.";

/// The options of `qkd completions`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script, and says how that ended.
pub fn run(args: &CompletionsArgs) -> Exit {
    let script = script(args.shell);
    match print(&script) {
        Ok(()) => Exit::Success,
        // Who has closed the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            tell(&format!(
                "qkd completions: cannot print the script: {error}"
            ));
            Exit::Fault
        }
    }
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "qkd", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for subcommand in cli::command().get_subcommands() {
                let name = subcommand.get_name();
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }
}
