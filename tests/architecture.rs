//! The house rules that the compiler cannot see: dependencies only point down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crate and the crates of ours it may use, from the bottom layer up.
const MAY_USE: &[(&str, &[&str])] = &[
    ("qkd-bits", &[]),
    ("qkd-security", &[]),
    ("qkd-optics", &["qkd-bits"]),
    ("qkd-auth", &["qkd-bits"]),
    ("qkd-protocols", &["qkd-bits", "qkd-optics", "qkd-security"]),
    ("qkd-attacks", &["qkd-bits", "qkd-optics"]),
    ("qkd-distill", &["qkd-bits", "qkd-security"]),
    (
        "qkd-session",
        &[
            "qkd-bits",
            "qkd-optics",
            "qkd-security",
            "qkd-protocols",
            "qkd-distill",
        ],
    ),
    ("qkd-keystore", &["qkd-bits", "qkd-security"]),
    ("qkd-messaging", &["qkd-bits"]),
    (
        "qkd-wire",
        &[
            "qkd-bits",
            "qkd-optics",
            "qkd-security",
            "qkd-protocols",
            "qkd-distill",
            "qkd-auth",
            "qkd-session",
            "qkd-keystore",
            "qkd-messaging",
        ],
    ),
    ("qkd-delivery", &["qkd-bits", "qkd-keystore", "qkd-wire"]),
    (
        "qkd-node",
        &[
            "qkd-bits",
            "qkd-optics",
            "qkd-security",
            "qkd-auth",
            "qkd-protocols",
            "qkd-attacks",
            "qkd-distill",
            "qkd-session",
            "qkd-keystore",
            "qkd-messaging",
            "qkd-wire",
            "qkd-delivery",
        ],
    ),
    (
        "qkd-sim",
        &[
            "qkd-bits",
            "qkd-optics",
            "qkd-security",
            "qkd-auth",
            "qkd-protocols",
            "qkd-attacks",
            "qkd-distill",
            "qkd-session",
            "qkd-keystore",
            "qkd-messaging",
        ],
    ),
    (
        "qkd",
        &[
            "qkd-bits",
            "qkd-optics",
            "qkd-security",
            "qkd-auth",
            "qkd-protocols",
            "qkd-attacks",
            "qkd-distill",
            "qkd-session",
            "qkd-keystore",
            "qkd-messaging",
            "qkd-wire",
            "qkd-delivery",
            "qkd-node",
            "qkd-sim",
        ],
    ),
];

/// Layers 0 to 2: no clock, socket, file, thread or asynchronous runtime.
const ENGINES_AND_BELOW: &[&str] = &[
    "qkd-bits",
    "qkd-security",
    "qkd-optics",
    "qkd-auth",
    "qkd-protocols",
    "qkd-attacks",
    "qkd-distill",
    "qkd-session",
    "qkd-keystore",
    "qkd-messaging",
];

/// What those layers may take from outside.
const PURE_DEPENDENCIES: &[&str] = &[
    "aes",
    "aes-gcm",
    "chacha20",
    "crc32c",
    "hkdf",
    "hmac",
    "libm",
    "polyval",
    "rand",
    "sha2",
    "subtle",
    "thiserror",
    "uuid",
    "zeroize",
];

/// What the source of those layers may not say outside tests.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "Instant::now",
    "SystemTime",
    "println!",
    "getrandom",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a manifest's `[dependencies]` (not those for tests).
fn dependencies(name: &str) -> BTreeSet<String> {
    let text = read(&root().join("crates").join(name).join("Cargo.toml"));
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let Some(table) = manifest.get("dependencies") else {
        return BTreeSet::new();
    };
    table
        .as_table()
        .expect("dependencies are a table")
        .keys()
        .cloned()
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a listed entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_crate_stands_on_the_map() {
    let known: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let present: BTreeSet<String> = fs::read_dir(root().join("crates"))
        .expect("crates can be listed")
        .map(|entry| entry.expect("a listed entry can be read").path())
        .filter(|path| path.is_dir())
        .map(|path| {
            path.file_name()
                .expect("a folder has a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(known, present);
}

#[test]
fn dependencies_only_point_down() {
    for (name, allowed) in MAY_USE {
        for dependency in dependencies(name).iter().filter(|d| d.starts_with("qkd")) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} may not use {dependency}"
            );
        }
    }
}

#[test]
fn engines_and_methods_take_nothing_impure_from_outside() {
    for name in ENGINES_AND_BELOW {
        for dependency in dependencies(name).iter().filter(|d| !d.starts_with("qkd")) {
            assert!(
                PURE_DEPENDENCIES.contains(&dependency.as_str()),
                "{name} may not use {dependency}"
            );
        }
    }
}

#[test]
fn engines_and_methods_know_no_clock_socket_file_or_thread() {
    for name in ENGINES_AND_BELOW {
        for path in sources(&root().join("crates").join(name).join("src")) {
            // What is compiled for tests alone may say what it found.
            let parts = path.iter().map(|part| part.to_string_lossy());
            if parts
                .rev()
                .take_while(|part| part != "src")
                .any(|part| part == "tests" || part == "tests.rs")
            {
                continue;
            }
            let text = read(&path);
            let code = text
                .split("#[cfg(test)]")
                .next()
                .expect("split gives one part at least");
            let said = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in said {
                for word in IMPURE_WORDS {
                    assert!(
                        !line.contains(word),
                        "{}: `{word}` in `{}`",
                        path.display(),
                        line.trim()
                    );
                }
            }
        }
    }
}

#[test]
fn only_the_edge_knows_protobuf() {
    for (name, _) in MAY_USE {
        let knows = dependencies(name).iter().any(|d| d.starts_with("prost"));
        assert!(!knows || *name == "qkd-wire", "{name} knows protobuf");
    }
}

#[test]
fn nobody_writes_mod_rs() {
    for (name, _) in MAY_USE {
        for path in sources(&root().join("crates").join(name).join("src")) {
            assert_ne!(
                path.file_name().expect("a file has a name"),
                "mod.rs",
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn the_top_level_stays_as_it_was_fixed() {
    let allowed: BTreeMap<&str, ()> = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "crates",
        "proto",
        "deploy",
        "tests",
        "docker-compose.yml",
        "target",
    ]
    .into_iter()
    .map(|name| (name, ()))
    .collect();
    for entry in fs::read_dir(root()).expect("the top level can be listed") {
        let name = entry.expect("a listed entry can be read").file_name();
        let name = name.to_string_lossy();
        assert!(
            name.starts_with('.') || allowed.contains_key(name.as_ref()),
            "{name} is not a top-level name"
        );
    }
}
