//! Points at which a daemon kills itself, to show what a crash leaves behind.
//!
//! A point is a durable change of the key store ([`Step`]) or of the mailboxes ([`MailStep`]), a moment
//! around it, and how often it has come by. Points are armed by `[debug] fail_points`, which only a development build reads. Nothing
//! here changes what is stored or said: the process is gone, or stands still until somebody lets it
//! go on.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use qkd_keystore::Step;
use rustix::process::{Signal, getpid, kill_process};

/// A process that stopped itself does nothing more for so long after it was told to go on. The
/// signal that stops it is delivered much sooner.
const STOPPED_FOR: Duration = Duration::from_millis(50);

/// One kind of durable change of the mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailStep {
    /// A message is in its receiver's mailbox.
    Take,
    /// Messages that their receiver has are forgotten.
    Acknowledge,
}

impl MailStep {
    /// All of them.
    pub const ALL: [MailStep; 2] = [MailStep::Take, MailStep::Acknowledge];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            MailStep::Take => "mail-take",
            MailStep::Acknowledge => "mail-acknowledge",
        }
    }
}

/// One kind of durable change of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Of the key store.
    Keys(Step),
    /// Of the mailboxes.
    Mail(MailStep),
}

impl Change {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Change> {
        let mail = MailStep::ALL.into_iter().map(Change::Mail);
        Step::all().map(Change::Keys).chain(mail)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Change::Keys(step) => step.name(),
            Change::Mail(step) => step.name(),
        }
    }
}

impl From<Step> for Change {
    fn from(step: Step) -> Self {
        Change::Keys(step)
    }
}

impl From<MailStep> for Change {
    fn from(step: MailStep) -> Self {
        Change::Mail(step)
    }
}

/// When, seen from the durable commit that holds a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Nothing of it is durable.
    Before,
    /// It is durable, and nobody was told.
    After,
    /// The peer's link and the applications were told; what they were told may be on its way.
    Said,
}

impl Moment {
    /// All of them, in order.
    pub const ALL: [Moment; 3] = [Moment::Before, Moment::After, Moment::Said];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Moment::Before => "before",
            Moment::After => "after",
            Moment::Said => "said",
        }
    }
}

/// What the process does to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It dies by SIGKILL.
    Kill,
    /// It stops by SIGSTOP, so that somebody can kill others meanwhile.
    Stop,
    /// The thread of the store panics.
    Panic,
    /// A bit of the newest block in the store is altered in memory, as a fault of it would.
    Alter,
}

/// One point, such as `decide:after:3`: the third time that a decision is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailPoint {
    /// The durable change.
    pub step: Change,
    /// When.
    pub moment: Moment,
    /// Which time it comes by, from 1.
    pub nth: u64,
    /// What happens then.
    pub action: Action,
}

impl fmt::Display for FailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, moment) = (self.step.name(), self.moment.name());
        write!(f, "{step}:{moment}:{}", self.nth)?;
        match self.action {
            Action::Kill => Ok(()),
            Action::Stop => f.write_str(":stop"),
            Action::Panic => f.write_str(":panic"),
            Action::Alter => f.write_str(":alter"),
        }
    }
}

/// Text that is no fail-point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fail-point is step:moment:n, such as decide:after:3")]
pub struct NotAFailPoint;

impl FromStr for FailPoint {
    type Err = NotAFailPoint;

    fn from_str(text: &str) -> Result<Self, NotAFailPoint> {
        let mut words = text.split(':');
        let mut word = || words.next().ok_or(NotAFailPoint);
        let step = word()?;
        let step = Change::all().find(|one| one.name() == step);
        let moment = word()?;
        let moment = Moment::ALL.into_iter().find(|one| one.name() == moment);
        let nth: u64 = word()?.parse().map_err(|_| NotAFailPoint)?;
        let action = match words.next() {
            None => Action::Kill,
            Some("stop") => Action::Stop,
            Some("panic") => Action::Panic,
            Some("alter") => Action::Alter,
            Some(_) => return Err(NotAFailPoint),
        };
        if nth == 0 || words.next().is_some() {
            return Err(NotAFailPoint);
        }
        Ok(Self {
            step: step.ok_or(NotAFailPoint)?,
            moment: moment.ok_or(NotAFailPoint)?,
            nth,
            action,
        })
    }
}

/// The points of this process that have not struck.
#[derive(Debug, Default)]
pub struct FailPoints {
    /// Each with the times that it has still to come by.
    armed: Vec<(FailPoint, u64)>,
}

impl FailPoints {
    /// Arms those of `points` that are of the key store, and those that are of the mailboxes: each has a
    /// thread of its own.
    pub fn arm(points: &[FailPoint]) -> (Self, Self) {
        for point in points {
            tracing::warn!(%point, "[debug] fail_points is set: this process will kill itself");
        }
        let armed = points.iter().map(|point| (*point, point.nth));
        let (keys, mail) = armed.partition(|(point, _)| match point.step {
            Change::Keys(_) => true,
            Change::Mail(_) => false,
        });
        (Self { armed: keys }, Self { armed: mail })
    }

    /// Whether nothing will ever happen.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// These steps come by. Returns when no point strikes, or when a process that was stopped may go
    /// on; true when a key is to be altered.
    pub fn reach<S: Copy + Into<Change>>(&mut self, moment: Moment, steps: &[S]) -> bool {
        let mut alters = false;
        let mut struck = self.struck(moment, steps);
        while let Some(point) = struck {
            strike(point);
            alters |= point.action == Action::Alter;
            // Several may be due at once; the steps are counted.
            struck = self.struck::<S>(moment, &[]);
        }
        alters
    }

    /// Counts these steps down; a point that is due is disarmed and returned.
    fn struck<S: Copy + Into<Change>>(&mut self, moment: Moment, steps: &[S]) -> Option<FailPoint> {
        let mut due = None;
        for (index, (point, left)) in self.armed.iter_mut().enumerate() {
            if point.moment != moment {
                continue;
            }
            let times = steps.iter().filter(|step| (**step).into() == point.step);
            let times = times.count() as u64;
            *left = left.saturating_sub(times);
            if *left == 0 {
                due = due.or(Some(index));
            }
        }
        due.map(|index| self.armed.swap_remove(index).0)
    }
}

fn strike(point: FailPoint) {
    // On standard error whatever is logged: whoever set the point looks for it.
    eprintln!("fail-point {point}");
    let signal = match point.action {
        Action::Kill => Signal::KILL,
        Action::Stop => Signal::STOP,
        Action::Panic => panic!("fail-point {point}"),
        Action::Alter => return,
    };
    if let Err(error) = kill_process(getpid(), signal) {
        tracing::error!(%error, "a fail-point cannot signal its own process");
    }
    std::thread::sleep(STOPPED_FOR);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STEPS: [Step; 3] = [Step::Assign, Step::Decide, Step::Assign];

    fn points(texts: &[&str]) -> FailPoints {
        let points: Vec<FailPoint> = texts.iter().map(|text| text.parse().unwrap()).collect();
        FailPoints::arm(&points).0
    }

    #[test]
    fn a_point_reads_back_as_it_is_written_and_nothing_else_is_one() {
        for text in [
            "decide:after:3",
            "boot:before:1",
            "take:said:2:stop",
            "void:after:1:panic",
            "commit:after:1:alter",
            "mail-take:before:2",
            "mail-acknowledge:said:1:stop",
        ] {
            assert_eq!(text.parse::<FailPoint>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "decide",
            "decide:after",
            "decide:later:1",
            "decided:after:1",
            "decide:after:0",
            "decide:after:-1",
            "decide:after:1:wait",
            "decide:after:1:stop:",
        ] {
            assert_eq!(text.parse::<FailPoint>(), Err(NotAFailPoint), "{text:?}");
        }
    }

    #[test]
    fn every_change_has_a_name_of_its_own_and_its_points_go_to_its_own_thread() {
        let names: BTreeSet<&str> = Change::all().map(Change::name).collect();
        assert_eq!(names.len(), Change::all().count());
        let texts = ["decide:after:1", "mail-take:after:1"];
        let parsed = texts.map(|text| text.parse::<FailPoint>().unwrap());
        let (mut keys, mut mail) = FailPoints::arm(&parsed);
        let taken = [MailStep::Take];
        assert_eq!(keys.struck(Moment::After, &taken), None);
        assert_eq!(mail.struck(Moment::After, &taken), Some(parsed[1]));
        assert_eq!(keys.struck(Moment::After, &STEPS), Some(parsed[0]));
    }

    #[test]
    fn a_point_strikes_once_when_its_step_has_come_by_often_enough() {
        let mut points = points(&["assign:after:3"]);
        assert_eq!(points.struck(Moment::Before, &STEPS), None);
        assert_eq!(points.struck(Moment::After, &STEPS), None);
        let struck = points.struck(Moment::After, &STEPS).unwrap();
        assert_eq!(struck.step, Step::Assign.into());
        assert_eq!(points.struck(Moment::After, &STEPS), None);
        assert!(points.is_empty());
    }

    #[test]
    fn two_points_of_one_commit_strike_one_after_the_other() {
        let mut points = points(&["assign:after:1", "decide:after:1:stop"]);
        let first = points.struck(Moment::After, &STEPS).unwrap();
        assert_eq!(first.step, Step::Assign.into());
        // The second one is due already: nothing more has to come by.
        let second = points.struck::<Step>(Moment::After, &[]).unwrap();
        assert_eq!(second.action, Action::Stop);
    }
}
