use cryoweave_core::align::{self, Alignment, Gap, Gaps, Ground, Mode, Rules, Step, Threading, Ways};
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

type Numbers<'py> = PyReadonlyArray1<'py, i32>;
type Stretch<'py> = (f64, Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i32>>);

fn slice<'a, T: numpy::Element>(name: &str, array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    let strided = |_| InputError::new_err(format!("{name} must lie in one piece of memory"));
    array.as_slice().map_err(strided)
}

/// `steps`: tail, head, bond; `pairs`: before, after; `leaps`: start, end, fewest; `costs`: threshold, gap_open,
/// gap_extend, least, share, step, slack; `counts`: gap, shortest, longest, most. Long arrays are not copied.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn best_stretches<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    steps: (Numbers<'py>, Numbers<'py>, PyReadonlyArray1<'py, f32>),
    pairs: (Numbers<'py>, Numbers<'py>),
    leaps: (Numbers<'py>, Numbers<'py>, Numbers<'py>),
    ground: (
        PyReadonlyArray2<'py, f64>,
        PyReadonlyArray1<'py, bool>,
        PyReadonlyArray2<'py, f64>,
    ),
    costs: [f64; 7],
    counts: [usize; 4],
) -> PyResult<Vec<Stretch<'py>>> {
    let ways = Ways {
        tail: slice("tail", &steps.0)?,
        head: slice("head", &steps.1)?,
        bond: slice("bond", &steps.2)?,
        before: slice("before", &pairs.0)?,
        after: slice("after", &pairs.1)?,
        start: slice("start", &leaps.0)?,
        end: slice("end", &leaps.1)?,
        fewest: slice("fewest", &leaps.2)?,
    };
    let ground = Ground {
        xyz: &rows("xyz", &ground.0)?,
        used: slice("used", &ground.1)?,
        chain: &rows("chain", &ground.2)?,
    };
    let [threshold, gap_open, gap_extend, least, share, step, slack] = costs;
    let [gap, shortest, longest, most] = counts;
    let rules = Rules {
        threshold: threshold as f32,
        gap,
        gap_open,
        gap_extend,
        shortest,
        longest,
        least,
        most,
        share,
        step,
        slack,
    };
    let scores = scores.as_array();
    let found = enter(py, |control| {
        align::best_stretches(scores, ways, ground, rules, control)
    })?;
    let handed = |one: align::Stretch| (one.score, one.residues.into_pyarray(py), one.points.into_pyarray(py));
    Ok(found.into_iter().map(handed).collect())
}
