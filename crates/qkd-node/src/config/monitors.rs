//! `[monitors]`: what happens when something that watches the link is not content.

use qkd_session::{Action, Actions, Monitor, Monitors};

use super::MonitorsConfig;
use super::document::{Rule, Section};
use super::place::ConfigError;
use super::rules::number;

const FALSE_ALARM_PROBABILITY: &str = "false_alarm_probability";

const ACTION: Rule<Action> = Rule {
    expected: "what becomes of a block on this alarm: \"stop\", \"report\" or \"off\"",
    read: |value| Action::by_name(value.as_str()?),
    known: &["stop", "report", "off"],
};

const PROBABILITY: Rule<f64> = Rule::new(
    "the probability of a false alarm, for each block and monitor, from 1e-15 to 0.001, such as 1e-9",
    |value| number(value).filter(|probability| (1e-15..=1e-3).contains(probability)),
);

impl Default for MonitorsConfig {
    fn default() -> Self {
        Self {
            actions: Actions::default(),
            false_alarm_probability: Monitors::FALSE_ALARM_PROBABILITY,
        }
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<MonitorsConfig, ConfigError> {
    let mut config = MonitorsConfig::default();
    let mut known = Monitor::ALL.map(Monitor::name).to_vec();
    known.push(FALSE_ALARM_PROBABILITY);
    let Some(section) = root.section_if_present("monitors", &known)? else {
        return Ok(config);
    };
    for monitor in Monitor::ALL {
        if let Some(action) = section.optional(monitor.name(), &ACTION)? {
            config.actions = config.actions.with(monitor, action);
        }
    }
    if let Some(probability) = section.optional(FALSE_ALARM_PROBABILITY, &PROBABILITY)? {
        config.false_alarm_probability = probability;
    }
    Ok(config)
}

/// Every key with its value.
pub(super) fn entries(config: &MonitorsConfig) -> Vec<(&'static str, String)> {
    let action = |monitor| format!("\"{}\"", config.actions.of(monitor).name());
    let mut entries = vec![(
        FALSE_ALARM_PROBABILITY,
        format!("{:?}", config.false_alarm_probability),
    )];
    entries.extend(Monitor::ALL.map(|monitor| (monitor.name(), action(monitor))));
    entries
}
