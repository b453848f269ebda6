//! The options of `qkd store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use qkd_keystore::{BlockId, History};

const VERIFY_EXAMPLES: &str = "\
Examples:
  qkd store verify --config alice.toml
  qkd store verify --store copy/keys.redb --store-key kme-alice.store.key --json

Exit status: 0 the store is sound, 1 it is damaged or cannot be looked at (the cause is printed), 3 it is
whole and quarantined, 64 wrong usage.";

const UNSEAL_EXAMPLES: &str = "\
Examples:
  qkd store unseal --config alice.toml
  qkd store unseal --config alice.toml --discard-keys
  qkd store unseal --config bob.toml --discard-keys --history 6f1d3a9c0b42e857

A quarantined store is left with --discard-keys only, and on both nodes: the first run prints the history
that the second one is told. Until both are in the same history neither delivers a key.

Exit status: 0 nothing seals the store now, 1 a fault or a refusal (the cause is printed), 64 wrong usage.";

const ABANDON_EXAMPLES: &str = "\
Examples:
  qkd store abandon --config bob.toml 00000000000000a1/7
  qkd store abandon --config bob.toml --all-in-doubt

'qkd store verify' lists the blocks in doubt. What is abandoned never becomes a key on either side.

Exit status: 0 the blocks are gone, 1 a fault or a refusal (the cause is printed), 64 wrong usage.";

/// One thing to do to the key store of a node that does not run.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Check every record of a key store, and say what it holds; changes nothing
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Say what seals a key store, or begin anew without any of its keys
    #[command(after_help = UNSEAL_EXAMPLES)]
    Unseal(UnsealArgs),
    /// Give up blocks in doubt whose coordinator is gone for good
    #[command(after_help = ABANDON_EXAMPLES)]
    Abandon(AbandonArgs),
}

/// Which store.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// The configuration of the node whose key store it is
    #[arg(long, value_name = "FILE", required_unless_present = "store",
          conflicts_with_all = ["store", "store_key"])]
    pub config: Option<PathBuf>,
    /// The key store's file, in place of a configuration
    #[arg(long, value_name = "FILE", requires = "store_key")]
    pub store: Option<PathBuf>,
    /// The file with the key that this store was created with
    #[arg(long, value_name = "FILE", requires = "store")]
    pub store_key: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd store verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub target: TargetArgs,
}

/// The options of `qkd store unseal`.
#[derive(Debug, Clone, Args)]
pub struct UnsealArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Discard every key of this store, fetched or not, and begin a new history; to be done on both nodes
    #[arg(long)]
    pub discard_keys: bool,
    /// The history that the other node began: 16 hexadecimal digits
    #[arg(long, value_name = "HISTORY", requires = "discard_keys")]
    pub history: Option<History>,
}

/// The options of `qkd store abandon`.
#[derive(Debug, Clone, Args)]
pub struct AbandonArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// The block, as 'qkd store verify' prints it
    #[arg(value_name = "BLOCK", required_unless_present = "all_in_doubt")]
    pub block: Option<BlockId>,
    /// All blocks that are in doubt
    #[arg(long, conflicts_with = "block")]
    pub all_in_doubt: bool,
}
