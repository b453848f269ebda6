//! Networks of their own, of which the middle one is too small for a whole frame.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use qkd_optics::FRAME_BYTES;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::Way;

/// Alice, a router, and Bob: the router's way to Bob takes 1400 bytes.
struct Networks {
    names: [String; 3],
}

impl Networks {
    fn build() -> Self {
        let names =
            ["alice", "router", "bob"].map(|one| format!("qkd-{}-{one}", std::process::id()));
        let networks = Self { names };
        for name in &networks.names {
            ip(&format!("netns add {name}"));
        }
        let [alice, router, bob] = &networks.names;
        for (host, end, subnet, mtu) in [(alice, "left", 1, 1500), (bob, "right", 2, 1400)] {
            ip(&format!(
                "-n {router} link add {end} type veth peer name way netns {host}"
            ));
            for (name, device, last) in [(router, end, 1), (host, "way", 2)] {
                ip(&format!("-n {name} link set {device} mtu {mtu} up"));
                ip(&format!(
                    "-n {name} addr add 10.77.{subnet}.{last}/24 dev {device}"
                ));
                ip(&format!(
                    "-n {name} addr add fd77:{subnet}::{last}/64 dev {device} nodad"
                ));
            }
            ip(&format!("-n {host} route add default via 10.77.{subnet}.1"));
            ip(&format!("-n {host} route add default via fd77:{subnet}::1"));
        }
        for switch in ["ipv4.ip_forward", "ipv6.conf.all.forwarding"] {
            ip(&format!("netns exec {router} sysctl -qw net.{switch}=1"));
        }
        networks
    }

    /// Does something in one of them, on a thread of its own.
    fn inside<T: Send>(&self, which: usize, action: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.names[which]);
        let enter = || {
            let network = File::open(path).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            action()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            let _never_made = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}

#[test]
#[ignore = "needs root for networks of its own (sudo -E cargo test -- --ignored small_network)"]
fn frames_arrive_behind_a_network_that_is_too_small_for_them() {
    let networks = Networks::build();
    for address in ["10.77.2.2:0", "[fd77:2::2]:0"] {
        let bob = networks.inside(2, || {
            let bob = UdpSocket::bind(address).unwrap();
            bob.set_read_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            bob
        });
        let to: SocketAddr = bob.local_addr().unwrap();
        let way = networks.inside(0, || Way::to(to).unwrap());
        // A network that is new takes a while until it lets anything through.
        let mut datagram = [0; FRAME_BYTES + 1];
        let arrives = |_| {
            way.send(&[0]).unwrap();
            bob.recv(&mut datagram).is_ok()
        };
        assert!((0..20).any(arrives), "{address}");
        let batch = vec![7; 8 * FRAME_BYTES];
        let mut arrived = 0;
        // The first ones meet the router, whose word makes the later ones smaller.
        for round in 0..10 {
            let sent = way.send(&batch);
            assert!(matches!(sent, Ok(8)), "{address}, round {round}: {sent:?}");
            let mut datagram = [0; FRAME_BYTES + 1];
            let here = (0..8).map_while(|_| bob.recv(&mut datagram).ok());
            arrived += here.filter(|&bytes| bytes == FRAME_BYTES).count();
        }
        assert!(arrived >= 64, "{address}: {arrived} of 80 arrived");
    }
}
