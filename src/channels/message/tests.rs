use super::*;
use crate::model::EventKind;

fn words(locale: Locale, zone: &str) -> Vec<(Notification, Message)> {
    let texts = Texts::new(locale, TimeZone::get(zone).unwrap());
    samples()
        .into_iter()
        .map(|sample| {
            let message = texts.message(&sample, &Template::default(), Escape::None);
            (sample, message)
        })
        .collect()
}

fn of_event(locale: Locale, zone: &str, event: EventKind) -> Message {
    words(locale, zone).into_iter().find(|(sample, _)| sample.alerts[0].event == event).unwrap().1
}

#[test]
fn a_raise_says_what_where_since_when_and_where_to_read_on() {
    let message = of_event(Locale::En, "UTC", EventKind::Raised);
    assert_eq!(message.title, "[warning] high_error_rate shop-api");
    assert_eq!(
        message.text,
        "shop-api: 30% of calls fail\n\
         firing since 2026-11-21 09:55:00 UTC\n\
         values: error_rate 0.3, total_calls 1200\n\
         labels: region=eu\n\
         runbook: https://runbooks.example/high_error_rate"
    );
}

#[test]
fn times_are_absolute_and_of_the_configured_zone() {
    let message = of_event(Locale::En, "Asia/Shanghai", EventKind::Raised);
    assert!(message.text.contains("firing since 2026-11-21 17:55:00 +08:00"), "{}", message.text);
}

#[test]
fn every_event_is_worded_as_what_it_is() {
    let title = |event| of_event(Locale::En, "UTC", event).title;
    assert_eq!(title(EventKind::Escalated), "[critical] high_error_rate shop-api (was warning)");
    assert_eq!(title(EventKind::Eased), "[warning] high_error_rate shop-api (was critical)");
    assert_eq!(title(EventKind::Reminded), "[warning] high_error_rate shop-api (still firing since 09:55:00)");
    assert_eq!(title(EventKind::Stale), "[warning] high_error_rate shop-api (no data)");
    assert_eq!(title(EventKind::Recovered), "[recovered] high_error_rate shop-api");
    let stale = of_event(Locale::En, "UTC", EventKind::Stale).text;
    assert!(stale.contains("no data since 2026-11-21 10:00:00 UTC, last error_rate 0.3"), "{stale}");
    let recovered = of_event(Locale::En, "UTC", EventKind::Recovered).text;
    assert!(recovered.starts_with("recovered at 2026-11-21 10:00:00 UTC after 5m\n"), "{recovered}");
    let reminded = of_event(Locale::En, "UTC", EventKind::Reminded).text;
    assert!(reminded.contains("not judged since 2026-11-21 10:00:00 UTC"), "{reminded}");
}

#[test]
fn a_closed_alert_says_why_and_never_recovered() {
    for (sample, message) in words(Locale::En, "UTC") {
        let [alert] = sample.alerts.as_slice() else { continue };
        let Some(reason) = alert.reason else { continue };
        assert_eq!(message.title, format!("[closed] high_error_rate shop-api ({reason})"));
        assert!(message.text.contains(reason.as_str()), "{}", message.text);
        assert!(!message.text.contains("recovered"), "{}", message.text);
    }
}

#[test]
fn folded_events_are_listed_with_their_times() {
    let (_, message) = words(Locale::En, "UTC").into_iter().find(|(s, _)| !s.alerts[0].folded.is_empty()).unwrap();
    assert!(message.text.contains("before: raised critical 10:00:00, escalated critical 10:00:00\n"), "{message:?}");
}

#[test]
fn several_alerts_are_counted_in_the_title_and_told_one_by_one() {
    let (sample, message) = words(Locale::En, "UTC").pop().unwrap();
    assert_eq!(message.title, format!("[critical] {0} alerts: high_error_rate ({0})", sample.alerts.len()));
    assert_eq!(message.text.matches("\n\n[").count(), sample.alerts.len() - 1, "{}", message.text);
}

#[test]
fn the_defaults_speak_chinese_too() {
    let message = of_event(Locale::ZhCn, "Asia/Shanghai", EventKind::Raised);
    assert_eq!(message.title, "[警告] high_error_rate shop-api");
    assert!(message.text.contains("开始时间：2026-11-21 17:55:00 +08:00\n数值：error_rate 0.3，total_calls 1200\n"));
    assert_eq!(of_event(Locale::ZhCn, "UTC", EventKind::Recovered).title, "[已恢复] high_error_rate shop-api");
    for (sample, message) in words(Locale::ZhCn, "UTC") {
        assert!(!message.text.is_empty() && !message.title.is_empty(), "{sample:?}");
        assert!(!message.text.contains("none"), "{}", message.text);
    }
}

#[test]
fn no_default_message_has_an_empty_line_in_an_alert_or_an_unset_value() {
    let both = words(Locale::En, "UTC").into_iter().chain(words(Locale::ZhCn, "UTC"));
    for (sample, message) in both.filter(|(sample, _)| sample.alerts.len() == 1) {
        assert!(message.text.lines().all(|line| !line.trim().is_empty()), "{}", message.text);
        assert!(!message.text.contains("none"), "{sample:?}");
    }
}

#[test]
fn a_channels_own_template_replaces_the_default() {
    let template = Template { title: Some("{{ alerts[0].name }}!".into()), text: None };
    let texts = Texts::default();
    let message = texts.message(&samples()[0], &template, Escape::None);
    assert_eq!(message.title, "shop-api!");
    assert!(message.text.starts_with("shop-api: 30%"));
}

#[test]
fn values_in_a_template_are_escaped_and_the_template_is_not() {
    let mut sample = samples().remove(0);
    sample.alerts[0].message = "<@all>".into();
    let template = Template { title: None, text: Some("<@zhang> {{ alerts[0].message }}".into()) };
    let message = Texts::default().message(&sample, &template, Escape::WecomText);
    assert_eq!(message.text, "<@zhang> ＜@all>");
}

#[test]
fn a_template_that_fails_is_found_before_it_is_needed() {
    let texts = Texts::default();
    let check = |title: &str| texts.check(&Template { title: Some(title.into()), text: None });
    assert_eq!(check("{{ alerts[0].rule }}"), Ok(()));
    let cases = [
        "{{ alerts[0].rul }}",
        "{{ alerts[0].rule",
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
    ];
    for case in cases {
        let errors = check(case).unwrap_err();
        assert_eq!((errors.len(), errors[0].key), (1, "title"), "{case}");
        assert!(errors[0].message.starts_with("the template `title` fails"), "{}", errors[0].message);
    }
}

#[test]
fn a_template_that_fails_at_night_gives_way_to_the_default() {
    let template = Template { title: None, text: Some("{{ alerts[7].message }}".into()) };
    let message = Texts::default().message(&samples()[0], &template, Escape::None);
    assert!(message.text.starts_with("shop-api: 30%"));
}
