//! One of the two sides.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::pairing::{Span, Spans};
use super::{Telling, Words};
use crate::engine::{Event, RuleFault};
use crate::lab::project::Project;
use crate::lab::replay::recording::Line;
use crate::lab::replay::stage::Stage;
use crate::lab::replay::story::Story;
use crate::lab::replay::{Happening, Options, Summary, Told};
use crate::model::EventKind;

/// What came of one project.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) tellings: Vec<Telling>,
    pub(super) spans: Spans,
    pub(super) summary: Summary,
    bad_lines: Vec<(usize, String)>,
    faults: Vec<RuleFault>,
}

impl Side {
    /// Runs a project over lines.
    pub(super) fn run(project: &Project, options: &Options, chunks: &Receiver<Arc<Vec<Line>>>) -> Side {
        let mut side = Side::default();
        let mut tell = |happening: Happening<'_>| {
            side.hear(happening);
            Ok(())
        };
        let mut story = Story::new(project, options, &mut tell);
        let mut stage = Stage::new(project, options);
        for chunk in chunks {
            for line in chunk.iter() {
                story.summary.lines += 1;
                match &line.read {
                    Ok(snapshot) => stage.take(line.number, snapshot.clone(), &mut story),
                    Err(reason) => story.bad_line(line.number, reason),
                }
            }
            if stage.is_over() {
                break;
            }
        }
        stage.finish(&mut story);
        let summary = story.conclude();
        // Nothing of it can fail: it only takes notes.
        side.summary = summary.unwrap_or_default();
        side
    }

    fn hear(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Event { event, .. } => self.hear_event(event),
            Happening::Sent(told) => self.hear_sent(&told),
            Happening::Fault { fault, .. } => self.faults.push(fault.clone()),
            Happening::BadLine(number, reason) => self.bad_lines.push((number, reason.to_string())),
            Happening::Progress { .. } => {}
        }
    }

    fn hear_event(&mut self, event: &Event) {
        let firings = self.spans.entry((event.rule.clone(), event.subject.clone())).or_default();
        let span = firings.entry(event.firing.clone()).or_insert(Span { start: event.time, end: None });
        // A flapping alert is one firing from its first raise to its last end.
        match event.kind {
            kind if kind.is_end() => span.end = Some(event.time),
            EventKind::Raised => span.end = None,
            _ => {}
        }
    }

    fn hear_sent(&mut self, told: &Told<'_>) {
        let notification = &told.sent.notification;
        let message = &told.sent.message;
        let is_alone = told.notes.len() == 1 && notification.occasion.is_alert();
        if told.sent.request.is_err() {
            // It told nobody.
            return;
        }
        self.tellings.extend(told.notes.iter().map(|note| Telling {
            time: told.time,
            channel: notification.channel.clone(),
            rule: note.rule.clone(),
            subject: note.subject.clone(),
            firing: note.id.clone(),
            event: note.event,
            reason: note.reason,
            level: note.level,
            since: note.since,
            message: note.message.clone(),
            words: is_alone.then(|| Words { title: message.title.clone(), text: message.text.clone() }),
            already: told.already && note.event == EventKind::Raised,
        }));
    }

    /// Tells what is wrong with the recording, and with the rules.
    pub(super) fn report(
        &self,
        project: &Project,
        tell: &mut dyn FnMut(Happening<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        for (number, reason) in &self.bad_lines {
            tell(Happening::BadLine(*number, reason))?;
        }
        for fault in &self.faults {
            let file = project.rules.rules.get(&fault.rule).map(|rule| rule.file.clone()).unwrap_or_default();
            tell(Happening::Fault { fault, file: &file })?;
        }
        Ok(())
    }
}
