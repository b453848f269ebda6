//! Frames on their way to the peer: counted while they wait for the network.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use qkd_wire::proto::link as proto;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

/// As [`WaitingBytes::calm`], unless blocks are so large that one takes as much.
const CALM_BYTES: usize = 16 << 20;

/// Bytes of payload that may wait for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingBytes {
    /// From so many on nothing new is begun: instruments and applications wait, and Bob wants no
    /// light.
    pub calm: usize,
    /// So many at most: more than an honest peer, however slow its network, ever leaves there.
    pub max: usize,
}

/// So many at most, and nothing new from 16 MiB on.
impl From<usize> for WaitingBytes {
    fn from(max: usize) -> Self {
        let calm = CALM_BYTES;
        Self { calm, max }
    }
}

/// A stream's two ends inside this daemon, and what may wait between them.
pub fn frames(waiting_bytes: impl Into<WaitingBytes>) -> (FrameSender, Frames) {
    let (frames, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = FrameSender {
        frames,
        waiting: waiting.clone(),
        waiting_bytes: waiting_bytes.into(),
    };
    (sender, Frames { receiver, waiting })
}

/// The end that frames go into. It never waits: whoever sends bounds what is under way. Cheap to
/// clone.
#[derive(Clone)]
pub struct FrameSender {
    frames: mpsc::UnboundedSender<proto::Frame>,
    waiting: Arc<AtomicUsize>,
    waiting_bytes: WaitingBytes,
}

/// Why a frame was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The stream has ended.
    #[error("the stream has ended")]
    Ended,
    /// The peer reads nothing of what is said.
    #[error("the peer takes nothing of what is said: {bytes} bytes wait for it already")]
    NoRoom {
        /// Bytes of payload that wait.
        bytes: usize,
    },
}

impl FrameSender {
    /// Sends a frame.
    ///
    /// # Errors
    /// When the stream has ended, or too many bytes wait in it; the frame is gone.
    pub fn send(&self, frame: proto::Frame) -> Result<(), Unsent> {
        let more = bytes(&frame);
        let bytes = self.waiting.fetch_add(more, Ordering::Relaxed);
        if bytes.saturating_add(more) > self.waiting_bytes.max {
            self.waiting.fetch_sub(more, Ordering::Relaxed);
            return Err(Unsent::NoRoom { bytes });
        }
        self.frames.send(frame).map_err(|_| Unsent::Ended)
    }

    /// Whether so much waits for the network that nothing new should be begun.
    pub fn is_congested(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.waiting_bytes.calm
    }
}

/// The end that the network takes frames from.
pub struct Frames {
    receiver: mpsc::UnboundedReceiver<proto::Frame>,
    waiting: Arc<AtomicUsize>,
}

impl Stream for Frames {
    type Item = Result<proto::Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|frame| {
            let frame = frame?;
            self.waiting.fetch_sub(bytes(&frame), Ordering::Relaxed);
            Some(Ok(frame))
        })
    }
}

fn bytes(frame: &proto::Frame) -> usize {
    match &frame.kind {
        Some(proto::frame::Kind::Envelope(envelope)) => envelope.payload.len(),
        Some(_) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    fn envelope(bytes: usize) -> proto::Frame {
        let envelope = proto::Envelope {
            payload: vec![0; bytes],
            ..Default::default()
        };
        let kind = Some(proto::frame::Kind::Envelope(envelope));
        proto::Frame { kind }
    }

    #[tokio::test]
    async fn what_the_network_took_waits_no_longer() {
        let (sender, mut frames) = frames(250);
        assert_eq!(sender.send(envelope(100)), Ok(()));
        assert_eq!(sender.send(envelope(100)), Ok(()));
        let full = Err(Unsent::NoRoom { bytes: 200 });
        assert_eq!(sender.send(envelope(51)), full, "and it takes no place");
        assert_eq!(sender.send(envelope(51)), full);
        assert!(frames.next().await.is_some());
        assert_eq!(sender.send(envelope(51)), Ok(()));
        drop(frames);
        assert_eq!(sender.send(proto::Frame { kind: None }), Err(Unsent::Ended));
    }

    #[tokio::test]
    async fn a_stream_is_congested_until_the_network_has_taken_enough() {
        let calm = 100;
        let (sender, mut frames) = frames(WaitingBytes { calm, max: 250 });
        assert_eq!(sender.send(envelope(calm - 1)), Ok(()));
        assert!(!sender.is_congested());
        assert_eq!(sender.send(envelope(1)), Ok(()));
        assert!(sender.is_congested());
        assert!(frames.next().await.is_some());
        assert!(!sender.is_congested());
    }
}
