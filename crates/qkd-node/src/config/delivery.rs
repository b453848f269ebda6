//! `[delivery]` and `[[sae]]`: the applications, and how much each of them may take.

use std::num::NonZeroU32;

use qkd_delivery::SaeQuota;

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::rules::{self, integer, number};
use super::{DeliveryConfig, SaeConfig};

/// Keys of a quota, in `[delivery]` and in each `[[sae]]`.
const QUOTA_KEYS: [&str; 4] = [
    "keys_per_second_max",
    "keys_burst_max",
    "keys_per_day_max",
    "requests_open_max",
];

const KEYS_PER_SECOND: Rule<NonZeroU32> = Rule::new(
    "a whole number of keys per second from 1 to 1000000, such as 100",
    |value| count(integer(value)?, 1_000_000),
);

const KEYS_BURST: Rule<NonZeroU32> = Rule::new(
    "a whole number of keys from 1 to 1000000, such as 1024",
    |value| count(integer(value)?, 1_000_000),
);

const KEYS_PER_DAY: Rule<u64> = Rule::new(
    "a whole number of keys in 24 hours from 1 to 1000000000000, such as 1000000",
    |value| integer(value).filter(|keys| (1..=1_000_000_000_000).contains(keys)),
);

const REQUESTS_OPEN: Rule<NonZeroU32> = Rule::new(
    "a whole number of requests from 1 to 256, such as 64",
    |value| count(integer(value)?, 256),
);

const SHARE: Rule<f64> = Rule::new(
    "a part of store.key_count_max above 0 and up to 1, such as 0.5",
    |value| number(value).filter(|share| *share > 0.0 && *share <= 1.0),
);

fn count(number: u64, max: u32) -> Option<NonZeroU32> {
    let number = u32::try_from(number).ok().filter(|number| *number <= max);
    number.and_then(NonZeroU32::new)
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            quota: SaeQuota::default(),
            unfetched_share_max: 0.5,
        }
    }
}

pub(super) fn delivery(root: &Section<'_>) -> Result<DeliveryConfig, ConfigError> {
    let mut known = QUOTA_KEYS.to_vec();
    known.push("unfetched_share_max");
    let Some(section) = root.section_if_present("delivery", &known)? else {
        return Ok(DeliveryConfig::default());
    };
    let default = DeliveryConfig::default();
    let share = section.optional("unfetched_share_max", &SHARE)?;
    Ok(DeliveryConfig {
        quota: quota(&section, default.quota)?,
        unfetched_share_max: share.unwrap_or(default.unfetched_share_max),
    })
}

/// What a section says of a quota; the rest is as `usual`.
fn quota(section: &Section<'_>, usual: SaeQuota) -> Result<SaeQuota, ConfigError> {
    let rate = section.optional("keys_per_second_max", &KEYS_PER_SECOND)?;
    let burst = section.optional("keys_burst_max", &KEYS_BURST)?;
    let day = section.optional("keys_per_day_max", &KEYS_PER_DAY)?;
    let open = section.optional("requests_open_max", &REQUESTS_OPEN)?;
    Ok(SaeQuota {
        keys_per_second_max: rate.or(usual.keys_per_second_max),
        keys_burst_max: burst.unwrap_or(usual.keys_burst_max),
        keys_per_day_max: day.or(usual.keys_per_day_max),
        requests_open_max: open.map_or(usual.requests_open_max, NonZeroU32::get),
    })
}

pub(super) fn saes(
    root: &Section<'_>,
    (name, peer): (&str, &str),
    usual: SaeQuota,
) -> Result<Vec<SaeConfig>, ConfigError> {
    let mut known = vec!["id", "kme"];
    known.extend(QUOTA_KEYS);
    let mut saes: Vec<SaeConfig> = Vec::new();
    for section in root.tables("sae", &known)? {
        let id = section.required("id", &rules::SAE_ID)?;
        let kme = section.required("kme", &rules::NODE_NAME)?;
        if kme != name && kme != peer {
            return Err(section.refuse("kme", format!("\"{name}\" or \"{peer}\", as in [node]")));
        }
        if saes.iter().any(|sae| sae.id == id) {
            return Err(section.refuse("id", "an identity that no other [[sae]] has"));
        }
        if let Some(key) = QUOTA_KEYS
            .iter()
            .find(|key| kme != name && section.has(key))
        {
            let reason = format!("its requests come to {kme}, whose configuration limits them");
            return Err(section.contradict(key, &reason));
        }
        let quota = quota(&section, usual)?;
        saes.push(SaeConfig {
            id,
            kme,
            quota: (quota != usual).then_some(quota),
        });
    }
    Ok(saes)
}

/// The keys of `quota` that differ from what is `usual`.
pub(super) fn entries(quota: SaeQuota, usual: SaeQuota) -> Vec<(&'static str, String)> {
    let values = |quota: SaeQuota| {
        [
            quota.keys_per_second_max.map(|rate| rate.to_string()),
            Some(quota.keys_burst_max.to_string()),
            quota.keys_per_day_max.map(|keys| keys.to_string()),
            Some(quota.requests_open_max.to_string()),
        ]
    };
    let pairs = values(quota).into_iter().zip(values(usual));
    let differing = QUOTA_KEYS.into_iter().zip(pairs);
    differing
        .filter_map(|(key, (own, other))| (own != other).then_some((key, own?)))
        .collect()
}
