//! What is taken, what is refused, and with which words.

use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Vec<Result<WireSnapshot, WireError>> {
    parse(body.as_bytes(), &WireLimits::default())
}

#[track_caller]
fn refused(body: &str, reason: &str) {
    let entries = read(body);
    let reasons: Vec<&str> = entries.iter().filter_map(|entry| entry.as_ref().err()).map(|e| &*e.reason).collect();
    assert_eq!(reasons, [reason], "{body}");
}

fn names(entries: &[Result<WireSnapshot, WireError>]) -> Vec<Result<&str, usize>> {
    entries.iter().map(|entry| entry.as_ref().map(|e| &*e.subject.name).map_err(|e| e.index)).collect()
}

#[test]
fn a_snapshot_is_read_as_the_design_shows_it() {
    let entries = read(
        r#"{"time":"2026-11-21T10:00:00Z","kind":"service","name":"shop-api","labels":{"region":"eu"},
            "fields":{"status":"running","error_rate":0.12,"total_calls":1200,"ready":true,"void":null,"big":18446744073709551615,"low":-3}}"#,
    );
    let fields = [
        ("big", Value::Number(18_446_744_073_709_551_615.0)),
        ("error_rate", 0.12.into()),
        ("low", Value::Number(-3.0)),
        ("ready", true.into()),
        ("status", "running".into()),
        ("total_calls", Value::Number(1200.0)),
    ];
    let expected = WireSnapshot {
        time: Some(Time::from_micros(1_795_255_200_000_000)),
        arrived: None,
        subject: SubjectKey::new("service", "shop-api"),
        labels: [("region".into(), "eu".into())].into(),
        fields: fields.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        gone: false,
        source: None,
        stale_after: None,
    };
    assert_eq!(entries, [Ok(expected)]);
}

#[test]
fn a_line_of_a_recording_says_who_made_it_and_a_push_may_not() {
    let line = r#"{"time":1,"arrived":2,"source":"http:a","stale_after":"45s","kind":"s","name":"a","fields":{}}"#;
    let mut reader = RecordingReader::new(WireLimits::default());
    let read_line = reader.read(line.as_bytes()).unwrap();
    assert_eq!(read_line.source.as_deref(), Some("http:a"));
    assert_eq!(read_line.stale_after, Some(Duration::from_secs(45)));
    assert_eq!(read_line.arrived, Some(Time::from_micros(2_000_000)));
    let refused_line = |reader: &mut RecordingReader, line: &str| reader.read(line.as_bytes()).unwrap_err();
    assert_eq!(
        refused_line(&mut reader, r#"{"stale_after":"soon","kind":"s","name":"a","fields":{}}"#),
        format!("`stale_after` is no duration: {}", duration::parse("soon").unwrap_err())
    );
    assert_eq!(refused_line(&mut reader, r#"{"source":"","kind":"s"}"#), "the source is empty");
    assert_eq!(
        refused_line(&mut reader, r#"{"sorce":"x","kind":"s"}"#),
        "unknown key `sorce` (did you mean `source`?)"
    );
    refused(line, "`source` is of recordings: leave it out, who pushes is always the source `push`");
}

#[test]
fn names_that_come_again_are_the_same_and_bad_ones_are_refused_each_time() {
    let mut reader = RecordingReader::new(WireLimits::default());
    let line = br#"{"kind":"s","name":"a","fields":{"x":1}}"#;
    let (one, two) = (reader.read(line).unwrap(), reader.read(line).unwrap());
    assert!(Arc::ptr_eq(&one.subject.name, &two.subject.name));
    let field = |snapshot: &WireSnapshot| snapshot.fields.keys().next().cloned().unwrap();
    assert!(Arc::ptr_eq(&field(&one), &field(&two)));
    for _ in 0..2 {
        assert!(reader.read(br#"{"kind":"x","name":"\u0001","fields":{}}"#).is_err());
        assert!(reader.read(br#"{"kind":"a b","name":"a","fields":{}}"#).is_err());
    }
    assert!(reader.read(br#"{"kind":"s","name":"a b","fields":{}}"#).is_ok());
    assert!(reader.read(br#"{"kind":"a b","name":"a","fields":{}}"#).is_err(), "a name is not yet a kind");
}

#[test]
fn one_object_an_array_and_json_lines_are_the_same() {
    let bodies = [
        ("one object", r#" {"kind":"s","name":"a","fields":{}} "#, 1),
        ("an object over lines", "{\r\n  \"kind\": \"s\",\n  \"name\": \"a\",\n  \"fields\": {\n \"x\": 1\n}\n}\n", 1),
        ("an array", r#"[{"kind":"s","name":"a","fields":{}}, {"kind":"s","name":"b","fields":{"x":1}}]"#, 2),
        (
            "an array over lines",
            "[\n{\"kind\":\"s\",\"name\":\"a\",\"fields\":{}},\n{\"kind\":\"s\",\"name\":\"b\",\"fields\":{}}\n]",
            2,
        ),
        (
            "lines",
            "{\"kind\":\"s\",\"name\":\"a\",\"fields\":{}}\n\n{\"kind\":\"s\",\"name\":\"b\",\"fields\":{}}\r\n",
            2,
        ),
        ("a byte order mark", "\u{feff}{\"kind\":\"s\",\"name\":\"a\",\"fields\":{}}", 1),
    ];
    for (what, body, count) in bodies {
        let entries = read(body);
        assert_eq!(names(&entries), [Ok("a"), Ok("b")][..count], "{what}");
    }
    assert_eq!(read("[]"), []);
    assert_eq!(read(" [ ] "), []);
}

#[test]
fn times_are_rfc_3339_or_unix_seconds_or_now() {
    let cases = [
        (r#""2026-11-21T11:00:00+01:00""#, Some(1_795_255_200_000_000)),
        ("1795255200", Some(1_795_255_200_000_000)),
        ("1795255200.25", Some(1_795_255_200_250_000)),
        ("null", None),
    ];
    for (time, micros) in cases {
        let entries = read(&format!(r#"{{"time":{time},"kind":"s","name":"a","fields":{{}}}}"#));
        assert_eq!(entries[0].as_ref().unwrap().time, micros.map(Time::from_micros), "{time}");
    }
    let now = Now { time: Time::from_micros(5_000_000), wall_offset: 2_000_000 };
    let entry = |time| WireSnapshot { time, ..read(r#"{"kind":"s","name":"a","fields":{}}"#)[0].clone().unwrap() };
    assert_eq!(entry(None).into_snapshot(now).time, now.time);
    assert_eq!(entry(Some(now.wall())).into_snapshot(now).time, now.time);
}

#[test]
fn a_bad_entry_is_refused_with_its_reason() {
    let cases = [
        ("", "the body is empty: send a JSON object, an array of them, or JSON Lines"),
        ("5", "invalid type: integer `5`, expected a snapshot: an object with `kind`, `name` and `fields`"),
        (r#"{"kind":"s","name":"a"}"#, "`fields` is missing"),
        (r#"{"kind":"s","fields":{}}"#, "`name` is missing"),
        (r#"{"kind":"s","name":"a","feilds":{}}"#, "unknown key `feilds` (did you mean `fields`?)"),
        (
            r#"{"kind":"s","name":"a","value":3}"#,
            "unknown key `value` (a snapshot has time, arrived, kind, name, labels, fields, gone; what was measured goes into `fields`)",
        ),
        (r#"{"kind":"s","name":"a","name":"b","fields":{}}"#, "`name` is there twice"),
        (r#"{"kind":"s","name":"a","fields":{"x":1,"x":null}}"#, "field `x` is there twice"),
        (r#"{"kind":"s","name":"a","fields":{"x":null,"x":1}}"#, "field `x` is there twice"),
        (r#"{"kind":"s","name":"a","fields":{"x":null,"x":null}}"#, "field `x` is there twice"),
        (r#"{"kind":"s","name":"a","labels":{"x":"1","x":"2"},"fields":{}}"#, "label `x` is there twice"),
        (r#"{"kind":"s","name":"","fields":{}}"#, "the name is empty"),
        (r#"{"kind":"s","name":7,"fields":{}}"#, "invalid type: integer `7`, expected `name` as text"),
        (r#"{"kind":"s","name":"a\nb","fields":{}}"#, "the name `ab` has control or invisible characters"),
        ("{\"kind\":\"s\",\"name\":\"a\u{202e}b\",\"fields\":{}}", "the name `ab` has control or invisible characters"),
        (
            r#"{"kind":"9 lives","name":"a","fields":{}}"#,
            "the kind `9 lives` must begin with a letter or `_`, followed by letters, digits, `_`, `.` and `-`",
        ),
        (r#"{"kind":"s","name":"a","fields":{"":1}}"#, "the field is empty"),
        (
            r#"{"kind":"s","name":"a","fields":{"x":[1]}}"#,
            "field `x` is an array: a value is a number, a text or a bool",
        ),
        (
            r#"{"kind":"s","name":"a","fields":{"x":{}}}"#,
            "field `x` is an object: a value is a number, a text or a bool",
        ),
        (
            r#"{"kind":"s","name":"a","fields":5}"#,
            "invalid type: integer `5`, expected `fields` as an object of numbers, texts and bools",
        ),
        (
            r#"{"kind":"s","name":"a","labels":{"port":80},"fields":{}}"#,
            "label `port` is not text (the value of a label is text: write it in quotes)",
        ),
        (
            r#"{"time":"yesterday","kind":"s","name":"a","fields":{}}"#,
            "invalid value: string \"yesterday\", expected a time: RFC 3339 text such as \"2026-11-21T10:00:00Z\", or Unix seconds",
        ),
        (r#"{"kind":"s","name":"a","fields":{}"#, "not JSON: EOF while parsing an object at character 34 of the entry"),
    ];
    for (body, reason) in cases {
        refused(body, reason);
    }
}

#[test]
fn lengths_and_counts_are_bounded() {
    let long = |n: usize| "x".repeat(n);
    let many = |n: usize, value: &str| (0..n).map(|i| format!("\"f{i}\":{value}")).collect::<Vec<_>>().join(",");
    let cases = [
        (format!(r#"{{"kind":"{}","name":"a","fields":{{}}}}"#, long(256)), true),
        (format!(r#"{{"kind":"{}","name":"a","fields":{{}}}}"#, long(257)), false),
        (format!(r#"{{"kind":"s","name":"{}","fields":{{}}}}"#, long(256)), true),
        (format!(r#"{{"kind":"s","name":"{}","fields":{{}}}}"#, long(257)), false),
        (format!(r#"{{"kind":"s","name":"a","fields":{{"x":"{}"}}}}"#, long(4096)), true),
        (format!(r#"{{"kind":"s","name":"a","fields":{{"x":"{}"}}}}"#, long(4097)), false),
        (format!(r#"{{"kind":"s","name":"a","labels":{{"x":"{}"}},"fields":{{}}}}"#, long(4097)), false),
        (format!(r#"{{"kind":"s","name":"a","fields":{{{}}}}}"#, many(1000, "1")), true),
        (format!(r#"{{"kind":"s","name":"a","fields":{{{}}}}}"#, many(1001, "1")), false),
        (format!(r#"{{"kind":"s","name":"a","labels":{{{}}},"fields":{{}}}}"#, many(65, "\"v\"")), false),
        (format!("[{}", "[".repeat(100_000)), false),
    ];
    for (body, taken) in cases {
        assert_eq!(read(&body).iter().all(Result::is_ok), taken, "{:.60}", body);
    }
}

#[test]
fn an_entry_that_is_not_json_does_not_spoil_the_others() {
    let array = r#"[{"kind":"s","name":"a","fields":{"q":"],}[\""}}, {"kind":"s","name":"b","fields":{"x":NaN}},
        {"kind":"s","name":"c","fields":{}}, 7, {"kind":"s","name":"d","fields":{}}]"#;
    assert_eq!(names(&read(array)), [Ok("a"), Err(1), Ok("c"), Err(3), Ok("d")]);
    let lines = "{\"kind\":\"s\",\"name\":\"a\",\"fields\":{}}\n{oops\n\n{\"kind\":\"s\",\"name\":\"c\",\"fields\":{}}";
    assert_eq!(names(&read(lines)), [Ok("a"), Err(1), Ok("c")]);
    let cut_off = r#"[{"kind":"s","name":"a","fields":{}},{"kind":"s","na"#;
    assert_eq!(names(&read(cut_off)), [Ok("a"), Err(1)]);
    let trailing_comma = r#"[{"kind":"s","name":"a","fields":{}},]"#;
    assert_eq!(names(&read(trailing_comma)), [Ok("a"), Err(1)]);
    let trailing_text = r#"[{"kind":"s","name":"a","fields":{}}] and more"#;
    assert_eq!(names(&read(trailing_text)), [Ok("a"), Err(1)]);
}

#[test]
fn a_gone_subject_needs_no_fields() {
    let entries = read(r#"{"kind":"s","name":"a","gone":true}"#);
    assert!(entries[0].as_ref().unwrap().gone);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(|number| Value::Number(f64::from(number) / 1000.0)),
        any::<bool>().prop_map(Value::Bool),
        ".{0,12}".prop_map(|text| Value::Text(text.into())),
    ]
}

fn any_name() -> impl Strategy<Value = Arc<str>> {
    "[^\\p{Cc}\\p{Cf}\\u{2028}\\u{2029}\\u{2060}-\\u{206f}]{1,10}".prop_map(Into::into)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        kind in "[A-Za-z_][A-Za-z0-9_.-]{0,8}",
        name in any_name(),
        labels in prop::collection::btree_map(any_name(), any_name(), 0..4),
        fields in prop::collection::btree_map(any_name(), any_value(), 0..6),
        micros in 0_i64..4_000_000_000_000_000,
        arrived in prop::option::of(0_i64..4_000_000_000_000_000),
        wall_offset in -1_000_000_i64..1_000_000,
        gone: bool,
    ) {
        let fields = if gone { BTreeMap::new() } else { fields };
        let time = Time::from_micros(micros + 1_000_000);
        let snapshot = Snapshot { subject: SubjectKey::new(kind, name), time, labels, fields, gone };
        let arrived = arrived.map(|micros| Time::from_micros(micros + 1_000_000));
        let recorded = arrived.map(|arrived| Recorded { arrived, source: "host", stale_after: Duration::from_secs(30) });
        let line = serde_json::to_string(&Wire { snapshot: &snapshot, wall_offset, recorded }).unwrap();
        prop_assert!(!line.contains('\n'));
        let read = RecordingReader::new(WireLimits::default()).read(line.as_bytes()).unwrap();
        prop_assert_eq!(read.source.as_deref(), arrived.map(|_| "host"));
        prop_assert_eq!(read.stale_after, arrived.map(|_| Duration::from_secs(30)));
        prop_assert_eq!(read.arrived, arrived.map(|arrived| arrived.offset(wall_offset)));
        prop_assert_eq!(read.into_snapshot(Now { time: Time::EPOCH, wall_offset }), snapshot);
    }

    #[test]
    fn any_body_gets_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let entries = parse(&body, &WireLimits::default());
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = entry {
                prop_assert_eq!(error.index, index);
            }
        }
    }

    #[test]
    fn any_text_that_looks_like_json_gets_an_answer(body in r#"[\[\]{}",:\\ \na-c0-9]{0,60}"#) {
        let entries = read(&body);
        prop_assert!(entries.iter().all(|entry| entry.is_err()), "no such text is a snapshot");
    }
}
