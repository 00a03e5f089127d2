//! Following a running daemon.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::file::RecordingFile;
use super::{End, FLUSH_EVERY, Recorded};
use crate::app::{StopSignal, block_on};
use crate::channels::http;
use crate::cli::daemon::Daemon;
use crate::cli::{Error, Kind, Ui};

/// A daemon answers within this time, or is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// A daemon that is to be followed.
pub(super) struct Following {
    url: String,
    address: reqwest::Url,
}

/// What a line from the daemon tells first.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: Option<Arc<str>>,
    #[serde(default)]
    missed: Option<u64>,
}

/// Looks whether a daemon answers. `None` where nobody listens, unless a daemon was asked for by its address.
pub(super) fn connect(daemon: &Daemon, kinds: &BTreeSet<String>, wanted: bool) -> Result<Option<Following>, Error> {
    let url = daemon.url().to_string();
    let mut address = reqwest::Url::parse(&format!("{url}/api/v1/snapshots")).map_err(|error| {
        Error::message(Kind::Usage, format!("`{url}` is not the address of a daemon: {error}"))
            .with_hint("write it like `http://127.0.0.1:8001`")
    })?;
    address.query_pairs_mut().append_pair("follow", "true");
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        address.query_pairs_mut().append_pair("kind", &kinds.join(","));
    }
    let client = http::client().map_err(|error| Error::new(Kind::Failure, error))?;
    let answer = block_on(async {
        let answer = client.get(format!("{url}/healthz")).timeout(PATIENCE).send().await?;
        let status = answer.status();
        Ok::<_, reqwest::Error>((status, answer.bytes().await?))
    })?;
    let is_alive = |body: &[u8]| {
        serde_json::from_slice(body).is_ok_and(|document: serde_json::Value| document["status"] == "alive")
    };
    match answer {
        Ok((_, body)) if is_alive(&body) => Ok(Some(Following { url, address })),
        Ok((status, _)) => Err(no_larum(&url, status)),
        // Nobody is there, or nobody who speaks HTTP.
        Err(error) if error.is_connect() && !wanted => Ok(None),
        Err(error) => {
            let error = anyhow::Error::new(error.without_url()).context(format!("cannot ask the daemon at {url}"));
            Err(Error::new(Kind::Failure, error).with_hint("record with collectors of its own: --collect"))
        }
    }
}

/// The kinds that a daemon knows; none where it does not say.
pub(super) fn known_kinds(url: &str) -> BTreeSet<Arc<str>> {
    let answer = Daemon::at(url).and_then(|daemon| daemon.get("/api/v1/subjects", &[])).unwrap_or_default();
    let subjects = answer["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
    subjects.iter().filter_map(|subject| subject["kind"].as_str()).map(Arc::from).collect()
}

impl Following {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Writes down what the daemon takes.
    pub(super) fn record(
        self,
        within: Option<Duration>,
        file: &mut RecordingFile,
        recorded: &mut Recorded,
        ui: &mut Ui,
    ) -> Result<End, Error> {
        let client = http::client().map_err(|error| Error::new(Kind::Failure, error))?;
        block_on(async {
            let mut stop = StopSignal::new()?;
            let deadline = async {
                match within {
                    Some(within) => tokio::time::sleep(within).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(deadline);
            let followed = async {
                let answer = client.get(self.address).send().await.map_err(|error| {
                    let error = anyhow::Error::new(error.without_url());
                    Error::new(Kind::Failure, error.context(format!("cannot follow the daemon at {}", self.url)))
                })?;
                checked(answer, &self.url).await
            };
            let mut answer = tokio::select! {
                biased;
                () = stop.asked() => return Ok(End::Asked),
                () = &mut deadline => {
                    let message = format!("the daemon at {} did not answer: nothing was recorded", self.url);
                    return Err(Error::message(Kind::Failure, message));
                }
                followed = followed => followed?,
            };
            let mut received = Vec::new();
            let mut lines = Vec::new();
            loop {
                let chunk = tokio::select! {
                    biased;
                    () = stop.asked() => return Ok(End::Asked),
                    () = &mut deadline => return Ok(End::Asked),
                    chunk = tokio::time::timeout(FLUSH_EVERY, answer.chunk()) => chunk,
                };
                let mut kinds = Vec::new();
                let written = match chunk {
                    Err(_) => file.flush(),
                    Ok(Ok(Some(chunk))) => {
                        received.extend_from_slice(&chunk);
                        let (taken, missed) = take_lines(&mut received, &mut lines);
                        if missed > 0 {
                            ui.note(format_args!("{missed} snapshots were missed here"));
                            recorded.missed += missed;
                        }
                        kinds = taken;
                        file.write(&lines)
                    }
                    Ok(Ok(None)) => return Ok(End::DaemonStopped),
                    Ok(Err(error)) => {
                        let error = anyhow::Error::new(error.without_url());
                        return Ok(End::Lost(format!("{error:#}")));
                    }
                };
                if let Err(error) = written {
                    return Ok(End::Unwritable(error));
                }
                recorded.count(kinds);
            }
        })?
    }
}

/// The answer of a daemon that can be followed.
async fn checked(answer: reqwest::Response, url: &str) -> Result<reqwest::Response, Error> {
    let status = answer.status();
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if status.is_success() && kind == "application/x-ndjson" {
        return Ok(answer);
    }
    let body = answer.bytes().await.unwrap_or_default();
    let document: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let said = document.as_ref().and_then(|document| document["error"].as_str());
    Err(match said {
        Some(said) => Error::message(Kind::Failure, format!("the daemon at {url} cannot be followed: {said}")),
        None => no_larum(url, status),
    })
}

fn no_larum(url: &str, status: reqwest::StatusCode) -> Error {
    Error::message(Kind::Failure, format!("what answers at {url} is no larum: {status}"))
        .with_hint("name the daemon's address with --url, or record with collectors of its own: --collect")
}

/// Takes the whole lines of what came, and leaves the rest for later. Gives their kinds, and how many were missed.
fn take_lines(received: &mut Vec<u8>, lines: &mut Vec<u8>) -> (Vec<Arc<str>>, u64) {
    lines.clear();
    let (mut kinds, mut n_missed) = (Vec::new(), 0);
    let Some(end) = received.iter().rposition(|byte| *byte == b'\n') else { return (kinds, n_missed) };
    for line in received[..=end].split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            // It only keeps the connection open.
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(Head { missed: Some(missed), .. }) => {
                n_missed += missed;
                continue;
            }
            Ok(Head { kind: Some(kind), .. }) => kinds.push(kind),
            // Kept as it is: a replay names what is wrong with it.
            Ok(Head { kind: None, .. }) | Err(_) => {}
        }
        lines.extend_from_slice(line);
    }
    received.drain(..=end);
    (kinds, n_missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_never_answers_is_not_waited_for() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let following = Following { address: url.parse().unwrap(), url };
        let folder = tempfile::tempdir().unwrap();
        let mut file = RecordingFile::open(&folder.path().join("day.jsonl"), super::super::Existing::Refuse).unwrap();
        let (mut ui, _) = Ui::captured();
        let within = Some(Duration::from_millis(20));
        let error = following.record(within, &mut file, &mut Recorded::default(), &mut ui).unwrap_err();
        assert!(error.source.unwrap().to_string().ends_with("did not answer: nothing was recorded"));
    }

    #[test]
    fn lines_are_taken_whole_and_what_was_missed_is_told_and_not_written() {
        let mut lines = Vec::new();
        let mut received = b"{\"kind\":\"a\"}\n\n{\"missed\":12}\n{\"ki".to_vec();
        assert_eq!(take_lines(&mut received, &mut lines), (vec!["a".into()], 12));
        assert_eq!(lines, b"{\"kind\":\"a\"}\n");
        received.extend_from_slice(b"nd\":\"b\"}\n");
        assert_eq!(take_lines(&mut received, &mut lines), (vec!["b".into()], 0));
        assert_eq!((lines.as_slice(), received.len()), (&b"{\"kind\":\"b\"}\n"[..], 0));
    }
}
