//! A project folder as it was in a commit, read by `git` into memory.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::config::Project;
use crate::diagnostic::Diagnostic;

/// What of a folder is read. A folder that has none of it is no project.
pub const PARTS: [&str; 3] = ["larum.yaml", "rules", "channels"];

/// Why a commit's files cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no git.
    #[error("cannot run `git`, which reads the files of a commit (is it installed?)")]
    NoGit(#[source] io::Error),
    /// The folder is in no repository.
    #[error("`{folder}` is not in a git repository: {says}")]
    NoRepository {
        /// The project folder.
        folder: String,
        /// What git says.
        says: String,
    },
    /// There is no such commit.
    #[error("there is no commit `{revision}` in the repository of `{folder}` (see `git log`)")]
    NoRevision {
        /// The project folder.
        folder: String,
        /// What was asked for.
        revision: String,
    },
    /// The commit has no such project.
    #[error("in `{revision}` the folder `{folder}` has neither larum.yaml nor rules/ nor channels/")]
    NoProject {
        /// The project folder.
        folder: String,
        /// The commit.
        revision: String,
    },
    /// Git answers something else.
    #[error("git cannot read `{revision}`: {says}")]
    Git {
        /// The commit.
        revision: String,
        /// What git says.
        says: String,
    },
}

/// Reads the project folder `folder` as it was in `revision`, with what cannot be read of it.
///
/// # Errors
/// Where git, the repository, the commit or the folder in it are not there.
pub fn read(folder: &Path, revision: &str) -> Result<(Project, Vec<Diagnostic>), Error> {
    let shown = folder.display().to_string();
    let says = |output: &Output| String::from_utf8_lossy(&output.stderr).trim().to_string();
    let inside = git(folder, &["rev-parse", "--show-prefix"], b"")?;
    if !inside.status.success() {
        return Err(Error::NoRepository { folder: shown, says: says(&inside) });
    }
    // Resolved before it is used elsewhere: a name that begins with `-` must not be an option.
    let tree = format!("{revision}^{{tree}}");
    let resolved = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &tree], b"")?;
    if !resolved.status.success() {
        return Err(Error::NoRevision { folder: shown, revision: revision.to_string() });
    }
    let tree = String::from_utf8_lossy(&resolved.stdout).trim().to_string();
    let failed = |output: &Output| Error::Git { revision: revision.to_string(), says: says(output) };
    // The paths that it gives are those within the folder it runs in.
    let prefix = String::from_utf8_lossy(&inside.stdout).trim_end_matches('\n').to_string();
    let mut list = vec!["ls-tree", "-r", "-z", &tree, "--"];
    list.extend(PARTS);
    let listed = git(folder, &list, b"")?;
    if !listed.status.success() {
        return Err(failed(&listed));
    }
    let (mut names, mut objects, mut problems) = (Vec::new(), String::new(), Vec::new());
    for entry in listed.stdout.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        let Some((head, path)) = entry.split_once('\t') else { continue };
        let mut head = head.split(' ');
        let (Some(mode), Some("blob"), Some(object)) = (head.next(), head.next(), head.next()) else { continue };
        if mode == "120000" {
            let problem = Diagnostic::of_file(path, "it is a symbolic link, which is not followed within a commit");
            problems.push(problem.into_warning());
            continue;
        }
        names.push(path.to_string());
        objects.push_str(object);
        objects.push('\n');
    }
    if names.is_empty() {
        let folder = if prefix.is_empty() { shown } else { prefix };
        return Err(Error::NoProject { folder, revision: revision.to_string() });
    }
    let contents = git(folder, &["cat-file", "--batch"], objects.as_bytes())?;
    let blobs = blobs(&contents.stdout).filter(|blobs| contents.status.success() && blobs.len() == names.len());
    let Some(blobs) = blobs else { return Err(failed(&contents)) };
    let files: BTreeMap<String, Vec<u8>> = names.into_iter().zip(blobs).collect();
    let (project, found) = Project::of_files(folder, files);
    problems.extend(found);
    Ok((project, problems))
}

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<Output, Error> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        // Its words are compared with nothing, but shown.
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::NoGit)?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    // It answers while it still reads.
    let writing = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child.wait_with_output().map_err(Error::NoGit);
    // That it did not read to its end shows in its answer.
    drop(writing.join());
    output
}

/// The contents that `cat-file --batch` gives: `<object> blob <size>`, a line break, the bytes, a line break.
fn blobs(mut answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut blobs = Vec::new();
    while !answer.is_empty() {
        let end = answer.iter().position(|byte| *byte == b'\n')?;
        let (head, rest) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
        let size: usize = head.rsplit(' ').next()?.parse().ok()?;
        blobs.push(rest.get(..size)?.to_vec());
        answer = rest.get(size + 1..)?;
    }
    Some(blobs)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run_git(folder: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn the_files_of_a_commit_are_read_where_the_project_is_a_part_of_the_repository() {
        let repository = tempfile::tempdir().unwrap();
        let project = repository.path().join("alerts/prod");
        fs::create_dir_all(project.join("rules/deep")).unwrap();
        fs::create_dir_all(project.join("channels")).unwrap();
        fs::write(project.join("larum.yaml"), "locale: en\n").unwrap();
        fs::write(project.join("rules/deep/ä b.rhai"), "old\n\n").unwrap();
        fs::write(project.join("channels/ops.yaml"), "").unwrap();
        fs::write(repository.path().join("larum.yaml"), "of another").unwrap();
        run_git(repository.path(), &["init", "--quiet"]);
        run_git(repository.path(), &["add", "."]);
        run_git(repository.path(), &["commit", "--quiet", "-m", "one"]);
        run_git(repository.path(), &["tag", "-a", "-m", "v1", "v1"]);
        fs::write(project.join("rules/deep/ä b.rhai"), "new").unwrap();
        fs::remove_file(project.join("channels/ops.yaml")).unwrap();
        for revision in ["HEAD", "v1", "HEAD^{commit}"] {
            let (read, problems) = read(&project, revision).unwrap();
            assert_eq!(problems, []);
            assert_eq!(read.config.as_deref(), Some("locale: en\n"));
            assert_eq!(
                read.rules.iter().map(|(name, text)| (&**name, &**text)).collect::<Vec<_>>(),
                [("rules/deep/ä b.rhai", "old\n\n")]
            );
            assert_eq!(read.channels.keys().map(crate::model::ChannelName::as_str).collect::<Vec<_>>(), ["ops"]);
        }
        let refused = |folder: &Path, revision: &str| read(folder, revision).unwrap_err().to_string();
        assert!(refused(&project, "no-such").starts_with("there is no commit `no-such`"));
        assert!(refused(&project, "--help").starts_with("there is no commit `--help`"));
        let empty = repository.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert_eq!(
            refused(&empty, "HEAD"),
            "in `HEAD` the folder `empty/` has neither larum.yaml nor rules/ nor channels/"
        );
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(refused(elsewhere.path(), "HEAD").contains("is not in a git repository: fatal: not a git repository"));
    }
}
