//! Density and its gradient at points between voxels.
use ndarray::ArrayView3;
use rayon::prelude::*;

use super::frame::Frame;
use super::{Solid, check_points};
use crate::control::Control;
use crate::error::{Error, Result};

/// A point this far outside of the voxel centres (in voxels) is taken to be on the border: rounding puts it there.
const EDGE: f64 = 1e-6;
const POINTS_PER_BLOCK: usize = 2048;

/// How to interpolate between voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Trilinear: 8 voxels.
    Linear,
    /// Tricubic by Catmull-Rom splines: 64 voxels, with a continuous gradient; passes through the voxels' values.
    Cubic,
}

/// The voxels that one axis contributes to a point, and their weights.
#[derive(Clone, Copy)]
pub(crate) struct Stencil<const N: usize> {
    pub(crate) index: [usize; N],
    pub(crate) weight: [f64; N],
}

/// The voxel below a position and the fraction beyond it; `None` outside of the voxel centres.
#[inline]
fn locate(position: f64, n: usize) -> Option<(usize, f64)> {
    let last = n.checked_sub(1)?;
    if !(position >= -EDGE && position <= last as f64 + EDGE) {
        return None;
    }
    let position = position.clamp(0.0, last as f64);
    let below = (position as usize).min(last);
    Some((below, position - below as f64))
}

pub(crate) fn linear(position: f64, n: usize) -> Option<Stencil<2>> {
    let (below, t) = locate(position, n)?;
    Some(Stencil {
        index: [below, (below + 1).min(n - 1)],
        weight: [1.0 - t, t],
    })
}

pub(crate) fn cubic(position: f64, n: usize) -> Option<Stencil<4>> {
    let (below, t) = locate(position, n)?;
    let weight = [
        ((2.0 - t) * t - 1.0) * t * 0.5,
        ((3.0 * t - 5.0) * t * t + 2.0) * 0.5,
        ((4.0 - 3.0 * t) * t + 1.0) * t * 0.5,
        (t - 1.0) * t * t * 0.5,
    ];
    Some(Stencil {
        index: around(below, n),
        weight,
    })
}

/// As [`cubic`], with the derivatives of the weights by the position.
fn cubic_and_slope(position: f64, n: usize) -> Option<(Stencil<4>, [f64; 4])> {
    let (_, t) = locate(position, n)?;
    let slope = [
        ((4.0 - 3.0 * t) * t - 1.0) * 0.5,
        (9.0 * t - 10.0) * t * 0.5,
        ((8.0 - 9.0 * t) * t + 1.0) * 0.5,
        (3.0 * t - 2.0) * t * 0.5,
    ];
    Some((cubic(position, n)?, slope))
}

/// The four voxels around a position, clamped at the border.
fn around(below: usize, n: usize) -> [usize; 4] {
    [
        below.saturating_sub(1),
        below,
        (below + 1).min(n - 1),
        (below + 2).min(n - 1),
    ]
}

#[inline]
fn axes<T>(position: [f64; 3], shape: [usize; 3], stencil: impl Fn(f64, usize) -> Option<T>) -> Option<[T; 3]> {
    Some([
        stencil(position[0], shape[0])?,
        stencil(position[1], shape[1])?,
        stencil(position[2], shape[2])?,
    ])
}

/// Density at points; `outside` for points beyond the centres of the outermost voxels.
///
/// Only voxels that a point touches are asked to be finite, so that few points cost little on a large map.
pub fn interpolate(
    map: ArrayView3<f32>,
    frame: &Frame,
    points: &[[f64; 3]],
    order: Order,
    outside: f32,
    control: &Control,
) -> Result<Vec<f32>> {
    match order {
        Order::Linear => at_points(map, frame, points, outside, control, linear),
        Order::Cubic => at_points(map, frame, points, outside, control, cubic),
    }
}

fn at_points<const N: usize>(
    map: ArrayView3<f32>,
    frame: &Frame,
    points: &[[f64; 3]],
    outside: f32,
    control: &Control,
    stencil: impl Fn(f64, usize) -> Option<Stencil<N>> + Sync,
) -> Result<Vec<f32>> {
    let density = |map: &Solid, point| match axes(frame.to_zyx(point), map.shape, &stencil) {
        Some(axes) => touched(map, &axes, weighted(map, &axes) as f32),
        None => Ok(outside),
    };
    each_point(map, points, control, outside, density)
}

/// Gradient of the tricubic density at points, per Å along x, y and z; zero outside of the voxel centres.
pub fn gradient(map: ArrayView3<f32>, frame: &Frame, points: &[[f64; 3]], control: &Control) -> Result<Vec<[f64; 3]>> {
    let slope = |map: &Solid, point| {
        let Some((_, by_axis)) = value_and_gradient(map, frame, point) else {
            return Ok([0.0; 3]);
        };
        let sum = by_axis.iter().sum::<f64>() as f32;
        if let (false, Some(axes)) = (sum.is_finite(), axes(frame.to_zyx(point), map.shape, cubic)) {
            touched(map, &axes, sum)?;
        }
        Ok(by_axis)
    };
    each_point(map, points, control, [0.0; 3], slope)
}

/// Tricubic density at a point and its gradient (per Å along x, y, z); `None` outside of the voxel centres.
pub(crate) fn value_and_gradient(map: &Solid, frame: &Frame, point: [f64; 3]) -> Option<(f64, [f64; 3])> {
    let [(z, by_z), (y, by_y), (x, by_x)] = &axes(frame.to_zyx(point), map.shape, cubic_and_slope)?;
    let (mut plain, mut along_y, mut along_z) = ([0.0; 4], [0.0; 4], [0.0; 4]);
    for (k, &by_z) in by_z.iter().enumerate() {
        let (mut plane, mut plane_along_y) = ([0.0; 4], [0.0; 4]);
        for (j, &by_y) in by_y.iter().enumerate() {
            let voxels = row_of_voxels(map, z.index[k], y.index[j], x);
            add(&mut plane, y.weight[j], &voxels);
            add(&mut plane_along_y, by_y, &voxels);
        }
        add(&mut plain, z.weight[k], &plane);
        add(&mut along_y, z.weight[k], &plane_along_y);
        add(&mut along_z, by_z, &plane);
    }
    let slope = [
        dot(&plain, by_x) / frame.voxel_xyz[0],
        dot(&along_y, &x.weight) / frame.voxel_xyz[1],
        dot(&along_z, &x.weight) / frame.voxel_xyz[2],
    ];
    Some((dot(&plain, &x.weight), slope))
}

/// Trilinear density at a point; `None` outside of the voxel centres.
pub(crate) fn trilinear(map: &Solid, frame: &Frame, point: [f64; 3]) -> Option<f64> {
    Some(weighted(map, &axes(frame.to_zyx(point), map.shape, linear)?))
}

/// Run `value` at every point, in fixed blocks.
fn each_point<T: Copy + Send + Sync>(
    map: ArrayView3<f32>,
    points: &[[f64; 3]],
    control: &Control,
    blank: T,
    value: impl Fn(&Solid, [f64; 3]) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    check_points(points)?;
    let map = Solid::new(map);
    let mut out = vec![blank; points.len()];
    let blocks = out
        .par_chunks_mut(POINTS_PER_BLOCK)
        .zip(points.par_chunks(POINTS_PER_BLOCK));
    let failures: Vec<Option<Error>> = blocks
        .map(|(out, points)| {
            let mut fill = || -> Result<()> {
                control.check()?;
                for (out, &point) in out.iter_mut().zip(points) {
                    *out = value(&map, point)?;
                }
                Ok(())
            };
            fill().err()
        })
        .collect();
    // The first block's error, so that the message does not depend on the number of threads.
    match failures.into_iter().flatten().next() {
        Some(error) => Err(error),
        None => Ok(out),
    }
}

/// The voxels that a point touches under their weights.
#[inline]
fn weighted<const N: usize>(map: &Solid, [z, y, x]: &[Stencil<N>; 3]) -> f64 {
    let mut columns = [0.0; N];
    for k in 0..N {
        for j in 0..N {
            let voxels = row_of_voxels(map, z.index[k], y.index[j], x);
            add(&mut columns, z.weight[k] * y.weight[j], &voxels);
        }
    }
    dot(&columns, &x.weight)
}

/// The voxels of one row that a point touches; handed over through memory, they would take half as long again.
#[inline(always)]
fn row_of_voxels<const N: usize>(map: &Solid, z: usize, y: usize, x: &Stencil<N>) -> [f64; N] {
    let row = map.row(z, y);
    let first = x.index[0];
    if first + N == x.index[N - 1] + 1 {
        let mut values = [0.0; N];
        for (value, &voxel) in values.iter_mut().zip(&row[first..first + N]) {
            *value = f64::from(voxel);
        }
        return values;
    }
    x.index.map(|i| f64::from(row[i]))
}

#[inline]
fn add<const N: usize>(sums: &mut [f64; N], weight: f64, values: &[f64; N]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `value`, unless one of the voxels it was made from is not finite.
fn touched<const N: usize>(map: &Solid, [z, y, x]: &[Stencil<N>; 3], value: f32) -> Result<f32> {
    if value.is_finite() {
        return Ok(value);
    }
    for &k in &z.index {
        for &j in &y.index {
            for &i in &x.index {
                if !map.row(k, j)[i].is_finite() {
                    return Err(Error::NotFinite([k, j, i]));
                }
            }
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn unit(shape: [usize; 3]) -> Frame {
        Frame::new(shape, [1.0; 3], [0.0; 3]).unwrap()
    }

    #[test]
    fn both_orders_pass_through_the_voxels_and_keep_to_the_border() {
        let map = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 100 + y * 10 + x) as f32);
        let points = [
            [4.0, 3.0, 2.0],
            [4.0 + 1e-9, 3.0, 2.0],
            [4.1, 3.0, 2.0],
            [0.0, -0.1, 0.0],
        ];
        for order in [Order::Linear, Order::Cubic] {
            let found = interpolate(map.view(), &unit([3, 4, 5]), &points, order, -7.0, &Control::default()).unwrap();
            assert_eq!(found, [234.0, 234.0, -7.0, -7.0]);
        }
    }

    #[test]
    fn a_single_voxel_and_no_voxels() {
        let one = Array3::from_elem((1, 1, 1), 3.0);
        let at = |map: &Array3<f32>, order| {
            let (nz, ny, nx) = map.dim();
            interpolate(
                map.view(),
                &unit([nz, ny, nx]),
                &[[0.0; 3]],
                order,
                9.0,
                &Control::default(),
            )
        };
        assert_eq!(at(&one, Order::Cubic), Ok(vec![3.0]));
        assert_eq!(at(&one, Order::Linear), Ok(vec![3.0]));
        assert_eq!(at(&Array3::zeros((0, 2, 2)), Order::Linear), Ok(vec![9.0]));
        assert_eq!(
            gradient(one.view(), &unit([1, 1, 1]), &[[0.0; 3]], &Control::default()),
            Ok(vec![[0.0; 3]])
        );
    }

    #[test]
    fn only_a_touched_nan_is_refused() {
        let mut map = Array3::zeros((4, 4, 4));
        map[[3, 3, 3]] = f32::NAN;
        let at = |point| {
            interpolate(
                map.view(),
                &unit([4; 3]),
                &[point],
                Order::Linear,
                0.0,
                &Control::default(),
            )
        };
        assert_eq!(at([0.5; 3]), Ok(vec![0.0]));
        assert_eq!(at([2.5; 3]), Err(Error::NotFinite([3, 3, 3])));
        assert_eq!(at([f64::NAN; 3]), Err(Error::PointNotFinite(0)));
    }
}
