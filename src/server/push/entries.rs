//! From the text of a push to snapshots. Pure.

use axum::http::StatusCode;

use crate::model::wire::{self, WireLimits};
use crate::model::{Now, Snapshot, SubjectKey};
use crate::server::api::RefusedDto;
use crate::server::error::ApiError;

/// The entries of a push.
#[derive(Debug)]
pub(super) struct Entries {
    /// Those that can be handed on.
    pub(super) snapshots: Vec<Snapshot>,
    /// The place in the push of each of `snapshots`.
    pub(super) places: Vec<usize>,
    /// Those that cannot.
    pub(super) refused: Vec<RefusedDto>,
}

/// Reads all entries, unless there are more than `max`. `refuses` says why a subject may not be written.
pub(super) fn read(
    body: &[u8],
    max: usize,
    limits: &WireLimits,
    now: Now,
    refuses: impl Fn(&SubjectKey) -> Option<String>,
) -> Result<Entries, ApiError> {
    if exceeds(body, max) {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the push has more than {max} entries"))
            .hint("send smaller batches"));
    }
    let mut entries = Entries { snapshots: Vec::new(), places: Vec::new(), refused: Vec::new() };
    for (index, entry) in wire::parse(body, limits).into_iter().enumerate() {
        match entry {
            Err(error) => entries.refused.push(RefusedDto { index: error.index, error: error.reason }),
            Ok(snapshot) => match refuses(&snapshot.subject) {
                Some(error) => entries.refused.push(RefusedDto { index, error }),
                None => {
                    entries.places.push(index);
                    entries.snapshots.push(snapshot.into_snapshot(now));
                }
            },
        }
    }
    Ok(entries)
}

/// Whether there are more entries than `max`, found without parsing them: each entry that is parsed takes far more
/// memory than the two bytes that a bad one can have in the body.
fn exceeds(body: &[u8], max: usize) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if !body.starts_with(b"[") {
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        // One object may be written over several lines.
        return lines.clone().count() > max && lines.filter(|line| line.trim_ascii().starts_with(b"{")).count() > max;
    }
    let (mut depth, mut in_text, mut escaped, mut n_commas) = (0_usize, false, false, 0_usize);
    for byte in body {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (false, b',') if depth == 1 => n_commas += 1,
            (false, _) => {}
        }
        if n_commas >= max {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    const NOW: Now = Now { time: Time::from_micros(5_000_000), wall_offset: 1_000_000 };

    fn entry(kind: &str) -> String {
        format!(r#"{{"kind":"{kind}","name":"a,[b","fields":{{"x":1}}}}"#)
    }

    #[test]
    fn refused_entries_keep_their_place_among_all() {
        let body = format!("[{}, 3, {}, {}]", entry("a"), entry("host"), entry("b"));
        let entries = read(body.as_bytes(), 10, &WireLimits::default(), NOW, |subject| {
            (&*subject.kind == "host").then(|| "no host".to_string())
        })
        .unwrap();
        assert_eq!(entries.places, [0, 3]);
        let places: Vec<usize> = entries.refused.iter().map(|refused| refused.index).collect();
        assert_eq!(places, [1, 2]);
        assert!(entries.refused[1].error.contains("no host"));
        assert_eq!(entries.snapshots[0].time, NOW.time, "without a time it was observed now, in engine time");
    }

    #[test]
    fn entries_are_counted_before_they_are_parsed() {
        let three = [entry("a"), entry("b"), entry("c")];
        let array = format!("[{}]", three.join(","));
        let lines = three.join("\n\n");
        for body in [array.as_str(), lines.as_str(), "[0,0,0]", "{\n{\n{\n"] {
            assert!(read(body.as_bytes(), 3, &WireLimits::default(), NOW, |_| None).is_ok(), "{body}");
            assert!(read(body.as_bytes(), 2, &WireLimits::default(), NOW, |_| None).is_err(), "{body}");
        }
        let over_lines = "{\n\"kind\":\"a\",\n\"name\":\"b\",\n\"fields\":{}\n}";
        assert_eq!(read(over_lines.as_bytes(), 1, &WireLimits::default(), NOW, |_| None).unwrap().snapshots.len(), 1);
    }
}
