//! A random generator that fails, in a daemon: its health tests stop the link, and no key comes of it.

use qkd_bits::Defect;
use qkd_optics::Monitor;
use qkd_session::Action;
use qkd_wire::proto::node::{MonitorStatus, NodeStatus};

use crate::support::Nodes;

fn has_failed(status: &NodeStatus) -> bool {
    let failed = |alarm: &String| alarm.contains("the random generator failed");
    status.alarms.iter().any(failed)
}

/// A bias of 60 to 40 and one that repeats itself; what is stuck is found sooner than either.
#[tokio::test]
async fn a_generator_that_fails_ends_the_link_for_good_on_either_side_and_no_key_is_made() {
    let biased = Defect::Biased { ones_of_256: 154 };
    let periodic = Defect::Periodic { bytes: 64 };
    for (alices, bobs) in [(Some(biased), None), (None, Some(periodic))] {
        let mut nodes = Nodes::builder().prepare();
        nodes.alice_config.link.debug.generator = alices;
        nodes.bob_config.link.debug.generator = bobs;
        nodes.start_bob().await;
        nodes.start_alice().await;
        let broken = if alices.is_some() {
            nodes.alice()
        } else {
            nodes.bob()
        };
        broken.until("an alarm", has_failed).await;
        // Alice calls again, as she does; on neither side is there a link any more.
        let refused = |now: &NodeStatus| now.link_fault.contains("makes no key until");
        nodes.alice().until("no link", refused).await;
        for node in [nodes.alice(), nodes.bob()] {
            let status = node.status().await;
            let made = (status.blocks_with_key, status.stored_key_count);
            assert_eq!(made, (0, 0), "{}", node.name);
        }
        let status = broken.status().await;
        let monitor = monitor(&status);
        assert_eq!((monitor.action.as_str(), monitor.alarms), ("stop", 1));
    }
}

fn monitor(status: &NodeStatus) -> &MonitorStatus {
    let named = |it: &&MonitorStatus| it.name == "random_numbers";
    status.monitors.iter().find(named).unwrap()
}

/// Half of each kibibyte twice: too little for every monitor but this one.
#[tokio::test]
async fn a_generator_that_fails_makes_keys_where_its_alarm_is_only_reported_or_off() {
    for (action, name) in [(Action::Report, "report"), (Action::Off, "off")] {
        let mut nodes = Nodes::builder().blocks_max(2).prepare();
        let link = &mut nodes.alice_config.link;
        link.debug.generator = Some(Defect::Periodic { bytes: 512 });
        let actions = link.monitors.actions;
        link.monitors.actions = actions.with(Monitor::RandomNumbers, action);
        nodes.start_bob().await;
        nodes.start_alice().await;
        let made = |now: &NodeStatus| now.blocks_with_key > 0;
        nodes.alice().until("a key", made).await;
        let status = nodes.alice().status().await;
        assert!(!has_failed(&status), "{:?}", status.alarms);
        let monitor = monitor(&status);
        assert_eq!(monitor.action, name);
        assert_eq!(monitor.alarms > 0, action == Action::Report, "{name}");
    }
}
