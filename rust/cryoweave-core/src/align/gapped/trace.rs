//! From the best end backwards, each step by its cost in full.
use ndarray::ArrayView2;

use super::Path;
use super::search::Table;
use crate::control::Control;
use crate::error::Result;

/// Each step is the best one by its cost in full, so that rounding cannot mislead.
pub(super) fn trace(path: &Path, table: &Table, scores: ArrayView2<f32>, control: &Control) -> Result<Vec<i32>> {
    let mut nodes = vec![-1; path.residues];
    let mut best = -path.end_cost(path.residues);
    let mut at = None;
    for k in 0..path.xyz.len() {
        for (r, &cell) in table.cells.of(k).iter().enumerate() {
            let value = f64::from(cell) - path.end_cost(path.residues - 1 - r);
            if value > best {
                (best, at) = (value, Some((k, r)));
            }
        }
    }
    while let Some((k, r)) = at {
        control.check()?;
        nodes[r] = k as i32;
        let entered = f64::from(table.cells.of(k)[r]) - f64::from(scores[[k, r]]);
        let mut step = Step {
            path,
            table,
            k,
            r,
            // What is worth less than the cell was entered with did not lead to it.
            best: (entered - f64::from(table.tolerance)).max(-path.end_cost(r)),
            from: None,
        };
        step.find();
        at = step.from;
    }
    Ok(nodes)
}

/// The search for the cell from which one is best reached; none if it is best to begin here.
struct Step<'a> {
    path: &'a Path<'a>,
    table: &'a Table,
    k: usize,
    r: usize,
    best: f64,
    from: Option<(usize, usize)>,
}

impl Step<'_> {
    /// The latest node first, so that of equal steps the shortest is taken.
    fn find(&mut self) {
        let blocked = self.table.blocks.last().map_or(0, |block| block.end);
        (blocked..self.k).rev().for_each(|j| self.node(j));
        for block in self.table.blocks.iter().rev() {
            if block.first >= self.k {
                continue;
            }
            if block.end > self.k {
                (block.first..self.k).rev().for_each(|j| self.node(j));
                continue;
            }
            let offer = block.offer(self.path, self.k);
            let most = block.best()[..self.r]
                .iter()
                .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            if f64::from(most) - offer.least(self.path) > self.best {
                (block.first..block.end).rev().for_each(|j| self.node(j));
            }
        }
    }

    fn node(&mut self, j: usize) {
        let pair = self.path.pair(j, self.k);
        let Some(last) = self.r.checked_sub(pair.fewest + 1) else {
            return;
        };
        for (earlier, &cell) in self.table.cells.of(j)[..=last].iter().enumerate().rev() {
            // Costs are never negative: most cells are ruled out by this.
            if f64::from(cell) <= self.best {
                continue;
            }
            let value = f64::from(cell) - self.path.cost(pair, self.r - earlier - 1);
            if value > self.best {
                (self.best, self.from) = (value, Some((j, earlier)));
            }
        }
    }
}
