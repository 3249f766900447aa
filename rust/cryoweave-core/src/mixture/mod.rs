//! Gaussian mixtures: few components that stand for many voxels or atoms, their overlap, and rigid fits by it.
//!
//! The overlap of two mixtures, and its slope by a rigid motion, has a closed form, so that a fit needs no grid.
use std::f64::consts::PI;

use nalgebra::{Matrix3, Vector3};
use ndarray::{ArrayView3, Axis};

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::grid::frame::Frame;

mod complex;
mod fit;
mod overlap;
mod pose;
mod rigid;
mod start;

pub use complex::{Assembled, Search, fit_complex};
pub use fit::{Effort, Fitted, fit_mixture};
pub use overlap::{Slope, correlation, overlap, overlap_slope};
pub use pose::Pose;
pub use rigid::{Climb, Placed, fit_rigid, starting_poses};

/// `Σ weight · N(mean, covariance)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mixture {
    pub(crate) weight: Vec<f64>,
    pub(crate) mean: Vec<Vector3<f64>>,
    pub(crate) covariance: Vec<Matrix3<f64>>,
}

impl Mixture {
    /// Checked: equal lengths, finite numbers, weights not negative and not all zero, covariances positive definite.
    pub fn new(weight: &[f64], mean: &[[f64; 3]], covariance: &[[f64; 9]]) -> Result<Self> {
        same_length("weights and means differ in number", weight.len(), mean.len())?;
        same_length(
            "weights and covariances differ in number",
            weight.len(),
            covariance.len(),
        )?;
        if let Some(at) = mean.iter().flatten().position(|x| !x.is_finite()) {
            return Err(Error::PointNotFinite(at / 3));
        }
        if let Some(&value) = weight.iter().find(|&&w| !w.is_finite() || w < 0.0) {
            let (name, rule) = ("a weight", "finite and not negative");
            return Err(Error::Parameter { name, rule, value });
        }
        if weight.iter().all(|&w| w == 0.0) {
            return Err(Error::Empty("there are no Gaussians with a weight above zero"));
        }
        let covariance: Vec<_> = covariance.iter().map(|row| Matrix3::from_row_slice(row)).collect();
        if let Some(row) = covariance.iter().position(|one| !is_covariance(one)) {
            let what = "a covariance is not symmetric and positive definite";
            return Err(Error::Row { what, row });
        }
        let mean = mean.iter().map(|&x| Vector3::from(x)).collect();
        Ok(Self {
            weight: weight.to_vec(),
            mean,
            covariance,
        })
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weight.is_empty()
    }

    /// Weight of each component.
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// Mean of each component, xyz in Å.
    pub fn mean(&self) -> Vec<[f64; 3]> {
        self.mean.iter().map(|&x| x.into()).collect()
    }

    /// Covariance of each component, Å², row by row.
    pub fn covariance(&self) -> Vec<[f64; 9]> {
        let rows = |s: &Matrix3<f64>| std::array::from_fn(|at| s[(at / 3, at % 3)]);
        self.covariance.iter().map(rows).collect()
    }

    pub(crate) fn total(&self) -> f64 {
        self.weight.iter().sum()
    }

    /// Centre of mass.
    pub(crate) fn centre(&self) -> Vector3<f64> {
        let sum: Vector3<f64> = self.weight.iter().zip(&self.mean).map(|(&w, x)| w * x).sum();
        sum / self.total()
    }

    /// Covariance of the whole about its centre.
    pub(crate) fn spread(&self) -> Matrix3<f64> {
        let centre = self.centre();
        let mut sum = Matrix3::zeros();
        for ((&w, x), s) in self.weight.iter().zip(&self.mean).zip(&self.covariance) {
            let d = x - centre;
            sum += w * (s + d * d.transpose());
        }
        sum / self.total()
    }

    pub(crate) fn shifted(&self, by: Vector3<f64>) -> Self {
        let mean = self.mean.iter().map(|x| x + by).collect();
        Self { mean, ..self.clone() }
    }

    /// Less its own blur by a Gaussian of `sigma` Å: what stands out from its surroundings. Nothing is taken off for 0.
    ///
    /// In `∫ f (g - g blurred)` no spatial frequency has a negative share, so that it is an inner product as `∫ f g` is.
    pub(crate) fn less_background(&self, sigma: f64) -> Self {
        if sigma <= 0.0 {
            return self.clone();
        }
        let wider = self
            .covariance
            .iter()
            .map(|s| s + Matrix3::identity() * (sigma * sigma));
        Self {
            weight: self
                .weight
                .iter()
                .copied()
                .chain(self.weight.iter().map(|w| -w))
                .collect(),
            mean: self.mean.repeat(2),
            covariance: self.covariance.iter().copied().chain(wider).collect(),
        }
    }

    pub(crate) fn scaled(&self, by: f64) -> Self {
        let weight = self.weight.iter().map(|w| w * by).collect();
        Self { weight, ..self.clone() }
    }
}

fn is_covariance(one: &Matrix3<f64>) -> bool {
    let size = one.abs().max();
    let symmetric = (one - one.transpose()).abs().max() <= 1e-6 * size;
    one.iter().all(|x| x.is_finite()) && symmetric && one.cholesky().is_some()
}

/// Logarithm of `(2π)^{-3/2} |S|^{-1/2}`.
fn log_height(determinant: f64) -> f64 {
    -0.5 * (3.0 * (2.0 * PI).ln() + determinant.ln())
}

/// Inverse and determinant of a symmetric positive definite matrix.
fn inverse(s: &Matrix3<f64>) -> (Matrix3<f64>, f64) {
    let (a, b, c) = (s[(0, 0)], s[(0, 1)], s[(0, 2)]);
    let (d, e, f) = (s[(1, 1)], s[(1, 2)], s[(2, 2)]);
    let (aa, bb, cc) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let determinant = a * aa + b * bb + c * cc;
    let (dd, ee, ff) = (a * f - c * c, b * c - a * e, a * d - b * b);
    let cofactors = Matrix3::new(aa, bb, cc, bb, dd, ee, cc, ee, ff);
    (cofactors / determinant, determinant)
}

/// The density above a threshold as Gaussians: one for each cube of `side` voxels along an axis, with the moments of
/// the voxels in it, which are cubes of even density themselves.
pub fn map_mixture(
    map: ArrayView3<f32>,
    frame: &Frame,
    threshold: f32,
    side: usize,
    control: &Control,
) -> Result<Mixture> {
    let side = side.max(1);
    let mut out = Mixture::default();
    let (nz, ny, nx) = map.dim();
    let (ny, nx) = (ny.div_ceil(side), nx.div_ceil(side));
    for layer in 0..nz.div_ceil(side) {
        control.check()?;
        let mut cubes = vec![Moments::default(); ny * nx];
        for z in layer * side..((layer + 1) * side).min(nz) {
            for ((y, x), &value) in map.index_axis(Axis(0), z).indexed_iter() {
                if !value.is_finite() {
                    return Err(Error::NotFinite([z, y, x]));
                }
                if value > threshold && value > 0.0 {
                    let zyx = [z, y, x].map(|i| i as f64);
                    let at = Vector3::from(frame.to_xyz(zyx));
                    cubes[(y / side) * nx + x / side].add(f64::from(value), at);
                }
            }
        }
        for cube in cubes.iter().filter(|cube| cube.weight > 0.0) {
            cube.push(&frame.voxel_xyz, &mut out);
        }
    }
    if out.is_empty() {
        return Err(Error::Empty("no density lies above the threshold"));
    }
    Ok(out)
}

/// Sums about the first point, so that little is lost far from the origin.
#[derive(Clone, Debug, Default)]
struct Moments {
    weight: f64,
    about: Vector3<f64>,
    first: Vector3<f64>,
    second: Matrix3<f64>,
}

impl Moments {
    fn add(&mut self, weight: f64, at: Vector3<f64>) {
        if self.weight == 0.0 {
            self.about = at;
        }
        let d = at - self.about;
        self.weight += weight;
        self.first += weight * d;
        self.second += weight * d * d.transpose();
    }

    /// One Gaussian; a voxel of side `a` adds `a²/12` along its axis.
    fn push(&self, voxel: &[f64; 3], to: &mut Mixture) {
        let mean = self.first / self.weight;
        let own = Matrix3::from_diagonal(&Vector3::from(voxel.map(|a| a * a / 12.0)));
        to.weight.push(self.weight);
        to.mean.push(self.about + mean);
        to.covariance
            .push(self.second / self.weight - mean * mean.transpose() + own);
    }
}
