//! The whole post-processing of one block, from clicks to key, per sifted bit: both engines in one
//! thread, without light, envelopes or network, by the processor time of each.
//!
//! `taskset -c 1 cargo bench -p qkd-session --bench block`

#[path = "block/link.rs"]
mod link;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use link::{Link, Pair};

const BLOCK_BITS: u64 = 1_000_000;

fn block(criterion: &mut Criterion) {
    for percent in [1, 3] {
        let link = Link::new(BLOCK_BITS, f64::from(percent) / 100.0);
        let mut group = criterion.benchmark_group(format!("block at {percent} %"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(BLOCK_BITS));
        for (side, name) in [(0, "alice"), (1, "bob")] {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter_custom(|times| {
                    let mut pair = Pair::new(&link);
                    for _ in 0..times {
                        pair.block(|_| false);
                    }
                    assert!(pair.secret_bits > 0, "a block without a key is no measure");
                    // Sifting leaves a few bits more or less than planned.
                    pair.spent[side]
                        .mul_f64((times * BLOCK_BITS) as f64 / pair.sifted_bits.max(1) as f64)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, block);
criterion_main!(benches);
