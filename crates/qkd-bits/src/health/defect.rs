//! Generators that have failed, to see whether anybody notices.

/// What has become of a generator. For demonstrations and tests: hardware that is compromised or
/// broken. Everything here shows in the output, so that a health test finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It says the same bit for ever.
    Stuck {
        /// The bit.
        bit: bool,
    },
    /// It says 1 too often.
    Biased {
        /// How much of its output, in 256ths, says 1: 128 is fair, 154 is 60 %.
        ones_of_256: u8,
    },
    /// It says the same bytes again and again, other ones in each kibibyte.
    Periodic {
        /// How many, at least 1.
        bytes: u16,
    },
}

impl Defect {
    /// Spoils what a sound generator has made. `more` makes further sound bytes.
    pub(crate) fn spoil(self, made: &mut [u8], mut more: impl FnMut(&mut [u8])) {
        match self {
            Defect::Stuck { bit } => made.fill(if bit { 0xff } else { 0 }),
            Defect::Biased { ones_of_256 } => {
                let mut fair = made.to_vec();
                made.fill(0);
                // From the lowest digit of the share up: an OR adds a half, an AND takes one off.
                for digit in 0..8 {
                    if digit > 0 {
                        more(&mut fair);
                    }
                    let adds = ones_of_256 >> digit & 1 == 1;
                    for (byte, fair) in made.iter_mut().zip(&fair) {
                        *byte = if adds { *byte | fair } else { *byte & fair };
                    }
                }
            }
            Defect::Periodic { bytes } => {
                let period = usize::from(bytes.max(1));
                for index in period..made.len() {
                    made[index] = made[index - period];
                }
            }
        }
    }
}
