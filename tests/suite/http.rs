//! Just enough HTTP/1.1 for the tests, over blocking sockets.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A message of either side: its first line, its headers with lower-case names, its body.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Message {
    /// Reads one message; `None` where the other side has closed the connection.
    pub(crate) fn read(reader: &mut impl BufRead) -> Option<Message> {
        let mut first_line = String::new();
        if reader.read_line(&mut first_line).ok()? == 0 {
            return None;
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_string())),
                None => break,
            }
        }
        let mut message = Message { first_line: first_line.trim_end().to_string(), headers, body: String::new() };
        let mut body = Vec::new();
        if message.header("transfer-encoding").is_some_and(|encoding| encoding.contains("chunked")) {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        } else if let Some(length) = message.header("content-length") {
            body.resize(length.parse().ok()?, 0);
            reader.read_exact(&mut body).ok()?;
        }
        message.body = String::from_utf8(body).ok()?;
        Some(message)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let status = self.first_line.split(' ').nth(1).expect("a status line");
        status.parse().expect("a status is a number")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// A connection that is kept open over many requests.
pub(crate) struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the daemon listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client { address, stream: BufReader::new(stream) }
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Message {
        self.request("GET", path, "")
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &str) -> Message {
        self.request("POST", path, body)
    }

    #[track_caller]
    fn request(&mut self, method: &str, path: &str, body: &str) -> Message {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the daemon reads");
        Message::read(&mut self.stream).expect("the daemon answers")
    }

    /// Pushes snapshots, given as JSON, and fails where one is refused.
    #[track_caller]
    pub(crate) fn push(&mut self, snapshots: &Value) {
        let answer = self.post("/api/v1/snapshots", &snapshots.to_string());
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
}
