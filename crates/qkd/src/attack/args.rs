//! What Eve is to be told.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::EveAttack;
use crate::client::ClientArgs;
use crate::live;

const LIST_EXAMPLES: &str = "\
Examples:
  qkd attack list
  qkd attack list --json | jq -r '.attacks[].name'

Exit status: 0 success, 64 wrong usage.";

const START_EXAMPLES: &str = "\
Examples:
  qkd attack start intercept-resend --client DIR/operator-eve.toml
  qkd attack start intercept-resend:0.1 --config eve.toml
  qkd attack start photon-number-splitting:forward=rest

Exit status: 0 she does it, 1 a fault (its cause is printed), 64 wrong usage, such as an attack that
there is not.";

const STOP_EXAMPLES: &str = "\
Example:
  qkd attack stop --client DIR/operator-eve.toml

Exit status: 0 she only looks on, 1 a fault (its cause is printed), 64 wrong usage.";

const STATUS_EXAMPLES: &str = "\
Examples:
  qkd attack status --client DIR/operator-eve.toml
  qkd attack status --json --interval 5

Exit status: 0 success, 1 a fault (its cause is printed), 64 wrong usage.";

/// What can be done with attacks.
#[derive(Debug, Clone, Subcommand)]
pub enum AttackCommand {
    /// List the attacks: what each does, where Eve has to stand, what sees it
    ///
    /// Needs no running Eve.
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Let Eve begin an attack, from the next frame of light on
    ///
    /// It replaces what she did before. An attack that lives off the loss of the fibre is told how
    /// much that is, unless its parameters say so.
    #[command(after_help = START_EXAMPLES)]
    Start(StartArgs),
    /// Let Eve touch nothing any more: she goes on looking
    #[command(after_help = STOP_EXAMPLES)]
    Stop(StopArgs),
    /// Show what Eve does, what she has done, and how fast
    #[command(after_help = STATUS_EXAMPLES)]
    Status(AttackStatusArgs),
}

/// The options of `qkd attack list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Print the list as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd attack start`.
#[derive(Debug, Clone, Args)]
pub struct StartArgs {
    /// The attack; PARAMETERS are NAME=VALUE,NAME=VALUE, or the value of the first one alone
    #[arg(value_name = "NAME[:PARAMETERS]", value_parser = EveAttack::read)]
    pub attack: EveAttack,
    /// Print what she does now as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The options of `qkd attack stop`.
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// Print what she does now as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The options of `qkd attack status`.
#[derive(Debug, Clone, Args)]
pub struct AttackStatusArgs {
    /// Seconds over which rates are taken
    #[arg(long, value_name = "S", default_value = "1", value_parser = live::interval)]
    pub interval: Duration,
    /// Print the state as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}
