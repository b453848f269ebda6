//! Certificates that count no longer although they have not expired.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;

use super::*;
use crate::pki::{KeptPki, NewSet, Party};
use crate::status::StatusBoard;

fn kept() -> (TempDir, KeptPki) {
    let folder = tempdir().unwrap();
    let kept = KeptPki::in_folder(folder.path(), None);
    let day = Duration::from_secs(24 * 3600);
    let applications = ["a", "b"].map(Party::application);
    let parties = ["kme-alice", "kme-bob"].map(Party::node);
    kept.create(&NewSet {
        parties: parties.into_iter().chain(applications).collect(),
        validity: day,
        authority_validity: day,
        public_files: Vec::new(),
    })
    .unwrap();
    (folder, kept)
}

fn listed(kept: &KeptPki, name: &str) -> TlsFiles {
    TlsFiles {
        revoked: Some(kept.files().revoked()),
        ..kept.files().files_of(name)
    }
}

fn revoke(kept: &KeptPki, name: &str) -> Vec<String> {
    kept.revoke(&[name.to_owned()], &[]).unwrap()
}

fn chain(kept: &KeptPki, name: &str) -> Vec<CertificateDer<'static>> {
    read_certificates(&kept.files().files_of(name).certificate).unwrap()
}

#[test]
fn who_is_on_the_list_is_refused_and_nobody_else() {
    let (_folder, kept) = kept();
    let load = || TlsMaterial::load(&listed(&kept, "kme-alice")).unwrap();
    assert!(
        !load().is_revoked(&chain(&kept, "a")),
        "the list is empty at first"
    );
    assert_eq!(revoke(&kept, "a").len(), 1);
    assert_eq!(revoke(&kept, "a").len(), 1, "once is enough");
    let material = load();
    assert!(material.is_revoked(&chain(&kept, "a")));
    assert!(!material.is_revoked(&chain(&kept, "b")));
    // By its serial number, as the audit log has it.
    let serial = qkd_delivery::serial_of(&chain(&kept, "b")[0]);
    assert_eq!(kept.revoke(&[], &[serial]).unwrap().len(), 2);
    assert!(load().is_revoked(&chain(&kept, "b")));
    for wrong in ["", "xyz", "abc", &"00".repeat(21)] {
        assert!(kept.revoke(&[], &[wrong.to_owned()]).is_err(), "{wrong:?}");
    }
    // A certificate that was made afterwards is another one.
    kept.renew("a", None).unwrap();
    assert!(!load().is_revoked(&chain(&kept, "a")));
}

#[test]
fn a_new_authority_keeps_the_list_of_the_one_before() {
    let (_folder, kept) = kept();
    let of_a = chain(&kept, "a");
    revoke(&kept, "a");
    kept.renew_authority(Duration::from_secs(3600)).unwrap();
    let said = kept.revoke(&["b".to_owned()], &[]).unwrap_err().to_string();
    assert!(said.contains("whose key is gone"), "{said}");
    kept.renew("kme-alice", None).unwrap();
    kept.renew("b", None).unwrap();
    revoke(&kept, "b");
    let material = TlsMaterial::load(&listed(&kept, "kme-alice")).unwrap();
    assert!(material.is_revoked(&of_a), "by the authority before");
    assert!(material.is_revoked(&chain(&kept, "b")), "by the new one");
}

#[test]
fn a_list_that_is_none_or_another_authoritys_is_refused_by_name() {
    let (folder, kept) = kept();
    let (_other_folder, other) = self::kept();
    revoke(&other, "a");
    let foreign = fs::read_to_string(other.files().revoked()).unwrap();
    revoke(&kept, "a");
    let own = fs::read_to_string(kept.files().revoked()).unwrap();
    // Of the right name and with a signature that is not.
    let spoilt = {
        let at = own.rfind('=').unwrap_or(own.len() - 30) - 12;
        let other = if &own[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &own[..at], &own[at + 1..])
    };
    for (text, expected) in [
        (foreign.as_str(), "another authority"),
        ("", "expected PEM with a list"),
        ("hello", "expected PEM with a list"),
        (spoilt.as_str(), "list of revoked certificates"),
    ] {
        let file = folder.path().join("list.crl");
        fs::write(&file, text).unwrap();
        let files = TlsFiles {
            revoked: Some(file.clone()),
            ..kept.files().files_of("kme-alice")
        };
        let (at, said) = refusal(&files);
        assert_eq!(at, file);
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_ends_when_its_certificate_is_revoked_and_the_others_stay() {
    let (_folder, kept) = kept();
    let live = Arc::new(LiveTls::load(&listed(&kept, "kme-alice")).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let on_refusal = move |refused: &Refused| {
        let _test_is_over = told.send((refused.was_open, refused.name()));
    };
    let mut accepted = incoming(listener, live.clone(), on_refusal);
    let connect = async |name: &str| {
        let client = TlsMaterial::load(&kept.files().files_of(name)).unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client.client_config().unwrap()));
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = rustls_pki_types::ServerName::try_from("kme-alice").unwrap();
        connector.connect(name, tcp).await.unwrap()
    };
    let mut of_a = connect("a").await;
    let mut to_a = accepted.next().await.unwrap().unwrap();
    let mut of_b = connect("b").await;
    let mut to_b = accepted.next().await.unwrap().unwrap();
    let reading = tokio::spawn(async move { to_a.read_u8().await });
    let watching = live.clone();
    tokio::spawn(async move { watching.watch(&StatusBoard::default()).await });
    revoke(&kept, "a");
    let error = reading.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    assert_eq!(ended.recv().await, Some((true, "a".to_owned())));
    assert!(of_a.read_u8().await.is_err(), "the client sees the end");
    of_b.write_all(b"x").await.unwrap();
    of_b.flush().await.unwrap();
    assert_eq!(to_b.read_u8().await.unwrap(), b'x');
    // And nobody gets in with it any more.
    let mut again = connect("a").await;
    assert!(again.read_u8().await.is_err());
    let (was_open, _) = ended.recv().await.unwrap();
    assert!(!was_open);
}
