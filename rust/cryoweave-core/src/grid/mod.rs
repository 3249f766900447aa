//! Maps on a regular grid: frames, interpolation, filters, resampling, masks and statistics.
use std::borrow::Cow;

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};

pub mod filter;
pub mod frame;
pub mod interpolate;
pub mod mask;
pub mod resample;
pub mod statistics;
pub mod vectors;

/// A map in C order, borrowed where it already is: kernels then walk plain slices.
pub(crate) struct Solid<'a> {
    values: Cow<'a, [f32]>,
    shape: [usize; 3],
}

impl<'a> Solid<'a> {
    fn new(map: ArrayView3<'a, f32>) -> Self {
        let (nz, ny, nx) = map.dim();
        let values = match map.to_slice() {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(map.iter().copied().collect()),
        };
        Self {
            values,
            shape: [nz, ny, nx],
        }
    }

    /// As [`Solid::new`], refusing a map that holds a NaN or an infinity; names the first in raster order.
    pub(crate) fn finite(map: ArrayView3<'a, f32>, control: &Control) -> Result<Self> {
        let solid = Self::new(map);
        let slabs = solid.values.par_chunks(solid.plane().max(1)).enumerate();
        let bad = slabs.find_first(|(_, slab)| control.check().is_err() || has_not_finite(slab));
        control.check()?;
        match bad.and_then(|(z, slab)| Some((z, slab.iter().position(|value| !value.is_finite())?))) {
            Some((z, at)) => Err(Error::NotFinite([z, at / solid.shape[2], at % solid.shape[2]])),
            None => Ok(solid),
        }
    }

    /// Voxels of one slab.
    fn plane(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// One row of voxels along x.
    fn row(&self, z: usize, y: usize) -> &[f32] {
        let start = (z * self.shape[1] + y) * self.shape[2];
        &self.values[start..start + self.shape[2]]
    }
}

/// Whether any value is NaN or infinite; without a branch for each value, so that it runs as vector code.
fn has_not_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    values
        .iter()
        .fold(false, |bad, value| bad | (value.to_bits() & EXPONENT == EXPONENT))
}

/// `out[i] = Σ weight · source[offset + i]`, the one loop that every separable filter here is made of.
pub(crate) fn blend(out: &mut [f32], source: &[f32], taps: &[(usize, f32)]) {
    const LANES: usize = 32;
    let n = out.len();
    if n < LANES {
        for (i, value) in out.iter_mut().enumerate() {
            *value = taps.iter().map(|&(offset, weight)| weight * source[offset + i]).sum();
        }
        return;
    }
    let mut start = 0;
    while start < n {
        // The last block overlaps the one before it rather than leaving a scalar tail.
        let at = start.min(n - LANES);
        let mut sum = [0_f32; LANES];
        for &(offset, weight) in taps {
            for (sum, value) in sum.iter_mut().zip(&source[offset + at..][..LANES]) {
                *sum += weight * value;
            }
        }
        out[at..at + LANES].copy_from_slice(&sum);
        start += LANES;
    }
}

/// The values of a new map, all zero; an error rather than an abort where memory does not suffice.
pub(crate) fn zeroed<T: Clone + Default>(shape: [usize; 3]) -> Result<Vec<T>> {
    frame::check_shape(shape)?;
    let voxels = shape.iter().product();
    let mut probe = Vec::<T>::new();
    // `vec!` below gets untouched zero pages, which reserving and filling would not; so ask first, then take.
    if probe.try_reserve_exact(voxels).is_err() {
        return Err(Error::Parameter {
            name: "shape_zyx",
            rule: "small enough for the memory",
            value: voxels as f64,
        });
    }
    drop(std::hint::black_box(probe));
    Ok(vec![T::default(); voxels])
}

/// Values in raster order as a map.
pub(crate) fn shaped<T>(shape: [usize; 3], values: Vec<T>) -> Result<Array3<T>> {
    let given = values.len();
    Array3::from_shape_vec(shape, values).map_err(|_| Error::Length {
        what: "a shape and its voxels differ in number",
        left: shape.iter().product(),
        right: given,
    })
}

/// Refuses points with a NaN or infinite coordinate; names the first.
pub(crate) fn check_points(points: &[[f64; 3]]) -> Result<()> {
    match points
        .iter()
        .position(|point| point.iter().any(|value| !value.is_finite()))
    {
        Some(index) => Err(Error::PointNotFinite(index)),
        None => Ok(()),
    }
}
