//! Following both nodes until what is awaited has happened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use qkd_wire::proto::node::node_client::NodeClient;
use qkd_wire::proto::node::{BlockReport, GetStatusRequest, NodeStatus, WatchBlocksRequest};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::children::Children;
use super::display::Display;
use super::fault::Fault;
use super::report::Block;
use crate::client::within;
use crate::words::doing;

/// Distance between two looks at the nodes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Nothing that works needs longer for a visible step, blocks of up to 10⁷ bits included.
const PATIENCE_MIN: Duration = Duration::from_secs(60);

/// Larger blocks may take as much longer to distil.
const BLOCK_BITS_PER_SECOND: u64 = 160_000;

/// Reports under way; more wait in the node.
const REPORTS_MAX: usize = 256;

/// An end of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The transmitter.
    Alice,
    /// The receiver.
    Bob,
}

/// Something for each end of the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Both<T> {
    /// Of Alice.
    pub alice: T,
    /// Of Bob.
    pub bob: T,
}

impl<T> Both<T> {
    fn of(&mut self, side: Side) -> &mut T {
        match side {
            Side::Alice => &mut self.alice,
            Side::Bob => &mut self.bob,
        }
    }
}

/// Everything both nodes have said.
#[derive(Default)]
pub struct View {
    /// The last state of each.
    pub status: Both<Option<NodeStatus>>,
    /// Blocks that both have reported, in order of session and block.
    pub finished: Vec<Block>,
    /// What only one of them has reported so far.
    half: BTreeMap<(u64, u64), Both<Option<BlockReport>>>,
    /// Why a node did not answer the last time.
    unanswered: Both<Option<String>>,
}

impl View {
    /// Notes a report. Returns the block once both ends have reported it.
    ///
    /// # Errors
    /// [`Fault::Disagreement`] when they tell different stories.
    fn note(&mut self, side: Side, report: BlockReport) -> Result<Option<&Block>, Fault> {
        let at = (report.session, report.block);
        let half = self.half.entry(at).or_default();
        *half.of(side) = Some(report);
        if half.alice.is_none() || half.bob.is_none() {
            return Ok(None);
        }
        let Some(Both {
            alice: Some(alice),
            bob: Some(bob),
        }) = self.half.remove(&at)
        else {
            return Ok(None);
        };
        self.finished.push(Block::merged(&alice, &bob)?);
        Ok(self.finished.last())
    }

    /// Whether both ends have a key that can be delivered.
    pub fn keys_in_both_stores(&self) -> bool {
        let stored = |status: &Option<NodeStatus>| {
            status
                .as_ref()
                .is_some_and(|status| status.stored_key_count > 0)
        };
        stored(&self.status.alice) && stored(&self.status.bob)
    }

    /// How the emulated clock runs now, as Alice says who keeps it: wall-clock seconds of light per
    /// emulated second, and the slots in one.
    pub fn clock(&self) -> Option<(f64, f64)> {
        self.clock_as(|node| node.stretch_factor)
    }

    /// The same of the whole run.
    pub fn clock_overall(&self) -> Option<(f64, f64)> {
        self.clock_as(|node| node.stretch_factor_overall)
    }

    fn clock_as(&self, stretch: impl Fn(&NodeStatus) -> f64) -> Option<(f64, f64)> {
        let mut nodes = [&self.status.alice, &self.status.bob].into_iter().flatten();
        let running = nodes.find(|node| stretch(node) > 0.0)?;
        Some((stretch(running), running.clock_hz))
    }

    /// Why the link between the nodes went down the last time, if it ever did.
    pub fn link_fault(&self) -> Option<&str> {
        let faults = [&self.status.alice, &self.status.bob].into_iter().flatten();
        let mut faults = faults.map(|status| status.link_fault.as_str());
        faults.find(|fault| !fault.is_empty())
    }

    /// Whatever changes as long as there is progress.
    fn fingerprint(&self) -> Vec<u64> {
        let mut all = vec![self.finished.len() as u64, self.half.len() as u64];
        for status in [&self.status.alice, &self.status.bob].into_iter().flatten() {
            let block = status.block_in_progress.unwrap_or_default();
            all.extend([
                u64::from(status.link_state.unsigned_abs()),
                status.session.unwrap_or(0),
                status.blocks_attempted,
                block.block,
                block.detections,
                status.frames.as_ref().map_or(0, |frames| frames.received),
                status.stored_key_count,
            ]);
        }
        all
    }

    /// What nothing more is heard of, for a person.
    fn awaited(&self, goal: &str) -> String {
        let mut sentences = vec![goal.to_owned()];
        let sides = [
            ("Alice", &self.status.alice, &self.unanswered.alice),
            ("Bob", &self.status.bob, &self.unanswered.bob),
        ];
        for (name, status, unanswered) in sides {
            if let Some(reason) = unanswered {
                sentences.push(format!("{name} does not answer ({reason})"));
            }
            if let Some(status) = status {
                let tense = if unanswered.is_some() {
                    "was last"
                } else {
                    "is"
                };
                sentences.push(format!("{name} {tense} {}", doing(status.link_state())));
                if !status.link_fault.is_empty() {
                    sentences.push(format!("{name}'s link: {}", status.link_fault));
                }
                sentences.extend(status.alarms.iter().map(|alarm| format!("{name}: {alarm}")));
            }
        }
        for ((_, block), half) in &self.half {
            let missing = if half.alice.is_none() { "Alice" } else { "Bob" };
            sentences.push(format!("{missing} has not reported block {block}"));
        }
        sentences.join("; ")
    }
}

/// Follows both nodes.
pub struct Watch {
    nodes: Both<NodeClient<Channel>>,
    reports: mpsc::Receiver<(Side, BlockReport)>,
    /// Reads the reports of both; ends with this value.
    _readers: JoinSet<()>,
    display: Display,
    patience: Duration,
    /// What has been seen so far.
    pub view: View,
}

impl Watch {
    /// Follows `nodes`, which make blocks of `block_bits`, and shows what happens on `display`.
    pub fn new(nodes: Both<NodeClient<Channel>>, display: Display, block_bits: u64) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS_MAX);
        let mut readers = JoinSet::new();
        readers.spawn(read_reports(
            Side::Alice,
            nodes.alice.clone(),
            sender.clone(),
        ));
        readers.spawn(read_reports(Side::Bob, nodes.bob.clone(), sender));
        Self {
            nodes,
            reports,
            _readers: readers,
            display,
            patience: PATIENCE_MIN.max(Duration::from_secs(block_bits / BLOCK_BITS_PER_SECOND)),
            view: View::default(),
        }
    }

    /// Looks at the nodes until `reached`; `goal` says what that is.
    ///
    /// # Errors
    /// When a service ends, both ends disagree, or nothing changes any more.
    pub async fn until(
        &mut self,
        goal: &str,
        children: &mut Children,
        reached: impl Fn(&View) -> bool,
    ) -> Result<(), Fault> {
        let mut fingerprint = self.view.fingerprint();
        let mut changed = Instant::now();
        loop {
            self.look(children).await?;
            if reached(&self.view) {
                return Ok(());
            }
            let now = self.view.fingerprint();
            if now != fingerprint {
                fingerprint = now;
                changed = Instant::now();
            } else if changed.elapsed() > self.patience {
                return Err(Fault::Stalled {
                    seconds: self.patience.as_secs(),
                    awaited: self.view.awaited(goal),
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Shows what happens for as long as all services run: full stores may stay as they are.
    ///
    /// # Errors
    /// When a service ends or both ends disagree; never returns otherwise.
    pub async fn forever(&mut self, children: &mut Children) -> Result<(), Fault> {
        loop {
            self.look(children).await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes the progress display away, so that something else can be printed.
    pub fn hide(&mut self) {
        self.display.clear();
    }

    async fn look(&mut self, children: &mut Children) -> Result<(), Fault> {
        children.check()?;
        let (alice, bob) = tokio::join!(
            within(self.nodes.alice.get_status(GetStatusRequest {})),
            within(self.nodes.bob.get_status(GetStatusRequest {})),
        );
        for (side, answer) in [(Side::Alice, alice), (Side::Bob, bob)] {
            match answer {
                Ok(status) => {
                    *self.view.status.of(side) = Some(status);
                    *self.view.unanswered.of(side) = None;
                }
                // It may be overloaded: patience ends if it stays so, or if its process ended.
                Err(status) => {
                    *self.view.unanswered.of(side) = Some(status.message().to_owned());
                }
            }
        }
        while let Ok((side, report)) = self.reports.try_recv() {
            if let Some(block) = self.view.note(side, report)? {
                self.display.block(block);
            }
        }
        self.display.update(&self.view);
        Ok(())
    }
}

/// Hands over the reports of one node, each once, also over broken connections.
async fn read_reports(
    side: Side,
    mut node: NodeClient<Channel>,
    reports: mpsc::Sender<(Side, BlockReport)>,
) {
    let mut after = 0;
    loop {
        if let Ok(stream) = node
            .watch_blocks(WatchBlocksRequest {
                after,
                figures: true,
            })
            .await
        {
            let mut stream = stream.into_inner();
            while let Ok(Some(report)) = stream.message().await {
                after = report.number;
                if reports.send((side, report)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_wire::proto::node::LinkState;

    fn report(block: u64) -> BlockReport {
        BlockReport {
            session: 1,
            block,
            outcome: "key".to_owned(),
            secret_length_bits: 500,
            ..BlockReport::default()
        }
    }

    #[test]
    fn a_block_is_finished_when_both_ends_have_reported_it() {
        let mut view = View::default();
        assert!(view.note(Side::Alice, report(1)).unwrap().is_none());
        assert!(view.note(Side::Alice, report(2)).unwrap().is_none());
        let finished = view.note(Side::Bob, report(2)).unwrap();
        assert_eq!(finished.unwrap().block, 2);
        assert!(view.note(Side::Bob, report(1)).unwrap().is_some());
        assert_eq!(view.finished.len(), 2);
    }

    #[test]
    fn different_stories_of_a_block_are_a_fault() {
        let mut view = View::default();
        let mut aborted = report(1);
        aborted.outcome = "aborted".to_owned();
        aborted.abort_reason = "zero_length".to_owned();
        view.note(Side::Alice, report(1)).unwrap();
        let said = view.note(Side::Bob, aborted).unwrap_err().to_string();
        assert!(
            said.contains("block 1") && said.contains("zero_length"),
            "{said}"
        );
    }

    #[test]
    fn a_stall_names_what_is_missing_and_who_does_not_answer() {
        let mut view = View::default();
        view.note(Side::Alice, report(7)).unwrap();
        view.unanswered.bob = Some("no answer within 10 s".to_owned());
        view.status.alice = Some(NodeStatus {
            link_state: LinkState::Connecting.into(),
            link_fault: "connection refused".to_owned(),
            ..NodeStatus::default()
        });
        let said = view.awaited("3 blocks");
        for words in [
            "3 blocks",
            "Bob does not answer (no answer within 10 s)",
            "Alice is connecting",
            "Alice's link: connection refused",
            "Bob has not reported block 7",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn the_clock_of_the_run_is_not_its_last_pace() {
        let mut view = View::default();
        assert_eq!(view.clock_overall(), None);
        view.status.alice = Some(NodeStatus {
            clock_hz: 1e9,
            stretch_factor: 20.0,
            stretch_factor_overall: 1.4,
            ..NodeStatus::default()
        });
        assert_eq!(view.clock(), Some((20.0, 1e9)));
        assert_eq!(view.clock_overall(), Some((1.4, 1e9)));
    }

    #[test]
    fn any_detection_or_key_is_progress() {
        let mut view = View::default();
        let before = view.fingerprint();
        view.status.bob = Some(NodeStatus::default());
        let still = view.fingerprint();
        assert_ne!(before, still);
        view.status.bob = Some(NodeStatus {
            stored_key_count: 1,
            ..NodeStatus::default()
        });
        assert_ne!(still, view.fingerprint());
    }
}
