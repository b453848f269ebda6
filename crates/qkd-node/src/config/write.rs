//! From a configuration back to a file that people can read and edit.

use std::fmt::Write as _;
use std::path::Path;

use super::{
    AliceConfig, BobConfig, DeliveryConfig, EveConfig, HostPort, LinkConfig, NodeConfig, TlsFiles,
    alices_door, debug, delivery, monitors, store,
};

/// The whole file of a node.
pub(super) fn node(config: &NodeConfig) -> String {
    match config {
        NodeConfig::Alice(config) => alice(config),
        NodeConfig::Bob(config) => bob(config),
        NodeConfig::Eve(config) => eve(config),
    }
}

fn alice(config: &AliceConfig) -> String {
    let mut text = node_section(&config.link);
    let pace = format!("{:?}", config.slots_per_second_max);
    let mut quantum = vec![
        ("peer", string(&config.quantum_peer.to_string())),
        ("slots_per_second_max", pace),
    ];
    let segment = config.segment_loss_db;
    quantum.extend(segment.map(|loss_db| ("segment_loss_db", format!("{loss_db:?}"))));
    section(&mut text, "quantum", &quantum);
    section(
        &mut text,
        "classical",
        &[
            (
                "peer",
                string(&format!("https://{}", config.classical_peer)),
            ),
            ("server_name", string(&config.server_name)),
            ("pre_shared_key", path(&config.link.pre_shared_key)),
        ],
    );
    rest_of_link(&mut text, &config.link);
    for (name, entries) in alices_door::sections(&config.door) {
        section(&mut text, name, &entries);
    }
    text
}

fn bob(config: &BobConfig) -> String {
    let mut text = node_section(&config.link);
    let quantum = string(&config.quantum_listen.to_string());
    section(&mut text, "quantum", &[("listen", quantum)]);
    section(
        &mut text,
        "classical",
        &[
            ("listen", string(&config.classical_listen.to_string())),
            ("pre_shared_key", path(&config.link.pre_shared_key)),
        ],
    );
    rest_of_link(&mut text, &config.link);
    text
}

fn eve(config: &EveConfig) -> String {
    let mut text = String::new();
    section(&mut text, "node", &[("name", string(&config.name))]);
    section(
        &mut text,
        "quantum",
        &[
            ("listen", string(&config.quantum_listen.to_string())),
            ("peer", string(&config.quantum_peer.to_string())),
        ],
    );
    let services = string(&config.services_listen.to_string());
    section(&mut text, "services", &[("listen", services)]);
    listen(&mut text, "metrics", &config.metrics_listen);
    tls(&mut text, &config.tls);
    let position = string(config.position.name());
    let attack = string(&config.attack);
    section(
        &mut text,
        "eve",
        &[("attack", attack), ("position", position)],
    );
    section(
        &mut text,
        "channel",
        &[
            ("distance_km", format!("{:?}", config.fibre.distance_km)),
            (
                "attenuation_db_per_km",
                format!("{:?}", config.fibre.attenuation_db_per_km),
            ),
        ],
    );
    text
}

fn node_section(link: &LinkConfig) -> String {
    let mut text = String::new();
    section(
        &mut text,
        "node",
        &[
            ("name", string(&link.name)),
            ("peer", string(&link.peer)),
            ("data_dir", path(&link.data_dir)),
        ],
    );
    text
}

/// Everything of a link that is not only one end's.
pub(super) fn link(text: &mut String, link: &LinkConfig) {
    text.push_str(&node_section(link));
    rest_of_link(text, link);
}

fn rest_of_link(text: &mut String, link: &LinkConfig) {
    let services = string(&link.services_listen.to_string());
    let identity = string(link.sae_identity.name());
    section(
        text,
        "services",
        &[("listen", services), ("sae_identity", identity)],
    );
    listen(text, "etsi014", &link.etsi014_listen);
    listen(text, "metrics", &link.metrics_listen);
    tls(text, &link.tls);
    text.push('\n');
    text.push_str(&link.parameters.to_toml());
    let session = &link.session;
    let mut entries = Vec::new();
    if let Some(blocks) = session.blocks_max {
        entries.push(("blocks_max", blocks.to_string()));
    }
    entries.push((
        "blocks_in_flight_max",
        session.blocks_in_flight_max.to_string(),
    ));
    if let Some(threads) = session.worker_threads {
        entries.push(("worker_threads", threads.to_string()));
    }
    if let Some(seed) = session.seed {
        entries.push(("seed", seed.to_string()));
    }
    section(text, "session", &entries);
    section(text, "monitors", &monitors::entries(&link.monitors));
    let mut entries = store::entries(&link.store).to_vec();
    entries.push(("store_key", path(&link.store.store_key)));
    section(text, "store", &entries);
    let mailbox = link.messages.mailbox_bytes_max.to_string();
    section(text, "messages", &[("mailbox_bytes_max", mailbox)]);
    let (usual, delivery) = (DeliveryConfig::default(), &link.delivery);
    let mut entries = delivery::entries(delivery.quota, usual.quota);
    let share = format!("{:?}", delivery.unfetched_share_max);
    entries.push(("unfetched_share_max", share));
    section(text, "delivery", &entries);
    for sae in &link.saes {
        let mut entries = vec![("id", string(&sae.id)), ("kme", string(&sae.kme))];
        if let Some(quota) = sae.quota {
            entries.extend(delivery::entries(quota, link.delivery.quota));
        }
        section(text, "[sae]", &entries);
    }
    let mut entries = Vec::new();
    if !link.debug.fail_points.is_empty() {
        let points = link.debug.fail_points.iter();
        let points: Vec<String> = points.map(|point| string(&point.to_string())).collect();
        entries.push(("fail_points", format!("[{}]", points.join(", "))));
    }
    if let Some(defect) = link.debug.generator {
        entries.push(("generator", string(&debug::defect_text(defect))));
    }
    if !entries.is_empty() {
        section(text, "debug", &entries);
    }
}

/// A section with an address, where there is one.
fn listen(text: &mut String, name: &str, address: &Option<HostPort>) {
    if let Some(address) = address {
        section(text, name, &[("listen", string(&address.to_string()))]);
    }
}

pub(super) fn tls(text: &mut String, files: &TlsFiles) {
    let mut entries = vec![
        ("certificate", path(&files.certificate)),
        ("private_key", path(&files.private_key)),
        ("authority", path(&files.authority)),
    ];
    entries.extend(files.revoked.as_deref().map(|list| ("revoked", path(list))));
    section(text, "tls", &entries);
}

fn section(text: &mut String, name: &str, entries: &[(&str, String)]) {
    if !text.is_empty() {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "[{name}]");
    for (key, value) in entries {
        let _ = writeln!(text, "{key} = {value}");
    }
}

fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn path(path: &Path) -> String {
    string(&path.to_string_lossy())
}
