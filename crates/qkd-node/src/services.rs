//! The gRPC services of a daemon, all behind mutual TLS on one port.

mod delivery;
mod eve;
mod health;
mod messaging;
mod node;

pub use delivery::HubKeySource;
pub use eve::EveService;
pub use health::keep_reporting;
pub use messaging::MessagingService;
pub use node::NodeService;
