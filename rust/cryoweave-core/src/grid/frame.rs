//! Where the voxels of a map are in space: the only place that turns (z, y, x) indices into xyz and back.
use crate::error::{Error, Result};

/// More voxels than this (64 GiB of float32) are taken for a mistake rather than allocated.
const MOST_VOXELS: usize = 1 << 34;

/// An orthogonal grid of voxels; voxel (0, 0, 0) has its centre at `origin_xyz`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Voxels along z, y and x.
    pub shape_zyx: [usize; 3],
    /// Voxel sides along x, y and z in Å.
    pub voxel_xyz: [f64; 3],
    /// Centre of voxel (0, 0, 0) in Å.
    pub origin_xyz: [f64; 3],
}

impl Frame {
    /// Refuses voxels that are not positive, origins that are not finite and shapes that no memory could hold.
    pub fn new(shape_zyx: [usize; 3], voxel_xyz: [f64; 3], origin_xyz: [f64; 3]) -> Result<Self> {
        for value in voxel_xyz {
            if !(value.is_finite() && value > 0.0) {
                return Err(parameter("voxel_xyz", "positive and finite", value));
            }
        }
        for value in origin_xyz {
            if !value.is_finite() {
                return Err(parameter("origin_xyz", "finite", value));
            }
        }
        check_shape(shape_zyx)?;
        Ok(Self {
            shape_zyx,
            voxel_xyz,
            origin_xyz,
        })
    }

    /// Fractional voxel index (z, y, x) of a point.
    pub fn to_zyx(&self, xyz: [f64; 3]) -> [f64; 3] {
        let index = |axis: usize| (xyz[axis] - self.origin_xyz[axis]) / self.voxel_xyz[axis];
        [index(2), index(1), index(0)]
    }

    /// Place in Å of a fractional voxel index (z, y, x).
    pub fn to_xyz(&self, zyx: [f64; 3]) -> [f64; 3] {
        let place = |axis: usize| self.origin_xyz[axis] + self.voxel_xyz[axis] * zyx[2 - axis];
        [place(0), place(1), place(2)]
    }

    /// Voxel sides in the order of the indices, for kernels that walk (z, y, x).
    pub fn voxel_zyx(&self) -> [f64; 3] {
        let [x, y, z] = self.voxel_xyz;
        [z, y, x]
    }

    /// Number of voxels.
    pub fn voxels(&self) -> usize {
        self.shape_zyx.iter().product()
    }
}

/// Refuses a shape whose product overflows or that is larger than any map.
pub(crate) fn check_shape(shape_zyx: [usize; 3]) -> Result<()> {
    let voxels = shape_zyx.iter().try_fold(1_usize, |all, &side| all.checked_mul(side));
    // A zero side hides the size of the others, which still have to fit when they are multiplied pairwise.
    let largest = shape_zyx.iter().copied().max().unwrap_or(0);
    match voxels {
        Some(voxels) if voxels <= MOST_VOXELS && largest <= MOST_VOXELS => Ok(()),
        _ => Err(parameter(
            "shape_zyx",
            "at most 2^34 voxels in all",
            shape_zyx.iter().map(|&side| side as f64).product(),
        )),
    }
}

fn parameter(name: &'static str, rule: &'static str, value: f64) -> Error {
    Error::Parameter { name, rule, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_and_places_are_each_others_inverse_with_axes_flipped() {
        let frame = Frame::new([4, 5, 6], [1.0, 2.0, 4.0], [10.0, 20.0, 30.0]).unwrap();
        assert_eq!(frame.to_xyz([1.0, 2.0, 3.0]), [13.0, 24.0, 34.0]);
        assert_eq!(frame.to_zyx([13.0, 24.0, 34.0]), [1.0, 2.0, 3.0]);
        assert_eq!(frame.voxel_zyx(), [4.0, 2.0, 1.0]);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert!(Frame::new([1, 1, 1], [0.0, 1.0, 1.0], [0.0; 3]).is_err());
        assert!(Frame::new([1, 1, 1], [f64::NAN, 1.0, 1.0], [0.0; 3]).is_err());
        assert!(Frame::new([1, 1, 1], [1.0; 3], [f64::INFINITY, 0.0, 0.0]).is_err());
        assert!(Frame::new([usize::MAX, 2, 1], [1.0; 3], [0.0; 3]).is_err());
        assert!(Frame::new([usize::MAX, 0, 1], [1.0; 3], [0.0; 3]).is_err());
        assert!(Frame::new([0, 0, 0], [1.0; 3], [0.0; 3]).is_ok());
    }
}
