//! Which of 512 slots hold light, decided at once; and where the set bits are.
//!
//! One algorithm over eight lanes of 64 bits, compiled three times: for the baseline of every
//! machine, for AVX2 and for AVX-512. Only the few operations of [`Lanes`] differ, all of them on
//! integers, so the three give the same bits; a test compares them with a slot-by-slot twin.
//!
//! This is the crate's one module with unsafe code. There is one reason for it, twice: a function
//! compiled for more than the baseline may only run where the processor has it. A [`Kernel`] that
//! stands for such functions is made in [`Kernel::available`] alone, after asking the processor.

#![allow(unsafe_code)]

/// Lanes of a block.
pub(super) const LANES: usize = 8;
/// Rounds after which it begins to pay to look whether every lane is settled: a slot is still open
/// after k of them with probability 2⁻ᵏ, one of a block's 512 at the eighth with 86 %.
const ROUNDS_UNSEEN: u32 = 8;

/// 512 slots, or 512 random bits: slot 64·i + j is bit j of lane i.
pub(super) type Block = [u64; LANES];

/// The state of xoshiro256++ (Blackman and Vigna, *ACM Trans. Math. Softw.* 47, 36, 2021), one
/// generator in each lane. Physics, not secrets.
pub(super) type Generator = [Block; 4];

/// The instructions to use. The same results come from all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// What runs everywhere: the scalar twin.
    pub const PORTABLE: Self = Self(Instructions::Baseline);

    /// Every kernel that this machine can run, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut kernels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            // The scalar part uses what all processors with AVX2 have beside it.
            let scalar = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("popcnt");
            if scalar && is_x86_feature_detected!("avx2") {
                kernels.push(Self(Instructions::Avx2));
            }
            if scalar && is_x86_feature_detected!("avx512f") {
                kernels.push(Self(Instructions::Avx512));
            }
        }
        kernels
    }

    /// The best kernel of this machine.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::PORTABLE)
    }

    /// Fills `blocks` with bits that are set with probability `threshold`·2⁻⁶⁴, each on its own.
    ///
    /// A slot's uniform number is compared with the threshold from the most significant bit down,
    /// 512 slots at a time, until every comparison is settled: about ten random bits a slot instead
    /// of 64, and exact all the same. The number of rounds depends on a whole block, so a block's
    /// bits are the same on every machine.
    pub fn fill(self, threshold: u64, generator: &mut Generator, blocks: &mut [Block]) {
        match self.0 {
            Instructions::Baseline => fill_in::<Block>(threshold, generator, blocks),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists, so the processor has AVX2 (`available`).
            Instructions::Avx2 => unsafe { x86::fill_avx2(threshold, generator, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists, so the processor has AVX-512F (`available`).
            Instructions::Avx512 => unsafe { x86::fill_avx512(threshold, generator, blocks) },
        }
    }

    /// Writes where the set bits of `words` are, ascending, each plus `first` modulo 2³², and
    /// returns how many there are. Cells after those may be overwritten.
    ///
    /// # Panics
    /// When `into` is shorter than 64 cells for each word.
    pub fn positions(self, words: &[u64], first: u32, into: &mut [u32]) -> usize {
        match self.0 {
            Instructions::Baseline => positions_in(words, first, into),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these values exist, so the processor has BMI and POPCNT (`available`).
            Instructions::Avx2 | Instructions::Avx512 => unsafe {
                x86::positions_bmi(words, first, into)
            },
        }
    }
}

/// Eight lanes in whatever registers there are.
trait Lanes: Copy {
    fn load(from: &Block) -> Self;
    fn store(self, into: &mut Block);
    fn and(self, other: Self) -> Self;
    /// self ∧ ¬other
    fn and_not(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn shift_left_17(self) -> Self;
    fn rotate_left_23(self) -> Self;
    fn rotate_left_45(self) -> Self;
    fn is_zero(self) -> bool;
}

#[inline(always)]
fn fill_in<V: Lanes>(threshold: u64, generator: &mut Generator, blocks: &mut [Block]) {
    let mut state = [
        V::load(&generator[0]),
        V::load(&generator[1]),
        V::load(&generator[2]),
        V::load(&generator[3]),
    ];
    for block in blocks {
        below(threshold, &mut state).store(block);
    }
    for (lanes, into) in state.iter().zip(generator) {
        lanes.store(into);
    }
}

/// Which of 512 uniform 64-bit numbers are below `threshold`.
#[inline(always)]
fn below<V: Lanes>(threshold: u64, state: &mut [V; 4]) -> V {
    let mut below = V::load(&[0; LANES]);
    let mut open = V::load(&[u64::MAX; LANES]);
    let (mut rest, mut round) = (threshold, 0);
    // Where nothing but zeros is left of the threshold, an open number is not below it.
    while rest != 0 {
        let bits = next(state);
        if rest >> 63 == 1 {
            below = below.or(open.and_not(bits));
            open = open.and(bits);
        } else {
            open = open.and_not(bits);
        }
        rest <<= 1;
        round += 1;
        if round >= ROUNDS_UNSEEN && open.is_zero() {
            break;
        }
    }
    below
}

/// One step of xoshiro256++ in every lane.
#[inline(always)]
fn next<V: Lanes>(s: &mut [V; 4]) -> V {
    let output = s[0].add(s[3]).rotate_left_23().add(s[0]);
    let shifted = s[1].shift_left_17();
    s[2] = s[2].xor(s[0]);
    s[3] = s[3].xor(s[1]);
    s[1] = s[1].xor(s[2]);
    s[0] = s[0].xor(s[3]);
    s[2] = s[2].xor(shifted);
    s[3] = s[3].rotate_left_45();
    output
}

/// Eight bits at a time by table, without a branch: how many bits a byte has no processor foresees.
#[inline(always)]
fn positions_in(words: &[u64], first: u32, into: &mut [u32]) -> usize {
    let (mut count, mut base) = (0, first);
    for &word in words {
        for byte in word.to_le_bytes() {
            let cells = &mut into[count..count + 8];
            for (cell, &bit) in cells.iter_mut().zip(&POSITIONS[usize::from(byte)]) {
                *cell = base.wrapping_add(u32::from(bit));
            }
            count += byte.count_ones() as usize;
            base = base.wrapping_add(8);
        }
    }
    count
}

/// Where the set bits of each byte are, ascending; what follows them means nothing.
static POSITIONS: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][count] = bit as u8;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The scalar twin.
impl Lanes for Block {
    #[inline(always)]
    fn load(from: &Block) -> Self {
        *from
    }
    #[inline(always)]
    fn store(self, into: &mut Block) {
        *into = self;
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & other[i])
    }
    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & !other[i])
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] | other[i])
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] ^ other[i])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].wrapping_add(other[i]))
    }
    #[inline(always)]
    fn shift_left_17(self) -> Self {
        self.map(|lane| lane << 17)
    }
    #[inline(always)]
    fn rotate_left_23(self) -> Self {
        self.map(|lane| lane.rotate_left(23))
    }
    #[inline(always)]
    fn rotate_left_45(self) -> Self {
        self.map(|lane| lane.rotate_left(45))
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.iter().fold(0, |any, lane| any | lane) == 0
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;
