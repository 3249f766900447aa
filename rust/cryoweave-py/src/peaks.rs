use cryoweave_core::peaks::{self, Limits};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};

type Table<'py, T> = Bound<'py, PyArray2<T>>;
type Column<'py, T> = Bound<'py, PyArray1<T>>;

#[pyfunction]
pub fn local_maxima<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    threshold: f32,
) -> PyResult<Bound<'py, PyArray2<i32>>> {
    let map = map.as_array();
    let zyx = enter(py, |control| peaks::local_maxima(map, threshold, control))?;
    Ok(Array2::from(zyx).into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (map, threshold, bandwidth_voxels, max_shift_voxels, tolerance, max_steps, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn mean_shift<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    threshold: f32,
    bandwidth_voxels: [f64; 3],
    max_shift_voxels: [f64; 3],
    tolerance: f64,
    max_steps: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Table<'py, i32>, Table<'py, f64>, Column<'py, f32>)> {
    let map = map.as_array();
    let limits = Limits {
        max_shift_voxels,
        tolerance,
        max_steps,
    };
    let found = enter_reporting(py, progress, |control| {
        peaks::mean_shift(map, threshold, bandwidth_voxels, limits, control)
    })?;
    let (start, end) = (Array2::from(found.start_zyx), Array2::from(found.end_zyx));
    Ok((
        start.into_pyarray(py),
        end.into_pyarray(py),
        found.density.into_pyarray(py),
    ))
}

/// Where positions arrive, and the density there; `limits` are tolerance and most steps.
#[pyfunction]
#[pyo3(signature = (map, points_zyx, bandwidth_voxels, max_shift_voxels, limits, progress=None))]
pub fn climb_from<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    points_zyx: PyReadonlyArray2<'py, f64>,
    bandwidth_voxels: [f64; 3],
    max_shift_voxels: [f64; 3],
    limits: (f64, usize),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Table<'py, f64>, Column<'py, f32>)> {
    let (map, starts) = (map.as_array(), rows("points_zyx", &points_zyx)?);
    let limits = Limits {
        max_shift_voxels,
        tolerance: limits.0,
        max_steps: limits.1,
    };
    let (ends, density) = enter_reporting(py, progress, |control| {
        peaks::climb_from(map, &starts, bandwidth_voxels, limits, control)
    })?;
    Ok((Array2::from(ends).into_pyarray(py), density.into_pyarray(py)))
}

#[pyfunction]
#[pyo3(signature = (map, points_zyx, bandwidth_voxels, progress=None))]
pub fn kernel_density<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    points_zyx: PyReadonlyArray2<'py, f64>,
    bandwidth_voxels: [f64; 3],
    progress: Option<Py<PyAny>>,
) -> PyResult<Column<'py, f32>> {
    let (map, points) = (map.as_array(), rows("points_zyx", &points_zyx)?);
    let density = enter_reporting(py, progress, |control| {
        peaks::kernel_density(map, &points, bandwidth_voxels, control)
    })?;
    Ok(density.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (points, density, radius, keep=None))]
pub fn merge_points<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
    density: PyReadonlyArray1<'py, f32>,
    radius: f64,
    keep: Option<PyReadonlyArray1<'py, bool>>,
) -> PyResult<(Column<'py, i32>, Column<'py, i32>)> {
    let (points, density, keep) = (rows("points", &points)?, column(&density), keep.as_ref().map(column));
    let merged = enter(py, |control| {
        peaks::merge_points(&points, &density, radius, keep.as_deref(), control)
    })?;
    Ok((merged.survivors.into_pyarray(py), merged.owner.into_pyarray(py)))
}
