use super::*;
use crate::model::{FiringId, SubjectKey};

const TIMING: Timing = Timing { cooldown: Duration::from_secs(300), repeat: Some(Duration::from_secs(3600)) };

fn at(secs: i64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

fn present(level: Level) -> Present {
    let (acknowledged, step) = (false, None);
    Present { level, stale: false, flapping: false, is_up: true, blind: None, acknowledged, step, reach: Reach::Open }
}

/// Decides, and tells if the decision says so, with the notification delivered at once.
fn act(told: &mut Told, present: Present, secs: i64) -> Decision {
    let decision = told.decide(present, at(secs), TIMING);
    if let Decision::Tell(event) = decision {
        let id = NotificationId::from(format!("n{secs}"));
        tell(told, event, present, secs, &id);
        told.arrive(&id, true);
    }
    decision
}

/// Tells by a notification that is on its way from then on.
fn tell(told: &mut Told, event: EventKind, present: Present, secs: i64, id: &NotificationId) -> Folded {
    let folded = told.tell(event, present, at(secs), TIMING);
    told.depart(id.clone(), Events { told: 1, folded: 0 });
    folded
}

fn note(event: EventKind) -> AlertNote {
    AlertNote {
        id: FiringId::from("f"),
        event,
        reason: None,
        rule: "r".into(),
        level: Level::Warning,
        previous_level: None,
        subject: SubjectKey::new("service", "a"),
        labels: Default::default(),
        message: String::new(),
        values: Vec::new(),
        since: at(0),
        ended: None,
        not_judged_since: None,
        runbook: None,
        acknowledged: None,
        folded: Vec::new(),
        folded_omitted: 0,
    }
}

/// A told firing ends, and the end is sent at once.
fn end(told: &mut Told) -> usize {
    told.end(note(EventKind::Recovered));
    told.due_ends().len()
}

use Level::{Critical, Error, Warning};

#[test]
fn a_raise_is_told_at_once_and_a_second_firing_waits_for_the_cooldown() {
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(end(&mut told), 1, "an end is never held");
    assert_eq!(act(&mut told, present(Warning), 100), Decision::Hold(Hold::Cooldown { until: at(300) }));
    assert_eq!(act(&mut told, present(Warning), 300), Decision::Tell(EventKind::Raised));
}

#[test]
fn a_level_above_the_highest_told_passes_the_cooldown_and_an_equal_one_does_not() {
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(act(&mut told, present(Critical), 10), Decision::Tell(EventKind::Escalated));
    assert_eq!(act(&mut told, present(Warning), 20), Decision::Tell(EventKind::Eased));
    assert_eq!(act(&mut told, present(Critical), 30), Decision::Hold(Hold::Cooldown { until: at(310) }));
    assert_eq!(act(&mut told, present(Error), 40), Decision::Hold(Hold::Cooldown { until: at(310) }));
    assert_eq!(act(&mut told, present(Critical), 310), Decision::Tell(EventKind::Escalated));
}

#[test]
fn the_highest_level_of_a_cooldown_outlasts_the_firing() {
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Error), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(end(&mut told), 1);
    assert_eq!(act(&mut told, present(Warning), 10), Decision::Hold(Hold::Cooldown { until: at(300) }));
    assert_eq!(act(&mut told, present(Critical), 20), Decision::Tell(EventKind::Raised));
}

#[test]
fn a_reminder_follows_after_repeat_and_never_under_the_cooldown() {
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(act(&mut told, present(Warning), 3599), Decision::Nothing { reminder: Some(at(3600)) });
    assert_eq!(act(&mut told, present(Warning), 3600), Decision::Tell(EventKind::Reminded));
    let short = Timing { cooldown: Duration::from_secs(300), repeat: Some(Duration::from_secs(10)) };
    assert_eq!(told.decide(present(Warning), at(3700), short), Decision::Nothing { reminder: Some(at(3900)) });
    let never = Timing { repeat: None, ..TIMING };
    assert_eq!(told.decide(present(Warning), at(999_999), never), Decision::Nothing { reminder: None });
}

#[test]
fn a_silent_subject_is_told_once_and_reminders_stop() {
    let mut told = Told::default();
    let silent = Present { stale: true, ..present(Warning) };
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(act(&mut told, silent, 30), Decision::Tell(EventKind::Stale));
    assert_eq!(act(&mut told, silent, 99_999), Decision::Nothing { reminder: None });
    assert_eq!(act(&mut told, present(Warning), 100_000), Decision::Tell(EventKind::Reminded));
}

#[test]
fn who_was_told_nothing_gets_no_end() {
    let mut told = Told::default();
    assert!(!told.end(note(EventKind::Recovered)));
    assert_eq!(told.due_ends(), []);
}

#[test]
fn what_follows_a_notification_on_its_way_waits_and_lists_what_happened() {
    let mut told = Told::default();
    let id = NotificationId::from("n1");
    assert!(tell(&mut told, EventKind::Raised, present(Warning), 0, &id).events.is_empty());
    told.miss(FoldedEvent { event: EventKind::Escalated, level: Critical, time: at(5) });
    assert_eq!(told.decide(present(Critical), at(5), TIMING), Decision::Hold(Hold::InFlight));
    assert!(told.end(note(EventKind::Recovered)));
    assert_eq!(told.due_ends(), [], "the end waits for the raise");
    assert_eq!(told.arrive(&id, true), Some(Vec::new()));
    let ends = told.due_ends();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].folded, [FoldedEvent { event: EventKind::Escalated, level: Critical, time: at(5) }]);
}

#[test]
fn a_closed_window_holds_and_a_missing_route_says_nothing() {
    let told = Told::default();
    let closed = Present { reach: Reach::Closed { opens: at(900) }, ..present(Warning) };
    assert_eq!(told.decide(closed, at(0), TIMING), Decision::Hold(Hold::OutsideActive { until: at(900) }));
    let unrouted = Present { reach: Reach::Unrouted, ..present(Warning) };
    assert_eq!(told.decide(unrouted, at(0), TIMING), Decision::Nothing { reminder: None });
    let disabled = Present { reach: Reach::Disabled, ..present(Warning) };
    assert_eq!(told.decide(disabled, at(0), TIMING), Decision::Hold(Hold::Disabled));
}

#[test]
fn a_raise_that_was_given_up_told_nothing() {
    let mut told = Told::default();
    let id = NotificationId::from("n1");
    tell(&mut told, EventKind::Raised, present(Warning), 0, &id);
    assert_eq!(told.arrive(&id, false), Some(Vec::new()));
    assert_eq!(told.decide(present(Warning), at(10), TIMING), Decision::Nothing { reminder: Some(at(3600)) });
    assert_eq!(told.decide(present(Critical), at(10), TIMING), Decision::Tell(EventKind::Raised));
    assert_eq!(told.decide(present(Warning), at(3600), TIMING), Decision::Tell(EventKind::Raised), "not reminded");
    assert!(!told.end(note(EventKind::Recovered)), "who was told nothing gets no end");
    assert_eq!(told.due_ends(), []);
}

#[test]
fn an_end_that_waits_for_a_raise_is_owed_only_if_it_or_something_before_it_arrived() {
    for (raise_arrives, reminder_arrives, n_ends) in
        [(true, true, 1), (true, false, 1), (false, true, 1), (false, false, 0)]
    {
        let mut told = Told::default();
        let (raise, reminder) = (NotificationId::from("n1"), NotificationId::from("n2"));
        tell(&mut told, EventKind::Raised, present(Warning), 0, &raise);
        told.arrive(&raise, raise_arrives);
        tell(&mut told, EventKind::Reminded, present(Warning), 3600, &reminder);
        assert!(told.end(note(EventKind::Recovered)));
        assert_eq!(told.due_ends(), [], "the end waits");
        told.arrive(&reminder, reminder_arrives);
        assert_eq!(told.due_ends().len(), n_ends, "{raise_arrives} {reminder_arrives}");
    }
}

#[test]
fn a_flapping_alert_is_told_once_and_again_when_it_is_quiet() {
    let flapping = |level| Present { flapping: true, ..present(level) };
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    assert_eq!(act(&mut told, flapping(Warning), 10), Decision::Tell(EventKind::Flapping), "it passes the cooldown");
    assert_eq!(act(&mut told, flapping(Warning), 20), Decision::Hold(Hold::Flapping));
    let resting = Present { is_up: false, ..flapping(Critical) };
    assert_eq!(act(&mut told, resting, 30), Decision::Hold(Hold::Flapping), "it is not up");
    assert_eq!(act(&mut told, flapping(Critical), 40), Decision::Tell(EventKind::Escalated), "above any told");
    assert_eq!(act(&mut told, flapping(Critical), 9999), Decision::Hold(Hold::Flapping), "nothing is repeated");
    assert_eq!(act(&mut told, present(Critical), 10_000), Decision::Tell(EventKind::Raised));
}

#[test]
fn who_was_told_nothing_hears_that_it_flaps_when_it_is_up() {
    let mut told = Told::default();
    let resting = Present { flapping: true, is_up: false, ..present(Warning) };
    assert_eq!(act(&mut told, resting, 0), Decision::Nothing { reminder: None });
    assert_eq!(act(&mut told, Present { is_up: true, ..resting }, 10), Decision::Tell(EventKind::Flapping));
}

#[test]
fn what_came_due_while_nobody_watched_is_not_repeated_until_the_subject_is_heard_of() {
    let mut told = Told::default();
    assert_eq!(act(&mut told, present(Warning), 0), Decision::Tell(EventKind::Raised));
    let awaited = |until| Present { blind: Some((at(100), at(until))), ..present(Warning) };
    assert_eq!(act(&mut told, awaited(99_999), 99_999), Decision::Nothing { reminder: None });
    assert_eq!(
        told.decide(awaited(1000), at(99_999), TIMING),
        Decision::Tell(EventKind::Reminded),
        "it came due later"
    );
    assert_eq!(act(&mut told, present(Warning), 99_999), Decision::Tell(EventKind::Reminded));
}

#[test]
fn of_many_missed_events_the_newest_are_listed_and_all_are_counted() {
    let mut told = Told::default();
    told.miss(FoldedEvent { event: EventKind::Raised, level: Warning, time: at(0) });
    for secs in 1..50 {
        told.miss(FoldedEvent { event: EventKind::Escalated, level: Critical, time: at(secs) });
    }
    assert_eq!(told.n_missed(), 50);
    let folded = tell(&mut told, EventKind::Raised, present(Critical), 60, &"n".into());
    assert_eq!((folded.events.len(), folded.omitted, folded.is_new), (20, 29, false), "the raise was the first");
    assert_eq!(folded.events.first().map(|event| event.time), Some(at(30)));
    assert_eq!(told.n_missed(), 0);
}
