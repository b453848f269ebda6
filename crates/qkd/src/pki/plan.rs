//! What `qkd pki init` is to make: the parties, and a profile for every client of theirs.

use std::path::Path;

use qkd_node::config::{ClientProfile, HostPort};
use qkd_node::pki::{LabPki, NewSet, Party};

use super::args::{InitArgs, Sae};
use super::{AUTHORITY_VALIDITY, Error};

/// Port of a node's services where nothing else is said.
const SERVICES_PORT: u16 = 7001;

/// The set that the options describe.
///
/// # Errors
/// [`Error::Usage`] when an application or an address belongs to a node that is not there.
pub(super) fn set(args: &InitArgs) -> Result<NewSet, Error> {
    let (nodes, saes) = parties(args);
    let known = |name: &str| nodes.iter().any(|node| node.name == name);
    if let Some(sae) = saes.iter().find(|sae| !known(&sae.node)) {
        return Err(Error::Usage(format!(
            "--sae {}@{}: there is no such node; expected one of {}",
            sae.name,
            sae.node,
            names(&nodes)
        )));
    }
    if let Some(services) = args.services.iter().find(|of| !known(&of.node)) {
        return Err(Error::Usage(format!(
            "--services {}={}: there is no such node; expected one of {}",
            services.node,
            services.address,
            names(&nodes)
        )));
    }
    let at = |node: &Party| {
        let given = args.services.iter().find(|of| of.node == node.name);
        given.map_or_else(|| usual_address(node), |given| given.address.clone())
    };
    let mut public_files = Vec::new();
    for node in &nodes {
        let address = at(node);
        for sae in saes.iter().filter(|sae| sae.node == node.name) {
            let text = profile(&sae.name, &node.name, &address);
            public_files.push((format!("{}.toml", sae.name), text));
        }
        let text = profile(&args.operator, &node.name, &address);
        public_files.push((format!("{}-{}.toml", args.operator, short(node)), text));
    }
    let applications = saes.iter().map(|sae| sae.name.as_str());
    let applications = applications.chain([args.operator.as_str()]);
    Ok(NewSet {
        parties: nodes
            .iter()
            .cloned()
            .chain(applications.map(Party::application))
            .collect(),
        validity: args.validity.or_default(),
        authority_validity: AUTHORITY_VALIDITY.max(args.validity.or_default()),
        public_files,
    })
}

/// What was named, or Alice, Bob and Eve.
fn parties(args: &InitArgs) -> (Vec<Party>, Vec<Sae>) {
    let mut nodes = args.nodes.clone();
    if nodes.is_empty() {
        let of = |name: &str, others: &[&str]| Party {
            other_names: others.iter().map(|&name| name.to_owned()).collect(),
            ..Party::node(name)
        };
        nodes = vec![
            of("kme-alice", &["alice"]),
            of("kme-bob", &["bob"]),
            of("eve", &[]),
        ];
    }
    let mut saes = args.saes.clone();
    if saes.is_empty() {
        saes = [("sae-alice", "kme-alice"), ("sae-bob", "kme-bob")]
            .into_iter()
            .filter(|(_, at)| nodes.iter().any(|node| node.name == *at))
            .map(|(name, node)| Sae {
                name: name.to_owned(),
                node: node.to_owned(),
            })
            .collect();
    }
    (nodes, saes)
}

fn names(nodes: &[Party]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    names.join(", ")
}

/// The name under which people speak of a node: `alice` for `kme-alice`.
fn short(node: &Party) -> &str {
    node.name.strip_prefix("kme-").unwrap_or(&node.name)
}

fn usual_address(node: &Party) -> HostPort {
    let host = node.other_names.first().unwrap_or(&node.name);
    HostPort::new(host.as_str(), SERVICES_PORT)
}

/// The profile of a client `name` of `node`, for the folder of the certificates.
fn profile(name: &str, node: &str, services: &HostPort) -> String {
    let profile = ClientProfile {
        name: name.to_owned(),
        node: node.to_owned(),
        services: services.clone(),
        tls: LabPki::in_folder(Path::new("")).files_of(name),
    };
    format!(
        "# Written by 'qkd pki init', for '--client'. Paths start from this file's folder.\n\n{}",
        profile.to_toml()
    )
}
