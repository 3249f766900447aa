//! Mean shift: every dense voxel climbs to where the smoothed density has its maximum.
use ndarray::{ArrayView3, Axis};
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
    control.expect(start_zyx.len().div_ceil(CHUNK) as u64);
    let chunks: Vec<Vec<([f64; 3], f32)>> = start_zyx
        .par_chunks(CHUNK)
        .map(|starts| {
            let mut window = Window::new(&field, &kernel);
            let ends = starts.iter().map(|&start| {
                control.check()?;
                let at = climb(&mut window, start.map(f64::from), limits, control)?;
                Ok((at, window.sums(at).weight as f32 * field.scale()))
            });
            let ends = ends.collect::<Result<_>>()?;
            control.step()?;
            Ok(ends)
        })
        .collect::<Result<_>>()?;
    let (end_zyx, density) = chunks.into_iter().flatten().unzip();
    Ok(Shifted {
        start_zyx,
        end_zyx,
        density,
    })
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
    control.expect(points_zyx.len().div_ceil(CHUNK) as u64);
    let chunks: Vec<Vec<f32>> = points_zyx
        .par_chunks(CHUNK)
        .map(|points| {
            control.step()?;
            let mut window = Window::new(&field, &kernel);
            Ok(points
                .iter()
                .map(|&at| window.sums(at).weight as f32 * field.scale())
                .collect())
        })
        .collect::<Result<_>>()?;
    Ok(chunks.concat())
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

fn climb(window: &mut Window, start: [f64; 3], limits: Limits, control: &Control) -> Result<[f64; 3]> {
    let mut at = start;
    for step in 0..limits.max_steps {
        if step % 64 == 63 {
            control.check()?;
        }
        let sums = window.sums(at);
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
