use cryoweave_core::fragments::{self, Fragments, Pieces, Rules};
use numpy::ndarray::{Array1, Array2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::error::InputError;

type Found<'py> = (Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<f64>>);
type Conflicting<'py> = (Bound<'py, PyArray2<i32>>, Bound<'py, PyArray2<bool>>);

/// Rows of node, residue and length, and their scores.
#[pyfunction]
pub fn ungapped<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    breaks: PyReadonlyArray1<'py, bool>,
    most: usize,
    shortest: usize,
) -> PyResult<Found<'py>> {
    let (scores, breaks) = (scores.as_array(), column(&breaks));
    let pieces = Pieces { most, shortest };
    let found = enter(py, |control| fragments::ungapped(scores, &breaks, pieces, control))?;
    let places: Vec<[i32; 3]> = found
        .iter()
        .map(|p| [p.node, p.residue, p.length].map(|n| n as i32))
        .collect();
    let gains: Array1<f64> = found.iter().map(|p| p.score).collect();
    Ok((Array2::from(places).into_pyarray(py), gains.into_pyarray(py)))
}

/// Pairs, and for each whether it clashes and whether one chain cannot hold both.
#[pyfunction]
pub fn fragment_conflicts<'py>(
    py: Python<'py>,
    sequence: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i32>,
    residue: PyReadonlyArray1<'py, i32>,
    xyz: PyReadonlyArray2<'py, f64>,
    rules: [f64; 3],
    progress: Option<Py<PyAny>>,
) -> PyResult<Conflicting<'py>> {
    let (sequence, residue, xyz) = (column(&sequence), column(&residue), rows("xyz", &xyz)?);
    let negative = |_| InputError::new_err("a fragment starts before the first residue");
    let starts: Vec<usize> = column(&starts)
        .into_iter()
        .map(usize::try_from)
        .collect::<Result<_, _>>()
        .map_err(negative)?;
    let all = Fragments {
        sequence: &sequence,
        starts: &starts,
        residue: &residue,
        xyz: &xyz,
    };
    let [reach, same, clash] = rules;
    let rules = Rules { reach, same, clash };
    let found = enter_reporting(py, progress, |control| fragments::conflicts(all, rules, control))?;
    let kinds: Vec<[bool; 2]> = found.iter().map(|c| [c.clash, c.chain]).collect();
    let pairs: Vec<[i32; 2]> = found.into_iter().map(|c| c.pair).collect();
    Ok((
        Array2::from(pairs).into_pyarray(py),
        Array2::from(kinds).into_pyarray(py),
    ))
}
