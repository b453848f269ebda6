//! Fetches one key at Alice's node and the same key at Bob's, and compares the two.
//!
//! `cargo run --example get_key -- FOLDER`, where FOLDER has the client profiles sae-alice.toml and
//! sae-bob.toml, as `qkd lab --serve --keep FOLDER` writes them.

use std::{env, error::Error, fs, path::Path};

use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The application's name and its client at its node: TLS in both directions.
async fn connect(profile: &Path) -> Fallible<(String, KeyDeliveryClient<Channel>)> {
    let settings: toml::Table = fs::read_to_string(profile)?.parse()?;
    let text = |section: &str, key: &str| {
        let value = settings.get(section).and_then(|table| table.get(key));
        let text = value.and_then(|value| value.as_str());
        text.ok_or_else(|| format!("{profile:?}: no {section}.{key}"))
    };
    let file = |key| Fallible::Ok(fs::read(profile.with_file_name(text("tls", key)?))?);
    let identity = Identity::from_pem(file("certificate")?, file("private_key")?);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(file("authority")?))
        .identity(identity)
        .domain_name(text("client", "node")?); // what the node's certificate says
    let endpoint = Endpoint::from_shared(format!("https://{}", text("client", "services")?))?;
    let channel = endpoint.tls_config(tls)?.connect().await?;
    let name = text("client", "name")?.to_owned();
    Ok((name, KeyDeliveryClient::new(channel)))
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let folder = env::args().nth(1).ok_or("usage: get_key FOLDER")?;
    let (master, mut alice) = connect(&Path::new(&folder).join("sae-alice.toml")).await?;
    let (slave, mut bob) = connect(&Path::new(&folder).join("sae-bob.toml")).await?;
    let fresh = GetKeyRequest {
        slave_sae_id: slave,
        ..GetKeyRequest::default()
    };
    let ours = alice.get_key(fresh).await?.into_inner().keys.pop();
    let ours = ours.ok_or("Alice's node gave no key")?;
    // Only the key_ID travels from one application to the other, never the key.
    let same = GetKeyWithIdsRequest {
        master_sae_id: master,
        key_ids: vec![ours.key_id.clone()],
    };
    let theirs = bob.get_key_with_ids(same).await?.into_inner().keys.pop();
    let theirs = theirs.ok_or("Bob's node gave no key")?;
    let equal = subtle::ConstantTimeEq::ct_eq(&ours.key[..], &theirs.key[..]);
    if !bool::from(equal) {
        return Err(format!("{}: the two ends hold different keys", ours.key_id).into());
    }
    let bits = 8 * ours.key.len();
    println!("{}: the same {bits} bits at both ends", ours.key_id);
    Ok(())
}
