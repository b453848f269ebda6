//! Certificates that are renewed, expire or belong to another day, while daemons run.

use std::fs;
use std::time::Duration;

use qkd_node::config::{HostPort, TlsFiles};
use qkd_node::pki::KeptPki;
use qkd_node::tls::{Facts, utc};
use qkd_wire::proto::delivery::GetStatusRequest;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::node::NodeStatus;

use crate::support::{ALICE, BOB, Node, Nodes, OPERATOR, SAE_ALICE, SAE_BOB, channel, delivery};

const HOUR: Duration = Duration::from_secs(3600);

/// Long enough for a slow machine to read a certificate before it expires, and no longer.
const MOMENT: Duration = Duration::from_secs(15);

/// The authority of a test, which can sign again.
fn authority(nodes: &Nodes) -> KeptPki {
    KeptPki::in_folder(nodes.pki.directory(), None)
}

fn renew(authority: &KeptPki, name: &str, validity: Duration) -> Facts {
    let renewed = authority.renew(name, Some(validity));
    renewed.unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until a node shows the certificate that says `facts`.
async fn until_shown(node: &Node, facts: &Facts) -> NodeStatus {
    let not_after = u64::try_from(facts.validity.not_after).ok();
    let is = |now: &NodeStatus| now.certificate_not_after == not_after;
    node.until("the renewed certificate", is).await
}

async fn until_linked(node: &Node) -> NodeStatus {
    let linked = |now: &NodeStatus| now.session.is_some() && now.stored_key_count > 0;
    node.until("a link and a key", linked).await
}

#[tokio::test]
async fn authority_and_all_certificates_change_while_the_link_and_a_client_go_on() {
    let mut nodes = Nodes::builder().prepare();
    nodes.start_bob().await;
    nodes.start_alice().await;
    let session = until_linked(nodes.alice()).await.session;
    until_linked(nodes.bob()).await;
    let mut client = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    let of = || GetStatusRequest {
        slave_sae_id: SAE_BOB.to_owned(),
    };
    client.get_status(of()).await.expect("before the change");

    let authority = authority(&nodes);
    authority
        .renew_authority(1_000 * HOUR)
        .expect("a new authority");
    for node in [nodes.alice(), nodes.bob()] {
        node.hang_up();
        node.until_log("SIGHUP: the certificate is read again")
            .await;
        node.until_log("a new certificate is shown from now on")
            .await;
    }
    for name in [SAE_ALICE, SAE_BOB, OPERATOR] {
        renew(&authority, name, 48 * HOUR);
    }
    let shown = [ALICE, BOB].map(|name| renew(&authority, name, 48 * HOUR));
    until_shown(nodes.alice(), &shown[0]).await;
    until_shown(nodes.bob(), &shown[1]).await;

    // Who trusts nothing but the new authority meets nothing but new certificates.
    let both = fs::read_to_string(nodes.pki.authority()).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let newest = both.split_inclusive(end).next().unwrap();
    let file = nodes.folder().join("newest.pem");
    fs::write(&file, newest).unwrap();
    for (node, sae, other) in [
        (nodes.alice(), SAE_ALICE, SAE_BOB),
        (nodes.bob(), SAE_BOB, SAE_ALICE),
    ] {
        let files = TlsFiles {
            authority: file.clone(),
            ..nodes.pki.files_of(sae)
        };
        let channel = channel(&files, (node.services, node.name)).await;
        let channel = channel.unwrap_or_else(|error| panic!("{error:?}"));
        let request = GetStatusRequest {
            slave_sae_id: other.to_owned(),
        };
        let answer = KeyDeliveryClient::new(channel).get_status(request).await;
        answer.unwrap_or_else(|status| panic!("{}: {status:?}", node.name));
    }
    client
        .get_status(of())
        .await
        .expect("the old connection goes on");
    for node in [nodes.alice(), nodes.bob()] {
        let now = node.status().await;
        assert_eq!(now.session, session, "{}: the link stayed up", node.name);
        assert!(now.alarms.is_empty(), "{:?}", now.alarms);
    }
}

#[tokio::test]
async fn a_peer_whose_certificate_expired_is_named_at_both_ends_and_renewed_without_a_restart() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    // Bob shows where he will be, and goes.
    nodes.start_bob().await;
    assert!(nodes.take_bob().stop().await.success());
    nodes.start_alice().await;
    let authority = authority(&nodes);
    let brief = renew(&authority, ALICE, MOMENT);
    until_shown(nodes.alice(), &brief).await;
    nodes
        .alice()
        .until_log("the certificate must be renewed")
        .await;
    let over = utc(brief.validity.not_after);
    let here = format!("the certificate of kme-alice, shown by this side, expired on {over}");
    let there = format!("the certificate of kme-alice expired on {over}");
    while qkd_node::tls::now_seconds() <= brief.validity.not_after {
        // Time itself has no event to wait for.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    nodes.start_bob().await;
    let blamed = |now: &NodeStatus| now.link_fault.contains(&there);
    let fault = nodes.bob().until(&there, blamed).await.link_fault;
    assert!(
        fault.contains("qkd pki renew") && fault.contains("is a clock wrong?"),
        "{fault}"
    );
    nodes.bob().until_log(&there).await;
    nodes.alice().until_log(&here).await;
    renew(&authority, ALICE, HOUR);
    until_linked(nodes.bob()).await;
    until_linked(nodes.alice()).await;
}

#[tokio::test]
async fn a_peer_that_is_not_found_or_is_somebody_else_is_named() {
    let mut nodes = Nodes::builder().prepare();
    nodes.alice_config.classical_peer = HostPort::new("nobody.invalid", 7102);
    nodes.start_alice().await;
    let complaint = "the host name \"nobody.invalid\" does not resolve";
    let blamed = |now: &NodeStatus| now.link_fault.contains(complaint);
    let fault = nodes.alice().until(complaint, blamed).await.link_fault;
    assert!(fault.contains("known to DNS or /etc/hosts?"), "{fault}");
    assert!(nodes.take_alice().stop().await.success());

    nodes.bob_config.link.peer = "kme-carol".to_owned();
    for sae in &mut nodes.bob_config.link.saes {
        if sae.kme == ALICE {
            sae.kme = "kme-carol".to_owned();
        }
    }
    nodes.start_bob().await;
    nodes.start_alice().await;
    for node in [nodes.alice(), nodes.bob()] {
        let blamed = |now: &NodeStatus| {
            let both = ["\"kme-alice\"", "\"kme-carol\"", "[node] peer"];
            both.iter().all(|name| now.link_fault.contains(name))
        };
        node.until("both names", blamed).await;
    }
}

#[tokio::test]
#[ignore = "needs faketime"]
async fn a_peer_whose_clock_is_a_day_ahead_is_told_so_at_both_ends() {
    let mut nodes = Nodes::builder().prepare();
    let short = renew(&authority(&nodes), ALICE, 12 * HOUR);
    nodes.bob_clock = Some("+1d");
    nodes.start_bob().await;
    nodes.start_alice().await;
    let there = format!(
        "the certificate of kme-alice expired on {}",
        utc(short.validity.not_after)
    );
    let here =
        "kme-bob refuses the certificate shown to it, as expired or not valid yet by its clock";
    for (node, complaint) in [(nodes.bob(), there.as_str()), (nodes.alice(), here)] {
        let blamed = |now: &NodeStatus| now.link_fault.contains(complaint);
        let fault = node.until(complaint, blamed).await.link_fault;
        assert!(fault.contains("is a clock wrong?"), "{fault}");
        node.until_log(complaint).await;
    }
}
