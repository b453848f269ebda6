//! Both ends' key stores in memory, one link between them: what a service delivers from in a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use qkd_bits::{SecretBits, SecretRng};
use qkd_keystore::{
    BlockId, DeliveredKey, Input, KeyFetch, KeyRequest, KeyStore, MemoryStorage, Output,
    RequestError, Side, StoreLimits,
};
use qkd_security::SecurityParameters;
use tokio::sync::watch;

use crate::{Answer, FetchRequest, KeySource, Pool, RequestLimits};

/// What a request is answered with.
type Answered = Result<Vec<DeliveredKey>, RequestError>;

/// Both stores.
pub struct Stores {
    stores: [KeyStore; 2],
    answer: Option<Answered>,
    blocks: u64,
}

/// One end of them, as a service sees it.
pub struct End {
    pub stores: Arc<Mutex<Stores>>,
    pub side: Side,
    changes: watch::Sender<()>,
}

impl Stores {
    /// Two stores that take up to three slaves, with `keys` keys of 256 bits for each direction.
    pub fn with_keys(keys: usize) -> Arc<Mutex<Self>> {
        let limits = StoreLimits {
            slaves_per_request_max: 3,
            keys_per_request_max: 4,
            ..StoreLimits::default()
        };
        let open = |side: Side| {
            let rng = SecretRng::from_seed([side as u8; 32]);
            let storage = Box::new(MemoryStorage::new());
            KeyStore::open(side, storage, vec![7; 32].into(), rng, limits.clone()).unwrap()
        };
        let mut stores = Self {
            stores: [open(Side::Alice), open(Side::Bob)],
            answer: None,
            blocks: 0,
        };
        stores.connect();
        stores.make(keys);
        Arc::new(Mutex::new(stores))
    }

    /// Brings the link up.
    pub fn connect(&mut self) {
        self.inputs([
            (Side::Alice, Input::Connected),
            (Side::Bob, Input::Connected),
        ]);
    }

    /// Cuts the link.
    pub fn disconnect(&mut self) {
        for side in [Side::Alice, Side::Bob] {
            self.inputs([(side, Input::Disconnected)]);
        }
    }

    /// Distills one block with `keys` keys of 256 bits for each direction.
    pub fn make(&mut self, keys: usize) {
        self.blocks += 1;
        let block = BlockId {
            session: 1,
            block: self.blocks,
        };
        let budget = SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        };
        self.inputs([(Side::Alice, Input::Begun { budget })]);
        let distilled = || {
            let mut rng = SecretRng::from_seed([self.blocks as u8 + 100; 32]);
            Input::Distilled {
                block,
                key: SecretBits::from(rng.public_bits(keys * 512)),
                check: [1; 8],
            }
        };
        let both = [(Side::Bob, distilled()), (Side::Alice, distilled())];
        self.inputs(both);
    }

    fn inputs(&mut self, inputs: impl IntoIterator<Item = (Side, Input)>) {
        let mut waiting: VecDeque<(Side, Input)> = inputs.into_iter().collect();
        while let Some((side, input)) = waiting.pop_front() {
            for output in self.stores[side as usize].handle(input).unwrap() {
                match output {
                    Output::Send(message) => {
                        waiting.push_back((side.peer(), Input::Message(message)));
                    }
                    Output::Answer { result, .. } => self.answer = Some(result),
                    Output::Alarm(alarm) => panic!("{side}: {alarm}"),
                    Output::Committed { .. } | Output::Discarded { .. } => {}
                }
            }
        }
    }
}

impl End {
    pub fn new(stores: &Arc<Mutex<Stores>>, side: Side) -> Self {
        Self {
            stores: stores.clone(),
            side,
            changes: watch::Sender::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stores> {
        self.stores.lock().unwrap()
    }
}

impl KeySource for End {
    fn pool(&self) -> Answer<'_, Pool> {
        Box::pin(async {
            let stores = self.lock();
            let store = &stores.stores[self.side as usize];
            Ok(Pool::new(store.limits(), &store.status()))
        })
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits::from(self.lock().stores[self.side as usize].limits())
    }

    fn get_key(&self, request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async move {
            let mut stores = self.lock();
            stores.inputs([(self.side, Input::Request { ticket: 1, request })]);
            stores.answer.take().expect("an answer at once")
        })
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn get_key_with_ids(&self, request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async move {
            let FetchRequest {
                caller,
                master,
                key_ids,
            } = request;
            let fetch = KeyFetch {
                caller,
                master: Some(master),
                key_ids,
            };
            self.lock().stores[self.side as usize].fetch(&fetch)
        })
    }
}

/// An end that never gives a key.
pub struct Silent(pub End);

impl KeySource for Silent {
    fn pool(&self) -> Answer<'_, Pool> {
        self.0.pool()
    }

    fn limits(&self) -> RequestLimits {
        self.0.limits()
    }

    fn get_key(&self, _request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(std::future::pending())
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.0.changes()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        self.0.alarms()
    }

    fn get_key_with_ids(&self, _request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(std::future::pending())
    }
}
