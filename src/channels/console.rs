//! Kind `console`: lines on the daemon's terminal.

use serde::Deserialize;

use super::file::File;
use super::message::Escape;
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
        Ok(Request::Terminal {
            level: notification.level(),
            over: notification.alerts.iter().all(|alert| alert.event.is_end()),
            title: format!("{} {}", wording.time_of_day(notification.time), message.title),
            text: message.text,
        })
    }

    fn seal(&self, request: &Request, _: &Attempt) -> Result<Sealed, SealError> {
        let Request::Terminal { level, over, title, text } = request else { return Err(SealError::OtherKind) };
        Ok(Sealed::Terminal { level: *level, over: *over, title: title.clone(), text: text.clone() })
    }

    fn concurrency(&self) -> usize {
        // People read from top to bottom.
        1
    }
}
