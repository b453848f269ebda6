//! Light that travels backward, between real daemons: into Alice's laboratory, and out of it again.

use qkd_node::config::EvePosition;
use qkd_optics::{AlicesDoor, Isolation, Layout, OutputMonitor, Watchdog};
use qkd_session::{Action, Monitor};
use qkd_wire::proto::eve::{GetTallyRequest, Tally};
use qkd_wire::proto::node::{BlockReport, NodeStatus};

use crate::support::{Node, Nodes, eve};

/// The length of the fibre that Eve stands in.
const DISTANCE_KM: f64 = 10.0;

/// A pace that a busy machine keeps, with an Eve at Alice's door.
const SLOTS_PER_SECOND_MAX: f64 = 1.5e7;

/// A link with Eve in its fibre: she does this to a laboratory with such a door.
async fn link(attack: &str, door: AlicesDoor) -> Nodes {
    let mut nodes = Nodes::builder().distance_km(DISTANCE_KM).prepare();
    nodes.eve_config.attack = attack.to_owned();
    nodes.eve_config.position = EvePosition::AsNeeded;
    nodes.eve_config.fibre.distance_km = DISTANCE_KM;
    nodes.alice_config.segment_loss_db = Some(0.0);
    nodes.alice_config.slots_per_second_max = SLOTS_PER_SECOND_MAX;
    nodes.alice_config.door = door;
    nodes
}

async fn start(nodes: &mut Nodes) {
    nodes.start_bob().await;
    nodes.start_eve().await;
    nodes.alice_config.quantum_peer = nodes.eve_config.quantum_listen.clone();
    nodes.start_alice().await;
}

/// A door through which 1e6 photons of the signal's band bring 1e-3 back, with nobody who looks.
fn open() -> AlicesDoor {
    AlicesDoor {
        isolation: Isolation::everywhere(90.0),
        laser_isolation: Isolation::everywhere(60.0),
        seeding_per_photon: 1.0,
        ..AlicesDoor::default()
    }
}

/// The first block of all that one side reports for which this holds: on a busy machine one may lose
/// light first.
async fn block(node: &Node, is: impl Fn(&BlockReport) -> bool) -> BlockReport {
    let mut block = node.block_after(0).await;
    while !is(&block) {
        assert!(block.number < 10, "{block:?}");
        block = node.block_after(block.number).await;
    }
    block
}

async fn tally(nodes: &Nodes) -> Tally {
    let tally = eve(nodes).await.get_tally(GetTallyRequest {}).await;
    tally.expect("Eve tells what she did").into_inner()
}

fn alarms(status: &NodeStatus, monitor: Monitor) -> u64 {
    let monitors = status.monitors.iter();
    let this = monitors.filter(|it| it.name == monitor.name());
    this.map(|it| it.alarms).sum()
}

/// An open door with a diode that looks at what comes in.
fn watched() -> AlicesDoor {
    AlicesDoor {
        watchdog: Some(Watchdog {
            alarm_photons: 1e4,
            wavelength_max_nm: 1700.0,
        }),
        ..open()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trojan_horse_is_seen_at_a_watched_door_and_its_blocks_end_by_name() {
    let mut nodes = link("trojan-horse", watched()).await;
    start(&mut nodes).await;
    let ended = |block: &BlockReport| block.abort_reason == "backward_light";
    let seen = block(nodes.alice(), ended).await;
    let alarm = &seen.alarms[0];
    assert_eq!((alarm.observed, alarm.limit), (1e6, 1e4), "{alarm:?}");
    block(nodes.bob(), ended).await;
    let status = nodes.alice().status().await;
    assert!(alarms(&status, Monitor::BackwardLight) > 0, "{status:?}");
}

/// At 1924 nm the watchdog sees nothing, and the counts are those of any other day.
#[tokio::test(flavor = "multi_thread")]
async fn unseen_a_trojan_horse_brings_photons_back_and_the_keys_go_on() {
    let mut nodes = link("trojan-horse:photons=1e6,wavelength_nm=1924", watched()).await;
    start(&mut nodes).await;
    let seen = block(nodes.bob(), |block| block.outcome == "key").await;
    assert!(seen.alarms.is_empty(), "{seen:?}");
    let tally = tally(&nodes).await;
    assert!(tally.towards_alice.contains("1924 nm"), "{tally:?}");
    assert!(tally.returned_photons > 1_000, "{tally:?}");
    // All that come back in slots whose pulses came by are hers.
    assert!(tally.intercepted > 1_000 && tally.resent == 0, "{tally:?}");
    // What was reflected is no light of Bob's.
    let frames = nodes.bob().status().await.frames.unwrap_or_default();
    assert_eq!((frames.corrupt, frames.filtered), (0, 0), "{frames:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_back_out_of_a_closed_door() {
    let mut nodes = link("trojan-horse", AlicesDoor::default()).await;
    start(&mut nodes).await;
    block(nodes.alice(), |block| block.outcome == "key").await;
    let tally = tally(&nodes).await;
    assert!(tally.towards_alice.contains("1536 nm"), "{tally:?}");
    assert_eq!((tally.returned_photons, tally.intercepted), (0, 0));
}

/// Twice as bright behind Eve's beam splitter, the counts are honest: the monitor of the outgoing light
/// alone knows. Told to go on, both sides have a key of which she knows too much.
#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_laser_is_seen_by_the_monitor_of_the_outgoing_light_and_by_no_count() {
    let door = AlicesDoor {
        output_monitor: Some(OutputMonitor { tolerance: 0.05 }),
        ..open()
    };
    let mut nodes = link("laser-seeding", door).await;
    let monitors = &mut nodes.alice_config.link.monitors;
    monitors.actions = monitors.actions.with(Monitor::OutputPower, Action::Report);
    start(&mut nodes).await;
    let has_key = |block: &BlockReport| block.outcome == "key" && block.number > 1;
    let key = block(nodes.alice(), has_key).await;
    let alarm = &key.alarms[0];
    assert_eq!(alarm.monitor, "output_power", "{alarm:?}");
    assert!(
        (alarm.observed / alarm.expected - 2.0).abs() < 1e-9,
        "{alarm:?}"
    );
    nodes.take_alice().kill();

    let monitors = &mut nodes.alice_config.link.monitors;
    monitors.actions = monitors.actions.with(Monitor::OutputPower, Action::Stop);
    nodes.start_alice().await;
    block(nodes.alice(), |block| block.abort_reason == "output_power").await;
}

/// `attack_signatures.csv`: 17.70 % at 45 degrees, with the misalignment e: q + (1 − 2q) e.
#[tokio::test(flavor = "multi_thread")]
async fn phase_remapping_in_a_two_way_system_errs_in_17_7_percent_where_it_is_not_late() {
    let door = AlicesDoor {
        layout: Layout::TwoWay,
        ..AlicesDoor::default()
    };
    let mut nodes = link("phase-remapping", door).await;
    start(&mut nodes).await;
    let protocol = &nodes.alice_config.link.parameters.protocol;
    let (q, error) = (0.177_015_529_579, protocol.misalignment_error);
    let expected = q + (1.0 - 2.0 * q) * error;
    // What was sent before Eve saw the first frame errs in 25 %, and so do on a busy machine the slots in
    // which her light lapses: such blocks are passed over, but one has to be as it should.
    let wholly = |block: &BlockReport| {
        let test = block.test_basis.clone().unwrap_or_default();
        let (errors, bits): (u64, u64) = (test.errors.iter().sum(), test.counts.iter().sum());
        let sigma = (expected * (1.0 - expected) / bits as f64).sqrt();
        let off = (errors as f64 / bits as f64 - expected) / sigma;
        block.abort_reason == "qber_too_high" && bits > 5_000 && off.abs() < 5.0
    };
    block(nodes.bob(), wholly).await;
}
