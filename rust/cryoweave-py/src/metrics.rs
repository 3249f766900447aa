use cryoweave_core::metrics;
use numpy::ndarray::{Array1, Array2, arr1, arr2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};

type Vector<'py> = Bound<'py, PyArray1<f64>>;
type Matrix<'py> = Bound<'py, PyArray2<f64>>;

#[pyfunction]
pub fn superpose<'py>(
    py: Python<'py>,
    mobile: PyReadonlyArray2<'py, f64>,
    target: PyReadonlyArray2<'py, f64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<(Matrix<'py>, Vector<'py>, f64)> {
    let (mobile, target) = (rows("mobile", &mobile)?, rows("target", &target)?);
    let weights = weights.map(|weights| column(&weights));
    let found = enter(py, |_| metrics::superpose(&mobile, &target, weights.as_deref()))?;
    Ok((
        arr2(&found.rotation).into_pyarray(py),
        arr1(&found.translation).into_pyarray(py),
        found.rmsd,
    ))
}

#[pyfunction]
pub fn tm_score<'py>(
    py: Python<'py>,
    mobile: PyReadonlyArray2<'py, f64>,
    target: PyReadonlyArray2<'py, f64>,
    native_length: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(f64, Matrix<'py>, Vector<'py>, [f64; 5])> {
    let (mobile, target) = (rows("mobile", &mobile)?, rows("target", &target)?);
    let run = |control: &_| metrics::tm_score(&mobile, &target, native_length, control);
    let found = enter_reporting(py, progress, run)?;
    let (rotation, translation) = (arr2(&found.rotation), arr1(&found.translation));
    Ok((
        found.tm,
        rotation.into_pyarray(py),
        translation.into_pyarray(py),
        found.within,
    ))
}

#[pyfunction]
pub fn match_points<'py>(
    py: Python<'py>,
    a: PyReadonlyArray2<'py, f64>,
    b: PyReadonlyArray2<'py, f64>,
    max_distance: f64,
) -> PyResult<(Bound<'py, PyArray2<i32>>, Vector<'py>)> {
    let (a, b) = (rows("a", &a)?, rows("b", &b)?);
    let found = enter(py, |control| metrics::match_points(&a, &b, max_distance, control))?;
    let pairs: Vec<[i32; 2]> = found.iter().map(|pair| [pair.a as i32, pair.b as i32]).collect();
    let distances: Array1<f64> = found.iter().map(|pair| pair.distance).collect();
    Ok((Array2::from(pairs).into_pyarray(py), distances.into_pyarray(py)))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn lddt<'py>(
    py: Python<'py>,
    model: PyReadonlyArray2<'py, f64>,
    reference: PyReadonlyArray2<'py, f64>,
    partner: PyReadonlyArray1<'py, i32>,
    residue: PyReadonlyArray1<'py, i32>,
    radius: f64,
    thresholds: Vec<f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(f64, Vector<'py>)> {
    let (model, reference) = (rows("model", &model)?, rows("reference", &reference)?);
    let (partner, residue) = (column(&partner), column(&residue));
    let input = metrics::Lddt {
        model: &model,
        reference: &reference,
        partner: &partner,
        residue: &residue,
        radius,
        thresholds: &thresholds,
    };
    let found = enter_reporting(py, progress, |control| metrics::lddt(input, control))?;
    Ok((found.total, found.residues.into_pyarray(py)))
}

/// d0 of the TM-score.
#[pyfunction]
pub fn tm_distance_scale(native_length: usize) -> f64 {
    metrics::tm_distance_scale(native_length)
}
