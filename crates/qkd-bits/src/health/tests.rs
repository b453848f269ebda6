use super::*;
use crate::{SecretRng, SecretStream};

/// log₂ P(X ≥ c) of a fair binomial over `trials`, summed from the far end.
fn tail_log2(trials: u32, from: u32) -> f64 {
    let mut term = -f64::from(trials);
    let mut tail = term;
    for hits in (from..trials).rev() {
        term += (f64::from(hits + 1) / f64::from(trials - hits)).log2();
        tail = term + (1.0 + (tail - term).exp2()).log2();
    }
    tail
}

/// SP 800-90B: the repetition count's limit is 1 + ⌈−log₂ α⌉; the proportion's is the smallest count
/// that comes with at most α. At α = 2⁻²⁰ the limits would be 21 and 589.
#[test]
fn the_limits_are_those_of_sp_800_90b_for_one_bit_of_entropy() {
    for (exponent, cut_offs) in [(40.0, CutOffs::START), (64.0, CutOffs::CONTINUOUS)] {
        assert_eq!(f64::from(cut_offs.repetition), exponent + 1.0);
        for (bits, limit) in [
            (1024, cut_offs.proportion),
            (8192, cut_offs.long_proportion),
        ] {
            assert!(tail_log2(bits, limit) <= -exponent, "{bits}: {limit}");
            assert!(tail_log2(bits, limit - 1) > -exponent, "{bits}: {limit}");
        }
    }
    assert!(tail_log2(1024, 589) <= -20.0 && tail_log2(1024, 588) > -20.0);
}

fn sound(seed: u8, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    SecretRng::from_seed([seed; 32]).fill(&mut all);
    all
}

/// A limit far below the real ones, so that a plain count of every run has something to compare with.
#[test]
fn the_longest_run_is_that_of_a_count_bit_by_bit() {
    let mut bytes = sound(1, 64 * 1024);
    // Runs of every length from 31 on, at every place in a word and across the seams of windows.
    for (index, length) in (0..900usize).zip((31..100usize).cycle()) {
        let from = 8 * 64 * index + 13 * index + 8000;
        for bit in from..from + length {
            let mask = 1 << (bit % 8);
            if index % 2 == 0 {
                bytes[bit / 8] |= mask;
            } else {
                bytes[bit / 8] &= !mask;
            }
        }
    }
    let mut tests = HealthTests::new(CutOffs::START);
    let (mut run, mut last) = (0u32, None);
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    let (windows, _) = words.as_chunks::<WINDOW_WORDS>();
    let mut long = 0;
    for (number, window) in windows.iter().enumerate() {
        let mut longest = 0;
        for byte in window.as_flattened() {
            for bit in 0..8 {
                let bit = byte >> bit & 1;
                run = if last == Some(bit) { run + 1 } else { 1 };
                last = Some(bit);
                longest = longest.max(run);
            }
        }
        let seen = tests.longest_run(window);
        if longest > 40 {
            long += 1;
            assert_eq!(seen, longest, "window {number}");
        } else {
            assert!(seen <= longest, "window {number}");
        }
    }
    assert!(long > 40, "{long} windows have a long run");
}

#[test]
fn a_run_at_the_limit_sounds_across_the_seam_of_two_windows_and_one_below_does_not() {
    for (length, sounds) in [(40, false), (41, true)] {
        for before in 0..=length {
            let mut bytes = sound(2, 2048);
            let first = 8192 - before;
            let set = |bytes: &mut [u8], bit: usize, to: bool| {
                let mask = 1 << (bit % 8);
                bytes[bit / 8] = bytes[bit / 8] & !mask | if to { mask } else { 0 };
            };
            set(&mut bytes, first - 1, false);
            set(&mut bytes, first + length, false);
            for bit in first..first + length {
                set(&mut bytes, bit, true);
            }
            let mut tests = HealthTests::new(CutOffs::START);
            tests.test(&bytes);
            let expected = sounds.then_some(HealthAlarm {
                test: HealthTest::RepetitionCount,
                observed: 41,
                limit: 41,
            });
            assert_eq!(tests.alarm(), expected, "{before} of {length}");
        }
    }
}

/// The mean of 5,000 windows is known to a deviation of 0.14 and 0.39.
#[test]
fn a_sound_generator_shows_what_is_expected_of_it() {
    const WINDOWS: u32 = 5000;
    let bytes = sound(7, WINDOWS as usize * WINDOW_BITS / 8);
    let tests = HealthTests::new(CutOffs::START);
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    let (windows, _) = words.as_chunks::<WINDOW_WORDS>();
    let mut sums = [0; 2];
    for window in windows {
        let seen = tests.proportions(window);
        sums = [sums[0] + seen[0], sums[1] + seen[1]];
    }
    let kinds = [HealthTest::AdaptiveProportion, HealthTest::LongProportion];
    for ((sum, test), deviation) in sums.into_iter().zip(kinds).zip([0.14, 0.39]) {
        let mean = f64::from(sum) / f64::from(WINDOWS);
        let off = mean - test.expected();
        assert!(off.abs() < 5.0 * deviation, "{test:?}: {mean}");
    }
}

#[test]
fn a_sound_generator_passes() {
    let mut start = HealthTests::new(CutOffs::START);
    start.test(&sound(3, 1 << 20));
    assert_eq!(start.alarm(), None);
    let mut stream = SecretStream::new(SecretRng::from_seed([4; 32]));
    let mut words = [0; 4096];
    for _ in 0..256 {
        stream.fill_u64(&mut words);
    }
    assert_eq!(stream.alarm(), None);
}

/// R2: stuck within 1,024 samples, 60 to 40 and a period of 64 bytes within 2¹⁴. Samples are not used
/// before their window of 8,192 has been looked at.
#[test]
fn a_generator_that_fails_is_found_in_the_window_in_which_it_does() {
    for (defect, expected) in [
        (Defect::Stuck { bit: false }, HealthTest::RepetitionCount),
        (Defect::Stuck { bit: true }, HealthTest::RepetitionCount),
        (
            Defect::Biased { ones_of_256: 154 },
            HealthTest::LongProportion,
        ),
        (
            Defect::Biased { ones_of_256: 102 },
            HealthTest::LongProportion,
        ),
        (Defect::Periodic { bytes: 64 }, HealthTest::Recurrence),
        (Defect::Periodic { bytes: 1000 }, HealthTest::Recurrence),
    ] {
        for seed in 0..100 {
            let mut stream = SecretStream::new(SecretRng::from_seed([seed; 32]));
            let mut words = [0; WINDOW_WORDS];
            for _ in 0..usize::from(seed) {
                stream.fill_u64(&mut words);
            }
            assert_eq!(stream.alarm(), None, "{defect:?}, seed {seed}");
            stream.spoil(defect);
            stream.fill_u64(&mut words);
            let alarm = stream.alarm().expect("it sounds");
            let biased = matches!(defect, Defect::Biased { .. });
            let expected =
                alarm.test == expected || biased && alarm.test == HealthTest::AdaptiveProportion;
            assert!(expected, "{defect:?}, seed {seed}: {alarm}");
        }
    }
}

/// One that begins anew every 16 windows, as one does that is seeded with the same seed again.
#[test]
fn a_generator_that_goes_in_a_long_circle_is_found_once_it_has_gone_round_twice() {
    let circle = sound(5, 16 * 1024);
    let mut tests = HealthTests::new(CutOffs::CONTINUOUS);
    tests.test(&sound(6, 5 * 1024));
    let mut rounds = 0;
    while tests.alarm().is_none() && rounds < 4 {
        tests.test(&circle);
        rounds += 1;
    }
    let alarm = tests.alarm().expect("it sounds");
    assert_eq!(alarm.test, HealthTest::Recurrence);
    assert!(rounds <= 3, "{rounds}");
    assert!(alarm.to_string().contains("recurrence test: 1 repetitions"));
}

/// SP 800-90B's figure, seen: 60 to 40 reaches 657 among 1,024 bits in few windows, 4,508 among 8,192
/// in all of them.
#[test]
fn a_bias_of_the_given_size_is_what_a_biased_generator_has() {
    for ones_of_256 in [0, 1, 102, 128, 154, 255] {
        let mut stream = SecretStream::new(SecretRng::from_seed([7; 32]));
        stream.spoil(Defect::Biased { ones_of_256 });
        let mut words = [0u64; 16_384];
        stream.fill_u64(&mut words);
        let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
        let bits = 64.0 * words.len() as f64;
        let share = f64::from(ones_of_256) / 256.0;
        let sigma = (share * (1.0 - share) / bits).sqrt();
        let off = f64::from(ones) / bits - share;
        assert!(off.abs() <= 5.0 * sigma, "{ones_of_256}: {off}");
    }
}
