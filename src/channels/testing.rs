//! Receivers for tests, on ports of their own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A request that a recorder got.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What a recorder answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status, headers and a body.
    Reply(u16, Vec<(&'static str, String)>, &'static str),
    /// Nothing, for ever.
    Silence,
}

#[derive(Default)]
struct Shared {
    recorded: Mutex<Vec<Recorded>>,
    /// The last one stays.
    answers: Mutex<VecDeque<Answer>>,
    /// How many times a token was asked for, and what is answered to that; the last one stays.
    tokens: Mutex<(usize, VecDeque<Answer>)>,
}

/// The path under which WeCom gives tokens.
const TOKEN_PATH: &str = "/cgi-bin/gettoken";

/// An HTTP server that answers as told, and keeps what it was asked.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Recorder {
    /// One that gives a token to everybody who asks for it.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Recorder {
        let token = "{\"errcode\":0,\"access_token\":\"hunter2-very-secret-token\",\"expires_in\":7200}";
        Recorder::start_with([Answer::Reply(200, Vec::new(), token)], answers).await
    }

    /// One that answers so to those who want a token.
    pub(crate) async fn start_with(
        tokens: impl IntoIterator<Item = Answer>,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Recorder {
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers.into_iter().collect()),
            tokens: Mutex::new((0, tokens.into_iter().collect())),
            ..Shared::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(record).with_state(shared.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Recorder { address, shared, _tasks: tasks }
    }

    /// What it was asked, but for tokens.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().unwrap().clone()
    }

    /// How many times it was asked for a token.
    pub(crate) fn n_tokens(&self) -> usize {
        self.shared.tokens.lock().unwrap().0
    }
}

async fn record(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("bodies are UTF-8");
    let next = |answers: &mut VecDeque<Answer>| match answers.len() {
        1 => answers.front().cloned(),
        _ => answers.pop_front(),
    };
    let answer = if uri.path() == TOKEN_PATH {
        let (count, answers) = &mut *shared.tokens.lock().unwrap();
        *count += 1;
        next(answers)
    } else {
        shared.recorded.lock().unwrap().push(Recorded { method, uri, headers, body });
        next(&mut shared.answers.lock().unwrap())
    };
    match answer {
        Some(Answer::Reply(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Some(Answer::Silence) | None => std::future::pending().await,
    }
}

/// What a mail server does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SmtpManners {
    /// It takes connections and says nothing.
    pub(crate) silent: bool,
    /// What it answers to `MAIL FROM`, instead of taking it.
    pub(crate) sender: Option<&'static str>,
    /// Recipients that contain this text get this answer.
    pub(crate) recipient: Option<(&'static str, &'static str)>,
    /// What it answers to the mail itself, instead of taking it.
    pub(crate) data: Option<&'static str>,
    /// Login and password, as base64 of `AUTH PLAIN`, that it wants.
    pub(crate) auth: Option<&'static str>,
    /// How it is protected.
    pub(crate) tls: SinkTls,
}

/// How a mail server is protected, with a certificate for 127.0.0.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SinkTls {
    #[default]
    None,
    /// It offers STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// The certificate of the authority that signed the server's, both good for a hundred years:
/// `openssl req -x509`, and `openssl x509 -req` with `subjectAltName=IP:127.0.0.1`.
pub(crate) const AUTHORITY: &str = include_str!("testdata/authority.pem");

fn acceptor() -> TlsAcceptor {
    super::http::install_tls_provider();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("testdata/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("testdata/server.key")).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// A mail that a sink took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: String,
}

/// A mail server that takes mails as told, and keeps them.
pub(crate) struct SmtpSink {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    _tasks: JoinSet<()>,
}

impl SmtpSink {
    pub(crate) async fn start(manners: SmtpManners) -> SmtpSink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                sessions.spawn(async move { drop(connection(stream, manners, kept).await) });
            }
        });
        SmtpSink { address, taken, _tasks: tasks }
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

async fn connection(stream: TcpStream, manners: SmtpManners, kept: Arc<Mutex<Vec<Taken>>>) -> std::io::Result<()> {
    if manners.silent {
        std::future::pending::<()>().await;
    }
    if manners.tls == SinkTls::Implicit {
        let stream = acceptor().accept(stream).await?;
        return session(stream, manners, kept, true).await.map(drop);
    }
    match session(stream, manners, kept.clone(), true).await? {
        None => Ok(()),
        Some(stream) => {
            let stream = acceptor().accept(stream).await?;
            session(stream, SmtpManners { tls: SinkTls::None, ..manners }, kept, false).await.map(drop)
        }
    }
}

/// Speaks SMTP, until the end or STARTTLS, when it gives the stream back.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manners: SmtpManners,
    kept: Arc<Mutex<Vec<Taken>>>,
    greet: bool,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 sink ESMTP\r\n").await?;
        stream.flush().await?;
    }
    let mut mail = Taken::default();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let command = line.trim_end().to_string();
        let answer = match command.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "STARTTLS" if manners.tls == SinkTls::StartTls => {
                stream.write_all(b"220 go\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "EHLO" if manners.tls == SinkTls::StartTls => "250-sink\r\n250 STARTTLS",
            "EHLO" => "250-sink\r\n250 AUTH PLAIN",
            "AUTH" if command.ends_with(manners.auth.unwrap_or_default()) => "235 welcome",
            "AUTH" => "535 no such login",
            "MAIL" => {
                mail.from = command.clone();
                manners.sender.unwrap_or("250 ok")
            }
            "RCPT" => match manners.recipient {
                Some((text, answer)) if command.contains(text) => answer,
                _ => {
                    mail.to.push(command.clone());
                    "250 ok"
                }
            },
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                stream.flush().await?;
                loop {
                    line.clear();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    mail.message.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                if manners.data.is_none() {
                    kept.lock().unwrap().push(std::mem::take(&mut mail));
                }
                manners.data.unwrap_or("250 taken")
            }
            "QUIT" => "221 bye",
            _ => "500 what",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits until a value is there; a test that waits for longer has failed.
pub(crate) async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = look() {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes within 20 s")
}
