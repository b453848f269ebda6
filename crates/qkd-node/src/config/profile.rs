//! What an application or an operator needs to reach its node.

use std::fmt::Write as _;
use std::path::Path;

use toml::de::DeTable;

use super::document::{Document, NamedFile, Section};
use super::place::ConfigError;
use super::{ClientProfile, HostPort, NodeConfig, Role, files, read, rules, write};

const SECTIONS: &[&str] = &["client", "tls"];
const CLIENT_KEYS: &[&str] = &["name", "node", "services"];

impl ClientProfile {
    /// Reads the profile from `path` and looks at every file that it names.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let (profile, named) = profile(&read::text(path)?, path)?;
        files::check_tls(&profile.tls, &named)?;
        Ok(profile)
    }

    /// Reads the profile from `text`; `path` is only its name in errors and the place that relative
    /// paths start from. Does not look at the files it names.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        profile(text, path).map(|(profile, _)| profile)
    }

    /// The profile of a node as its own client, from its configuration at `path`: it has the name
    /// and the certificate of the node itself. Of all files that the configuration names, only
    /// those of `[tls]` are looked at. A service that listens on every address is called on
    /// loopback; the port is 0 where the configuration leaves it to the system.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn of_node(path: &Path) -> Result<Self, ConfigError> {
        let text = read::text(path)?;
        let (config, named) = read::node(&text, path, role(&text))?;
        let tls = config.tls().clone();
        files::check_tls(&tls, &named)?;
        Ok(Self {
            name: config.name().to_owned(),
            node: config.name().to_owned(),
            services: reachable(services_listen(&config)),
            tls,
        })
    }

    /// A file that reads back as this profile.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let entries = [
            ("name", &self.name, "the identity in the certificate"),
            ("node", &self.node, "the name in the node's certificate"),
            (
                "services",
                &self.services.to_string(),
                "where the node's gRPC services are",
            ),
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[client]");
        for (key, value, comment) in entries {
            let value = toml::Value::from(value.as_str());
            let _ = writeln!(text, "{key} = {value} # {comment}");
        }
        write::tls(&mut text, &self.tls);
        text
    }
}

fn profile(text: &str, path: &Path) -> Result<(ClientProfile, Vec<NamedFile>), ConfigError> {
    let document = Document::new(text, path);
    let table = document.parse()?;
    let root = Section::root(&document, &table, SECTIONS)?;
    let client = root.section("client", CLIENT_KEYS)?;
    let profile = ClientProfile {
        name: client.required("name", &rules::SAE_ID)?,
        node: client.required("node", &rules::SERVER_NAME)?,
        services: client.required("services", &rules::PEER)?,
        tls: read::tls(&root)?,
    };
    drop(root);
    drop(table);
    Ok((profile, document.into_files()))
}

/// Whose configuration a text most likely is. A wrong guess ends in a complaint with its place.
pub(super) fn role(text: &str) -> Role {
    let Ok(table) = DeTable::parse(text) else {
        return Role::Alice;
    };
    let listens = |section: &str| {
        let section = table.get_ref().get(section);
        let section = section.and_then(|value| value.get_ref().as_table());
        section.is_some_and(|section| section.contains_key("listen"))
    };
    if table.get_ref().contains_key("eve") {
        Role::Eve
    } else if listens("classical") {
        Role::Bob
    } else {
        Role::Alice
    }
}

fn services_listen(config: &NodeConfig) -> &HostPort {
    match config {
        NodeConfig::Alice(alice) => &alice.link.services_listen,
        NodeConfig::Bob(bob) => &bob.link.services_listen,
        NodeConfig::Eve(eve) => &eve.services_listen,
    }
}

/// Nobody can call "every address"; on the same machine loopback is one of them.
fn reachable(listen: &HostPort) -> HostPort {
    let host = match listen.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    };
    HostPort::new(host, listen.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsFiles;

    const PROFILE: &str = r#"[client]
name = "sae-alice"
node = "kme-alice"
services = "127.0.0.1:7001"

[tls]
certificate = "pki/sae-alice.pem"
private_key = "/etc/qkd/sae-alice.key"
authority = "../authority.pem"
"#;

    fn parse(text: &str) -> Result<ClientProfile, ConfigError> {
        ClientProfile::parse(text, Path::new("/home/me/alice.toml"))
    }

    #[test]
    fn paths_of_a_profile_start_from_its_folder() {
        let profile = parse(PROFILE).unwrap();
        assert_eq!(profile.name, "sae-alice");
        assert_eq!(profile.node, "kme-alice");
        assert_eq!(profile.services, HostPort::new("127.0.0.1", 7001));
        let files = TlsFiles {
            revoked: None,
            certificate: "/home/me/pki/sae-alice.pem".into(),
            private_key: "/etc/qkd/sae-alice.key".into(),
            authority: "/home/me/../authority.pem".into(),
        };
        assert_eq!(profile.tls, files);
    }

    #[test]
    fn a_written_profile_reads_back_the_same() {
        let profile = parse(PROFILE).unwrap();
        assert_eq!(parse(&profile.to_toml()).unwrap(), profile);
    }

    #[test]
    fn a_wrong_profile_is_refused_with_place_and_expectation() {
        let cases = [
            (
                PROFILE.replace("services", "servises"),
                "/home/me/alice.toml:4:1: client.servises: unknown key, did you mean `services`?",
            ),
            (
                PROFILE.replace("127.0.0.1:7001", "127.0.0.1"),
                "/home/me/alice.toml:4:12: client.services: found the string \"127.0.0.1\", expected",
            ),
            (
                PROFILE.replace("authority =", "#"),
                "/home/me/alice.toml:6:1: tls.authority: missing; expected the path of a file",
            ),
            (
                PROFILE.replace("[client]", "[node]"),
                "/home/me/alice.toml:1:2: [node]: unknown section; expected `client` or `tls`",
            ),
        ];
        for (text, expected) in cases {
            let said = parse(&text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn a_file_that_a_profile_names_and_that_is_missing_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.toml");
        std::fs::write(&path, PROFILE).unwrap();
        let said = ClientProfile::load(&path).unwrap_err().to_string();
        assert!(
            said.contains("client.toml:7:15: tls.certificate: "),
            "{said}"
        );
    }

    #[test]
    fn every_address_of_a_node_is_reached_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:7001", "127.0.0.1:7001"),
            ("[::]:7001", "[::1]:7001"),
            ("10.0.0.7:7001", "10.0.0.7:7001"),
        ] {
            let listen: HostPort = listen.parse().unwrap();
            assert_eq!(reachable(&listen).to_string(), expected);
        }
    }

    #[test]
    fn the_role_of_a_configuration_is_seen_from_its_sections() {
        assert_eq!(role("[eve]\nattack = \"passive\""), Role::Eve);
        assert_eq!(role("[classical]\nlisten = \"a:1\""), Role::Bob);
        assert_eq!(role("[classical]\npeer = \"a:1\""), Role::Alice);
        assert_eq!(role("no TOML"), Role::Alice);
    }
}
