//! Core errors become the exception classes that Python owns (`cryoweave.errors`).
use cryoweave_core::error::Error;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

pyo3::import_exception!(cryoweave.errors, InputError);

/// The exception that a caller in Python sees for a core error.
pub fn to_python(error: &Error) -> PyErr {
    match error {
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
        other => InputError::new_err(other.to_string()),
    }
}
