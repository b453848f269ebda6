//! One measured row.

use serde::Serialize;

use super::args::{ApiName, CallName, Case};
use super::side::{LoadOutcome, Mark};
use crate::words::{grouped, three_digits};

/// CPU time of the three processes, s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpu {
    /// Alice's node.
    pub alice: f64,
    /// Bob's node.
    pub bob: f64,
    /// All applications.
    pub clients: f64,
}

/// A row. Times are wall-clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was spoken.
    pub api: ApiName,
    /// What was asked for.
    pub call: CallName,
    /// Keys in store, as asked for.
    pub stored_keys: u64,
    /// Connections.
    pub concurrency: usize,
    /// Calls answered, per second; of `pair` two calls count as one.
    pub requests_per_second: f64,
    /// Median time of a call, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile, ms.
    pub p99_ms: Option<f64>,
    /// The longest, ms.
    pub max_ms: Option<f64>,
    /// Calls answered.
    pub requests: u64,
    /// Calls refused or broken.
    pub errors: u64,
    /// Keys that the two nodes did not give alike.
    pub wrong_keys: u64,
    /// Length of the measurement, s.
    pub seconds: f64,
    /// Durable commits of Alice's store per second.
    pub alice_commits_per_second: f64,
    /// The same of Bob's.
    pub bob_commits_per_second: f64,
    /// CPU time.
    pub cpu_seconds: Cpu,
    /// Keys that Alice's direction had free at the beginning, and at the end.
    pub free_keys: [u64; 2],
    /// Keys that waited at Bob's at the beginning, and at the end.
    pub waiting_keys: [u64; 2],
}

/// Both nodes at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marks {
    /// Alice's.
    pub alice: Mark,
    /// Bob's.
    pub bob: Mark,
}

impl Row {
    /// What came of a case, with what the nodes were like before and after it.
    pub fn new(case: &Case, stored_keys: u64, seen: &LoadOutcome, marks: &[Marks; 2]) -> Self {
        let [before, after] = marks;
        let commits = |after: &Mark, before: &Mark| {
            (after.durable_commits - before.durable_commits) as f64 / seen.seconds
        };
        Self {
            api: case.api,
            call: case.call,
            stored_keys,
            concurrency: case.concurrency,
            requests_per_second: seen.answered as f64 / seen.seconds,
            p50_ms: seen.p50_ms,
            p99_ms: seen.p99_ms,
            max_ms: seen.max_ms,
            requests: seen.answered,
            errors: seen.faults,
            wrong_keys: seen.wrong_keys,
            seconds: seen.seconds,
            alice_commits_per_second: commits(&after.alice, &before.alice),
            bob_commits_per_second: commits(&after.bob, &before.bob),
            cpu_seconds: Cpu {
                alice: after.alice.cpu_seconds - before.alice.cpu_seconds,
                bob: after.bob.cpu_seconds - before.bob.cpu_seconds,
                clients: seen.cpu_seconds,
            },
            free_keys: [before.alice.free_keys[0], after.alice.free_keys[0]],
            waiting_keys: [before.bob.waiting_keys, after.bob.waiting_keys],
        }
    }

    /// What matters, in one line.
    pub fn line(&self) -> String {
        let ms = |time: Option<f64>| three_digits(time.unwrap_or(f64::NAN));
        let mut line = format!(
            "{} {} {} keys, {} clients: {}/s, p50 {} ms, p99 {} ms",
            self.api.name(),
            self.call.name(),
            grouped(self.stored_keys),
            self.concurrency,
            three_digits(self.requests_per_second),
            ms(self.p50_ms),
            ms(self.p99_ms),
        );
        if self.errors > 0 {
            line.push_str(&format!(", {} errors", grouped(self.errors)));
        }
        line
    }

    /// As in the table.
    pub fn cells(&self) -> Vec<String> {
        let ms = |time: Option<f64>| three_digits(time.unwrap_or(f64::NAN));
        // Per call, µs: what a core has to do for it.
        let micros = |seconds: f64| three_digits(seconds * 1e6 / self.requests as f64);
        vec![
            self.api.name().to_owned(),
            self.call.name().to_owned(),
            grouped(self.stored_keys),
            self.concurrency.to_string(),
            three_digits(self.requests_per_second),
            ms(self.p50_ms),
            ms(self.p99_ms),
            grouped(self.errors),
            three_digits(self.alice_commits_per_second),
            three_digits(self.bob_commits_per_second),
            micros(self.cpu_seconds.alice),
            micros(self.cpu_seconds.bob),
            micros(self.cpu_seconds.clients),
        ]
    }
}

/// Titles of the table.
pub const TITLES: [&str; 13] = [
    "api", "call", "keys", "clients", "per s", "p50 ms", "p99 ms", "errors", "A com/s", "B com/s",
    "A µs", "B µs", "cl µs",
];

/// A node that was started with full stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StartRow {
    /// Keys in store: so many for each direction, and so many that wait.
    pub stored_keys: u64,
    /// Time to fill both stores, s.
    pub fill_seconds: f64,
    /// From the start of Alice's process until she serves, ms.
    pub alice_startup_ms: f64,
    /// The same of Bob, who holds the keys that wait.
    pub bob_startup_ms: f64,
    /// Bytes of both processes once they serve, Alice's and Bob's.
    pub memory_bytes: [Option<u64>; 2],
    /// Bytes of both stores' files.
    pub file_bytes: [u64; 2],
}

/// Titles of its table.
pub const START_TITLES: [&str; 8] = [
    "start",
    "keys",
    "A ms",
    "B ms",
    "A MB",
    "B MB",
    "A file MB",
    "B file MB",
];

impl StartRow {
    /// What matters, in one line.
    pub fn line(&self) -> String {
        format!(
            "start with {} keys: alice {} ms, bob {} ms (filled in {} s)",
            grouped(self.stored_keys),
            three_digits(self.alice_startup_ms),
            three_digits(self.bob_startup_ms),
            three_digits(self.fill_seconds),
        )
    }

    /// As in the table.
    pub fn cells(&self) -> Vec<String> {
        let mega = |bytes: u64| three_digits(bytes as f64 / 1e6);
        let memory = self
            .memory_bytes
            .map(|bytes| bytes.map_or(String::new(), mega));
        let [alice, bob] = memory;
        let [alice_file, bob_file] = self.file_bytes.map(mega);
        vec![
            String::new(),
            grouped(self.stored_keys),
            three_digits(self.alice_startup_ms),
            three_digits(self.bob_startup_ms),
            alice,
            bob,
            alice_file,
            bob_file,
        ]
    }
}
