//! Nodes in a row, seen from afar as one: what they can offer at most.
use super::Path;
use super::row::{Lanes, Rows, onwards, raise, widen};

/// Nodes of a block, at most.
pub(super) const NODES: usize = 16;
/// A break ends a block of so many.
pub(super) const FEWEST_NODES: usize = 4;

/// Nodes `first..end`, the box around them, and the best of their cells for each residue.
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) end: usize,
    low: [f64; 3],
    high: [f64; 3],
    /// Row `level`, `[q]`: the best over 0 <= t < 2^level of `cell[q - t] - (extend - gain) * t`, where each residue more
    /// also brings the far node nearer by its reach, which gains `gain`. Behind these the row of `onwards`.
    rows: Rows,
    levels: usize,
}

/// What going from a node, or from any of a block, to a later one costs.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    /// Without leaving a residue out, where that may be.
    pub(super) none: Option<f64>,
    /// Fewest residues to leave out else.
    pub(super) fewest: usize,
    /// Å.
    pub(super) distance: f64,
    /// From so many left out, the nodes are in reach of each other.
    pub(super) in_reach: usize,
    /// With so many left out there is no residue before any.
    pub(super) beyond: usize,
}

impl Offer {
    pub(super) fn new(path: &Path, distance: f64, none: Option<f64>, fewest: usize) -> Self {
        let beyond = path.residues.saturating_sub(2) + 1;
        let fewest = fewest.max(1);
        // As a float until it is known to be small: two far points may need more residues than an index can count.
        let needed = ((distance - path.gaps.slack) / path.gaps.reach).ceil() - 1.0;
        let in_reach = if needed >= beyond as f64 {
            beyond
        } else {
            fewest.max(needed.max(0.0) as usize)
        };
        Self {
            none,
            fewest,
            distance,
            in_reach,
            beyond,
        }
    }

    /// Residues left out at which the nodes are still out of reach end here.
    pub(super) fn last(&self) -> usize {
        self.in_reach.min(self.beyond)
    }

    /// The least that it can cost.
    pub(super) fn least(&self, path: &Path) -> f64 {
        let by_gap = |left_out| path.gap_cost(self.distance, left_out);
        let gap = by_gap(self.fewest).min(by_gap(self.last().saturating_sub(1).max(self.fewest)));
        // Costs are linear in both parts: the least is at an end of one.
        let gap = gap.min(by_gap(self.in_reach.max(self.fewest)));
        self.none.map_or(gap, |none| none.min(gap))
    }
}

impl Block {
    pub(super) fn new(path: &Path, cells: &Rows, first: usize, end: usize, levels: usize) -> Self {
        let (mut low, mut high) = (path.xyz[first], path.xyz[first]);
        let mut rows = Rows::new(levels + 1, path.residues);
        for node in first..end {
            for (axis, &at) in path.xyz[node].iter().enumerate() {
                (low[axis], high[axis]) = (low[axis].min(at), high[axis].max(at));
            }
            for (best, &cell) in rows.of_mut(0).iter_mut().zip(cells.of(node)) {
                *best = best.max(cell);
            }
        }
        let mut row = rows.of(0).to_vec();
        let mut wider = row.clone();
        for level in 1..levels {
            let length = 1 << (level - 1);
            widen(&row, &mut wider, length, path.widening(length));
            rows.of_mut(level).copy_from_slice(&wider);
            std::mem::swap(&mut row, &mut wider);
        }
        let (best, last) = (rows.of(0).to_vec(), rows.of_mut(levels));
        last.copy_from_slice(&best);
        onwards(last, path.gaps.extend);
        Self {
            first,
            end,
            low,
            high,
            rows,
            levels,
        }
    }

    /// No node of the block offers a later node more than this does.
    pub(super) fn offer(&self, path: &Path, k: usize) -> Offer {
        let (nearest, farthest) = self.distances(path.xyz[k]);
        let start = path.start[k];
        let fewest = if self.first >= start {
            path.fewest(self.end - 1, k)
        } else {
            0
        };
        let mut none = f64::INFINITY;
        if self.first < start {
            none = path.gap_cost(nearest, 0);
        }
        if self.end > start && fewest == 0 {
            let ideal = path.step.ideal_distance;
            let off = (nearest - ideal).max(ideal - farthest).max(0.0);
            none = none.min(path.step.distance_weight * off);
        }
        Offer::new(path, nearest, none.is_finite().then_some(none), fewest)
    }

    fn distances(&self, at: [f64; 3]) -> (f64, f64) {
        let (mut near, mut far) = (0.0, 0.0);
        for ((low, high), at) in self.low.iter().zip(self.high).zip(at) {
            let (below, above) = (low - at, at - high);
            let (outside, across) = (below.max(above).max(0.0), below.min(above));
            near += outside * outside;
            far += across * across;
        }
        (f64::sqrt(near), f64::sqrt(far))
    }

    /// Raise a chunk of a later node's row to what the block offers at most.
    #[inline(always)]
    pub(super) fn raise(&self, path: &Path, offer: &Offer, chunk: usize, lanes: &mut Lanes) {
        let cost = |left_out| path.gap_cost(offer.distance, left_out) as f32;
        if let Some(none) = offer.none {
            raise(lanes, self.rows.before(0, chunk, 0), none as f32);
        }
        if offer.in_reach < offer.beyond {
            raise(
                lanes,
                self.rows.before(self.levels, chunk, offer.in_reach),
                cost(offer.in_reach),
            );
        }
        let (fewest, last) = (offer.fewest, offer.last());
        if fewest < last {
            let level = (last - fewest).ilog2() as usize;
            let latest = last - (1 << level);
            raise(lanes, self.rows.before(level, chunk, fewest), cost(fewest));
            raise(lanes, self.rows.before(level, chunk, latest), cost(latest));
        }
    }

    /// The best cell of each residue.
    pub(super) fn best(&self) -> &[f32] {
        self.rows.of(0)
    }
}
