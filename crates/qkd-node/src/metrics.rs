//! What a node tells Prometheus: one page of plain text, made anew for every scrape.
//!
//! Everything on it is metadata of the kind that an operator sees. It never holds a key, nor
//! anything computed from one; sets of labels are closed, so that no caller can make the page grow.

mod eve;
mod link;
mod page;
mod serve;
#[cfg(test)]
mod tests;
mod timing;

use prometheus::Result;

pub use eve::EveMetrics;
pub use link::{Calls, LinkMetrics};
pub use serve::{MetricsListener, bind};
pub use timing::{CallTimes, HttpTimes, Timed};

use page::Page;

/// Somebody who can fill a page.
///
/// May wait for the disk: call it from plain threads or `spawn_blocking` only.
pub trait Metrics: Send + Sync + 'static {
    /// The page as it is now, in the text format that Prometheus reads (0.0.4).
    ///
    /// # Errors
    /// When two figures have the same name or a name is none: a mistake in this program.
    fn text(&self) -> Result<String>;
}
