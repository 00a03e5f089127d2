//! The daemon is killed again and again while it is pushed to, and loses nothing.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::{Chance, happens_within, seed, times};
use crate::daemon::Daemon;
use crate::disk::Word;
use crate::judge::{Evidence, Judgement, judge};
use crate::pushers::{self, Lifeline, Line, Service};
use crate::receivers::Recorder;
use crate::site::{Site, figures, wait_for_death};

const PUSHERS: u64 = 4;
const SERVICES: u64 = 10;
/// Between two pushes of one pusher.
const PAUSE: Duration = Duration::from_millis(12);
/// A daemon that was told to die at some write dies by now.
const AT_THE_LATEST: Duration = Duration::from_millis(1500);
/// After the last kill everything is told within this time.
const DRAIN: Duration = Duration::from_secs(60);

/// What a kill is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The disk is as the daemon left it.
    Nothing,
    /// What was not synced is gone, or a part of it.
    Power,
}

/// When the kills came.
#[derive(Clone, Copy, Debug, Default)]
struct Kills {
    all: usize,
    /// At a write, a change of length or a sync.
    at_the_disk: usize,
    /// While the daemon started.
    at_the_start: usize,
    /// Between a receipt and its commit: a push was sent and not answered.
    before_the_answer: usize,
    /// After which files had lost something.
    with_loss: usize,
}

#[test]
fn what_was_acknowledged_is_told_after_any_kill() {
    run(times("LARUM_CRASH_KILLS", 100), Loss::Nothing);
}

#[test]
fn what_was_acknowledged_is_told_after_any_power_loss() {
    run(times("LARUM_CRASH_POWER_LOSSES", 40), Loss::Power);
}

fn run(n_kills: usize, loss: Loss) {
    let seed = seed();
    let good = Recorder::healthy();
    let flaky = Recorder::flaky(Chance::of(seed, 101));
    let (down, closed) = Recorder::down();
    let site = Site::new(&[("good", &good), ("flaky", &flaky), ("down", &down)]);
    site.disk.set(Word::Journal, i64::from(loss == Loss::Power));

    let line = Line::default();
    let mut evidence = Evidence::default();
    let mut kills = Kills::default();
    let mut services = Vec::new();
    let mut daemon = thread::scope(|scope| {
        let _lifeline = Lifeline(&line);
        let mut daemon = site.start();
        let pushing: Vec<_> = (0..PUSHERS)
            .map(|pusher| {
                let name = |service| format!("s{pusher}-{service}");
                let services = (0..SERVICES).map(|service| Service::new(name(service))).collect();
                let line = &line;
                scope.spawn(move || pushers::run(line, services, Chance::of(seed, pusher), PAUSE))
            })
            .collect();
        let mut chance = Chance::of(seed, 100);
        let mut closed = Some(closed);
        line.set(Some(daemon.address()));
        if n_kills == 0 {
            thread::sleep(Duration::from_secs(4));
        }
        for n in 0..n_kills {
            if n >= n_kills / 3 {
                closed.take().into_iter().for_each(|closed| closed.open());
            }
            daemon = kill_and_restart(daemon, &site, &line, loss, &mut chance, &mut kills);
        }
        closed.take().into_iter().for_each(|closed| closed.open());
        line.stop.store(true, Ordering::Relaxed);
        for (pushes, of) in pushing.into_iter().map(|pusher| pusher.join().unwrap()) {
            evidence.pushes.extend(pushes);
            services.extend(of);
        }
        daemon
    });

    let channels = [("good", &good), ("flaky", &flaky), ("down", &down)];
    // First with what still fires; then all is well, so that nothing has to wait for a later message any more.
    let mut judgement = wait_for_the_truth(&mut daemon, &channels, &mut evidence, false);
    if judgement.split().0.is_empty() {
        evidence.pushes.extend(pushers::calm(&line, &mut services));
        judgement = wait_for_the_truth(&mut daemon, &channels, &mut evidence, true);
    }
    let n_pushes = evidence.pushes.len();
    crate::announce(&format!("seed {seed}: {kills:?}; {n_pushes} snapshots, {judgement}"));
    let (findings, about_figures) = judgement.split();
    if !judgement.findings.is_empty() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{seed}.txt"));
        evidence.write_to(&path);
        println!("all that was pushed and told is in {}", path.display());
    }
    let (n, n_figures) = (findings.len(), about_figures.len());
    assert!(n == 0, "LARUM_CRASH_SEED={seed}: told is not what was pushed, {n} findings as above");
    assert!(n_figures == 0, "LARUM_CRASH_SEED={seed}: the daemon's figures are wrong, {n_figures} findings as above");
    if n_kills > 0 {
        assert_eq!(line.not_durable.load(Ordering::Relaxed), 0, "every answer says that the push is stored");
        assert!(2 * kills.before_the_answer >= kills.all, "half of the kills come before an answer: {kills:?}");
    }
    daemon.stop();
}

/// Kills the daemon at some moment and starts it again.
fn kill_and_restart(
    mut daemon: Daemon,
    site: &Site,
    line: &Line,
    loss: Loss,
    chance: &mut Chance,
    kills: &mut Kills,
) -> Daemon {
    let unanswered = line.unanswered.load(Ordering::Relaxed);
    thread::sleep(chance.millis(10, 300));
    if !chance.one_in(4) {
        site.disk.kill_in(chance.between(1, 50), chance.one_in(2));
        kills.at_the_disk += usize::from(happens_within(AT_THE_LATEST, || daemon.has_ended()));
    }
    daemon.kill();
    wait_for_death(&mut daemon);
    line.set(None);
    kills.all += 1;
    site.disk.kill_in(0, false);
    let lose = |kills: &mut Kills, chance: &mut Chance| {
        kills.with_loss += usize::from(loss == Loss::Power && site.disk.lose_power(chance) > 0);
    };
    lose(kills, chance);
    if chance.one_in(8) {
        site.disk.kill_in(chance.between(1, 8), chance.one_in(2));
        let mut short_lived = site.spawn();
        if !short_lived.listens() {
            wait_for_death(&mut short_lived);
            kills.at_the_start += 1;
        }
        short_lived.kill();
        wait_for_death(&mut short_lived);
        site.disk.kill_in(0, false);
        lose(kills, chance);
    }
    let daemon = site.start();
    kills.before_the_answer += usize::from(line.unanswered.load(Ordering::Relaxed) > unanswered);
    line.set(Some(daemon.address()));
    daemon
}

/// Waits until the judge finds nothing, as long as something may still come. Gives what it says then.
fn wait_for_the_truth(
    daemon: &mut Daemon,
    channels: &[(&str, &Recorder)],
    evidence: &mut Evidence,
    with_books: bool,
) -> Judgement {
    let started = Instant::now();
    let mut last_looks = 5;
    loop {
        assert!(!daemon.has_ended(), "it ended of itself:\n{}", daemon.log().join("\n"));
        let mut client = daemon.client();
        evidence.figures = figures(&mut client).into_iter().collect();
        evidence.arrivals = channels.iter().map(|(name, of)| (name.to_string(), of.arrivals())).collect();
        let judgement = judge(evidence);
        let waiting: u64 = evidence.figures.values().map(|figures| figures.waiting).sum();
        let (findings, about_figures) = judgement.split();
        let is_told = (waiting == 0 || !with_books) && findings.is_empty();
        // Figures may be a moment behind.
        last_looks -= usize::from(is_told);
        if is_told && (!with_books || about_figures.is_empty() || last_looks == 0) || started.elapsed() > DRAIN {
            println!("told within {:?} after the last push", started.elapsed());
            return judgement;
        }
        thread::sleep(Duration::from_millis(200));
    }
}
