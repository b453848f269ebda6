//! One end of a link, or both, is killed in the middle of a block and comes back: that block is
//! void, the next one is good, and every key that was committed before comes out once and no more.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use qkd_bits::PhysicsRng;
use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest, Key};
use qkd_wire::proto::node::{BlockReport, NodeStatus};
use tonic::{Code, Status};

use crate::process::{self, STOP_WITHIN};
use crate::support::{Node, Nodes, SAE_ALICE, SAE_BOB, agree_on_all_keys, delivery};

/// Slow enough that a block takes half a second to fill: there is a middle to hit.
const SLOTS_PER_SECOND_MAX: f64 = 3e7;

/// Keys that each application asks for before a kill; the other end fetches one of them then.
const KEYS: usize = 3;

/// A moment at which somebody is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Bob has this fraction of the detections of a block.
    Filled(f64),
    /// A block was reported this very moment: its commit may be on the way.
    Reported,
}

/// Early, in the middle and late in a block, and between two.
fn moments(seed: u64) -> [Moment; 4] {
    println!("moments of seed {seed}");
    let mut rng = PhysicsRng::from_seed(seed);
    let mut third = |number: f64| Moment::Filled((number + rng.uniform()) / 3.0);
    [third(0.0), third(1.0), third(2.0), Moment::Reported]
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Alice,
    Bob,
    Both,
}

/// A link and everything that ever came out of it.
struct Link {
    nodes: Nodes,
    key_ids: HashSet<String>,
    keys: HashSet<Vec<u8>>,
}

/// A direction of delivery: whose application asks, and whose fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromAlice,
    FromBob,
}

const DIRECTIONS: [Direction; 2] = [Direction::FromAlice, Direction::FromBob];

impl Link {
    async fn start() -> Self {
        let mut nodes = Nodes::builder().prepare();
        nodes.alice_config.slots_per_second_max = SLOTS_PER_SECOND_MAX;
        nodes.start_bob().await;
        nodes.start_alice().await;
        Self {
            nodes,
            key_ids: HashSet::new(),
            keys: HashSet::new(),
        }
    }

    fn nodes(&self) -> [&Node; 2] {
        [self.nodes.alice(), self.nodes.bob()]
    }

    fn ends(&self, direction: Direction) -> [(&Node, &'static str); 2] {
        let alice = (self.nodes.alice(), SAE_ALICE);
        let bob = (self.nodes.bob(), SAE_BOB);
        match direction {
            Direction::FromAlice => [alice, bob],
            Direction::FromBob => [bob, alice],
        }
    }

    /// The master of a direction asks for keys.
    async fn ask(&mut self, direction: Direction) -> Vec<Key> {
        let [(node, master), (_, slave)] = self.ends(direction);
        let request = GetKeyRequest {
            slave_sae_id: slave.to_owned(),
            number: Some(KEYS as u32),
            size: None,
            additional_slave_sae_ids: Vec::new(),
        };
        let mut client = delivery(&self.nodes, node, master).await;
        let keys = match client.get_key(request).await {
            Ok(keys) => keys.into_inner().keys,
            Err(status) => node.fail(&format!("{direction:?}: no key: {status:?}")),
        };
        assert_eq!(keys.len(), KEYS);
        for key in &keys {
            assert!(self.key_ids.insert(key.key_id.clone()), "{}", key.key_id);
            assert!(self.keys.insert(key.key.clone()), "{}", key.key_id);
        }
        keys
    }

    /// The slave of a direction fetches a key by its identity.
    async fn fetch(&self, direction: Direction, key_id: &str) -> Result<Vec<Key>, Status> {
        let [(_, master), (node, slave)] = self.ends(direction);
        let request = GetKeyWithIdsRequest {
            master_sae_id: master.to_owned(),
            key_ids: vec![key_id.to_owned()],
        };
        let mut client = delivery(&self.nodes, node, slave).await;
        let keys = client.get_key_with_ids(request).await?;
        Ok(keys.into_inner().keys)
    }

    /// The slave gets the key that its master got, now for the first time.
    async fn is_delivered(&self, direction: Direction, key: &Key) {
        match self.fetch(direction, &key.key_id).await {
            Ok(fetched) => {
                assert_eq!(fetched.len(), 1);
                // No assert_eq: it would print keys.
                assert!(fetched[0].key == key.key, "{} differs", key.key_id);
            }
            Err(status) => self.ends(direction)[1].0.fail(&format!("{status:?}")),
        }
    }

    /// The slave does not get the key, since it had it before.
    async fn is_never_delivered_again(&self, direction: Direction, key: &Key) {
        match self.fetch(direction, &key.key_id).await {
            Err(status) => assert_eq!(status.code(), Code::NotFound, "{status:?}"),
            Ok(_) => self.ends(direction)[1].0.fail("a key was delivered twice"),
        }
    }

    /// Waits for the moment.
    async fn reach(&self, moment: Moment) {
        let bob = self.nodes.bob();
        match moment {
            Moment::Filled(fraction) => {
                let reached = |status: &NodeStatus| {
                    status.block_in_progress.is_some_and(|block| {
                        let wanted = fraction * block.detections_wanted as f64;
                        block.detections > 0 && block.detections as f64 >= wanted
                    })
                };
                bob.until("block in progress", reached).await;
            }
            Moment::Reported => {
                let attempted = bob.status().await.blocks_attempted;
                bob.block_after(attempted).await;
            }
        }
    }

    /// Kills and starts again, with the same configuration, and sees that no key was lost by it.
    async fn restart(&mut self, victim: Victim) {
        let keys = async |node: &Node| node.status().await.blocks_committed;
        let keys_before = [keys(self.nodes.alice()).await, keys(self.nodes.bob()).await];
        let stored = async |node: &Node| node.status().await.stored_key_count;
        let before = [
            stored(self.nodes.alice()).await,
            stored(self.nodes.bob()).await,
        ];
        // Both are dead before the first one comes back.
        if victim != Victim::Bob {
            self.nodes.take_alice().kill();
        }
        if victim != Victim::Alice {
            self.nodes.take_bob().kill();
            self.nodes.start_bob().await;
        }
        if victim != Victim::Bob {
            self.nodes.start_alice().await;
        }
        for (node, before) in self.nodes().into_iter().zip(before) {
            let after = stored(node).await;
            // A daemon that starts compares its copies with the peer's, which takes half a key.
            if after + 1 < before {
                node.fail(&format!("{before} keys were in store, now {after}"));
            }
        }
        // The budget of every key there ever was is still counted.
        for (node, before) in self.nodes().into_iter().zip(keys_before) {
            let status = node.status().await;
            let runs = status.spent.unwrap_or_default().runs;
            if status.blocks_committed < before || runs < status.blocks_committed {
                node.fail(&format!("{before} keys before; now {status:?}"));
            }
        }
    }

    /// Kills at the moment, and sees that everything is as it should be afterwards.
    async fn survives(&mut self, victim: Victim, moment: Moment) {
        println!("{victim:?} at {moment:?}");
        for node in self.nodes() {
            let enough = |status: &NodeStatus| status.stored_key_count >= KEYS as u64;
            node.until("keys to ask for", enough).await;
        }
        let mut asked = Vec::new();
        for direction in DIRECTIONS {
            let keys = self.ask(direction).await;
            self.is_delivered(direction, &keys[0]).await;
            asked.push((direction, keys));
        }
        self.reach(moment).await;
        let sessions = self.sessions().await;
        self.restart(victim).await;
        let interrupted = self.reports_of(&sessions).await;

        for (direction, keys) in &asked {
            self.is_never_delivered_again(*direction, &keys[0]).await;
            self.is_delivered(*direction, &keys[1]).await;
        }
        self.is_good_again(&sessions).await;
        // What was under way in the old session never ended.
        let later = self.reports_of(&sessions).await;
        assert_eq!(interrupted, later, "a block of a dead session was finished");
        for (direction, keys) in &asked {
            self.is_delivered(*direction, &keys[2]).await;
            for key in keys {
                self.is_never_delivered_again(*direction, key).await;
            }
        }
        for node in self.nodes() {
            // That light went nowhere while Bob was away is known to be over a moment later.
            let well = |status: &NodeStatus| status.alarms.is_empty();
            node.until("end of all alarms", well).await;
        }
    }

    /// All sessions that either end has had.
    async fn sessions(&self) -> HashSet<u64> {
        let mut sessions = HashSet::new();
        for node in self.nodes() {
            sessions.extend(node.status().await.session);
            sessions.extend(reports(node).await.iter().map(|report| report.session));
        }
        sessions
    }

    /// Session and number of every block of these sessions that either end reports as finished.
    async fn reports_of(&self, sessions: &HashSet<u64>) -> Vec<(&'static str, u64, u64)> {
        let mut found = Vec::new();
        for node in self.nodes() {
            // A link that is cut has nothing under way any more.
            let is_over = |status: &NodeStatus| {
                let session = status.session;
                session.is_none_or(|session| !sessions.contains(&session))
            };
            node.until("end of the old session", is_over).await;
            let reports = reports(node).await;
            let old = reports.iter().filter(|one| sessions.contains(&one.session));
            found.extend(old.map(|report| (node.name, report.session, report.block)));
        }
        found
    }

    /// Both ends have a key of one and the same new session, from its first block.
    async fn is_good_again(&self, old: &HashSet<u64>) {
        let mut first = Vec::new();
        for node in self.nodes() {
            let mut after = 0;
            let report = loop {
                let report = node.block_after(after).await;
                if !old.contains(&report.session) {
                    break report;
                }
                after = report.number;
            };
            if report.outcome != "key" || report.block != 0 {
                node.fail(&format!("the next block is not good: {report:?}"));
            }
            first.push(report);
        }
        assert_eq!(first[0].session, first[1].session);
    }

    /// Everything that is left comes out, the same at both ends and never seen before.
    async fn all_keys_agree(&mut self) {
        for agreed in agree_on_all_keys(&self.nodes).await {
            assert!(self.key_ids.insert(agreed.key_id.clone()));
            assert!(self.keys.insert(agreed.key), "{} came twice", agreed.key_id);
        }
    }
}

/// The finished blocks that a node remembers.
async fn reports(node: &Node) -> Vec<BlockReport> {
    let attempted = node.status().await.blocks_attempted;
    let mut reports = Vec::new();
    while (reports.len() as u64) < attempted {
        let after = reports
            .last()
            .map_or(0, |report: &BlockReport| report.number);
        reports.push(node.block_after(after).await);
    }
    reports
}

async fn survives_every_moment(victim: Victim, seed: u64) {
    let mut link = Link::start().await;
    for moment in moments(seed) {
        link.survives(victim, moment).await;
    }
    link.all_keys_agree().await;
}

#[tokio::test]
async fn alice_can_be_killed_at_any_moment_of_a_block() {
    survives_every_moment(Victim::Alice, 1).await;
}

#[tokio::test]
async fn bob_can_be_killed_at_any_moment_of_a_block() {
    survives_every_moment(Victim::Bob, 2).await;
}

#[tokio::test]
async fn both_can_be_killed_at_any_moment_of_a_block() {
    survives_every_moment(Victim::Both, 3).await;
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_terminate_ends_well_in_the_middle_of_a_block() {
    let mut link = Link::start().await;
    for (victim, file) in [(Victim::Alice, "alice.toml"), (Victim::Bob, "bob.toml")] {
        link.reach(Moment::Filled(0.3)).await;
        let sessions = link.sessions().await;
        let mut node = match victim {
            Victim::Alice => link.nodes.take_alice(),
            Victim::Bob | Victim::Both => link.nodes.take_bob(),
        };
        let config = link.nodes.folder().join(file);
        process::signal_whoever_has(&config, "TERM");
        let asked = Instant::now();
        while node.is_alive() {
            if asked.elapsed() > STOP_WITHIN {
                node.fail("SIGTERM does not end it");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let status = node.stop().await;
        assert_eq!(status.code(), Some(0), "{victim:?}: {status}");
        match victim {
            Victim::Alice => link.nodes.start_alice().await,
            Victim::Bob | Victim::Both => link.nodes.start_bob().await,
        }
        link.is_good_again(&sessions).await;
    }
    link.all_keys_agree().await;
}
