//! A daemon for tests of commands: it gives the answers that it is told to give.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// `GET`, `POST`.
    pub(super) method: String,
    /// The path with its parameters.
    pub(super) path: String,
    /// What was sent; empty where nothing was.
    pub(super) body: String,
}

/// A daemon that gives one answer after the other, and then is gone. Gives its address, and what it was asked.
pub(super) fn daemon(answers: Vec<(u16, Value)>) -> (String, mpsc::Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = || {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                line.trim_end().to_string()
            };
            let head = line();
            let mut length = 0;
            loop {
                let header = line().to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if header.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut words = head.split(' ').map(str::to_string);
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            // Whoever asked may have no use for what it asked.
            sender.send(Asked { method, path, body: String::from_utf8(body).unwrap() }).ok();
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    });
    (url, asked)
}
