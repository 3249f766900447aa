//! Points sorted into cubic cells, of which only those that hold a point are kept.
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Cells along an axis are numbered in this many bits, so that three numbers make one sortable key.
const BITS: u32 = 21;

/// Refuse a coordinate that is NaN or infinite, and more points than an `i32` can number.
pub(crate) fn check_points(points: &[[f64; 3]]) -> Result<()> {
    if points.len() > i32::MAX as usize {
        return Err(Error::Parameter {
            name: "points",
            rule: "fewer than 2^31",
            value: points.len() as f64,
        });
    }
    match points.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
        Some(row) => Err(Error::PointNotFinite(row)),
        None => Ok(()),
    }
}

/// A cell list; memory is linear in points, wherever they are.
pub(crate) struct Cells {
    /// Points, cell by cell; within a cell by index.
    pub(crate) order: Vec<u32>,
    /// Where each cell begins in `order`, and the end.
    pub(crate) starts: Vec<u32>,
    cell_of: Vec<u32>,
    keys: Vec<u64>,
}

impl Cells {
    /// Cells at least `size` wide (wider where the points span more than 2²¹ of them). Points must be finite.
    pub(crate) fn new(points: &[[f64; 3]], size: f64) -> Self {
        let key_of = numbering(points, size);
        let mut keyed: Vec<(u64, u32)> = points
            .par_iter()
            .zip(0u32..points.len() as u32)
            .map(|(p, i)| (key_of(p), i))
            .collect();
        keyed.par_sort_unstable();
        let (mut keys, mut starts) = (Vec::new(), Vec::new());
        let mut cell_of = vec![0; points.len()];
        for (place, &(key, i)) in keyed.iter().enumerate() {
            if keys.last() != Some(&key) {
                keys.push(key);
                starts.push(place as u32);
            }
            cell_of[i as usize] = keys.len() as u32 - 1;
        }
        starts.push(points.len() as u32);
        Self {
            order: keyed.into_iter().map(|(_, i)| i).collect(),
            starts,
            cell_of,
            keys,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn cell_of(&self, point: usize) -> usize {
        self.cell_of[point] as usize
    }

    /// For each cell, the nine runs of cells that make up its 3 × 3 × 3 surroundings, itself included.
    pub(crate) fn surroundings(&self) -> Vec<[(u32, u32); 9]> {
        self.keys
            .par_iter()
            .map(|&key| std::array::from_fn(|row| self.row_of_three(key, row as u64)))
            .collect()
    }

    fn row_of_three(&self, key: u64, row: u64) -> (u32, u32) {
        // Numbers begin at 1, so none of this runs below zero or over into the next row.
        let middle = key + ((row / 3) << (2 * BITS)) + ((row % 3) << BITS) - (1 << (2 * BITS)) - (1 << BITS);
        let first = self.keys.partition_point(|&k| k < middle - 1);
        let count = self.keys[first..]
            .iter()
            .take(3)
            .take_while(|&&k| k <= middle + 1)
            .count();
        (first as u32, (first + count) as u32)
    }
}

/// The key of a point's cell.
fn numbering(points: &[[f64; 3]], size: f64) -> impl Fn(&[f64; 3]) -> u64 + Sync {
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for p in points {
        for a in 0..3 {
            low[a] = low[a].min(p[a]);
            high[a] = high[a].max(p[a]);
        }
    }
    let most = ((1u64 << BITS) - 4) as f64;
    // Halves, so that the span of the largest numbers does not overflow.
    let span = (0..3).map(|a| high[a] * 0.5 - low[a] * 0.5).fold(0.0, f64::max);
    let half = (0.5 * size).max(span / most);
    move |p| {
        (0..3).fold(0, |key, a| {
            let number = (((p[a] * 0.5 - low[a] * 0.5) / half) as u64).min(most as u64) + 1;
            (key << BITS) | number
        })
    }
}
