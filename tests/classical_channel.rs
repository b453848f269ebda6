//! What whoever sits in the classical channel can do: nothing but hold it up.

use crate::support::{Nodes, agree_on_all_keys};

#[tokio::test]
async fn honest() {
    let nodes = Nodes::builder().blocks_max(1).start().await;
    nodes.bob().block_after(0).await;
    nodes
        .alice()
        .until("a key in store", |status| status.stored_key_count > 0)
        .await;
    nodes
        .bob()
        .until("a key in store", |status| status.stored_key_count > 0)
        .await;
    let agreed = agree_on_all_keys(&nodes).await;
    eprintln!("{} keys", agreed.len());
}
