//! One connection from its handshake to its end: the stream, the link's thread, the instruments.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_delivery::Directory;
use qkd_session::Time;
use qkd_wire::link::{Frame, refusal};
use qkd_wire::proto::link as proto;
use tokio::sync::oneshot;
use tonic::Streaming;

use super::handshake::hang_up;
use super::thread::LinkThread;
use super::workers::Workers;
use super::{Established, FrameSender, LinkEngine, LinkEvent, LinkHandle, Party, Queueable};
use crate::hub::KeyHub;
use crate::mailbox::Mailboxes;
use crate::quantum::Command;
use crate::relay::Relay;
use crate::shutdown::Shutdown;
use crate::status::{LinkState, StatusBoard};

/// Distance of two ticks.
const TICK: Duration = Duration::from_millis(200);

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
    /// Threads that compute for the blocks of a connection.
    pub worker_threads: NonZeroUsize,
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
    let instruments = match start(handle.clone(), command_receiver) {
        Ok(instruments) => instruments,
        Err(error) => return format!("the optical instruments do not start: {error}"),
    };
    let workers = match Workers::start(shared.worker_threads, &handle, shutdown) {
        Ok(workers) => workers,
        Err(error) => return format!("the threads that compute do not start: {error}"),
    };
    let (done, mut ended) = oneshot::channel();
    let thread = LinkThread {
        engine,
        began: Instant::now(),
        shared: shared.clone(),
        outgoing: outgoing.clone(),
        commands,
        answers: handle.answers(),
        workers,
        clock: None,
        worked: VecDeque::new(),
        computing: 0,
        shutdown: shutdown.clone(),
    };
    let spawned = std::thread::Builder::new()
        .name("link".into())
        // Nobody listens for the reason when the connection was cut from outside.
        .spawn(move || drop(done.send(thread.run(events))));
    let link_thread = match spawned {
        Ok(joined) => joined,
        Err(error) => return format!("the link's thread does not start: {error}"),
    };
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
    let stopping = shutdown.clone();
    let _joined = tokio::task::spawn_blocking(move || {
        // First the link's thread: what it has still in its queue belongs to this connection, and the
        // store would take it for a breach of the rules afterwards. A panic in there has been printed,
        // and its connection is over either way.
        let _panicked = link_thread.join();
        hub.disconnect();
        for thread in instruments {
            // Nobody listens to them any more. They are waited for so that connections which come and
            // go do not pile up threads; a node that stops takes them with it.
            if !stopping.is_requested() {
                let _panicked = thread.join();
            }
        }
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
    let mut stopping = std::pin::pin!(shutdown.requested());
    loop {
        tokio::select! {
            frame = incoming.message() => match frame {
                Ok(Some(frame)) => match Frame::try_from(frame) {
                    Ok(Frame::Envelope(envelope)) => {
                        tokio::select! {
                            has_room = handle.tell_when_room(LinkEvent::Envelope(envelope)) => {
                                if !has_room {
                                    return reason_of(ended.await);
                                }
                            }
                            // A thread that is behind must not keep the node from stopping.
                            () = &mut stopping => return "this node is shutting down".into(),
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
            () = &mut stopping => return "this node is shutting down".into(),
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
