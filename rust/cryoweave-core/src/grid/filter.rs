//! Filters; beyond its border a map is taken to go on with its outermost voxels.
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::{Solid, blend, shaped, zeroed};
use crate::control::Control;
use crate::error::{Error, Result};

const TRUNCATE: f64 = 4.0;
const LARGEST_SIGMA: f64 = 1000.0;

/// Gaussian blur, cut off at 4 sigma; `sigma_zyx` in voxels, zero for an axis to leave alone.
pub fn gaussian(map: ArrayView3<f32>, sigma_zyx: [f64; 3], control: &Control) -> Result<Array3<f32>> {
    for value in sigma_zyx {
        if !(0.0..=LARGEST_SIGMA).contains(&value) {
            return Err(Error::Parameter {
                name: "sigma_zyx_voxels",
                rule: "between 0 and 1000 voxels",
                value,
            });
        }
    }
    let map = Solid::finite(map, control)?;
    let [_, ny, nx] = map.shape;
    let kernels = sigma_zyx.map(kernel);
    let mut out = zeroed::<f32>(map.shape)?;
    if !out.is_empty() {
        out.par_chunks_mut(ny * nx).enumerate().try_for_each_init(
            || (vec![0.0; ny * nx], vec![0.0; nx + kernels[2].len() - 1]),
            |(slab, row), (z, out)| {
                control.step()?;
                blur_slab(out, &map, &kernels, z, slab, row);
                Ok(())
            },
        )?;
    }
    shaped(map.shape, out)
}

/// Blur one slab along z into `slab`, then along y into `row`, then along x into `out`.
fn blur_slab(out: &mut [f32], map: &Solid, kernels: &[Vec<f32>; 3], z: usize, slab: &mut [f32], row: &mut [f32]) {
    let [nz, ny, nx] = map.shape;
    blend(slab, &map.values, &clamped_taps(&kernels[0], z, nz, ny * nx));
    let radius = kernels[2].len() / 2;
    let along_x: Vec<(usize, f32)> = kernels[2].iter().copied().enumerate().collect();
    for (y, out) in out.chunks_exact_mut(nx).enumerate() {
        blend(
            &mut row[radius..radius + nx],
            slab,
            &clamped_taps(&kernels[1], y, ny, nx),
        );
        let (first, last) = (row[radius], row[radius + nx - 1]);
        row[..radius].fill(first);
        row[radius + nx..].fill(last);
        blend(out, row, &along_x);
    }
}

/// Sampled and normalised Gaussian, from `-radius` to `radius`.
fn kernel(sigma: f64) -> Vec<f32> {
    if sigma <= 1e-9 {
        return vec![1.0];
    }
    let radius = (TRUNCATE * sigma + 0.5) as i32;
    let heights: Vec<f64> = (-radius..=radius)
        .map(|i| (-0.5 * (f64::from(i) / sigma).powi(2)).exp())
        .collect();
    let total: f64 = heights.iter().sum();
    heights.iter().map(|height| (height / total) as f32).collect()
}

/// The kernel around `centre` as offsets of `stride`; what falls outside is added to the border's own weight.
fn clamped_taps(kernel: &[f32], centre: usize, n: usize, stride: usize) -> Vec<(usize, f32)> {
    let radius = kernel.len() / 2;
    let mut taps: Vec<(usize, f32)> = Vec::with_capacity(kernel.len());
    for (i, &weight) in kernel.iter().enumerate() {
        let offset = (centre + i).saturating_sub(radius).min(n - 1) * stride;
        match taps.last_mut() {
            Some(last) if last.0 == offset => last.1 += weight,
            _ => taps.push((offset, weight)),
        }
    }
    taps
}

/// Sum of second derivatives from the six neighbours, in density per Å².
pub fn laplacian(map: ArrayView3<f32>, voxel_xyz: [f64; 3], control: &Control) -> Result<Array3<f32>> {
    for value in voxel_xyz {
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::Parameter {
                name: "voxel_xyz",
                rule: "positive and finite",
                value,
            });
        }
    }
    let [wx, wy, wz] = voxel_xyz.map(|side| (1.0 / (side * side)) as f32);
    let map = Solid::finite(map, control)?;
    let [nz, ny, nx] = map.shape;
    let mut out = zeroed::<f32>(map.shape)?;
    if !out.is_empty() {
        out.par_chunks_mut(ny * nx).enumerate().try_for_each(|(z, out)| {
            control.step()?;
            for (y, out) in out.chunks_exact_mut(nx).enumerate() {
                let along_z = (map.row(z.saturating_sub(1), y), map.row((z + 1).min(nz - 1), y), wz);
                let along_y = (map.row(z, y.saturating_sub(1)), map.row(z, (y + 1).min(ny - 1)), wy);
                laplacian_row(out, map.row(z, y), wx, along_z, along_y);
            }
            Ok(())
        })?;
    }
    shaped(map.shape, out)
}

type Pair<'a> = (&'a [f32], &'a [f32], f32);

fn laplacian_row(out: &mut [f32], centre: &[f32], wx: f32, along_z: Pair, along_y: Pair) {
    for (before, after, weight) in [along_z, along_y] {
        for (((out, c), b), a) in out.iter_mut().zip(centre).zip(before).zip(after) {
            *out += weight * ((b - c) + (a - c));
        }
    }
    // The border's missing neighbour equals the border itself, so each pair of neighbours adds its difference to both.
    let inner = out.iter_mut().skip(1).zip(centre.windows(3));
    for (out, window) in inner {
        *out += wx * ((window[0] - window[1]) + (window[2] - window[1]));
    }
    if let [first, second, ..] = centre {
        out[0] += wx * (second - first);
    }
    if let [.., before, last] = centre {
        out[centre.len() - 1] += wx * (before - last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_map_stays_and_has_no_curvature() {
        for shape in [(1, 1, 1), (2, 3, 4), (3, 1, 50)] {
            let map = Array3::from_elem(shape, 2.0);
            let blurred = gaussian(map.view(), [3.0, 0.0, 9.0], &Control::default()).unwrap();
            assert!(blurred.iter().all(|value| (value - 2.0).abs() < 1e-5));
            let curved = laplacian(map.view(), [1.0; 3], &Control::default()).unwrap();
            assert!(curved.iter().all(|&value| value == 0.0));
        }
    }

    #[test]
    fn empty_maps_pass_and_wrong_widths_do_not() {
        let empty = Array3::zeros((3, 0, 2));
        assert_eq!(gaussian(empty.view(), [1.0; 3], &Control::default()), Ok(empty.clone()));
        assert_eq!(
            laplacian(empty.view(), [1.0; 3], &Control::default()),
            Ok(empty.clone())
        );
        for sigma in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(gaussian(empty.view(), [sigma, 1.0, 1.0], &Control::default()).is_err());
        }
        assert!(laplacian(empty.view(), [0.0, 1.0, 1.0], &Control::default()).is_err());
    }

    #[test]
    fn the_first_nan_is_named() {
        let mut map = Array3::zeros((4, 4, 4));
        map[[3, 1, 2]] = f32::INFINITY;
        map[[1, 2, 3]] = f32::NAN;
        assert_eq!(
            gaussian(map.view(), [1.0; 3], &Control::default()),
            Err(Error::NotFinite([1, 2, 3]))
        );
    }
}
