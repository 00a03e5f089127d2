//! Many test files at once: all their tests on several threads, told in the order of the files.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::report::{FileReport, TestReport};
use super::run::{Detail, TestFile};
use crate::lab::project::Project;

/// The stack of a thread: scripts nest, of the test and of the rules that it judges.
const STACK: usize = 16 << 20;

/// As many threads as the machine has cores for us.
pub fn default_jobs() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Runs the tests of files whose names contain `filter`, on so many threads. `done` hears of each file, in their order, as
/// soon as it and all before it have ended; its first error ends the telling, and the tests that have not begun.
///
/// # Errors
/// The first error of `done`.
pub fn run_files<E>(
    files: &BTreeMap<Arc<str>, Arc<str>>,
    project: &Arc<Project>,
    filter: Option<&str>,
    jobs: NonZeroUsize,
    mut done: impl FnMut(FileReport) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Vec<Open> = files.iter().map(|(file, text)| Open::read(file, text, filter)).collect();
    let tests: Vec<(usize, usize)> =
        open.iter().enumerate().flat_map(|(file, open)| open.wanted.iter().map(move |test| (file, *test))).collect();
    let texts: Vec<(&Arc<str>, &Arc<str>)> = files.iter().collect();
    let work = |script: &mut Option<(usize, TestFile)>, (file, test): &(usize, usize)| {
        if script.as_ref().is_none_or(|(read, _)| read != file) {
            let (name, text) = texts[*file];
            *script = TestFile::read(name, text).ok().map(|read| (*file, read));
        }
        // It could be read before: what cannot be read has no tests.
        script.as_ref().and_then(|(_, script)| script.run(*test, project, Detail::Full))
    };
    let mut told = 0;
    let mut tell = |open: &mut Vec<Open>| {
        while let Some(next) = open.get_mut(told).filter(|next| next.left == 0) {
            told += 1;
            done(next.report())?;
        }
        Ok(())
    };
    tell(&mut open)?;
    in_parallel(
        &tests,
        jobs,
        || None,
        work,
        |index, report| {
            let (file, _) = tests[index];
            open[file].left -= 1;
            open[file].reports.insert(index, report);
            tell(&mut open)
        },
    )
}

/// A file of which not all tests have ended.
struct Open {
    file: Arc<str>,
    problem: Option<super::FailureReport>,
    /// The places of the tests that are run.
    wanted: Vec<usize>,
    left: usize,
    reports: BTreeMap<usize, Option<TestReport>>,
}

impl Open {
    fn read(file: &Arc<str>, text: &Arc<str>, filter: Option<&str>) -> Open {
        let (problem, wanted) = match TestFile::read(file, text) {
            Ok(read) => (None, read.wanted(filter)),
            Err(problem) => (Some(*problem), Vec::new()),
        };
        Open { file: file.clone(), problem, left: wanted.len(), wanted, reports: BTreeMap::new() }
    }

    fn report(&mut self) -> FileReport {
        let tests = std::mem::take(&mut self.reports).into_values().flatten().collect();
        FileReport { file: self.file.clone(), tests, problem: self.problem.take() }
    }
}

/// Works on all items on so many threads, each with a state of its own. `done` hears of each result with its item's place,
/// in the order in which they come; its first error ends the work on items that have not begun.
///
/// # Errors
/// The first error of `done`.
pub fn in_parallel<T: Sync, S, R: Send, E>(
    items: &[T],
    jobs: NonZeroUsize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
    mut done: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (results, received) = mpsc::channel();
    let worker = |results: mpsc::Sender<(usize, R)>| {
        let mut state = state();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            if results.send((index, work(&mut state, item))).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let start = |results| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || worker(results));
        let n_started = (0..jobs.get().min(items.len())).take_while(|_| start(results.clone()).is_ok()).count();
        if n_started == 0 {
            // The machine has no more threads: all of it is done here.
            worker(results);
        } else {
            drop(results);
        }
        for (index, result) in received {
            if let Err(error) = done(index, result) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn jobs(jobs: usize) -> NonZeroUsize {
        NonZeroUsize::new(jobs).unwrap()
    }

    #[test]
    fn every_item_is_worked_on_once_however_many_threads_there_are() {
        let items: Vec<usize> = (0..500).collect();
        for n_jobs in [1, 2, 7, 1000] {
            let mut results = vec![0; items.len()];
            let done = |index: usize, result: usize| {
                results[index] += result;
                Ok::<(), ()>(())
            };
            in_parallel(&items, jobs(n_jobs), || 0, |_, item| item + 1, done).unwrap();
            assert!(results.iter().enumerate().all(|(index, result)| *result == index + 1), "{n_jobs} jobs");
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        let worked_on = AtomicUsize::new(0);
        let items = vec![(); 100_000];
        let has_failed = AtomicBool::new(false);
        // However late this thread is, some work is left when it says that it is enough.
        let work = |_: &mut (), (): &()| {
            while worked_on.load(Ordering::Relaxed) > 1000 && !has_failed.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            std::thread::yield_now();
            worked_on.fetch_add(1, Ordering::Relaxed)
        };
        let fail = |_, _| {
            has_failed.store(true, Ordering::Relaxed);
            Err("enough")
        };
        assert_eq!(in_parallel(&items, jobs(2), || (), work, fail), Err("enough"));
        assert!(worked_on.into_inner() < items.len());
    }
}
