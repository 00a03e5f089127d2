//! The file of an `email` channel.

use std::sync::Arc;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use serde::Deserialize;

use super::Email;
use crate::channels::file::File;
use crate::channels::request::{Masked, Secrets};
use crate::channels::smtp::{Protection, Server};
use crate::channels::{Built, http};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The mail server.
    host: Spanned<Text>,
    /// Its port: 587 for `starttls`, 465 for `tls`, 25 for `none`, unless said.
    port: Option<u16>,
    #[serde(default)]
    tls: Tls,
    /// Certificates that are trusted besides the usual ones, as PEM: `${file:ca.pem}`.
    tls_ca: Option<Spanned<Text>>,
    username: Option<Spanned<Text>>,
    password: Option<Spanned<Secret>>,
    /// The sender: `Larum <larum@example.org>`.
    from: Spanned<Text>,
    /// The recipients.
    to: Spanned<Vec<Spanned<Text>>>,
    /// The name by which we introduce ourselves; the host's name unless said.
    hello: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tls {
    #[default]
    Starttls,
    /// TLS from the first byte.
    #[serde(rename = "tls")]
    Implicit,
    None,
}

pub(super) fn build(file: &File<'_>) -> Built {
    let keys: Keys = file.read()?;
    let mut problems = Vec::new();
    let mut secrets = Secrets::default();
    let from = address(file, "from", &keys.from, &mut secrets).map_err(|problem| problems.push(problem)).ok();
    let mut to = Vec::new();
    for (place, recipient) in keys.to.value.iter().enumerate() {
        match address(file, &format!("to[{place}]"), recipient, &mut secrets) {
            Ok((masked, _)) => to.push(masked),
            Err(problem) => problems.push(problem),
        }
    }
    if keys.to.value.is_empty() {
        problems.push(file.problem(&keys.to, "there is no recipient"));
    }
    let protection = protection(file, &keys).map_err(|problem| problems.push(problem)).ok();
    let credentials = credentials(file, &keys).map_err(|problem| problems.push(problem)).ok();
    match (from, protection, credentials) {
        (Some((from, domain)), Some(protection), Some(credentials)) if problems.is_empty() => {
            let server = Server {
                host: keys.host.value.expose().to_string(),
                port: keys.port.unwrap_or(match keys.tls {
                    Tls::Starttls => 587,
                    Tls::Implicit => 465,
                    Tls::None => 25,
                }),
                protection,
                credentials,
                hello: keys.hello.map_or_else(ClientId::default, ClientId::Domain),
            };
            Ok(Box::new(Email { server: Arc::new(server), from, to, domain, secrets }))
        }
        _ => Err(problems),
    }
}

/// An address, hidden where it came from outside of the file, and its host.
fn address(
    file: &File<'_>,
    key: &str,
    text: &Spanned<Text>,
    secrets: &mut Secrets,
) -> Result<(Masked, String), Diagnostic> {
    let exposed = text.value.expose();
    let mailbox = match exposed.contains(char::is_control) {
        true => None,
        false => exposed.parse::<Mailbox>().ok(),
    };
    let Some(mailbox) = mailbox else {
        let problem = file.problem(text, format!("`{key}` is not a mail address"));
        return Err(problem.with_hint("write it like `ops@example.org` or `\"Ops <ops@example.org>\"`"));
    };
    let masked = match text.value.is_secret() {
        true => secrets.keep(key, Secret::new(exposed)),
        false => Masked::plain(mailbox.to_string()),
    };
    Ok((masked, mailbox.email.domain().to_string()))
}

fn protection(file: &File<'_>, keys: &Keys) -> Result<Protection, Diagnostic> {
    if keys.tls == Tls::None {
        return match &keys.tls_ca {
            Some(ca) => Err(file.problem(ca, "`tls: none` uses no certificates")),
            None => Ok(Protection::None),
        };
    }
    http::install_tls_provider();
    let mut parameters = TlsParameters::builder(keys.host.value.expose().to_string());
    if let Some(ca) = &keys.tls_ca {
        let pem = ca.value.expose();
        let certificate = Certificate::from_pem(pem.as_bytes()).ok().filter(|_| pem.contains("BEGIN CERTIFICATE"));
        let certificate = certificate.ok_or_else(|| {
            file.problem(ca, "`tls_ca` holds no certificates in PEM").with_hint("write `tls_ca: ${file:ca.pem}`")
        })?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build().map_err(|_| {
        file.problem(&keys.host, "TLS cannot be set up for this host").with_hint("is it a host's name?")
    })?;
    Ok(match keys.tls {
        Tls::Implicit => Protection::Tls(parameters),
        Tls::Starttls | Tls::None => Protection::StartTls(parameters),
    })
}

fn credentials(file: &File<'_>, keys: &Keys) -> Result<Option<Credentials>, Diagnostic> {
    match (&keys.username, &keys.password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            let host = keys.host.value.expose();
            if keys.tls == Tls::None && !matches!(host, "localhost" | "127.0.0.1" | "::1") {
                let problem = file.problem(username, "with `tls: none` the password would travel in the clear");
                return Err(problem.with_hint("use `tls: starttls` or `tls: tls`"));
            }
            let username = username.value.expose().to_string();
            Ok(Some(Credentials::new(username, password.value.expose().to_string())))
        }
        (Some(username), None) => Err(file.problem(username, "a `username` needs a `password`")),
        (None, Some(password)) => Err(file.problem(password, "a `password` needs a `username`")),
    }
}
