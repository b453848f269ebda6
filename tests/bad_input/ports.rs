//! Addresses at which nobody can listen.

use qkd_node::config::{HostPort, NodeConfig};

use super::{Installation, refusal};

fn bob_at(installation: &Installation, key: &str, address: &HostPort) -> String {
    let mut bob = installation.nodes.bob_config.clone();
    match key {
        "quantum" => bob.quantum_listen = address.clone(),
        "classical" => bob.classical_listen = address.clone(),
        "services" => bob.link.services_listen = address.clone(),
        "etsi014" => bob.link.etsi014_listen = Some(address.clone()),
        "metrics" => bob.link.metrics_listen = Some(address.clone()),
        other => panic!("there is no address {other}"),
    }
    NodeConfig::Bob(bob).to_toml()
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let installation = Installation::new();
    let taken = HostPort::from(installation.taken.address);
    for key in ["quantum", "classical", "services", "etsi014", "metrics"] {
        let config = installation.write("bob.toml", &bob_at(&installation, key, &taken));
        let said = refusal("bob", &config);
        let start = format!("[{key}] listen cannot listen on {taken}: ");
        assert!(said.starts_with(&start), "{said}");
        let advice = "another process listens there: stop it or choose another port";
        assert!(said.contains(advice), "{said}");
    }
    for role in ["alice", "eve"] {
        let config = installation.write("other.toml", &installation.text(role));
        let said = refusal(role, &config);
        assert!(said.contains(&taken.to_string()), "{said}");
        assert!(said.contains("stop it or choose another port"), "{said}");
    }
}

#[test]
fn an_address_of_another_machine_is_named() {
    let installation = Installation::new();
    // Reserved for documentation (RFC 5737): no machine has it.
    let elsewhere = HostPort::new("192.0.2.1", 0);
    for key in ["quantum", "classical", "services", "etsi014", "metrics"] {
        let config = installation.write("bob.toml", &bob_at(&installation, key, &elsewhere));
        let said = refusal("bob", &config);
        let start = format!("[{key}] listen cannot listen on {elsewhere}: ");
        assert!(said.starts_with(&start), "{said}");
    }
}
