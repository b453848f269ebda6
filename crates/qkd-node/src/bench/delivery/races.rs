//! Races for the same key: many connections fetch one key at the same moment, and one may win.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Api, CallFault, Caller, Key, Place};

/// Keys obtained at once.
const KEYS_PER_CALL: u64 = 128;

/// How many races there are, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Race {
    /// How they fetch.
    pub api: Api,
    /// Keys that are raced for: half of them in each direction, at the same time.
    pub races: u64,
    /// Connections that want each of them.
    pub racers: usize,
}

/// What came of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RaceFigures {
    /// Keys that were raced for.
    pub races: u64,
    /// Requests of all racers.
    pub requests: u64,
    /// Keys that one racer was given, with the bytes that their master has.
    pub won_once: u64,
    /// Keys that nobody was given.
    pub won_by_nobody: u64,
    /// Keys that were given twice or more.
    pub won_often: u64,
    /// Keys that were given with other bytes.
    pub wrong_keys: u64,
    /// Wall-clock time, ms.
    pub took_ms: u64,
}

impl RaceFigures {
    fn plus(self, other: Self) -> Self {
        Self {
            races: self.races + other.races,
            requests: self.requests + other.requests,
            won_once: self.won_once + other.won_once,
            won_by_nobody: self.won_by_nobody + other.won_by_nobody,
            won_often: self.won_often + other.won_often,
            wrong_keys: self.wrong_keys + other.wrong_keys,
            took_ms: self.took_ms.max(other.took_ms),
        }
    }
}

/// Runs all races, keys of both nodes at once.
///
/// # Errors
/// When a connection breaks, or a racer is refused for another reason than that the key is gone.
pub async fn run_races(
    folder: &Path,
    [alice, bob]: [Place; 2],
    race: &Race,
) -> Result<RaceFigures, CallFault> {
    let half = race.races / 2;
    let (one, other) = tokio::try_join!(
        run_direction(folder, alice, bob, (race, race.races - half)),
        run_direction(folder, bob, alice, (race, half)),
    )?;
    Ok(one.plus(other))
}

/// Races for keys that are given at `master`'s and fetched at `slave`'s.
async fn run_direction(
    folder: &Path,
    master: Place,
    slave: Place,
    (race, races): (&Race, u64),
) -> Result<RaceFigures, CallFault> {
    let mut giver = Caller::connect(folder, race.api, &master).await?;
    let mut racers = Vec::new();
    for _ in 0..race.racers {
        racers.push(Caller::connect(folder, race.api, &slave).await?);
    }
    let began = Instant::now();
    let mut figures = RaceFigures::default();
    while figures.races < races {
        let number = (races - figures.races).min(KEYS_PER_CALL);
        let keys: Arc<[Key]> = giver.enc_keys(number as u32).await?.into();
        let mut wins = vec![0u64; keys.len()];
        let start = Arc::new(Barrier::new(racers.len()));
        let mut running = JoinSet::new();
        for racer in racers.drain(..) {
            running.spawn(run_racer(racer, keys.clone(), start.clone()));
        }
        while let Some(ended) = running.join_next().await {
            let (racer, won) = ended.map_err(|error| CallFault::Broken(error.to_string()))??;
            racers.push(racer);
            for (at, won) in won.into_iter().enumerate() {
                if let Some(won) = won {
                    wins[at] += 1;
                    figures.wrong_keys += u64::from(won != keys[at]);
                }
            }
        }
        figures.races += keys.len() as u64;
        figures.requests += (keys.len() * race.racers) as u64;
        for times in wins {
            match times {
                0 => figures.won_by_nobody += 1,
                1 => figures.won_once += 1,
                2.. => figures.won_often += 1,
            }
        }
    }
    figures.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(figures)
}

/// Goes for every key in turn, each time together with all others; what it was given, key by key.
async fn run_racer(
    mut racer: Caller,
    keys: Arc<[Key]>,
    start: Arc<Barrier>,
) -> Result<(Caller, Vec<Option<Key>>), CallFault> {
    let mut won = Vec::with_capacity(keys.len());
    for key in keys.iter() {
        start.wait().await;
        match racer.dec_keys(std::slice::from_ref(&key.key_id)).await {
            Ok(mut given) => won.push(given.pop()),
            Err(fault) if is_gone(&fault) => won.push(None),
            Err(fault) => return Err(fault),
        }
    }
    Ok((racer, won))
}

/// Whether a key was refused because it is there no more.
fn is_gone(fault: &CallFault) -> bool {
    match fault {
        CallFault::Refused { code, .. } => code == "400" || code == "NotFound",
        CallFault::Broken(_) => false,
    }
}
