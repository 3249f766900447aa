//! Mean shift: every dense voxel climbs to where the smoothed density has its maximum.
use ndarray::{ArrayView3, Axis};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::window::{Field, Kernel, Window};
use crate::control::Control;
use crate::error::{Error, Result};

/// Positions that one worker takes at a time.
const CHUNK: usize = 256;

/// When a climb ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A climb that leaves this ellipsoid (voxels, by axis) around its start stops where it is.
    pub max_shift_voxels: [f64; 3],
    /// A climb has arrived when the square of its last step, in voxels², is below this.
    pub tolerance: f64,
    /// No climb takes more steps.
    pub max_steps: usize,
}

/// Where each climb began and ended.
#[derive(Debug, Default, PartialEq)]
pub struct Shifted {
    /// Voxels above the threshold, in raster order.
    pub start_zyx: Vec<[i32; 3]>,
    /// Where each ended, in voxels.
    pub end_zyx: Vec<[f64; 3]>,
    /// Kernel-weighted sum of density there.
    pub density: Vec<f32>,
}

/// Let every voxel above `threshold` climb by mean shift with a Gaussian kernel `exp(-6 Σ (d / bandwidth)²)`.
///
/// Density below zero counts as zero. `bandwidth_voxels` is by axis (z, y, x).
pub fn mean_shift(
    map: ArrayView3<f32>,
    threshold: f32,
    bandwidth_voxels: [f64; 3],
    limits: Limits,
    control: &Control,
) -> Result<Shifted> {
    check(threshold, limits)?;
    let kernel = Kernel::new(bandwidth_voxels, map.dim())?;
    let field = Field::new(map, kernel.reach_x(), control)?;
    let start_zyx = above(map, threshold.max(0.0), control)?;
    let (end_zyx, density) = climbs(&field, &kernel, &start_zyx, limits, control)?.unzip();
    Ok(Shifted {
        start_zyx,
        end_zyx,
        density,
    })
}

/// Let given positions (voxels, by axis z, y, x) climb as [`mean_shift`] does, and tell the density where each arrives.
pub fn climb_from(
    map: ArrayView3<f32>,
    starts_zyx: &[[f64; 3]],
    bandwidth_voxels: [f64; 3],
    limits: Limits,
    control: &Control,
) -> Result<(Vec<[f64; 3]>, Vec<f32>)> {
    check(0.0, limits)?;
    let kernel = Kernel::new(bandwidth_voxels, map.dim())?;
    let field = Field::new(map, kernel.reach_x(), control)?;
    if let Some(row) = starts_zyx.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
        return Err(Error::PointNotFinite(row));
    }
    Ok(climbs(&field, &kernel, starts_zyx, limits, control)?.unzip())
}

/// Kernel-weighted sums of density at given positions (voxels, by axis z, y, x); density below zero counts as zero.
pub fn kernel_density(
    map: ArrayView3<f32>,
    points_zyx: &[[f64; 3]],
    bandwidth_voxels: [f64; 3],
    control: &Control,
) -> Result<Vec<f32>> {
    let kernel = Kernel::new(bandwidth_voxels, map.dim())?;
    let field = Field::new(map, kernel.reach_x(), control)?;
    if let Some(row) = points_zyx.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
        return Err(Error::PointNotFinite(row));
    }
    let stay = Limits {
        max_shift_voxels: [f64::INFINITY; 3],
        tolerance: f64::INFINITY,
        max_steps: 0,
    };
    let ends = climbs(&field, &kernel, points_zyx, stay, control)?;
    Ok(ends.map(|(_, density)| density).collect())
}

/// Where climbs from given positions end, and the density there.
fn climbs<T: Copy + Into<f64> + Sync>(
    field: &Field,
    kernel: &Kernel,
    starts: &[[T; 3]],
    limits: Limits,
    control: &Control,
) -> Result<impl Iterator<Item = ([f64; 3], f32)>> {
    control.expect(starts.len().div_ceil(CHUNK) as u64);
    let arch = Arch::new();
    let chunks: Vec<Vec<_>> = starts
        .par_chunks(CHUNK)
        .map(|starts| {
            let climbs = Climbs {
                window: Window::new(field, kernel),
                starts,
                limits,
                control,
            };
            let ends = arch.dispatch(climbs)?;
            control.step()?;
            Ok(ends)
        })
        .collect::<Result<_>>()?;
    Ok(chunks.into_iter().flatten())
}

/// The climbs of one worker, compiled once for each set of vector instructions. They give the same numbers: lanes are
/// summed apart, and nothing fuses a product with a sum.
struct Climbs<'a, T> {
    window: Window<'a>,
    starts: &'a [[T; 3]],
    limits: Limits,
    control: &'a Control,
}

impl<T: Copy + Into<f64>> WithSimd for Climbs<'_, T> {
    type Output = Result<Vec<([f64; 3], f32)>>;

    /// Whatever is not inlined into this is compiled for the oldest processor.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> Self::Output {
        let mut ends = Vec::with_capacity(self.starts.len());
        for &[z, y, x] in self.starts {
            self.control.check()?;
            let start = [z.into(), y.into(), x.into()];
            let at = climb(simd, &mut self.window, start, self.limits, self.control)?;
            ends.push((at, self.window.density(simd, at)));
        }
        Ok(ends)
    }
}

fn check(threshold: f32, limits: Limits) -> Result<()> {
    if !threshold.is_finite() {
        return Err(Error::Parameter {
            name: "threshold",
            rule: "finite",
            value: threshold.into(),
        });
    }
    for value in limits.max_shift_voxels {
        if value.is_nan() || value <= 0.0 {
            return Err(Error::Parameter {
                name: "max_shift_voxels",
                rule: "positive",
                value,
            });
        }
    }
    if limits.tolerance.is_nan() || limits.tolerance <= 0.0 {
        return Err(Error::Parameter {
            name: "tolerance",
            rule: "positive",
            value: limits.tolerance,
        });
    }
    Ok(())
}

fn above(map: ArrayView3<f32>, threshold: f32, control: &Control) -> Result<Vec<[i32; 3]>> {
    let slabs: Vec<Vec<[i32; 3]>> = (0..map.dim().0)
        .into_par_iter()
        .map(|z| {
            control.check()?;
            let slab = map.index_axis(Axis(0), z);
            let dense = slab.indexed_iter().filter(|&(_, &value)| value > threshold);
            Ok(dense.map(|((y, x), _)| [z as i32, y as i32, x as i32]).collect())
        })
        .collect::<Result<_>>()?;
    Ok(slabs.concat())
}

#[inline(always)]
fn climb<S: Simd>(
    simd: S,
    window: &mut Window,
    start: [f64; 3],
    limits: Limits,
    control: &Control,
) -> Result<[f64; 3]> {
    let mut at = start;
    for step in 0..limits.max_steps {
        if step % 64 == 63 {
            control.check()?;
        }
        let sums = window.sums(simd, at);
        if sums.weight <= 0.0 {
            break;
        }
        let (mut length, mut shift) = (0.0, 0.0);
        for axis in 0..3 {
            let move_by = sums.moment[axis] / sums.weight;
            at[axis] += move_by;
            length += move_by * move_by;
            shift += ((at[axis] - start[axis]) / limits.max_shift_voxels[axis]).powi(2);
        }
        if length < limits.tolerance || shift > 1.0 {
            break;
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    const LIMITS: Limits = Limits {
        max_shift_voxels: [10.0; 3],
        tolerance: 0.001,
        max_steps: 10_000,
    };

    #[test]
    fn a_lone_voxel_stays() {
        let mut map = Array3::zeros((5, 6, 7));
        map[[0, 5, 6]] = 2.0;
        let found = mean_shift(map.view(), 0.5, [3.0; 3], LIMITS, &Control::default()).unwrap();
        assert_eq!(found.start_zyx, vec![[0, 5, 6]]);
        assert!(
            found.end_zyx[0]
                .iter()
                .zip([0.0, 5.0, 6.0])
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
        assert_eq!(found.density, vec![2.0]);
    }

    #[test]
    fn empty_maps_and_far_points_give_nothing() {
        let none = Array3::zeros((0, 4, 4));
        let control = Control::default();
        assert_eq!(
            mean_shift(none.view(), 0.5, [3.0; 3], LIMITS, &control),
            Ok(Shifted::default())
        );
        assert_eq!(
            kernel_density(none.view(), &[[0.0; 3]], [3.0; 3], &control),
            Ok(vec![0.0])
        );
        let map = Array3::ones((2, 2, 2));
        let far = [[1e300, 0.0, 0.0], [0.0, -40.0, 0.0]];
        assert_eq!(kernel_density(map.view(), &far, [3.0; 3], &control), Ok(vec![0.0, 0.0]));
    }

    #[test]
    fn without_vector_instructions_it_gives_the_same() {
        // Windows of 3, 11, 17, 33 and 71 voxels: every number of vectors, and more than one block.
        for bandwidth in [0.6, 3.0, 4.5, 9.0, 20.0] {
            let map = Array3::from_shape_fn((9, 10, 40), |(z, y, x)| ((7 * z + 5 * y + 3 * x) % 11) as f32);
            let kernel = Kernel::new([2.0, 3.0, bandwidth], map.dim()).unwrap();
            let control = Control::default();
            let field = Field::new(map.view(), kernel.reach_x(), &control).unwrap();
            let starts: Vec<[i32; 3]> = (0..40).map(|i| [i % 9, i % 10, i]).collect();
            let climbs = || Climbs {
                window: Window::new(&field, &kernel),
                starts: &starts,
                limits: LIMITS,
                control: &control,
            };
            assert_eq!(Arch::Scalar.dispatch(climbs()), Arch::new().dispatch(climbs()));
        }
    }

    #[test]
    fn a_cancel_stops_it() {
        let control = Control::default();
        control.cancel();
        let map = Array3::ones((4, 4, 4));
        assert_eq!(
            mean_shift(map.view(), 0.5, [3.0; 3], LIMITS, &control),
            Err(Error::Cancelled)
        );
    }
}
