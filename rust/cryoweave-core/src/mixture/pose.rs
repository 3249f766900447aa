//! Rigid motions, and the six numbers that a descent moves.
use nalgebra::{Matrix3, Rotation3, Vector3};

use super::Slope;

/// A point `x` goes to `rotation x + translation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// A proper rotation.
    pub rotation: Matrix3<f64>,
    /// In Å.
    pub translation: Vector3<f64>,
}

impl Pose {
    /// The motion that moves nothing.
    pub fn identity() -> Self {
        Self {
            rotation: Matrix3::identity(),
            translation: Vector3::zeros(),
        }
    }

    /// From the rows of the rotation.
    pub fn new(rotation: &[f64; 9], translation: [f64; 3]) -> Self {
        Self {
            rotation: Matrix3::from_row_slice(rotation),
            translation: translation.into(),
        }
    }

    /// Rows of the rotation.
    pub fn rows(&self) -> [f64; 9] {
        std::array::from_fn(|at| self.rotation[(at / 3, at % 3)])
    }

    /// Where a point goes.
    pub fn apply(&self, x: &Vector3<f64>) -> Vector3<f64> {
        self.rotation * x + self.translation
    }

    /// First `other`, then this.
    pub fn after(&self, other: &Self) -> Self {
        Self {
            rotation: self.rotation * other.rotation,
            translation: self.rotation * other.translation + self.translation,
        }
    }

    /// Shifted and then turned about its own translation: two rows as a descent has them, `[shift Å, turn · lever Å]`.
    pub(super) fn moved(&self, by: &[[f64; 3]], lever: f64) -> Self {
        Self {
            rotation: Rotation3::new(turn(by, lever)).into_inner() * self.rotation,
            translation: self.translation + Vector3::from(by[0]),
        }
    }
}

fn turn(by: &[[f64; 3]], lever: f64) -> Vector3<f64> {
    Vector3::from(by[1]) / lever
}

/// The slope by the two rows of a move, from the slope by a further small shift and turn at its end.
pub(super) fn pulled(slope: &Slope, by: &[[f64; 3]], lever: f64) -> [[f64; 3]; 2] {
    let torque = left_jacobian(&turn(by, lever)).transpose() * slope.torque / lever;
    [slope.force.into(), torque.into()]
}

/// How a small change of a rotation vector turns what it has turned.
fn left_jacobian(turn: &Vector3<f64>) -> Matrix3<f64> {
    let square = turn.norm_squared();
    let angle = square.sqrt();
    let (first, second) = if angle < 1e-4 {
        (0.5 - square / 24.0, 1.0 / 6.0 - square / 120.0)
    } else {
        ((1.0 - angle.cos()) / square, (angle - angle.sin()) / (square * angle))
    };
    let cross = turn.cross_matrix();
    Matrix3::identity() + first * cross + second * cross * cross
}
