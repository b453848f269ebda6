//! The applications: they fetch every key there is at both ends, and compare.

use qkd_wire::proto::delivery::{
    GetKeyRequest, GetKeyWithIdsRequest, GetStatusRequest, KeyContainer,
};

use super::{Node, Nodes, SAE_ALICE, SAE_BOB, clients};

/// Keys fetched at once: few enough for every store of a test to hold until the slave has them.
const KEYS_PER_REQUEST: u64 = 32;

/// A key that both applications hold.
pub struct Agreed {
    /// Its identity.
    pub key_id: String,
    /// Its bytes, equal at both ends.
    pub key: Vec<u8>,
}

/// Fetches all keys of both directions, each at its master's and then at its slave's node, and
/// returns them. Those are at least all that there were when it was called: a link may make keys
/// faster than anybody can fetch them. Fails when two differ, or one is missing at the other end.
pub async fn agree_on_all_keys(nodes: &Nodes) -> Vec<Agreed> {
    let (alice, bob) = ((nodes.alice(), SAE_ALICE), (nodes.bob(), SAE_BOB));
    let directions = [(alice, bob), (bob, alice)];
    let mut there = 0;
    for (master, slave) in directions {
        there += stored(nodes, master, slave.1).await;
    }
    let mut agreed = Vec::new();
    loop {
        let before = agreed.len();
        // Keys that are not assigned may change their direction meanwhile, hence once more.
        for (master, slave) in directions {
            let mut left = stored(nodes, master, slave.1).await;
            while left > 0 {
                let number = stored(nodes, master, slave.1).await.min(left);
                if number == 0 {
                    break;
                }
                let keys = fetch_some(nodes, master, slave.1, number.min(KEYS_PER_REQUEST)).await;
                left -= keys.keys.len() as u64;
                agreed.extend(compare(nodes, keys, slave, master.1).await);
            }
        }
        if agreed.len() == before || agreed.len() as u64 >= there {
            return agreed;
        }
    }
}

/// How many keys a master could have.
async fn stored(nodes: &Nodes, (node, master): (&Node, &str), slave: &str) -> u64 {
    let mut client = clients::delivery(nodes, node, master).await;
    let status = client
        .get_status(GetStatusRequest {
            slave_sae_id: slave.to_owned(),
        })
        .await;
    let status = status.expect("a node tells what it has");
    status.into_inner().stored_key_count
}

/// So many keys for a master.
async fn fetch_some(
    nodes: &Nodes,
    (node, master): (&Node, &str),
    slave: &str,
    number: u64,
) -> KeyContainer {
    let mut client = clients::delivery(nodes, node, master).await;
    let request = GetKeyRequest {
        slave_sae_id: slave.to_owned(),
        number: Some(number as u32),
        size: None,
        additional_slave_sae_ids: Vec::new(),
    };
    match client.get_key(request).await {
        Ok(keys) => keys.into_inner(),
        Err(status) => node.fail(&format!("{} gives no key: {status:?}", node.name)),
    }
}

async fn compare(
    nodes: &Nodes,
    masters: KeyContainer,
    (node, slave): (&Node, &str),
    master: &str,
) -> Vec<Agreed> {
    let mut client = clients::delivery(nodes, node, slave).await;
    let key_ids: Vec<String> = masters.keys.iter().map(|key| key.key_id.clone()).collect();
    let request = GetKeyWithIdsRequest {
        master_sae_id: master.to_owned(),
        key_ids,
    };
    let slaves = match client.get_key_with_ids(request).await {
        Ok(keys) => keys.into_inner(),
        Err(status) => node.fail(&format!("{} lacks keys: {status:?}", node.name)),
    };
    assert_eq!(masters.keys.len(), slaves.keys.len());
    let pairs = masters.keys.iter().zip(&slaves.keys);
    pairs
        .map(|(ours, theirs)| {
            assert_eq!(ours.key_id, theirs.key_id);
            // No assert_eq: it would print keys.
            assert!(ours.key == theirs.key, "the keys {} differ", ours.key_id);
            Agreed {
                key_id: ours.key_id.clone(),
                key: ours.key.clone(),
            }
        })
        .collect()
}
