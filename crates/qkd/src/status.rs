//! `qkd status`: what a node is doing, once or again and again.

mod block;
mod reports;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use clap::Args;
use qkd_wire::proto::eve::GetTallyRequest;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::node::node_client::NodeClient;
use qkd_wire::proto::node::{GetStatusRequest, WatchBlocksRequest};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use self::reports::Reports;
use self::state::State;
use crate::client::{self, ClientArgs, Connected, answer, within};
use crate::exit::Exit;
use crate::live::{self, Live};
use crate::output::{one_line, print};

const EXAMPLES: &str = "\
Examples:
  qkd status                                  the node of the profile in its usual place
  qkd status --client DIR/operator.toml       what 'qkd lab --keep DIR --serve' runs
  qkd status --watch                          again and again, until Ctrl-C
  qkd status --watch --json >> states.jsonl   one JSON object per line
  qkd status --check --config alice.toml      for health checks and scripts
  qkd status --block                          why the last block gave so many bits

Exit status: 0 success, with --check only when the node can deliver a key; 1 a fault (its cause is
printed), with --check also when there is no key to be had; 64 wrong usage. Ctrl-C is the normal
end of --watch.";

/// The options of `qkd status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Go on until Ctrl-C, also while the node restarts: redrawn in place on a terminal, otherwise
    /// one line for each change
    #[arg(long)]
    pub watch: bool,
    /// Seconds between two looks with --watch
    #[arg(long, value_name = "S", default_value = "1", value_parser = live::interval)]
    pub interval: Duration,
    /// Say in one line whether the node could deliver a key now; exit status 1 when not
    #[arg(long, conflicts_with = "watch")]
    pub check: bool,
    /// Every figure that the key of one block was made from, each with its meaning and unit: block
    /// number N since the node was started, or the last one
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with_all = ["watch", "check"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub block: Option<Option<u64>>,
    /// Print the state, or the account of the block, as one JSON object on one line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node does not answer, or nobody reads what is printed.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// The node has no such block.
    #[error("{0}")]
    NoBlock(String),
    /// The node answers that it cannot deliver.
    #[error("{0}")]
    Unhealthy(String),
}

/// Shows what a node is doing, and says how that ended.
pub fn run(args: &StatusArgs) -> Exit {
    client::run("qkd status", async {
        if args.watch {
            // What is wrong with the profile does not get better by waiting.
            args.client.profile()?;
            return Ok(live::until_stopped(watch(args)).await?);
        }
        if let Some(wanted) = args.block {
            let account = block::account(&args.client.connect().await?, wanted).await?;
            let text = match args.json {
                true => account.json(),
                false => account.lines().join("\n"),
            };
            show(&text)?;
            return Ok(Exit::Success);
        }
        let state = Observer::connect(&args.client).await?.look().await?;
        once(args, &state)
    })
}

fn once(args: &StatusArgs, state: &State) -> Result<Exit, Error> {
    let unhealthy = state.unhealthy().filter(|_| args.check);
    let text = if args.json {
        state.json()
    } else if !args.check {
        state.lines().join("\n")
    } else if unhealthy.is_none() {
        state.headline()
    } else {
        String::new()
    };
    if !text.is_empty() {
        show(&text)?;
    }
    match unhealthy {
        Some(why) => Err(Error::Unhealthy(why)),
        None => Ok(Exit::Success),
    }
}

fn show(text: &str) -> Result<(), Error> {
    match print(&format!("{text}\n")) {
        // Who has closed the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed.map_err(client::Error::io("print the status"))?),
    }
}

/// Looks again and again; an answer that does not come is a state like any other.
async fn watch(args: &StatusArgs) -> Result<(), client::Error> {
    let mut live = Live::new();
    let mut observer = None;
    loop {
        let state = match seen(args, &mut observer).await {
            Ok(state) => state,
            Err(error) => {
                // The next look reads profile and certificates again: they may be new ones.
                observer = None;
                let node = args.client.profile()?.node;
                State::unreachable(&node, one_line(&error.to_string()))
            }
        };
        let shown = if args.json {
            print(&format!("{}\n", state.json()))
        } else {
            live.show(&state.lines(), &state.headline())
        };
        shown.map_err(client::Error::io("print the status"))?;
        tokio::time::sleep(args.interval).await;
    }
}

async fn seen(args: &StatusArgs, observer: &mut Option<Observer>) -> Result<State, client::Error> {
    let observer = match observer {
        Some(observer) => observer,
        None => observer.insert(Observer::connect(&args.client).await?),
    };
    observer.look().await
}

/// Somebody who looks at a node.
struct Observer {
    connected: Connected,
    reports: Reports,
}

impl Observer {
    async fn connect(args: &ClientArgs) -> Result<Self, client::Error> {
        Ok(Self {
            connected: args.connect().await?,
            reports: Reports::default(),
        })
    }

    /// The state now.
    async fn look(&mut self) -> Result<State, client::Error> {
        let node = &self.connected.node;
        let what = format!("ask {node} for its status");
        let mut client = NodeClient::new(self.connected.channel.clone());
        let status = match within(client.get_status(GetStatusRequest {})).await {
            Ok(status) => status,
            Err(status) if status.code() == Code::Unimplemented => return self.look_at_eve().await,
            Err(status) => return Err(client::Error::Refused { what, status }),
        };
        self.collect(client, status.blocks_attempted).await?;
        let healthy = self.healthy().await?;
        Ok(State::of_node(status, &self.reports, healthy))
    }

    async fn look_at_eve(&self) -> Result<State, client::Error> {
        let node = &self.connected.node;
        let mut client = EveClient::new(self.connected.channel.clone());
        let what = format!("ask {node} what she did");
        let tally = answer(what, client.get_tally(GetTallyRequest {})).await?;
        Ok(State::of_eve(node, tally, self.healthy().await?))
    }

    /// Takes in the reports up to number `last`.
    async fn collect(
        &mut self,
        mut client: NodeClient<tonic::transport::Channel>,
        last: u64,
    ) -> Result<(), client::Error> {
        if last < self.reports.last() {
            // The node has begun a new life, and counts from 1 again.
            self.reports = Reports::default();
        }
        if last == self.reports.last() {
            return Ok(());
        }
        let after = self.reports.last();
        let what = format!("ask {} for its blocks", self.connected.node);
        let call = client.watch_blocks(WatchBlocksRequest {
            after,
            figures: false,
        });
        let mut reports = answer(what.clone(), call).await?;
        while self.reports.last() < last {
            // The reports are there, so each comes as fast as an answer.
            let next = async { reports.message().await.map(tonic::Response::new) };
            match answer(what.clone(), next).await? {
                Some(report) => self.reports.note(&report),
                None => break,
            }
        }
        Ok(())
    }

    /// Whether the node calls itself fit to deliver.
    async fn healthy(&self) -> Result<bool, client::Error> {
        let mut client = HealthClient::new(self.connected.channel.clone());
        let request = HealthCheckRequest {
            service: String::new(),
        };
        let what = format!("ask {} for its health", self.connected.node);
        let health = answer(what, client.check(request)).await?;
        Ok(health.status == i32::from(ServingStatus::Serving))
    }
}
