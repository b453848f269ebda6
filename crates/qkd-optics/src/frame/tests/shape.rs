//! Shapes, and what real light costs in them.

use super::*;

fn single_photons(p: f64) -> LightDensity {
    LightDensity {
        occupied_probability: p,
        few_photons_probability: 0.1 * p * p.min(0.5),
        many_photons_probability: 0.0,
    }
}

#[test]
fn the_format_follows_the_density() {
    for (p, expected) in [
        (0.4f64, (WordBits::Eight, PhotonBits::Two)),
        (0.06, (WordBits::Eight, PhotonBits::None)),
        (0.02, (WordBits::Eight, PhotonBits::None)),
        (0.005, (WordBits::Sixteen, PhotonBits::Two)),
        (1e-4, (WordBits::Sixteen, PhotonBits::None)),
    ] {
        let density = LightDensity {
            few_photons_probability: 0.2 * p * p.min(0.5) + if p > 0.3 { 0.2 * p } else { 0.0 },
            ..single_photons(p)
        };
        let shape = FrameShape::for_density(ADDRESS, density, u32::MAX).expect("possible");
        let format = (shape.format.word_bits, shape.format.photon_bits);
        assert_eq!(format, expected, "at {p}");
    }
    for p in [1e-6, 1e-9] {
        let shape = FrameShape::for_density(ADDRESS, single_photons(p), u32::MAX).expect("fine");
        assert_eq!(shape.format.word_bits, WordBits::ThirtyTwo, "at {p}");
    }
}

#[test]
fn impossible_densities_are_refused_and_extreme_ones_are_not() {
    for p in [0.0, 1e-300, 1e-12, 1.0] {
        let shape = FrameShape::for_density(ADDRESS, single_photons(p), 5_000).expect("possible");
        assert!((1..=5_000).contains(&shape.span), "{p}: {}", shape.span);
        assert_eq!(shape.address(), ADDRESS);
        let longest = FrameShape::for_density(ADDRESS, single_photons(p), u32::MAX);
        assert!(longest.expect("possible").span <= 1_000_000_000);
    }
    let refused = |density, span_max| FrameShape::for_density(ADDRESS, density, span_max).is_err();
    assert!(refused(single_photons(1.1), 10));
    assert!(refused(single_photons(f64::NAN), 10));
    assert!(refused(single_photons(0.1), 0));
    let too_many = LightDensity {
        many_photons_probability: 0.2,
        ..single_photons(0.1)
    };
    assert!(refused(too_many, 10));
}

/// Intensities and probabilities of a source, its distance in km of 0.2 dB, and the most bytes that
/// a pulse may cost, headers and padding and all.
const COSTS: [([f64; 2], [f64; 2], f64, f64); 12] = [
    ([0.33, 0.115], [0.45, 0.55], 0.0, 1.2),
    ([0.33, 0.115], [0.45, 0.55], 10.0, 1.2),
    ([0.33, 0.115], [0.45, 0.55], 25.0, 1.2),
    ([0.33, 0.115], [0.45, 0.55], 50.0, 1.6),
    ([0.33, 0.115], [0.45, 0.55], 75.0, 2.3),
    ([0.33, 0.115], [0.45, 0.55], 100.0, 2.3),
    ([0.5, 0.15], [0.9, 0.1], 0.0, 1.2),
    ([0.5, 0.15], [0.9, 0.1], 10.0, 1.2),
    ([0.5, 0.15], [0.9, 0.1], 50.0, 1.6),
    ([0.5, 0.15], [0.9, 0.1], 75.0, 2.3),
    ([0.5, 0.15], [0.9, 0.1], 100.0, 2.3),
    ([2.0, 0.5], [0.5, 0.5], 0.0, 1.3),
];

#[test]
fn real_light_costs_few_bytes_a_pulse_and_its_trains_nearly_always_as_many_frames() {
    for (intensities, probabilities, km, bytes_max) in COSTS {
        let source = Source {
            clock_hz: 1e9,
            intensities: intensities.to_vec(),
            intensity_probabilities: probabilities.to_vec(),
            key_basis_probability: 0.8,
            effects: Default::default(),
        };
        let secret = SecretRng::from_seed([km as u8; 32]);
        let mut alice =
            Transmitter::new(source, crate::transmittance(0.2 * km), secret).expect("valid source");
        let shape = FrameShape::for_density(ADDRESS, alice.density(), 20_000_000).expect("valid");
        let mut encoder = FrameEncoder::new(shape);
        let (mut bytes, mut pulses, mut payload, mut as_planned) = (0, 0, 0, 0);
        let trains = 20;
        let mut datagrams = Vec::new();
        for _ in 0..trains {
            let light = alice.transmit(shape.span);
            pulses += light.pulses.len();
            datagrams.clear();
            let count = encoder.encode(light, &mut datagrams).expect("it has slots");
            as_planned += usize::from(count == 15);
            bytes += datagrams.len();
            let lengths = datagrams.chunks(FRAME_BYTES).map(|f| [f[40], f[41]]);
            payload += lengths
                .map(u16::from_le_bytes)
                .map(usize::from)
                .sum::<usize>();
        }
        let each = bytes as f64 / pulses as f64;
        let fill = payload as f64 / (bytes / FRAME_BYTES * PAYLOAD_BYTES) as f64;
        println!(
            "{intensities:?} {km} km: {:?}, {each:.3} bytes, fill {fill:.3}",
            shape.format
        );
        assert!(each < bytes_max, "{km} km: {each} bytes a pulse");
        assert!(fill > 0.97, "{km} km: frames are filled to {fill}");
        // Each train misses with a chance of 0.6 %: more than four of twenty have one of 10⁻⁷.
        assert!(
            as_planned >= trains - 4,
            "{km} km: {as_planned} trains of 15 frames"
        );
    }
}
