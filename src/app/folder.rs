//! The files of a project folder: where they are, what they say, and what to believe of that.
//!
//! [`Layout`] does the reading. What a reading means is decided purely, for editors and deployments truncate files and
//! remove them, and write them anew: [`Settling`] waits for the text of a file that lost all of it. [`Believed`] takes a
//! folder that is missing or suddenly empty, and a file that is unreadable, as faults of the moment that change nothing,
//! and a file that is gone as gone after a while (for rules, `rules::Loader` does that).

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnostic::Diagnostic;

/// A file that is gone for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// A file that lost all its text for so long was meant to: editors truncate a file before they write it.
const EMPTY_AFTER: Duration = Duration::from_secs(2);
/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;
/// Files of one folder.
const MAX_FILES: usize = 10_000;
/// Folders within folders.
const MAX_DEPTH: usize = 8;

/// Where the files of a project are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    rules: PathBuf,
    channels: PathBuf,
    config: PathBuf,
    /// How diagnostics name the config: relative to the folder where it is inside.
    config_name: Arc<str>,
}

/// What one reading of a folder found: each file's text by its path inside the folder, or why the file cannot be read; or
/// why the folder cannot.
pub type Reading = Result<BTreeMap<Arc<str>, Result<Arc<str>, String>>, String>;

/// Names, sizes and times of all files: equal where (almost certainly) nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Layout {
    /// The project folder at `root`, with its own larum.yaml or another one.
    pub fn new(root: PathBuf, config: Option<PathBuf>) -> Layout {
        let config_name = match &config {
            None => "larum.yaml".into(),
            Some(path) => path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into(),
        };
        // The system tells of changes under absolute paths, and those of the project are compared with them.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let root = absolute(root);
        let config = config.map_or_else(|| root.join("larum.yaml"), absolute);
        Layout { rules: root.join("rules"), channels: root.join("channels"), root, config, config_name }
    }

    /// The project folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The name by which diagnostics call the config.
    pub fn config_name(&self) -> &Arc<str> {
        &self.config_name
    }

    /// The text of the config; `None` where there is none, which is fine.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_config(&self) -> Result<Option<Arc<str>>, String> {
        match self.config.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => read_text(&self.config).map(Some),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads the rule files, without the tests beside them.
    pub fn read_rules(&self) -> Reading {
        read_folder(&self.rules, MAX_DEPTH, is_rule_file)
    }

    /// Reads the channel files.
    pub fn read_channels(&self) -> Reading {
        read_folder(&self.channels, 0, is_channel_file)
    }

    /// The directories to watch: the folders, and those in which folders and files can be swapped.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.root.clone(), self.rules.clone(), self.channels.clone()];
        directories.extend(self.config.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf));
        directories
    }

    /// Whether a directory is ours as a whole, with the folders in it.
    pub(super) fn is_whole(&self, directory: &Path) -> bool {
        directory == self.rules || directory == self.channels
    }

    /// Whether something at this path can change what is read.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        path == self.config
            || path == self.root
            || path.starts_with(&self.rules)
            || path.starts_with(&self.channels)
            || (path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."))
                && path.parent() == self.config.parent())
    }

    /// Looks at names, sizes and times.
    pub(super) fn signature(&self) -> Signature {
        let mut found = BTreeMap::new();
        let mut add = |path: PathBuf| {
            if let Ok(metadata) = fs::metadata(&path) {
                found.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        };
        add(self.config.clone());
        for (folder, depth) in [(&self.rules, MAX_DEPTH), (&self.channels, 0)] {
            // A folder that cannot be listed has no files here; that it has none any more is a change.
            let mut files = Vec::new();
            if list(folder, depth, &mut files).is_ok() {
                files.into_iter().for_each(&mut add);
            }
        }
        Signature(found)
    }
}

/// Whether a name is an editor's or a deployment's own, never a file of the operator: swap files, backups, hidden files.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.')
        || name.starts_with('#')
        || name.ends_with('~')
        || [".swp", ".swx", ".tmp", ".bak", ".orig"].iter().any(|end| name.ends_with(end))
        || name == "4913"
}

fn is_rule_file(name: &str) -> bool {
    name.ends_with(".rhai") && !name.ends_with(".test.rhai")
}

fn is_channel_file(name: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| name.ends_with(end))
}

fn read_folder(folder: &Path, depth: usize, wanted: fn(&str) -> bool) -> Reading {
    let mut paths = Vec::new();
    list(folder, depth, &mut paths)?;
    let mut texts = BTreeMap::new();
    for path in paths {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        // Paths are texts with `/` everywhere a person sees them.
        let relative: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        if relative.last().is_some_and(|name| wanted(name)) {
            texts.insert(relative.join("/").into(), read_text(&path));
        }
    }
    Ok(texts)
}

/// All files of a folder that are not temporary. Links are followed.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        if is_temporary(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if files.len() >= MAX_FILES {
            return Err(format!("it has more than {MAX_FILES} files"));
        }
        let path = entry.path();
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && depth > 0 => list(&path, depth - 1, files)?,
            Ok(metadata) if metadata.is_dir() => {}
            // A link to nowhere is a file that cannot be read: it has a name, and reading it tells why.
            Ok(_) | Err(_) => files.push(path),
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<Arc<str>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        // A pipe would block for ever.
        return Err("it is not a regular file".to_string());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 1 MiB".to_string());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_string())?;
    // A byte order mark is an editor's habit and no part of the text.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).into())
}

/// Waits for the text of files that lost all of it: it is still to be written.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    /// The newest text of each file that was not empty.
    texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Files that were found empty, and when that is believed.
    empty: BTreeMap<Arc<str>, Instant>,
}

impl Settling {
    /// The reading with the former text of files that are empty for a moment only, and when to read again.
    pub fn take(&mut self, mut reading: Reading, now: Instant) -> (Reading, Option<Instant>) {
        let Ok(found) = &mut reading else { return (reading, None) };
        let mut empty = BTreeMap::new();
        self.texts.retain(|file, _| found.contains_key(file));
        for (file, text) in found {
            let Ok(text) = text else { continue };
            if !text.trim().is_empty() {
                self.texts.insert(file.clone(), text.clone());
            } else if let Some(former) = self.texts.get(file) {
                let believed_at = self.empty.get(file).copied().unwrap_or(now + EMPTY_AFTER);
                if now < believed_at {
                    *text = former.clone();
                    empty.insert(file.clone(), believed_at);
                } else {
                    self.texts.remove(file);
                }
            }
        }
        self.empty = empty;
        let again = self.empty.values().min().copied();
        (reading, again)
    }
}

/// What is believed of one folder.
#[derive(Clone, Debug)]
pub struct Believed {
    /// The folder's name: `channels`.
    folder: &'static str,
    /// It may be missing from the start.
    optional: bool,
    files: BTreeMap<Arc<str>, Arc<str>>,
    /// Files that were not found, and when they are believed to be gone.
    doubtful: BTreeMap<Arc<str>, Instant>,
}

/// What a reading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What is believed now differs from before.
    pub changed: bool,
    /// What is wrong with the folder and its files as such.
    pub problems: Vec<Diagnostic>,
    /// When to read again although nothing may happen until then.
    pub again: Option<Instant>,
}

impl Believed {
    /// Nothing is known of the folder yet, or only its last good texts.
    pub fn new(folder: &'static str, optional: bool, last_good: BTreeMap<Arc<str>, Arc<str>>) -> Believed {
        Believed { folder, optional, files: last_good, doubtful: BTreeMap::new() }
    }

    /// The files and their texts.
    pub fn files(&self) -> &BTreeMap<Arc<str>, Arc<str>> {
        &self.files
    }

    /// Takes a reading into account.
    pub fn take(&mut self, reading: Reading, now: Instant) -> Finding {
        let name = self.folder;
        let before = self.files.clone();
        let stays = if self.files.is_empty() { "nothing of it is in force" } else { "what was in force stays so" };
        let mut problems = Vec::new();
        match reading {
            Err(_) if self.optional && self.files.is_empty() => {}
            Err(error) => problems.push(
                Diagnostic::of_file(name, format!("cannot read the folder `{name}/`: {error}; {stays}"))
                    .with_hint(format!("create `{name}/`, or name the project folder with --dir")),
            ),
            Ok(found) if found.is_empty() && !self.files.is_empty() => problems.push(
                Diagnostic::of_file(name, format!("the folder `{name}/` is suddenly empty; {stays}"))
                    .with_hint("to end everything in it, leave one file with nothing but a comment"),
            ),
            Ok(found) => self.take_files(found, now, &mut problems),
        }
        let again = self.doubtful.values().min().copied();
        Finding { changed: self.files != before, problems, again }
    }

    fn take_files(
        &mut self,
        found: BTreeMap<Arc<str>, Result<Arc<str>, String>>,
        now: Instant,
        problems: &mut Vec<Diagnostic>,
    ) {
        let name = self.folder;
        let mut doubtful = BTreeMap::new();
        let mut files = BTreeMap::new();
        for (file, known) in &self.files {
            let moved =
                || found.iter().any(|(other, text)| !self.files.contains_key(other) && text.as_ref() == Ok(known));
            match found.get(file) {
                Some(Ok(_)) => {}
                Some(Err(_)) => drop(files.insert(file.clone(), known.clone())),
                // A file that was moved is known under its new name.
                None if moved() => {}
                None => {
                    let believed_at = self.doubtful.get(file).copied().unwrap_or(now + GONE_AFTER);
                    if now < believed_at {
                        doubtful.insert(file.clone(), believed_at);
                        files.insert(file.clone(), known.clone());
                    }
                }
            }
        }
        for (file, text) in found {
            match text {
                Err(error) => {
                    problems
                        .push(Diagnostic::of_file(format!("{name}/{file}"), format!("cannot read the file: {error}")));
                }
                Ok(text) => {
                    files.insert(file, text);
                }
            }
        }
        self.files = files;
        self.doubtful = doubtful;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
        pairs.iter().map(|(file, text)| (Arc::from(*file), Arc::from(*text))).collect()
    }

    fn reading(pairs: &[(&str, &str)]) -> Reading {
        Ok(texts(pairs).into_iter().map(|(file, text)| (file, Ok(text))).collect())
    }

    fn believed(pairs: &[(&str, &str)]) -> Believed {
        Believed::new("rules", false, texts(pairs))
    }

    fn messages(finding: &Finding) -> Vec<String> {
        finding.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_folder_with_a_relative_name_is_the_one_that_changes_are_told_of() {
        let here = std::env::current_dir().unwrap();
        for (root, there) in [(".", here.clone()), ("alerts", here.join("alerts"))] {
            let layout = Layout::new(root.into(), Some("elsewhere/larum.yaml".into()));
            assert!(layout.concerns(&there.join("rules/a.rhai")), "{root:?}");
            assert!(layout.concerns(&here.join("elsewhere/larum.yaml")), "{root:?}");
            assert!(!layout.concerns(&here.join("other/rules/a.rhai")), "{root:?}");
        }
    }

    #[test]
    fn a_folder_that_is_missing_or_suddenly_empty_changes_nothing_and_is_a_problem() {
        let now = Instant::now();
        let mut rules = believed(&[("a.rhai", "1")]);
        let cases: [(Reading, &str); 2] = [
            (Err("no such directory".into()), "cannot read the folder `rules/`: no such directory; what was in force"),
            (reading(&[]), "the folder `rules/` is suddenly empty; what was in force stays so"),
        ];
        for (found, expected) in cases {
            for hours in [0, 1, 100] {
                let finding = rules.take(found.clone(), now + Duration::from_secs(3600 * hours));
                assert!(!finding.changed);
                assert!(messages(&finding)[0].contains(expected), "{:?}", messages(&finding));
            }
        }
        assert_eq!(*rules.files(), texts(&[("a.rhai", "1")]));
    }

    #[test]
    fn a_missing_folder_is_a_problem_from_the_start_where_it_is_not_optional() {
        let missing = || Err("no such directory".to_string());
        let finding = believed(&[]).take(missing(), Instant::now());
        assert!(messages(&finding)[0].contains("nothing of it is in force"), "{:?}", messages(&finding));
        let finding = Believed::new("channels", true, BTreeMap::new()).take(missing(), Instant::now());
        assert_eq!(finding, Finding::default());
    }

    #[test]
    fn a_file_is_gone_after_ten_seconds_and_not_where_it_comes_back_before() {
        let now = Instant::now();
        let both = reading(&[("a.rhai", "1"), ("b.rhai", "2")]);
        let one = reading(&[("b.rhai", "2")]);
        let mut rules = believed(&[]);
        assert!(rules.take(both.clone(), now).changed);

        let finding = rules.take(one.clone(), now + Duration::from_secs(1));
        assert_eq!((finding.changed, finding.again), (false, Some(now + Duration::from_secs(11))));
        assert!(!rules.take(both, now + Duration::from_secs(2)).changed);

        assert!(!rules.take(one.clone(), now + Duration::from_secs(3)).changed);
        assert!(!rules.take(one.clone(), now + Duration::from_secs(12)).changed, "counted anew");
        let finding = rules.take(one, now + Duration::from_secs(13));
        assert_eq!((finding.changed, finding.again), (true, None));
        assert_eq!(*rules.files(), texts(&[("b.rhai", "2")]));
    }

    #[test]
    fn a_file_that_was_only_moved_is_gone_at_once() {
        let now = Instant::now();
        let mut rules = believed(&[("a.rhai", "1")]);
        assert!(rules.take(reading(&[("b.rhai", "1")]), now).changed);
        assert_eq!(*rules.files(), texts(&[("b.rhai", "1")]));
    }

    #[test]
    fn a_file_that_is_truncated_while_it_is_saved_keeps_its_text_for_a_moment() {
        let now = Instant::now();
        let mut settling = Settling::default();
        let mut take = |text: &str, millis: u64| {
            let now = now + Duration::from_millis(millis);
            let (found, again) = settling.take(reading(&[("a.rhai", text)]), now);
            (found.unwrap()["a.rhai"].clone().unwrap().to_string(), again.map(|again| again - now))
        };
        let kept = |text: &str, wait: u64| (text.to_string(), Some(Duration::from_millis(wait)));
        let read = |text: &str| (text.to_string(), None);
        assert_eq!(take("", 0), read(""), "a file that begins empty is empty");
        assert_eq!(take("1", 100), read("1"));
        assert_eq!(take("\n", 200), kept("1", 2000));
        assert_eq!(take("2", 300), read("2"));
        assert_eq!(take("", 400), kept("2", 2000));
        assert_eq!(take("", 1400), kept("2", 1000));
        assert_eq!(take("", 2400), read(""), "two seconds later it was meant");
        assert_eq!(take("", 9000), read(""));
    }

    #[test]
    fn a_file_that_cannot_be_read_keeps_its_text_and_blocks_no_other() {
        let mut rules = believed(&[("a.rhai", "1")]);
        let mut found = reading(&[("b.rhai", "2")]).unwrap();
        found.insert("a.rhai".into(), Err("permission denied".into()));
        let finding = rules.take(Ok(found), Instant::now());
        assert_eq!(messages(&finding), ["rules/a.rhai: error: cannot read the file: permission denied"]);
        assert_eq!(*rules.files(), texts(&[("a.rhai", "1"), ("b.rhai", "2")]));
    }

    #[test]
    fn rule_files_are_read_with_their_folders_and_without_tests_and_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("rules/a.rhai", "\u{feff}let a = 1;".as_bytes());
        write("rules/team/b.rhai", b"b");
        write("rules/binary.rhai", &[0xff, 0xfe]);
        write("rules/large.rhai", &vec![b' '; MAX_BYTES as usize + 1]);
        for skipped in ["a.test.rhai", "a.rhai~", ".a.rhai.swp", "4913", "notes.md", "..2026/a.rhai", ".git/x.rhai"] {
            write(&format!("rules/{skipped}"), b"skipped");
        }
        let layout = Layout::new(dir.path().to_path_buf(), None);
        let found = layout.read_rules().unwrap();
        let names: Vec<&str> = found.keys().map(AsRef::as_ref).collect();
        assert_eq!(names, ["a.rhai", "binary.rhai", "large.rhai", "team/b.rhai"]);
        assert_eq!(found["a.rhai"], Ok("let a = 1;".into()));
        assert_eq!(found["binary.rhai"], Err("it is not UTF-8 text".into()));
        assert_eq!(found["large.rhai"], Err("it is larger than 1 MiB".into()));
        assert!(layout.read_channels().is_err());
        assert_eq!(layout.read_config(), Ok(None));
    }

    #[test]
    fn the_signature_changes_with_every_kind_of_change() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_path_buf(), None);
        let mut seen = vec![layout.signature()];
        let mut changed = |what: &str| {
            let signature = layout.signature();
            assert_ne!(Some(&signature), seen.last(), "{what}");
            seen.push(signature);
        };
        fs::create_dir(dir.path().join("rules")).unwrap();
        fs::write(dir.path().join("rules/a.rhai"), "1").unwrap();
        changed("a new file");
        fs::write(dir.path().join("rules/a.rhai"), "12").unwrap();
        changed("a longer file");
        fs::rename(dir.path().join("rules/a.rhai"), dir.path().join("rules/b.rhai")).unwrap();
        changed("another name");
        fs::write(dir.path().join("larum.yaml"), "").unwrap();
        changed("a config");
        fs::remove_dir_all(dir.path().join("rules")).unwrap();
        changed("no folder");
    }
}
