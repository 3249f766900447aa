//! Which descriptors of one cloud look like which of another.
use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// Fewer mutual pairs than this do not fix a motion.
const LEAST: usize = 3;
const LANES: usize = 16;

/// Rows of two tables that belong together.
#[derive(Debug, Default, PartialEq)]
pub struct Matches {
    /// Row of the first and row of the second, by rising first.
    pub pairs: Vec<[i32; 2]>,
    /// Whether each is among the nearest of the other; if not, only the second among the nearest of the first.
    pub mutual: bool,
}

/// Rows of `a` and of `b` that are each among the `k` nearest of the other; where these are fewer than three, the nearest
/// rows of `b` of each row of `a`.
///
/// A row of zeros (nothing to describe) has no partner; of rows equally near the first is taken.
pub fn match_descriptors(a: ArrayView2<f32>, b: ArrayView2<f32>, k: usize, control: &Control) -> Result<Matches> {
    same_length("descriptors differ in length", a.ncols(), b.ncols())?;
    if k == 0 {
        return Err(Error::Parameter {
            name: "k",
            rule: "at least 1",
            value: 0.0,
        });
    }
    let (a, b) = (Table::new(a)?, Table::new(b)?);
    control.expect((a.squares.len() + b.squares.len()) as u64);
    let forward = a.nearest(&b, k, control)?;
    let backward = b.nearest(&a, k, control)?;
    let all = || {
        let pairs = forward.iter().enumerate();
        pairs.flat_map(|(i, partners)| partners.iter().map(move |&j| [i as i32, j as i32]))
    };
    let mutual: Vec<[i32; 2]> = all()
        .filter(|&[i, j]| backward[j as usize].contains(&(i as usize)))
        .collect();
    Ok(if mutual.len() < LEAST {
        Matches {
            pairs: all().collect(),
            mutual: false,
        }
    } else {
        Matches {
            pairs: mutual,
            mutual: true,
        }
    })
}

struct Table {
    values: Vec<f32>,
    width: usize,
    squares: Vec<f32>,
}

impl Table {
    fn new(rows: ArrayView2<f32>) -> Result<Self> {
        for (row, values) in rows.rows().into_iter().enumerate() {
            if let Some(column) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::CellNotFinite { row, column });
            }
        }
        let square = |row: ArrayView1<f32>| row.iter().map(|value| value * value).sum();
        Ok(Self {
            values: rows.iter().copied().collect(),
            width: rows.ncols(),
            squares: rows.rows().into_iter().map(square).collect(),
        })
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..][..self.width]
    }

    /// For each row the nearest rows of `other`, nearest first.
    fn nearest(&self, other: &Table, k: usize, control: &Control) -> Result<Vec<Vec<usize>>> {
        (0..self.squares.len())
            .into_par_iter()
            .map(|i| {
                control.step()?;
                let mut best: Vec<(f32, usize)> = Vec::with_capacity(k.min(64) + 1);
                if self.squares[i] == 0.0 {
                    return Ok(Vec::new());
                }
                for j in (0..other.squares.len()).filter(|&j| other.squares[j] > 0.0) {
                    // The row's own square is the same for all.
                    let distance = other.squares[j] - 2.0 * product(self.row(i), other.row(j));
                    if best.len() < k || best.last().is_some_and(|worst| distance < worst.0) {
                        let place = best.partition_point(|&(d, _)| d <= distance);
                        best.insert(place, (distance, j));
                        best.truncate(k);
                    }
                }
                Ok(best.into_iter().map(|(_, j)| j).collect())
            })
            .collect()
    }
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (blocks_a, blocks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = blocks_a
        .remainder()
        .iter()
        .zip(blocks_b.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in blocks_a.zip(blocks_b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_mutual_pairs_count_unless_they_are_too_few() {
        let a = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.9, 0.1, 0.0]];
        let b = array![[0.0, 1.0, 0.1], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.1, 1.0]];
        let control = Control::default();
        let found = match_descriptors(a.view(), b.view(), 1, &control).unwrap();
        assert!(found.mutual);
        assert_eq!(found.pairs, vec![[0, 1], [1, 0], [2, 3]]);
        let few = match_descriptors(a.view(), b.slice(ndarray_slice()), 1, &control).unwrap();
        assert!(!few.mutual);
        assert_eq!(few.pairs, vec![[0, 1], [1, 0], [2, 0], [3, 1]]);
    }

    /// The first two rows; `s!` needs unsafe code.
    fn ndarray_slice() -> ndarray::SliceInfo<[ndarray::SliceInfoElem; 2], ndarray::Ix2, ndarray::Ix2> {
        let rows = ndarray::SliceInfoElem::from(0..2);
        ndarray::SliceInfo::try_from([rows, ndarray::SliceInfoElem::from(..)]).unwrap()
    }

    #[test]
    fn bad_tables_are_refused_and_empty_ones_pass() {
        let control = Control::default();
        let (a, empty) = (array![[1.0, f32::NAN]], ndarray::Array2::<f32>::zeros((0, 2)));
        assert!(match_descriptors(a.view(), a.view(), 1, &control).is_err());
        assert!(match_descriptors(empty.view(), empty.view(), 0, &control).is_err());
        let found = match_descriptors(empty.view(), empty.view(), 1, &control).unwrap();
        assert!(found.pairs.is_empty());
    }
}
