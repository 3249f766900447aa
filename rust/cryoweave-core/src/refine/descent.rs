//! Limited-memory BFGS (Nocedal 1980) with a bounded step: energies here are cheap, and nearly smooth.
use crate::control::Control;
use crate::error::Result;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;
/// Å that no atom moves farther in one step.
const LONGEST: f64 = 0.5;
/// Share of the promised gain that a step must bring (Armijo).
const ENOUGH: f64 = 1e-4;
const HALVINGS: usize = 20;

type Points = Vec<[f64; 3]>;

/// Go downhill from `at` until no atom feels a force above `tolerance`, or for `steps` steps; the energy there.
pub(super) fn descend(
    at: &mut Points,
    steps: usize,
    tolerance: f64,
    energy: impl Fn(&[[f64; 3]], &mut [[f64; 3]]) -> f64,
    control: &Control,
) -> Result<f64> {
    let mut slope = vec![[0.0; 3]; at.len()];
    let mut value = energy(at, &mut slope);
    let mut memory: Vec<(Points, Points, f64)> = Vec::new();
    for _ in 0..steps {
        control.check()?;
        if largest(&slope) < tolerance {
            break;
        }
        let mut way = direction(&slope, &memory);
        let mut gain = inner(&way, &slope);
        if gain >= 0.0 {
            memory.clear();
            way = scaled(&slope, -1.0);
            gain = inner(&way, &slope);
        }
        let mut share = (LONGEST / largest(&way)).min(1.0);
        let mut there = vec![[0.0; 3]; at.len()];
        let mut slope_there = slope.clone();
        let mut found = None;
        for _ in 0..HALVINGS {
            for ((to, from), by) in there.iter_mut().zip(at.iter()).zip(&way) {
                *to = std::array::from_fn(|axis| from[axis] + share * by[axis]);
            }
            let tried = energy(&there, &mut slope_there);
            if tried <= value + ENOUGH * share * gain {
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
fn direction(slope: &[[f64; 3]], memory: &[(Points, Points, f64)]) -> Points {
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
        None => way = scaled(&way, LONGEST / largest(slope)),
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
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| a * b).sum()
}

fn scaled(points: &[[f64; 3]], by: f64) -> Points {
    points.iter().map(|p| p.map(|x| x * by)).collect()
}

fn difference(a: &[[f64; 3]], b: &[[f64; 3]]) -> Points {
    let pair = |(a, b): (&[f64; 3], &[f64; 3])| std::array::from_fn(|axis| a[axis] - b[axis]);
    a.iter().zip(b).map(pair).collect()
}

fn add(to: &mut [[f64; 3]], what: &[[f64; 3]], times: f64) {
    for (to, what) in to.iter_mut().flatten().zip(what.iter().flatten()) {
        *to += times * what;
    }
}
