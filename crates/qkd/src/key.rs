//! `qkd key`: keys for an application, by hand and for scripts.

mod error;
mod show;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest, KeyContainer};
use tonic::transport::Channel;
use uuid::Uuid;

pub use self::error::Error;
use self::show::{Destination, Keys};
use crate::client::{self, ClientArgs, Connected, within};
use crate::exit::Exit;
use crate::live;
use crate::words::counted;

const GET_EXAMPLES: &str = "\
A key that is printed is a key that is spent: the node forgets it, and nobody gets it again but the
application TO, once, at its own node, by its key_ID ('qkd key fetch').

Without --json, each line is a key_ID and the key in base64, with a space between. With --json, one
object as in ETSI GS QKD 014: {\"keys\":[{\"key_ID\":\"…\",\"key\":\"…\"}]}. With --output, the keys go to
the file and standard output has the key_IDs only, in the same form.

Examples:
  qkd key get sae-bob                      one key of the default size
  qkd key get sae-bob --number 3 --size 512 --json
  qkd key get sae-bob --output key.txt     the key to a new file of mode 0600, its key_ID to the screen

Exit status: 0 success, 1 a fault (its cause is printed; no key was spent unless it says so), 64
wrong usage.";

const FETCH_EXAMPLES: &str = "\
The application FROM got the keys at its node and told you their key_IDs, which are no secret. All of
them come or none. A key that is printed is a key that is spent: asking again gives nothing.

The output is that of 'qkd key get', in the order of the key_IDs.

Example:
  qkd key fetch sae-alice 01234567-89ab-cdef-0123-456789abcdef

Exit status: 0 success, 1 a fault (its cause is printed), 64 wrong usage.";

const WATCH_EXAMPLES: &str = "\
Spends no key. On a terminal the line is redrawn in place; otherwise one line for each change. With
--json, each change is an object with the fields of ETSI GS QKD 014, 6.1 (\"stored_key_count\" and so
on), \"healthy\" and \"alarms\", or {\"error\":\"…\"} while the node cannot be reached.

Exit status: 0 ended by Ctrl-C, 1 a fault (its cause is printed), 64 wrong usage.";

/// What can be done with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Get fresh keys to share with another application, as their master
    #[command(after_help = GET_EXAMPLES)]
    Get(GetArgs),
    /// Fetch the keys that another application got for you, by their key_IDs
    #[command(after_help = FETCH_EXAMPLES)]
    Fetch(FetchArgs),
    /// Watch how many keys there are to share with another application
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
}

/// The options of `qkd key get`.
#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// The application at the other end of the link that will hold the same keys
    #[arg(value_name = "TO")]
    pub to: String,
    /// Number of keys; all come or none
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub number: u32,
    /// Size of each key in bits, a multiple of 8 [default: the node's, usually 256]
    #[arg(long, value_name = "BITS", value_parser = size, allow_negative_numbers = true)]
    pub size: Option<u32>,
    #[command(flatten)]
    pub form: Form,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The options of `qkd key fetch`.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// The application that got the keys
    #[arg(value_name = "FROM")]
    pub from: String,
    /// The identity of a key, a UUID
    #[arg(value_name = "KEY_ID", required = true, value_parser = key_id)]
    pub key_ids: Vec<Uuid>,
    #[command(flatten)]
    pub form: Form,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The options of `qkd key watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// The application at the other end of the link
    #[arg(value_name = "TO")]
    pub to: String,
    /// Seconds between two changes at least
    #[arg(long, value_name = "S", default_value = "1", value_parser = live::interval)]
    pub interval: Duration,
    /// Print each change as one JSON object on one line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// How keys are handed out.
#[derive(Debug, Clone, Args)]
pub struct Form {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write the keys to this new file (mode 0600) in place of printing them
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Does what was asked for with keys, and says how that ended.
pub fn run(command: &KeyCommand) -> Exit {
    match command {
        KeyCommand::Get(args) => client::run("qkd key get", get(args)),
        KeyCommand::Fetch(args) => client::run("qkd key fetch", fetch(args)),
        KeyCommand::Watch(args) => client::run("qkd key watch", watch::watch(args)),
    }
}

async fn get(args: &GetArgs) -> Result<Exit, Error> {
    let connected = args.client.connect().await?;
    let what = format!(
        "get {} for {} and {} at {}",
        counted(args.number.into(), "key"),
        connected.name,
        args.to,
        connected.node
    );
    // Before any key is spent for a file that cannot be written.
    let destination = Destination::open(&args.form)?;
    let request = GetKeyRequest {
        slave_sae_id: args.to.clone(),
        number: Some(args.number),
        size: args.size,
        additional_slave_sae_ids: Vec::new(),
    };
    let answer = within(delivery(&connected).get_key(request)).await;
    let keys = taken(what, answer, args.number as usize)?;
    destination.hand_out(keys)
}

async fn fetch(args: &FetchArgs) -> Result<Exit, Error> {
    let connected = args.client.connect().await?;
    let what = format!(
        "fetch {} of {} for {} at {}",
        counted(args.key_ids.len() as u64, "key"),
        args.from,
        connected.name,
        connected.node
    );
    let destination = Destination::open(&args.form)?;
    let request = GetKeyWithIdsRequest {
        master_sae_id: args.from.clone(),
        key_ids: args.key_ids.iter().map(Uuid::to_string).collect(),
    };
    let answer = within(delivery(&connected).get_key_with_ids(request)).await;
    let keys = taken(what, answer, args.key_ids.len())?;
    destination.hand_out(keys)
}

fn delivery(connected: &Connected) -> KeyDeliveryClient<Channel> {
    KeyDeliveryClient::new(connected.channel.clone())
}

fn taken(
    what: String,
    answer: Result<KeyContainer, tonic::Status>,
    wanted: usize,
) -> Result<Keys, Error> {
    let keys = answer.map_err(|status| Error::Refused { what, status })?;
    Keys::new(keys, wanted)
}

fn size(text: &str) -> Result<u32, String> {
    let bits = text.parse::<u32>().ok();
    bits.filter(|bits| *bits > 0 && bits.is_multiple_of(8))
        .ok_or_else(|| "expected a number of bits that is a multiple of 8, such as 256".to_owned())
}

fn key_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text)
        .map_err(|_| "expected a key_ID, such as 01234567-89ab-cdef-0123-456789abcdef".to_owned())
}
