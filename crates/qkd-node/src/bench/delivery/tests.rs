//! Two nodes in one process, their stores filled beforehand: what applications get is right and counted.

use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::shutdown::{self, ShutdownTrigger, StopReason};

/// Both nodes on a runtime, linked.
struct World {
    folder: tempfile::TempDir,
    nodes: [Served; 2],
    places: [Place; 2],
    stop: ShutdownTrigger,
    running: Vec<tokio::task::JoinHandle<()>>,
}

impl World {
    async fn start(stored_keys: u64, waiting_keys: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            folder: folder.path().to_owned(),
            stored_keys,
            waiting_keys,
        };
        make_pki(folder.path()).unwrap();
        fill(&settings).unwrap();
        let (stop, shutdown) = shutdown::channel();
        let mut running = Vec::new();
        let mut nodes = Vec::new();
        let mut bob = None;
        for side in [Side::Bob, Side::Alice] {
            let (tell, told) = oneshot::channel();
            let (settings, shutdown) = (settings.clone(), shutdown.clone());
            running.push(tokio::spawn(async move {
                let ready = |node: Served| drop(tell.send(node));
                serve(&settings, side, bob, shutdown, ready).await.unwrap();
            }));
            let node = told.await.unwrap();
            let at = node.addresses();
            bob = at.quantum.zip(at.classical);
            nodes.push(node);
        }
        let nodes: [Served; 2] = [nodes.remove(1), nodes.remove(0)];
        for node in nodes.clone() {
            let shutdown = shutdown.clone();
            std::thread::spawn(move || node.keep_filled(stored_keys, &shutdown));
        }
        while !nodes.iter().all(|node| node.held().peer_ready) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self {
            folder,
            places: [place(Side::Alice, &nodes[0]), place(Side::Bob, &nodes[1])],
            nodes,
            stop,
            running,
        }
    }

    async fn end(self) {
        self.stop.stop(StopReason::Requested);
        for node in self.running {
            node.await.unwrap();
        }
    }
}

fn place(side: Side, node: &Served) -> Place {
    let at = node.addresses();
    Place {
        side,
        services: at.services,
        etsi014: at.etsi014.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_over_either_standard_is_answered_with_the_keys_of_the_other_node() {
    let world = World::start(1500, 200).await;
    let held = world.nodes[0].held();
    assert!(held.free_keys.iter().all(|&keys| keys >= 1500), "{held:?}");
    assert_eq!(world.nodes[1].held().waiting_keys, 200);
    for api in [Api::Etsi014, Api::Grpc] {
        for call in [Call::Status, Call::EncKeys, Call::DecKeys, Call::Pair] {
            let load = Load {
                api,
                call,
                concurrency: 2,
                seconds: 0.01,
            };
            let mut phases = Vec::new();
            let watch = |phase| phases.push(phase);
            let figures = run_load(world.folder.path(), world.places, &load, watch).await;
            let figures = figures.unwrap();
            assert_eq!(phases, [Phase::Began, Phase::Ended]);
            assert!(figures.faults.is_empty(), "{load:?} {figures:?}");
            assert_eq!(figures.wrong_keys, 0, "{load:?}");
            assert!(figures.answered > 0, "{load:?} {figures:?}");
            assert!(figures.times.ms(0.99) >= figures.times.ms(0.5));
        }
    }
    // What a measurement left waiting was fetched after it.
    assert_eq!(world.nodes[1].held().waiting_keys, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_race_for_a_key_one_is_given_it_in_both_directions() {
    let world = World::start(1500, 0).await;
    for api in [Api::Etsi014, Api::Grpc] {
        let race = Race {
            api,
            races: 20,
            racers: 8,
        };
        let figures = run_races(world.folder.path(), world.places, &race)
            .await
            .unwrap();
        let expected = RaceFigures {
            races: 20,
            requests: 160,
            won_once: 20,
            took_ms: figures.took_ms,
            ..RaceFigures::default()
        };
        assert_eq!(figures, expected);
    }
    world.end().await;
}
