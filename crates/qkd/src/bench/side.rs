//! One side of the link in a process of its own.
//!
//! Its standard input and output take the place of the classical channel: Alice says how far her
//! clock is and hears how far Bob is, and the other way round. The last line is its figures.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use qkd_node::bench::{Receiving, Sending};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::args::{SideArgs, SideName};
use super::fault::Fault;
use crate::output::print;

/// Distance of two looks at the photon path.
const LOOK: Duration = Duration::from_millis(2);

/// Light before the figures begin.
const WARM_UP: Duration = Duration::from_millis(300);

/// Light after the figures of Alice have ended: Bob began a little later.
const LIGHT_AFTER: Duration = Duration::from_millis(300);

/// Bob's figures begin when he is at most so far behind Alice: what he makes up for is not his rate.
const BEHIND_MAX: Duration = Duration::from_millis(10);

/// A Bob who never catches up is measured all the same, from so much later on.
const STEADY_WITHIN: Duration = Duration::from_millis(100);

/// Bob has measured all there is when for so long nothing more has come.
const QUIET: Duration = Duration::from_millis(300);

/// Distance of two words on how far it has come.
const WORD: Duration = Duration::from_millis(20);

/// Bob's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where his light arrives.
    pub address: std::net::SocketAddr,
    /// The receive buffer that was granted, bytes.
    pub receive_buffer_bytes: usize,
}

/// Alice's last line. Figures with a time are of the measurement, totals of all her light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliceFigures {
    /// Length of the measurement, s.
    pub seconds: f64,
    /// Slots emitted in it.
    pub slots: u64,
    /// CPU time in it, user and system, s.
    pub cpu_seconds: f64,
    /// Datagrams in it, also those that found no way out.
    pub frames: u64,
    /// All datagrams that there ever were.
    pub frames_total: u64,
    /// Probability that a slot holds light.
    pub occupied_probability: f64,
}

/// Bob's last line. Figures with a time are of the measurement, totals of all his light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BobFigures {
    /// Length of the measurement, s.
    pub seconds: f64,
    /// Slots that passed in it with their frames.
    pub slots: u64,
    /// CPU time in it, user and system, s.
    pub cpu_seconds: f64,
    /// Detections in it.
    pub detections: u64,
    /// Clicks in it, also those that fell into a dead time.
    pub clicks: u64,
    /// All datagrams that were accepted.
    pub accepted_total: u64,
}

/// What a side hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// How far the other side is, in slots.
    Slots(u64),
    /// Nothing more will be said.
    End,
}

/// Runs one side to its end.
///
/// # Errors
/// When there are no figures.
pub fn run(args: &SideArgs) -> Result<(), Fault> {
    if let Some(core) = args.core {
        stay_on(core)?;
    }
    let heard = listen();
    match args.role {
        SideName::Alice => alice(args, &heard),
        SideName::Bob => bob(args, &heard),
    }
}

/// Standard input, read on a thread of its own.
fn listen() -> Receiver<Word> {
    let (words, heard) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let slots = line.ok().and_then(|line| line.parse().ok());
            let Some(slots) = slots else { break };
            if words.send(Word::Slots(slots)).is_err() {
                return;
            }
        }
        // Nobody may be left to hear it.
        let _ended = words.send(Word::End);
    });
    heard
}

/// What was said since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct News {
    /// How far the other side is, if it has said so.
    slots: Option<u64>,
    /// Whether nothing more will be said.
    ended: bool,
}

impl News {
    fn of(heard: &Receiver<Word>) -> Self {
        let mut news = Self::default();
        loop {
            match heard.try_recv() {
                Ok(Word::Slots(slots)) => news.slots = Some(slots),
                Ok(Word::End) | Err(TryRecvError::Disconnected) => {
                    news.ended = true;
                    return news;
                }
                Err(TryRecvError::Empty) => return news,
            }
        }
    }
}

/// Says now and then how far a side is.
struct Teller {
    told: u64,
    at: Instant,
}

impl Teller {
    fn tell(&mut self, slots: u64) -> Result<(), Fault> {
        if slots > self.told && self.at.elapsed() >= WORD {
            (self.told, self.at) = (slots, Instant::now());
            say(&slots.to_string())?;
        }
        Ok(())
    }
}

fn say(line: &str) -> Result<(), Fault> {
    print(&format!("{line}\n")).map_err(Fault::io("say how far it is"))
}

fn say_figures(figures: &impl Serialize) -> Result<(), Fault> {
    let line = serde_json::to_string(figures).map_err(io::Error::other);
    say(&line.map_err(Fault::io("write its figures"))?)
}

/// What a side is at some moment.
struct Mark<T> {
    at: Instant,
    cpu_seconds: f64,
    counts: T,
}

impl<T> Mark<T> {
    fn now(counts: T) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            at: Instant::now(),
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 * 1e-9,
            counts,
        }
    }

    /// Seconds and CPU seconds since an earlier one.
    fn since(&self, earlier: &Self) -> (f64, f64) {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        (seconds, self.cpu_seconds - earlier.cpu_seconds)
    }
}

fn alice(args: &SideArgs, heard: &Receiver<Word>) -> Result<(), Fault> {
    let Some(peer) = args.peer else {
        let missing = io::Error::other("--peer does not say where Bob is");
        return Err(Fault::io("send light")(missing));
    };
    let mut path = Sending::start(&args.parameters(), peer)?;
    let time = Duration::from_secs_f64(args.seconds);
    path.light(true);
    let lit = Instant::now();
    let mut teller = Teller { told: 0, at: lit };
    let (mut began, mut ended) = (None, None);
    while lit.elapsed() < WARM_UP + time + LIGHT_AFTER {
        std::thread::sleep(LOOK);
        let before = teller.told;
        let slots = path.emitted_slots()?;
        teller.tell(slots)?;
        let news = News::of(heard);
        if news.ended {
            // Whoever wanted the figures is gone.
            return Ok(());
        }
        if let Some(slots) = news.slots {
            path.forget_before(slots);
        }
        // Marks are set when the path has just said how far it is.
        if slots == before {
            continue;
        }
        let frames = |(sent, unsent): (u64, u64)| sent + unsent;
        let mark = || Mark::now((slots, frames(path.datagrams())));
        match &began {
            None if lit.elapsed() >= WARM_UP => began = Some(mark()),
            Some(began) if ended.is_none() && began.at.elapsed() >= time => ended = Some(mark()),
            None | Some(_) => {}
        }
    }
    path.light(false);
    // The path says how far it came when its light goes out.
    std::thread::sleep(QUIET / 2);
    let slots = path.emitted_slots()?;
    say(&slots.to_string())?;
    let (sent, unsent) = path.datagrams();
    let (Some(began), Some(ended)) = (began, ended) else {
        return Err(Fault::Ended { side: "Alice" });
    };
    let (seconds, cpu_seconds) = ended.since(&began);
    say_figures(&AliceFigures {
        seconds,
        slots: ended.counts.0 - began.counts.0,
        cpu_seconds,
        frames: ended.counts.1 - began.counts.1,
        frames_total: sent + unsent,
        occupied_probability: path.occupied_probability(),
    })
}

/// Bob's counts at some moment.
struct BobCounts {
    slots: u64,
    lost_slots: u64,
    detections: u64,
    clicks: u64,
}

fn bob(args: &SideArgs, heard: &Receiver<Word>) -> Result<(), Fault> {
    let mut path = Receiving::start(&args.parameters())?;
    say_figures(&Ready {
        address: path.address()?,
        receive_buffer_bytes: path.receive_buffer_bytes()?,
    })?;
    let time = Duration::from_secs_f64(args.seconds);
    let now = Instant::now();
    let mut teller = Teller { told: 0, at: now };
    let (mut lit, mut progressed, mut slots_before) = (None, now, 0);
    let (mut began, mut ended) = (None, None);
    let behind_max = (args.clock_hz * BEHIND_MAX.as_secs_f64()) as u64;
    let (mut listening, mut alice_slots) = (true, 0_u64);
    while listening || progressed.elapsed() < QUIET {
        std::thread::sleep(LOOK);
        let news = News::of(heard);
        // The last word on the clock may come with the end.
        if let Some(slots) = news.slots {
            path.clock(slots);
            alice_slots = slots;
        }
        if news.ended && listening {
            (listening, progressed) = (false, Instant::now());
        }
        let passed = path.passed()?;
        if passed.slots == slots_before {
            continue;
        }
        (slots_before, progressed) = (passed.slots, Instant::now());
        let lit = *lit.get_or_insert(progressed);
        teller.tell(passed.slots)?;
        let (frames, detectors) = path.counters();
        let mark = || {
            Mark::now(BobCounts {
                slots: passed.slots,
                lost_slots: frames.lost_slots,
                detections: passed.detections,
                clicks: detectors.clicks_before_dead_time(),
            })
        };
        let steady = alice_slots.saturating_sub(passed.slots) <= behind_max
            || lit.elapsed() >= WARM_UP + STEADY_WITHIN;
        match &began {
            None if lit.elapsed() >= WARM_UP && steady => began = Some(mark()),
            Some(began) if ended.is_none() && began.at.elapsed() >= time => ended = Some(mark()),
            None | Some(_) => {}
        }
    }
    let (Some(began), Some(ended)) = (began, ended) else {
        return Err(Fault::Ended { side: "Bob" });
    };
    let (seconds, cpu_seconds) = ended.since(&began);
    let (from, to) = (began.counts, ended.counts);
    say_figures(&BobFigures {
        seconds,
        slots: (to.slots - from.slots).saturating_sub(to.lost_slots - from.lost_slots),
        cpu_seconds,
        detections: to.detections - from.detections,
        clicks: to.clicks - from.clicks,
        accepted_total: path.counters().0.accepted,
    })
}

/// Ties this process to a core.
#[cfg(target_os = "linux")]
fn stay_on(core: usize) -> Result<(), Fault> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    cores.set(core);
    let set = sched_setaffinity(None, &cores).map_err(io::Error::from);
    set.map_err(Fault::io("stay on one core"))
}

/// Ties this process to a core.
#[cfg(not(target_os = "linux"))]
fn stay_on(_core: usize) -> Result<(), Fault> {
    let no_way = io::Error::from(io::ErrorKind::Unsupported);
    Err(Fault::io("stay on one core")(no_way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_the_clock_is_heard_although_the_end_follows_it() {
        let (words, heard) = channel();
        assert_eq!(News::of(&heard), News::default());
        for word in [Word::Slots(1), Word::Slots(2), Word::End] {
            words.send(word).unwrap();
        }
        let (slots, ended) = (Some(2), true);
        assert_eq!(News::of(&heard), News { slots, ended });
        drop(words);
        assert!(News::of(&heard).ended);
    }
}
