use cryoweave_core::align::{self, Alignment, Gap, Gaps, Mode, Step, Threading};
use numpy::ndarray::{Array1, Array2, ArrayView2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::error::InputError;

/// Both precisions are read as they are.
#[derive(FromPyObject)]
pub enum Scores<'py> {
    /// float32
    Single(PyReadonlyArray2<'py, f32>),
    /// float64
    Double(PyReadonlyArray2<'py, f64>),
}

type Pairs<'py> = (Bound<'py, PyArray2<i32>>, f64);
type ThreadedStack<'py> = (Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<f64>>);
type Threaded<'py> = (Bound<'py, PyArray1<i32>>, f64);

fn mode(name: &str) -> PyResult<Mode> {
    match name {
        "global" => Ok(Mode::Global),
        "local" => Ok(Mode::Local),
        "semiglobal" => Ok(Mode::Semiglobal),
        other => Err(InputError::new_err(format!(
            "mode must be global, local or semiglobal, not {other}"
        ))),
    }
}

#[pyfunction]
pub fn align_matrix<'py>(
    py: Python<'py>,
    scores: Scores<'py>,
    gap_open: (f64, f64),
    gap_extend: (f64, f64),
    how: &str,
) -> PyResult<Pairs<'py>> {
    let mode = mode(how)?;
    let gap = |open, extend| Gap { open, extend };
    let gaps = [gap(gap_open.0, gap_extend.0), gap(gap_open.1, gap_extend.1)];
    let found = match &scores {
        Scores::Single(scores) => align_view(py, scores.as_array(), gaps, mode),
        Scores::Double(scores) => align_view(py, scores.as_array(), gaps, mode),
    }?;
    Ok((Array2::from(found.pairs).into_pyarray(py), found.score))
}

fn align_view<T: Copy + Into<f64> + Sync>(
    py: Python<'_>,
    scores: ArrayView2<'_, T>,
    [row, column]: [Gap; 2],
    mode: Mode,
) -> PyResult<Alignment> {
    enter(py, |control| align::align_matrix(scores, row, column, mode, control))
}

fn step(ideal_distance: f64, distance_weight: f64, max_skip: usize) -> Step {
    Step {
        ideal_distance,
        distance_weight,
        max_skip,
    }
}

fn threaded(py: Python<'_>, found: Threading) -> Threaded<'_> {
    (found.nodes.into_pyarray(py), found.score)
}

#[pyfunction]
pub fn thread_path<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    xyz: PyReadonlyArray2<'py, f64>,
    ideal_distance: f64,
    distance_weight: f64,
    max_skip: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Threaded<'py>> {
    let (scores, xyz) = (scores.as_array(), rows("xyz", &xyz)?);
    let step = step(ideal_distance, distance_weight, max_skip);
    let found = enter_reporting(py, progress, |control| align::thread_path(scores, &xyz, step, control))?;
    Ok(threaded(py, found))
}

#[pyfunction]
pub fn thread_paths<'py>(
    py: Python<'py>,
    stack: PyReadonlyArray3<'py, f32>,
    xyz: PyReadonlyArray2<'py, f64>,
    ideal_distance: f64,
    distance_weight: f64,
    max_skip: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<ThreadedStack<'py>> {
    let (stack, xyz) = (stack.as_array(), rows("xyz", &xyz)?);
    let step = step(ideal_distance, distance_weight, max_skip);
    let found = enter_reporting(py, progress, |control| align::thread_paths(stack, &xyz, step, control))?;
    let scores: Array1<f64> = found.iter().map(|threading| threading.score).collect();
    let mut nodes = Array2::zeros((found.len(), stack.dim().2));
    for (mut row, threading) in nodes.rows_mut().into_iter().zip(found) {
        row.assign(&Array1::from(threading.nodes));
    }
    Ok((nodes.into_pyarray(py), scores.into_pyarray(py)))
}

/// `costs`: ideal_distance, distance_weight, residue_gap_open, residue_gap_extend, end_gap, reach, slack.
#[pyfunction]
pub fn thread_gapped<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    xyz: PyReadonlyArray2<'py, f64>,
    breaks: PyReadonlyArray1<'py, bool>,
    costs: [f64; 7],
    max_skip: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Threaded<'py>> {
    let (scores, xyz, breaks) = (scores.as_array(), rows("xyz", &xyz)?, column(&breaks));
    let [ideal_distance, distance_weight, open, extend, end, reach, slack] = costs;
    let step = step(ideal_distance, distance_weight, max_skip);
    let gaps = Gaps {
        open,
        extend,
        end,
        reach,
        slack,
    };
    let run = |control: &_| align::thread_gapped(scores, &xyz, &breaks, step, gaps, control);
    Ok(threaded(py, enter_reporting(py, progress, run)?))
}
