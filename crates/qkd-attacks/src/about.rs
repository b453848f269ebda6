//! What there is to say of an attack before it runs: one text for the manual, for `qkd attack list`
//! and for the tour of the laboratory.

use qkd_optics::Monitor;

/// An attack in words. Names and parameters stand beside it: [`KNOWN`](crate::KNOWN),
/// [`parameters_of`](crate::parameters_of).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What she does: one sentence.
    pub summary: &'static str,
    /// What is behind it: two sentences for a class.
    pub lesson: &'static str,
    /// What each parameter is when nobody says it, in the order of
    /// [`parameters_of`](crate::parameters_of).
    pub defaults: &'static [&'static str],
    /// Where she has to stand.
    pub site: Site,
    /// What she learns by theory.
    pub gain: &'static str,
    /// The monitors that can see it, the surest first; none for what shows nothing, and for what no
    /// monitor is needed for.
    pub monitors: &'static [Monitor],
    /// How it ends.
    pub verdict: Verdict,
}

/// Where Eve stands, and by what way her light gets to Bob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// At Bob's door: all of the fibre's loss lies before her.
    BobsDoor,
    /// At Alice's door: all of it lies behind her.
    AlicesDoor,
    /// At Alice's door, with a line of her own to Bob that loses nothing in place of the fibre.
    LosslessLine,
}

impl Site {
    /// Its name, as services and programs write it.
    pub fn name(self) -> &'static str {
        match self {
            Site::BobsDoor => "bobs-door",
            Site::AlicesDoor => "alices-door",
            Site::LosslessLine => "lossless-line",
        }
    }

    /// The same for people: completes "she stands …".
    pub fn words(self) -> &'static str {
        match self {
            Site::BobsDoor => "at Bob's door",
            Site::AlicesDoor => "at Alice's door",
            Site::LosslessLine => "at Alice's door, with a lossless line to Bob",
        }
    }
}

/// How an attack ends on a link that watches what it can. Each completes its own name: "caught by …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Something sees it, and no key comes out.
    Caught(&'static str),
    /// What she may have learnt is in the key length, or is nothing.
    Bounded(&'static str),
    /// Nothing sees it: only other hardware helps.
    Open(&'static str),
}

impl Verdict {
    /// `caught`, `bounded` or `open`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Caught(_) => "caught",
            Verdict::Bounded(_) => "bounded",
            Verdict::Open(_) => "open",
        }
    }

    /// What catches or bounds it, or what would help.
    pub fn by(self) -> &'static str {
        match self {
            Verdict::Caught(by) | Verdict::Bounded(by) | Verdict::Open(by) => by,
        }
    }

    /// The verdict in words.
    pub fn sentence(self) -> String {
        match self {
            Verdict::Caught(by) => format!("caught by {by}"),
            Verdict::Bounded(by) => format!("bounded: {by}"),
            Verdict::Open(by) => format!("not caught: {by}"),
        }
    }
}
