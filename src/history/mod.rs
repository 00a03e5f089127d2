//! What has been observed: subjects with their recent samples, and the windows that rules read from them.
//!
//! Pure: time is an argument, nothing here reads a clock or a file. The engine owns one [`World`], changes it between
//! evaluations, and shares it read-only with the rules that it evaluates.

mod world;

pub use world::{Batch, BatchReport, Limits, Refusal, Source, Subject, SubjectId, Window, WindowFn, World};
