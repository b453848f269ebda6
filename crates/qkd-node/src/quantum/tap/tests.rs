//! Eve and Alice's laboratory without a network between them.

use qkd_bits::SecretRng;
use qkd_optics::{
    AlicesDoor, Doorway, FrameOrder, Isolation, OrderLimits, Reflections, Source, Transmitter,
    Verdict,
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

/// Pulses and reflections of slots beyond those that Eve believes in, under some address.
fn from_nowhere(address: FrameAddress) -> [Vec<u8>; 2] {
    let source = Source {
        clock_hz: 1e9,
        intensities: vec![1e-9],
        intensity_probabilities: vec![1.0],
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    let mut alice = Transmitter::new(source, 1.0, SecretRng::from_seed([7; 32])).unwrap();
    for _ in 0..3 {
        let _dim = alice.transmit(u32::MAX);
    }
    let from = alice.next_slot();
    let train = alice.transmit(SPAN);
    let slots = from..alice.next_slot();
    let mut physics = PhysicsRng::from_seed(3);
    let reflections = alice.reflect(slots.clone(), 0.01, &mut physics).unwrap();
    let shape = FrameShape::for_density(address, alice.density(), SPAN).unwrap();
    let mut encoder = FrameEncoder::new(shape);
    let mut frames = [Vec::new(), Vec::new()];
    encoder.encode(train, &mut frames[0]).unwrap();
    encoder.encode_reflected(reflections, slots, &mut frames[1]);
    assert!(frames.iter().all(|frames| !frames.is_empty()));
    frames
}

/// Of two trains the later one comes first, and between them come frames of other slots and sessions.
#[test]
fn neither_a_network_that_shuffles_nor_frames_from_nowhere_lose_what_comes_back() {
    let mut rig = Rig::new("trojan-horse", Stand::new(EvePosition::BobsDoor, 0.0));
    rig.run(3);
    let other = FrameAddress {
        session: 5,
        ..ADDRESS
    };
    let [strays, strangers] = [ADDRESS, other].map(from_nowhere);
    let (returned, intercepted) = (rig.tap.returned_photons(), rig.tap.tally().intercepted);
    let mut sent = Reflections::default();
    for _ in 0..20 {
        let [mut reflected, mut pulses] = [const { Vec::<Vec<u8>>::new() }; 2];
        for _ in 0..2 {
            let (mut back, mut onward) = (Vec::new(), Vec::new());
            let train = rig.door.transmit(&mut rig.alice, SPAN, &mut back).unwrap();
            rig.encoder.encode(train, &mut onward).unwrap();
            for datagram in back.chunks(FRAME_BYTES) {
                let Ok(Frame::Reflected(frame)) = Frame::decode(datagram) else {
                    panic!("no reflected light");
                };
                sent.gather(frame.into_light(), usize::MAX);
            }
            reflected.push(back);
            pulses.push(onward);
        }
        let order = [
            &reflected[1],
            &strays[1],
            &reflected[0],
            &strangers[1],
            &pulses[1],
            &strays[0],
            &pulses[0],
            &strangers[0],
        ];
        for datagram in order
            .into_iter()
            .flat_map(|frames| frames.chunks(FRAME_BYTES))
        {
            rig.tap.handle(&mut rig.bench, datagram);
        }
        rig.now += Duration::from_millis(4);
        if let Some(datagram) = rig.tap.shine(&mut rig.bench, rig.now) {
            rig.door.receive(&datagram, rig.alice.next_slot());
        }
    }
    let sent = sent.len() as u64;
    // A tenth of 20,000 slots, forty times.
    assert!(sent > 70_000, "the light went out: {sent}");
    assert_eq!(rig.tap.returned_photons() - returned, sent);
    assert_eq!(rig.tap.tally().intercepted - intercepted, sent);
}
