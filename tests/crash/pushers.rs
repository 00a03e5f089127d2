//! Those who push: each snapshot again until it is taken.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::http::Message;
use crate::judge::{Push, VALUES};

/// Where the daemon is, while there is one.
#[derive(Default)]
pub(crate) struct Line {
    address: Mutex<Option<SocketAddr>>,
    changed: Condvar,
    /// Pushes that were sent whole and never answered, so far.
    pub(crate) unanswered: AtomicUsize,
    /// Pushes that were taken, but not stored.
    pub(crate) not_durable: AtomicUsize,
    pub(crate) stop: AtomicBool,
    /// There will be no daemon any more: the test has failed.
    abandoned: AtomicBool,
}

/// Lets those who push go when a test fails, so that its failure is seen.
pub(crate) struct Lifeline<'a>(pub(crate) &'a Line);

impl Drop for Lifeline<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.abandoned.store(thread::panicking(), Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}

impl Line {
    pub(crate) fn set(&self, address: Option<SocketAddr>) {
        *self.address.lock().unwrap() = address;
        self.changed.notify_all();
    }

    fn wait(&self) -> Option<SocketAddr> {
        let nowhere = |address: &mut Option<_>| address.is_none() && !self.abandoned.load(Ordering::Relaxed);
        let address = self.changed.wait_while(self.address.lock().unwrap(), nowhere).unwrap();
        address.filter(|_| !self.abandoned.load(Ordering::Relaxed))
    }

    /// Sends a push again and again until it is taken. Gives the answer; `None` where there will be none.
    pub(crate) fn push(&self, connection: &mut Option<Connection>, body: &str) -> Option<Value> {
        loop {
            let address = self.wait()?;
            if connection.as_ref().is_none_or(|connection| connection.address != address) {
                *connection = Connection::open(address).ok();
            }
            let Some(open) = connection else {
                thread::sleep(Duration::from_millis(2));
                continue;
            };
            match open.post(body) {
                Ok(answer) if answer.status() == 200 => {
                    let answer = answer.json();
                    if answer["durable"] != true {
                        self.not_durable.fetch_add(1, Ordering::Relaxed);
                    }
                    return Some(answer);
                }
                Ok(answer) if answer.status() == 503 => thread::sleep(Duration::from_millis(20)),
                Ok(answer) => panic!("{body} is refused: {answer:?}"),
                Err(Broken { sent }) => {
                    self.unanswered.fetch_add(usize::from(sent), Ordering::Relaxed);
                    *connection = None;
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}

/// A connection that was lost.
struct Broken {
    /// The request had been sent whole.
    sent: bool,
}

/// A connection on which one request follows the other.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { address, stream: BufReader::new(stream) })
    }

    fn post(&mut self, body: &str) -> Result<Message, Broken> {
        let (address, length) = (self.address, body.len());
        let request = format!(
            "POST /api/v1/snapshots HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|_| Broken { sent: false })?;
        Message::read(&mut self.stream).filter(|answer| !answer.first_line.is_empty()).ok_or(Broken { sent: true })
    }
}

/// One service, and its random way through the values.
pub(crate) struct Service {
    name: String,
    n: u64,
    time: jiff::Timestamp,
}

impl Service {
    pub(crate) fn new(name: String) -> Service {
        Service { name, n: 0, time: jiff::Timestamp::UNIX_EPOCH }
    }

    /// Its next snapshot.
    pub(crate) fn next(&mut self, v: f64) -> (Push, Value) {
        self.n += 1;
        self.time = jiff::Timestamp::now().max(self.time + jiff::SignedDuration::from_millis(1));
        let push = Push { name: self.name.clone(), n: self.n, v, taken: false };
        let fields = json!({ "v": v, "n": self.n });
        let time = self.time.to_string();
        (push, json!({ "kind": "service", "name": self.name, "time": time, "fields": fields }))
    }
}

/// Pushes for these services at a steady rate until it is told to stop. Gives what it pushed, and the services.
pub(crate) fn run(
    line: &Line,
    mut services: Vec<Service>,
    mut chance: Chance,
    pause: Duration,
) -> (Vec<Push>, Vec<Service>) {
    let mut pushes = Vec::new();
    let mut connection = None;
    while !line.stop.load(Ordering::Relaxed) {
        let first = chance.between(0, services.len());
        let mut batch = Vec::new();
        for next in 0..chance.between(1, 4).min(services.len()) {
            let service = (first + next) % services.len();
            batch.push(services[service].next(chance.pick(&VALUES)));
        }
        let (batch, snapshots): (Vec<Push>, Vec<Value>) = batch.into_iter().unzip();
        let taken = line.push(&mut connection, &Value::from(snapshots).to_string()).is_some();
        pushes.extend(batch.into_iter().map(|push| Push { taken, ..push }));
        thread::sleep(pause);
    }
    (pushes, services)
}

/// Pushes that all is well with these services. Gives what it pushed.
pub(crate) fn calm(line: &Line, services: &mut [Service]) -> Vec<Push> {
    let (pushes, snapshots): (Vec<Push>, Vec<Value>) = services.iter_mut().map(|service| service.next(0.0)).unzip();
    let taken = line.push(&mut None, &Value::from(snapshots).to_string()).is_some();
    pushes.into_iter().map(|push| Push { taken, ..push }).collect()
}
