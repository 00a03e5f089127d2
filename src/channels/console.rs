//! Kind `console`: lines on the daemon's terminal.

use serde::Deserialize;

use super::file::File;
use super::message::{Escape, Severity};
use super::request::{Attempt, RenderError, Request, SealError, Sealed};
use super::{Built, Channel, Kind, Wording};
use crate::model::Notification;

/// The kind's entry in the list.
pub(super) const KIND: Kind =
    Kind { name: "console", doc: "Lines on standard output, in colour on a terminal unless `NO_COLOR` is set.", build };

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {}

#[derive(Debug)]
struct Console;

fn build(file: &File<'_>) -> Built {
    file.read::<Keys>()?;
    Ok(Box::new(Console))
}

impl Channel for Console {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        let message = wording.message(notification, Escape::None);
        let Severity { level, over } = Severity::of(notification);
        Ok(Request::Terminal {
            level,
            over,
            title: format!("{} {}", wording.time_of_day(notification.time), message.title),
            text: message.text,
        })
    }

    fn seal(&self, request: &Request, _: &Attempt) -> Result<Sealed, SealError> {
        let Request::Terminal { level, over, title, text } = request else { return Err(SealError::OtherKind) };
        Ok(Sealed::Terminal { level: *level, over: *over, title: title.clone(), text: text.clone() })
    }

    fn default_concurrency(&self) -> usize {
        // People read from top to bottom.
        1
    }
}
