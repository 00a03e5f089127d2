//! `type: http`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::{Check, labels};
use crate::collect::Pattern;
use crate::config::{Period, Spanned, Text};
use crate::model::{Labels, Value};

/// `type: http`: a service that answers at a URL.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// The subject's name.
    pub name: Arc<str>,
    /// The subject's kind; `service` unless said.
    pub kind: Arc<str>,
    /// Where to ask.
    pub url: Text,
    /// `GET` unless said.
    pub method: String,
    /// What is sent along.
    pub body: Option<Text>,
    /// Whether a redirect is followed, or is itself the answer.
    pub follow_redirects: bool,
    /// Whether the certificate of the service must hold.
    pub verify_tls: bool,
    /// Authorities to trust besides the system's, as PEM: `${file:ca.pem}`.
    pub ca: Option<Text>,
    /// How often.
    pub every: Duration,
    /// One attempt that takes longer has failed.
    pub timeout: Duration,
    /// How many more attempts are made before the service counts as down.
    pub retries: u32,
    /// What the answer must be.
    pub expect: Expect,
    /// Headers of the request.
    pub headers: BTreeMap<String, Text>,
    /// The subject's labels.
    pub labels: Labels,
}

/// What an answer must be to be good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// One of these status codes; any of 200 to 299 where empty.
    pub status: Vec<u16>,
    /// What the body must contain.
    pub body: Vec<BodyExpectation>,
    /// The values at JSON pointers (RFC 6901) of the body.
    pub json: BTreeMap<String, Value>,
    /// The longest time to the last byte.
    pub response_time: Option<Duration>,
}

/// One condition on the text of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyExpectation {
    /// It contains this text.
    Contains(String),
    /// A part of it matches.
    Matches(Pattern),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawHttp {
    name: Spanned<String>,
    url: Spanned<Text>,
    #[serde(default)]
    method: Option<Spanned<String>>,
    #[serde(default)]
    body: Option<Text>,
    #[serde(default = "yes")]
    follow_redirects: bool,
    #[serde(default = "yes")]
    verify_tls: bool,
    #[serde(default)]
    ca: Option<Spanned<Text>>,
    #[serde(default)]
    kind: Option<Spanned<String>>,
    #[serde(default)]
    every: Option<Spanned<Period>>,
    #[serde(default)]
    timeout: Option<Spanned<Period>>,
    #[serde(default)]
    retries: u8,
    #[serde(default)]
    expect: RawExpect,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<Text>>,
    #[serde(default)]
    labels: BTreeMap<Arc<str>, Spanned<String>>,
}

const fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawExpect {
    status: Option<Spanned<Statuses>>,
    body: RawBody,
    json: BTreeMap<String, Spanned<Value>>,
    response_time: Option<Spanned<Period>>,
}

/// `body: text`, or `body: { contains: .., matches: .. }`.
#[derive(Default)]
struct RawBody {
    contains: Option<String>,
    matches: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for RawBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawBody, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Parts {
            contains: Option<String>,
            matches: Option<Spanned<String>>,
        }
        struct BodyVisitor;
        impl<'de> Visitor<'de> for BodyVisitor {
            type Value = RawBody;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or a mapping such as { contains: ok, matches: \"^up\" }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawBody, E> {
                Ok(RawBody { contains: Some(text.to_string()), matches: None })
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawBody, D::Error> {
                let Parts { contains, matches } = Parts::deserialize(deserializer)?;
                Ok(RawBody { contains, matches })
            }
        }
        deserializer.deserialize_newtype_struct(crate::config::yaml::TEXT_OR_STRUCT_MARK, BodyVisitor)
    }
}

/// One status code, or a list of them.
struct Statuses(Vec<u16>);

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statuses, D::Error> {
        struct StatusesVisitor;
        impl<'de> Visitor<'de> for StatusesVisitor {
            type Value = Statuses;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status code from 100 to 599, or a list of them")
            }
            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Statuses, E> {
                match u16::try_from(code) {
                    Ok(code @ 100..=599) => Ok(Statuses(vec![code])),
                    _ => Err(E::invalid_value(de::Unexpected::Signed(code), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Statuses, A::Error> {
                let mut codes = Vec::new();
                while let Some(code) = access.next_element::<u16>()? {
                    codes.extend(StatusesVisitor.visit_i64::<A::Error>(i64::from(code))?.0);
                }
                Ok(Statuses(codes))
            }
        }
        deserializer.deserialize_any(StatusesVisitor)
    }
}

impl Check<'_> {
    pub(super) fn http(&mut self, raw: RawHttp, every: Option<Duration>) -> Http {
        self.subject(&raw.name, raw.kind.as_ref(), &raw.labels);
        self.url(&raw.url);
        if let Some(method) = &raw.method
            && reqwest::Method::from_bytes(method.value.as_bytes()).is_err()
        {
            self.refuse(method, format!("`{}` is no HTTP method", method.value));
        }
        if let Some(ca) = &raw.ca {
            self.authorities(ca);
        }
        for (name, value) in &raw.headers {
            let bad_name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err();
            if bad_name || reqwest::header::HeaderValue::from_str(value.value.expose()).is_err() {
                self.refuse(value, format!("`{name}` is no header that can be sent"));
            }
        }
        Http {
            kind: raw.kind.map_or_else(|| "service".into(), |kind| kind.value.into()),
            every: self.period(raw.every.as_ref(), every.unwrap_or(Duration::from_secs(15)), "every"),
            timeout: self.period(raw.timeout.as_ref(), Duration::from_secs(5), "timeout"),
            retries: u32::from(raw.retries),
            expect: self.expect(raw.expect),
            headers: raw.headers.into_iter().map(|(name, value)| (name, value.value)).collect(),
            method: raw.method.map_or_else(|| "GET".to_string(), |method| method.value),
            body: raw.body,
            follow_redirects: raw.follow_redirects,
            verify_tls: raw.verify_tls,
            ca: raw.ca.map(|ca| ca.value),
            labels: labels(raw.labels),
            name: raw.name.value.into(),
            url: raw.url.value,
        }
    }

    fn authorities(&mut self, ca: &Spanned<Text>) {
        let read = reqwest::Certificate::from_pem_bundle(ca.value.expose().as_bytes());
        if !read.is_ok_and(|certificates| !certificates.is_empty()) {
            let problem = self.document.place(ca).error("there is no certificate in PEM form here");
            self.problems.push(problem.with_hint("write `ca: ${file:ca.pem}`, with the file's own path"));
        }
    }

    /// The URL is not repeated in the problem: it may hold a secret.
    fn url(&mut self, url: &Spanned<Text>) {
        let problem = self.document.place(url);
        match reqwest::Url::parse(url.value.expose()) {
            Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => {
                self.problems.push(problem.error("only http and https URLs can be asked"));
            }
            Ok(_) => {}
            Err(error) => {
                let hint = "write the whole URL: `https://shop.example/health`";
                self.problems.push(problem.error(format!("this is no URL: {error}")).with_hint(hint));
            }
        }
    }

    fn expect(&mut self, raw: RawExpect) -> Expect {
        let mut body: Vec<BodyExpectation> = raw.body.contains.into_iter().map(BodyExpectation::Contains).collect();
        let matches = raw.body.matches.and_then(|pattern| self.pattern(&pattern));
        body.extend(matches.map(BodyExpectation::Matches));
        let mut json = BTreeMap::new();
        for (pointer, value) in raw.json {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let problem = self.document.place(&value).error(format!("`{pointer}` is no JSON pointer"));
                self.problems.push(problem.with_hint(format!("write `/{}`", pointer.replace('.', "/"))));
            }
            json.insert(pointer, value.value);
        }
        if let Some(status) = raw.status.as_ref().filter(|status| status.value.0.is_empty()) {
            self.refuse(
                status,
                "an empty list of status codes can never be met: leave `status` out for any of 200 to 299",
            );
        }
        let response_time =
            raw.response_time.as_ref().map(|spanned| self.period(Some(spanned), Duration::ZERO, "response_time"));
        Expect { status: raw.status.map_or_else(Vec::new, |status| status.value.0), body, json, response_time }
    }
}
