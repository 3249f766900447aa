//! Numbers that describe a whole map. Sums are made slab by slab and added in order: the same for any thread count.
use ndarray::ArrayView3;
use rayon::prelude::*;

use super::Solid;
use crate::control::Control;
use crate::error::{Error, Result};

const LANES: usize = 8;
const BLOCK: usize = 1 << 15;

/// What [`statistics`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Lowest density.
    pub minimum: f32,
    /// Highest density.
    pub maximum: f32,
    /// Mean density.
    pub mean: f64,
    /// Standard deviation (of the population: divided by the number of voxels).
    pub sd: f64,
    /// Voxels that differ from zero.
    pub nonzero: usize,
}

struct Part {
    minimum: f32,
    maximum: f32,
    sum: f64,
    nonzero: usize,
}

/// Extremes, mean and spread of a map, which must have voxels.
pub fn statistics(map: ArrayView3<f32>, control: &Control) -> Result<Statistics> {
    let map = full(map, control)?;
    let voxels = map.values.len() as f64;
    let parts = blocks(&map.values, control, |block| Part {
        minimum: block
            .iter()
            .copied()
            .fold(f32::INFINITY, |a, b| if b < a { b } else { a }),
        maximum: block
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a }),
        sum: lane_sum(block, |value| value),
        nonzero: block.iter().filter(|&&value| value != 0.0).count(),
    })?;
    let mean = parts.iter().map(|part| part.sum).sum::<f64>() / voxels;
    let squares = blocks(&map.values, control, |block| {
        lane_sum(block, |value| (value - mean) * (value - mean))
    })?;
    Ok(Statistics {
        minimum: parts.iter().map(|part| part.minimum).fold(f32::INFINITY, f32::min),
        maximum: parts.iter().map(|part| part.maximum).fold(f32::NEG_INFINITY, f32::max),
        mean,
        sd: (squares.iter().sum::<f64>() / voxels).sqrt(),
        nonzero: parts.iter().map(|part| part.nonzero).sum(),
    })
}

/// The density that `n_voxels` voxels exceed (fewer where voxels tie with it): a contour from a volume.
///
/// With all voxels asked for, the next number below the lowest density.
pub fn volume_threshold(map: ArrayView3<f32>, n_voxels: usize, control: &Control) -> Result<f32> {
    let map = full(map, control)?;
    let voxels = map.values.len();
    if n_voxels > voxels {
        let rule = "at most the number of voxels in the map";
        return Err(Error::Parameter {
            name: "n_voxels",
            rule,
            value: n_voxels as f64,
        });
    }
    // Two rounds of counting by 16 bits of an ordered key select exactly, in parallel and without a copy.
    let high = counts(&map.values, control, |key| Some(key >> 16))?;
    let wanted = n_voxels.min(voxels - 1);
    let (top, left) = descend(&high, wanted);
    let low = counts(&map.values, control, |key| (key >> 16 == top).then_some(key & 0xffff))?;
    let (bottom, _) = descend(&low, left);
    let key = top << 16 | bottom;
    Ok(if n_voxels == voxels { below(key) } else { from_key(key) })
}

fn full<'a>(map: ArrayView3<'a, f32>, control: &Control) -> Result<Solid<'a>> {
    if map.is_empty() {
        return Err(Error::Empty("the map has no voxels"));
    }
    Solid::finite(map, control)
}

fn blocks<T: Send>(values: &[f32], control: &Control, part: impl Fn(&[f32]) -> T + Sync) -> Result<Vec<T>> {
    values
        .par_chunks(BLOCK)
        .map(|block| control.check().map(|()| part(block)))
        .collect()
}

/// Sum in float64 over lanes of fixed assignment, so that it runs as vector code.
fn lane_sum(block: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let groups = block.chunks_exact(LANES);
    let rest = groups.remainder();
    for group in groups {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane += term(f64::from(value));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| term(f64::from(value))).sum::<f64>()
}

/// A key whose order as an integer is the order of the numbers; minus zero counts as zero.
fn to_key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits }
}

fn from_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

/// The next number below that of a key, not counting minus zero.
fn below(key: u32) -> f32 {
    let down = |key: u32| from_key(key.saturating_sub(1));
    if key == to_key(0.0) { down(key - 1) } else { down(key) }
}

fn counts(values: &[f32], control: &Control, bin: impl Fn(u32) -> Option<u32> + Sync) -> Result<Vec<u64>> {
    let none = || vec![0_u64; 1 << 16];
    values
        .par_chunks(BLOCK)
        .try_fold(none, |mut found, block| {
            control.check()?;
            for bin in block.iter().filter_map(|&value| bin(to_key(value))) {
                found[bin as usize] += 1;
            }
            Ok(found)
        })
        .try_reduce(none, |mut left, right| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
            Ok(left)
        })
}

/// The bin that holds the value of this rank from the top, and its rank within the bin.
fn descend(counts: &[u64], rank: usize) -> (u32, usize) {
    let mut left = rank as u64;
    for (bin, &count) in counts.iter().enumerate().rev() {
        if left < count {
            return (bin as u32, left as usize);
        }
        left -= count;
    }
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn keys_keep_the_order_of_numbers() {
        let numbers = [f32::MIN, -2.0, -1e-40, 0.0, 1e-40, 1.0, 2.5, f32::MAX];
        for pair in numbers.windows(2) {
            assert!(to_key(pair[0]) < to_key(pair[1]));
        }
        assert!(numbers.iter().all(|&number| from_key(to_key(number)) == number));
        assert_eq!(to_key(-0.0), to_key(0.0));
        assert!(below(to_key(0.0)) < 0.0 && below(to_key(1.0)) < 1.0 && below(to_key(-1.0)) < -1.0);
    }

    #[test]
    fn a_volume_gives_the_contour_around_that_many_voxels() {
        let map = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (z * 12 + y * 4 + x) as f32 - 5.0);
        for n in 0..=24 {
            let threshold = volume_threshold(map.view(), n, &Control::default()).unwrap();
            assert_eq!(map.iter().filter(|&&value| value > threshold).count(), n);
        }
        assert!(volume_threshold(map.view(), 25, &Control::default()).is_err());
    }

    #[test]
    fn a_map_without_voxels_is_refused() {
        let empty = Array3::zeros((0, 3, 3));
        assert!(matches!(
            statistics(empty.view(), &Control::default()),
            Err(Error::Empty(_))
        ));
        assert!(matches!(
            volume_threshold(empty.view(), 0, &Control::default()),
            Err(Error::Empty(_))
        ));
    }
}
