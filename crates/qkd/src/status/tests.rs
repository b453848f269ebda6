use qkd_wire::proto::eve::Tally;
use qkd_wire::proto::node::{
    BlockProgress, BlockReport, FailureBudget, FrameCounters, LinkState, NodeStatus, ReceiveBuffer,
    RejectCounters, Role,
};

use super::reports::Reports;
use super::state::State;

fn status() -> NodeStatus {
    NodeStatus {
        role: Role::Bob.into(),
        node_name: "kme-bob".to_owned(),
        peer_name: "kme-alice".to_owned(),
        link_state: LinkState::Running.into(),
        session: Some(0xabcd),
        blocks_attempted: 2,
        blocks_with_key: 1,
        blocks_aborted: 1,
        block_in_progress: Some(BlockProgress {
            block: 2,
            detections: 250_000,
            detections_wanted: 1_000_000,
        }),
        sifted_bits: 2_000_000,
        secret_bits: 400_000,
        last_qber: Some(0.25),
        emulated_seconds: 1.5,
        stretch_factor: 2.0,
        clock_hz: 1e9,
        power_alarms: 2,
        receive_buffer: Some(ReceiveBuffer {
            granted_bytes: 212_992,
            wanted_bytes: 4_194_304,
        }),
        spent: Some(FailureBudget {
            runs: 12,
            secrecy: 12e-10,
            correctness: 12e-15,
        }),
        blocks_committed: 10,
        blocks_uncounted: 2,
        stored_key_count: 781,
        frames: Some(FrameCounters {
            received: 1234,
            lost_slots: 5,
            ..FrameCounters::default()
        }),
        rejects: Some(RejectCounters {
            replay: 3,
            ..RejectCounters::default()
        }),
        certificate_not_after: Some(951_782_400),
        ..NodeStatus::default()
    }
}

fn reports() -> Reports {
    let mut reports = Reports::default();
    for (number, bits, reason) in [(1, 400_000, ""), (2, 0, "qber_too_high")] {
        reports.note(&BlockReport {
            number,
            secret_length_bits: bits,
            emulated_seconds: 0.25,
            abort_reason: reason.to_owned(),
            ..BlockReport::default()
        });
    }
    reports
}

#[test]
fn the_json_object_of_a_node_has_exactly_the_promised_fields() {
    let state = State::of_node(status(), &reports(), true);
    let expected = serde_json::json!({
        "kind": "node", "node": "kme-bob", "role": "bob", "peer": "kme-alice", "healthy": true,
        "link": {"state": "running", "fault": null}, "session": "000000000000abcd",
        "blocks": {"attempted": 2, "with_key": 1, "aborted": 1,
                   "aborted_by_reason": {"qber_too_high": 1}},
        "block_in_progress": {"block": 2, "detections": 250_000, "detections_wanted": 1_000_000},
        "sifted_bits": 2_000_000, "secret_bits": 400_000, "qber": 0.25,
        "secret_key_rate_bps": 800_000.0, "emulated_seconds": 1.5, "stretch_factor": 2.0,
        "clock_hz": 1e9, "stored_key_count": 781,
        "budget": {"blocks": 12, "blocks_with_key": 10, "blocks_uncounted": 2, "secrecy": 12e-10,
                   "correctness": 12e-15, "total": 12e-10 + 12e-15},
        "frames": {"sent": 0, "received": 1234, "lost_slots": 5, "duplicate": 0, "late": 0,
                   "corrupt": 0, "foreign": 0, "filtered": 0},
        "power_alarms": 2, "monitors": {},
        "receive_buffer": {"granted_bytes": 212_992, "wanted_bytes": 4_194_304},
        "rejects": {"replay": 3, "gap": 0, "reflection": 0, "wrong_epoch": 0, "wrong_tag": 0,
                    "tag_length": 0, "malformed": 0, "handshakes": 0},
        "alarms": [], "certificate_not_after": 951_782_400,
    });
    let json: serde_json::Value = serde_json::from_str(&state.json()).unwrap();
    assert_eq!(json, expected);
    assert!(!state.json().contains('\n'));
}

#[test]
fn a_person_reads_what_the_node_is_doing() {
    let lines = State::of_node(status(), &reports(), true).lines();
    let expected = [
        "kme-bob (bob), linked to kme-alice",
        "  health    can deliver keys",
        "  link      running, session 000000000000abcd",
        "  block     2: 25 % of 1,000,000 detections",
        "  blocks    2 blocks, 1 with a key, 1 aborted (qber_too_high 1)",
        "  QBER      25.00 % in the last block",
        "  bits      2,000,000 sifted, 400,000 net secret",
        "  rate      800,000 net secret bits per emulated second",
        "  budget    ε ≤ 1.20001e-9 for all keys of this pair: at most 12 blocks begun, 10 with a key; HMAC \
         is computational and not in it; nor are 2 with a key that an earlier version made",
        "  clock     emulated clock stretched to 0.5 GHz of 1 GHz",
        "  store     781 keys",
        "  frames    1,234 received, 5 slots lost",
        "  power     2 alarms of too much light at the entrance",
        "  buffer    208 KiB of 4,096 KiB granted: light may be lost under load; raise \
         net.core.rmem_max",
        "  refused   3 replayed",
        "  TLS       certificate valid until 2000-02-29 00:00:00 UTC",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn progress_within_a_block_is_no_news_and_a_finished_block_is() {
    let headline = |status| State::of_node(status, &reports(), true).headline();
    let mut later = status();
    later.block_in_progress = None;
    later.emulated_seconds = 1.7;
    assert_eq!(headline(status()), headline(later.clone()));
    later.blocks_attempted = 3;
    assert_ne!(headline(status()), headline(later));
}

#[test]
fn an_unhealthy_node_says_why_in_one_line() {
    let mut status = status();
    status.link_state = LinkState::Connecting.into();
    status.link_fault = "connection refused\n".to_owned();
    status.stored_key_count = 0;
    status.alarms = vec!["the key store is sealed".to_owned()];
    let why = State::of_node(status, &reports(), false)
        .unhealthy()
        .unwrap();
    for words in [
        "kme-bob cannot deliver a key",
        "the key store is sealed",
        "no key",
        "connecting, last fault: connection refused",
    ] {
        assert!(why.contains(words), "{why}");
    }
    assert!(!why.contains('\n'));
    assert_eq!(
        State::of_node(self::status(), &reports(), true).unhealthy(),
        None
    );
}

#[test]
fn words_of_a_node_cannot_steer_a_terminal() {
    let mut status = status();
    status.alarms = vec!["\u{1b}[2Jgone".to_owned()];
    status.link_fault = "a\rb".to_owned();
    let state = State::of_node(status, &reports(), true);
    for line in state.lines().iter().chain([&state.headline()]) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn eve_tells_her_attack_and_her_tally() {
    let tally = Tally {
        spec: "intercept-resend:0.5".to_owned(),
        pulses_seen: 10_000,
        intercepted: 5_000,
        resent: 4_000,
        frames_received: 7,
        frames_forwarded: 6,
        frames_corrupt: 1,
        returned_photons: 3,
        ..Tally::default()
    };
    let state = State::of_eve("eve", tally, true);
    let expected = serde_json::json!({
        "kind": "eve", "node": "eve", "healthy": true, "attack": "intercept-resend:0.5",
        "pulses_seen": 10_000, "intercepted": 5_000, "resent": 4_000, "returned_photons": 3, "caught_photons": 0,
        "frames_received": 7, "frames_forwarded": 6, "frames_corrupt": 1,
    });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&state.json()).unwrap(),
        expected
    );
    assert_eq!(
        state.lines()[2],
        "  pulses    10,000 with light came by, 5,000 measured, 4,000 sent in their place"
    );
    assert_eq!(
        state.lines()[4],
        "  returned  3 photons out of Alice's laboratory"
    );
}

#[test]
fn nobody_is_unhealthy_and_says_so_in_the_same_form() {
    let state = State::unreachable("kme-bob", "connection refused".to_owned());
    assert_eq!(
        state.json(),
        r#"{"kind":"unreachable","node":"kme-bob","healthy":false,"error":"connection refused"}"#
    );
    assert_eq!(
        state.headline(),
        "kme-bob: not reachable: connection refused"
    );
    assert!(state.unhealthy().is_some());
}
