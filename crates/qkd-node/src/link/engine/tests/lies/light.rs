//! What Alice sent and what clicked at Bob, drawn once for all days.

use std::sync::{Arc, OnceLock};

use qkd_bits::SecretRng;
use qkd_optics::{Basis, Choice, Detection, Detections, IntensityClass, SlotList};
use qkd_protocols::{AliceRecord, Hardware, LinkSetup};
use qkd_security::{BlockPlan, DecoySource, LinkModel, Margin, SecurityParameters, Theorem};

/// Slots from one click to the next.
const SPACING: u64 = 3;

/// Error rates of the blocks: the one in the middle gives no key.
pub const ERROR_RATES: [f64; 3] = [0.01, 0.2, 0.01];

/// What was sent and what clicked, the same in all runs.
pub struct Light {
    /// What both sides plan with.
    pub setup: LinkSetup,
    clicks: Vec<Click>,
    /// First slot after each block.
    pub ends: Vec<u64>,
}

struct Click {
    slot: u64,
    /// Basis, bit and intensity class.
    alice: (Basis, bool, u8),
    bob: (Basis, bool),
}

impl Light {
    /// Drawn once, for all runs of the process.
    pub fn shared() -> Arc<Self> {
        static LIGHT: OnceLock<Arc<Light>> = OnceLock::new();
        LIGHT.get_or_init(|| Arc::new(Self::drawn())).clone()
    }

    fn drawn() -> Self {
        let link = LinkModel {
            source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).unwrap(),
            key_basis_probability: 0.6,
            clock_hz: 1e9,
            transmittance_channel: 0.3,
            insertion_transmittance: 1.0,
            detector_efficiency: 0.8,
            dark_count_probability: 1e-8,
            dead_time_slots: 0,
            afterpulse_probability: 0.0,
            afterpulse_decay_slots: 50.0,
            misalignment_error: 0.01,
        };
        // Small blocks, which a generous budget lets have keys all the same.
        let parameters = SecurityParameters {
            secrecy: 1e-3,
            correctness: 1e-6,
        };
        let (theorem, margin) = (Theorem::default(), Margin::default());
        let plan = BlockPlan::derive(&link, 20_000, &parameters, theorem, &margin).unwrap();
        let length = plan.acceptance.secret_length_bits;
        assert!(
            length > 1500,
            "blocks of {length} bits have no room for keys"
        );
        let counts = plan.statistics_expected.key.counts;
        let decoy_share = counts[1] / (counts[0] + counts[1]);
        let mut rng = SecretRng::from_seed([71; 32]);
        let mut clicks = Vec::new();
        let mut ends = Vec::new();
        for error_rate in ERROR_RATES {
            for _ in 0..plan.detections {
                let slot = SPACING * clicks.len() as u64;
                clicks.push(click(&mut rng, slot, error_rate, decoy_share));
            }
            ends.push(SPACING * clicks.len() as u64);
        }
        let setup = LinkSetup {
            hardware: Hardware::of(&link),
            link,
            plan,
            theorem,
            parameters,
        };
        Self {
            setup,
            clicks,
            ends,
        }
    }

    /// The clicks in a range of slots.
    pub fn detections(&self, from: u64, end: u64) -> Detections {
        let clicks = self.clicks.iter();
        let within = clicks.filter(|click| (from..end).contains(&click.slot));
        let detection = |click: &Click| Detection {
            slot: click.slot,
            basis: click.bob.0,
            bit: click.bob.1,
        };
        within.map(detection).collect()
    }

    /// What Alice sent in these slots; in those where nothing clicked she sent something too.
    pub fn record(&self, slots: &SlotList) -> AliceRecord {
        let sent = |slot: u64| match self.clicks.get((slot / SPACING) as usize) {
            Some(click) if click.slot == slot => click.alice,
            Some(_) | None => (Basis::Z, slot.count_ones() % 2 == 1, 0),
        };
        let sent = |slot| {
            let (basis, bit, class) = sent(slot);
            Choice {
                basis,
                bit,
                intensity: IntensityClass(class),
            }
        };
        AliceRecord::new(slots.iter().map(sent).collect())
    }
}

fn click(rng: &mut SecretRng, slot: u64, error_rate: f64, decoy_share: f64) -> Click {
    let basis = |rng: &mut SecretRng| if rng.chance(0.6) { Basis::Z } else { Basis::X };
    let (sent, measured) = (basis(rng), basis(rng));
    let bit = rng.bit();
    let class = u8::from(rng.chance(decoy_share));
    let flip = if sent == measured { error_rate } else { 0.5 };
    Click {
        slot,
        alice: (sent, bit, class),
        bob: (measured, bit ^ rng.chance(flip)),
    }
}
