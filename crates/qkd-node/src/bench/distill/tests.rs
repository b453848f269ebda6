//! Two sides in one process: a key comes out of what neither of them measured.

mod silent;

use std::time::{Duration, Instant};

use qkd_optics::{Detections, SlotList};

use super::raw::PIECE;
use super::*;

/// The detections of the next block, and none after them.
fn block(bob: &mut Raw, setup: &qkd_protocols::LinkSetup) -> Detections {
    let count = setup.plan.detections as usize;
    let mut detections = bob.detections(count.div_ceil(PIECE));
    let _later = detections.split_off(count);
    detections
}

/// Blocks small enough for a test, of a link that leaves a key of them.
fn settings(folder: &std::path::Path) -> Settings {
    make_pki(folder).unwrap();
    Settings {
        parameters: link(0.01, 100_000).unwrap(),
        blocks_in_flight_max: 3,
        folder: folder.to_owned(),
    }
}

#[test]
fn the_link_has_the_error_rate_that_was_asked_for_and_a_key_up_to_5_percent() {
    for (qber, is_key) in [
        (0.005, true),
        (0.01, true),
        (0.03, true),
        (0.05, true),
        (0.07, false),
        (0.11, false),
    ] {
        let link = link(qber, 1_000_000).unwrap();
        let expected = link.link_model().unwrap().expected().per_detection.key;
        assert!((expected.qber() / qber - 1.0).abs() < 0.01, "{expected:?}");
        let length = link.block_plan().unwrap().acceptance.secret_length_bits;
        assert_eq!(length > 0, is_key, "{length} bits at {qber}");
    }
}

#[test]
fn both_sides_draw_the_same_run_with_the_statistics_that_the_plan_expects() {
    let setup = link(0.03, 100_000).unwrap().setup().unwrap();
    let mut bob = Raw::draw(&setup, 1);
    let mut alice = Raw::draw(&setup, 1);
    let detections = block(&mut bob, &setup);
    let slots: Vec<u64> = detections.iter().map(|detection| detection.slot).collect();
    assert!(slots.is_sorted_by(|one, next| one + setup.link.dead_time_slots < *next));
    let took = (slots[slots.len() - 1] as f64 - setup.plan.slots_expected).abs();
    assert!(took < 6.0 * setup.plan.slots_deviation, "{took}");
    let choices = alice.recall(&detections.slot_list(0).unwrap()).unwrap();
    let record = qkd_protocols::AliceRecord::new(choices);
    let protocol = qkd_protocols::by_name("bb84", setup.clone()).unwrap();
    let bob = qkd_protocols::BobRecord::new(detections);
    let bases = bob.bases().clone();
    let disclosed = protocol.disclose(&record, &bases).unwrap();
    let ours = protocol.sift_alice(record, &bases).unwrap();
    let theirs = protocol.sift_bob(bob, &disclosed).unwrap();
    let errors = ours.key.expose().hamming_distance(theirs.key.expose()) as f64;
    let expected = setup.plan.statistics_expected;
    let near = |seen: f64, expected: f64| (seen - expected).abs() < 6.0 * expected.sqrt();
    let sum = |pair: [f64; 2]| pair[0] + pair[1];
    assert!(near(errors, sum(expected.key.errors)), "{errors} errors");
    let (seen, test) = (theirs.counts.test, expected.test);
    for class in 0..2 {
        let key = theirs.counts.key_counts()[class] as f64;
        assert!(near(key, expected.key.counts[class]), "{key}");
        assert!(
            near(seen.counts[class] as f64, test.counts[class]),
            "{seen:?}"
        );
        assert!(
            near(seen.errors[class] as f64, test.errors[class]),
            "{seen:?}"
        );
    }
}

#[test]
fn alice_recalls_across_the_end_of_the_run_and_what_bob_left_out_and_nothing_else() {
    let setup = link(0.01, 100_000).unwrap().setup().unwrap();
    let mut bob = Raw::draw(&setup, 7);
    let mut alice = Raw::draw(&setup, 7);
    let mut waiting = Detections::default();
    for round in 0..5 {
        while waiting.len() < 1000 * round {
            waiting.append(&bob.detections(1));
        }
        // Blocks begin and end within the pieces that Bob's side comes in.
        let mut detections = waiting.split_off(1000 * round);
        while detections.len() < setup.plan.detections as usize {
            detections.append(&bob.detections(3));
        }
        waiting = detections.split_off(setup.plan.detections as usize);
        let start = detections.first_slot().unwrap() - round as u64;
        let slots = detections.slot_list(start).unwrap();
        let choices = alice.recall(&slots).unwrap();
        assert_eq!(choices.len(), slots.len());
        let pairs = choices.iter().zip(detections.iter());
        let same =
            pairs.filter(|(choice, seen)| choice.basis == seen.basis && choice.bit == seen.bit);
        assert!(same.count() > slots.len() / 2);
    }
    let mut slots = SlotList::new(bob.detections(1).first_slot().unwrap() - 1);
    slots
        .append([0, 1].into_iter().collect(), u64::MAX)
        .unwrap();
    assert!(alice.recall(&slots).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_make_keys_that_both_stores_commit() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("pki"));
    let (stop, shutdown) = crate::shutdown::channel();
    let bob = Answering::listen(&settings).await.unwrap();
    let alice = Calling::open(&settings).unwrap();
    let figures = [alice.figures(), bob.figures()];
    let peer = bob.address();
    let bob = tokio::spawn(bob.serve(shutdown.clone()));
    let alice = tokio::spawn(alice.serve(peer, shutdown));
    let began = Instant::now();
    let ended = |figures: &Figures| figures.reports_after(0);
    while figures.iter().any(|figures| ended(figures).len() < 6) {
        assert!(began.elapsed() < Duration::from_secs(60), "no keys");
        assert!(!alice.is_finished(), "{:?}", alice.await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.stop(crate::shutdown::StopReason::Requested);
    alice.await.unwrap();
    bob.await.unwrap().unwrap();
    let [ours, theirs] = figures.map(|figures| {
        assert!(figures.key_bytes() > 0);
        let mut ended = ended(&figures);
        ended.sort_by_key(|report| report.block);
        ended
            .into_iter()
            .take(4)
            .map(|report| (report.block, report.secret_length_bits()))
            .collect::<Vec<_>>()
    });
    assert_eq!(ours, theirs);
    assert!(ours.iter().all(|&(_, bits)| bits > 10_000), "{ours:?}");
}
