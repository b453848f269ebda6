//! From what the instruments remember to a sifted key, for both roles: time per detection, by the
//! processor time of the thread, which a machine that is shared leaves nearly alone.
//!
//! `taskset -c 1 cargo bench -p qkd-protocols --bench sift`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, Choice, Detection, Detections, IntensityClass};
use qkd_protocols::{AliceRecord, BobRecord, DecoyBb84, LinkSetup, Protocol};
use qkd_security::{BlockPlan, DecoySource, LinkModel, Margin, SecurityParameters, Theorem};
use rustix::time::{ClockId, clock_gettime};

/// Detections of a block: enough for half a million sifted bits where both choose Z four times out
/// of five.
const DETECTIONS: usize = 800_000;

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("processor time is not negative")
}

/// What one call takes, without the wiping and freeing of what it returns.
fn timed<T>(routine: impl FnOnce() -> T) -> Duration {
    let start = processor_time();
    let result = black_box(routine());
    let took = processor_time() - start;
    drop(result);
    took
}

fn protocol() -> DecoyBb84 {
    let sound = "the link of the example is sound";
    let link = LinkModel {
        source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).expect(sound),
        key_basis_probability: 0.8,
        clock_hz: 1e9,
        transmittance_channel: 0.1,
        insertion_transmittance: 1.0,
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 30,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.01,
    };
    let parameters = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };
    let (theorem, margin) = (Theorem::default(), Margin::default());
    let plan = BlockPlan::derive(&link, 1_000_000, &parameters, theorem, &margin).expect(sound);
    DecoyBb84::new(LinkSetup {
        hardware: qkd_protocols::Hardware::of(&link),
        link,
        plan,
        theorem,
        parameters,
    })
}

/// What the two sides did in each announced slot, drawn as the protocol draws it.
struct Block {
    choices: Vec<(Basis, bool, u8)>,
    detections: Detections,
}

impl Block {
    fn drawn() -> Self {
        let mut nature = PhysicsRng::from_seed(1);
        let (mut choices, mut detections) = (Vec::new(), Detections::default());
        for slot in 0..DETECTIONS as u64 {
            let mut basis = || match nature.chance(0.8) {
                true => Basis::Z,
                false => Basis::X,
            };
            let (at_alice, at_bob) = (basis(), basis());
            let bit = nature.bit();
            let wrong = nature.chance(if at_alice == at_bob { 0.01 } else { 0.5 });
            choices.push((at_alice, bit, u8::from(nature.chance(0.3))));
            detections.extend([Detection {
                slot,
                basis: at_bob,
                bit: bit ^ wrong,
            }]);
        }
        Self {
            choices,
            detections,
        }
    }

    fn alice(&self) -> AliceRecord {
        let choices = self.choices.iter().map(|&(basis, bit, class)| Choice {
            basis,
            bit,
            intensity: IntensityClass(class),
        });
        AliceRecord::new(choices.collect())
    }

    fn bob(&self) -> BobRecord {
        let mut record = BobRecord::with_capacity(self.detections.len());
        record.append(&self.detections);
        record
    }
}

fn sift(criterion: &mut Criterion) {
    let (protocol, block) = (protocol(), Block::drawn());
    let (alice, bob) = (block.alice(), block.bob());
    let bases = bob.bases().clone();
    let honest = "the two sides fit together";
    let disclosed = protocol.disclose(&alice, &bases).expect(honest);
    let mut group = criterion.benchmark_group("sift");
    group.throughput(Throughput::Elements(DETECTIONS as u64));
    let mut case = |name: &str, routine: &mut dyn FnMut() -> Duration| {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| routine()).sum());
        });
    };
    case("record/alice", &mut || timed(|| block.alice()));
    case("record/bob", &mut || timed(|| block.bob()));
    case("disclose", &mut || {
        timed(|| protocol.disclose(&alice, &bases))
    });
    case("sift/alice", &mut || {
        let record = block.alice();
        timed(|| protocol.sift_alice(record, &bases))
    });
    case("sift/bob", &mut || {
        let record = block.bob();
        timed(|| protocol.sift_bob(record, &disclosed))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = sift
}
criterion_main!(benches);
