//! Kind `wecom`: the group robot of WeCom.
//!
//! The robot answers HTTP 200 whatever happens: only `errcode` 0 is success. Limits are in bytes of UTF-8, and a text
//! must not hold `\u` escapes, so control characters never reach the body.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::clean::cut;
use super::file::File;
use super::message::{Escape, Message};
use super::request::{Attempt, HttpCall, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::verdict::{Reply, Verdict, by_status};
use super::{Built, Channel, Kind, Wording};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;
use crate::model::{Level, Notification};

/// The kind's entry in the list.
pub(super) const KIND: Kind =
    Kind { name: "wecom", doc: "Posts to a group robot of WeCom, as markdown or text.", build };

const BASE_URL: &str = "https://qyapi.weixin.qq.com";
/// The longest `text.content`, in bytes.
const MAX_TEXT: usize = 2048;
/// The longest `markdown.content`, in bytes.
const MAX_MARKDOWN: usize = 4096;
/// Frequency limits are lifted after a minute.
const LIMITED: Duration = Duration::from_secs(60);

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
enum Format {
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
    fn text(&self, message: &Message) -> Body<'_> {
        let content = cut(&format!("{}\n{}", message.title, message.text), MAX_TEXT);
        Body::Text {
            text: TextContent {
                content,
                mentioned_list: &self.mentioned,
                mentioned_mobile_list: &self.mentioned_mobiles,
            },
        }
    }

    fn markdown(&self, message: &Message, colour: &str) -> Body<'_> {
        let mentions: String = self.mentioned.iter().map(|id| format!("<@{id}>")).collect();
        let mentions = if mentions.is_empty() { mentions } else { format!("\n{mentions}") };
        let title = format!("**<font color=\"{colour}\">{}</font>**", message.title);
        // The title is short enough to stay whole, so that no tag is cut.
        let room = MAX_MARKDOWN.saturating_sub(title.len() + 1 + mentions.len());
        let content = format!("{title}\n{}{mentions}", cut(&message.text, room));
        Body::Markdown { markdown: MarkdownContent { content } }
    }
}

/// WeCom has three colours: green, grey and orange.
fn colour(notification: &Notification) -> &'static str {
    if notification.alerts.iter().all(|alert| alert.event.is_end()) {
        "info"
    } else if notification.level() == Level::Info {
        "comment"
    } else {
        "warning"
    }
}

impl Channel for Wecom {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        let body = match self.format {
            Format::Text => serde_json::to_string(&self.text(&wording.message(notification, Escape::WecomText)))?,
            Format::Markdown => {
                let message = wording.message(notification, Escape::WecomMarkdown);
                serde_json::to_string(&self.markdown(&message, colour(notification)))?
            }
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
            Verdict::Ok => judge_body(&reply.body),
            failure => failure,
        }
    }

    fn concurrency(&self) -> usize {
        // The robot refuses several at once (45033).
        1
    }
}

#[derive(Deserialize)]
struct Answer {
    errcode: Option<i64>,
}

/// The code alone counts: WeCom's words change, and they repeat our address.
fn judge_body(body: &str) -> Verdict {
    let code = serde_json::from_str::<Answer>(body).ok().and_then(|answer| answer.errcode);
    let Some(code) = code else {
        // A captive portal or a proxy says 200 too.
        return Verdict::retry("the answer has no `errcode`: it is not WeCom's");
    };
    let retry =
        |what: &str, after, at_most| Verdict::Retry { reason: format!("errcode {code}: {what}"), after, at_most };
    let permanent = |what: &str| Verdict::permanent(format!("errcode {code}: {what}"));
    match code {
        0 => Verdict::Ok,
        -1 => retry("WeCom is busy", None, Some(3)),
        45009 => retry("more than 20 messages in a minute", Some(LIMITED), None),
        45033 => retry("too many messages at once", None, None),
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
                notification.alerts[0].message = text;
                notification.alerts = vec![notification.alerts[0].clone(); 3];
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
            assert!(matches!(judge_body(body), Verdict::Retry { .. }), "{body}");
        }
        for code in [93000, 40058, 45002, 40008, 44004, 40033, 12345] {
            let verdict = judge_body(&format!("{{\"errcode\":{code},\"errmsg\":\"invalid key hunter2\"}}"));
            assert!(matches!(&verdict, Verdict::Permanent { reason } if !reason.contains("hunter2")), "{verdict:?}");
        }
        assert_eq!(judge_body("{\"errcode\":0,\"errmsg\":\"ok\"}"), Verdict::Ok);
        assert!(matches!(judge_body("{\"errcode\":45009}"), Verdict::Retry { after: Some(LIMITED), .. }));
        assert!(matches!(judge_body("{\"errcode\":-1}"), Verdict::Retry { at_most: Some(3), .. }));
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
