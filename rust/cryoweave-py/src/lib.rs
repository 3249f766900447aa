//! The door between Python and the core: borrow, check, `enter`, hand over.
use pyo3::prelude::*;

mod enter;
mod error;
mod peaks;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::enter::{set_threads, threads};
    #[pymodule_export]
    use super::peaks::local_maxima;
}
