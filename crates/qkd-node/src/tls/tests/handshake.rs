//! Who gets through a real handshake, over loopback.

use std::net::SocketAddr;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::shutdown::{self, StopReason};

fn material(pki: &LabPki, name: &str) -> TlsMaterial {
    TlsMaterial::load(&pki.files_of(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// Connects and makes one call: with TLS 1.3 a refused client certificate shows only then.
async fn call(address: SocketAddr, tls: ClientTlsConfig) -> Result<(), String> {
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(|error| error.to_string())?;
    let channel: Channel = endpoint.connect().await.map_err(|e| format!("{e:?}"))?;
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    answer.map(|_| ()).map_err(|status| format!("{status:?}"))
}

#[tokio::test]
async fn only_parties_of_one_authority_under_the_right_name_talk() {
    let (_folder, pki) = lab();
    let (_other_folder, other) = lab();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .tls_config(material(&pki, "kme-bob").server())
        .unwrap()
        .add_service(health)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.waited());
    let server = tokio::spawn(server);

    for (name, server_name) in [("kme-alice", "kme-bob"), ("app-a", "127.0.0.1")] {
        let tls = material(&pki, name).client(server_name);
        assert_eq!(call(address, tls).await, Ok(()), "{name}");
    }
    let strangers = [
        (
            "a wrong server name",
            material(&pki, "kme-alice").client("kme-carol"),
        ),
        (
            "an authority unknown to both",
            material(&other, "kme-alice").client("kme-bob"),
        ),
        (
            "a client of another authority",
            material(&other, "kme-alice")
                .client("kme-bob")
                .ca_certificate(Certificate::from_pem(
                    &material(&pki, "kme-bob").authority_pem,
                )),
        ),
        (
            "a client without a certificate",
            ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(
                    &material(&pki, "kme-bob").authority_pem,
                ))
                .domain_name("kme-bob"),
        ),
    ];
    for (what, tls) in strangers {
        assert!(call(address, tls).await.is_err(), "{what} got through");
    }
    let good = material(&pki, "app-a").client("kme-bob");
    assert_eq!(call(address, good).await, Ok(()), "strangers do no harm");
    trigger.stop(StopReason::Requested);
    server.await.unwrap().unwrap();
}
