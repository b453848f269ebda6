//! `qkd attack`: what Eve can do, and a running Eve at its steering wheel.

mod args;
mod list;
mod status;

use qkd_attacks::Site;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::eve::{Attack, GetAttackRequest, SetAttackRequest};
use serde::Serialize;
use tonic::transport::Channel;
use tonic::{Code, Status};

pub use self::args::AttackCommand;
use self::args::StartArgs;
use crate::client::{self, ClientArgs, Connected, said, within};
use crate::exit::Exit;
use crate::output::{one_line, print, tell};

/// What she does when she has been told to stop.
const PASSIVE: &str = "passive";

/// Why Eve does not do what she is told.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// She cannot be reached, or nobody reads what is printed.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// Somebody else was called.
    #[error(
        "{node} takes no attacks: it is not Eve, or a version of her that does not know this; name \
         her profile with --client FILE ('qkd lab --keep DIR --serve --eve …' writes \
         operator-eve.toml) or her configuration with --config FILE"
    )]
    NotEve {
        /// Who answered.
        node: String,
    },
    /// She refuses what this program knows.
    #[error("{node} does not know {spec}, as this version of qkd does: {reason}")]
    Refused {
        /// Who answered.
        node: String,
        /// What she was told.
        spec: String,
        /// Why not.
        reason: String,
    },
}

/// Does what was asked for, and says how it ended.
pub fn run(command: &AttackCommand) -> Exit {
    client::run("qkd attack", async {
        match command {
            AttackCommand::List(args) => shown(&list::list(args.json))?,
            AttackCommand::Start(args) => start(args).await?,
            AttackCommand::Stop(args) => {
                let mut eve = Eve::connect(&args.client).await?;
                shown(&eve.set(PASSIVE).await?.text(args.json))?;
            }
            AttackCommand::Status(args) => {
                let mut eve = Eve::connect(&args.client).await?;
                shown(&status::status(&mut eve, args).await?)?;
            }
        }
        Ok::<Exit, Error>(Exit::Success)
    })
}

async fn start(args: &StartArgs) -> Result<(), Error> {
    let mut eve = Eve::connect(&args.client).await?;
    let running = eve.set(&args.attack.spec()).await?;
    shown(&running.text(args.json))?;
    if let Some(warning) = running.misplaced() {
        tell(&format!("qkd attack: {warning}"));
    }
    Ok(())
}

fn shown(text: &str) -> Result<(), Error> {
    match print(&format!("{text}\n")) {
        // Who has closed the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed.map_err(client::Error::io("print the attack"))?),
    }
}

/// A connection to Eve.
struct Eve {
    node: String,
    client: EveClient<Channel>,
}

impl Eve {
    async fn connect(args: &ClientArgs) -> Result<Self, Error> {
        let Connected { node, channel, .. } = args.connect().await?;
        let client = EveClient::new(channel);
        Ok(Self { node, client })
    }

    async fn set(&mut self, spec: &str) -> Result<RunningAttack, Error> {
        let spec = spec.to_owned();
        let request = SetAttackRequest { spec: spec.clone() };
        match within(self.client.set_attack(request)).await {
            Ok(attack) => Ok(RunningAttack::of(&self.node, attack)),
            Err(status) if status.code() == Code::InvalidArgument => Err(Error::Refused {
                node: self.node.clone(),
                spec,
                reason: one_line(&said(&status)),
            }),
            Err(status) => Err(self.failed("start the attack", status)),
        }
    }

    async fn get(&mut self) -> Result<RunningAttack, Error> {
        match within(self.client.get_attack(GetAttackRequest {})).await {
            Ok(attack) => Ok(RunningAttack::of(&self.node, attack)),
            Err(status) => Err(self.failed("ask what she does", status)),
        }
    }

    fn failed(&self, what: &str, status: Status) -> Error {
        if status.code() == Code::Unimplemented {
            let node = self.node.clone();
            return Error::NotEve { node };
        }
        let what = what.to_owned();
        Error::Client(client::Error::Refused { what, status })
    }
}

/// What Eve does now; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RunningAttack {
    /// Her name.
    node: String,
    /// Name of the attack.
    attack: String,
    /// The same with its parameters.
    spec: String,
    /// `bobs-door`, `alices-door` or `lossless-line`; `null` when she does not say.
    site: Option<String>,
}

impl RunningAttack {
    fn of(node: &str, attack: Attack) -> Self {
        Self {
            node: node.to_owned(),
            attack: one_line(&attack.name),
            spec: one_line(&attack.spec),
            site: (!attack.site.is_empty()).then(|| one_line(&attack.site)),
        }
    }

    fn text(&self, json: bool) -> String {
        match json {
            // Every field is a text: none of them can be refused.
            true => serde_json::to_string(self).unwrap_or_default(),
            false => self.headline(),
        }
    }

    /// One line for people.
    fn headline(&self) -> String {
        let sites = [Site::BobsDoor, Site::AlicesDoor, Site::LosslessLine];
        let name = self.site.as_deref();
        let site = sites.into_iter().find(|site| Some(site.name()) == name);
        let place = site.map(|site| format!(", {}", site.words()));
        format!("{}: {}{}", self.node, self.spec, place.unwrap_or_default())
    }

    /// What somebody should know who lets her attack from a place where that comes to nothing.
    fn misplaced(&self) -> Option<String> {
        let about = qkd_attacks::about(&self.attack)?;
        let line = Site::LosslessLine;
        let stands_there = self.site.as_deref() == Some(line.name());
        (about.site == line && !stands_there).then(|| {
            format!(
                "{} lives off the loss of the fibre behind Eve, and there is none: her [channel] and \
                 [eve] position, with Alice's [quantum] segment_loss_db, would give her some",
                self.attack
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(spec: &str, site: &str) -> RunningAttack {
        let attack = Attack {
            spec: spec.to_owned(),
            name: spec.split(':').next().unwrap_or_default().to_owned(),
            site: site.to_owned(),
        };
        RunningAttack::of("eve", attack)
    }

    #[test]
    fn what_runs_is_told_in_a_line_and_as_an_object() {
        let attack = running("beam-splitting:loss_db=5", "lossless-line");
        assert_eq!(
            attack.text(false),
            "eve: beam-splitting:loss_db=5, at Alice's door, with a lossless line to Bob"
        );
        assert_eq!(
            attack.text(true),
            r#"{"node":"eve","attack":"beam-splitting","spec":"beam-splitting:loss_db=5","site":"lossless-line"}"#
        );
        assert_eq!(attack.misplaced(), None);
        // One of an earlier version does not say where she stands.
        assert_eq!(running("passive", "").text(false), "eve: passive");
    }

    #[test]
    fn an_attack_that_has_nothing_to_hide_in_is_warned_of() {
        let said = running("beam-splitting", "bobs-door").misplaced().unwrap();
        assert!(said.contains("segment_loss_db"), "{said}");
        assert_eq!(running("blinding", "bobs-door").misplaced(), None);
    }
}
