//! The only place that releases the GIL, listens for Ctrl-C and maps the core's errors.
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use cryoweave_core::control::Control;
use cryoweave_core::error::Result;
use pyo3::prelude::*;

use crate::error::to_python;

const POLL: Duration = Duration::from_millis(50);

/// Run `work` on its own thread without the GIL; a signal cancels it.
pub fn enter<T: Send>(py: Python<'_>, work: impl FnOnce(&Control) -> Result<T> + Send) -> PyResult<T> {
    let control = Control::default();
    py.detach(|| {
        let caller = std::thread::current();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let outcome = work(&control);
                caller.unpark();
                outcome
            });
            let signal = wait(&worker, &control);
            let outcome = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            signal?;
            outcome.map_err(|error| to_python(&error))
        })
    })
}

/// Sleep until the worker is done; the first signal cancels it and is what the caller gets.
fn wait<T>(worker: &ScopedJoinHandle<'_, T>, control: &Control) -> PyResult<()> {
    let mut signal = Ok(());
    while !worker.is_finished() {
        std::thread::park_timeout(POLL);
        if signal.is_ok() {
            signal = Python::attach(|py| py.check_signals());
            if signal.is_err() {
                control.cancel();
            }
        }
    }
    signal
}
