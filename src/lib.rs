//! Larum: an alerting engine whose rules are scripts.

pub mod access;
pub mod alert;
pub mod app;
pub mod channels;
pub mod cli;
pub mod collect;
pub mod config;
pub mod diagnostic;
pub mod engine;
pub mod export;
pub mod exposition;
pub mod history;
pub mod lab;
pub mod model;
pub mod outbox;
pub mod routing;
pub mod rules;
pub mod server;
pub mod store;
