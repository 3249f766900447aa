//! Gaussian-weighted sums of density around any position of a map: what mean shift and kernel density are made of.
//!
//! The kernel is `exp(-6 Σ (d / bandwidth)²)`, i.e. `exp(-1.5 r² / fs)` with `fs = (bandwidth / 2)²`. It is a product of
//! three tables, one per axis. Within a row of voxels all x are weighed alike in z and y, so the sums over z and y are
//! kept per x, side by side, and x is weighed once at the end.
use ndarray::{ArrayView3, Axis};
use pulp::Simd;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};

/// Twice the bandwidth is where the window ends by definition, and 6 standard deviations (1.73 bandwidths) is where what
/// is beyond, < 1e-7 of the kernel's weight, is lost in float32: the smaller serves.
const REACH_IN_BANDWIDTHS: f64 = 1.732_050_807_568_877_2;

/// Rows are read in blocks of up to this many vectors, of up to this many voxels each. They are written as vectors
/// because the compiler, given arrays, makes odd pieces of them.
const VECTORS: usize = 4;
const LANES: usize = 16;
const BLOCK: usize = VECTORS * LANES;

/// Tables hold z, y, x and one unused, so that an entry is a vector.
const AXES: usize = 4;

/// A map ready to be summed: no negative density, rows padded so that a block never leaves them, scaled by a power of
/// two so that sums stay within float32.
pub(super) struct Field {
    values: Vec<f32>,
    shape: [usize; 3],
    stride: usize,
    pad: usize,
    scale: f32,
}

impl Field {
    /// Copy a map, refusing NaN and infinity.
    pub(super) fn new(map: ArrayView3<f32>, reach: usize, control: &Control) -> Result<Self> {
        let (nz, ny, nx) = map.dim();
        let scale = 2f32.powi(highest(map, control)?.log2().floor().clamp(-100.0, 100.0) as i32);
        let pad = reach.min(nx);
        let stride = nx + 2 * pad + LANES;
        // One row more than the map has: a row is read from the window's first x on, with what follows it.
        let mut values = vec![0f32; (nz * ny + 1) * stride];
        let inverse = 1.0 / scale;
        values
            .par_chunks_mut((ny * stride).max(1))
            .zip(0..nz)
            .try_for_each(|(slab, z)| {
                control.check()?;
                for (row, from) in slab.chunks_mut(stride).zip(map.index_axis(Axis(0), z).rows()) {
                    for (to, &value) in row.iter_mut().skip(pad).zip(from) {
                        *to = value.max(0.0) * inverse;
                    }
                }
                Ok(())
            })?;
        Ok(Self {
            values,
            shape: [nz, ny, nx],
            stride,
            pad,
            scale,
        })
    }
}

/// The highest density (at least the smallest positive one), having looked at every voxel.
fn highest(map: ArrayView3<f32>, control: &Control) -> Result<f32> {
    let slabs: Vec<f32> = (0..map.dim().0)
        .into_par_iter()
        .map(|z| {
            control.check()?;
            let mut most = f32::MIN_POSITIVE;
            for ((y, x), &value) in map.index_axis(Axis(0), z).indexed_iter() {
                if !value.is_finite() {
                    return Err(Error::NotFinite([z, y, x]));
                }
                most = most.max(value);
            }
            Ok(most)
        })
        .collect::<Result<_>>()?;
    Ok(slabs.into_iter().fold(f32::MIN_POSITIVE, f32::max))
}

/// The kernel's shape, fixed for a whole run.
pub(super) struct Kernel {
    /// How far from a position the window ends, by axis, in voxels.
    cut: [f64; 3],
    /// Voxels on either side that it reaches; no more than the map has.
    reach: [usize; 3],
    /// `6 / bandwidth²` by axis.
    steepness: [f64; AXES],
    /// `exp(-steepness i²)` by axis, for i from 0 to the farthest reach.
    at_whole: Vec<[f64; AXES]>,
    /// How far y reaches in the plane that is |dz| planes off.
    reach_y: Vec<i64>,
}

impl Kernel {
    /// `bandwidth` in voxels, by axis (z, y, x); the map's shape bounds the window.
    pub(super) fn new(bandwidth: [f64; 3], (nz, ny, nx): (usize, usize, usize)) -> Result<Self> {
        for value in bandwidth {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Parameter {
                    name: "bandwidth_voxels",
                    rule: "positive and finite",
                    value,
                });
            }
        }
        let cut = bandwidth.map(|b| b * REACH_IN_BANDWIDTHS);
        let most = [nz, ny, nx];
        let reach: [usize; 3] = std::array::from_fn(|a| ((cut[a] + 0.5) as usize).min(most[a]));
        let [z, y, x] = bandwidth.map(|b| 6.0 / (b * b));
        let steepness = [z, y, x, 0.0];
        let at_whole = (0..=reach[0].max(reach[1]).max(reach[2]))
            .map(|i| steepness.map(|s| (-s * (i as f64) * (i as f64)).exp()))
            .collect();
        let reach_y = (0..=reach[0])
            .map(|i| {
                let off = (i as f64 - 0.5).max(0.0) / cut[0];
                (cut[1] * (1.0 - off * off).max(0.0).sqrt() + 0.5).min(reach[1] as f64) as i64
            })
            .collect();
        Ok(Self {
            cut,
            reach,
            steepness,
            at_whole,
            reach_y,
        })
    }

    pub(super) fn reach_x(&self) -> usize {
        self.reach[2]
    }

    #[inline(always)]
    fn farthest(&self) -> usize {
        self.at_whole.len() - 1
    }
}

/// Sums of weight × density, and of the same × (x - y), by axis.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) weight: f64,
    pub(super) moment: [f64; 3],
}

/// Kernel values around one position; kept between positions to save allocation.
pub(super) struct Window<'a> {
    field: &'a Field,
    kernel: &'a Kernel,
    /// The voxel nearest to the position.
    centre: [i64; 3],
    /// For each offset from minus the farthest reach: the kernel, and the kernel times the distance from the position.
    factors: Vec<[[f32; AXES]; 2]>,
}

impl<'a> Window<'a> {
    pub(super) fn new(field: &'a Field, kernel: &'a Kernel) -> Self {
        Self {
            field,
            kernel,
            centre: [0; 3],
            factors: vec![[[0.0; AXES]; 2]; 2 * kernel.farthest() + 1],
        }
    }

    /// Kernel-weighted sum of density around a position in voxels, in the map's own units.
    #[inline(always)]
    pub(super) fn density<S: Simd>(&mut self, simd: S, at: [f64; 3]) -> f32 {
        self.sums(simd, at).weight as f32 * self.field.scale
    }

    /// Sum around a position in voxels; nothing where the window does not touch the map.
    #[inline(always)]
    pub(super) fn sums<S: Simd>(&mut self, simd: S, at: [f64; 3]) -> Sums {
        let mut fraction = [0.0; AXES];
        for (axis, &at) in at.iter().enumerate() {
            let last = self.field.shape[axis] as f64 - 1.0;
            // Outside of the map, the window of the nearest voxel holds all that the position's own does.
            let nearest = (at + 0.5).floor().min(last).max(0.0);
            fraction[axis] = at - nearest;
            if last < 0.0 || fraction[axis].abs() > self.kernel.cut[axis] + 0.5 {
                return Sums::default();
            }
            self.centre[axis] = nearest as i64;
        }
        self.tabulate(fraction);
        let width = 2 * self.kernel.reach[2] + 1;
        let mut sums = Sums::default();
        let mut from = 0;
        while from < width {
            let vectors = (width - from).div_ceil(S::F32_LANES).min(VECTORS);
            match vectors {
                1 => self.block::<S, 1>(simd, from, &mut sums),
                2 => self.block::<S, 2>(simd, from, &mut sums),
                3 => self.block::<S, 3>(simd, from, &mut sums),
                _ => self.block::<S, VECTORS>(simd, from, &mut sums),
            }
            from += vectors * S::F32_LANES;
        }
        sums
    }

    /// `exp(-s (i - f)²) = exp(-s f²) exp(2 s f)^i exp(-s i²)`: two exponentials an axis, whatever its length.
    #[inline(always)]
    fn tabulate(&mut self, fraction: [f64; AXES]) {
        let (mut slope, mut height) = ([0.0; AXES], [0.0; AXES]);
        for a in 0..AXES {
            slope[a] = 2.0 * self.kernel.steepness[a] * fraction[a];
            height[a] = -self.kernel.steepness[a] * fraction[a] * fraction[a];
        }
        let (ratio, inverse) = exponentials(slope);
        let (here, _) = exponentials(height);
        let (below, above) = self.factors.split_at_mut(self.kernel.farthest());
        fill(above.iter_mut(), &self.kernel.at_whole, here, ratio, 0.0, 1.0, fraction);
        let mut beside = here;
        for a in 0..AXES {
            beside[a] *= inverse[a];
        }
        fill(
            below.iter_mut().rev(),
            &self.kernel.at_whole[1..],
            beside,
            inverse,
            -1.0,
            -1.0,
            fraction,
        );
    }

    /// The voxels of the window whose x offset is in the `N` vectors beginning with `from`.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&self, simd: S, from: usize, sums: &mut Sums) {
        let field = self.field;
        let farthest = self.kernel.farthest();
        // The centre lies in the map and the padding is as wide as the reach, so this is not negative.
        let first_x = self.centre[2] as usize + from + field.pad - self.kernel.reach[2];
        let zero = simd.splat_f32s(0.0);
        let (mut all, mut all_z, mut all_y) = ([zero; N], [zero; N], [zero; N]);
        for z in clipped(self.centre[0], self.kernel.reach[0] as i64, field.shape[0]) {
            let off = z - self.centre[0];
            let (mut plain, mut times_y) = ([zero; N], [zero; N]);
            let reach_y = self.kernel.reach_y[off.unsigned_abs() as usize];
            let rows = clipped(self.centre[1], reach_y, field.shape[1]);
            let slot = |y: i64| (y - self.centre[1] + farthest as i64) as usize;
            let begin = ((z as usize) * field.shape[1] + rows.start as usize) * field.stride + first_x;
            let mut ahead = &field.values[begin..];
            for &[[_, weight, ..], [_, moment, ..]] in &self.factors[slot(rows.start)..slot(rows.end)] {
                let Some((row, next)) = ahead.split_at_checked(field.stride) else {
                    break;
                };
                let Some(row) = S::as_simd_f32s(row).0.first_chunk::<N>() else {
                    break;
                };
                ahead = next;
                let (weight, moment) = (simd.splat_f32s(weight), simd.splat_f32s(moment));
                for i in 0..N {
                    plain[i] = simd.add_f32s(plain[i], simd.mul_f32s(weight, row[i]));
                    times_y[i] = simd.add_f32s(times_y[i], simd.mul_f32s(moment, row[i]));
                }
            }
            let [[weight, ..], [moment, ..]] = self.factors[(off + farthest as i64) as usize];
            let (weight, moment) = (simd.splat_f32s(weight), simd.splat_f32s(moment));
            for i in 0..N {
                all[i] = simd.add_f32s(all[i], simd.mul_f32s(weight, plain[i]));
                all_z[i] = simd.add_f32s(all_z[i], simd.mul_f32s(moment, plain[i]));
                all_y[i] = simd.add_f32s(all_y[i], simd.mul_f32s(weight, times_y[i]));
            }
        }
        let (all, all_z, all_y) = (unpacked(simd, all), unpacked(simd, all_z), unpacked(simd, all_y));
        let count = (N * S::F32_LANES).min(2 * self.kernel.reach[2] + 1 - from);
        let first = farthest - self.kernel.reach[2] + from;
        for (i, &[weight, moment]) in self.factors[first..first + count].iter().enumerate() {
            let (weight, moment) = (f64::from(weight[2]), f64::from(moment[2]));
            sums.weight += weight * f64::from(all[i]);
            sums.moment[0] += weight * f64::from(all_z[i]);
            sums.moment[1] += weight * f64::from(all_y[i]);
            sums.moment[2] += moment * f64::from(all[i]);
        }
    }
}

/// The numbers in some vectors, one after the other.
#[inline(always)]
fn unpacked<S: Simd, const N: usize>(_: S, vectors: [S::f32s; N]) -> [f32; BLOCK] {
    let mut numbers = [0f32; BLOCK];
    for (to, from) in S::as_mut_simd_f32s(&mut numbers).0.iter_mut().zip(vectors) {
        *to = from;
    }
    numbers
}

/// `centre ± reach`, within `0..size`.
#[inline(always)]
fn clipped(centre: i64, reach: i64, size: usize) -> std::ops::Range<i64> {
    let start = (centre - reach).max(0);
    start..(centre + reach + 1).min(size as i64).max(start)
}

/// Write one side of the table: `value`, `value ratio`, `value ratio²`, ... times the kernel at whole offsets.
#[inline(always)]
fn fill<'a>(
    entries: impl Iterator<Item = &'a mut [[f32; AXES]; 2]>,
    at_whole: &[[f64; AXES]],
    mut value: [f64; AXES],
    ratio: [f64; AXES],
    mut offset: f64,
    step: f64,
    fraction: [f64; AXES],
) {
    for (entry, whole) in entries.zip(at_whole) {
        // One axis beside the other, in arrays of their own, or the compiler finds no vectors here.
        let (mut weight, mut moment) = ([0.0; AXES], [0.0; AXES]);
        for a in 0..AXES {
            weight[a] = value[a] * whole[a];
            moment[a] = weight[a] * (offset - fraction[a]);
            value[a] *= ratio[a];
        }
        offset += step;
        *entry = [singles(weight), singles(moment)];
    }
}

#[inline(always)]
fn singles([z, y, x, unused]: [f64; AXES]) -> [f32; AXES] {
    [z as f32, y as f32, x as f32, unused as f32]
}

/// `1 / n!` for n = 8 and 9, 6 and 7, ..., 0 and 1.
const INVERSE_FACTORIALS: [[f64; 2]; 5] = [
    [1.0 / 40_320.0, 1.0 / 362_880.0],
    [1.0 / 720.0, 1.0 / 5_040.0],
    [1.0 / 24.0, 1.0 / 120.0],
    [0.5, 1.0 / 6.0],
    [1.0, 1.0],
];

/// `exp` of each and of its negative, from -700 to 700, to 11 digits. The library's is scalar, and differs between
/// machines in the last digit.
#[inline(always)]
fn exponentials(of: [f64; AXES]) -> ([f64; AXES], [f64; AXES]) {
    /// 1.5 · 2^52: added to a number, it leaves the nearest whole one in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let (mut rest, mut square) = ([0.0; AXES], [0.0; AXES]);
    let (mut power, mut inverse) = ([0.0; AXES], [0.0; AXES]);
    for a in 0..AXES {
        let x = of[a].clamp(-700.0, 700.0);
        let whole = x * std::f64::consts::LOG2_E + ROUND;
        rest[a] = x - (whole - ROUND) * std::f64::consts::LN_2;
        square[a] = rest[a] * rest[a];
        power[a] = f64::from_bits(whole.to_bits().wrapping_add(1023) << 52);
        inverse[a] = f64::from_bits(1023_u64.wrapping_sub(whole.to_bits()) << 52);
    }
    let (mut even, mut odd) = ([0.0; AXES], [0.0; AXES]);
    for factor in INVERSE_FACTORIALS {
        for a in 0..AXES {
            even[a] = even[a] * square[a] + factor[0];
            odd[a] = odd[a] * square[a] + factor[1];
        }
    }
    for a in 0..AXES {
        power[a] *= even[a] + rest[a] * odd[a];
        inverse[a] *= even[a] - rest[a] * odd[a];
    }
    (power, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_library() {
        for i in -7000..=7000 {
            let x = f64::from(i) * 0.1;
            let (of, of_negative) = exponentials([0.0, 0.0, 0.0, x]);
            assert!((of[3] / x.exp() - 1.0).abs() < 1e-11, "{x}");
            assert!((of_negative[3] / (-x).exp() - 1.0).abs() < 1e-11, "{x}");
            assert_eq!(of[0], 1.0);
        }
        assert!(exponentials([-1e300; AXES]).0[0] < 1e-300);
    }
}
