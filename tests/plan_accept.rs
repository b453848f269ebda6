//! `qkd plan accept`: limits that go into the configurations of both ends.

use std::fs;

use qkd_node::config::NodeConfig;
use qkd_node::presets;
use serde_json::Value;

use crate::process::{PATIENCE, Running};
use crate::support::Nodes;

/// What it prints when it ends well.
fn printed(arguments: &[&str]) -> String {
    let all = [&["plan", "accept"], arguments].concat();
    let mut command = Running::start(&all);
    let status = command.end_within(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", command.story());
    assert_eq!(command.stderr(), "", "{}", command.story());
    command.stdout()
}

/// What it says when it ends with `code`.
fn refused(arguments: &[&str], code: i32) -> String {
    let all = [&["plan", "accept"], arguments].concat();
    let mut command = Running::start(&all);
    let status = command.end_within(PATIENCE);
    assert_eq!(status.code(), Some(code), "{}", command.story());
    assert_eq!(command.stdout(), "", "{}", command.story());
    command.stderr()
}

#[test]
fn a_printed_section_pasted_at_both_ends_is_what_they_accept_by() {
    let mut nodes = Nodes::builder().prepare();
    let mut parameters = presets::snspd(25.0);
    parameters.security.block_bits = 300_000;
    nodes.alice_config.link.parameters = parameters.clone();
    nodes.bob_config.link.parameters = parameters.clone();
    let derived = parameters.block_plan().unwrap();
    let texts = [
        ("alice.toml", NodeConfig::Alice(nodes.alice_config.clone())),
        ("bob.toml", NodeConfig::Bob(nodes.bob_config.clone())),
    ];
    for (name, config) in texts {
        let path = nodes.folder().join(name);
        fs::write(&path, config.to_toml()).unwrap();
        let file = path.to_str().unwrap();
        let section = printed(&["--config", file]);
        let said: Value = printed(&["--config", file, "--json"]).parse().unwrap();
        assert_eq!(
            said["fixed_length_bits"],
            derived.acceptance.secret_length_bits
        );
        assert!(said["honest_refusal_probability"].as_f64().unwrap() < 1e-5);

        fs::write(&path, format!("{}\n{section}", config.to_toml())).unwrap();
        let role = config.role();
        let pasted = NodeConfig::load(&path, role).unwrap();
        let link = match &pasted {
            NodeConfig::Alice(alice) => &alice.link,
            NodeConfig::Bob(bob) => &bob.link,
            NodeConfig::Eve(_) => panic!("another role"),
        };
        assert_eq!(link.parameters.block_plan().unwrap(), derived, "{section}");
        // A section that is there plays no part in the next one, which is to stand in its place.
        assert_eq!(printed(&["--config", file]), section);
        assert!(
            section.contains("in place of one that is there"),
            "{section}"
        );
        fs::write(&path, format!("{}\n{section}\n{section}", config.to_toml())).unwrap();
        let twice = NodeConfig::load(&path, role).unwrap_err().to_string();
        assert!(twice.contains("accept"), "{twice}");
    }
}

#[test]
fn margins_of_ones_own_move_the_limits_and_nothing_else() {
    let link = ["--preset", "ingaas", "--distance", "50", "--json"];
    let said = |more: &[&str]| -> Value {
        let all = [&link, more].concat();
        printed(&all).parse().unwrap()
    };
    let (usual, wide) = (
        said(&[]),
        said(&[
            "--model-error",
            "0.1",
            "--deviations",
            "8",
            "--model-count",
            "0.05",
            "--length-deviations",
            "6",
            "--reconciliation-inefficiency-max",
            "1.2",
        ]),
    );
    for same in ["detections", "slots_expected", "slots_max", "block_bits"] {
        assert_eq!(usual[same], wide[same], "{same}");
    }
    let number = |of: &Value, key: &str| of[key].as_f64().unwrap();
    assert!(number(&usual, "fixed_length_bits") > number(&wide, "fixed_length_bits"));
    let refused = "honest_refusal_probability";
    assert!(number(&usual, refused) > number(&wide, refused));
    for (limit, more) in [("key_counts_min", false), ("test_errors_max", true)] {
        let [usual, wide] = [&usual, &wide].map(|one| one["accept"][limit][0].as_u64().unwrap());
        assert_eq!(wide > usual, more, "{limit}: {usual}, {wide}");
    }
}

#[test]
fn what_yields_no_limits_is_a_fault_that_says_why() {
    let far = refused(&["--preset", "ingaas", "--distance", "300"], 1);
    assert!(far.contains("ingaas at 300 km"), "{far}");
    assert!(far.contains("no length can be fixed"), "{far}");
    let open = refused(&["--preset", "ingaas"], 64);
    assert!(open.contains("add --distance KM"), "{open}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gllp.toml");
    let text = presets::snspd(25.0).to_toml();
    fs::write(&path, text.replace("wiesemann2024", "gllp")).unwrap();
    let gllp = refused(&["--config", path.to_str().unwrap()], 1);
    assert!(gllp.contains("security.theorem: "), "{gllp}");
    assert!(gllp.contains("no limits for gllp"), "{gllp}");
    let accept = ["--config", path.to_str().unwrap()];
    for (block_bits, many) in [("999", "999"), ("1e9", "1000000000")] {
        let sized = format!("block_bits = {block_bits}");
        fs::write(&path, text.replace("block_bits = 1000000", &sized)).unwrap();
        let said = refused(&accept, 1);
        assert!(said.contains("security.block_bits: "), "{said}");
        assert!(
            said.contains(many) && said.contains("1000 to 20000000"),
            "{said}"
        );
    }
    let written_over = refused(&[&accept[..], &["--output", accept[1]]].concat(), 64);
    assert!(written_over.contains("--output"), "{written_over}");
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("block_bits = 1e9")
    );
    for (option, value, expected) in [
        ("--deviations", "-1", "from 0 to 100"),
        ("--model-count", "1.5", "from 0 to 0.99"),
        ("--reconciliation-inefficiency-max", "0.9", "from 1 to 100"),
        ("--distance", "far", "from 0 to 1000 km"),
    ] {
        let said = refused(&["--preset", "snspd", option, value], 64);
        assert!(said.contains(option) && said.contains(expected), "{said}");
    }
}

#[test]
fn room_that_error_correction_does_not_keep_to_is_pointed_out() {
    let link = ["--preset", "snspd", "--distance", "25"];
    let f = "--reconciliation-inefficiency-max";
    for (room, said) in [("1.0", true), ("1.2", false)] {
        let with = [&link[..], &[f, room]].concat();
        let section = printed(&with);
        assert_eq!(
            section.contains("# Error correction does not keep to an f of 1.000"),
            said,
            "{section}"
        );
        let json: Value = printed(&[&with[..], &["--json"]].concat()).parse().unwrap();
        assert_eq!(json["notes"].as_array().unwrap().len(), usize::from(said));
    }
    // What it keeps to is the default.
    assert!(!printed(&link).contains("does not keep to"));
}

#[test]
fn a_dash_is_standard_output_and_faults_name_the_command() {
    let link = ["--preset", "snspd", "--distance", "25"];
    let dash = printed(&[&link[..], &["--output", "-"]].concat());
    assert_eq!(dash, printed(&link));
    assert!(!std::path::Path::new("-").exists());
    let said = refused(&["--preset", "ingaas", "--distance", "300"], 1);
    assert!(said.starts_with("qkd plan accept: "), "{said}");
    let mut command = Running::start(&["plan", "evaluate", "/missing.toml"]);
    assert_eq!(command.end_within(PATIENCE).code(), Some(1));
    let said = command.stderr();
    assert!(said.starts_with("qkd plan evaluate: "), "{said}");
}
