//! The map in ARCHITECTURE.md, held against the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules of ours that it may name, besides itself.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("model", &["diagnostic"]),
    ("history", &["model"]),
    ("access", &["model"]),
    ("exposition", &[]),
    ("alert", &["model"]),
    ("routing", &["model", "diagnostic"]),
    ("rules", &["model", "history", "diagnostic"]),
    ("engine", &["model", "history", "rules", "alert", "routing"]),
    ("channels", &["model", "diagnostic", "config"]),
    ("outbox", &["model", "channels", "engine"]),
    ("store", &["model", "history", "engine", "outbox"]),
    ("export", &["model", "history", "diagnostic", "store"]),
    ("collect", &["model", "history", "diagnostic"]),
    // Silences come in as plans, and go out as documents.
    ("server", &["model", "history", "diagnostic", "access", "routing", "exposition", "export"]),
    ("config", &["model", "diagnostic", "history", "rules", "routing", "collect", "channels", "access", "exposition"]),
    // What the outbox decides is pure, and decides in the lab too. Of the server the lab knows its documents alone: it
    // explains in the words of the daemon, and commands read both.
    (
        "lab",
        &[
            "model",
            "diagnostic",
            "history",
            "alert",
            "routing",
            "rules",
            "engine",
            "channels",
            "outbox",
            "config",
            "server",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "model",
            "diagnostic",
            "config",
            "rules",
            "routing",
            "channels",
            "store",
            "export",
            "lab",
            "app",
            "server",
        ],
    ),
];

/// What pure code does not name.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::env", "std::thread", "tokio", "Instant::now", "SystemTime"];
const PURE: &[&str] = &["access", "exposition", "model", "history", "alert", "routing", "rules", "engine"];
/// Pure files of modules that also do something else: what the outbox decides.
const PURE_FILES: &[&str] = &["outbox/decide", "outbox/lane", "outbox/queue", "outbox/summary", "outbox/window"];

/// The sources of a module without its tests: path and text.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a module is a folder").flatten() {
            let path = entry.path();
            let is_test = path.components().any(|part| {
                let part = part.as_os_str().to_string_lossy();
                part.starts_with("tests") || part == "simulator" || part == "testing.rs" || part == "contract.rs"
            });
            if is_test {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("sources can be read");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "{module} has sources");
    files
}

/// The modules that a text names by `crate::`.
fn named(text: &str) -> BTreeSet<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let ends = |rest: &str| rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| &rest[..ends(rest)])
        .filter(|m| !m.is_empty())
        .collect()
}

#[test]
fn modules_know_only_what_the_map_says() {
    let mut strangers = Vec::new();
    for (module, known) in MAY_KNOW {
        for (path, text) in sources(module) {
            for other in named(&text) {
                if other != *module && !known.contains(&other) {
                    strangers.push(format!("{}: {other}", path.display()));
                }
            }
        }
    }
    assert!(strangers.is_empty(), "modules know what they should not:\n{}", strangers.join("\n"));
}

#[test]
fn of_the_server_the_lab_and_the_commands_know_the_documents_alone() {
    for module in ["lab", "cli"] {
        for (path, text) in sources(module) {
            for rest in text.split("crate::server::").skip(1) {
                assert!(rest.starts_with("api::"), "{} names more of the server", path.display());
            }
        }
    }
}

#[test]
fn pure_modules_name_no_clock_and_no_outside_world() {
    let mut impure = Vec::new();
    for module in PURE {
        for (path, text) in sources(module) {
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let found = IMPURE.iter().filter(|word| code.iter().any(|line| line.contains(**word)));
            impure.extend(found.map(|word| format!("{}: {word}", path.display())));
        }
    }
    for file in PURE_FILES {
        let (module, name) = file.split_once('/').expect("a module and a file");
        let wanted = Path::new(module).join(format!("{name}.rs"));
        let (path, text) = sources(module).into_iter().find(|(path, _)| path.ends_with(&wanted)).expect("it is there");
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let found = IMPURE.iter().filter(|word| code.iter().any(|line| line.contains(**word)));
        impure.extend(found.map(|word| format!("{}: {word}", path.display())));
    }
    // The wall time of one evaluation is the brake of last resort: it ends a script, and decides nothing else.
    impure.retain(|line| !line.ends_with("src/rules/budget.rs: Instant::now"));
    assert!(impure.is_empty(), "pure code reaches outside:\n{}", impure.join("\n"));
}
