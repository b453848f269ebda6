//! Messages between applications reach the other node's disk or their sender learns that they are
//! not known to: daemons are killed, mailboxes fill up, receivers replace each other, and every
//! message comes out once.

use std::time::{Duration, Instant};

use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use qkd_wire::proto::messaging::{AcknowledgeRequest, Delivery, ReceiveRequest, SealedMessage};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::support::{Node, Nodes, OPERATOR, PATIENCE, SAE_ALICE, SAE_BOB, messaging};

/// Longest ciphertext that is relayed, in bytes.
const LONGEST: usize = (1 << 20) + 16;

/// A direction: where the sender sits, and the two applications.
#[derive(Clone, Copy)]
struct Way {
    from: &'static str,
    to: &'static str,
}

const TO_BOB: Way = Way {
    from: SAE_ALICE,
    to: SAE_BOB,
};

const TO_ALICE: Way = Way {
    from: SAE_BOB,
    to: SAE_ALICE,
};

impl Way {
    fn message(self, sequence: u64) -> SealedMessage {
        SealedMessage {
            from_sae_id: self.from.to_owned(),
            to_sae_id: self.to.to_owned(),
            key_id: "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned(),
            sender: 1,
            sequence,
            ciphertext: vec![sequence as u8; 16],
        }
    }
}

/// The client of an application at its own node.
async fn client(nodes: &Nodes, sae: &str) -> MessagingClient<Channel> {
    let node = if sae == SAE_ALICE {
        nodes.alice()
    } else {
        nodes.bob()
    };
    messaging(nodes, node, sae).await
}

/// A link with light for one block only: it is there for the messages.
async fn linked() -> Nodes {
    let mut nodes = Nodes::builder().block_bits(10_000).blocks_max(1).prepare();
    nodes.start_bob().await;
    nodes.start_alice().await;
    nodes
}

/// Submits until the message is stored, as a good application does.
async fn submit(nodes: &Nodes, message: &SealedMessage) {
    let began = Instant::now();
    let mut client = client(nodes, &message.from_sae_id).await;
    loop {
        match client.submit(message.clone()).await {
            Ok(_) => return,
            Err(status) if status.code() == Code::Unavailable && began.elapsed() < PATIENCE => {
                // The link is on its way up: there is nothing to wait on but time.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(status) => nodes.alice().fail(&format!("not stored: {status:?}")),
        }
    }
}

async fn receive(nodes: &Nodes, sae: &str) -> Streaming<Delivery> {
    let request = ReceiveRequest {
        sae_id: sae.to_owned(),
    };
    let stream = client(nodes, sae).await.receive(request).await;
    stream.expect("an application may receive").into_inner()
}

async fn acknowledge(nodes: &Nodes, sae: &str, number: u64) -> Result<u64, Status> {
    let mut client = client(nodes, sae).await;
    let answer = client.acknowledge(AcknowledgeRequest { number }).await?;
    Ok(answer.into_inner().waiting_count)
}

/// The next message and its number.
async fn next(stream: &mut Streaming<Delivery>) -> (u64, SealedMessage) {
    match timeout(PATIENCE, stream.message()).await {
        Ok(Ok(Some(Delivery {
            number,
            message: Some(message),
        }))) => (number, message),
        other => panic!("no message: {other:?}"),
    }
}

/// Exactly these sequences wait for `sae`, in this order. Acknowledges all of them.
async fn exactly(nodes: &Nodes, way: Way, sequences: impl IntoIterator<Item = u64>) {
    let mut stream = receive(nodes, way.to).await;
    let mut last = 0;
    for sequence in sequences {
        let (number, message) = next(&mut stream).await;
        assert_eq!(message, way.message(sequence));
        last = number;
    }
    let left = acknowledge(nodes, way.to, last).await;
    assert_eq!(left.expect("it has them"), 0, "more than expected waits");
}

async fn refused(result: Result<impl Sized, Status>, code: Code, words: &str) {
    match result {
        Ok(_) => panic!("accepted in place of {code:?}"),
        Err(status) => {
            assert_eq!(status.code(), code, "{status:?}");
            assert!(status.message().contains(words), "{status:?}");
        }
    }
}

async fn link_is_down(node: &Node) {
    node.until("end of the link", |status| status.session.is_none())
        .await;
}

#[tokio::test]
async fn a_stored_message_survives_the_death_of_its_node_and_comes_out_once() {
    let mut nodes = linked().await;
    for way in [TO_BOB, TO_ALICE] {
        for sequence in 0..3 {
            submit(&nodes, &way.message(sequence)).await;
        }
    }
    nodes.take_bob().kill();
    nodes.start_bob().await;
    nodes.take_alice().kill();
    nodes.start_alice().await;
    // A sender that did not get the answer sends the last message again.
    for way in [TO_BOB, TO_ALICE] {
        submit(&nodes, &way.message(2)).await;
        exactly(&nodes, way, 0..3).await;
    }
    nodes.take_bob().kill();
    nodes.start_bob().await;
    submit(&nodes, &TO_BOB.message(2)).await;
    submit(&nodes, &TO_BOB.message(3)).await;
    exactly(&nodes, TO_BOB, 3..4).await;
}

#[tokio::test]
async fn bob_may_be_killed_while_messages_pour_in_and_none_is_lost_or_doubled() {
    let mut nodes = linked().await;
    let mut sequence = 0;
    for _death in 0..3 {
        for _ in 0..20 {
            submit(&nodes, &TO_BOB.message(sequence)).await;
            sequence += 1;
        }
        // One is on its way while he dies: whoever sent it does not know, and sends it again.
        let mut alice = client(&nodes, SAE_ALICE).await;
        let message = TO_BOB.message(sequence);
        let under_way = tokio::spawn(async move { alice.submit(message).await });
        nodes.take_bob().kill();
        let answer = under_way.await.expect("the call ends");
        if let Err(status) = answer {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        }
        nodes.start_bob().await;
        nodes.take_alice().kill();
        nodes.start_alice().await;
        submit(&nodes, &TO_BOB.message(sequence)).await;
        sequence += 1;
    }
    exactly(&nodes, TO_BOB, 0..sequence).await;
}

#[tokio::test]
async fn without_a_link_the_sender_is_told_and_nothing_comes_out_twice_later() {
    let mut nodes = linked().await;
    submit(&nodes, &TO_BOB.message(0)).await;
    nodes.take_bob().kill();
    link_is_down(nodes.alice()).await;
    let mut alice = client(&nodes, SAE_ALICE).await;
    for _ in 0..3 {
        let result = alice.submit(TO_BOB.message(1)).await;
        refused(result, Code::Unavailable, "send the message again").await;
    }
    nodes.start_bob().await;
    // Alice calls where Bob was: his ports are the same.
    submit(&nodes, &TO_BOB.message(1)).await;
    exactly(&nodes, TO_BOB, 0..2).await;
}

#[tokio::test]
async fn a_second_receiver_takes_over_and_gets_what_was_not_acknowledged() {
    let nodes = linked().await;
    let mut first = receive(&nodes, SAE_BOB).await;
    for sequence in 0..3 {
        submit(&nodes, &TO_BOB.message(sequence)).await;
    }
    assert_eq!(next(&mut first).await.0, 1);
    assert_eq!(next(&mut first).await.0, 2);
    let left = acknowledge(&nodes, SAE_BOB, 1).await;
    assert_eq!(left.expect("it has it"), 2);

    let mut second = receive(&nodes, SAE_BOB).await;
    assert_eq!(next(&mut second).await, (2, TO_BOB.message(1)));
    assert_eq!(next(&mut second).await, (3, TO_BOB.message(2)));
    let ended = async {
        loop {
            match first.message().await {
                // What was on its way already.
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let ended = timeout(PATIENCE, ended).await.expect("the stream ends");
    refused(ended, Code::Aborted, "taken over").await;
    submit(&nodes, &TO_BOB.message(3)).await;
    assert_eq!(next(&mut second).await, (4, TO_BOB.message(3)));
}

#[tokio::test]
async fn a_full_mailbox_refuses_drops_nothing_and_drains() {
    let mut nodes = Nodes::builder().block_bits(10_000).blocks_max(1).prepare();
    nodes.bob_config.link.messages.mailbox_bytes_max = 3 << 20;
    nodes.start_bob().await;
    nodes.start_alice().await;
    let long = |sequence| {
        let mut message = TO_BOB.message(sequence);
        message.ciphertext = vec![sequence as u8; LONGEST];
        message
    };
    submit(&nodes, &long(0)).await;
    submit(&nodes, &long(1)).await;
    let mut alice = client(&nodes, SAE_ALICE).await;
    let result = alice.submit(long(2)).await;
    refused(result, Code::ResourceExhausted, "mailbox of `sae-bob`").await;
    // A short one still fits, and the other direction has its own room.
    submit(&nodes, &TO_BOB.message(7)).await;
    submit(&nodes, &TO_ALICE.message(0)).await;

    let mut stream = receive(&nodes, SAE_BOB).await;
    assert_eq!(next(&mut stream).await, (1, long(0)));
    let left = acknowledge(&nodes, SAE_BOB, 1).await;
    assert_eq!(left.expect("it has it"), 2);
    submit(&nodes, &long(2)).await;
    assert_eq!(next(&mut stream).await, (2, long(1)));
    assert_eq!(next(&mut stream).await, (3, TO_BOB.message(7)));
    assert_eq!(next(&mut stream).await, (4, long(2)));
    exactly(&nodes, TO_ALICE, 0..1).await;
}

#[tokio::test]
async fn everybody_sends_receives_and_acknowledges_for_himself_only() {
    let nodes = linked().await;
    submit(&nodes, &TO_BOB.message(0)).await;
    let mut alice = client(&nodes, SAE_ALICE).await;
    let forged = alice.submit(TO_ALICE.message(0)).await;
    refused(forged, Code::PermissionDenied, "sae-alice").await;
    let request = ReceiveRequest {
        sae_id: SAE_BOB.to_owned(),
    };
    let curious = alice.receive(request.clone()).await;
    refused(curious, Code::PermissionDenied, "sae-alice").await;
    // Bob's node serves Bob's applications: nobody else may look into his mailbox.
    for stranger in [SAE_ALICE, OPERATOR] {
        let mut client = messaging(&nodes, nodes.bob(), stranger).await;
        let curious = client.receive(request.clone()).await;
        refused(curious, Code::PermissionDenied, stranger).await;
        let hostile = client.acknowledge(AcknowledgeRequest { number: 1 }).await;
        refused(hostile, Code::PermissionDenied, stranger).await;
    }
    let early = acknowledge(&nodes, SAE_BOB, 2).await;
    refused(early, Code::InvalidArgument, "message 2 is not there yet").await;
    exactly(&nodes, TO_BOB, 0..1).await;
}

#[tokio::test]
async fn what_no_application_can_have_sealed_is_refused_by_name() {
    let nodes = linked().await;
    let mut alice = client(&nodes, SAE_ALICE).await;
    type Spoil = fn(&mut SealedMessage);
    let cases: [(&str, Spoil); 4] = [
        ("`ciphertext`", |m| m.ciphertext.truncate(15)),
        ("`ciphertext`", |m| m.ciphertext = vec![0; LONGEST + 1]),
        ("`key_id`", |m| m.key_id.clear()),
        ("no application `sae-dave`", |m| {
            m.to_sae_id = "sae-dave".to_owned();
        }),
    ];
    for (words, spoil) in cases {
        let mut message = TO_BOB.message(0);
        spoil(&mut message);
        refused(alice.submit(message).await, Code::InvalidArgument, words).await;
    }
}

#[tokio::test]
async fn an_application_that_the_other_node_does_not_know_is_no_receiver() {
    let mut nodes = Nodes::builder().block_bits(10_000).blocks_max(1).prepare();
    nodes.bob_config.link.saes.retain(|sae| sae.id != SAE_BOB);
    nodes.start_bob().await;
    nodes.start_alice().await;
    nodes
        .alice()
        .until("link", |status| status.session.is_some())
        .await;
    let mut alice = client(&nodes, SAE_ALICE).await;
    let began = Instant::now();
    let result = loop {
        match alice.submit(TO_BOB.message(0)).await {
            // The link's first moment.
            Err(status) if status.code() == Code::Unavailable && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            result => break result,
        }
    };
    refused(result, Code::InvalidArgument, "[[sae]]").await;
}

/// To one's own node's applications no link is needed.
#[tokio::test]
async fn a_message_to_oneself_needs_no_link() {
    let mut nodes = Nodes::builder().block_bits(10_000).blocks_max(1).prepare();
    nodes.start_bob().await;
    let to_himself = Way {
        from: SAE_BOB,
        to: SAE_BOB,
    };
    let mut bob = client(&nodes, SAE_BOB).await;
    for sequence in [0, 0, 1] {
        let stored = bob.submit(to_himself.message(sequence)).await;
        stored.expect("his own mailbox has room");
    }
    exactly(&nodes, to_himself, 0..2).await;
}
