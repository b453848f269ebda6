//! The rows, for people and for programs.

use serde::Serialize;

use super::args::DeliveryBenchArgs;
use super::disk::Disk;
use super::row::{Row, START_TITLES, StartRow, TITLES};
use super::side::RaceOutcome;
use crate::bench::distill::{aligned, lines_of};
use crate::bench::machine::Machine;
use crate::words::{grouped, three_digits};

/// Races of one standard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RaceRow {
    /// What was spoken.
    pub api: super::args::ApiName,
    /// Keys in store.
    pub stored_keys: u64,
    /// Connections that wanted each key.
    pub racers: usize,
    /// What came of it.
    #[serde(flatten)]
    pub seen: RaceOutcome,
}

impl RaceRow {
    /// What matters, in one line.
    pub fn line(&self) -> String {
        format!(
            "{}: {} races of {}: {} won once, {} by nobody, {} more than once, {} wrong keys, {} s",
            self.api.name(),
            grouped(self.seen.races),
            self.racers,
            grouped(self.seen.won_once),
            grouped(self.seen.won_by_nobody),
            grouped(self.seen.won_often),
            grouped(self.seen.wrong_keys),
            three_digits(self.seen.seconds),
        )
    }

    /// Whether every key went to one racer and was the right one.
    pub fn is_clean(&self) -> bool {
        self.seen.won_once == self.seen.races && self.seen.wrong_keys == 0
    }
}

/// All that was measured. In JSON one object.
#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    /// The disk that the stores are on.
    pub disk: Disk,
    /// Of each row, s.
    seconds: f64,
    /// Starts with full stores.
    pub starts: Vec<StartRow>,
    /// Row by row.
    pub rows: Vec<Row>,
    /// Races, where they were asked for.
    pub races: Vec<RaceRow>,
}

impl Report {
    /// A report without a row.
    pub fn new(machine: Machine, disk: Disk, args: &DeliveryBenchArgs) -> Self {
        Self {
            machine,
            disk,
            seconds: args.seconds,
            starts: Vec::new(),
            rows: Vec::new(),
            races: Vec::new(),
        }
    }

    /// One line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = lines_of(&self.machine.line());
        text.push_str(&lines_of(&self.disk.line()));
        if !self.machine.optimised {
            text.push_str("This program was not built for speed (cargo build --release).\n");
        }
        let titles = |titles: &[&str]| titles.iter().map(|&title| title.to_owned()).collect();
        let rows = self.rows.iter().map(Row::cells);
        let rows: Vec<Vec<String>> = std::iter::once(titles(&TITLES)).chain(rows).collect();
        let starts = self.starts.iter().map(StartRow::cells);
        let starts: Vec<Vec<String>> = std::iter::once(titles(&START_TITLES))
            .chain(starts)
            .collect();
        for lines in [starts, rows].iter().filter(|lines| lines.len() > 1) {
            text.push('\n');
            text.push_str(&aligned(lines, &[0, 1]));
        }
        if !self.races.is_empty() {
            text.push('\n');
        }
        for race in &self.races {
            text.push_str(&lines_of(&race.line()));
        }
        text.push('\n');
        text.push_str(&lines_of(
            "per s and ms: as the applications see it; A and B are Alice's and Bob's nodes: durable \
             commits per second, and CPU time per call, as of all applications together (cl). keys: so \
             many for each direction, and so many that wait at Bob's.",
        ));
        text.trim_end().to_owned()
    }

    /// What is wrong with the keys themselves, if anything is.
    pub fn complaint(&self) -> Option<&'static str> {
        let differ = self.rows.iter().any(|row| row.wrong_keys > 0);
        let raced = self.races.iter().any(|race| !race.is_clean());
        match (differ, raced) {
            (false, false) => None,
            (true, _) => Some("the two nodes gave different keys"),
            (false, true) => {
                Some("a key that was raced for went to none, to several, or was wrong")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::bench::delivery::args::{ApiName, CallName, Case};
    use crate::bench::delivery::row::Marks;
    use crate::bench::delivery::side::{LoadOutcome, Mark};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DeliveryBenchArgs,
    }

    fn mark(cpu_seconds: f64, durable_commits: u64) -> Mark {
        Mark {
            free_keys: [1_000_123, 1_000_456],
            waiting_keys: 1_000_000,
            peer_ready: true,
            durable_commits,
            cpu_seconds,
            memory_bytes: Some(500_000_000),
        }
    }

    fn report() -> Report {
        let args = Line::parse_from(["qkd"]).args;
        let disk = Disk {
            file_system: Some("ext4".to_owned()),
            fdatasync_p50_ms: 0.12,
            fdatasync_p99_ms: 4.0,
        };
        let mut report = Report::new(Machine::of_this(), disk, &args);
        let case = Case {
            api: ApiName::Etsi014,
            call: CallName::EncKeys,
            concurrency: 16,
            seconds: 5.0,
        };
        let seen = LoadOutcome {
            answered: 20_000,
            seconds: 5.0,
            p50_ms: Some(3.456),
            p99_ms: Some(12.34),
            max_ms: Some(20.0),
            cpu_seconds: 1.0,
            ..LoadOutcome::default()
        };
        let marks = [(0.0, 100), (3.0, 5100)].map(|(cpu, commits)| Marks {
            alice: mark(cpu, commits),
            bob: mark(cpu / 2.0, commits),
        });
        report.rows.push(Row::new(&case, 1_000_000, &seen, &marks));
        report.starts.push(StartRow {
            stored_keys: 1_000_000,
            fill_seconds: 10.0,
            alice_startup_ms: 812.0,
            bob_startup_ms: 1512.0,
            memory_bytes: [Some(150_000_000), None],
            file_bytes: [123_000_000, 300_000_000],
        });
        report
    }

    #[test]
    fn the_table_fits_a_terminal_and_says_what_a_call_costs_each_process() {
        let report = report();
        let row = &report.rows[0];
        assert_eq!(row.requests_per_second, 4000.0);
        assert_eq!(row.alice_commits_per_second, 1000.0);
        assert_eq!(row.cpu_seconds.bob, 1.5);
        let table = report.table();
        let width = table.lines().map(|line| line.chars().count()).max();
        assert!(width <= Some(105), "{width:?}\n{table}");
        for words in ["4000", "12.3", "150", "75.0", "50.0", "ext4", "812"] {
            assert!(table.contains(words), "{words}\n{table}");
        }
        assert!(report.complaint().is_none());
    }

    #[test]
    fn a_key_that_went_to_two_is_complained_of() {
        let mut report = report();
        report.races.push(RaceRow {
            api: ApiName::Grpc,
            stored_keys: 1000,
            racers: 16,
            seen: RaceOutcome {
                races: 100,
                requests: 1600,
                won_once: 99,
                won_often: 1,
                ..RaceOutcome::default()
            },
        });
        assert!(report.complaint().is_some());
        report.races[0].seen.won_once = 100;
        assert!(report.complaint().is_none());
        report.rows[0].wrong_keys = 1;
        assert!(report.complaint().is_some());
    }
}
