//! Several parts of one piece of work at once. Nothing here makes a thread: whoever has them says how parts are done
//! together.

/// A part of what is to be done.
pub type Job<'a> = &'a mut (dyn FnMut() + Send);

/// Does all jobs, at the same time where it can.
pub type Together = fn(&mut [Job<'_>]);

/// How the parts of what is large are done.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    at_once: usize,
    together: Together,
}

impl Default for Threads {
    /// One after the other.
    fn default() -> Threads {
        Threads { at_once: 1, together: |jobs| jobs.iter_mut().for_each(|job| job()) }
    }
}

impl Threads {
    /// Up to so many at once.
    pub fn new(at_once: usize, together: Together) -> Threads {
        Threads { at_once: at_once.max(1), together }
    }

    /// Into how many parts to cut what has so many pieces, of which so many are worth a thread.
    pub(crate) fn parts(self, pieces: usize, worth_a_thread: usize) -> usize {
        self.at_once.min(pieces / worth_a_thread).max(1)
    }

    /// Does something with each of some things, at once.
    pub(crate) fn each<T: Send>(self, things: &mut [T], work: impl Fn(&mut T) + Sync) {
        let work = &work;
        let mut jobs: Vec<_> = things.iter_mut().map(|thing| move || work(thing)).collect();
        (self.together)(&mut jobs.iter_mut().map(|job| job as Job<'_>).collect::<Vec<_>>());
    }
}
