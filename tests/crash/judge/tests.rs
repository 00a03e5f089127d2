//! The judge, given logs with one fault each.

use serde_json::{Value, json};

use super::*;

fn push(name: &str, n: u64, v: f64) -> Push {
    Push { name: name.to_string(), n, v, taken: true }
}

/// A request, before it is evidence.
#[derive(Clone)]
struct Sent {
    at: u64,
    id: String,
    accepted: bool,
    body: Value,
}

/// What is judged, in a form in which faults are easily planted.
struct Case {
    pushes: Vec<Push>,
    sent: BTreeMap<&'static str, Vec<Sent>>,
    figures: BTreeMap<&'static str, Figures>,
}

impl Case {
    fn judge(&self) -> Judgement {
        let arrival = |sent: &Sent| Arrival::new(sent.at, &sent.id, sent.accepted, &sent.body);
        judge(&Evidence {
            pushes: self.pushes.clone(),
            arrivals: self
                .sent
                .iter()
                .map(|(name, sent)| (name.to_string(), sent.iter().map(arrival).collect()))
                .collect(),
            figures: self.figures.iter().map(|(name, figures)| (name.to_string(), *figures)).collect(),
        })
    }
}

/// A request with these alerts, accepted at once.
fn arrival(at: u64, id: &str, alerts: Vec<Value>) -> Sent {
    let body = json!({ "id": id, "alerts": alerts, "summary": { "alerts": alerts.len(), "omitted": 0 } });
    Sent { at, id: id.to_string(), accepted: true, body }
}

/// What is told of `hot` of a service. The number of the push stands for the time of the raise.
fn alert(firing: &str, event: &str, n: u64) -> Value {
    json!({ "id": firing, "event": event, "rule": "hot", "level": "warning", "name": "a",
            "message": format!("n={n}"), "since": format!("2026-11-21T10:00:0{n}Z") })
}

fn loud(firing: &str, event: &str, level: &str, n: u64) -> Value {
    let mut alert = alert(firing, event, n);
    (alert["rule"], alert["level"]) = (json!("loud"), json!(level));
    alert
}

fn folding(mut alert: Value, omitted: u64, folded: &[&str]) -> Value {
    alert["folded"] = folded.iter().map(|event| json!({ "event": event })).collect();
    alert["folded_omitted"] = json!(omitted);
    alert
}

/// A service that fires twice and still does, and gets louder and quieter at that. One channel is told all of it, one
/// only the truth at the end.
fn honest() -> Case {
    let values = [0.5, 1.5, 0.5, 2.5, 3.5, 2.5];
    let pushes = (1..).zip(values).map(|(n, v)| push("a", n, v)).collect();
    let prompt = vec![
        arrival(1, "n1", vec![alert("f1", "raised", 2)]),
        arrival(2, "n2", vec![alert("f1", "recovered", 2)]),
        arrival(3, "n3", vec![alert("f2", "raised", 4)]),
        arrival(4, "n4", vec![loud("f3", "raised", "warning", 4)]),
        arrival(5, "n5", vec![loud("f3", "escalated", "critical", 5)]),
        arrival(6, "n6", vec![loud("f3", "eased", "warning", 6)]),
    ];
    let late = vec![
        arrival(6, "m1", vec![folding(alert("f2", "raised", 4), 1, &["raised"])]),
        arrival(7, "m2", vec![folding(loud("f3", "raised", "warning", 6), 0, &["raised", "escalated"])]),
    ];
    let sums = |delivered| Figures { owed: 6, delivered, suppressed: 6 - delivered, ..Figures::default() };
    Case {
        pushes,
        sent: [("prompt", prompt), ("late", late)].into(),
        figures: [("prompt", sums(6)), ("late", sums(6))].into(),
    }
}

fn prompt(case: &mut Case) -> &mut Vec<Sent> {
    case.sent.get_mut("prompt").unwrap()
}

#[test]
fn an_honest_log_is_found_to_be_in_order() {
    let judgement = honest().judge();
    assert_eq!(judgement.findings, []);
    assert_eq!((judgement.firings, judgement.transitions), (3, 6));
    assert_eq!(judgement.channels["prompt"].notifications, 6);
    assert_eq!(judgement.channels["late"], Tally { notifications: 2, events: 6, untold: 1, ..Tally::default() });
}

#[test]
fn the_same_notification_may_come_again_and_may_be_refused_before() {
    let mut case = honest();
    let log = prompt(&mut case);
    log.insert(0, Sent { accepted: false, ..log[0].clone() });
    log.insert(2, log[1].clone());
    let judgement = case.judge();
    assert_eq!(judgement.findings, []);
    let tally = &judgement.channels["prompt"];
    assert_eq!((tally.notifications, tally.refused, tally.repeats), (6, 1, 1));
}

#[test]
fn every_planted_fault_is_found_for_what_it_is() {
    type Plant = fn(&mut Case);
    let cases: &[(&str, Wrong, Plant)] = &[
        ("a push that was not taken", Wrong::NotTaken, |e| e.pushes[3].taken = false),
        ("the raise of what still fires is missing", Wrong::Lost, |e| drop(prompt(e).remove(2))),
        ("all is missing", Wrong::Lost, |e| prompt(e).clear()),
        ("an end is missing", Wrong::Lost, |e| drop(prompt(e).remove(1))),
        ("a level is missing", Wrong::Lost, |e| drop(prompt(e).remove(5))),
        ("what was refused did not come again", Wrong::Lost, |e| prompt(e)[2].accepted = false),
        ("an end comes without its raise", Wrong::Disordered, |e| drop(prompt(e).remove(0))),
        ("an end comes before its raise", Wrong::Disordered, |e| prompt(e).swap(0, 1)),
        ("a later firing comes first", Wrong::Disordered, |e| {
            let later = prompt(e).remove(2);
            prompt(e).insert(0, later);
        }),
        ("a level comes before the raise", Wrong::Disordered, |e| prompt(e).swap(3, 4)),
        ("the start goes back", Wrong::Disordered, |e| {
            prompt(e)[2].body["alerts"][0]["since"] = json!("2026-11-21T10:00:01Z");
        }),
        ("what was over comes again, long after", Wrong::Disordered, |e| {
            let again = Sent { at: 5000, ..prompt(e)[0].clone() };
            prompt(e).push(again);
        }),
        ("a raise comes under two ids", Wrong::Invented, |e| {
            prompt(e).insert(1, arrival(1, "n9", vec![alert("f1", "raised", 2)]));
        }),
        ("an end comes under two ids", Wrong::Invented, |e| {
            prompt(e).insert(2, arrival(2, "n9", vec![alert("f1", "recovered", 2)]));
        }),
        ("a raise comes under two ids after its end", Wrong::Disordered, |e| {
            prompt(e).insert(2, arrival(2, "n9", vec![alert("f1", "raised", 2)]));
        }),
        ("a firing has two ids", Wrong::Invented, |e| prompt(e)[1].body["alerts"][0]["id"] = json!("f9")),
        ("the channels know a firing by different ids", Wrong::Invented, |e| {
            prompt(e)[2].body["alerts"][0]["id"] = json!("f9");
        }),
        ("the id of a firing is used again", Wrong::Invented, |e| prompt(e)[2].body["alerts"][0]["id"] = json!("f1")),
        ("the id of another alert's firing is used", Wrong::Invented, |e| {
            prompt(e)[3].body["alerts"][0]["id"] = json!("f2");
        }),
        ("a notification changes", Wrong::Invented, |e| {
            let mut again = prompt(e)[0].clone();
            again.body["title"] = json!("another");
            prompt(e).insert(1, again);
        }),
        ("header and body differ", Wrong::Invented, |e| prompt(e)[0].id = "n9".into()),
        ("a level that it never had", Wrong::Invented, |e| prompt(e)[0].body["alerts"][0]["level"] = json!("error")),
        ("a raise that never was", Wrong::Invented, |e| prompt(e)[0].body["alerts"][0]["message"] = json!("n=1")),
        ("a service that never was", Wrong::Invented, |e| prompt(e)[0].body["alerts"][0]["name"] = json!("b")),
        ("an end of what still fires", Wrong::Invented, |e| {
            prompt(e).push(arrival(7, "n7", vec![alert("f2", "recovered", 4)]));
        }),
        ("a reminder that nothing asks for", Wrong::Invented, |e| {
            prompt(e).push(arrival(7, "n7", vec![alert("f2", "reminded", 4)]));
        }),
        ("more events than there were", Wrong::Books, |e| {
            let body = &mut prompt(e)[1].body["alerts"][0];
            *body = folding(body.take(), 3, &[]);
        }),
        ("a summary of more than there was", Wrong::Books, |e| {
            prompt(e)[0].body["summary"]["events"] = json!(7);
        }),
        ("the daemon owes less", Wrong::Figures, |e| e.figures.get_mut("prompt").unwrap().owed = 5),
        ("the daemon says that something is dead", Wrong::Figures, |e| e.figures.get_mut("late").unwrap().dead = 1),
        ("the daemon's sum is wrong", Wrong::Figures, |e| e.figures.get_mut("late").unwrap().delivered = 4),
    ];
    for (what, wrong, plant) in cases {
        let mut case = honest();
        plant(&mut case);
        let found = case.judge().findings;
        assert!(found.iter().any(|finding| finding.wrong == *wrong), "{what} should be {wrong:?}: {found:#?}");
    }
}

#[test]
fn what_a_summary_stands_for_is_counted_once() {
    let mut case = honest();
    case.sent.remove("prompt");
    case.figures.remove("prompt");
    let log = case.sent.get_mut("late").unwrap();
    log[1].body["summary"] = json!({ "events": 3, "stands_for": ["m3", "m4"] });
    log.push(log[1].clone());
    let judgement = case.judge();
    assert_eq!(judgement.findings, []);
    assert_eq!(judgement.channels["late"].events, 6);
}
