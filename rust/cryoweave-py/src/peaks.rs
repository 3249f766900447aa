use cryoweave_core::peaks;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::enter::enter;

#[pyfunction]
pub fn local_maxima<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    threshold: f32,
) -> PyResult<Bound<'py, PyArray2<i32>>> {
    let map = map.as_array();
    let zyx = enter(py, |control| peaks::local_maxima(map, threshold, control))?;
    Ok(numpy::ndarray::Array2::from(zyx).into_pyarray(py))
}
