//! Which points there are: every step, at every moment, with every victim.

use std::fmt;

use qkd_bits::PhysicsRng;
use qkd_keystore::{Side, Step};
use qkd_node::fail_point::{Action, Change, FailPoint, MailStep, Moment};

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Alice,
    Bob,
    Both,
}

pub const VICTIMS: [Victim; 3] = [Victim::Alice, Victim::Bob, Victim::Both];

impl Victim {
    pub fn of(side: Side) -> Self {
        match side {
            Side::Alice => Victim::Alice,
            Side::Bob => Victim::Bob,
        }
    }

    pub fn includes(self, side: Side) -> bool {
        self == Victim::Both || self == Victim::of(side)
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Victim::Alice => "Alice",
            Victim::Bob => "Bob",
            Victim::Both => "both",
        })
    }
}

/// Somebody is killed when a step comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub step: Change,
    pub moment: Moment,
    pub victim: Victim,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, moment) = (self.step.name(), self.moment.name());
        write!(f, "{step:<17}{moment:<7}{:<6}", self.victim)
    }
}

/// Steps that are no part of the campaign: keys expire by time alone, and copies differ or histories
/// contradict each other only when somebody touched a disk; other tests have these.
const LEFT_OUT: [Step; 3] = [Step::Expire, Step::Withdraw, Step::Quarantine];

impl Point {
    /// All points at these moments.
    pub fn all(moments: &[Moment]) -> Vec<Point> {
        let is_left_out = |step: &Change| LEFT_OUT.map(Change::from).contains(step);
        let steps = Change::all().filter(|step| !is_left_out(step));
        let points = steps.flat_map(|step| {
            moments.iter().flat_map(move |&moment| {
                VICTIMS.map(|victim| Point {
                    step,
                    moment,
                    victim,
                })
            })
        });
        points.filter(Point::is_possible).collect()
    }

    /// A daemon that is only being opened says nothing, and cannot be left standing meanwhile.
    fn is_possible(&self) -> bool {
        self.step != Step::Boot.into() || self.moment != Moment::Said
    }

    /// At whose step it is: the victim's own where it has such a step.
    pub fn side(&self, rng: &mut PhysicsRng) -> Side {
        let sides = match self.step {
            Change::Keys(step) => step.sides(),
            Change::Mail(_) => &[Side::Alice, Side::Bob][..],
        };
        match (sides, self.victim) {
            ([only], _) => *only,
            (_, Victim::Alice) => Side::Alice,
            (_, Victim::Bob) => Side::Bob,
            (_, Victim::Both) if rng.bit() => Side::Alice,
            (_, Victim::Both) => Side::Bob,
        }
    }

    /// What the daemon at `side` is told: to kill itself, or to stand still while the other is killed.
    pub fn fail_point(&self, side: Side, rng: &mut PhysicsRng) -> FailPoint {
        let times = match self.step {
            Change::Mail(MailStep::Take | MailStep::Acknowledge) => 3,
            Change::Keys(step) => times_of(step),
        };
        FailPoint {
            step: self.step,
            moment: self.moment,
            nth: 1 + rng.below(times),
            action: if self.victim.includes(side) {
                Action::Kill
            } else {
                Action::Stop
            },
        }
    }

    /// The direction that has to run dry for the step to come by at `side`.
    pub fn dry(&self, side: Side) -> Option<Side> {
        let Change::Keys(step) = self.step else {
            return None;
        };
        match step {
            Step::Give | Step::Given => Some(side.peer()),
            Step::Take => Some(side),
            Step::Boot
            | Step::Resume
            | Step::Reserve
            | Step::Release
            | Step::Prepare
            | Step::Decide
            | Step::Commit
            | Step::Acknowledge
            | Step::Discard
            | Step::Assign
            | Step::Accept
            | Step::Settle
            | Step::Void
            | Step::Drop
            | Step::Forget
            | Step::Tombstone
            | Step::Expire
            | Step::Compare
            | Step::Compared
            | Step::Withdraw
            | Step::Quarantine => None,
        }
    }
}

/// How often a step may come by before its point strikes.
fn times_of(step: Step) -> u64 {
    match step {
        Step::Prepare
        | Step::Decide
        | Step::Commit
        | Step::Acknowledge
        | Step::Assign
        | Step::Accept
        | Step::Settle
        | Step::Tombstone => 3,
        // Once in the life of a process or of a link, or seldom.
        Step::Boot
        | Step::Resume
        | Step::Reserve
        | Step::Release
        | Step::Discard
        | Step::Void
        | Step::Drop
        | Step::Forget
        | Step::Expire
        | Step::Compare
        | Step::Compared
        | Step::Withdraw
        | Step::Give
        | Step::Take
        | Step::Given
        | Step::Quarantine => 1,
    }
}
