//! The only place that releases the GIL, listens for Ctrl-C, reports progress and maps the core's errors.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::Thread;
use std::time::Duration;

use cryoweave_core::control::Control;
use cryoweave_core::error::Result;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::to_python;

const POLL: Duration = Duration::from_millis(50);

/// The pool that all kernels run in; `None` until a caller chooses, and then rayon's own default serves.
static POOL: RwLock<Option<Arc<ThreadPool>>> = RwLock::new(None);

/// Use this many threads in every kernel from now on (0: as many as there are cores).
#[pyfunction]
pub fn set_threads(threads: usize) -> PyResult<()> {
    let failed = |cause: &dyn std::fmt::Display| PyRuntimeError::new_err(format!("cannot start threads: {cause}"));
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|cause| failed(&cause))?;
    *POOL.write().map_err(|cause| failed(&cause))? = Some(Arc::new(pool));
    Ok(())
}

/// Threads that kernels use.
#[pyfunction]
pub fn threads() -> usize {
    chosen_pool().map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads())
}

fn chosen_pool() -> Option<Arc<ThreadPool>> {
    POOL.read().ok().and_then(|pool| pool.clone())
}

/// Run `work` on its own thread without the GIL; a signal cancels it.
pub fn enter<T: Send>(py: Python<'_>, work: impl FnOnce(&Control) -> Result<T> + Send) -> PyResult<T> {
    enter_reporting(py, None, work)
}

/// As [`enter`], and call `progress(done, total)` now and then; what it raises cancels the work and is raised.
pub fn enter_reporting<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&Control) -> Result<T> + Send,
) -> PyResult<T> {
    let control = Control::default();
    let done = AtomicBool::new(false);
    let pool = chosen_pool();
    py.detach(|| {
        let caller = std::thread::current();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let _wake = Wake { done: &done, caller };
                match pool {
                    Some(pool) => pool.install(|| work(&control)),
                    None => work(&control),
                }
            });
            let signal = wait(&done, &control, progress.as_ref());
            let outcome = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            signal?;
            outcome.map_err(|error| to_python(&error))
        })
    })
}

/// Wakes the caller however the work ends, a panic included.
struct Wake<'a> {
    done: &'a AtomicBool,
    caller: Thread,
}

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.caller.unpark();
    }
}

/// Sleep until the worker is done; the first signal cancels it and is what the caller gets.
fn wait(done: &AtomicBool, control: &Control, progress: Option<&Py<PyAny>>) -> PyResult<()> {
    let mut signal = Ok(());
    while !done.load(Ordering::Acquire) {
        std::thread::park_timeout(POLL);
        if signal.is_ok() && !done.load(Ordering::Acquire) {
            signal = Python::attach(|py| {
                py.check_signals()?;
                progress.map_or(Ok(()), |call| call.call1(py, control.progress()).map(drop))
            });
            if signal.is_err() {
                control.cancel();
            }
        }
    }
    signal
}
