//! Both ends of a link through etsi014-client: ADDRESS CERTIFICATE KEY AUTHORITY, twice.

use std::path::PathBuf;

use etsi014_client::{ETSI014Client, SecretVec};

fn client(end: &[String]) -> ETSI014Client {
    let (host, port) = end[0].rsplit_once(':').expect("host:port");
    let [certificate, key, authority] = [1, 2, 3].map(|at| PathBuf::from(&end[at]));
    let port = port.parse().expect("a port");
    ETSI014Client::new(host, port, &certificate, &key, &authority).expect("a client")
}

fn same(mine: &[(String, SecretVec<u8>)], theirs: &[(String, SecretVec<u8>)]) -> bool {
    mine.len() == theirs.len()
        && mine
            .iter()
            .zip(theirs)
            .all(|((a, x), (b, y))| a == b && *x.borrow() == *y.borrow())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (alice, bob) = (client(&arguments[..4]), client(&arguments[4..]));
    let status = alice.get_status("sae-bob").await.expect("a status");
    assert_eq!(status.source_kme_id, "kme-alice");
    for (master, slave, ids, bits, number) in [
        (&alice, &bob, ["sae-alice", "sae-bob"], 256, 1),
        (&bob, &alice, ["sae-bob", "sae-alice"], 128, 3),
    ] {
        let mine = master.get_keys(bits, ids[1], &[], number).await.expect("keys");
        assert_eq!(mine.len(), number as usize);
        assert!(mine.iter().all(|(_, key)| key.len() == bits as usize / 8));
        let named: Vec<&str> = mine.iter().map(|(id, _)| id.as_str()).collect();
        let theirs = slave.get_keys_by_ids(ids[0], &named).await.expect("the same keys");
        assert!(same(&mine, &theirs), "the keys differ");
        assert!(slave.get_keys_by_ids(ids[0], &named).await.is_err(), "once only");
    }
    println!("the same keys at both ends");
}
