//! `[delivery]`, the quotas of `[[sae]]`, and the list of revoked certificates.

use std::num::NonZeroU32;

use super::*;
use crate::config::{DeliveryConfig, SaeQuota};

fn alice(text: &str) -> AliceConfig {
    match parse(text, Role::Alice).unwrap() {
        NodeConfig::Alice(alice) => alice,
        NodeConfig::Bob(_) | NodeConfig::Eve(_) => panic!("another role"),
    }
}

/// The configuration with a section and with more in the `[[sae]]` of an application here.
fn with(section: &str, of_sae: &str) -> String {
    let text = ALICE.replacen(
        "kme = \"kme-alice\"",
        &format!("kme = \"kme-alice\"\n{of_sae}"),
        1,
    );
    format!("{text}\n{section}\n")
}

#[test]
fn quotas_are_those_of_everybody_unless_an_application_has_its_own() {
    let link = alice(ALICE).link;
    assert_eq!(link.delivery, DeliveryConfig::default());
    assert!(link.saes.iter().all(|sae| sae.quota.is_none()));
    let text = with(
        "[delivery]\nkeys_per_second_max = 50\nunfetched_share_max = 0.25",
        "keys_per_day_max = 1000\nrequests_open_max = 4",
    );
    let link = alice(&text).link;
    let usual = SaeQuota {
        keys_per_second_max: NonZeroU32::new(50),
        ..SaeQuota::default()
    };
    assert_eq!(link.delivery.quota, usual);
    assert_eq!(link.delivery.unfetched_share_max, 0.25);
    let special = SaeQuota {
        keys_per_day_max: Some(1000),
        requests_open_max: 4,
        ..usual
    };
    let quotas: Vec<_> = link.saes.iter().filter_map(|sae| sae.quota).collect();
    assert_eq!(quotas, [special]);
    let read = parse(&text, Role::Alice).unwrap();
    assert_eq!(parse(&read.to_toml(), Role::Alice).unwrap(), read);
}

#[test]
fn quotas_out_of_range_and_of_applications_elsewhere_are_refused_where_they_stand() {
    for (line, expected) in [
        ("keys_per_second_max = 0", "from 1 to 1000000"),
        ("keys_burst_max = 2000000", "from 1 to 1000000"),
        ("keys_per_day_max = -1", "in 24 hours"),
        ("requests_open_max = 5000", "from 1 to 256"),
        ("unfetched_share_max = 1.5", "above 0 and up to 1"),
        (
            "key_per_second_max = 1",
            "did you mean `keys_per_second_max`?",
        ),
    ] {
        let text = with(&format!("[delivery]\n{line}"), "");
        let said = parse(&text, Role::Alice).unwrap_err().to_string();
        assert!(
            said.contains(expected) && said.contains("delivery."),
            "{said}"
        );
    }
    let there = ALICE.replace("kme = \"kme-bob\"", "kme = \"kme-bob\"\nkeys_burst_max = 9");
    let said = parse(&there, Role::Alice).unwrap_err().to_string();
    assert!(
        said.contains("sae.keys_burst_max") && said.contains("kme-bob"),
        "{said}"
    );
}

#[test]
fn the_list_of_revoked_certificates_is_a_file_beside_the_configuration() {
    let authority = "authority = \"pki/authority.pem\"\n";
    let listed = format!("{authority}revoked = \"pki/revoked.crl\"\n");
    let text = ALICE.replace(authority, &listed);
    let tls = alice(&text).link.tls;
    assert_eq!(tls.revoked, Some("/etc/qkd/pki/revoked.crl".into()));
    let read = parse(&text, Role::Alice).unwrap();
    assert_eq!(parse(&read.to_toml(), Role::Alice).unwrap(), read);
}
