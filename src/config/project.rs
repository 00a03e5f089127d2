//! A project folder as the commands read it: all its files, once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Config, Process};
use crate::channels::CONSOLE_FILE;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::ChannelName;

/// The largest file of a project folder, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// How deep folders in `rules/` are read.
const MAX_DEPTH: usize = 8;

/// The name of the settings' file.
const CONFIG: &str = "larum.yaml";

/// The texts of a project folder, by their names relative to it: `rules/service.rhai`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// The name of the settings' file in problems.
    pub config_name: Arc<str>,
    /// The settings; `None` where there is no such file.
    pub config: Option<Arc<str>>,
    /// `rules/**/*.rhai`, without tests.
    pub rules: BTreeMap<Arc<str>, Arc<str>>,
    /// `rules/**/*.test.rhai`.
    pub tests: BTreeMap<Arc<str>, Arc<str>>,
    /// `channels/*.yaml`: the file's name and text by the channel's name.
    pub channels: BTreeMap<ChannelName, (Arc<str>, Arc<str>)>,
}

/// A file of a project folder with a text that is not the one on disk: what an editor did not save yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// Its name, as problems have it: `rules/service.rhai`.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

impl Unsaved {
    /// The file at this path with this text; `None` where it is none that a project folder is read from.
    pub fn new(folder: &Path, config: Option<&Path>, path: &Path, text: &str) -> Option<Unsaved> {
        let name = match config {
            Some(config) if whole(config) == whole(path) => config.to_string_lossy().into_owned(),
            _ => {
                // By their names first: links inside the folder are followed when it is read.
                let inside = |path: PathBuf, folder: PathBuf| Some(path.strip_prefix(folder).ok()?.to_path_buf());
                let has_detour = |path: &Path| path.components().any(|part| part == Component::ParentDir);
                let by_name = inside(absolute(path), absolute(folder)).filter(|name| !has_detour(name));
                let name = by_name.or_else(|| inside(whole(path), whole(folder)))?;
                let parts: Option<Vec<&str>> = name.iter().map(|part| part.to_str()).collect();
                Some(parts?.join("/")).filter(|name| is_read(name, config))?
            }
        };
        Some(Unsaved { name: name.into(), text: without_mark(text).into() })
    }
}

/// Whether a file with this name is a part of a project folder.
fn is_read(name: &str, config: Option<&Path>) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.iter().any(|part| is_foreign(part)) {
        return false;
    }
    match parts[..] {
        [CONFIG] => config.is_none(),
        ["rules", .., file] => file.ends_with(".rhai") && parts.len() <= MAX_DEPTH + 2,
        ["channels", file] => file.ends_with(".yaml") || file.ends_with(".yml"),
        _ => false,
    }
}

/// A byte order mark is an editor's habit and no part of the text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// The path without links and dots, as far as it exists.
fn whole(path: &Path) -> PathBuf {
    let path = absolute(path);
    let mut missing = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            return missing.iter().rev().fold(found, |path, part| path.join(part));
        }
        missing.extend(ancestor.file_name());
    }
    path
}

impl Project {
    /// Reads a project folder. `config` is another file than its larum.yaml.
    ///
    /// # Errors
    /// All files and folders that cannot be read, with what could be.
    pub fn read(folder: &Path, config: Option<&Path>) -> (Project, Vec<Diagnostic>) {
        Project::read_with(folder, config, None)
    }

    /// Reads a project folder in which one file has another text than on disk, or is there only in an editor.
    ///
    /// # Errors
    /// As [`Project::read`].
    pub fn read_with(folder: &Path, config: Option<&Path>, unsaved: Option<&Unsaved>) -> (Project, Vec<Diagnostic>) {
        let mut reader = Reader { folder, unsaved, problems: Vec::new() };
        let mut project = Project { folder: folder.to_path_buf(), ..Project::default() };
        if !folder.is_dir() {
            reader.problems.push(
                Diagnostic::of_file(folder.to_string_lossy().as_ref(), "there is no such folder")
                    .with_hint("name a project folder with `--dir`, or make one with `larum init DIR`"),
            );
            return (project, reader.problems);
        }
        project.config_name = config.map_or(CONFIG.into(), |path| path.to_string_lossy().as_ref().into());
        project.config = reader.config(config);
        let mut found = reader.files("rules", MAX_DEPTH);
        found.extend(reader.files("channels", 0));
        project.take(
            found,
            |name, path| match unsaved.filter(|unsaved| unsaved.name == *name) {
                Some(unsaved) => Ok(unsaved.text.clone()),
                None => read_text(&path).map_err(|message| Diagnostic::of_file(name.clone(), message)),
            },
            &mut reader.problems,
        );
        if !folder.join("channels").exists() && project.channels.is_empty() {
            project.add_console();
        }
        (project, reader.problems)
    }

    /// A project folder whose files come from elsewhere: their bytes by their paths in the folder, in any order.
    ///
    /// # Errors
    /// All files that are not texts, with what is.
    pub fn of_files(folder: &Path, files: BTreeMap<String, Vec<u8>>) -> (Project, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let mut project = Project { folder: folder.to_path_buf(), config_name: CONFIG.into(), ..Project::default() };
        let text =
            |name: &Arc<str>, bytes| text_of(bytes).map_err(|message| Diagnostic::of_file(name.clone(), message));
        let mut found: Vec<(Arc<str>, Vec<u8>)> = Vec::new();
        for (path, bytes) in files {
            let name: Arc<str> = path.as_str().into();
            let depth = path.matches('/').count();
            let is_hidden = path.split('/').any(is_foreign);
            if path == CONFIG {
                project.config = text(&name, bytes).map_err(|problem| problems.push(problem)).ok();
            } else if !is_hidden
                && (path.starts_with("rules/") && depth <= MAX_DEPTH + 1 || path.starts_with("channels/") && depth == 1)
            {
                found.push((name, bytes));
            }
        }
        let has_channels = found.iter().any(|(name, _)| name.starts_with("channels/"));
        project.take(found, text, &mut problems);
        if !has_channels {
            project.add_console();
        }
        (project, problems)
    }

    /// Takes the files of `rules/` and `channels/` for what their names say they are.
    fn take<F>(
        &mut self,
        files: Vec<(Arc<str>, F)>,
        mut text: impl FnMut(&Arc<str>, F) -> Result<Arc<str>, Diagnostic>,
        problems: &mut Vec<Diagnostic>,
    ) {
        let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for (name, file) in files {
            let in_channels = name.strip_prefix("channels/");
            let stem = match in_channels {
                Some(file) => file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")),
                None => name.strip_suffix(".rhai"),
            };
            let Some(stem) = stem.map(str::to_string) else { continue };
            if in_channels.is_some()
                && let Some(other) = names.insert(stem.clone(), name.clone())
            {
                let message = format!("two files are the channel `{stem}`: this and `{other}`");
                problems.push(Diagnostic::of_file(name.clone(), message));
                continue;
            }
            match (text(&name, file), in_channels) {
                (Err(problem), _) => problems.push(problem),
                (Ok(text), Some(_)) => drop(self.channels.insert(stem.as_str().into(), (name.clone(), text))),
                (Ok(text), None) if stem.ends_with(".test") => drop(self.tests.insert(name, text)),
                (Ok(text), None) => drop(self.rules.insert(name, text)),
            }
        }
    }

    /// Without a folder for channels, everything is told on the console.
    fn add_console(&mut self) {
        self.channels.insert("console".into(), ("channels/console.yaml".into(), CONSOLE_FILE.into()));
    }

    /// The settings of the folder.
    ///
    /// # Errors
    /// All problems of the file.
    pub fn parse_config(&self) -> Result<Config, Vec<Diagnostic>> {
        let surroundings = self.surroundings();
        match &self.config {
            Some(text) => Config::parse(self.config_name.clone(), text, &surroundings),
            None => Ok(Config::without_file()),
        }
    }

    /// Where `${..}` of the folder's files are looked up.
    pub fn surroundings(&self) -> Process {
        Process::new(&self.folder)
    }
}

struct Reader<'a> {
    folder: &'a Path,
    unsaved: Option<&'a Unsaved>,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn config(&mut self, other: Option<&Path>) -> Option<Arc<str>> {
        let path = other.map_or_else(|| self.folder.join(CONFIG), Path::to_path_buf);
        let name = other.map_or(CONFIG.into(), |path| path.to_string_lossy());
        if path.exists() || other.is_some() || self.unsaved.is_some_and(|unsaved| *unsaved.name == *name) {
            return self.text(&name, &path);
        }
        // A slip in the file's name would otherwise mean that all settings are silently the defaults.
        let entries = fs::read_dir(self.folder).into_iter().flatten().flatten();
        for entry in entries {
            let found = entry.file_name().to_string_lossy().into_owned();
            if found == "larum.yml" || did_you_mean(&found, [CONFIG]).is_some() {
                let problem = Diagnostic::of_file(found, "this file is not read");
                self.problems.push(problem.with_hint("the settings are in `larum.yaml`: rename it").into_warning());
            }
        }
        None
    }

    /// The files of a folder and of the folders in it, in the order of their names.
    fn files(&mut self, name: &str, depth: usize) -> Vec<(Arc<str>, PathBuf)> {
        let mut files = Vec::new();
        self.add_files(name, &self.folder.join(name), depth, &mut files);
        if let Some(unsaved) = self.unsaved
            && unsaved.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
            && !files.iter().any(|(file, _)| *file == unsaved.name)
        {
            files.push((unsaved.name.clone(), self.folder.join(&*unsaved.name)));
        }
        files.sort();
        files
    }

    fn add_files(&mut self, name: &str, path: &Path, depth: usize, files: &mut Vec<(Arc<str>, PathBuf)>) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.problems.push(Diagnostic::of_file(name, format!("cannot be read: {error}"))),
        };
        for entry in entries.flatten() {
            let Ok(file_name) = entry.file_name().into_string() else { continue };
            if is_foreign(&file_name) {
                continue;
            }
            let (name, path) = (format!("{name}/{file_name}"), entry.path());
            match path.is_dir() {
                true if depth > 0 => self.add_files(&name, &path, depth - 1, files),
                true => {}
                false => files.push((name.into(), path)),
            }
        }
    }

    fn text(&mut self, name: &str, path: &Path) -> Option<Arc<str>> {
        if let Some(unsaved) = self.unsaved.filter(|unsaved| *unsaved.name == *name) {
            return Some(unsaved.text.clone());
        }
        read_text(path).map_err(|message| self.problems.push(Diagnostic::of_file(name, message))).ok()
    }
}

/// Whether a file is not the operator's: editors keep their own files beside the ones that they save.
fn is_foreign(file_name: &str) -> bool {
    file_name.starts_with('.') || file_name.ends_with('~')
}

fn read_text(path: &Path) -> Result<Arc<str>, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        // A pipe would block for ever.
        return Err("it is not a regular file".to_string());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err("the file is larger than 1 MiB".to_string());
    }
    text_of(fs::read(path).map_err(|error| format!("cannot be read: {error}"))?)
}

fn text_of(bytes: Vec<u8>) -> Result<Arc<str>, String> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("the file is larger than 1 MiB".to_string());
    }
    let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_string())?;
    Ok(without_mark(&text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        let (project, problems) = Project::read(folder(&[("rules/a.rhai", "\u{feff}A")]).path(), None);
        assert_eq!((problems.len(), project.rules.values().map(|text| &**text).collect::<Vec<_>>()), (0, vec!["A"]));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_a_problem_and_not_waited_for() {
        let folder = folder(&[("rules/a.rhai", "A")]);
        // It never ends, and has no length.
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("rules/b.rhai")).unwrap();
        let (project, problems) = Project::read(folder.path(), None);
        assert_eq!(project.rules.len(), 1);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["rules/b.rhai: error: it is not a regular file"]);
    }

    #[test]
    fn a_folder_is_read_by_what_its_files_are() {
        let folder = folder(&[
            ("larum.yaml", "locale: en"),
            ("rules/a.rhai", "A"),
            ("rules/deep/b.rhai", "B"),
            ("rules/a.test.rhai", "T"),
            ("rules/.a.rhai.swp", "x"),
            ("rules/README.md", "x"),
            ("channels/ops.yaml", "O"),
            ("channels/mail.yml", "M"),
        ]);
        let (project, problems) = Project::read(folder.path(), None);
        assert_eq!(problems, []);
        assert_eq!(project.config.as_deref(), Some("locale: en"));
        assert_eq!(project.rules.keys().map(|name| &**name).collect::<Vec<_>>(), ["rules/a.rhai", "rules/deep/b.rhai"]);
        assert_eq!(project.tests.keys().map(|name| &**name).collect::<Vec<_>>(), ["rules/a.test.rhai"]);
        assert_eq!(project.channels.keys().map(ChannelName::as_str).collect::<Vec<_>>(), ["mail", "ops"]);

        // The same files from elsewhere are the same project.
        let mut files = BTreeMap::new();
        for name in ["larum.yaml", "rules/a.rhai", "rules/deep/b.rhai", "rules/a.test.rhai", "rules/.a.rhai.swp"] {
            files.insert(name.to_string(), fs::read(folder.path().join(name)).unwrap());
        }
        for name in ["rules/README.md", "channels/ops.yaml", "channels/mail.yml"] {
            files.insert(name.to_string(), fs::read(folder.path().join(name)).unwrap());
        }
        assert_eq!(Project::of_files(folder.path(), files), (project, Vec::new()));
        let binary = BTreeMap::from([("rules/a.rhai".to_string(), vec![0xff])]);
        let (project, problems) = Project::of_files(folder.path(), binary);
        assert_eq!(problems[0].to_string(), "rules/a.rhai: error: the file is not UTF-8 text");
        assert_eq!(project.channels.len(), 1, "the console");
    }

    #[test]
    fn an_unsaved_text_stands_for_the_file_on_disk_or_for_one_that_is_not_there_yet() {
        let folder = folder(&[("larum.yaml", "locale: en"), ("rules/a.rhai", "A"), ("rules/a.test.rhai", "T")]);
        let read = |name: &str, text: &str| {
            let unsaved = Unsaved::new(folder.path(), None, &folder.path().join(name), text).unwrap();
            assert_eq!(&*unsaved.name, name);
            let (project, problems) = Project::read_with(folder.path(), None, Some(&unsaved));
            assert_eq!(problems, []);
            project
        };
        let project = read("rules/a.rhai", "\u{feff}B");
        assert_eq!((&*project.rules["rules/a.rhai"], &*project.tests["rules/a.test.rhai"]), ("B", "T"));
        assert_eq!(&*read("rules/new/b.rhai", "N").rules["rules/new/b.rhai"], "N");
        assert_eq!(&*read("rules/a.test.rhai", "U").tests["rules/a.test.rhai"], "U");
        assert_eq!(read("larum.yaml", "locale: zh-CN").config.as_deref(), Some("locale: zh-CN"));
        let channels = read("channels/ops.yaml", "O").channels;
        assert_eq!(channels.keys().map(ChannelName::as_str).collect::<Vec<_>>(), ["ops"]);
    }

    #[test]
    fn only_a_file_that_the_folder_is_read_from_can_be_unsaved() {
        let folder = folder(&[("rules/a.rhai", "A"), ("other.yaml", "")]);
        let is_taken = |config: Option<&Path>, path: &Path| Unsaved::new(folder.path(), config, path, "").is_some();
        for name in ["README.md", "rules/a.rhai~", "rules/.a.rhai.swp", "channels/deep/a.yaml", "other.yaml"] {
            assert!(!is_taken(None, &folder.path().join(name)), "{name}");
        }
        assert!(!is_taken(None, Path::new("/somewhere/else/rules/a.rhai")));
        assert!(is_taken(None, &folder.path().join("rules/../rules/./a.rhai")));
        let other = folder.path().join("other.yaml");
        assert!(is_taken(Some(&other), &other));
        assert!(!is_taken(Some(&other), &folder.path().join("larum.yaml")), "it is not read");
    }

    #[cfg(unix)]
    #[test]
    fn an_unsaved_file_is_found_through_links() {
        let folder = folder(&[("project/rules/a.rhai", "A"), ("shared/b.rhai", "B")]);
        let (project, link) = (folder.path().join("project"), folder.path().join("link"));
        std::os::unix::fs::symlink(&project, &link).unwrap();
        std::os::unix::fs::symlink(folder.path().join("shared"), project.join("rules/team")).unwrap();
        for (given, path) in
            [(&link, "project/rules/a.rhai"), (&project, "link/rules/a.rhai"), (&project, "project/rules/team/b.rhai")]
        {
            assert!(Unsaved::new(given, None, &folder.path().join(path), "").is_some(), "{path}");
        }
    }

    #[test]
    fn an_empty_folder_watches_the_host_and_tells_the_console() {
        let folder = folder(&[]);
        let (project, problems) = Project::read(folder.path(), None);
        assert_eq!(problems, []);
        assert_eq!(project.channels.keys().map(ChannelName::as_str).collect::<Vec<_>>(), ["console"]);
        assert_eq!(project.parse_config().unwrap().collectors.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_the_rest_is_read() {
        let folder = folder(&[("larum.yml", ""), ("channels/a.yaml", "1"), ("channels/a.yml", "2")]);
        fs::create_dir_all(folder.path().join("rules")).unwrap();
        fs::write(folder.path().join("rules/binary.rhai"), [0xff, 0xfe]).unwrap();
        let (project, problems) = Project::read(folder.path(), None);
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "larum.yml: warning: this file is not read (the settings are in `larum.yaml`: rename it)",
                "rules/binary.rhai: error: the file is not UTF-8 text",
                "channels/a.yml: error: two files are the channel `a`: this and `channels/a.yaml`",
            ]
        );
        assert_eq!(project.channels.len(), 1);
        let (_, problems) = Project::read(&folder.path().join("none"), None);
        assert_eq!(problems[0].message, "there is no such folder");
        let (_, problems) = Project::read(folder.path(), Some(Path::new("no.yaml")));
        assert!(problems[0].message.starts_with("cannot be read"));
    }
}
