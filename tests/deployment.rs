//! The configurations in `deploy/` are ones that the daemons take.

use std::path::Path;

use qkd_node::config::{NodeConfig, Role};

fn parse(file: &str, role: Role) -> NodeConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    NodeConfig::parse(&text, &path, role).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_configuration_in_deploy_is_accepted() {
    for folder in ["", "compose/"] {
        let file = |name: &str| format!("{folder}{name}.toml");
        parse(&file("eve"), Role::Eve);
        let (NodeConfig::Alice(alice), NodeConfig::Bob(bob)) = (
            parse(&file("alice"), Role::Alice),
            parse(&file("bob"), Role::Bob),
        ) else {
            panic!("a configuration has the role it was read for");
        };
        assert_eq!(
            alice.link.parameters.canonical_text(),
            bob.link.parameters.canonical_text()
        );
    }
}
