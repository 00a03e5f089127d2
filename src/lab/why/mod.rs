//! Why a rule fires on something, or not, for people: [`document()`] makes the document from what the engine says,
//! [`lines`] the text from the document.
//!
//! The daemon answers with the same document, so its clients show the same text; and a rule test that failed can print
//! it. Nothing here decides or evaluates: the engine explains itself.

mod attention;
mod delivery;
mod document;
mod headline;
mod levels;
mod recording;
mod refusal;
mod stages_text;
mod survey_text;
mod text;
pub(super) mod words;

pub use attention::{acknowledged, muted, next_step};
pub use document::{document, survey_document};
pub use headline::{headline, headline_of_dry_run};
pub(super) use recording::with_backlog;
pub use recording::{Past, PastError, of_recording};
pub use refusal::Refusal;
pub use text::lines;

#[cfg(test)]
mod tests;
