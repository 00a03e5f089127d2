//! The READMEs, held against each other: what a reader types is the same in both languages.

use std::fs;
use std::path::Path;

/// What two READMEs have in common: levels of headings, blocks of code without their comments, and what the first cells
/// of tables quote.
fn skeleton(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The language of the block that a line is in.
    let mut inside: Option<&str> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), None) => {
                inside = Some(language);
                found.push(line.to_string());
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(language)) => found.push(without_comment(line, language).to_string()),
            (None, None) if line.starts_with('#') => found.extend(line.split(' ').next().map(str::to_string)),
            (None, None) => {
                let cell = line.strip_prefix("| ").and_then(|row| row.split(" |").next());
                found.extend(cell.into_iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_string));
            }
        }
    }
    found
}

fn without_comment<'a>(line: &'a str, language: &str) -> &'a str {
    let mark = match language {
        "sh" | "yaml" => "#",
        "rhai" => "//",
        // What a program prints.
        _ => return line,
    };
    let begins = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices(mark).find(begins).map_or(line, |(at, _)| &line[..at]).trim_end()
}

#[test]
fn both_readmes_have_the_same_headings_commands_and_code() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (english, chinese) = (skeleton(&read("README.md")), skeleton(&read("README.zh-CN.md")));
    assert!(english.len() > 100, "this test reads the READMEs");
    for at in 0..english.len().max(chinese.len()) {
        let (english, chinese) = (english.get(at), chinese.get(at));
        assert!(english == chinese, "README.md has {english:?} where README.zh-CN.md has {chinese:?}");
    }
}

#[test]
fn only_words_and_comments_may_differ() {
    let readme =
        "# A\n\nWords `x`.\n\n```sh\nlarum run   # now\n# all of it\nlarum why '#1'\n```\n\n| `larum a`, `b` | c |\n";
    let same = "# 甲\n\n文字。\n\n```sh\nlarum run  # 现在\n# 全部\nlarum why '#1'\n```\n\n| `larum a`、`b` | 丙 |\n";
    assert_eq!(skeleton(readme), skeleton(same));
    for (from, to) in
        [("run", "test"), ("'#1'", "'#2'"), ("`b`", "`c`"), ("# A", "## A"), ("```sh", "```"), ("# all", "all")]
    {
        assert_ne!(skeleton(readme), skeleton(&readme.replacen(from, to, 1)), "{from} -> {to}");
    }
}
