//! The queue of a link's thread: many tell, one listens.
//!
//! Whoever listens takes all that waits at once; whoever tells wakes the listener only when it sleeps.
//! A link has tens of thousands of events a second, and each of them would be a call to the system
//! otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// A queue's two ends.
pub(super) fn queue<T>() -> (Teller<T>, Listener<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            asleep: false,
            deaf: false,
            tellers: 1,
        }),
        changed: Condvar::new(),
    });
    let listener = Listener {
        shared: shared.clone(),
        taken: VecDeque::new(),
    };
    (Teller(shared), listener)
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Whether the listener waits to be woken.
    asleep: bool,
    /// Whether there is no listener any more.
    deaf: bool,
    tellers: usize,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic happens under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that events go into; the queue is over when the last of them is dropped.
pub(super) struct Teller<T>(Arc<Shared<T>>);

impl<T> Teller<T> {
    /// Puts `event` behind the others; false when nobody listens any more.
    pub(super) fn tell(&self, event: T) -> bool {
        let mut state = self.0.lock();
        if state.deaf {
            // What is dropped may take its time, and needs no lock.
            drop(state);
            return false;
        }
        state.waiting.push_back(event);
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.0.changed.notify_one();
        }
        true
    }

    /// A way to tell that does not keep the queue from ending.
    pub(super) fn downgrade(&self) -> WeakTeller<T> {
        WeakTeller(Arc::downgrade(&self.0))
    }
}

impl<T> Clone for Teller<T> {
    fn clone(&self) -> Self {
        self.0.lock().tellers += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.tellers -= 1;
        let over = state.tellers == 0;
        drop(state);
        if over {
            self.0.changed.notify_one();
        }
    }
}

/// As [`Teller`], for who keeps no queue alive.
pub(super) struct WeakTeller<T>(Weak<Shared<T>>);

impl<T> WeakTeller<T> {
    /// The end that events go into, unless the queue is over.
    pub(super) fn upgrade(&self) -> Option<Teller<T>> {
        let shared = self.0.upgrade()?;
        let mut state = shared.lock();
        if state.tellers == 0 {
            return None;
        }
        state.tellers += 1;
        drop(state);
        Some(Teller(shared))
    }
}

impl<T> Clone for WeakTeller<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The end that events come out of, in the order in which they were told.
pub(crate) struct Listener<T> {
    shared: Arc<Shared<T>>,
    /// Taken out of the queue together.
    taken: VecDeque<T>,
}

impl<T> Listener<T> {
    /// The next event, if one waits. Does not wait for it.
    pub(crate) fn try_next(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut self.shared.lock().waiting);
        }
        self.taken.pop_front()
    }

    /// The next event, waiting for it; nothing when nobody is left who could tell.
    pub(crate) fn next(&mut self) -> Option<T> {
        if let Some(event) = self.taken.pop_front() {
            return Some(event);
        }
        let mut state = self.shared.lock();
        loop {
            std::mem::swap(&mut self.taken, &mut state.waiting);
            if let Some(event) = self.taken.pop_front() {
                state.asleep = false;
                return Some(event);
            }
            if state.tellers == 0 {
                return None;
            }
            state.asleep = true;
            let woken = self.shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Listener<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.deaf = true;
        let unheard = std::mem::take(&mut state.waiting);
        drop(state);
        drop(unheard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_their_order_from_however_many_threads() {
        let (teller, mut listener) = queue();
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let teller = teller.clone();
                std::thread::spawn(move || {
                    (0..1000_u32).for_each(|number| assert!(teller.tell((thread, number))));
                })
            })
            .collect();
        drop(teller);
        let mut heard = [0; 4];
        while let Some((thread, number)) = listener.next() {
            assert_eq!(number, heard[thread as usize]);
            heard[thread as usize] += 1;
        }
        assert_eq!(heard, [1000; 4]);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_queue_is_over_with_its_last_teller_whoever_might_still_want_to_tell() {
        let (teller, mut listener) = queue();
        let weak = teller.downgrade();
        assert!(weak.upgrade().is_some_and(|teller| teller.tell(1)));
        drop(teller);
        assert!(weak.upgrade().is_none());
        assert_eq!(listener.next(), Some(1));
        assert_eq!(listener.next(), None);
    }

    #[test]
    fn nothing_is_kept_for_a_listener_that_has_gone() {
        let (teller, listener) = queue();
        let kept = Arc::new(());
        assert!(teller.tell(kept.clone()));
        drop(listener);
        assert!(!teller.tell(kept.clone()));
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
