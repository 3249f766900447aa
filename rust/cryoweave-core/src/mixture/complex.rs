//! Several subunits at once: drawn into the map, pushed off each other, and, if so wanted, kept in cyclic symmetry.
//!
//! The energy is half of `∫ (map - Σ subunits)²` without what no motion changes: minus every subunit's overlap with the
//! map, plus every pair's overlap. So the map's weights are scaled to those of all subunits.
use nalgebra::{Rotation3, Vector3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::overlap::{Ready, Slope, overlap, slope_of};
use super::pose::pulled;
use super::rigid::{Climb, SCALE, check_climb, lever, limits};
use super::{Mixture, Pose, start};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::refine::descent::{Limits, descend};

/// The end of a descent of a whole complex.
#[derive(Clone, Debug, PartialEq)]
pub struct Assembled {
    /// Of every copy: all copies of the first model, then those of the second.
    pub poses: Vec<Pose>,
    /// Of the map and the sum of all subunits.
    pub correlation: f64,
    /// Of the map and each copy alone.
    pub alone: Vec<f64>,
    /// Overlap of all pairs of subunits over that of each with itself.
    pub clash: f64,
}

/// What to try.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Copies of each model about one free axis; 1 for no symmetry.
    pub order: usize,
    /// Random configurations.
    pub starts: usize,
    /// Of each descent.
    pub climb: Climb,
    /// Of the random configurations.
    pub seed: u64,
}

/// From random configurations of all models downhill in the energy.
pub fn fit_complex(map: &Mixture, models: &[Mixture], search: &Search, control: &Control) -> Result<Vec<Assembled>> {
    if models.is_empty() || search.order == 0 {
        let (name, rule) = ("copies", "at least 1");
        return Err(Error::Parameter { name, rule, value: 0.0 });
    }
    check_climb(&search.climb)?;
    let complex = Complex::new(map, models, search);
    let mut random = ChaCha8Rng::seed_from_u64(search.seed);
    let starts: Vec<Vec<Pose>> = (0..search.starts).map(|_| complex.draw(map, &mut random)).collect();
    control.expect(starts.len() as u64);
    starts
        .par_iter()
        .map(|start| {
            control.step()?;
            complex.descend(start, control)
        })
        .collect()
}

/// All that stays the same in a search. A configuration is a pose for each model, and last that of the axis if there is
/// one: copy `c` of a model is where `axis · turn(c) · pose` puts it.
struct Complex {
    map: Ready,
    models: Vec<Ready>,
    /// The models less their background: what others overlap with.
    seen: Vec<Ready>,
    centre: Vec<Vector3<f64>>,
    lever: Vec<f64>,
    itself: Vec<f64>,
    map_itself: f64,
    order: usize,
    limits: Limits,
}

/// One copy where it is.
struct Copy {
    model: usize,
    pose: Pose,
    outer: Pose,
    ready: Ready,
    seen: Ready,
}

impl Complex {
    fn new(map: &Mixture, models: &[Mixture], search: &Search) -> Self {
        let order = search.order;
        let mass: f64 = models.iter().map(Mixture::total).sum::<f64>() * order as f64;
        let map = map.scaled(mass / map.total());
        let seen = |one: &Mixture| one.less_background(search.climb.background);
        let centre: Vec<_> = models.iter().map(Mixture::centre).collect();
        let models: Vec<Mixture> = models.iter().zip(&centre).map(|(one, &at)| one.shifted(-at)).collect();
        let mut levers: Vec<f64> = models.iter().map(lever).collect();
        if order > 1 {
            levers.push(lever(&map));
        }
        Self {
            map_itself: overlap(&seen(&map), &map),
            map: Ready::new(&seen(&map)),
            itself: models.iter().map(|one| overlap(&seen(one), one)).collect(),
            seen: models.iter().map(|one| Ready::new(&seen(one))).collect(),
            models: models.iter().map(Ready::new).collect(),
            centre,
            lever: levers,
            order,
            limits: limits(search.climb.steps),
        }
    }

    /// Each model at a random place of the map's density, turned at random; the axis through the map's centre along one
    /// of its principal axes.
    fn draw(&self, map: &Mixture, random: &mut ChaCha8Rng) -> Vec<Pose> {
        let mut axis = Pose::identity();
        if self.order > 1 {
            let columns = start::axes(&map.spread());
            let shift = random.next_u32() % 3;
            let [a, b, c] = [1, 2, 3].map(|i| columns.column(((shift + i) % 3) as usize).into_owned());
            axis.rotation = nalgebra::Matrix3::from_columns(&[a, b, c]);
            axis.translation = map.centre();
        }
        let back = axis.rotation.transpose();
        let mut poses: Vec<Pose> = (0..self.models.len())
            .map(|_| Pose {
                rotation: start::rotation(random),
                translation: back * (start::place(map, random) - axis.translation),
            })
            .collect();
        if self.order > 1 {
            poses.push(axis);
        }
        poses
    }

    fn moved(&self, start: &[Pose], by: &[[f64; 3]]) -> Vec<Pose> {
        let rows = start.iter().zip(by.chunks_exact(2)).zip(&self.lever);
        rows.map(|((pose, by), &lever)| pose.moved(by, lever)).collect()
    }

    fn copies(&self, poses: &[Pose]) -> Vec<Copy> {
        let axis = poses.get(self.models.len()).copied().unwrap_or(Pose::identity());
        let mut copies = Vec::with_capacity(self.models.len() * self.order);
        for (model, inner) in poses[..self.models.len()].iter().enumerate() {
            for at in 0..self.order {
                let angle = std::f64::consts::TAU * at as f64 / self.order as f64;
                let turn = Pose {
                    rotation: Rotation3::from_axis_angle(&Vector3::z_axis(), angle).into_inner(),
                    translation: Vector3::zeros(),
                };
                let outer = axis.after(&turn);
                let pose = outer.after(inner);
                copies.push(Copy {
                    model,
                    pose,
                    outer,
                    ready: self.models[model].moved(&pose),
                    seen: self.seen[model].moved(&pose),
                });
            }
        }
        copies
    }

    /// Overlap with the map and of all pairs, and the slope of `repulsion - attraction` by each copy's own move.
    fn forces(&self, copies: &[Copy]) -> (Vec<f64>, f64, Vec<Slope>) {
        let mut slopes = Vec::with_capacity(copies.len());
        let (mut attraction, mut repulsion) = (Vec::with_capacity(copies.len()), 0.0);
        for (at, copy) in copies.iter().enumerate() {
            let pivot = &copy.pose.translation;
            let (value, mut slope) = slope_of(&self.map, &copy.ready, pivot);
            attraction.push(value);
            slope = Slope {
                force: -slope.force,
                torque: -slope.torque,
            };
            for (other, neighbour) in copies.iter().enumerate().filter(|&(other, _)| other != at) {
                let (value, push) = slope_of(&neighbour.seen, &copy.ready, pivot);
                repulsion += if other < at { value } else { 0.0 };
                slope.add(&push, 1.0);
            }
            slopes.push(slope);
        }
        (attraction, repulsion, slopes)
    }

    /// Slopes by each copy's move as slopes by the move of each pose of the configuration.
    fn gather(&self, poses: &[Pose], copies: &[Copy], slopes: &[Slope]) -> Vec<Slope> {
        let mut out = vec![Slope::default(); poses.len()];
        for (copy, slope) in copies.iter().zip(slopes) {
            let back = copy.outer.rotation.transpose();
            let inner = Slope {
                force: back * slope.force,
                torque: back * slope.torque,
            };
            out[copy.model].add(&inner, 1.0);
            if let Some(axis) = poses.get(self.models.len()) {
                let arm = copy.pose.translation - axis.translation;
                let outer = Slope {
                    force: slope.force,
                    torque: slope.torque + arm.cross(&slope.force),
                };
                out[self.models.len()].add(&outer, 1.0);
            }
        }
        out
    }

    /// What the correlation would be divided by if no subunits overlapped.
    fn norm(&self) -> f64 {
        (self.map_itself * self.itself.iter().sum::<f64>() * self.order as f64).sqrt()
    }

    fn energy(&self, start: &[Pose], by: &[[f64; 3]], out: &mut [[f64; 3]]) -> f64 {
        let scale = SCALE / self.norm();
        let poses = self.moved(start, by);
        let copies = self.copies(&poses);
        let (attraction, repulsion, slopes) = self.forces(&copies);
        let slopes = self.gather(&poses, &copies, &slopes);
        for (at, slope) in slopes.iter().enumerate() {
            let rows = pulled(slope, &by[2 * at..2 * at + 2], self.lever[at]);
            for (out, row) in out[2 * at..].iter_mut().zip(rows) {
                *out = row.map(|x| scale * x);
            }
        }
        scale * (repulsion - attraction.iter().sum::<f64>())
    }

    fn descend(&self, start: &[Pose], control: &Control) -> Result<Assembled> {
        let mut by = vec![[0.0; 3]; 2 * start.len()];
        descend(&mut by, &self.limits, |by, out| self.energy(start, by, out), control)?;
        Ok(self.report(&self.copies(&self.moved(start, &by))))
    }

    fn report(&self, copies: &[Copy]) -> Assembled {
        let (attraction, repulsion, _) = self.forces(copies);
        let itself: f64 = self.itself.iter().sum::<f64>() * self.order as f64;
        let alone = copies.iter().zip(&attraction);
        let alone = alone.map(|(copy, value)| value / (self.map_itself * self.itself[copy.model]).sqrt());
        let to_own = copies.iter().map(|copy| {
            let back = Pose {
                translation: -self.centre[copy.model],
                ..Pose::identity()
            };
            copy.pose.after(&back)
        });
        Assembled {
            poses: to_own.collect(),
            correlation: attraction.iter().sum::<f64>() / (self.map_itself * (itself + 2.0 * repulsion)).sqrt(),
            alone: alone.collect(),
            clash: clash(copies),
        }
    }
}

/// Of densities as they are, whatever was taken off for the fit.
fn clash(copies: &[Copy]) -> f64 {
    let (mut pairs, mut itself) = (0.0, 0.0);
    for (at, copy) in copies.iter().enumerate() {
        let with = |other: &Copy| slope_of(&other.ready, &copy.ready, &copy.pose.translation).0;
        itself += with(copy);
        pairs += copies[..at].iter().map(with).sum::<f64>();
    }
    2.0 * pairs / itself
}

#[cfg(test)]
mod tests {
    use super::super::overlap::tests::random_mixture;
    use super::*;

    fn search(order: usize) -> Search {
        Search {
            order,
            starts: 200,
            climb: Climb {
                steps: 200,
                background: 0.0,
            },
            seed: 2,
        }
    }

    fn sum_of(complex: &Complex, models: &[Mixture], poses: &[Pose]) -> Mixture {
        let mut out = Mixture::default();
        for copy in complex.copies(poses) {
            let (model, pose) = (&models[copy.model], copy.pose);
            let centre = model.centre();
            out.weight.extend(&model.weight);
            out.mean.extend(model.mean.iter().map(|x| pose.apply(&(x - centre))));
            let turned = |s: &nalgebra::Matrix3<f64>| pose.rotation * s * pose.rotation.transpose();
            out.covariance.extend(model.covariance.iter().map(turned));
        }
        out
    }

    #[test]
    fn the_slope_is_that_of_the_energy() {
        let (map, models) = (random_mixture(9, 1), [random_mixture(3, 2), random_mixture(4, 3)]);
        for (order, background) in [(1, 0.0), (3, 0.0), (3, 4.0)] {
            let climb = Climb { steps: 9, background };
            let complex = Complex::new(&map, &models, &Search { climb, ..search(order) });
            let start = complex.draw(&map, &mut ChaCha8Rng::seed_from_u64(1));
            let by: Vec<[f64; 3]> = (0..2 * start.len()).map(|i| [0.3, -0.1 * i as f64, 1.0]).collect();
            let mut slope = by.clone();
            complex.energy(&start, &by, &mut slope);
            for (row, axis) in (0..by.len() * 3).map(|i| (i / 3, i % 3)) {
                let at = |step: f64| {
                    let mut by = by.clone();
                    by[row][axis] += step;
                    complex.energy(&start, &by, &mut slope.clone())
                };
                let expected = (at(1e-4) - at(-1e-4)) / 2e-4;
                assert!(
                    (slope[row][axis] - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                    "{order} {row} {axis}"
                );
            }
        }
    }

    #[test]
    fn two_subunits_and_a_ring_of_three_are_found_again() {
        for (models, order) in [
            (vec![random_mixture(5, 2), random_mixture(6, 3)], 1),
            (vec![random_mixture(6, 4)], 3),
        ] {
            let mut truth = vec![Pose::identity(); models.len()];
            for (at, pose) in truth.iter_mut().enumerate() {
                pose.translation = Vector3::new(9.0 - 18.0 * at as f64, 3.0, 2.0);
            }
            if order > 1 {
                truth.push(Pose::identity());
            }
            let map = sum_of(&Complex::new(&models[0], &models, &search(order)), &models, &truth);
            let found = fit_complex(&map, &models, &search(order), &Control::default()).unwrap();
            let best = found.iter().map(|one| one.correlation).fold(0.0, f64::max);
            assert!(best > 0.999, "{order}: {best}");
            assert!(
                found
                    .iter()
                    .all(|one| one.poses.len() == models.len() * order && one.clash >= 0.0)
            );
        }
    }

    #[test]
    fn nothing_to_place_is_refused() {
        let map = random_mixture(3, 1);
        assert!(fit_complex(&map, &[], &search(1), &Control::default()).is_err());
        assert!(fit_complex(&map, std::slice::from_ref(&map), &search(0), &Control::default()).is_err());
    }
}
