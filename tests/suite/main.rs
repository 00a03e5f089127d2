//! The built daemon as an operator meets it: real files, real sockets, real signals.
//!
//! One binary for all of it, so that the crate is linked once. Every test has its own project folder and port.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod architecture;
mod daemon;
mod editor;
mod generations;
mod history;
mod http;
mod lab;
mod lifecycle;
mod outbox;
mod people;
mod projects;
mod readme;
mod receiver;
mod reload;
mod why;
