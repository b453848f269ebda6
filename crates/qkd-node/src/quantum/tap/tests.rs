//! Eve and Alice's laboratory without a network between them.

use qkd_bits::SecretRng;
use qkd_optics::{
    AlicesDoor, Doorway, FrameOrder, Isolation, OrderLimits, Source, Transmitter, Verdict,
};

use super::*;
use crate::config::EvePosition;

const ADDRESS: FrameAddress = FrameAddress {
    session: 4,
    link: 0,
    epoch: 0,
};

const SPAN: u32 = 20_000;

struct Rig {
    alice: Transmitter,
    door: Doorway,
    encoder: FrameEncoder,
    tap: Tap,
    bench: Workbench,
    now: Instant,
}

impl Rig {
    fn new(attack: &str, stand: Stand) -> Self {
        let source = Source {
            clock_hz: 1e7,
            intensities: vec![0.5, 0.1],
            intensity_probabilities: vec![0.5, 0.5],
            key_basis_probability: 0.5,
            effects: Default::default(),
        };
        let alice = Transmitter::new(source, 1.0, SecretRng::from_seed([9; 32])).unwrap();
        let door = AlicesDoor {
            isolation: Isolation::everywhere(70.0),
            ..AlicesDoor::default()
        };
        let shape = FrameShape::for_density(ADDRESS, alice.density(), SPAN).unwrap();
        Self {
            door: Doorway::new(door, &alice, ADDRESS, PhysicsRng::from_seed(1)).unwrap(),
            encoder: FrameEncoder::new(shape),
            alice,
            tap: Tap::new(attack, stand).unwrap(),
            bench: Workbench::new(PhysicsRng::from_seed(2)),
            now: Instant::now(),
        }
    }

    /// So many trains go by, one every two milliseconds; what leaves Eve's hands.
    fn run(&mut self, trains: usize) -> Vec<u8> {
        for _ in 0..trains {
            let mut datagrams = Vec::new();
            let (alice, door) = (&mut self.alice, &mut self.door);
            let train = door.transmit(alice, SPAN, &mut datagrams).unwrap();
            self.encoder.encode(train, &mut datagrams).unwrap();
            for datagram in datagrams.chunks(FRAME_BYTES) {
                self.tap.handle(&mut self.bench, datagram);
            }
            self.now += Duration::from_millis(2);
            if let Some(datagram) = self.tap.shine(&mut self.bench, self.now) {
                self.door.receive(&datagram, self.alice.next_slot());
            }
        }
        std::mem::take(&mut self.bench.datagrams)
    }
}

/// Of 1e6 photons 0.1 come back where nothing is lost on the way, and half of half of that behind 3 dB.
#[test]
fn what_comes_back_is_what_went_in_less_the_fibre_twice() {
    for (loss_db, returned) in [(0.0, 0.1), (10.0 * 2f64.log10(), 0.025)] {
        let stand = Stand::new(EvePosition::BobsDoor, loss_db);
        let mut rig = Rig::new("trojan-horse", stand);
        // The first train is sent before Eve has seen any.
        let _first = rig.run(1);
        let onward = rig.run(50);
        // What reaches the modulator is half of what went in, and half of what comes out is lost.
        let at_door = returned * 10f64.powf(loss_db / 10.0);
        let lost = 10f64.powf(-loss_db / 10.0);
        let expected = 1e6 * (1.0 - (-at_door).exp()) * lost;
        let seen = rig.tap.returned_photons() as f64;
        let off = (seen - expected) / expected.sqrt();
        assert!(off.abs() < 5.0, "{loss_db} dB: {seen}, expected {expected}");
        // All of them are of pulses that came by, and nothing of them goes on to Bob.
        assert_eq!(rig.tap.tally().intercepted as f64, seen);
        let mut order = FrameOrder::new(ADDRESS, OrderLimits::default(), 0);
        for datagram in onward.chunks(FRAME_BYTES) {
            assert_eq!(order.receive(0, datagram), Ok(Verdict::Accepted));
        }
    }
}

#[test]
fn light_goes_out_when_the_attack_ends_and_comes_on_with_the_next() {
    let mut rig = Rig::new("passive", Stand::new(EvePosition::BobsDoor, 0.0));
    rig.run(5);
    assert_eq!(rig.tap.returned_photons(), 0);
    rig.tap.set("trojan-horse").unwrap();
    rig.run(5);
    let lit = rig.tap.returned_photons();
    assert!(lit > 0);
    rig.tap.set("passive").unwrap();
    // A fifth of a second of Alice's clock, as Eve knows it, and then some.
    rig.run(200);
    let after = rig.tap.returned_photons();
    rig.run(50);
    assert_eq!(rig.tap.returned_photons(), after);
    assert_eq!(rig.tap.datagrams().1, 0, "none was corrupt");
}

/// A stranger's reflections of another session are no part of this one's.
#[test]
fn a_new_session_begins_without_the_reflections_of_the_last() {
    let mut rig = Rig::new("trojan-horse", Stand::new(EvePosition::BobsDoor, 0.0));
    rig.run(2);
    let mut datagrams = Vec::new();
    let _train = rig
        .door
        .transmit(&mut rig.alice, SPAN, &mut datagrams)
        .unwrap();
    rig.tap.handle(&mut rig.bench, &datagrams[..FRAME_BYTES]);
    assert!(!rig.bench.reflections.is_empty());
    let before = rig.tap.tally().intercepted;
    let mut next = Rig::new("trojan-horse", Stand::new(EvePosition::BobsDoor, 0.0));
    let other = FrameAddress {
        session: 5,
        ..ADDRESS
    };
    let shape = FrameShape::for_density(other, next.alice.density(), SPAN).unwrap();
    let train = next.alice.transmit(SPAN);
    let mut pulses = Vec::new();
    FrameEncoder::new(shape).encode(train, &mut pulses).unwrap();
    rig.tap.handle(&mut rig.bench, &pulses[..FRAME_BYTES]);
    assert_eq!(rig.tap.tally().intercepted, before);
}
