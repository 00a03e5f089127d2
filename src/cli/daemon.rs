//! Asking a running daemon.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Error, Kind};
use crate::channels::http;
use crate::diagnostic::{Diagnostic, Severity};

/// An answer takes no longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which daemon is asked.
#[derive(Clone, Debug, Args)]
pub(super) struct DaemonArgs {
    /// Ask the daemon that runs there too, for what only a running one knows
    #[arg(long, env = "LARUM_URL", value_name = "URL")]
    pub(super) url: Option<String>,
}

/// The document that a daemon answers with.
pub(super) fn ask(url: &str, path: &str) -> Result<Value, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = format!("{}{path}", url.trim_end_matches('/'));
    let answer = runtime.block_on(async {
        let answer = http::client()?.get(&address).timeout(TIMEOUT).send().await?;
        answer.error_for_status()?.json::<Value>().await
    });
    answer.map_err(|error| {
        let error = anyhow::Error::new(error.without_url()).context(format!("cannot ask the daemon at {url}"));
        Error::new(Kind::Failure, error).with_hint("does `larum run` listen there? its log names the address")
    })
}

/// What a running daemon knows to be wrong.
pub(super) fn problems(url: &str) -> Result<Vec<Diagnostic>, Error> {
    let status = ask(url, "/api/v1/status")?;
    let text = |problem: &Value, key: &str| problem[key].as_str().map(str::to_string);
    let place = |problem: &Value, key: &str| problem[key].as_u64().unwrap_or(0) as usize;
    let problem = |problem: &Value| Diagnostic {
        severity: if problem["severity"] == "error" { Severity::Error } else { Severity::Warning },
        file: text(problem, "place").unwrap_or_default().into(),
        line: place(problem, "line"),
        column: place(problem, "column"),
        length: 1,
        message: text(problem, "message").unwrap_or_default(),
        hint: text(problem, "hint"),
        source_line: text(problem, "source_line"),
    };
    Ok(status["problems"].as_array().into_iter().flatten().map(problem).collect())
}
