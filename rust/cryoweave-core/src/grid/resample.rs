//! A map on another grid. Interpolation is separable, so each axis is done once for a whole slab or row.
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::frame::Frame;
use super::interpolate::{Order, Stencil, cubic, linear};
use super::{Solid, blend, shaped, zeroed};
use crate::control::Control;
use crate::error::Result;

/// What one axis of the new grid takes from the old: `None` where it lies outside.
struct Axis<const N: usize>(Vec<Option<Stencil<N>>>);

impl<const N: usize> Axis<N> {
    fn new(
        n: usize,
        position: impl Fn(usize) -> f64,
        old: usize,
        stencil: fn(f64, usize) -> Option<Stencil<N>>,
    ) -> Self {
        Self((0..n).map(|i| stencil(position(i), old)).collect())
    }

    /// First old index that is used, and one past the last.
    fn span(&self) -> (usize, usize) {
        let used = || self.0.iter().flatten().flat_map(|stencil| stencil.index);
        (used().min().unwrap_or(0), used().max().map_or(0, |last| last + 1))
    }
}

/// The density on `new_frame`; zero where that reaches beyond the map. Nothing is smoothed: to go to much larger
/// voxels, filter first.
pub fn resample(
    map: ArrayView3<f32>,
    frame: &Frame,
    new_frame: &Frame,
    order: Order,
    control: &Control,
) -> Result<Array3<f32>> {
    // Each axis depends on its own index only, so one walk along the diagonal gives the positions on all three.
    let position = |axis: usize| move |i: usize| frame.to_zyx(new_frame.to_xyz([i as f64; 3]))[axis];
    let positions = [position(0), position(1), position(2)];
    match order {
        Order::Linear => at_positions(map, new_frame.shape_zyx, positions, linear, control),
        Order::Cubic => at_positions(map, new_frame.shape_zyx, positions, cubic, control),
    }
}

/// Linear interpolation to half the voxel side: shape `2n - 1`, same origin, every second voxel unchanged.
pub fn upsample2(map: ArrayView3<f32>, control: &Control) -> Result<Array3<f32>> {
    let (nz, ny, nx) = map.dim();
    let shape = [nz, ny, nx].map(|n| (2 * n).saturating_sub(1));
    at_positions(map, shape, [|i: usize| i as f64 * 0.5; 3], linear, control)
}

fn at_positions<const N: usize>(
    map: ArrayView3<f32>,
    shape: [usize; 3],
    positions: [impl Fn(usize) -> f64; 3],
    stencil: fn(f64, usize) -> Option<Stencil<N>>,
    control: &Control,
) -> Result<Array3<f32>> {
    let mut out = zeroed::<f32>(shape)?;
    let old = Solid::finite(map, control)?;
    let [z, y, x] = positions;
    let axes = [
        Axis::new(shape[0], z, old.shape[0], stencil),
        Axis::new(shape[1], y, old.shape[1], stencil),
        Axis::new(shape[2], x, old.shape[2], stencil),
    ];
    let plane = shape[1] * shape[2];
    if plane > 0 {
        out.par_chunks_mut(plane)
            .enumerate()
            .try_for_each_init(Vec::new, |buffer, (z, slab)| {
                control.step()?;
                fill_slab(slab, &old, &axes, z, buffer);
                Ok(())
            })?;
    }
    shaped(shape, out)
}

/// One slab of the new map: blend old slabs, then old rows, then voxels of a row.
fn fill_slab<const N: usize>(out: &mut [f32], old: &Solid, axes: &[Axis<N>; 3], z: usize, buffer: &mut Vec<f32>) {
    let [along_z, along_y, along_x] = axes;
    let Some(Some(stencil)) = along_z.0.get(z) else { return };
    let nx = old.shape[2];
    let (first, end) = along_y.span();
    buffer.resize((end - first + 1) * nx, 0.0);
    let (row, slab) = buffer.split_at_mut(nx);
    blend(slab, &old.values, &taps(stencil, |k| k * old.plane() + first * nx));
    for (out, stencil) in out.chunks_exact_mut(along_x.0.len()).zip(&along_y.0) {
        let Some(stencil) = stencil else { continue };
        blend(row, slab, &taps(stencil, |j| (j - first) * nx));
        for (out, stencil) in out.iter_mut().zip(&along_x.0) {
            let Some(Stencil { index, weight }) = stencil else {
                continue;
            };
            *out = index
                .iter()
                .zip(weight)
                .map(|(&i, &weight)| weight as f32 * row[i])
                .sum();
        }
    }
}

/// The stencil's voxels as offsets into a slice.
fn taps<const N: usize>(stencil: &Stencil<N>, offset: impl Fn(usize) -> usize) -> [(usize, f32); N] {
    std::array::from_fn(|i| (offset(stencil.index[i]), stencil.weight[i] as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_frame_gives_the_same_map_and_a_far_one_gives_zeros() {
        let map = Array3::from_shape_fn((5, 6, 40), |(z, y, x)| ((z * 7 + y * 3 + x) % 11) as f32);
        let frame = Frame::new([5, 6, 40], [1.06, 0.7, 1.3], [3.0, -20.0, 11.0]).unwrap();
        let far = Frame::new([2, 2, 2], [1.0; 3], [1e6; 3]).unwrap();
        for order in [Order::Linear, Order::Cubic] {
            let same = resample(map.view(), &frame, &frame, order, &Control::default()).unwrap();
            assert!(same.iter().zip(&map).all(|(a, b)| (a - b).abs() < 1e-4));
            let none = resample(map.view(), &frame, &far, order, &Control::default()).unwrap();
            assert!(none.iter().all(|&value| value == 0.0));
        }
    }

    #[test]
    fn empty_maps_and_single_voxels_double() {
        assert_eq!(
            upsample2(Array3::zeros((0, 3, 1)).view(), &Control::default())
                .unwrap()
                .dim(),
            (0, 5, 1)
        );
        let one = Array3::from_elem((1, 1, 1), 2.0);
        assert_eq!(upsample2(one.view(), &Control::default()), Ok(one));
        let empty = Frame::new([0, 3, 3], [1.0; 3], [0.0; 3]).unwrap();
        let map = Array3::zeros((0, 3, 3));
        let new = Frame::new([3, 3, 3], [1.0; 3], [0.0; 3]).unwrap();
        assert_eq!(
            resample(map.view(), &empty, &new, Order::Cubic, &Control::default()),
            Ok(Array3::zeros((3, 3, 3)))
        );
    }

    #[test]
    fn cancelling_stops_it() {
        let control = Control::default();
        control.cancel();
        assert_eq!(
            upsample2(Array3::zeros((3, 3, 3)).view(), &control),
            Err(crate::error::Error::Cancelled)
        );
    }
}
