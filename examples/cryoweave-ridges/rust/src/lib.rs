//! Ridges of a map: voxels that are maxima along most of the 13 lines through their neighbours.

use numpy::ndarray::ArrayView3;
use numpy::{PyArray2, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// One end of each of the 13 lines through the 26 neighbours of a voxel.
fn directions() -> Vec<[isize; 3]> {
    let mut found = Vec::new();
    for z in 0..=1 {
        for y in -1..=1 {
            for x in -1..=1 {
                if (z, y, x) > (0, 0, 0) {
                    found.push([z, y, x]);
                }
            }
        }
    }
    found
}

/// Voxels (z, y, x) above the threshold, not on the map's rim, at which at least `lines` lines have a maximum.
fn ridge_voxels(map: ArrayView3<'_, f32>, threshold: f32, lines: usize) -> Vec<Vec<i32>> {
    let (depth, height, width) = map.dim();
    let ways = directions();
    let mut found = Vec::new();
    for z in 1..depth.saturating_sub(1) {
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let here = map[[z, y, x]];
                if here <= threshold {
                    continue;
                }
                let beside = |way: &[isize; 3], sign: isize| {
                    map[[
                        z.saturating_add_signed(sign * way[0]),
                        y.saturating_add_signed(sign * way[1]),
                        x.saturating_add_signed(sign * way[2]),
                    ]]
                };
                let maxima = ways
                    .iter()
                    .filter(|way| here > beside(way, 1) && here >= beside(way, -1))
                    .count();
                if maxima >= lines {
                    found.push(vec![z as i32, y as i32, x as i32]);
                }
            }
        }
    }
    found
}

/// The door: borrow, check, work without the interpreter's lock, hand over an array of shape (n, 3).
#[pyfunction]
fn ridges<'py>(
    py: Python<'py>,
    map: PyReadonlyArray3<'py, f32>,
    threshold: f32,
    lines: usize,
) -> PyResult<Bound<'py, PyArray2<i32>>> {
    if lines > 13 {
        return Err(PyValueError::new_err("there are 13 lines through a voxel"));
    }
    let view = map.as_array();
    let found = py.detach(|| ridge_voxels(view, threshold, lines));
    if found.is_empty() {
        return Ok(PyArray2::zeros(py, [0, 3], false));
    }
    Ok(PyArray2::from_vec2(py, &found)?)
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ridges, module)?)
}
