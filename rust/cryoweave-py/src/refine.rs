use cryoweave_core::refine::{self, Atoms, Contacts, Effort, Restraints};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::enter_reporting;
use crate::grid::{Triple, frame};

/// Pairs, their ranges and stiffness.
type Pairs<'py> = (
    PyReadonlyArray2<'py, i32>,
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray1<'py, f64>,
);
/// Corners, their volumes and one stiffness.
type Corners<'py> = (PyReadonlyArray2<'py, i32>, PyReadonlyArray1<'py, f64>, f64);
/// Turns, their angles with slack, and one stiffness.
type Turns<'py> = (PyReadonlyArray2<'py, i32>, PyReadonlyArray2<'py, f64>, f64);
/// Atoms, their reach and one stiffness.
type Apart<'py> = (PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, f64>, f64);

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn refine_atoms<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: PyReadonlyArray2<'py, f64>,
    weights: (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>),
    pairs: Pairs<'py>,
    corners: Corners<'py>,
    turns: Turns<'py>,
    apart: Apart<'py>,
    effort: (usize, usize),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray2<f64>>, f64)> {
    let (map, xyz) = (values.as_array(), rows("xyz", &xyz)?);
    let (weights, hold) = (column(&weights.0), column(&weights.1));
    let (pairs, range, stiffness) = pairs;
    let (corners, volume, volume_stiffness) = corners;
    let (turns, turn_range, turn_stiffness) = turns;
    let (apart, reach, contact_stiffness) = apart;
    let (pairs, range, stiffness) = (rows("pairs", &pairs)?, rows("range", &range)?, column(&stiffness));
    let (corners, volume) = (rows("corners", &corners)?, column(&volume));
    let (turns, turn_range) = (rows("turns", &turns)?, rows("turn_range", &turn_range)?);
    let (apart, reach) = (column(&apart), column(&reach));
    let atoms = Atoms {
        xyz: &xyz,
        weights: &weights,
        hold: &hold,
    };
    let restraints = Restraints {
        pairs: &pairs,
        range: &range,
        stiffness: &stiffness,
        corners: &corners,
        volume: &volume,
        volume_stiffness,
        turns: &turns,
        turn_range: &turn_range,
        turn_stiffness,
    };
    let contacts = Contacts {
        atoms: &apart,
        reach: &reach,
        stiffness: contact_stiffness,
    };
    let found = enter_reporting(py, progress, |control| {
        let frame = frame(map.dim(), voxel_xyz, origin_xyz)?;
        let effort = Effort {
            cycles: effort.0,
            steps: effort.1,
        };
        refine::refine_atoms(map, &frame, atoms, restraints, contacts, effort, control)
    })?;
    Ok((Array2::from(found.xyz).into_pyarray(py), found.energy))
}
