//! The motion on which most of some correspondences agree.
//!
//! In the order of Yang, Shi & Carlone 2021, doi 10.1109/TRO.2020.3033695: a largest clique of correspondences whose
//! distances agree, then the rotation by the differences within it, then the shift, each by truncated least squares.
use super::clique::{Graph, largest_clique};
use super::rotation::{robust_rotation, robust_shift};
use super::{Motion, positive};
use crate::control::Control;
use crate::error::{Result, same_length};
use crate::graph::check_points;
use crate::vector::{minus, norm};

/// The rotation is taken from at most so many differences of points.
const MOST_DIFFERENCES: usize = 5000;
/// Fewer agreeing correspondences do not fix a motion.
const LEAST: usize = 3;

/// What is taken for agreement, and how hard the search is.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How far a point may be off, in Å: distances within a cloud may then differ by twice that.
    pub noise: f64,
    /// Branchings in the search for the largest clique; beyond them the largest one found is taken.
    pub limit: usize,
}

/// A motion and what speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Takes the mobile points to the target's.
    pub motion: Motion,
    /// Correspondences that agree with each other, by rising number.
    pub clique: Vec<usize>,
    /// Correspondences of all that lie within the noise bound after the motion.
    pub inliers: usize,
    /// Whether no larger set agrees; if not, the search stopped at its limit.
    pub exact: bool,
}

/// The motion that takes most of `mobile` to their partners in `target`; `None` if fewer than three agree.
pub fn register(
    mobile: &[[f64; 3]],
    target: &[[f64; 3]],
    rules: Rules,
    control: &Control,
) -> Result<Option<Registration>> {
    check_points(mobile)?;
    check_points(target)?;
    same_length("the clouds differ in number of points", mobile.len(), target.len())?;
    positive("noise", rules.noise)?;
    let agree = |i: usize, j: usize| {
        let (a, b) = (norm(minus(mobile[i], mobile[j])), norm(minus(target[i], target[j])));
        // Two partners of one point are no two witnesses.
        a > 0.0 && b > 0.0 && (a - b).abs() <= 2.0 * rules.noise
    };
    let found = largest_clique(&Graph::new(mobile.len(), agree)?, rules.limit, control)?;
    if found.nodes.len() < LEAST {
        return Ok(None);
    }
    let motion = motion(mobile, target, &found.nodes, rules.noise)?;
    let near = |&(&a, &b): &(&[f64; 3], &[f64; 3])| norm(minus(motion.apply(a), b)) <= rules.noise;
    Ok(Some(Registration {
        motion,
        inliers: mobile.iter().zip(target).filter(near).count(),
        clique: found.nodes,
        exact: found.exact,
    }))
}

fn motion(mobile: &[[f64; 3]], target: &[[f64; 3]], nodes: &[usize], noise: f64) -> Result<Motion> {
    // All differences of a small clique; of a large one those of each node with the next ones, round the circle.
    let n = nodes.len();
    let steps = (MOST_DIFFERENCES / n).clamp(1, n / 2);
    let differences = |points: &[[f64; 3]]| -> Vec<[f64; 3]> {
        (1..=steps)
            .flat_map(|step| (0..n).map(move |at| (at, (at + step) % n)))
            .map(|(i, j)| minus(points[nodes[j]], points[nodes[i]]))
            .collect()
    };
    let rotation = robust_rotation(&differences(mobile), &differences(target), 2.0 * noise)?;
    let turn = Motion {
        rotation,
        translation: [0.0; 3],
    };
    let shifts: Vec<[f64; 3]> = nodes.iter().map(|&i| minus(target[i], turn.turn(mobile[i]))).collect();
    let along = |axis: usize| shifts.iter().map(|shift| shift[axis]).collect::<Vec<_>>();
    Ok(Motion {
        rotation,
        translation: [0, 1, 2].map(|axis| robust_shift(&along(axis), noise)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    const RULES: Rules = Rules {
        noise: 2.0,
        limit: 100_000,
    };

    #[test]
    fn a_motion_is_recovered_among_seventy_percent_wrong_pairs() {
        for seed in 0..5 {
            let truth = scene::motion([1.0, 0.2, -0.7], 100.0 + seed as f64, [30.0, -12.0, 55.0]);
            let mobile = scene::points(200, 100.0, 10 + seed);
            let (wrong, noise) = (scene::points(200, 160.0, 20 + seed), scene::points(200, 1.5, 30 + seed));
            let target: Vec<[f64; 3]> = (0..200)
                .map(|i| {
                    let right = truth.apply(mobile[i]);
                    if i % 10 < 3 {
                        [0, 1, 2].map(|axis| right[axis] + noise[i][axis])
                    } else {
                        wrong[i]
                    }
                })
                .collect();
            let found = register(&mobile, &target, RULES, &Control::default()).unwrap().unwrap();
            let (angle, shift) = scene::apart(&truth, &found.motion);
            assert!(angle < 1.0 && shift < 0.6, "{angle} {shift}");
            assert!(found.exact && found.inliers >= 58);
        }
    }

    #[test]
    fn too_few_pairs_give_no_motion() {
        let points = scene::points(2, 10.0, 1);
        assert_eq!(register(&points, &points, RULES, &Control::default()), Ok(None));
        assert_eq!(register(&[], &[], RULES, &Control::default()), Ok(None));
        assert!(register(&points, &[], RULES, &Control::default()).is_err());
        assert_eq!(
            register(&[[1.0; 3]; 9], &[[1.0; 3]; 9], RULES, &Control::default()),
            Ok(None)
        );
        let line: Vec<[f64; 3]> = (0..5).map(|i| [9.0 * f64::from(i), 0.0, 0.0]).collect();
        assert!(register(&line, &line, RULES, &Control::default()).unwrap().is_some());
    }
}
