//! How the words of a frame divide their bits.

/// Fewest photons that take a word of their own.
pub(super) const PHOTONS_EXTENDED_MIN: u8 = 4;
/// Bits of a word that name the state.
const STATE_BITS: u32 = 2;

/// Width of the words in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordBits {
    /// For dense light, from about 1 % occupied slots on.
    Eight,
    /// For light in between.
    Sixteen,
    /// For sparse light, below about 10⁻⁵.
    ThirtyTwo,
}

/// Bits of a word that hold the number of photons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotonBits {
    /// A word is one photon; what holds more says so in a word before.
    None,
    /// A word is up to three photons.
    Two,
}

/// How the words of a frame divide their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordFormat {
    /// Width of a word.
    pub word_bits: WordBits,
    /// Bits of it for the number of photons.
    pub photon_bits: PhotonBits,
}

impl WordBits {
    const ALL: [WordBits; 3] = [WordBits::Eight, WordBits::Sixteen, WordBits::ThirtyTwo];

    /// The width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            WordBits::Eight => 8,
            WordBits::Sixteen => 16,
            WordBits::ThirtyTwo => 32,
        }
    }

    pub(super) const fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.bits() == u32::from(bits))
    }
}

impl PhotonBits {
    const ALL: [PhotonBits; 2] = [PhotonBits::None, PhotonBits::Two];

    /// The number of bits.
    pub const fn bits(self) -> u32 {
        match self {
            PhotonBits::None => 0,
            PhotonBits::Two => 2,
        }
    }

    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.bits() == u32::from(bits))
    }
}

impl WordFormat {
    /// Every format, from narrow words to wide ones.
    pub(super) fn all() -> impl Iterator<Item = WordFormat> {
        WordBits::ALL.into_iter().flat_map(|word_bits| {
            PhotonBits::ALL.map(|photon_bits| WordFormat {
                word_bits,
                photon_bits,
            })
        })
    }

    /// The all-ones gap: an advance by this many slots without an event.
    pub(super) const fn advance(self) -> u32 {
        advance(self.word_bits.bytes(), self.photon_bits.bits())
    }

    /// Most words that one event takes, its gap apart.
    pub(super) const fn event_words_max(self) -> usize {
        event_words_max(self.photon_bits.bits())
    }
}

/// Low bits of a word that do not belong to the gap.
pub(super) const fn low_bits(photon_bits: u32) -> u32 {
    STATE_BITS + photon_bits
}

/// [`WordFormat::advance`] of words of so many bytes.
pub(super) const fn advance(word_bytes: usize, photon_bits: u32) -> u32 {
    u32::MAX >> (32 - (8 * word_bytes as u32 - low_bits(photon_bits)))
}

/// [`WordFormat::event_words_max`].
pub(super) const fn event_words_max(photon_bits: u32) -> usize {
    // The event and its number; without photon bits also the word that announces the number.
    if photon_bits == 0 { 3 } else { 2 }
}

/// Calls a function that is compiled for each format.
macro_rules! for_format {
    ($format:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match ($format.word_bits, $format.photon_bits) {
            (WordBits::Eight, PhotonBits::None) => $function::<1, 0>($($argument),*),
            (WordBits::Eight, PhotonBits::Two) => $function::<1, 2>($($argument),*),
            (WordBits::Sixteen, PhotonBits::None) => $function::<2, 0>($($argument),*),
            (WordBits::Sixteen, PhotonBits::Two) => $function::<2, 2>($($argument),*),
            (WordBits::ThirtyTwo, PhotonBits::None) => $function::<4, 0>($($argument),*),
            (WordBits::ThirtyTwo, PhotonBits::Two) => $function::<4, 2>($($argument),*),
        }
    };
}
pub(super) use for_format;
