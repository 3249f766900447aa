use cryoweave_core::rigid::{self, Field, Metric, Near, Points, Pose};
use numpy::ndarray::{Array1, Array2, Array3, Axis};
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyReadonlyArray4,
};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::error::InputError;
use crate::grid::{Triple, frame};
use crate::search::matrices;

type Rotations<'py> = PyReadonlyArray3<'py, f64>;
type Rows<'py> = PyReadonlyArray2<'py, f64>;
type Placed<'py> = (
    Rows<'py>,
    PyReadonlyArray1<'py, f64>,
    Option<PyReadonlyArray1<'py, f64>>,
);

fn poses(rotations: &Rotations<'_>, translations: &Rows<'_>) -> PyResult<Vec<Pose>> {
    let (turns, shifts) = (matrices(rotations)?, rows("translations", translations)?);
    if turns.len() != shifts.len() {
        return Err(InputError::new_err(format!(
            "{} rotations for {} translations",
            turns.len(),
            shifts.len()
        )));
    }
    let both = turns.into_iter().zip(shifts);
    Ok(both
        .map(|(rotation, translation)| Pose { rotation, translation })
        .collect())
}

/// `map` is (channels, voxel, origin), `points` positions, values and weights, `starts` rotations and translations.
#[pyfunction]
#[pyo3(signature = (map, points, metric, starts, steps, progress=None))]
#[allow(clippy::type_complexity)]
pub fn refine_poses<'py>(
    py: Python<'py>,
    map: (PyReadonlyArray4<'py, f32>, Triple, Triple),
    points: Placed<'py>,
    metric: &str,
    starts: (Rotations<'py>, Rows<'py>),
    steps: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(
    Bound<'py, PyArray3<f64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
)> {
    let metric = match metric {
        "overlap" => Metric::Overlap,
        "correlation" => Metric::Correlation,
        "about_mean" => Metric::AboutMean,
        "vectors" => Metric::Vectors,
        _ => return Err(InputError::new_err(format!("there is no metric {metric:?}"))),
    };
    let (xyz, values, weights) = (
        rows("xyz", &points.0)?,
        column(&points.1),
        points.2.as_ref().map(column),
    );
    let (starts, view) = (poses(&starts.0, &starts.1)?, map.0.as_array());
    let found = enter_reporting(py, progress, |control| {
        let (_, nz, ny, nx) = view.dim();
        let frame = frame((nz, ny, nx), map.1, map.2)?;
        let field = Field::new(view.axis_iter(Axis(0)), frame, control)?;
        let points = Points::new(&xyz, &values, weights.as_deref());
        rigid::refine_poses(&field, &points, metric, &starts, steps, control)
    })?;
    let n = found.len();
    let rotation = Array3::from_shape_fn((n, 3, 3), |(i, row, column)| found[i].0.rotation[row][column]);
    let translation = Array2::from_shape_fn((n, 3), |(i, axis)| found[i].0.translation[axis]);
    let score: Array1<f64> = found.iter().map(|(_, score)| *score).collect();
    Ok((
        rotation.into_pyarray(py),
        translation.into_pyarray(py),
        score.into_pyarray(py),
    ))
}

/// Overlap, correlation, correlation about the mean, average and inside fraction of each pose.
#[pyfunction]
pub fn measure_poses<'py>(
    py: Python<'py>,
    map: (PyReadonlyArray3<'py, f32>, Triple, Triple),
    points: Placed<'py>,
    at: (Rotations<'py>, Rows<'py>),
    threshold: f64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (xyz, values, weights) = (
        rows("xyz", &points.0)?,
        column(&points.1),
        points.2.as_ref().map(column),
    );
    let (poses, view) = (poses(&at.0, &at.1)?, map.0.as_array());
    let found = enter(py, |control| {
        let field = Field::new([view], frame(view.dim(), map.1, map.2)?, control)?;
        let points = Points::new(&xyz, &values, weights.as_deref());
        rigid::measure_poses(&field, &points, &poses, threshold, control)
    })?;
    let rows: Vec<[f64; 5]> = found
        .iter()
        .map(|one| [one.overlap, one.correlation, one.about_mean, one.average, one.inside])
        .collect();
    Ok(Array2::from(rows).into_pyarray(py))
}

/// `near` is the points' centre, their moments, and the largest distance; or the centre, an angle and a shift.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn distinct_poses<'py>(
    py: Python<'py>,
    rotations: Rotations<'py>,
    translations: Rows<'py>,
    centre: Triple,
    near: (Option<Rows<'py>>, f64, f64),
    most: usize,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>)> {
    let poses = poses(&rotations, &translations)?;
    let centre = centre.into();
    let near = match &near.0 {
        Some(moments) => {
            let rows = rows::<f64, 3>("moments", moments)?;
            let moments = <[[f64; 3]; 3]>::try_from(rows)
                .map_err(|rows| InputError::new_err(format!("moments must have 3 rows, not {}", rows.len())))?;
            Near::Rmsd {
                centre,
                moments,
                limit: near.1,
            }
        }
        None => Near::AngleAndShift {
            centre,
            angle: near.1,
            shift: near.2,
        },
    };
    let (firsts, place) = enter(py, |_| rigid::distinct(&poses, &near, most))?;
    let signed = |found: Vec<usize>| -> Vec<i64> { found.iter().map(|&at| i64::try_from(at).unwrap_or(-1)).collect() };
    Ok((signed(firsts).into_pyarray(py), signed(place).into_pyarray(py)))
}
