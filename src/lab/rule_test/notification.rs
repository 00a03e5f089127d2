//! `t.expect_notification`: the newest notification of a channel, field by field.

use rhai::{EvalAltResult, Map, NativeCallContext};

use super::difference::differences;
use super::functions::T;
use super::sent;
use super::stage::{Failure, Stage};
use super::timeline::{About, Clock};
use crate::lab::lanes::Attempted;

/// Expects the newest notification that a channel's receiver got to have these fields.
pub(crate) fn expect(
    context: &NativeCallContext,
    t: &T,
    channel: &str,
    expected: &Map,
) -> Result<(), Box<EvalAltResult>> {
    let newest = t.on(context, |stage| newest(stage, channel))?;
    // Closures of the test are asked, and they may ask `t` again: so it is not held meanwhile.
    let found = differences(context, expected, &newest.fields)?;
    t.on(context, |stage| {
        stage.mark();
        if found.is_empty() {
            return Ok(());
        }
        let fields = if found.len() == 1 { "a field" } else { "fields" };
        let failure = Failure::new(format!("expected another notification to `{channel}`"));
        let failure = failure.got(format!("{} {}, which differs in {fields}:", newest.which, newest.title));
        Err(Failure { differences: found.into(), about: newest.about.map(Box::new), ..failure })
    })
}

/// A notification as it is compared.
struct Newest {
    fields: Map,
    title: String,
    /// "the newest of 3, +1m Mon 00:01:00,"
    which: String,
    /// The alert that it tells of.
    about: Option<About>,
}

fn newest(stage: &mut Stage, name: &str) -> Result<Newest, Failure> {
    stage.flush();
    let channel = stage.channel(name)?;
    let n_sent = stage.story.sent(&channel).count();
    let Some(newest) = stage.story.sent(&channel).last() else {
        stage.mark();
        let message = format!("expected a notification to `{name}`");
        return Err(Failure::new(message).got(stage.told(&channel)));
    };
    let clock = Clock { start: stage.start, zone: &stage.project.settings.zone };
    let Attempted { sent, time, .. } = newest;
    let about = sent.notification.alerts.first();
    Ok(Newest {
        fields: sent::to_script(newest)?,
        title: sent.message.title.clone(),
        which: format!("the newest of {n_sent}, {},", clock.at(*time).trim_start()),
        about: about.map(|note| About { rule: note.rule.clone(), subject: note.subject.name.clone() }),
    })
}
