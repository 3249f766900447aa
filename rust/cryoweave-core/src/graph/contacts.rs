//! Who touches whom: edges between groups of voxels that lie side by side.
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};

const CHUNK: usize = 16_384;
const NOBODY: i32 = -1;

/// Pairs of owners of which any two voxels are 26-neighbours, as `i < j`, sorted, each once.
///
/// Voxels (z, y, x) lie in a map of the given shape and are distinct; those with a negative owner play no part.
pub fn contact_edges(
    voxels_zyx: &[[i32; 3]],
    owner: &[i32],
    shape: [usize; 3],
    control: &Control,
) -> Result<Vec<[i32; 2]>> {
    same_length("voxels and owners differ in length", voxels_zyx.len(), owner.len())?;
    let outside = |v: &[i32; 3]| (0..3).any(|a| usize::try_from(v[a]).map_or(true, |i| i >= shape[a]));
    if let Some(row) = voxels_zyx.iter().position(outside) {
        return Err(Error::Row {
            what: "a voxel lies outside of the map",
            row,
        });
    }
    let labels = Labels::new(voxels_zyx, owner)?;
    control.expect(voxels_zyx.len().div_ceil(CHUNK) as u64);
    let chunks: Vec<Vec<u64>> = voxels_zyx
        .par_chunks(CHUNK)
        .zip(owner.par_chunks(CHUNK))
        .map(|(voxels, owners)| {
            control.step()?;
            let mut keys = Vec::new();
            for (&voxel, &owner) in voxels.iter().zip(owners).filter(|&(_, &owner)| owner >= 0) {
                labels.contacts(voxel, owner, &mut keys);
            }
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        })
        .collect::<Result<_>>()?;
    let mut keys = chunks.concat();
    keys.par_sort_unstable();
    keys.dedup();
    Ok(keys
        .into_iter()
        .map(|key| [(key >> 32) as i32, key as u32 as i32])
        .collect())
}

/// The owner of every voxel of the box around all listed voxels, with an empty layer around it.
struct Labels {
    owner: Vec<i32>,
    low: [i32; 3],
    strides: [usize; 3],
    /// Half of the 26 neighbours: the other half sees the pair from the other side.
    forward: [usize; 13],
}

impl Labels {
    fn new(voxels: &[[i32; 3]], owner: &[i32]) -> Result<Self> {
        let mut low = [i32::MAX; 3];
        let mut high = [0; 3];
        for voxel in voxels {
            for a in 0..3 {
                low[a] = low[a].min(voxel[a]);
                high[a] = high[a].max(voxel[a]);
            }
        }
        let size = |a: usize| {
            if voxels.is_empty() {
                3
            } else {
                (high[a] - low[a]) as usize + 3
            }
        };
        let strides = [size(1) * size(2), size(2), 1];
        let mut forward = [0; 13];
        for (slot, code) in forward.iter_mut().zip(14..27usize) {
            // From the middle of a 3 × 3 × 3 cube onwards; the offset is positive, whatever its parts.
            *slot = (code / 9) * strides[0] + (code / 3 % 3) * strides[1] + code % 3 - (strides[0] + strides[1] + 1);
        }
        let mut labels = Self {
            owner: vec![NOBODY; size(0) * strides[0]],
            low,
            strides,
            forward,
        };
        for (row, (&voxel, &owner)) in voxels
            .iter()
            .zip(owner)
            .enumerate()
            .filter(|(_, (_, owner))| **owner >= 0)
        {
            let at = labels.place(voxel);
            if labels.owner[at] != NOBODY {
                return Err(Error::Row {
                    what: "a voxel is listed twice",
                    row,
                });
            }
            labels.owner[at] = owner;
        }
        Ok(labels)
    }

    fn place(&self, voxel: [i32; 3]) -> usize {
        (0..3)
            .map(|a| ((voxel[a] - self.low[a]) as usize + 1) * self.strides[a])
            .sum()
    }

    fn contacts(&self, voxel: [i32; 3], owner: i32, keys: &mut Vec<u64>) {
        let at = self.place(voxel);
        for offset in self.forward {
            let other = self.owner[at + offset];
            if other != NOBODY && other != owner {
                let key = ((owner.min(other) as u64) << 32) | owner.max(other) as u64;
                // Neighbours mostly repeat the pair just seen.
                if keys.last() != Some(&key) {
                    keys.push(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_touch_and_borders_do_not_wrap() {
        let voxels = [[0, 0, 0], [1, 1, 1], [0, 0, 3], [0, 1, 0]];
        let edges = contact_edges(&voxels, &[5, 2, 7, -1], [2, 2, 4], &Control::default());
        assert_eq!(edges, Ok(vec![[2, 5]]));
        assert_eq!(contact_edges(&[], &[], [0; 3], &Control::default()), Ok(vec![]));
    }

    #[test]
    fn repeats_and_strays_are_refused() {
        let control = Control::default();
        assert!(contact_edges(&[[0, 0, 0], [0, 0, 0]], &[1, 2], [1, 1, 1], &control).is_err());
        assert!(contact_edges(&[[0, 0, 1]], &[1], [1, 1, 1], &control).is_err());
        assert!(contact_edges(&[[0, -1, 0]], &[1], [1, 1, 1], &control).is_err());
    }
}
