//! The best score of each residue at each node, without looking at every pair of nodes.
//!
//! What a block of earlier nodes can offer at most is known from the box around them and their best cells. It is compared
//! with what a node's row is already worth, and what is left over (the margin) shrinks by no more than the row falls and
//! the way to the next node costs: until it is used up, the block is not looked at again. Nothing that could win is left
//! out, so cells are those of the full search.
use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};

use super::Path;
use super::block::{Block, FEWEST_NODES, NODES, Offer};
use super::row::{LANES, Lanes, Rows, onwards, raise, span, widen};
use crate::control::Control;
use crate::error::Result;

/// Of the largest numbers in a sum: what rounding may add up to.
const ROUNDING: f64 = 1e-5;

/// All cells, (node, residue), and the blocks that all but the last nodes are in.
pub(super) struct Table {
    pub(super) cells: Rows,
    pub(super) blocks: Vec<Block>,
    /// What rounding may have added up to.
    pub(super) tolerance: f32,
}

pub(super) fn fill(path: &Path, scores: ArrayView2<f32>, control: &Control) -> Result<Table> {
    let mut search = Search::new(path);
    let arch = Arch::new();
    for node in 0..path.xyz.len() {
        control.step()?;
        arch.dispatch(AtNode {
            search: &mut search,
            node,
        });
        search.finish(node, scores);
    }
    Ok(search.table)
}

struct Search<'a> {
    path: &'a Path<'a>,
    table: Table,
    /// Of each node, `[q]`: max over t >= 0 of `cell[q - t] - extend * t`.
    onwards: Rows,
    chunks: usize,
    /// The first node that is in no block yet.
    open: usize,
    levels: usize,
    /// What every pair of nodes can cost at most, for the tolerance.
    dearest: f64,
    /// For each chunk and block: by how much the block failed to raise the last row.
    margins: Vec<Vec<f32>>,
    /// The last row before its matches were added, and this one.
    last: Vec<Lanes>,
    row: Vec<Lanes>,
    wanted: Vec<usize>,
    windows: [Vec<f32>; 2],
}

/// One node's row, compiled once for each set of vector instructions. They give the same numbers.
struct AtNode<'s, 'a> {
    search: &'s mut Search<'a>,
    node: usize,
}

impl WithSimd for AtNode<'_, '_> {
    type Output = ();

    /// Whatever is not inlined into this is compiled for the oldest processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for chunk in 0..self.search.chunks {
            self.search.chunk(self.node, chunk);
        }
    }
}

impl<'a> Search<'a> {
    fn new(path: &'a Path<'a>) -> Self {
        let (nodes, residues) = (path.xyz.len(), path.residues);
        let chunks = residues.div_ceil(LANES);
        let across = diameter(path.xyz);
        let longest = Offer::new(path, across, None, 1).last();
        let dearest = path.gaps.cost(residues) + path.end_cost(residues) + path.step.distance_weight * across;
        Self {
            path,
            table: Table {
                cells: Rows::new(nodes, residues),
                blocks: Vec::new(),
                tolerance: 0.0,
            },
            onwards: Rows::new(nodes, residues),
            chunks,
            open: 0,
            levels: longest.max(1).ilog2() as usize + 1,
            dearest,
            margins: vec![Vec::new(); chunks],
            last: vec![[f32::NEG_INFINITY; LANES]; chunks],
            row: vec![[f32::NEG_INFINITY; LANES]; chunks],
            wanted: Vec::new(),
            windows: [Vec::new(), Vec::new()],
        }
    }

    /// What each lane is worth, before its match, as the first to be placed.
    #[inline(always)]
    fn starts(&self, chunk: usize) -> Lanes {
        std::array::from_fn(|lane| {
            let residue = chunk * LANES + lane;
            if residue < self.path.residues {
                -self.path.end_cost(residue) as f32
            } else {
                f32::INFINITY
            }
        })
    }

    #[inline(always)]
    fn chunk(&mut self, node: usize, chunk: usize) {
        let mut lanes = self.starts(chunk);
        let mut margins = std::mem::take(&mut self.margins[chunk]);
        let mut wanted = std::mem::take(&mut self.wanted);
        let tolerance = self.table.tolerance;
        let first = self.open.min(self.path.nearest(node));
        for earlier in (first..node).rev() {
            self.raise(earlier, node, chunk, &mut lanes);
        }
        // First the blocks that raised the last row: they make this one worth the most, and the others need no look.
        wanted.clear();
        wanted.extend((0..margins.len()).filter(|&block| margins[block] <= tolerance));
        for &block in wanted.iter().rev() {
            margins[block] = self.look(block, node, chunk, &mut lanes);
        }
        let spent = fallen(&self.last[chunk], &lanes) + self.path.moved(node);
        for &block in &wanted {
            margins[block] += if margins[block] > tolerance { spent } else { 0.0 };
        }
        wanted.clear();
        for (block, margin) in margins
            .iter_mut()
            .enumerate()
            .filter(|(_, margin)| **margin > tolerance)
        {
            *margin -= spent;
            if *margin <= tolerance {
                wanted.push(block);
            }
        }
        for &block in wanted.iter().rev() {
            margins[block] = self.look(block, node, chunk, &mut lanes);
        }
        self.row[chunk] = lanes;
        (self.margins[chunk], self.wanted) = (margins, wanted);
    }

    /// By how much a block fails to raise the lanes; if it may, they are raised by each of its nodes.
    #[inline(always)]
    fn look(&mut self, block: usize, node: usize, chunk: usize, lanes: &mut Lanes) -> f32 {
        let of = &self.table.blocks[block];
        let mut most = [f32::NEG_INFINITY; LANES];
        of.raise(self.path, &of.offer(self.path, node), chunk, &mut most);
        let margin = -fallen(&most, lanes);
        if margin <= self.table.tolerance {
            for earlier in (of.first..of.end).rev() {
                self.raise(earlier, node, chunk, lanes);
            }
        }
        margin
    }

    /// Improve a chunk of a node's row by the cells of an earlier one.
    ///
    /// Seen from the earlier node, costs are linear in the number of residues left out as long as the nodes are out of
    /// reach, and again from where they are in reach: each part is one look into running maxima.
    #[inline(always)]
    fn raise(&mut self, earlier: usize, node: usize, chunk: usize, lanes: &mut Lanes) {
        let offer = self.path.offer(earlier, node);
        let cost = |left_out| self.path.gap_cost(offer.distance, left_out) as f32;
        let cells = &self.table.cells;
        if let Some(none) = offer.none {
            raise(lanes, cells.before(earlier, chunk, 0), none as f32);
        }
        if offer.in_reach < offer.beyond {
            raise(
                lanes,
                self.onwards.before(earlier, chunk, offer.in_reach),
                cost(offer.in_reach),
            );
        }
        let (fewest, last) = (offer.fewest, offer.last());
        if last == fewest + 1 {
            raise(lanes, cells.before(earlier, chunk, fewest), cost(fewest));
        } else if fewest < last {
            let level = (last - fewest).ilog2();
            let latest = last - (1 << level);
            let (first, _) = span(chunk, fewest, last);
            let [from, to] = &mut self.windows;
            from.clear();
            from.extend_from_slice(cells.span(earlier, chunk, fewest, last));
            to.resize(from.len(), 0.0);
            for level in 0..level {
                let length = 1 << level;
                widen(from, to, length, self.path.widening(length));
                std::mem::swap(from, to);
            }
            for left_out in [fewest, latest] {
                let at = (LANES * (chunk + 1)).checked_sub(left_out + 1 + first);
                let found = at.and_then(|at| from.get(at..)?.first_chunk());
                raise(lanes, found, cost(left_out));
            }
        }
    }

    /// Add the matches, and close the block if it is full.
    fn finish(&mut self, node: usize, scores: ArrayView2<f32>) {
        let path = self.path;
        std::mem::swap(&mut self.last, &mut self.row);
        let row = self.last.as_flattened().iter().zip(scores.row(node));
        let mut largest = 0f32;
        for (cell, (value, score)) in self.table.cells.of_mut(node).iter_mut().zip(row) {
            *cell = value + score;
            largest = largest.max(cell.abs());
        }
        self.onwards.of_mut(node).copy_from_slice(self.table.cells.of(node));
        onwards(self.onwards.of_mut(node), path.gaps.extend);
        let tolerance = ROUNDING * (f64::from(largest) + self.dearest);
        self.table.tolerance = self.table.tolerance.max(tolerance as f32);
        let (next, members) = (node + 1, node + 1 - self.open);
        let ends = next < path.xyz.len() && path.start[next] == next;
        if members == NODES || (ends && members >= FEWEST_NODES) {
            let block = Block::new(path, &self.table.cells, self.open, next, self.levels);
            self.table.blocks.push(block);
            self.open = next;
            self.margins
                .iter_mut()
                .for_each(|margins| margins.push(f32::NEG_INFINITY));
        }
        if ends {
            self.forget(path.start[node]);
        }
    }

    /// Behind a break the last stretch costs otherwise: its blocks have to be looked at again.
    fn forget(&mut self, start: usize) {
        for (block, _) in self
            .table
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.end > start)
        {
            for margins in &mut self.margins {
                margins[block] = f32::NEG_INFINITY;
            }
        }
    }
}

/// By how much a row is lower than another where it is lowest against it.
#[inline(always)]
fn fallen(from: &Lanes, to: &Lanes) -> f32 {
    let mut most = [f32::NEG_INFINITY; 8];
    for (from, to) in from.chunks_exact(8).zip(to.chunks_exact(8)) {
        for (most, (from, to)) in most.iter_mut().zip(from.iter().zip(to)) {
            let fall = from - to;
            *most = if fall > *most { fall } else { *most };
        }
    }
    most.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// The diagonal of the box around points.
fn diameter(xyz: &[[f64; 3]]) -> f64 {
    let along = |axis: usize| {
        let (low, high) = xyz.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
            (low.min(at[axis]), high.max(at[axis]))
        });
        (high - low).max(0.0)
    };
    (0..3).map(along).map(|length| length * length).sum::<f64>().sqrt()
}
