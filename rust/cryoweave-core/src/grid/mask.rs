//! Parts of a map: connected components and the surroundings of points.
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::frame::Frame;
use super::{Solid, check_points, shaped, zeroed};
use crate::control::Control;
use crate::error::{Error, Result};

/// Voxels of one row from `start` to before `end`.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
}

/// All runs in raster order, and where each row's begin.
struct Runs {
    runs: Vec<Run>,
    rows: Vec<usize>,
}

impl Runs {
    fn of_row(&self, row: usize) -> std::ops::Range<usize> {
        self.rows[row]..self.rows[row + 1]
    }
}

/// Label the components of voxels above `threshold` that touch by a face, an edge or a corner.
///
/// Labels count from 1 in raster order of each component's first voxel, 0 elsewhere; also the number of voxels of each.
pub fn label_components(map: ArrayView3<f32>, threshold: f32, control: &Control) -> Result<(Array3<i32>, Vec<i64>)> {
    if !threshold.is_finite() {
        return Err(Error::Parameter {
            name: "threshold",
            rule: "finite",
            value: f64::from(threshold),
        });
    }
    let map = Solid::finite(map, control)?;
    let mut out = zeroed::<i32>(map.shape)?;
    let [_, ny, nx] = map.shape;
    let mut sizes = Vec::new();
    if !out.is_empty() {
        let runs = find_runs(&map, threshold, control)?;
        let parents = join_runs(&runs, map.shape, control)?;
        let labels = number(&runs, &parents, &mut sizes)?;
        out.par_chunks_mut(ny * nx).enumerate().try_for_each(|(z, slab)| {
            control.check()?;
            for (y, row) in slab.chunks_exact_mut(nx).enumerate() {
                for at in runs.of_row(z * ny + y) {
                    row[runs.runs[at].start..runs.runs[at].end].fill(labels[at]);
                }
            }
            Ok(())
        })?;
    }
    Ok((shaped(map.shape, out)?, sizes))
}

fn find_runs(map: &Solid, threshold: f32, control: &Control) -> Result<Runs> {
    let [nz, ny, _] = map.shape;
    let slabs: Vec<(Vec<Run>, Vec<usize>)> = (0..nz)
        .into_par_iter()
        .map(|z| {
            control.check()?;
            let mut runs = Vec::new();
            let ends = (0..ny).map(|y| {
                runs_of_row(map.row(z, y), threshold, &mut runs);
                runs.len()
            });
            let ends = ends.collect();
            Ok((runs, ends))
        })
        .collect::<Result<_>>()?;
    let mut rows = vec![0];
    let mut before = 0;
    for (runs, ends) in &slabs {
        rows.extend(ends.iter().map(|end| before + end));
        before += runs.len();
    }
    let runs = slabs.into_iter().flat_map(|(runs, _)| runs).collect();
    Ok(Runs { runs, rows })
}

fn runs_of_row(row: &[f32], threshold: f32, runs: &mut Vec<Run>) {
    let mut open = None;
    for (x, &value) in row.iter().enumerate() {
        match (open, value > threshold) {
            (None, true) => open = Some(x),
            (Some(start), false) => {
                runs.push(Run { start, end: x });
                open = None;
            }
            _ => {}
        }
    }
    if let Some(start) = open {
        runs.push(Run { start, end: row.len() });
    }
}

/// For each run an earlier run of its component, or itself if it is the first.
fn join_runs(runs: &Runs, [nz, ny, _]: [usize; 3], control: &Control) -> Result<Vec<usize>> {
    let mut parents: Vec<usize> = (0..runs.runs.len()).collect();
    for z in 0..nz {
        control.check()?;
        for y in 0..ny {
            let row = z * ny + y;
            if runs.of_row(row).is_empty() {
                continue;
            }
            if y > 0 {
                join_rows(runs, row, row - 1, &mut parents);
            }
            if z > 0 {
                for other in y.saturating_sub(1)..(y + 2).min(ny) {
                    join_rows(runs, row, row - y + other - ny, &mut parents);
                }
            }
        }
    }
    Ok(parents)
}

/// Join the runs of two neighbouring rows that touch, corners included.
fn join_rows(runs: &Runs, row: usize, other: usize, parents: &mut [usize]) {
    let (mut here, mut there) = (runs.of_row(row), runs.of_row(other));
    while here.start < here.end && there.start < there.end {
        let (a, b) = (runs.runs[here.start], runs.runs[there.start]);
        if a.start <= b.end && b.start <= a.end {
            join(parents, here.start, there.start);
        }
        if b.end < a.end {
            there.start += 1;
        } else {
            here.start += 1;
        }
    }
}

fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

/// A label for each run. A parent comes before its children, so one walk suffices.
fn number(runs: &Runs, parents: &[usize], sizes: &mut Vec<i64>) -> Result<Vec<i32>> {
    let mut labels: Vec<i32> = Vec::with_capacity(parents.len());
    for (at, (&parent, run)) in parents.iter().zip(&runs.runs).enumerate() {
        let length = (run.end - run.start) as i64;
        if parent == at {
            sizes.push(length);
            let rule = "high enough to leave fewer than 2^31 components";
            let label = i32::try_from(sizes.len()).map_err(|_| Error::Parameter {
                name: "threshold",
                rule,
                value: sizes.len() as f64,
            })?;
            labels.push(label);
        } else {
            let label = labels[parent];
            labels.push(label);
            sizes[label as usize - 1] += length;
        }
    }
    Ok(labels)
}

/// Voxels whose centre is within `radius` Å of any point.
pub fn mask_around(frame: &Frame, points: &[[f64; 3]], radius: f64, control: &Control) -> Result<Array3<bool>> {
    let mut out = zeroed::<bool>(frame.shape_zyx)?;
    let along_z = along_z(frame, points, radius)?;
    let plane = frame.shape_zyx[1] * frame.shape_zyx[2];
    if !out.is_empty() {
        out.par_chunks_mut(plane).enumerate().try_for_each(|(z, slab)| {
            control.step()?;
            for (point, _) in near_slab(frame, &along_z, z, radius) {
                control.check()?;
                discs(frame, point, z, radius, |y, row, _| {
                    slab[y * frame.shape_zyx[2]..][row].fill(true);
                });
            }
            Ok(())
        })?;
    }
    shaped(frame.shape_zyx, out)
}

/// Index of the point nearest to each voxel's centre, -1 where none is within `radius` Å; of equals the first.
pub fn nearest_around(frame: &Frame, points: &[[f64; 3]], radius: f64, control: &Control) -> Result<Array3<i32>> {
    let mut out = zeroed::<i32>(frame.shape_zyx)?;
    let along_z = along_z(frame, points, radius)?;
    let [_, ny, nx] = frame.shape_zyx;
    let side = frame.voxel_zyx()[2];
    if !out.is_empty() {
        out.par_chunks_mut(ny * nx)
            .enumerate()
            .try_for_each_init(Vec::new, |squares, (z, slab)| {
                control.step()?;
                slab.fill(-1);
                squares.clear();
                squares.resize(ny * nx, f64::INFINITY);
                for (point, index) in near_slab(frame, &along_z, z, radius) {
                    control.check()?;
                    discs(frame, point, z, radius, |y, row, across| {
                        for x in row {
                            let square = across + ((x as f64 - point[2]) * side).powi(2);
                            let at = y * nx + x;
                            if square < squares[at] || (square == squares[at] && *index < slab[at]) {
                                squares[at] = square;
                                slab[at] = *index;
                            }
                        }
                    });
                }
                Ok(())
            })?;
    }
    shaped(frame.shape_zyx, out)
}

/// A fractional index and the point's number.
type Numbered = ([f64; 3], i32);

/// The points by slab.
fn along_z(frame: &Frame, points: &[[f64; 3]], radius: f64) -> Result<Vec<Numbered>> {
    check_points(points)?;
    if !(radius.is_finite() && radius >= 0.0) {
        return Err(Error::Parameter {
            name: "radius",
            rule: "finite and not negative",
            value: radius,
        });
    }
    if i32::try_from(points.len()).is_err() {
        return Err(Error::Parameter {
            name: "points",
            rule: "fewer than 2^31",
            value: points.len() as f64,
        });
    }
    let mut found: Vec<Numbered> = (0..).zip(points).map(|(i, &point)| (frame.to_zyx(point), i)).collect();
    found.sort_unstable_by(|(a, _), (b, _)| a[0].total_cmp(&b[0]));
    Ok(found)
}

/// Those of the points whose ball can reach slab `z`.
fn near_slab<'a>(frame: &Frame, points: &'a [Numbered], z: usize, radius: f64) -> impl Iterator<Item = &'a Numbered> {
    let reach = radius / frame.voxel_xyz[2] * (1.0 + TIE) + TIE;
    let first = points.partition_point(|(point, _)| point[0] < z as f64 - reach);
    points[first..]
        .iter()
        .take_while(move |(point, _)| point[0] <= z as f64 + reach)
}

/// Rows of the disc that a ball around `point` (a fractional index) cuts out of slab `z`: y, the range of x, and the
/// square of the distance along z and y in Å².
fn discs(
    frame: &Frame,
    point: &[f64; 3],
    z: usize,
    radius: f64,
    mut visit: impl FnMut(usize, std::ops::Range<usize>, f64),
) {
    let [_, ny, nx] = frame.shape_zyx;
    let [side_z, side_y, side_x] = frame.voxel_zyx();
    let along = ((z as f64 - point[0]) * side_z).powi(2);
    let square = radius * radius * (1.0 + TIE) - along;
    if square < 0.0 {
        return;
    }
    for y in span(point[1], square.sqrt() / side_y, ny) {
        let across = ((y as f64 - point[1]) * side_y).powi(2);
        let reach = (square - across).max(0.0).sqrt() / side_x;
        visit(y, span(point[2], reach, nx), along + across);
    }
}

/// A voxel exactly at the radius is inside, whatever way its distance was rounded.
const TIE: f64 = 1e-9;

/// Indices within `reach` of `centre`, of those that exist.
pub(crate) fn span(centre: f64, reach: f64, n: usize) -> std::ops::Range<usize> {
    let first = (centre - reach - TIE).ceil().max(0.0) as usize;
    let end = ((centre + reach + TIE).floor() + 1.0).max(0.0) as usize;
    let end = end.min(n);
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_connect_and_labels_follow_the_raster() {
        let mut map = Array3::zeros((3, 3, 3));
        for at in [[0, 0, 0], [1, 1, 1], [2, 2, 2], [0, 0, 2], [2, 0, 0]] {
            map[at] = 1.0;
        }
        let (labels, sizes) = label_components(map.view(), 0.5, &Control::default()).unwrap();
        // (1, 1, 1) touches every corner of the cube, so all is one component.
        assert_eq!(sizes, [5]);
        assert_eq!(labels[[2, 0, 0]], 1);
        map[[1, 1, 1]] = 0.0;
        let (labels, sizes) = label_components(map.view(), 0.5, &Control::default()).unwrap();
        assert_eq!(sizes, [1, 1, 1, 1]);
        assert_eq!(
            (
                labels[[0, 0, 0]],
                labels[[0, 0, 2]],
                labels[[2, 0, 0]],
                labels[[2, 2, 2]]
            ),
            (1, 2, 3, 4)
        );
    }

    #[test]
    fn nothing_above_the_threshold_gives_no_labels() {
        let (labels, sizes) = label_components(Array3::zeros((2, 0, 4)).view(), 0.0, &Control::default()).unwrap();
        assert!(labels.is_empty() && sizes.is_empty());
        let (labels, sizes) = label_components(Array3::zeros((2, 2, 2)).view(), 0.0, &Control::default()).unwrap();
        assert!(labels.iter().all(|&label| label == 0) && sizes.is_empty());
        assert!(label_components(Array3::zeros((2, 2, 2)).view(), f32::NAN, &Control::default()).is_err());
    }

    #[test]
    fn a_ball_includes_voxels_at_its_radius() {
        let frame = Frame::new([3, 3, 3], [1.0; 3], [0.0; 3]).unwrap();
        let count = |points: &[[f64; 3]], radius| {
            let mask = mask_around(&frame, points, radius, &Control::default()).unwrap();
            mask.iter().filter(|&&inside| inside).count()
        };
        assert_eq!(count(&[[1.0; 3]], 1.0), 7);
        assert_eq!(count(&[[1.0; 3]], 0.0), 1);
        assert_eq!(count(&[[1.0; 3]], 1e300), 27);
        assert_eq!(count(&[[1e300; 3], [-1e300; 3]], 1.0), 0);
        assert_eq!(count(&[], 1.0), 0);
        assert!(mask_around(&frame, &[], -1.0, &Control::default()).is_err());
    }

    #[test]
    fn voxels_belong_to_the_nearest_point_and_of_equals_to_the_first() {
        let frame = Frame::new([1, 1, 5], [1.0; 3], [0.0; 3]).unwrap();
        let owners = |points: &[[f64; 3]], radius| {
            let found = nearest_around(&frame, points, radius, &Control::default()).unwrap();
            found.into_raw_vec_and_offset().0
        };
        assert_eq!(owners(&[[3.0, 0.0, 0.0], [1.0, 0.0, 0.0]], 1.0), [1, 1, 0, 0, 0]);
        assert_eq!(owners(&[[4.0, 0.0, 0.0]], 1.5), [-1, -1, -1, 0, 0]);
        assert_eq!(owners(&[], 3.0), [-1; 5]);
        assert!(nearest_around(&frame, &[[f64::NAN; 3]], 1.0, &Control::default()).is_err());
    }
}
