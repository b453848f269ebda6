//! Laboratories that are as weak as an attack needs them, between services: what Alice and Bob see of it,
//! and what Eve does.

use qkd_node::parameters::LinkParameters;
use qkd_optics::{BackFlash, DeadTimes, TimeFilter, WeakGenerator};
use qkd_wire::proto::eve::{GetTallyRequest, Tally};
use qkd_wire::proto::node::BlockReport;

use crate::support::{Nodes, eve};

/// Two nodes with Bob's laboratory as `weaken` makes it, and Eve at his door, who does this.
async fn attacked(attack: &str, weaken: impl Fn(&mut LinkParameters)) -> Nodes {
    let mut nodes = Nodes::builder().distance_km(25.0).prepare();
    weaken(&mut nodes.alice_config.link.parameters);
    weaken(&mut nodes.bob_config.link.parameters);
    // Eve handles pulse by pulse.
    nodes.alice_config.slots_per_second_max = 2e7;
    nodes.eve_config.attack = attack.to_owned();
    nodes.start_bob().await;
    nodes.start_eve().await;
    nodes.fibre = Some(nodes.eve_config.quantum_listen.clone());
    nodes.start_alice().await;
    nodes
}

/// The first block that did not lose its light on a busy machine.
async fn block(nodes: &Nodes) -> BlockReport {
    let mut block = nodes.alice().block_after(0).await;
    while block.abort_reason == "too_few_detections" {
        assert!(block.number < 10, "{block:?}");
        block = nodes.alice().block_after(block.number).await;
    }
    block
}

async fn tally(nodes: &Nodes) -> Tally {
    let asked = eve(nodes).await.get_tally(GetTallyRequest {}).await;
    asked.expect("Eve tells what she did").into_inner()
}

/// Both bases in half of the slots each, as a back door would make them anyway.
fn foreseen(parameters: &mut LinkParameters, foreseeable: f64) {
    parameters.protocol.key_basis_probability = 0.5;
    let generator = WeakGenerator {
        seed: 5,
        foreseeable,
    };
    parameters.effects.detector.weak_generator = Some(generator);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_foresees_bobs_bases_measures_all_single_photons_and_nobody_sees_it() {
    let weak = |parameters: &mut _| foreseen(parameters, 1.0);
    let nodes = attacked("random-number:seed=5", weak).await;
    let seen = block(&nodes).await;
    assert_eq!(seen.outcome, "key", "{seen:?}");
    let warned = nodes.bob().until_log("[detector.weak_generator]").await;
    assert!(warned.contains("not covered by the key-length theorem"));
    assert!(nodes.bob().status().await.alarms.is_empty());
    let tally = tally(&nodes).await;
    // At 5 dB nearly all pulses that arrive hold one photon; the others pass.
    let share = tally.intercepted as f64 / tally.pulses_seen as f64;
    assert!((0.8..1.0).contains(&share), "{tally:?}");
    assert_eq!(tally.resent, tally.intercepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_foresees_nothing_errs_in_a_quarter_of_the_bits() {
    let weak = |parameters: &mut _| foreseen(parameters, 0.0);
    let nodes = attacked("random-number:seed=5", weak).await;
    let seen = block(&nodes).await;
    assert_eq!(seen.abort_reason, "qber_too_high", "{seen:?}");
}

/// Detectors that each sleep by themselves, and clicks that count in the middle of their slot alone.
fn one_by_one(parameters: &mut LinkParameters, dead_times: DeadTimes) {
    let detector = &mut parameters.effects.detector;
    detector.dead_times = dead_times;
    detector.time_filter = Some(TimeFilter {
        half_width_ps: 500.0,
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_that_sleep_one_by_one_make_keys_while_eve_puts_all_but_one_to_sleep() {
    let weak = |parameters: &mut _| one_by_one(parameters, DeadTimes::Independent);
    let nodes = attacked("dead-time:dead_slots=30,period_slots=93", weak).await;
    let seen = block(&nodes).await;
    assert_eq!(seen.outcome, "key", "{seen:?}");
    assert!(tally(&nodes).await.resent > 100_000);
    let warned = nodes.bob().until_log("dead_times = \"independent\"").await;
    assert!(warned.contains("not covered by the key-length theorem"));
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_that_sleep_together_see_nothing_of_what_eve_would_know() {
    let sound = |parameters: &mut _| one_by_one(parameters, DeadTimes::Common);
    let nodes = attacked("dead-time:dead_slots=30", sound).await;
    let seen = nodes.alice().block_after(0).await;
    assert_eq!(seen.abort_reason, "too_few_detections", "{seen:?}");
    let detections = seen.abort_observed.expect("how many there were");
    assert!(detections < 1_000.0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_that_glow_give_bits_away_and_nobody_sees_it() {
    let weak = |parameters: &mut LinkParameters| {
        parameters.effects.detector.back_flash = Some(BackFlash {
            probability: 0.06,
            isolation_db: 3.0,
        });
    };
    let nodes = attacked("back-flash", weak).await;
    let seen = block(&nodes).await;
    assert_eq!(seen.outcome, "key", "{seen:?}");
    let caught = tally(&nodes).await.caught_photons;
    // Half of six in a hundred clicks get out; a block has 300,000 of them.
    assert!(caught > 5_000, "{caught}");
    let warned = nodes.bob().until_log("[detector.back_flash]").await;
    assert!(warned.contains("back_flash_probability"));
}
