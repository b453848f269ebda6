//! Control of the eavesdropper.

use qkd_wire::proto::eve as proto;
use tonic::{Request, Response, Status};

use crate::quantum::{Tap, name_of};

/// `qkd.eve.v1.Eve` over a running tap.
pub struct EveService {
    tap: Tap,
}

impl EveService {
    /// Serves this tap.
    pub fn new(tap: Tap) -> Self {
        Self { tap }
    }

    fn attack(&self) -> proto::Attack {
        let spec = self.tap.spec();
        let name = name_of(&spec).to_owned();
        let site = self.tap.site().name().to_owned();
        proto::Attack { spec, name, site }
    }
}

#[tonic::async_trait]
impl proto::eve_server::Eve for EveService {
    async fn get_attack(
        &self,
        _request: Request<proto::GetAttackRequest>,
    ) -> Result<Response<proto::Attack>, Status> {
        Ok(Response::new(self.attack()))
    }

    async fn set_attack(
        &self,
        request: Request<proto::SetAttackRequest>,
    ) -> Result<Response<proto::Attack>, Status> {
        let spec = request.into_inner().spec;
        self.tap
            .set(&spec)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let attack = self.attack();
        tracing::info!(attack = attack.spec, site = attack.site, "attack changed");
        Ok(Response::new(attack))
    }

    async fn get_tally(
        &self,
        _request: Request<proto::GetTallyRequest>,
    ) -> Result<Response<proto::Tally>, Status> {
        let tally = self.tap.tally();
        let (forwarded, corrupt) = self.tap.datagrams();
        Ok(Response::new(proto::Tally {
            spec: self.tap.spec(),
            pulses_seen: tally.pulses_seen,
            intercepted: tally.intercepted,
            resent: tally.resent,
            caught_photons: tally.caught,
            frames_received: forwarded + corrupt,
            frames_forwarded: forwarded,
            frames_corrupt: corrupt,
            towards_alice: self.tap.towards_alice().words().unwrap_or_default(),
            returned_photons: self.tap.returned_photons(),
        }))
    }
}
