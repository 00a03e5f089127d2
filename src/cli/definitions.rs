//! `larum definitions`: what scripts can call, for editors and for people.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Error, Ui};
use crate::lab::rule_test;
use crate::rules::reference;

#[derive(Debug, Args)]
pub(super) struct DefinitionsArgs {
    /// Write reference.md and definitions/*.d.rhai into this folder; without it, the reference is printed
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &DefinitionsArgs, ui: &mut Ui) -> Result<(), Error> {
    let markdown = reference::markdown(rule_test::TOPICS);
    let Some(dir) = &args.output else { return Ok(ui.text(&markdown)?) };
    let rules = reference::definitions("What rule files can call.", &reference::rule_topics());
    let tests = reference::definitions("What rule tests can call beside what rules can.", rule_test::TOPICS);
    let files = [("reference.md", markdown), ("definitions/rules.d.rhai", rules), ("definitions/tests.d.rhai", tests)];
    for (name, text) in files {
        let path = dir.join(name);
        write(&path, &text).with_context(|| format!("failed to write `{}`", path.display()))?;
        ui.line(format_args!("wrote {}", path.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}
