//! How well a model agrees with a reference: superposition, TM-score and GDT, lDDT, and which points correspond.

mod correspond;
mod lddt;
mod superpose;
mod tm;

pub use correspond::{Match, match_points};
pub use lddt::{Kept, Lddt, lddt};
pub use superpose::{Superposition, superpose};
pub use tm::{Similarity, tm_distance_scale, tm_score};

use crate::error::{Error, Result, same_length};

/// Farther from the origin than any model is, near enough for squares and sums to stay exact to many digits.
const FARTHEST: f64 = 1e9;

/// Refuse coordinates that are not finite or beyond 1e9 Å.
pub(crate) fn check_points(xyz: &[[f64; 3]]) -> Result<()> {
    for (i, point) in xyz.iter().enumerate() {
        if point.iter().any(|x| !x.is_finite()) {
            return Err(Error::PointNotFinite(i));
        }
        if let Some(&value) = point.iter().find(|x| x.abs() > FARTHEST) {
            let (name, rule) = ("a coordinate", "within 1e9 Å of the origin");
            return Err(Error::Parameter { name, rule, value });
        }
    }
    Ok(())
}

fn check_equal_length(left: usize, right: usize) -> Result<()> {
    same_length("the two sets of points differ in length", left, right)
}
