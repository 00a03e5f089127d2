//! Channels: where notifications go.
