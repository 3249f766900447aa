//! One mixture moved as a whole to where it overlaps most with another.
use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::overlap::{Ready, overlap, slope_of};
use super::pose::pulled;
use super::{Mixture, Pose, start};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::refine::descent::{Limits, descend};

/// The descent's energy is minus the correlation times this, a size that its thresholds were made for.
pub(super) const SCALE: f64 = 1e3;
const TOLERANCE: f64 = 1e-3;
/// Å that the model, or a point one radius of gyration from its centre, moves in one step at most.
const LONGEST: f64 = 5.0;

/// The end of a descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// From the model's own frame to the map's.
    pub pose: Pose,
    /// Of the two mixtures there.
    pub correlation: f64,
}

/// Places to start from: the four orientations by principal axes, then random rotations with the model's centre at
/// random places of the map's density.
pub fn starting_poses(map: &Mixture, model: &Mixture, count: usize, seed: u64) -> Vec<Pose> {
    let centre = model.centre();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let drawn = (0..count).map(|_| {
        let (rotation, place) = (start::rotation(&mut random), start::place(map, &mut random));
        let translation = place - rotation * centre;
        Pose { rotation, translation }
    });
    start::principal(map, model).into_iter().chain(drawn).collect()
}

/// How to climb.
#[derive(Clone, Copy, Debug)]
pub struct Climb {
    /// Steps of each descent at most.
    pub steps: usize,
    /// σ in Å of the blur that is taken off the map, 0 for none; the correlation is that of what stands out from it.
    pub background: f64,
}

/// From each pose uphill in the correlation.
pub fn fit_rigid(
    map: &Mixture,
    model: &Mixture,
    starts: &[Pose],
    climb: &Climb,
    control: &Control,
) -> Result<Vec<Placed>> {
    check(starts, climb)?;
    let centre = model.centre();
    let model = model.shifted(-centre);
    let seen = map.less_background(climb.background);
    let norm = (overlap(&seen, map) * overlap(&model.less_background(climb.background), &model)).sqrt();
    let rigid = Rigid {
        lever: lever(&model),
        map: Ready::new(&seen.scaled(1.0 / norm)),
        model: Ready::new(&model),
        limits: limits(climb.steps),
    };
    let to_centre = Pose {
        translation: centre,
        ..Pose::identity()
    };
    let back = Pose {
        translation: -centre,
        ..Pose::identity()
    };
    control.expect(starts.len() as u64);
    starts
        .par_iter()
        .map(|start| {
            control.step()?;
            let placed = rigid.climb(&start.after(&to_centre), control)?;
            let pose = placed.pose.after(&back);
            Ok(Placed { pose, ..placed })
        })
        .collect()
}

/// Radius of gyration.
pub(super) fn lever(model: &Mixture) -> f64 {
    model.spread().trace().sqrt()
}

pub(super) fn limits(steps: usize) -> Limits {
    Limits {
        steps,
        tolerance: TOLERANCE,
        longest: LONGEST,
    }
}

pub(super) fn check_climb(climb: &Climb) -> Result<()> {
    let value = climb.background;
    if value == 0.0 || (0.01..=1e4).contains(&value) {
        return Ok(());
    }
    let (name, rule) = ("background", "0, or from 0.01 to 10000 Å");
    Err(Error::Parameter { name, rule, value })
}

fn check(starts: &[Pose], climb: &Climb) -> Result<()> {
    check_climb(climb)?;
    let proper = |pose: &Pose| {
        let r = &pose.rotation;
        let off = (r * r.transpose() - nalgebra::Matrix3::identity()).abs().max();
        off < 1e-4 && r.determinant() > 0.0 && pose.translation.iter().all(|x| x.is_finite())
    };
    match starts.iter().position(|pose| !proper(pose)) {
        Some(row) => {
            let what = "a start is not a proper rotation and a finite translation";
            Err(Error::Row { what, row })
        }
        None => Ok(()),
    }
}

/// Both mixtures ready; the map's weights are scaled so that the overlap is the correlation.
struct Rigid {
    map: Ready,
    model: Ready,
    lever: f64,
    limits: Limits,
}

impl Rigid {
    fn climb(&self, start: &Pose, control: &Control) -> Result<Placed> {
        let mut by = vec![[0.0; 3]; 2];
        let energy = |by: &[[f64; 3]], out: &mut [[f64; 3]]| {
            let pose = start.moved(by, self.lever);
            let (value, slope) = slope_of(&self.map, &self.model.moved(&pose), &pose.translation);
            for (out, row) in out.iter_mut().zip(pulled(&slope, by, self.lever)) {
                *out = (Vector3::from(row) * -SCALE).into();
            }
            -SCALE * value
        };
        let reached = descend(&mut by, &self.limits, energy, control)?;
        Ok(Placed {
            pose: start.moved(&by, self.lever),
            correlation: -reached / SCALE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::overlap::tests::random_mixture;
    use super::super::{Effort, fit_mixture};
    use super::*;

    fn moved(model: &Mixture, pose: &Pose) -> Mixture {
        let mut out = model.clone();
        for x in &mut out.mean {
            *x = pose.apply(x);
        }
        for s in &mut out.covariance {
            *s = pose.rotation * *s * pose.rotation.transpose();
        }
        out
    }

    fn climb(steps: usize) -> Climb {
        Climb { steps, background: 0.0 }
    }

    fn truth() -> Pose {
        Pose {
            rotation: start::rotation(&mut ChaCha8Rng::seed_from_u64(9)),
            translation: Vector3::new(30.0, -20.0, 10.0),
        }
    }

    fn best(found: &[Placed]) -> Placed {
        let order = |a: &&Placed, b: &&Placed| a.correlation.total_cmp(&b.correlation);
        *found.iter().max_by(order).unwrap()
    }

    #[test]
    fn a_known_pose_is_found_again() {
        let atoms = random_mixture(300, 6);
        let effort = |components, seed| Effort {
            components,
            rounds: 100,
            tolerance: 1e-7,
            seed,
        };
        let fit = |input: &Mixture, effort: &Effort| fit_mixture(input, effort, &Control::default()).unwrap().mixture;
        let (map, model) = (
            fit(&moved(&atoms, &truth()), &effort(10, 1)),
            fit(&atoms, &effort(10, 2)),
        );
        let starts = starting_poses(&map, &model, 60, 3);
        let found = best(&fit_rigid(&map, &model, &starts, &climb(100), &Control::default()).unwrap());
        assert!(found.correlation > 0.97, "{found:?}");
        let centre = atoms.centre();
        assert!((found.pose.apply(&centre) - truth().apply(&centre)).norm() < 0.3);
        assert!((found.pose.rotation - truth().rotation).norm() < 0.2);
    }

    #[test]
    fn the_same_mixture_is_laid_on_itself_and_threads_do_not_matter() {
        let model = random_mixture(8, 7);
        let map = moved(&model, &truth());
        let starts = starting_poses(&map, &model, 20, 3);
        assert_eq!(starts.len(), 24);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit_rigid(&map, &model, &starts, &climb(200), &Control::default()).unwrap())
        };
        let found = run(1);
        assert_eq!(found, run(3));
        let found = best(&found);
        assert!((found.correlation - 1.0).abs() < 1e-6, "{found:?}");
        assert!((found.pose.rotation - truth().rotation).norm() < 1e-2);
        assert!((found.pose.translation - truth().translation).norm() < 1e-2);
    }

    #[test]
    fn without_its_background_a_model_is_found_in_denser_surroundings() {
        let model = random_mixture(8, 7);
        let mut map = moved(&model, &truth());
        map.weight.push(3.0 * map.total());
        map.mean.push(map.centre() + Vector3::new(40.0, 0.0, 0.0));
        map.covariance.push(nalgebra::Matrix3::identity() * 150.0);
        let starts = starting_poses(&map, &model, 50, 3);
        let climb = Climb {
            steps: 200,
            background: 5.0,
        };
        let found = best(&fit_rigid(&map, &model, &starts, &climb, &Control::default()).unwrap());
        assert!((found.pose.rotation - truth().rotation).norm() < 0.05);
        for background in [-1.0, f64::NAN, 1e9] {
            let climb = Climb { background, ..climb };
            assert!(fit_rigid(&map, &model, &starts, &climb, &Control::default()).is_err());
        }
    }

    #[test]
    fn wrong_starts_are_refused_and_a_cancel_is_heard() {
        let model = random_mixture(3, 7);
        let mirror = Pose {
            rotation: -nalgebra::Matrix3::identity(),
            translation: Vector3::zeros(),
        };
        assert!(fit_rigid(&model, &model, &[mirror], &climb(9), &Control::default()).is_err());
        assert_eq!(
            fit_rigid(&model, &model, &[], &climb(9), &Control::default()),
            Ok(vec![])
        );
        let control = Control::default();
        control.cancel();
        assert!(fit_rigid(&model, &model, &[truth()], &climb(9), &control).is_err());
    }
}
