//! Several threads for a moment: what the engine judges of a large input.

use crate::engine::Job;

/// Does each of some jobs on a thread of its own, the first on this one, and returns when all are done.
///
/// # Panics
/// Where a job panics.
pub fn together(jobs: &mut [Job<'_>]) {
    let [first, others @ ..] = jobs else { return };
    std::thread::scope(|scope| {
        for job in others {
            scope.spawn(job);
        }
        first();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done() {
        let mut sums = [0, 0, 0];
        let mut jobs = sums.iter_mut().map(|sum| move || *sum += 1).collect::<Vec<_>>();
        together(&mut jobs.iter_mut().map(|job| job as Job<'_>).collect::<Vec<_>>());
        drop(jobs);
        assert_eq!(sums, [1, 1, 1]);
        together(&mut []);
    }
}
