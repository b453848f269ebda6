//! Live progress on standard error: bars in a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use qkd_wire::proto::node::{LinkState, NodeStatus};

use super::report::{Block, grouped, percent};
use super::watch::{View, doing};
use crate::output::tell;

/// Distance between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Where progress is shown.
pub struct Display {
    blocks_wanted: u64,
    kind: Kind,
}

enum Kind {
    Bars {
        all: MultiProgress,
        block: ProgressBar,
        totals: ProgressBar,
    },
    Lines {
        printed: Instant,
        last: String,
    },
}

impl Display {
    /// A display for `blocks_wanted` blocks, as fits standard error.
    pub fn new(blocks_wanted: u64) -> Self {
        let kind = if std::io::stderr().is_terminal() {
            bars()
        } else {
            Kind::Lines {
                printed: Instant::now(),
                last: String::new(),
            }
        };
        Self {
            blocks_wanted,
            kind,
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        match &self.kind {
            Kind::Bars { all, .. } => {
                // A terminal that went away is noticed elsewhere, if at all.
                let _ = all.println(line);
            }
            Kind::Lines { .. } => tell(line),
        }
    }

    /// Prints a finished block.
    pub fn block(&self, block: &Block) {
        self.say(&format!("  {}", block.line()));
    }

    /// Shows the present state.
    pub fn update(&mut self, view: &View) {
        let state = state(view, self.blocks_wanted);
        let totals = totals(view);
        let finished = view.finished.len() as u64;
        match &mut self.kind {
            Kind::Bars {
                block,
                totals: line,
                ..
            } => {
                let (detections, wanted) = detections(view).unwrap_or((0, 0));
                block.set_length(wanted.max(1));
                block.set_position(detections.min(wanted));
                block.set_prefix(of_blocks(finished, self.blocks_wanted));
                block.set_message(state);
                line.set_message(totals);
            }
            Kind::Lines { printed, last } => {
                let progress = detections(view).map_or(String::new(), |(detections, wanted)| {
                    let percent = 100.0 * detections as f64 / wanted.max(1) as f64;
                    format!(", {percent:.0} % of the next detected")
                });
                let blocks = of_blocks(finished, self.blocks_wanted);
                let line = format!("  … {blocks}{progress}; {totals}; {state}");
                if printed.elapsed() >= LINE_EVERY && *last != line {
                    tell(&line);
                    *printed = Instant::now();
                    *last = line;
                }
            }
        }
    }

    /// Takes the bars away.
    pub fn clear(&mut self) {
        match &self.kind {
            Kind::Bars {
                all, block, totals, ..
            } => {
                block.finish_and_clear();
                totals.finish_and_clear();
                let _ = all.clear();
            }
            Kind::Lines { .. } => {}
        }
    }
}

fn bars() -> Kind {
    let all = MultiProgress::new();
    let style = |template: &str| {
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─")
    };
    let block = all.add(ProgressBar::new(1));
    block.set_style(style("  {spinner} {prefix} {bar:30} {percent:>3} %  {msg}"));
    block.enable_steady_tick(Duration::from_millis(100));
    let totals = all.add(ProgressBar::new(1));
    totals.set_style(style("    {msg}"));
    Kind::Bars { all, block, totals }
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
    let of = |status: &Option<NodeStatus>| status.as_ref().map_or("starting", doing);
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
    // Each end may hand out its own half of every block.
    let alice = view.status.alice.as_ref();
    let stored = bob.stored_key_count + alice.map_or(0, |alice| alice.stored_key_count);
    let stretch = match &view.status.alice {
        Some(alice) if alice.stretch_factor > 0.0 => alice.stretch_factor,
        Some(_) | None => bob.stretch_factor,
    };
    [
        format!("QBER {}", qber.map_or("–".to_owned(), percent)),
        format!("{} sifted bits", grouped(bob.sifted_bits)),
        format!("{} secret bits", grouped(bob.secret_bits)),
        format!("{} keys in store", grouped(stored)),
        clock(stretch),
    ]
    .join(" · ")
}

/// How the emulated clock runs; `stretch` is wall-clock seconds per emulated second.
fn clock(stretch: f64) -> String {
    if stretch <= 0.0 || !stretch.is_finite() {
        "clock not running".to_owned()
    } else if stretch >= 1.05 {
        format!("clock {stretch:.1} times slower than real")
    } else if stretch <= 0.95 {
        format!("clock {:.1} times faster than real", 1.0 / stretch)
    } else {
        "clock in real time".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_slower_when_a_second_takes_longer() {
        assert_eq!(clock(2.0), "clock 2.0 times slower than real");
        assert_eq!(clock(0.002), "clock 500.0 times faster than real");
        assert_eq!(clock(1.0), "clock in real time");
        assert_eq!(clock(0.0), "clock not running");
        assert_eq!(clock(f64::NAN), "clock not running");
    }

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
            "QBER 1.03 % · 2,000,000 sifted bits · 812,345 secret bits · 3,172 keys in store · clock in real time"
        );
    }
}
