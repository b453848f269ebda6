//! `[monitors]`: what an alarm does to a block.

use qkd_session::{Action, Actions, Monitor};

use super::*;
use crate::config::MonitorsConfig;

fn monitors(text: &str) -> MonitorsConfig {
    match parse(text, Role::Bob).unwrap_or_else(|error| panic!("{error}")) {
        NodeConfig::Bob(bob) => bob.link.monitors,
        NodeConfig::Alice(_) | NodeConfig::Eve(_) => panic!("another role"),
    }
}

fn with(lines: &str) -> String {
    format!("{}\n[monitors]\n{lines}\n", bob_text())
}

#[test]
fn monitors_stop_unless_the_section_says_something_else() {
    assert_eq!(monitors(&bob_text()), MonitorsConfig::default());
    assert_eq!(
        monitors(&bob_text()).actions.of(Monitor::InputPower),
        Action::Stop
    );
    let text = with(
        "double_clicks = \"report\"\nraw_key_bias = \"off\"\nrandom_numbers = \"report\"\nfalse_alarm_probability = 1e-6",
    );
    let unchanged = with("random_numbers = \"stop\"\nbackward_light = \"stop\"");
    assert_eq!(monitors(&unchanged), MonitorsConfig::default());
    let expected = MonitorsConfig {
        actions: Actions::default()
            .with(Monitor::DoubleClicks, Action::Report)
            .with(Monitor::RawKeyBias, Action::Off)
            .with(Monitor::RandomNumbers, Action::Report),
        false_alarm_probability: 1e-6,
    };
    assert_eq!(monitors(&text), expected);
    let read = parse(&text, Role::Bob).unwrap();
    assert_eq!(parse(&read.to_toml(), Role::Bob).unwrap(), read);
}

#[test]
fn monitors_and_actions_that_there_are_not_are_refused_where_they_stand() {
    for (line, key, expected) in [
        (
            "double_click = \"stop\"",
            "monitors.double_click",
            "did you mean `double_clicks`?",
        ),
        (
            "double_clicks = \"stopp\"",
            "monitors.double_clicks",
            "did you mean `stop`?",
        ),
        (
            "false_alarm_probability = 0",
            "monitors.false_alarm_probability",
            "from 1e-15 to 0.001",
        ),
    ] {
        let said = parse(&with(line), Role::Bob).unwrap_err().to_string();
        assert!(said.contains(key) && said.contains(expected), "{said}");
    }
}
