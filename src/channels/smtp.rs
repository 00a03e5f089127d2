//! The SMTP transport: one attempt, with a verdict for each recipient.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::cut::cut;
use super::verdict::Verdict;
use crate::diagnostic::one_line;

/// How a connection to the mail server is protected.
#[derive(Clone)]
pub(super) enum Protection {
    /// By nothing.
    None,
    /// TLS after STARTTLS, or no mail at all.
    StartTls(TlsParameters),
    /// TLS from the first byte.
    Tls(TlsParameters),
}

/// A mail server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) credentials: Option<Credentials>,
    pub(super) hello: ClientId,
}

/// A mail that is ready to go out once.
pub struct Mail {
    pub(super) server: Arc<Server>,
    pub(super) from: Address,
    /// With their places in the request's list.
    pub(super) to: Vec<(usize, Address)>,
    /// The whole message as it is sent, all ASCII, without dot-stuffing.
    pub(super) message: Vec<u8>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(..)")
    }
}

type SmtpError = lettre::transport::smtp::Error;

/// Makes one attempt within `timeout`.
pub(super) async fn send(mail: &Mail, timeout: Duration) -> Verdict {
    match tokio::time::timeout(timeout, attempt(mail, timeout)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err((doing, error))) => judge(doing, &error, mail),
        Err(_) => Verdict::retry("the mail server did not answer in time"),
    }
}

async fn attempt(mail: &Mail, timeout: Duration) -> Result<Verdict, (&'static str, SmtpError)> {
    let server = &mail.server;
    let wrapper = match &server.protection {
        Protection::Tls(parameters) => Some(parameters.clone()),
        Protection::None | Protection::StartTls(_) => None,
    };
    let address = (server.host.as_str(), server.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(timeout), &server.hello, wrapper, None)
        .await
        .map_err(|error| ("connecting to the mail server", error))?;
    if let Protection::StartTls(parameters) = &server.protection {
        if !connection.can_starttls() {
            connection.abort().await;
            // Without it the password and the mail would travel in the clear.
            return Ok(Verdict::permanent("the mail server does not offer STARTTLS; `tls: none` sends without"));
        }
        connection
            .starttls(parameters.clone(), &server.hello)
            .await
            .map_err(|error| ("starting TLS with the mail server", error))?;
    }
    if let Some(credentials) = &server.credentials {
        connection
            .auth(DEFAULT_MECHANISMS, credentials)
            .await
            .map_err(|error| ("logging in to the mail server", error))?;
    }
    transaction(&mut connection, mail).await
}

async fn transaction(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<Verdict, (&'static str, SmtpError)> {
    let mut parameters = Vec::new();
    let non_ascii = mail.to.iter().map(|(_, to)| to).chain([&mail.from]).any(|address| !address.to_string().is_ascii());
    if non_ascii {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            connection.abort().await;
            return Ok(Verdict::permanent("the mail server does not take addresses outside ASCII"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let from = MailFrom::new(Some(mail.from.clone()), parameters);
    connection.command(from).await.map_err(|error| ("naming the sender", error))?;

    let mut accepted = Vec::new();
    let mut later = Vec::new();
    let mut refused = Vec::new();
    for (place, address) in &mail.to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => accepted.push(*place),
            Err(error) if error.is_permanent() => refused.push((*place, reason("", &error, mail))),
            Err(error) if error.is_transient() => later.push((*place, reason("", &error, mail))),
            Err(error) => return Err(("naming a recipient", error)),
        }
    }
    if !accepted.is_empty() {
        connection.command(Data).await.map_err(|error| ("sending the mail", error))?;
        connection.message(&mail.message).await.map_err(|error| ("sending the mail", error))?;
    }
    // The mail is accepted: what happens to the connection now changes nothing.
    drop(connection.quit().await);
    Ok(sum_up(mail.to.len(), accepted, later, refused))
}

type Refusals = Vec<(usize, String)>;

/// One verdict of the answers for all recipients.
fn sum_up(n_recipients: usize, accepted: Vec<usize>, later: Refusals, refused: Refusals) -> Verdict {
    let say = |list: &Refusals, what: &str| match list.first() {
        Some((_, reason)) => format!("{} of {n_recipients} recipients {what}:{reason}", list.len()),
        None => String::new(),
    };
    match (accepted.is_empty(), later.is_empty(), refused.is_empty()) {
        (_, false, _) if accepted.is_empty() && refused.is_empty() => Verdict::retry(say(&later, "wait")),
        (_, false, _) => {
            let settled = accepted.into_iter().chain(refused.iter().map(|(place, _)| *place)).collect();
            Verdict::RetryRest { reason: say(&later, "wait"), settled }
        }
        (true, true, _) => Verdict::permanent(say(&refused, "were refused")),
        (false, true, false) => Verdict::OkPartial { detail: say(&refused, "were refused") },
        (false, true, true) => Verdict::Ok,
    }
}

/// 4yz may pass, 5yz will not (RFC 5321, 4.2.1); without a code it is the network, which may.
fn judge(doing: &str, error: &SmtpError, mail: &Mail) -> Verdict {
    let reason = reason(doing, error, mail);
    match error.is_permanent() || error.is_client() {
        true => Verdict::permanent(reason),
        false => Verdict::retry(reason),
    }
}

/// The error in words. What the server says may repeat an address or a login: these are taken out.
fn reason(doing: &str, error: &SmtpError, mail: &Mail) -> String {
    let mut text = cut(&one_line(&error.to_string()), 300);
    for (_, address) in &mail.to {
        text = text.replace(&address.to_string(), "[recipient]");
    }
    format!("{doing}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_have_one_verdict_together() {
        let no = |place: usize| vec![(place, " x".to_string())];
        assert_eq!(sum_up(1, vec![0], vec![], vec![]), Verdict::Ok);
        assert!(matches!(sum_up(2, vec![0], vec![], no(1)), Verdict::OkPartial { .. }));
        assert!(matches!(sum_up(1, vec![], vec![], no(0)), Verdict::Permanent { .. }));
        assert!(matches!(sum_up(1, vec![], no(0), vec![]), Verdict::Retry { .. }));
        let rest = sum_up(3, vec![0], no(1), no(2));
        assert_eq!(rest, Verdict::RetryRest { reason: "1 of 3 recipients wait: x".into(), settled: vec![0, 2] });
    }
}
