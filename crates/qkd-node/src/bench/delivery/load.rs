//! Applications that ask as fast as they are answered, each over a connection of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Api, CallFault, Caller, Key, Percentiles, Place};

/// Calls before the figures begin.
const WARM_UP: Duration = Duration::from_millis(300);

/// Keys that one call takes at most, where only their number matters.
const KEYS_PER_CALL: u32 = 128;

/// Keys a second for which `dec_keys` is prepared; with a faster node it ends sooner.
const FETCHED_PER_SECOND_MAX: f64 = 10_000.0;

/// Faults that are told in their own words.
const FAULTS_TOLD: usize = 3;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// What the pool holds.
    Status,
    /// A fresh key, by the application at Alice's.
    EncKeys,
    /// A key that was given at Alice's, by the application at Bob's.
    DecKeys,
    /// Both, one after the other.
    Pair,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// How.
    pub api: Api,
    /// What.
    pub call: Call,
    /// Connections, on each of which there is one call at a time.
    pub concurrency: usize,
    /// Length of the measurement, s.
    pub seconds: f64,
}

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All is prepared, connected and warm.
    Began,
    /// The last call was answered.
    Ended,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadFigures {
    /// Calls that were answered, or pairs of calls.
    pub answered: u64,
    /// From the first of them to the last, s.
    pub seconds: f64,
    /// How long they took.
    pub times: Percentiles,
    /// Calls that were not, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What some of them said.
    pub said: Vec<String>,
    /// Keys that were answered and are not the ones at the other node, or came twice.
    pub wrong_keys: u64,
}

/// Keys that are known at Alice's and wait at Bob's.
type Waiting = Arc<Mutex<Vec<Key>>>;

/// Runs one measurement against two nodes whose certificates are in `folder`; `watch` hears when what
/// counts begins and ends. Keys that it left waiting are fetched before it returns.
///
/// # Errors
/// When a connection cannot be made; a call that fails later is among the figures.
pub async fn run_load(
    folder: &Path,
    places: [Place; 2],
    load: &Load,
    mut watch: impl FnMut(Phase),
) -> Result<LoadFigures, CallFault> {
    let waiting = Waiting::default();
    if load.call == Call::DecKeys {
        let keys = FETCHED_PER_SECOND_MAX * (load.seconds + WARM_UP.as_secs_f64());
        obtain(folder, places[0], keys as usize, &waiting).await?;
    }
    let mut clients = Vec::new();
    for _ in 0..load.concurrency {
        clients.push(Client::connect(folder, places, load, &waiting).await?);
    }
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs_f64(load.seconds);
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(client.run(begin, end));
    }
    tokio::time::sleep_until(begin.into()).await;
    watch(Phase::Began);
    let mut all = LoadFigures::default();
    let mut times = Vec::new();
    let mut last = begin;
    while let Some(done) = running.join_next().await {
        let done = done.map_err(|error| CallFault::Broken(error.to_string()))?;
        times.extend(done.times);
        last = last.max(done.last.unwrap_or(begin));
        all.wrong_keys += done.wrong_keys;
        for (kind, count) in done.faults {
            *all.faults.entry(kind).or_default() += count;
        }
        all.said.extend(done.said);
    }
    watch(Phase::Ended);
    all.said.truncate(FAULTS_TOLD);
    all.times = Percentiles::from(times);
    all.answered = all.times.count();
    all.seconds = (last - begin).as_secs_f64();
    fetch_rest(folder, places[1], &waiting).await?;
    Ok(all)
}

/// One connection, or one to each node, and what came of its calls.
struct Client {
    call: Call,
    callers: [Option<Caller>; 2],
    waiting: Waiting,
    times: Vec<Duration>,
    last: Option<Instant>,
    faults: BTreeMap<String, u64>,
    said: Vec<String>,
    wrong_keys: u64,
}

impl Client {
    async fn connect(
        folder: &Path,
        [alice, bob]: [Place; 2],
        load: &Load,
        waiting: &Waiting,
    ) -> Result<Self, CallFault> {
        let (at_alice, at_bob) = match load.call {
            Call::Status | Call::EncKeys => (true, false),
            Call::DecKeys => (false, true),
            Call::Pair => (true, true),
        };
        let mut callers = [None, None];
        if at_alice {
            callers[0] = Some(Caller::connect(folder, load.api, &alice).await?);
        }
        if at_bob {
            callers[1] = Some(Caller::connect(folder, load.api, &bob).await?);
        }
        Ok(Self {
            call: load.call,
            callers,
            waiting: waiting.clone(),
            times: Vec::new(),
            last: None,
            faults: BTreeMap::new(),
            said: Vec::new(),
            wrong_keys: 0,
        })
    }

    /// Calls until `end`; what ended before `begin` does not count.
    async fn run(mut self, begin: Instant, end: Instant) -> Self {
        loop {
            let began = Instant::now();
            if began >= end {
                return self;
            }
            let called = match &mut self.callers {
                [Some(alice), None] if self.call == Call::Status => {
                    alice.status().await.map(|_count| ())
                }
                [Some(alice), None] => enc(alice, &self.waiting).await,
                [None, Some(bob)] => match pop(&self.waiting) {
                    Some(key) => dec(bob, &key, &mut self.wrong_keys).await,
                    // All that was prepared is fetched.
                    None => return self,
                },
                [Some(alice), Some(bob)] => pair(alice, bob, &mut self.wrong_keys).await,
                [None, None] => return self,
            };
            let now = Instant::now();
            match called {
                Ok(()) if now >= begin => {
                    self.times.push(now - began);
                    self.last = Some(now);
                }
                Ok(()) => {}
                Err(fault) => {
                    *self.faults.entry(fault.kind().to_owned()).or_default() += 1;
                    if self.said.len() < FAULTS_TOLD {
                        self.said.push(fault.to_string());
                    }
                    if matches!(fault, CallFault::Broken(_)) {
                        return self;
                    }
                }
            }
        }
    }
}

/// A key from Alice's node, put with those that wait.
async fn enc(alice: &mut Caller, waiting: &Waiting) -> Result<(), CallFault> {
    let keys = alice.enc_keys(1).await?;
    lock(waiting).extend(keys);
    Ok(())
}

/// The key from Bob's node that the one from Alice's should be.
async fn dec(bob: &mut Caller, key: &Key, wrong_keys: &mut u64) -> Result<(), CallFault> {
    let keys = bob.dec_keys(std::slice::from_ref(&key.key_id)).await?;
    if keys.as_slice() != std::slice::from_ref(key) {
        *wrong_keys += 1;
    }
    Ok(())
}

async fn pair(alice: &mut Caller, bob: &mut Caller, wrong_keys: &mut u64) -> Result<(), CallFault> {
    for key in alice.enc_keys(1).await? {
        dec(bob, &key, wrong_keys).await?;
    }
    Ok(())
}

/// Has `number` keys given at Alice's, many at a time.
async fn obtain(
    folder: &Path,
    alice: Place,
    number: usize,
    waiting: &Waiting,
) -> Result<(), CallFault> {
    let mut caller = Caller::connect(folder, Api::Grpc, &alice).await?;
    let mut left = number;
    while left > 0 {
        let keys = left.min(KEYS_PER_CALL as usize);
        match caller.enc_keys(keys as u32).await {
            Ok(keys) => {
                left -= keys.len();
                lock(waiting).extend(keys);
            }
            // A pool that was emptied fills up again within moments.
            Err(CallFault::Refused { code, .. })
                if code == "Unavailable" || code == "ResourceExhausted" =>
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Fetches what still waits, so that the next measurement finds the stores as this one did.
async fn fetch_rest(folder: &Path, bob: Place, waiting: &Waiting) -> Result<(), CallFault> {
    let keys = std::mem::take(&mut *lock(waiting));
    if keys.is_empty() {
        return Ok(());
    }
    let mut caller = Caller::connect(folder, Api::Grpc, &bob).await?;
    for some in keys.chunks(KEYS_PER_CALL as usize) {
        let ids: Vec<String> = some.iter().map(|key| key.key_id.clone()).collect();
        caller.dec_keys(&ids).await?;
    }
    Ok(())
}

fn pop(waiting: &Waiting) -> Option<Key> {
    lock(waiting).pop()
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, Vec<Key>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
