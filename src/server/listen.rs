//! Accepting connections: a bounded number, none of which may dawdle, until it is time to stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Connections at one moment. Past it, new ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;

/// A connection on which nothing arrives and nothing leaves for so long is closed.
const IDLE: Duration = Duration::from_secs(75);

/// The handshake of TLS, and then the head of each request, must have come within this time: a client that sends a byte
/// a minute holds a place for no longer.
const HEAD: Duration = Duration::from_secs(15);

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The certificate under which connections are answered from now on; shared with whoever reloads it.
#[derive(Clone, Default)]
pub struct Certificate(Arc<RwLock<Option<Arc<rustls::ServerConfig>>>>);

impl Certificate {
    /// This one from now on.
    pub fn set(&self, config: Arc<rustls::ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
    }

    fn get(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("is_set", &self.get().is_some()).finish()
    }
}

/// Serves until `stop`, then lets requests that have begun end, for at most `drain`.
///
/// # Errors
/// Never: what fails at one connection ends that alone.
pub async fn serve(listener: Listener, router: Router, stop: CancellationToken, drain: Duration) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let head = listener.head;
    loop {
        let (connection, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let router = router.clone();
            async move {
                let response = router.oneshot(request).await;
                Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            // Whoever has said everything may close his half.
            .half_close(true)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(connection), service);
        let connection = graceful.watch(connection);
        #[expect(clippy::disallowed_methods, reason = "connections are joined by `graceful`")]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections that did not end in time are cut off");
    }
    Ok(())
}

/// Accepts connections, not too many at once.
pub struct Listener {
    inner: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
    head: Duration,
    certificate: Option<Certificate>,
}

impl Listener {
    /// Listens at an address; port 0 is any free one.
    ///
    /// # Errors
    /// Where the address cannot be had: in use, or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
        let inner = TcpListener::bind(address).await?;
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Ok(Listener { inner, places, idle: IDLE, head: HEAD, certificate: None })
    }

    /// The same listener, whose connections are encrypted under a certificate.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<Certificate>) -> Listener {
        Listener { certificate, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    async fn accept(&self) -> (Connection, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    // Answers are small and whole: waiting for more to send with them only costs time.
                    stream.set_nodelay(true).ok();
                    let stream = match &self.certificate {
                        None => Stream::Plain(stream),
                        Some(certificate) => match certificate.get() {
                            // The handshake is made while the connection is served: a slow one holds up nobody else.
                            Some(config) => Stream::Greeting(Box::new(TlsAcceptor::from(config).accept(stream))),
                            None => continue,
                        },
                    };
                    let patience = if matches!(stream, Stream::Plain(_)) { self.idle } else { self.head };
                    let idle = Box::pin(tokio::time::sleep(patience));
                    return (Connection { stream, idle, limit: self.idle, _place: place.ok() }, address);
                }
                Err(error) => {
                    // Out of file descriptors, or the client is gone already: the next may do better.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }
}

/// What carries the bytes.
enum Stream {
    Plain(TcpStream),
    /// The handshake is under way.
    Greeting(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

/// Something that bytes go through both ways.
trait Bytes: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl Stream {
    /// The stream, once the handshake is over.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Bytes>>> {
        if let Stream::Greeting(accept) = self {
            let made = ready!(Pin::new(accept.as_mut()).poll(cx));
            // A handshake that is over must not be asked again, however it went.
            *self = Stream::Failed;
            *self = Stream::Tls(Box::new(made?));
        }
        Poll::Ready(Ok(match self {
            Stream::Plain(stream) => Pin::new(stream),
            Stream::Tls(stream) => Pin::new(stream.as_mut()),
            Stream::Greeting(_) => return Poll::Pending,
            Stream::Failed => return Poll::Ready(Err(io::Error::other("the handshake failed"))),
        }))
    }
}

/// A connection that is closed when it is idle for too long, and holds its place until then.
struct Connection {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    limit: Duration,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Notes that something moved.
    fn moved(&mut self) {
        self.idle.as_mut().reset(Instant::now() + self.limit);
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match self.stream.poll_ready(cx) {
            Poll::Ready(stream) => stream?.poll_read(cx, buf),
            Poll::Pending => Poll::Pending,
        };
        match read {
            Poll::Ready(result) => {
                self.moved();
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the connection was idle for too long")))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(ready!(self.stream.poll_ready(cx))?.poll_write(cx, bytes));
        self.moved();
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(ready!(self.stream.poll_ready(cx))?.poll_write_vectored(cx, slices));
        self.moved();
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Greeting(_) | Stream::Failed => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_ready(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            // Nobody knows it yet.
            Stream::Greeting(_) | Stream::Failed => Poll::Ready(Ok(())),
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    async fn listener(idle: Duration) -> (Listener, SocketAddr) {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        listener.idle = idle;
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn a_request_that_has_begun_is_answered_after_the_stop_and_one_that_never_ends_is_cut_off() {
        for (path, answered) in [("/soon", true), ("/never", false)] {
            let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (begin, begin_never, released) = (Arc::clone(&begun), Arc::clone(&begun), Arc::clone(&release));
            let soon = || async move {
                begin.notify_one();
                released.notified().await;
                "done"
            };
            let never = move || {
                begin_never.notify_one();
                std::future::pending::<&'static str>()
            };
            let router = Router::new().route("/soon", get(soon)).route("/never", get(never));
            let (listener, address) = listener(IDLE).await;
            let stop = CancellationToken::new();
            let server = serve(listener, router, stop.clone(), Duration::from_millis(500));
            let client = async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                begun.notified().await;
                stop.cancel();
                release.notify_one();
                let mut answer = String::new();
                let read = stream.read_to_string(&mut answer);
                // What is cut off may linger until the runtime ends; the server itself has ended.
                drop(tokio::time::timeout(Duration::from_millis(700), read).await);
                answer
            };
            let (ended, answer) = tokio::join!(tokio::time::timeout(Duration::from_secs(10), server), client);
            ended.unwrap().unwrap();
            assert_eq!(answer.ends_with("done"), answered, "{path}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_half_a_request_and_waits_is_cut_off() {
        let (mut listener, address) = listener(IDLE).await;
        listener.head = Duration::from_millis(50);
        let stop = CancellationToken::new();
        let server = serve(listener, Router::new(), stop.clone(), Duration::from_secs(5));
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: local").await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
            stop.cancel();
            ended.is_ok()
        };
        let (_, cut_off) = tokio::join!(server, client);
        assert!(cut_off);
    }
}
