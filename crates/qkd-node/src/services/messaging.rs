//! Relay of sealed application messages.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qkd_delivery::{Caller, CallerInterceptor, Directory, IdentityRule, Kme};
use qkd_keystore::SaeId;
use qkd_wire::link::{LinkMessage, RelayedMessage};
use qkd_wire::proto::messaging as proto;
use qkd_wire::proto::messaging::messaging_server::MessagingServer;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use crate::hub::{KeyHub, RelayFault};
use crate::mailbox::Mailboxes;

/// `qkd.messaging.v1.Messaging`: takes and hands out ciphertext, and has no key.
pub struct MessagingService {
    directory: Arc<Directory>,
    mailboxes: Arc<Mailboxes>,
    hub: Arc<KeyHub>,
    relayed: AtomicU64,
}

impl MessagingService {
    /// Relays for the applications of `directory`.
    pub fn new(directory: Arc<Directory>, mailboxes: Arc<Mailboxes>, hub: Arc<KeyHub>) -> Self {
        Self {
            directory,
            mailboxes,
            hub,
            relayed: AtomicU64::new(0),
        }
    }

    /// The service as a router takes it: callers are named by their certificates as `rule` says.
    pub fn into_server(
        self,
        rule: IdentityRule,
    ) -> InterceptedService<MessagingServer<Self>, CallerInterceptor> {
        InterceptedService::new(MessagingServer::new(self), CallerInterceptor::new(rule))
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<SaeId, Status> {
        let caller = Caller::of(request)?;
        self.directory.check_caller(&caller)?;
        Ok(caller)
    }
}

#[tonic::async_trait]
impl proto::messaging_server::Messaging for MessagingService {
    type ReceiveStream = Pin<Box<dyn Stream<Item = Result<proto::SealedMessage, Status>> + Send>>;

    async fn submit(
        &self,
        request: Request<proto::SealedMessage>,
    ) -> Result<Response<proto::Receipt>, Status> {
        let caller = self.caller(&request)?;
        let message = RelayedMessage::try_from(request.into_inner())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if message.from != caller {
            return Err(Status::permission_denied(format!(
                "from_sae_id is `{}`, but the certificate names `{caller}`",
                message.from
            )));
        }
        match self.directory.place(&message.to) {
            Some(Kme::Local) => self.mailboxes.put(message),
            Some(Kme::Peer) => {
                self.hub
                    .relay(LinkMessage::Relay(message))
                    .map_err(|fault| match fault {
                        RelayFault::NoLink => Status::unavailable(fault.to_string()),
                        RelayFault::Congested => Status::resource_exhausted(fault.to_string()),
                    })?;
            }
            None => {
                let unknown = format!("no application `{}` is configured", message.to);
                return Err(Status::invalid_argument(unknown));
            }
        }
        let relayed_count = self.relayed.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Response::new(proto::Receipt { relayed_count }))
    }

    async fn receive(
        &self,
        request: Request<proto::ReceiveRequest>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        let caller = self.caller(&request)?;
        let wanted = &request.get_ref().sae_id;
        if !wanted.is_empty() && wanted != caller.as_str() {
            return Err(Status::permission_denied(format!(
                "the certificate names `{caller}`, whose messages these are"
            )));
        }
        let mailboxes = self.mailboxes.clone();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                // A message is taken out only when there is somebody to give it to.
                let Ok(place) = sender.reserve().await else {
                    return;
                };
                tokio::select! {
                    message = mailboxes.take(&caller) => match message {
                        Some(message) => place.send(Ok(message.into())),
                        None => return,
                    },
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
