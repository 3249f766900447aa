//! A whole sequence along a path: every residue gets a node, nodes may be passed over.
use ndarray::{ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

use super::{Step, Threading, check_path, distance};
use crate::control::Control;
use crate::error::{Error, Result};

/// Give every residue a node, in the path's order, so that the matches less the steps' penalties sum to the most.
///
/// `scores` is (node, residue). Consecutive residues on nodes j < k pay
/// `distance_weight * |distance(j, k) - ideal_distance|`. The best path is exact up to the rounding of float32 sums; its
/// score is summed again in float64. Of equal steps the shorter is taken.
pub fn thread_path(scores: ArrayView2<f32>, xyz: &[[f64; 3]], step: Step, control: &Control) -> Result<Threading> {
    let mut threadings = thread_paths(scores.insert_axis(Axis(0)), xyz, step, control)?;
    threadings.pop().ok_or(Error::Empty("there is no matrix to thread"))
}

/// As [`thread_path`] for a stack of matrices (matrix, node, residue) that share one path, side by side.
pub fn thread_paths(stack: ArrayView3<f32>, xyz: &[[f64; 3]], step: Step, control: &Control) -> Result<Vec<Threading>> {
    let (matrices, nodes, residues) = stack.dim();
    step.check()?;
    if residues == 0 {
        return Err(Error::Empty("there are no residues to thread"));
    }
    if nodes < residues {
        return Err(Error::Empty("the path has fewer nodes than the sequence has residues"));
    }
    control.expect((matrices * nodes) as u64);
    let one = |matrix: usize| {
        let scores = stack.index_axis(Axis(0), matrix);
        check_path(scores, xyz)?;
        thread_one(scores, xyz, step, control)
    };
    (0..matrices).into_par_iter().map(one).collect()
}

fn thread_one(scores: ArrayView2<f32>, xyz: &[[f64; 3]], step: Step, control: &Control) -> Result<Threading> {
    let mut band = Band::new(scores.dim(), step.max_skip);
    let mut row = vec![0.0; scores.ncols()];
    let mut penalties = Penalties {
        xyz,
        step,
        to: 0,
        from: 0,
        values: vec![0.0; xyz.len()],
    };
    for (node, scores) in scores.axis_iter(Axis(0)).enumerate() {
        control.step()?;
        row.iter_mut().zip(&scores).for_each(|(to, from)| *to = *from);
        penalties.start(node);
        band.fill_node(node, &row, &mut penalties);
    }
    let nodes = band.trace(&mut penalties);
    let matched: f64 = nodes.iter().enumerate().map(|(r, &k)| f64::from(scores[[k, r]])).sum();
    let paid: f64 = nodes
        .windows(2)
        .map(|jk| step.penalty(distance(xyz[jk[0]], xyz[jk[1]])))
        .sum();
    Ok(Threading {
        nodes: nodes.iter().map(|&k| k as i32).collect(),
        score: matched - paid,
    })
}

/// Penalties of the steps that end on one node, worked out from the nearest node backwards as far as asked for.
struct Penalties<'a> {
    xyz: &'a [[f64; 3]],
    step: Step,
    to: usize,
    from: usize,
    values: Vec<f32>,
}

impl Penalties<'_> {
    fn start(&mut self, node: usize) {
        (self.to, self.from) = (node, node);
    }

    /// Penalties of the steps from nodes `first..last`, where `last` is at most the node they lead to.
    fn between(&mut self, first: usize, last: usize) -> &[f32] {
        if first < self.from {
            let (end, step) = (self.xyz[self.to], self.step);
            let wanted = first..self.from;
            for (value, &start) in self.values[wanted.clone()].iter_mut().zip(&self.xyz[wanted]) {
                *value = step.penalty(distance(start, end)) as f32;
            }
            self.from = first;
        }
        &self.values[first..last]
    }
}

/// Cells that are compared in one go; their best score is kept so that a block that cannot win is not looked at.
const BLOCK: usize = 32;

/// Best score of each residue at each node that leaves room for the residues before and behind.
///
/// Residue r may be on nodes r..r + width, so its row starts at node r, and any two cells of neighbouring rows are in
/// reach of each other from left to right.
struct Band {
    residues: usize,
    width: usize,
    stride: usize,
    max_skip: usize,
    best: Vec<f32>,
    /// The best of a row up to the end of each block.
    so_far: Vec<f32>,
    blocks: usize,
}

impl Band {
    fn new((nodes, residues): (usize, usize), max_skip: usize) -> Self {
        let width = nodes - residues + 1;
        // Cells of one node lie stride - 1 apart: keep that off the powers of two that crowd a cache set.
        let stride = width.next_multiple_of(32) + 17;
        let blocks = width.div_ceil(BLOCK);
        let best = vec![0.0; stride * residues];
        let so_far = vec![f32::NEG_INFINITY; blocks * residues];
        Self {
            residues,
            width,
            stride,
            max_skip,
            best,
            so_far,
            blocks,
        }
    }

    fn fill_node(&mut self, node: usize, scores: &[f32], penalties: &mut Penalties) {
        let first = (node + 1).saturating_sub(self.width);
        let last = (node + 1).min(self.residues);
        for (r, score) in (first..last).zip(&scores[first..last]) {
            let c = node - r;
            let before = if r == 0 { 0.0 } else { self.best_before(r, c, penalties) };
            let value = before + score;
            self.best[r * self.stride + c] = value;
            let block = r * self.blocks + c / BLOCK;
            let earlier = if c % BLOCK == 0 && c > 0 {
                self.so_far[block - 1]
            } else {
                self.so_far[block]
            };
            self.so_far[block] = if value > earlier { value } else { earlier };
        }
    }

    fn first_before(&self, c: usize) -> usize {
        if self.max_skip == 0 {
            0
        } else {
            (c + 1).saturating_sub(self.max_skip)
        }
    }

    /// The best of the previous residue's cells after the step; nearest first, until no farther block can be better.
    fn best_before(&self, r: usize, c: usize, penalties: &mut Penalties) -> f32 {
        let row = &self.best[(r - 1) * self.stride..][..=c];
        let so_far = &self.so_far[(r - 1) * self.blocks..][..self.blocks];
        let first = self.first_before(c);
        let mut end = c + 1;
        let mut best = f32::NEG_INFINITY;
        loop {
            let start = ((end - 1) / BLOCK * BLOCK).max(first);
            let steps = penalties.between(start + r - 1, end + r - 1);
            let here = highest_difference(&row[start..end], steps);
            best = if here > best { here } else { best };
            if start == first || so_far[start / BLOCK - 1] <= best {
                return best;
            }
            end = start;
        }
    }

    fn trace(&self, penalties: &mut Penalties) -> Vec<usize> {
        let mut nodes = vec![0; self.residues];
        let last = &self.best[(self.residues - 1) * self.stride..][..self.width];
        let mut c = nearest_best(last.iter().copied());
        for r in (0..self.residues).rev() {
            nodes[r] = r + c;
            if r > 0 {
                penalties.start(r + c);
                let first = self.first_before(c);
                let row = &self.best[(r - 1) * self.stride..][first..=c];
                let steps = penalties.between(first + r - 1, c + r);
                c = first + nearest_best(row.iter().zip(steps).map(|(a, b)| a - b));
            }
        }
        nodes
    }
}

/// Where the highest value is; of equal ones the last.
fn nearest_best(values: impl Iterator<Item = f32>) -> usize {
    let mut best = (f32::NEG_INFINITY, 0);
    for (i, value) in values.enumerate() {
        if value >= best.0 {
            best = (value, i);
        }
    }
    best.1
}

/// max(a - b), in lanes so that it becomes vector instructions; both slices are equally long.
fn highest_difference(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            let value = a - b;
            *lane = if value > *lane { value } else { *lane };
        }
    }
    let best = |best: f32, value: f32| if value > best { value } else { best };
    let tail = rest.map(|(a, b)| a - b).fold(f32::NEG_INFINITY, best);
    lanes.into_iter().fold(tail, best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    const STEP: Step = Step {
        ideal_distance: 3.0,
        distance_weight: 1.0,
        max_skip: 0,
    };

    fn line(n: usize) -> Vec<[f64; 3]> {
        (0..n).map(|i| [i as f64, 0.0, 0.0]).collect()
    }

    #[test]
    fn equal_matches_leave_the_spacing_to_the_distance() {
        let scores = Array2::zeros((200, 60));
        let got = thread_path(scores.view(), &line(200), STEP, &Control::default()).unwrap();
        assert_eq!(got.score, 0.0);
        assert!(got.nodes.windows(2).all(|jk| jk[1] - jk[0] == 3));
    }

    #[test]
    fn a_step_goes_no_farther_than_max_skip() {
        let scores = Array2::zeros((9, 3));
        let step = Step { max_skip: 2, ..STEP };
        let got = thread_path(scores.view(), &line(9), step, &Control::default()).unwrap();
        assert!(got.nodes.windows(2).all(|jk| jk[1] - jk[0] == 2));
        assert_eq!(got.score, -2.0);
    }

    #[test]
    fn what_cannot_be_threaded_is_refused() {
        let control = Control::default();
        let run = |nodes, residues, points| {
            thread_path(Array2::zeros((nodes, residues)).view(), &line(points), STEP, &control)
        };
        assert!(matches!(run(3, 4, 3), Err(Error::Empty(_))));
        assert!(matches!(run(3, 0, 3), Err(Error::Empty(_))));
        assert!(matches!(run(3, 2, 4), Err(Error::Length { .. })));
        assert_eq!(run(1, 1, 1).unwrap().nodes, vec![0]);
        let none = thread_paths(Array3::zeros((0, 3, 2)).view(), &line(3), STEP, &control);
        assert_eq!(none, Ok(vec![]));
        let mut far = line(3);
        far[2][1] = f64::INFINITY;
        let refused = thread_path(Array2::zeros((3, 2)).view(), &far, STEP, &control);
        assert_eq!(refused, Err(Error::PointNotFinite(2)));
        control.cancel();
        assert_eq!(run(3, 2, 3), Err(Error::Cancelled));
    }
}
