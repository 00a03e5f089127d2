use super::*;
use crate::model::{AlertNote, EventKind, FoldedEvent, Group, Level};

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
fn earlier_events_that_are_not_listed_are_counted() {
    let told = |locale, folded| {
        let mut sample = samples().into_iter().find(|sample| sample.alerts[0].folded_omitted > 0).unwrap();
        sample.alerts[0].folded = folded;
        Texts::new(locale, TimeZone::UTC).message(&sample, &Template::default(), Escape::None).text
    };
    let raised = FoldedEvent { event: EventKind::Raised, level: Level::Error, time: samples()[0].time };
    assert!(told(Locale::En, Vec::new()).contains("\nbefore: 12 earlier events\n"));
    assert!(told(Locale::En, vec![raised.clone()]).contains("\nbefore: 12 earlier events, raised error 10:00:00\n"));
    assert!(told(Locale::ZhCn, vec![raised]).contains("\n此前：更早的 12 个事件、触发（错误）10:00:00\n"));
}

#[test]
fn flapping_says_that_it_will_be_quiet() {
    let message = of_event(Locale::En, "UTC", EventKind::Flapping);
    assert_eq!(message.title, "[warning] high_error_rate shop-api (flapping)");
    assert!(message.text.contains("further raises and recoveries are not told until it is quiet"), "{}", message.text);
    assert_eq!(of_event(Locale::ZhCn, "UTC", EventKind::Flapping).title, "[警告] high_error_rate shop-api（反复）");
}

#[test]
fn several_alerts_are_counted_in_the_title_and_told_one_by_one() {
    let texts = Texts::default();
    let mut sample = samples().into_iter().find(|sample| sample.alerts.len() > 10).unwrap();
    let message = texts.message(&sample, &Template::default(), Escape::None);
    assert_eq!(message.title, format!("[critical] {0} alerts: high_error_rate ({0})", sample.alerts.len()));
    assert!(
        message.text.starts_with("[critical] high_error_rate shop-api (was warning): shop-api: 30% of calls fail\n")
    );
    assert_eq!(message.text.lines().count(), sample.alerts.len(), "many are told in a line each: {}", message.text);
    sample.alerts.truncate(3);
    let message = texts.message(&sample, &Template::default(), Escape::None);
    assert_eq!(message.text.matches("\n\n[").count(), 2, "{}", message.text);
    assert_eq!(message.text.matches("\nrunbook: ").count(), 3, "{}", message.text);
}

fn of_occasion(locale: Locale, wanted: fn(&Occasion) -> bool) -> Message {
    words(locale, "UTC").into_iter().find(|(sample, _)| wanted(&sample.occasion)).unwrap().1
}

#[test]
fn a_groups_message_says_what_is_new_what_ended_and_what_still_fires() {
    let message = of_occasion(Locale::En, |occasion| matches!(occasion, Occasion::Group(_)));
    assert_eq!(message.title, "[error] region=eu: 1 new, 1 ended, 6 still firing");
    assert_eq!(
        message.text,
        "new:\n\
         [warning] high_error_rate shop-api\n\
         shop-api: 30% of calls fail\n\
         firing since 2026-11-21 09:55:00 UTC\n\
         values: error_rate 0.3, total_calls 1200\n\
         labels: region=eu\n\
         runbook: https://runbooks.example/high_error_rate\n\n\
         ended:\n\
         [recovered] high_error_rate shop-api\n\
         recovered at 2026-11-21 10:00:00 UTC after 5m\n\
         was: shop-api: 30% of calls fail\n\
         values: error_rate 0.3, total_calls 1200\n\
         labels: region=eu\n\
         runbook: https://runbooks.example/high_error_rate\n\n\
         still firing:\n\
         [error] high_error_rate cart-api, since 09:00:00\n\
         [warning] slow_answers user-api, since 09:00:00\n\
         and 4 more"
    );
    let chinese = of_occasion(Locale::ZhCn, |occasion| matches!(occasion, Occasion::Group(_)));
    assert_eq!(chinese.title, "[错误] region=eu：新增 1 条，结束 1 条，仍在告警 6 条");
    assert!(chinese.text.ends_with("[警告] slow_answers user-api，自 09:00:00 起\n另有 4 条"), "{}", chinese.text);
}

#[test]
fn a_group_of_one_names_it_and_one_without_labels_its_rules() {
    let message = of_occasion(Locale::En, |o| matches!(o, Occasion::Group(group) if group.by.is_empty()));
    assert_eq!(message.title, "[recovered] high_error_rate: 1 ended (high_error_rate shop-api)");
}

#[test]
fn a_summary_counts_all_that_it_stands_for_and_names_the_first() {
    let message = of_occasion(Locale::En, |occasion| matches!(occasion, Occasion::Summary(_)));
    assert_eq!(message.title, "[critical] 137 alerts: high_error_rate (100), disk_full (37)");
    assert_eq!(
        message.text,
        "stands for 137 alerts with 150 events that could not be told one by one\n\
         raised: high_error_rate warning (99), disk_full warning (37)\n\
         escalated: high_error_rate critical (1)\n\n\
         [critical] high_error_rate shop-api (was warning): shop-api: 30% of calls fail\n\
         [warning] high_error_rate shop-api: shop-api: 30% of calls fail\n\
         and 135 more"
    );
    let chinese = of_occasion(Locale::ZhCn, |occasion| matches!(occasion, Occasion::Summary(_)));
    assert_eq!(chinese.title, "[严重] 137 条告警：high_error_rate（100）、disk_full（37）");
    assert!(
        chinese
            .text
            .starts_with("本消息汇总 137 条（共 150 个事件）未能逐条通知的告警\n触发：high_error_rate 警告（99）")
    );
}

#[test]
fn what_could_not_be_told_elsewhere_says_where_and_why() {
    let message = of_occasion(Locale::En, |occasion| matches!(occasion, Occasion::Undelivered(_)));
    assert_eq!(message.title, "[critical] ops could not be told: high_error_rate shop-api (was warning)");
    assert!(
        message.text.starts_with("ops could not be told: given up after 1d and 300 attempts: "),
        "{}",
        message.text
    );
    assert!(message.text.contains("\n\nshop-api: 30% of calls fail\n"), "{}", message.text);
    let chinese = of_occasion(Locale::ZhCn, |occasion| matches!(occasion, Occasion::Undelivered(_)));
    assert_eq!(chinese.title, "[严重] 无法通知 ops：high_error_rate shop-api（原为警告）");
}

/// Hundreds of alerts, of which the last is the worst.
fn storm(occasion: Occasion) -> Notification {
    let mut notification = samples().remove(0);
    let alert = |n: usize| {
        let mut alert = notification.alerts[0].clone();
        alert.subject.name = format!("host-{n:03}").into();
        alert.message = format!("host-{n:03}: the disk is full");
        alert.level = if n == 299 { Level::Critical } else { Level::Warning };
        alert
    };
    notification.alerts = (0..300).map(alert).collect();
    notification.occasion = occasion;
    notification
}

#[test]
fn of_many_alerts_the_first_that_fit_are_listed_whole_and_the_rest_is_counted() {
    let group = Group { by: [("region".into(), "eu".into())].into(), ..Group::default() };
    for occasion in [Occasion::Alert, Occasion::Group(group)] {
        let storm = storm(occasion);
        for (locale, room) in [(Locale::En, 4000), (Locale::ZhCn, 2000), (Locale::En, 300), (Locale::En, MAX_MESSAGE)] {
            let texts = Texts::new(locale, TimeZone::UTC);
            let message = texts.message_within(&storm, &Template::default(), Escape::None, |_| room);
            assert!(message.text.len() <= room && !message.text.contains('…'), "{}", message.text);
            let listed = message.text.lines().filter(|line| line.starts_with('[')).count();
            let last = message.text.lines().last().unwrap();
            let number: String = last.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(listed + number.parse::<usize>().unwrap(), 300, "{}", message.text);
            assert!(message.text.contains("host-299"), "the worst comes first: {}", message.text);
            assert!(listed >= (room / 70).min(200) / 2, "{listed} of them in {room} bytes");
        }
    }
}

#[test]
fn one_alert_that_does_not_fit_is_cut() {
    let mut sample = samples().remove(0);
    sample.alerts[0].message = "x".repeat(3000);
    let message = Texts::default().message_within(&sample, &Template::default(), Escape::None, |_| 100);
    assert!(message.text.len() == 100 && message.text.ends_with('…'), "{}", message.text);
}

#[test]
fn how_bad_a_message_is_says_what_still_fires() {
    let severity = |occasion, event, level| {
        let mut sample = samples().remove(0);
        sample.alerts[0] = AlertNote { event, level, ..sample.alerts[0].clone() };
        sample.occasion = occasion;
        Severity::of(&sample)
    };
    let (error, over) = (Level::Error, true);
    assert_eq!(severity(Occasion::Alert, EventKind::Recovered, error), Severity { level: error, over });
    let group = samples().into_iter().find_map(|sample| match sample.occasion {
        Occasion::Group(group) if !group.firing.is_empty() => Some(group),
        _ => None,
    });
    let group = Occasion::Group(group.unwrap());
    let open = Severity { level: error, over: false };
    assert_eq!(severity(group, EventKind::Recovered, Level::Critical), open, "another still fires, at error");
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
        let english = ["firing", "since", "more", "alert", "told"];
        let foreign = message.text.replace("given up after", "").replace("the receiver answered", "");
        assert!(english.iter().all(|word| !foreign.contains(word)), "{}", message.text);
    }
}

#[test]
fn no_default_message_has_an_empty_line_in_an_alert_or_an_unset_value() {
    let both = words(Locale::En, "UTC").into_iter().chain(words(Locale::ZhCn, "UTC"));
    for (sample, message) in both.filter(|(sample, _)| sample.alerts.len() == 1 && sample.occasion.is_alert()) {
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
