//! What this process takes.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// What this process takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnProcess {
    /// CPU time since its start, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is in use, in bytes.
    pub rss_bytes: u64,
}

impl OwnProcess {
    /// Reads it; `None` where the system does not tell.
    pub fn read() -> Option<OwnProcess> {
        let pid = sysinfo::get_current_pid().ok()?;
        let mut system = System::new().ok()?;
        let kinds = ProcessRefreshKind::nothing().without_tasks().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kinds);
        let own = system.process(pid)?;
        Some(OwnProcess { cpu_seconds: own.accumulated_cpu_time() as f64 / 1000.0, rss_bytes: own.memory() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_takes() {
        let own = OwnProcess::read().unwrap();
        assert!(own.rss_bytes > 1 << 20 && own.cpu_seconds >= 0.0, "{own:?}");
    }
}
