use cryoweave_core::rotamers::{self, Candidates, Rules};
use numpy::ndarray::Array1;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::enter_reporting;
use crate::error::InputError;

/// Atoms of all candidates, their radii, and whether they are polar.
type Atoms<'py> = (
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, bool>,
);
/// First atom of each candidate, first candidate of each group, cost of each candidate.
type Groups<'py> = (
    PyReadonlyArray1<'py, i64>,
    PyReadonlyArray1<'py, i64>,
    PyReadonlyArray1<'py, f64>,
);

#[pyfunction]
pub fn choose_candidates<'py>(
    py: Python<'py>,
    atoms: Atoms<'py>,
    groups: Groups<'py>,
    free: PyReadonlyArray2<'py, i32>,
    rules: (f64, f64, f64, u64),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray1<i32>>, f64)> {
    let (xyz, radius, polar) = (rows("xyz", &atoms.0)?, column(&atoms.1), column(&atoms.2));
    let (first, group, costs) = (offsets(&groups.0)?, offsets(&groups.1)?, column(&groups.2));
    let free = rows("free", &free)?;
    let (stiffness, hydrogen_bond, window, seed) = rules;
    let (chosen, energy) = enter_reporting(py, progress, |control| {
        let given = Candidates {
            xyz: &xyz,
            radius: &radius,
            polar: &polar,
            atoms: &first,
            groups: &group,
            costs: &costs,
            free: &free,
        };
        let rules = Rules {
            stiffness,
            hydrogen_bond,
            window,
            seed,
        };
        rotamers::choose_candidates(&given, rules, control)
    })?;
    Ok((Array1::from(chosen).into_pyarray(py), energy))
}

fn offsets(values: &PyReadonlyArray1<'_, i64>) -> PyResult<Vec<usize>> {
    let whole = values.as_array();
    let counted = whole.iter().map(|&value| usize::try_from(value));
    counted
        .collect::<Result<_, _>>()
        .map_err(|_| InputError::new_err("an offset is negative"))
}
