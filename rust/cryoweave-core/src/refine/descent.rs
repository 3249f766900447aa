//! Limited-memory BFGS (Nocedal 1980) with a bounded step: energies here are cheap, and nearly smooth.
//! Also the rigid fits of mixtures go downhill with it.
use crate::control::Control;
use crate::error::Result;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;
/// Share of the promised gain that a step must bring (Armijo).
const ENOUGH: f64 = 1e-4;
const HALVINGS: usize = 20;
/// Sums that are kept side by side: the order is fixed, and none waits for another.
const LANES: usize = 8;

type Points = Vec<[f64; 3]>;

/// When to stop, and how far to go at once.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) steps: usize,
    /// The end is where no point feels a force above this.
    pub(crate) tolerance: f64,
    /// Å that no point moves farther in one step.
    pub(crate) longest: f64,
}

/// Go downhill from `at` to where the limits say; returns the energy there.
pub(crate) fn descend(
    at: &mut Points,
    limits: &Limits,
    energy: impl Fn(&[[f64; 3]], &mut [[f64; 3]]) -> f64,
    control: &Control,
) -> Result<f64> {
    let mut slope = vec![[0.0; 3]; at.len()];
    let mut value = energy(at, &mut slope);
    let mut memory: Vec<(Points, Points, f64)> = Vec::new();
    for _ in 0..limits.steps {
        if largest(&slope) < limits.tolerance {
            break;
        }
        let mut way = direction(&slope, &memory, limits.longest);
        let mut gain = inner(&way, &slope);
        if gain.is_nan() || gain >= 0.0 {
            memory.clear();
            way = scaled(&slope, -1.0);
            gain = inner(&way, &slope);
        }
        let mut share = (limits.longest / largest(&way)).min(1.0);
        let mut there = vec![[0.0; 3]; at.len()];
        let mut slope_there = slope.clone();
        let mut found = None;
        for _ in 0..HALVINGS {
            control.check()?;
            for ((to, from), by) in there.iter_mut().zip(at.iter()).zip(&way) {
                *to = std::array::from_fn(|axis| from[axis] + share * by[axis]);
            }
            let tried = energy(&there, &mut slope_there);
            if tried.is_finite() && tried <= value + ENOUGH * share * gain {
                found = Some(tried);
                break;
            }
            share *= 0.5;
        }
        let Some(lower) = found else {
            if memory.is_empty() {
                break;
            }
            memory.clear();
            continue;
        };
        let step = scaled(&way, share);
        let change: Points = difference(&slope_there, &slope);
        let curvature = inner(&step, &change);
        if curvature > 1e-12 {
            if memory.len() == MEMORY {
                memory.remove(0);
            }
            memory.push((step, change, 1.0 / curvature));
        }
        (*at, slope, value) = (there, slope_there, lower);
    }
    Ok(value)
}

/// Minus the slope, turned and scaled by what the last steps told about curvature.
fn direction(slope: &[[f64; 3]], memory: &[(Points, Points, f64)], longest: f64) -> Points {
    let mut way = scaled(slope, -1.0);
    let mut shares = Vec::with_capacity(memory.len());
    for (step, change, inverse) in memory.iter().rev() {
        let share = inverse * inner(step, &way);
        add(&mut way, change, -share);
        shares.push(share);
    }
    match memory.last() {
        Some((_, change, inverse)) => way = scaled(&way, 1.0 / (inverse * inner(change, change))),
        // No curvature is known yet: the first step goes as far as a step may.
        None => way = scaled(&way, longest / largest(slope)),
    }
    for ((step, change, inverse), share) in memory.iter().zip(shares.into_iter().rev()) {
        let back = inverse * inner(change, &way);
        add(&mut way, step, share - back);
    }
    way
}

fn largest(points: &[[f64; 3]]) -> f64 {
    let square = |p: &[f64; 3]| p.iter().map(|x| x * x).sum::<f64>();
    points.iter().map(square).fold(0.0, f64::max).sqrt()
}

fn inner(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
    let (a, b) = (
        a.as_flattened().chunks_exact(LANES),
        b.as_flattened().chunks_exact(LANES),
    );
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; LANES];
    for (a, b) in a.zip(b) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn scaled(points: &[[f64; 3]], by: f64) -> Points {
    points.iter().map(|p| p.map(|x| x * by)).collect()
}

fn difference(a: &[[f64; 3]], b: &[[f64; 3]]) -> Points {
    let pair = |(a, b): (&[f64; 3], &[f64; 3])| std::array::from_fn(|axis| a[axis] - b[axis]);
    a.iter().zip(b).map(pair).collect()
}

fn add(to: &mut [[f64; 3]], what: &[[f64; 3]], times: f64) {
    for (to, what) in to.as_flattened_mut().iter_mut().zip(what.as_flattened()) {
        *to += times * what;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: f64 = 0.5;

    fn limits(steps: usize) -> Limits {
        Limits {
            steps,
            tolerance: 1e-6,
            longest: LONGEST,
        }
    }

    /// Ends of a descent from `at`.
    fn ends(at: &[[f64; 3]], steps: usize, energy: impl Fn(&[[f64; 3]], &mut [[f64; 3]]) -> f64) -> Points {
        let mut at = at.to_vec();
        descend(&mut at, &limits(steps), energy, &Control::default()).unwrap();
        at
    }

    /// Rosenbrock's valley, in x and y.
    fn valley(at: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
        let [x, y, _] = at[0];
        let (a, b) = (1.0 - x, y - x * x);
        slope[0] = [-2.0 * a - 400.0 * x * b, 200.0 * b, 0.0];
        a * a + 100.0 * b * b
    }

    #[test]
    fn a_bent_valley_leads_to_its_end() {
        let [x, y, _] = ends(&[[-1.2, 1.0, 0.0]], 100, valley)[0];
        assert!((x - 1.0).abs() < 1e-6 && (y - 1.0).abs() < 1e-6, "{x} {y}");
    }

    #[test]
    fn one_step_goes_no_farther_than_it_may() {
        let slope = |at: &[[f64; 3]], slope: &mut [[f64; 3]]| {
            slope.fill([1e9, 0.0, 0.0]);
            1e9 * at.iter().map(|p| p[0]).sum::<f64>()
        };
        let there = ends(&[[0.0; 3], [5.0; 3]], 3, slope);
        assert!((there[0][0] + 3.0 * LONGEST).abs() < 1e-9 && (there[1][0] - 5.0 + 3.0 * LONGEST).abs() < 1e-9);
    }

    #[test]
    fn nothing_moves_on_flat_ground_or_where_the_energy_is_no_number() {
        let start = [[1.0, 2.0, 3.0]];
        assert_eq!(ends(&start, 10, |_, _| 0.0), start);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let slope = |_: &[[f64; 3]], slope: &mut [[f64; 3]]| {
                slope.fill([bad; 3]);
                bad
            };
            assert_eq!(ends(&start, 10, slope), start);
            let edge = |at: &[[f64; 3]], slope: &mut [[f64; 3]]| {
                slope.fill([-1.0, 0.0, 0.0]);
                if at[0][0] > 1.0 { bad } else { -at[0][0] }
            };
            assert_eq!(ends(&start, 10, edge), start);
        }
        assert_eq!(ends(&[], 10, |_, _| 0.0), Points::new());
        assert_eq!(ends(&start, 0, valley), start);
    }

    #[test]
    fn sums_in_lanes_leave_nothing_out() {
        for n in 0..20 {
            let points: Points = (0..n).map(|i| [i as f64, 1.0, 2.0]).collect();
            let expected: f64 = points.iter().flatten().map(|x| x * x).sum();
            assert_eq!(inner(&points, &points), expected);
        }
    }

    #[test]
    fn a_cancel_is_heard() {
        let control = Control::default();
        control.cancel();
        assert!(descend(&mut vec![[-1.2, 1.0, 0.0]], &limits(9), valley, &control).is_err());
    }
}
