//! Clouds of points with directions: descriptors of their surroundings, correspondences, and motions between clouds.

mod agreement;
mod clique;
mod descriptor;
mod field;
mod icp;
mod matching;
mod register;
mod rotation;
mod triples;

pub use agreement::{Agreement, agreement};
pub use clique::{Clique, Graph, largest_clique};
pub use descriptor::{LENGTH, descriptors};
pub use field::{Directed, VectorGrid, field_ascent, field_scores};
pub use icp::{Fit, robust_icp};
pub use matching::{Matches, match_descriptors};
pub use register::{Registration, Rules, register};
pub use triples::{TripleRules, triple_motions};

use crate::error::{Error, Result};
use crate::vector::dot;

/// A point `x` goes to `rotation * x + translation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// Rows of a proper rotation.
    pub rotation: [[f64; 3]; 3],
    /// In Å.
    pub translation: [f64; 3],
}

impl Motion {
    /// Where a point goes.
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        let turned = self.turn(point);
        [0, 1, 2].map(|axis| turned[axis] + self.translation[axis])
    }

    /// Where a direction points.
    pub fn turn(&self, direction: [f64; 3]) -> [f64; 3] {
        self.rotation.map(|row| dot(row, direction))
    }

    fn check(&self) -> Result<()> {
        for value in self.rotation.iter().chain([&self.translation]).flatten() {
            if !value.is_finite() {
                return Err(Error::Parameter {
                    name: "a motion",
                    rule: "finite",
                    value: *value,
                });
            }
        }
        Ok(())
    }
}

fn positive(name: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Parameter {
        name,
        rule: "positive and finite",
        value,
    })
}

/// The middle value (of an even number the upper of the two); zero if there is none.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod scene {
    //! Clouds and motions for the tests.
    use super::Motion;
    use crate::vector::{dot, minus, norm};
    use nalgebra::{Rotation3, Vector3};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    pub fn motion(axis: [f64; 3], degrees: f64, translation: [f64; 3]) -> Motion {
        let turn = Rotation3::new(Vector3::from(axis).normalize() * degrees.to_radians());
        Motion {
            rotation: turn.matrix().transpose().into(),
            translation,
        }
    }

    /// The angle in degrees and the distance by which two motions differ (at the origin).
    pub fn apart(a: &Motion, b: &Motion) -> (f64, f64) {
        let trace: f64 = (0..3).map(|row| dot(a.rotation[row], b.rotation[row])).sum();
        let angle = ((trace - 1.0) * 0.5).clamp(-1.0, 1.0).acos().to_degrees();
        (angle, norm(minus(a.translation, b.translation)))
    }

    pub fn points(n: usize, side: f64, seed: u64) -> Vec<[f64; 3]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|_| std::array::from_fn(|_| rng.random_range(-0.5..0.5) * side))
            .collect()
    }

    pub fn directions(n: usize, seed: u64) -> Vec<[f64; 3]> {
        let unit = |v: [f64; 3]| v.map(|along| along / norm(v));
        points(n, 1.0, seed).into_iter().map(unit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{minus, norm};

    #[test]
    fn a_motion_turns_and_then_shifts() {
        let quarter = scene::motion([0.0, 0.0, 1.0], 90.0, [1.0, 2.0, 3.0]);
        let moved = quarter.apply([1.0, 0.0, 0.0]);
        assert!(norm(minus(moved, [1.0, 3.0, 3.0])) < 1e-12);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
