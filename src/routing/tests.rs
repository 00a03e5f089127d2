use super::*;

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn route(matches: &str, to: &[&str]) -> Route {
    Route {
        matches: serde_yaml::from_str(matches).unwrap(),
        to: to.iter().map(|name| ChannelName::from(*name)).collect(),
        ..Route::default()
    }
}

fn routing(routes: Vec<Route>, channels: &[&str]) -> Routing {
    Routing::new(routes, channels.iter().map(|name| ChannelName::from(*name)), TimeZone::UTC)
}

fn ask(routing: &Routing, level: Level, notify: Option<&[ChannelName]>, wall: &str) -> Targets {
    let (rule, subject) = (RuleName::from("r"), SubjectKey::new("host", "web-1"));
    let labels = Labels::new();
    routing.targets(&Facts { rule: &rule, level, subject: &subject, labels: &labels, notify }, at(wall))
}

const FRIDAY_NOON: &str = "2026-11-20T12:00:00Z";
const SATURDAY: &str = "2026-11-21T12:00:00Z";

#[track_caller]
fn check(routing: &Routing, level: Level, expected: &[&str]) {
    let targets = ask(routing, level, None, FRIDAY_NOON);
    let open: Vec<&str> = targets.open.iter().map(ChannelName::as_str).collect();
    assert_eq!(open, expected);
    assert!(targets.closed.is_empty());
}

#[test]
fn the_first_route_that_matches_decides() {
    let routing =
        routing(vec![route("{ level: '>=error' }", &["mail"]), route("{}", &["console"])], &["mail", "console"]);
    check(&routing, Level::Critical, &["mail"]);
    check(&routing, Level::Info, &["console"]);
}

#[test]
fn continue_asks_the_routes_after_it_too() {
    let first = Route { continues: true, ..route("{}", &["mail"]) };
    let routing = routing(
        vec![first, route("{ kind: service }", &["never"]), route("{}", &["console", "mail"]), route("{}", &["never"])],
        &["mail", "console", "never"],
    );
    check(&routing, Level::Info, &["console", "mail"]);
}

#[test]
fn without_routes_the_console_is_told_or_else_everybody() {
    check(&routing(vec![], &["mail", "console"]), Level::Info, &["console"]);
    check(&routing(vec![], &["mail", "ops"]), Level::Info, &["mail", "ops"]);
    check(&routing(vec![], &[]), Level::Info, &[]);
}

#[test]
fn with_routes_an_alert_that_none_takes_goes_to_nobody() {
    check(&routing(vec![route("{ level: critical }", &["mail"])], &["mail", "console"]), Level::Info, &[]);
}

#[test]
fn a_rules_own_notify_goes_past_the_routes_and_past_channels_that_do_not_exist() {
    let routing = routing(vec![route("{}", &["console"])], &["mail", "console"]);
    let targets = ask(&routing, Level::Info, Some(&["mail".into(), "none".into()]), FRIDAY_NOON);
    assert_eq!(targets.open.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["mail"]);
}

fn office_hours(to: &[&str]) -> Route {
    Route { active: Some("Mon-Fri 09:00-18:00".parse().unwrap()), continues: true, ..route("{}", to) }
}

#[test]
fn a_closed_window_names_when_it_opens() {
    let routing = routing(vec![office_hours(&["mail"])], &["mail"]);
    let targets = ask(&routing, Level::Info, None, SATURDAY);
    let opens = at("2026-11-23T09:00:00Z");
    assert!(targets.open.is_empty());
    assert_eq!(targets.closed, BTreeMap::from([("mail".into(), opens)]));
    assert_eq!(targets.changes_at, Some(opens));
    let targets = ask(&routing, Level::Info, None, FRIDAY_NOON);
    assert_eq!(targets.open, BTreeSet::from(["mail".into()]));
    assert_eq!(targets.changes_at, Some(at("2026-11-20T18:00:00Z")));
}

#[test]
fn a_route_whose_window_is_closed_still_decides() {
    let mut closed = office_hours(&["mail"]);
    closed.continues = false;
    let routing = routing(vec![closed, route("{}", &["console"])], &["mail", "console"]);
    assert!(ask(&routing, Level::Info, None, SATURDAY).open.is_empty());
}

#[test]
fn a_channel_that_is_open_by_one_route_is_not_closed_by_another() {
    let routing = routing(vec![office_hours(&["mail", "ops"]), route("{}", &["mail"])], &["mail", "ops"]);
    let targets = ask(&routing, Level::Info, None, SATURDAY);
    assert_eq!(targets.open, BTreeSet::from(["mail".into()]));
    assert_eq!(targets.closed.keys().collect::<Vec<_>>(), [&ChannelName::from("ops")]);
}

#[track_caller]
fn check_uncovered(routes: Vec<Route>, levels: &[Level], notify: Option<&[ChannelName]>, expected: &[&str]) {
    let (rule, labels) = (RuleName::from("r"), Labels::from([("team".into(), "core".into())]));
    let possible = Possible {
        rule: &rule,
        file: "rules/a.rhai",
        line: 1,
        text: "rule(\"r\", #{})",
        levels,
        kind: "host",
        labels: &labels,
        notify,
    };
    let problems = routing(routes, &["mail", "console"]).uncovered([possible]);
    assert_eq!(problems.iter().map(|problem| problem.to_string()).collect::<Vec<_>>(), expected);
}

#[test]
fn alerts_that_no_route_would_take_are_named_with_their_levels() {
    let hint = "(add a last route without `match`: `- to: [console]`)";
    let levels = [Level::Critical, Level::Warning];
    check_uncovered(vec![], &levels, None, &[]);
    check_uncovered(vec![route("{ name: 'web-*', env: prod }", &["mail"])], &levels, None, &[]);
    check_uncovered(
        vec![route("{ level: '>=error' }", &["mail"])],
        &levels,
        None,
        &[&format!("rules/a.rhai:1:1: warning: no route takes the alerts of rule `r` at level warning {hint}")],
    );
    let all = format!("rules/a.rhai:1:1: warning: no route takes the alerts of rule `r` {hint}");
    check_uncovered(vec![route("{ kind: service }", &["mail"])], &levels, None, &[&all]);
    check_uncovered(vec![route("{ rule: 'cpu_*' }", &["mail"])], &levels, None, &[&all]);
    check_uncovered(vec![route("{ team: web }", &["mail"])], &levels, None, &[&all]);
    check_uncovered(vec![route("{ kind: service }", &["mail"])], &levels, Some(&["mail".into()]), &[]);
    let nobody = "rules/a.rhai:1:1: warning: nobody is told of alerts of rule `r`: `notify` is empty (name a channel, or leave `notify` out to use the routes)";
    check_uncovered(vec![], &levels, Some(&[]), &[nobody]);
}

#[test]
fn each_route_says_why_it_takes_an_alert_or_not() {
    let routing = routing(
        vec![
            route("{ level: '>=error' }", &["mail"]),
            office_hours(&["ops"]),
            route("{}", &["console"]),
            route("{}", &["never"]),
        ],
        &["mail", "ops", "console", "never"],
    );
    let (rule, subject, labels) = (RuleName::from("r"), SubjectKey::new("host", "web-1"), Labels::new());
    let facts = |notify| Facts { rule: &rule, level: Level::Info, subject: &subject, labels: &labels, notify };
    let said = |facts: &Facts<'_>, wall| -> Vec<String> {
        let answers = routing.answers(facts, at(wall)).into_iter();
        let words = answers.map(|answer| match answer {
            Answer::NotAsked => "not asked".to_string(),
            Answer::Mismatch(mismatch) => mismatch.to_string(),
            Answer::Takes => "takes".to_string(),
            Answer::Closed { opens } => format!("closed until {opens}"),
        });
        words.collect()
    };
    let first = "level is `info`, wants `>=error`";
    assert_eq!(said(&facts(None), FRIDAY_NOON), [first, "takes", "takes", "not asked"]);
    assert_eq!(
        said(&facts(None), SATURDAY),
        [first, "closed until 2026-11-23T09:00:00Z", "takes", "not asked"],
        "a closed window does not stop the routes after it where the route says `continue`"
    );
    assert_eq!(said(&facts(Some(&["mail".into()])), SATURDAY), ["not asked"; 4], "`notify` goes past the routes");
}
