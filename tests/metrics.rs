//! What Prometheus sees of a link, and that dashboard and alerts ask for nothing else.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use qkd_node::config::HostPort;
use qkd_wire::proto::delivery::{GetKeyRequest, GetStatusRequest, WatchPoolRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    KeySearch, Node, Nodes, PATIENCE, SAE_ALICE, SAE_BOB, agree_on_all_keys, delivery,
};

/// The one complaint of `promtool check metrics` that stands: keys are counted in bits everywhere
/// in this field.
const BITS: &str = "use base unit \"bytes\" instead of \"bits\"";

fn in_deploy(file: &str) -> PathBuf {
    let folder = "../../deploy/prometheus";
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(file)
}

/// The answer to `GET path`, with its headers.
async fn get(address: SocketAddr, path: &str) -> String {
    let call = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    timeout(PATIENCE, call).await.unwrap().unwrap()
}

/// A node's page without its headers.
async fn page(node: &Node) -> String {
    let address = node.metrics.expect("it serves metrics");
    let answer = get(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    let (_headers, page) = answer.split_once("\r\n\r\n").expect("headers end");
    page.to_owned()
}

/// The value of a figure, written as on the page.
fn value(page: &str, figure: &str) -> f64 {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(figure)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {figure}: {page}"));
    value.parse().expect("a figure is a number")
}

/// Everybody with a page, after one block through a passive Eve.
async fn observed() -> Nodes {
    let somewhere = || Some(HostPort::new("127.0.0.1", 0));
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    // A block in half a second: the one block must not lose its light on a busy machine.
    nodes.alice_config.slots_per_second_max = 2e7;
    nodes.alice_config.link.metrics_listen = somewhere();
    nodes.bob_config.link.metrics_listen = somewhere();
    nodes.eve_config.metrics_listen = somewhere();
    nodes.start_bob().await;
    nodes.start_eve().await;
    nodes.fibre = Some(nodes.eve_config.quantum_listen.clone());
    nodes.start_alice().await;
    for node in [nodes.alice(), nodes.bob()] {
        node.until("keys in store", |now| now.stored_key_count > 20)
            .await;
    }
    nodes
}

async fn pages(nodes: &Nodes) -> [String; 3] {
    let (alice, bob) = (page(nodes.alice()).await, page(nodes.bob()).await);
    [alice, bob, page(nodes.eve()).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_the_operator_sees() {
    let nodes = observed().await;
    let request = GetKeyRequest {
        slave_sae_id: SAE_BOB.to_owned(),
        ..GetKeyRequest::default()
    };
    let mut client = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    client.get_key(request).await.expect("a key");
    let [alice, bob, eve] = pages(&nodes).await;
    let status = nodes.alice().status().await;
    for page in [&alice, &bob] {
        assert_eq!(value(page, "qkd_link_up"), 1.0);
        assert_eq!(value(page, "qkd_link_sessions_total"), 1.0);
        assert_eq!(value(page, "qkd_blocks_total{outcome=\"key\"}"), 1.0);
        assert_eq!(
            value(page, "qkd_secret_bits_total"),
            status.secret_bits as f64
        );
        assert_eq!(Some(value(page, "qkd_last_qber_ratio")), status.last_qber);
        assert_eq!(value(page, "qkd_block_qber_ratio_count"), 1.0);
        assert_eq!(value(page, "qkd_pair_blocks"), 1.0);
        let spent = value(page, "qkd_failure_budget_spent{part=\"secrecy\"}");
        assert_eq!(Some(spent), status.spent.map(|spent| spent.secrecy));
        for reason in ["qber_too_high", "too_few_detections", "zero_length"] {
            let aborts = format!("qkd_block_aborts_total{{reason=\"{reason}\"}}");
            assert_eq!(value(page, &aborts), 0.0);
        }
        assert!(value(page, "qkd_emulated_seconds_total") > 0.01);
        assert_eq!(value(page, "qkd_store_health{state=\"sound\"}"), 1.0);
        assert!(value(page, "qkd_certificate_expiry_timestamp_seconds") > 1.7e9);
    }
    let own = value(&alice, "qkd_pool_keys{direction=\"own\"}");
    assert_eq!(own, status.stored_key_count as f64);
    assert_eq!(own, value(&bob, "qkd_pool_keys{direction=\"peer\"}"));
    assert_eq!(
        value(&alice, "qkd_keys_delivered_total{role=\"master\"}"),
        1.0
    );
    let call = "qkd_delivery_request_duration_seconds_count{code=\"OK\",method=\"GetKey\"}";
    assert_eq!((value(&alice, call), value(&bob, call)), (1.0, 0.0));
    assert_eq!(value(&bob, "qkd_pool_assigned_keys"), 1.0);
    let sent = value(&alice, "qkd_frames_sent_total{result=\"sent\"}");
    let passed = value(&eve, "qkd_eve_frames_total{result=\"forwarded\"}");
    let received = value(&bob, "qkd_frames_received_total{result=\"accepted\"}");
    assert_eq!(value(&bob, "qkd_power_alarms_total"), 0.0);
    assert!(
        sent >= passed && passed >= received && received > 10.0,
        "{sent} {passed} {received}"
    );
    assert_eq!(
        value(&alice, "qkd_fibre_dark") + value(&eve, "qkd_fibre_dark"),
        0.0
    );
}

/// Of `snspd` at 25 km: μ·η of the signal with 5 dB of fibre and 80 % detectors, less dead time.
#[tokio::test(flavor = "multi_thread")]
async fn gains_are_those_of_the_planned_link() {
    let nodes = observed().await;
    let [alice, bob, _] = pages(&nodes).await;
    for (intensity, mean) in [("signal", 0.33), ("decoy", 0.115)] {
        for basis in ["key", "test"] {
            let figure = format!("qkd_gain_ratio{{basis=\"{basis}\",intensity=\"{intensity}\"}}");
            let gain = value(&alice, &figure);
            assert_eq!(gain, value(&bob, &figure));
            let planned = 1.0 - (-mean * 0.316_f64 * 0.8).exp();
            let ratio = gain / planned;
            assert!(
                (0.3..1.05).contains(&ratio),
                "{figure}: {gain} of {planned}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_on_a_page_and_nothing_else_is_served() {
    let nodes = observed().await;
    let agreed = agree_on_all_keys(&nodes).await;
    let search = KeySearch::new(agreed.iter().map(|agreed| agreed.key.as_slice()));
    for page in pages(&nodes).await {
        assert_eq!(search.find(page.as_bytes()), None);
    }
    let address = nodes.bob().metrics.expect("Bob serves metrics");
    for path in ["/", "/metrics/keys"] {
        let answer = get(address, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_pool_shrinks_when_a_key_is_taken() {
    let nodes = observed().await;
    let mut client = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    let slave_sae_id = SAE_BOB.to_owned();
    let status = GetStatusRequest {
        slave_sae_id: slave_sae_id.clone(),
    };
    let status = client
        .get_status(status)
        .await
        .expect("a status")
        .into_inner();
    assert_eq!(
        status.max_key_count, 10_000,
        "as [store] key_count_max says"
    );
    let watch = WatchPoolRequest {
        slave_sae_id: slave_sae_id.clone(),
        interval_ms: 50,
    };
    let mut states = client
        .watch_pool(watch)
        .await
        .expect("a stream")
        .into_inner();
    let mut next = async || {
        let state = timeout(PATIENCE, states.message()).await.expect("in time");
        state
            .expect("the stream goes on")
            .expect("the stream goes on")
    };
    let first = next().await;
    assert_eq!(first.status, Some(status.clone()));
    assert!(first.healthy && first.alarms.is_empty(), "{first:?}");
    let request = GetKeyRequest {
        slave_sae_id,
        ..GetKeyRequest::default()
    };
    client.get_key(request).await.expect("a key");
    let stored = next().await.status.expect("a status").stored_key_count;
    assert_eq!(stored, status.stored_key_count - 1);
}

/// Names of ours in a text, as Prometheus knows them.
fn names(text: &str) -> BTreeSet<String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !letters(c));
    let ours = words.filter(|word| word.starts_with("qkd_"));
    ours.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_ask_for_nothing_that_is_not_there() {
    let nodes = observed().await;
    let there: BTreeSet<String> = pages(&nodes)
        .await
        .iter()
        .flat_map(|page| names(page))
        .collect();
    for file in ["dashboard.json", "alerts.yml", "alerts_test.yml"] {
        let text = std::fs::read_to_string(in_deploy(file)).unwrap();
        let asked = names(&text);
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(
            asked.len() > 10 && missing.is_empty(),
            "{file}: {missing:?}"
        );
    }
    let dashboard = std::fs::read_to_string(in_deploy("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = &panel["title"];
        assert!(
            panel["fieldConfig"]["defaults"]["unit"].is_string(),
            "{title} has no unit"
        );
        let targets = panel["targets"]
            .as_array()
            .expect("a panel asks for something");
        assert!(
            targets.iter().all(|target| target["expr"].is_string()),
            "{title}"
        );
    }
}

/// Runs `promtool` with these arguments on `input`, and returns what it says if it is content.
fn promtool(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(in_deploy(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin
        .write_all(input.as_bytes())
        .expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(said),
    }
}

#[test]
#[ignore = "needs promtool (Debian: prometheus)"]
fn promtool_takes_configuration_and_rules_and_their_tests_pass() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        if let Err(said) = promtool(&arguments, "") {
            panic!("promtool {arguments:?}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs promtool (Debian: prometheus)"]
async fn promtool_finds_nothing_but_bits_to_complain_of() {
    let nodes = observed().await;
    for page in pages(&nodes).await {
        if let Err(said) = promtool(&["check", "metrics"], &page) {
            let others = said.lines().filter(|line| !line.contains(BITS)).count();
            assert_eq!(others, 0, "{said}\n{page}");
        }
    }
}

/// Every query of the dashboard, as a rule that records it: Prometheus parses and runs them all.
#[test]
#[ignore = "needs promtool (Debian: prometheus)"]
fn promtool_parses_every_query_of_the_dashboard() {
    let text = std::fs::read_to_string(in_deploy("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = dashboard["panels"]
        .as_array()
        .expect("it has panels")
        .iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, target) in targets.enumerate() {
        let query = target["expr"].as_str().expect("a target has a query");
        let query = query
            .replace("$__rate_interval", "1m")
            .replace("$node", ".*");
        rules += &format!("  - record: query:{number}\n    expr: {query:?}\n");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    if let Err(said) = promtool(&["check", "rules", file.to_str().unwrap()], "") {
        panic!("{said}");
    }
}
