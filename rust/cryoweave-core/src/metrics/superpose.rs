//! The rigid motion that lays one set of points on another with the least squared distance.
use nalgebra::{Matrix3, Matrix4, Quaternion, SymmetricEigen, UnitQuaternion, Vector3};

use super::{check_equal_length, check_points};
use crate::error::{Error, Result, same_length};

/// `rotation * mobile + translation` lies on the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Superposition {
    /// Rows of a proper rotation.
    pub rotation: [[f64; 3]; 3],
    /// In Å.
    pub translation: [f64; 3],
    /// Root of the weighted mean squared distance after the motion, in Å.
    pub rmsd: f64,
}

/// Least-squares superposition of corresponding points; `weights` count the pairs, all alike if absent.
///
/// Points on a line or in one place leave the rotation open: then it is one of the best ones.
pub fn superpose(mobile: &[[f64; 3]], target: &[[f64; 3]], weights: Option<&[f64]>) -> Result<Superposition> {
    check_equal_length(mobile.len(), target.len())?;
    check_points(mobile)?;
    check_points(target)?;
    if mobile.is_empty() {
        return Err(Error::Empty("there are no points to superpose"));
    }
    let ones = vec![1.0; if weights.is_some() { 0 } else { mobile.len() }];
    let weights = weights.unwrap_or(&ones);
    let scale = check_weights(weights, mobile.len())?;
    let (mobile, target) = (vectors(mobile), vectors(target));
    let mut sums = Sums::about(mobile[0], target[0]);
    for ((a, b), w) in mobile.iter().zip(&target).zip(weights) {
        sums.add(*a, *b, w / scale);
    }
    let motion = sums.motion();
    let errors = mobile
        .iter()
        .zip(&target)
        .map(|(a, b)| (motion.apply(*a) - b).norm_squared());
    let squares: f64 = errors.zip(weights).map(|(error, w)| error * (w / scale)).sum();
    Ok(motion.report((squares / sums.weight).sqrt()))
}

/// The largest weight; weights are divided by it so that their sums neither overflow nor vanish.
fn check_weights(weights: &[f64], points: usize) -> Result<f64> {
    same_length("points and weights differ in length", points, weights.len())?;
    let (name, rule) = ("a weight", "finite and not negative");
    if let Some(&value) = weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
        return Err(Error::Parameter { name, rule, value });
    }
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest > 0.0 {
        Ok(largest)
    } else {
        Err(Error::Empty("all weights are zero"))
    }
}

pub(super) fn vectors(xyz: &[[f64; 3]]) -> Vec<Vector3<f64>> {
    xyz.iter().map(|&point| Vector3::from(point)).collect()
}

/// A rotation and a translation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    pub(super) rotation: Matrix3<f64>,
    pub(super) translation: Vector3<f64>,
}

impl Motion {
    pub(super) fn apply(&self, point: Vector3<f64>) -> Vector3<f64> {
        self.rotation * point + self.translation
    }

    fn report(&self, rmsd: f64) -> Superposition {
        Superposition {
            rotation: rows(self.rotation),
            translation: self.translation.into(),
            rmsd,
        }
    }
}

pub(super) fn rows(rotation: Matrix3<f64>) -> [[f64; 3]; 3] {
    rotation.transpose().into()
}

/// What a superposition has to know of the pairs, summed in one pass about two fixed points near the data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    about: (Vector3<f64>, Vector3<f64>),
    pub(super) weight: f64,
    mobile: Vector3<f64>,
    target: Vector3<f64>,
    products: Matrix3<f64>,
}

impl Sums {
    pub(super) fn about(mobile: Vector3<f64>, target: Vector3<f64>) -> Self {
        let zero = Vector3::zeros();
        Self {
            about: (mobile, target),
            weight: 0.0,
            mobile: zero,
            target: zero,
            products: Matrix3::zeros(),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, mobile: Vector3<f64>, target: Vector3<f64>, weight: f64) {
        let (a, b) = ((mobile - self.about.0) * weight, target - self.about.1);
        self.weight += weight;
        self.mobile += a;
        self.target += b * weight;
        self.products += a * b.transpose();
    }

    /// The best motion by the quaternion of the largest eigenvalue, which is a proper rotation for any points.
    ///
    /// Horn 1987, J. Opt. Soc. Am. A 4, 629.
    pub(super) fn motion(&self) -> Motion {
        let (mobile, target) = (self.mobile / self.weight, self.target / self.weight);
        let s = self.products / self.weight - mobile * target.transpose();
        let [[xx, yx, zx], [xy, yy, zy], [xz, yz, zz]]: [[f64; 3]; 3] = s.into();
        #[rustfmt::skip]
        let key = Matrix4::new(
            xx + yy + zz, yz - zy,      zx - xz,      xy - yx,
            yz - zy,      xx - yy - zz, xy + yx,      zx + xz,
            zx - xz,      xy + yx,      yy - xx - zz, yz + zy,
            xy - yx,      zx + xz,      yz + zy,      zz - xx - yy,
        );
        let rotation = quaternion(key).to_rotation_matrix().into_inner();
        let translation = self.about.1 + target - rotation * (self.about.0 + mobile);
        Motion { rotation, translation }
    }
}

/// The eigenvector of the largest eigenvalue; no turn at all if all are equal.
fn quaternion(key: Matrix4<f64>) -> UnitQuaternion<f64> {
    let size = key.amax();
    if size <= f64::MIN_POSITIVE {
        return UnitQuaternion::identity();
    }
    let Some(eigen) = SymmetricEigen::try_new(key / size, f64::EPSILON, 1000) else {
        return UnitQuaternion::identity();
    };
    let v = eigen.eigenvectors.column(eigen.eigenvalues.imax());
    UnitQuaternion::new_normalize(Quaternion::new(v[0], v[1], v[2], v[3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proper(found: &Superposition) -> bool {
        let r = Matrix3::from(found.rotation);
        (r.determinant() - 1.0).abs() < 1e-9 && (r * r.transpose() - Matrix3::identity()).amax() < 1e-9
    }

    #[test]
    fn few_or_degenerate_points_still_give_a_rotation() {
        let line: Vec<[f64; 3]> = (0..5).map(|i| [i as f64, 0.0, 0.0]).collect();
        let up: Vec<[f64; 3]> = (0..5).map(|i| [7.0, 0.0, i as f64]).collect();
        let down: Vec<[f64; 3]> = (0..5).map(|i| [-(i as f64), 0.0, 0.0]).collect();
        for (mobile, target, n) in [(&line, &up, 5), (&line, &up, 2), (&line, &up, 1), (&line, &down, 5)] {
            let found = superpose(&mobile[..n], &target[..n], None).unwrap();
            assert!(proper(&found) && found.rmsd < 1e-9, "{found:?}");
        }
        let found = superpose(&[[1.0; 3]; 4], &[[2.0; 3]; 4], None).unwrap();
        assert_eq!(found.translation, [1.0; 3]);
    }

    #[test]
    fn a_mirror_image_is_not_reached() {
        let hand = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let mirror = hand.map(|[x, y, z]| [x, y, -z]);
        let found = superpose(&hand, &mirror, None).unwrap();
        assert!(proper(&found) && found.rmsd > 0.1);
    }

    #[test]
    fn bad_input_is_refused() {
        let points = [[0.0; 3]; 2];
        assert!(matches!(
            superpose(&points, &points[..1], None),
            Err(Error::Length { .. })
        ));
        assert!(matches!(superpose(&[], &[], None), Err(Error::Empty(_))));
        assert!(matches!(
            superpose(&points, &points, Some(&[0.0, 0.0])),
            Err(Error::Empty(_))
        ));
        assert!(matches!(
            superpose(&points, &points, Some(&[1.0, -1.0])),
            Err(Error::Parameter { .. })
        ));
        assert_eq!(
            superpose(&points, &[[0.0; 3], [f64::NAN; 3]], None),
            Err(Error::PointNotFinite(1))
        );
        assert!(superpose(&points, &[[0.0; 3], [1e200; 3]], None).is_err());
    }
}
