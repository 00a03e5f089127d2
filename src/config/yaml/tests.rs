use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::config::{Fixed, Secret, Text};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Sample {
    name: String,
    port: u16,
    ratio: f64,
    on: bool,
    token: Option<Secret>,
    url: Option<Text>,
    list: Vec<Item>,
    sources: Vec<Source>,
    words: BTreeMap<String, crate::model::Value>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Item {
    to: String,
    #[serde(default)]
    weight: u8,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Source {
    Host {},
    Http(Http),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Http {
    url: String,
    #[serde(default)]
    retries: u8,
}

fn read_with(text: &str, surroundings: &Fixed) -> Result<Sample, Vec<Diagnostic>> {
    Document::parse("x.yaml", text, surroundings)?.read()
}

fn read(text: &str) -> Result<Sample, Vec<Diagnostic>> {
    read_with(text, &Fixed::default())
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    let problems = read(text).expect_err("there are problems");
    let lines: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(lines, expected, "{text}");
}

#[test]
fn a_file_without_problems_is_read() {
    let sample = read(
        "name: a\nport: 80\nratio: 1\non: true\nlist:\n  - { to: b }\nsources:\n  - { type: host }\n  - { type: http, url: u, retries: 2 }\n",
    )
    .unwrap();
    assert_eq!(sample.list, vec![Item { to: "b".into(), weight: 0 }]);
    assert_eq!(sample.sources, vec![Source::Host {}, Source::Http(Http { url: "u".into(), retries: 2 })]);
}

#[test]
fn nothing_at_all_is_all_defaults() {
    for text in ["", "\n", "# only a comment\n", "list:\nsources:\nwords:\n", "---\n", "\u{feff}"] {
        assert_eq!(read(text), Ok(Sample::default()), "{text:?}");
    }
}

#[test]
fn unknown_keys_are_told_with_their_place_and_a_hint() {
    check_problems(
        "nam: a\nlist:\n  - to: b\n    wieght: 3\n",
        &[
            "x.yaml:1:1: error: unknown key `nam` (did you mean `name`?)",
            "x.yaml:4:5: error: unknown key `wieght` (did you mean `weight`?)",
        ],
    );
    check_problems(
        "list: [{ to: b, banana: 1 }]",
        &["x.yaml:1:17: error: unknown key `banana` (the keys here are to, weight)"],
    );
}

#[test]
fn all_problems_are_told_at_once_and_none_twice() {
    check_problems(
        "port: 80000\nratio: x\nlist:\n  - { weight: 1 }\n  - { to: [1] }\n  - { to: ok, weight: heavy }\nsources:\n  - { type: htp }\n  - { type: http, urll: u }\n  - { retries: 2 }\n  - 5\non: maybe\n",
        &[
            "x.yaml:1:7: error: expected a whole number from 0 to 65535, found the number `80000`",
            "x.yaml:2:8: error: expected a number, found `x`",
            "x.yaml:4:5: error: the key `to` is missing",
            "x.yaml:5:11: error: expected a text, found a list",
            "x.yaml:6:23: error: expected a whole number from 0 to 255, found `heavy`",
            "x.yaml:8:13: error: `htp` is not known here (did you mean `http`?)",
            "x.yaml:9:19: error: unknown key `urll` (did you mean `url`?)",
            "x.yaml:10:5: error: the key `type` is missing",
            "x.yaml:11:5: error: expected a mapping with a key `type`, or a text",
            "x.yaml:12:5: error: expected true or false, found `maybe`",
        ],
    );
}

#[test]
fn a_text_that_looks_like_a_number_says_to_put_it_in_quotes() {
    check_problems("name: 12", &["x.yaml:1:7: error: expected a text, found the number `12` (put it in quotes)"]);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    check_problems("name: a\nport: 1\nname: b\n", &["x.yaml:3:1: error: the key `name` stands here twice"]);
    check_problems("words: { a: 1, a: 2 }\n", &["x.yaml:1:16: error: the key `a` stands here twice"]);
}

#[test]
fn what_is_no_yaml_has_its_place() {
    check_problems(
        "name: @x\n",
        &["x.yaml:1:7: error: found character that cannot start any token (put the text in quotes)"],
    );
    check_problems(
        "list:\n\t- to: x\n",
        &["x.yaml:2:1: error: found character that cannot start any token (YAML is indented with spaces, not tabs)"],
    );
    check_problems(
        "words: { a: ${env:A} }\n",
        &["x.yaml:1:14: error: did not find expected ',' or '}' (put `${..}` in quotes: `\"${env:NAME}\"`)"],
    );
    check_problems(
        "name: !tag x\n",
        &["x.yaml:1:7: error: YAML tags (`!name`) are not used here: put the text in quotes"],
    );
    for text in ["a: [1", "a: b: c", "- x\n- y", "just text", "a: *no", "a: 1\n---\nb: 2\n", "\ta: 1", "{a: 1"] {
        let problems = read(text).unwrap_err();
        assert!(!problems.is_empty() && problems[0].message.len() > 5, "{text}: {problems:?}");
    }
}

#[test]
fn a_list_is_no_mapping_and_a_word_no_source() {
    check_problems("- x\n", &["x.yaml:1:1: error: expected a mapping, found a list"]);
    check_problems("list: [[x, 1]]\n", &["x.yaml:1:8: error: expected a mapping, found a list"]);
    check_problems(
        "sources: [http]\n",
        &["x.yaml:1:11: error: expected a mapping such as `{ type: .. }`, found a text alone"],
    );
}

#[test]
fn aliases_of_aliases_do_not_grow_without_end() {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e"), ("g", "f"), ("h", "g")] {
        text.push_str(&format!("{name}: &{name} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n"));
    }
    assert!(!read(&text).unwrap_err().is_empty());
    let deep = "[".repeat(5000);
    assert!(!read(&deep).unwrap_err().is_empty());
    assert!(read(&format!("# {}", "x".repeat(MAX_BYTES))).unwrap_err()[0].message.contains("larger than 1 MiB"));
}

#[test]
fn substituted_values_become_what_is_expected() {
    let surroundings =
        Fixed::env([("PORT", "8080"), ("YES", "true"), ("HALF", "0.5"), ("TOKEN", "123456"), ("N", "x")]);
    let sample = read_with(
        "name: ${env:TOKEN}\nport: ${env:PORT}\nratio: ${env-public:HALF}\non: ${env-public:YES}\ntoken: ${env:TOKEN}\nurl: https://${env:N}/\nwords: { a: '${env-public:HALF}', b: '${env-public:N}' }\n",
        &surroundings,
    )
    .unwrap();
    assert_eq!((sample.name.as_str(), sample.port, sample.ratio, sample.on), ("123456", 8080, 0.5, true));
    assert_eq!(sample.token, Some(Secret::new("123456")));
    assert_eq!(sample.url, Some(Text::secret("https://x/")));
    assert_eq!(sample.words["a"], crate::model::Value::Number(0.5));
    assert_eq!(sample.words["b"], crate::model::Value::from("x"));
}

#[test]
fn a_missing_variable_is_told_at_its_place_with_all_other_problems() {
    check_problems(
        "token: ${env:NO}\nname: a ${file:no}\nbanana: 1\nlist:\n  - to: |\n      first\n      ${env:NO}\n",
        &[
            "x.yaml:1:8: error: the environment variable `NO` is not set (set it where `larum` is started: `export NO=..`)",
            "x.yaml:2:9: error: cannot read the file `no`: no such file",
            "x.yaml:3:1: error: unknown key `banana` (the keys here are name, port, ratio, on, token, url, list, sources, words)",
            "x.yaml:7:7: error: the environment variable `NO` is not set (set it where `larum` is started: `export NO=..`)",
        ],
    );
}

#[test]
fn no_problem_shows_a_secret() {
    let surroundings = Fixed::env([("S", "hunter22")]);
    for text in [
        "port: ${env:S}",
        "on: ${env:S}",
        "list: '${env:S}'",
        "list: [{to: x, weight: '${env:S}'}]",
        "sources: [{type: '${env:S}'}]",
    ] {
        let problems = read_with(text, &surroundings).unwrap_err();
        assert!(!format!("{problems:?}").contains("hunter22"), "{problems:?}");
    }
    let problems = read("token: 12345678\npassword: hunter22\n").unwrap_err();
    assert!(!format!("{problems:?}").contains("12345678"), "{problems:?}");
    assert!(!format!("{problems:?}").contains("hunter22"), "{problems:?}");
}

#[test]
fn the_place_of_a_value_can_be_asked_for() {
    #[derive(Deserialize)]
    struct Routes {
        to: Vec<Spanned<String>>,
    }
    let document = Document::parse("x.yaml", "to:\n  - a\n  - \"bé\"\n", &Fixed::default()).unwrap();
    let routes: Routes = document.read().unwrap();
    let problem = document.place(&routes.to[1]).error("unknown channel");
    assert_eq!((problem.line, problem.column, problem.length), (3, 5, 4));
    assert_eq!(problem.source_line.as_deref(), Some("  - \"bé\""));
}

#[test]
fn the_head_of_a_file_chooses_the_type_of_the_rest() {
    let document = Document::parse("x.yaml", "type: webhook\nurl: u\nretires: 1\n", &Fixed::default()).unwrap();
    assert_eq!(document.head("type").unwrap().value, "webhook");
    let problems = document.read_beside::<Http>(&["type"]).unwrap_err();
    assert_eq!(problems[0].to_string(), "x.yaml:3:1: error: unknown key `retires` (did you mean `retries`?)");
    assert_eq!(problems.len(), 1);
    let none = Document::parse("x.yaml", "url: u\n", &Fixed::default()).unwrap().head("type").unwrap_err();
    assert_eq!(none[0].to_string(), "x.yaml:1:1: error: the key `type` is missing");
}

proptest! {
    #[test]
    fn no_secret_breaks_the_document_or_adds_to_it(secret in "\\PC{1,20}|[\\x00-\\x7f\n\"':#{}\\[\\],&*!|>%@`-]{1,20}") {
        let surroundings = Fixed::env([("S", secret.as_str())]);
        let text = "name: ${env:S}\ntoken: \"${env:S}\"\nurl: 'a${env:S}b'\nlist:\n  - to: ${env:S}\n";
        let sample = read_with(text, &surroundings).unwrap();
        prop_assert_eq!(&sample.name, &secret);
        prop_assert_eq!(&sample.token, &Some(Secret::new(secret.clone())));
        prop_assert_eq!(&sample.url, &Some(Text::secret(format!("a{secret}b"))));
        prop_assert_eq!(&sample.list, &vec![Item { to: secret, weight: 0 }]);
        prop_assert!(sample.sources.is_empty() && sample.words.is_empty());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(name|port|list|words|type|to|[a-z]{1,3}|[:\\- \n\"'{}\\[\\],&*!|>%@#0-9]){0,40}") {
        let outcome = read(&text);
        prop_assert!(outcome.is_ok() || outcome.is_err_and(|problems| !problems.is_empty()));
    }

    #[test]
    fn the_place_of_every_key_is_found(keys in proptest::collection::btree_set("[a-z]{5,8}x", 1..8)) {
        let mut text = String::new();
        for key in &keys {
            text.push_str(&format!("\n{key}: [1, {{ a: b }}]\n"));
        }
        let problems = read(&text).unwrap_err();
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        prop_assert_eq!(lines, (1..=keys.len()).map(|index| index * 2).collect::<Vec<_>>());
    }
}
