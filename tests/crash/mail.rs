//! An email channel at a real mail server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::pushers::{Line, Service};
use crate::receivers::Recorder;
use crate::site::Site;

/// aiosmtpd, which answers the first attempt of each mail with 451.
struct MailServer {
    python: Child,
    /// It ends when this is closed.
    _stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
    port: u64,
}

impl MailServer {
    /// `None` where aiosmtpd is not installed.
    fn start() -> Option<MailServer> {
        let installed = Command::new("python3").args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !installed.is_ok_and(|status| status.success()) {
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/mail_server.py");
        let mut python = Command::new("python3");
        let mut python = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, lines) = (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()));
        let mut server = MailServer { python, _stdin: stdin, lines, port: 0 };
        server.port = server.next()["port"].as_u64().unwrap();
        Some(server)
    }

    /// The next mail that comes.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.python.kill().ok();
        self.python.wait().ok();
    }
}

#[test]
fn a_mail_that_is_put_off_comes_again_as_the_same_and_is_delivered_once() {
    let Some(mut server) = MailServer::start() else {
        crate::announce("SKIPPED: python3 has no aiosmtpd (pip install aiosmtpd)");
        return;
    };
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let mail = format!(
        "type: email\nhost: 127.0.0.1\nport: {}\ntls: none\nfrom: larum@example.org\nto: [ops@example.org]\n",
        server.port
    );
    site.write("channels/good.yaml", &mail);
    let daemon = site.start();
    let line = Line::default();
    line.set(Some(daemon.address()));
    let mut service = Service::new("shop-api".to_string());
    let mut ids = Vec::new();
    let mut conversations = Vec::new();
    for (v, word) in [(1.5, "n=1"), (0.5, "n=1")] {
        let (_, snapshot) = service.next(v);
        line.push(&mut None, &snapshot.to_string()).expect("it is taken");
        let (first, second) = (server.next(), server.next());
        assert_eq!((first["accepted"].as_bool(), second["accepted"].as_bool()), (Some(false), Some(true)));
        assert_eq!(first["bytes"], second["bytes"], "the same mail comes again");
        assert!(first["text"].as_str().unwrap().contains(word), "{first}");
        ids.push(second["id"].clone());
        conversations.push(second["references"].clone());
    }
    assert_ne!(ids[0], ids[1], "raise and end are two mails");
    assert_eq!(conversations[0], conversations[1], "of one conversation");
    daemon.stop();
}
