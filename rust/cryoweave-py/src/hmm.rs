use cryoweave_core::hmm::{self, Beam, Breaks, Costs, Emission, Geometry, Incoming, Passing, Transitions};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::error::to_python;

type Column<'py, T> = Bound<'py, PyArray1<T>>;
type Pairs<'py> = PyReadonlyArray2<'py, i32>;
type Values<'py> = PyReadonlyArray1<'py, f32>;
/// (pairs, values, rest) as Python hands them over.
type Listed<'py> = (Pairs<'py>, Values<'py>, Values<'py>);

fn incoming((pairs, values, rest): &Listed<'_>, states: usize) -> PyResult<Incoming> {
    let (pairs, values, rest) = (rows("pairs", pairs)?, column(values), column(rest));
    let (pairs, values, rest) = (&*pairs, &*values, &*rest);
    Incoming::new(Transitions { pairs, values, rest }, states).map_err(|error| to_python(&error))
}

#[pyfunction]
pub fn viterbi<'py>(
    py: Python<'py>,
    emission: PyReadonlyArray2<'py, f32>,
    sequence: PyReadonlyArray1<'py, i32>,
    initial: Values<'py>,
    transitions: Listed<'py>,
    once: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Column<'py, i32>, f64)> {
    let (by_kind, sequence, initial) = (emission.as_array(), column(&sequence), column(&initial));
    let transitions = incoming(&transitions, by_kind.ncols())?;
    let emission = Emission {
        by_kind,
        sequence: &sequence,
        more: None,
    };
    let run = |control: &_| hmm::viterbi(emission, &initial, &transitions, once, control);
    let found = enter_reporting(py, progress, run)?;
    Ok((found.states.into_pyarray(py), found.log_probability))
}

#[pyfunction]
pub fn posterior<'py>(
    py: Python<'py>,
    emission: PyReadonlyArray2<'py, f32>,
    sequence: PyReadonlyArray1<'py, i32>,
    layers: Vec<Listed<'py>>,
    breaks: [f64; 3],
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let (by_kind, sequence) = (emission.as_array(), column(&sequence));
    let layers = layers.iter().map(|layer| incoming(layer, by_kind.ncols()));
    let layers: Vec<Incoming> = layers.collect::<PyResult<_>>()?;
    let emission = Emission {
        by_kind,
        sequence: &sequence,
        more: None,
    };
    let [end, open, extend] = breaks;
    let breaks = Breaks { end, open, extend };
    let found = enter(py, |control| hmm::posterior(emission, &layers, breaks, control))?;
    Ok(found.into_pyarray(py))
}

/// Step, spans, bend and twist.
type Tables<'py> = (f64, PyReadonlyArray2<'py, f32>, Values<'py>, Values<'py>);

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn trace_sequence<'py>(
    py: Python<'py>,
    emission: PyReadonlyArray2<'py, f32>,
    sequence: PyReadonlyArray1<'py, i32>,
    more: Option<PyReadonlyArray2<'py, f32>>,
    xyz: PyReadonlyArray2<'py, f64>,
    bonds: Listed<'py>,
    tables: Tables<'py>,
    costs: [f64; 7],
    kept: [usize; 3],
    progress: Option<Py<PyAny>>,
) -> PyResult<(Column<'py, i32>, f64)> {
    let (by_kind, sequence, xyz) = (emission.as_array(), column(&sequence), rows("xyz", &xyz)?);
    let bonds = incoming(&bonds, by_kind.ncols())?;
    let (bend, twist) = (column(&tables.2), column(&tables.3));
    let [end, gap_open, gap_extend, reach, each, most, apart] = costs;
    let [per_point, width, waiting] = kept;
    let beam = Beam {
        emission: Emission {
            by_kind,
            sequence: &sequence,
            more: more.as_ref().map(|more| more.as_array()),
        },
        xyz: &xyz,
        bonds: &bonds,
        geometry: Geometry {
            step: tables.0,
            spans: tables.1.as_array(),
            bend: &bend,
            twist: &twist,
        },
        costs: Costs {
            end,
            gap_open,
            gap_extend,
            reach,
            excess: [each, most],
            apart,
            per_point,
            width,
            waiting,
        },
    };
    let found = enter_reporting(py, progress, |control| hmm::trace_sequence(beam, control))?;
    Ok((found.nodes.into_pyarray(py), found.score))
}

/// A sequence's kinds of residues, its copies, and messages to go on from.
type Copies<'py> = (PyReadonlyArray1<'py, i32>, usize, Option<PyReadonlyArray2<'py, f32>>);
type Believed<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<f32>>);

#[pyfunction]
pub fn visits<'py>(
    py: Python<'py>,
    emission: PyReadonlyArray2<'py, f32>,
    sequences: Vec<Copies<'py>>,
    layers: Vec<Listed<'py>>,
    breaks: [f64; 3],
    passing: (usize, f64, usize),
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Believed<'py>>> {
    let by_kind = emission.as_array();
    let layers = layers.iter().map(|layer| incoming(layer, by_kind.ncols()));
    let layers: Vec<Incoming> = layers.collect::<PyResult<_>>()?;
    let kinds: Vec<Vec<i32>> = sequences.iter().map(|(one, ..)| column(one)).collect();
    let mut each = Vec::with_capacity(kinds.len());
    for (sequence, (_, copies, more)) in kinds.iter().zip(&sequences) {
        let more = more.as_ref().map(|more| more.as_array());
        each.push((
            Emission {
                by_kind,
                sequence,
                more,
            },
            *copies,
        ));
    }
    let [end, open, extend] = breaks;
    let (breaks, passing) = (
        Breaks { end, open, extend },
        Passing {
            rounds: passing.0,
            pace: passing.1,
            keep: passing.2,
        },
    );
    let run = |control: &_| hmm::visits(&each, &layers, breaks, passing, control);
    let found = enter_reporting(py, progress, run)?;
    Ok(found
        .into_iter()
        .map(|b| (b.shares.into_pyarray(py), b.messages.into_pyarray(py)))
        .collect())
}
