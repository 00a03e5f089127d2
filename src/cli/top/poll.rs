//! Asking the daemon again and again, on a thread of its own: a daemon that does not answer holds up no key.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::picture::Picture;
use crate::app::{StopSignal, block_on};
use crate::cli::daemon::{Daemon, login};
use crate::cli::silence::words::text;
use crate::cli::{Error, Kind};

/// What a silence that is made here says of itself.
const COMMENT: &str = "from larum top";
/// So much of an id tells silences apart.
const SHORT_ID: usize = 10;

/// What comes from the thread.
#[derive(Debug)]
pub(super) enum News {
    /// A look at the daemon.
    Seen(Box<Picture>),
    /// It could not be seen, and why.
    Lost(String),
    /// What became of a wish.
    Done(Result<String, String>),
}

/// What the operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Acknowledge a firing.
    Acknowledge {
        /// Its id.
        id: String,
        /// The rule and its subject.
        title: String,
    },
    /// Silence a rule on one subject.
    Silence {
        rule: String,
        kind: String,
        name: String,
        /// For how long: `1h`.
        length: &'static str,
    },
}

/// Starts to ask, so long after each answer. It ends when nobody wishes any more.
pub(super) fn start(daemon: Daemon, every: Duration) -> io::Result<(Sender<Wish>, Receiver<News>)> {
    let (wishes, wished) = mpsc::channel();
    let (sender, news) = mpsc::channel();
    std::thread::Builder::new().name("larum-poll".into()).spawn(move || ask(&daemon, every, &wished, &sender))?;
    Ok((wishes, news))
}

/// Begins to hear signals; says whether one asked to end. From here on they do not end the process by themselves: the terminal
/// is to be left as it was.
pub(super) fn hear_signals() -> io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let heard = asked.clone();
    std::thread::Builder::new().name("larum-signals".into()).spawn(move || {
        let outcome = block_on(async {
            StopSignal::new()?.asked().await;
            Ok::<(), io::Error>(())
        });
        // Where signals cannot be heard, they end the process as ever.
        heard.store(matches!(outcome, Ok(Ok(()))), Ordering::Relaxed);
    })?;
    Ok(asked)
}

fn ask(daemon: &Daemon, every: Duration, wished: &Receiver<Wish>, news: &Sender<News>) {
    loop {
        let is_heard = match wished.recv_timeout(every) {
            Ok(wish) => news.send(News::Done(fulfil(daemon, &wish).map_err(|error| said(&error)))),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let look = match picture(daemon) {
            Ok(picture) => News::Seen(Box::new(picture)),
            Err(error) => News::Lost(said(&error)),
        };
        if is_heard.and(news.send(look)).is_err() {
            return;
        }
    }
}

/// Looks at the daemon.
pub(super) fn picture(daemon: &Daemon) -> Result<Picture, Error> {
    let status = daemon.get("/api/v1/status", &[])?;
    let alerts = daemon.get("/api/v1/alerts", &[])?;
    let subjects = daemon.get("/api/v1/subjects", &[])?;
    let rules = daemon.get("/api/v1/rules", &[])?;
    Ok(Picture::of(&status, &alerts, subjects, &rules))
}

/// Does what the operator wants. Says what was done.
fn fulfil(daemon: &Daemon, wish: &Wish) -> Result<String, Error> {
    let not_stored = |answer: &Value| match answer["durable"] == false {
        true => " (not stored: a restart would forget it)",
        false => "",
    };
    match wish {
        Wish::Acknowledge { id, title } => {
            let asked = json!({ "by": login(), "comment": "" });
            let answer = daemon.send(Method::POST, &format!("/api/v1/alerts/{id}/ack"), &asked)?;
            Ok(format!("acknowledged: {title}{}", not_stored(&answer)))
        }
        Wish::Silence { rule, kind, name, length } => {
            // In a condition these characters are not themselves, and a wider silence than was meant hides alerts.
            if name.starts_with('!') || name.contains(['*', '?']) {
                let error = format!("the name `{name}` would be read as a pattern");
                return Err(Error::message(Kind::Failure, error).with_hint("`larum silence add` takes conditions"));
            }
            let asked = json!({
                "match": { "rule": rule, "kind": kind, "name": name }, "for": length, "comment": COMMENT, "author": login()
            });
            let answer = daemon.send(Method::POST, "/api/v1/silences", &asked)?;
            let id: String = text(&answer["silence"]["id"]).chars().take(SHORT_ID).collect();
            let stored = not_stored(&answer);
            Ok(format!("silence {id} for {length}: {rule} on {kind} {name}{stored}"))
        }
    }
}

/// An error in one line.
fn said(error: &Error) -> String {
    let source = error.source.as_ref().map(|source| format!("{source:#}"));
    let parts: Vec<String> = source.into_iter().chain(error.hints.iter().cloned()).collect();
    crate::diagnostic::one_line(&parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::daemon;

    /// No answer takes so long.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn documents(time: &str) -> Vec<(u16, Value)> {
        let status = json!({"timestamp": time, "rules": {"total": 1, "pending": 0, "generation": 1}});
        let documents = [status, json!({"alerts": []}), json!({"subjects": []}), json!({"rules": []})];
        documents.into_iter().map(|document| (200, document)).collect()
    }

    #[test]
    fn a_daemon_is_looked_at_again_and_that_it_is_lost_is_told() {
        let (url, asked) = daemon(documents("2026-11-21T10:00:00Z"));
        let (wishes, news) = start(Daemon::at(&url).unwrap(), Duration::from_millis(1)).unwrap();
        let News::Seen(picture) = news.recv_timeout(PATIENCE).unwrap() else { panic!("it is there") };
        assert_eq!(picture.time.to_string(), "2026-11-21T10:00:00Z");
        let paths: Vec<String> = asked.iter().take(4).map(|asked| asked.path).collect();
        assert_eq!(paths, ["/api/v1/status", "/api/v1/alerts", "/api/v1/subjects", "/api/v1/rules"]);
        let News::Lost(why) = news.recv_timeout(PATIENCE).unwrap() else { panic!("it is gone") };
        assert!(why.contains(&url), "{why}");
        // It goes on trying for as long as somebody looks.
        assert!(matches!(news.recv_timeout(PATIENCE), Ok(News::Lost(_))));
        drop(wishes);
    }

    #[test]
    fn a_wish_is_done_at_once_and_the_daemon_looked_at_after_it() {
        let mut answers = vec![(200, json!({"acknowledged": [], "durable": false}))];
        answers.extend(documents("2026-11-21T10:00:00Z"));
        let (url, asked) = daemon(answers);
        let (wishes, news) = start(Daemon::at(&url).unwrap(), PATIENCE).unwrap();
        wishes.send(Wish::Acknowledge { id: "f1".into(), title: "cpu_high on host web-1".into() }).unwrap();
        let News::Done(done) = news.recv_timeout(PATIENCE).unwrap() else { panic!("the wish comes first") };
        assert_eq!(done.unwrap(), "acknowledged: cpu_high on host web-1 (not stored: a restart would forget it)");
        assert!(matches!(news.recv_timeout(PATIENCE), Ok(News::Seen(_))));
        let first = asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/api/v1/alerts/f1/ack"));
    }

    #[test]
    fn a_silence_is_of_the_rule_on_that_subject_alone() {
        let silence = |name: &str| Wish::Silence {
            rule: "cpu_high".into(),
            kind: "host".into(),
            name: name.into(),
            length: "4h",
        };
        let answer = json!({"silence": {"id": "s1"}, "covers": [], "durable": true});
        let (url, asked) = daemon(vec![(200, answer)]);
        let done = fulfil(&Daemon::at(&url).unwrap(), &silence("web-1")).unwrap();
        assert_eq!(done, "silence s1 for 4h: cpu_high on host web-1");
        let body: Value = serde_json::from_str(&asked.recv_timeout(PATIENCE).unwrap().body).unwrap();
        assert_eq!(body["match"], json!({"rule": "cpu_high", "kind": "host", "name": "web-1"}));
        assert_eq!((&body["for"], &body["comment"]), (&json!("4h"), &json!(COMMENT)));
        let error = fulfil(&Daemon::at(&url).unwrap(), &silence("web-*")).unwrap_err();
        assert_eq!(said(&error), "the name `web-*` would be read as a pattern; `larum silence add` takes conditions");
    }

    #[test]
    fn what_the_daemon_refuses_is_told_with_its_hint() {
        let (url, _) =
            daemon(vec![(403, json!({"error": "this token may only read", "hint": "show one with the scope write"}))]);
        let wish = Wish::Acknowledge { id: "f1".into(), title: "x".into() };
        let error = fulfil(&Daemon::at(&url).unwrap(), &wish).unwrap_err();
        assert_eq!(said(&error), "this token may only read; show one with the scope write");
    }
}
