//! Random numbers and places to start from.
use nalgebra::{Matrix3, Quaternion, SymmetricEigen, UnitQuaternion, Vector3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::{Mixture, Pose};

/// A number from 0 to below 1, the same on every machine.
pub(super) fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The index that a number from 0 to 1 falls on, if each has a share by its weight.
pub(super) fn choose(weight: &[f64], at: f64) -> usize {
    let mut left = at * weight.iter().sum::<f64>();
    for (index, w) in weight.iter().enumerate() {
        left -= w;
        if left < 0.0 {
            return index;
        }
    }
    weight.iter().rposition(|&w| w > 0.0).unwrap_or(0)
}

/// Uniform over all rotations (Shoemake 1992).
pub(super) fn rotation(random: &mut ChaCha8Rng) -> Matrix3<f64> {
    let (a, b, c) = (unit(random), unit(random), unit(random));
    let (b, c) = (b * std::f64::consts::TAU, c * std::f64::consts::TAU);
    let (low, high) = ((1.0 - a).sqrt(), a.sqrt());
    let q = Quaternion::new(high * c.cos(), low * b.sin(), low * b.cos(), high * c.sin());
    UnitQuaternion::from_quaternion(q).to_rotation_matrix().into_inner()
}

/// A place by the density: a component by its weight, a point by its Gaussian.
pub(super) fn place(mixture: &Mixture, random: &mut ChaCha8Rng) -> Vector3<f64> {
    let at = choose(&mixture.weight, unit(random));
    let half = mixture.covariance[at]
        .cholesky()
        .map_or(Matrix3::zeros(), |half| half.l());
    let normal = Vector3::from_fn(|_, _| {
        let (a, b) = (1.0 - unit(random), unit(random));
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    });
    mixture.mean[at] + half * normal
}

/// The four proper rotations that lay the principal axes of one mixture on those of another, centre on centre.
pub(super) fn principal(fixed: &Mixture, moving: &Mixture) -> [Pose; 4] {
    let (to, from) = (axes(&fixed.spread()), axes(&moving.spread()));
    let (centre, other) = (fixed.centre(), moving.centre());
    [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]].map(|signs| {
        let rotation = to * Matrix3::from_diagonal(&Vector3::from(signs)) * from.transpose();
        let translation = centre - rotation * other;
        Pose { rotation, translation }
    })
}

/// Right-handed axes by falling variance, as columns.
pub(super) fn axes(spread: &Matrix3<f64>) -> Matrix3<f64> {
    let eigen = SymmetricEigen::new(*spread);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let [a, b] = [order[0], order[1]].map(|at| eigen.eigenvectors.column(at).into_owned());
    Matrix3::from_columns(&[a, b, a.cross(&b)])
}
