//! Real daemons on ports the system chose, and everybody who talks to them: operators,
//! applications, and whoever sits in the middle.
//!
//! Every wait is on an event or on a stream of states, ends within [`PATIENCE`], and shows the logs
//! when it was in vain.

mod clients;
pub mod fields;
mod interceptor;
mod key_search;
mod keys;
mod node;
mod nodes;

use std::time::{Duration, Instant};

pub use clients::{channel, delivery, eve, health, messaging};
pub use interceptor::{Direction, Interceptor, Recorded, call, serve_on};
pub use key_search::{KeySearch, shifted, texts};
pub use keys::{Agreed, agree_on_all_keys};
pub use node::Node;
pub use nodes::{Nodes, make_pki};

/// Alice's node.
pub const ALICE: &str = "kme-alice";
/// Bob's node.
pub const BOB: &str = "kme-bob";
/// A further node with a certificate of the same authority.
pub const EVE: &str = "eve";
/// The application at Alice's node.
pub const SAE_ALICE: &str = "sae-alice";
/// The application at Bob's node.
pub const SAE_BOB: &str = "sae-bob";
/// Who looks at what the nodes are doing.
pub const OPERATOR: &str = "operator";

/// What takes longer than this on loopback never happens.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long and how often a test looks for what has no event to wait for.
pub struct Looking {
    /// The longest wait.
    pub within: Duration,
    /// Distance of two looks.
    pub every: Duration,
}

impl Looking {
    /// Looks until `found` has what is called `what`; fails with `story` when that takes too long.
    pub fn until<T>(
        &self,
        what: &str,
        mut found: impl FnMut() -> Option<T>,
        story: impl FnOnce() -> String,
    ) -> T {
        let deadline = Instant::now() + self.within;
        loop {
            // Looked at once more after the deadline: the test itself may have been held up.
            let late = Instant::now() >= deadline;
            if let Some(found) = found() {
                return found;
            }
            if late {
                panic!("no {what} within {:?}: {}", self.within, story());
            }
            std::thread::sleep(self.every);
        }
    }
}
