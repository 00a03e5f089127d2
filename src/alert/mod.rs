//! The state of one alert: its conditions over time, and what each channel was told. Pure.
//!
//! A [`Track`] is one condition (one level of a rule) with its hold and keep; [`Flap`] counts raises and recoveries;
//! [`Told`] is what one channel knows.
//! The engine feeds verdicts and time into them and acts on what they decide; nothing here evaluates a rule,
//! routes, or builds a message.

mod flap;
mod per_channel;
mod told;
mod track;

pub use flap::{Flap, FlapLimit};
pub use per_channel::PerChannel;
pub use told::{Decision, Events, Folded, Hold, InFlight, OwedEnd, Present, Reach, Timing, Told, ToldFiring};
pub use track::{Signal, Timer, Track};
