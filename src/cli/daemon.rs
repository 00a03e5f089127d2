//! Asking a running daemon.

mod pinned;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Error, Kind, ProjectArgs};
use crate::app;
use crate::channels::http;
use crate::config::Project;
use crate::diagnostic::{Diagnostic, Severity};

/// An answer takes no longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which daemon is asked.
#[derive(Clone, Debug, Args)]
pub(super) struct DaemonArgs {
    /// Ask the daemon that runs there too, for what only a running one knows
    #[arg(long, env = "LARUM_URL", hide_env_values = true, value_name = "URL")]
    pub(super) url: Option<String>,
}

/// Where a command finds the daemon that it is about.
#[derive(Clone, Debug, Args)]
pub(super) struct ClientArgs {
    /// Where the daemon listens (default: `listen` of the project folder)
    #[arg(long, global = true, env = "LARUM_URL", hide_env_values = true, value_name = "URL")]
    pub(super) url: Option<String>,
    /// A file with the token to show (default: LARUM_TOKEN, else the token of the data folder)
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// A file with certificates (PEM) to trust instead of the system's: the daemon's own, or who signed it
    #[arg(long, global = true, env = "LARUM_CA_FILE", hide_env_values = true, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
}

/// A running daemon.
pub(super) struct Daemon {
    url: String,
    client: reqwest::Client,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// The daemon at an address, which is shown the token of `LARUM_TOKEN`, if any.
    pub(super) fn at(url: &str) -> Result<Daemon, Error> {
        let client = http::client().map_err(|error| Error::new(Kind::Failure, error))?;
        Daemon::with(url, client, from_environment())
    }

    fn with(url: &str, client: reqwest::Client, token: Option<String>) -> Result<Daemon, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Daemon { url: url.trim_end_matches('/').to_string(), client, token, runtime })
    }

    /// The daemon of a project folder, unless another is named.
    pub(super) fn find(args: &ClientArgs, project: &ProjectArgs) -> Result<Daemon, Error> {
        let (files, _) = Project::read(&project.dir, project.config.as_deref());
        let config = files.parse_config();
        let data_dir = config.as_ref().map(|config| project.dir.join(&config.data_dir));
        let token = match &args.token_file {
            Some(file) => Some(token_of(file)?),
            None => match (from_environment(), &data_dir) {
                (None, Ok(data_dir)) => app::read_token(&data_dir.join(app::TOKEN_FILE)).ok().flatten(),
                (token, _) => token,
            },
        };
        if let Some(url) = &args.url {
            return Daemon::with(url, client(args.ca_file.as_deref())?, token);
        }
        let config = config.map_err(|_| {
            let message = format!("cannot read from {} where the daemon listens", files.config_name);
            Error::message(Kind::Problems, message).with_hint("name it with --url, or see `larum check`")
        })?;
        let mut listen = config.listen;
        if listen.ip().is_unspecified() {
            let loopback: IpAddr =
                if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            listen.set_ip(loopback);
        }
        match &config.tls {
            None => Daemon::with(&format!("http://{listen}"), client(None)?, token),
            // The folder says under which certificate its daemon answers: that one, and no other.
            Some(tls) => {
                let client = pinned::client(&project.dir.join(&tls.certificate))?;
                Daemon::with(&format!("https://{listen}"), client, token)
            }
        }
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What it answers to a question. `path` is made of plain characters; parameters may be anything.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Error> {
        let mut address = self.address(path)?;
        if !parameters.is_empty() {
            address.query_pairs_mut().extend_pairs(parameters);
        }
        self.answer(self.client.get(address))
    }

    /// Asks it to do something that takes no parameters.
    pub(super) fn post(&self, path: &str) -> Result<Value, Error> {
        self.send(reqwest::Method::POST, path, &serde_json::json!({}))
    }

    /// Asks it to do what a document says.
    pub(super) fn send(&self, method: reqwest::Method, path: &str, document: &Value) -> Result<Value, Error> {
        let request = self.client.request(method, self.address(path)?).header("content-type", "application/json");
        self.answer(request.body(document.to_string()))
    }

    fn address(&self, path: &str) -> Result<reqwest::Url, Error> {
        reqwest::Url::parse(&format!("{}{path}", self.url)).map_err(|error| {
            Error::message(Kind::Usage, format!("`{}` is not the address of a daemon: {error}", self.url))
                .with_hint("write it like `http://127.0.0.1:8001`")
        })
    }

    fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Error> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = self.runtime.block_on(async {
            let answer = request.timeout(TIMEOUT).send().await?;
            let status = answer.status();
            Ok((status, answer.bytes().await?))
        });
        let (status, body) = answer.map_err(|error| unanswered(&self.url, error))?;
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        match document {
            Some(document) if status.is_success() => Ok(document),
            Some(document) if document["error"].is_string() => {
                // It knows best what is wrong with what it was asked.
                let kind = if status.as_u16() == 400 { Kind::Usage } else { Kind::Failure };
                let error = Error::message(kind, document["error"].as_str().unwrap_or_default().to_string());
                Err(match document["hint"].as_str() {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }
            _ => Err(Error::message(Kind::Failure, format!("what answers at {} is no larum: {status}", self.url))
                .with_hint("name the daemon's address with --url")),
        }
    }
}

/// The token of the environment.
fn from_environment() -> Option<String> {
    std::env::var("LARUM_TOKEN").ok().map(|token| token.trim().to_string()).filter(|token| !token.is_empty())
}

/// The token in a file that was named.
fn token_of(file: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Kind::Failure,
            anyhow::Error::new(error).context(format!("cannot read a token from {}", file.display())),
        )
    };
    app::read_token(file).map_err(failed)?.ok_or_else(|| {
        Error::message(Kind::Failure, format!("there is no file {}", file.display()))
            .with_hint("`larum token new` makes a token; keep it in a file that only you may read (chmod 600)")
    })
}

/// A client that trusts the certificates of a file, or where none is named the system's.
fn client(ca_file: Option<&Path>) -> Result<reqwest::Client, Error> {
    match ca_file {
        Some(file) => pinned::client(file),
        None => http::client().map_err(|error| Error::new(Kind::Failure, error)),
    }
}

/// The name under which somebody is logged in.
pub(super) fn login() -> String {
    let names = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(|variable| std::env::var(variable).ok());
    names.map(|name| name.trim().to_string()).find(|name| !name.is_empty()).unwrap_or_else(|| "cli".to_string())
}

/// The zone in which times are typed and shown. Broken settings are told where they are needed.
pub(super) fn own_zone(project: &ProjectArgs) -> TimeZone {
    let (files, _) = Project::read(&project.dir, project.config.as_deref());
    files.parse_config().map_or(TimeZone::UTC, |config| config.time_zone)
}

/// Why there is no answer from a daemon.
pub(super) fn unanswered(url: &str, error: reqwest::Error) -> Error {
    let is_refused = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
    let error = match is_refused {
        true => Error::message(Kind::Failure, format!("nothing listens at {url}")),
        false => Error::new(
            Kind::Failure,
            anyhow::Error::new(error.without_url()).context(format!("cannot ask the daemon at {url}")),
        ),
    };
    error.with_hint("does `larum run` listen there? its log names the address, to be given with --url")
}

/// What a running daemon knows to be wrong.
pub(super) fn problems(url: &str) -> Result<Vec<Diagnostic>, Error> {
    let status = Daemon::at(url)?.get("/api/v1/status", &[])?;
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
