//! Quantum key distribution on your own machine: Alice, Bob, Eve and the laboratory.
//!
//! It parses a command line, starts or asks what was named and turns the outcome into an exit status.
//! It never touches light, never distils a bit and never writes down a key.

#![deny(unsafe_code)]

mod account;
mod allocator;
mod attack;
mod audit;
mod bench;
mod cli;
mod client;
mod completions;
mod daemon;
mod exit;
mod key;
mod lab;
mod live;
mod mail;
mod man;
mod notify;
mod output;
mod pki;
mod plan;
mod status;
mod store;
mod words;

use std::process::ExitCode;

use clap::FromArgMatches;
use qkd_node::config::Role;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    // An allocator that refuses an option is slower and as good.
    let _said = allocator::keep_memory();
    let parsed = cli::command().try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout, complaints to stderr; a closed pipe is nobody's fault.
            let _ = error.print();
            return Exit::of_usage(&error).into();
        }
    };
    let exit = match &cli.command {
        Command::Alice(args) => daemon::run_alice(args),
        Command::Bob(args) => daemon::run(Role::Bob, args),
        Command::Eve(args) => daemon::run(Role::Eve, args),
        Command::Lab(args) => lab::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Bench { command } => bench::run(command),
        Command::Pki(args) => pki::run(args),
        Command::Status(args) => status::run(args),
        Command::Attack { command } => attack::run(command),
        Command::Store { command } => store::run(command),
        Command::Key { command } => key::run(command),
        Command::Audit(args) => audit::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Send(args) => mail::send(args),
        Command::Receive(args) => mail::receive(args),
    };
    exit.into()
}
