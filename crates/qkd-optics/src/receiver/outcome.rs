//! What one slot looks like at the receiver's exits, in one byte.

use zeroize::DefaultIsZeroes;

use crate::Basis;

/// Which detectors fired in a slot, in which basis, and the bit that this gives.
///
/// From the lowest bit up: detectors 0 and 1 of the basis (2 bits), basis (X is 1), the bit that is
/// read (after a double click already a fair coin), whether detectors of the other basis fired as
/// well (passive choice alone), whether more than one detector fired, whether detector 0 stood for
/// bit 1.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome(u8);

// An outcome is one byte, and nothing fired in basis Z is zero.
impl DefaultIsZeroes for Outcome {}

const BASIS: u8 = 1 << 2;
const BIT: u8 = 1 << 3;
const ACROSS: u8 = 1 << 4;
const DOUBLE: u8 = 1 << 5;
const EXCHANGED: u8 = 1 << 6;
const OPEN: u8 = 1 << 7;

/// Both detectors of a basis, as a mask.
pub(super) const BOTH: u8 = 0b11;

impl Outcome {
    /// The detectors of `exits` fired (bit 0 and bit 1). `coin` is the bit when both did.
    pub fn new(basis: Basis, exits: u8, coin: bool) -> Self {
        let basis = match basis {
            Basis::Z => 0,
            Basis::X => BASIS,
        };
        let exits = exits & BOTH;
        let double = exits == BOTH;
        let bit = if double { coin } else { exits == 0b10 };
        Self(exits | basis | (u8::from(bit) * BIT) | (u8::from(double) * DOUBLE))
    }

    /// The same, while detectors of the other basis fired too.
    pub fn across_bases(self) -> Self {
        Self(self.0 | ACROSS | DOUBLE)
    }

    /// The same where detector 0 stands for bit 1: the bit is the other one.
    pub fn exchanged(self) -> Self {
        Self(self.0 ^ (EXCHANGED | BIT))
    }

    /// The same where the detectors stand for bits as they do in `other`.
    pub fn assigned_as(self, other: Self) -> Self {
        if (self.0 ^ other.0) & EXCHANGED == 0 {
            self
        } else {
            self.exchanged()
        }
    }

    /// The same with only these of its detectors.
    pub fn with_exits(self, exits: u8) -> Self {
        let coin = self.bit() ^ (self.0 & EXCHANGED != 0);
        Self::new(self.basis(), self.exits() & exits, coin).assigned_as(self)
    }

    /// No outcome yet: one draw was not enough.
    pub const OPEN: Self = Self(OPEN);

    #[inline]
    pub fn is_open(self) -> bool {
        self.0 & OPEN != 0
    }

    #[inline]
    pub fn exits(self) -> u8 {
        self.0 & BOTH
    }

    /// From its byte.
    #[inline]
    pub fn from_code(code: u8) -> Self {
        Self(code)
    }

    #[inline]
    pub fn fired(self) -> bool {
        self.exits() != 0
    }

    #[inline]
    pub fn basis(self) -> Basis {
        if self.0 & BASIS == 0 {
            Basis::Z
        } else {
            Basis::X
        }
    }

    #[inline]
    pub fn bit(self) -> bool {
        self.0 & BIT != 0
    }

    /// More than one detector fired.
    #[inline]
    pub fn is_double(self) -> bool {
        self.0 & DOUBLE != 0
    }

    /// Detectors of both bases fired.
    #[inline]
    pub fn is_across_bases(self) -> bool {
        self.0 & ACROSS != 0
    }

    /// The byte; below 128 unless it is open.
    #[inline]
    pub fn code(self) -> u8 {
        self.0
    }
}
