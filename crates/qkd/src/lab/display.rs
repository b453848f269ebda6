//! Live progress on standard error: bars in a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use qkd_wire::proto::node::{LinkState, NodeStatus};

use super::report::Block;
use super::watch::View;
use crate::output::tell;
use crate::words::{clock, doing, grouped, percent};

/// Distance between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Where progress is shown.
pub struct Display {
    blocks_wanted: u64,
    /// Whether somebody else says what becomes of blocks.
    is_silent: bool,
    kind: Kind,
}

enum Kind {
    /// On a terminal.
    Bars(Bars),
    /// On a terminal, while something else is printed there.
    Hidden,
    Lines {
        printed: Instant,
        last: String,
    },
}

struct Bars {
    all: MultiProgress,
    block: ProgressBar,
    totals: ProgressBar,
    store: ProgressBar,
}

impl Display {
    /// A display for `blocks_wanted` blocks, as fits standard error.
    pub fn new(blocks_wanted: u64) -> Self {
        let kind = if std::io::stderr().is_terminal() {
            Kind::Bars(Bars::new())
        } else {
            Kind::Lines {
                printed: Instant::now(),
                last: String::new(),
            }
        };
        Self {
            blocks_wanted,
            is_silent: false,
            kind,
        }
    }

    /// The same for somebody who says everything himself: what is left are the bars of a terminal.
    pub fn silent(blocks_wanted: u64) -> Self {
        Self {
            is_silent: true,
            ..Self::new(blocks_wanted)
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        match &self.kind {
            Kind::Bars(bars) => {
                // A terminal that went away is noticed elsewhere, if at all.
                let _ = bars.all.println(line);
            }
            Kind::Hidden | Kind::Lines { .. } => tell(line),
        }
    }

    /// Prints a finished block.
    pub fn block(&self, block: &Block) {
        if !self.is_silent {
            self.say(&format!("  {}", block.line()));
        }
    }

    /// Shows the present state.
    pub fn update(&mut self, view: &View) {
        let state = state(view, self.blocks_wanted);
        let (totals, store) = (totals(view), store(view));
        let finished = view.finished.len() as u64;
        if let Kind::Hidden = self.kind {
            self.kind = Kind::Bars(Bars::new());
        }
        match &mut self.kind {
            Kind::Hidden => {}
            Kind::Bars(bars) => {
                let (detections, wanted) = detections(view).unwrap_or((0, 0));
                bars.block.set_length(wanted.max(1));
                bars.block.set_position(detections.min(wanted));
                bars.block
                    .set_prefix(of_blocks(finished, self.blocks_wanted));
                bars.block.set_message(state);
                bars.totals.set_message(totals);
                bars.store.set_message(store);
            }
            Kind::Lines { printed, last } => {
                let progress = detections(view).map_or(String::new(), |(detections, wanted)| {
                    let percent = 100.0 * detections as f64 / wanted.max(1) as f64;
                    format!(", {percent:.0} % of the next detected")
                });
                let blocks = of_blocks(finished, self.blocks_wanted);
                let line = format!("  … {blocks}{progress}; {totals} · {store}; {state}");
                if !self.is_silent && printed.elapsed() >= LINE_EVERY && *last != line {
                    tell(&line);
                    *printed = Instant::now();
                    *last = line;
                }
            }
        }
    }

    /// Takes the bars away until the next update.
    pub fn clear(&mut self) {
        if let Kind::Bars(_) = self.kind {
            self.kind = Kind::Hidden;
        }
    }
}

impl Bars {
    /// Three lines, each cut to the width of the terminal: one that wraps would leave its rest
    /// behind.
    fn new() -> Self {
        let all = MultiProgress::new();
        let style = |template: &str| {
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─")
        };
        let block = all.add(ProgressBar::new(1));
        let template = "  {spinner} {prefix} {bar:24} {percent:>3} %  {wide_msg}";
        block.set_style(style(template));
        block.enable_steady_tick(Duration::from_millis(100));
        let line = || {
            let line = all.add(ProgressBar::new(1));
            line.set_style(style("    {wide_msg}"));
            line
        };
        let (totals, store) = (line(), line());
        Self {
            all,
            block,
            totals,
            store,
        }
    }
}

/// Also when a laboratory is interrupted, nothing of them stays on the screen.
impl Drop for Bars {
    fn drop(&mut self) {
        for bar in [&self.block, &self.totals, &self.store] {
            bar.finish_and_clear();
        }
        // A terminal that went away needs no clearing.
        let _ = self.all.clear();
    }
}

fn of_blocks(finished: u64, wanted: u64) -> String {
    if finished <= wanted {
        format!("{finished} of {wanted} blocks")
    } else {
        format!("{finished} blocks")
    }
}

/// Detections of the block that Bob fills, and how many close it.
fn detections(view: &View) -> Option<(u64, u64)> {
    let block = view.status.bob.as_ref()?.block_in_progress?;
    Some((block.detections, block.detections_wanted))
}

fn state(view: &View, blocks_wanted: u64) -> String {
    let of = |status: &Option<NodeStatus>| {
        status
            .as_ref()
            .map_or("starting", |status| doing(status.link_state()))
    };
    let (alice, bob) = (of(&view.status.alice), of(&view.status.bob));
    let paused = |status: &Option<NodeStatus>| {
        let state = status.as_ref().map(NodeStatus::link_state);
        state == Some(LinkState::Paused)
    };
    let dark = paused(&view.status.alice) && paused(&view.status.bob);
    let detected = view
        .status
        .bob
        .as_ref()
        .is_some_and(|bob| bob.emulated_seconds > 0.0);
    if dark && detected && (view.finished.len() as u64) < blocks_wanted {
        "light is off, distilling".to_owned()
    } else if alice == bob {
        alice.to_owned()
    } else {
        format!("Alice {alice}, Bob {bob}")
    }
}

fn totals(view: &View) -> String {
    let Some(bob) = &view.status.bob else {
        return "waiting for the first figures".to_owned();
    };
    let qber = bob
        .last_qber
        .or_else(|| view.status.alice.as_ref()?.last_qber);
    [
        format!("QBER {}", qber.map_or("–".to_owned(), percent)),
        format!("{} sifted bits", grouped(bob.sifted_bits)),
        format!("{} secret bits", grouped(bob.secret_bits)),
    ]
    .join(" · ")
}

fn store(view: &View) -> String {
    let Some(bob) = &view.status.bob else {
        return "no key yet".to_owned();
    };
    // Each end may hand out its own half of every block.
    let alice = view.status.alice.as_ref();
    let stored = bob.stored_key_count + alice.map_or(0, |alice| alice.stored_key_count);
    let (stretch, clock_hz) = view.clock().unwrap_or_default();
    format!(
        "{} keys in store · {}",
        grouped(stored),
        clock(stretch, clock_hz)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_the_node_that_counts() {
        let mut view = View::default();
        assert_eq!(totals(&view), "waiting for the first figures");
        view.status.bob = Some(NodeStatus {
            sifted_bits: 2_000_000,
            secret_bits: 812_345,
            stored_key_count: 3172,
            last_qber: Some(0.0103),
            stretch_factor: 1.0,
            ..NodeStatus::default()
        });
        assert_eq!(
            totals(&view),
            "QBER 1.03 % · 2,000,000 sifted bits · 812,345 secret bits"
        );
        assert_eq!(store(&view), "3,172 keys in store · clock in real time");
    }
}
