//! The `larum` binary: parse, run, exit code.

use std::process::ExitCode;

// Evaluating rules makes many small, short-lived values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The one place that chooses how TLS is computed; clients of any kind panic without it. That it is chosen already
    // cannot be.
    rustls::crypto::ring::default_provider().install_default().ok();
    larum::cli::run(std::env::args_os(), &mut larum::cli::Ui::standard())
}
