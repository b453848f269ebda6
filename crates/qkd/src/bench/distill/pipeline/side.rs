//! One side of the pipeline in a process of its own. Its last line is its figures; it ends when its
//! standard input does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use qkd_auth::Authentication;
use qkd_node::bench::distill::Traffic;
use qkd_node::bench::distill::{self, Answering, Calling, INSTRUMENTS_THREAD, Settings};
use qkd_node::shutdown::{self, ShutdownTrigger, StopReason};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bench::args::SideName;
use crate::bench::distill::args::authentication;
use crate::bench::fault::Fault;
use crate::bench::machine::stay_on_cores;
use crate::output::print;

/// Distance of two looks at what has come out.
const LOOK: Duration = Duration::from_millis(10);

/// Distance of two lines that tell of progress.
const TELL: Duration = Duration::from_secs(1);

/// Bytes of key in the store at which a measurement ends, however long it should have been: nobody
/// fetches keys, and a full store takes no more.
const KEY_BYTES_MAX: u64 = 1 << 30;

/// Keys before the figures begin.
const WARM_UP: Duration = Duration::from_millis(300);

/// The options of one side.
#[derive(Debug, Clone, Args)]
pub struct DistillSideArgs {
    /// Which side it is
    #[arg(long, value_enum)]
    pub role: SideName,
    /// Where to call; Alice only
    #[arg(long)]
    pub peer: Option<SocketAddr>,
    /// Certificates and keys
    #[arg(long)]
    pub folder: PathBuf,
    /// Error rate of the sifted key
    #[arg(long)]
    pub qber: f64,
    /// Sifted bits per block
    #[arg(long)]
    pub block_bits: u64,
    /// Blocks between announcement and key
    #[arg(long)]
    pub blocks_in_flight: usize,
    /// Length of the measurement, s
    #[arg(long)]
    pub seconds: f64,
    /// Blocks that are measured at least
    #[arg(long)]
    pub blocks_min: u64,
    /// How many cores to stay on
    #[arg(long)]
    pub cores: usize,
    /// How envelopes are tagged
    #[arg(long, value_parser = authentication())]
    pub authentication: Authentication,
}

/// Bob's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where he can be called.
    pub address: SocketAddr,
}

/// What either side says from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// So many blocks have ended since it began: more than the last time.
    Ended(u64),
    /// The last line.
    Figures(Box<Figures>),
}

/// What happened between two looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Time between them, s.
    pub seconds: f64,
    /// CPU time of this process in it, user and system, s. What stands in place of the optical
    /// instruments is not in it.
    pub cpu_seconds: f64,
    /// The same by the name of the thread, those instruments included.
    pub threads: BTreeMap<String, f64>,
    /// Blocks that ended.
    pub blocks: u64,
    /// Those of them without a key, for whatever reason.
    pub aborted: u64,
    /// Those of them whose tags differed.
    pub unverified: u64,
    /// Sifted bits of all blocks.
    pub sifted_bits: u64,
    /// Secret bits in both stores.
    pub secret_bits: u64,
    /// Errors that were corrected in verified blocks, and the sifted bits of these.
    pub errors: u64,
    /// See `errors`.
    pub verified_bits: u64,
    /// Rounds of error correction, and the blocks whose correction has ended.
    pub rounds: u64,
    /// See `rounds`.
    pub corrected: u64,
    /// Mean inefficiency of error correction in verified blocks, by sifted bits.
    pub reconciliation_inefficiency: Option<f64>,
    /// ℓ of an accepted block as fixed in advance; 0 where the theorem leaves no key.
    pub fixed_length_bits: u64,
    /// Peak of this process's memory, less the keys in its store, bytes; nothing where the system
    /// does not say.
    pub memory_bytes: Option<u64>,
    /// Envelopes that this side sealed.
    pub envelopes: u64,
    /// What it said in them, by kind of message.
    pub said: BTreeMap<String, Said>,
}

/// Messages of one kind that a side said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// How many.
    pub messages: u64,
    /// Their bytes in payloads.
    pub bytes: u64,
}

/// Runs one side to its end.
///
/// # Errors
/// When there are no figures.
pub fn run(args: &DistillSideArgs) -> Result<(), Fault> {
    stay_on_cores(args.cores)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Fault::io("start the asynchronous runtime"))?
        .block_on(distil(args))
}

async fn distil(args: &DistillSideArgs) -> Result<(), Fault> {
    let link = distill::link(args.qber, args.block_bits);
    let mut parameters = link.map_err(qkd_node::NodeError::from)?;
    parameters.security.authentication = args.authentication;
    let settings = Settings {
        parameters,
        blocks_in_flight_max: args.blocks_in_flight,
        folder: args.folder.clone(),
    };
    let (stop, shutdown) = shutdown::channel();
    let mut asked = hung_up();
    match args.role {
        SideName::Alice => {
            let Some(peer) = args.peer else {
                let missing = io::Error::other("--peer does not say where Bob is");
                return Err(Fault::io("call Bob")(missing));
            };
            let alice = Calling::open(&settings)?;
            let seen = alice.figures();
            let link = tokio::spawn(alice.serve(peer, shutdown));
            watch(args, &seen, link, &mut asked, stop).await
        }
        SideName::Bob => {
            let bob = Answering::listen(&settings).await?;
            let seen = bob.figures();
            say(&Ready {
                address: bob.address(),
            })?;
            let link = tokio::spawn(async move {
                let ended = bob.serve(shutdown).await;
                ended.unwrap_or_else(|error| error.to_string())
            });
            watch(args, &seen, link, &mut asked, stop).await
        }
    }
}

/// Measures a link while it runs, says the figures, and ends it when nobody wants more of it.
async fn watch(
    args: &DistillSideArgs,
    seen: &distill::Figures,
    mut link: JoinHandle<String>,
    asked: &mut oneshot::Receiver<()>,
    stop: ShutdownTrigger,
) -> Result<(), Fault> {
    let in_flight = args.blocks_in_flight as u64;
    let enough = Enough {
        seconds: args.seconds,
        blocks: args.blocks_min.max(in_flight),
    };
    let mut now = Mark::default();
    let (mut first, mut began, mut told) = (None, None::<Mark>, false);
    let mut spoke = Instant::now();
    loop {
        tokio::select! {
            reason = &mut link => {
                let reason = reason.unwrap_or_else(|_| "the link broke down".into());
                return Err(Fault::Link { reason });
            }
            _ = &mut *asked => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        if told || !now.look(seen) {
            continue;
        }
        if spoke.elapsed() >= TELL {
            spoke = Instant::now();
            say(&Word::Ended(now.totals.blocks))?;
        }
        let first = *first.get_or_insert(now.at);
        match &began {
            None if now.at - first >= WARM_UP && now.totals.blocks >= in_flight => {
                now.measure(seen);
                began = Some(now.clone());
            }
            Some(began) if enough.is_reached(&now.beyond(began, seen)) => {
                now.measure(seen);
                say(&Word::Figures(Box::new(now.since(began, seen))))?;
                told = true;
            }
            None | Some(_) => {}
        }
    }
    stop.stop(StopReason::Requested);
    // Why it ended is clear.
    let _reason = link.await;
    Ok(())
}

/// When a measurement is over.
struct Enough {
    seconds: f64,
    blocks: u64,
}

/// How far a measurement is.
struct Extent {
    seconds: f64,
    blocks: u64,
    key_bytes: u64,
}

impl Enough {
    /// When it took long enough and had blocks enough, or has filled the store.
    fn is_reached(&self, so_far: &Extent) -> bool {
        let measured = so_far.seconds >= self.seconds && so_far.blocks >= self.blocks;
        measured || so_far.key_bytes >= KEY_BYTES_MAX
    }
}

/// Ends when standard input does, whatever comes before.
fn hung_up() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _all = io::stdin().lock().read_to_end(&mut Vec::new());
        // The measurement may have failed before.
        let _gone = tell.send(());
    });
    told
}

fn say(figures: &impl Serialize) -> Result<(), Fault> {
    let line = serde_json::to_string(figures).map_err(io::Error::other);
    let line = line.map_err(Fault::io("write its figures"))?;
    print(&format!("{line}\n")).map_err(Fault::io("say its figures"))
}

/// All that has come out until some moment.
#[derive(Debug, Clone)]
struct Mark {
    at: Instant,
    cpu_seconds: f64,
    threads: BTreeMap<String, f64>,
    traffic: Traffic,
    /// Sums; times and means are not in them.
    totals: Figures,
    /// Σ f·n over verified blocks.
    inefficient_bits: f64,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            cpu_seconds: 0.0,
            threads: BTreeMap::new(),
            traffic: Traffic::default(),
            totals: Figures::default(),
            inefficient_bits: 0.0,
        }
    }
}

impl Mark {
    /// Counts what has ended since the last look; false when nothing has.
    fn look(&mut self, seen: &distill::Figures) -> bool {
        let reports = seen.reports_after(self.totals.blocks);
        if reports.is_empty() {
            return false;
        }
        self.at = Instant::now();
        for report in reports {
            let totals = &mut self.totals;
            totals.blocks += 1;
            totals.sifted_bits += report.sifted_bits;
            totals.secret_bits += report.secret_length_bits();
            totals.fixed_length_bits = report.fixed_length_bits;
            if let Some(rounds) = report.rounds {
                totals.rounds += u64::from(rounds);
                totals.corrected += 1;
            }
            totals.aborted += u64::from(report.secret_length_bits() == 0);
            if let (Some(f), Some(counted)) =
                (report.reconciliation_inefficiency, report.statistics)
            {
                totals.verified_bits += report.sifted_bits;
                totals.errors += counted.key.errors.iter().sum::<u64>();
                self.inefficient_bits += f * report.sifted_bits as f64;
            }
            totals.unverified += u64::from(distill::Figures::is_unverified(&report));
        }
        true
    }

    fn measure(&mut self, seen: &distill::Figures) {
        self.traffic = seen.traffic();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        self.cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 * 1e-9;
        self.threads = threads();
    }

    /// How far it is from an earlier one.
    fn beyond(&self, earlier: &Self, seen: &distill::Figures) -> Extent {
        Extent {
            seconds: (self.at - earlier.at).as_secs_f64(),
            blocks: self.totals.blocks - earlier.totals.blocks,
            key_bytes: seen.key_bytes(),
        }
    }

    /// What happened since an earlier one.
    fn since(&self, earlier: &Self, seen: &distill::Figures) -> Figures {
        let (now, then) = (&self.totals, &earlier.totals);
        let threads: BTreeMap<String, f64> = self
            .threads
            .iter()
            .map(|(name, seconds)| {
                let before = earlier.threads.get(name).unwrap_or(&0.0);
                (name.clone(), seconds - before)
            })
            .collect();
        let instruments = threads.get(INSTRUMENTS_THREAD).unwrap_or(&0.0);
        let verified_bits = now.verified_bits - then.verified_bits;
        let inefficient_bits = self.inefficient_bits - earlier.inefficient_bits;
        let peak = memory_peak_bytes();
        let said = self.traffic.kinds.iter().map(|kind| {
            let before = earlier
                .traffic
                .kinds
                .iter()
                .find(|before| before.name == kind.name);
            let said = Said {
                messages: kind.messages - before.map_or(0, |before| before.messages),
                bytes: kind.bytes - before.map_or(0, |before| before.bytes),
            };
            (kind.name.to_owned(), said)
        });
        Figures {
            seconds: (self.at - earlier.at).as_secs_f64(),
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds - instruments,
            threads,
            blocks: now.blocks - then.blocks,
            aborted: now.aborted - then.aborted,
            unverified: now.unverified - then.unverified,
            sifted_bits: now.sifted_bits - then.sifted_bits,
            secret_bits: now.secret_bits - then.secret_bits,
            errors: now.errors - then.errors,
            verified_bits,
            rounds: now.rounds - then.rounds,
            corrected: now.corrected - then.corrected,
            reconciliation_inefficiency: (verified_bits > 0)
                .then(|| inefficient_bits / verified_bits as f64),
            fixed_length_bits: now.fixed_length_bits,
            memory_bytes: peak.map(|peak| peak.saturating_sub(seen.key_bytes())),
            envelopes: self.traffic.envelopes - earlier.traffic.envelopes,
            said: said.collect(),
        }
    }
}

/// CPU seconds of the threads of this process by name; nothing where the system does not say.
fn threads() -> BTreeMap<String, f64> {
    let mut seconds = BTreeMap::new();
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return seconds;
    };
    for task in tasks.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
        let nanoseconds = |text: String| text.split(' ').next()?.parse::<u64>().ok();
        // A thread that ends at this moment has neither.
        let (Some(name), Some(ran)) = (read("comm"), read("schedstat").and_then(nanoseconds))
        else {
            continue;
        };
        let numbered = |c: char| c.is_ascii_digit() || c == '-';
        let name = name.trim_end().trim_end_matches(numbered).to_owned();
        *seconds.entry(name).or_default() += ran as f64 * 1e-9;
    }
    seconds
}

fn memory_peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_over_with_its_time_and_its_blocks_or_with_a_full_store() {
        let enough = Enough {
            seconds: 2.0,
            blocks: 8,
        };
        let reached = |seconds, blocks, key_bytes| {
            enough.is_reached(&Extent {
                seconds,
                blocks,
                key_bytes,
            })
        };
        assert!(reached(2.0, 8, 0));
        assert!(!reached(1.9, 100, 0) && !reached(100.0, 7, 0));
        assert!(reached(0.1, 1, KEY_BYTES_MAX) && !reached(0.1, 1, KEY_BYTES_MAX - 1));
    }
}
