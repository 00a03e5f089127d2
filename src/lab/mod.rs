//! The rule lab: rules on a virtual clock, from snapshot to the exact request that a channel would send.
//!
//! Nothing here decides anything about an alert: the daemon's engine, routing and rendering do, driven by a [`Bench`]
//! instead of a clock, collectors and a network. [`rule_test`] runs `*.test.rhai`, [`replay`] a recording; the simulator
//! of our own tests throws random stories at the same bench.

mod bench;
mod project;
pub mod replay;
pub mod rule_test;
mod sampling;
mod series;
#[cfg(test)]
mod simulator;

pub use bench::{Arrival, Bench, Delivery, Observer};
pub use project::{Problems, Project, Sent};
