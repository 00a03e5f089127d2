//! Commands of larum's own that the daemon runs as children: what they do holds nobody up, and cannot take the daemon down.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// What a command may write, in bytes; the rest is not read.
const MOST_OUTPUT: u64 = 64 << 20;
/// Of what it says of errors so much is told.
const MOST_ERRORS: u64 = 64 << 10;

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; `None` where it was killed.
    pub(super) code: Option<i32>,
    /// What it wrote.
    pub(super) out: Vec<u8>,
    /// What it said of errors.
    pub(super) errors: String,
}

/// Runs a command of larum's own over a project folder.
///
/// # Errors
/// Where it cannot be started, or is not done in time; then it is ended.
pub(super) async fn run(dir: &Path, args: &[OsString], within: Duration) -> io::Result<Ended> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--dir").arg(dir).args(args);
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    let read = async |source: Option<&mut (dyn tokio::io::AsyncRead + Unpin + Send)>, most: u64| {
        let mut bytes = Vec::new();
        if let Some(source) = source {
            source.take(most).read_to_end(&mut bytes).await?;
        }
        Ok::<_, io::Error>(bytes)
    };
    let (mut out, mut errors) = (out, errors);
    let all = async {
        let (out, errors) = tokio::try_join!(
            read(out.as_mut().map(|out| out as _), MOST_OUTPUT),
            read(errors.as_mut().map(|errors| errors as _), MOST_ERRORS)
        )?;
        // One that still writes is not waited for.
        if out.len() as u64 == MOST_OUTPUT {
            child.start_kill()?;
        }
        let status = child.wait().await?;
        let errors = String::from_utf8_lossy(&errors).trim().to_string();
        Ok(Ended { code: status.code(), out, errors })
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("it was not done within {} s", within.as_secs()));
    tokio::time::timeout(within, all).await.map_err(|_| late())?
}
