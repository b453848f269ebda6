//! What Eve knows, and what she makes of it when the bases are public.

use std::collections::VecDeque;

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, KeptPhotons};

/// Eve's notes, by slot. They are kept only once somebody has [opened](Self::open) the book: a
/// simulation, to let her score herself. A daemon never does, and remembers nothing.
#[derive(Default)]
pub struct Notebook {
    is_open: bool,
    /// By ascending slot.
    notes: VecDeque<(u64, Note)>,
}

/// What she noted of one slot.
pub(crate) enum Note {
    /// Measured in this basis: nothing is known if that was the wrong one.
    Measured { basis: Basis, bit: bool },
    /// Measured in no basis of theirs, or nudged: this bit is likelier, whatever the basis.
    Likely { bit: bool },
    /// Known, whatever the basis.
    Seen { bit: bool },
    /// Photons that wait for the basis.
    Kept(KeptPhotons),
    /// Asked already.
    Used,
}

/// What Alice and Bob have said in public of a slot in which both used the same basis. It holds no
/// bit of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Absolute slot.
    pub slot: u64,
    /// Their basis.
    pub basis: Basis,
}

/// How sure she is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As sure as her instruments.
    Known,
    /// The bit is likelier than the other.
    Likely,
}

/// What she says a bit of the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guess {
    /// The bit.
    pub bit: bool,
    /// How sure she is.
    pub grade: Grade,
}

impl Notebook {
    /// Keeps notes from now on.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// Notes are made in the order of their slots.
    pub(crate) fn write(&mut self, slot: u64, note: Note) {
        if self.is_open {
            self.notes.push_back((slot, note));
        }
    }

    /// Hears what was said in public of one slot, measures what she kept of it, and says what the
    /// bit is, if she has any idea. Once asked she has forgotten it. `physics` decides how her
    /// measurements come out.
    pub fn hear(&mut self, announced: Announced, physics: &mut PhysicsRng) -> Option<Guess> {
        let found = self
            .notes
            .binary_search_by_key(&announced.slot, |(slot, _)| *slot);
        let (_, note) = self.notes.get_mut(found.ok()?)?;
        let known = |bit| Guess {
            bit,
            grade: Grade::Known,
        };
        match std::mem::replace(note, Note::Used) {
            Note::Measured { basis, bit } => (basis == announced.basis).then(|| known(bit)),
            Note::Likely { bit } => Some(Guess {
                bit,
                grade: Grade::Likely,
            }),
            Note::Seen { bit } => Some(known(bit)),
            Note::Kept(photons) => Some(known(photons.measure(announced.basis, physics))),
            Note::Used => None,
        }
    }

    /// Forgets all slots before `slot`: nothing will be said of them any more.
    pub fn forget_before(&mut self, slot: u64) {
        let first = self.notes.partition_point(|(noted, _)| *noted < slot);
        self.notes.drain(..first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_book_remembers_nothing_and_an_open_one_tells_once() {
        let mut physics = PhysicsRng::from_seed(1);
        let note = || Note::Measured {
            basis: Basis::X,
            bit: true,
        };
        let mut book = Notebook::default();
        book.write(3, note());
        book.open();
        for slot in [4, 5, 9] {
            book.write(slot, note());
        }
        let mut hear =
            |book: &mut Notebook, slot, basis| book.hear(Announced { slot, basis }, &mut physics);
        let guess = Guess {
            bit: true,
            grade: Grade::Known,
        };
        assert_eq!(hear(&mut book, 3, Basis::X), None);
        assert_eq!(hear(&mut book, 4, Basis::Z), None);
        assert_eq!(hear(&mut book, 5, Basis::X), Some(guess));
        assert_eq!(hear(&mut book, 5, Basis::X), None);
        book.forget_before(10);
        assert_eq!(hear(&mut book, 9, Basis::X), None);
    }
}
