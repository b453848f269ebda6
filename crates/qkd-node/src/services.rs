//! The gRPC services of a daemon, all behind mutual TLS on one port.

mod delivery;
mod eve;
mod messaging;
mod node;

pub use delivery::HubKeySource;
pub use eve::EveService;
pub use messaging::MessagingService;
pub use node::NodeService;
