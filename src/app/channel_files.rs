//! The channel files: each is parsed for itself, and a broken one leaves what its last good text made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::channels::{self, Configured};
use crate::config::Surroundings;
use crate::diagnostic::Diagnostic;
use crate::model::ChannelName;

/// The file that stands for one where a project has no channel files at all.
const DEFAULT_FILE: &str = "console.yaml";

/// The last good text of each file, by its path inside the folder.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelFiles {
    good: BTreeMap<Arc<str>, Arc<str>>,
    /// What was parsed last, and what came of it.
    seen: BTreeMap<Arc<str>, Arc<str>>,
    problems: Vec<Diagnostic>,
}

impl ChannelFiles {
    /// Nothing was read yet; `last_good` are the texts of before the start.
    pub(super) fn new(last_good: BTreeMap<Arc<str>, Arc<str>>) -> ChannelFiles {
        ChannelFiles { good: last_good, ..ChannelFiles::default() }
    }

    /// Takes the files as they are now. `None` where nothing has to be done: neither a text nor (with `again`) what
    /// surrounds the files can have changed.
    pub(super) fn take(
        &mut self,
        files: &BTreeMap<Arc<str>, Arc<str>>,
        surroundings: &dyn Surroundings,
        again: bool,
    ) -> Option<Vec<Configured>> {
        let default = || BTreeMap::from([(DEFAULT_FILE.into(), channels::CONSOLE_FILE.into())]);
        let files = if files.is_empty() { default() } else { files.clone() };
        if files == self.seen && !again {
            return None;
        }
        self.problems.clear();
        self.good.retain(|file, _| files.contains_key(file));
        let mut names = BTreeSet::new();
        let mut channels = Vec::new();
        for (file, text) in &files {
            let name = name_of(file);
            let label = format!("channels/{file}");
            if !names.insert(name.clone()) {
                let problem = format!("there is another file for the channel `{name}`");
                self.problems.push(Diagnostic::of_file(label, problem).with_hint("rename one of them"));
                continue;
            }
            match channels::parse(&name, label.as_str(), text, surroundings) {
                Ok(channel) => {
                    self.good.insert(file.clone(), text.clone());
                    channels.push(channel);
                }
                Err(problems) => {
                    self.problems.extend(problems);
                    // What surrounds the file may have changed too, so that the last good text is broken now as well.
                    let former = self.good.get(file);
                    channels.extend(former.and_then(|text| channels::parse(&name, label, text, surroundings).ok()));
                }
            }
        }
        self.seen = files;
        Some(channels)
    }

    /// What is wrong with the files.
    pub(super) fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// The texts that are in force, by path inside the folder.
    pub(super) fn good(&self) -> &BTreeMap<Arc<str>, Arc<str>> {
        &self.good
    }

    /// The names that the files give, those of broken files too.
    pub(super) fn names(&self) -> BTreeSet<ChannelName> {
        self.seen.keys().map(|file| name_of(file)).collect()
    }
}

/// A channel's name is its file's stem.
fn name_of(file: &str) -> ChannelName {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    stem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fixed;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
        pairs.iter().map(|(file, text)| (Arc::from(*file), Arc::from(*text))).collect()
    }

    /// The channels that are in force, with their kinds.
    fn take(channels: &mut ChannelFiles, pairs: &[(&str, &str)]) -> Option<Vec<String>> {
        let made = channels.take(&files(pairs), &Fixed::default(), false)?;
        Some(made.iter().map(|channel| format!("{} {}", channel.name(), channel.kind())).collect())
    }

    const HOOK: &str = "type: webhook\nurl: http://127.0.0.1:1/hook\n";

    #[test]
    fn a_project_without_channel_files_has_the_console() {
        let mut channels = ChannelFiles::default();
        assert_eq!(take(&mut channels, &[]).unwrap(), ["console console"]);
        assert_eq!(take(&mut channels, &[]), None, "nothing changed");
        assert_eq!(take(&mut channels, &[("ops.yaml", HOOK)]).unwrap(), ["ops webhook"]);
    }

    #[test]
    fn a_broken_file_keeps_what_its_last_good_text_made_and_blocks_no_other() {
        let mut channels = ChannelFiles::default();
        take(&mut channels, &[("ops.yaml", HOOK)]);
        let broken = [("ops.yaml", "type: webhok\n"), ("new.yaml", "type: console\n"), ("bad.yaml", "type: 7")];
        assert_eq!(take(&mut channels, &broken).unwrap(), ["new console", "ops webhook"]);
        let files: BTreeSet<&str> = channels.problems().iter().map(|problem| &*problem.file).collect();
        assert_eq!(files, ["channels/bad.yaml", "channels/ops.yaml"].into());
        assert_eq!(channels.names(), ["bad".into(), "new".into(), "ops".into()].into());
        assert_eq!(&*channels.good()["ops.yaml"], HOOK);
    }

    #[test]
    fn two_files_for_one_channel_are_a_problem_of_the_second() {
        let mut channels = ChannelFiles::default();
        let two = [("ops.yaml", HOOK), ("ops.yml", "type: console\n")];
        assert_eq!(take(&mut channels, &two).unwrap(), ["ops webhook"]);
        assert_eq!(&*channels.problems()[0].file, "channels/ops.yml");
    }

    #[test]
    fn a_channel_knows_its_file_by_its_real_name() {
        let made = ChannelFiles::default().take(&files(&[("ops.yml", HOOK)]), &Fixed::default(), false).unwrap();
        assert_eq!(&**made[0].file(), "channels/ops.yml");
    }
}
