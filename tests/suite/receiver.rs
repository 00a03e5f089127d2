//! A webhook receiver that remembers what it was told.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::http::Message;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Listens on a port of its own until the test process ends.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    received: Arc<(Mutex<Vec<Value>>, Condvar)>,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver { address: listener.local_addr().unwrap(), received: Arc::default() };
        let accepting = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answering = accepting.clone();
                thread::spawn(move || answering.answer(&stream));
            }
        });
        receiver
    }

    fn answer(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(message) = Message::read(&mut reader) {
            let (received, changed) = &*self.received;
            received.lock().unwrap().push(message.json());
            changed.notify_all();
            let mut writer = stream;
            if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    }

    /// The text of a channel file that tells this receiver.
    pub(crate) fn channel(&self) -> String {
        format!("type: webhook\nurl: http://{}/hook\n", self.address)
    }

    /// Every alert of every notification so far.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let received = self.received.0.lock().unwrap();
        received.iter().flat_map(|body| body["alerts"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Waits until an alert is told that fits, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (received, changed) = &*self.received;
        let find = |received: &[Value]| {
            received.iter().flat_map(|body| body["alerts"].as_array().into_iter().flatten()).find(|a| fits(a)).cloned()
        };
        let guard = received.lock().unwrap();
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, |received| find(received).is_none()).unwrap();
        find(&guard).unwrap_or_else(|| panic!("never told: {what}; told were {:#?}", *guard))
    }

    /// Waits until an event of a rule and a subject is told.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, event: &str, rule: &str, name: &str) -> Value {
        self.wait_for(&format!("{event} {rule} {name}"), |alert| {
            alert["event"] == event && alert["rule"] == rule && alert["name"] == name
        })
    }
}
