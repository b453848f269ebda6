//! The rows, for people and for programs.

use qkd_node::bench::{FRAME_BYTES, RECEIVE_BUFFER_BYTES};
use qkd_node::presets::Preset;
use serde::Serialize;

use super::args::LinkBenchArgs;
use super::machine::Machine;
use super::numpy::Numpy;
use super::pair::Seen;
use crate::words::{grouped, metric, three_digits, wrapped};

/// Lines of words are no longer.
const WIDTH: usize = 80;

/// All that was measured.
pub struct Report {
    machine: Machine,
    seconds: f64,
    one_core: bool,
    /// The comparison.
    pub numpy: Numpy,
    /// Row by row.
    pub rows: Vec<Row>,
}

/// One preset at one distance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    preset: &'static str,
    distance_km: f64,
    /// The clock that was wanted, Hz.
    target_clock_hz: f64,
    /// The clock of the measurement, Hz: the wanted one or, where that lost light, a lower one.
    run_clock_hz: f64,
    /// Slots that Bob measured with their frames, per second of wall-clock time.
    sustained_clock_hz: f64,
    /// Detections registered, per second: after dead time.
    detections_per_second: f64,
    /// Clicks per second before dead time.
    clicks_per_second: f64,
    /// Pulses with light that Alice sent, per second: as expected in so many slots.
    pulses_per_second: f64,
    /// CPU seconds per second, user and system.
    alice_cpu: f64,
    bob_cpu: f64,
    /// Whether light was lost even at the last clock that was tried.
    lost_light: bool,
    lost_frames: u64,
    frames: u64,
    /// Bytes of all datagrams per pulse with light.
    bytes_per_event: f64,
    receive_buffer_bytes: usize,
    /// Slots per second over the pulses per second of the numpy sampler.
    ratio_to_numpy: Option<f64>,
}

impl Row {
    /// What was seen of a preset at a distance.
    pub fn new(
        args: &LinkBenchArgs,
        preset: Preset,
        distance_km: f64,
        seen: &Seen,
        numpy: &Numpy,
    ) -> Self {
        let (alice, bob) = (&seen.alice, &seen.bob);
        let pulses = alice.slots as f64 * alice.occupied_probability;
        let sustained_clock_hz = seen.sustained_clock_hz();
        let numpy = numpy.pulses_per_second();
        Self {
            preset: preset.name(),
            distance_km,
            target_clock_hz: args.clock_hz,
            run_clock_hz: seen.clock_hz,
            sustained_clock_hz,
            detections_per_second: bob.detections as f64 / bob.seconds,
            clicks_per_second: bob.clicks as f64 / bob.seconds,
            pulses_per_second: pulses / alice.seconds,
            alice_cpu: alice.cpu_seconds / alice.seconds,
            bob_cpu: bob.cpu_seconds / bob.seconds,
            lost_light: seen.lost_light(),
            lost_frames: seen.lost_frames(),
            frames: alice.frames_total,
            bytes_per_event: alice.frames as f64 * FRAME_BYTES as f64 / pulses,
            receive_buffer_bytes: seen.receive_buffer_bytes,
            ratio_to_numpy: numpy.map(|numpy| sustained_clock_hz / numpy),
        }
    }

    /// What matters, in one line.
    pub fn line(&self) -> String {
        let lost = match self.lost_light {
            true => "; light was lost",
            false => "",
        };
        format!(
            "{} {} km: {}, {} detections per second{lost}",
            self.preset,
            self.distance_km,
            metric(self.sustained_clock_hz, "Hz"),
            grouped(self.detections_per_second as u64)
        )
    }

    fn cells(&self) -> [String; COLUMNS] {
        let ratio = self.ratio_to_numpy;
        let mark = match self.lost_light {
            true => LOST_MARK,
            false => "",
        };
        [
            self.preset.to_owned(),
            self.distance_km.to_string(),
            format!("{mark}{}", metric(self.sustained_clock_hz, "Hz")),
            metric(self.pulses_per_second, "/s"),
            metric(self.clicks_per_second, "/s"),
            metric(self.detections_per_second, "/s"),
            format!("{:.0} %", 100.0 * self.alice_cpu),
            format!("{:.0} %", 100.0 * self.bob_cpu),
            format!("{} of {}", grouped(self.lost_frames), grouped(self.frames)),
            three_digits(self.bytes_per_event),
            ratio.map_or("–".to_owned(), three_digits),
        ]
    }
}

/// Stands before the clock of a row that lost light.
const LOST_MARK: &str = "! ";

const COLUMNS: usize = 11;

const TITLES: [[&str; COLUMNS]; 2] = [
    [
        "preset", "km", "clock", "pulses", "clicks", "detected", "Alice", "Bob", "frames", "bytes",
        "times",
    ],
    [
        "", "", "", "", "", "", "CPU", "CPU", "lost", "/pulse", "numpy",
    ],
];

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    machine: &'a Machine,
    seconds: f64,
    one_core: bool,
    numpy_pulses_per_second: Option<f64>,
    numpy_absent: Option<&'a str>,
    rows: &'a [Row],
}

impl Report {
    /// A report without a row.
    pub fn new(machine: Machine, args: &LinkBenchArgs) -> Self {
        Self {
            machine,
            seconds: args.seconds,
            one_core: args.one_core,
            numpy: Numpy::Absent {
                reason: "it was not reached".to_owned(),
            },
            rows: Vec::new(),
        }
    }

    /// One line.
    pub fn json(&self) -> String {
        let numpy_absent = match &self.numpy {
            Numpy::Measured { .. } => None,
            Numpy::Absent { reason } => Some(reason.as_str()),
        };
        let json = Json {
            machine: &self.machine,
            seconds: self.seconds,
            one_core: self.one_core,
            numpy_pulses_per_second: self.numpy.pulses_per_second(),
            numpy_absent,
            rows: &self.rows,
        };
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(&json).unwrap_or_else(|_| "{}".to_owned())
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut lines: Vec<[String; COLUMNS]> =
            TITLES.map(|titles| titles.map(str::to_owned)).to_vec();
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            let widths = lines.iter().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let mut text = lines_of(&self.machine.line());
        if !self.machine.optimised {
            text.push_str("This program was not built for speed (cargo build --release).\n");
        }
        text.push('\n');
        for line in &lines {
            let mut cells =
                line.iter()
                    .zip(widths)
                    .enumerate()
                    .map(|(at, (cell, width))| match at {
                        0 => format!("{cell:<width$}"),
                        _ => format!("{cell:>width$}"),
                    });
            let row: Vec<String> = cells.by_ref().collect();
            text.push_str(row.join("  ").trim_end());
            text.push('\n');
        }
        text.push_str(&self.notes());
        text
    }

    fn notes(&self) -> String {
        let cores = match self.one_core {
            true => "both sides on one core",
            false => "two processes",
        };
        let mut notes = vec![format!(
            "Photon path only, {cores}, {} s for each row; clicks are before dead time, detections \
             after it.",
            self.seconds
        )];
        if self.rows.iter().any(|row| row.lost_light) {
            notes.push(format!(
                "{LOST_MARK}Light was lost, or the clock not kept, at every clock that was measured."
            ));
        }
        notes.push(match &self.numpy {
            Numpy::Measured { pulses_per_second } => format!(
                "A numpy sampler did {:.2} million pulses per second here.",
                pulses_per_second / 1e6
            ),
            Numpy::Absent { reason } => format!("No numpy sampler to compare with: {reason}."),
        });
        let wanted = RECEIVE_BUFFER_BYTES;
        let small = self.rows.iter().map(|row| row.receive_buffer_bytes).min();
        if let Some(bytes) = small.filter(|&bytes| bytes < wanted) {
            notes.push(format!(
                "The receive buffer had {} KiB of the {} KiB it asked for: light may have been lost; \
                 raise net.core.rmem_max.",
                bytes / 1024,
                wanted / 1024
            ));
        }
        let notes: String = notes.iter().map(|note| lines_of(note)).collect();
        format!("\n{}", notes.trim_end())
    }
}

/// A text of words in lines that a terminal shows whole.
fn lines_of(text: &str) -> String {
    wrapped(text, WIDTH).join("\n") + "\n"
}
