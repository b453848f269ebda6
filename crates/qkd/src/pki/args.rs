//! The options of `qkd pki`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use qkd_node::config::HostPort;
use qkd_node::pki::{Kind, Party, VALIDITY};

const INIT_EXAMPLES: &str = "\
Examples:
  qkd pki init pki
  qkd pki init pki --hours 24 --if-absent
  qkd pki init pki --node kme-x=x.example.org,192.0.2.7 --node kme-y=y.example.org \\
      --sae app-x@kme-x --sae app-y@kme-y --services kme-x=x.example.org:7001

What it leaves in DIR:
  authority.pem authority.key   the authority, and the key that signs (mode 0600)
  NAME.pem NAME.key             certificate and private key of a node or an application
  NODE.store.key                the key that wraps a node's keys at rest
  pre-shared.key                the key that both ends of the link share
  SAE.toml operator-NODE.toml   client profiles: 'qkd status --client DIR/operator-alice.toml'";

const REVOKE_EXAMPLES: &str = "\
Examples:
  qkd pki revoke pki sae-alice
  qkd pki revoke pki --serial 4f2a90c1d7

A node takes the list into account whose configuration names it: [tls] revoked = \"pki/revoked.crl\".
It looks at the file every two seconds. A certificate that is issued or renewed afterwards is another
one and good: take an application that must not come back out of the [[sae]] of both nodes as well.";

/// What to do with certificates.
#[derive(Debug, Clone, Args)]
pub struct PkiArgs {
    #[command(subcommand)]
    pub action: PkiAction,
}

/// One thing to do with certificates.
#[derive(Debug, Clone, Subcommand)]
pub enum PkiAction {
    /// Make an authority, and certificates and keys for everybody
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Make a certificate and a key for one more node or application
    Issue(IssueArgs),
    /// Give certificates new keys and new dates; daemons pick them up while they run
    Renew(RenewArgs),
    /// Put certificates on the list of those that count no longer; daemons end their connections
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeArgs),
    /// List the certificates of a folder and how long they are good for
    Show(ShowArgs),
}

/// How long a certificate is good for.
#[derive(Debug, Clone, Copy, Args)]
pub struct ValidityArgs {
    /// How many days a certificate is good for [default: 30]
    #[arg(long, value_name = "N", conflicts_with = "hours",
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
    /// How many hours a certificate is good for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=87_600))]
    hours: Option<u32>,
}

impl ValidityArgs {
    /// What was asked for, if anything was.
    pub fn given(self) -> Option<Duration> {
        let days = self.days.map(|days| u64::from(days) * 24);
        let hours = days.or(self.hours.map(u64::from));
        hours.map(|hours| Duration::from_secs(hours * 3600))
    }

    /// What was asked for, or 30 days.
    pub fn or_default(self) -> Duration {
        self.given().unwrap_or(VALIDITY)
    }
}

/// The folder of certificates, and where its authority's key is.
#[derive(Debug, Clone, Args)]
pub struct AuthorityArgs {
    /// The authority's private key [default: DIR/authority.key]
    #[arg(long, value_name = "FILE")]
    pub authority_key: Option<PathBuf>,
}

/// The options of `qkd pki init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The folder, made when absent
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    #[command(flatten)]
    pub authority: AuthorityArgs,
    #[command(flatten)]
    pub validity: ValidityArgs,
    /// A node, with further DNS names or addresses of its machine; repeat for each [default:
    /// kme-alice=alice, kme-bob=bob and eve]
    #[arg(long = "node", value_name = "NAME[=DNS,...]", value_parser = node)]
    pub nodes: Vec<Party>,
    /// An application and the node it sits at; repeat for each [default: sae-alice at kme-alice and
    /// sae-bob at kme-bob, where there are such nodes]
    #[arg(long = "sae", value_name = "NAME@NODE", value_parser = sae)]
    pub saes: Vec<Sae>,
    /// Who looks at what the nodes are doing
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub operator: String,
    /// Where clients reach a node's services, for their profiles; repeat for each [default: port
    /// 7001 of the node's first further name]
    #[arg(long = "services", value_name = "NODE=HOST:PORT", value_parser = services)]
    pub services: Vec<Services>,
    /// Succeed when a whole set is there already, and renew what has less than a third of its life
    /// left
    #[arg(long)]
    pub if_absent: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd pki issue`.
#[derive(Debug, Clone, Args)]
pub struct IssueArgs {
    /// Whose certificate
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The folder of the authority
    #[arg(long = "in", value_name = "DIR")]
    pub directory: PathBuf,
    /// For a node
    #[arg(long, conflicts_with = "sae", required_unless_present = "sae")]
    node: bool,
    /// For an application or an operator
    #[arg(long)]
    sae: bool,
    /// A further DNS name or address of a node's machine; repeat for each
    #[arg(long, value_name = "DNS", conflicts_with = "sae")]
    dns: Vec<String>,
    #[command(flatten)]
    pub authority: AuthorityArgs,
    #[command(flatten)]
    pub validity: ValidityArgs,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

impl IssueArgs {
    /// Who is to get a certificate.
    pub fn party(&self) -> Party {
        Party {
            name: self.name.clone(),
            kind: if self.node {
                Kind::Node
            } else {
                Kind::Application
            },
            other_names: self.dns.clone(),
        }
    }
}

/// The options of `qkd pki renew`.
#[derive(Debug, Clone, Args)]
pub struct RenewArgs {
    /// The folder of the authority
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Whose certificates [default: everybody's but the authority's]. "authority" gives the
    /// authority itself a new key; the old certificate stays beside the new one
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only certificates that expire within so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub within: Option<u32>,
    #[command(flatten)]
    pub authority: AuthorityArgs,
    #[command(flatten)]
    pub validity: ValidityArgs,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd pki revoke`.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// The folder of the authority
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Whose present certificates; without any the list is only made or signed anew
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// A certificate by its serial number in hexadecimal digits, as in the audit log; repeat for each
    #[arg(long = "serial", value_name = "HEX")]
    pub serials: Vec<String>,
    #[command(flatten)]
    pub authority: AuthorityArgs,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd pki show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The folder
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// An application and where it sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sae {
    /// Its name.
    pub name: String,
    /// The name of its node.
    pub node: String,
}

/// Where clients reach the services of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// The node.
    pub node: String,
    /// Its address.
    pub address: HostPort,
}

fn node(text: &str) -> Result<Party, String> {
    let (name, others) = text.split_once('=').unwrap_or((text, ""));
    let others = others.split(',').filter(|name| !name.is_empty());
    Ok(Party {
        other_names: others.map(str::to_owned).collect(),
        ..Party::node(name)
    })
}

fn sae(text: &str) -> Result<Sae, String> {
    match text.split_once('@') {
        Some((name, node)) if !name.is_empty() && !node.is_empty() => Ok(Sae {
            name: name.to_owned(),
            node: node.to_owned(),
        }),
        Some(_) | None => {
            Err("expected an application and its node, such as app-a@kme-alice".to_owned())
        }
    }
}

fn services(text: &str) -> Result<Services, String> {
    let expected = || "expected a node and its address, such as kme-alice=alice:7001".to_owned();
    let (node, address) = text.split_once('=').ok_or_else(expected)?;
    Ok(Services {
        node: node.to_owned(),
        address: address.parse().map_err(|_| expected())?,
    })
}
