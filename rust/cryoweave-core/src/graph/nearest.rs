//! The nearest points, by a k-d tree that lives in one array.
use rayon::prelude::*;

use super::check_points;
use crate::control::Control;
use crate::error::{Error, Result};

const LEAF: usize = 12;
const CHUNK: usize = 256;
/// Ranges with fewer points are not worth a second thread.
const LEAF_OF_THREADS: usize = 4096;

/// The `k` nearest points of each query, row after row, nearest first.
#[derive(Debug, Default, PartialEq)]
pub struct Nearest {
    /// Indices of points.
    pub indices: Vec<i32>,
    /// Distances in the points' own unit.
    pub distances: Vec<f64>,
}

/// The `k` points nearest to each query; of points equally far, the lower index first.
pub fn nearest(points: &[[f64; 3]], queries: &[[f64; 3]], k: usize, control: &Control) -> Result<Nearest> {
    check_points(points)?;
    check_points(queries)?;
    if k == 0 || k > points.len() {
        return Err(Error::Parameter {
            name: "k",
            rule: "from 1 to the number of points",
            value: k as f64,
        });
    }
    let tree = Tree::new(points);
    control.expect(queries.len().div_ceil(CHUNK) as u64);
    let chunks: Vec<Nearest> = queries
        .par_chunks(CHUNK)
        .map(|queries| {
            let mut out = Nearest::default();
            let mut best = Vec::with_capacity(k + 1);
            for &query in queries {
                control.check()?;
                best.clear();
                tree.search(
                    &mut Query {
                        at: query,
                        k,
                        best: &mut best,
                    },
                    0,
                    points.len(),
                    [0.0; 3],
                );
                out.indices.extend(best.iter().map(|&(_, i)| i as i32));
                out.distances.extend(best.iter().map(|&(d2, _)| d2.sqrt()));
            }
            control.step()?;
            Ok(out)
        })
        .collect::<Result<_>>()?;
    let mut all = Nearest::default();
    for chunk in chunks {
        all.indices.extend_from_slice(&chunk.indices);
        all.distances.extend_from_slice(&chunk.distances);
    }
    Ok(all)
}

/// The points sorted so that the halves of each range lie on either side of a plane.
pub(crate) struct Tree {
    points: Vec<([f64; 3], u32)>,
    /// At a range's middle: the axis along which it was halved, and where.
    splits: Vec<(u8, f64)>,
}

struct Query<'a> {
    at: [f64; 3],
    k: usize,
    /// (squared distance, point), sorted.
    best: &'a mut Vec<(f64, u32)>,
}

impl Tree {
    /// Points must be finite.
    pub(crate) fn new(points: &[[f64; 3]]) -> Self {
        let mut points: Vec<([f64; 3], u32)> = points.iter().copied().zip(0..).collect();
        let mut splits = vec![(0, 0.0); points.len()];
        halve(&mut points, &mut splits);
        Self { points, splits }
    }

    /// The nearest point and its squared distance; of points equally far the one of lower index. `None` without points.
    pub(crate) fn closest(&self, at: [f64; 3]) -> Option<(f64, usize)> {
        let mut best = Vec::with_capacity(2);
        self.search(
            &mut Query {
                at,
                k: 1,
                best: &mut best,
            },
            0,
            self.points.len(),
            [0.0; 3],
        );
        best.first().map(|&(d2, index)| (d2, index as usize))
    }

    /// `off` holds, by axis, how far the query lies outside of this range's box, as far as known.
    fn search(&self, query: &mut Query, low: usize, high: usize, off: [f64; 3]) {
        if high - low <= LEAF {
            self.points[low..high].iter().for_each(|point| query.offer(point));
            return;
        }
        let middle = (low + high) / 2;
        let (axis, split) = self.splits[middle];
        let axis = usize::from(axis);
        let side = query.at[axis] - split;
        let (near, far) = if side < 0.0 {
            ((low, middle), (middle, high))
        } else {
            ((middle, high), (low, middle))
        };
        self.search(query, near.0, near.1, off);
        let mut beyond = off;
        beyond[axis] = side;
        if query.wants(beyond.iter().map(|d| d * d).sum()) {
            self.search(query, far.0, far.1, beyond);
        }
    }
}

impl Query<'_> {
    fn wants(&self, d2: f64) -> bool {
        // Equal is wanted: a lower index may be there. Rounding must not lose it either.
        self.best.len() < self.k || self.best.last().is_none_or(|worst| d2 <= worst.0 * (1.0 + 1e-12))
    }

    fn offer(&mut self, &(point, index): &([f64; 3], u32)) {
        let d2 = (0..3).map(|a| (point[a] - self.at[a]).powi(2)).sum::<f64>();
        if self.best.len() == self.k && self.best.last().is_some_and(|&worst| worst <= (d2, index)) {
            return;
        }
        let place = self.best.partition_point(|&other| other < (d2, index));
        self.best.truncate(self.k - 1);
        self.best.insert(place.min(self.best.len()), (d2, index));
    }
}

fn halve(points: &mut [([f64; 3], u32)], splits: &mut [(u8, f64)]) {
    if points.len() <= LEAF {
        return;
    }
    let extent = |axis: usize| {
        let (low, high) = points
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
                (low.min(p.0[axis]), high.max(p.0[axis]))
            });
        high - low
    };
    let widths = [extent(0), extent(1), extent(2)];
    let axis = (1..3).fold(
        0,
        |widest, axis| if widths[axis] > widths[widest] { axis } else { widest },
    );
    let middle = points.len() / 2;
    points.select_nth_unstable_by(middle, |a, b| a.0[axis].total_cmp(&b.0[axis]).then(a.1.cmp(&b.1)));
    splits[middle] = (axis as u8, points[middle].0[axis]);
    let (below, above) = points.split_at_mut(middle);
    // The upper half leaves its first entry alone: no range has its middle at its beginning.
    let (splits_below, splits_above) = splits.split_at_mut(middle);
    if middle > LEAF_OF_THREADS {
        rayon::join(|| halve(below, splits_below), || halve(above, splits_above));
    } else {
        halve(below, splits_below);
        halve(above, splits_above);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_points_come_in_order() {
        let points = vec![[1.0; 3]; 100];
        let found = nearest(&points, &[[1.0; 3], [2.0, 1.0, 1.0]], 3, &Control::default()).unwrap();
        assert_eq!(found.indices, vec![0, 1, 2, 0, 1, 2]);
        assert_eq!(found.distances, vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn more_neighbours_than_points_is_an_error() {
        assert!(nearest(&[[0.0; 3]], &[[0.0; 3]], 2, &Control::default()).is_err());
        assert!(nearest(&[], &[], 1, &Control::default()).is_err());
    }
}
