//! The `larum` binary: parse, run, exit code.

fn main() {}
