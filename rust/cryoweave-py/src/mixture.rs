use cryoweave_core::error::{Result, same_length};
use cryoweave_core::mixture::{self, Climb, Effort, Mixture, Pose, Search};
use numpy::ndarray::{Array1, Array2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::grid::{Triple, frame};

type Matrix<'py> = Bound<'py, PyArray2<f64>>;
type Column<'py> = Bound<'py, PyArray1<f64>>;
/// Weights, means and covariances, the last as nine numbers each.
type Given<'py> = (
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray2<'py, f64>,
);
type Handed<'py> = (Column<'py>, Matrix<'py>, Matrix<'py>);
/// Rotations as nine numbers each, and translations.
type GivenPoses<'py> = (PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>);
type PlainPoses = (Vec<[f64; 9]>, Vec<[f64; 3]>);

/// A mixture as plain values, to be checked without the GIL.
struct Plain {
    weight: Vec<f64>,
    mean: Vec<[f64; 3]>,
    covariance: Vec<[f64; 9]>,
}

impl Plain {
    fn borrow(given: &Given<'_>) -> PyResult<Self> {
        Ok(Self {
            weight: column(&given.0),
            mean: rows("mean", &given.1)?,
            covariance: rows("covariance", &given.2)?,
        })
    }

    fn check(&self) -> Result<Mixture> {
        Mixture::new(&self.weight, &self.mean, &self.covariance)
    }
}

fn hand_over<'py>(py: Python<'py>, mixture: &Mixture) -> Handed<'py> {
    (
        Array1::from(mixture.weight().to_vec()).into_pyarray(py),
        Array2::from(mixture.mean()).into_pyarray(py),
        Array2::from(mixture.covariance()).into_pyarray(py),
    )
}

fn borrow_poses(given: &GivenPoses<'_>) -> PyResult<PlainPoses> {
    Ok((rows("rotation", &given.0)?, rows("translation", &given.1)?))
}

fn to_poses((rotation, translation): PlainPoses) -> Result<Vec<Pose>> {
    same_length(
        "rotations and translations differ in number",
        rotation.len(),
        translation.len(),
    )?;
    Ok(rotation.iter().zip(translation).map(|(r, t)| Pose::new(r, t)).collect())
}

fn hand_poses<'py>(py: Python<'py>, poses: impl Iterator<Item = Pose> + Clone) -> (Matrix<'py>, Matrix<'py>) {
    let rotation: Vec<[f64; 9]> = poses.clone().map(|pose| pose.rows()).collect();
    let translation: Vec<[f64; 3]> = poses.map(|pose| pose.translation.into()).collect();
    (
        Array2::from(rotation).into_pyarray(py),
        Array2::from(translation).into_pyarray(py),
    )
}

#[pyfunction]
pub fn map_mixture<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    threshold: f32,
    side: usize,
) -> PyResult<Handed<'py>> {
    let map = values.as_array();
    let found = enter(py, |control| {
        let frame = frame(map.dim(), voxel_xyz, origin_xyz)?;
        mixture::map_mixture(map, &frame, threshold, side, control)
    })?;
    Ok(hand_over(py, &found))
}

#[pyfunction]
pub fn fit_mixture<'py>(
    py: Python<'py>,
    input: Given<'py>,
    components: usize,
    rounds: usize,
    tolerance: f64,
    seed: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Handed<'py>, Column<'py>)> {
    let input = Plain::borrow(&input)?;
    let effort = Effort {
        components,
        rounds,
        tolerance,
        seed,
    };
    let found = enter_reporting(py, progress, |control| {
        mixture::fit_mixture(&input.check()?, &effort, control)
    })?;
    let history = Array1::from(found.log_likelihood).into_pyarray(py);
    Ok((hand_over(py, &found.mixture), history))
}

#[pyfunction]
pub fn mixture_overlap(py: Python<'_>, one: Given<'_>, other: Given<'_>) -> PyResult<f64> {
    let (one, other) = (Plain::borrow(&one)?, Plain::borrow(&other)?);
    enter(py, |_| Ok(mixture::overlap(&one.check()?, &other.check()?)))
}

/// The overlap with `moving` after a pose, its change for each Å and for each radian about the pose's translation.
#[pyfunction]
pub fn mixture_overlap_slope(
    py: Python<'_>,
    fixed: Given<'_>,
    moving: Given<'_>,
    rotation: [f64; 9],
    translation: [f64; 3],
) -> PyResult<(f64, [f64; 3], [f64; 3])> {
    let (fixed, moving) = (Plain::borrow(&fixed)?, Plain::borrow(&moving)?);
    let (value, slope) = enter(py, |_| {
        let pose = Pose::new(&rotation, translation);
        Ok(mixture::overlap_slope(&fixed.check()?, &moving.check()?, &pose))
    })?;
    Ok((value, slope.force.into(), slope.torque.into()))
}

#[pyfunction]
pub fn mixture_starts<'py>(
    py: Python<'py>,
    map: Given<'py>,
    model: Given<'py>,
    count: usize,
    seed: u64,
) -> PyResult<(Matrix<'py>, Matrix<'py>)> {
    let (map, model) = (Plain::borrow(&map)?, Plain::borrow(&model)?);
    let poses = enter(py, |_| {
        Ok(mixture::starting_poses(&map.check()?, &model.check()?, count, seed))
    })?;
    Ok(hand_poses(py, poses.into_iter()))
}

#[pyfunction]
pub fn fit_rigid_mixture<'py>(
    py: Python<'py>,
    map: Given<'py>,
    model: Given<'py>,
    starts: GivenPoses<'py>,
    climb: (usize, f64),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Matrix<'py>, Matrix<'py>, Column<'py>)> {
    let (map, model, starts) = (Plain::borrow(&map)?, Plain::borrow(&model)?, borrow_poses(&starts)?);
    let climb = Climb {
        steps: climb.0,
        background: climb.1,
    };
    let found = enter_reporting(py, progress, |control| {
        mixture::fit_rigid(&map.check()?, &model.check()?, &to_poses(starts)?, &climb, control)
    })?;
    let (rotation, translation) = hand_poses(py, found.iter().map(|placed| placed.pose));
    let correlation = Array1::from_iter(found.iter().map(|placed| placed.correlation));
    Ok((rotation, translation, correlation.into_pyarray(py)))
}

/// Poses and correlations of every copy of every configuration, one after the other; correlation and clash of each
/// configuration.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn fit_complex_mixture<'py>(
    py: Python<'py>,
    map: Given<'py>,
    models: Vec<Given<'py>>,
    search: (usize, usize, u64),
    climb: (usize, f64),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Matrix<'py>, Matrix<'py>, Column<'py>, Column<'py>, Column<'py>)> {
    let (map, models) = (
        Plain::borrow(&map)?,
        models.iter().map(Plain::borrow).collect::<PyResult<Vec<_>>>()?,
    );
    let (order, starts, seed) = search;
    let climb = Climb {
        steps: climb.0,
        background: climb.1,
    };
    let search = Search {
        order,
        starts,
        climb,
        seed,
    };
    let found = enter_reporting(py, progress, |control| {
        let models: Vec<Mixture> = models.iter().map(Plain::check).collect::<Result<_>>()?;
        mixture::fit_complex(&map.check()?, &models, &search, control)
    })?;
    let (rotation, translation) = hand_poses(py, found.iter().flat_map(|one| one.poses.iter().copied()));
    let alone: Array1<f64> = found.iter().flat_map(|one| one.alone.iter().copied()).collect();
    let correlation = Array1::from_iter(found.iter().map(|one| one.correlation));
    let clash = Array1::from_iter(found.iter().map(|one| one.clash));
    let (alone, correlation) = (alone.into_pyarray(py), correlation.into_pyarray(py));
    Ok((rotation, translation, alone, correlation, clash.into_pyarray(py)))
}
