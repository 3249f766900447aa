use cryoweave_core::cloud::{self, Directed, Motion, Rules, TripleRules, VectorGrid};
use numpy::ndarray::{Array2, Array3};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyReadonlyArray2, PyReadonlyArray3, PyReadonlyArray4};
use pyo3::prelude::*;

use crate::arrays::rows;
use crate::enter::{enter, enter_reporting};
use crate::error::InputError;
use crate::grid::{Shape, Triple, frame};

type Table<'py, T> = Bound<'py, PyArray2<T>>;
type Given<'py, T> = PyReadonlyArray2<'py, T>;
type Found<'py> = (Table<'py, f64>, Bound<'py, PyArray1<f64>>);

fn motion(rotation: &Given<'_, f64>, translation: [f64; 3]) -> PyResult<Motion> {
    let rows: Vec<[f64; 3]> = rows("rotation", rotation)?;
    let rotation = rows
        .try_into()
        .map_err(|_| InputError::new_err("a rotation has three rows"))?;
    Ok(Motion { rotation, translation })
}

fn hand_over<'py>(py: Python<'py>, motion: &Motion) -> Found<'py> {
    let rotation = Array2::from(motion.rotation.to_vec()).into_pyarray(py);
    (rotation, motion.translation.to_vec().into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (xyz, normals, centres, radius, progress=None))]
pub fn descriptors<'py>(
    py: Python<'py>,
    xyz: Given<'py, f64>,
    normals: Given<'py, f64>,
    centres: Given<'py, f64>,
    radius: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Table<'py, f32>> {
    let (points, normals) = (rows("xyz", &xyz)?, rows("normals", &normals)?);
    let centres = rows("centres", &centres)?;
    let found = enter_reporting(py, progress, |control| {
        cloud::descriptors(&points, &normals, &centres, radius, control)
    })?;
    Ok(found.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (a, b, k, progress=None))]
pub fn match_descriptors<'py>(
    py: Python<'py>,
    a: Given<'py, f32>,
    b: Given<'py, f32>,
    k: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Table<'py, i32>, bool)> {
    let (a, b) = (a.as_array(), b.as_array());
    let found = enter_reporting(py, progress, |control| cloud::match_descriptors(a, b, k, control))?;
    Ok((Array2::from(found.pairs).into_pyarray(py), found.mutual))
}

/// Motion, clique, inliers, exact.
type Registered<'py> = (Found<'py>, Bound<'py, PyArray1<i64>>, usize, bool);

/// `None` if too few agree.
#[pyfunction]
pub fn register<'py>(
    py: Python<'py>,
    mobile: Given<'py, f64>,
    target: Given<'py, f64>,
    noise: f64,
    limit: usize,
) -> PyResult<Option<Registered<'py>>> {
    let (mobile, target) = (rows("mobile", &mobile)?, rows("target", &target)?);
    let rules = Rules { noise, limit };
    let found = enter(py, |control| cloud::register(&mobile, &target, rules, control))?;
    Ok(found.map(|found| {
        let clique: Vec<i64> = found.clique.iter().map(|&node| node as i64).collect();
        let clique = clique.into_pyarray(py);
        (hand_over(py, &found.motion), clique, found.inliers, found.exact)
    }))
}

/// Rotation, translation, median distance, steps.
#[pyfunction]
#[pyo3(signature = (source, target, rotation, translation, last_scale=None))]
pub fn robust_icp<'py>(
    py: Python<'py>,
    source: Given<'py, f64>,
    target: Given<'py, f64>,
    rotation: Given<'py, f64>,
    translation: [f64; 3],
    last_scale: Option<f64>,
) -> PyResult<(Found<'py>, f64, usize)> {
    let (source, target) = (rows("source", &source)?, rows("target", &target)?);
    let start = motion(&rotation, translation)?;
    let found = enter(py, |control| {
        cloud::robust_icp(&source, &target, &start, last_scale, control)
    })?;
    Ok((hand_over(py, &found.motion), found.median, found.steps))
}

/// Points matched and points that agree, a row for each motion.
#[pyfunction]
#[pyo3(signature = (source, target, rotations, translations, within, cosine, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn agreement<'py>(
    py: Python<'py>,
    source: (Given<'py, f64>, Given<'py, f64>),
    target: (Given<'py, f64>, Given<'py, f64>),
    rotations: PyReadonlyArray3<'py, f64>,
    translations: Given<'py, f64>,
    within: f64,
    cosine: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Table<'py, i64>> {
    let [source, target] = [source, target].map(|cloud| -> PyResult<_> {
        let (points, normals): (Vec<[f64; 3]>, Vec<[f64; 3]>) = (rows("xyz", &cloud.0)?, rows("normals", &cloud.1)?);
        Ok((points, normals))
    });
    let (source, target) = (source?, target?);
    let translations = rows("translations", &translations)?;
    let rotations = rotations.as_array();
    if rotations.dim() != (translations.len(), 3, 3) {
        return Err(InputError::new_err(
            "rotations must have the shape (n, 3, 3), as many as translations",
        ));
    }
    let entry = |at: usize| [0, 1, 2].map(|row| [0, 1, 2].map(|column| rotations[[at, row, column]]));
    let motions: Vec<Motion> = translations
        .iter()
        .enumerate()
        .map(|(at, &translation)| Motion {
            rotation: entry(at),
            translation,
        })
        .collect();
    let found = enter_reporting(py, progress, |control| {
        let (source, target) = ((&source.0[..], &source.1[..]), (&target.0[..], &target.1[..]));
        cloud::agreement(source, target, &motions, within, cosine, control)
    })?;
    let table: Vec<[i64; 2]> = found.iter().map(|a| [a.matched as i64, a.agreeing as i64]).collect();
    Ok(Array2::from(table).into_pyarray(py))
}

fn motions(rotations: &PyReadonlyArray3<'_, f64>, translations: &Given<'_, f64>) -> PyResult<Vec<Motion>> {
    let (rotations, translations) = (rotations.as_array(), rows("translations", translations)?);
    if rotations.dim() != (translations.len(), 3, 3) {
        let message = "rotations must have the shape (n, 3, 3), as many as translations";
        return Err(InputError::new_err(message));
    }
    let entry = |at: usize| [0, 1, 2].map(|row| [0, 1, 2].map(|column| rotations[[at, row, column]]));
    let motion = |(at, &translation)| Motion {
        rotation: entry(at),
        translation,
    };
    Ok(translations.iter().enumerate().map(motion).collect())
}

/// Rotations and translations.
type Motions<'py> = (Bound<'py, PyArray3<f64>>, Table<'py, f64>);

fn hand_over_all<'py>(py: Python<'py>, motions: &[Motion]) -> Motions<'py> {
    let rotation = |at: (usize, usize, usize)| motions[at.0].rotation[at.1][at.2];
    let rotations = Array3::from_shape_fn((motions.len(), 3, 3), rotation);
    let translations: Vec<[f64; 3]> = motions.iter().map(|motion| motion.translation).collect();
    (rotations.into_pyarray(py), Array2::from(translations).into_pyarray(py))
}

/// `rules` are noise, least side and most triples.
#[pyfunction]
#[pyo3(signature = (mobile, target, rules, progress=None))]
pub fn triple_motions<'py>(
    py: Python<'py>,
    mobile: Given<'py, f64>,
    target: Given<'py, f64>,
    rules: (f64, f64, usize),
    progress: Option<Py<PyAny>>,
) -> PyResult<Motions<'py>> {
    let (mobile, target) = (rows("mobile", &mobile)?, rows("target", &target)?);
    let (noise, least_side, most) = rules;
    let rules = TripleRules {
        noise,
        least_side,
        most,
    };
    let found = enter_reporting(py, progress, |control| {
        cloud::triple_motions(&mobile, &target, rules, control)
    })?;
    Ok(hand_over_all(py, &found))
}

type Grid = (Shape, Triple, Triple);

#[pyfunction]
#[pyo3(signature = (vectors, grid, cloud, rotations, translations, progress=None))]
pub fn field_scores<'py>(
    py: Python<'py>,
    vectors: PyReadonlyArray4<'py, f32>,
    grid: Grid,
    cloud: (Given<'py, f64>, Given<'py, f64>),
    rotations: PyReadonlyArray3<'py, f64>,
    translations: Given<'py, f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (vectors, motions) = (vectors.as_array(), motions(&rotations, &translations)?);
    let (points, normals) = (rows("xyz", &cloud.0)?, rows("normals", &cloud.1)?);
    let scores = enter_reporting(py, progress, |control| {
        let frame = frame(grid.0, grid.1, grid.2)?;
        let field = VectorGrid::new(vectors, &frame)?;
        cloud::field_scores(&field, Directed::new(&points, &normals)?, &motions, control)
    })?;
    Ok(scores.into_pyarray(py))
}

/// The motions and their scores.
#[pyfunction]
#[pyo3(signature = (vectors, grid, cloud, rotations, translations, step, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn field_ascent<'py>(
    py: Python<'py>,
    vectors: PyReadonlyArray4<'py, f32>,
    grid: Grid,
    cloud: (Given<'py, f64>, Given<'py, f64>),
    rotations: PyReadonlyArray3<'py, f64>,
    translations: Given<'py, f64>,
    step: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Motions<'py>, Bound<'py, PyArray1<f64>>)> {
    let (vectors, motions) = (vectors.as_array(), motions(&rotations, &translations)?);
    let (points, normals) = (rows("xyz", &cloud.0)?, rows("normals", &cloud.1)?);
    let found = enter_reporting(py, progress, |control| {
        let frame = frame(grid.0, grid.1, grid.2)?;
        let field = VectorGrid::new(vectors, &frame)?;
        cloud::field_ascent(&field, Directed::new(&points, &normals)?, &motions, step, control)
    })?;
    let (motions, scores): (Vec<Motion>, Vec<f64>) = found.into_iter().unzip();
    Ok((hand_over_all(py, &motions), scores.into_pyarray(py)))
}
