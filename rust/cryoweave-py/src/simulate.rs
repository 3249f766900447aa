use cryoweave_core::simulate::{self, Scattering};
use numpy::{IntoPyArray, PyArray3, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::enter_reporting;
use crate::grid::{Shape, Triple, frame};

type Column<'py, T> = PyReadonlyArray1<'py, T>;

#[pyfunction]
#[pyo3(signature = (shape_zyx, voxel_xyz, origin_xyz, xyz, weight, sigma, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn simulate_blurred<'py>(
    py: Python<'py>,
    shape_zyx: Shape,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    weight: Column<'py, f64>,
    sigma: Column<'py, f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let (points, weight, sigma) = (rows("xyz", &xyz)?, column(&weight), column(&sigma));
    let map = enter_reporting(py, progress, |control| {
        simulate::simulate_blurred(
            &frame(shape_zyx, voxel_xyz, origin_xyz)?,
            &points,
            &weight,
            &sigma,
            control,
        )
    })?;
    Ok(map.into_pyarray(py))
}

/// `tables` are the amplitudes and widths of each element's Gaussians; `atoms` the element, B factor and occupancy.
#[pyfunction]
#[pyo3(signature = (shape_zyx, voxel_xyz, origin_xyz, xyz, tables, atoms, b_resolution, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn simulate_electron<'py>(
    py: Python<'py>,
    shape_zyx: Shape,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    tables: (PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>),
    atoms: (Column<'py, i64>, Column<'py, f64>, Column<'py, f64>),
    b_resolution: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let points = rows("xyz", &xyz)?;
    let (a, b) = (rows("coefficients_a", &tables.0)?, rows("coefficients_b", &tables.1)?);
    let (element, b_factor, occupancy) = (column(&atoms.0), column(&atoms.1), column(&atoms.2));
    let map = enter_reporting(py, progress, |control| {
        let (element, b_factor, occupancy) = (&element[..], &b_factor[..], &occupancy[..]);
        let scattering = Scattering {
            element,
            a: &a,
            b: &b,
            b_factor,
            b_resolution,
            occupancy,
        };
        simulate::simulate_electron(&frame(shape_zyx, voxel_xyz, origin_xyz)?, &points, &scattering, control)
    })?;
    Ok(map.into_pyarray(py))
}
