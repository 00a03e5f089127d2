//! Nothing raised is ever lost: the built daemon under kills, power losses and disks that fail.
//!
//! ```text
//! LARUM_CRASH_KILLS=2000 cargo test --test crash any_kill -- --nocapture
//! LARUM_CRASH_POWER_LOSSES=500 cargo test --test crash any_power_loss -- --nocapture
//! LARUM_CRASH_SEED=.. makes the same choices again
//! ```
//!
//! The daemon runs on a disk that can be told to fail (`disk.c`). [`judge`] knows only what was pushed and what the
//! receivers got, and is itself tested with logs that have a fault.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod bad_disks;
mod bad_receivers;
mod chance;
mod disk;
mod fault_points;
mod judge;
mod kills;
mod lost_files;
mod mail;
mod pushers;
mod receivers;
mod site;
mod storm;

#[expect(dead_code, reason = "the other tests of the daemon use more of it")]
#[path = "../suite/daemon.rs"]
mod daemon;
#[expect(dead_code, reason = "the other tests of the daemon use more of it")]
#[path = "../suite/http.rs"]
mod http;
#[expect(dead_code, reason = "the other tests of the daemon use more of it")]
#[path = "../suite/receiver.rs"]
mod receiver;

/// Says something that is seen even where the test passes.
fn announce(text: &str) {
    use std::io::Write as _;
    std::io::stderr().lock().write_all(format!("\n{text}\n").as_bytes()).ok();
}
