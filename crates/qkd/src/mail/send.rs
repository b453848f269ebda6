//! `qkd send`: one message to one application.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use qkd_bits::SecretBytes;
use qkd_messaging::{ChainLimits, Head, KeyId, Kind, Outbox, SealedMessage};
use qkd_wire::proto::delivery::GetKeyRequest;
use qkd_wire::proto::messaging;
use serde::Serialize;
use uuid::Uuid;

use super::error::Error;
use super::patience::{Attempt, Patience};
use super::progress::{Progress, amount};
use super::source::{Chunk, Source};
use super::state::{Lock, StateFile, try_lock};
use super::{Application, ApplicationArgs, KEY_SIZE_BITS, key_name};
use crate::client;
use crate::exit::Exit;
use crate::output::{print, tell};

const EXAMPLES: &str = "\
Examples:
  qkd send sae-bob --text 'Dinner at eight?'
  qkd send sae-bob --file plan.pdf
  tar c folder | qkd send sae-bob --file -
  date | qkd send sae-bob

Exit status: 0 the receiver's node has the whole message on disk, 1 a fault (its cause is printed),
64 wrong usage.";

/// The options of `qkd send`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct SendArgs {
    /// The application that is to get the message
    #[arg(value_name = "TO")]
    pub to: String,
    /// Send this file, or standard input as a file when it is "-"
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Send this text; without it and without a file, standard input is the text
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Take a fresh key after so many sealed messages of at most 1 MiB, in place of 65536
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub messages_per_key: Option<u64>,
    /// Give up what could not be delivered and begin a new chain of keys: when the receiver has
    /// lost its state, or says that messages before this one are missing. It is warned
    #[arg(long)]
    pub new_chain: bool,
    /// Give up after so many seconds in which nothing could be delivered
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub timeout: u64,
    /// Print what was sent as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub application: ApplicationArgs,
}

/// Runs `qkd send`.
pub fn run(args: &SendArgs) -> Exit {
    client::run("qkd send", send(args))
}

async fn send(args: &SendArgs) -> Result<Exit, Error> {
    let mut source = source(args)?;
    let (application, folder) = args.application.open().await?;
    let file = folder.to(&args.to)?;
    let mut patience = Patience::new(Duration::from_secs(args.timeout));
    let _lock = lock(&file, &args.to, &mut patience).await?;
    let limits = ChainLimits {
        messages_max: args
            .messages_per_key
            .unwrap_or(ChainLimits::default().messages_max),
        ..ChainLimits::default()
    };
    let stored = file.load(|state| Outbox::from_state(state, limits))?;
    let mut outbox = stored.unwrap_or(Outbox::new(limits));
    if args.new_chain {
        outbox.start_anew();
    }
    let mut sender = Sender {
        application,
        to: &args.to,
        file,
        outbox,
        patience,
        progress: Progress::none(),
        keys: Vec::new(),
        seen: BTreeSet::new(),
        sealed: 0,
    };
    if sender.deliver(Stage::Earlier).await? {
        tell("what an earlier 'qkd send' could not deliver is delivered now");
    }
    let began = Instant::now();
    let name = source.name.clone();
    sender.progress = Progress::new(&name, source.head.total_bytes, 0);
    let bytes = sender.send(&mut source).await?;
    let sent = Sent::new(&sender, source.head, bytes, began.elapsed());
    drop(sender);
    let text = if args.json {
        // Strings, numbers and lists of them.
        serde_json::to_string(&sent).unwrap_or_default()
    } else {
        sent.line(&name)
    };
    // The message has gone whether or not somebody reads about it.
    let _reader_gone = print(&format!("{text}\n"));
    Ok(Exit::Success)
}

fn source(args: &SendArgs) -> Result<Source, Error> {
    match (&args.text, &args.file) {
        (Some(text), _) => Ok(Source::text(text)),
        (None, Some(path)) => Source::file(path),
        (None, None) => Ok(Source::stdin_text()),
    }
}

/// Two senders of one chain take turns.
async fn lock(file: &StateFile, to: &str, patience: &mut Patience) -> Result<Lock, Error> {
    let path = file.lock_path();
    let mut has_said = false;
    loop {
        if let Some(lock) = try_lock(&path)? {
            patience.progress();
            return Ok(lock);
        }
        if patience.is_over() {
            let command = "send";
            return Err(Error::Busy { command, path });
        }
        if !has_said {
            has_said = true;
            tell(&format!(
                "another 'qkd send' to {to} is running: waiting up to {} s for its end",
                patience.seconds()
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is being delivered.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// What an earlier command sealed.
    Earlier,
    /// A part of the message that is not its last.
    Part,
    /// The last part of the message.
    Last,
}

impl Stage {
    /// What to do when it cannot be delivered.
    fn advice(self) -> &'static str {
        match self {
            Stage::Earlier => {
                "it is what an earlier 'qkd send' left; it is kept and goes first, and this message was not begun: send it again later"
            }
            Stage::Part => "the message is not complete: send it again later",
            Stage::Last => {
                "the message is sealed and kept: the next 'qkd send' delivers it first, so do not send it again"
            }
        }
    }
}

/// A message on its way.
struct Sender<'a> {
    application: Application,
    to: &'a str,
    file: StateFile,
    outbox: Outbox,
    patience: Patience,
    progress: Progress,
    /// Keys that this message was sealed under, in order.
    keys: Vec<KeyId>,
    seen: BTreeSet<KeyId>,
    /// Sealed messages of this message.
    sealed: u64,
}

impl Sender<'_> {
    /// Sends the whole of it; returns its length in bytes.
    async fn send(&mut self, source: &mut Source) -> Result<u64, Error> {
        let mut bytes = 0;
        loop {
            let Chunk { body, last } = source.next().await?;
            let head = (self.sealed == 0).then_some(&source.head);
            bytes += body.len() as u64;
            if last && source.head.total_bytes.is_some_and(|total| total != bytes) {
                let name = source.name.clone();
                return Err(Error::Shrunk { name });
            }
            self.seal(head, &body, last).await?;
            let stage = if last { Stage::Last } else { Stage::Part };
            self.deliver(stage).await?;
            self.progress.add(body.len());
            if last {
                // So that the next command has nothing to send again.
                self.file.store(&self.outbox.state())?;
                return Ok(bytes);
            }
        }
    }

    /// Seals one part and makes the state durable.
    async fn seal(
        &mut self,
        head: Option<&Head>,
        body: &SecretBytes,
        last: bool,
    ) -> Result<(), Error> {
        let failed = |source| Error::Sealing {
            action: "seal the message",
            source,
        };
        if self.outbox.needs_key() {
            let (id, key) = self.fresh_key().await?;
            self.outbox.take_key(id, key).map_err(failed)?;
        }
        let state = self
            .outbox
            .seal(head, body.expose(), last)
            .map_err(failed)?;
        self.file.store(&state)?;
        self.outbox.is_durable();
        self.sealed += 1;
        if let Some(id) = self.outbox.key_id()
            && self.seen.insert(id)
        {
            self.keys.push(id);
        }
        Ok(())
    }

    async fn fresh_key(&mut self) -> Result<(KeyId, SecretBytes), Error> {
        let request = GetKeyRequest {
            slave_sae_id: self.to.to_owned(),
            number: Some(1),
            size: Some(KEY_SIZE_BITS),
            additional_slave_sae_ids: Vec::new(),
        };
        let action = format!("get a key for {}", self.to);
        let attempt = Attempt {
            action: &action,
            advice: "'qkd status' shows whether keys are being made",
        };
        let (delivery, progress) = (&self.application.delivery, &self.progress);
        let call = || {
            let (mut delivery, request) = (delivery.clone(), request.clone());
            async move { delivery.get_key(request).await }
        };
        let answer = self
            .patience
            .until_done(&attempt, |line| progress.say(line), call);
        let mut keys = answer.await?.keys;
        let unfit = |what| Error::Answer {
            node: self.application.node.clone(),
            what,
        };
        let mut key = keys.pop().ok_or(unfit("no key"))?;
        let bytes = SecretBytes::from(std::mem::take(&mut key.key));
        let id = Uuid::parse_str(&key.key_id).map_err(|_| unfit("a key_ID that is no UUID"))?;
        Ok((*id.as_bytes(), bytes))
    }

    /// Sends what is sealed, if anything is, until the other side has it; whether anything was.
    async fn deliver(&mut self, stage: Stage) -> Result<bool, Error> {
        let Some(sealed) = self.outbox.to_send() else {
            return Ok(false);
        };
        let action = format!("deliver to {}", self.to);
        let attempt = Attempt {
            action: &action,
            advice: stage.advice(),
        };
        let submission = submission(&self.application.name, self.to, sealed);
        let (messaging, progress) = (&self.application.messaging, &self.progress);
        let call = || {
            let (mut messaging, submission) = (messaging.clone(), submission.clone());
            async move { messaging.submit(submission).await }
        };
        self.patience
            .until_done(&attempt, |line| progress.say(line), call)
            .await?;
        self.outbox.delivered();
        Ok(true)
    }
}

fn submission(from: &str, to: &str, sealed: &SealedMessage) -> messaging::SealedMessage {
    messaging::SealedMessage {
        from_sae_id: from.to_owned(),
        to_sae_id: to.to_owned(),
        key_id: key_name(sealed.key_id),
        sender: sealed.sender,
        sequence: sealed.sequence,
        ciphertext: sealed.ciphertext.clone(),
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Sent {
    from: String,
    to: String,
    /// `text` or `file`.
    kind: &'static str,
    /// Of a file.
    name: Option<String>,
    /// Number of the message in its chain.
    number: u64,
    bytes: u64,
    /// Sealed messages that it took.
    messages: u64,
    #[serde(rename = "key_IDs")]
    key_ids: Vec<String>,
    seconds: f64,
    bytes_per_second: f64,
}

impl Sent {
    fn new(sender: &Sender<'_>, head: Head, bytes: u64, time: Duration) -> Self {
        let (kind, name) = match head.kind {
            Kind::Text => ("text", None),
            Kind::File(name) => ("file", Some(name.to_string())),
        };
        let seconds = time.as_secs_f64();
        Self {
            from: sender.application.name.clone(),
            to: sender.to.to_owned(),
            kind,
            name,
            number: sender.outbox.number(),
            bytes,
            messages: sender.sealed,
            key_ids: sender.keys.iter().copied().map(key_name).collect(),
            seconds,
            bytes_per_second: bytes as f64 / seconds.max(1e-9),
        }
    }

    fn line(&self, name: &str) -> String {
        let keys = match self.key_ids.as_slice() {
            [only] => format!("key {only}"),
            [first, .., last] => format!("{} keys, {first} to {last}", self.key_ids.len()),
            [] => "no key".to_owned(),
        };
        let messages = match self.messages {
            1 => "1 sealed message".to_owned(),
            more => format!("{more} sealed messages"),
        };
        format!(
            "sent {name} to {}: {} in {:.1} s ({}/s), {messages}, {keys}",
            self.to,
            amount(self.bytes),
            self.seconds,
            amount(self.bytes_per_second as u64),
        )
    }
}
