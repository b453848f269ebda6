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

use qkd_messaging::KeyId;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::client::Connected;

/// Size of a key for AES-256, bits.
const KEY_SIZE_BITS: u32 = 256;

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
