//! The line that `--serve` prints first: all that a client needs to connect.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use qkd_node::pki::LabPki;
use serde::Serialize;

use super::Running;
use super::children::Readiness;
use super::folder::Folder;
use super::setup;

#[derive(Serialize)]
struct Line {
    ready: bool,
    endpoints: Endpoints,
    files: Files,
    clients: Clients,
    /// A command for a shell that fetches a key for `sae-alice`; `null` without `etsi014`.
    curl: Option<String>,
}

/// Addresses as `host:port`; `null` where there is none.
#[derive(Serialize)]
struct Endpoints {
    alice: Endpoint,
    bob: Endpoint,
    eve: Option<Endpoint>,
}

#[derive(Serialize)]
struct Endpoint {
    /// gRPC over mutual TLS, TCP.
    services: SocketAddr,
    /// ETSI GS QKD 014 over HTTPS with mutual TLS, TCP.
    etsi014: Option<SocketAddr>,
    /// Photon frames, UDP.
    quantum: Option<SocketAddr>,
    /// The link between the nodes, TCP.
    classical: Option<SocketAddr>,
    /// The name in the certificate.
    server_name: &'static str,
}

/// Absolute paths.
#[derive(Serialize)]
struct Files {
    folder: PathBuf,
    authority: PathBuf,
    alice: Identity,
    bob: Identity,
    eve: Option<Identity>,
    sae_alice: Identity,
    sae_bob: Identity,
    operator: Identity,
}

/// Absolute paths of profiles, as '--client' takes them; `null` where there is none.
#[derive(Serialize)]
struct Clients {
    sae_alice: PathBuf,
    sae_bob: PathBuf,
    operator: PathBuf,
    operator_bob: PathBuf,
    operator_eve: Option<PathBuf>,
}

#[derive(Serialize)]
struct Identity {
    certificate: PathBuf,
    private_key: PathBuf,
}

/// One JSON object on one line.
pub fn line(running: &Running, pki: &LabPki, folder: &Folder) -> String {
    let endpoint = |ready: &Readiness, server_name| Endpoint {
        services: ready.services,
        etsi014: ready.etsi014,
        quantum: ready.quantum,
        classical: ready.classical,
        server_name,
    };
    let identity = |name| {
        let files = pki.files_of(name);
        Identity {
            certificate: files.certificate,
            private_key: files.private_key,
        }
    };
    let eve = running.eve.as_ref();
    let line = Line {
        ready: true,
        endpoints: Endpoints {
            alice: endpoint(&running.alice, setup::ALICE),
            bob: endpoint(&running.bob, setup::BOB),
            eve: eve.map(|eve| endpoint(eve, setup::EVE)),
        },
        files: Files {
            folder: folder.path().to_path_buf(),
            authority: pki.authority(),
            alice: identity(setup::ALICE),
            bob: identity(setup::BOB),
            eve: eve.map(|_| identity(setup::EVE)),
            sae_alice: identity(setup::SAE_ALICE),
            sae_bob: identity(setup::SAE_BOB),
            operator: identity(setup::OPERATOR),
        },
        clients: Clients {
            sae_alice: folder.file(setup::PROFILE_SAE_ALICE),
            sae_bob: folder.file(setup::PROFILE_SAE_BOB),
            operator: folder.file(setup::PROFILE_OPERATOR),
            operator_bob: folder.file(setup::PROFILE_OPERATOR_BOB),
            operator_eve: eve.map(|_| folder.file(setup::PROFILE_OPERATOR_EVE)),
        },
        curl: curl(running, pki),
    };
    // Paths that are not UTF-8 are the only thing that JSON cannot carry.
    serde_json::to_string(&line).unwrap_or_else(|_| r#"{"ready":true}"#.to_owned())
}

/// A command that fetches a key for `sae-alice` by ETSI GS QKD 014, once there is one in store.
pub fn curl(running: &Running, pki: &LabPki) -> Option<String> {
    let address = running.alice.etsi014?;
    let files = pki.files_of(setup::SAE_ALICE);
    let slave = setup::SAE_BOB;
    Some(format!(
        "curl --cacert {} --cert {} --key {} https://{address}/api/v1/keys/{slave}/enc_keys",
        quoted(&pki.authority()),
        quoted(&files.certificate),
        quoted(&files.private_key),
    ))
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    match text.chars().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(port: u16) -> Readiness {
        Readiness {
            ready: true,
            quantum: None,
            classical: None,
            services: SocketAddr::from(([127, 0, 0, 1], port)),
            etsi014: Some(SocketAddr::from(([127, 0, 0, 1], 100 + port))),
        }
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted(Path::new("/tmp/a-b_c.pem")), "/tmp/a-b_c.pem");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn every_named_file_exists() {
        let folder = Folder::prepare(None).unwrap();
        let pki = setup::make_pki(&folder).unwrap();
        let running = Running {
            alice: readiness(1),
            bob: readiness(2),
            eve: Some(readiness(3)),
        };
        setup::write_profiles(&folder, &running).unwrap();
        let text = line(&running, &pki, &folder);
        assert!(!text.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["ready"], true);
        assert_eq!(json["endpoints"]["bob"]["services"], "127.0.0.1:2");
        assert_eq!(json["endpoints"]["bob"]["etsi014"], "127.0.0.1:102");
        let curl = json["curl"].as_str().unwrap();
        assert!(curl.ends_with(" https://127.0.0.1:101/api/v1/keys/sae-bob/enc_keys"));
        let files = &json["files"];
        let mut paths = vec![&files["folder"], &files["authority"]];
        for who in ["alice", "bob", "eve", "sae_alice", "sae_bob", "operator"] {
            paths.extend([&files[who]["certificate"], &files[who]["private_key"]]);
        }
        let clients = json["clients"].as_object().unwrap();
        paths.extend(clients.values());
        for path in paths {
            let path = PathBuf::from(path.as_str().unwrap());
            assert!(path.is_absolute() && path.exists(), "{path:?}");
        }
    }
}
