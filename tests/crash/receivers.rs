//! The receivers of three channels: a healthy one, one that fails half of the time, one that is down for a while.

use std::collections::BTreeSet;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::http::Message;
use crate::judge::Arrival;

/// How long an attempt may take, as the channel's file says.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A receiver that notes each request that it read, and what it answered.
#[derive(Clone)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What is done each time before a request is accepted.
type Before = Box<dyn Fn(usize) + Send>;

struct Shared {
    start: Instant,
    arrivals: Mutex<Vec<Arrival>>,
    changed: Condvar,
    /// By which it fails half of the time; `None` for never.
    failing: Option<Mutex<Chance>>,
    before: Mutex<Option<Before>>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Status(&'static str),
    /// The connection ends before the request is read.
    Unread,
    /// It ends after that, without an answer.
    Unanswered,
    /// There is no answer until the other side gives up.
    Silence,
}

/// An address that refuses connections until it is opened.
pub(crate) struct Closed {
    recorder: Recorder,
    socket: tokio::net::TcpSocket,
}

/// How many different notifications these are: after a restart one may come again.
pub(crate) fn distinct(arrivals: &[Arrival]) -> usize {
    arrivals.iter().map(|arrival| &arrival.id).collect::<BTreeSet<_>>().len()
}

impl Recorder {
    /// One that accepts everything.
    pub(crate) fn healthy() -> Recorder {
        Recorder::listening(None)
    }

    /// One that fails half of the time.
    pub(crate) fn flaky(chance: Chance) -> Recorder {
        Recorder::listening(Some(chance))
    }

    fn listening(failing: Option<Chance>) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Recorder::new(listener.local_addr().unwrap(), failing);
        recorder.clone().accept(listener);
        recorder
    }

    fn new(address: SocketAddr, failing: Option<Chance>) -> Recorder {
        let shared = Shared {
            start: Instant::now(),
            arrivals: Mutex::default(),
            changed: Condvar::new(),
            failing: failing.map(Mutex::new),
            before: Mutex::default(),
        };
        Recorder { shared: Arc::new(shared), address }
    }

    /// One that is down, and accepts everything once it is opened.
    pub(crate) fn down() -> (Recorder, Closed) {
        // Bound without listening, the port is nobody else's and refuses connections.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let recorder = Recorder::new(socket.local_addr().unwrap(), None);
        (recorder.clone(), Closed { recorder, socket })
    }

    /// The text of a channel file that tells this receiver. Another `mark` makes it another text.
    pub(crate) fn channel(&self, mark: usize) -> String {
        let (address, timeout) = (self.address, TIMEOUT.as_secs());
        format!("type: webhook\nurl: http://{address}/hook\ntimeout: {timeout}s\nheaders: {{ x-mark: \"{mark}\" }}\n")
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals.lock().unwrap().clone()
    }

    /// Does something from now on before a request is accepted; it is told how many were accepted before.
    pub(crate) fn before_accepting(&self, what: impl Fn(usize) + Send + 'static) {
        *self.shared.before.lock().unwrap() = Some(Box::new(what));
    }

    /// Waits until the requests are so. Says whether they were in time.
    pub(crate) fn wait_until(&self, within: Duration, so: impl Fn(&[Arrival]) -> bool) -> bool {
        let guard = self.shared.arrivals.lock().unwrap();
        let (guard, _) = self.shared.changed.wait_timeout_while(guard, within, |arrivals| !so(arrivals)).unwrap();
        so(&guard)
    }

    fn accept(self, listener: TcpListener) {
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let recorder = self.clone();
                thread::spawn(move || recorder.serve(&stream));
            }
        });
    }

    fn serve(&self, stream: &TcpStream) {
        stream.set_nodelay(true).ok();
        let mut reader = BufReader::new(stream);
        loop {
            let answer = self.shared.choose();
            if answer == Answer::Unread {
                // The request is on its way, so it is cut off in the middle.
                stream.peek(&mut [0]).ok();
                stream.shutdown(Shutdown::Both).ok();
                return;
            }
            let Some(message) = Message::read(&mut reader) else { return };
            let accepted = match answer {
                Answer::Accept => {
                    let before = self.shared.before.lock().unwrap();
                    let n_accepted = || self.arrivals().iter().filter(|arrival| arrival.accepted).count();
                    before.iter().for_each(|before| before(n_accepted()));
                    respond(stream, "200 OK\r\n")
                }
                Answer::Status(status) => {
                    respond(stream, status);
                    false
                }
                Answer::Unread | Answer::Unanswered | Answer::Silence => false,
            };
            self.shared.note(&message, accepted);
            match answer {
                Answer::Accept | Answer::Status(_) => {}
                Answer::Unread | Answer::Unanswered => return,
                Answer::Silence => {
                    stream.set_read_timeout(Some(2 * TIMEOUT)).ok();
                    stream.peek(&mut [0]).ok();
                    return;
                }
            }
        }
    }
}

impl Shared {
    fn choose(&self) -> Answer {
        let Some(chance) = &self.failing else { return Answer::Accept };
        let mut chance = chance.lock().unwrap();
        match chance.one_in(2) {
            true => Answer::Accept,
            false if chance.one_in(12) => Answer::Silence,
            false => chance.pick(&[
                Answer::Status("500 Internal Server Error\r\n"),
                Answer::Status("503 Service Unavailable\r\n"),
                Answer::Status("429 Too Many Requests\r\nretry-after: 0\r\n"),
                Answer::Status("429 Too Many Requests\r\nretry-after: 1\r\n"),
                Answer::Unread,
                Answer::Unanswered,
            ]),
        }
    }

    fn note(&self, message: &Message, accepted: bool) {
        let at = self.start.elapsed().as_millis() as u64;
        let id = message.header("webhook-id").unwrap_or_default();
        self.arrivals.lock().unwrap().push(Arrival::new(at, id, accepted, &message.json()));
        self.changed.notify_all();
    }
}

fn respond(mut stream: &TcpStream, status: &str) -> bool {
    stream.write_all(format!("HTTP/1.1 {status}content-length: 0\r\n\r\n").as_bytes()).is_ok()
}

impl Closed {
    /// It works from now on.
    pub(crate) fn open(self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let listener = self.socket.listen(128).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        self.recorder.accept(listener);
    }
}
