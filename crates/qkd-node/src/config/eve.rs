//! The configuration of Eve.

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::read::{attenuation, listen_of, tls};
use super::{EveConfig, EveFibre, rules};

/// Where Eve stands on the fibre whose loss her process applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EvePosition {
    /// At its beginning: all of its loss lies behind her, and attacks that need a line of their own
    /// put one in its place.
    #[default]
    AlicesDoor,
    /// At its end: all of its loss lies before her.
    BobsDoor,
    /// Wherever each attack has to stand.
    AsNeeded,
}

impl EvePosition {
    /// Every position.
    pub const ALL: [Self; 3] = [Self::AlicesDoor, Self::BobsDoor, Self::AsNeeded];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            EvePosition::AlicesDoor => "alices-door",
            EvePosition::BobsDoor => "bobs-door",
            EvePosition::AsNeeded => "as-needed",
        }
    }
}

const POSITION: Rule<EvePosition> = Rule {
    expected: "where she stands on the fibre of [channel]: \"alices-door\", \"bobs-door\" or \
               \"as-needed\", where each attack has to stand",
    read: |value| {
        let name = value.as_str()?;
        let mut all = EvePosition::ALL.into_iter();
        all.find(|position| position.name() == name)
    },
    known: &["alices-door", "bobs-door", "as-needed"],
};

/// Reads the whole document.
pub(super) fn eve(root: &Section<'_>) -> Result<EveConfig, ConfigError> {
    let node = root.section("node", &["name"])?;
    let quantum = root.section("quantum", &["listen", "peer"])?;
    let services = root.section("services", &["listen"])?;
    let attack = root.section("eve", &["attack", "position"])?;
    let channel = root.section_if_present("channel", &["distance_km", "attenuation_db_per_km"])?;
    let fibre = match channel {
        Some(channel) => EveFibre {
            distance_km: channel
                .optional("distance_km", &rules::DISTANCE_KM)?
                .unwrap_or(0.0),
            attenuation_db_per_km: attenuation(&channel)?,
        },
        None => EveFibre {
            distance_km: 0.0,
            attenuation_db_per_km: 0.2,
        },
    };
    Ok(EveConfig {
        name: node.required("name", &rules::NODE_NAME)?,
        quantum_listen: quantum.required("listen", &rules::LISTEN)?,
        quantum_peer: quantum.required("peer", &rules::PEER)?,
        services_listen: services.required("listen", &rules::LISTEN)?,
        metrics_listen: listen_of(root, "metrics")?,
        tls: tls(root)?,
        attack: attack.required("attack", &rules::ATTACK)?,
        position: attack.optional("position", &POSITION)?.unwrap_or_default(),
        fibre,
    })
}
