//! Frames on their way to the peer: counted while they wait for the network.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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

/// How the network takes what is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outflow {
    /// Bytes of payload that wait for it.
    pub waiting_bytes: usize,
    /// Bytes of payload that it has taken since the stream began.
    pub taken_bytes: u64,
}

/// The two figures of an [`Outflow`], which both ends of a stream count.
#[derive(Default)]
struct Meter {
    waiting_bytes: AtomicUsize,
    taken_bytes: AtomicU64,
}

/// A stream's two ends inside this daemon, and what may wait between them.
pub fn frames(waiting_bytes: impl Into<WaitingBytes>) -> (FrameSender, Frames) {
    let (frames, receiver) = mpsc::unbounded_channel();
    let meter = Arc::<Meter>::default();
    let sender = FrameSender {
        frames,
        meter: meter.clone(),
        waiting_bytes: waiting_bytes.into(),
    };
    (sender, Frames { receiver, meter })
}

/// The end that frames go into. It never waits: whoever sends bounds what is under way. Cheap to
/// clone.
#[derive(Clone)]
pub struct FrameSender {
    frames: mpsc::UnboundedSender<proto::Frame>,
    meter: Arc<Meter>,
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
        let waiting = &self.meter.waiting_bytes;
        let bytes = waiting.fetch_add(more, Ordering::Relaxed);
        if bytes.saturating_add(more) > self.waiting_bytes.max {
            waiting.fetch_sub(more, Ordering::Relaxed);
            return Err(Unsent::NoRoom { bytes });
        }
        self.frames.send(frame).map_err(|_| Unsent::Ended)
    }

    /// Whether so much waits for the network that nothing new should be begun.
    pub fn is_congested(&self) -> bool {
        self.outflow().waiting_bytes >= self.waiting_bytes.calm
    }

    /// How the network takes what is said.
    pub fn outflow(&self) -> Outflow {
        Outflow {
            waiting_bytes: self.meter.waiting_bytes.load(Ordering::Relaxed),
            taken_bytes: self.meter.taken_bytes.load(Ordering::Relaxed),
        }
    }
}

/// The end that the network takes frames from.
pub struct Frames {
    receiver: mpsc::UnboundedReceiver<proto::Frame>,
    meter: Arc<Meter>,
}

impl Stream for Frames {
    type Item = Result<proto::Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|frame| {
            let frame = frame?;
            let (meter, bytes) = (&self.meter, bytes(&frame));
            meter.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            meter.taken_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
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
            payload: vec![0; bytes].into(),
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
        let outflow = Outflow {
            waiting_bytes: 151,
            taken_bytes: 100,
        };
        assert_eq!(sender.outflow(), outflow);
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
