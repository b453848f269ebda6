//! `[etsi014]` and the place of an application's name.

use super::*;

#[test]
fn keys_by_etsi014_are_off_unless_said_and_names_stand_where_said() {
    let NodeConfig::Alice(alice) = parse(ALICE, Role::Alice).unwrap() else {
        panic!("another role");
    };
    assert_eq!(alice.link.etsi014_listen, None);
    assert_eq!(alice.link.sae_identity, IdentityRule::SanDnsOrCommonName);
    let services = "[services]\nsae_identity = \"san-uri\"\n";
    let text = ALICE.replace("[services]\n", services);
    let text = format!("{text}[etsi014]\nlisten = \"[::1]:7201\"\n");
    let read = parse(&text, Role::Alice).unwrap();
    let NodeConfig::Alice(alice) = &read else {
        panic!("another role");
    };
    assert_eq!(alice.link.etsi014_listen, Some(HostPort::new("::1", 7201)));
    assert_eq!(alice.link.sae_identity, IdentityRule::SanUri);
    assert_eq!(parse(&read.to_toml(), Role::Alice).unwrap(), read);
}

#[test]
fn every_place_of_a_name_is_taken_and_another_one_is_told_which_there_are() {
    for rule in IdentityRule::ALL {
        let services = format!("[services]\nsae_identity = \"{}\"\n", rule.name());
        let text = ALICE.replace("[services]\n", &services);
        let NodeConfig::Alice(alice) = parse(&text, Role::Alice).unwrap() else {
            panic!("another role");
        };
        assert_eq!(alice.link.sae_identity, rule);
    }
    let text = ALICE.replace("[services]\n", "[services]\nsae_identity = \"san-url\"\n");
    let said = parse(&text, Role::Alice).unwrap_err().to_string();
    assert!(said.contains("services.sae_identity"), "{said}");
    assert!(said.contains("did you mean `san-uri`?"), "{said}");
    let text = ALICE.replace("[services]\n", "[etsi014]\nport = 1\n[services]\n");
    let said = parse(&text, Role::Alice).unwrap_err().to_string();
    assert!(
        said.contains("etsi014.port") && said.contains("`listen`"),
        "{said}"
    );
}
