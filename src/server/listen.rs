//! Accepting connections: a bounded number, none of which may dawdle, until it is time to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// Connections at one moment. Past it, new ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;

/// A connection on which nothing arrives and nothing leaves for so long is closed.
const IDLE: Duration = Duration::from_secs(75);

/// Serves until `stop`, then lets requests that have begun end, for at most `drain`.
///
/// # Errors
/// Where the listener fails for good.
pub async fn serve(listener: Listener, router: Router, stop: CancellationToken, drain: Duration) -> io::Result<()> {
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        ended = server.into_future() => ended,
        () = deadline => {
            tracing::warn!("connections that did not end in time are cut off");
            Ok(())
        }
    }
}

/// Accepts connections, not too many at once.
pub struct Listener {
    inner: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
}

impl Listener {
    /// Listens at an address; port 0 is any free one.
    ///
    /// # Errors
    /// Where the address cannot be had: in use, or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
        let inner = TcpListener::bind(address).await?;
        Ok(Listener { inner, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), idle: IDLE })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    // Answers are small and whole: waiting for more to send with them only costs time.
                    stream.set_nodelay(true).ok();
                    let idle = Box::pin(tokio::time::sleep(self.idle));
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

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that is closed when it is idle for too long, and holds its place until then.
pub struct Connection {
    stream: TcpStream,
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
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
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
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.moved();
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        self.moved();
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
        let (listener, address) = listener(Duration::from_millis(50)).await;
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
