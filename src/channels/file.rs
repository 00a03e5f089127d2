//! A channel file: first what is common to all kinds, then the rest as its kind reads it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::limit::{Limit, LimitError};
use super::message::{Template, Texts};
use super::request::{Masked, Secrets};
use super::{Configured, KINDS, Kind};
use crate::config::{Document, Secret, Spanned, Surroundings, Text};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::{ChannelName, duration};

/// Keys that every kind has.
const COMMON: [&str; 5] = ["type", "template", "timeout", "limit", "concurrency"];
/// No attempt may take longer: the outbox waits for it.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// No channel needs more connections at once.
pub(super) const MAX_CONCURRENCY: usize = 64;

#[derive(Debug, Deserialize)]
struct Common {
    template: Option<TemplateKeys>,
    timeout: Option<Spanned<String>>,
    limit: Option<Spanned<String>>,
    concurrency: Option<Spanned<usize>>,
}

/// What the common keys say; what is `None` is as the kind has it.
struct CommonValues {
    template: Template,
    timeout: Option<Duration>,
    /// `Some(None)` is no limit at all.
    limit: Option<Option<Limit>>,
    concurrency: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateKeys {
    title: Option<Spanned<String>>,
    text: Option<Spanned<String>>,
}

/// A channel file, as the builder of a kind sees it.
pub struct File<'a> {
    document: &'a Document,
    label: &'a Arc<str>,
    name: &'a ChannelName,
}

/// Reads a channel file. `name` is the channel's, `label` the file's as people know it: `channels/ops.yaml`.
///
/// # Errors
/// Every problem of the file.
pub fn parse(
    name: &ChannelName,
    label: impl Into<Arc<str>>,
    text: &str,
    surroundings: &dyn Surroundings,
) -> Result<Configured, Vec<Diagnostic>> {
    let label: Arc<str> = label.into();
    if !is_name(name.as_str()) {
        let problem = Diagnostic::of_file(label, format!("`{name}` cannot be the name of a channel"));
        return Err(vec![problem.with_hint("name the file with letters, digits, `-`, `_` and `.`")]);
    }
    let seen = Seen::of(text, surroundings);
    let document = Document::parse(label.clone(), text, &seen).map_err(without_addresses)?;
    let mut configured = read(&document, &label, name).map_err(without_addresses)?;
    configured.fingerprint = seen.fingerprint();
    Ok(configured)
}

/// What surrounds a file, and a hash of the file and of all that was taken from there.
struct Seen<'a> {
    surroundings: &'a dyn Surroundings,
    hasher: RefCell<DefaultHasher>,
}

impl<'a> Seen<'a> {
    fn of(text: &str, surroundings: &'a dyn Surroundings) -> Seen<'a> {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Seen { surroundings, hasher: RefCell::new(hasher) }
    }

    fn fingerprint(&self) -> u64 {
        self.hasher.borrow().finish()
    }

    fn note<T: Hash>(&self, taken: T) -> T {
        taken.hash(&mut *self.hasher.borrow_mut());
        taken
    }
}

impl Surroundings for Seen<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.note(self.surroundings.env(name))
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.note(self.surroundings.file(path))
    }
}

fn read(document: &Document, label: &Arc<str>, name: &ChannelName) -> Result<Configured, Vec<Diagnostic>> {
    let kind = kind(document)?;
    let (common, mut problems) = common(document);
    let built = (kind.build)(&File { document, label, name });
    match (built, common) {
        (Ok(channel), Some(common)) if problems.is_empty() => Ok(Configured {
            name: name.clone(),
            file: label.clone(),
            kind: kind.name,
            template: common.template,
            timeout: common.timeout.unwrap_or(channel.default_timeout()),
            limit: common.limit.unwrap_or(channel.default_limit()),
            concurrency: common.concurrency.unwrap_or(channel.default_concurrency()).max(1),
            channel,
            fingerprint: 0,
        }),
        (built, _) => {
            problems.extend(built.err().unwrap_or_default());
            problems.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
            problems.dedup();
            Err(problems)
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn kind(document: &Document) -> Result<&'static Kind, Vec<Diagnostic>> {
    let names = || KINDS.iter().map(|kind| kind.name);
    let listed = || format!("the kinds are {}", names().collect::<Vec<_>>().join(", "));
    let head = document.head("type").map_err(|mut problems| {
        for problem in &mut problems {
            problem.hint.get_or_insert_with(listed);
        }
        problems
    })?;
    KINDS.iter().find(|kind| kind.name == head.value).ok_or_else(|| {
        let problem = document.place(&head).error(format!("`{}` is no kind of channel", head.value));
        vec![problem.with_hint(did_you_mean(&head.value, names()).unwrap_or_else(listed))]
    })
}

fn common(document: &Document) -> (Option<CommonValues>, Vec<Diagnostic>) {
    let (all, mut problems) = document.read_part::<BTreeMap<String, IgnoredAny>>(&COMMON);
    let others: Vec<String> = all.unwrap_or_default().into_keys().collect();
    let ignored: Vec<&str> = others.iter().map(String::as_str).chain(["type"]).collect();
    let (common, more) = document.read_part::<Common>(&ignored);
    problems.extend(more);
    let Some(common) = common else { return (None, problems) };
    let timeout = common.timeout.and_then(|timeout| {
        let read = read_timeout(&timeout.value);
        read.map_err(|message| problems.push(document.place(&timeout).error(message))).ok()
    });
    let limit = common.limit.and_then(|limit| {
        let read = read_limit(&limit.value);
        read.map_err(|error| problems.push(document.place(&limit).error(error.to_string()))).ok()
    });
    let concurrency = common.concurrency.and_then(|concurrency| match concurrency.value {
        1..=MAX_CONCURRENCY => Some(concurrency.value),
        _ => {
            let message = format!("`concurrency` is between 1 and {MAX_CONCURRENCY}");
            problems.push(document.place(&concurrency).error(message));
            None
        }
    });
    let keys = common.template.unwrap_or(TemplateKeys { title: None, text: None });
    let source = |key: &Option<Spanned<String>>| key.as_ref().map(|spanned| spanned.value.clone());
    let template = Template { title: source(&keys.title), text: source(&keys.text) };
    if let Err(errors) = Texts::default().check(&template) {
        for error in errors {
            let place = if error.key == "title" { &keys.title } else { &keys.text };
            problems.extend(place.as_ref().map(|spanned| document.place(spanned).error(&error.message)));
        }
    }
    (Some(CommonValues { template, timeout, limit, concurrency }), problems)
}

fn read_limit(text: &str) -> Result<Option<Limit>, LimitError> {
    match text {
        "none" => Ok(None),
        limit => Limit::parse(limit).map(Some),
    }
}

fn read_timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration::parse(text).map_err(|error| error.to_string())?;
    match timeout {
        Duration::ZERO => Err("a timeout of nothing leaves no time for an attempt".to_string()),
        timeout if timeout > MAX_TIMEOUT => Err("the longest timeout is 5m".to_string()),
        timeout => Ok(timeout),
    }
}

impl File<'_> {
    /// The channel's name.
    pub fn name(&self) -> &ChannelName {
        self.name
    }

    /// Reads the keys of the kind's own as a strict struct.
    ///
    /// # Errors
    /// All problems of these keys.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        self.document.read_beside::<T>(&COMMON).map_err(|mut problems| {
            problems.iter_mut().for_each(name_common_keys);
            problems
        })
    }

    /// A problem at a value of the file.
    pub fn problem<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> Diagnostic {
        self.document.place(at).error(message)
    }

    /// A problem of the whole file.
    pub fn whole(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::of_file(self.label.clone(), message)
    }

    /// Checks an address to which a path will be added, and keeps it secret where it came from outside of the file.
    ///
    /// # Errors
    /// Where it is no http or https URL, or has a query.
    pub fn base_url(&self, key: &str, url: &Spanned<Text>, secrets: &mut Secrets) -> Result<Masked, Diagnostic> {
        self.url(key, url, &mut Secrets::default())?;
        let base = url.value.expose().trim_end_matches('/');
        if base.contains(['?', '#']) {
            return Err(self.problem(url, format!("`{key}` has a query, and a path will be added to it")));
        }
        match url.value.is_secret() {
            true => Ok(secrets.keep(key, Secret::new(base))),
            false => Ok(Masked::plain(base)),
        }
    }

    /// Checks an address, and keeps what is secret of it: all of it where it came from outside of the file or names a
    /// user, else all but the host, for with many receivers the path is the credential.
    ///
    /// # Errors
    /// Where it is no http or https URL.
    pub fn url(&self, key: &str, url: &Spanned<Text>, secrets: &mut Secrets) -> Result<Masked, Diagnostic> {
        let text = url.value.expose();
        let parsed = reqwest::Url::parse(text)
            .map_err(|error| self.problem(url, format!("`{key}` is not a URL: {error}")).with_hint(URL_HINT))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(self.problem(url, format!("`{key}` is not an http or https URL")).with_hint(URL_HINT));
        }
        let origin = parsed.origin().ascii_serialization();
        let rest = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_string(),
        };
        if url.value.is_secret() || !parsed.username().is_empty() || parsed.password().is_some() {
            return Ok(secrets.keep(key, Secret::new(parsed.as_str())));
        }
        match rest.as_str() {
            "" | "/" => Ok(Masked::plain(format!("{origin}/"))),
            rest => {
                let name = format!("path of {key}");
                secrets.keep(&name, Secret::new(rest));
                Ok(Masked::plain(origin).with_hole(name))
            }
        }
    }
}

const URL_HINT: &str = "write it like `https://host.example/path`";

/// A kind knows only its own keys: a slip in a common one is found here.
fn name_common_keys(problem: &mut Diagnostic) {
    let Some(key) = problem.message.strip_prefix("unknown key `").and_then(|rest| rest.strip_suffix('`')) else {
        return;
    };
    match problem.hint.as_deref() {
        Some(hint) if hint.starts_with("did you mean") => {}
        _ => {
            if let Some(hint) = did_you_mean(key, COMMON) {
                problem.hint = Some(hint);
            }
        }
    }
}

/// A source line with an address in it shows only that there is one: many are credentials.
fn without_addresses(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for problem in &mut problems {
        if let Some(line) = &mut problem.source_line
            && let Some(at) = line.find("://")
        {
            line.truncate(at + 3);
            line.push('…');
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fixed;

    #[track_caller]
    fn problems(text: &str) -> Vec<String> {
        let found = parse(&"ops".into(), "channels/ops.yaml", text, &Fixed::default()).expect_err("there are problems");
        found.iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_bad_key_a_missing_secret_and_an_unknown_kind_are_told_with_their_place() {
        assert_eq!(
            problems("type: webhok\n"),
            ["channels/ops.yaml:1:7: error: `webhok` is no kind of channel (did you mean `webhook`?)"]
        );
        assert_eq!(
            problems("type: webhook\nurl: ${env:HOOK}\nsecrt: x\ntempalte: {}\n"),
            [
                "channels/ops.yaml:2:6: error: the environment variable `HOOK` is not set (set it where `larum` is started: `export HOOK=..`)",
                "channels/ops.yaml:3:1: error: unknown key `secrt` (did you mean `secret`?)",
                "channels/ops.yaml:4:1: error: unknown key `tempalte` (did you mean `template`?)",
            ]
        );
        assert!(problems("url: x\n")[0].contains("the kinds are console, "), "{:?}", problems("url: x\n"));
    }

    #[test]
    fn what_is_common_to_all_kinds_is_checked_too() {
        assert_eq!(problems("type: console\ntimeout: 10m\ntemplate:\n  title: \"{{ alrts }}\"\n  txt: x\n").len(), 3);
        let read = |text| parse(&"ops".into(), "channels/ops.yaml", text, &Fixed::default()).unwrap();
        let console = read("type: console\ntimeout: 3s\ntemplate: { title: \"{{ level }}\" }\n");
        assert_eq!((console.kind(), console.timeout), ("console", Duration::from_secs(3)));
        assert_eq!(console.template.title.as_deref(), Some("{{ level }}"));
    }

    #[test]
    fn a_limit_and_a_concurrency_are_those_of_the_file_or_else_of_the_kind() {
        let read = |text: &str| parse(&"ops".into(), "channels/ops.yaml", text, &Fixed::default()).unwrap();
        let figures = |text: &str| (read(text).limit().map(|limit| limit.to_string()), read(text).concurrency());
        assert_eq!(figures("type: wecom\nkey: k\n"), (Some("20/1m".into()), 1));
        assert_eq!(figures("type: wecom\nkey: k\nlimit: none\nconcurrency: 2\n"), (None, 2));
        assert_eq!(figures("type: email\nhost: h\nfrom: a@b.c\nto: [a@b.c]\nlimit: 3/1s\n").0, Some("3/1s".into()));
        assert_eq!(
            problems("type: console\nlimit: 0/1m\nconcurrency: 65\n"),
            [
                "channels/ops.yaml:2:8: error: a limit of nothing lets nothing through: the least is 1, and `none` is no limit",
                "channels/ops.yaml:3:14: error: `concurrency` is between 1 and 64",
            ]
        );
        assert!(problems("type: console\nlimt: 1/1m\n")[0].ends_with("unknown key `limt` (did you mean `limit`?)"));
    }

    #[test]
    fn a_fingerprint_follows_the_file_and_its_secrets() {
        let of = |text: &str, secret: &str| {
            let surroundings = Fixed::env([("KEY", secret)]);
            parse(&"ops".into(), "channels/ops.yaml", text, &surroundings).unwrap().fingerprint()
        };
        let file = "type: wecom\nkey: ${env:KEY}\n";
        assert_eq!(of(file, "a"), of(file, "a"));
        assert_ne!(of(file, "a"), of(file, "b"));
        assert_ne!(of(file, "a"), of("type: wecom\nkey: ${env:KEY}\nlimit: 1/1s\n", "a"));
    }

    #[test]
    fn an_address_in_the_file_is_not_repeated_in_a_problem() {
        let found =
            parse(&"ops".into(), "channels/ops.yaml", "type: webhook\nurl: ftp://host/hunter2\n", &Fixed::default());
        let found = format!("{:?}", found.unwrap_err());
        assert!(found.contains("is not an http or https URL") && !found.contains("hunter2"), "{found}");
    }

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in ["", "a/b", "a b", "a\nb", "../x"] {
            assert!(parse(&name.into(), "channels/x.yaml", "type: console\n", &Fixed::default()).is_err(), "{name:?}");
        }
        assert!(parse(&"值班-1".into(), "channels/x.yaml", "type: console\n", &Fixed::default()).is_ok());
    }
}
