//! Whose turn it is at the key store: everybody's in the round, however many requests one has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qkd_keystore::SaeId;
use tokio::sync::oneshot;

/// Turns that are given at once. While there are free ones nobody waits.
#[derive(Clone)]
pub(super) struct Turns {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    free: usize,
    line: Line<oneshot::Sender<Turn>>,
}

/// One request at the store; dropping it makes room for the next.
pub(super) struct Turn {
    /// Nothing once it was given back without a request having been made.
    turns: Option<Turns>,
}

impl Turns {
    /// So many at once.
    pub(super) fn new(free: usize) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                free,
                line: Line::default(),
            })),
        }
    }

    /// The next turn of `who`. Dropping the future gives up the place in the line.
    pub(super) async fn next(&self, who: &SaeId) -> Turn {
        let waiting = {
            let mut inner = self.lock();
            if inner.free > 0 {
                inner.free -= 1;
                return self.turn();
            }
            let (given, waiting) = oneshot::channel();
            inner.line.join(who, given);
            waiting
        };
        // Who holds the other end gives it away, and these turns live as long as this does.
        waiting.await.unwrap_or_else(|_| self.turn())
    }

    fn turn(&self) -> Turn {
        Turn {
            turns: Some(self.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.turns.take() else {
            return;
        };
        loop {
            let next = {
                let mut inner = turns.lock();
                let next = inner.line.next();
                if next.is_none() {
                    inner.free += 1;
                }
                next
            };
            match next.map(|given| given.send(turns.turn())) {
                Some(Ok(())) | None => return,
                // Who has gone away needs no turn. Not dropped as one: that would come back here.
                Some(Err(mut turn)) => turn.turns = None,
            }
        }
    }
}

/// One queue for each name, and the names in the round.
struct Line<T> {
    queues: BTreeMap<SaeId, VecDeque<T>>,
    round: VecDeque<SaeId>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            round: VecDeque::new(),
        }
    }
}

impl<T> Line<T> {
    fn join(&mut self, who: &SaeId, what: T) {
        match self.queues.get_mut(who) {
            Some(queue) => queue.push_back(what),
            None => {
                self.queues.insert(who.clone(), VecDeque::from([what]));
                self.round.push_back(who.clone());
            }
        }
    }

    fn next(&mut self) -> Option<T> {
        let who = self.round.pop_front()?;
        let queue = self.queues.get_mut(&who)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&who);
        } else {
            self.round.push_back(who);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sae(name: &str) -> SaeId {
        SaeId::new(name).unwrap()
    }

    #[test]
    fn everybody_is_next_in_the_round_however_many_requests_one_has() {
        let mut line = Line::default();
        for number in 0..100 {
            line.join(&sae("storm"), ("storm", number));
        }
        for number in 0..3 {
            line.join(&sae("calm"), ("calm", number));
        }
        line.join(&sae("late"), ("late", 0));
        let order: Vec<_> = std::iter::from_fn(|| line.next()).collect();
        let first: Vec<&str> = order.iter().take(7).map(|(who, _)| *who).collect();
        assert_eq!(
            first,
            ["storm", "calm", "late", "storm", "calm", "storm", "calm"]
        );
        assert_eq!(order.len(), 104);
        let storm: Vec<u32> = (order.iter())
            .filter(|(who, _)| *who == "storm")
            .map(|(_, number)| *number)
            .collect();
        assert!(storm.is_sorted(), "first come, first served within one");
    }

    #[tokio::test]
    async fn a_turn_that_is_given_back_goes_to_whoever_still_waits() {
        let turns = Turns::new(1);
        let [a, b, c] = ["a", "b", "c"].map(sae);
        let first = turns.next(&a).await;
        let mut gone = Vec::new();
        for _ in 0..10_000 {
            let mut waiting = Box::pin(turns.next(&b));
            assert!(has_to_wait(&mut waiting).await);
            gone.push(waiting);
        }
        let mut waits = Box::pin(turns.next(&c));
        assert!(has_to_wait(&mut waits).await);
        drop(gone);
        drop(first);
        let turn = waits.await;
        drop(turn);
        assert_eq!(turns.lock().free, 1);
    }

    /// Whether the future has to wait.
    async fn has_to_wait<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(polled.is_pending())
        })
        .await
    }
}
