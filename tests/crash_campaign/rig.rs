//! Two daemons that are killed and come back.

use std::time::{Duration, Instant};

use qkd_keystore::Side;
use qkd_keystore::invariants::{Event, Standing};
use qkd_node::config::HostPort;
use qkd_node::fail_point::FailPoint;
use qkd_security::Spent;
use qkd_wire::proto::node::NodeStatus;

use super::applications::{Addresses, Applications, Mood};
use super::mail::Mail;
use crate::support::{Node, Nodes};

/// Sifted bits of a block: small, so that one is under way at any time.
const BLOCK_BITS: u64 = 120_000;

/// Length of the fibre, km.
const DISTANCE_KM: f64 = 1.0;

/// Keys in store with which no light is wanted.
const KEY_COUNT_MAX: u64 = 400;

/// Distance of two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Faults being over, everything is fetched, and another block is committed, within this time each when
/// nobody says otherwise: ten seconds on a quiet machine, and a machine that also compiles is many times
/// slower.
pub const HEALED_WITHIN: Duration = Duration::from_secs(60);

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Running,
    Stopped,
    Dead,
}

/// Both daemons and their applications.
pub struct Rig {
    // Applications end before the folder goes in which their certificates are.
    pub applications: Applications,
    pub mail: Mail,
    pub nodes: Nodes,
    pub kills: u64,
    /// Blocks that Alice had committed when she was last asked.
    pub blocks: u64,
    /// The longest that healing may take.
    within: Duration,
    /// The longest that it took until everything was fetched.
    pub healed_after: Duration,
    /// The longest that it took until another block was committed.
    pub block_after: Duration,
}

impl Rig {
    pub async fn start(seed: u64, within: Duration) -> Self {
        let mut nodes = Nodes::builder()
            .distance_km(DISTANCE_KM)
            .block_bits(BLOCK_BITS)
            .key_count_max(KEY_COUNT_MAX)
            .prepare();
        let somewhere = || Some(HostPort::new("127.0.0.1", 0));
        nodes.alice_config.link.etsi014_listen = somewhere();
        nodes.bob_config.link.etsi014_listen = somewhere();
        nodes.start_bob().await;
        nodes.start_alice().await;
        let addresses = [nodes.alice(), nodes.bob()].map(|node| Addresses {
            grpc: node.services,
            etsi014: node.etsi014.expect("it serves ETSI GS QKD 014"),
        });
        // From now on each daemon is where it was.
        let [alice, bob] = addresses.map(|at| Some(HostPort::from(at.etsi014)));
        nodes.alice_config.link.etsi014_listen = alice;
        nodes.bob_config.link.etsi014_listen = bob;
        let applications = Applications::start(&nodes, addresses, seed);
        let mail = Mail::start(&nodes, addresses);
        Self {
            nodes,
            applications,
            mail,
            kills: 0,
            blocks: 0,
            within,
            healed_after: Duration::ZERO,
            block_after: Duration::ZERO,
        }
    }

    pub fn node_mut(&mut self, side: Side) -> Option<&mut Node> {
        match side {
            Side::Alice => self.nodes.alice_mut(),
            Side::Bob => self.nodes.bob_mut(),
        }
    }

    /// Kills by SIGKILL whoever is there.
    pub fn kill(&mut self, side: Side) {
        if self.node_mut(side).is_none() {
            return;
        }
        let node = match side {
            Side::Alice => self.nodes.take_alice(),
            Side::Bob => self.nodes.take_bob(),
        };
        node.kill();
        self.kills += 1;
    }

    /// Starts a daemon that is not there; false when it died before it was there.
    pub async fn restart(&mut self, side: Side, point: Option<FailPoint>) -> bool {
        let config = match side {
            Side::Alice => &mut self.nodes.alice_config.link.debug,
            Side::Bob => &mut self.nodes.bob_config.link.debug,
        };
        config.fail_points = point.into_iter().collect();
        let is_there = match side {
            Side::Alice => self.nodes.try_start_alice().await,
            Side::Bob => self.nodes.try_start_bob().await,
        };
        let mut shared = self.applications.lock();
        shared.checker.see(Event::Restarted { side });
        is_there
    }

    pub fn life(&mut self, side: Side) -> Life {
        let Some(node) = self.node_mut(side) else {
            return Life::Dead;
        };
        if !node.is_alive() {
            return Life::Dead;
        }
        // The state of a process stands behind its name in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.id()));
        let stat = stat.unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default();
        if state.trim_start().starts_with('T') {
            Life::Stopped
        } else {
            Life::Running
        }
    }

    /// Waits until a process does nothing any more; what it does at last.
    pub async fn until_still(&mut self, side: Side, within: Duration) -> Life {
        let began = Instant::now();
        loop {
            let life = self.life(side);
            if life != Life::Running || began.elapsed() > within {
                return life;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts whoever is dead, waits until everything that was answered is fetched, and tells the
    /// checker where both stand. What took too long, in words.
    pub async fn heal(&mut self) -> Result<(), String> {
        for side in [Side::Bob, Side::Alice] {
            if self.life(side) == Life::Dead {
                self.remove(side);
                if !self.restart(side, None).await {
                    return Err(format!("{side} does not start again"));
                }
            }
        }
        self.applications.set_mood(Mood::Fetch);
        let began = Instant::now();
        while !self.applications.is_done() {
            if began.elapsed() > self.within {
                let (owed, within) = (self.applications.lock().checker.owed().len(), self.within);
                return Err(format!(
                    "{owed} keys are not fetched after {within:?} without a fault"
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.healed_after = self.healed_after.max(began.elapsed());
        for side in [Side::Alice, Side::Bob] {
            self.look(side).await;
        }
        self.applications.set_mood(Mood::Ask);
        Ok(())
    }

    /// Waits until both have the same commits, with nothing new coming. What took too long, in words.
    pub async fn settle(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let [alice, bob] = [self.nodes.alice(), self.nodes.bob()];
            let (alice, bob) = (alice.status().await, bob.status().await);
            let both = [&alice, &bob].map(standing);
            if both[0].commits == both[1].commits || began.elapsed() > self.within {
                let [alice, bob] = both;
                let mut shared = self.applications.lock();
                shared.checker.see(Event::Settled { alice, bob });
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until every message has come, with nothing new sent. What took too long, in words.
    pub async fn until_mail(&mut self) -> Result<(), String> {
        self.mail.end();
        let began = Instant::now();
        while !self.mail.is_done() {
            if began.elapsed() > self.within {
                let within = self.within;
                return Err(format!(
                    "messages that were stored have not come after {within:?}"
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until Alice has committed another block. What took too long, in words.
    pub async fn until_block(&mut self) -> Result<(), String> {
        // An application that asks for much makes room for it.
        self.applications.set_mood(Mood::Drain(Side::Alice));
        let (before, began) = (self.blocks, Instant::now());
        while self.blocks == before {
            if began.elapsed() > self.within {
                let within = self.within;
                return Err(format!(
                    "no block is committed in {within:?} without a fault"
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.look(Side::Alice).await;
        }
        self.block_after = self.block_after.max(began.elapsed());
        Ok(())
    }

    /// Takes away what is left of a process that has died by itself.
    pub fn remove(&mut self, side: Side) {
        if self.node_mut(side).is_some() {
            match side {
                Side::Alice => drop(self.nodes.take_alice()),
                Side::Bob => drop(self.nodes.take_bob()),
            }
        }
    }

    async fn look(&mut self, side: Side) {
        let status = match side {
            Side::Alice => self.nodes.alice().status().await,
            Side::Bob => self.nodes.bob().status().await,
        };
        let standing = standing(&status);
        if side == Side::Alice {
            self.blocks = standing.commits;
        }
        let mut shared = self.applications.lock();
        shared.checker.see(Event::Stood { side, standing });
        let quarantined = status.alarms.iter().find(|one| one.contains("quarantined"));
        if let Some(reason) = quarantined {
            let reason = reason.clone();
            shared.checker.see(Event::Quarantined { side, reason });
        }
    }
}

fn standing(status: &NodeStatus) -> Standing {
    let spent = status.spent.unwrap_or_default();
    Standing {
        boot_epoch: None,
        commits: status.blocks_committed,
        spent: Spent {
            runs: spent.runs,
            secrecy: spent.secrecy,
            correctness: spent.correctness,
        },
    }
}
