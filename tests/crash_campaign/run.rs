//! The campaign: point after point, and its table.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use qkd_bits::PhysicsRng;
use qkd_keystore::invariants::{Counts, Violation};
use qkd_keystore::{Side, Step};
use qkd_node::fail_point::{FailPoint, Moment};

use super::applications::Mood;
use super::plan::{Point, VICTIMS, Victim};
use super::rig::{Life, Rig};

/// A step that is going to come by does so within this time; then somebody is killed to make it.
const REACHED_WITHIN: Duration = Duration::from_millis(2500);

/// How often somebody is killed to make a step come by.
const PROVOKED_MAX: u32 = 4;

/// A process that was told to go on is running within this time.
const GOES_ON_WITHIN: Duration = Duration::from_secs(5);

/// Kills between two times of healing, when they come at random.
const KILLS_PER_ROUND: u32 = 10;

/// What came of a point, over all seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Processes killed by SIGKILL, those included that were killed to arm or to provoke it.
    pub kills: u64,
    /// Times that the step came by and its victim died.
    pub struck: u64,
    /// Times that the step never came by.
    pub missed: u64,
    pub blocks: u64,
    pub answered: u64,
    pub fetched: u64,
    pub burnt: u64,
    pub refused: u64,
    pub violations: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.kills += other.kills;
        self.struck += other.struck;
        self.missed += other.missed;
        self.blocks += other.blocks;
        self.answered += other.answered;
        self.fetched += other.fetched;
        self.burnt += other.burnt;
        self.refused += other.refused;
        self.violations += other.violations;
    }

    fn row(&self) -> String {
        let Self {
            kills,
            struck,
            missed,
            blocks,
            answered,
            fetched,
            burnt,
            refused,
            violations,
        } = self;
        format!(
            "{struck:>6} {missed:>6} {kills:>6} {blocks:>7} {answered:>8} {fetched:>8} {burnt:>6} \
             {refused:>8} {violations:>10}"
        )
    }
}

/// What a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Point(Point),
    Random,
    End,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Point(point) => point.fmt(f),
            Row::Random => f.write_str("random kills"),
            Row::End => f.write_str("end of a seed"),
        }
    }
}

/// What all points came to.
#[derive(Default)]
pub struct Summary {
    rows: BTreeMap<Row, Tally>,
    /// What was broken, in words.
    pub broken: Vec<String>,
    /// Messages that came.
    pub messages: u64,
    /// The longest that it took, faults being over, until everything was fetched.
    pub healed_after: Duration,
    /// The longest that it took then until another block was committed, with kills at random.
    pub block_after: Duration,
    pub took: Duration,
}

impl Summary {
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.rows.values().for_each(|row| total.add(*row));
        total
    }

    /// The table, one row per point.
    pub fn table(&self) -> String {
        let head = format!(
            "{:<30} {:>6} {:>6} {:>6} {:>7} {:>8} {:>8} {:>6} {:>8} {:>10}",
            "step             moment victim",
            "struck",
            "missed",
            "kills",
            "blocks",
            "answered",
            "fetched",
            "burnt",
            "refused",
            "violations"
        );
        let mut text = head + "\n";
        for (name, row) in &self.rows {
            // Writing to a String cannot fail.
            let name = name.to_string();
            let _ = writeln!(text, "{name:<30} {}", row.row());
        }
        let total = self.total();
        let minutes = self.took.as_secs_f64() / 60.0;
        let _ = writeln!(text, "{:<30} {}", "all", total.row());
        let _ = writeln!(
            text,
            "{:.1} minutes, {:.1} kills a minute, {} messages came",
            minutes,
            total.kills as f64 / minutes.max(1e-3),
            self.messages
        );
        let _ = writeln!(
            text,
            "all fetched within {:.1} s of the last fault, another block within {:.1} s more",
            self.healed_after.as_secs_f64(),
            self.block_after.as_secs_f64()
        );
        for broken in &self.broken {
            let _ = writeln!(text, "VIOLATION {broken}");
        }
        text
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        for (name, row) in other.rows {
            self.rows.entry(name).or_default().add(row);
        }
        self.broken.extend(other.broken);
        self.messages += other.messages;
        self.healed_after = self.healed_after.max(other.healed_after);
        self.block_after = self.block_after.max(other.block_after);
        self.took += other.took;
    }
}

/// One pair of daemons that goes through points.
pub struct Campaign {
    rig: Rig,
    rng: PhysicsRng,
    seed: u64,
    summary: Summary,
    began: Instant,
    seen: Seen,
}

/// What was counted when the last row was written.
#[derive(Clone, Copy, Default)]
struct Seen {
    counts: Counts,
    refused: u64,
    kills: u64,
    blocks: u64,
    /// Of the checker.
    violations: usize,
    /// With what took too long.
    broken: usize,
}

impl Campaign {
    pub async fn start(seed: u64, within: Duration) -> Self {
        let mut rig = Rig::start(seed, within).await;
        let healed = rig.heal().await;
        let mut campaign = Self {
            rig,
            rng: PhysicsRng::from_seed(seed),
            seed,
            summary: Summary::default(),
            began: Instant::now(),
            seen: Seen::default(),
        };
        campaign.note(healed, "the start");
        campaign
    }

    /// Kills the victim of a point when its step comes by, heals, and has everything fetched and
    /// checked.
    pub async fn strike(&mut self, point: Point) -> Tally {
        let side = point.side(&mut self.rng);
        let armed = point.fail_point(side, &mut self.rng);
        if let Some(dry) = point.dry(side) {
            self.rig.applications.set_mood(Mood::Drain(dry));
        }
        let mut has_struck = self.arm(side, armed).await;
        let mut provoked = 0;
        while !has_struck && provoked < PROVOKED_MAX {
            has_struck = match self.rig.until_still(side, REACHED_WITHIN).await {
                Life::Dead | Life::Stopped => true,
                Life::Running => {
                    self.provoke(point, side).await;
                    provoked += 1;
                    false
                }
            };
        }
        has_struck |= self.rig.until_still(side, REACHED_WITHIN).await != Life::Running;
        self.take_victims(point.victim, side, has_struck).await;
        let healed = self.rig.heal().await;
        self.note(healed, &format!("{point}, armed {armed} at {side}"));
        self.tally(Row::Point(point), has_struck)
    }

    /// Kills at random for some time, also while a daemon recovers.
    pub async fn random_round(&mut self) -> Tally {
        for _ in 0..KILLS_PER_ROUND {
            let pause = Duration::from_secs_f64(0.1 + 2.9 * self.rng.uniform());
            let victim = VICTIMS[self.rng.below(3) as usize];
            if self.rng.below(3) == 0 {
                let side = if self.rng.bit() {
                    Side::Alice
                } else {
                    Side::Bob
                };
                self.rig.applications.set_mood(Mood::Drain(side));
            } else {
                self.rig.applications.set_mood(Mood::Ask);
            }
            tokio::time::sleep(pause).await;
            for side in [Side::Alice, Side::Bob] {
                if victim.includes(side) {
                    self.rig.kill(side);
                }
            }
            for side in [Side::Bob, Side::Alice] {
                if self.rig.life(side) == Life::Dead {
                    self.rig.restart(side, None).await;
                }
            }
        }
        let healed = self.rig.heal().await;
        self.note(healed, "random kills");
        let lives = self.rig.until_block().await;
        self.note(lives, "random kills");
        self.tally(Row::Random, true)
    }

    /// Ends everything in good order and says what came of it.
    pub async fn finish(mut self) -> Summary {
        let healed = self.rig.heal().await;
        self.note(healed, "the end");
        self.rig.applications.set_mood(Mood::Fetch);
        let settled = match self.rig.heal().await {
            Ok(()) => {
                self.rig.applications.set_mood(Mood::Fetch);
                self.rig.settle().await
            }
            late => late,
        };
        self.note(settled, "the end");
        let received = self.rig.until_mail().await;
        self.note(received, "the end");
        self.summary.messages = self.rig.mail.came();
        self.summary.healed_after = self.rig.healed_after;
        self.summary.block_after = self.rig.block_after;
        self.rig.applications.lock().checker.close();
        self.tally(Row::End, true);
        self.summary.took = self.began.elapsed();
        self.summary
    }

    /// Restarts a daemon with a point; whether it has struck before the daemon was there.
    async fn arm(&mut self, side: Side, armed: FailPoint) -> bool {
        self.rig.kill(side);
        let is_there = self.rig.restart(side, Some(armed)).await;
        if !is_there {
            self.rig.kills += 1;
        }
        !is_there
    }

    /// Makes a step come by that happens only when something breaks.
    async fn provoke(&mut self, point: Point, side: Side) {
        let other = side.peer();
        // Bob throws a block away that Alice did not live to decide about.
        let armed = (point.step == Step::Discard.into()).then_some(FailPoint {
            step: Step::Decide.into(),
            moment: Moment::Before,
            nth: 1,
            action: qkd_node::fail_point::Action::Kill,
        });
        self.rig.kill(other);
        self.rig.restart(other, armed).await;
        if armed.is_some() && self.rig.until_still(other, REACHED_WITHIN).await == Life::Dead {
            self.rig.remove(other);
            self.rig.kills += 1;
            self.rig.restart(other, None).await;
        }
    }

    /// Kills whoever is to die besides, and lets go on who was stopped.
    async fn take_victims(&mut self, victim: Victim, side: Side, has_struck: bool) {
        if !has_struck {
            // Its point would strike later.
            self.rig.kill(side);
            return;
        }
        if victim.includes(side.peer()) {
            self.rig.kill(side.peer());
        }
        match self.rig.life(side) {
            Life::Dead => {
                self.rig.remove(side);
                self.rig.kills += 1;
            }
            Life::Running => {}
            Life::Stopped => {
                if let Some(node) = self.rig.node_mut(side) {
                    node.signal("CONT");
                }
                let began = Instant::now();
                while self.rig.life(side) == Life::Stopped && began.elapsed() < GOES_ON_WITHIN {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    }

    fn note(&mut self, outcome: Result<(), String>, when: &str) {
        if let Err(what) = outcome {
            let seed = self.seed;
            self.tell(format!("seed {seed}, {when}: {what}"));
        }
    }

    /// Keeps a violation, and shows it at once with what the daemons logged.
    fn tell(&mut self, what: String) {
        let story = match self.rig.node_mut(Side::Alice) {
            Some(alice) => alice.story(&what),
            None => what.clone(),
        };
        eprintln!("VIOLATION {story}");
        self.summary.broken.push(what);
    }

    /// Writes down what has happened since the last row.
    fn tally(&mut self, row: Row, has_struck: bool) -> Tally {
        let before = self.seen;
        let shared = self.rig.applications.lock();
        let violations = shared.checker.violations();
        let fresh: Vec<String> = violations[before.violations..]
            .iter()
            .map(Violation::to_string)
            .collect();
        let mut now = Seen {
            counts: shared.checker.counts(),
            refused: shared.refused,
            kills: self.rig.kills,
            blocks: self.rig.blocks,
            violations: violations.len(),
            broken: 0,
        };
        drop(shared);
        let seed = self.seed;
        for found in fresh {
            self.tell(format!("seed {seed}, {row}: {found}"));
        }
        for found in self.rig.mail.broken() {
            self.tell(format!("seed {seed}, {row}: {found}"));
        }
        now.broken = self.summary.broken.len();
        let tally = Tally {
            kills: now.kills - before.kills,
            struck: u64::from(has_struck),
            missed: u64::from(!has_struck),
            blocks: now.blocks.saturating_sub(before.blocks),
            answered: now.counts.answered - before.counts.answered,
            fetched: now.counts.fetched - before.counts.fetched,
            burnt: now.counts.burnt - before.counts.burnt,
            refused: now.refused - before.refused,
            violations: (now.broken - before.broken) as u64,
        };
        self.seen = now;
        self.summary.rows.entry(row).or_default().add(tally);
        tally
    }
}
