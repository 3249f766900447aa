//! Closest points, again and again, where far pairs lose their weight.
//!
//! Welsch's weights on a scale that shrinks: Zhang, Yao & Deng 2021, doi 10.1109/TPAMI.2021.3054619.
use rayon::prelude::*;

use super::{Motion, median, positive};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::graph::{Tree, check_points, nearest};
use crate::metrics::superpose;
use crate::vector::{minus, norm};

/// The scale begins at this many medians of the distances to the closest points.
const FIRST_SCALE: f64 = 3.0;
/// The scale ends at the median distance of the target's neighbours over this (3 √3).
const LAST_SCALE: f64 = 5.196_152_422_706_632;
const NEIGHBOURS: usize = 7;
const STEPS_A_SCALE: usize = 100;
/// Å by which no point moves any more.
const SETTLED: f64 = 1e-4;
/// Å; a scale below this would only magnify rounding.
const LEAST_SCALE: f64 = 1e-3;

/// A motion and how well it lays one cloud on the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Takes the source to the target.
    pub motion: Motion,
    /// Median distance from a moved point to the closest of the target, in Å.
    pub median: f64,
    /// Steps taken in all.
    pub steps: usize,
}

/// Bring the motion `start` of `source` to where it lies best on `target`; pairs `r` apart count `exp(-r² / 2 scale²)`.
///
/// `last_scale` in Å ends the shrinking; as default the target's own spacing decides.
pub fn robust_icp(
    source: &[[f64; 3]],
    target: &[[f64; 3]],
    start: &Motion,
    last_scale: Option<f64>,
    control: &Control,
) -> Result<Fit> {
    check_points(source)?;
    check_points(target)?;
    start.check()?;
    if source.is_empty() || target.is_empty() {
        return Err(Error::Empty("a cloud has no points"));
    }
    let last = match last_scale {
        Some(scale) => {
            positive("last_scale", scale)?;
            scale
        }
        None => spacing(target, control)? / LAST_SCALE,
    }
    .max(LEAST_SCALE);
    let tree = Tree::new(target);
    let (mut motion, mut steps) = (*start, 0);
    let (_, distances) = closest(source, &tree, &motion);
    let mut scale = (FIRST_SCALE * median(distances)).max(last);
    loop {
        for _ in 0..STEPS_A_SCALE {
            control.check()?;
            steps += 1;
            let Some(next) = step(source, target, &tree, &motion, scale)? else {
                break;
            };
            let moved = source.iter().map(|&p| norm(minus(next.apply(p), motion.apply(p))));
            let largest = moved.fold(0.0, f64::max);
            motion = next;
            if largest < SETTLED {
                break;
            }
        }
        if scale <= last {
            break;
        }
        scale = (0.5 * scale).max(last);
    }
    let (_, distances) = closest(source, &tree, &motion);
    Ok(Fit {
        motion,
        median: median(distances),
        steps,
    })
}

/// Median over the points of the median distance to their nearest neighbours.
fn spacing(points: &[[f64; 3]], control: &Control) -> Result<f64> {
    let k = NEIGHBOURS.min(points.len());
    let found = nearest(points, points, k, control)?;
    let each = found.distances.chunks_exact(k).map(|row| median(row[1..].to_vec()));
    Ok(median(each.collect()))
}

/// The closest point of the target and how far it is, for each moved point of the source.
fn closest(source: &[[f64; 3]], tree: &Tree, motion: &Motion) -> (Vec<usize>, Vec<f64>) {
    source
        .par_iter()
        .map(|&point| {
            let (d2, index) = tree.closest(motion.apply(point)).unwrap_or((f64::INFINITY, 0));
            (index, d2.sqrt())
        })
        .unzip()
}

/// One motion further; `None` if no pair has any weight.
fn step(source: &[[f64; 3]], target: &[[f64; 3]], tree: &Tree, motion: &Motion, scale: f64) -> Result<Option<Motion>> {
    let (partner, distances) = closest(source, tree, motion);
    let weights: Vec<f64> = distances.iter().map(|r| (-0.5 * (r / scale).powi(2)).exp()).collect();
    if weights.iter().sum::<f64>() <= 0.0 {
        return Ok(None);
    }
    let partners: Vec<[f64; 3]> = partner.iter().map(|&at| target[at]).collect();
    let found = superpose(source, &partners, Some(&weights))?;
    Ok(Some(Motion {
        rotation: found.rotation,
        translation: found.translation,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_small_motion_of_a_part_is_recovered() {
        let target = scene::points(600, 80.0, 1);
        let truth = scene::motion([0.2, -1.0, 0.4], 8.0, [1.5, -2.0, 1.0]);
        // A third of the target, moved away, and points that have no partner.
        let back = |p: [f64; 3]| {
            let q = minus(p, truth.translation);
            [0, 1, 2].map(|axis| (0..3).map(|row| truth.rotation[row][axis] * q[row]).sum())
        };
        let mut source: Vec<[f64; 3]> = target.iter().take(200).map(|&p| back(p)).collect();
        source.extend(scene::points(60, 80.0, 9));
        let start = scene::motion([1.0, 0.0, 0.0], 0.0, [0.0; 3]);
        let found = robust_icp(&source, &target, &start, None, &Control::default()).unwrap();
        let (angle, shift) = scene::apart(&truth, &found.motion);
        assert!(angle < 0.2 && shift < 0.1, "{angle} {shift}");
        assert!(found.median < 0.1);
    }

    #[test]
    fn degenerate_clouds_do_not_panic() {
        let start = scene::motion([1.0, 0.0, 0.0], 0.0, [0.0; 3]);
        let control = Control::default();
        assert!(robust_icp(&[], &[[0.0; 3]], &start, None, &control).is_err());
        let one = robust_icp(&[[0.0; 3]], &[[5.0, 0.0, 0.0]], &start, None, &control).unwrap();
        assert!(one.median < 1e-9);
        assert!(robust_icp(&[[0.0; 3]], &[[5.0; 3]], &start, Some(0.0), &control).is_err());
        let far = robust_icp(&[[0.0; 3]; 3], &[[1e9; 3]; 3], &start, Some(1.0), &control);
        assert!(far.is_ok());
    }
}
