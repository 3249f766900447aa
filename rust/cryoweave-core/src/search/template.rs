//! A template on a small grid of its own, read row by row under any rotation.
use pulp::{Arch, Simd, WithSimd};

use crate::error::{Error, Result};

/// Reading stays this far inside of the outermost voxels, so that rounding never leads out of the grid.
const EDGE: f32 = 1e-3;

/// What is to be found in a map: one or several channels on a small grid, zero at its rim.
pub struct Template {
    /// Values of all channels of a voxel side by side, voxels in the order (z, y, x).
    values: Vec<f32>,
    channels: usize,
    shape: [usize; 3],
    voxel_xyz: [f64; 3],
    centre_zyx: [f64; 3],
    radius: f64,
    /// The channels are the x, y and z components of vectors, which turn with the template.
    vectors: bool,
}

/// A template in one orientation over the voxels of a target.
pub(super) struct Turned<'a> {
    template: &'a Template,
    /// Steps in the template's grid (z, y, x) for one voxel of the target along its x, y and z.
    steps: [[f32; 3]; 3],
    rotation: [[f32; 3]; 3],
    /// Å, of the target.
    voxel_xyz: [f32; 3],
}

impl Template {
    /// A template from values in the order (channel, z, y, x).
    ///
    /// The rotation's centre is at the (fractional) voxel `centre_zyx`.
    pub fn new(
        values: &[f32],
        shape: [usize; 3],
        voxel_xyz: [f64; 3],
        centre_zyx: [f64; 3],
        vectors: bool,
    ) -> Result<Self> {
        let voxels: usize = shape.iter().product();
        if shape.iter().any(|&side| side < 2) {
            return Err(Error::Empty("a template needs at least two voxels along each axis"));
        }
        if values.is_empty() || values.len() % voxels != 0 {
            return Err(Error::Length {
                what: "a template's values are no whole number of channels",
                left: values.len(),
                right: voxels,
            });
        }
        let channels = values.len() / voxels;
        if channels > 3 {
            return Err(Error::Parameter {
                name: "the number of a template's channels",
                rule: "1 to 3",
                value: channels as f64,
            });
        }
        if vectors && channels != 3 {
            return Err(Error::Length {
                what: "vectors have three components",
                left: channels,
                right: 3,
            });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let voxel = at % voxels;
            let [_, ny, nx] = shape;
            return Err(Error::NotFinite([voxel / (ny * nx), voxel / nx % ny, voxel % nx]));
        }
        for (name, value) in voxel_xyz.map(|side| ("template voxel", side)) {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Parameter {
                    name,
                    rule: "positive and finite",
                    value,
                });
            }
        }
        if let Some(value) = centre_zyx.into_iter().find(|value| !value.is_finite()) {
            return Err(Error::Parameter {
                name: "the template's centre",
                rule: "finite",
                value,
            });
        }
        let mut mixed = vec![0.0; values.len()];
        for (channel, from) in values.chunks_exact(voxels).enumerate() {
            for (to, value) in mixed.iter_mut().skip(channel).step_by(channels).zip(from) {
                *to = *value;
            }
        }
        Ok(Self {
            values: mixed,
            channels,
            shape,
            voxel_xyz,
            centre_zyx,
            radius: radius(values, shape, voxel_xyz, centre_zyx),
            vectors,
        })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Å from the centre beyond which the template is zero everywhere.
    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// The template turned by a rotation (of its xyz onto the target's), to be read with the target's voxels.
    pub(super) fn turned(&self, rotation: &[[f64; 3]; 3], voxel_xyz: [f64; 3]) -> Turned<'_> {
        // An offset o in the target is the offset R⁻¹ o in the template.
        let steps = std::array::from_fn(|along: usize| {
            std::array::from_fn(|axis: usize| {
                (rotation[along][2 - axis] * voxel_xyz[along] / self.voxel_xyz[2 - axis]) as f32
            })
        });
        Turned {
            template: self,
            steps,
            rotation: rotation.map(|row| row.map(|value| value as f32)),
            voxel_xyz: voxel_xyz.map(|side| side as f32),
        }
    }
}

/// Distance of the farthest voxel that is not zero, and one voxel's diagonal: so far reading between voxels reaches.
fn radius(values: &[f32], [nz, ny, nx]: [usize; 3], voxel_xyz: [f64; 3], centre_zyx: [f64; 3]) -> f64 {
    let square = |axis: usize, at: usize| ((at as f64 - centre_zyx[axis]) * voxel_xyz[2 - axis]).powi(2);
    let mut farthest = 0.0_f64;
    for (row, line) in values.chunks_exact(nx).enumerate() {
        let (z, y) = (row / ny % nz, row % ny);
        let ends = [
            line.iter().position(|&v| v != 0.0),
            line.iter().rposition(|&v| v != 0.0),
        ];
        for x in ends.into_iter().flatten() {
            farthest = farthest.max(square(0, z) + square(1, y) + square(2, x));
        }
    }
    farthest.sqrt() + voxel_xyz.iter().map(|side| side * side).sum::<f64>().sqrt()
}

impl Turned<'_> {
    /// Write what lies in the row at the offset (z, y) voxels from the centre, of a cyclic box of `n` voxels.
    ///
    /// The offset along x of the first value and how many there are, or none if nothing of the template lies there.
    pub(super) fn row(&self, z: f32, y: f32, n: usize, rows: &mut [Vec<f32>]) -> Option<(i32, usize)> {
        let [by_x, by_y, by_z] = &self.steps;
        let start: [f32; 3] =
            std::array::from_fn(|axis| self.template.centre_zyx[axis] as f32 + z * by_z[axis] + y * by_y[axis]);
        let half = n as f32 / 2.0;
        let (mut low, mut high) = ((-half).ceil() + f32::from(n % 2 == 0), half.floor());
        let [vx, vy, vz] = self.voxel_xyz;
        let chord = (self.template.radius as f32).powi(2) - (z * vz).powi(2) - (y * vy).powi(2);
        if chord < 0.0 {
            return None;
        }
        let reach = chord.sqrt() / vx;
        low = low.max((-reach).ceil());
        high = high.min(reach.floor());
        for axis in 0..3 {
            let last = (self.template.shape[axis] - 1) as f32 - EDGE;
            if by_x[axis].abs() < 1e-9 {
                if start[axis] < EDGE || start[axis] > last {
                    return None;
                }
                continue;
            }
            let (a, b) = ((EDGE - start[axis]) / by_x[axis], (last - start[axis]) / by_x[axis]);
            low = low.max(a.min(b).ceil());
            high = high.min(a.max(b).floor());
        }
        if low > high {
            return None;
        }
        let (low, many) = (low as i32, (high - low) as usize + 1);
        let arch = Arch::new();
        let mut parts = rows.iter_mut().filter_map(|row| row.get_mut(..many));
        match (self.template.channels, parts.next(), parts.next(), parts.next()) {
            (1, Some(a), ..) => arch.dispatch(self.part(start, low, [a])),
            (2, Some(a), Some(b), _) => arch.dispatch(self.part(start, low, [a, b])),
            (3, Some(a), Some(b), Some(c)) => arch.dispatch(self.part(start, low, [a, b, c])),
            _ => return None,
        }
        Some((low, many))
    }

    fn part<'a, const C: usize>(&'a self, start: [f32; 3], first: i32, rows: [&'a mut [f32]; C]) -> Part<'a, C> {
        Part {
            turned: self,
            start,
            first,
            rows,
        }
    }
}

/// Voxels of a row that follow each other from the offset `first` on.
struct Part<'a, const C: usize> {
    turned: &'a Turned<'a>,
    start: [f32; 3],
    first: i32,
    rows: [&'a mut [f32]; C],
}

impl<const C: usize> WithSimd for Part<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let template = self.turned.template;
        let by_x = self.turned.steps[0];
        let [_, ny, nx] = template.shape.map(|side| side as i32);
        let most = template.shape.map(|side| side as i32 - 2);
        let (row, plane) = (nx as usize * C, (ny * nx) as usize * C);
        for i in 0..self.rows[0].len() {
            let offset = (self.first + i as i32) as f32;
            let place: [f32; 3] = std::array::from_fn(|axis| self.start[axis] + offset * by_x[axis]);
            let below: [i32; 3] = std::array::from_fn(|axis| (place[axis] as i32).min(most[axis]));
            let [tz, ty, tx]: [f32; 3] = std::array::from_fn(|axis| place[axis] - below[axis] as f32);
            let first = ((below[0] * ny + below[1]) * nx + below[2]) as usize * C;
            let line = |from: usize| -> [f32; C] {
                let Some(both) = template.values.get(from..from + 2 * C) else {
                    return [0.0; C];
                };
                std::array::from_fn(|c| both[c] + tx * (both[C + c] - both[c]))
            };
            let (a, b) = (line(first), line(first + row));
            let (c, d) = (line(first + plane), line(first + plane + row));
            let mut value: [f32; C] = std::array::from_fn(|i| {
                let (near, far) = (a[i] + ty * (b[i] - a[i]), c[i] + ty * (d[i] - c[i]));
                near + tz * (far - near)
            });
            if template.vectors {
                let along = value;
                for (axis, value) in value.iter_mut().enumerate() {
                    *value = (0..C).map(|k| self.turned.rotation[axis][k] * along[k]).sum();
                }
            }
            for (row, value) in self.rows.iter_mut().zip(value) {
                row[i] = value;
            }
        }
    }
}
