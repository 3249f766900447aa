//! A rotation between pairs of vectors of which many are wrong.
//!
//! Truncated least squares by graduated non-convexity: Yang, Antonante, Tzoumas & Carlone 2020, doi
//! 10.1109/LRA.2020.2965893.
use super::Motion;
use crate::error::Result;
use crate::metrics::superpose;
use crate::vector::{dot, minus};

/// By which the surrogate cost approaches the truncated one with each step.
const FACTOR: f64 = 1.4;
const SETTLED: f64 = 1e-16;
const MOST_STEPS: usize = 1000;

/// The rotation, as rows, that minimises the sum of `min(|R a - b|², noise²)`.
pub fn robust_rotation(a: &[[f64; 3]], b: &[[f64; 3]], noise: f64) -> Result<[[f64; 3]; 3]> {
    let bound = noise * noise;
    let mut weights = vec![1.0; a.len()];
    let mut rotation = weighted(a, b, &weights)?;
    let mut residuals = squares(a, b, rotation);
    let largest = residuals.iter().copied().fold(0.0, f64::max);
    if largest <= bound {
        return Ok(rotation);
    }
    // The surrogate is convex while its parameter is small.
    let mut mu = 1.0 / (2.0 * largest / bound - 1.0);
    let mut before = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        for (weight, &residual) in weights.iter_mut().zip(&residuals) {
            *weight = trust(residual, bound, mu);
        }
        if weights.iter().sum::<f64>() <= 0.0 {
            break;
        }
        rotation = weighted(a, b, &weights)?;
        residuals = squares(a, b, rotation);
        let cost: f64 = weights.iter().zip(&residuals).map(|(w, r)| w * r).sum();
        if (cost - before).abs() < SETTLED {
            break;
        }
        before = cost;
        mu *= FACTOR;
    }
    Ok(rotation)
}

/// The weight of a pair: whole within the bound, none far beyond it, and falling between.
fn trust(residual: f64, bound: f64, mu: f64) -> f64 {
    if residual >= (mu + 1.0) / mu * bound {
        0.0
    } else if residual <= mu / (mu + 1.0) * bound {
        1.0
    } else {
        (bound * mu * (mu + 1.0) / residual).sqrt() - mu
    }
}

fn squares(a: &[[f64; 3]], b: &[[f64; 3]], rotation: [[f64; 3]; 3]) -> Vec<f64> {
    let motion = Motion {
        rotation,
        translation: [0.0; 3],
    };
    let off = a.iter().zip(b).map(|(&a, &b)| minus(motion.turn(a), b));
    off.map(|off| dot(off, off)).collect()
}

/// Least squares without a translation: every pair also with its signs turned, so that both means are zero.
fn weighted(a: &[[f64; 3]], b: &[[f64; 3]], weights: &[f64]) -> Result<[[f64; 3]; 3]> {
    let twice = |vectors: &[[f64; 3]]| -> Vec<[f64; 3]> {
        let turned = vectors.iter().map(|v| v.map(|along| -along));
        vectors.iter().copied().chain(turned).collect()
    };
    Ok(superpose(&twice(a), &twice(b), Some(&[weights, weights].concat()))?.rotation)
}

/// The shift along one axis that minimises the sum of `min((d - shift)², noise²)` over the differences `d`.
///
/// The optimum is the mean of the differences within `noise` of it; all sets that a window of that width can hold are
/// tried.
pub fn robust_shift(differences: &[f64], noise: f64) -> f64 {
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (mut best, mut shift) = (f64::INFINITY, 0.0);
    let mut end = 0;
    for start in 0..sorted.len() {
        while end < sorted.len() && sorted[end] - sorted[start] <= 2.0 * noise {
            end += 1;
        }
        let inside = &sorted[start..end];
        let mean = inside.iter().sum::<f64>() / inside.len() as f64;
        let cost: f64 = sorted.iter().map(|d| (d - mean).powi(2).min(noise * noise)).sum();
        if cost < best {
            (best, shift) = (cost, mean);
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_rotation_is_found_among_wrong_pairs() {
        let truth = scene::motion([0.3, 1.0, -0.4], 140.0, [0.0; 3]);
        let a = scene::points(100, 50.0, 5);
        let wrong = scene::points(100, 50.0, 6);
        let b: Vec<[f64; 3]> = (0..100)
            .map(|i| if i % 2 == 0 { truth.turn(a[i]) } else { wrong[i] })
            .collect();
        let found = Motion {
            rotation: robust_rotation(&a, &b, 1.0).unwrap(),
            translation: [0.0; 3],
        };
        assert!(scene::apart(&truth, &found).0 < 0.5);
    }

    #[test]
    fn a_shift_is_found_among_wrong_ones() {
        let differences = [5.0, 5.2, -30.0, 4.9, 17.0, 18.0, 5.1, 90.0];
        assert!((robust_shift(&differences, 1.0) - 5.05).abs() < 1e-9);
        assert_eq!(robust_shift(&[], 1.0), 0.0);
    }
}
