//! A connection that ends when the certificate that it was opened with is revoked.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::buffered::Buffered;
use super::live::LiveTls;

/// Called once when the certificate is revoked.
type OnEnd = Box<dyn FnOnce() + Send>;

/// A connection that has shaken hands, for as long as its certificate is not revoked.
pub(crate) struct Accepted {
    stream: TlsStream<Buffered>,
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Gone once it was called.
    on_end: Option<OnEnd>,
}

impl Accepted {
    /// Guards `stream` with the lists that `tls` has.
    pub(super) fn new(
        stream: TlsStream<Buffered>,
        tls: Arc<LiveTls>,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Self {
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain: Vec<_> = shown
            .iter()
            .cloned()
            .map(CertificateDer::into_owned)
            .collect();
        Self {
            stream,
            revoked: Box::pin(async move { tls.until_revoked(&chain).await }),
            on_end: Some(Box::new(on_end)),
        }
    }

    /// The connection, and what TLS has settled on it.
    pub(crate) fn get_ref(&self) -> (&Buffered, &ServerConnection) {
        self.stream.get_ref()
    }

    /// An error once the certificate is revoked. Whoever polls is woken when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.on_end.is_some() && self.revoked.as_mut().poll(context).is_pending() {
            return Ok(());
        }
        if let Some(on_end) = self.on_end.take() {
            on_end();
        }
        let said = "the certificate of the other side was revoked";
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, said))
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Accepted {
    type ConnectInfo = <TlsStream<Buffered> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}
