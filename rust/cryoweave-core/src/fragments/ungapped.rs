//! Local alignments without gaps, one after the other.
use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// How many are wanted, and how long they must be.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    /// Most alignments.
    pub most: usize,
    /// Fewest nodes of one.
    pub shortest: usize,
}

/// Residues `residue..residue + length` on nodes `node..node + length`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// First node.
    pub node: usize,
    /// First residue.
    pub residue: usize,
    /// Of both.
    pub length: usize,
    /// Sum of the scores.
    pub score: f64,
}

/// The best piece, then the best that shares no cell with those before, and so on; pieces that gain nothing are none.
///
/// `scores` is (node, residue); no piece goes over a node that is true in `breaks`: it is not bonded to the node before.
/// Of equal ones that with the lower node comes first, then that with the lower residue, then the shorter.
pub fn ungapped(scores: ArrayView2<f32>, breaks: &[bool], pieces: Pieces, control: &Control) -> Result<Vec<Piece>> {
    same_length("breaks and nodes differ in length", breaks.len(), scores.nrows())?;
    if pieces.shortest == 0 {
        let (name, rule, value) = ("shortest", "at least 1", 0.0);
        return Err(Error::Parameter { name, rule, value });
    }
    if let Some(((row, column), _)) = scores.indexed_iter().find(|(_, v)| !v.is_finite()) {
        return Err(Error::CellNotFinite { row, column });
    }
    let (nodes, residues) = scores.dim();
    if nodes == 0 || residues == 0 {
        return Ok(Vec::new());
    }
    control.expect(pieces.most as u64);
    // One stretch of cells for each diagonal and unbroken row of nodes; each keeps the best piece that it holds.
    let mut open: Vec<Stretch> = (0..nodes + residues - 1)
        .into_par_iter()
        .flat_map_iter(|diagonal| Stretch::of_diagonal(diagonal, scores, breaks))
        .filter_map(|stretch| stretch.searched(scores, pieces.shortest))
        .collect();
    let mut found = Vec::new();
    while found.len() < pieces.most {
        control.step()?;
        let best = (0..open.len()).min_by(|&a, &b| {
            let (a, b) = (open[a].best, open[b].best);
            let place = |p: Piece| (p.node, p.residue, p.length);
            b.score.total_cmp(&a.score).then(place(a).cmp(&place(b)))
        });
        let Some(at) = best else { break };
        let taken = open.swap_remove(at);
        let (before, behind) = taken.without_best();
        open.extend(
            [before, behind]
                .into_iter()
                .filter_map(|s| s.searched(scores, pieces.shortest)),
        );
        found.push(taken.best);
    }
    Ok(found)
}

/// Cells along a diagonal, from a node and a residue on.
#[derive(Clone, Copy)]
struct Stretch {
    node: usize,
    residue: usize,
    length: usize,
    best: Piece,
}

impl Stretch {
    fn new(node: usize, residue: usize, length: usize) -> Self {
        let (score, best_length) = (0.0, 0);
        let best = Piece {
            node,
            residue,
            length: best_length,
            score,
        };
        Self {
            node,
            residue,
            length,
            best,
        }
    }

    /// The unbroken stretches of a diagonal: those of the last residue at the first node come first.
    fn of_diagonal(diagonal: usize, scores: ArrayView2<f32>, breaks: &[bool]) -> Vec<Self> {
        let (nodes, residues) = scores.dim();
        let (node, residue) = match (residues - 1).checked_sub(diagonal) {
            Some(residue) => (0, residue),
            None => (diagonal + 1 - residues, 0),
        };
        let end = (nodes - node).min(residues - residue);
        let mut found = Vec::new();
        let mut first = 0;
        for step in 1..=end {
            if step == end || breaks[node + step] {
                found.push(Self::new(node + first, residue + first, step - first));
                first = step;
            }
        }
        found
    }

    /// With its best piece (Kadane 1984 for a least length); none if nothing in it gains.
    fn searched(self, scores: ArrayView2<f32>, shortest: usize) -> Option<Self> {
        if self.length < shortest {
            return None;
        }
        let mut sums = Vec::with_capacity(self.length + 1);
        sums.push(0.0);
        let mut sum = 0.0;
        for step in 0..self.length {
            sum += f64::from(scores[[self.node + step, self.residue + step]]);
            sums.push(sum);
        }
        let (mut low, mut best) = (0, self.best);
        best.score = 0.0;
        for end in shortest..=self.length {
            if sums[end - shortest] < sums[low] {
                low = end - shortest;
            }
            if sums[end] - sums[low] > best.score {
                best = Piece {
                    node: self.node + low,
                    residue: self.residue + low,
                    length: end - low,
                    score: sums[end] - sums[low],
                };
            }
        }
        (best.score > 0.0).then_some(Self { best, ..self })
    }

    fn without_best(self) -> (Self, Self) {
        let before = self.best.node - self.node;
        let behind = before + self.best.length;
        (
            Self::new(self.node, self.residue, before),
            Self::new(self.node + behind, self.residue + behind, self.length - behind),
        )
    }
}
