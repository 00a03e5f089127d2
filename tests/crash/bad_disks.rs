//! Disks that are full, slow or broken, and databases that are damaged or not ours alone.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::daemon::{Daemon, wait_until};
use crate::disk::Word;
use crate::http::Client;
use crate::judge::{Evidence, Push, judge};
use crate::pushers::{Line, Service};
use crate::receiver::PATIENCE;
use crate::receivers::{Recorder, distinct};
use crate::site::{Site, wait_for_death};

const DATABASE: &str = "data/larum.db";
/// A full disk takes no more than so many pushes: there is some room within what is written over.
const ROOM: usize = 5000;

/// Someone who pushes raises of one service after the other, and knows what was taken.
struct Raiser {
    line: Line,
    evidence: Evidence,
    n: usize,
}

impl Raiser {
    fn new(daemon: &Daemon) -> Raiser {
        let line = Line::default();
        line.set(Some(daemon.address()));
        Raiser { line, evidence: Evidence::default(), n: 0 }
    }

    /// Raises the alert of a new service. Says whether the answer is that it is stored.
    fn raise(&mut self) -> bool {
        self.n += 1;
        let (push, snapshot) = Service::new(format!("full{:04}", self.n)).next(1.5);
        let answer = self.line.push(&mut None, &snapshot.to_string()).expect("it is taken");
        self.evidence.pushes.push(Push { taken: true, ..push });
        answer["durable"] == true
    }

    /// Waits until the receiver knows of all that was raised, and judges.
    fn assert_all_told(&mut self, good: &Recorder) {
        let n = self.n;
        good.wait_until(PATIENCE, |arrivals| distinct(arrivals) >= n);
        self.evidence.arrivals.insert("good".to_string(), good.arrivals());
        let judgement = judge(&self.evidence);
        assert_eq!(judgement.findings, [], "{judgement}");
    }
}

fn is_ready(client: &mut Client) -> bool {
    client.get("/readyz").status() == 200
}

/// How many alerts fire, as the daemon knows them.
fn n_firing(daemon: &Daemon) -> usize {
    let rules = daemon.client().get("/api/v1/rules").json();
    let firing = rules["rules"].as_array().unwrap().iter().filter_map(|rule| rule["firing"].as_u64());
    firing.sum::<u64>() as usize
}

/// The disk becomes full by `fill` and has room again after `free`.
fn a_full_disk(site: &Site, good: &Recorder, fill: impl FnOnce(), free: impl FnOnce()) {
    let daemon = site.start();
    let mut client = daemon.client();
    let mut raiser = Raiser::new(&daemon);
    assert!(raiser.raise(), "an answer says that it is stored");
    assert!(is_ready(&mut client));

    fill();
    assert!((0..ROOM).any(|_| !raiser.raise()), "an answer says that it is not stored");
    raiser.raise();
    raiser.assert_all_told(good);
    assert!(!is_ready(&mut client));
    let status = client.get("/api/v1/status").json();
    let problems = status["problems"].to_string();
    assert!(problems.contains("the store cannot write") && status["outbox"]["durable"] == false, "{status}");

    free();
    wait_until("the store writes again", || is_ready(&mut client));
    assert!(raiser.raise(), "it is stored again");
    let mut daemon = daemon;
    daemon.kill();
    wait_for_death(&mut daemon);

    let mut daemon = site.start();
    raiser.line.set(Some(daemon.address()));
    assert_eq!(n_firing(&daemon), raiser.n, "what could not be stored is stored");
    assert!(raiser.raise());
    raiser.assert_all_told(good);
    daemon.kill();
}

#[test]
fn on_a_full_disk_alerts_are_sent_and_they_are_stored_when_there_is_room() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    a_full_disk(&site, &good, || site.disk.set(Word::Full, 1), || site.disk.set(Word::Full, 0));
}

/// A file system of four megabytes, as long as this lives.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Option<Tmpfs> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m", "larum-test"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Tmpfs(at.to_path_buf()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn a_real_file_system_that_is_full_is_lived_through_too() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let Some(_mounted) = Tmpfs::mount(&site.path("data")) else {
        crate::announce("SKIPPED: no file system can be mounted here");
        return;
    };
    let filler = site.path("data/filler");
    let fill = || {
        // Writes until nothing fits any more.
        let mut file = fs::File::create(&filler).unwrap();
        for size in [64 << 10, 4096, 512, 1] {
            while std::io::Write::write_all(&mut file, &vec![1; size]).is_ok() {}
        }
    };
    a_full_disk(&site, &good, fill, || fs::remove_file(&filler).unwrap());
}

#[test]
fn on_a_slow_disk_pushes_are_answered_and_nothing_is_lost() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let line = Line::default();
    line.set(Some(daemon.address()));
    site.disk.set(Word::SlowSync, 50);
    let push_some = |pusher: usize| {
        let (mut pushes, mut slowest) = (Vec::new(), Duration::ZERO);
        let mut connection = None;
        for n in 0..20 {
            let (push, snapshot) = Service::new(format!("slow{pusher}-{n:02}")).next(1.5);
            let began = Instant::now();
            line.push(&mut connection, &snapshot.to_string()).unwrap();
            slowest = slowest.max(began.elapsed());
            pushes.push(Push { taken: true, ..push });
        }
        (pushes, slowest)
    };
    let (pushes, slowest): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let pushing: Vec<_> = (0..4).map(|pusher| scope.spawn(move || push_some(pusher))).collect();
        pushing.into_iter().map(|pusher| pusher.join().unwrap()).unzip()
    });
    println!("the slowest answers of each pusher, at 50 ms a sync: {slowest:?}");
    assert!(slowest.iter().all(|slowest| *slowest < Duration::from_secs(3)), "{slowest:?}");
    site.disk.set(Word::SlowSync, 0);
    let pushes: Vec<Push> = pushes.into_iter().flatten().collect();
    let mut raiser = Raiser { line, n: pushes.len(), evidence: Evidence { pushes, ..Evidence::default() } };
    raiser.assert_all_told(&good);
    daemon.stop();
}

#[test]
fn a_sync_that_fails_is_told_and_made_good() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let mut daemon = site.start();
    let mut raiser = Raiser::new(&daemon);
    assert!(raiser.raise());
    site.settle(&daemon);
    site.disk.set(Word::FailSync, 1);
    assert!(!raiser.raise(), "the answer says that it is not stored");
    assert_eq!(site.disk.get(Word::FailSync), 0);
    let mut client = daemon.client();
    wait_until("the store writes again", || is_ready(&mut client));
    raiser.raise();
    daemon.kill();
    wait_for_death(&mut daemon);
    let daemon = site.start();
    assert_eq!(n_firing(&daemon), raiser.n, "what could not be stored is stored");
    raiser.assert_all_told(&good);
    daemon.stop();
}

/// `larum run` in a folder, until it ends.
fn run_to_its_end(site: &Site) -> Output {
    let mut larum = Command::new("timeout");
    larum.args(["20", env!("CARGO_BIN_EXE_larum"), "run", "--listen", "127.0.0.1:0", "--dir"]).arg(site.root());
    larum.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin")));
    larum.output().unwrap()
}

#[test]
fn a_damaged_database_is_refused_with_what_to_do_and_left_as_it_is() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("another start", |bytes| bytes[..16].copy_from_slice(b"SQLite format 4\0")),
        ("cut off in the first page", |bytes| bytes.truncate(100)),
        ("cut off in the middle", |bytes| bytes.truncate(bytes.len() / 2 / 4096 * 4096)),
        ("noise after the first page", |bytes| {
            let mut chance = Chance::of(7, 7);
            bytes[4096..].iter_mut().for_each(|byte| *byte = chance.between(0, 256) as u8);
        }),
    ];
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let mut raiser = Raiser::new(&daemon);
    (0..50).for_each(|_| assert!(raiser.raise(), "it is stored"));
    raiser.assert_all_told(&good);
    daemon.stop();
    let whole = fs::read(site.path(DATABASE)).unwrap();
    assert!(whole.len() > 3 * 4096);
    for (what, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(site.path(DATABASE), &bytes).unwrap();
        let output = run_to_its_end(&site);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 3)), "{what}: {:?} {said}", output.status);
        assert!(said.contains("larum.db") && said.contains("backup"), "{what}: it says what to do: {said}");
        assert!(fs::read(site.path(DATABASE)).unwrap() == bytes, "{what}: it is left as it is");
    }
    fs::write(site.path(DATABASE), whole).unwrap();
    let daemon = site.start();
    assert_eq!(n_firing(&daemon), raiser.n, "the whole one is taken again");
    daemon.stop();
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused_and_told_of_the_first() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let mut daemon = site.start();
    let output = run_to_its_end(&site);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&daemon.id().to_string()), "it names the process {} that has it: {said}", daemon.id());
    let mut raiser = Raiser::new(&daemon);
    assert!(raiser.raise(), "the first is not disturbed");
    raiser.assert_all_told(&good);

    daemon.kill();
    wait_for_death(&mut daemon);
    site.start().stop();
}
