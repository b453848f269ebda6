//! How long steps of blocks take, by what they are told, and whether they call themselves short:
//! what the limits in `src/short.rs` are read from. Times are of the processor, in µs.
//!
//! `taskset -c 1 cargo run --release -p qkd-session --example step_times -- 300000 1000000`

// The pair of engines in there is not the one that is needed here.
#[allow(dead_code)]
#[path = "../benches/block/link.rs"]
mod link;

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::time::Duration;

use link::Link;
use qkd_bits::SecretRng;
use qkd_protocols::{DecoyBb84, Protocol};
use qkd_session::{
    Alice, AliceInput, AliceOutput, Bob, BobInput, BobOutput, Message, SessionId, SessionLimits,
    Time, Work,
};
use rustix::time::{ClockId, clock_gettime};

/// Blocks of each size, the first of which warms caches up.
const BLOCKS: u64 = 6;

/// By role, trigger and whether they are short.
type Times = BTreeMap<(&'static str, &'static str, bool), Vec<Duration>>;

struct Pair<'a> {
    link: &'a Link,
    alice: Alice,
    bob: Bob,
    to_alice: VecDeque<(&'static str, AliceInput)>,
    to_bob: VecDeque<(&'static str, BobInput)>,
    times: Times,
}

impl<'a> Pair<'a> {
    fn new(link: &'a Link) -> Self {
        let protocol = || Box::new(DecoyBb84::new(link.setup.clone())) as Box<dyn Protocol>;
        let limits = SessionLimits {
            blocks_in_flight_max: 4,
            blocks_max: None,
        };
        let secret = |seed| SecretRng::from_seed([seed; 32]);
        let prior = link.setup.plan.qber_expected();
        Self {
            link,
            alice: Alice::new(SessionId(1), protocol(), limits, secret(2)),
            bob: Bob::new(SessionId(1), protocol(), limits, prior, secret(3)),
            to_alice: VecDeque::new(),
            to_bob: VecDeque::from([("demand", BobInput::Demand { wanted: true })]),
            times: Times::new(),
        }
    }

    fn block(&mut self, first_slot: u64) -> Result<u64, Box<dyn Error>> {
        let detections = self.link.detections(first_slot);
        let next_slot = detections.last_slot().map_or(first_slot, |last| last + 100);
        let detections = BobInput::Detections {
            detections,
            next_slot,
        };
        self.to_bob.push_back(("detections", detections));
        loop {
            if let Some((what, input)) = self.to_bob.pop_front() {
                self.bob(what, input)?;
            } else if let Some((what, input)) = self.to_alice.pop_front() {
                self.alice(what, input)?;
            } else {
                return Ok(next_slot);
            }
        }
    }

    fn alice(&mut self, what: &'static str, input: AliceInput) -> Result<(), Box<dyn Error>> {
        for output in self.alice.handle(Time(0), input)? {
            match output {
                AliceOutput::Work(work) => {
                    let done = AliceInput::Worked(timed(&mut self.times, "alice", what, work));
                    self.to_alice.push_front(("what follows", done));
                }
                AliceOutput::Send(message) => self.tell_bob(message),
                AliceOutput::Recall { block, slots, .. } => {
                    let record = self.link.record(&slots);
                    let recalled = AliceInput::Recalled { block, record };
                    self.to_alice.push_back(("recalled", recalled));
                }
                AliceOutput::Begun { .. }
                | AliceOutput::Transmit { .. }
                | AliceOutput::Distilled(_)
                | AliceOutput::Report(_) => {}
            }
        }
        Ok(())
    }

    fn bob(&mut self, what: &'static str, input: BobInput) -> Result<(), Box<dyn Error>> {
        for output in self.bob.handle(Time(0), input)? {
            match output {
                BobOutput::Work(work) => {
                    let done = BobInput::Worked(timed(&mut self.times, "bob", what, work));
                    self.to_bob.push_front(("what follows", done));
                }
                BobOutput::Send(message) => {
                    let name = name_of(&message);
                    self.to_alice
                        .push_back((name, AliceInput::Message(message)));
                }
                BobOutput::Distilled(_) | BobOutput::Report(_) => {}
            }
        }
        Ok(())
    }

    fn tell_bob(&mut self, message: Message) {
        let name = name_of(&message);
        self.to_bob.push_back((name, BobInput::Message(message)));
    }
}

/// Its kind; of parities with how many there are.
fn name_of(message: &Message) -> &'static str {
    let (Message::Parities { bits, .. } | Message::Comparison { bits, .. }) = message else {
        return message.name();
    };
    match bits.len() {
        0..=256 => "parities to 256",
        257..=1024 => "parities to 1024",
        1025..=2048 => "parities to 2048",
        2049..=4096 => "parities to 4096",
        4097..=8192 => "parities to 8192",
        _ => "more parities",
    }
}

fn timed(
    times: &mut Times,
    role: &'static str,
    what: &'static str,
    work: Work,
) -> qkd_session::Worked {
    let short = work.is_short();
    let start = processor_time();
    let worked = work.run();
    let spent = processor_time().saturating_sub(start);
    times.entry((role, what, short)).or_default().push(spent);
    worked
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("   bits  role   told                  short  steps  median     90 %");
    for argument in std::env::args().skip(1) {
        let bits = argument.parse()?;
        let link = Link::new(bits, 0.01);
        let mut pair = Pair::new(&link);
        let mut slot = 0;
        for block in 0..BLOCKS {
            slot = pair.block(slot)?;
            if block == 0 {
                pair.times.clear();
            }
        }
        for ((role, what, short), times) in &mut pair.times {
            times.sort_unstable();
            let at = |share: f64| {
                let index = (share * (times.len() - 1) as f64) as usize;
                1e6 * times[index].as_secs_f64()
            };
            let (median, most) = (at(0.5), at(0.9));
            let (role, what, steps) = (format!("{role:5}"), format!("{what:20}"), times.len());
            println!(
                "{bits:>7}  {role}  {what}  {short:5}  {steps:>5}  {median:>6.1}  {most:>7.1}"
            );
        }
    }
    Ok(())
}
