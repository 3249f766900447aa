//! A sequence along a path that may be broken or wrong in places: residues may be left out too.
use ndarray::ArrayView2;

use super::{LARGEST, Step, Threading, check_cost, check_path, distance};
use crate::control::Control;
use crate::error::{Error, Result, same_length};

mod block;
mod row;
mod search;
mod trace;

use block::Offer;

/// Nodes just before one that are looked at first.
const NEAR: usize = 16;

/// What it costs to leave residues out, and how far apart their neighbours may then be.
#[derive(Clone, Copy, Debug)]
pub struct Gaps {
    /// Cost of the first residue left out between two placed ones.
    pub open: f64,
    /// Cost of each further one.
    pub extend: f64,
    /// Cost of each residue left out before the first placed one and behind the last.
    pub end: f64,
    /// Å that the chain can span for each residue that it goes forward.
    pub reach: f64,
    /// Å more that are tolerated.
    pub slack: f64,
}

/// Place residues on nodes, both in order, so that matches less costs sum to the most; both may be left out.
///
/// `scores` is (node, residue); `breaks` is true for a node that is not bonded to the nodes before it. Going from a
/// residue on node j to a later one on node k, with g residues left out between them, costs
/// - g = 0 within a stretch: `distance_weight * |d - ideal_distance|`, and k - j is at most `max_skip`;
/// - otherwise `distance_weight * max(0, d - reach * (g + 1) - slack)`, and for g > 0 `open + extend * (g - 1)` more;
///   within a stretch k - j is at most `max_skip * (g + 1)`, over a break it is free.
///
/// The best is exact up to the rounding of float32 sums; its score is summed again in float64.
pub fn thread_gapped(
    scores: ArrayView2<f32>,
    xyz: &[[f64; 3]],
    breaks: &[bool],
    step: Step,
    gaps: Gaps,
    control: &Control,
) -> Result<Threading> {
    step.check()?;
    gaps.check()?;
    check_path(scores, xyz)?;
    same_length("breaks and nodes differ in length", breaks.len(), xyz.len())?;
    let residues = scores.ncols();
    if residues == 0 {
        return Err(Error::Empty("there are no residues to thread"));
    }
    let path = Path {
        xyz,
        start: starts(breaks),
        step,
        gaps,
        residues,
    };
    control.expect(xyz.len() as u64);
    let table = search::fill(&path, scores, control)?;
    let nodes = trace::trace(&path, &table, scores, control)?;
    let score = path.score(scores, &nodes);
    Ok(Threading { nodes, score })
}

impl Gaps {
    fn check(&self) -> Result<()> {
        check_cost("residue_gap_open", self.open)?;
        check_cost("residue_gap_extend", self.extend)?;
        check_cost("end_gap", self.end)?;
        check_cost("slack", self.slack)?;
        if self.reach > 0.0 && self.reach <= LARGEST {
            return Ok(());
        }
        let (name, rule) = ("reach", "positive and at most 1e9");
        Err(Error::Parameter {
            name,
            rule,
            value: self.reach,
        })
    }

    fn cost(&self, left_out: usize) -> f64 {
        match left_out {
            0 => 0.0,
            g => self.open + self.extend * (g - 1) as f64,
        }
    }
}

/// The first node of each node's stretch.
fn starts(breaks: &[bool]) -> Vec<usize> {
    let begin = |start: &mut usize, (node, &broken): (usize, &bool)| {
        *start = if broken { node } else { *start };
        Some(*start)
    };
    breaks.iter().enumerate().scan(0, begin).collect()
}

struct Path<'a> {
    xyz: &'a [[f64; 3]],
    start: Vec<usize>,
    step: Step,
    gaps: Gaps,
    residues: usize,
}

/// Two nodes, as the way from one to the other sees them.
#[derive(Clone, Copy)]
struct Pair {
    distance: f64,
    broken: bool,
    /// Fewest residues between them that `max_skip` allows.
    fewest: usize,
}

impl Path<'_> {
    #[inline(always)]
    fn pair(&self, j: usize, k: usize) -> Pair {
        Pair {
            distance: distance(self.xyz[j], self.xyz[k]),
            broken: j < self.start[k],
            fewest: self.fewest(j, k),
        }
    }

    #[inline(always)]
    fn fewest(&self, j: usize, k: usize) -> usize {
        if j < self.start[k] || self.step.max_skip == 0 {
            0
        } else {
            (k - j).div_ceil(self.step.max_skip) - 1
        }
    }

    #[inline(always)]
    fn offer(&self, j: usize, k: usize) -> Offer {
        let pair = self.pair(j, k);
        let none = (pair.fewest == 0).then(|| self.cost(pair, 0));
        Offer::new(self, pair.distance, none, pair.fewest)
    }

    /// The first of the nodes before this one that are likely to lead to it.
    fn nearest(&self, k: usize) -> usize {
        let near = if self.step.max_skip == 0 {
            NEAR
        } else {
            self.step.max_skip.min(NEAR)
        };
        k.saturating_sub(near).max(self.start[k])
    }

    /// What the way to this node from the one before it costs at most.
    fn moved(&self, k: usize) -> f32 {
        let way = k
            .checked_sub(1)
            .map_or(0.0, |before| distance(self.xyz[before], self.xyz[k]));
        (self.step.distance_weight * way) as f32
    }

    /// What it costs to leave `left_out` residues, at least `pair.fewest`, between two nodes.
    #[inline(always)]
    fn cost(&self, pair: Pair, left_out: usize) -> f64 {
        if left_out == 0 && !pair.broken {
            return self.step.penalty(pair.distance);
        }
        self.gap_cost(pair.distance, left_out)
    }

    /// The same over a break, or for more than none.
    #[inline(always)]
    fn gap_cost(&self, distance: f64, left_out: usize) -> f64 {
        let excess = distance - self.gaps.slack - self.gaps.reach * (left_out + 1) as f64;
        self.gaps.cost(left_out) + self.step.distance_weight * excess.max(0.0)
    }

    /// Cost of a window of residues left out that is this much longer, less what their reach gains.
    #[inline(always)]
    fn widening(&self, length: usize) -> f32 {
        ((self.gaps.extend - self.step.distance_weight * self.gaps.reach) * length as f64) as f32
    }

    fn end_cost(&self, left_out: usize) -> f64 {
        self.gaps.end * left_out as f64
    }

    fn score(&self, scores: ArrayView2<f32>, nodes: &[i32]) -> f64 {
        let placed: Vec<(usize, usize)> = nodes
            .iter()
            .enumerate()
            .filter(|(_, k)| **k >= 0)
            .map(|(r, &k)| (r, k as usize))
            .collect();
        let (Some(&(first, _)), Some(&(last, _))) = (placed.first(), placed.last()) else {
            return -self.end_cost(self.residues);
        };
        let matched: f64 = placed.iter().map(|&(r, k)| f64::from(scores[[k, r]])).sum();
        let steps = placed.iter().zip(placed.iter().skip(1));
        let paid: f64 = steps
            .map(|(&(q, j), &(r, k))| self.cost(self.pair(j, k), r - q - 1))
            .sum();
        matched - paid - self.end_cost(first + self.residues - 1 - last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    const STEP: Step = Step {
        ideal_distance: 1.0,
        distance_weight: 1.0,
        max_skip: 0,
    };
    const GAPS: Gaps = Gaps {
        open: 1.0,
        extend: 0.5,
        end: 0.0,
        reach: 3.8,
        slack: 0.0,
    };

    fn line(n: usize) -> Vec<[f64; 3]> {
        (0..n).map(|i| [i as f64, 0.0, 0.0]).collect()
    }

    fn run(scores: &Array2<f32>, xyz: &[[f64; 3]], breaks: &[bool], step: Step) -> Threading {
        thread_gapped(scores.view(), xyz, breaks, step, GAPS, &Control::default()).unwrap()
    }

    #[test]
    fn a_residue_that_fits_nowhere_is_left_out() {
        let mut scores = Array2::from_elem((4, 5), -9.0);
        for (node, residue) in [(0, 0), (1, 1), (2, 3), (3, 4)] {
            scores[[node, residue]] = 3.0;
        }
        let got = run(&scores, &line(4), &[false; 4], STEP);
        assert_eq!((got.nodes, got.score), (vec![0, 1, -1, 2, 3], 11.0));
    }

    #[test]
    fn nothing_is_placed_where_nothing_fits() {
        let got = run(&Array2::from_elem((3, 2), -1.0), &line(3), &[false; 3], STEP);
        assert_eq!((got.nodes, got.score), (vec![-1, -1], 0.0));
        let got = run(&Array2::zeros((0, 2)), &[], &[], STEP);
        assert_eq!(got.nodes, vec![-1, -1]);
    }

    #[test]
    fn over_a_break_only_the_reach_counts() {
        let scores = Array2::from_elem((2, 2), 5.0);
        let xyz = [[0.0; 3], [3.5, 0.0, 0.0]];
        assert_eq!(run(&scores, &xyz, &[false, false], STEP).score, 7.5);
        assert_eq!(run(&scores, &xyz, &[false, true], STEP).score, 10.0);
    }

    #[test]
    fn bad_input_is_refused() {
        let control = Control::default();
        let scores = Array2::zeros((3, 2));
        let go = |breaks: &[bool], gaps| thread_gapped(scores.view(), &line(3), breaks, STEP, gaps, &control);
        assert!(matches!(go(&[false; 2], GAPS), Err(Error::Length { .. })));
        assert!(go(&[false; 3], Gaps { reach: 0.0, ..GAPS }).is_err());
        assert!(go(&[false; 3], Gaps { end: f64::NAN, ..GAPS }).is_err());
        control.cancel();
        assert_eq!(go(&[false; 3], GAPS), Err(Error::Cancelled));
    }
}
