//! The blocks of one engine: each at home or away at work, with an inbox for what comes meanwhile.
//!
//! Blocks share nothing, so that their steps may run at the same time and end in any order. What
//! they say first, though, goes out in the order in which they began: the ranges of slots that Bob
//! announces rise, and Alice's transmitter forgets everything before the end of a recalled block.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use qkd_protocols::Protocol;

use crate::{Error, Monitors, SessionId};

/// What all blocks of a session have in common.
pub(crate) struct Context {
    pub(crate) session: SessionId,
    pub(crate) protocol: Box<dyn Protocol>,
    /// What watches the blocks; nothing where nobody asked for it.
    pub(crate) monitors: Option<Monitors>,
}

impl Context {
    pub(crate) fn new(session: SessionId, protocol: Box<dyn Protocol>) -> Self {
        Self {
            session,
            protocol,
            monitors: None,
        }
    }
}

/// One role's block: a state machine that needs no other block.
pub(crate) trait Block: Send {
    /// What it is told.
    type Input: Send;
    /// What it wants done.
    type Output: Send;

    fn number(&self) -> u64;
    fn context(&self) -> &Arc<Context>;

    /// Takes one input, or none when its state [goes on](Self::goes_on) by itself.
    fn take(
        &mut self,
        input: Option<Self::Input>,
        out: &mut Vec<Self::Output>,
    ) -> Result<(), Error>;

    /// Whether its state has work to do before it can be told anything.
    fn goes_on(&self) -> bool;

    /// Whether that step takes less time than handing it to another thread.
    fn is_short(&self, input: Option<&Self::Input>) -> bool;

    /// Whether its first words are still to be said.
    fn is_opening(&self) -> bool;

    /// Whether the peer may take it for ended already.
    fn is_over_for_peer(&self) -> bool;

    /// Whether the peer takes the block for ended once it has said this.
    fn is_last_word(input: &Self::Input) -> bool;

    fn has_ended(&self) -> bool;

    /// Whether this is still to be done when the block ended before its first words could go out.
    fn outlives_its_block(output: &Self::Output) -> bool;
}

/// A block on its way to a thread, with what it is told there.
pub(crate) struct Step<B: Block> {
    block: Box<B>,
    input: Option<B::Input>,
}

/// A block on its way back.
pub(crate) struct Stepped<B: Block> {
    block: Box<B>,
    outputs: Vec<B::Output>,
    fault: Option<Error>,
}

impl<B: Block> Step<B> {
    pub(crate) fn block(&self) -> u64 {
        self.block.number()
    }

    pub(crate) fn is_short(&self) -> bool {
        self.block.is_short(self.input.as_ref())
    }

    pub(crate) fn run(self) -> Stepped<B> {
        let Self { mut block, input } = self;
        let mut outputs = Vec::new();
        let fault = block.take(input, &mut outputs).err();
        Stepped {
            block,
            outputs,
            fault,
        }
    }
}

impl<B: Block> Stepped<B> {
    pub(crate) fn number(&self) -> u64 {
        self.block.number()
    }

    pub(crate) fn block(&self) -> &B {
        &self.block
    }
}

/// The blocks under way, by number.
pub(crate) struct Blocks<B: Block> {
    context: Arc<Context>,
    places: BTreeMap<u64, Place<B>>,
    begun: u64,
    /// Blocks below this one have said their first words, or never will.
    opened: u64,
}

/// Where a block lives.
struct Place<B: Block> {
    /// `None` while it is away.
    home: Option<Box<B>>,
    inbox: VecDeque<B::Input>,
    inbox_max: usize,
    is_opening: bool,
    is_over_for_peer: bool,
    /// What it wants done once the blocks before it have opened.
    held: Vec<B::Output>,
}

impl<B: Block> Blocks<B> {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
            places: BTreeMap::new(),
            begun: 0,
            opened: 0,
        }
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The same with `monitors` that watch every block, while none has begun.
    pub(crate) fn watched(mut self, monitors: Monitors) -> Self {
        // Only blocks share the context, and there is none yet.
        if let Some(context) = Arc::get_mut(&mut self.context) {
            context.monitors = Some(monitors);
        }
        self
    }

    /// Number of the next block to begin: blocks are numbered from zero, without a gap.
    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// Blocks under way.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Blocks under way that the peer may take for ended.
    pub(crate) fn over_for_peer(&self) -> usize {
        let over = |place: &&Place<B>| place.is_over_for_peer;
        self.places.values().filter(over).count()
    }

    /// The first block that can go on only when it is told something, and has been told nothing.
    pub(crate) fn first_waiting(&self) -> Option<u64> {
        let waits = |place: &Place<B>| {
            let home = place.home.as_ref();
            place.inbox.is_empty() && home.is_some_and(|block| !block.goes_on())
        };
        let mut waiting = self.places.iter().filter(|(_, place)| waits(place));
        waiting.next().map(|(&number, _)| number)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.places.contains_key(&number)
    }

    /// Whether the first words of that block are out.
    pub(crate) fn has_opened(&self, number: u64) -> bool {
        number < self.opened
    }

    /// Blocks that have not said their first words.
    pub(crate) fn unopened(&self) -> u64 {
        self.begun - self.opened
    }

    /// Takes the next block in. The peer can have at most `inbox_max` messages about it under way.
    pub(crate) fn begin(&mut self, block: B, inbox_max: usize) {
        let number = self.begun;
        self.begun += 1;
        let place = Place {
            is_opening: block.is_opening(),
            is_over_for_peer: block.is_over_for_peer(),
            home: Some(Box::new(block)),
            inbox: VecDeque::new(),
            inbox_max,
            held: Vec::new(),
        };
        self.places.insert(number, place);
    }

    /// Puts `input` into the inbox of a block; false, and nothing done, when it has ended.
    pub(crate) fn tell(&mut self, number: u64, input: B::Input) -> Result<bool, Error> {
        let Some(place) = self.places.get_mut(&number) else {
            return Ok(false);
        };
        if place.inbox.len() >= place.inbox_max {
            return Err(Error::contradiction(
                number,
                "number of unanswered messages",
                place.inbox.len() + 1,
                format!("at most {}", place.inbox_max),
            ));
        }
        place.is_over_for_peer |= B::is_last_word(&input);
        place.inbox.push_back(input);
        Ok(true)
    }

    /// Sends a block off to its next step, if it is at home and has one to do.
    pub(crate) fn set_off(&mut self, number: u64) -> Option<Step<B>> {
        let place = self.places.get_mut(&number)?;
        let goes_on = place.home.as_ref()?.goes_on();
        let input = if goes_on {
            None
        } else {
            Some(place.inbox.pop_front()?)
        };
        let block = place.home.take()?;
        Some(Step { block, input })
    }

    /// Takes a block back in. What it wants done goes to `out`, unless blocks before it have not
    /// opened.
    pub(crate) fn take_back(
        &mut self,
        stepped: Stepped<B>,
        out: &mut Vec<B::Output>,
    ) -> Result<(), Error> {
        let Stepped {
            block,
            mut outputs,
            fault,
        } = stepped;
        let number = block.number();
        let ours = Arc::ptr_eq(block.context(), &self.context);
        let expected = |place: &&mut Place<B>| ours && place.home.is_none();
        let Some(place) = self.places.get_mut(&number).filter(expected) else {
            return Err(Error::Misuse {
                block: number,
                input: "a step that it did not set off to",
            });
        };
        if let Some(fault) = fault {
            self.places.remove(&number);
            return Err(fault);
        }
        place.is_opening = block.is_opening();
        place.is_over_for_peer |= block.is_over_for_peer();
        place.held.append(&mut outputs);
        if block.has_ended() {
            let held = std::mem::take(&mut place.held);
            self.places.remove(&number);
            let in_time = number <= self.opened;
            out.extend(
                held.into_iter()
                    .filter(|output| in_time || B::outlives_its_block(output)),
            );
            return Ok(());
        }
        if number < self.opened {
            out.append(&mut place.held);
        }
        place.home = Some(block);
        Ok(())
    }

    /// Lets blocks say their first words, in order, as far as they have them.
    pub(crate) fn open(&mut self, out: &mut Vec<B::Output>) {
        while self.opened < self.begun {
            match self.places.get_mut(&self.opened) {
                Some(place) if place.is_opening => return,
                Some(place) => out.append(&mut place.held),
                // It ended before it said anything.
                None => {}
            }
            self.opened += 1;
        }
    }
}
