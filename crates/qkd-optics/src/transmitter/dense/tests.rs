use super::*;

fn offsets(slots: &mut OccupiedSlots, span: u32) -> Vec<u32> {
    let (mut done, mut found) = (0, Vec::new());
    while done < span {
        let (covered, offsets) = slots.next(done, span - done);
        found.extend_from_slice(offsets);
        done += covered;
    }
    assert_eq!(done, span);
    found
}

#[test]
fn where_trains_are_cut_changes_nothing() {
    let mut whole = OccupiedSlots::new(0.2, &mut PhysicsRng::from_seed(1));
    let whole = offsets(&mut whole, 3 * SLOTS + 17);
    for seed in 0..4 {
        let mut cuts = PhysicsRng::from_seed(seed);
        let mut slots = OccupiedSlots::new(0.2, &mut PhysicsRng::from_seed(1));
        let (mut start, mut found) = (0, Vec::new());
        while start < 3 * SLOTS + 17 {
            let longest = [1, 63, 65, 5_000][seed as usize];
            let span = (1 + cuts.below(longest) as u32).min(3 * SLOTS + 17 - start);
            found.extend(
                offsets(&mut slots, span)
                    .iter()
                    .map(|offset| start + offset),
            );
            start += span;
        }
        assert!(found == whole, "seed {seed}");
    }
}

#[test]
fn certain_and_impossible_light_is_everywhere_and_nowhere() {
    let mut all = OccupiedSlots::new(1.0, &mut PhysicsRng::from_seed(2));
    assert_eq!(offsets(&mut all, 10_000).len(), 10_000);
    let mut none = OccupiedSlots::new(0.0, &mut PhysicsRng::from_seed(2));
    assert!(offsets(&mut none, 10_000).is_empty());
}

/// Every position in a word alike, and neighbours independent: chi-square of the pairs of a slot
/// and the one 1, 64 and 512 slots on.
#[test]
fn slots_are_occupied_alike_and_independently() {
    let span = 1 << 20;
    for p in [0.05, 0.186, 0.5, 0.9] {
        let mut slots = OccupiedSlots::new(p, &mut PhysicsRng::from_seed(3));
        let mut lit = vec![false; span];
        for offset in offsets(&mut slots, span as u32) {
            lit[offset as usize] = true;
        }
        let per_cell = span as f64 / 512.0;
        let chi2: f64 = (0..512)
            .map(|at| lit.iter().skip(at).step_by(512).filter(|&&lit| lit).count() as f64)
            .map(|count| (count - per_cell * p).powi(2) / (per_cell * p * (1.0 - p)))
            .sum();
        // 1e-6 quantile with 512 degrees of freedom.
        assert!(chi2 < 678.0, "p={p}: chi-square {chi2} over positions");
        for distance in [1, 64, 512] {
            let mut counts = [0u32; 4];
            for (here, there) in lit.iter().zip(&lit[distance..]) {
                counts[usize::from(*here) * 2 + usize::from(*there)] += 1;
            }
            let pairs = (span - distance) as f64;
            let chi2: f64 = [(1.0 - p).powi(2), p * (1.0 - p), p * (1.0 - p), p * p]
                .iter()
                .zip(counts)
                .map(|(q, count)| (f64::from(count) - pairs * q).powi(2) / (pairs * q))
                .sum();
            // Overlapping pairs double the variance at most: twice the 1e-6 quantile of 3 degrees.
            assert!(
                chi2 < 61.3,
                "p={p}: chi-square {chi2} at distance {distance}"
            );
        }
    }
}
