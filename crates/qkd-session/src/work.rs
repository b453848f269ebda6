//! Steps of blocks as values, for whoever has threads to run them on.

use crate::alice::AliceBlock;
use crate::blocks::{Step, Stepped};
use crate::bob::BobBlock;

/// One step of one block. It needs no other block and no peer, and owns its block while it runs:
/// run it on any thread, and give what it returns back to the engine that it came from.
///
/// Steps may run at the same time and end in any order. Of that a block knows one thing: when it
/// begins at Bob, he expects the error rate of the latest block that is verified by then, and plans
/// the parities for it. Nothing else that a block says or becomes depends on other blocks. Steps
/// should be begun about in the order in which the engine gave them out, or old blocks wait for new
/// ones. A step that is never given back leaves its block in flight.
///
/// ```compile_fail
/// fn print(work: qkd_session::Work) { println!("{work:?}"); }
/// ```
/// ```compile_fail
/// fn copy(work: &qkd_session::Work) -> qkd_session::Work { work.clone() }
/// ```
pub struct Work(Job);

enum Job {
    Alice(Step<AliceBlock>),
    Bob(Step<BobBlock>),
}

/// A block that has done its step, with what it wants done, or why it broke down. Opaque: an input
/// of the engine that the [`Work`] came from.
pub struct Worked(Done);

enum Done {
    Alice(Stepped<AliceBlock>),
    Bob(Stepped<BobBlock>),
}

impl Work {
    /// Number of its block.
    pub fn block(&self) -> u64 {
        match &self.0 {
            Job::Alice(step) => step.block(),
            Job::Bob(step) => step.block(),
        }
    }

    /// Whether it is over sooner than handing it to another thread takes (about 20 µs): few bits,
    /// or few parities for which nobody goes through the whole key. An estimate from what is public.
    pub fn is_short(&self) -> bool {
        match &self.0 {
            Job::Alice(step) => step.is_short(),
            Job::Bob(step) => step.is_short(),
        }
    }

    /// Does it.
    pub fn run(self) -> Worked {
        Worked(match self.0 {
            Job::Alice(step) => Done::Alice(step.run()),
            Job::Bob(step) => Done::Bob(step.run()),
        })
    }
}

impl Worked {
    /// The block, if it is one of Alice's.
    pub(crate) fn alices(self) -> Option<Stepped<AliceBlock>> {
        match self.0 {
            Done::Alice(stepped) => Some(stepped),
            Done::Bob(_) => None,
        }
    }

    /// The block, if it is one of Bob's.
    pub(crate) fn bobs(self) -> Option<Stepped<BobBlock>> {
        match self.0 {
            Done::Bob(stepped) => Some(stepped),
            Done::Alice(_) => None,
        }
    }
}

impl From<Step<AliceBlock>> for Work {
    fn from(step: Step<AliceBlock>) -> Self {
        Self(Job::Alice(step))
    }
}

impl From<Step<BobBlock>> for Work {
    fn from(step: Step<BobBlock>) -> Self {
        Self(Job::Bob(step))
    }
}
