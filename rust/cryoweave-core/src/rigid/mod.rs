//! Rigid placements off the lattice: how well points fit a map, which way it gets better, and which places are distinct.
mod cluster;
mod score;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::refine::descent::{Limits, descend};
use crate::rotations::{Matrix, check_matrices, exponential, matrix};

pub use cluster::{Near, distinct};
pub use score::{Field, Measures, Metric, Points, measure_poses};
use score::{Scored, score};

/// A slope (score for each Å; of the overlap, its share of the largest product) below which a placement is at its best.
const FLAT: f64 = 1e-8;
/// Å that the points' centre, or one at their reach, moves in one step at most.
const LONGEST: f64 = 0.5;

/// Where a model is put: its point `x` goes to `rotation x + translation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Rows of a proper rotation.
    pub rotation: Matrix,
    /// In Å.
    pub translation: [f64; 3],
}

/// Climb from every start to the best score nearby; the poses and their scores in the order of the starts.
///
/// Translation and rotation vector, the latter times the points' radius of gyration, are six lengths in Å; the gradient
/// is analytic. `steps` bounds the steps of each, of at most half an Å.
pub fn refine_poses(
    field: &Field,
    points: &Points,
    metric: Metric,
    starts: &[Pose],
    steps: usize,
    control: &Control,
) -> Result<Vec<(Pose, f64)>> {
    points.check(metric)?;
    check_poses(starts)?;
    control.expect(starts.len() as u64);
    starts
        .par_iter()
        .with_max_len(1)
        .map(|start| {
            let found = climb(field, points, metric, start, steps, control);
            control.step()?;
            found
        })
        .collect()
}

/// Refuse poses that hold what is not finite, or no proper rotation.
pub(crate) fn check_poses(poses: &[Pose]) -> Result<()> {
    let finite = |pose: &Pose| {
        let rotation = pose.rotation.iter().flatten();
        rotation.chain(&pose.translation).all(|value| value.is_finite())
    };
    match poses.iter().position(|pose| !finite(pose)) {
        Some(row) => Err(Error::Row {
            what: "a pose holds a value that is not finite",
            row,
        }),
        None => check_matrices(poses.iter().map(|pose| &pose.rotation)),
    }
}

fn climb(
    field: &Field,
    points: &Points,
    metric: Metric,
    start: &Pose,
    steps: usize,
    control: &Control,
) -> Result<(Pose, f64)> {
    let (centre, gyration) = points.centre_and_gyration();
    let middle = apply(&start.rotation, &centre);
    let reach = gyration.max(1e-3);
    // The points turn about their centre, so that turning and shifting hardly disturb each other.
    let pose = |at: &[[f64; 3]]| {
        let turn = at[1].map(|length| length / reach);
        let rotation = times(&matrix(&exponential(&turn)), &start.rotation);
        let moved = apply(&rotation, &centre);
        let translation = std::array::from_fn(|i| start.translation[i] + middle[i] - moved[i] + at[0][i]);
        Pose { rotation, translation }
    };
    // The overlap is in the units of map and points; what is flat must not depend on them.
    let unit = match metric {
        Metric::Overlap => (field.largest * points.spread()).recip(),
        _ => 1.0,
    };
    let unit = if unit.is_finite() { unit } else { 1.0 };
    let energy = |at: &[[f64; 3]], slope: &mut [[f64; 3]]| {
        let Scored { score, force, torque } = score(field, points, metric, &pose(at), &centre);
        let turn = at[1].map(|length| length / reach);
        slope[0] = force.map(|value| -value * unit);
        slope[1] = through(&turn, &torque).map(|value| -value * unit / reach);
        -score * unit
    };
    let mut at = vec![[0.0; 3]; 2];
    let limits = Limits {
        steps,
        tolerance: FLAT,
        longest: LONGEST,
    };
    descend(&mut at, &limits, energy, control)?;
    let found = pose(&at);
    let score = score(field, points, metric, &found, &centre).score;
    Ok((found, score))
}

/// The gradient by a rotation vector from the torque: the transpose of the exponential map's left Jacobian.
fn through(turn: &[f64; 3], torque: &[f64; 3]) -> [f64; 3] {
    let angle = turn.iter().map(|x| x * x).sum::<f64>().sqrt();
    if angle < 1e-8 {
        return *torque;
    }
    let axis = turn.map(|x| x / angle);
    let (s, c) = (angle.sin() / angle, (1.0 - angle.cos()) / angle);
    let along: f64 = axis.iter().zip(torque).map(|(a, b)| a * b).sum();
    let crossed = cross(&axis, torque);
    std::array::from_fn(|i| s * torque[i] + (1.0 - s) * along * axis[i] - c * crossed[i])
}

pub(crate) fn cross(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(crate) fn apply(rotation: &Matrix, point: &[f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| (0..3).map(|k| rotation[i][k] * point[k]).sum())
}

pub(crate) fn times(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::frame::Frame;
    use ndarray::{Array3, ArrayView3};

    fn blobs(frame: &Frame, places: &[[f64; 3]]) -> Array3<f32> {
        let [nz, ny, nx] = frame.shape_zyx;
        Array3::from_shape_fn((nz, ny, nx), |(z, y, x)| {
            let here = frame.to_xyz([z, y, x].map(|n| n as f64));
            places.iter().map(|place| height(&here, place)).sum::<f64>() as f32
        })
    }

    fn height(at: &[f64; 3], place: &[f64; 3]) -> f64 {
        let square: f64 = at.iter().zip(place).map(|(a, b)| (a - b).powi(2)).sum();
        (-square / 18.0).exp()
    }

    fn field<'a>(maps: &'a [Array3<f32>], frame: Frame) -> Field<'a> {
        let views: Vec<ArrayView3<f32>> = maps.iter().map(|map| map.view()).collect();
        Field::new(views, frame, &Control::default()).unwrap()
    }

    const PLACES: [[f64; 3]; 4] = [[8.0, 0.0, 0.0], [-8.0, 3.0, 0.0], [0.0, -9.0, 4.0], [0.0, 5.0, -10.0]];

    #[test]
    fn a_model_that_was_moved_away_comes_back_by_every_metric() {
        let frame = Frame::new([36; 3], [1.2; 3], [-21.0; 3]).unwrap();
        let maps = [blobs(&frame, &PLACES)];
        let field = field(&maps, frame);
        for metric in [Metric::Overlap, Metric::Correlation, Metric::AboutMean] {
            // A lattice through it all: few points would match in many poses.
            let at = |i: usize| f64::from(u8::try_from(i).unwrap()) * 3.5 - 14.0;
            let xyz: Vec<[f64; 3]> = (0..729).map(|i| [at(i % 9), at(i / 9 % 9), at(i / 81)]).collect();
            let values: Vec<f64> = xyz
                .iter()
                .map(|p| {
                    PLACES
                        .iter()
                        .map(|q| (-(0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f64>() / 18.0).exp())
                        .sum()
                })
                .collect();
            let points = Points::new(&xyz, &values, None);
            let turn = matrix(&exponential(&[0.1, -0.15, 0.2]));
            let start = Pose {
                rotation: turn,
                translation: [1.5, -1.0, 0.7],
            };
            let (found, score) = refine_poses(&field, &points, metric, &[start], 200, &Control::default()).unwrap()[0];
            let shift = found.translation.iter().map(|x| x * x).sum::<f64>().sqrt();
            // The overlap draws points into the densest places, which is not quite where they came from.
            let near = if metric == Metric::Overlap { 1.5 } else { 0.2 };
            assert!(shift < near, "{metric:?} {shift} {score}");
            assert!(
                metric == Metric::Overlap
                    || (found.rotation[0][0] + found.rotation[1][1] + found.rotation[2][2] - 3.0).abs() < 1e-2
            );
        }
    }

    #[test]
    fn the_gradient_is_the_difference_quotient() {
        let frame = Frame::new([30; 3], [1.5; 3], [-21.0; 3]).unwrap();
        let maps: Vec<Array3<f32>> = (0..3).map(|i| blobs(&frame, &PLACES[i..i + 2])).collect();
        let xyz = [[1.0, 2.0, -3.0], [4.0, -2.0, 1.0], [-5.0, 0.5, 2.5], [0.0, -6.0, 3.0]];
        let one = [1.0, 2.0, 0.5, 1.5];
        let vectors = [0.3, 0.5, -0.1, 1.0, 0.0, 0.2, -0.4, 0.1, 0.9, 0.2, 0.2, -0.7];
        let weights = [1.0, 0.5, 2.0, 1.0];
        for metric in [Metric::Overlap, Metric::Correlation, Metric::AboutMean, Metric::Vectors] {
            let many = if metric == Metric::Vectors { 3 } else { 1 };
            let field = field(&maps[..many], frame);
            let values = if many == 3 { &vectors[..] } else { &one[..] };
            let points = Points::new(&xyz, values, Some(&weights));
            let (centre, reach) = points.centre_and_gyration();
            assert!(reach > 0.0);
            let at = |shift: [f64; 3], turn: [f64; 3]| {
                let base = matrix(&exponential(&[0.2, 0.1, -0.3]));
                let rotation = times(&matrix(&exponential(&turn)), &base);
                let (before, after) = (apply(&base, &centre), apply(&rotation, &centre));
                let translation = std::array::from_fn(|i| 0.4 + before[i] - after[i] + shift[i]);
                score(&field, &points, metric, &Pose { rotation, translation }, &centre)
            };
            let here = at([0.0; 3], [0.0; 3]);
            for axis in 0..3 {
                let step = |sign: f64| std::array::from_fn(|i| if i == axis { sign * 1e-5 } else { 0.0 });
                let shifted = (at(step(1.0), [0.0; 3]).score - at(step(-1.0), [0.0; 3]).score) / 2e-5;
                let turned = (at([0.0; 3], step(1.0)).score - at([0.0; 3], step(-1.0)).score) / 2e-5;
                assert!(
                    (shifted - here.force[axis]).abs() < 1e-5,
                    "{metric:?} {shifted} {:?}",
                    here.force
                );
                assert!(
                    (turned - here.torque[axis]).abs() < 1e-5,
                    "{metric:?} {turned} {:?}",
                    here.torque
                );
            }
        }
    }

    #[test]
    fn wrong_input_is_refused() {
        let frame = Frame::new([4; 3], [1.0; 3], [0.0; 3]).unwrap();
        let maps = [Array3::zeros((4, 4, 4))];
        let field = field(&maps, frame);
        let run = |xyz: &[[f64; 3]], values: &[f64], metric| {
            let start = Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation: [0.0; 3],
            };
            refine_poses(
                &field,
                &Points::new(xyz, values, None),
                metric,
                &[start],
                5,
                &Control::default(),
            )
        };
        assert!(run(&[[1.0; 3]], &[1.0], Metric::Overlap).is_ok());
        assert!(run(&[[1.0; 3]], &[], Metric::Overlap).is_err());
        assert!(run(&[[f64::NAN; 3]], &[1.0], Metric::Overlap).is_err());
        assert!(run(&[[1.0; 3]], &[1.0], Metric::Vectors).is_err());
        assert!(run(&[], &[], Metric::Overlap).is_err());
    }
}
