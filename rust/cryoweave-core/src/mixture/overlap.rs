//! The integral of the product of two mixtures, and how it changes as one of them moves.
use nalgebra::{Matrix3, Vector3};

use super::{Mixture, Pose, inverse, log_height};

/// Pairs whose overlap is below `exp(-FAR)` of what it would be in one place count as none.
const FAR: f64 = 36.0;

/// Change for each Å along the axes, and for each radian about axes through the pose's translation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slope {
    /// By the shift.
    pub force: Vector3<f64>,
    /// By the turn.
    pub torque: Vector3<f64>,
}

impl Slope {
    pub(super) fn add(&mut self, other: &Self, times: f64) {
        self.force += times * other.force;
        self.torque += times * other.torque;
    }
}

/// `∫ f g`, in the product of the weights' units per Å³.
pub fn overlap(f: &Mixture, g: &Mixture) -> f64 {
    let mut sum = 0.0;
    for ((&v, x), s) in f.weight.iter().zip(&f.mean).zip(&f.covariance) {
        for ((&w, y), t) in g.weight.iter().zip(&g.mean).zip(&g.covariance) {
            let (precision, determinant) = inverse(&(s + t));
            let d = x - y;
            sum += v * w * (log_height(determinant) - 0.5 * d.dot(&(precision * d))).exp();
        }
    }
    sum
}

/// `∫ f g / √(∫ f² ∫ g²)`, from 0 to 1.
pub fn correlation(f: &Mixture, g: &Mixture) -> f64 {
    overlap(f, g) / (overlap(f, f) * overlap(g, g)).sqrt()
}

/// A mixture with what every pair needs.
pub(super) struct Ready {
    weight: Vec<f64>,
    mean: Vec<Vector3<f64>>,
    covariance: Vec<Matrix3<f64>>,
    /// At least the largest variance in any direction.
    widest: Vec<f64>,
}

impl Ready {
    pub(super) fn new(mixture: &Mixture) -> Self {
        // Gershgorin's bound costs little, but changes as a component turns; so the eigenvalues themselves.
        let widest = |s: &Matrix3<f64>| s.symmetric_eigenvalues().max();
        let height = (-1.5 * (2.0 * std::f64::consts::PI).ln()).exp();
        Self {
            weight: mixture.weight.iter().map(|w| w * height.sqrt()).collect(),
            mean: mixture.mean.clone(),
            covariance: mixture.covariance.clone(),
            widest: mixture.covariance.iter().map(widest).collect(),
        }
    }

    pub(super) fn moved(&self, pose: &Pose) -> Self {
        let turned = |s: &Matrix3<f64>| pose.rotation * s * pose.rotation.transpose();
        Self {
            weight: self.weight.clone(),
            mean: self.mean.iter().map(|x| pose.apply(x)).collect(),
            covariance: self.covariance.iter().map(turned).collect(),
            widest: self.widest.clone(),
        }
    }
}

/// The overlap with a mixture that was moved, and its slope by a further shift and a turn about `pivot`.
pub(super) fn slope_of(fixed: &Ready, moving: &Ready, pivot: &Vector3<f64>) -> (f64, Slope) {
    let (mut value, mut slope) = (0.0, Slope::default());
    for j in 0..moving.weight.len() {
        let (y, t, weight, wide) = (
            moving.mean[j],
            &moving.covariance[j],
            moving.weight[j],
            moving.widest[j],
        );
        let (mut force, mut own) = (Vector3::zeros(), Vector3::zeros());
        for i in 0..fixed.weight.len() {
            let d = fixed.mean[i] - y;
            if d.norm_squared() > 2.0 * FAR * (fixed.widest[i] + wide) {
                continue;
            }
            let (precision, determinant) = inverse(&(fixed.covariance[i] + t));
            let q = precision * d;
            let one = weight * fixed.weight[i] * (-0.5 * d.dot(&q)).exp() / determinant.sqrt();
            let a = t * precision;
            let twist = Vector3::new(a[(1, 2)] - a[(2, 1)], a[(2, 0)] - a[(0, 2)], a[(0, 1)] - a[(1, 0)]);
            value += one;
            force += one * q;
            own += one * ((t * q).cross(&q) - twist);
        }
        slope.force += force;
        slope.torque += (y - pivot).cross(&force) + own;
    }
    (value, slope)
}

/// The overlap of `fixed` with `moving` after `pose`, and its slope: by a further shift, and by a turn about axes through
/// the pose's translation (where the origin of `moving` went).
pub fn overlap_slope(fixed: &Mixture, moving: &Mixture, pose: &Pose) -> (f64, Slope) {
    let moved = Ready::new(moving).moved(pose);
    slope_of(&Ready::new(fixed), &moved, &pose.translation)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::pose::pulled;
    use super::super::start::{rotation, unit};
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    pub(in crate::mixture) fn random_mixture(n: usize, seed: u64) -> Mixture {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut out = Mixture::default();
        for _ in 0..n {
            let r = rotation(&mut random);
            let sides = Vector3::from_fn(|_, _| 1.0 + 5.0 * unit(&mut random));
            out.weight.push(0.5 + unit(&mut random));
            out.mean.push(Vector3::from_fn(|_, _| 10.0 * unit(&mut random)));
            out.covariance.push(r * Matrix3::from_diagonal(&sides) * r.transpose());
        }
        out
    }

    fn moved(g: &Mixture, pose: &Pose) -> Mixture {
        let turned = |s: &Matrix3<f64>| pose.rotation * s * pose.rotation.transpose();
        Mixture {
            weight: g.weight.clone(),
            mean: g.mean.iter().map(|x| pose.apply(x)).collect(),
            covariance: g.covariance.iter().map(turned).collect(),
        }
    }

    #[test]
    fn the_slope_is_that_of_small_moves_from_any_place() {
        let (f, g) = (random_mixture(6, 1), random_mixture(4, 2));
        let start = Pose {
            rotation: rotation(&mut ChaCha8Rng::seed_from_u64(3)),
            translation: Vector3::new(1.0, -2.0, 0.5),
        };
        let lever = 7.0;
        for by in [[[0.0; 3]; 2], [[0.3, 0.2, -0.1], [9.0, -4.0, 6.0]]] {
            let at = |by: &[[f64; 3]]| overlap(&f, &moved(&g, &start.moved(by, lever)));
            let (value, slope) = overlap_slope(&f, &g, &start.moved(&by, lever));
            assert!((value - at(&by)).abs() < 1e-12 * value);
            let slope = pulled(&slope, &by, lever);
            for (row, axis) in (0..6).map(|i| (i / 3, i % 3)) {
                let (mut more, mut less) = (by, by);
                more[row][axis] += 1e-4;
                less[row][axis] -= 1e-4;
                let expected = (at(&more) - at(&less)) / 2e-4;
                assert!((slope[row][axis] - expected).abs() < 1e-6 * value, "{row} {axis}");
            }
        }
    }

    #[test]
    fn less_background_is_an_inner_product_that_constant_density_has_no_part_in() {
        let (f, g) = (random_mixture(5, 4), random_mixture(3, 5));
        let product = |a: &Mixture, b: &Mixture| overlap(&a.less_background(4.0), b);
        assert!((product(&f, &g) - product(&g, &f)).abs() < 1e-12);
        assert!(product(&f, &g).powi(2) < product(&f, &f) * product(&g, &g));
        let mut flat = random_mixture(1, 1);
        flat.covariance[0] = Matrix3::identity() * 1e6;
        assert!(product(&flat, &g) < 1e-4 * overlap(&flat, &g));
        assert_eq!(f.less_background(0.0), f);
    }

    #[test]
    fn overlap_is_symmetric_and_one_with_itself() {
        let (f, g) = (random_mixture(5, 4), random_mixture(3, 5));
        assert!((overlap(&f, &g) - overlap(&g, &f)).abs() < 1e-15);
        assert!((correlation(&f, &f) - 1.0).abs() < 1e-12);
        assert!(correlation(&f, &g) < 1.0);
    }
}
