//! Voxels higher than all their neighbours.
use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};

/// Voxels that exceed `threshold` and all of their 26 neighbours, as (z, y, x), in raster order.
///
/// Of a plateau, the first voxel in raster order is kept, so the result does not depend on the number of threads.
/// Border voxels are compared with the neighbours that exist.
pub fn local_maxima(map: ArrayView3<f32>, threshold: f32, control: &Control) -> Result<Vec<[i32; 3]>> {
    let slabs: Vec<Vec<[i32; 3]>> = (0..map.dim().0)
        .into_par_iter()
        .map(|z| {
            control.check()?;
            maxima_in_slab(map, z, threshold)
        })
        .collect::<Result<_>>()?;
    Ok(slabs.concat())
}

fn maxima_in_slab(map: ArrayView3<f32>, z: usize, threshold: f32) -> Result<Vec<[i32; 3]>> {
    let mut found = Vec::new();
    for ((y, x), &value) in map.index_axis(Axis(0), z).indexed_iter() {
        if !value.is_finite() {
            return Err(Error::NotFinite([z, y, x]));
        }
        if value > threshold && is_peak(map, [z, y, x]) {
            found.push([z as i32, y as i32, x as i32]);
        }
    }
    Ok(found)
}

fn is_peak(map: ArrayView3<f32>, at: [usize; 3]) -> bool {
    let value = map[at];
    neighbours(map.dim(), at).all(|other| map[other] < value || (map[other] == value && other > at))
}

fn neighbours((nz, ny, nx): (usize, usize, usize), [z, y, x]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let span = |i: usize, n: usize| i.saturating_sub(1)..(i + 2).min(n);
    span(z, nz)
        .flat_map(move |k| span(y, ny).flat_map(move |j| span(x, nx).map(move |i| [k, j, i])))
        .filter(move |&other| other != [z, y, x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn a_plateau_gives_one_peak() {
        let mut map = Array3::zeros((5, 5, 5));
        map[[2, 2, 2]] = 1.0;
        map[[2, 2, 3]] = 1.0;
        assert_eq!(local_maxima(map.view(), 0.5, &Control::default()), Ok(vec![[2, 2, 2]]));
    }

    #[test]
    fn a_nan_is_refused_with_its_place() {
        let mut map = Array3::zeros((3, 3, 3));
        map[[1, 0, 2]] = f32::NAN;
        assert_eq!(
            local_maxima(map.view(), 0.5, &Control::default()),
            Err(Error::NotFinite([1, 0, 2]))
        );
    }
}
