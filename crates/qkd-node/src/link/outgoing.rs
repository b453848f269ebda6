//! Frames on their way to the peer: counted while they wait for the network.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use qkd_wire::proto::link as proto;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

/// A stream's two ends inside this daemon.
pub fn frames() -> (FrameSender, Frames) {
    let (frames, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = FrameSender {
        frames,
        waiting: waiting.clone(),
    };
    (sender, Frames { receiver, waiting })
}

/// The end that frames go into. It never waits: whoever sends bounds what is under way. Cheap to
/// clone.
#[derive(Clone)]
pub struct FrameSender {
    frames: mpsc::UnboundedSender<proto::Frame>,
    waiting: Arc<AtomicUsize>,
}

impl FrameSender {
    /// Sends a frame; false when the stream has ended.
    pub fn send(&self, frame: proto::Frame) -> bool {
        self.waiting.fetch_add(bytes(&frame), Ordering::Relaxed);
        self.frames.send(frame).is_ok()
    }

    /// Bytes of payload that the network has not taken yet.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
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

    #[tokio::test]
    async fn what_the_network_took_waits_no_longer() {
        let (sender, mut frames) = frames();
        let envelope = proto::Envelope {
            payload: vec![0; 100],
            ..Default::default()
        };
        let kind = Some(proto::frame::Kind::Envelope(envelope));
        assert!(sender.send(proto::Frame { kind: kind.clone() }));
        assert!(sender.send(proto::Frame { kind }));
        assert_eq!(sender.waiting_bytes(), 200);
        assert!(frames.next().await.is_some());
        assert_eq!(sender.waiting_bytes(), 100);
        drop(frames);
        assert!(
            !sender.send(proto::Frame { kind: None }),
            "the stream has ended"
        );
    }
}
