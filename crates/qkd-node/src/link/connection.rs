//! One connection from its handshake to its end: the stream, the link's thread, the instruments.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_delivery::{Directory, Kme};
use qkd_session::Time;
use qkd_wire::link::{Frame, LinkMessage, RelayOutcome, RelayedMessage, refusal};
use qkd_wire::proto::link as proto;
use tokio::sync::{mpsc, oneshot};
use tonic::Streaming;

use super::handshake::hang_up;
use super::{
    Established, FrameSender, LinkAnswers, LinkEffect, LinkEngine, LinkEvent, LinkFault,
    LinkHandle, Party, Queueable, Queued,
};
use crate::hub::KeyHub;
use crate::mailbox::Mailboxes;
use crate::quantum::Command;
use crate::relay::Relay;
use crate::shutdown::Shutdown;
use crate::status::{LinkState, StatusBoard};

/// Distance of two ticks.
const TICK: Duration = Duration::from_millis(200);

/// Events whose answers share an envelope, at most.
const EVENTS_PER_TURN_MAX: usize = 256;

/// What the daemon shares with each of its connections.
#[derive(Clone)]
pub struct Instruments {
    /// The key store.
    pub hub: Arc<KeyHub>,
    /// What the operator sees.
    pub board: StatusBoard,
    /// Ciphertext for local applications.
    pub mailboxes: Arc<Mailboxes>,
    /// Ciphertext for the applications at the other node.
    pub relay: Arc<Relay>,
    /// Which application sits where.
    pub directory: Arc<Directory>,
}

/// An established connection, ready to be served.
pub struct Connection {
    /// Channel and session, from the handshake.
    pub established: Established,
    /// This side's engine.
    pub party: Party,
    /// To the peer.
    pub outgoing: FrameSender,
    /// From the peer.
    pub incoming: Streaming<proto::Frame>,
}

/// Serves a connection until it ends, and says why it did. `start` brings the optical instruments
/// up; their threads end when their command channel closes.
pub async fn serve(
    connection: Connection,
    shared: &Instruments,
    shutdown: &Shutdown,
    start: impl FnOnce(LinkHandle, Receiver<Command>) -> std::io::Result<Vec<JoinHandle<()>>>,
) -> String {
    let Connection {
        established,
        party,
        outgoing,
        mut incoming,
    } = connection;
    let session = established.session;
    let engine = LinkEngine::new(session, party, established.channel, Time(0));
    let (handle, events) = LinkHandle::new(outgoing.clone());
    let (commands, command_receiver) = channel();
    let mut threads = match start(handle.clone(), command_receiver) {
        Ok(threads) => threads,
        Err(error) => return format!("the optical instruments do not start: {error}"),
    };
    let (done, mut ended) = oneshot::channel();
    let thread = LinkThread {
        engine,
        began: Instant::now(),
        shared: shared.clone(),
        outgoing: outgoing.clone(),
        commands,
        answers: handle.answers(),
    };
    let spawned = std::thread::Builder::new()
        .name("link".into())
        // Nobody listens for the reason when the connection was cut from outside.
        .spawn(move || drop(done.send(thread.run(events))));
    match spawned {
        Ok(joined) => threads.push(joined),
        Err(error) => return format!("the link's thread does not start: {error}"),
    }
    shared.board.connected(session);
    let hub = shared.hub.clone();
    let link = handle.clone();
    let _connected = tokio::task::spawn_blocking(move || hub.connect(link)).await;
    shared.relay.connect(handle.clone());

    let reason = pump(&handle, &shared.board, &mut incoming, &mut ended, shutdown).await;
    shared.relay.disconnect();
    handle.end(reason.clone());
    let _gone = outgoing.send(refusal(&reason));
    let hub = shared.hub.clone();
    let _joined = tokio::task::spawn_blocking(move || {
        // First the threads: what the link's thread has still in its queue belongs to this
        // connection, and the store would take it for a breach of the rules afterwards.
        for thread in threads {
            // A panic in there has been printed, and its connection is over either way.
            let _panicked = thread.join();
        }
        hub.disconnect();
    })
    .await;
    shared.board.link(LinkState::Connecting, &reason);
    hang_up(outgoing, incoming).await;
    reason
}

/// Moves frames from the stream to the link's thread, and ticks.
async fn pump(
    handle: &LinkHandle,
    board: &StatusBoard,
    incoming: &mut Streaming<proto::Frame>,
    ended: &mut oneshot::Receiver<String>,
    shutdown: &Shutdown,
) -> String {
    let mut said = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            frame = incoming.message() => match frame {
                Ok(Some(frame)) => match Frame::try_from(frame) {
                    Ok(Frame::Envelope(envelope)) => {
                        if !handle.tell_when_room(LinkEvent::Envelope(envelope)).await {
                            return reason_of(ended.await);
                        }
                    }
                    // A hint and no more: the stream will close, or it was not the peer's.
                    Ok(Frame::Refusal(reason)) => {
                        tracing::warn!(%reason, "the peer says it hangs up");
                        said = Some(reason);
                    }
                    Ok(other) => {
                        tracing::warn!(frame = other.name(), "frame out of turn ignored");
                        board.malformed();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "garbage on the classical channel ignored");
                        board.malformed();
                    }
                },
                Ok(None) => return with_hint("the peer closed the connection".into(), said),
                Err(status) => {
                    return with_hint(format!("the connection broke: {}", status.message()), said);
                }
            },
            _ = ticks.tick() => { handle.queue(Queueable::Tick, None); }
            reason = &mut *ended => return reason_of(reason),
            () = shutdown.requested() => return "this node is shutting down".into(),
        }
    }
}

fn reason_of(ended: Result<String, oneshot::error::RecvError>) -> String {
    ended.unwrap_or_else(|_| "the link's thread broke down".into())
}

/// The reason with what the peer, or somebody who would like to be taken for it, said before.
fn with_hint(reason: String, said: Option<String>) -> String {
    match said {
        Some(said) => format!("{reason} (it said: {said})"),
        None => reason,
    }
}

struct LinkThread {
    engine: LinkEngine,
    began: Instant,
    shared: Instruments,
    outgoing: FrameSender,
    commands: Sender<Command>,
    answers: LinkAnswers,
}

impl LinkThread {
    /// Handles events until the link ends, and says why.
    fn run(mut self, mut events: mpsc::UnboundedReceiver<Queued>) -> String {
        while let Some(first) = events.blocking_recv() {
            if let Err(over) = self.turn(first, &mut events) {
                // The peer hears what was said before the end; if it cannot, it needs it no more.
                let _too_late = self.flush();
                return match over {
                    Over::Because(reason) => reason,
                    Over::InstrumentsStopped => last_words(events),
                };
            }
            let board = &self.shared.board;
            board.link_health(self.engine.rejects(), self.engine.progress());
        }
        "the connection was dropped".into()
    }

    /// Handles what waits in the queue, then sends what is to be said about it in one envelope. It
    /// waits for nothing, and what comes in the meantime without end cannot hold the envelope up.
    fn turn(
        &mut self,
        first: Queued,
        events: &mut mpsc::UnboundedReceiver<Queued>,
    ) -> Result<(), Over> {
        let mut next = Some(first);
        for _ in 0..EVENTS_PER_TURN_MAX {
            let Some(Queued { event, _place }) = next.take().or_else(|| events.try_recv().ok())
            else {
                break;
            };
            self.handle(event)?;
        }
        self.flush()
    }

    fn handle(&mut self, event: Queueable) -> Result<(), Over> {
        let event = match event {
            Queueable::Event(event) => event,
            Queueable::Tick => LinkEvent::Tick {
                demand: self.shared.hub.demand(),
            },
            Queueable::End(reason) => return Err(Over::Because(reason)),
        };
        let nanoseconds = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let now = Time(nanoseconds.saturating_mul(1000));
        let effects = self.tell(now, event).map_err(|fault| {
            if matches!(fault, LinkFault::Malformed(_)) {
                self.shared.board.malformed();
            }
            Over::Because(fault.to_string())
        })?;
        effects
            .into_iter()
            .try_for_each(|effect| self.perform(effect))
    }

    /// What comes of an event when every step of a block is run here and now.
    fn tell(&mut self, now: Time, event: LinkEvent) -> Result<Vec<LinkEffect>, LinkFault> {
        let mut effects = Vec::new();
        for effect in self.engine.handle(now, event)? {
            if let LinkEffect::Work(work) = effect {
                effects.extend(self.tell(now, LinkEvent::Worked(work.run()))?);
            } else {
                effects.push(effect);
            }
        }
        Ok(effects)
    }

    /// Sends what was said since the last envelope.
    fn flush(&mut self) -> Result<(), Over> {
        let flushed = self.engine.flush();
        let flushed = flushed.map_err(|fault| Over::Because(fault.to_string()))?;
        flushed.map_or(Ok(()), |effect| self.perform(effect))
    }

    fn perform(&mut self, effect: LinkEffect) -> Result<(), Over> {
        match effect {
            // Done at once.
            LinkEffect::Work(_) => {}
            // What a stream that has ended no longer takes is not needed any more.
            LinkEffect::Send(envelope) => {
                let _gone = self.outgoing.send(envelope.into());
            }
            LinkEffect::Transmit { wanted } => {
                tracing::debug!(wanted, "light");
                self.shared.board.light(wanted);
                self.command(Command::Transmit { wanted })?;
            }
            LinkEffect::Recall {
                block,
                slots,
                end_slot,
            } => {
                tracing::debug!(block, detections = slots.len(), "Bob announced a block");
                self.command(Command::Recall {
                    block,
                    slots,
                    end_slot,
                })?;
            }
            LinkEffect::Clock { emitted_slots } => {
                self.command(Command::Clock { emitted_slots })?
            }
            LinkEffect::Begun { budget } => self.shared.hub.begun(budget),
            LinkEffect::Distilled { block, key, check } => {
                self.shared.hub.distilled(block, key, check);
            }
            LinkEffect::Store(message) => self.shared.hub.message(message),
            LinkEffect::Relay { number, message } => self.take_in(number, message),
            LinkEffect::RelayAnswer { number, outcome } => {
                self.shared.relay.answered(number, outcome);
            }
            LinkEffect::Report(report) => self.shared.board.report(*report),
        }
        Ok(())
    }

    /// Gives a message of the peer to the mailboxes, whose thread answers it.
    fn take_in(&self, number: u64, message: RelayedMessage) {
        let answers = self.answers.clone();
        let done = move |outcome| answers.say(LinkMessage::RelayAnswer { number, outcome });
        let directory = &self.shared.directory;
        let addresses = (directory.place(&message.from), directory.place(&message.to));
        // The peer speaks for its own applications only.
        if addresses == (Some(Kme::Peer), Some(Kme::Local)) {
            self.shared.mailboxes.put(message, done);
        } else {
            tracing::warn!(
                from = %message.from, to = %message.to,
                "a message between applications that do not sit there and here was refused"
            );
            done(RelayOutcome::UnknownApplication);
        }
    }

    /// Without its instruments a link would live on and never make a key again.
    fn command(&self, command: Command) -> Result<(), Over> {
        self.commands
            .send(command)
            .map_err(|_| Over::InstrumentsStopped)
    }
}

/// Why the link's thread stops.
enum Over {
    /// In words.
    Because(String),
    /// The threads of the optical instruments take no more commands.
    InstrumentsStopped,
}

/// Why the instruments stopped: what they said about it is in the queue already.
fn last_words(mut events: mpsc::UnboundedReceiver<Queued>) -> String {
    while let Ok(Queued { event, .. }) = events.try_recv() {
        if let Queueable::End(reason) = event {
            return reason;
        }
    }
    "the optical instruments broke down".into()
}
