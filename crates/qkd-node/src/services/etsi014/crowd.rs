//! How much of something each client has, and when that is enough: the others want their share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by name. Names come from certificates that were checked, and leave with their last count.
#[derive(Clone)]
pub(super) struct Crowd {
    counts: Arc<Mutex<HashMap<String, usize>>>,
    each_max: usize,
}

/// One that was counted; dropping it makes room for another.
pub(super) struct Entered {
    crowd: Crowd,
    who: String,
}

impl Crowd {
    /// Nobody yet, and at most `each_max` of each.
    pub(super) fn new(each_max: usize) -> Self {
        Self {
            counts: Arc::default(),
            each_max,
        }
    }

    /// One more of `who`; nothing when there are enough.
    pub(super) fn enter(&self, who: &str) -> Option<Entered> {
        let mut counts = self.lock();
        match counts.get_mut(who) {
            Some(count) if *count >= self.each_max => return None,
            Some(count) => *count += 1,
            None => {
                counts.insert(who.to_owned(), 1);
            }
        }
        Some(Entered {
            crowd: self.clone(),
            who: who.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.crowd.lock();
        if let Some(count) = counts.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_takes_all_leaves_the_others_theirs() {
        let crowd = Crowd::new(2);
        let taken = [crowd.enter("a"), crowd.enter("a")];
        assert!(taken.iter().all(Option::is_some));
        assert!(crowd.enter("a").is_none());
        assert!(crowd.enter("b").is_some());
        drop(taken);
        assert!(crowd.enter("a").is_some());
        assert!(crowd.lock().is_empty(), "nobody is remembered");
    }
}
