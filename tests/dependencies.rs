//! What comes from outside: licences, sources, and one generation of each family. Works offline.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that fit an Apache-2.0 OR MIT project.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Families of which two versions at once would not fit together.
const ONE_VERSION: &[&str] = &[
    "aes-gcm", "axum", "digest", "hyper", "prost", "rustls", "sha2", "tokio", "tonic",
];

/// What a fresh machine could not build, or what nobody should need.
const BANNED: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "cmake",
    "native-tls",
    "openssl-sys",
    "protobuf-src",
];

/// Ciphers and hashes that hold keys, and leave them in memory unless they are built with `zeroize`.
const WIPED: &[&str] = &["aes", "aes-gcm", "chacha20", "hmac", "polyval"];

/// Every package that is built for this platform, with its metadata.
fn packages() -> Vec<Value> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let resolved: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes are a list")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    metadata["packages"]
        .as_array()
        .expect("packages are a list")
        .iter()
        .filter(|package| {
            package["id"]
                .as_str()
                .is_some_and(|id| resolved.contains(id))
        })
        .cloned()
        .collect()
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// Whether one of the alternatives of a licence expression consists of allowed licences only.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}

#[test]
fn every_dependency_has_a_licence_that_fits() {
    for package in packages() {
        let licence = text(&package, "license");
        assert!(
            is_allowed(licence),
            "{}: `{licence}`",
            text(&package, "name")
        );
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    for package in packages() {
        let source = text(&package, "source");
        let ours = source.is_empty() && text(&package, "name").starts_with("qkd");
        assert!(
            ours || source.starts_with("registry+"),
            "{}: `{source}`",
            text(&package, "name")
        );
    }
}

#[test]
fn families_that_must_fit_together_have_one_version_each() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let versions = versions
            .entry(text(&package, "name").to_owned())
            .or_default();
        versions.insert(text(&package, "version").to_owned());
    }
    for family in ONE_VERSION {
        assert_eq!(
            versions.get(*family).map(BTreeSet::len),
            Some(1),
            "{family}: {:?}",
            versions.get(*family)
        );
    }
}

/// Each crate asks for it by itself: what another one asks for is not built with it wherever it is used
/// alone. SHA-256 hashes what is public in many crates, and keys where HMAC is.
#[test]
fn whatever_holds_a_key_wipes_it() {
    let mut seen = BTreeSet::new();
    for package in packages() {
        let own = |dependency: &&Value| dependency["kind"].is_null();
        let dependencies = package["dependencies"].as_array();
        let dependencies: Vec<&Value> = dependencies.into_iter().flatten().filter(own).collect();
        if !text(&package, "source").is_empty() {
            continue;
        }
        let has_hmac = dependencies.iter().any(|it| text(it, "name") == "hmac");
        for dependency in dependencies {
            let name = text(dependency, "name");
            if WIPED.contains(&name) || (has_hmac && name == "sha2") {
                let features = dependency["features"].as_array();
                let wipes = features.is_some_and(|all| all.iter().any(|it| it == "zeroize"));
                assert!(wipes, "{} of {}", name, text(&package, "name"));
                seen.insert(name.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), WIPED.len() + 1, "{seen:?}");
}

#[test]
fn nothing_needs_more_than_a_c_compiler() {
    for package in packages() {
        assert!(
            !BANNED.contains(&text(&package, "name")),
            "{}",
            text(&package, "name")
        );
    }
}

#[test]
fn a_licence_expression_is_read_with_its_alternatives() {
    assert!(is_allowed("MIT OR Apache-2.0"));
    assert!(is_allowed("GPL-3.0 OR MIT"));
    assert!(is_allowed("Apache-2.0 AND ISC"));
    assert!(is_allowed("MIT/Apache-2.0"));
    assert!(!is_allowed("GPL-3.0"));
    assert!(!is_allowed("MIT AND GPL-3.0"));
    assert!(!is_allowed(""));
}
