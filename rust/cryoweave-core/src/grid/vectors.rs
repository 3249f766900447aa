//! Which way density lies: the mean-shift vector of each point of a grid, as a direction.
use ndarray::{Array3, Array4, ArrayView3};
use rayon::prelude::*;

use super::frame::Frame;
use super::{Solid, blend, shaped, zeroed};
use crate::control::Control;
use crate::error::{Error, Result};

/// The kernel is `exp(-FALL (2 d / bandwidth)²)`, cut off at a box of half side `REACH` bandwidths.
const FALL: f64 = 1.5;
const REACH: f64 = 2.0;
/// A shift shorter than this (bandwidths) is rounding: it has no direction.
const NO_SHIFT: f64 = 1e-6;

/// Directions and the smoothed density that they were taken from, on one grid.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorField {
    /// Unit vectors as xyz, `(nz, ny, nx, 3)`; zero where there is no density, or none to go to.
    pub vectors: Array4<f32>,
    /// Kernel-weighted sum of density; zero where there is no vector.
    pub density: Array3<f32>,
}

/// Unit vectors from each point `x` of `out` towards the mean `m` of the voxels around it, each weighted by
/// `rho exp(-1.5 d² / (bandwidth/2)²)`.
///
/// Density at or below `threshold` (and below zero) counts as none, and a point whose nearest voxel has none has no
/// vector. `bandwidth` in Å. The weights separate, so each axis is summed once: `D = GGG rho` and the moments
/// `D (m - x)` with one `G` replaced by the kernel times the distance along that axis.
pub fn unit_vectors(
    map: ArrayView3<f32>,
    frame: &Frame,
    bandwidth: f64,
    threshold: f32,
    out: &Frame,
    control: &Control,
) -> Result<VectorField> {
    check(bandwidth, threshold)?;
    if <[usize; 3]>::from(map.dim()) != frame.shape_zyx {
        return Err(Error::Length {
            what: "a shape and its voxels differ in number",
            left: frame.voxels(),
            right: map.len(),
        });
    }
    let source = Source {
        values: thresholded(map, threshold, control)?,
        shape: frame.shape_zyx,
        axes: [0, 1, 2].map(|axis| taps(frame, out, axis, bandwidth)),
    };
    let mut density = zeroed::<f32>(out.shape_zyx)?;
    let mut vectors = vec![0.0; 3 * density.len()];
    let [nz, ny, nx] = out.shape_zyx;
    let plane = ny * nx;
    if plane > 0 {
        control.expect(nz as u64);
        let slabs = density.par_chunks_mut(plane).zip(vectors.par_chunks_mut(3 * plane));
        slabs
            .enumerate()
            .try_for_each_init(Buffers::default, |buffers, (z, (density, vectors))| {
                control.step()?;
                source.slab(z, buffers, density, vectors, NO_SHIFT * bandwidth, control)
            })?;
    }
    let given = vectors.len();
    let vectors = Array4::from_shape_vec([nz, ny, nx, 3], vectors).map_err(|_| Error::Length {
        what: "a shape and its vectors differ in number",
        left: 3 * out.voxels(),
        right: given,
    })?;
    Ok(VectorField {
        vectors,
        density: shaped(out.shape_zyx, density)?,
    })
}

fn check(bandwidth: f64, threshold: f32) -> Result<()> {
    if !(bandwidth.is_finite() && bandwidth > 0.0) {
        return Err(Error::Parameter {
            name: "bandwidth",
            rule: "positive and finite",
            value: bandwidth,
        });
    }
    if !threshold.is_finite() {
        return Err(Error::Parameter {
            name: "threshold",
            rule: "finite",
            value: threshold.into(),
        });
    }
    Ok(())
}

/// The map in raster order, zero at and below the threshold.
fn thresholded(map: ArrayView3<f32>, threshold: f32, control: &Control) -> Result<Vec<f32>> {
    let solid = Solid::finite(map, control)?;
    let least = threshold.max(0.0);
    let kept = |&value: &f32| if value > least { value } else { 0.0 };
    Ok(solid.values.par_iter().map(kept).collect())
}

/// What one point along an axis of the new grid takes from the old voxels `first..first + weight.len()`.
struct Taps {
    first: usize,
    weight: Vec<f32>,
    /// The weight times the distance in Å.
    moment: Vec<f32>,
    /// The voxel in which the point lies.
    nearest: Option<usize>,
}

impl Taps {
    /// As offsets of `stride` for [`blend`].
    fn strided<'a>(&'a self, heights: &'a [f32], stride: usize) -> impl Iterator<Item = (usize, f32)> + 'a {
        heights
            .iter()
            .enumerate()
            .map(move |(i, &height)| ((self.first + i) * stride, height))
    }
}

fn taps(frame: &Frame, out: &Frame, axis: usize, bandwidth: f64) -> Vec<Taps> {
    let (n, side) = (frame.shape_zyx[axis], frame.voxel_zyx()[axis]);
    let reach = REACH * bandwidth / side;
    let one = |i: usize| {
        // Each axis depends on its own index only.
        let at = frame.to_zyx(out.to_xyz([i as f64; 3]))[axis];
        let span = super::mask::span(at, reach, n);
        let distance = |j: usize| (j as f64 - at) * side;
        let height = |d: f64| (-FALL * (2.0 * d / bandwidth).powi(2)).exp();
        Taps {
            first: span.start,
            weight: span.clone().map(|j| height(distance(j)) as f32).collect(),
            moment: span.map(|j| (height(distance(j)) * distance(j)) as f32).collect(),
            nearest: Some((at + 0.5).floor())
                .filter(|&voxel| voxel >= 0.0 && voxel < n as f64)
                .map(|voxel| voxel as usize),
        }
    };
    (0..out.shape_zyx[axis]).map(one).collect()
}

struct Source {
    values: Vec<f32>,
    shape: [usize; 3],
    axes: [Vec<Taps>; 3],
}

/// Sums along z (of a slab) and along z and y (of a row); kept between slabs.
#[derive(Default)]
struct Buffers {
    /// Weight, and moment along z.
    slabs: [Vec<f32>; 2],
    /// Weight, moment along y, moment along z.
    rows: [Vec<f32>; 3],
    taps: Vec<(usize, f32)>,
}

impl Source {
    fn slab(
        &self,
        z: usize,
        buffers: &mut Buffers,
        density: &mut [f32],
        vectors: &mut [f32],
        no_shift: f64,
        control: &Control,
    ) -> Result<()> {
        let [_, ny, nx] = self.shape;
        let along_z = &self.axes[0][z];
        if along_z.nearest.is_none() {
            return Ok(());
        }
        let Buffers { slabs, rows, taps } = buffers;
        for (slab, heights) in slabs.iter_mut().zip([&along_z.weight, &along_z.moment]) {
            slab.resize(ny * nx, 0.0);
            refill(taps, along_z.strided(heights, ny * nx));
            blend(slab, &self.values, taps);
        }
        let out = self.axes[2].len();
        let places = density.chunks_exact_mut(out).zip(vectors.chunks_exact_mut(3 * out));
        for (along_y, (density, vectors)) in self.axes[1].iter().zip(places) {
            control.check()?;
            let (Some(z), Some(y)) = (along_z.nearest, along_y.nearest) else {
                continue;
            };
            let sums = [
                (&slabs[0], &along_y.weight),
                (&slabs[0], &along_y.moment),
                (&slabs[1], &along_y.weight),
            ];
            for (row, (slab, heights)) in rows.iter_mut().zip(sums) {
                row.resize(nx, 0.0);
                refill(taps, along_y.strided(heights, nx));
                blend(row, slab, taps);
            }
            let here = &self.values[(z * ny + y) * nx..][..nx];
            self.row(here, rows, density, vectors, no_shift);
        }
        Ok(())
    }

    /// Sum along x, and make directions.
    fn row(&self, here: &[f32], rows: &[Vec<f32>; 3], density: &mut [f32], vectors: &mut [f32], no_shift: f64) {
        for (x, along_x) in self.axes[2].iter().enumerate() {
            if along_x.nearest.is_none_or(|voxel| here[voxel] <= 0.0) {
                continue;
            }
            let sum = |row: &[f32], heights: &[f32]| -> f64 {
                let places = row[along_x.first..].iter().zip(heights);
                places
                    .map(|(&value, &height)| f64::from(value) * f64::from(height))
                    .sum()
            };
            let total = sum(&rows[0], &along_x.weight);
            let shift = [
                sum(&rows[0], &along_x.moment) / total,
                sum(&rows[1], &along_x.weight) / total,
                sum(&rows[2], &along_x.weight) / total,
            ];
            let length = shift.iter().map(|along| along * along).sum::<f64>().sqrt();
            density[x] = total as f32;
            if length > no_shift {
                for (component, along) in vectors[3 * x..3 * x + 3].iter_mut().zip(shift) {
                    *component = (along / length) as f32;
                }
            }
        }
    }
}

fn refill<T>(table: &mut Vec<T>, values: impl Iterator<Item = T>) {
    table.clear();
    table.extend(values);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> (Frame, Frame) {
        let frame = Frame::new([9, 10, 40], [2.0, 1.5, 1.0], [1.0, -2.0, 3.0]).unwrap();
        let out = Frame::new([6, 7, 12], [4.0, 3.5, 3.0], [-1.0, -3.0, 1.0]).unwrap();
        (frame, out)
    }

    fn some_map(frame: &Frame) -> Array3<f32> {
        Array3::from_shape_fn(frame.shape_zyx, |(z, y, x)| {
            ((7 * z + 5 * y + 3 * x + z * x) % 11) as f32 - 4.0
        })
    }

    /// The formula as it stands, voxel by voxel.
    fn slow(map: &Array3<f32>, frame: &Frame, bandwidth: f64, threshold: f32, at: [f64; 3]) -> ([f64; 3], f64) {
        let (mut total, mut moment) = (0.0, [0.0; 3]);
        for ((z, y, x), &value) in map.indexed_iter() {
            let place = frame.to_xyz([z as f64, y as f64, x as f64]);
            let d = [0, 1, 2].map(|axis| place[axis] - at[axis]);
            if value > threshold && d.iter().all(|along| along.abs() <= 2.0 * bandwidth) {
                let d2: f64 = d.iter().map(|along| along * along).sum();
                let weight = f64::from(value) * (-1.5 * d2 / (0.5 * bandwidth).powi(2)).exp();
                total += weight;
                (0..3).for_each(|axis| moment[axis] += weight * d[axis]);
            }
        }
        let length = moment.iter().map(|m| m * m).sum::<f64>().sqrt();
        (moment.map(|m| m / length), total)
    }

    #[test]
    fn it_is_the_sum_over_all_voxels() {
        let (frame, out) = frames();
        let map = some_map(&frame);
        let field = unit_vectors(map.view(), &frame, 4.0, 1.0, &out, &Control::default()).unwrap();
        let mut seen = 0;
        for ((z, y, x), &density) in field.density.indexed_iter() {
            let at = out.to_xyz([z as f64, y as f64, x as f64]);
            let nearest = frame.to_zyx(at).map(|i| (i + 0.5).floor());
            let inside = (0..3).all(|axis| nearest[axis] >= 0.0 && nearest[axis] < frame.shape_zyx[axis] as f64);
            let dense = inside && map[nearest.map(|i| i as usize)] > 1.0;
            if !dense {
                assert_eq!(density, 0.0);
                continue;
            }
            let (direction, total) = slow(&map, &frame, 4.0, 1.0, at);
            assert!((f64::from(density) / total - 1.0).abs() < 1e-5);
            for (axis, along) in direction.into_iter().enumerate() {
                assert!((f64::from(field.vectors[[z, y, x, axis]]) - along).abs() < 1e-4);
            }
            seen += 1;
        }
        assert!(seen > 50);
    }

    #[test]
    fn a_lone_voxel_and_nothing_have_no_direction() {
        let frame = Frame::new([5, 5, 5], [1.0; 3], [0.0; 3]).unwrap();
        let mut map = Array3::zeros((5, 5, 5));
        let empty = unit_vectors(map.view(), &frame, 4.0, 0.0, &frame, &Control::default()).unwrap();
        assert!(empty.density.iter().chain(&empty.vectors).all(|&value| value == 0.0));
        map[[2, 2, 2]] = 1.0;
        let lone = unit_vectors(map.view(), &frame, 4.0, 0.0, &frame, &Control::default()).unwrap();
        assert!(lone.vectors.iter().all(|&value| value == 0.0));
        assert_eq!(lone.density.iter().filter(|&&value| value > 0.0).count(), 1);
    }

    #[test]
    fn wrong_input_is_refused() {
        let (frame, out) = frames();
        let map = some_map(&frame);
        let run = |map: &Array3<f32>, bandwidth, threshold| {
            unit_vectors(map.view(), &frame, bandwidth, threshold, &out, &Control::default())
        };
        assert!(run(&map, 0.0, 0.0).is_err());
        assert!(run(&map, f64::NAN, 0.0).is_err());
        assert!(run(&map, 4.0, f32::NAN).is_err());
        assert!(run(&Array3::zeros((2, 2, 2)), 4.0, 0.0).is_err());
        let control = Control::default();
        control.cancel();
        assert_eq!(
            unit_vectors(map.view(), &frame, 4.0, 0.0, &out, &control),
            Err(Error::Cancelled)
        );
    }
}
