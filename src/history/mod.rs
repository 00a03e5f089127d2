//! What has been observed: subjects with their recent samples, and the windows that rules read from them.
//!
//! Pure: time is an argument, nothing here reads a clock or a file. The engine owns one [`World`], changes it between
//! evaluations, and shares it read-only with the rules that it evaluates.
//!
//! Windows order by the time of snapshots; staleness, `held` and `absent` count their arrival. What is given up for want
//! of room is remembered, so that a window that would need it has no answer instead of a wrong one.

mod arrivals;
mod backfill;
mod batch;
mod block;
mod by_time;
mod calendar;
mod columns;
mod compensated;
mod field;
mod follow;
mod histogram;
mod index;
mod ingest;
mod limits;
mod older;
mod pause;
mod promql;
mod question;
mod reach;
mod recording;
mod samples;
mod saved;
mod series;
mod subject;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod windows;
mod world;

pub use backfill::Past;
pub use batch::{BEFORE, Batch, BatchReport, Limits, Refusal, Source};
pub use block::{Block, Came, Damaged, Extent, in_order};
pub use calendar::{DAYS_BACK, midnight};
pub use older::Older;
pub use question::{Share, Window, WindowFn};
pub use reach::Reach;
pub use recording::Recorder;
pub use saved::{LEADS_UP, SavedSubject};
pub use subject::{Subject, SubjectId};
pub(crate) use table::Place;
pub use threads::{Job, Threads, Together};
pub(crate) use windows::Scratch;
pub use world::World;
