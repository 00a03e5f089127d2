//! The words of notifications in each language.

use serde::{Deserialize, Serialize};

use super::occasion::Section;
use crate::model::{CloseReason, EventKind, Level};

/// The language of notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Locale {
    /// English.
    #[default]
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Locale {
    /// The locale as files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Locale::En => "en",
            Locale::ZhCn => "zh-CN",
        }
    }

    /// The default templates with their names: title and text, and what these are made of.
    pub(super) const fn templates(self) -> [(&'static str, &'static str); 6] {
        match self {
            Locale::En => [
                ("title", include_str!("templates/en.title.j2")),
                ("text", include_str!("templates/en.text.j2")),
                ("alert", include_str!("templates/en.alert.j2")),
                ("line", include_str!("templates/en.line.j2")),
                ("suffix", include_str!("templates/en.suffix.j2")),
                ("rules", include_str!("templates/en.rules.j2")),
            ],
            Locale::ZhCn => [
                ("title", include_str!("templates/zh-CN.title.j2")),
                ("text", include_str!("templates/zh-CN.text.j2")),
                ("alert", include_str!("templates/zh-CN.alert.j2")),
                ("line", include_str!("templates/zh-CN.line.j2")),
                ("suffix", include_str!("templates/zh-CN.suffix.j2")),
                ("rules", include_str!("templates/zh-CN.rules.j2")),
            ],
        }
    }

    /// A level.
    pub(super) const fn level(self, level: Level) -> &'static str {
        match (self, level) {
            (Locale::En, _) => level.as_str(),
            (Locale::ZhCn, Level::Info) => "提示",
            (Locale::ZhCn, Level::Warning) => "警告",
            (Locale::ZhCn, Level::Error) => "错误",
            (Locale::ZhCn, Level::Critical) => "严重",
        }
    }

    /// What happened.
    pub(super) const fn event(self, event: EventKind) -> &'static str {
        match (self, event) {
            (Locale::En, EventKind::Stale) => "no data",
            (Locale::En, _) => event.as_str(),
            (Locale::ZhCn, EventKind::Raised) => "触发",
            (Locale::ZhCn, EventKind::Escalated) => "升级",
            (Locale::ZhCn, EventKind::Eased) => "降级",
            (Locale::ZhCn, EventKind::Reminded) => "提醒",
            (Locale::ZhCn, EventKind::Unacknowledged) => "无人确认",
            (Locale::ZhCn, EventKind::Acknowledged) => "已确认",
            (Locale::ZhCn, EventKind::Stale) => "无数据",
            (Locale::ZhCn, EventKind::Flapping) => "反复",
            (Locale::ZhCn, EventKind::Recovered) => "已恢复",
            (Locale::ZhCn, EventKind::Closed) => "已关闭",
        }
    }

    /// All alerts of a notification are over, some recovered and some closed.
    pub(super) const fn ended(self) -> &'static str {
        match self {
            Locale::En => "ended",
            Locale::ZhCn => "已结束",
        }
    }

    /// What the alerts in a section of a group's message are.
    pub(super) const fn section(self, section: Section) -> &'static str {
        match (self, section) {
            (Locale::En, Section::New) => "new",
            (Locale::En, Section::Changed) => "changed",
            (Locale::En, Section::Ended) => "ended",
            (Locale::En, Section::Still) => "still firing",
            (Locale::ZhCn, Section::New) => "新增",
            (Locale::ZhCn, Section::Changed) => "变化",
            (Locale::ZhCn, Section::Ended) => "结束",
            (Locale::ZhCn, Section::Still) => "仍在告警",
        }
    }

    /// Why an alert was closed, in a word or two.
    pub(super) const fn reason(self, reason: CloseReason) -> &'static str {
        match (self, reason) {
            (Locale::En, _) => reason.as_str(),
            (Locale::ZhCn, CloseReason::Gone) => "对象已不存在",
            (Locale::ZhCn, CloseReason::RuleRemoved) => "规则已删除",
            (Locale::ZhCn, CloseReason::RuleChanged) => "规则已变更",
            (Locale::ZhCn, CloseReason::NoLongerCovered) => "规则不再覆盖",
            (Locale::ZhCn, CloseReason::NoData) => "无数据",
            (Locale::ZhCn, CloseReason::Vanished) => "对象已消失",
        }
    }

    /// Why an alert was closed, in a sentence.
    pub(super) const fn reason_sentence(self, reason: CloseReason) -> &'static str {
        match (self, reason) {
            (Locale::En, CloseReason::Gone) => "gone: the source says that it no longer exists",
            (Locale::En, CloseReason::RuleRemoved) => "rule removed",
            (Locale::En, CloseReason::RuleChanged) => "rule changed: it now judges other subjects",
            (Locale::En, CloseReason::NoLongerCovered) => "no longer covered by the rule",
            (Locale::En, CloseReason::NoData) => "no data: it is not known to be well",
            (Locale::En, CloseReason::Vanished) => "vanished: it fell silent and is not known to be well",
            (Locale::ZhCn, CloseReason::Gone) => "数据源表明对象已不存在",
            (Locale::ZhCn, CloseReason::RuleRemoved) => "规则已删除",
            (Locale::ZhCn, CloseReason::RuleChanged) => "规则已变更，现判断其他对象",
            (Locale::ZhCn, CloseReason::NoLongerCovered) => "规则不再覆盖该对象",
            (Locale::ZhCn, CloseReason::NoData) => "无数据，并不表示已恢复正常",
            (Locale::ZhCn, CloseReason::Vanished) => "对象长时间无数据，并不表示已恢复正常",
        }
    }

    /// Between two items of a list.
    pub(super) const fn comma(self) -> &'static str {
        match self {
            Locale::En => ", ",
            Locale::ZhCn => "，",
        }
    }
}
