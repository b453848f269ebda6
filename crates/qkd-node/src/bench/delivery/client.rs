//! An application that calls its node over a connection it keeps: mutual TLS, one call at a time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use qkd_keystore::Side;
use qkd_wire::proto::delivery as proto;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::codegen::http::{Method, Request, StatusCode};
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::{node_name, pki, sae_name};
use crate::tls::{LiveTls, TlsMaterial};

/// More than any answer has.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How an application speaks to its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// ETSI GS QKD 014 over HTTP/1.1.
    Etsi014,
    /// `qkd.delivery.v1`.
    Grpc,
}

/// Where one of the two applications finds its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose application it is.
    pub side: Side,
    /// The node's gRPC services.
    pub services: SocketAddr,
    /// The node's ETSI GS QKD 014 services.
    pub etsi014: SocketAddr,
}

/// A key and its identity, as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The identity.
    pub key_id: String,
    /// The key.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Why a call gave no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The node refused it.
    #[error("refused with {code}: {message}")]
    Refused {
        /// Status of HTTP, or the name of gRPC's.
        code: String,
        /// What it said.
        message: String,
    },
    /// The connection, or what came over it, is no good.
    #[error("{0}")]
    Broken(String),
}

impl CallFault {
    /// What the same faults have in common, in a word or two.
    pub fn kind(&self) -> &str {
        match self {
            CallFault::Refused { code, .. } => code,
            CallFault::Broken(_) => "broken",
        }
    }
}

/// A connection of one application to its node.
pub struct Caller {
    side: Side,
    way: Way,
}

enum Way {
    Etsi014(SendRequest<Body>),
    Grpc(KeyDeliveryClient<Channel>),
}

impl Caller {
    /// Connects the application of `place`, whose certificate is in `folder`.
    ///
    /// # Errors
    /// When its files cannot be read or the node cannot be reached.
    pub async fn connect(folder: &Path, api: Api, place: &Place) -> Result<Self, CallFault> {
        let tls = LiveTls::load(&pki(folder).files_of(sae_name(place.side))).map_err(broken)?;
        let tls = tls.current();
        let way = match api {
            Api::Etsi014 => Way::Etsi014(connect_http(&tls, place).await?),
            Api::Grpc => {
                let server = node_name(place.side);
                let address = place.services.into();
                let channel = tls.connect(&address, server, |endpoint| endpoint).await;
                Way::Grpc(KeyDeliveryClient::new(channel.map_err(broken)?))
            }
        };
        Ok(Self {
            side: place.side,
            way,
        })
    }

    /// Keys that this application could be given now.
    ///
    /// # Errors
    /// As the node answers.
    pub async fn status(&mut self) -> Result<u64, CallFault> {
        let partner = sae_name(self.side.peer());
        match &mut self.way {
            Way::Etsi014(http) => {
                let answer = ask(http, partner, "status", None).await?;
                let count = answer["stored_key_count"].as_u64();
                count.ok_or_else(|| strange("a status without stored_key_count"))
            }
            Way::Grpc(client) => {
                let request = proto::GetStatusRequest {
                    slave_sae_id: partner.to_owned(),
                };
                let status = client.get_status(request).await.map_err(refused)?;
                Ok(status.into_inner().stored_key_count)
            }
        }
    }

    /// `number` fresh keys for this application and the one at the other node.
    ///
    /// # Errors
    /// As the node answers.
    pub async fn enc_keys(&mut self, number: u32) -> Result<Vec<Key>, CallFault> {
        let partner = sae_name(self.side.peer());
        match &mut self.way {
            Way::Etsi014(http) => {
                let body = format!(r#"{{"number":{number}}}"#);
                keys_of(&ask(http, partner, "enc_keys", Some(body)).await?)
            }
            Way::Grpc(client) => {
                let request = proto::GetKeyRequest {
                    slave_sae_id: partner.to_owned(),
                    number: Some(number),
                    ..Default::default()
                };
                let answer = client.get_key(request).await.map_err(refused)?;
                Ok(keys_in(answer.into_inner()))
            }
        }
    }

    /// The keys with these identities, which the application at the other node was given.
    ///
    /// # Errors
    /// As the node answers.
    pub async fn dec_keys(&mut self, key_ids: &[String]) -> Result<Vec<Key>, CallFault> {
        let partner = sae_name(self.side.peer());
        match &mut self.way {
            Way::Etsi014(http) => {
                let named: Vec<String> = key_ids
                    .iter()
                    .map(|id| format!(r#"{{"key_ID":"{id}"}}"#))
                    .collect();
                let body = format!(r#"{{"key_IDs":[{}]}}"#, named.join(","));
                keys_of(&ask(http, partner, "dec_keys", Some(body)).await?)
            }
            Way::Grpc(client) => {
                let request = proto::GetKeyWithIdsRequest {
                    master_sae_id: partner.to_owned(),
                    key_ids: key_ids.to_vec(),
                };
                let answer = client.get_key_with_ids(request).await.map_err(refused)?;
                Ok(keys_in(answer.into_inner()))
            }
        }
    }
}

async fn connect_http(tls: &TlsMaterial, place: &Place) -> Result<SendRequest<Body>, CallFault> {
    let mut config = tls.client_config().map_err(broken)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(node_name(place.side)).map_err(broken)?;
    let tcp = TcpStream::connect(place.etsi014).await.map_err(broken)?;
    tcp.set_nodelay(true).map_err(broken)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = TokioIo::new(stream.await.map_err(broken)?);
    let (requests, connection) = http1::handshake(stream).await.map_err(broken)?;
    // It ends with the requests, or when the node closes it: the next request says so then.
    tokio::spawn(connection);
    Ok(requests)
}

/// One call and its answer, which must be JSON: a POST where there is a body.
async fn ask(
    http: &mut SendRequest<Body>,
    partner: &str,
    call: &str,
    body: Option<String>,
) -> Result<Value, CallFault> {
    let request = Request::builder()
        .method(if body.is_some() {
            Method::POST
        } else {
            Method::GET
        })
        .uri(format!("/api/v1/keys/{partner}/{call}"))
        .header("host", "kme")
        .header("content-type", "application/json")
        .body(body.map_or_else(Body::empty, Body::from))
        .map_err(broken)?;
    http.ready().await.map_err(broken)?;
    let answer = http.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let body = Body::new(answer.into_body());
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(broken)?;
    let json: Value = serde_json::from_slice(&bytes).map_err(broken)?;
    if status == StatusCode::OK {
        return Ok(json);
    }
    Err(CallFault::Refused {
        code: status.as_str().to_owned(),
        message: json["message"].as_str().unwrap_or_default().to_owned(),
    })
}

/// The keys of a container as JSON has them.
fn keys_of(container: &Value) -> Result<Vec<Key>, CallFault> {
    let keys = container["keys"].as_array();
    let keys = keys.ok_or_else(|| strange("an answer without keys"))?;
    keys.iter()
        .map(|key| {
            let (id, text) = (key["key_ID"].as_str(), key["key"].as_str());
            let bytes = text.and_then(|text| STANDARD.decode(text).ok());
            match (id, bytes) {
                (Some(id), Some(bytes)) => Ok(Key {
                    key_id: id.to_owned(),
                    bytes: bytes.into(),
                }),
                (_, _) => Err(strange("a key without identity or bytes")),
            }
        })
        .collect()
}

fn keys_in(container: proto::KeyContainer) -> Vec<Key> {
    let keys = container.keys.into_iter();
    keys.map(|mut key| Key {
        key_id: std::mem::take(&mut key.key_id),
        bytes: std::mem::take(&mut key.key).into(),
    })
    .collect()
}

fn refused(status: tonic::Status) -> CallFault {
    CallFault::Refused {
        code: format!("{:?}", status.code()),
        message: status.message().to_owned(),
    }
}

fn broken(error: impl std::fmt::Display) -> CallFault {
    CallFault::Broken(error.to_string())
}

fn strange(what: &str) -> CallFault {
    CallFault::Broken(format!("the node answered with {what}"))
}
