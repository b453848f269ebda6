//! A walk through Eve's attacks, one after the other, through laboratories that are sound, weak and
//! watched.
//!
//! In each laboratory one link runs all the time. Eve's service is told over its control service what to do next; what Alice and Bob see of it is
//! what they report of their blocks. Nobody scores Eve here: what she has learnt is what theory says.

mod show;
mod stops;
mod visit;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::eve::{GetTallyRequest, SetAttackRequest};
use tonic::transport::Channel;

use self::stops::{Laboratory, Stop, TOUR};
use self::visit::{Expected, Sight, Visit};
use super::children::Children;
use super::clients;
use super::display::Display;
use super::fault::Fault;
use super::watch::{View, Watch};
use super::{Lab, setup};
use crate::cli::{LabArgs, Pace};
use crate::exit::Exit;
use crate::output::{print, tell};

/// Sifted key-basis bits of a block, unless somebody says how many: few, so that each is done in a
/// moment, and enough for a key.
pub const BLOCK_BITS: u64 = 200_000;

/// Keys that the stores may hold: a class may talk for an hour while the link runs.
pub const KEY_COUNT_MAX: u64 = 5_000_000;

/// Blocks under way: the next attack is not to wait for those of the last one.
pub const BLOCKS_IN_FLIGHT_MAX: u64 = 2;

/// Walks through all laboratories and their attacks.
///
/// # Errors
/// When a service fails.
pub async fn walk(lab: &Lab<'_>, children: &mut Children) -> Result<Exit, Fault> {
    let args = lab.args;
    let expected = Expected::of(lab.plan.parameters())?;
    if !args.json {
        say(&show::opening(stops::count(), args, &expected))?;
    }
    let pki = setup::make_pki(&lab.folder)?;
    let operator = TlsMaterial::load(&pki.files_of(setup::OPERATOR))?;
    let mut visits = Vec::new();
    for (round, laboratory) in TOUR.iter().enumerate() {
        if round > 0 {
            super::stop(children).await;
        }
        let plan = lab.plan.in_hardware(round, |it| laboratory.fit_out(it));
        if !args.json {
            say(&show::laboratory(laboratory, round + 1))?;
        }
        let running = lab.start(&plan, children).await?;
        setup::write_profiles(&lab.folder, &running)?;
        let nodes = running.nodes(&operator).await?;
        let Some(eve) = running.eve(&operator).await? else {
            unreachable!("the plan of a tour has an Eve");
        };
        let display = Display::silent(args.blocks);
        let mut guide = Guide {
            args,
            expected: Expected::of(plan.parameters())?,
            eve,
            watch: Watch::new(nodes, display, plan.block_bits()),
        };
        for stop in laboratory.stops {
            let began = Instant::now();
            let place = (visits.len() + 1, stops::count());
            visits.push(guide.visit((laboratory, stop), place, children).await?);
            if visits.len() < stops::count() {
                guide.pause(began, children).await?;
            }
        }
        guide.watch.hide();
    }
    if !args.json {
        say(&show::closing(&visits))?;
    }
    let as_told = visits.iter().all(|visit| visit.is_as_told);
    Ok(if as_told { Exit::Success } else { Exit::Unlike })
}

/// The last words of a tour, once all services have stopped.
pub fn finish(lab: &Lab<'_>, ended: Result<Exit, Fault>) -> Exit {
    match ended {
        Ok(exit @ (Exit::Interrupted | Exit::Terminated)) => {
            tell("qkd lab: stopped before the tour was over; all services are down");
            exit
        }
        Ok(exit) => exit,
        Err(fault) => {
            tell(&format!("qkd lab: {fault}"));
            match lab.folder.kept() {
                Some(path) => tell(&format!("All logs are in {}.", path.display())),
                None => tell("The logs are gone; --keep DIR keeps them."),
            }
            Exit::Fault
        }
    }
}

/// Who leads through the attacks.
struct Guide<'a> {
    args: &'a LabArgs,
    expected: Expected,
    eve: EveClient<Channel>,
    watch: Watch,
}

impl Guide<'_> {
    /// One attack, from its first frame to its verdict.
    async fn visit(
        &mut self,
        (laboratory, stop): (&'static Laboratory, &'static Stop),
        place: (usize, usize),
        children: &mut Children,
    ) -> Result<Visit, Fault> {
        let spec = stop.spec.to_owned();
        let goal = format!("start {spec}");
        let request = SetAttackRequest { spec };
        let set = clients::answer(goal, self.eve.set_attack(request)).await?;
        let Some(mut visit) = Visit::new((laboratory.name, stop), set) else {
            unreachable!("only attacks that there are were named");
        };
        if !self.args.json {
            self.say(&show::beginning(&visit, place))?;
        }
        let sight = self.settle(children).await?;
        let before = self.tally().await?;
        while visit.blocks.len() < self.blocks() {
            let seen = visit.blocks.len();
            self.until("a block under this attack", children, |view| {
                sight.blocks(view).nth(seen).is_some()
            })
            .await?;
            if let Some(block) = sight.blocks(&self.watch.view).nth(seen) {
                visit.see(block, &self.expected);
            }
            if !self.args.json {
                self.say(&show::block(&visit))?;
            }
        }
        sight.look(&self.watch.view, &mut visit);
        visit.set_tally(&before, &self.tally().await?);
        visit.judge();
        let text = match self.args.json {
            true => format!("{}\n", visit.json()),
            false => show::end(&visit),
        };
        self.say(&text)?;
        Ok(visit)
    }

    fn blocks(&self) -> usize {
        usize::try_from(self.args.blocks).unwrap_or(usize::MAX)
    }

    /// Waits until Bob collects a block of which all light is of this attack: what was on its way when
    /// it began belongs to those before.
    async fn settle(&mut self, children: &mut Children) -> Result<Sight, Fault> {
        self.until("a look at both ends", children, |_| true)
            .await?;
        let sight = Sight::from_now(&self.watch.view);
        self.until("light of this attack", children, |view| {
            sight.has_begun(view)
        })
        .await?;
        Ok(sight.with_counters(&self.watch.view))
    }

    async fn until(
        &mut self,
        goal: &str,
        children: &mut Children,
        reached: impl Fn(&View) -> bool,
    ) -> Result<(), Fault> {
        self.watch.until(goal, children, reached).await
    }

    async fn tally(&mut self) -> Result<qkd_wire::proto::eve::Tally, Fault> {
        clients::answer(
            "ask Eve what she did",
            self.eve.get_tally(GetTallyRequest {}),
        )
        .await
    }

    /// Leaves people time to read, while all services are looked after.
    async fn pause(&mut self, began: Instant, children: &mut Children) -> Result<(), Fault> {
        match self.args.pace {
            Pace::Enter => {
                self.watch.hide();
                if std::io::stdin().is_terminal() {
                    say("  Enter goes on. ")?;
                }
                let enter = tokio::task::spawn_blocking(|| {
                    // The end of the input goes on as well.
                    drop(std::io::stdin().read_line(&mut String::new()));
                });
                tokio::select! {
                    ended = self.watch.forever(children) => ended,
                    _ = enter => Ok(()),
                }
            }
            Pace::AtLeast(least) => {
                let rest = least.saturating_sub(began.elapsed());
                self.rest(rest, children).await
            }
        }
    }

    async fn rest(&mut self, rest: Duration, children: &mut Children) -> Result<(), Fault> {
        if self.args.json {
            return Ok(());
        }
        match tokio::time::timeout(rest, self.watch.forever(children)).await {
            Ok(ended) => ended,
            Err(_) => Ok(()),
        }
    }

    /// Prints while no bar is in the way.
    fn say(&mut self, text: &str) -> Result<(), Fault> {
        self.watch.hide();
        say(text)
    }
}

fn say(text: &str) -> Result<(), Fault> {
    print(text).map_err(Fault::io("print the tour"))
}
