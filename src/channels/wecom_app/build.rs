//! The file of a `wecom_app` channel.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::{Recipients, WecomApp, judge};
use crate::channels::Built;
use crate::channels::file::File;
use crate::channels::request::{HttpCall, Masked, Secrets};
use crate::channels::token::TokenSource;
use crate::channels::wecom::{BASE_URL, Format};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;
use crate::model::duration;

/// The most users of one message.
const MAX_USERS: usize = 1000;
/// The most parties of one message, and the most tags.
const MAX_GROUPS: usize = 100;
/// Within this time WeCom drops a message that it had, unless the file says otherwise.
const DUPLICATE_CHECK: Duration = Duration::from_secs(1800);
/// WeCom remembers messages no longer.
const MAX_DUPLICATE_CHECK: Duration = Duration::from_secs(4 * 3600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The company's id.
    corp_id: Spanned<Text>,
    /// The application's secret.
    secret: Spanned<Secret>,
    /// The application's number.
    agent_id: Spanned<i64>,
    /// Who gets the messages.
    to: Spanned<To>,
    #[serde(default)]
    format: Format,
    /// Where WeCom is: a proxy, or a server of one's own.
    base_url: Option<Spanned<Text>>,
    /// Within this time WeCom drops a message that it had; `never` where it shall not look.
    duplicate_check: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    /// User ids, or `@all` alone.
    #[serde(default)]
    users: Vec<Spanned<Text>>,
    /// Numbers of parties.
    #[serde(default)]
    parties: Vec<Spanned<u64>>,
    /// Numbers of tags.
    #[serde(default)]
    tags: Vec<Spanned<u64>>,
}

pub(super) fn build(file: &File<'_>) -> Built {
    let keys: Keys = file.read()?;
    let mut problems = Vec::new();
    let mut secrets = Secrets::default();
    let base = match &keys.base_url {
        Some(base) => file.base_url("base_url", base, &mut secrets).map_err(|problem| problems.push(problem)).ok(),
        None => Some(Masked::plain(BASE_URL)),
    };
    if keys.corp_id.value.expose().trim().is_empty() {
        problems.push(file.problem(&keys.corp_id, "`corp_id` is empty"));
    }
    if keys.secret.value.expose().trim().is_empty() {
        problems.push(file.problem(&keys.secret, "`secret` is empty"));
    }
    if keys.agent_id.value <= 0 {
        problems.push(file.problem(&keys.agent_id, "`agent_id` is the application's number, which is above 0"));
    }
    problems.extend(check_recipients(file, &keys.to));
    let duplicate_check = duplicate_check(file, keys.duplicate_check.as_ref());
    let duplicate_check = duplicate_check.map_err(|problem| problems.push(problem)).ok();
    let base = base.and_then(|masked| Some((masked.fill(&secrets).ok()?, masked)));
    let (Some((base, masked)), Some(duplicate_check), true) = (base, duplicate_check, problems.is_empty()) else {
        return Err(problems);
    };
    let Some(fetch) = fetch(base.expose(), keys.corp_id.value.expose(), keys.secret.value.expose()) else {
        return Err(vec![file.whole("`base_url` is not a URL")]);
    };
    Ok(Box::new(WecomApp {
        send: masked.with_plain("/cgi-bin/message/send?access_token="),
        token: TokenSource { fetch, read: judge::token, is_refused: judge::is_token_refused },
        secrets,
        to: recipients(&keys.to.value),
        agent_id: keys.agent_id.value,
        format: keys.format,
        duplicate_check,
    }))
}

/// The question for a token. It is never shown: its address holds the secret.
fn fetch(base: &str, corp_id: &str, secret: &str) -> Option<HttpCall> {
    let mut url = reqwest::Url::parse(&format!("{base}/cgi-bin/gettoken")).ok()?;
    url.query_pairs_mut().append_pair("corpid", corp_id).append_pair("corpsecret", secret);
    Some(HttpCall { method: "GET", url: Secret::new(url.as_str()), headers: Vec::new(), body: Bytes::new() })
}

fn recipients(to: &To) -> Recipients {
    let numbers = |list: &[Spanned<u64>]| list.iter().map(|n| n.value.to_string()).collect::<Vec<_>>().join("|");
    let users: Vec<&str> = to.users.iter().map(|user| user.value.expose()).collect();
    Recipients { users: users.join("|"), parties: numbers(&to.parties), tags: numbers(&to.tags) }
}

fn check_recipients(file: &File<'_>, to: &Spanned<To>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let To { users, parties, tags } = &to.value;
    if users.is_empty() && parties.is_empty() && tags.is_empty() {
        let problem = file.problem(to, "there is no recipient");
        problems.push(
            problem.with_hint("write `to: { users: [zhang] }`, `parties: [2]`, `tags: [1]` or `users: ['@all']`"),
        );
    }
    for user in users {
        let id = user.value.expose();
        if user.value.is_secret() {
            let problem = file.problem(user, "a recipient is shown with what is sent, so it cannot be a secret");
            problems.push(problem.with_hint("write `${env-public:NAME}`"));
        } else if id.is_empty() || id.len() > 64 || id.contains(|c: char| c.is_control() || c == '|' || c == ' ') {
            problems.push(file.problem(user, "this is no user id"));
        } else if id == "@all" && users.len() + parties.len() + tags.len() > 1 {
            problems.push(file.problem(user, "`@all` reaches everybody: leave the other recipients out"));
        }
    }
    if let Some(first) = users.get(MAX_USERS) {
        problems.push(file.problem(first, format!("one message reaches at most {MAX_USERS} users")));
    }
    for (list, what) in [(parties, "parties"), (tags, "tags")] {
        let too_many = |first| file.problem(first, format!("one message reaches at most {MAX_GROUPS} {what}"));
        problems.extend(list.get(MAX_GROUPS).map(too_many));
    }
    problems
}

fn duplicate_check(file: &File<'_>, key: Option<&Spanned<String>>) -> Result<Option<u64>, Diagnostic> {
    let Some(key) = key else { return Ok(Some(DUPLICATE_CHECK.as_secs())) };
    if key.value == "never" {
        return Ok(None);
    }
    let length = duration::parse(&key.value).map_err(|error| file.problem(key, error.to_string()))?;
    if length < Duration::from_secs(1) || length > MAX_DUPLICATE_CHECK {
        let problem = file.problem(key, "`duplicate_check` is between 1s and 4h");
        return Err(problem.with_hint("write `duplicate_check: never` where WeCom shall not look for duplicates"));
    }
    Ok(Some(length.as_secs()))
}
