//! Expectation-maximisation over points that are Gaussians themselves.
//!
//! What is maximised is `Σ_n a_n ln Σ_k w_k exp(E_n[ln N(x | k)])`, the mean taken over the Gaussian of point `n`: to
//! the usual log density it adds `-½ tr(S_k⁻¹ S_n)`. The mixture then has the mean and the covariance of its input, and
//! no component is narrower than what it stands for.
use nalgebra::{Matrix3, Vector3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::start::{choose, unit};
use super::{Mixture, inverse, log_height};
use crate::control::Control;
use crate::error::{Error, Result};

/// Points whose sums are made by one thread, in order.
const BLOCK: usize = 512;
/// Shares of a point below `exp(-FAR)` of its best one count as none.
const FAR: f64 = 40.0;
/// A component with less than this share of the input is left where it is.
const EMPTY: f64 = 1e-12;

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Gaussians to fit.
    pub components: usize,
    /// Rounds at most.
    pub rounds: usize,
    /// Stop when a round raises the log likelihood of a point by less than this.
    pub tolerance: f64,
    /// Of the random start.
    pub seed: u64,
}

/// A mixture and its way there.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Its weights sum to those of the input.
    pub mixture: Mixture,
    /// Mean over the points before each round.
    pub log_likelihood: Vec<f64>,
}

/// Reduce a mixture of many Gaussians to one of `components`.
pub fn fit_mixture(input: &Mixture, effort: &Effort, control: &Control) -> Result<Fitted> {
    let k = effort.components;
    if k == 0 || k > input.len() {
        let (name, rule) = ("components", "at least 1 and at most the number of points");
        let value = k as f64;
        return Err(Error::Parameter { name, rule, value });
    }
    let (centre, total) = (input.centre(), input.total());
    let input = input.shifted(-centre).scaled(1.0 / total);
    let mut random = ChaCha8Rng::seed_from_u64(effort.seed);
    let seeds = seeds(&input, k, &mut random, control)?;
    let mut mixture = nearest(&input, &seeds);
    let mut log_likelihood: Vec<f64> = Vec::new();
    control.expect(effort.rounds as u64);
    for _ in 0..effort.rounds {
        control.step()?;
        let sums = expect(&input, &mixture, control)?;
        let before = log_likelihood.last().copied();
        log_likelihood.push(sums.log_likelihood);
        sums.maximise(&mut mixture);
        if before.is_some_and(|before| sums.log_likelihood - before < effort.tolerance) {
            break;
        }
    }
    let mixture = mixture.scaled(total).shifted(centre);
    Ok(Fitted {
        mixture,
        log_likelihood,
    })
}

/// Points far from each other: each next one by its weight times its squared distance to those before (Arthur and
/// Vassilvitskii 2007, k-means++).
fn seeds(input: &Mixture, k: usize, random: &mut ChaCha8Rng, control: &Control) -> Result<Vec<Vector3<f64>>> {
    let mut chance = input.weight.clone();
    let mut square = vec![f64::INFINITY; input.len()];
    let mut found: Vec<Vector3<f64>> = Vec::with_capacity(k);
    while found.len() < k {
        control.check()?;
        let seed = input.mean[choose(&chance, unit(random))];
        found.push(seed);
        for (at, x) in input.mean.iter().enumerate() {
            square[at] = square[at].min((x - seed).norm_squared());
            chance[at] = input.weight[at] * square[at];
        }
    }
    Ok(found)
}

/// Every point as a whole to its nearest seed.
fn nearest(input: &Mixture, seeds: &[Vector3<f64>]) -> Mixture {
    let mut sums = Sums::new(seeds.len());
    for ((&weight, x), s) in input.weight.iter().zip(&input.mean).zip(&input.covariance) {
        let distances = seeds.iter().map(|seed| (x - seed).norm_squared());
        let best = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        sums.add(best.map_or(0, |(at, _)| at), weight, x, s);
    }
    let (mean, covariance) = (seeds.to_vec(), vec![input.spread(); seeds.len()]);
    let weight = vec![0.0; seeds.len()];
    let mut mixture = Mixture {
        weight,
        mean,
        covariance,
    };
    sums.maximise(&mut mixture);
    mixture
}

/// What the M-step needs: for each component weight, first moments and the upper triangle of second moments.
struct Sums {
    log_likelihood: f64,
    moments: Vec<[f64; 10]>,
}

impl Sums {
    fn new(components: usize) -> Self {
        Self {
            log_likelihood: 0.0,
            moments: vec![[0.0; 10]; components],
        }
    }

    fn add(&mut self, component: usize, share: f64, x: &Vector3<f64>, s: &Matrix3<f64>) {
        let (to, [a, b, c]) = (&mut self.moments[component], [x[0], x[1], x[2]]);
        let terms = [
            1.0,
            a,
            b,
            c,
            a * a + s[(0, 0)],
            a * b + s[(0, 1)],
            a * c + s[(0, 2)],
            b * b + s[(1, 1)],
            b * c + s[(1, 2)],
            c * c + s[(2, 2)],
        ];
        for (to, term) in to.iter_mut().zip(terms) {
            *to += share * term;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.log_likelihood += other.log_likelihood;
        let (to, from) = (self.moments.as_flattened_mut(), other.moments.as_flattened());
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }

    fn maximise(&self, mixture: &mut Mixture) {
        for (at, m) in self.moments.iter().enumerate() {
            if m[0] < EMPTY {
                mixture.weight[at] = 0.0;
                continue;
            }
            let [xx, xy, xz, yy, yz, zz] = std::array::from_fn(|i| m[4 + i] / m[0]);
            let mean = Vector3::new(m[1], m[2], m[3]) / m[0];
            mixture.weight[at] = m[0];
            mixture.covariance[at] = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz) - mean * mean.transpose();
            mixture.mean[at] = mean;
        }
    }
}

/// A component as the E-step reads it.
struct Table {
    constant: f64,
    mean: Vector3<f64>,
    precision: Matrix3<f64>,
}

impl Table {
    fn new(weight: f64, mean: Vector3<f64>, covariance: &Matrix3<f64>) -> Self {
        let (precision, determinant) = inverse(covariance);
        Self {
            constant: weight.ln() + log_height(determinant),
            mean,
            precision,
        }
    }

    /// Logarithm of the weight times the height that the points of a Gaussian see in the geometric mean.
    fn log(&self, x: &Vector3<f64>, s: &Matrix3<f64>) -> f64 {
        let (d, p) = (x - self.mean, &self.precision);
        let diagonal = p[(0, 0)] * (d[0] * d[0] + s[(0, 0)])
            + p[(1, 1)] * (d[1] * d[1] + s[(1, 1)])
            + p[(2, 2)] * (d[2] * d[2] + s[(2, 2)]);
        let rest = p[(0, 1)] * (d[0] * d[1] + s[(0, 1)])
            + p[(0, 2)] * (d[0] * d[2] + s[(0, 2)])
            + p[(1, 2)] * (d[1] * d[2] + s[(1, 2)]);
        self.constant - 0.5 * diagonal - rest
    }
}

fn expect(input: &Mixture, mixture: &Mixture, control: &Control) -> Result<Sums> {
    let parts = mixture.weight.iter().zip(&mixture.mean).zip(&mixture.covariance);
    let tables: Vec<Table> = parts.map(|((&w, &x), s)| Table::new(w, x, s)).collect();
    let blocks: Vec<Sums> = (0..input.len().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            control.check()?;
            Ok(expect_block(input, &tables, block))
        })
        .collect::<Result<_>>()?;
    let mut sums = Sums::new(tables.len());
    for block in &blocks {
        sums.merge(block);
    }
    Ok(sums)
}

fn expect_block(input: &Mixture, tables: &[Table], block: usize) -> Sums {
    let mut sums = Sums::new(tables.len());
    let mut logs = vec![0.0; tables.len()];
    for at in block * BLOCK..((block + 1) * BLOCK).min(input.len()) {
        let (weight, x, s) = (input.weight[at], &input.mean[at], &input.covariance[at]);
        let mut highest = f64::NEG_INFINITY;
        for (log, table) in logs.iter_mut().zip(tables) {
            *log = table.log(x, s);
            highest = highest.max(*log);
        }
        let mut total = 0.0;
        for log in &mut logs {
            let below = *log - highest;
            *log = if below > -FAR { below.exp() } else { 0.0 };
            total += *log;
        }
        sums.log_likelihood += weight * (highest + total.ln());
        for (component, &share) in logs.iter().enumerate() {
            if share > 0.0 {
                sums.add(component, weight * share / total, x, s);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud(n: usize) -> Mixture {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut out = Mixture::default();
        for at in 0..n {
            let lump = if at % 3 == 0 { 9.0 } else { 0.0 };
            let x = Vector3::from_fn(|axis, _| 50.0 + lump + 4.0 * (axis as f64 + 1.0) * unit(&mut random));
            out.weight.push(0.5 + unit(&mut random));
            out.mean.push(x);
            out.covariance.push(Matrix3::identity() * (0.3 + unit(&mut random)));
        }
        out
    }

    fn effort(components: usize) -> Effort {
        Effort {
            components,
            rounds: 60,
            tolerance: 1e-9,
            seed: 5,
        }
    }

    #[test]
    fn the_likelihood_never_falls_and_moments_stay() {
        let input = cloud(1500);
        for k in [1, 2, 7, 30] {
            let found = fit_mixture(&input, &effort(k), &Control::default()).unwrap();
            assert!(found.log_likelihood.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
            assert!((found.mixture.total() - input.total()).abs() < 1e-9);
            assert!((found.mixture.centre() - input.centre()).norm() < 1e-9);
            assert!((found.mixture.spread() - input.spread()).norm() < 1e-9);
        }
    }

    #[test]
    fn points_in_one_place_keep_the_width_of_their_own() {
        let input = Mixture::new(
            &[1.0; 4],
            &[[1.0, 2.0, 3.0]; 4],
            &[[2.0, 0., 0., 0., 2.0, 0., 0., 0., 2.0]; 4],
        );
        let found = fit_mixture(&input.unwrap(), &effort(3), &Control::default()).unwrap();
        for (weight, s) in found.mixture.weight.iter().zip(&found.mixture.covariance) {
            assert!(weight.is_finite() && (s - Matrix3::identity() * 2.0).norm() < 1e-12);
        }
    }

    #[test]
    fn as_many_as_points_is_the_input() {
        let mut input = cloud(5);
        for (at, x) in input.mean.iter_mut().enumerate() {
            *x = Vector3::new(100.0 * at as f64, 0.0, 0.0);
        }
        let found = fit_mixture(&input, &effort(5), &Control::default()).unwrap().mixture;
        for (x, weight) in found.mean.iter().zip(&found.weight) {
            let near = input.mean.iter().position(|y| (x - y).norm() < 1e-9).unwrap();
            assert!((weight - input.weight[near]).abs() < 1e-9);
        }
    }

    #[test]
    fn threads_do_not_matter_and_wrong_numbers_are_refused() {
        let input = cloud(3000);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit_mixture(&input, &effort(12), &Control::default()).unwrap())
        };
        assert_eq!(run(1), run(3));
        assert!(fit_mixture(&input, &effort(0), &Control::default()).is_err());
        assert!(fit_mixture(&input, &effort(3001), &Control::default()).is_err());
        let control = Control::default();
        control.cancel();
        assert_eq!(fit_mixture(&input, &effort(3), &control), Err(Error::Cancelled));
    }
}
