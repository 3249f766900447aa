//! Histograms of the directions around a point, in a frame that the surroundings themselves define (SHOT).
//!
//! Tombari, Salti & Di Stefano 2010, doi 10.1007/978-3-642-15558-1_26.
use std::f64::consts::PI;

use nalgebra::{Matrix3, SymmetricEigen};
use ndarray::Array2;
use rayon::prelude::*;

use super::positive;
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::check_points;
use crate::vector::{dot, minus, norm};

const AZIMUTHS: usize = 8;
const ELEVATIONS: usize = 2;
const SHELLS: usize = 2;
const COSINES: usize = 11;
/// Numbers of a descriptor: 32 sectors of a ball times 11 bins of a cosine.
pub const LENGTH: usize = AZIMUTHS * ELEVATIONS * SHELLS * COSINES;
/// Fewer neighbours than this do not make a frame.
const LEAST: usize = 5;

/// The descriptor of each of `centres` by the points within `radius`, of unit length; zero where these are fewer than
/// five or all on a line.
///
/// `normals` are unit vectors, or zero where a point has no direction (it then only helps to define the frame).
pub fn descriptors(
    points: &[[f64; 3]],
    normals: &[[f64; 3]],
    centres: &[[f64; 3]],
    radius: f64,
    control: &Control,
) -> Result<Array2<f32>> {
    check_points(points)?;
    check_points(normals)?;
    check_points(centres)?;
    same_length("points and normals differ in number", points.len(), normals.len())?;
    positive("radius", radius)?;
    control.expect(centres.len() as u64);
    let rows: Vec<Vec<f32>> = centres
        .par_iter()
        .map(|&centre| {
            control.step()?;
            Ok(describe(points, normals, centre, radius))
        })
        .collect::<Result<_>>()?;
    let values = rows.concat();
    let given = values.len();
    Array2::from_shape_vec((centres.len(), LENGTH), values).map_err(|_| Error::Length {
        what: "descriptors and centres differ in number",
        left: LENGTH * centres.len(),
        right: given,
    })
}

/// A neighbour: which point, where from the centre, how far.
struct Neighbour {
    index: usize,
    offset: [f64; 3],
    distance: f64,
}

fn describe(points: &[[f64; 3]], normals: &[[f64; 3]], centre: [f64; 3], radius: f64) -> Vec<f32> {
    let near: Vec<Neighbour> = points
        .iter()
        .enumerate()
        .filter_map(|(index, &point)| {
            let offset = minus(point, centre);
            let distance = norm(offset);
            (distance <= radius).then_some(Neighbour {
                index,
                offset,
                distance,
            })
        })
        .collect();
    let mut histogram = vec![0.0; LENGTH];
    if let Some(axes) = frame(&near, radius) {
        for neighbour in near.iter().filter(|neighbour| neighbour.distance > 0.0) {
            add(&mut histogram, neighbour, normals[neighbour.index], &axes, radius);
        }
    }
    let length = histogram.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    histogram.iter().map(|value| (value * scale) as f32).collect()
}

/// Axes x, y, z: the eigenvectors of the covariance weighted by `radius - distance`, of the largest and the smallest
/// eigenvalue, each turned to the side where more of the weight lies.
fn frame(near: &[Neighbour], radius: f64) -> Option<[[f64; 3]; 3]> {
    if near.len() < LEAST {
        return None;
    }
    let mut covariance = Matrix3::zeros();
    for neighbour in near {
        let offset = nalgebra::Vector3::from(neighbour.offset);
        covariance += offset * offset.transpose() * (radius - neighbour.distance);
    }
    let size = covariance.amax();
    if size <= 0.0 {
        return None;
    }
    let eigen = SymmetricEigen::try_new(covariance / size, f64::EPSILON, 1000)?;
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    if eigen.eigenvalues[order[1]] < 1e-9 {
        return None;
    }
    let towards_more = |axis: [f64; 3]| {
        let side = |n: &Neighbour| (radius - n.distance) * dot(n.offset, axis);
        if near.iter().map(side).sum::<f64>() < 0.0 {
            axis.map(|along| -along)
        } else {
            axis
        }
    };
    let axis = |at: usize| towards_more(eigen.eigenvectors.column(order[at]).into_owned().into());
    let (x, z) = (axis(0), axis(2));
    let y = [
        z[1] * x[2] - z[2] * x[1],
        z[2] * x[0] - z[0] * x[2],
        z[0] * x[1] - z[1] * x[0],
    ];
    Some([x, y, z])
}

/// Count one neighbour in the sixteen bins around it, by how near it is to the middle of each.
fn add(histogram: &mut [f64], neighbour: &Neighbour, normal: [f64; 3], axes: &[[f64; 3]; 3], radius: f64) {
    if normal == [0.0; 3] {
        return;
    }
    let [x, y, z] = axes.map(|axis| dot(axis, neighbour.offset));
    let cosine = dot(axes[2], normal).clamp(-1.0, 1.0);
    let elevation = (z / neighbour.distance).clamp(-1.0, 1.0).acos() / PI;
    let azimuth = y.atan2(x) / (2.0 * PI) + 0.5;
    let cosines = share(0.5 * (cosine + 1.0), COSINES, false);
    let elevations = share(elevation, ELEVATIONS, false);
    let shells = share(neighbour.distance / radius, SHELLS, false);
    for (a, by_azimuth) in share(azimuth, AZIMUTHS, true) {
        for (e, by_elevation) in elevations {
            for (s, by_shell) in shells {
                for (c, by_cosine) in cosines {
                    let at = ((a * ELEVATIONS + e) * SHELLS + s) * COSINES + c;
                    histogram[at] += by_azimuth * by_elevation * by_shell * by_cosine;
                }
            }
        }
    }
}

/// The two bins of `n` whose middles enclose a place from 0 to 1, and the share of each; beyond the outermost middles
/// all goes to one, or round a circle.
fn share(place: f64, n: usize, circle: bool) -> [(usize, f64); 2] {
    let at = place * n as f64 - 0.5;
    let (low, part) = (at.floor(), at - at.floor());
    let wrap = |bin: f64| {
        if circle {
            bin.rem_euclid(n as f64) as usize
        } else {
            bin.clamp(0.0, (n - 1) as f64) as usize
        }
    };
    [(wrap(low), 1.0 - part), (wrap(low + 1.0), part)]
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn turning_everything_changes_nothing() {
        let (points, normals) = (scene::points(400, 60.0, 1), scene::directions(400, 2));
        let centres = scene::points(20, 30.0, 3);
        let motion = scene::motion([1.0, -2.0, 0.5], 77.0, [100.0, -40.0, 7.0]);
        let moved = |points: &[[f64; 3]]| points.iter().map(|&p| motion.apply(p)).collect::<Vec<_>>();
        let turned: Vec<_> = normals.iter().map(|&n| motion.turn(n)).collect();
        let control = Control::default();
        let before = descriptors(&points, &normals, &centres, 20.0, &control).unwrap();
        let after = descriptors(&moved(&points), &turned, &moved(&centres), 20.0, &control).unwrap();
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-4));
        for row in before.rows() {
            assert!((row.dot(&row) - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn without_surroundings_it_is_zero() {
        let control = Control::default();
        let lonely = descriptors(&[[0.0; 3]; 4], &[[1.0, 0.0, 0.0]; 4], &[[0.0; 3]], 5.0, &control).unwrap();
        let line: Vec<[f64; 3]> = (0..9).map(|i| [f64::from(i), 0.0, 0.0]).collect();
        let flat = descriptors(&line, &[[0.0, 0.0, 1.0]; 9], &[[4.0, 0.0, 0.0]], 5.0, &control).unwrap();
        assert!(lonely.iter().chain(&flat).all(|&value| value == 0.0));
        assert!(descriptors(&line, &[], &line, 5.0, &control).is_err());
        assert!(descriptors(&line, &line, &line, 0.0, &control).is_err());
    }

    #[test]
    fn a_share_is_whole() {
        for n in [2, 8, 11] {
            for circle in [false, true] {
                for step in 0..=100 {
                    let parts = share(f64::from(step) / 100.0, n, circle);
                    assert!((parts[0].1 + parts[1].1 - 1.0).abs() < 1e-12);
                    assert!(parts.iter().all(|&(bin, part)| bin < n && part >= 0.0));
                }
            }
        }
    }
}
