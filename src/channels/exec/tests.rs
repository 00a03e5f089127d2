use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::channels::message::samples;
use crate::channels::testing::eventually;
use crate::channels::{Captured, Configured, Texts, Transport, Verdict, parse};
use crate::config::Fixed;
use crate::model::{FoldedEvent, Level, Time};

fn channel(yaml: &str) -> Configured {
    let text = format!("type: exec\n{yaml}\n");
    let surroundings = Fixed::env([("SECRET", "hunter2")]);
    parse(&"fix".into(), "channels/fix.yaml", &text, &surroundings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A channel that runs a script.
fn script(text: &str, more: &str) -> Configured {
    channel(&format!("command: [sh, -c, {}]\n{more}", serde_json::to_string(text).unwrap()))
}

async fn run_of(channel: &Configured, notification: &Notification) -> Verdict {
    let transport = Transport::new(Arc::new(Captured::new(false))).unwrap();
    let request = channel.render(notification, &Texts::default()).unwrap();
    let attempt = Attempt { id: "n-1".into(), number: 3, time: Time::EPOCH, reached: Vec::new() };
    channel.attempt(&transport, &request, &attempt).await
}

async fn run(channel: &Configured) -> Verdict {
    run_of(channel, &samples()[0]).await
}

/// Whether a process has ended; one that nobody waited for counts.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z"))
}

/// The number of a process, once a script has written it.
async fn pid_in(file: &Path) -> String {
    eventually(|| std::fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'))).await.trim().to_string()
}

#[tokio::test]
async fn a_command_gets_the_notification_on_its_input_and_little_of_the_daemons_environment() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display();
    let yaml = format!("dir: {dir}\nenv: {{ TOKEN: '${{env:SECRET}}', PLAIN: 'a b' }}");
    let channel = script("cat > input; env > environment; pwd > here", &yaml);
    assert_eq!(run(&channel).await, Verdict::Ok);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let input: serde_json::Value = serde_json::from_str(&read("input")).unwrap();
    assert_eq!((&input["alerts"][0]["rule"], &input["id"]), (&"high_error_rate".into(), &"sample-0".into()));
    let environment = read("environment");
    for line in ["LARUM_NOTIFICATION_ID=n-1", "LARUM_ATTEMPT=3", "TOKEN=hunter2", "PLAIN=a b"] {
        assert!(environment.lines().any(|have| have == line), "{line} in {environment}");
    }
    // Cargo sets it for every test; a shell adds its own variables.
    assert!(!environment.contains("CARGO_MANIFEST_DIR") && environment.contains("PATH="), "{environment}");
    assert_eq!(read("here").trim(), folder.path().canonicalize().unwrap().to_str().unwrap());
}

#[tokio::test]
async fn the_exit_status_says_what_became_of_it_and_standard_error_why() {
    let said = async |text: &str| run(&script(text, "env: { TOKEN: '${env:SECRET}' }")).await;
    assert_eq!(said("exit 0").await, Verdict::Ok);
    assert_eq!(said("exit 75").await, Verdict::retry("exit status 75"));
    let verdict = said("echo first >&2; printf 'no \\033[31m%s here\\n\\n' $TOKEN >&2; exit 3").await;
    assert_eq!(verdict, Verdict::permanent("exit status 3: no [31m[secret] here"));
    let killed = said("kill -9 $$").await;
    assert!(
        matches!(&killed, Verdict::Retry { reason, at_most: Some(3), .. } if reason == "ended by signal 9"),
        "{killed:?}"
    );
    let Verdict::Permanent { reason } = said("printf '%5000d\\n' 1 >&2; exit 1").await else { panic!("it failed") };
    assert!(reason.len() < 250, "{reason}");
}

#[tokio::test]
async fn what_cannot_be_run_is_given_up_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool");
    std::fs::write(&file, "no program").unwrap();
    let path = file.display();
    let cases = [
        ("command: [larum-no-such-program]".to_string(), "there is no such program"),
        (format!("command: ['{path}']"), "it may not be executed"),
        (format!("command: ['true']\ndir: {path}"), "there is no folder"),
    ];
    for (yaml, why) in cases {
        let verdict = run(&channel(&yaml)).await;
        assert!(matches!(&verdict, Verdict::Permanent { reason } if reason.contains(why)), "{why}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!("dir: {}\ntimeout: 500ms", folder.path().display());
    let channel = script("trap '' TERM; sleep 600 & echo $! > pid; wait; sleep 600", &yaml);
    let verdict = run(&channel).await;
    assert!(
        matches!(&verdict, Verdict::Retry { reason, at_most: Some(3), .. } if reason.contains("longer than 500ms")),
        "{verdict:?}"
    );
    let pid = pid_in(&folder.path().join("pid")).await;
    eventually(|| is_gone(&pid).then_some(())).await;
}

#[tokio::test]
async fn what_a_finished_command_leaves_behind_is_ended_too_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let channel = script("sleep 600 & echo $! > pid; exit 0", &format!("dir: {}", folder.path().display()));
    let began = Instant::now();
    assert_eq!(run(&channel).await, Verdict::Ok);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let pid = pid_in(&folder.path().join("pid")).await;
    eventually(|| is_gone(&pid).then_some(())).await;
}

#[tokio::test]
async fn an_attempt_that_is_broken_off_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let channel = script("sleep 600 & echo $! > pid; wait", &format!("dir: {}", folder.path().display()));
    let file = folder.path().join("pid");
    let pid = tokio::select! {
        verdict = run(&channel) => panic!("it does not end by itself: {verdict:?}"),
        pid = pid_in(&file) => pid,
    };
    eventually(|| is_gone(&pid).then_some(())).await;
}

#[tokio::test]
async fn neither_much_output_nor_input_that_nobody_reads_blocks_a_command() {
    let chatty = script(
        "i=0; while [ $i -lt 20000 ]; do echo xxxxxxxxxxxxxxxx; echo yyyyyyyyyyyyyyyy >&2; i=$((i+1)); done",
        "",
    );
    assert_eq!(run(&chatty).await, Verdict::Ok);
    let mut large = samples().remove(0);
    large.alerts = vec![large.alerts[0].clone(); 2000];
    assert_eq!(run_of(&channel("command: ['true']"), &large).await, Verdict::Ok);
}

#[tokio::test]
async fn it_runs_only_for_its_events_and_the_others_are_delivered_without_it() {
    let by_default = channel("command: ['false']");
    for sample in samples() {
        let raises = sample.alerts.iter().any(|alert| alert.event == EventKind::Raised);
        let told_of_raises = match &sample.occasion {
            Occasion::Summary(summary) => summary.counts.iter().any(|line| line.event == EventKind::Raised),
            _ => raises,
        };
        let runs = matches!(by_default.render(&sample, &Texts::default()).unwrap(), Request::Process { .. });
        assert_eq!(runs, told_of_raises, "{sample:?}");
        if !runs {
            assert_eq!(run_of(&by_default, &sample).await, Verdict::Ok, "`false` is not run");
        }
    }
    let mut folded = samples().remove(0);
    folded.alerts[0].event = EventKind::Escalated;
    folded.alerts[0].folded = vec![FoldedEvent { event: EventKind::Raised, level: Level::Warning, time: Time::EPOCH }];
    let runs = |n: &Notification| matches!(by_default.render(n, &Texts::default()), Ok(Request::Process { .. }));
    assert!(runs(&folded), "the raise was not told before");
    folded.alerts[0].event = EventKind::Recovered;
    assert!(!runs(&folded), "what is well again is not repaired");
    let ends = channel("command: ['true']\nevents: [recovered, closed]");
    assert!(matches!(ends.render(&folded, &Texts::default()), Ok(Request::Process { .. })));
}

#[test]
fn a_file_that_cannot_work_is_refused_with_every_reason() {
    let problems = |yaml: &str| {
        let surroundings = Fixed::env([("SECRET", "hunter2")]);
        let found = parse(&"fix".into(), "f.yaml", &format!("type: exec\n{yaml}\n"), &surroundings).unwrap_err();
        found.iter().map(|problem| problem.to_string()).collect::<Vec<_>>()
    };
    let one = |yaml: &str| problems(yaml).remove(0);
    assert_eq!(
        one("command: systemctl restart shop"),
        "f.yaml:2:10: error: expected a list of the program and its arguments, without a shell, like `[systemctl, \
         restart, shop]`, found `systemctl restart shop`"
    );
    assert!(one("command: []").starts_with("f.yaml:2:"), "{}", one("command: []"));
    assert!(one("command: [a, '${env:SECRET}']").contains("takes no secret"));
    assert!(one("command: [a]\ndir: here").contains("whole path"));
    assert!(one("command: [a]\nevents: []").contains("never runs"));
    assert!(one("command: [a]\nevents: [raise]").contains("raised"), "{}", one("command: [a]\nevents: [raise]"));
    let found = problems("command: [a]\nenv: { 1A: hunter2, LARUM_X: hunter2 }");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!format!("{found:?}").contains("hunter2"));
}
