//! The threads that compute for a link: steps of post-processing, each of them of one block.
//!
//! Which thread runs a step, and in which order steps end, changes nothing of what is said about a
//! block. At most one step of each block is here at a time, so the queue needs no bound of its own.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::LinkHandle;
use crate::shutdown::Shutdown;

/// Work for one of the threads: it tells the link itself what came of it.
type Step = Box<dyn FnOnce(&LinkHandle) + Send>;

/// How much less than the others the scheduler gives these threads where cores are few: light that
/// nobody takes from the socket is lost, a step that comes later is not.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Distance of two looks whether the node is asked to stop, while a step is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Threads that run side by side on this machine: one for each core that the process may use.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The threads of one connection. Dropping them forgets the steps that wait, and waits for those that
/// run, so that connections which come and go never have more threads than one of them.
///
/// A node that is asked to stop does not wait: a step of a large block takes seconds on a busy machine,
/// all the more since the scheduler gives these threads less than others, and nobody wants what comes of
/// it. It ends with the process.
pub struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    shutdown: Shutdown,
}

#[derive(Default)]
struct Queue {
    steps: Mutex<Steps>,
    changed: Condvar,
}

#[derive(Default)]
struct Steps {
    waiting: VecDeque<Step>,
    /// Threads that wait to be woken, or more: nobody else costs a call to the system.
    asleep: usize,
    over: bool,
    /// Threads that have not ended.
    threads: usize,
}

impl Workers {
    /// Starts `count` threads, which tell `link` what they computed, until `shutdown`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(count: NonZeroUsize, link: &LinkHandle, shutdown: &Shutdown) -> io::Result<Self> {
        let mut workers = Self {
            queue: Arc::default(),
            threads: Vec::new(),
            shutdown: shutdown.clone(),
        };
        for number in 0..count.get() {
            let (end, link) = (EndOfThread::new(&workers.queue), link.clone());
            let thread = std::thread::Builder::new()
                .name(format!("work-{number}"))
                .spawn(move || {
                    make_nice();
                    end.0.work(&link);
                })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Has `step` run by the next thread that is free.
    pub fn run(&self, step: impl FnOnce(&LinkHandle) + Send + 'static) {
        let mut steps = self.queue.lock();
        steps.waiting.push_back(Box::new(step));
        let wake = steps.asleep > 0;
        steps.asleep -= usize::from(wake);
        drop(steps);
        if wake {
            self.queue.changed.notify_one();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut steps = self.queue.lock();
        steps.over = true;
        let forgotten = std::mem::take(&mut steps.waiting);
        drop(steps);
        self.queue.changed.notify_all();
        // Their secrets are wiped without the lock.
        drop(forgotten);
        if !self.queue.ended_before(&self.shutdown) {
            return;
        }
        for thread in self.threads.drain(..) {
            // A panic in there has ended the link already.
            let _panicked = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Steps> {
        // Nothing that can panic happens under this lock.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no thread is left; false when the node is asked to stop before.
    fn ended_before(&self, shutdown: &Shutdown) -> bool {
        let mut steps = self.lock();
        while steps.threads > 0 {
            if shutdown.is_requested() {
                return false;
            }
            let waited = self.changed.wait_timeout(steps, LOOK_EVERY);
            (steps, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Runs steps until there will be no more.
    fn work(&self, link: &LinkHandle) {
        let _watch = PanicWatch(link);
        while let Some(step) = self.next() {
            step(link);
        }
    }

    fn next(&self) -> Option<Step> {
        let mut steps = self.lock();
        while !steps.over {
            if let Some(step) = steps.waiting.pop_front() {
                return Some(step);
            }
            steps.asleep += 1;
            let waited = self.changed.wait(steps);
            steps = waited.unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}

/// Ends the link when its thread panics: the block that was with it never comes back.
struct PanicWatch<'a>(&'a LinkHandle);

impl Drop for PanicWatch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end("a step of post-processing broke down".into());
        }
    }
}

/// Counts its thread as ended, whether it returns, panics or never started.
struct EndOfThread(Arc<Queue>);

impl EndOfThread {
    fn new(queue: &Arc<Queue>) -> Self {
        queue.lock().threads += 1;
        Self(queue.clone())
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}

/// Lets threads with less to do, the photon path's before all, go first.
fn make_nice() {
    // Elsewhere it would slow down the whole process. A system that forbids it changes nothing.
    #[cfg(target_os = "linux")]
    let _refused = rustix::process::nice(NICENESS);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::super::{BareLink, Heard};
    use super::*;
    use crate::link::LinkEvent;
    use crate::shutdown::{self, StopReason};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn workers(count: usize) -> (Workers, BareLink) {
        let (link, heard) = BareLink::new();
        let count = NonZeroUsize::new(count).unwrap();
        let shutdown = Shutdown::never();
        (Workers::start(count, &link, &shutdown).unwrap(), heard)
    }

    fn emitted(slots: u64) -> impl FnOnce(&LinkHandle) + Send {
        move |link| link.tell(LinkEvent::Emitted { slots })
    }

    fn slots(heard: &mut BareLink) -> Vec<u64> {
        let slots = std::iter::from_fn(|| heard.next()).map(|heard| match heard {
            Heard::Emitted { slots } => slots,
            Heard::Passed { .. } | Heard::Ended(_) => panic!("no step says that"),
        });
        slots.collect()
    }

    #[test]
    fn every_step_runs_once() {
        let (workers, mut heard) = workers(3);
        let (done, all) = channel();
        for number in 0..100 {
            let done = done.clone();
            workers.run(move |link| {
                emitted(number)(link);
                done.send(()).unwrap();
            });
        }
        for _ in 0..100 {
            all.recv_timeout(PATIENCE).unwrap();
        }
        let mut slots = slots(&mut heard);
        slots.sort_unstable();
        assert_eq!(slots, Vec::from_iter(0..100));
    }

    #[test]
    fn steps_run_side_by_side() {
        let (workers, _heard) = workers(2);
        let (here, there) = (channel(), channel());
        workers.run(move |_| {
            here.0.send(()).unwrap();
            there.1.recv_timeout(PATIENCE).unwrap();
        });
        let (met, all) = channel();
        workers.run(move |_| {
            here.1.recv_timeout(PATIENCE).unwrap();
            there.0.send(()).unwrap();
            met.send(()).unwrap();
        });
        all.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn an_end_waits_for_the_step_that_runs_and_forgets_the_others() {
        let (workers, mut heard) = workers(1);
        let (begun, running) = channel();
        let (go_on, held) = channel::<()>();
        workers.run(move |link| {
            begun.send(()).unwrap();
            // Held until the other end is dropped.
            held.recv().unwrap_err();
            emitted(1)(link);
        });
        workers.run(emitted(2));
        running.recv_timeout(PATIENCE).unwrap();
        workers.queue.lock().over = true;
        drop(go_on);
        drop(workers);
        assert_eq!(slots(&mut heard), [1]);
    }

    #[test]
    fn a_node_that_is_asked_to_stop_waits_for_no_step() {
        let (link, _heard) = BareLink::new();
        let (trigger, shutdown) = shutdown::channel();
        let workers = Workers::start(NonZeroUsize::MIN, &link, &shutdown).unwrap();
        let (begun, running) = channel();
        let (go_on, held) = channel::<()>();
        workers.run(move |_| {
            begun.send(()).unwrap();
            // Held until the other end is dropped.
            held.recv().unwrap_err();
        });
        running.recv_timeout(PATIENCE).unwrap();
        let queue = workers.queue.clone();
        // Also when it was waiting already.
        let dropping = std::thread::spawn(move || drop(workers));
        trigger.stop(StopReason::Requested);
        dropping.join().unwrap();
        assert_eq!(queue.lock().threads, 1, "its step runs");
        drop(go_on);
    }

    #[test]
    fn a_step_that_panics_ends_the_link() {
        let (workers, mut heard) = workers(1);
        workers.run(|_| panic!("as this test wants it"));
        let reason = loop {
            match heard.next() {
                Some(Heard::Ended(reason)) => break reason,
                Some(Heard::Emitted { .. } | Heard::Passed { .. }) => panic!("nobody said that"),
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(reason, "a step of post-processing broke down");
        drop(workers);
    }
}
