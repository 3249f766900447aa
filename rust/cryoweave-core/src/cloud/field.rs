//! How well a moved cloud's directions follow a field of vectors, and the nearest motion with which they do so best.
use ndarray::ArrayView4;
use rayon::prelude::*;

use super::{Motion, positive};
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::check_points;
use crate::grid::frame::Frame;
use crate::vector::{dot, minus, norm};

/// The search ends when its steps are shorter than this share of the first.
const FINEST: f64 = 1.0 / 64.0;
const MOST_ROUNDS: usize = 200;

/// Vectors on a grid, as xyz, between which is interpolated linearly; none beyond it.
pub struct VectorGrid<'a> {
    /// With a rim of zeros, so that no neighbour is missing.
    cells: Vec<[f32; 3]>,
    shape: [usize; 3],
    frame: &'a Frame,
}

impl<'a> VectorGrid<'a> {
    /// `vectors` is `(nz, ny, nx, 3)` on the frame.
    pub fn new(vectors: ArrayView4<f32>, frame: &'a Frame) -> Result<Self> {
        let [nz, ny, nx] = frame.shape_zyx;
        if vectors.dim() != (nz, ny, nx, 3) {
            return same_length("vectors and voxels differ in number", vectors.len(), 3 * frame.voxels())
                .and(Err(Error::Empty("vectors must lie as (z, y, x, 3) on the frame")));
        }
        let shape = frame.shape_zyx.map(|n| n + 2);
        let mut cells = vec![[0.0; 3]; shape.iter().product()];
        for ((z, y, x, axis), &value) in vectors.indexed_iter() {
            if !value.is_finite() {
                return Err(Error::Empty("the field holds a vector that is not finite"));
            }
            cells[((z + 1) * shape[1] + y + 1) * shape[2] + x + 1][axis] = value;
        }
        Ok(Self { cells, shape, frame })
    }

    fn at(&self, point: [f64; 3]) -> [f64; 3] {
        let place = self.frame.to_zyx(point);
        let inside = |axis: usize| place[axis] > -1.0 && place[axis] < (self.shape[axis] - 2) as f64;
        if !(inside(0) && inside(1) && inside(2)) {
            return [0.0; 3];
        }
        // Above -1 after the shift by the rim, so that truncation rounds down.
        let low = place.map(|at| (at + 1.0) as usize);
        let part = [0, 1, 2].map(|axis| (place[axis] + 1.0 - low[axis] as f64) as f32);
        let along_x = |z: usize, y: usize| {
            let first = ((low[0] + z) * self.shape[1] + low[1] + y) * self.shape[2] + low[2];
            between(self.cells[first], self.cells[first + 1], part[2])
        };
        let along_y = |z: usize| between(along_x(z, 0), along_x(z, 1), part[1]);
        between(along_y(0), along_y(1), part[0]).map(f64::from)
    }
}

fn between(a: [f32; 3], b: [f32; 3], part: f32) -> [f32; 3] {
    [0, 1, 2].map(|axis| a[axis] + part * (b[axis] - a[axis]))
}

/// Points with directions.
#[derive(Clone, Copy)]
pub struct Directed<'a> {
    points: &'a [[f64; 3]],
    normals: &'a [[f64; 3]],
}

impl<'a> Directed<'a> {
    /// As many points as directions, at least one, all finite.
    pub fn new(points: &'a [[f64; 3]], normals: &'a [[f64; 3]]) -> Result<Self> {
        check_points(points)?;
        check_points(normals)?;
        same_length("points and normals differ in number", points.len(), normals.len())?;
        if points.is_empty() {
            return Err(Error::Empty("a cloud has no points"));
        }
        Ok(Self { points, normals })
    }

    /// Mean of the cosines between the turned directions and the field where the points go.
    fn score(&self, field: &VectorGrid, motion: &Motion) -> f64 {
        let one = |(&point, &normal): (&[f64; 3], &[f64; 3])| dot(motion.turn(normal), field.at(motion.apply(point)));
        let total: f64 = self.points.iter().zip(self.normals).map(one).sum();
        total / self.points.len() as f64
    }

    fn centre(&self) -> [f64; 3] {
        let n = self.points.len() as f64;
        [0, 1, 2].map(|axis| self.points.iter().map(|p| p[axis]).sum::<f64>() / n)
    }
}

/// The mean product of the cloud's directions and the field, from -1 to 1, for each motion.
pub fn field_scores(field: &VectorGrid, cloud: Directed, motions: &[Motion], control: &Control) -> Result<Vec<f64>> {
    motions.iter().try_for_each(Motion::check)?;
    control.expect(motions.len() as u64);
    motions
        .par_iter()
        .map(|motion| {
            control.step()?;
            Ok(cloud.score(field, motion))
        })
        .collect()
}

/// Each motion brought to where its score, see [`field_scores`], has a maximum, by trying steps along and turns about the
/// axes through the cloud's centre, `step` Å (at the cloud's own radius) at first and halved where none helps.
pub fn field_ascent(
    field: &VectorGrid,
    cloud: Directed,
    motions: &[Motion],
    step: f64,
    control: &Control,
) -> Result<Vec<(Motion, f64)>> {
    motions.iter().try_for_each(Motion::check)?;
    positive("step", step)?;
    let centre = cloud.centre();
    let spread = |&p: &[f64; 3]| norm(minus(p, centre)).powi(2);
    let radius = (cloud.points.iter().map(spread).sum::<f64>() / cloud.points.len() as f64).sqrt();
    control.expect(motions.len() as u64);
    motions
        .par_iter()
        .map(|motion| {
            let found = climb(field, cloud, motion, centre, (step, radius.max(1.0)), control)?;
            control.step()?;
            Ok(found)
        })
        .collect()
}

fn climb(
    field: &VectorGrid,
    cloud: Directed,
    start: &Motion,
    centre: [f64; 3],
    (step, radius): (f64, f64),
    control: &Control,
) -> Result<(Motion, f64)> {
    let (mut motion, mut best) = (*start, cloud.score(field, start));
    let mut now = step;
    for _ in 0..MOST_ROUNDS {
        let before = best;
        for way in 0..12 {
            control.check()?;
            let size = if way % 2 == 0 { now } else { -now };
            let tried = if way < 6 {
                shifted(&motion, way / 2, size)
            } else {
                turned(&motion, way / 2 - 3, size / radius, centre)
            };
            let score = cloud.score(field, &tried);
            if score > best {
                (motion, best) = (tried, score);
            }
        }
        if best <= before {
            now *= 0.5;
            if now < FINEST * step {
                break;
            }
        }
    }
    Ok((motion, best))
}

fn shifted(motion: &Motion, axis: usize, size: f64) -> Motion {
    let mut moved = *motion;
    moved.translation[axis] += size;
    moved
}

/// Turned further about an axis through where the centre goes.
fn turned(motion: &Motion, axis: usize, angle: f64, centre: [f64; 3]) -> Motion {
    let (sine, cosine) = angle.sin_cos();
    let (b, c) = ((axis + 1) % 3, (axis + 2) % 3);
    let stays = motion.apply(centre);
    let mut rotation = motion.rotation;
    let (row_b, row_c) = (motion.rotation[b], motion.rotation[c]);
    rotation[b] = [0, 1, 2].map(|column| cosine * row_b[column] - sine * row_c[column]);
    rotation[c] = [0, 1, 2].map(|column| sine * row_b[column] + cosine * row_c[column]);
    let turn = Motion {
        rotation,
        translation: [0.0; 3],
    };
    Motion {
        rotation,
        translation: minus(stays, turn.turn(centre)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;
    use ndarray::Array4;

    /// Field, frame, points, directions and the motion.
    type Setting = (Array4<f32>, Frame, Vec<[f64; 3]>, Vec<[f64; 3]>, Motion);

    /// A smooth field without symmetry, and a cloud that follows it after the motion.
    fn setting() -> Setting {
        let frame = Frame::new([30, 31, 32], [3.0; 3], [-45.0; 3]).unwrap();
        let field = Array4::from_shape_fn([30, 31, 32, 3], |(z, y, x, axis)| {
            let [px, py, pz] = frame.to_xyz([z as f64, y as f64, x as f64]);
            let v = [
                (0.13 * py).sin() + 0.2,
                (0.11 * pz + 0.5).cos(),
                (0.12 * px).sin() - 0.1,
            ];
            (v[axis] / norm(v)) as f32
        });
        let truth = scene::motion([1.0, 0.5, 0.2], 40.0, [3.0, -2.0, 4.0]);
        let back =
            |v: [f64; 3]| [0, 1, 2].map(|axis| (0..3).map(|row| truth.rotation[row][axis] * v[row]).sum::<f64>());
        let placed = scene::points(300, 50.0, 3);
        let grid = VectorGrid::new(field.view(), &frame).unwrap();
        let unit = |v: [f64; 3]| v.map(|along| along / norm(v));
        let normals = placed.iter().map(|&p| unit(back(grid.at(p)))).collect();
        let points = placed.iter().map(|&p| back(minus(p, truth.translation))).collect();
        (field, frame, points, normals, truth)
    }

    #[test]
    fn the_true_motion_scores_best_and_is_climbed_to() {
        let (field, frame, points, normals, truth) = setting();
        let grid = VectorGrid::new(field.view(), &frame).unwrap();
        let cloud = Directed::new(&points, &normals).unwrap();
        let near = turned(&shifted(&truth, 1, 3.0), 2, 0.2, cloud.centre());
        let control = Control::default();
        let scores = field_scores(&grid, cloud, &[truth, near], &control).unwrap();
        assert!(scores[0] > 0.97 && scores[1] < scores[0] - 0.02, "{scores:?}");
        let found = field_ascent(&grid, cloud, &[near], 3.0, &control).unwrap();
        let (angle, _) = scene::apart(&truth, &found[0].0);
        let off = norm(minus(found[0].0.apply(cloud.centre()), truth.apply(cloud.centre())));
        assert!(angle < 1.0 && off < 0.5, "{angle} {off}");
    }

    #[test]
    fn far_away_there_is_nothing() {
        let (field, frame, points, normals, _) = setting();
        let grid = VectorGrid::new(field.view(), &frame).unwrap();
        let cloud = Directed::new(&points, &normals).unwrap();
        let far = scene::motion([1.0, 0.0, 0.0], 0.0, [1e6, 0.0, 0.0]);
        assert_eq!(field_scores(&grid, cloud, &[far], &Control::default()), Ok(vec![0.0]));
        assert!(Directed::new(&[], &[]).is_err());
        assert!(field_ascent(&grid, cloud, &[far], 0.0, &Control::default()).is_err());
    }
}
