//! Reading of the operating system, which may take its time (a disk that does not answer, some thousand processes): not on
//! a thread that serves others.

use std::sync::{Arc, Mutex, TryLockError};

use super::Error;

/// Reads by something that remembers the pass before.
///
/// # Errors
/// What `read` says; where the pass before still reads; where the thread ended without a result.
pub(super) async fn read<R: Send + 'static, T: Send + 'static>(
    reader: &Arc<Mutex<R>>,
    read: impl FnOnce(&mut R) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let reader = Arc::clone(reader);
    let reading = tokio::task::spawn_blocking(move || match reader.try_lock() {
        Ok(mut reader) => read(&mut reader),
        // A reader that panicked holds the counters of an earlier pass, which are as good as any.
        Err(TryLockError::Poisoned(poisoned)) => read(&mut poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => Err(Error::StillRunning),
    });
    reading.await.map_err(|_| Error::Lost)?
}
