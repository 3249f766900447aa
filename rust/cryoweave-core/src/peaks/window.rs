//! Gaussian-weighted sums of density around any position of a map: what mean shift and kernel density are made of.
//!
//! The kernel is `exp(-6 Σ (d / bandwidth)²)`, i.e. `exp(-1.5 r² / fs)` with `fs = (bandwidth / 2)²`. It is a product of
//! three tables, one per axis. Within a row of voxels all x are weighed alike in z and y, so the sums over z and y are
//! kept per x, side by side, and x is weighed once at the end.
use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};

/// Twice the bandwidth is where the window ends by definition, and 6 standard deviations (1.73 bandwidths) is where what
/// is beyond, < 1e-7 of the kernel's weight, is lost in float32: the smaller serves.
const REACH_IN_BANDWIDTHS: f64 = 1.732_050_807_568_877_2;

/// Rows are read in blocks of this many voxels.
const WIDE: usize = 16;
const NARROW: usize = 8;

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
        let stride = nx + 2 * pad + WIDE;
        let mut values = vec![0f32; nz * ny * stride];
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

    /// What a sum over this field must be multiplied with to be in the map's own units.
    pub(super) fn scale(&self) -> f32 {
        self.scale
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
    steepness: [f64; 3],
    /// `exp(-steepness i²)` for i from 0 to the reach.
    at_whole: [Vec<f64>; 3],
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
        let reach = std::array::from_fn(|a| ((cut[a] + 0.5) as usize).min(most[a]));
        let steepness = bandwidth.map(|b| 6.0 / (b * b));
        let at_whole = std::array::from_fn(|a| {
            (0..=reach[a])
                .map(|i: usize| (-steepness[a] * (i as f64) * (i as f64)).exp())
                .collect()
        });
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
    /// Per axis, for each offset from -reach: the kernel, and the kernel times the distance from the position.
    weight: [Vec<f32>; 3],
    moment: [Vec<f32>; 3],
}

impl<'a> Window<'a> {
    pub(super) fn new(field: &'a Field, kernel: &'a Kernel) -> Self {
        let width = |a: usize| 2 * kernel.reach[a] + 1 + if a == 2 { WIDE } else { 0 };
        let empty = || std::array::from_fn(|a| vec![0f32; width(a)]);
        Self {
            field,
            kernel,
            centre: [0; 3],
            weight: empty(),
            moment: empty(),
        }
    }

    /// Sum around a position in voxels; nothing where the window does not touch the map.
    #[inline(always)]
    pub(super) fn sums(&mut self, at: [f64; 3]) -> Sums {
        for (axis, &at) in at.iter().enumerate() {
            let last = self.field.shape[axis] as f64 - 1.0;
            // Outside of the map, the window of the nearest voxel holds all that the position's own does.
            let nearest = (at + 0.5).floor().min(last).max(0.0);
            let fraction = at - nearest;
            if last < 0.0 || fraction.abs() > self.kernel.cut[axis] + 0.5 {
                return Sums::default();
            }
            self.centre[axis] = nearest as i64;
            self.tabulate(axis, fraction);
        }
        let width = 2 * self.kernel.reach[2] + 1;
        let mut sums = Sums::default();
        let mut from = 0;
        while from < width {
            if width - from > NARROW {
                self.block::<WIDE>(from, &mut sums);
                from += WIDE;
            } else {
                self.block::<NARROW>(from, &mut sums);
                from += NARROW;
            }
        }
        sums
    }

    /// `exp(-s (i - f)²) = exp(-s f²) exp(2 s f)^i exp(-s i²)`: two exponentials an axis, whatever its length.
    #[inline(always)]
    fn tabulate(&mut self, axis: usize, fraction: f64) {
        let steepness = self.kernel.steepness[axis];
        let reach = self.kernel.reach[axis];
        let ratio = (2.0 * steepness * fraction).exp();
        let inverse = 1.0 / ratio;
        let here = (-steepness * fraction * fraction).exp();
        let (mut up, mut down) = (here, here);
        let (weight, moment) = (&mut self.weight[axis], &mut self.moment[axis]);
        for (i, whole) in self.kernel.at_whole[axis].iter().enumerate() {
            let distance = i as f64;
            let (above, below) = (up * whole, down * whole);
            weight[reach + i] = above as f32;
            moment[reach + i] = (above * (distance - fraction)) as f32;
            weight[reach - i] = below as f32;
            moment[reach - i] = (below * (-distance - fraction)) as f32;
            up *= ratio;
            down *= inverse;
        }
    }

    /// The voxels of the window whose x offset is in `from..from + L`.
    #[inline(always)]
    fn block<const L: usize>(&self, from: usize, sums: &mut Sums) {
        let field = self.field;
        // The centre lies in the map and the padding is as wide as the reach, so this is not negative.
        let first_x = self.centre[2] as usize + from + field.pad - self.kernel.reach[2];
        let (mut all, mut all_z, mut all_y) = ([0f32; L], [0f32; L], [0f32; L]);
        for z in clipped(self.centre[0], self.kernel.reach[0] as i64, field.shape[0]) {
            let off = z - self.centre[0];
            let (mut plain, mut times_y) = ([0f32; L], [0f32; L]);
            let rows = clipped(
                self.centre[1],
                self.kernel.reach_y[off.unsigned_abs() as usize],
                field.shape[1],
            );
            let first_weight = (rows.start - self.centre[1] + self.kernel.reach[1] as i64) as usize;
            let count = (rows.end - rows.start).max(0) as usize;
            let begin = ((z as usize) * field.shape[1] + rows.start as usize) * field.stride + first_x;
            let slab = field.values[begin..].chunks(field.stride).take(count);
            let weights = self.weight[1][first_weight..]
                .iter()
                .zip(&self.moment[1][first_weight..]);
            for (row, (&weight, &moment)) in slab.zip(weights) {
                let Some(row) = row.first_chunk::<L>() else { continue };
                for lane in 0..L {
                    plain[lane] += weight * row[lane];
                    times_y[lane] += moment * row[lane];
                }
            }
            let slot = (off + self.kernel.reach[0] as i64) as usize;
            let (weight, moment) = (self.weight[0][slot], self.moment[0][slot]);
            for lane in 0..L {
                all[lane] += weight * plain[lane];
                all_z[lane] += moment * plain[lane];
                all_y[lane] += weight * times_y[lane];
            }
        }
        for lane in 0..L {
            let (weight, moment) = (
                f64::from(self.weight[2][from + lane]),
                f64::from(self.moment[2][from + lane]),
            );
            sums.weight += weight * f64::from(all[lane]);
            sums.moment[0] += weight * f64::from(all_z[lane]);
            sums.moment[1] += weight * f64::from(all_y[lane]);
            sums.moment[2] += moment * f64::from(all[lane]);
        }
    }
}

/// `centre ± reach`, within `0..size`.
#[inline(always)]
fn clipped(centre: i64, reach: i64, size: usize) -> std::ops::Range<i64> {
    let start = (centre - reach).max(0);
    start..(centre + reach + 1).min(size as i64).max(start)
}
