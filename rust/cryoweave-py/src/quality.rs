use cryoweave_core::quality;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::enter_reporting;
use crate::grid::{Triple, frame};

#[pyfunction]
pub fn radial_correlation<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    sigmas: PyReadonlyArray1<'py, f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (map, points, sigmas) = (values.as_array(), rows("xyz", &xyz)?, column(&sigmas));
    let found = enter_reporting(py, progress, |control| {
        let frame = frame(map.dim(), voxel_xyz, origin_xyz)?;
        quality::radial_correlation(map, &frame, &points, &sigmas, control)
    })?;
    Ok(found.into_pyarray(py))
}
