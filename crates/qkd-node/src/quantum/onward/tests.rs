use std::io::{Error, Result};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::*;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const PACE: Pace = Pace {
    steady: Duration::from_millis(20),
    trouble: Duration::from_millis(5),
};

/// What a name means, changed by a test at will.
type Zone = Arc<Mutex<Vec<SocketAddr>>>;

fn listening() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PACE.trouble)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn onward(zone: &Zone, faults: Tell) -> Onward {
    let zone = zone.clone();
    let resolver = move |_: &HostPort| -> Result<Vec<SocketAddr>> {
        let addresses = zone.lock().unwrap().clone();
        match addresses.is_empty() {
            true => Err(Error::other("no such name")),
            false => Ok(addresses),
        }
    };
    let peer = HostPort::new("bob.example", 7101);
    Onward::start_with("[quantum] peer", peer, (Box::new(resolver), PACE), faults).unwrap()
}

fn recorded() -> (Tell, Receiver<Option<String>>) {
    let (sender, receiver) = channel();
    (Box::new(move |fault| drop(sender.send(fault))), receiver)
}

/// Sends until `done`.
fn send_until(sender: &mut OnwardSender, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "in vain");
        sender.send(b"light");
        std::thread::yield_now();
    }
}

fn arrives(at: &UdpSocket) -> bool {
    at.recv(&mut [0; 16]).is_ok()
}

#[test]
fn light_goes_nowhere_until_the_name_is_known_and_then_arrives() {
    let (bob, address) = listening();
    let zone = Zone::default();
    let (tell, faults) = recorded();
    let onward = onward(&zone, tell);
    let fault = faults.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(
        fault.contains("[quantum] peer `bob.example:7101`"),
        "{fault}"
    );
    assert!(fault.contains("no such name"), "{fault}");
    let mut sender = onward.sender();
    assert_eq!(sender.send(b"light"), 0, "there is no way yet");
    zone.lock().unwrap().push(address);
    send_until(&mut sender, || arrives(&bob));
    send_until(&mut sender, || faults.try_recv() == Ok(None));
}

#[test]
fn a_name_that_moves_takes_the_light_with_it() {
    let ((old, from), (new, to)) = (listening(), listening());
    let zone = Zone::new(Mutex::new(vec![from]));
    let onward = onward(&zone, Box::new(|_| {}));
    let mut sender = onward.sender();
    send_until(&mut sender, || arrives(&old));
    *zone.lock().unwrap() = vec![to];
    send_until(&mut sender, || arrives(&new));
}

#[test]
fn of_several_addresses_the_one_that_listens_is_found_and_kept() {
    let (bob, address) = listening();
    let (gone, nobody) = listening();
    drop(gone);
    let zone = Zone::new(Mutex::new(vec![nobody, address]));
    let onward = onward(&zone, Box::new(|_| {}));
    let mut sender = onward.sender();
    send_until(&mut sender, || arrives(&bob));
    // A name server may tell them in any order.
    zone.lock().unwrap().reverse();
    send_until(&mut sender, || arrives(&bob));
}

#[test]
fn a_peer_that_refuses_is_an_alarm_while_it_does() {
    let (bob, address) = listening();
    drop(bob);
    let zone = Zone::new(Mutex::new(vec![address]));
    let (tell, faults) = recorded();
    let onward = onward(&zone, tell);
    let mut sender = onward.sender();
    let mut said = None;
    send_until(&mut sender, || {
        said = faults.try_recv().ok().flatten();
        said.is_some()
    });
    let said = said.unwrap();
    assert!(
        said.contains(&format!("nobody listens at {address}")),
        "{said}"
    );
    let _bob = UdpSocket::bind(address).unwrap();
    send_until(&mut sender, || faults.try_recv() == Ok(None));
}

#[test]
fn a_name_server_that_fails_does_not_cut_a_fibre_that_works() {
    let (bob, address) = listening();
    let zone = Zone::new(Mutex::new(vec![address]));
    let (tell, faults) = recorded();
    let onward = onward(&zone, tell);
    let mut sender = onward.sender();
    send_until(&mut sender, || arrives(&bob));
    zone.lock().unwrap().clear();
    let looks = Instant::now();
    send_until(&mut sender, || looks.elapsed() > 5 * PACE.steady);
    send_until(&mut sender, || arrives(&bob));
    assert!(faults.try_recv().is_err(), "no alarm");
}

#[test]
fn an_address_in_numbers_is_there_at_once() {
    let (bob, address) = listening();
    let unheard = Box::new(|_| {});
    let onward = Onward::start("[quantum] peer", HostPort::from(address), unheard).unwrap();
    assert_eq!(onward.sender().send(b"light"), 1);
    assert!(arrives(&bob));
}

/// What is there within the patience of a test, at most `pieces_max` of it at once.
fn comes_back(sender: &mut OnwardSender, pieces_max: usize) -> Vec<Vec<u8>> {
    let began = Instant::now();
    let mut back = Vec::new();
    while back.is_empty() && began.elapsed() < PATIENCE {
        sender.receive(pieces_max, |datagram| back.push(datagram.to_vec()));
        std::thread::yield_now();
    }
    back
}

#[test]
fn what_comes_back_is_the_peers_alone_and_a_flood_of_it_waits() {
    let (bob, address) = listening();
    let onward = Onward::start("[quantum] peer", address.into(), Box::new(|_| {})).unwrap();
    let mut sender = onward.sender();
    sender.receive(8, |_| panic!("nobody has sent anything"));
    // One at a time leave by one socket, batches by another: light comes back to either.
    for frames in [1, 3] {
        assert_eq!(sender.send(&vec![7; frames * FRAME_BYTES]), frames as u64);
        let mut room = [0; FRAME_BYTES];
        bob.set_read_timeout(Some(PATIENCE)).unwrap();
        let (_, from) = bob.recv_from(&mut room).unwrap();
        for _ in 1..frames {
            bob.recv(&mut room).unwrap();
        }
        let (stranger, _) = listening();
        stranger.send_to(b"forged", from).unwrap();
        for number in 0..5 {
            bob.send_to(&[number; FRAME_BYTES], from).unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let back = comes_back(&mut sender, 2);
            assert!((1..=2).contains(&back.len()), "{back:?}");
            seen.extend(back);
        }
        let expected: Vec<Vec<u8>> = (0..5).map(|number| vec![number; FRAME_BYTES]).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_refusal_that_is_met_by_looking_for_what_comes_back_is_an_alarm_too() {
    let (bob, address) = listening();
    drop(bob);
    let (tell, faults) = recorded();
    let onward = onward(&Zone::new(Mutex::new(vec![address])), tell);
    let mut sender = onward.sender();
    let began = Instant::now();
    while faults.try_recv().ok().flatten().is_none() {
        assert!(began.elapsed() < PATIENCE, "in vain");
        // The answer of the system is there before anybody sends again.
        sender.send(b"light");
        sender.receive(8, |_| panic!("nobody is there"));
        sender.receive(8, |_| panic!("nobody is there"));
    }
}
