//! The engine: a pure, synchronous state machine. `step(now, input) -> effects`.

mod input;

pub use input::{Effects, Event, Input, Outcome, Settings, Suppressed};
