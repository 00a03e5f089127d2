//! `larum test --mutate`: the changes that no test notices, each with the test to write.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anstyle::AnsiColor;

use crate::cli::Ui;
use crate::config;
use crate::lab::mutation::{MutationReport, mutate};
use crate::lab::rule_test::FileReport;
use crate::rules::RuleSet;

/// Changes the rules and runs the tests over each change.
pub(super) fn run(
    files: &config::Project,
    rules: &RuleSet,
    reports: &[FileReport],
    tests: &BTreeMap<Arc<str>, Arc<str>>,
    jobs: NonZeroUsize,
    ui: &mut Ui,
) -> MutationReport {
    let mut told = 0;
    mutate(files, rules, reports, tests, jobs, |done, all| {
        // Every tenth of the way: a whole set takes as long as many runs of the tests.
        let tenth = done * 10 / all.max(1);
        if tenth > told {
            told = tenth;
            ui.note(format_args!("{done} of {all} changes tried"));
        }
    })
}

/// Prints what was not noticed.
pub(super) fn tell(report: &MutationReport, ui: &mut Ui) -> io::Result<()> {
    let mut file = None;
    for survivor in &report.survivors {
        if file != Some(&survivor.file) {
            ui.line(format_args!("\n{}", survivor.file))?;
            file = Some(&survivor.file);
        }
        let word = ui.out_word("not noticed", AnsiColor::Red);
        let after = if survivor.after.is_empty() { "(taken away)" } else { &survivor.after };
        ui.line(format_args!("  {}:{}  {word}", survivor.line, survivor.column))?;
        ui.line(format_args!("      {}", survivor.before))?;
        ui.line(format_args!("   -> {after}"))?;
        let looked = match survivor.tests {
            0 => "no test judges it".to_string(),
            1 => "1 test passed all the same".to_string(),
            tests => format!("{tests} tests passed all the same"),
        };
        ui.line(format_args!("      {looked}; write {}", survivor.advice))?;
    }
    let MutationReport { mutants, noticed, refused, survivors } = report;
    let refused = if *refused > 0 { format!(", {refused} do not load") } else { String::new() };
    ui.line(format_args!("\n{mutants} changes: {noticed} noticed, {} not noticed{refused}", survivors.len()))
}
