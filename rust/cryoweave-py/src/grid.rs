use cryoweave_core::error::Result;
use cryoweave_core::grid::frame::Frame;
use cryoweave_core::grid::interpolate::{self as between, Order};
use cryoweave_core::grid::{filter, mask, resample as resampling, statistics as describing, vectors};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyArray4, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::rows;
use crate::enter::{enter, enter_reporting};

/// Voxel sides and origin as Python hands them over: xyz, in Å.
pub type Triple = (f64, f64, f64);
/// A shape as Python hands it over: zyx.
pub type Shape = (usize, usize, usize);

pub fn frame(shape_zyx: Shape, voxel_xyz: Triple, origin_xyz: Triple) -> Result<Frame> {
    Frame::new(shape_zyx.into(), voxel_xyz.into(), origin_xyz.into())
}

fn order(cubic: bool) -> Order {
    if cubic { Order::Cubic } else { Order::Linear }
}

#[pyfunction]
pub fn interpolate<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    cubic: bool,
    outside: f32,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let (map, points) = (values.as_array(), rows("xyz", &xyz)?);
    let found = enter(py, |control| {
        let frame = frame(map.dim(), voxel_xyz, origin_xyz)?;
        between::interpolate(map, &frame, &points, order(cubic), outside, control)
    })?;
    Ok(found.into_pyarray(py))
}

#[pyfunction]
pub fn gradient<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (map, points) = (values.as_array(), rows("xyz", &xyz)?);
    let found = enter(py, |control| {
        between::gradient(map, &frame(map.dim(), voxel_xyz, origin_xyz)?, &points, control)
    })?;
    Ok(Array2::from(found).into_pyarray(py))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn resample<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    new_shape_zyx: Shape,
    new_voxel_xyz: Triple,
    new_origin_xyz: Triple,
    cubic: bool,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let map = values.as_array();
    let resampled = enter(py, |control| {
        let old = frame(map.dim(), voxel_xyz, origin_xyz)?;
        let new = frame(new_shape_zyx, new_voxel_xyz, new_origin_xyz)?;
        resampling::resample(map, &old, &new, order(cubic), control)
    })?;
    Ok(resampled.into_pyarray(py))
}

#[pyfunction]
pub fn upsample2<'py>(py: Python<'py>, values: PyReadonlyArray3<'py, f32>) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let map = values.as_array();
    Ok(enter(py, |control| resampling::upsample2(map, control))?.into_pyarray(py))
}

#[pyfunction]
pub fn gaussian<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    sigma_zyx_voxels: Triple,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let map = values.as_array();
    Ok(enter(py, |control| filter::gaussian(map, sigma_zyx_voxels.into(), control))?.into_pyarray(py))
}

#[pyfunction]
pub fn laplacian<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let map = values.as_array();
    Ok(enter(py, |control| filter::laplacian(map, voxel_xyz.into(), control))?.into_pyarray(py))
}

type Labelled<'py> = (Bound<'py, PyArray3<i32>>, Bound<'py, PyArray1<i64>>);

#[pyfunction]
pub fn label_components<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    threshold: f32,
) -> PyResult<Labelled<'py>> {
    let map = values.as_array();
    let (labels, sizes) = enter(py, |control| mask::label_components(map, threshold, control))?;
    Ok((labels.into_pyarray(py), sizes.into_pyarray(py)))
}

#[pyfunction]
pub fn mask_around<'py>(
    py: Python<'py>,
    shape_zyx: Shape,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    radius: f64,
) -> PyResult<Bound<'py, PyArray3<bool>>> {
    let points = rows("xyz", &xyz)?;
    let mask = enter(py, |control| {
        mask::mask_around(&frame(shape_zyx, voxel_xyz, origin_xyz)?, &points, radius, control)
    })?;
    Ok(mask.into_pyarray(py))
}

#[pyfunction]
pub fn nearest_around<'py>(
    py: Python<'py>,
    shape_zyx: Shape,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    radius: f64,
) -> PyResult<Bound<'py, PyArray3<i32>>> {
    let points = rows("xyz", &xyz)?;
    let nearest = enter(py, |control| {
        mask::nearest_around(&frame(shape_zyx, voxel_xyz, origin_xyz)?, &points, radius, control)
    })?;
    Ok(nearest.into_pyarray(py))
}

/// Minimum, maximum, mean, standard deviation and the number of voxels that are not zero.
#[pyfunction]
pub fn statistics(py: Python<'_>, values: PyReadonlyArray3<'_, f32>) -> PyResult<(f32, f32, f64, f64, usize)> {
    let map = values.as_array();
    let found = enter(py, |control| describing::statistics(map, control))?;
    Ok((found.minimum, found.maximum, found.mean, found.sd, found.nonzero))
}

#[pyfunction]
pub fn volume_threshold(py: Python<'_>, values: PyReadonlyArray3<'_, f32>, n_voxels: usize) -> PyResult<f32> {
    let map = values.as_array();
    enter(py, |control| describing::volume_threshold(map, n_voxels, control))
}

type Field<'py> = (Bound<'py, PyArray4<f32>>, Bound<'py, PyArray3<f32>>);

/// `grid` and `new_grid` are voxel sides and origin, the new one's shape before them; unit vectors and density.
#[pyfunction]
#[pyo3(signature = (values, grid, new_grid, bandwidth, threshold, progress=None))]
pub fn unit_vectors<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    grid: (Triple, Triple),
    new_grid: (Shape, Triple, Triple),
    bandwidth: f64,
    threshold: f32,
    progress: Option<Py<PyAny>>,
) -> PyResult<Field<'py>> {
    let map = values.as_array();
    let field = enter_reporting(py, progress, |control| {
        let (old, new) = (
            frame(map.dim(), grid.0, grid.1)?,
            frame(new_grid.0, new_grid.1, new_grid.2)?,
        );
        vectors::unit_vectors(map, &old, bandwidth, threshold, &new, control)
    })?;
    Ok((field.vectors.into_pyarray(py), field.density.into_pyarray(py)))
}
