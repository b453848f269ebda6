//! Trying again while the node cannot do what it is asked for.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::{Code, Response, Status};

use super::error::Error;
use crate::client::{self, said};

const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(2);

/// Whether the same call may succeed later: the node, its peer or a key is not there now.
pub fn is_temporary(status: &Status) -> bool {
    // Not our enum: whatever else a server says, it will say again.
    matches!(
        status.code(),
        Code::Unavailable
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::Unknown
            | Code::Cancelled
            | Code::Internal
    )
}

/// Longer and longer pauses between attempts.
pub struct Pauses(Duration);

impl Pauses {
    pub fn new() -> Self {
        Self(AGAIN_AFTER)
    }

    pub fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (2 * pause).min(AGAIN_AFTER_MAX);
        pause
    }
}

/// How long to try without any progress.
pub struct Patience {
    limit: Duration,
    last_progress: Instant,
}

/// What is tried, in words: `action` completes "cannot …".
pub struct Attempt<'a> {
    pub action: &'a str,
    pub advice: &'static str,
}

impl Patience {
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            last_progress: Instant::now(),
        }
    }

    /// Something went forward: all the time is there again.
    pub fn progress(&mut self) {
        self.last_progress = Instant::now();
    }

    /// Whether it is used up.
    pub fn is_over(&self) -> bool {
        self.last_progress.elapsed() >= self.limit
    }

    pub fn seconds(&self) -> u64 {
        self.limit.as_secs()
    }

    /// Makes `call` again and again until it succeeds, and says once, through `say`, why it waits.
    ///
    /// # Errors
    /// When trying again is of no use, or the patience is used up.
    pub async fn until_done<T, F>(
        &mut self,
        attempt: &Attempt<'_>,
        say: impl Fn(&str),
        mut call: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut pauses = Pauses::new();
        let mut has_said = false;
        // What the last call took is not waiting: time begins with the first refusal.
        self.progress();
        loop {
            let status = match client::within(call()).await {
                Ok(answer) => {
                    self.progress();
                    return Ok(answer);
                }
                Err(status) => status,
            };
            if !is_temporary(&status) {
                let what = attempt.action.to_owned();
                return Err(client::Error::Refused { what, status }.into());
            }
            if self.is_over() {
                return Err(Error::GaveUp {
                    action: attempt.action.to_owned(),
                    seconds: self.seconds(),
                    last: said(&status),
                    advice: attempt.advice,
                });
            }
            let pause = pauses.next();
            // A restart or a short queue is over before anybody has read it.
            if !has_said && self.last_progress.elapsed() > Duration::from_secs(1) {
                has_said = true;
                say(&format!(
                    "waiting to {} (up to {} s): {}",
                    attempt.action,
                    self.seconds(),
                    said(&status)
                ));
            }
            tokio::time::sleep(pause.min(self.limit)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    const ATTEMPT: Attempt<'_> = Attempt {
        action: "send it",
        advice: "try later",
    };

    fn end(limit_ms: u64, refusals: u32, status: Status) -> (Result<u32, Error>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let left = Cell::new(refusals);
        let lines = RefCell::new(Vec::new());
        let mut patience = Patience::new(Duration::from_millis(limit_ms));
        let answer = runtime.unwrap().block_on(patience.until_done(
            &ATTEMPT,
            |line| lines.borrow_mut().push(line.to_owned()),
            || {
                let refused = left.get() > 0;
                left.set(left.get().saturating_sub(1));
                let status = status.clone();
                async move {
                    if refused {
                        Err(status)
                    } else {
                        Ok(Response::new(7))
                    }
                }
            },
        ));
        (answer, lines.into_inner())
    }

    #[test]
    fn what_may_pass_is_tried_again_until_it_has_passed() {
        let (answer, lines) = end(5_000, 2, Status::unavailable("no link"));
        assert_eq!(answer.ok(), Some(7));
        assert_eq!(lines.len(), 0, "a short wait is not worth a word");
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let (answer, _) = end(5_000, 1, Status::invalid_argument("unknown"));
        let said = answer.unwrap_err().to_string();
        assert_eq!(said, "cannot send it: unknown");
    }

    #[test]
    fn a_long_wait_is_told_once_and_ends() {
        let (answer, lines) = end(3_000, u32::MAX, Status::resource_exhausted("full"));
        let said = answer.unwrap_err().to_string();
        let parts = ["cannot send it", "no progress for 3 s", "full", "try later"];
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
