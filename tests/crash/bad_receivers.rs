//! Receivers that fail in ways of their own hold back only themselves, and get everything once they are mended.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::daemon::wait_until;
use crate::http::Message;
use crate::judge::{Evidence, Push, judge};
use crate::pushers::{Line, Service};
use crate::receiver::PATIENCE;
use crate::receivers::Recorder;
use crate::site::{Site, figures};

/// A receiver that accepts each request and gives this answer, or none.
fn receiver(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            Message::read(&mut BufReader::new(&stream));
            match answer {
                Some(answer) => drop((&stream).write_all(answer.as_bytes())),
                None => kept.push(stream),
            }
        }
    });
    address
}

#[test]
fn receivers_that_are_silent_unknown_or_refuse_politely_hold_back_only_themselves() {
    let [good, silent, unknown, polite] = [(); 4].map(|()| Recorder::healthy());
    let channels = [("good", &good), ("silent", &silent), ("unknown", &unknown), ("polite", &polite)];
    let site = Site::new(&channels);
    let refusal = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 44\r\n\r\n\
                   {\"errcode\":45009,\"errmsg\":\"api freq limit\"} ";
    let broken = [
        ("silent", format!("type: webhook\nurl: http://{}/\ntimeout: 1s\n", receiver(None))),
        ("unknown", "type: webhook\nurl: http://nobody.invalid/\n".to_string()),
        ("polite", format!("type: wecom\nwebhook: http://{}/send?key=k\n", receiver(Some(refusal)))),
    ];
    for (name, text) in &broken {
        site.write(&format!("channels/{name}.yaml"), text);
    }
    let daemon = site.start();
    let line = Line::default();
    line.set(Some(daemon.address()));
    let mut service = Service::new("one".to_string());
    let mut evidence = Evidence::default();
    for (v, told) in [(1.5, 1), (0.5, 2), (1.5, 3)] {
        let (push, snapshot) = service.next(v);
        line.push(&mut None, &snapshot.to_string()).expect("it is taken");
        evidence.pushes.push(Push { taken: true, ..push });
        assert!(good.wait_until(PATIENCE, |arrivals| arrivals.len() == told), "the good one is told at once");
    }
    let mut client = daemon.client();
    wait_until("the problems are shown", || {
        let problems = client.get("/api/v1/status").json()["problems"].to_string();
        broken.iter().all(|(name, _)| problems.contains(&format!("\"{name}\"")))
    });
    let waiting = figures(&mut client).into_iter().map(|(name, figures)| (name, figures.waiting > 0));
    let waiting: Vec<String> = waiting.filter(|(_, waits)| *waits).map(|(name, _)| name).collect();
    assert_eq!(waiting, ["polite", "silent", "unknown"]);

    site.mark_channels(1);
    wait_until("all know what is so", || {
        evidence.arrivals = channels.iter().map(|(name, of)| (name.to_string(), of.arrivals())).collect();
        judge(&evidence).findings.is_empty()
    });
    daemon.stop();
}
