//! Scores of points in a map and their gradients.
use ndarray::ArrayView3;
use rayon::prelude::*;

use super::{Pose, apply, check_poses, cross};
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::grid::frame::Frame;
use crate::grid::interpolate::value_and_gradient;
use crate::grid::{Solid, check_points};

/// How the values `t` of points, of weights `m`, are compared with the map's values `v` where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `Σ m t v / Σ m`.
    Overlap,
    /// `Σ m t v / √(Σ m t² Σ m v²)`.
    Correlation,
    /// The same after the weighted means of `t` and `v` are taken off.
    AboutMean,
    /// `Σ m t·v / √(Σ m t² Σ m v²)` of vectors; those of the points turn with them.
    Vectors,
}

/// One map, or the components of vectors on one grid.
pub struct Field<'a> {
    channels: Vec<Solid<'a>>,
    frame: Frame,
    /// The largest absolute value.
    pub(super) largest: f64,
}

impl<'a> Field<'a> {
    /// Maps on one grid, all finite.
    pub fn new(maps: impl IntoIterator<Item = ArrayView3<'a, f32>>, frame: Frame, control: &Control) -> Result<Self> {
        let mut largest: f32 = 0.0;
        let solid = |map: ArrayView3<'a, f32>| {
            largest = map.iter().fold(largest, |most, value| most.max(value.abs()));
            same_length(
                "a map's shape and its voxels differ in number",
                map.len(),
                frame.voxels(),
            )?;
            Solid::finite(map, control)
        };
        let channels = maps.into_iter().map(solid).collect::<Result<_>>()?;
        Ok(Self {
            channels,
            frame,
            largest: f64::from(largest),
        })
    }
}

/// What is placed: points with a value (or a vector) and a weight each.
pub struct Points<'a> {
    xyz: &'a [[f64; 3]],
    values: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> Points<'a> {
    /// `values` holds one number for each point, or three of a vector; the weights are 1 if there are none.
    pub fn new(xyz: &'a [[f64; 3]], values: &'a [f64], weights: Option<&'a [f64]>) -> Self {
        Self { xyz, values, weights }
    }

    pub(super) fn check(&self, metric: Metric) -> Result<()> {
        check_points(self.xyz)?;
        if self.xyz.is_empty() {
            return Err(Error::Empty("there are no points to place"));
        }
        let each = if metric == Metric::Vectors { 3 } else { 1 };
        let whole = if self.values.len() % each == 0 {
            self.values.len() / each
        } else {
            0
        };
        let lengths = [("points and values differ in number", whole)].into_iter().chain(
            self.weights
                .map(|weights| ("points and weights differ in number", weights.len())),
        );
        for (what, right) in lengths {
            same_length(what, self.xyz.len(), right)?;
        }
        let numbers = self.values.iter().chain(self.weights.unwrap_or(&[]));
        match numbers.copied().find(|value| !value.is_finite()) {
            Some(value) => Err(Error::Parameter {
                name: "a point's value or weight",
                rule: "finite",
                value,
            }),
            None => Ok(()),
        }
    }

    fn weight(&self, at: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[at])
    }

    /// The largest absolute value.
    pub(super) fn spread(&self) -> f64 {
        self.values.iter().fold(0.0, |most, value| value.abs().max(most))
    }

    pub(super) fn centre_and_gyration(&self) -> ([f64; 3], f64) {
        let n = self.xyz.len() as f64;
        let centre: [f64; 3] = std::array::from_fn(|i| self.xyz.iter().map(|p| p[i]).sum::<f64>() / n);
        let square = |p: &[f64; 3]| p.iter().zip(&centre).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        (centre, (self.xyz.iter().map(square).sum::<f64>() / n).sqrt())
    }
}

/// A score, its gradient by a shift, and by a turn about the points' centre.
pub(super) struct Scored {
    pub(super) score: f64,
    pub(super) force: [f64; 3],
    pub(super) torque: [f64; 3],
}

/// Weighted sums over the points in one pose.
#[derive(Default)]
struct Sums {
    weight: f64,
    t: f64,
    v: f64,
    tt: f64,
    vv: f64,
    tv: f64,
    /// Sums of `m t ∇v`, `m v ∇v` and `m ∇v`, as forces and as torques.
    by_t: [[f64; 3]; 2],
    by_v: [[f64; 3]; 2],
    by_one: [[f64; 3]; 2],
}

impl Sums {
    /// One point (or component of its vector) of value `t`, where the map is `v` with this slope.
    fn add(&mut self, m: f64, t: f64, v: f64, slope: [[f64; 3]; 2]) {
        self.weight += m;
        self.t += m * t;
        self.v += m * v;
        self.tt += m * t * t;
        self.vv += m * v * v;
        self.tv += m * t * v;
        let sums = [&mut self.by_t, &mut self.by_v, &mut self.by_one];
        for (sums, times) in sums.into_iter().zip([m * t, m * v, m]) {
            for (sum, slope) in sums.as_flattened_mut().iter_mut().zip(slope.as_flattened()) {
                *sum += times * slope;
            }
        }
    }
}

pub(super) fn score(field: &Field, points: &Points, metric: Metric, pose: &Pose, centre: &[f64; 3]) -> Scored {
    combined(&sums(field, points, metric == Metric::Vectors, pose, centre), metric)
}

fn sums(field: &Field, points: &Points, vectors: bool, pose: &Pose, centre: &[f64; 3]) -> Sums {
    let mut sums = Sums::default();
    let middle = apply(&pose.rotation, centre);
    for (at, point) in points.xyz.iter().enumerate() {
        let turned = apply(&pose.rotation, point);
        let place = std::array::from_fn(|i| turned[i] + pose.translation[i]);
        let arm: [f64; 3] = std::array::from_fn(|i| turned[i] - middle[i]);
        let m = points.weight(at);
        if vectors {
            let own: [f64; 3] = std::array::from_fn(|i| points.values[3 * at + i]);
            let own = apply(&pose.rotation, &own);
            let mut found = [0.0; 3];
            for (axis, channel) in field.channels.iter().take(3).enumerate() {
                let (v, slope) = value_and_gradient(channel, &field.frame, place).unwrap_or_default();
                found[axis] = v;
                sums.add(m, own[axis], v, [slope, cross(&arm, &slope)]);
            }
            let turning = cross(&own, &found);
            for (sum, turning) in sums.by_t[1].iter_mut().zip(turning) {
                *sum += m * turning;
            }
        } else {
            let (v, slope) = value_and_gradient(&field.channels[0], &field.frame, place).unwrap_or_default();
            sums.add(m, points.values[at], v, [slope, cross(&arm, &slope)]);
        }
    }
    sums
}

/// The score from the sums: `c = tv' / √(tt' vv')`, whose gradient is `(tv'_x − c √(tt'/vv') ½vv'_x) / √(tt' vv')`.
fn combined(s: &Sums, metric: Metric) -> Scored {
    if metric == Metric::Overlap {
        let scale = if s.weight > 0.0 { s.weight.recip() } else { 0.0 };
        return Scored {
            score: s.tv * scale,
            force: s.by_t[0].map(|value| value * scale),
            torque: s.by_t[1].map(|value| value * scale),
        };
    }
    let (t, v) = match metric {
        Metric::AboutMean if s.weight > 0.0 => (s.t / s.weight, s.v / s.weight),
        _ => (0.0, 0.0),
    };
    let (tt, vv, tv) = (
        s.tt - t * t * s.weight,
        s.vv - v * v * s.weight,
        s.tv - t * v * s.weight,
    );
    let length = (tt * vv).sqrt();
    // Not a number where rounding made a variance negative.
    if length.is_nan() || length <= 1e-12 * (s.tt * s.vv).sqrt() {
        return Scored {
            score: 0.0,
            force: [0.0; 3],
            torque: [0.0; 3],
        };
    }
    let score = tv / length;
    let slope = |kind: usize| {
        std::array::from_fn(|i| {
            let by_t = s.by_t[kind][i] - t * s.by_one[kind][i];
            let by_v = s.by_v[kind][i] - v * s.by_one[kind][i];
            by_t / length - score * by_v / vv
        })
    };
    Scored {
        score,
        force: slope(0),
        torque: slope(1),
    }
}

/// All scores of one pose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// `Σ m t v / Σ m`.
    pub overlap: f64,
    /// The correlation.
    pub correlation: f64,
    /// The correlation about the mean.
    pub about_mean: f64,
    /// Mean of the map's values under the weights.
    pub average: f64,
    /// Share of the points where the map is above a threshold.
    pub inside: f64,
}

/// All scores of every pose.
pub fn measure_poses(
    field: &Field,
    points: &Points,
    poses: &[Pose],
    threshold: f64,
    control: &Control,
) -> Result<Vec<Measures>> {
    points.check(Metric::AboutMean)?;
    check_poses(poses)?;
    let (centre, _) = points.centre_and_gyration();
    poses
        .par_iter()
        .with_max_len(1)
        .map(|pose| {
            control.check()?;
            let sums = sums(field, points, false, pose, &centre);
            let mut inside = 0;
            for point in points.xyz {
                let turned = apply(&pose.rotation, point);
                let place = std::array::from_fn(|i| turned[i] + pose.translation[i]);
                let v = value_and_gradient(&field.channels[0], &field.frame, place).map_or(0.0, |found| found.0);
                inside += usize::from(v > threshold);
            }
            Ok(Measures {
                overlap: combined(&sums, Metric::Overlap).score,
                correlation: combined(&sums, Metric::Correlation).score,
                about_mean: combined(&sums, Metric::AboutMean).score,
                average: if sums.weight > 0.0 { sums.v / sums.weight } else { 0.0 },
                inside: inside as f64 / points.xyz.len() as f64,
            })
        })
        .collect()
}
