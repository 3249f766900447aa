//! Where a residue may lie, and what it brings there.
use ndarray::ArrayView1;

use super::Ground;
use crate::align::distance;

/// For each residue the nearest placed ones before and after it, and how far the chain reaches from them.
pub(super) struct Anchors<'a> {
    chain: &'a [[f64; 3]],
    placed: Vec<usize>,
    step: f64,
    slack: f64,
}

/// `None`: nothing may lie there any more.
pub(super) type Near = Option<Vec<([f64; 3], f64)>>;

impl<'a> Anchors<'a> {
    pub(super) fn of(chain: &'a [[f64; 3]], step: f64, slack: f64) -> Self {
        let known = |residue: &usize| chain[*residue].iter().all(|c| c.is_finite());
        let placed = (0..chain.len()).filter(known).collect();
        Self {
            chain,
            placed,
            step,
            slack,
        }
    }

    pub(super) fn near(&self, residue: usize) -> Near {
        let behind = self.placed.partition_point(|&one| one < residue);
        if self.placed.get(behind) == Some(&residue) {
            return None;
        }
        let both = [behind.checked_sub(1), Some(behind)];
        let anchors = both.into_iter().flatten().filter_map(|at| self.placed.get(at));
        Some(
            anchors
                .map(|&at| {
                    let far = self.step * at.abs_diff(residue) as f64 + self.slack;
                    (self.chain[at], far)
                })
                .collect(),
        )
    }
}

/// The scores of one residue, where it may lie.
pub(super) struct Open<'a> {
    pub(super) scores: ArrayView1<'a, f32>,
    pub(super) threshold: f32,
    pub(super) ground: &'a Ground<'a>,
    pub(super) near: Near,
}

impl Open<'_> {
    /// With what the way there brings, if that is above 0 and the residue may lie there.
    pub(super) fn gains(&self, point: usize, way: f32) -> Option<f32> {
        let sum = way + (self.scores[point] - self.threshold);
        let free = sum > 0.0 && !self.ground.used[point];
        if !free {
            return None;
        }
        let at = self.ground.xyz[point];
        let reached = |near: &Vec<([f64; 3], f64)>| near.iter().all(|&(from, far)| distance(at, from) <= far);
        self.near.as_ref().is_some_and(reached).then_some(sum)
    }
}
