//! Compiles `proto/` with a compiler written in Rust, so that no `protoc` is needed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use protox::prost::Message;

const FILES: [&str; 5] = [
    "qkd/link/v1/link.proto",
    "qkd/delivery/v1/delivery.proto",
    "qkd/messaging/v1/messaging.proto",
    "qkd/eve/v1/eve.proto",
    "qkd/node/v1/node.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed=build.rs");
    for file in FILES {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    let descriptors = protox::Compiler::new([&root])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Clients are made from a channel that already carries mutual TLS; the shortcut that dials
        // by itself would clash with the call `Link.Connect`.
        .build_transport(false)
        // What fills an envelope is read where the network put it: neither the payload nor the long
        // fields in it are copied before they are understood.
        .bytes(".qkd.link.v1.Envelope.payload")
        .bytes(".qkd.link.v1.Bits.packed")
        .bytes(".qkd.link.v1.Announcement.gaps")
        .bytes(".qkd.link.v1.Announcement.long_gaps")
        // A delivered key is a secret: nothing can print it by accident.
        .skip_debug([".qkd.delivery.v1.Key", ".qkd.delivery.v1.KeyContainer"])
        .compile_fds(descriptors)?;
    Ok(())
}
