//! One node, or all clients, in a process of its own: orders come in by its standard input, one line
//! each, and figures go out. It ends when its standard input does.

use std::fs;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use qkd_node::bench::delivery::{
    self as node, Call, Load, Place, Race, Served, Settings, Side, run_load, run_races, serve,
};
use qkd_node::shutdown::{self, StopReason};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::args::{ApiName, Case};
use crate::bench::fault::Fault;
use crate::output::print;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideName {
    /// The node that is asked for fresh keys.
    Alice,
    /// The node at which they are fetched.
    Bob,
    /// The applications.
    Clients,
}

/// The options of one process.
#[derive(Debug, Clone, Args)]
pub struct DeliverySideArgs {
    /// What it is
    #[arg(long, value_enum)]
    pub role: SideName,
    /// Certificates, configurations and stores
    #[arg(long)]
    pub folder: PathBuf,
    /// Keys that each direction has
    #[arg(long)]
    pub stored_keys: u64,
    /// Where Bob's light is received; Alice only
    #[arg(long)]
    pub bob_quantum: Option<SocketAddr>,
    /// Where Bob is called by Alice; Alice only
    #[arg(long)]
    pub bob_classical: Option<SocketAddr>,
    /// Where Alice's gRPC services are; clients only, as the next three
    #[arg(long)]
    pub alice_services: Option<SocketAddr>,
    /// Where Alice's ETSI GS QKD 014 services are
    #[arg(long)]
    pub alice_etsi014: Option<SocketAddr>,
    /// The same of Bob
    #[arg(long)]
    pub bob_services: Option<SocketAddr>,
    /// The same of Bob
    #[arg(long)]
    pub bob_etsi014: Option<SocketAddr>,
}

/// A node's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where its light is received; Bob only.
    pub quantum: Option<SocketAddr>,
    /// Where it is called by the other node; Bob only.
    pub classical: Option<SocketAddr>,
    /// gRPC services.
    pub services: SocketAddr,
    /// ETSI GS QKD 014 services.
    pub etsi014: SocketAddr,
}

/// How a node is, whenever it is sent a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Keys that it may give, and that the other node may.
    pub free_keys: [u64; 2],
    /// Keys that wait there for their application.
    pub waiting_keys: u64,
    /// Whether both nodes agree.
    pub peer_ready: bool,
    /// Durable commits since its beginning.
    pub durable_commits: u64,
    /// CPU time of the process, user and system, s.
    pub cpu_seconds: f64,
    /// Its memory now, bytes; nothing where the system does not say.
    pub memory_bytes: Option<u64>,
}

/// What the clients are told to do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Measure this.
    Load(Case),
    /// Race for so many keys.
    Races {
        /// What is spoken.
        api: ApiName,
        /// Keys.
        races: u64,
        /// Connections that want each.
        racers: usize,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All is prepared and warm: what counts begins now.
    Began,
    /// What counts is over.
    Ended,
    /// The figures of a row.
    Load(LoadOutcome),
    /// Those of races.
    Races(RaceOutcome),
    /// It could not be done.
    Failed(String),
}

/// The figures of a row, as clients see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadOutcome {
    /// Calls that were answered.
    pub answered: u64,
    /// Time that they took together, s.
    pub seconds: f64,
    /// Median, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile, ms.
    pub p99_ms: Option<f64>,
    /// The longest, ms.
    pub max_ms: Option<f64>,
    /// Calls that were not answered.
    pub faults: u64,
    /// What some of them said.
    pub said: Vec<String>,
    /// Keys that differ between the nodes.
    pub wrong_keys: u64,
    /// CPU time of the clients, s.
    pub cpu_seconds: f64,
}

/// The figures of races.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RaceOutcome {
    /// Keys that were raced for.
    pub races: u64,
    /// Requests for them.
    pub requests: u64,
    /// Keys that went to one racer.
    pub won_once: u64,
    /// Keys that went to none.
    pub won_by_nobody: u64,
    /// Keys that went to several.
    pub won_often: u64,
    /// Keys with other bytes than their master's.
    pub wrong_keys: u64,
    /// Time, s.
    pub seconds: f64,
}

/// Runs one process to its end.
///
/// # Errors
/// When there are no figures.
pub fn run(args: &DeliverySideArgs) -> Result<(), Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Fault::io("start the asynchronous runtime"))?
        .block_on(async {
            match args.role {
                SideName::Alice => node(args, Side::Alice).await,
                SideName::Bob => node(args, Side::Bob).await,
                SideName::Clients => clients(args).await,
            }
        })
}

async fn node(args: &DeliverySideArgs, side: Side) -> Result<(), Fault> {
    let settings = Settings {
        folder: args.folder.clone(),
        stored_keys: args.stored_keys,
        waiting_keys: args.stored_keys,
    };
    let bob = args.bob_quantum.zip(args.bob_classical);
    let (stop, shutdown) = shutdown::channel();
    let (tell, told) = oneshot::channel();
    let ended = shutdown.clone();
    let mut serving = tokio::spawn(async move {
        serve(&settings, side, bob, ended, |served| {
            drop(tell.send(served))
        })
        .await
    });
    let served = tokio::select! {
        served = told => served.ok(),
        ended = &mut serving => return over(ended),
    };
    let Some(served) = served else {
        return over(serving.await);
    };
    say(&ready(&served)?)?;
    let filler = served.clone();
    let keys = args.stored_keys;
    std::thread::spawn(move || filler.keep_filled(keys, &shutdown));
    let mut lines = lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(_) => say(&mark(&served))?,
                None => break,
            },
            ended = &mut serving => return over(ended),
        }
    }
    stop.stop(StopReason::Requested);
    over(serving.await)
}

fn over(
    ended: Result<Result<(), qkd_node::NodeError>, tokio::task::JoinError>,
) -> Result<(), Fault> {
    match ended {
        Ok(ended) => Ok(ended?),
        Err(_panicked) => Err(Fault::Died),
    }
}

fn ready(served: &Served) -> Result<Ready, Fault> {
    let at = served.addresses();
    let missing = || io::Error::other("it has no address");
    let etsi014 = at.etsi014.ok_or_else(missing);
    Ok(Ready {
        quantum: at.quantum,
        classical: at.classical,
        services: at.services,
        etsi014: etsi014.map_err(Fault::io("serve ETSI GS QKD 014"))?,
    })
}

fn mark(served: &Served) -> Mark {
    let held = served.held();
    Mark {
        free_keys: held.free_keys,
        waiting_keys: held.waiting_keys,
        peer_ready: held.peer_ready,
        durable_commits: held.durable_commits,
        cpu_seconds: cpu_seconds(),
        memory_bytes: memory_bytes(),
    }
}

async fn clients(args: &DeliverySideArgs) -> Result<(), Fault> {
    let place =
        |side, services: Option<SocketAddr>, etsi014: Option<SocketAddr>| -> Result<Place, Fault> {
            let missing = || io::Error::other("an address of a node is missing");
            let addresses = services.zip(etsi014).ok_or_else(missing);
            let (services, etsi014) = addresses.map_err(Fault::io("call the nodes"))?;
            Ok(Place {
                side,
                services,
                etsi014,
            })
        };
    let places = [
        place(Side::Alice, args.alice_services, args.alice_etsi014)?,
        place(Side::Bob, args.bob_services, args.bob_etsi014)?,
    ];
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let order = serde_json::from_str(&line).map_err(io::Error::other);
        let outcome = match order.map_err(Fault::io("read an order"))? {
            Order::Load(case) => load(args, places, &case).await,
            Order::Races { api, races, racers } => {
                let race = Race {
                    api: api.into(),
                    races,
                    racers,
                };
                let figures = run_races(&args.folder, places, &race).await;
                figures.map(|figures| Outcome::Races(race_outcome(&figures)))
            }
        };
        say(&outcome.unwrap_or_else(|fault| Outcome::Failed(fault.to_string())))?;
    }
    Ok(())
}

async fn load(
    args: &DeliverySideArgs,
    places: [Place; 2],
    case: &Case,
) -> Result<Outcome, node::CallFault> {
    let load = Load {
        api: case.api.into(),
        call: Call::from(case.call),
        concurrency: case.concurrency,
        seconds: case.seconds,
    };
    let marks = Arc::new(Mutex::new(Vec::new()));
    let seen = marks.clone();
    let watch = move |phase| {
        let outcome = match phase {
            node::Phase::Began => Outcome::Began,
            node::Phase::Ended => Outcome::Ended,
        };
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(cpu_seconds());
        // Whoever asked may have gone; the next order does not come then.
        let _gone = say(&outcome);
    };
    let figures = run_load(&args.folder, places, &load, watch).await?;
    let cpu_seconds = match marks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_slice()
    {
        [began, ended] => ended - began,
        _other => f64::NAN,
    };
    Ok(Outcome::Load(LoadOutcome {
        answered: figures.answered,
        seconds: figures.seconds,
        p50_ms: figures.times.ms(0.5),
        p99_ms: figures.times.ms(0.99),
        max_ms: figures.times.ms(1.0),
        faults: figures.faults.values().sum(),
        said: figures.said,
        wrong_keys: figures.wrong_keys,
        cpu_seconds,
    }))
}

fn race_outcome(figures: &node::RaceFigures) -> RaceOutcome {
    RaceOutcome {
        races: figures.races,
        requests: figures.requests,
        won_once: figures.won_once,
        won_by_nobody: figures.won_by_nobody,
        won_often: figures.won_often,
        wrong_keys: figures.wrong_keys,
        seconds: figures.took_ms as f64 * 1e-3,
    }
}

/// Standard input, line by line, read on a thread of its own.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}

fn say(words: &impl Serialize) -> Result<(), Fault> {
    let line = serde_json::to_string(words).map_err(io::Error::other);
    let line = line.map_err(Fault::io("write its figures"))?;
    print(&format!("{line}\n")).map_err(Fault::io("say its figures"))
}

fn cpu_seconds() -> f64 {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    cpu.tv_sec as f64 + cpu.tv_nsec as f64 * 1e-9
}

fn memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
