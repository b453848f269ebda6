//! `qkd bench delivery`: how fast applications get keys, from two nodes with full key stores.
//!
//! Alice's node, Bob's node and all applications are a process each. The nodes are the daemons, with
//! their stores on a disk; only the light and the distillation are left out.

mod args;
mod disk;
mod report;
mod row;
pub mod side;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qkd_node::bench::delivery::{self as node, Settings};
use tempfile::TempDir;

pub use self::args::{DeliveryBenchArgs, EXAMPLES};
use self::disk::Disk;
use self::report::{RaceRow, Report};
use self::row::{Marks, Row, StartRow};
use self::side::{LoadOutcome, Mark, Order, Outcome, RaceOutcome, Ready};
use super::child::{Child, in_time};
use super::fault::Fault;
use super::machine::Machine;
use super::progress::Progress;
use super::{show, unless_stopped};
use crate::exit::Exit;

/// Longest silence of a process beyond what it is measuring.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time for which one race is waited for.
const RACE_PATIENCE: Duration = Duration::from_millis(500);

/// Distance of two looks whether the nodes have met.
const LOOK: Duration = Duration::from_millis(20);

/// Measures row after row until all are done or somebody stops it, and prints what there is.
///
/// # Errors
/// When there are no figures, or the keys are wrong.
pub async fn run(args: &DeliveryBenchArgs) -> Result<Exit, Fault> {
    let folder = Folder::new(args.folder.as_deref())?;
    let disk = Disk::of(folder.path())?;
    let mut report = Report::new(Machine::of_this(), disk, args);
    let exit = unless_stopped(measure(args, &folder, &mut report)).await?;
    let text = if args.json {
        report.json()
    } else {
        report.table()
    };
    let exit = show(&text, exit)?;
    match report.complaint() {
        None => Ok(exit),
        Some(what) => Err(Fault::Wrong {
            stage: "delivery",
            what,
        }),
    }
}

/// A folder of its own for each measurement, gone when it is over.
struct Folder(TempDir);

impl Folder {
    fn new(asked: Option<&Path>) -> Result<Self, Fault> {
        let mut named = tempfile::Builder::new();
        let named = named.prefix("qkd-bench-");
        let made = match asked {
            Some(folder) => named.tempdir_in(folder),
            None => named.tempdir(),
        };
        made.map(Self).map_err(Fault::io("make a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

async fn measure(
    args: &DeliveryBenchArgs,
    folder: &Folder,
    report: &mut Report,
) -> Result<(), Fault> {
    let cases = args.cases();
    let raced = match args.races {
        0 => &[],
        _ => args.apis(),
    };
    let each = 1 + cases.len() + raced.len();
    let progress = Progress::new((each * args.stored_keys.len()) as u64);
    for &stored_keys in &args.stored_keys {
        progress.now(&format!("filling the stores with {stored_keys} keys"));
        let stores = folder.path().join(format!("{stored_keys}"));
        let mut trio = Trio::start(stores, stored_keys).await?;
        progress.done([trio.start.line()]);
        report.starts.push(trio.start.clone());
        for case in &cases {
            progress.now(&case.line());
            let (seen, marks) = trio.load(Order::Load(*case), case.seconds).await?;
            progress.say(seen.said.iter().cloned());
            let row = Row::new(case, stored_keys, &seen, &marks);
            progress.done([row.line()]);
            report.rows.push(row);
        }
        for &api in raced {
            progress.now("races");
            let racers = usize::from(args.racers);
            let seen = trio.race((api, args.races), racers).await?;
            let race = RaceRow {
                api,
                stored_keys,
                racers,
                seen,
            };
            progress.done([race.line()]);
            report.races.push(race);
        }
        trio.end().await?;
    }
    Ok(())
}

/// Both nodes and the applications.
struct Trio {
    alice: Child,
    bob: Child,
    clients: Child,
    folder: PathBuf,
    start: StartRow,
}

impl Trio {
    /// Fills two stores and starts everybody.
    async fn start(folder: PathBuf, stored_keys: u64) -> Result<Self, Fault> {
        fs::create_dir(&folder).map_err(Fault::io("make a folder"))?;
        node::make_pki(&folder)?;
        let began = Instant::now();
        let settings = Settings {
            folder: folder.clone(),
            stored_keys,
            waiting_keys: stored_keys,
        };
        super::on_a_thread(move || Ok(node::fill(&settings)?)).await?;
        let fill_seconds = began.elapsed().as_secs_f64();
        let (mut bob, at_bob, bob_startup_ms) =
            start("Bob", "bob", (&folder, stored_keys), Vec::new()).await?;
        let to_bob = [
            ("--bob-quantum", at_bob.quantum),
            ("--bob-classical", at_bob.classical),
        ];
        let to_bob = to_bob
            .into_iter()
            .filter_map(|(option, address)| Some((option, address?.to_string())));
        let (mut alice, at_alice, alice_startup_ms) =
            start("Alice", "alice", (&folder, stored_keys), to_bob.collect()).await?;
        let mut options = common("clients", (&folder, stored_keys));
        options.extend([
            ("--alice-services", at_alice.services.to_string()),
            ("--alice-etsi014", at_alice.etsi014.to_string()),
            ("--bob-services", at_bob.services.to_string()),
            ("--bob-etsi014", at_bob.etsi014.to_string()),
        ]);
        let clients = Child::start("the clients", "delivery-side", &options)?;
        let marks = met(&mut alice, &mut bob).await?;
        let file_bytes = ["alice", "bob"].map(|side| bytes_in(&folder.join(side)));
        let start = StartRow {
            stored_keys,
            fill_seconds,
            alice_startup_ms,
            bob_startup_ms,
            memory_bytes: [marks.alice.memory_bytes, marks.bob.memory_bytes],
            file_bytes,
        };
        Ok(Self {
            alice,
            bob,
            clients,
            folder,
            start,
        })
    }

    /// Has the clients measure, and looks at the nodes when what counts begins and when it ends.
    async fn load(
        &mut self,
        order: Order,
        seconds: f64,
    ) -> Result<(LoadOutcome, [Marks; 2]), Fault> {
        self.tell(order).await?;
        let patience = PATIENCE + Duration::from_secs_f64(seconds);
        let (mut began, mut ended) = (None, None);
        loop {
            match self.outcome(patience).await? {
                Outcome::Began => began = Some(look(&mut self.alice, &mut self.bob).await?),
                Outcome::Ended => ended = Some(look(&mut self.alice, &mut self.bob).await?),
                Outcome::Load(seen) => {
                    let marks = began.zip(ended);
                    let (began, ended) = marks.ok_or_else(|| strange("when it began"))?;
                    return Ok((seen, [began, ended]));
                }
                Outcome::Races(_) => return Err(strange("figures of a row")),
                Outcome::Failed(reason) => return Err(Fault::Link { reason }),
            }
        }
    }

    async fn race(
        &mut self,
        (api, races): (args::ApiName, u64),
        racers: usize,
    ) -> Result<RaceOutcome, Fault> {
        self.tell(Order::Races { api, races, racers }).await?;
        let races = u32::try_from(races).unwrap_or(u32::MAX);
        let patience = PATIENCE + RACE_PATIENCE.saturating_mul(races);
        match self.outcome(patience).await? {
            Outcome::Races(seen) => Ok(seen),
            Outcome::Failed(reason) => Err(Fault::Link { reason }),
            Outcome::Began | Outcome::Ended | Outcome::Load(_) => Err(strange("races")),
        }
    }

    async fn tell(&mut self, order: Order) -> Result<(), Fault> {
        let line = serde_json::to_string(&order).map_err(std::io::Error::other);
        self.clients
            .say(&line.map_err(Fault::io("write an order"))?)
            .await;
        Ok(())
    }

    async fn outcome(&mut self, patience: Duration) -> Result<Outcome, Fault> {
        let line = in_time(patience, self.clients.line()).await?;
        self.clients.figures(&line, "what came of an order")
    }

    /// Ends everybody, and removes the stores.
    async fn end(self) -> Result<(), Fault> {
        in_time(PATIENCE, async {
            self.clients.end().await?;
            self.alice.end().await?;
            self.bob.end().await
        })
        .await?;
        fs::remove_dir_all(&self.folder).map_err(Fault::io("remove the stores"))
    }
}

fn strange(expected: &'static str) -> Fault {
    Fault::Strange {
        side: "the clients",
        expected,
        line: "something else".to_owned(),
    }
}

/// What every process is told.
fn common(role: &str, (folder, stored_keys): (&Path, u64)) -> Vec<(&'static str, String)> {
    vec![
        ("--role", role.to_owned()),
        ("--folder", folder.display().to_string()),
        ("--stored-keys", stored_keys.to_string()),
    ]
}

/// Starts a node; where it serves, and after how many milliseconds.
async fn start(
    name: &'static str,
    role: &str,
    store: (&Path, u64),
    options: Vec<(&'static str, String)>,
) -> Result<(Child, Ready, f64), Fault> {
    let mut all = common(role, store);
    all.extend(options);
    let began = Instant::now();
    let mut child = Child::start(name, "delivery-side", &all)?;
    let line = in_time(PATIENCE, child.line()).await?;
    let startup_ms = began.elapsed().as_secs_f64() * 1e3;
    let ready = child.figures(&line, "its addresses")?;
    Ok((child, ready, startup_ms))
}

/// Waits until both stores agree.
async fn met(alice: &mut Child, bob: &mut Child) -> Result<Marks, Fault> {
    in_time(PATIENCE, async {
        loop {
            let marks = look(alice, bob).await?;
            if marks.alice.peer_ready && marks.bob.peer_ready {
                return Ok(marks);
            }
            tokio::time::sleep(LOOK).await;
        }
    })
    .await
}

async fn look(alice: &mut Child, bob: &mut Child) -> Result<Marks, Fault> {
    let (alice, bob) = tokio::try_join!(mark(alice), mark(bob))?;
    Ok(Marks { alice, bob })
}

async fn mark(node: &mut Child) -> Result<Mark, Fault> {
    node.say("how are you").await;
    let line = in_time(PATIENCE, node.line()).await?;
    node.figures(&line, "how it is")
}

/// Bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(files) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = files.flatten().filter_map(|file| file.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}
