//! Light that is drawn pulse by pulse: only the slots that hold any are visited.

use std::ops::Range;

use qkd_bits::{SecretRng, SecretStream};
use zeroize::Zeroizing;

use super::emissions::{EmissionTable, Packed, more};
use super::record::Entries;
use crate::light::Pulse;
use crate::mathematics::{exp, exp_m1, ln_1p};
use crate::sampling::alias::Alias;
use crate::source::EmissionLaw;

/// Words that are drawn at once.
const CHUNK: usize = 256;

/// Slots that one symbol of a table can skip; the symbol of this number skips so many and holds no
/// light.
const ESCAPE: u8 = 255;

/// Values of a low digit.
const DIGIT: u32 = 256;

/// Occupied probability from which on a gap is one symbol: below, so many gaps are longer than a
/// symbol says that two digits are drawn faster.
const SHORT_GAPS_MIN: f64 = 0.015;

/// The sampler of slots that are mostly empty.
///
/// The number of empty slots before the next pulse is geometric, and geometric numbers have no
/// memory. So a table of 256 symbols says all of it: 0 to 254 empty slots and then light, or 255
/// empty slots and nothing yet, which is exact because what follows is distributed as if it had
/// just begun. The same holds at the end of a train: a gap that would end behind it has said that
/// the rest of the train is empty, and is forgotten. Where light is scarce the gap is taken apart
/// into two digits, g = 256 h + l, which are independent of each other: h is geometric again, with
/// the chance 1 − q²⁵⁶, and l follows qˡ on 0 to 255.
///
/// Everything comes from the secret stream. Which slots hold light is nature's choice and needs no
/// secrecy, but it loses nothing by being drawn more carefully than it must, and one word of the
/// stream then serves both.
pub(super) struct Sparse {
    gaps: Gaps,
    emissions: EmissionTable,
    secret: SecretStream,
}

enum Gaps {
    Short(ShortGaps),
    Long(LongGaps),
}

impl Sparse {
    /// A sampler of the law; nothing when no slot ever holds light.
    pub fn new(law: &EmissionLaw, secret: SecretRng) -> Option<Self> {
        Self::with_generator(law, SecretStream::new(secret))
    }

    /// The same with a generator that has been used before.
    pub fn with_generator(law: &EmissionLaw, secret: SecretStream) -> Option<Self> {
        let p = law.occupied_probability();
        let gaps = if p >= SHORT_GAPS_MIN {
            Gaps::Short(ShortGaps(gap_symbols(p)?))
        } else {
            Gaps::Long(LongGaps::new(p)?)
        };
        Some(Self {
            gaps,
            emissions: EmissionTable::new(&law.occupied)?,
            secret,
        })
    }

    /// Gives the generator back.
    pub fn into_generator(self) -> SecretStream {
        self.secret
    }

    /// What everything is drawn from.
    pub fn generator(&self) -> &SecretStream {
        &self.secret
    }

    /// See [`generator`](Self::generator).
    pub fn generator_mut(&mut self) -> &mut SecretStream {
        &mut self.secret
    }

    /// Draws the slots of `piece`, offsets within the train: light goes to `pulses`, Alice's
    /// choices to `entries`.
    pub fn sample(&mut self, piece: Range<u32>, pulses: &mut Vec<Pulse>, entries: &mut Entries) {
        let (emissions, secret) = (&self.emissions, &mut self.secret);
        match &self.gaps {
            Gaps::Short(gaps) => draw(gaps, emissions, secret, piece, pulses, entries),
            Gaps::Long(gaps) => draw(gaps, emissions, secret, piece, pulses, entries),
        }
    }
}

/// P(g empty slots, then light) for g below 255, P(255 empty slots) for the last symbol.
fn gap_symbols(p: f64) -> Option<Alias<u8, 256, 16>> {
    if p >= 1.0 {
        return Alias::new(&[(0, 1.0)]);
    }
    let ln_q = ln_1p(-p);
    let mut law: Vec<(u8, f64)> = (0..ESCAPE)
        .map(|g| (g, p * exp(ln_q * f64::from(g))))
        .collect();
    law.push((ESCAPE, exp(ln_q * f64::from(ESCAPE))));
    Alias::new(&law)
}

/// What the two kinds of gaps have in common.
trait GapSampler {
    type Word: Copy + Default + zeroize::Zeroize;

    fn fill(words: &mut [Self::Word], secret: &mut SecretStream);

    /// What a word says.
    fn step(&self, word: Self::Word, secret: &mut SecretStream) -> Step;

    /// What a word says and whether it is decided; when it is not, the step means nothing and the
    /// word must go to [`step`](Self::step).
    fn step_quickly(&self, word: Self::Word) -> (Step, bool);

    /// The bits of a word, in its low half, that are left for the emission.
    fn rest(word: Self::Word) -> u32;
}

/// Slots to skip, and 1 when light follows, else 0.
struct Step {
    gap: u32,
    hit: u32,
}

impl Step {
    /// What the low digit and a symbol say that counts for `weight` slots.
    #[inline(always)]
    fn of(low: u8, symbol: u8, weight: u32) -> Self {
        let hit = u32::from(symbol != ESCAPE);
        Self {
            gap: u32::from(symbol) * weight + (u32::from(low) & hit.wrapping_neg()),
            hit,
        }
    }
}

struct ShortGaps(Alias<u8, 256, 16>);

impl GapSampler for ShortGaps {
    type Word = u32;

    fn fill(words: &mut [u32], secret: &mut SecretStream) {
        secret.fill_u32(words);
    }

    #[inline(always)]
    fn step(&self, word: u32, secret: &mut SecretStream) -> Step {
        Step::of(0, self.0.draw(word >> 16, || more(secret)), 1)
    }

    #[inline(always)]
    fn step_quickly(&self, word: u32) -> (Step, bool) {
        let (symbol, decided) = self.0.draw_quickly(word >> 16);
        (Step::of(0, symbol, 1), decided)
    }

    #[inline(always)]
    fn rest(word: u32) -> u32 {
        word & 0xffff
    }
}

struct LongGaps {
    low: Alias<u8, 256, 16>,
    high: Alias<u8, 256, 16>,
}

impl LongGaps {
    fn new(p: f64) -> Option<Self> {
        let ln_q = ln_1p(-p);
        let low: Vec<(u8, f64)> = (0..=255).map(|l| (l, exp(ln_q * f64::from(l)))).collect();
        Some(Self {
            low: Alias::new(&low)?,
            high: gap_symbols(-exp_m1(ln_q * f64::from(DIGIT)))?,
        })
    }
}

impl GapSampler for LongGaps {
    type Word = u64;

    fn fill(words: &mut [u64], secret: &mut SecretStream) {
        secret.fill_u64(words);
    }

    #[inline(always)]
    fn step(&self, word: u64, secret: &mut SecretStream) -> Step {
        let high = self.high.draw((word >> 48) as u32, || more(secret));
        let low = self.low.draw((word >> 32) as u32 & 0xffff, || more(secret));
        Step::of(low, high, DIGIT)
    }

    #[inline(always)]
    fn step_quickly(&self, word: u64) -> (Step, bool) {
        let (high, decided) = self.high.draw_quickly((word >> 48) as u32);
        let (low, also) = self.low.draw_quickly((word >> 32) as u32 & 0xffff);
        (Step::of(low, high, DIGIT), decided & also)
    }

    #[inline(always)]
    fn rest(word: u64) -> u32 {
        word as u32 & 0xffff
    }
}

fn draw<G: GapSampler>(
    gaps: &G,
    emissions: &EmissionTable,
    secret: &mut SecretStream,
    piece: Range<u32>,
    pulses: &mut Vec<Pulse>,
    entries: &mut Entries,
) {
    let mut words = Zeroizing::new([G::Word::default(); CHUNK]);
    let mut offsets = [0; CHUNK];
    let mut emitted = Zeroizing::new([Packed::default(); CHUNK]);
    let span = piece.end - piece.start;
    // Within the piece, which is shorter than 2²⁷ slots; a step leads at most 2¹⁶ beyond its end.
    let mut slot = 0;
    while slot < span {
        G::fill(&mut *words, secret);
        let (mut used, mut count) = (0, 0);
        while used < CHUNK && slot < span {
            // The loop that nearly all words stay in calls nothing, so that all it knows is in
            // registers.
            while used < CHUNK {
                let word = words[used];
                let (step, gap_decided) = gaps.step_quickly(word);
                let (emission, decided) = emissions.draw_quickly(G::rest(word));
                if !(gap_decided & decided) {
                    break;
                }
                used += 1;
                slot += step.gap;
                if slot >= span {
                    break;
                }
                // What turns out to be no light is overwritten by the next.
                offsets[count % CHUNK] = slot;
                emitted[count % CHUNK] = emission;
                count += step.hit as usize;
                slot += step.hit;
            }
            if used == CHUNK || slot >= span {
                break;
            }
            let word = words[used];
            used += 1;
            let step = gaps.step(word, secret);
            slot += step.gap;
            if slot < span && step.hit == 1 {
                offsets[count % CHUNK] = slot;
                emitted[count % CHUNK] = emissions.draw(G::rest(word), secret);
                count += 1;
                slot += 1;
            }
        }
        let emitted = emitted[..count].iter().copied();
        let chunk = || offsets[..count].iter().copied().zip(emitted.clone());
        pulses.extend(chunk().map(|(offset, emission)| emission.pulse(piece.start + offset)));
        entries.extend(chunk());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use crate::transmitter::record::Record;

    /// Light of one intensity that leaves this share of the slots occupied.
    fn law(p: f64) -> EmissionLaw {
        let source = Source {
            clock_hz: 1e9,
            intensities: vec![-(-p).ln_1p()],
            intensity_probabilities: vec![1.0],
            key_basis_probability: 0.5,
            effects: Default::default(),
        };
        source.emission_law(1.0)
    }

    /// Gaps in classes of about a fortieth each, against (1−p)ᵍ p, with escapes and without, in one
    /// digit and in two, on both sides of the switch between them.
    #[test]
    fn gaps_are_geometric_on_both_sides_of_the_switch() {
        let densities = [0.9, 0.2, 0.02, SHORT_GAPS_MIN, 0.0149, 2e-3, 3e-5];
        for (seed, p) in (0u8..).zip(densities) {
            let secret = SecretRng::from_seed([seed; 32]);
            let mut sparse = Sparse::new(&law(p), secret).expect("there is light");
            assert_eq!(matches!(sparse.gaps, Gaps::Short(_)), p >= SHORT_GAPS_MIN);
            let q = 1.0 - p;
            // First gaps of the classes.
            let mut classes: Vec<u32> = (0..40)
                .map(|i| ((1.0 - f64::from(i) / 40.0).ln() / q.ln()).ceil() as u32)
                .collect();
            classes.dedup();
            let mut counts = vec![0u32; classes.len()];
            let mut total = 0u32;
            let mut record = Record::default();
            while total < 100_000 {
                let (mut pulses, mut entries) = (Vec::new(), record.entries(0));
                let span = (20_000.0 / p).min(1e8) as u32;
                sparse.sample(0..span, &mut pulses, &mut entries);
                let mut next = 0;
                for pulse in &pulses {
                    let gap = pulse.offset - next;
                    counts[classes.partition_point(|&first| first <= gap) - 1] += 1;
                    next = pulse.offset + 1;
                }
                total += pulses.len() as u32;
                let expected = f64::from(span) * p;
                let off = (pulses.len() as f64 - expected) / (expected * q).sqrt();
                assert!(
                    off.abs() < 5.0,
                    "{p}: {} pulses, {off:.2} sigma off",
                    pulses.len()
                );
            }
            let beyond = classes.iter().skip(1).map(|&first| q.powi(first as i32));
            let beyond: Vec<f64> = beyond.chain([0.0]).collect();
            let mut chi2 = 0.0;
            for (class, &count) in counts.iter().enumerate() {
                let expected = (q.powi(classes[class] as i32) - beyond[class]) * f64::from(total);
                chi2 += (f64::from(count) - expected).powi(2) / expected;
            }
            // The 1e-6 quantile of chi-square with 39 degrees of freedom is 94.2.
            assert!(
                chi2 < 94.2,
                "p={p}: chi-square {chi2} over {} classes",
                classes.len()
            );
        }
    }

    /// Where a train ends makes no difference to the slots that follow.
    #[test]
    fn the_first_slot_of_a_train_holds_light_as_often_as_any_other() {
        for (seed, p) in [(1, 0.2), (2, 0.01)] {
            let secret = SecretRng::from_seed([seed; 32]);
            let mut sparse = Sparse::new(&law(p), secret).expect("there is light");
            let mut record = Record::default();
            let mut counts = [0u32; 5];
            let (trains, mut pulses) = (200_000u32, Vec::new());
            for _ in 0..trains {
                pulses.clear();
                let mut entries = record.entries(0);
                sparse.sample(0..5, &mut pulses, &mut entries);
                record.push(0..5, entries);
                record.forget_before(5);
                for pulse in &pulses {
                    counts[pulse.offset as usize] += 1;
                }
            }
            let expected = f64::from(trains) * p;
            for (slot, count) in counts.iter().enumerate() {
                let off = (f64::from(*count) - expected) / (expected * (1.0 - p)).sqrt();
                assert!(off.abs() < 5.0, "p={p}, slot {slot}: {off:.2} sigma off");
            }
        }
    }

    #[test]
    fn a_slot_that_always_holds_light_has_no_gap_and_none_that_never_does() {
        let certain = EmissionLaw {
            empty: vec![0.0],
            occupied: law(0.5)
                .occupied
                .into_iter()
                .map(|(e, w)| (e, 2.0 * w))
                .collect(),
        };
        let secret = || SecretRng::from_seed([5; 32]);
        let mut sparse = Sparse::new(&certain, secret()).expect("there is light");
        let (mut pulses, mut entries) = (Vec::new(), Record::default().entries(0));
        sparse.sample(0..1_000, &mut pulses, &mut entries);
        assert!(pulses.iter().map(|pulse| pulse.offset).eq(0..1_000));
        let dark = EmissionLaw {
            empty: vec![1.0],
            occupied: Vec::new(),
        };
        assert!(Sparse::new(&dark, secret()).is_none());
    }
}
