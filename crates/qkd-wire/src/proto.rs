//! What the compiler made of `proto/`: the messages and services as they are on the wire.
//!
//! Meaning and units of every field are the comments of the `.proto` files.
#![allow(missing_docs, clippy::all)]

/// The classical channel between Alice and Bob: `qkd.link.v1`.
pub mod link {
    tonic::include_proto!("qkd.link.v1");
}

/// Key delivery to applications: `qkd.delivery.v1`.
pub mod delivery {
    tonic::include_proto!("qkd.delivery.v1");
}

/// Relay of application messages: `qkd.messaging.v1`.
pub mod messaging {
    tonic::include_proto!("qkd.messaging.v1");
}

/// Control of the eavesdropper: `qkd.eve.v1`.
pub mod eve {
    tonic::include_proto!("qkd.eve.v1");
}

/// What a node is doing: `qkd.node.v1`.
pub mod node {
    tonic::include_proto!("qkd.node.v1");
}

/// Descriptors of all of the above, serialized, for the gRPC reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
