//! A sequence along a path that may be broken or wrong in places: residues may be left out too.
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::{LARGEST, Step, Threading, check_cost, check_path, distance};
use crate::control::Control;
use crate::error::{Error, Result};

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
    let (left, right) = (breaks.len(), xyz.len());
    if left != right {
        let what = "breaks and nodes differ in length";
        return Err(Error::Length { what, left, right });
    }
    let residues = scores.ncols();
    if residues == 0 {
        return Err(Error::Empty("there are no residues to thread"));
    }
    let path = Path {
        xyz,
        stretch: stretches(breaks),
        step,
        gaps,
        residues,
    };
    let mut cells = path.starts();
    control.expect(xyz.len() as u64);
    for (node, scores) in scores.axis_iter(Axis(0)).enumerate() {
        control.step()?;
        let (done, ahead) = cells.split_at_mut((node + 1) * residues);
        let here = &mut done[node * residues..];
        here.iter_mut().zip(&scores).for_each(|(cell, score)| *cell += score);
        path.push(node, here, ahead, control)?;
    }
    let nodes = path.trace(&cells, control)?;
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

fn stretches(breaks: &[bool]) -> Vec<usize> {
    let count = |total: &mut usize, &broken: &bool| {
        *total += usize::from(broken);
        Some(*total)
    };
    breaks.iter().scan(0, count).collect()
}

struct Path<'a> {
    xyz: &'a [[f64; 3]],
    /// Number of breaks up to each node.
    stretch: Vec<usize>,
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
    fn pair(&self, j: usize, k: usize) -> Pair {
        let broken = self.stretch[j] != self.stretch[k];
        let limited = !broken && self.step.max_skip > 0;
        let fewest = if limited {
            (k - j).div_ceil(self.step.max_skip) - 1
        } else {
            0
        };
        Pair {
            distance: distance(self.xyz[j], self.xyz[k]),
            broken,
            fewest,
        }
    }

    /// Å by which a pair is farther apart than `left_out` residues between them can span.
    fn excess(&self, pair: Pair, left_out: usize) -> f64 {
        pair.distance - self.gaps.slack - self.gaps.reach * (left_out + 1) as f64
    }

    /// What it costs to leave `left_out` residues, at least `pair.fewest`, between two nodes.
    fn cost(&self, pair: Pair, left_out: usize) -> f64 {
        if left_out == 0 && !pair.broken {
            return self.step.penalty(pair.distance);
        }
        self.gaps.cost(left_out) + self.step.distance_weight * self.excess(pair, left_out).max(0.0)
    }

    fn end_cost(&self, left_out: usize) -> f64 {
        self.gaps.end * left_out as f64
    }

    /// Every cell as the first to be placed, still without its match.
    fn starts(&self) -> Vec<f32> {
        let row: Vec<f32> = (0..self.residues).map(|r| -self.end_cost(r) as f32).collect();
        row.repeat(self.xyz.len())
    }

    /// Offer the finished cells of a node to all nodes ahead.
    fn push(&self, node: usize, here: &[f32], ahead: &mut [f32], control: &Control) -> Result<()> {
        let runs = Runs::new(here, self.gaps.extend, self.step.distance_weight * self.gaps.reach);
        // Small enough to share out, large enough that sharing costs little.
        let nodes_a_task = (1 << 16) / self.residues + 1;
        ahead
            .par_chunks_mut(nodes_a_task * self.residues)
            .enumerate()
            .try_for_each(|(task, rows)| {
                control.check()?;
                for (i, row) in rows.chunks_exact_mut(self.residues).enumerate() {
                    let next = node + 1 + task * nodes_a_task + i;
                    self.offer(&runs, self.pair(node, next), here, row);
                }
                Ok(())
            })
    }

    /// Improve the cells of one later node by those of this one.
    ///
    /// Seen from the earlier node, costs are linear in the number of residues left out as long as the nodes are out of
    /// reach, and again from where they are in reach: each part is one look into running maxima.
    fn offer(&self, runs: &Runs, pair: Pair, here: &[f32], row: &mut [f32]) {
        let cost = |left_out| self.cost(pair, left_out) as f32;
        if pair.fewest == 0 {
            raise(row, 0, here, cost(0));
        }
        let most = self.residues.saturating_sub(2);
        let fewest = pair.fewest.max(1);
        // As a float until it is known to be small: two far points may need more residues than an index can count.
        let needed = ((pair.distance - self.gaps.slack) / self.gaps.reach).ceil() - 1.0;
        let in_reach = if needed > most as f64 {
            most + 1
        } else {
            fewest.max(needed.max(0.0) as usize)
        };
        if in_reach <= most {
            raise(row, in_reach, &runs.onwards, cost(in_reach));
        }
        let last = in_reach.min(most + 1);
        if fewest < last {
            let level = (last - fewest).ilog2() as usize;
            let latest = last - (1 << level);
            raise(row, fewest, &runs.out_of_reach[level], cost(fewest));
            raise(row, latest, &runs.out_of_reach[level], cost(latest));
        }
    }

    /// From the best end backwards: each step is the best one by its cost in full, so that rounding cannot mislead.
    fn trace(&self, cells: &[f32], control: &Control) -> Result<Vec<i32>> {
        let mut nodes = vec![-1; self.residues];
        let mut best = -self.end_cost(self.residues);
        let mut at = None;
        for (k, row) in cells.chunks_exact(self.residues).enumerate() {
            for (r, &cell) in row.iter().enumerate() {
                let value = f64::from(cell) - self.end_cost(self.residues - 1 - r);
                if value > best {
                    (best, at) = (value, Some((k, r)));
                }
            }
        }
        while let Some((k, r)) = at {
            control.check()?;
            nodes[r] = k as i32;
            at = self.before(cells, k, r);
        }
        Ok(nodes)
    }

    /// The cell from which this one is best reached; none if it is best to begin here.
    fn before(&self, cells: &[f32], k: usize, r: usize) -> Option<(usize, usize)> {
        let mut best = -self.end_cost(r);
        let mut from = None;
        for (j, row) in cells.chunks_exact(self.residues).enumerate().take(k).rev() {
            let pair = self.pair(j, k);
            let Some(last) = r.checked_sub(pair.fewest + 1) else {
                continue;
            };
            for (earlier, &cell) in row[..=last].iter().enumerate().rev() {
                // Costs are never negative: most cells are ruled out by this.
                if f64::from(cell) <= best {
                    continue;
                }
                let value = f64::from(cell) - self.cost(pair, r - earlier - 1);
                if value > best {
                    (best, from) = (value, Some((j, earlier)));
                }
            }
        }
        from
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

/// Of one node: the best cell from which a gap that reaches back to residue q or beyond can start.
struct Runs {
    /// `[q]`: max over t >= 0 of `cell[q - t] - extend * t`.
    onwards: Vec<f32>,
    /// `[level][q]`: max over 0 <= t < 2^level of `cell[q - t] - (extend - gain) * t`, where each residue more also
    /// brings the far node nearer by its reach, which gains `gain`.
    out_of_reach: Vec<Vec<f32>>,
}

impl Runs {
    fn new(here: &[f32], extend: f64, gain: f64) -> Self {
        let mut onwards = here.to_vec();
        let mut running = f32::NEG_INFINITY;
        for value in &mut onwards {
            running = value.max(running - extend as f32);
            *value = running;
        }
        let mut out_of_reach = vec![here.to_vec()];
        let mut length = 1;
        while 2 * length < here.len() {
            let step = ((extend - gain) * length as f64) as f32;
            let mut longer = out_of_reach[out_of_reach.len() - 1].clone();
            let shorter = &out_of_reach[out_of_reach.len() - 1];
            for (value, earlier) in longer[length..].iter_mut().zip(shorter) {
                *value = value.max(earlier - step);
            }
            out_of_reach.push(longer);
            length *= 2;
        }
        Self { onwards, out_of_reach }
    }
}

/// Raise each cell to what it is when reached from `left_out + 1` residues before at this cost.
fn raise(row: &mut [f32], left_out: usize, from: &[f32], cost: f32) {
    let Some(row) = row.get_mut(left_out + 1..) else { return };
    for (cell, value) in row.iter_mut().zip(from) {
        let value = value - cost;
        *cell = if value > *cell { value } else { *cell };
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
