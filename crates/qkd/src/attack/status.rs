//! What Eve does, has done, and how fast: two looks at her, some time apart.

use std::time::Instant;

use qkd_wire::proto::eve::{GetTallyRequest, Tally};
use serde::Serialize;

use super::args::AttackStatusArgs;
use super::{Error, Eve, RunningAttack};
use crate::client::within;
use crate::words::{grouped, metric};

/// The state; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct State {
    #[serde(flatten)]
    running: RunningAttack,
    /// Pulses with light that came by since she started.
    pulses_seen: u64,
    /// Those that she measured.
    intercepted: u64,
    /// Pulses that she sent in their place.
    resent: u64,
    /// What she does to Alice's laboratory, in words; `null` for nothing.
    towards_alice: Option<String>,
    /// Photons that came back out of it.
    returned_photons: u64,
    /// Photons of Bob's detectors that she caught.
    caught_photons: u64,
    /// Datagrams that passed.
    frames_forwarded: u64,
    /// Datagrams that were no frames and went no further.
    frames_corrupt: u64,
    /// Time between the two looks, s.
    interval_seconds: f64,
    /// What came in a second of it.
    per_second: Rates,
}

/// How fast it goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Rates {
    pulses_seen: f64,
    intercepted: f64,
    resent: f64,
    returned_photons: f64,
    caught_photons: f64,
    frames_forwarded: f64,
}

/// Looks twice.
pub async fn status(eve: &mut Eve, args: &AttackStatusArgs) -> Result<String, Error> {
    let before = tally(eve).await?;
    let began = Instant::now();
    tokio::time::sleep(args.interval).await;
    let running = eve.get().await?;
    let now = tally(eve).await?;
    let state = State::between(running, &before, &now, began.elapsed().as_secs_f64());
    Ok(match args.json {
        // Every field is a number or a text: none of them can be refused.
        true => serde_json::to_string(&state).unwrap_or_default(),
        false => state.lines().join("\n"),
    })
}

async fn tally(eve: &mut Eve) -> Result<Tally, Error> {
    let asked = within(eve.client.get_tally(GetTallyRequest {})).await;
    asked.map_err(|status| eve.failed("ask what she did", status))
}

impl State {
    fn between(running: RunningAttack, before: &Tally, now: &Tally, seconds: f64) -> Self {
        let rate = |of: fn(&Tally) -> u64| {
            // One that was started anew in between begins at zero.
            of(now).saturating_sub(of(before)) as f64 / seconds
        };
        Self {
            running,
            pulses_seen: now.pulses_seen,
            intercepted: now.intercepted,
            resent: now.resent,
            towards_alice: Some(now.towards_alice.clone()).filter(|words| !words.is_empty()),
            returned_photons: now.returned_photons,
            caught_photons: now.caught_photons,
            frames_forwarded: now.frames_forwarded,
            frames_corrupt: now.frames_corrupt,
            interval_seconds: seconds,
            per_second: Rates {
                pulses_seen: rate(|tally| tally.pulses_seen),
                intercepted: rate(|tally| tally.intercepted),
                resent: rate(|tally| tally.resent),
                returned_photons: rate(|tally| tally.returned_photons),
                caught_photons: rate(|tally| tally.caught_photons),
                frames_forwarded: rate(|tally| tally.frames_forwarded),
            },
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |label: &str, count: u64, what: &str, rate: f64| {
            let rate = metric(rate, "/s");
            format!("  {label:<9} {} {what} ({rate})", grouped(count))
        };
        let rates = self.per_second;
        let mut lines = vec![
            self.running.headline(),
            line(
                "seen",
                self.pulses_seen,
                "pulses with light",
                rates.pulses_seen,
            ),
            line(
                "measured",
                self.intercepted,
                "of them, or kept",
                rates.intercepted,
            ),
            line("sent", self.resent, "in their place", rates.resent),
            line(
                "frames",
                self.frames_forwarded,
                "passed on",
                rates.frames_forwarded,
            ),
        ];
        if let Some(words) = &self.towards_alice {
            lines.push(format!("  shines    she {words}"));
        }
        if self.caught_photons > 0 {
            let of = "photons of Bob's detectors";
            lines.push(line(
                "caught",
                self.caught_photons,
                of,
                rates.caught_photons,
            ));
        }
        match (self.returned_photons, &self.towards_alice) {
            (0, None) => {}
            (0, Some(_)) => lines.push("  returned  nothing has come back".to_owned()),
            (photons, _) => {
                let rate = rates.returned_photons;
                lines.push(line("returned", photons, "photons came back", rate));
            }
        }
        if self.frames_corrupt > 0 {
            let corrupt = grouped(self.frames_corrupt);
            lines.push(format!(
                "  corrupt   {corrupt} datagrams that were no frames"
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_between_the_two_looks() {
        let running = RunningAttack {
            node: "eve".to_owned(),
            attack: "passive".to_owned(),
            spec: "passive".to_owned(),
            site: None,
        };
        let before = Tally {
            pulses_seen: 1_000_000,
            frames_forwarded: 100,
            ..Tally::default()
        };
        let now = Tally {
            pulses_seen: 9_000_000,
            frames_forwarded: 500,
            ..Tally::default()
        };
        let state = State::between(running, &before, &now, 2.0);
        let said = state.lines().join("\n");
        assert!(
            said.contains("9,000,000 pulses with light (4.00 M/s)"),
            "{said}"
        );
        assert!(said.contains("500 passed on (200/s)"), "{said}");
        assert!(!said.contains("corrupt"), "{said}");
        assert!(
            !said.contains("shines") && !said.contains("returned"),
            "{said}"
        );
    }

    #[test]
    fn light_that_she_shines_in_is_told_with_what_comes_back_of_it() {
        let said = |before: u64, now: u64| {
            let running = RunningAttack {
                node: "eve".to_owned(),
                attack: "trojan-horse".to_owned(),
                spec: "trojan-horse".to_owned(),
                site: None,
            };
            let tally = |returned_photons| Tally {
                towards_alice: "shines light into Alice's laboratory".to_owned(),
                returned_photons,
                ..Tally::default()
            };
            State::between(running, &tally(before), &tally(now), 2.0)
                .lines()
                .join("\n")
        };
        let nothing = said(0, 0);
        assert!(nothing.contains("she shines light into"), "{nothing}");
        assert!(nothing.contains("nothing has come back"), "{nothing}");
        let some = said(1_000, 3_000);
        assert!(
            some.contains("3,000 photons came back (1.00 k/s)"),
            "{some}"
        );
    }
}
