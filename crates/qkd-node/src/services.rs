//! The services of a daemon, all behind mutual TLS: those of gRPC on one port, REST on another.

mod delivery;
mod etsi014;
mod eve;
mod health;
mod messaging;
mod node;

pub use delivery::HubKeySource;
pub(crate) use etsi014::Etsi014Server;
pub use eve::EveService;
pub use health::keep_reporting;
pub use messaging::MessagingService;
pub use node::NodeService;
