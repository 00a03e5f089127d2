//! Trying an edited rule over what is stored, and a channel with a sample: in a child process, one at a time.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use super::child;
use super::tasks::blocking;
use crate::model::Time;
use crate::server::api::{ReplayDto, RuleSourceDto};
use crate::server::{OperateError, ReplayAsked, Unavailable, WhyError, WhyQuery};

/// A replay must be done within this time.
const WITHIN: Duration = Duration::from_secs(120);
/// A sample must be sent within this time.
const SAMPLE_WITHIN: Duration = Duration::from_secs(60);
/// A replay may use so much memory, in bytes.
const MEMORY: u64 = 2 << 30;
/// The exit code of problems in files.
const PROBLEMS: i32 = 3;
/// Events that are told of each side.
const EVENTS: usize = 5000;

/// What `larum replay --format json` writes, as far as it is told on.
#[derive(Deserialize)]
struct Replayed {
    events: Vec<Value>,
}

impl Api {
    /// The text of the file that registered a rule, as it is in force.
    pub(super) async fn source_of(&self, rule: String) -> Result<Option<RuleSourceDto>, Unavailable> {
        let place = self
            .ask(move |engine, _| engine.rules().rules.get(&*rule).map(|rule| (rule.file.to_string(), rule.line)))
            .await?;
        let Some((file, line)) = place else { return Ok(None) };
        let texts = self.store.texts().map_err(|_| Unavailable)?;
        let text = texts.into_iter().find(|text| *text.file == *file).map(|text| text.text.to_string());
        Ok(text.map(|text| RuleSourceDto { file, line, text }))
    }

    /// Runs the rules over what is stored, as they are saved and with one file edited.
    pub(super) async fn try_rules(&self, asked: ReplayAsked) -> Result<ReplayDto, OperateError> {
        let Ok(_place) = self.trying.try_acquire() else {
            return Err(OperateError::Conflict {
                said: "another replay runs".to_string(),
                hint: Some("one runs at a time: try again in a moment".to_string()),
            });
        };
        let is_inside = Path::new(&asked.file).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || !asked.file.starts_with("rules/") || !asked.file.ends_with(".rhai") {
            return Err(OperateError::Refused {
                said: format!("`{}` is no file of rules", asked.file),
                hint: Some("name it like `rules/host.rhai`".to_string()),
            });
        }
        let failed = |error: io::Error| OperateError::Failed(format!("the rules cannot be tried: {error}"));
        let (root, file, text) = (self.layout.root().to_path_buf(), asked.file.clone(), asked.text.clone());
        let edited = blocking(move || beside(&root, &file, &text)).await;
        let edited = edited.map_err(|error| OperateError::Failed(error.to_string()))?.map_err(failed)?;
        let now = self.clock.now().wall();
        let mut document = ReplayDto { from: now - asked.length, to: now, ..ReplayDto::default() };
        let args = ["replay", "--quiet", "--format", "json", "--from", &document.from.to_string()]
            .map(OsString::from)
            .into_iter()
            .chain(["--address-space".into(), MEMORY.to_string().into()])
            .collect::<Vec<_>>();
        for (dir, events) in [(edited.path(), &mut document.events), (self.layout.root(), &mut document.saved)] {
            let ended = child::run(dir, &args, WITHIN).await.map_err(failed)?;
            match ended.code {
                Some(0) => {
                    let replayed: Replayed =
                        serde_json::from_slice(&ended.out).map_err(io::Error::other).map_err(failed)?;
                    *events = replayed.events;
                    events.truncate(EVENTS);
                }
                Some(PROBLEMS) => {
                    document.problems = Some(ended.errors.replace(&*edited.path().to_string_lossy(), "."));
                    break;
                }
                code => {
                    let how = code.map_or("it was killed".to_string(), |code| format!("it ended with {code}"));
                    return Err(OperateError::Failed(format!("the rules cannot be tried: {how}: {}", ended.errors)));
                }
            }
        }
        Ok(document)
    }

    /// Why a rule fired on something at a time, or not: what is stored is replayed up to then.
    pub(super) async fn explain_past(&self, asked: WhyQuery, at: Time) -> Result<Value, WhyError> {
        let Ok(_place) = self.trying.try_acquire() else {
            return Err(WhyError::Later("another replay runs: one runs at a time".to_string()));
        };
        let mut args = vec!["why".into(), "--format".into(), "json".into(), "--at".into(), at.to_string().into()];
        args.push("--".into());
        args.push(asked.rule.into());
        args.extend(asked.name.map(OsString::from));
        let later = |error: io::Error| WhyError::Later(format!("what is stored cannot be replayed: {error}"));
        let ended = child::run(self.layout.root(), &args, WITHIN).await.map_err(later)?;
        if ended.code == Some(0) {
            return serde_json::from_slice(&ended.out).map_err(io::Error::other).map_err(later);
        }
        let (error, hint) = match ended.errors.split_once("\nhint: ") {
            Some((error, hint)) => (error, Some(hint.trim().to_string())),
            None => (ended.errors.as_str(), None),
        };
        Err(WhyError::Unknown { error: error.trim_start_matches("error: ").trim().to_string(), hint })
    }

    /// Sends a sample notification to a channel as its file is now.
    pub(super) async fn send_sample(&self, channel: String) -> Result<String, OperateError> {
        if !self.deliveries.figures().keys().any(|name| *name.as_str() == *channel) {
            return Err(OperateError::Unknown(format!("there is no channel `{channel}`")));
        }
        let args =
            ["channels", "test", "--"].map(OsString::from).into_iter().chain([channel.into()]).collect::<Vec<_>>();
        let ended = child::run(self.layout.root(), &args, SAMPLE_WITHIN).await;
        let ended = ended.map_err(|error| OperateError::Failed(format!("no sample can be sent: {error}")))?;
        match ended.code {
            Some(0) => Ok(String::from_utf8_lossy(&ended.out).trim().to_string()),
            _ => {
                Err(OperateError::Conflict { said: ended.errors.trim_start_matches("error: ").to_string(), hint: None })
            }
        }
    }
}

/// A folder that is the project folder, but for one file of rules.
fn beside(root: &Path, file: &str, text: &str) -> io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("larum-trial-").tempdir()?;
    let root = fs::canonicalize(root)?;
    let (mut from, mut to) = (root, folder.path().to_path_buf());
    let mut parts = Path::new(file).components().peekable();
    // Each folder on the way to the file is a real one; everything beside it is where it was.
    while let Some(part) = parts.next() {
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            if name != part.as_os_str() {
                link(&from.join(&name), &to.join(&name))?;
            }
        }
        (from, to) = (from.join(part), to.join(part));
        match parts.peek() {
            Some(_) => fs::create_dir(&to)?,
            None => fs::write(&to, text)?,
        }
    }
    Ok(folder)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "rules can be tried on Unix alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_trial_sees_the_project_but_for_the_edited_file() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("rules/web")).unwrap();
        for (file, text) in
            [("larum.yaml", "a"), ("rules/host.rhai", "b"), ("rules/web/shop.rhai", "c"), ("rules/web/pay.rhai", "d")]
        {
            fs::write(root.path().join(file), text).unwrap();
        }
        let trial = beside(root.path(), "rules/web/shop.rhai", "edited").unwrap();
        let read = |file: &str| fs::read_to_string(trial.path().join(file)).unwrap();
        assert_eq!(
            ["larum.yaml", "rules/host.rhai", "rules/web/pay.rhai", "rules/web/shop.rhai"].map(read),
            ["a", "b", "d", "edited"]
        );
        assert_eq!(fs::read_to_string(root.path().join("rules/web/shop.rhai")).unwrap(), "c");
        let new = beside(root.path(), "rules/new.rhai", "new").unwrap();
        assert_eq!(fs::read_to_string(new.path().join("rules/new.rhai")).unwrap(), "new");
    }
}
