use qkd_bits::PhysicsRng;

use super::*;

/// Thresholds whose comparisons end after one round, after a few, after all 64, and never.
const THRESHOLDS: [u64; 8] = [
    0,
    1,
    1 << 63,
    0x2f9d_b22d_0e56_0418,
    0xc000_0000_0000_0000,
    0x5555_5555_5555_5555,
    u64::MAX - 1,
    u64::MAX,
];

fn generator(seed: u64) -> Generator {
    let mut rng = PhysicsRng::from_seed(seed);
    std::array::from_fn(|_| std::array::from_fn(|_| rng.next_u64()))
}

/// The same law slot by slot, from the definition: each slot's own number against the threshold,
/// as many bits of it as the block as a whole looked at.
fn fill_one_by_one(threshold: u64, generator: &mut Generator, blocks: &mut [Block]) {
    for block in blocks {
        let mut numbers = [0u64; 512];
        let rounds = 64 - threshold.trailing_zeros();
        for round in 1..=rounds {
            for lane in 0..LANES {
                let [s0, s1, s2, s3] = [0, 1, 2, 3].map(|word: usize| generator[word][lane]);
                let bits = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
                let (n2, n3) = (s2 ^ s0, s3 ^ s1);
                generator[0][lane] = s0 ^ n3;
                generator[1][lane] = s1 ^ n2;
                generator[2][lane] = n2 ^ s1 << 17;
                generator[3][lane] = n3.rotate_left(45);
                for slot in 0..64 {
                    numbers[64 * lane + slot] |= (bits >> slot & 1) << (64 - round);
                }
            }
            let settled = |number: &u64| number >> (64 - round) != threshold >> (64 - round);
            if round >= 8 && numbers.iter().all(settled) {
                break;
            }
        }
        for (lane, numbers) in block.iter_mut().zip(numbers.chunks(64)) {
            *lane = (0..64).fold(0, |word, slot| {
                word | u64::from(numbers[slot] < threshold) << slot
            });
        }
    }
}

/// Prints which ran. Where the processor has no AVX-512, Bochs 2.7 has: as a `corei7_skylake_x` it
/// boots Linux with a static build of these tests for its `init`, once its faulty size of the
/// compacted state is hidden (`noxsaves nopku clearcpuid=321,323`).
#[test]
fn every_kernel_of_this_machine_gives_the_bits_of_the_slot_by_slot_law() {
    for kernel in Kernel::available() {
        println!("comparing {kernel:?}");
        for (seed, threshold) in (0..).zip(THRESHOLDS) {
            let (mut ours, mut theirs) = (generator(seed), generator(seed));
            let (mut blocks, mut expected) = ([[0; LANES]; 33], [[0; LANES]; 33]);
            kernel.fill(threshold, &mut ours, &mut blocks);
            fill_one_by_one(threshold, &mut theirs, &mut expected);
            assert!(
                blocks == expected && ours == theirs,
                "{kernel:?} differs at threshold {threshold:#x}"
            );
        }
    }
}

#[test]
fn every_kernel_finds_the_set_bits_in_order() {
    let mut rng = PhysicsRng::from_seed(9);
    let mut words = vec![0, u64::MAX, 1, 1 << 63];
    words.extend((0..60).map(|i| (0..i % 8).fold(rng.next_u64(), |word, _| word & rng.next_u64())));
    let first = 5u32.wrapping_sub(64);
    let expected: Vec<u32> = (0u32..)
        .zip(&words)
        .flat_map(|(i, word)| (0..64).map(move |j| (word >> j & 1, 64 * i + j)))
        .filter(|&(bit, _)| bit == 1)
        .map(|(_, position)| first.wrapping_add(position))
        .collect();
    for kernel in Kernel::available() {
        let mut cells = vec![0; 64 * words.len()];
        let count = kernel.positions(&words, first, &mut cells);
        assert_eq!(cells[..count], expected, "{kernel:?}");
    }
}

/// The first numbers of the authors' C code from the state 1, 2, 3, 4.
#[test]
fn a_lane_is_xoshiro256_plus_plus() {
    let mut state: Generator = [[1; LANES], [2; LANES], [3; LANES], [4; LANES]];
    let drawn: Vec<u64> = (0..6).map(|_| next::<Block>(&mut state)[3]).collect();
    assert_eq!(
        drawn,
        [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162
        ]
    );
}
