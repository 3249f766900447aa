//! Which of many poses are different places.
use super::{Pose, apply, check_poses, times};
use crate::error::{Error, Result};
use crate::rotations::Matrix;

/// When two poses are one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Near {
    /// Root mean square distance (Å) of points with this mean and these second moments about it.
    Rmsd {
        /// Mean of the points.
        centre: [f64; 3],
        /// `Σ p pᵀ / n` of the points `p` about their mean, Å².
        moments: Matrix,
        /// The largest distance of one place.
        limit: f64,
    },
    /// Both angle (degrees) and distance of the centres (Å) at most these.
    AngleAndShift {
        /// Mean of the points.
        centre: [f64; 3],
        /// In degrees.
        angle: f64,
        /// In Å.
        shift: f64,
    },
}

/// The first pose of every place, in the order given, and the place of every pose; at most `most` places.
///
/// Poses of no place, since there are enough without it, have the place `usize::MAX`.
pub fn distinct(poses: &[Pose], near: &Near, most: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    check_poses(poses)?;
    check_near(near)?;
    let mut firsts: Vec<usize> = Vec::new();
    let mut place = Vec::with_capacity(poses.len());
    for (at, pose) in poses.iter().enumerate() {
        let known = firsts.iter().position(|&first| same(&poses[first], pose, near));
        place.push(match known {
            Some(known) => known,
            None if firsts.len() < most => {
                firsts.push(at);
                firsts.len() - 1
            }
            None => usize::MAX,
        });
    }
    Ok((firsts, place))
}

fn check_near(near: &Near) -> Result<()> {
    let (centre, limits) = match near {
        Near::Rmsd { centre, limit, .. } => (centre, [("rmsd", *limit), ("rmsd", *limit)]),
        Near::AngleAndShift { centre, angle, shift } => (centre, [("angle", *angle), ("shift", *shift)]),
    };
    if !centre.iter().all(|value| value.is_finite()) {
        return Err(Error::Empty("the points hold a coordinate that is not finite"));
    }
    match limits.into_iter().find(|(_, value)| value.is_nan() || *value < 0.0) {
        Some((name, value)) => Err(Error::Parameter {
            name,
            rule: "0 or more",
            value,
        }),
        None => Ok(()),
    }
}

fn same(a: &Pose, b: &Pose, near: &Near) -> bool {
    let between = |centre: &[f64; 3]| {
        let (p, q) = (apply(&a.rotation, centre), apply(&b.rotation, centre));
        let away = |i: usize| (p[i] + a.translation[i] - q[i] - b.translation[i]).powi(2);
        (0..3).map(away).sum::<f64>()
    };
    match near {
        Near::Rmsd { centre, moments, limit } => {
            let shift = between(centre);
            if shift > limit * limit {
                return false;
            }
            let trace = |m: &Matrix| m[0][0] + m[1][1] + m[2][2];
            let crossed = times(&times(&a.rotation, moments), &transposed(&b.rotation));
            shift + 2.0 * (trace(moments) - trace(&crossed)) <= limit * limit
        }
        Near::AngleAndShift { centre, angle, shift } => {
            let relative = times(&a.rotation, &transposed(&b.rotation));
            let cosine = (relative[0][0] + relative[1][1] + relative[2][2] - 1.0) / 2.0;
            between(centre) <= shift * shift && cosine.clamp(-1.0, 1.0).acos() <= angle.to_radians()
        }
    }
}

fn transposed(m: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotations::{matrix, random_rotations};

    const POINTS: [[f64; 3]; 4] = [[1.0, 2.0, 3.0], [-4.0, 0.5, 0.0], [2.0, -6.0, 1.0], [7.0, 1.0, -2.0]];

    fn moments() -> ([f64; 3], Matrix) {
        let n = POINTS.len() as f64;
        let centre: [f64; 3] = std::array::from_fn(|i| POINTS.iter().map(|p| p[i]).sum::<f64>() / n);
        let entry = |i: usize, j: usize| {
            POINTS
                .iter()
                .map(|p| (p[i] - centre[i]) * (p[j] - centre[j]))
                .sum::<f64>()
                / n
        };
        (centre, std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))))
    }

    #[test]
    fn moments_give_the_distance_of_the_points() {
        let (centre, moments) = moments();
        let turns = random_rotations(6, 4);
        for pair in turns.windows(2) {
            let [a, b] = [0, 1].map(|i| Pose {
                rotation: matrix(&pair[i]),
                translation: [i as f64, 2.0 * i as f64, -1.0],
            });
            let place = |pose: &Pose, p: &[f64; 3]| -> [f64; 3] {
                let turned = apply(&pose.rotation, p);
                std::array::from_fn(|i| turned[i] + pose.translation[i])
            };
            let square = |p: &[f64; 3]| {
                let (x, y) = (place(&a, p), place(&b, p));
                (0..3).map(|i| (x[i] - y[i]).powi(2)).sum::<f64>()
            };
            let rmsd = (POINTS.iter().map(square).sum::<f64>() / POINTS.len() as f64).sqrt();
            let near = |limit| Near::Rmsd { centre, moments, limit };
            assert!(same(&a, &b, &near(rmsd + 1e-9)) && !same(&a, &b, &near(rmsd - 1e-6)));
        }
    }

    #[test]
    fn the_first_of_a_place_stays_and_there_are_no_more_than_asked_for() {
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let at = |x: f64| Pose {
            rotation: identity,
            translation: [x, 0.0, 0.0],
        };
        let poses = [at(0.0), at(1.0), at(10.0), at(9.0), at(30.0)];
        let near = Near::AngleAndShift {
            centre: [0.0; 3],
            angle: 6.0,
            shift: 3.0,
        };
        assert_eq!(
            distinct(&poses, &near, 9).unwrap(),
            (vec![0, 2, 4], vec![0, 0, 1, 1, 2])
        );
        assert_eq!(
            distinct(&poses, &near, 2).unwrap(),
            (vec![0, 2], vec![0, 0, 1, 1, usize::MAX])
        );
        assert_eq!(distinct(&[], &near, 2).unwrap(), (vec![], vec![]));
    }
}
