//! Alignment by dynamic programming: two sequences against each other, and a sequence along a path or bonds in space.

mod gapped;
mod pairwise;
mod stretch;
mod thread;

pub use gapped::{Gaps, thread_gapped};
pub use pairwise::{Alignment, Gap, Mode, align_matrix};
pub use stretch::{Ground, Rules, Stretch, Ways, best_stretches};
pub use thread::{thread_path, thread_paths};

use ndarray::ArrayView2;

use crate::error::{Error, Result, same_length};
use crate::metrics::check_points;

/// What it costs to go from one residue's node to the next residue's.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Distance of consecutive residues in Å.
    pub ideal_distance: f64,
    /// Cost for each Å by which their nodes' distance differs from it.
    pub distance_weight: f64,
    /// Nodes that one step may go forward (0: any number).
    pub max_skip: usize,
}

impl Step {
    fn check(&self) -> Result<()> {
        check_cost("ideal_distance", self.ideal_distance)?;
        check_cost("distance_weight", self.distance_weight)
    }

    fn penalty(&self, distance: f64) -> f64 {
        self.distance_weight * (distance - self.ideal_distance).abs()
    }
}

/// Residues placed on nodes, and the score of that.
#[derive(Clone, Debug, PartialEq)]
pub struct Threading {
    /// Each residue's node, or -1.
    pub nodes: Vec<i32>,
    /// Sum of the matches less the costs.
    pub score: f64,
}

/// What both ways to thread ask of their input.
fn check_path(scores: ArrayView2<f32>, xyz: &[[f64; 3]]) -> Result<()> {
    same_length("the matrix needs one row a node", scores.nrows(), xyz.len())?;
    check_points(xyz)?;
    check_scores("match", scores)
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let [x, y, z] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    (x * x + y * y + z * z).sqrt()
}

/// Scores, costs and coordinates beyond this would lose their small digits in the sums.
const LARGEST: f64 = 1e9;

fn check_cost(name: &'static str, value: f64) -> Result<()> {
    if (0.0..=LARGEST).contains(&value) {
        return Ok(());
    }
    let rule = "a number from 0 to 1e9";
    Err(Error::Parameter { name, rule, value })
}

fn check_scores<T: Copy + Into<f64>>(name: &'static str, scores: ArrayView2<T>) -> Result<()> {
    for ((row, column), &score) in scores.indexed_iter() {
        let value: f64 = score.into();
        if !value.is_finite() {
            return Err(Error::CellNotFinite { row, column });
        }
        if value.abs() > LARGEST {
            let rule = "a matrix of numbers from -1e9 to 1e9";
            return Err(Error::Parameter { name, rule, value });
        }
    }
    Ok(())
}
