//! The rule lab: rules on a virtual clock, from snapshot to the exact request that a channel would send.
//!
//! Nothing here decides anything about an alert: the daemon's engine, routing, rendering and outbox decisions do, driven by
//! a [`Bench`] instead of a clock, collectors and a network. [`rule_test`] runs `*.test.rhai`, [`replay`] a recording; the
//! simulator of our own tests throws random stories at the same bench. [`why`] and [`dry_run`] put into words what the
//! engine explains.

mod bench;
pub mod dry_run;
mod lanes;
pub mod mutation;
mod project;
pub mod replay;
pub mod rule_test;
mod sampling;
mod series;
#[cfg(test)]
mod simulator;
pub mod why;

pub use bench::{Arrival, Bench, Delivery, Observer};
pub use lanes::{Answer, Attempted, Backlog, Dispatch, Dispatched, Receivers, Renderer, taking_all};
pub use project::{Problems, Project, Sent};
