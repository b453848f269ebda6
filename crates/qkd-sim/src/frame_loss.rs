//! Which datagrams the network loses.

use qkd_bits::PhysicsRng;

/// A pattern of lost datagrams. It looks at their number alone, never at what is in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FrameLoss {
    /// Each on its own with this probability, in [0, 1].
    Random(f64),
    /// So many arrive, then so many are lost, and again from the start.
    Bursts {
        /// Datagrams of a run that arrive.
        arriving: u64,
        /// Datagrams of a run that are lost.
        lost: u64,
    },
    /// The last of every so many is lost; 0 loses none.
    Every(u64),
}

impl FrameLoss {
    /// Nothing is lost.
    pub const NONE: Self = Self::Random(0.0);

    /// Whether the network loses datagram `number`, counted from 0; call it once for each.
    pub fn loses(&self, number: u64, nature: &mut PhysicsRng) -> bool {
        match *self {
            FrameLoss::Random(share) => nature.chance(share),
            FrameLoss::Bursts { arriving, lost } => {
                let run = arriving.saturating_add(lost);
                run > 0 && number % run >= arriving
            }
            FrameLoss::Every(nth) => nth > 0 && number % nth == nth - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_loses_the_frames_it_says() {
        let mut nature = PhysicsRng::from_seed(1);
        let mut lost = |loss: FrameLoss| -> Vec<u64> {
            (0..8).filter(|&n| loss.loses(n, &mut nature)).collect()
        };
        assert_eq!(lost(FrameLoss::Every(3)), [2, 5]);
        let bursts = FrameLoss::Bursts {
            arriving: 3,
            lost: 2,
        };
        assert_eq!(lost(bursts), [3, 4]);
        assert!(lost(FrameLoss::NONE).is_empty() && lost(FrameLoss::Every(0)).is_empty());
        assert_eq!(lost(FrameLoss::Random(1.0)).len(), 8);
    }
}
