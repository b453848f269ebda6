//! `qkd send` and `qkd receive`: texts and files of any size from one application to another.
//!
//! The messages are sealed here and opened here; the nodes carry ciphertext. What has to outlive
//! these commands, the key in use and the number of the next message, is on disk before anything is
//! sent or acknowledged. Nothing here decides what is genuine: that is `qkd_messaging`'s.

mod conversation;
mod error;
mod patience;
mod progress;
mod receive;
mod send;
mod show;
mod sink;
mod source;
mod state;

pub use self::receive::{ReceiveArgs, run as receive};
pub use self::send::{SendArgs, run as send};

use std::path::PathBuf;

use clap::Args;
use qkd_messaging::KeyId;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use tonic::transport::Channel;
use uuid::Uuid;

use self::error::Error;
use self::state::StateFolder;
use crate::client::{ClientArgs, Connected};

/// Size of a key for AES-256, bits.
const KEY_SIZE_BITS: u32 = 256;

/// Which application it is, and where it keeps what it must remember.
#[derive(Debug, Clone, Args)]
pub struct ApplicationArgs {
    /// Keep the state here, in place of $XDG_STATE_HOME/qkd or ~/.local/state/qkd. It holds the key
    /// in use: never copy it, never restore it from a backup
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub client: ClientArgs,
}

impl ApplicationArgs {
    /// The application at its node, and its folder.
    async fn open(&self) -> Result<(Application, StateFolder), Error> {
        let application = Application::from(self.client.connect().await?);
        let folder = StateFolder::open(self.state.as_deref(), &application.name)?;
        Ok((application, folder))
    }
}

/// This application at its node.
#[derive(Clone)]
struct Application {
    name: String,
    node: String,
    delivery: KeyDeliveryClient<Channel>,
    messaging: MessagingClient<Channel>,
}

impl From<Connected> for Application {
    fn from(connected: Connected) -> Self {
        Self {
            name: connected.name,
            node: connected.node,
            delivery: KeyDeliveryClient::new(connected.channel.clone()),
            messaging: MessagingClient::new(connected.channel),
        }
    }
}

/// As ETSI GS QKD 014 writes it.
fn key_name(id: KeyId) -> String {
    Uuid::from_bytes(id).to_string()
}
