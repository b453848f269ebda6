//! The services of a laboratory that run, and who may ask them.

use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::node::node_client::NodeClient;
use tonic::transport::Channel;

use super::children::Readiness;
use super::clients::{self, Server};
use super::fault::Fault;
use super::setup;
use super::watch::Both;

/// The services that run.
pub struct Running {
    pub alice: Readiness,
    pub bob: Readiness,
    pub eve: Option<Readiness>,
}

impl Running {
    pub fn alice_server(&self) -> Server {
        Server {
            address: self.alice.services,
            name: setup::ALICE,
        }
    }

    pub fn bob_server(&self) -> Server {
        Server {
            address: self.bob.services,
            name: setup::BOB,
        }
    }

    /// An operator's view of both ends.
    pub async fn nodes(&self, operator: &TlsMaterial) -> Result<Both<NodeClient<Channel>>, Fault> {
        Ok(Both {
            alice: clients::node(operator, self.alice_server()).await?,
            bob: clients::node(operator, self.bob_server()).await?,
        })
    }

    /// An operator's view of Eve, when she is there.
    pub async fn eve(&self, operator: &TlsMaterial) -> Result<Option<EveClient<Channel>>, Fault> {
        let Some(eve) = &self.eve else {
            return Ok(None);
        };
        let server = Server {
            address: eve.services,
            name: setup::EVE,
        };
        Ok(Some(clients::eve(operator, server).await?))
    }
}
