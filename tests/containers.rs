//! The laboratory in containers, on a real engine: from `up` to `down` and up again.

mod stack;

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::support::{SAE_ALICE, SAE_BOB};
use stack::{Stack, docker, text};

/// Alice and Bob, both with keys.
fn running() -> Stack {
    let stack = Stack::new();
    stack.compose(&["up", "-d"]);
    stack.wait_healthy(&["alice", "bob"]);
    stack
}

/// A key that Alice's application took for Bob's: its identity, and what only the two know.
fn get(stack: &Stack) -> (String, Value) {
    let mut answer = stack.json(SAE_ALICE, &["key", "get", SAE_BOB]);
    let mut key = answer["keys"][0].take();
    let key_id = key["key_ID"].as_str().expect("a key has an identity");
    (key_id.to_owned(), key["key"].take())
}

/// The other end of that key.
fn fetch(stack: &Stack, key_id: &str) -> Value {
    let mut answer = stack.json(SAE_BOB, &["key", "fetch", SAE_ALICE, key_id]);
    answer["keys"][0]["key"].take()
}

/// No assert_eq: it would print keys.
fn assert_equal(ours: &Value, theirs: &Value) {
    assert!(ours.is_string() && ours == theirs, "the two keys differ");
}

#[test]
#[ignore = "needs a container engine"]
fn applications_of_two_containers_share_keys_and_messages() {
    let stack = running();
    let (key_id, key) = get(&stack);
    assert_equal(&key, &fetch(&stack, &key_id));

    let words = "photons in boxes";
    stack.client(SAE_ALICE, &["send", SAE_BOB, "--text", words]);
    let heard = stack.client(SAE_BOB, &["receive", "--count", "1", "--timeout", "60"]);
    assert!(heard.contains(words), "{heard}");

    for (service, port) in [
        ("alice", "7001"),
        ("alice", "7201"),
        ("bob", "7202"),
        ("alice", "9464"),
        ("bob", "7002"),
        ("bob", "9464"),
    ] {
        let address = stack.compose(&["port", service, port]);
        TcpStream::connect(address.trim()).expect("it is published on this machine");
        assert!(address.starts_with("127.0.0.1:"), "{service}: {address}");
    }
}

#[test]
#[ignore = "needs a container engine"]
fn containers_have_no_rights_no_shell_and_logs_in_json() {
    let stack = running();
    for service in ["alice", "bob"] {
        let container = stack.inspect(service);
        assert_eq!(container["Config"]["User"], "65532:65532");
        let host = &container["HostConfig"];
        assert_eq!(host["ReadonlyRootfs"], true);
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
        assert_eq!(host["SecurityOpt"][0], "no-new-privileges:true");
        assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
        let lines = stack.log(service);
        assert!(!lines.is_empty());
        for line in lines {
            let parsed: Result<Value, _> = serde_json::from_str(&line);
            assert!(parsed.is_ok_and(|value| value.is_object()), "{line}");
        }
    }
    // What the client prints may be a key.
    let config = stack.compose(&["--profile", "client", "config"]);
    let client = config
        .split("\n  client:")
        .nth(1)
        .expect("there is a client");
    let client = client.split("\n  eve:").next().unwrap_or(client);
    assert!(client.contains("driver: none"), "{client}");
    let image = stack.inspect("alice")["Image"].clone();
    let image = image.as_str().unwrap();
    assert!(docker(&["run", "--rm", "--network", "none", image, "--version"]).starts_with("qkd "));
    for shell in ["sh", "bash", "dash", "busybox"] {
        let tried = Command::new("docker")
            .args(["run", "--rm", "--network", "none", "--entrypoint", shell])
            .arg(image)
            .output()
            .unwrap();
        assert_eq!(
            tried.status.code(),
            Some(127),
            "{shell}: {}",
            text(&tried.stderr)
        );
    }
}

#[test]
#[ignore = "needs a container engine"]
fn a_daemon_that_is_killed_comes_back_and_makes_keys_again() {
    let stack = running();
    let process = stack.inspect("bob")["State"]["Pid"].clone();
    // A signal from `docker kill` would count as the user's wish.
    let killed = Command::new("kill")
        .args(["-KILL", &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
    stack.until("restart of bob", || {
        let restarts = stack.inspect("bob")["RestartCount"].as_u64();
        (restarts > Some(0)).then_some(())
    });
    stack.wait_healthy(&["alice", "bob"]);
    // Counted from his new start.
    stack.until("block after the restart", || {
        (stack.count("bob", "/blocks/with_key") > 0).then_some(())
    });
    let (key_id, key) = get(&stack);
    assert_equal(&key, &fetch(&stack, &key_id));
}

#[test]
#[ignore = "needs a container engine"]
fn while_eve_is_in_the_fibre_every_block_is_aborted_and_no_key_is_added() {
    let mut stack = running();

    stack.set("QKD_FIBRE", "eve:7103");
    stack.compose(&["--profile", "eve", "up", "-d"]);
    // Blocks that were under way when she came may be void, or hers in part.
    let aborts = |stack: &Stack| stack.count("alice", "/blocks/aborted");
    stack.until("first block that Eve spoils", || {
        (aborts(&stack) > 0).then_some(())
    });
    let (before, good) = (aborts(&stack), stack.count("alice", "/blocks/with_key"));
    let stored = stack.count("alice", "/stored_key_count");
    stack.until("two more blocks that Eve spoils", || {
        (aborts(&stack) >= before + 2).then_some(())
    });
    assert_eq!(stack.count("alice", "/blocks/with_key"), good);
    assert_eq!(stack.count("alice", "/stored_key_count"), stored);
    let log = stack.log("alice").join("\n");
    assert!(log.contains("qber_too_high"), "{log}");

    stack.set("QKD_FIBRE", "bob.quantum:7101");
    stack.compose(&["up", "-d"]);
    stack.compose(&["--profile", "eve", "rm", "--stop", "--force", "eve"]);
    stack.until("key without Eve", || {
        (stack.count("alice", "/blocks/with_key") > 0).then_some(())
    });
    assert!(stack.count("alice", "/stored_key_count") > stored);
    let (key_id, key) = get(&stack);
    assert_equal(&key, &fetch(&stack, &key_id));
}

#[test]
#[ignore = "needs a container engine"]
fn keys_outlive_down_and_up() {
    let stack = running();
    let (key_id, key) = get(&stack);
    stack.compose(&["down"]);
    stack.compose(&["up", "-d"]);
    stack.wait_healthy(&["alice", "bob"]);
    // Bob's store had it before: a key is never made a second time.
    assert_equal(&key, &fetch(&stack, &key_id));
}

#[test]
#[ignore = "needs a container engine"]
fn renewed_certificates_are_shown_without_a_restart() {
    let stack = running();
    let renew = [
        "pki",
        "renew",
        "/pki",
        "--authority-key",
        "/authority/authority.key",
    ];
    stack.compose(&[&["run", "--rm", "-T", "init"], &renew[..]].concat());
    for service in ["alice", "bob"] {
        stack.until("new certificate", || {
            let log = stack.log(service).join("\n");
            log.contains("a new certificate is shown from now on")
                .then_some(())
        });
        assert_eq!(stack.inspect(service)["RestartCount"], 0);
    }
    // Whoever asks shows a new certificate as well, and sees a new one.
    let (key_id, key) = get(&stack);
    assert_equal(&key, &fetch(&stack, &key_id));
}

#[test]
#[ignore = "needs a container engine"]
fn alice_finds_an_end_of_the_fibre_that_comes_later() {
    let mut stack = Stack::new();
    stack.set("QKD_FIBRE", "eve:7103");
    stack.compose(&["up", "-d"]);
    stack.until("alarm that nobody is called eve", || {
        let alarms = stack.status("alice")["alarms"].to_string();
        alarms.contains("eve:7103").then_some(())
    });
    stack.compose(&["--profile", "eve", "up", "-d", "eve"]);
    stack.until("light at Eve", || {
        (stack.count("eve", "/pulses_seen") > 0).then_some(())
    });
    let alice = stack.inspect("alice");
    assert_eq!(alice["RestartCount"], 0);
    stack.until("end of the alarm", || {
        (stack.status("alice")["alarms"] == serde_json::json!([])).then_some(())
    });
}

#[test]
#[ignore = "needs a container engine"]
fn without_certificates_one_line_says_how_to_make_them() {
    let stack = Stack::new();
    for service in ["alice", "bob", "eve"] {
        let run = ["run", "--rm", "-T", "--no-deps", service];
        let output = stack.try_compose(&run);
        assert_eq!(output.status.code(), Some(1), "{service}");
        let said = text(&output.stderr);
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("qkd ")).collect();
        assert_eq!(ours.len(), 1, "{said}");
        assert!(ours[0].contains("docker-compose run --rm init"), "{said}");
    }
}

#[test]
#[ignore = "needs a container engine"]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut stack = Stack::new();
    stack.set("QKD_ALICE_PORT", &port);
    let output = stack.try_compose(&["up", "-d"]);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&port) && said.contains("already"), "{said}");
}
