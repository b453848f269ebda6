//! `qkd receive`: messages of all senders, until it is interrupted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use qkd_bits::SecretBytes;
use qkd_messaging::{Error as SealError, KeyId, SealedMessage};
use qkd_node::shutdown::SignalListener;
use qkd_wire::proto::delivery::GetKeyWithIdsRequest;
use qkd_wire::proto::messaging::{AcknowledgeRequest, Delivery, ReceiveRequest};
use serde_json::json;
use tokio::signal::unix::SignalKind;
use tokio::sync::watch;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use super::conversation::{Conversation, Outcome};
use super::error::Error;
use super::patience::{Pauses, is_temporary};
use super::progress::amount;
use super::show::{Show, warn};
use super::state::{Lock, StateFolder, try_lock};
use super::{Application, ApplicationArgs, key_name};
use crate::client::{self, said};
use crate::exit::Exit;
use crate::output::tell;

/// What was handed out is made durable and acknowledged when nothing more comes for so long,
const QUIET: Duration = Duration::from_millis(30);
/// or when there are so many bytes of it.
const UNACKNOWLEDGED_BYTES_MAX: usize = 16 << 20;

/// A key that the sender has may be a moment on its way to this end's store.
const KEY_WITHIN: Duration = Duration::from_secs(5);

/// Shorter waits for the node are not worth a word.
const TELL_AFTER: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Texts go to standard output, files into the folder, everything else to standard error.

Examples:
  qkd receive
  qkd receive --output inbox --json
  qkd receive --count 1 --timeout 60

Exit status: 0 after N messages or Ctrl-C, 1 a fault (its cause is printed), 64 wrong usage.";

/// The options of `qkd receive`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReceiveArgs {
    /// Messages of this application only; a message of another that comes first ends the command
    #[arg(long, value_name = "SAE")]
    pub from: Option<String>,
    /// The folder for files; nothing in it is overwritten
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Give up when nothing comes for so many seconds
    #[arg(long, value_name = "S")]
    pub timeout: Option<u64>,
    /// Print one JSON object per event: text, file, refused, end
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub application: ApplicationArgs,
}

/// Runs `qkd receive`.
pub fn run(args: &ReceiveArgs) -> Exit {
    client::run("qkd receive", receive(args))
}

async fn receive(args: &ReceiveArgs) -> Result<Exit, Error> {
    let stop = stop_signal().map_err(Error::io("watch for signals"))?;
    if !args.output.is_dir() {
        let why = std::io::Error::other("it is no folder; make it, or name another with --output");
        return Err(Error::io(format!(
            "store files in {}",
            args.output.display()
        ))(why));
    }
    let (application, folder) = args.application.open().await?;
    let path = folder.receive_lock();
    let command = "receive";
    let lock = try_lock(&path)?.ok_or(Error::Busy { command, path })?;
    let mut receiver = Receiver {
        application,
        args,
        folder,
        _lock: lock,
        show: Show::new(args.json),
        conversations: BTreeMap::new(),
        stop,
        is_in_doubt: false,
        last_arrival: Instant::now(),
        unacknowledged: None,
        unacknowledged_bytes: 0,
        complete: 0,
        refused: 0,
        bytes: 0,
    };
    match receiver.run().await {
        Ok(()) | Err(Error::Stopped) => receiver.settle().await?,
        Err(error) => {
            // What was handed out before is remembered and acknowledged. Only that: what could not
            // be handed out has to come again.
            if !receiver.is_in_doubt {
                receiver.settle().await?;
            }
            return Err(error);
        }
    }
    receiver.summary()?;
    Ok(Exit::Success)
}

/// True once the user has asked to stop; a second time ends the process on the spot.
fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (sender, stop) = watch::channel(false);
    let mut interrupt = SignalListener::new(SignalKind::interrupt())?;
    let mut terminate = SignalListener::new(SignalKind::terminate())?;
    tokio::spawn(async move {
        for exit in [Exit::Success, Exit::Interrupted] {
            tokio::select! {
                () = interrupt.recv() => {}
                () = terminate.recv() => {}
            }
            if exit == Exit::Interrupted {
                std::process::exit(i32::from(exit.code()));
            }
            sender.send_replace(true);
        }
    });
    Ok(stop)
}

/// What the stream of deliveries had.
enum Next {
    Delivery(Box<Delivery>),
    /// Nothing for a while.
    Quiet,
    /// It ended, and begins again.
    Broken(Status),
    Stop,
}

struct Receiver<'a> {
    application: Application,
    args: &'a ReceiveArgs,
    folder: StateFolder,
    _lock: Lock,
    show: Show,
    /// By the sender's name.
    conversations: BTreeMap<String, Conversation>,
    stop: watch::Receiver<bool>,
    /// A piece was opened and not handed out: the states are not to be stored.
    is_in_doubt: bool,
    last_arrival: Instant,
    /// The highest delivery that was handed out and not acknowledged.
    unacknowledged: Option<u64>,
    unacknowledged_bytes: usize,
    complete: u64,
    refused: u64,
    bytes: u64,
}

impl Receiver<'_> {
    /// Until enough has come, or the user has had enough.
    async fn run(&mut self) -> Result<(), Error> {
        while let Some(mut deliveries) = self.connect().await? {
            loop {
                match self.next(&mut deliveries).await {
                    Next::Delivery(delivery) => {
                        self.last_arrival = Instant::now();
                        self.handle(*delivery).await?;
                        if self.is_done() {
                            return Ok(());
                        }
                    }
                    Next::Quiet => {
                        self.settle().await?;
                        self.check_time()?;
                    }
                    Next::Broken(status) if status.code() == Code::Aborted => {
                        return Err(Error::TakenOver {
                            name: self.application.name.clone(),
                            node: self.application.node.clone(),
                        });
                    }
                    Next::Broken(_) => break,
                    Next::Stop => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let enough = self.args.count.is_some_and(|count| self.complete >= count);
        enough || *self.stop.borrow()
    }

    fn check_time(&self) -> Result<(), Error> {
        match self.args.timeout {
            Some(seconds) if self.last_arrival.elapsed() >= Duration::from_secs(seconds) => {
                Err(Error::Nothing { seconds })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The stream of deliveries, as soon as the node gives one; `None` when the user has had enough.
    async fn connect(&mut self) -> Result<Option<Streaming<Delivery>>, Error> {
        let (mut pauses, began, mut has_said) = (Pauses::new(), Instant::now(), false);
        while !self.is_done() {
            let request = ReceiveRequest {
                sae_id: self.application.name.clone(),
            };
            let status = match client::within(self.application.messaging.receive(request)).await {
                Ok(stream) => {
                    if has_said {
                        tell(&format!("{} is back", self.application.node));
                    }
                    return Ok(Some(stream));
                }
                Err(status) => status,
            };
            if !is_temporary(&status) {
                let what = "receive messages".to_owned();
                return Err(client::Error::Refused { what, status }.into());
            }
            self.check_time()?;
            if !has_said && began.elapsed() >= TELL_AFTER {
                has_said = true;
                let node = &self.application.node;
                tell(&format!("waiting for {node}: {}", said(&status)));
            }
            self.pause(pauses.next()).await;
        }
        Ok(None)
    }

    /// Waits, but not when the user has had enough.
    async fn pause(&mut self, pause: Duration) {
        let stop = self.stop.wait_for(|stop| *stop);
        // Over in time, stopped, or never to be stopped: all the same.
        let _ended = tokio::time::timeout(pause, stop).await;
    }

    async fn next(&mut self, deliveries: &mut Streaming<Delivery>) -> Next {
        let wait = match self.unacknowledged {
            Some(_) => QUIET,
            // Only to look at the time.
            None => Duration::from_millis(500),
        };
        tokio::select! {
            stopped = self.stop.wait_for(|stop| *stop) => match stopped {
                Ok(_) | Err(_) => Next::Stop,
            },
            next = tokio::time::timeout(wait, deliveries.message()) => match next {
                Ok(Ok(Some(delivery))) => Next::Delivery(Box::new(delivery)),
                Ok(Ok(None)) => Next::Broken(Status::unavailable("the stream has ended")),
                Ok(Err(status)) => Next::Broken(status),
                Err(_) => Next::Quiet,
            },
        }
    }

    async fn handle(&mut self, delivery: Delivery) -> Result<(), Error> {
        let number = delivery.number;
        let Some(message) = delivery.message else {
            return Err(Error::Answer {
                node: self.application.node.clone(),
                what: "a delivery without a message",
            });
        };
        let from = message.from_sae_id;
        if let Some(wanted) = self.args.from.as_ref().filter(|wanted| **wanted != from) {
            let wanted = wanted.clone();
            return Err(Error::OtherSender {
                wanted,
                found: from,
            });
        }
        let bytes = message.ciphertext.len();
        let sealed = Uuid::parse_str(&message.key_id).map(|id| SealedMessage {
            key_id: *id.as_bytes(),
            sender: message.sender,
            sequence: message.sequence,
            ciphertext: message.ciphertext,
        });
        if !self.conversations.contains_key(&from) {
            let mut conversation =
                Conversation::open(&self.folder, (&from, &self.application.name))?;
            if conversation.resume(&mut self.show)? {
                self.complete += 1;
            }
            self.conversations.insert(from.clone(), conversation);
        }
        let outcome = match sealed {
            Ok(sealed) => self.open(&from, (number, &sealed)).await?,
            Err(_) => {
                warn(&format!("a message of {from} names no key: it is refused"));
                Outcome::Refused
            }
        };
        match outcome {
            Outcome::Part => self.bytes += bytes as u64,
            Outcome::Complete => {
                self.bytes += bytes as u64;
                self.complete += 1;
            }
            Outcome::Repeated => {}
            Outcome::Refused => self.refused += 1,
        }
        self.unacknowledged = Some(number);
        self.unacknowledged_bytes += bytes;
        if self.unacknowledged_bytes >= UNACKNOWLEDGED_BYTES_MAX {
            self.settle().await?;
        }
        Ok(())
    }

    /// Opens a message of `from`, with a key from the node if it is the first under it.
    async fn open(
        &mut self,
        from: &str,
        (number, sealed): (u64, &SealedMessage),
    ) -> Result<Outcome, Error> {
        let Some(conversation) = self.conversations.get_mut(from) else {
            return Ok(Outcome::Refused);
        };
        let wanted = match conversation.inbox.wants_key(sealed) {
            Ok(wanted) => wanted,
            Err(error) => return conversation.refuse((number, sealed), &error, &mut self.show),
        };
        if let Some(id) = wanted {
            // A sender of one lost key after the other is not waited for again and again.
            let within = match conversation.has_lost_a_key() {
                true => Duration::ZERO,
                false => KEY_WITHIN,
            };
            let key = self.key((from, id), within).await?;
            let Some(conversation) = self.conversations.get_mut(from) else {
                return Ok(Outcome::Refused);
            };
            let added = match key {
                Some(key) => conversation.add_key(id, key)?,
                None => Err(SealError::LostKey),
            };
            if let Err(error) = added {
                return conversation.refuse((number, sealed), &error, &mut self.show);
            }
        }
        let Some(conversation) = self.conversations.get_mut(from) else {
            return Ok(Outcome::Refused);
        };
        self.is_in_doubt = true;
        let taken = conversation.take((number, sealed), &self.args.output, &mut self.show)?;
        self.is_in_doubt = false;
        Ok(taken)
    }

    /// The key of `from`, as soon as the node has it; `None` when it does not within that time.
    async fn key(
        &mut self,
        (from, id): (&str, KeyId),
        within: Duration,
    ) -> Result<Option<SecretBytes>, Error> {
        let (mut pauses, began, mut has_said) = (Pauses::new(), Instant::now(), false);
        loop {
            let request = GetKeyWithIdsRequest {
                master_sae_id: from.to_owned(),
                key_ids: vec![key_name(id)],
            };
            let call = self.application.delivery.get_key_with_ids(request);
            let status = match client::within(call).await {
                Ok(mut keys) => {
                    let key = keys
                        .keys
                        .pop()
                        .map(|mut key| SecretBytes::from(std::mem::take(&mut key.key)));
                    return Ok(key);
                }
                Err(status) => status,
            };
            let is_missing = matches!(
                status.code(),
                Code::NotFound | Code::PermissionDenied | Code::InvalidArgument
            );
            if is_missing && began.elapsed() >= within {
                return Ok(None);
            }
            if *self.stop.borrow() {
                return Err(Error::Stopped);
            }
            if !is_missing && !is_temporary(&status) {
                let what = format!("get the key {} of {from}", key_name(id));
                return Err(client::Error::Refused { what, status }.into());
            }
            if !is_missing && !has_said && began.elapsed() >= TELL_AFTER {
                has_said = true;
                tell(&format!("waiting for a key of {from}: {}", said(&status)));
            }
            self.pause(pauses.next()).await;
        }
    }

    /// Makes everything durable that was handed out, and acknowledges it.
    async fn settle(&mut self) -> Result<(), Error> {
        for conversation in self.conversations.values_mut() {
            conversation.store()?;
        }
        let Some(number) = self.unacknowledged.take() else {
            return Ok(());
        };
        self.unacknowledged_bytes = 0;
        let request = AcknowledgeRequest { number };
        // Without an answer they come again, and are known then.
        match client::within(self.application.messaging.acknowledge(request)).await {
            Ok(_) => Ok(()),
            Err(status) if is_temporary(&status) || status.code() == Code::InvalidArgument => {
                Ok(())
            }
            Err(status) => {
                let what = "acknowledge messages".to_owned();
                Err(client::Error::Refused { what, status }.into())
            }
        }
    }

    fn summary(&mut self) -> Result<(), Error> {
        let (complete, refused) = (self.complete, self.refused);
        if complete != 1 || refused > 0 {
            let of = match (complete, refused) {
                (1, _) => "1 message".to_owned(),
                (more, _) => format!("{more} messages"),
            };
            let bad = match refused {
                0 => String::new(),
                some => format!(", {some} refused"),
            };
            tell(&format!("received {of}, {}{bad}", amount(self.bytes)));
        }
        self.show.event(&json!({
            "event": "end",
            "messages": complete,
            "sealed_bytes": self.bytes,
            "refused": refused,
        }))
    }
}
