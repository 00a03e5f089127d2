//! Kind `wecom`: the group robot of WeCom.
//!
//! The robot answers HTTP 200 whatever happens: only `errcode` 0 is success. Limits are in bytes of UTF-8, and a text
//! must not hold `\u` escapes, so control characters never reach the body.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::file::File;
use super::message::{Escape, Message, Severity};
use super::request::{Attempt, HttpCall, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::verdict::{Reply, Verdict, by_status};
use super::{Built, Channel, Kind, Limit, Wording};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;
use crate::model::{Level, Notification};

/// The kind's entry in the list.
pub(super) const KIND: Kind =
    Kind { name: "wecom", doc: "Posts to a group robot of WeCom, as markdown or text.", build };

/// Where WeCom is, unless said.
pub(super) const BASE_URL: &str = "https://qyapi.weixin.qq.com";
/// The longest `text.content`, in bytes.
const MAX_TEXT: usize = 2048;
/// The longest `markdown.content`, in bytes.
const MAX_MARKDOWN: usize = 4096;
/// Frequency limits are lifted after a minute.
pub(super) const LIMITED: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The robot's whole address, as WeCom shows it.
    webhook: Option<Spanned<Text>>,
    /// Or its key alone.
    key: Option<Secret>,
    /// Where WeCom is, for `key`: a proxy, or a server of one's own.
    base_url: Option<Spanned<Text>>,
    #[serde(default)]
    format: Format,
    /// Who is mentioned: user ids, or `@all` (in texts only).
    #[serde(default)]
    mentioned_list: Vec<Spanned<Text>>,
    /// Who is mentioned, by telephone number (in texts only).
    #[serde(default)]
    mentioned_mobile_list: Vec<Spanned<Text>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Markdown,
    Text,
}

#[derive(Debug)]
struct Wecom {
    url: Masked,
    secrets: Secrets,
    format: Format,
    mentioned: Vec<String>,
    mentioned_mobiles: Vec<String>,
}

fn build(file: &File<'_>) -> Built {
    let keys: Keys = file.read()?;
    let mut problems = Vec::new();
    let mut secrets = Secrets::default();
    let url = address(file, &keys, &mut secrets).map_err(|problem| problems.push(problem)).unwrap_or_default();
    if keys.format == Format::Markdown {
        problems.extend(keys.mentioned_mobile_list.first().map(|first| {
            file.problem(first, "markdown cannot mention telephone numbers").with_hint("add `format: text`")
        }));
        let all = keys.mentioned_list.iter().find(|id| id.value.expose() == "@all");
        problems.extend(
            all.map(|all| file.problem(all, "markdown cannot mention everybody").with_hint("add `format: text`")),
        );
    }
    let markup = |id: &&Spanned<Text>| id.value.expose().contains(['<', '>', '\n', '\r']);
    problems.extend(keys.mentioned_list.iter().filter(markup).map(|id| file.problem(id, "this is no user id")));
    if !problems.is_empty() {
        return Err(problems);
    }
    let exposed = |list: Vec<Spanned<Text>>| list.iter().map(|text| text.value.expose().to_string()).collect();
    Ok(Box::new(Wecom {
        url,
        secrets,
        format: keys.format,
        mentioned: exposed(keys.mentioned_list),
        mentioned_mobiles: exposed(keys.mentioned_mobile_list),
    }))
}

fn address(file: &File<'_>, keys: &Keys, secrets: &mut Secrets) -> Result<Masked, Diagnostic> {
    match (&keys.webhook, &keys.key, &keys.base_url) {
        (Some(webhook), None, None) => file.url("webhook", webhook, secrets),
        (Some(webhook), _, _) => {
            Err(file.problem(webhook, "`webhook` is a whole address: leave `key` and `base_url` out"))
        }
        (None, Some(key), base) => {
            let base = match base {
                Some(base) => file.base_url("base_url", base, secrets)?,
                None => Masked::plain(BASE_URL),
            };
            secrets.keep("key", key.clone());
            Ok(base.with_plain("/cgi-bin/webhook/send?key=").with_hole("key"))
        }
        (None, None, _) => Err(file
            .whole("neither `webhook` nor `key` is given")
            .with_hint("write `webhook: ${env:WECOM_WEBHOOK}`, with the address that WeCom shows for the robot")),
    }
}

#[derive(Serialize)]
#[serde(tag = "msgtype", rename_all = "lowercase")]
enum Body<'a> {
    Text { text: TextContent<'a> },
    Markdown { markdown: MarkdownContent },
}

#[derive(Serialize)]
struct TextContent<'a> {
    content: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mentioned_list: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mentioned_mobile_list: &'a [String],
}

#[derive(Serialize)]
struct MarkdownContent {
    content: String,
}

impl Wecom {
    fn text(&self, notification: &Notification, wording: &Wording<'_>) -> Body<'_> {
        let room = |title: &str| MAX_TEXT.saturating_sub(title.len() + 1);
        let Message { title, text } = wording.message_within(notification, Escape::WecomText, room);
        Body::Text {
            text: TextContent {
                content: format!("{title}\n{text}"),
                mentioned_list: &self.mentioned,
                mentioned_mobile_list: &self.mentioned_mobiles,
            },
        }
    }

    fn markdown(&self, notification: &Notification, wording: &Wording<'_>) -> Body<'_> {
        let mentions: String = self.mentioned.iter().map(|id| format!("<@{id}>")).collect();
        let mentions = if mentions.is_empty() { mentions } else { format!("\n{mentions}") };
        // The title is short enough to stay whole, so that no tag is cut.
        let room = |title: &str| MAX_MARKDOWN.saturating_sub(headline(notification, title).len() + 1 + mentions.len());
        let Message { title, text } = wording.message_within(notification, Escape::WecomMarkdown, room);
        let content = format!("{}\n{text}{mentions}", headline(notification, &title));
        Body::Markdown { markdown: MarkdownContent { content } }
    }
}

/// The title in bold, in one of WeCom's three colours: green, grey and orange.
pub(super) fn headline(notification: &Notification, title: &str) -> String {
    format!("**<font color=\"{}\">{title}</font>**", colour(notification))
}

fn colour(notification: &Notification) -> &'static str {
    match Severity::of(notification) {
        Severity { over: true, .. } => "info",
        Severity { level: Level::Info, .. } => "comment",
        Severity { level: Level::Warning | Level::Error | Level::Critical, .. } => "warning",
    }
}

impl Channel for Wecom {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        let body = match self.format {
            Format::Text => serde_json::to_string(&self.text(notification, wording))?,
            Format::Markdown => serde_json::to_string(&self.markdown(notification, wording))?,
        };
        let headers = vec![("content-type".to_string(), Masked::plain("application/json; charset=utf-8"))];
        Ok(Request::Http { method: "POST", url: self.url.clone(), headers, body })
    }

    fn seal(&self, request: &Request, _: &Attempt) -> Result<Sealed, SealError> {
        let Request::Http { method, url, headers, body } = request else { return Err(SealError::OtherKind) };
        let fill = |(name, value): &(String, Masked)| Ok((name.clone(), value.fill(&self.secrets)?));
        Ok(Sealed::Http(HttpCall {
            method,
            url: url.fill(&self.secrets)?,
            headers: headers.iter().map(fill).collect::<Result<_, _>>()?,
            body: Bytes::from(body.clone()),
        }))
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        match by_status(reply) {
            Verdict::Ok => judge_body(&reply.body, reply.wait()),
            failure => failure,
        }
    }

    fn default_concurrency(&self) -> usize {
        // The robot refuses several at once (45033).
        1
    }

    fn default_limit(&self) -> Option<Limit> {
        // Failed ones count too.
        Some(Limit::new(20, Duration::from_secs(60)))
    }
}

#[derive(Deserialize)]
struct Answer {
    errcode: Option<i64>,
}

/// The code alone counts: WeCom's words change, and they repeat our address.
fn judge_body(body: &str, wait: Option<Duration>) -> Verdict {
    let code = serde_json::from_str::<Answer>(body).ok().and_then(|answer| answer.errcode);
    let Some(code) = code else {
        // A captive portal or a proxy says 200 too.
        return Verdict::retry("the answer has no `errcode`: it is not WeCom's");
    };
    let retry = |what: &str, after, at_most, holds_channel| {
        let reason = format!("errcode {code}: {what}");
        Verdict::Retry { reason, after: wait.max(after), at_most, holds_channel }
    };
    let permanent = |what: &str| Verdict::permanent(format!("errcode {code}: {what}"));
    match code {
        0 => Verdict::Ok,
        -1 => retry("WeCom is busy", None, Some(3), false),
        45009 => retry("more than 20 messages in a minute", Some(LIMITED), None, true),
        45033 => retry("too many messages at once", None, None, true),
        93000 => permanent("there is no such robot: its address is wrong, or it was removed"),
        40058 | 45002 => permanent("the message is too long"),
        40008 => permanent("the message has a bad format"),
        40033 => permanent("the message has characters that are not allowed"),
        44004 => permanent("the message is empty"),
        _ => permanent("WeCom refused the message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::message::samples;
    use crate::channels::{Configured, Texts, parse};
    use crate::config::Fixed;

    fn channel(yaml: &str) -> Configured {
        let surroundings = Fixed::env([("HOOK", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hunter2")]);
        parse(&"ops".into(), "channels/ops.yaml", yaml, &surroundings).unwrap()
    }

    fn body(channel: &Configured, notification: &Notification) -> serde_json::Value {
        let Request::Http { body, .. } = channel.render(notification, &Texts::default()).unwrap() else {
            panic!("wecom speaks HTTP")
        };
        assert!(!body.contains("\\u"), "WeCom refuses escapes: {body}");
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn markdown_has_a_coloured_title_and_mentions_at_its_end() {
        let channel = channel("type: wecom\nwebhook: ${env:HOOK}\nmentioned_list: [zhang]\n");
        let content = body(&channel, &samples()[0])["markdown"]["content"].as_str().unwrap().to_string();
        assert!(
            content.starts_with("**<font color=\"warning\">[warning] high_error_rate shop-api</font>**\nshop-api: 30%")
        );
        assert!(content.ends_with("\n<@zhang>"), "{content}");
    }

    #[test]
    fn limits_are_in_bytes_and_cut_between_characters() {
        let mut notification = samples().remove(0);
        for (format, max) in [("text", MAX_TEXT), ("markdown", MAX_MARKDOWN)] {
            let channel =
                channel(&format!("type: wecom\nwebhook: ${{env:HOOK}}\nformat: {format}\nmentioned_list: [li]\n"));
            for text in ["故障😀".repeat(700), "x".repeat(9000)] {
                notification.alerts[0].message.clone_from(&text);
                notification.alerts[0].labels = [(text.as_str().into(), text.as_str().into())].into();
                notification.alerts[0].values = vec![(text.as_str().into(), 1.0.into()); 9];
                let body = body(&channel, &notification);
                let content = body[format]["content"].as_str().unwrap();
                assert!(content.len() <= max && content.len() > max - 8, "{}", content.len());
                assert!(content.contains('…') && !content.contains('\u{fffd}'));
            }
        }
    }

    #[test]
    fn only_errcode_nought_is_success() {
        let retries = ["{\"errcode\":-1}", "{\"errcode\":45009}", "{\"errcode\":45033}", "{}", "<html>", "", "[]"];
        for body in retries {
            assert!(matches!(judge_body(body, None), Verdict::Retry { .. }), "{body}");
        }
        for code in [93000, 40058, 45002, 40008, 44004, 40033, 12345] {
            let verdict = judge_body(&format!("{{\"errcode\":{code},\"errmsg\":\"invalid key hunter2\"}}"), None);
            assert!(matches!(&verdict, Verdict::Permanent { reason } if !reason.contains("hunter2")), "{verdict:?}");
        }
        assert_eq!(judge_body("{\"errcode\":0,\"errmsg\":\"ok\"}", None), Verdict::Ok);
        let busy = judge_body("{\"errcode\":-1}", None);
        assert!(matches!(busy, Verdict::Retry { at_most: Some(3), holds_channel: false, .. }), "{busy:?}");
    }

    #[test]
    fn a_limit_of_the_robot_holds_the_whole_channel_for_a_minute_at_least() {
        for (wait, seconds) in [(None, 60), (Some(5), 60), (Some(600), 600)] {
            let after = Some(Duration::from_secs(seconds));
            let verdict = judge_body("{\"errcode\":45009}", wait.map(Duration::from_secs));
            assert!(
                matches!(&verdict, Verdict::Retry { after: a, holds_channel: true, .. } if *a == after),
                "{verdict:?}"
            );
        }
        let at_once = judge_body("{\"errcode\":45033}", None);
        assert!(matches!(at_once, Verdict::Retry { after: None, holds_channel: true, .. }), "{at_once:?}");
        let channel = channel("type: wecom\nwebhook: ${env:HOOK}\n");
        assert_eq!(
            (channel.limit().map(|limit| limit.to_string()).as_deref(), channel.concurrency()),
            (Some("20/1m"), 1)
        );
    }

    #[test]
    fn the_address_is_given_in_one_way_and_shown_in_none() {
        let problem = |yaml: &str| parse(&"ops".into(), "x.yaml", yaml, &Fixed::default()).unwrap_err()[0].to_string();
        assert!(problem("type: wecom\n").contains("neither `webhook` nor `key`"));
        assert!(problem("type: wecom\nwebhook: https://a.example/x\nkey: k\n").contains("leave `key`"));
        assert!(problem("type: wecom\nkey: k\nmentioned_list: ['@all']\n").contains("everybody"));
        for yaml in ["webhook: ${env:HOOK}", "key: hunter2", "key: hunter2\nbase_url: http://127.0.0.1:9"] {
            let channel = channel(&format!("type: wecom\n{yaml}\n"));
            let request = channel.render(&samples()[0], &Texts::default()).unwrap();
            assert!(!format!("{request} {request:?} {channel:?}").contains("hunter2"), "{request}");
        }
    }
}
