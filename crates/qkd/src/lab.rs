//! The laboratory: everything on one machine, from nothing to a message.
//!
//! It only does what an operator and two applications could do: writes configurations, starts the
//! services as processes of their own, and talks to them over their public interfaces.

mod children;
mod clients;
mod display;
mod fault;
mod folder;
mod message;
mod report;
mod running;
mod serving;
mod setup;
mod signals;
mod tour;
mod watch;
pub mod weakness;

use std::fs;
use std::time::{Duration, Instant};

use qkd_node::pki::LabPki;
use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::eve::GetTallyRequest;

use self::children::{Children, Readiness, Start};
use self::clients::Application;
use self::display::Display;
use self::fault::Fault;
use self::folder::Folder;
use self::report::{Outcome, Report};
use self::running::Running;
use self::setup::Plan;
use self::signals::Signals;
use self::watch::Watch;
use crate::cli::LabArgs;
use crate::exit::Exit;
use crate::output::{print, tell};
use crate::words::{STRETCHED, clock, grouped};

/// How long work on other threads may hold up the end of the process.
const WIND_UP: Duration = Duration::from_millis(500);

/// Runs a laboratory and says how it ended.
pub fn run(args: &LabArgs) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(laboratory(args));
            runtime.shutdown_timeout(WIND_UP);
            exit
        }
        Err(error) => {
            tell(&format!(
                "qkd lab: cannot start the asynchronous runtime: {error}"
            ));
            Exit::Fault
        }
    }
}

/// One laboratory from its first file to its last.
struct Lab<'a> {
    args: &'a LabArgs,
    plan: Plan,
    folder: Folder,
    started: Instant,
    report: Report,
    /// Whether the report says all that it ever will.
    complete: bool,
}

async fn laboratory(args: &LabArgs) -> Exit {
    // Before the first file and the first child, so that neither can outlive a signal.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tell(&format!("qkd lab: cannot listen to signals: {error}"));
            return Exit::Fault;
        }
    };
    let folder = match Folder::prepare(args.keep.as_deref()) {
        Ok(folder) => folder,
        Err(fault) => {
            tell(&format!("qkd lab: {fault}"));
            let usage = matches!(fault, Fault::Keep { .. });
            return if usage { Exit::Usage } else { Exit::Fault };
        }
    };
    let mut plan = Plan::new(args);
    if let Err(fault) = plan.keep_up_with_eve() {
        tell(&format!("qkd lab: {fault}"));
        return Exit::Fault;
    }
    let mut lab = Lab {
        report: Report::new(args, plan.protocol()),
        args,
        plan,
        folder,
        started: Instant::now(),
        complete: false,
    };
    let mut children = Children::default();
    if args.tour {
        let ended = tokio::select! {
            biased;
            exit = signals.heard() => Ok(exit),
            result = tour::walk(&lab, &mut children) => result,
        };
        stop(&mut children).await;
        return tour::finish(&lab, ended);
    }
    let ended = tokio::select! {
        biased;
        exit = signals.heard() => Err(exit),
        result = lab.work(&mut children) => Ok(result),
    };
    stop(&mut children).await;
    lab.finish(ended)
}

/// Ends all services and says what did not end well.
async fn stop(children: &mut Children) {
    for complaint in children.stop().await {
        tell(&format!("qkd lab: {complaint}"));
    }
}

impl Lab<'_> {
    /// Everything between the first file and the last key.
    async fn work(&mut self, children: &mut Children) -> Result<(), Fault> {
        let display = Display::new(self.args.blocks);
        if self.args.seed.is_some() {
            display.say(
                "WARNING: all randomness comes from --seed. Whoever knows the number knows the keys: \
                 they are for demonstration and nothing else.",
            );
        }
        display.say(&format!(
            "Starting the services; their files are in {}",
            self.folder.path().display()
        ));
        if let Some(weakness) = self.args.eve.as_ref().and_then(|eve| eve.weakness()) {
            display.say(&format!(
                "The hardware is made weak for this attack: {}.",
                weakness.sentence()
            ));
        }
        if let Some(warning) = self.plan.warning() {
            display.say(&warning);
        }
        let pki = setup::make_pki(&self.folder)?;
        let running = self.start(&self.plan, children).await?;
        setup::write_profiles(&self.folder, &running)?;
        let tls = |name: &str| TlsMaterial::load(&pki.files_of(name));
        let operator = tls(setup::OPERATOR)?;
        let (alice_server, bob_server) = (running.alice_server(), running.bob_server());
        let nodes = running.nodes(&operator).await?;
        if self.args.serve {
            self.announce(&running, &pki)?;
            if let Some(curl) = serving::curl(&running, &pki) {
                display.say(&format!(
                    "A key by ETSI GS QKD 014, once there is one:\n{curl}"
                ));
            }
        }
        display.say("All services are running:");
        let mut watch = Watch::new(nodes, display, self.plan.block_bits());
        self.collect(&mut watch, children).await?;
        if self.report.has_key() {
            let (id_alice, id_bob) = (setup::LAB_ALICE, setup::LAB_BOB);
            let alice = Application::connect(id_alice, &tls(id_alice)?, alice_server).await?;
            let bob = Application::connect(id_bob, &tls(id_bob)?, bob_server).await?;
            self.exchange(&mut watch, children, &alice, &bob).await?;
        } else {
            self.report.outcome = Outcome::Aborted;
            if let Some(spent) = watch.view.status.alice.as_ref().and_then(|node| node.spent) {
                self.report.note_spent(&spent);
            }
            self.report.note(
                "message",
                "none was sent: there is no key to encrypt it with",
            );
        }
        watch.hide();
        self.note_eve(&running, &operator).await?;
        if let Some(fault) = watch.view.link_fault() {
            let text = format!("went down and came back; the last time because {fault}");
            self.report.note("link", text);
        }
        if let Some((stretch, clock_hz)) = watch.view.clock_overall() {
            self.report.stretch_factor = Some(stretch);
            if stretch >= STRETCHED {
                let text = format!("{}: {}", clock(stretch, clock_hz), self.plan.held_up_by());
                self.report.note("clock", text);
            }
        }
        self.complete();
        if self.args.serve {
            self.save()?;
            self.publish()?;
            tell("Serving until Ctrl-C.");
            watch.forever(children).await?;
        }
        Ok(())
    }

    /// Bob first, because the others need his addresses.
    async fn start(&self, plan: &Plan, children: &mut Children) -> Result<Running, Fault> {
        let config = setup::write(&self.folder, "bob.toml", &plan.bob())?;
        let bob = self.child(children, "bob", &config).await?;
        let missing = |what: &str| Fault::NotReadiness {
            service: "bob",
            reason: format!("it does not name its {what} address"),
            line: format!("{bob:?}"),
        };
        let mut quantum = bob.quantum.ok_or_else(|| missing("quantum"))?;
        let classical = bob.classical.ok_or_else(|| missing("classical"))?;
        let mut eve = None;
        if let Some(attack) = plan.first_attack() {
            let config = plan.eve(attack, quantum);
            let config = setup::write(&self.folder, "eve.toml", &config)?;
            let ready = self.child(children, "eve", &config).await?;
            quantum = ready.quantum.ok_or_else(|| Fault::NotReadiness {
                service: "eve",
                reason: "it does not name its quantum address".to_owned(),
                line: format!("{ready:?}"),
            })?;
            eve = Some(ready);
        }
        let config = plan.alice(quantum, classical);
        let config = setup::write(&self.folder, "alice.toml", &config)?;
        let alice = self.child(children, "alice", &config).await?;
        Ok(Running { alice, bob, eve })
    }

    async fn child(
        &self,
        children: &mut Children,
        service: &'static str,
        config: &std::path::Path,
    ) -> Result<Readiness, Fault> {
        let log = self.folder.file(&format!("{service}.log"));
        let start = Start {
            service,
            config,
            log: &log,
            log_level: self.args.log.log_level.as_deref(),
        };
        children.start(&start).await
    }

    /// Waits for the blocks of the report, and for what was seen on the way even if more never come.
    async fn collect(&mut self, watch: &mut Watch, children: &mut Children) -> Result<(), Fault> {
        let wanted = self.args.blocks;
        let goal = format!("{wanted} blocks reported by both ends");
        let result = watch
            .until(&goal, children, |view| view.finished.len() as u64 >= wanted)
            .await;
        let finished = &watch.view.finished;
        let counted = finished
            .len()
            .min(usize::try_from(wanted).unwrap_or(usize::MAX));
        self.report.set_blocks(&finished[..counted]);
        if result.is_err() {
            watch.hide();
        }
        result
    }

    async fn exchange(
        &mut self,
        watch: &mut Watch,
        children: &mut Children,
        alice: &Application,
        bob: &Application,
    ) -> Result<(), Fault> {
        watch
            .until(
                "keys in both stores",
                children,
                watch::View::keys_in_both_stores,
            )
            .await?;
        let exchange = message::exchange(alice, bob).await?;
        self.report.outcome = Outcome::Key;
        self.report.keys_agree = true;
        self.report.message_delivered = true;
        let compared = exchange.compared;
        self.report.note(
            "agree",
            format!("yes: {compared} keys were fetched at both ends and are the same"),
        );
        self.report.note(
            "message",
            format!(
                "\"{}\" went from Alice to Bob, sealed with AES-256-GCM under key {}",
                exchange.text, exchange.key_id
            ),
        );
        Ok(())
    }

    /// Asks Eve herself what she did.
    async fn note_eve(&mut self, running: &Running, operator: &TlsMaterial) -> Result<(), Fault> {
        let Some(mut client) = running.eve(operator).await? else {
            self.report.note("Eve", "nobody sat in the fibre");
            return Ok(());
        };
        let asked = clients::answer("ask Eve what she did", client.get_tally(GetTallyRequest {}));
        let tally = asked.await?;
        self.report.set_tally(&tally);
        let mut text = format!(
            "{}: {} pulses with light came by, {} were measured, {} sent in their place",
            tally.spec,
            grouped(tally.pulses_seen),
            grouped(tally.intercepted),
            grouped(tally.resent)
        );
        for (photons, of) in [
            (
                tally.caught_photons,
                "photons of Bob's detectors were caught",
            ),
            (
                tally.returned_photons,
                "photons came out of Alice's laboratory",
            ),
        ] {
            if photons > 0 {
                text.push_str(&format!(", {} {of}", grouped(photons)));
            }
        }
        self.report.note("Eve", text);
        Ok(())
    }

    /// The first line of `--serve`.
    fn announce(&self, running: &Running, pki: &LabPki) -> Result<(), Fault> {
        let line = serving::line(running, pki, &self.folder);
        print(&format!("{line}\n")).map_err(Fault::io("print the addresses"))
    }

    fn complete(&mut self) {
        self.report.wall_seconds = self.started.elapsed().as_secs_f64();
        if self.args.seed.is_some() {
            self.report.note("seed", "given: these keys are not secret");
        }
        let files = match self.folder.kept() {
            Some(path) => format!("kept in {}", path.display()),
            None => "removed at the end; --keep DIR keeps them".to_owned(),
        };
        self.report.note("files", files);
        self.complete = true;
    }

    /// Writes the report down where files are kept.
    fn save(&self) -> Result<(), Fault> {
        if self.folder.kept().is_none() {
            return Ok(());
        }
        let path = self.folder.file("report.json");
        fs::write(&path, format!("{}\n", self.report.json()))
            .map_err(Fault::io(format!("write {}", path.display())))
    }

    /// Prints the report. With `--serve`, standard output belongs to programs.
    fn publish(&self) -> Result<(), Fault> {
        let table = format!("\n{}", self.report.table());
        if self.args.serve {
            tell(&table);
        }
        let text = match (self.args.json, self.args.serve) {
            (true, _) => format!("{}\n", self.report.json()),
            (false, true) => return Ok(()),
            (false, false) => table,
        };
        print(&text).map_err(Fault::io("print the report"))
    }

    /// The last words, once all services have stopped.
    fn finish(mut self, ended: Result<Result<(), Fault>, Exit>) -> Exit {
        let published = self.complete && self.args.serve;
        match ended {
            // The report is out, and Ctrl-C is the only end there is.
            Err(_) if published => self.exit(),
            Err(exit) => {
                tell("qkd lab: stopped before the report was complete; all services are down");
                exit
            }
            Ok(Ok(())) => match self.save().and_then(|()| self.publish()) {
                Ok(()) => self.exit(),
                Err(fault) => {
                    tell(&format!("qkd lab: {fault}"));
                    Exit::Fault
                }
            },
            Ok(Err(fault)) => {
                tell(&format!("qkd lab: {fault}"));
                match self.folder.kept() {
                    Some(path) => tell(&format!("All logs are in {}.", path.display())),
                    None => tell("The logs are gone; --keep DIR keeps them."),
                }
                if !published {
                    self.fail(&fault);
                }
                Exit::Fault
            }
        }
    }

    /// Reports a fault to programs; a person has read it already.
    fn fail(&mut self, fault: &Fault) {
        self.report.outcome = Outcome::Fault;
        self.report.error = Some(fault.to_string());
        self.report.wall_seconds = self.started.elapsed().as_secs_f64();
        let saved = self.save();
        let printed = if self.args.json {
            self.publish()
        } else {
            Ok(())
        };
        for fault in [saved, printed].into_iter().filter_map(Result::err) {
            tell(&format!("qkd lab: {fault}"));
        }
    }

    fn exit(&self) -> Exit {
        match self.report.outcome {
            Outcome::Key => Exit::Success,
            Outcome::Aborted => Exit::Aborted,
            Outcome::Fault => Exit::Fault,
        }
    }
}
