//! TM-score and GDT: agreement of two structures at their best superposition for each.
use nalgebra::Vector3;
use rayon::prelude::*;

use super::superpose::{Motion, Sums, rows, vectors};
use super::{check_equal_length, check_points};
use crate::control::Control;
use crate::error::{Error, Result};

/// The best found over all superpositions tried; the motion is that of the TM-score.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// Sum over pairs of 1 / (1 + (d / d0)²), over the native length.
    pub tm: f64,
    /// Rows of the rotation that takes the mobile points to the target.
    pub rotation: [[f64; 3]; 3],
    /// In Å.
    pub translation: [f64; 3],
    /// Share of the native residues within 0.5, 1, 2, 4 and 8 Å, each at its own best superposition.
    pub within: [f64; 5],
}

const CUTOFFS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
const ITERATIONS: usize = 20;
const SHORTEST_SEED: usize = 4;
const SEEDS_A_TASK: usize = 16;

/// d0, the distance in Å at which a pair counts half: 1.24 (L - 15)^(1/3) - 1.8, but at least 0.5.
///
/// Zhang & Skolnick 2004, Proteins 57, 702.
pub fn tm_distance_scale(native_length: usize) -> f64 {
    let beyond = native_length.saturating_sub(15) as f64;
    (1.24 * beyond.cbrt() - 1.8).max(0.5)
}

/// TM-score and GDT of corresponding points, by a search over superpositions.
///
/// Fragments of the whole length, its half, and so on to a sixteenth, and then of four, are laid on each other at every
/// position; from each, the pairs that have come near are superposed again until they stay the same. A search like this
/// gives a lower bound that is rarely improved.
pub fn tm_score(
    mobile: &[[f64; 3]],
    target: &[[f64; 3]],
    native_length: usize,
    control: &Control,
) -> Result<Similarity> {
    check_equal_length(mobile.len(), target.len())?;
    check_points(mobile)?;
    check_points(target)?;
    if mobile.is_empty() {
        return Err(Error::Empty("there are no pairs of residues to score"));
    }
    if native_length == 0 {
        let (name, rule) = ("native_length", "at least 1");
        return Err(Error::Parameter { name, rule, value: 0.0 });
    }
    let search = Search::new(mobile, target, native_length);
    let seeds = seeds(mobile.len());
    control.expect(seeds.len() as u64);
    let explore = |task: &[(usize, usize)]| {
        let mut walk = Walk::new(mobile.len());
        for &(start, length) in task {
            control.step()?;
            search.follow(start, length, &mut walk);
        }
        Ok(walk.best)
    };
    let found: Vec<Best> = seeds.par_chunks(SEEDS_A_TASK).map(explore).collect::<Result<_>>()?;
    let mut best = Best::default();
    found.iter().for_each(|other| best.improve(other));
    Ok(best.report(native_length))
}

/// First pair and length of each fragment to begin with.
fn seeds(pairs: usize) -> Vec<(usize, usize)> {
    let mut lengths: Vec<usize> = (0..5)
        .map(|halvings| pairs >> halvings)
        .filter(|&n| n > SHORTEST_SEED)
        .collect();
    lengths.push(SHORTEST_SEED.min(pairs));
    lengths
        .iter()
        .flat_map(|&n| (0..=pairs - n).map(move |start| (start, n)))
        .collect()
}

struct Search {
    mobile: Vec<Vector3<f64>>,
    target: Vec<Vector3<f64>>,
    d0_squared: f64,
    /// Pairs this near take part in the next superposition.
    near: f64,
}

/// The best so far and its buffers.
struct Walk {
    best: Best,
    squares: Vec<f64>,
    chosen: Vec<u32>,
    before: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Best {
    score: f64,
    motion: Option<Motion>,
    within: [usize; 5],
}

impl Best {
    fn improve(&mut self, other: &Best) {
        if self.motion.is_none() || other.score > self.score {
            (self.score, self.motion) = (other.score, other.motion);
        }
        for (most, count) in self.within.iter_mut().zip(other.within) {
            *most = count.max(*most);
        }
    }

    fn report(&self, native_length: usize) -> Similarity {
        let share = |sum: f64| sum / native_length as f64;
        let turn = self
            .motion
            .map(|motion| (rows(motion.rotation), motion.translation.into()));
        let (rotation, translation) = turn.unwrap_or_default();
        let within = self.within.map(|count| share(count as f64));
        Similarity {
            tm: share(self.score),
            rotation,
            translation,
            within,
        }
    }
}

impl Walk {
    fn new(pairs: usize) -> Self {
        let indices = || Vec::with_capacity(pairs);
        Self {
            best: Best::default(),
            squares: vec![0.0; pairs],
            chosen: indices(),
            before: indices(),
        }
    }
}

impl Search {
    fn new(mobile: &[[f64; 3]], target: &[[f64; 3]], native_length: usize) -> Self {
        let d0 = tm_distance_scale(native_length);
        let (mobile, target) = (vectors(mobile), vectors(target));
        Self {
            mobile,
            target,
            d0_squared: d0 * d0,
            near: d0.clamp(4.5, 8.0),
        }
    }

    fn follow(&self, start: usize, length: usize, walk: &mut Walk) {
        walk.before.clear();
        walk.chosen.clear();
        walk.chosen.extend((start..start + length).map(|i| i as u32));
        for iteration in 0..=ITERATIONS {
            let motion = self.superposition(&walk.chosen);
            walk.best.improve(&self.evaluate(motion, &mut walk.squares));
            std::mem::swap(&mut walk.chosen, &mut walk.before);
            let near = if iteration == 0 {
                self.near - 1.0
            } else {
                self.near + 1.0
            };
            choose(&walk.squares, near, &mut walk.chosen);
            if walk.chosen == walk.before {
                break;
            }
        }
    }

    fn superposition(&self, chosen: &[u32]) -> Motion {
        let mut sums = Sums::about(self.mobile[0], self.target[0]);
        for &i in chosen {
            sums.add(self.mobile[i as usize], self.target[i as usize], 1.0);
        }
        sums.motion()
    }

    fn evaluate(&self, motion: Motion, squares: &mut [f64]) -> Best {
        let pairs = self.mobile.iter().zip(&self.target);
        for (square, (&a, b)) in squares.iter_mut().zip(pairs) {
            *square = (motion.apply(a) - b).norm_squared();
        }
        let score = squares
            .iter()
            .map(|square| 1.0 / (1.0 + square / self.d0_squared))
            .sum();
        let count = |cutoff: f64| {
            squares
                .iter()
                .map(|&square| usize::from(square <= cutoff * cutoff))
                .sum()
        };
        Best {
            score,
            motion: Some(motion),
            within: CUTOFFS.map(count),
        }
    }
}

/// Pairs nearer than `near`; if they are fewer than three, than as many half Å more as it takes.
fn choose(squares: &[f64], near: f64, chosen: &mut Vec<u32>) {
    let mut select = |limit: f64| {
        chosen.clear();
        let closer = squares
            .iter()
            .enumerate()
            .filter(|(_, square)| **square < limit * limit);
        chosen.extend(closer.map(|(i, _)| i as u32));
        chosen.len()
    };
    let enough = squares.len().min(3);
    if select(near) < enough {
        let mut sorted = squares.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let halves = ((sorted[enough - 1].sqrt() - near) / 0.5).floor() + 1.0;
        if select(near + 0.5 * halves) < enough {
            select(f64::INFINITY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helix(n: usize) -> Vec<[f64; 3]> {
        (0..n)
            .map(|i| (i as f64 * 1.745, i as f64 * 1.5))
            .map(|(a, z)| [2.3 * a.cos(), 2.3 * a.sin(), z])
            .collect()
    }

    fn score(mobile: &[[f64; 3]], target: &[[f64; 3]], length: usize) -> Similarity {
        tm_score(mobile, target, length, &Control::default()).unwrap()
    }

    #[test]
    fn a_moved_copy_scores_one() {
        for n in [1, 2, 3, 4, 5, 30] {
            let moved: Vec<[f64; 3]> = helix(n).iter().map(|[x, y, z]| [y + 9.0, z - 4.0, x + 100.0]).collect();
            let found = score(&helix(n), &moved, n);
            assert!((found.tm - 1.0).abs() < 1e-9, "{n}: {found:?}");
            assert_eq!(found.within, [1.0; 5]);
            assert!((score(&helix(n), &moved, 2 * n).tm - 0.5).abs() < 1e-9);
        }
    }

    #[test]
    fn pairs_far_from_each_other_end() {
        let target: Vec<[f64; 3]> = (0..9)
            .map(|i| [1e6 * f64::from(i * i), 1e7, -1e8 * f64::from(i)])
            .collect();
        assert!(score(&helix(9), &target, 9).tm < 1.0);
    }

    #[test]
    fn the_scale_is_that_of_the_paper() {
        assert_eq!(tm_distance_scale(10), 0.5);
        assert!((tm_distance_scale(100) - 3.6520).abs() < 1e-3);
    }

    #[test]
    fn bad_input_is_refused() {
        let control = Control::default();
        assert!(tm_score(&[], &[], 5, &control).is_err());
        assert!(tm_score(&helix(3), &helix(3), 0, &control).is_err());
        assert!(tm_score(&helix(3), &helix(2), 3, &control).is_err());
        control.cancel();
        assert_eq!(tm_score(&helix(3), &helix(3), 3, &control), Err(Error::Cancelled));
    }
}
