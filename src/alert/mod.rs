//! The state of one alert: its conditions over time, and what each channel was told. Pure.
//!
//! A [`Track`] is one condition (one level of a rule) with its hold and keep; [`Told`] is what one channel knows.
//! The engine feeds verdicts and time into them and acts on what they decide; nothing here evaluates a rule,
//! routes, or builds a message.

mod told;
mod track;

pub use told::{Decision, Hold, OwedEnd, Present, Reach, Timing, Told, ToldFiring};
pub use track::{Signal, Timer, Track};
