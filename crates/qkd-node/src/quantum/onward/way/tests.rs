//! Datagrams that arrive, whole or cut.

use std::time::Duration;

use super::*;

#[cfg(target_os = "linux")]
mod small_network;

fn listening() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_secs(20);
    socket.set_read_timeout(Some(patience)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn a_batch_arrives_as_datagrams_of_one_frame_each() {
    let (bob, address) = listening();
    let way = Way::to(address).unwrap();
    for (frames, rest) in [(46, 0), (3, 100), (1, 0), (0, 5)] {
        let mut sent = Vec::new();
        for frame in 0..frames {
            sent.extend([frame as u8; FRAME_BYTES]);
        }
        sent.extend(vec![255; rest]);
        let count = sent.len().div_ceil(FRAME_BYTES);
        assert_eq!(way.send(&sent).unwrap(), count as u64);
        for expected in sent.chunks(FRAME_BYTES) {
            let mut datagram = [0; FRAME_BYTES + 1];
            let bytes = bob.recv(&mut datagram).unwrap();
            assert_eq!(&datagram[..bytes], expected);
        }
    }
}

#[test]
fn nobody_reads_and_sending_waits_for_nothing() {
    let (_bob, address) = listening();
    let way = Way::to(address).unwrap();
    let batch = vec![0; 46 * FRAME_BYTES];
    // Far more than any buffer holds: a socket that blocks would never come to the end.
    for _ in 0..2000 {
        let _lost = way.send(&batch);
    }
}
