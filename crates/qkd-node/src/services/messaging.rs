//! Relay of sealed application messages.

use std::pin::Pin;
use std::sync::Arc;

use qkd_delivery::{Caller, CallerInterceptor, Directory, IdentityRule, Kme};
use qkd_keystore::SaeId;
use qkd_wire::link::{RelayOutcome, RelayedMessage};
use qkd_wire::proto::messaging as proto;
use qkd_wire::proto::messaging::messaging_server::MessagingServer;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use crate::mailbox::{AcknowledgeFault, Mailboxes, ReceiveFault, Receiver};
use crate::relay::{Relay, RelayFault};

/// `qkd.messaging.v1.Messaging`: takes, keeps and hands out ciphertext, and has no key.
pub struct MessagingService {
    directory: Arc<Directory>,
    mailboxes: Arc<Mailboxes>,
    relay: Arc<Relay>,
}

impl MessagingService {
    /// Relays for the applications of `directory`.
    pub fn new(directory: Arc<Directory>, mailboxes: Arc<Mailboxes>, relay: Arc<Relay>) -> Self {
        Self {
            directory,
            mailboxes,
            relay,
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

    /// Puts a message into its receiver's mailbox, here or at the other node.
    async fn store(&self, message: RelayedMessage) -> Result<RelayOutcome, Status> {
        match self.directory.place(&message.to) {
            Some(Kme::Peer) => self.relay.send(message).await.map_err(relay_status),
            Some(Kme::Local) => {
                let (done, outcome) = oneshot::channel();
                self.mailboxes.put(message, move |outcome| {
                    // A caller that has gone away learns it when it sends the message again.
                    let _gone = done.send(outcome);
                });
                Ok(outcome.await.unwrap_or(RelayOutcome::StorageFailed))
            }
            None => {
                let unknown = format!("no application `{}` is configured", message.to);
                Err(Status::invalid_argument(unknown))
            }
        }
    }
}

#[tonic::async_trait]
impl proto::messaging_server::Messaging for MessagingService {
    type ReceiveStream = Pin<Box<dyn Stream<Item = Result<proto::Delivery, Status>> + Send>>;

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
        let to = message.to.clone();
        receipt(self.store(message).await?, &caller, &to).map(Response::new)
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
        let receiver = self.mailboxes.receive(&caller).ok_or_else(|| {
            Status::not_found(AcknowledgeFault::NoMailbox(caller.clone()).to_string())
        })?;
        let (sender, deliveries) = mpsc::channel(1);
        tokio::spawn(deliver(receiver, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(deliveries))))
    }

    async fn acknowledge(
        &self,
        request: Request<proto::AcknowledgeRequest>,
    ) -> Result<Response<proto::AcknowledgeResponse>, Status> {
        let caller = self.caller(&request)?;
        let number = request.get_ref().number;
        match self.mailboxes.acknowledge(&caller, number).await {
            Ok(waiting_count) => Ok(Response::new(proto::AcknowledgeResponse { waiting_count })),
            Err(fault) => Err(acknowledge_status(&fault)),
        }
    }
}

/// Hands out messages as long as there is somebody who takes them.
async fn deliver(mut receiver: Receiver, sender: mpsc::Sender<Result<proto::Delivery, Status>>) {
    loop {
        let next = tokio::select! {
            next = receiver.next() => next,
            () = sender.closed() => return,
        };
        let item = match next {
            Ok((number, message)) => Ok(proto::Delivery {
                number,
                message: Some(message.into()),
            }),
            Err(fault @ ReceiveFault::TakenOver) => Err(Status::aborted(fault.to_string())),
            Err(fault @ ReceiveFault::Storage(_)) => Err(Status::unavailable(fault.to_string())),
        };
        let is_last = item.is_err();
        let place = tokio::select! {
            place = sender.reserve() => place,
            // Nothing more for one that has been replaced while it was slow to read.
            () = receiver.taken_over(), if !is_last => continue,
        };
        match place {
            Ok(place) => place.send(item),
            Err(_closed) => return,
        }
        if is_last {
            return;
        }
    }
}

/// A receipt for what is on disk; the reason for what is not.
fn receipt(outcome: RelayOutcome, from: &SaeId, to: &SaeId) -> Result<proto::Receipt, Status> {
    match outcome {
        RelayOutcome::Stored => Ok(proto::Receipt {}),
        RelayOutcome::MailboxFull => Err(Status::resource_exhausted(format!(
            "the mailbox of `{to}` or the disk of its node has no room now: wait until it has received, \
             and send again"
        ))),
        RelayOutcome::UnknownApplication => Err(Status::invalid_argument(format!(
            "the other node does not have `{from}` at this node and `{to}` at its own: make the \
             sections [[sae]] of both nodes equal"
        ))),
        RelayOutcome::StorageFailed => Err(Status::unavailable(format!(
            "the node of `{to}` could not write the message to disk (its log says why): it is not \
             known to be stored; send the very same message again"
        ))),
    }
}

fn relay_status(fault: RelayFault) -> Status {
    match fault {
        RelayFault::NoLink | RelayFault::Cut | RelayFault::NoAnswer => {
            Status::unavailable(fault.to_string())
        }
        RelayFault::Congested => Status::resource_exhausted(fault.to_string()),
    }
}

fn acknowledge_status(fault: &AcknowledgeFault) -> Status {
    match fault {
        AcknowledgeFault::NoMailbox(_) => Status::not_found(fault.to_string()),
        AcknowledgeFault::Ahead { .. } => Status::invalid_argument(fault.to_string()),
        AcknowledgeFault::Congested | AcknowledgeFault::StorageFailed => {
            Status::unavailable(fault.to_string())
        }
    }
}
