use cryoweave_core::search::{self, Score, Target, Template};
use numpy::ndarray::Array3;
use numpy::{IntoPyArray, PyArray1, PyArray3, PyReadonlyArray3, PyReadonlyArray4};
use pyo3::prelude::*;

use crate::enter::enter_reporting;
use crate::error::InputError;
use crate::grid::Triple;

type Found<'py> = (
    Bound<'py, PyArray3<f32>>,
    Bound<'py, PyArray3<u32>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<u32>>,
);

type Target4<'py> = (
    PyReadonlyArray4<'py, f32>,
    Triple,
    Option<PyReadonlyArray3<'py, bool>>,
    Option<PyReadonlyArray3<'py, f32>>,
);

/// `target` is (channels, voxel, allowed, factor), `template` (channels, voxel, centre, vectors).
#[pyfunction]
#[pyo3(signature = (target, template, score, rotations, progress=None))]
pub fn rotational_search<'py>(
    py: Python<'py>,
    target: Target4<'py>,
    template: (PyReadonlyArray4<'py, f32>, Triple, Triple, bool),
    score: &str,
    rotations: PyReadonlyArray3<'py, f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Found<'py>> {
    let score = match score {
        "sum" => Score::Sum,
        "cosine" => Score::Cosine,
        "local" => Score::Local,
        _ => return Err(InputError::new_err(format!("there is no score {score:?}"))),
    };
    let turns = matrices(&rotations)?;
    let ((_, nz, ny, nx), (_, tz, ty, tx)) = (target.0.as_array().dim(), template.0.as_array().dim());
    let values = target.0.as_slice()?;
    let allowed = target.2.as_ref().map(|mask| mask.as_slice()).transpose()?;
    let factor = target.3.as_ref().map(|map| map.as_slice()).transpose()?;
    let small = template.0.as_slice()?;
    let found = enter_reporting(py, progress, |control| {
        let channels: Vec<&[f32]> = values.chunks_exact((nz * ny * nx).max(1)).collect();
        let target = Target {
            channels: &channels,
            shape: [nz, ny, nx],
            voxel_xyz: target.1.into(),
            allowed,
            factor,
        };
        let template = Template::new(small, [tz, ty, tx], template.1.into(), template.2.into(), template.3)?;
        search::rotational_search(&target, &template, score, &turns, control)
    })?;
    let shaped = |what: &dyn std::fmt::Display| InputError::new_err(what.to_string());
    let score = Array3::from_shape_vec((nz, ny, nx), found.score).map_err(|error| shaped(&error))?;
    let rotation = Array3::from_shape_vec((nz, ny, nx), found.rotation).map_err(|error| shaped(&error))?;
    Ok((
        score.into_pyarray(py),
        rotation.into_pyarray(py),
        found.best.into_pyarray(py),
        found.voxel.into_pyarray(py),
    ))
}

/// Rotation matrices of an `(n, 3, 3)` array.
pub fn matrices(array: &PyReadonlyArray3<'_, f64>) -> PyResult<Vec<[[f64; 3]; 3]>> {
    let array = array.as_array();
    let (n, rows, columns) = array.dim();
    if (rows, columns) != (3, 3) {
        return Err(InputError::new_err(format!(
            "rotations must have the shape (n, 3, 3), not ({n}, {rows}, {columns})"
        )));
    }
    let at = |i: usize| std::array::from_fn(|row| std::array::from_fn(|column| array[[i, row, column]]));
    Ok((0..n).map(at).collect())
}

/// The smallest size from `n` on that transforms fast.
#[pyfunction]
pub fn fast_size(n: usize) -> usize {
    search::fast_size(n)
}
