//! Applications that send each other messages all the time: each that a node said is stored comes once,
//! in order and whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qkd_keystore::Side;
use qkd_node::config::TlsFiles;
use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use qkd_wire::proto::messaging::{AcknowledgeRequest, Delivery, ReceiveRequest, SealedMessage};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::applications::Addresses;
use crate::support::{ALICE, BOB, Nodes, SAE_ALICE, SAE_BOB, channel};

/// The longest wait for an answer, or for a message.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Distance of two messages, and of two attempts while a node is away.
const PAUSE: Duration = Duration::from_millis(40);

/// Bytes of a message.
const BYTES: usize = 200;

/// Messages of one direction, by the sender's side.
#[derive(Default)]
struct Direction {
    /// Messages that a node said are stored.
    stored: u64,
    /// Messages that came, each counted once.
    came: u64,
    /// The number that the mailbox gave the last one.
    last_number: u64,
    /// No more are sent.
    is_over: bool,
}

/// What all of them share.
#[derive(Default)]
struct Shared {
    directions: [Direction; 2],
    broken: Vec<String>,
}

/// One sender and one receiver for each direction, until dropped.
pub struct Mail {
    shared: Arc<Mutex<Shared>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Mail {
    pub fn start(nodes: &Nodes, addresses: [Addresses; 2]) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut tasks = Vec::new();
        for sender in [Side::Alice, Side::Bob] {
            let application = |side: Side| Application {
                side,
                sender,
                files: nodes.pki.files_of(sae(side)),
                address: addresses[side as usize],
                shared: Arc::clone(&shared),
            };
            tasks.push(tokio::spawn(application(sender).send_all()));
            tasks.push(tokio::spawn(application(sender.peer()).receive_all()));
        }
        Self { shared, tasks }
    }

    /// From now on nothing more is sent.
    pub fn end(&self) {
        for direction in &mut lock(&self.shared).directions {
            direction.is_over = true;
        }
    }

    /// Whether everything that was said to be stored has come.
    pub fn is_done(&self) -> bool {
        let shared = lock(&self.shared);
        let mut directions = shared.directions.iter();
        directions.all(|direction| direction.came >= direction.stored)
    }

    /// Messages that came so far.
    pub fn came(&self) -> u64 {
        let shared = lock(&self.shared);
        shared
            .directions
            .iter()
            .map(|direction| direction.came)
            .sum()
    }

    /// What was broken since this was asked last, in words.
    pub fn broken(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared).broken)
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic ends the campaign with what was seen.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sae(side: Side) -> &'static str {
    match side {
        Side::Alice => SAE_ALICE,
        Side::Bob => SAE_BOB,
    }
}

/// One end of a direction.
struct Application {
    /// Where it sits.
    side: Side,
    /// The direction, by its sender.
    sender: Side,
    files: TlsFiles,
    address: Addresses,
    shared: Arc<Mutex<Shared>>,
}

impl Application {
    /// Nobody opens it, so anything does for a ciphertext.
    fn message(&self, sequence: u64) -> SealedMessage {
        let bytes = sequence.to_be_bytes().into_iter().cycle().take(BYTES);
        SealedMessage {
            from_sae_id: sae(self.sender).to_owned(),
            to_sae_id: sae(self.sender.peer()).to_owned(),
            key_id: "00000000-0000-4000-8000-000000000001".to_owned(),
            sender: 1,
            sequence,
            ciphertext: bytes.collect(),
        }
    }

    /// Sends message after message, each until a node says that it is stored.
    async fn send_all(self) {
        let mut client = None;
        let mut sequence = 0;
        while !lock(&self.shared).directions[self.sender as usize].is_over {
            if client.is_none() {
                client = self.client().await;
            }
            if let Some(there) = &mut client {
                let sending = there.submit(self.message(sequence));
                match timeout(ANSWER_WITHIN, sending).await {
                    Ok(Ok(_receipt)) => {
                        sequence += 1;
                        lock(&self.shared).directions[self.sender as usize].stored = sequence;
                    }
                    Ok(Err(_)) | Err(_) => client = None,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Receives and acknowledges whatever comes.
    async fn receive_all(self) {
        loop {
            if let Some(client) = self.client().await {
                self.receive(client).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until the node goes away.
    async fn receive(&self, mut client: MessagingClient<Channel>) -> Option<()> {
        let request = ReceiveRequest {
            sae_id: String::new(),
        };
        let receiving = timeout(ANSWER_WITHIN, client.receive(request)).await;
        let mut messages = receiving.ok()?.ok()?.into_inner();
        loop {
            let delivery = messages.message().await.ok()??;
            let number = delivery.number;
            self.came(delivery);
            let acknowledging = client.acknowledge(AcknowledgeRequest { number });
            timeout(ANSWER_WITHIN, acknowledging).await.ok()?.ok()?;
        }
    }

    /// A message has come: the next one, or once more the last one, which was not acknowledged durably.
    fn came(&self, delivery: Delivery) {
        let Delivery { number, message } = delivery;
        let mut shared = lock(&self.shared);
        let direction = &mut shared.directions[self.sender as usize];
        let expected = match number == direction.last_number {
            true => direction.came.saturating_sub(1),
            false => direction.came,
        };
        if number >= direction.last_number && message.as_ref() == Some(&self.message(expected)) {
            (direction.came, direction.last_number) = (expected + 1, number);
            return;
        }
        let found = message.map_or(0, |message| message.sequence);
        let what = format!(
            "message {found} of {} came as number {number} where {expected} was expected",
            self.sender
        );
        shared.broken.push(what);
    }

    async fn client(&self) -> Option<MessagingClient<Channel>> {
        let node = match self.side {
            Side::Alice => ALICE,
            Side::Bob => BOB,
        };
        let made = channel(&self.files, (self.address.grpc, node));
        let channel = timeout(ANSWER_WITHIN, made).await.ok()?.ok()?;
        Some(MessagingClient::new(channel))
    }
}
