//! A client that says exactly what it is told, over TLS of one version.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Endpoint;

use crate::pki::LabPki;

/// A version of TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Tls12,
    Tls13,
}

async fn connect_with(
    address: SocketAddr,
    (pki, who): (&LabPki, &str),
    version: Version,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let files = pki.files_of(who);
    let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&files.private_key).unwrap();
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(&files.authority).unwrap() {
        roots.add(authority.unwrap()).unwrap();
    }
    let version = match version {
        Version::Tls12 => &TLS12,
        Version::Tls13 => &TLS13,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("kme-alice").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// A connection of `who` for HTTP/1.1; TLS 1.2 does not say what is spoken.
pub async fn connect(
    address: SocketAddr,
    pki: &LabPki,
    who: &str,
    version: Version,
) -> io::Result<TlsStream<TcpStream>> {
    let protocols: &[&[u8]] = match version {
        Version::Tls12 => &[],
        Version::Tls13 => &[b"http/1.1"],
    };
    connect_with(address, (pki, who), version, protocols).await
}

/// A connection of `who` on which HTTP/2 was agreed and nothing said.
pub async fn connect_http2(address: SocketAddr, pki: &LabPki, who: &str) -> TlsStream<TcpStream> {
    let protocols: &[&[u8]] = &[b"h2", b"http/1.1"];
    let stream = connect_with(address, (pki, who), Version::Tls13, protocols).await;
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

/// Status and body of the answer to `GET path`.
pub async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> (u16, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: kme-alice\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    answer_on(stream).await
}

/// The next answer, with a body of known length.
pub async fn answer_on(stream: &mut TlsStream<TcpStream>) -> (u16, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// A connection that is there already.
struct Made(Option<TokioIo<TlsStream<TcpStream>>>);

impl Service<http::Uri> for Made {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        ready(self.0.take().ok_or(io::ErrorKind::NotConnected.into()))
    }
}

/// The status of the answer to `GET path` over HTTP/2.
pub async fn http2(
    address: SocketAddr,
    pki: &LabPki,
    who: &str,
    version: Version,
    path: &str,
) -> u16 {
    let stream = connect_with(address, (pki, who), version, &[b"h2"])
        .await
        .unwrap();
    let endpoint = Endpoint::from_static("http://kme-alice");
    let made = Made(Some(TokioIo::new(stream)));
    let mut channel = endpoint.connect_with_connector(made).await.unwrap();
    let request = http::Request::get(format!("https://kme-alice{path}"));
    let request = request.body(Body::empty()).unwrap();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    channel.call(request).await.unwrap().status().as_u16()
}
