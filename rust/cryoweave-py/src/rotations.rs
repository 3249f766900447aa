use cryoweave_core::error::Result;
use cryoweave_core::rotations::{self, Quaternion};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;

use crate::enter::enter;

type Found<'py> = PyResult<Bound<'py, PyArray2<f64>>>;

fn handed(py: Python<'_>, work: impl FnOnce() -> Result<Vec<Quaternion>> + Send) -> Found<'_> {
    let found = enter(py, |_| work())?;
    Ok(Array2::from(found).into_pyarray(py))
}

/// Quaternions, real part first, and the covering radius in degrees.
#[pyfunction]
pub fn uniform_rotations<'py>(py: Python<'py>, step: f64) -> PyResult<(Bound<'py, PyArray2<f64>>, f64)> {
    let (found, radius) = enter(py, |_| rotations::uniform_rotations(step))?;
    Ok((Array2::from(found).into_pyarray(py), radius))
}

#[pyfunction]
pub fn local_rotations<'py>(py: Python<'py>, radius: f64, step: f64) -> Found<'py> {
    handed(py, || rotations::local_rotations(radius, step))
}

#[pyfunction]
pub fn random_rotations<'py>(py: Python<'py>, count: usize, seed: u64) -> Found<'py> {
    handed(py, || Ok(rotations::random_rotations(count, seed)))
}
