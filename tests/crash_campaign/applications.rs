//! Applications that ask for keys and fetch them all the time, over gRPC and ETSI GS QKD 014, and
//! tell the checker what they saw.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qkd_bits::PhysicsRng;
use qkd_keystore::invariants::{Checker, Event, Refusal, SeenKey};
use qkd_keystore::{KeyId, SaeId, Side};
use qkd_node::config::TlsFiles;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest, KeyContainer};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::Code;
use tonic::codegen::{Body as _, Service as _, http};
use tonic::transport::Channel;

use crate::support::{ALICE, BOB, Nodes, SAE_ALICE, SAE_BOB, channel};

/// Keys that wait for their slaves while all goes well.
const STOCK: usize = 8;

/// Keys that are gone and asked for once more, now and then.
const GONE: usize = 32;

/// One request in so many is for a key that is gone.
const AGAIN_EVERY: u64 = 6;

/// The longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Distance of two attempts while a node is away.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What applications do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// They ask at both ends and fetch the oldest keys.
    Ask,
    /// As `Ask`, but nearly all of it at one end, and much at once.
    Drain(Side),
    /// They fetch everything and ask for nothing.
    Fetch,
}

/// How an application talks to its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standard {
    Grpc,
    Etsi014,
}

/// What all applications share.
pub struct Shared {
    pub checker: Checker,
    mood: Mood,
    /// Keys answered at Alice, and at Bob, that nobody fetched.
    waiting: [VecDeque<KeyId>; 2],
    /// The last keys that were fetched, or are burnt: nobody may get them again.
    gone: [VecDeque<KeyId>; 2],
    /// Keys that somebody is fetching right now.
    fetching: usize,
    /// Requests for keys that were refused or not answered.
    pub refused: u64,
}

/// All applications, until dropped.
pub struct Applications {
    shared: Arc<Mutex<Shared>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where applications ask: fixed once the daemons have started for the first time.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub grpc: SocketAddr,
    pub etsi014: SocketAddr,
}

/// What a request came to.
enum Outcome<T> {
    Done(T),
    /// The node said so, or took no call: nothing left it.
    Refused(Refusal),
    /// Nobody knows.
    Unanswered,
}

type Keys = Vec<(KeyId, Vec<u8>)>;

impl Applications {
    /// Starts them: one for each direction and standard.
    pub fn start(nodes: &Nodes, addresses: [Addresses; 2], seed: u64) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            checker: Checker::new(),
            mood: Mood::Ask,
            waiting: Default::default(),
            gone: Default::default(),
            fetching: 0,
            refused: 0,
        }));
        let mut tasks = Vec::new();
        for owner in [Side::Alice, Side::Bob] {
            for standard in [Standard::Grpc, Standard::Etsi014] {
                let number = tasks.len() as u64;
                let application = Application {
                    owner,
                    standard,
                    files: [SAE_ALICE, SAE_BOB].map(|sae| nodes.pki.files_of(sae)),
                    addresses,
                    channels: [None, None],
                    shared: Arc::clone(&shared),
                    rng: PhysicsRng::from_seed(seed.wrapping_mul(8) + number),
                };
                tasks.push(tokio::spawn(application.run()));
            }
        }
        Self { shared, tasks }
    }

    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    pub fn set_mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Whether nobody has anything to fetch.
    pub fn is_done(&self) -> bool {
        let shared = self.lock();
        shared.fetching == 0 && shared.waiting.iter().all(VecDeque::is_empty)
    }
}

impl Drop for Applications {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic ends the campaign with what was seen.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A master at one end with its slave at the other.
struct Application {
    owner: Side,
    standard: Standard,
    files: [TlsFiles; 2],
    addresses: [Addresses; 2],
    /// To Alice's node and to Bob's.
    channels: [Option<Channel>; 2],
    shared: Arc<Mutex<Shared>>,
    rng: PhysicsRng,
}

fn sae(side: Side) -> &'static str {
    match side {
        Side::Alice => SAE_ALICE,
        Side::Bob => SAE_BOB,
    }
}

impl Application {
    async fn run(mut self) {
        loop {
            self.fetch_again().await;
            let (mood, key_id) = {
                let mut shared = lock(&self.shared);
                let mood = shared.mood;
                let waiting = &mut shared.waiting[self.owner as usize];
                let key_id = match mood {
                    Mood::Fetch => waiting.pop_front(),
                    Mood::Ask | Mood::Drain(_) if waiting.len() > STOCK => waiting.pop_front(),
                    Mood::Ask | Mood::Drain(_) => None,
                };
                shared.fetching += usize::from(key_id.is_some());
                (mood, key_id)
            };
            let is_well = match (key_id, mood) {
                (Some(key_id), _) => self.fetch(key_id).await,
                (None, Mood::Ask) => self.ask(3, 512).await,
                (None, Mood::Drain(side)) if side == self.owner => self.ask(8, 2048).await,
                (None, Mood::Drain(_) | Mood::Fetch) => false,
            };
            if !is_well {
                tokio::time::sleep(RETRY_EVERY).await;
            }
        }
    }

    /// The master asks for some keys; false when it got none.
    async fn ask(&mut self, number_max: u64, size_bits_max: u64) -> bool {
        let number = 1 + self.rng.below(number_max) as u32;
        let size_bits = 8 * (8 + self.rng.below(size_bits_max / 8 - 7)) as u32;
        let (owner, slave) = (self.owner, sae(self.owner.peer()));
        let outcome = match self.channel(owner).await {
            None => Outcome::Refused(Refusal::Unavailable),
            Some(channel) => match self.standard {
                Standard::Grpc => grpc_ask(channel, slave, number, size_bits).await,
                Standard::Etsi014 => {
                    let path = format!("/api/v1/keys/{slave}/enc_keys");
                    let body = json!({ "number": number, "size": size_bits });
                    etsi014_call(channel, &path, &body).await
                }
            },
        };
        let mut shared = lock(&self.shared);
        match outcome {
            Outcome::Done(keys) => {
                let ids = keys.iter().map(|(key_id, _)| *key_id);
                shared.waiting[owner as usize].extend(ids);
                shared.checker.see(Event::Answered {
                    owner,
                    slaves: vec![name(slave)],
                    keys: seen(&keys),
                });
                true
            }
            Outcome::Refused(_) | Outcome::Unanswered => {
                shared.refused += 1;
                drop(shared);
                if matches!(outcome, Outcome::Unanswered) {
                    self.channels[owner as usize] = None;
                }
                false
            }
        }
    }

    /// Now and then the slave asks for a key that is gone. The checker knows what it must not get.
    async fn fetch_again(&mut self) {
        if self.rng.below(AGAIN_EVERY) > 0 {
            return;
        }
        let gone = lock(&self.shared).gone[self.owner as usize].pop_front();
        if let Some(key_id) = gone {
            let (event, _) = self.try_fetch(key_id).await;
            lock(&self.shared).checker.see(event);
        }
    }

    /// The slave fetches a key; false when it has to try again.
    async fn fetch(&mut self, key_id: KeyId) -> bool {
        let (event, is_over) = self.try_fetch(key_id).await;
        let mut shared = lock(&self.shared);
        shared.checker.see(event);
        shared.fetching -= 1;
        if is_over {
            let gone = &mut shared.gone[self.owner as usize];
            gone.push_back(key_id);
            if gone.len() > GONE {
                gone.pop_front();
            }
        } else {
            shared.waiting[self.owner as usize].push_front(key_id);
        }
        is_over
    }

    /// What the slave's asking for a key comes to, and whether it need not ask again.
    async fn try_fetch(&mut self, key_id: KeyId) -> (Event, bool) {
        let (side, master) = (self.owner.peer(), sae(self.owner));
        let outcome = match self.channel(side).await {
            None => Outcome::Refused(Refusal::Unavailable),
            Some(channel) => match self.standard {
                Standard::Grpc => grpc_fetch(channel, master, key_id).await,
                Standard::Etsi014 => {
                    let path = format!("/api/v1/keys/{master}/dec_keys");
                    let body = json!({ "key_IDs": [{ "key_ID": key_id.to_string() }] });
                    etsi014_call(channel, &path, &body).await
                }
            },
        };
        let (caller, key_ids) = (name(sae(side)), vec![key_id]);
        match outcome {
            Outcome::Done(keys) => {
                let keys = seen(&keys);
                (Event::Fetched { side, caller, keys }, true)
            }
            Outcome::Refused(refusal) => {
                let event = Event::FetchRefused {
                    side,
                    caller,
                    key_ids,
                    refusal,
                };
                (event, refusal != Refusal::Unavailable)
            }
            Outcome::Unanswered => {
                self.channels[side as usize] = None;
                let event = Event::FetchUnanswered {
                    side,
                    caller,
                    key_ids,
                };
                (event, false)
            }
        }
    }

    /// The application at `side` as a customer of its node; `None` while it takes no call.
    async fn channel(&mut self, side: Side) -> Option<Channel> {
        let kept = &mut self.channels[side as usize];
        if kept.is_none() {
            let addresses = self.addresses[side as usize];
            let address = match self.standard {
                Standard::Grpc => addresses.grpc,
                Standard::Etsi014 => addresses.etsi014,
            };
            let node = match side {
                Side::Alice => ALICE,
                Side::Bob => BOB,
            };
            let made = channel(&self.files[side as usize], (address, node));
            *kept = timeout(ANSWER_WITHIN, made).await.ok()?.ok();
        }
        kept.clone()
    }
}

fn name(sae: &str) -> SaeId {
    SaeId::new(sae).expect("names of tests are names")
}

fn seen(keys: &Keys) -> Vec<SeenKey> {
    let seen = |(key_id, key): &(KeyId, Vec<u8>)| SeenKey::new(*key_id, key);
    keys.iter().map(seen).collect()
}

async fn grpc_ask(channel: Channel, slave: &str, number: u32, size_bits: u32) -> Outcome<Keys> {
    let request = GetKeyRequest {
        slave_sae_id: slave.to_owned(),
        number: Some(number),
        size: Some(size_bits),
        additional_slave_sae_ids: Vec::new(),
    };
    let mut client = KeyDeliveryClient::new(channel);
    grpc_outcome(timeout(ANSWER_WITHIN, client.get_key(request)).await)
}

async fn grpc_fetch(channel: Channel, master: &str, key_id: KeyId) -> Outcome<Keys> {
    let request = GetKeyWithIdsRequest {
        master_sae_id: master.to_owned(),
        key_ids: vec![key_id.to_string()],
    };
    let mut client = KeyDeliveryClient::new(channel);
    grpc_outcome(timeout(ANSWER_WITHIN, client.get_key_with_ids(request)).await)
}

type Answered = Result<tonic::Response<KeyContainer>, tonic::Status>;

fn grpc_outcome(answer: Result<Answered, tokio::time::error::Elapsed>) -> Outcome<Keys> {
    match answer {
        Ok(Ok(keys)) => {
            let keys = keys.into_inner().keys;
            let key_id = |text: &str| text.parse().expect("a node gives key IDs");
            let keys = keys
                .iter()
                .map(|key| (key_id(&key.key_id), key.key.clone()));
            Outcome::Done(keys.collect())
        }
        Ok(Err(status)) => match status.code() {
            Code::NotFound => Outcome::Refused(Refusal::NotFound),
            Code::PermissionDenied => Outcome::Refused(Refusal::NotNamed),
            Code::ResourceExhausted => Outcome::Refused(Refusal::Unavailable),
            // What a node says of itself and what the client says of a broken connection look alike.
            _other => Outcome::Unanswered,
        },
        Err(_) => Outcome::Unanswered,
    }
}

async fn etsi014_call(mut channel: Channel, path: &str, body: &Value) -> Outcome<Keys> {
    let request = http::Request::builder().method("POST").uri(path);
    let body = tonic::body::Body::new(body.to_string());
    let request = request.body(body).expect("a request of a test is one");
    let asking = async {
        std::future::poll_fn(|context| channel.poll_ready(context))
            .await
            .ok()?;
        let response = channel.call(request).await.ok()?;
        let status = response.status().as_u16();
        let mut body = std::pin::pin!(response.into_body());
        let mut bytes = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
        {
            if let Ok(data) = frame.ok()?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Some((status, serde_json::from_slice::<Value>(&bytes).ok()?))
    };
    let Ok(Some((status, answer))) = timeout(ANSWER_WITHIN, asking).await else {
        return Outcome::Unanswered;
    };
    match status {
        200 => Outcome::Done(keys_of(&answer)),
        400 => Outcome::Refused(Refusal::NotFound),
        401 => Outcome::Refused(Refusal::NotNamed),
        _other => Outcome::Refused(Refusal::Unavailable),
    }
}

fn keys_of(answer: &Value) -> Keys {
    let keys = answer["keys"].as_array().expect("a key container");
    let key = |key: &Value| {
        let text = |member: &str| key[member].as_str().expect("a member of a key").to_owned();
        let bytes = STANDARD.decode(text("key")).expect("base64");
        (text("key_ID").parse().expect("a key ID"), bytes)
    };
    keys.iter().map(key).collect()
}
