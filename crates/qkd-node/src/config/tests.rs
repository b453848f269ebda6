//! Good configurations of every role, and bad ones: each with its place and the words that help.

use super::*;
use crate::parameters::AcceptLimits;
use crate::presets;

mod alices_door;
mod delivery;
mod detector_effects;
mod effects;
mod etsi014;
mod files;
mod monitors;

const ALICE: &str = r#"# Alice
[node]
name = "kme-alice"
peer = "kme-bob"
data_dir = "alice"

[quantum]
peer = "127.0.0.1:7001"

[classical]
peer = "https://bob.example:7002"
pre_shared_key = "pki/pre-shared.key"

[services]
listen = "127.0.0.1:7003"

[tls]
certificate = "pki/kme-alice.pem"
private_key = "pki/kme-alice.key"
authority = "pki/authority.pem"

[source]
clock_hz = 1e9
intensities = [0.33, 0.115]
intensity_probabilities = [0.45, 0.55]

[channel]
distance_km = 25
attenuation_db_per_km = 0.2
insertion_loss_db = 0.0

[detector]
detector_efficiency = 0.8
dark_count_probability = 1e-8
dead_time_ns = 30
afterpulse_probability = 0.0

[protocol]
name = "bb84"
key_basis_probability = 0.8
misalignment_error = 0.01

[security]
theorem = "wiesemann2024"
block_bits = 1_000_000
secrecy = 1e-10
correctness = 1e-15

[session]
blocks_in_flight_max = 2

[store]
key_count_max = 5000
store_key = "alice.store.key"

[[sae]]
id = "app-a"
kme = "kme-alice"

[[sae]]
id = "app-b"
kme = "kme-bob"
"#;

const EVE: &str = r#"[node]
name = "kme-eve"

[quantum]
listen = "127.0.0.1:7001"
peer = "127.0.0.1:7004"

[services]
listen = "[::1]:7005"

[tls]
certificate = "eve.pem"
private_key = "eve.key"
authority = "authority.pem"

[eve]
attack = "intercept-resend:0.5"
"#;

const PATH: &str = "/etc/qkd/node.toml";

fn parse(text: &str, role: Role) -> Result<NodeConfig, ConfigError> {
    NodeConfig::parse(text, Path::new(PATH), role)
}

fn alice_text() -> String {
    ALICE.to_owned()
}

fn bob_text() -> String {
    ALICE
        .replace("peer = \"127.0.0.1:7001\"", "listen = \"0.0.0.0:7001\"")
        .replace(
            "peer = \"https://bob.example:7002\"",
            "listen = \"[::]:7002\"",
        )
}

#[test]
fn a_good_configuration_of_alice_says_what_it_said() {
    let NodeConfig::Alice(alice) = parse(ALICE, Role::Alice).unwrap() else {
        panic!("another role");
    };
    assert_eq!(alice.quantum_peer, HostPort::new("127.0.0.1", 7001));
    assert_eq!(alice.classical_peer, HostPort::new("bob.example", 7002));
    assert_eq!(alice.server_name, "kme-bob");
    assert_eq!(alice.slots_per_second_max, 1e9);
    let link = &alice.link;
    assert_eq!(link.parameters, presets::snspd(25.0));
    assert_eq!(link.data_dir, Path::new("/etc/qkd/alice"));
    assert_eq!(link.tls.authority, Path::new("/etc/qkd/pki/authority.pem"));
    assert_eq!(link.session.blocks_in_flight_max, 2);
    assert_eq!(link.session.blocks_max, None);
    assert_eq!(link.session.worker_threads, None);
    assert_eq!(
        (link.store.key_size_bits, link.store.key_count_max),
        (256, 5000)
    );
    assert_eq!(link.saes[1].kme, "kme-bob");
    assert_eq!(link.messages.mailbox_bytes_max, 256 << 20);
    assert_eq!(link.metrics_listen, None);
}

#[test]
fn every_role_reads_back_what_it_writes() {
    let alice = ALICE
        .replace(
            "[session]",
            "[session]\nblocks_max = 3\nseed = 9223372036854775807",
        )
        .replace(
            "[channel]",
            "[security.side_channels]\nreflected_photons = 1e-7\nback_flash_probability = 0.001\n\
             [security.accept]\nleaked_bits_max = 9\ntest_errors_max = [4, 5]\n[channel]",
        )
        .replace(
            "[security]",
            "[security]\nauthentication = \"polyval-hmac-sha-256\"",
        )
        .replace("name = \"kme-alice\"", "name = 'kme-al'")
        .replace("kme = \"kme-alice\"", "kme = \"kme-al\"")
        .replace(
            "data_dir = \"alice\"",
            r#"data_dir = "a \"quoted\\ folder""#,
        );
    let alice = alice.replacen(
        "[[sae]]",
        "[messages]\nmailbox_bytes_max = 3000000\n[[sae]]",
        1,
    );
    let metrics = "[metrics]\nlisten = \"[::1]:9464\"\n";
    let alice = alice.replacen("[tls]", &format!("{metrics}[tls]"), 1);
    let eve = format!("{EVE}position = \"as-needed\"\n{metrics}[channel]\ndistance_km = 5\n");
    let texts = [
        (alice.as_str(), Role::Alice),
        (&bob_text(), Role::Bob),
        (EVE, Role::Eve),
        (&eve, Role::Eve),
    ];
    for (text, role) in texts {
        let config = parse(text, role).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.role(), role);
        let written = config.to_toml();
        let again = parse(&written, role).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(config, again, "{written}");
    }
}

#[test]
fn sections_of_every_preset_read_back() {
    let (start, end) = (
        ALICE.find("[source]").unwrap(),
        ALICE.find("[session]").unwrap(),
    );
    for preset in presets::Preset::ALL {
        let mut parameters = preset.parameters(17.5);
        let planned = parameters.block_plan().unwrap();
        // Limits as a plan writes them, pasted below what was there.
        let limits = AcceptLimits::all_of(&planned.acceptance);
        let text = format!(
            "{}{}\n{}\n{}",
            &ALICE[..start],
            parameters.to_toml(),
            limits.to_toml(),
            &ALICE[end..]
        );
        parameters.security.accept = limits;
        assert_eq!(parameters.block_plan().unwrap(), planned);
        match parse(&text, Role::Alice).unwrap_or_else(|error| panic!("{error}")) {
            NodeConfig::Alice(alice) => assert_eq!(alice.link.parameters, parameters),
            NodeConfig::Bob(_) | NodeConfig::Eve(_) => panic!("another role"),
        }
    }
}

/// One bad configuration: `from` becomes `to` in Alice's good one. The complaint must point at
/// the first `at` of the new text, name `key` and contain all `words`.
struct Bad {
    from: &'static str,
    to: &'static str,
    at: &'static str,
    key: &'static str,
    words: &'static [&'static str],
}

const fn bad(
    [from, to, at]: [&'static str; 3],
    key: &'static str,
    words: &'static [&'static str],
) -> Bad {
    Bad {
        from,
        to,
        at,
        key,
        words,
    }
}

fn check(base: &str, role: Role, case: &Bad) {
    let name = format!("{:?} -> {:?}", case.from, case.to);
    assert!(base.contains(case.from), "{name}: nothing to replace");
    let text = base.replacen(case.from, case.to, 1);
    let error = match parse(&text, role) {
        Ok(_) => panic!("{name}: accepted"),
        Err(error) => error,
    };
    let offset = text
        .find(case.at)
        .unwrap_or_else(|| panic!("{name}: no {:?}", case.at));
    let line = text[..offset].lines().count().max(1) + usize::from(text[..offset].ends_with('\n'));
    let line = if offset == 0 { 1 } else { line };
    let column = offset - text[..offset].rfind('\n').map_or(0, |at| at + 1) + 1;
    let said = error.to_string();
    let start = format!("{PATH}:{line}:{column}: {}: ", case.key);
    assert!(
        said.starts_with(&start),
        "{name}: expected {start:?}, got {said:?}"
    );
    for word in case.words {
        assert!(said.contains(word), "{name}: no {word:?} in {said:?}");
    }
    let expects = said.contains("expected") || matches!(error, ConfigError::Syntax { .. });
    assert!(expects, "{name}: {said:?} does not say what was expected");
}

#[rustfmt::skip]
const BAD_NAMES: &[Bad] = &[
    bad(["name = \"bb84\"", "name = \"bb84\"\nreconciliation_inefficiency = 1.1", "reconciliation_inefficiency"], "protocol.reconciliation_inefficiency", &["unknown key", "`qkd plan` alone"]),
    bad(["[node]", "[nodes]", "nodes"], "[nodes]", &["unknown section", "did you mean `node`?"]),
    bad(["[session]", "[sesion]", "sesion"], "[sesion]", &["unknown section", "did you mean `session`?"]),
    bad(["[session]", "[eve]\n[session]", "eve]"], "[eve]", &["unknown section", "expected `node`"]),
    bad(["[node]", "loglevel = 1\n[node]", "loglevel"], "[loglevel]", &["unknown section"]),
    bad(["distance_km = 25", "distanse_km = 25", "distanse"], "channel.distanse_km", &["unknown key", "did you mean `distance_km`?"]),
    bad(["clock_hz", "clock_Hz", "clock_Hz"], "source.clock_Hz", &["unknown key", "did you mean `clock_hz`?"]),
    bad(["listen = \"127.0.0.1:7003\"", "lisen = \"127.0.0.1:7003\"", "lisen"], "services.lisen", &["unknown key", "expected `listen`"]),
    bad(["peer = \"127.0.0.1:7001\"", "listen = \"127.0.0.1:7001\"", "listen"], "quantum.listen", &["unknown key", "`peer`, `slots_per_second_max` or `segment_loss_db`"]),
    bad(["secrecy = ", "epsilon = ", "epsilon"], "security.epsilon", &["unknown key", "`secrecy`"]),
    bad(["id = \"app-a\"", "id = \"app-a\"\nkey = 1", "key = 1"], "sae.key", &["unknown key", "`id`, `kme`, `keys_per_second_max`"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\n[security.acept]", "acept"], "[security.acept]", &["unknown section", "did you mean `accept`?"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\n[security.accept]\nleak_max = 1", "leak_max"], "security.accept.leak_max", &["unknown key", "`leaked_bits_max`"]),
];

#[rustfmt::skip]
const MISSING: &[Bad] = &[
    bad(["name = \"kme-alice\"\n", "", "[node]"], "node.name", &["missing", "expected a name"]),
    bad(["clock_hz = 1e9\n", "", "[source]"], "source.clock_hz", &["missing", "clock rate in Hz"]),
    bad(["pre_shared_key = \"pki/pre-shared.key\"\n", "", "[classical]"], "classical.pre_shared_key", &["missing", "path of a file"]),
    bad(["authority = \"pki/authority.pem\"\n", "", "[tls]"], "tls.authority", &["missing", "path of a file"]),
    bad(["dark_count_probability = 1e-8\n", "", "[detector]"], "detector.dark_count_probability", &["missing", "per detector and slot"]),
    bad(["id = \"app-b\"\n", "", "[[sae]]\nkme = \"kme-bob\""], "sae.id", &["missing", "identity of an application"]),
    bad(["[tls]\ncertificate = \"pki/kme-alice.pem\"\nprivate_key = \"pki/kme-alice.key\"\nauthority = \"pki/authority.pem\"\n", "", "# Alice"], "[tls]", &["missing", "a section with `certificate`, `private_key`, `authority` or `revoked`"]),
];

#[rustfmt::skip]
const BAD_TYPES: &[Bad] = &[
    bad(["block_bits = 1_000_000", "block_bits = 1e6", "1e6"], "security.block_bits", &["found the number 1e6", "whole number"]),
    bad(["block_bits = 1_000_000", "block_bits = \"1000000\"", "\"1000000\""], "security.block_bits", &["found the string \"1000000\""]),
    bad(["block_bits = 1_000_000", "block_bits = -1000000", "-1000000"], "security.block_bits", &["found the integer -1000000"]),
    bad(["distance_km = 25", "distance_km = true", "true"], "channel.distance_km", &["found the boolean true", "length in km"]),
    bad(["distance_km = 25", "distance_km = 2026-01-01", "2026-01-01"], "channel.distance_km", &["found the date or time 2026-01-01"]),
    bad(["name = \"kme-alice\"", "name = 7", "7\npeer"], "node.name", &["found the integer 7"]),
    bad(["intensities = [0.33, 0.115]", "intensities = 0.33", "0.33"], "source.intensities", &["found the number 0.33", "two mean photon numbers"]),
    bad(["[session]", "session = 3\n[session]", "session = 3"], "security.session", &["unknown key"]),
];

#[rustfmt::skip]
const BAD_VALUES: &[Bad] = &[
    bad(["clock_hz = 1e9", "clock_hz = 0", "0\nintensities"], "source.clock_hz", &["found the integer 0", "from 0.001 to 1e12"]),
    bad(["clock_hz = 1e9", "clock_hz = nan", "nan"], "source.clock_hz", &["found the number nan"]),
    bad(["clock_hz = 1e9", "clock_hz = inf", "inf"], "source.clock_hz", &["found the number inf"]),
    bad(["[0.33, 0.115]", "[0.115, 0.33]", "[0.115"], "source.intensities", &["found the array [0.115, 0.33]", "signal above decoy"]),
    bad(["[0.33, 0.115]", "[0.33, 0.0]", "[0.33"], "source.intensities", &["above 0"]),
    bad(["[0.33, 0.115]", "[0.33, 0.1, 0.0]", "[0.33"], "source.intensities", &["two mean photon numbers"]),
    bad(["[0.45, 0.55]", "[0.45, 0.56]", "[0.45"], "source.intensity_probabilities", &["sum 1"]),
    bad(["[0.45, 0.55]", "[1.45, -0.45]", "[1.45"], "source.intensity_probabilities", &["two probabilities above 0"]),
    bad(["distance_km = 25", "distance_km = -1", "-1"], "channel.distance_km", &["from 0 to 1000"]),
    bad(["attenuation_db_per_km = 0.2", "attenuation_db_per_km = -0.2", "-0.2"], "channel.attenuation_db_per_km", &["dB per km"]),
    bad(["insertion_loss_db = 0.0", "insertion_loss_db = 1000", "1000"], "channel.insertion_loss_db", &["a loss in dB"]),
    bad(["detector_efficiency = 0.8", "detector_efficiency = 80", "80"], "detector.detector_efficiency", &["from 1e-9 to 1"]),
    bad(["dark_count_probability = 1e-8", "dark_count_probability = 10", "10"], "detector.dark_count_probability", &["below 0.5"]),
    bad(["dead_time_ns = 30", "dead_time_ns = -30", "-30"], "detector.dead_time_ns", &["a time in ns"]),
    bad(["afterpulse_probability = 0.0", "afterpulse_probability = 1.0", "1.0"], "detector.afterpulse_probability", &["below 0.5"]),
    bad(["afterpulse_probability = 0.0", "afterpulse_decay_ns = 0", "0\n\n[protocol]"], "detector.afterpulse_decay_ns", &["above 0"]),
    bad(["name = \"bb84\"", "name = \"bb48\"", "\"bb48\""], "protocol.name", &["the string \"bb48\"", "did you mean `bb84`?"]),
    bad(["key_basis_probability = 0.8", "key_basis_probability = 1", "1\nmisalignment"], "protocol.key_basis_probability", &["below 1"]),
    bad(["misalignment_error = 0.01", "misalignment_error = 0.6", "0.6"], "protocol.misalignment_error", &["from 0 to 0.5"]),
    bad(["theorem = \"wiesemann2024\"", "theorem = \"wiesemann\"", "\"wiesemann\""], "security.theorem", &["key-length theorem", "\"wiesemann2024\""]),
    bad(["theorem = \"wiesemann2024\"", "theorem = \"rusca2018\"", "\"rusca2018\""], "security.theorem", &["\"wiesemann2024\"", "rusca2018", "`qkd plan` alone"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\nauthentication = \"hmac\"", "\"hmac\""], "security.authentication", &["the string \"hmac\"", "\"hmac-sha-256\" (the default)", "\"polyval-hmac-sha-256\""]),
    bad(["correctness = 1e-15", "correctness = 1e-15\nauthentication = \"polyval-hmac-sha256\"", "\"polyval-hmac-sha256\""], "security.authentication", &["did you mean `polyval-hmac-sha-256`?"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\nauthentication = false", "false"], "security.authentication", &["found the boolean false"]),
    bad(["block_bits = 1_000_000", "block_bits = 999", "999"], "security.block_bits", &["from 1000"]),
    bad(["secrecy = 1e-10", "secrecy = 0.0", "0.0\ncorrectness"], "security.secrecy", &["from 1e-100 to 0.01"]),
    bad(["correctness = 1e-15", "correctness = 1.0", "1.0"], "security.correctness", &["from 1e-100 to 0.01"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\nside_channels = { reflected_photons = 2 }", "2 }"], "security.side_channels.reflected_photons", &["from 0 to 1", "per slot"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\nside_channels = { back_flash_probability = 1 }", "1 }"], "security.side_channels.back_flash_probability", &["below 1"]),
    bad(["correctness = 1e-15", "correctness = 1e-15\naccept = { key_counts_min = [1] }", "[1]"], "security.accept.key_counts_min", &["two whole numbers"]),
    bad(["blocks_in_flight_max = 2", "blocks_in_flight_max = 0", "0\n\n[store]"], "session.blocks_in_flight_max", &["from 1 to 256"]),
    bad(["blocks_in_flight_max = 2", "blocks_max = 0", "0\n\n[store]"], "session.blocks_max", &["from 1"]),
    bad(["blocks_in_flight_max = 2", "worker_threads = 0", "0\n\n[store]"], "session.worker_threads", &["from 1 to 256"]),
    bad(["blocks_in_flight_max = 2", "worker_threads = 257", "257\n\n[store]"], "session.worker_threads", &["from 1 to 256"]),
    bad(["blocks_in_flight_max = 2", "seed = -5", "-5"], "session.seed", &["from 0"]),
    bad(["key_count_max = 5000", "key_size_bits = 100", "100"], "store.key_size_bits", &["multiple of 8"]),
    bad(["key_count_max = 5000", "key_count_max = 0", "0\nstore_key"], "store.key_count_max", &["from 1"]),
    bad(["key_count_max = 5000", "unfetched_age_max_s = 0", "0\nstore_key"], "store.unfetched_age_max_s", &["from 1 to 3153600000"]),
    bad(["key_count_max = 5000", "compare_every_s = 0", "0\nstore_key"], "store.compare_every_s", &["from 1 to 2592000"]),
    bad(["[[sae]]", "[messages]\nmailbox_bytes_max = 2097151\n[[sae]]", "2097151"], "messages.mailbox_bytes_max", &["from 2097152 (2 MiB)"]),
    bad(["[[sae]]", "[messages]\nmailbox_bytes_max = 3e9\n[[sae]]", "3e9"], "messages.mailbox_bytes_max", &["whole number of bytes"]),
    bad(["store_key = \"alice.store.key\"", "store_key = \"\"", "\"\""], "store.store_key", &["path of a file"]),
];

#[rustfmt::skip]
const BAD_ADDRESSES_AND_CONTRADICTIONS: &[Bad] = &[
    bad(["\"kme-alice\"\npeer", "\"KME Alice\"\npeer", "\"KME"], "node.name", &["lower-case letters"]),
    bad(["\"kme-alice\"\npeer", "\"kme-bob\"\npeer", "\"kme-bob\"\ndata"], "node.peer", &["the name of the other node"]),
    bad(["\"127.0.0.1:7001\"", "\"127.0.0.1\"", "\"127.0.0.1\""], "quantum.peer", &["host:port"]),
    bad(["\"127.0.0.1:7001\"", "\"127.0.0.1:0\"", "\"127.0.0.1:0\""], "quantum.peer", &["a port from 1"]),
    bad(["\"127.0.0.1:7001\"", "\"127.0.0.1:70011\"", "\"127.0.0.1:70011\""], "quantum.peer", &["host:port"]),
    bad(["\"127.0.0.1:7001\"", "\"127.0.0.1:7001\"\nslots_per_second_max = 0", "0\n\n[classical]"], "quantum.slots_per_second_max", &["slots per second above 0"]),
    bad(["\"https://bob.example:7002\"", "\"http://bob.example:7002\"", "\"http://"], "classical.peer", &["https://host:port"]),
    bad(["pre_shared_key", "server_name = \"a b\"\npre_shared_key", "\"a b\""], "classical.server_name", &["the DNS name"]),
    bad(["\"127.0.0.1:7003\"", "\":7003\"", "\":7003\""], "services.listen", &["an address to listen on"]),
    bad(["kme = \"kme-alice\"", "kme = \"kme-carol\"", "\"kme-carol\""], "sae.kme", &["\"kme-alice\" or \"kme-bob\""]),
    bad(["id = \"app-b\"", "id = \"app-a\"", "\"app-a\"\nkme = \"kme-bob\""], "sae.id", &["no other [[sae]]"]),
    bad(["key_count_max = 5000", "key_count_max = 100000000", "100000000"], "store.key_count_max", &["at most 67108863 keys of 256 bits"]),
    bad(["1_000_000\nsecrecy = 1e-10\ncorrectness = 1e-15\n\n[session]\nblocks_in_flight_max = 2\n", "20_000_000\nsecrecy = 1e-10\ncorrectness = 1e-15\n\n[session]\nblocks_in_flight_max = 108\n", "108\n"], "session.blocks_in_flight_max", &["at most 107", "20000000 bits", "4 GiB"]),
    bad(["distance_km = 25\nattenuation_db_per_km = 0.2", "distance_km = 1000\nattenuation_db_per_km = 100", "1_000_000"], "security.block_bits", &["a link that can be planned", "transmittance_channel"]),
];

#[rustfmt::skip]
const NOT_TOML: &[Bad] = &[
    bad(["distance_km = 25", "distance_km = 25 km", "25 km"], "distance_km", &["not TOML"]),
    bad(["distance_km = 25", "distance_km = 25\ndistance_km = 26", "distance_km = 26"], "distance_km", &["not TOML", "duplicate key"]),
    bad(["distance_km = 25", "distance_km =", "\nattenuation_db"], "distance_km", &["not TOML"]),
    bad(["[channel]", "[source]", "source]\ndistance_km"], "[source]", &["not TOML", "duplicate key"]),
    bad(["# Alice", "tls = 3", "tls]"], "[tls]", &["not TOML", "duplicate key"]),
];

#[test]
fn unknown_names_are_refused_with_a_suggestion() {
    for case in BAD_NAMES {
        check(ALICE, Role::Alice, case);
    }
}

#[test]
fn missing_keys_are_named_at_their_section() {
    for case in MISSING {
        check(ALICE, Role::Alice, case);
    }
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    for case in BAD_TYPES {
        check(ALICE, Role::Alice, case);
    }
    let session = ALICE.find("[session]").unwrap();
    let rows = [
        ("session = 3", "a section [session]"),
        ("sae = 3", "tables [[sae]]"),
        ("sae = {}", "tables [[sae]]"),
    ];
    for (line, words) in rows {
        let text = format!("{line}\n{}[store]\nstore_key = \"k\"\n", &ALICE[..session]);
        let error = parse(&text, Role::Alice).unwrap_err();
        let column = line.find('=').unwrap() + 3;
        let place = error.place().unwrap();
        assert_eq!((place.line, place.column), (1, column), "{error}");
        let said = error.to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for case in BAD_VALUES {
        check(ALICE, Role::Alice, case);
    }
}

#[test]
fn bad_addresses_and_contradictions_are_refused() {
    for case in BAD_ADDRESSES_AND_CONTRADICTIONS {
        check(ALICE, Role::Alice, case);
    }
}

#[test]
fn what_is_not_toml_is_refused_at_its_line() {
    for case in NOT_TOML {
        check(ALICE, Role::Alice, case);
    }
}

#[test]
#[rustfmt::skip]
fn every_role_refuses_what_belongs_to_another() {
    let bob = bob_text();
    let cases = [
        (bob.as_str(), Role::Bob, bad(["listen = \"0.0.0.0:7001\"", "peer = \"b:1\"", "peer = \"b:1\""], "quantum.peer", &["expected `listen`"])),
        (&bob, Role::Bob, bad(["listen = \"[::]:7002\"\n", "", "[classical]"], "classical.listen", &["missing"])),
        (EVE, Role::Eve, bad(["name = \"kme-eve\"", "name = \"kme-eve\"\npeer = \"kme-bob\"", "peer = \"kme-bob\""], "node.peer", &["unknown key", "expected `name`"])),
        (EVE, Role::Eve, bad(["intercept-resend:0.5", "intercept-resend:1.5", "\"intercept-resend:1.5\""], "eve.attack", &["a fraction from 0 to 1"])),
        (EVE, Role::Eve, bad(["intercept-resend:0.5", "intercept-resent", "\"intercept-resent\""], "eve.attack", &["did you mean `intercept-resend`?"])),
        (EVE, Role::Eve, bad(["[eve]", "[eve]\nposition = \"alice-door\"", "\"alice-door\""], "eve.position", &["bobs-door", "did you mean `alices-door`?"])),
        (EVE, Role::Eve, bad(["[eve]", "[store]\n[eve]", "store"], "[store]", &["unknown section"])),
    ];
    for (base, role, case) in &cases {
        check(base, *role, case);
    }
}

#[test]
fn the_suggested_theorems_are_all_there_are() {
    let names = qkd_security::Theorem::ALL.map(qkd_security::Theorem::name);
    assert_eq!(names, ["wiesemann2024"]);
}
