//! Texts that are no configuration. Every rule has its own test beside the reader; these are the
//! kinds of mistake, as somebody meets them who starts a daemon.

use super::{Installation, place_of, refusal, refused_at};

/// What happens to the line of a key.
enum Mistake {
    /// Its value becomes another.
    Value(&'static str),
    /// Its name becomes another.
    Name(&'static str),
}

use Mistake::{Name, Value};

#[test]
fn every_mistake_is_refused_at_its_place_and_with_what_was_expected() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, Mistake, &[&str])] = &[
        ("bob", "channel.distance_km", Name("distanse_km"), &["unknown key", "did you mean `distance_km`?", "expected"]),
        ("alice", "quantum.peer", Name("per"), &["unknown key", "did you mean `peer`?"]),
        ("eve", "quantum.listen", Name("lisen"), &["unknown key", "did you mean `listen`?"]),
        ("bob", "protocol.name", Value("\"bb48\""), &["the string \"bb48\"", "did you mean `bb84`?"]),
        ("bob", "security.block_bits", Value("\"many\""), &["found the string \"many\"", "expected a whole number"]),
        ("bob", "security.block_bits", Value("1e6"), &["found the number 1e6", "expected a whole number"]),
        ("alice", "source.intensities", Value("0.33"), &["found the number 0.33", "expected two mean photon numbers"]),
        ("bob", "tls.certificate", Value("7"), &["found the integer 7", "path of a file"]),
        ("alice", "detector.detector_efficiency", Value("80"), &["found the integer 80", "from 1e-9 to 1"]),
        ("bob", "channel.distance_km", Value("-1"), &["from 0 to 1000"]),
        ("bob", "security.secrecy", Value("0.5"), &["from 1e-100 to 0.01"]),
        ("bob", "store.key_count_max", Value("100000000"), &["at most 67108863 keys of 256 bits"]),
        ("alice", "quantum.peer", Value("\"127.0.0.1\""), &["host:port"]),
        ("alice", "classical.peer", Value("\"ftp://bob:1\""), &["https://host:port"]),
        ("bob", "classical.listen", Value("\"127.0.0.1:70000\""), &["an address to listen on"]),
        ("eve", "eve.attack", Value("\"intercept-resend:1.5\""), &["an attack", "from 0 to 1"]),
        ("eve", "eve.attack", Value("\"intercept-resent\""), &["did you mean `intercept-resend`?"]),
        ("bob", "node.peer", Value("\"kme-bob\""), &["the name of the other node"]),
    ];
    let installation = Installation::new();
    for (role, key, mistake, words) in cases {
        let good = installation.text(role);
        let (line, column, begins) = place_of(&good, key);
        let (section, name) = key.rsplit_once('.').unwrap();
        let old = good[begins..].lines().next().unwrap();
        let value = &old[column - 1..];
        let (new, column, named) = match mistake {
            Value(value) => (format!("{name} = {value}"), column, (*key).to_owned()),
            Name(other) => (
                format!("{other} = {value}"),
                1,
                format!("{section}.{other}"),
            ),
        };
        let bad = format!("{}{new}{}", &good[..begins], &good[begins + old.len()..]);
        let config = installation.write("bad.toml", &bad);
        let said = refused_at(role, &config, (line, column), &named);
        for word in *words {
            assert!(said.contains(word), "{new}: no {word:?} in {said:?}");
        }
    }
}

#[test]
fn what_is_missing_is_named_at_its_section() {
    let installation = Installation::new();
    for (role, key, words) in [
        ("bob", "services.listen", "an address to listen on"),
        ("alice", "classical.pre_shared_key", "the path of a file"),
        ("eve", "eve.attack", "an attack"),
    ] {
        let good = installation.text(role);
        let (_, _, begins) = place_of(&good, key);
        let end = begins + good[begins..].find('\n').unwrap() + 1;
        let bad = format!("{}{}", &good[..begins], &good[end..]);
        let config = installation.write("bad.toml", &bad);
        let said = refusal(role, &config);
        let section = good.find(&format!("[{}]", key.rsplit_once('.').unwrap().0));
        let line = good[..section.unwrap()].matches('\n').count() + 1;
        assert!(
            said.starts_with(&format!("{}:{line}:", config.display())),
            "{said}"
        );
        let rest = format!(": {key}: missing; expected {words}");
        assert!(said.contains(&rest), "no {rest:?} in {said:?}");
    }
}

#[test]
fn a_text_that_is_no_toml_is_refused_at_its_line() {
    let installation = Installation::new();
    for role in ["alice", "bob", "eve"] {
        let good = installation.text(role);
        let config = installation.write("bad.toml", &format!("{good}distance km 25\n"));
        let line = good.lines().count() + 1;
        let said = refusal(role, &config);
        assert!(
            said.starts_with(&format!("{}:{line}:", config.display())),
            "{said}"
        );
        assert!(said.contains("not TOML"), "{said}");
    }
}

#[test]
fn a_configuration_of_another_role_is_refused() {
    let installation = Installation::new();
    for (role, other, words) in [
        (
            "alice",
            "bob",
            "quantum.listen: unknown key; expected `peer`",
        ),
        ("bob", "alice", "expected `listen`"),
        ("eve", "bob", "unknown section"),
    ] {
        let config = installation.write("other.toml", &installation.text(other));
        let said = refusal(role, &config);
        assert!(said.contains(words), "{role} with {other}.toml: {said}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let installation = Installation::new();
    let folder = installation.nodes.folder();
    std::fs::write(folder.join("binary.toml"), [0xff, 0xfe]).unwrap();
    std::fs::create_dir(folder.join("folder.toml")).unwrap();
    for (name, words) in [
        ("missing.toml", "No such file"),
        ("binary.toml", "UTF-8"),
        ("folder.toml", "directory"),
    ] {
        let config = folder.join(name);
        for role in ["alice", "bob", "eve"] {
            let said = refusal(role, &config);
            let start = format!("{}: cannot read the configuration: ", config.display());
            assert!(said.starts_with(&start) && said.contains(words), "{said}");
            assert!(
                said.contains("expected a readable UTF-8 TOML file"),
                "{said}"
            );
        }
    }
}
