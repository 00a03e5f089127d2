//! A project folder as the commands read it: all its files, once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
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

impl Project {
    /// Reads a project folder. `config` is another file than its larum.yaml.
    ///
    /// # Errors
    /// All files and folders that cannot be read, with what could be.
    pub fn read(folder: &Path, config: Option<&Path>) -> (Project, Vec<Diagnostic>) {
        let mut reader = Reader { folder, problems: Vec::new() };
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
        for (name, path) in reader.files("rules", MAX_DEPTH) {
            let Some(stem) = name.strip_suffix(".rhai") else { continue };
            let is_test = stem.ends_with(".test");
            let Some(text) = reader.text(&name, &path) else { continue };
            if is_test { &mut project.tests } else { &mut project.rules }.insert(name, text);
        }
        let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for (name, path) in reader.files("channels", 0) {
            let file = name.rsplit('/').next().unwrap_or(&name);
            let Some(stem) = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")) else { continue };
            if let Some(other) = names.insert(stem.to_string(), name.clone()) {
                let message = format!("two files are the channel `{stem}`: this and `{other}`");
                reader.problems.push(Diagnostic::of_file(name.clone(), message));
                continue;
            }
            let Some(text) = reader.text(&name, &path) else { continue };
            project.channels.insert(stem.into(), (name, text));
        }
        if !folder.join("channels").exists() {
            project.channels.insert("console".into(), ("channels/console.yaml".into(), CONSOLE_FILE.into()));
        }
        (project, reader.problems)
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
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn config(&mut self, other: Option<&Path>) -> Option<Arc<str>> {
        let path = other.map_or_else(|| self.folder.join(CONFIG), Path::to_path_buf);
        let name = other.map_or(CONFIG.into(), |path| path.to_string_lossy());
        if path.exists() || other.is_some() {
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
            // Editors keep their own files beside the ones that they save.
            if file_name.starts_with('.') || file_name.ends_with('~') {
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
        let read = || -> Result<String, String> {
            let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
            if !metadata.is_file() {
                // A pipe would block for ever.
                return Err("it is not a regular file".to_string());
            }
            if metadata.len() > MAX_FILE_BYTES {
                return Err("the file is larger than 1 MiB".to_string());
            }
            let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
            let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_string())?;
            // A byte order mark is an editor's habit and no part of the text.
            Ok(text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text))
        };
        read().map(Arc::from).map_err(|message| self.problems.push(Diagnostic::of_file(name, message))).ok()
    }
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
