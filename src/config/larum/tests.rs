use super::*;
use crate::collect::{Meant, Pattern, ProcessSettings};
use crate::config::collectors::{BodyExpectation, Http};
use crate::config::{Fixed, Text};
use crate::model::{Labels, Level, RuleName, SubjectKey, Time, Value};
use crate::rules::{Param, Repeat};

fn parse(text: &str) -> Result<Config, Vec<Diagnostic>> {
    Config::parse("larum.yaml", text, &Fixed::default())
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    let problems = parse(text).expect_err("there are problems");
    let lines: Vec<String> =
        problems.iter().map(|problem| problem.to_string().replacen("larum.yaml:", "", 1)).collect();
    assert_eq!(lines, expected, "{text}");
}

/// The example of DESIGN.md section 6, without what comes later.
const EXAMPLE: &str = r#"
listen: 127.0.0.1:8001
data_dir: data
time_zone: Asia/Shanghai
locale: zh-CN
log: { level: info, format: text }
alerts: { enabled: true }
params: { cpu_threshold: 80, error_rate_threshold: 0.1, mode: strict, on: true }
defaults: { every: 30s, cooldown: 5m, repeat: 4h }
collectors:
  - { type: host, every: 10s }
  - { type: http, name: shop-api, url: "https://shop.example/health", every: 15s, timeout: 5s, retries: 2, expect: { status: 200 } }
  - { type: push }
routes:
  - match: { level: ">=error", kind: service }
    to: [ops-wecom, oncall-mail]
    active: "Mon-Fri 09:00-18:00"
    continue: true
  - to: [console]
history: { memory: 24h, disk: 7d, memory_limit: 512MiB }
"#;

#[test]
fn without_a_file_the_host_is_watched_and_pushes_are_taken() {
    let config = Config::without_file();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8001");
    assert_eq!(config.data_dir, PathBuf::from("data"));
    assert_eq!(config.collectors.iter().map(Collector::name).collect::<Vec<_>>(), ["host", "push"]);
    let Collector::Host(host) = &config.collectors[0] else { panic!("the first is the host") };
    assert_eq!(host.every, Duration::from_secs(10));
    assert_eq!(config.defaults, Defaults::default());
    assert_eq!(config.world_limits(), crate::history::Limits::default());
    assert_eq!(config.forget_firing_after, Duration::from_secs(86_400));
    assert_eq!(config.retry.give_up_after, Duration::from_secs(86_400));
    assert!(config.alerts.enabled && config.routes.is_empty());
}

#[test]
fn the_design_example_is_read() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.time_zone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(config.locale, Locale::ZhCn);
    assert_eq!(config.params["cpu_threshold"], Param::Value(Value::Number(80.0)));
    assert_eq!(config.params["mode"], Param::Value(Value::from("strict")));
    assert_eq!(config.params["on"], Param::Value(Value::Bool(true)));
    assert_eq!(config.defaults.every, Some(Duration::from_secs(30)));
    assert_eq!(config.collectors.iter().map(Collector::name).collect::<Vec<_>>(), ["host", "http:shop-api", "push"]);
    assert_eq!(config.routes.len(), 2);
    assert!(config.routes[0].route.continues && config.routes[0].route.active.is_some());
    assert_eq!((config.history.memory_limit, config.history.disk), (512 << 20, Duration::from_secs(7 * 86_400)));
}

fn http(text: &str) -> Http {
    let config = parse(&format!("collectors: [{{ type: http, name: a, url: 'http://a/', {text} }}]")).unwrap();
    match config.collectors.into_iter().next() {
        Some(Collector::Http(http)) => *http,
        other => panic!("{other:?}"),
    }
}

#[test]
fn expectations_are_read_in_all_their_forms() {
    assert_eq!(http("expect: { status: 200 }").expect.status, [200]);
    assert_eq!(http("expect: { status: [200, 204] }").expect.status, [200, 204]);
    assert_eq!(http("expect: { body: ok }").expect.body, [BodyExpectation::Contains("ok".into())]);
    let both =
        http("expect: { body: { contains: ok, matches: '^up' }, json: { /status: up, /n: 3 }, response_time: 2s }");
    assert_eq!(both.expect.body.len(), 2);
    assert_eq!(both.expect.json["/n"], Value::Number(3.0));
    assert_eq!(both.expect.response_time, Some(Duration::from_secs(2)));
    assert_eq!(http("").every, Duration::from_secs(15));
    assert_eq!(http("kind: site").kind.as_ref(), "site");
}

#[test]
fn processes_are_found_by_name_pid_file_or_command() {
    let process = |text: &str| -> ProcessSettings {
        let config = parse(&format!("collectors: [{{ type: process, name: nginx{text} }}]")).unwrap();
        match config.collectors.into_iter().next() {
            Some(Collector::Process(process)) => process.settings,
            other => panic!("{other:?}"),
        }
    };
    let plain = process("");
    assert_eq!((&*plain.kind, &plain.meant), ("process", &Meant::Name("nginx".to_string())));
    let named = parse("collectors: [{ type: process, name: nginx }]").unwrap().collectors;
    assert_eq!(named.iter().map(Collector::name).collect::<Vec<_>>(), ["process:nginx"]);
    assert_eq!(process(", process: nginx.bin").meant, Meant::Name("nginx.bin".to_string()));
    assert_eq!(process(", pid_file: /run/nginx.pid").meant, Meant::PidFile("/run/nginx.pid".into()));
    let pattern = regex::Regex::new("^nginx: worker").unwrap();
    assert_eq!(process(", command: '^nginx: worker'").meant, Meant::Command(Pattern(pattern)));
    check_problems(
        "collectors:\n  - { type: process, name: a, pid_file: /run/a.pid, command: a }\n  - { type: process, name: b, command: '(' }\n  - { type: process, name: a }\n",
        &[
            "2:62: error: processes are found in one way: leave out `command`, or what is before it",
            "3:40: error: this is no regular expression: unclosed group",
            "4:5: error: two collectors have the name `a` (the name is the subject's name: give each its own)",
        ],
    );
}

#[test]
fn a_port_is_an_address() {
    let tcp = |address: &str| {
        parse(&format!(
            "collectors: [{{ type: tcp, name: db, address: '{address}', retries: 2, expect: {{ response_time: 1s }} }}]"
        ))
    };
    for address in ["db.example:5432", "127.0.0.1:1", "[::1]:6379"] {
        let config = tcp(address).unwrap();
        let [Collector::Tcp(tcp)] = &config.collectors[..] else { panic!("{config:?}") };
        let settings = &tcp.settings;
        assert_eq!((&*settings.address, &*settings.kind, settings.retries), (address, "service", 2));
        assert_eq!((tcp.every, settings.response_time), (Duration::from_secs(15), Some(Duration::from_secs(1))));
    }
    for address in ["db.example", "db.example:", "db:0", "db:70000", ":80", "::1", "http://db:80"] {
        assert!(tcp(address).is_err(), "{address}");
    }
    check_problems(
        "collectors: [{ type: tcp, name: db, address: 'db' }]",
        &["1:46: error: `address` must be a host and a port (write `db.example:5432`, or `[::1]:5432`)"],
    );
}

#[test]
fn what_two_collectors_would_write_at_once_is_refused() {
    check_problems(
        "collectors:\n  - { type: http, name: db, url: 'http://db' }\n  - { type: tcp, name: db, address: 'db:1' }\n  - { type: tcp, name: web, kind: process, address: 'db:1' }\n  - { type: process, name: web }\n",
        &[
            "3:5: error: two collectors have the name `db` (the name is the subject's name: give each its own)",
            "5:5: error: two collectors have the name `web` (the name is the subject's name: give each its own)",
        ],
    );
    let apart = "collectors: [{ type: http, name: db, url: 'http://db' }, { type: tcp, name: db, kind: port, address: 'db:1' }]";
    assert_eq!(parse(apart).unwrap().collectors.len(), 2);
}

#[test]
fn how_a_service_is_asked_can_be_said() {
    let plain = http("");
    assert_eq!((plain.method.as_str(), plain.body, plain.ca), ("GET", None, None));
    assert!(plain.follow_redirects && plain.verify_tls);
    let asked = http("method: POST, body: '{}', follow_redirects: false, verify_tls: false");
    assert_eq!((asked.method.as_str(), asked.body), ("POST", Some(Text::public("{}"))));
    assert!(!asked.follow_redirects && !asked.verify_tls);
    check_problems(
        "collectors: [{ type: http, name: a, url: 'http://a/', method: G T, ca: nothing }]",
        &[
            "1:63: error: `G T` is no HTTP method",
            "1:72: error: there is no certificate in PEM form here (write `ca: ${file:ca.pem}`, with the file's own path)",
        ],
    );
}

#[test]
fn the_limits_bound_what_is_pushed() {
    let config = parse("limits: { max_labels: 2, max_name_bytes: 8, max_text_bytes: 16, max_fields: 3 }").unwrap();
    let wanted = WireLimits { max_fields: 3, max_labels: 2, max_name_bytes: 8, max_text_bytes: 16 };
    assert_eq!((config.wire_limits(), config.world_limits().max_fields), (wanted, 3));
    assert_eq!(parse("").unwrap().wire_limits(), WireLimits::default());
    assert_eq!(parse("collectors: [{ type: push, max_body: 1MiB }]").unwrap().max_push_body(), 1 << 20);
}

#[test]
fn defaults_hold_for_collectors_that_do_not_say_otherwise() {
    let config = parse("defaults: { every: 1m, repeat: never }").unwrap();
    let Collector::Host(host) = &config.collectors[0] else { panic!("the first is the host") };
    assert_eq!(host.every, Duration::from_secs(60));
    assert_eq!(config.defaults.repeat, Repeat::Never);
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    check_problems(
        "listen: 0.0.0.0:80\ntime_zone: Asia/Shanghay\nlocale: de\nlog: { levl: info }\ncollectors:\n  - { type: http, name: a, url: 'ftp://x', every: 0s }\n  - { type: http, name: a, url: shop, expect: { json: { data.ok: 1 }, body: { matches: '(' }, status: 700 } }\n  - { type: host }\n  - { type: host, every: 30 }\n  - { type: htpp }\nroutes:\n  - match: { level: '>=eror' }\n    to: [a]\n  - to: [console, console]\n    active: Mon 9-18\n  - match: {}\nhistory: { memory: 1s }\n",
        &[
            "1:9: error: a public address needs `tokens` (add tokens (`larum token new` makes one), or listen on `127.0.0.1:8001`)",
            "2:12: error: the time zone `Asia/Shanghay` is not known (did you mean `Asia/Shanghai`?)",
            "3:9: error: `de` is not known here (it is one of en, zh-CN)",
            "4:8: error: unknown key `levl` (did you mean `level`?)",
            "6:33: error: only http and https URLs can be asked",
            "6:51: error: `every` must be at least 100ms",
            "7:5: error: two collectors have the name `a` (the name is the subject's name: give each its own)",
            "7:33: error: this is no URL: relative URL without a base (write the whole URL: `https://shop.example/health`)",
            "7:66: error: `data.ok` is no JSON pointer (write `/data/ok`)",
            "7:88: error: this is no regular expression: unclosed group",
            "7:103: error: expected a status code from 100 to 599, or a list of them, found the number `700`",
            "9:5: error: there can be only one collector of type `host`",
            "9:26: error: `30` has no unit: write `30s` for seconds, `30m` for minutes",
            "10:13: error: `htpp` is not known here (did you mean `http`?)",
            "12:21: error: `eror` is not a level, did you mean `error`?",
            "14:19: error: the channel `console` stands here twice (one is enough)",
            "15:13: error: `Mon 9-18` is no window: write it like `Mon-Fri 09:00-18:00`, `Sat,Sun`, or `22:00-06:00`",
            "16:5: error: the key `to` is missing",
            "17:20: error: `memory` must be at least 1m (rules look back over it: write `24h`)",
        ],
    );
}

#[test]
fn what_memory_looks_back_to_is_on_the_disk() {
    check_problems(
        "history: { memory: 48h, disk: 1d }\n",
        &[
            "1:31: error: `disk` must be at least as long as `memory` (after a restart, memory is filled from the disk: write `7d`)",
        ],
    );
    let history = |text: &str| parse(text).unwrap().history;
    assert_eq!(history("history: { memory: 10d }").disk, Duration::from_secs(10 * 86_400));
    assert_eq!(history("history: { disk_limit: 1GiB }").disk_limit, 1 << 30);
}

#[test]
fn fields_can_be_called_otherwise_as_metrics() {
    let mut expected = crate::exposition::Names::default();
    expected.rename("bot.messages_total", "wecom_messages_total").unwrap();
    expected.rename("host.cpu_percent", "cpu").unwrap();
    let config =
        parse("metrics: { names: { bot.messages_total: wecom_messages_total, host.cpu_percent: cpu } }").unwrap();
    assert_eq!(config.metric_names, expected);
    let hint = "write the kind, the field and the name: `host.load_1m: node_load1`";
    check_problems(
        "metrics:\n  names:\n    load: x\n    host.load: 1x\n    host.up: larum_up\n  name: {}\n",
        &[
            &format!("3:11: error: `load` cannot be the metric `x`: it says no field of a kind ({hint})"),
            &format!(
                "4:16: error: `host.load` cannot be the metric `1x`: the name of a metric has letters, digits and `_`, and no digit first ({hint})"
            ),
            &format!(
                "5:14: error: `host.up` cannot be the metric `larum_up`: names that begin with `larum_` are larum's own ({hint})"
            ),
            "6:3: error: unknown key `name` (did you mean `names`?)",
        ],
    );
}

#[test]
fn a_param_from_the_environment_is_secret_unless_it_is_public() {
    let surroundings = Fixed::env([("KEY", "7"), ("LIMIT", "80")]);
    let text = "params: { key: '${env:KEY}', limit: '${env-public:LIMIT}' }\ncollectors: [{ type: http, name: a, url: 'http://a/?k=${env:KEY}', headers: { X-Key: 'k ${env:KEY}' } }]";
    let config = Config::parse("larum.yaml", text, &surroundings).unwrap();
    assert_eq!(config.params["key"], Param::Secret);
    assert_eq!(config.params["limit"], Param::Value(Value::Number(80.0)));
    let Collector::Http(http) = &config.collectors[0] else { panic!("it is http") };
    assert_eq!(http.url, Text::secret("http://a/?k=7"));
    assert_eq!(http.headers["X-Key"].expose(), "k 7");
    assert!(!format!("{config:?}").contains("k=7") && !format!("{config:?}").contains("k 7"));
}

#[test]
fn routes_to_channels_that_do_not_exist_are_named() {
    let config = parse(EXAMPLE).unwrap();
    let channels = BTreeSet::from(["console".into(), "oncall-mail".into(), "ops-wcom".into()]);
    let problems: Vec<String> = config.check_channels(&channels).iter().map(|p| p.to_string()).collect();
    assert_eq!(problems, ["larum.yaml:16:10: error: there is no channel `ops-wecom` (did you mean `ops-wcom`?)"]);
}

#[test]
fn the_routing_of_a_file_routes() {
    let config = parse(EXAMPLE).unwrap();
    let routing = config.routing(["console", "ops-wecom", "oncall-mail"].map(ChannelName::from));
    let (rule, subject, labels) = (RuleName::from("r"), SubjectKey::new("service", "a"), Labels::new());
    let facts =
        crate::routing::Facts { rule: &rule, level: Level::Error, subject: &subject, labels: &labels, notify: None };
    // 18:30 in Shanghai, a Friday: the first route is closed.
    let targets = routing.targets(&facts, Time::parse_rfc3339("2026-11-20T10:30:00Z").unwrap());
    assert_eq!(targets.open, BTreeSet::from(["console".into()]));
    assert_eq!(targets.closed["ops-wecom"], Time::parse_rfc3339("2026-11-23T01:00:00Z").unwrap());
}

#[test]
fn a_changed_address_or_folder_needs_a_restart_and_a_changed_route_does_not() {
    let running = parse("").unwrap();
    let needs_restart = |text: &str| parse(text).unwrap().needs_restart(&running);
    assert_eq!(needs_restart("listen: 127.0.0.1:9000\ndata_dir: d"), ["listen", "data_dir"]);
    assert_eq!(needs_restart("limits: { max_labels: 1 }\nretry: { for: 1h }"), ["limits", "retry"]);
    assert_eq!(needs_restart("collectors: [{ type: push, max_body: 1MiB }]"), ["max_body"]);
    assert!(
        parse("routes: [{ to: [a] }]\nparams: { a: 1 }\ncollectors: []").unwrap().needs_restart(&running).is_empty()
    );
}

/// On call and access, as the README shows them.
const PEOPLE: &str = r#"
listen: 0.0.0.0:8443
tls: { certificate: tls/larum.pem, key: tls/larum.key }
tokens:
  - { name: ci, scopes: [read, push], hash: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", kinds: [service], names: ["shop-*"] }
on_call:
  duty: { rotate: weekly, starts: 2026-11-23 09:00, turns: [ana, [bo, cy]], overrides: [{ from: 2026-12-24, until: 2026-12-26 12:00, to: [ops] }] }
routes:
  - to: [duty]
    escalate: [{ after: 15m, to: [ops] }, { after: 30m, to: [boss, duty] }]
inhibit:
  - { when: { rule: host_down }, mute: { kind: service }, equal: [host, name=site] }
"#;

#[test]
fn who_is_on_call_and_who_may_ask_is_read() {
    let config = parse(PEOPLE).unwrap();
    assert_eq!(config.tls.as_ref().map(|tls| tls.key.as_path()), Some(std::path::Path::new("tls/larum.key")));
    assert!(!config.tokens.is_empty());
    let duty = &config.on_call[&ChannelName::from("duty")].rotation;
    assert_eq!((duty.days, duty.turns.len(), duty.overrides.len()), (7, 2, 1));
    let steps = &config.routes[0].route.escalate;
    assert_eq!(steps.iter().map(|step| step.after.as_secs()).collect::<Vec<_>>(), [900, 1800]);
    let equal: Vec<String> = config.inhibit[0].equal.iter().map(ToString::to_string).collect();
    assert_eq!(equal, ["host", "name=site"]);
}

#[test]
fn every_mistake_about_who_is_on_call_is_told_at_its_place() {
    check_problems(
        "on_call:\n  duty: { rotate: mondays, starts: soon, turns: [] }\n  more: { rotate: 400d, starts: 2026-11-23, turns: [ana], time_zone: Mars, overrides: [{ from: 2026-12-26, until: 2026-12-24, to: [ops] }] }\nroutes:\n  - to: [duty]\n    escalate: [{ after: 0s, to: [ops] }, { after: 30m, to: [] }, { after: 10m, to: [boss, boss] }]\ninhibit:\n  - { when: {}, mute: { kind: service }, equal: [host, ' ', a=b=c] }\n  - { when: { rule: a }, mute: {}, equal: [host, host] }\n",
        &[
            "2:19: error: `mondays` is not how often the turn changes (write `daily`, `weekly`, or whole days or weeks up to a year, as `3d` or `2w`)",
            "2:36: error: `soon` is no date with a time of the day (write it in the rotation's zone, as `2026-11-23 09:00`)",
            "2:49: error: nobody is on call: `turns` is empty (name a channel for each turn)",
            "3:19: error: `400d` is not how often the turn changes (write `daily`, `weekly`, or whole days or weeks up to a year, as `3d` or `2w`)",
            "3:70: error: the time zone `Mars` is not known (write its IANA name, as `Asia/Shanghai`)",
            "3:115: error: the override ends before it begins (give an `until` after `from`)",
            "6:25: error: an alert cannot be escalated after no time (give a time in which somebody can acknowledge, as `15m`; `to` is told at once)",
            "6:51: error: this step tells nobody (name a channel in `to`)",
            "6:91: error: the channel `boss` stands here twice (one is enough)",
            "8:13: error: `when` without a condition would take every alert (name alerts, as `{ rule: host_down }`)",
            "8:56: error: ` ` is no label (write a label that both have, as `host`, or `name=host` where they differ)",
            "8:61: error: `a=b=c` is no label (write a label that both have, as `host`, or `name=host` where they differ)",
            "9:32: error: `mute` without a condition would take every alert (name alerts, as `{ rule: host_down }`)",
        ],
    );
}

#[test]
fn every_mistake_about_tokens_is_told_at_its_place() {
    check_problems(
        "tokens:\n  - { name: 'a b', scope: read, hash: nothing }\n  - { name: ci, scope: reed, hash: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }\n  - { name: ci, scope: read, scopes: [push], hash: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }\n  - { name: open, scope: write, secret: secret }\n  - { name: none, scope: read }\n  - { name: both, scopes: [], hash: 'sha256:00', secret: x }\n  - { name: bound, scope: read, kinds: [service], hash: 'sha256:0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }\n",
        &[
            "2:13: error: `a b` is no name of a token (write up to 64 letters, digits, `-`, `_` and `.`: it stands in the audit log)",
            "2:39: error: a hash is written `sha256:` and 64 hexadecimal digits (`larum token new` prints one)",
            "3:24: error: `reed` is no scope (did you mean `read`?)",
            "4:13: error: two tokens are called `ci` (give each its own name)",
            "4:13: error: this is the token of `ci` again (make another one with `larum token new`)",
            "4:24: error: both `scope` and `scopes` stand here (leave one of them out)",
            "5:41: error: the token itself stands in the file, where others may read it (write `hash: sha256:..` (`larum token hash` makes it), or `secret: ${env:NAME}`)",
            "5:41: error: the token has fewer than 16 characters, and could be guessed (make one with `larum token new`)",
            "6:13: error: the token has neither `hash` nor `secret` (add `hash: sha256:..` (`larum token new` prints it), or `secret: ${env:NAME}`)",
            "7:13: error: the token is good for nothing (add `scope: read`, `push` or `write`)",
            "7:58: error: both `hash` and `secret` stand here (leave one of them out)",
            "8:41: error: `kinds` and `names` bind what is pushed (add the scope `push`, or leave them out)",
        ],
    );
    check_problems("tls: { certificate: a.pem }\n", &["1:6: error: the key `key` is missing"]);
    check_problems(
        "tls: { certificate: a.pem, key: a.key, ca: x }\n",
        &["1:40: error: unknown key `ca` (the keys here are certificate, key)"],
    );
}
