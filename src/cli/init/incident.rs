//! A recording to replay in a new project: an hour of a host and two services, with an incident in the middle.
//!
//! At 09:20 a bad release of `shop-api` begins to fail calls and to burn the processor of `web-1`; at 09:33 it is rolled
//! back. `pay-api` has a bump of its own at 09:40 that is nobody's business. The same text every time.

use std::fmt::Write as _;

/// Seconds between two samples.
const EVERY: u32 = 30;
/// Seconds of the recording.
const LENGTH: u32 = 3600;

/// The recording: snapshots as JSON Lines.
pub(super) fn recording() -> String {
    let mut text = String::new();
    let mut calls = [1_204_000.0, 310_000.0];
    for step in 0..=LENGTH / EVERY {
        let minute = f64::from(step * EVERY) / 60.0;
        let is_failing = (20.0..33.0).contains(&minute);
        // Grows over three minutes, and is gone at once.
        let incident = if is_failing { ((minute - 20.0) / 3.0).min(1.0) } else { 0.0 };
        let cpu = 24.0 + 6.0 * wave(step, 7) + 64.0 * incident;
        let load = cpu / 100.0 * 4.0;
        let host = format!(
            r#""cpu_percent":{},"load1":{},"cpus":4,"memory_used_percent":{}"#,
            rounded(cpu, 10.0),
            rounded(load, 100.0),
            rounded(51.0 + wave(step, 13) + 4.0 * incident, 10.0)
        );
        add(&mut text, step, "host", "web-1", &host);
        let bump = if (40.0..42.0).contains(&minute) { 0.05 } else { 0.0 };
        let services = [("shop-api", 22.0, 0.3 * incident, 1.8 * incident), ("pay-api", 5.0, bump, 0.0)];
        for (index, (name, per_second, failing, slow)) in services.into_iter().enumerate() {
            calls[index] += f64::from(EVERY) * (per_second + wave(step, 5 + index as u32)).round();
            let service = format!(
                r#""status":"running","error_rate":{},"total_calls":{},"response_time_seconds":{}"#,
                rounded(0.01 + 0.004 * wave(step, 11) + failing, 1000.0),
                calls[index],
                rounded(0.12 + 0.03 * wave(step, 3) + slow, 1000.0)
            );
            add(&mut text, step, "service", name, &service);
        }
    }
    text
}

fn add(text: &mut String, step: u32, kind: &str, name: &str, fields: &str) {
    let secs = step * EVERY;
    let (hour, minute, second) = (9 + secs / 3600, secs / 60 % 60, secs % 60);
    writeln!(
        text,
        r#"{{"time":"2026-11-21T{hour:02}:{minute:02}:{second:02}Z","kind":"{kind}","name":"{name}","fields":{{{fields}}}}}"#
    )
    .expect("a String takes everything");
}

/// From -1 to 1, up and down in steps that look like life.
fn wave(step: u32, length: u32) -> f64 {
    let phase = step * 5 % (2 * length);
    f64::from(phase.min(2 * length - phase)) / f64::from(length) * 2.0 - 1.0
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_small_and_each_line_is_a_snapshot() {
        let text = recording();
        assert!(text.len() < 200_000, "{}", text.len());
        assert_eq!(text.lines().count(), 363);
        for line in text.lines() {
            let snapshot: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(snapshot["fields"].is_object() && snapshot["time"].is_string(), "{line}");
        }
        insta::assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
        {"time":"2026-11-21T09:00:00Z","kind":"host","name":"web-1","fields":{"cpu_percent":18,"load1":0.72,"cpus":4,"memory_used_percent":50}}
        {"time":"2026-11-21T09:00:00Z","kind":"service","name":"shop-api","fields":{"status":"running","error_rate":0.006,"total_calls":1204630,"response_time_seconds":0.09}}
        {"time":"2026-11-21T09:00:00Z","kind":"service","name":"pay-api","fields":{"status":"running","error_rate":0.006,"total_calls":310120,"response_time_seconds":0.09}}
        "#);
    }
}
