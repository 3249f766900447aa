//! How likely each residue is on each state, over all paths of one sequence.
use ndarray::Array2;
use rayon::prelude::*;

use super::{Emission, Incoming};
use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// What it costs to leave residues out, other than by a transition; all may be infinite.
#[derive(Clone, Copy, Debug)]
pub struct Breaks {
    /// For each residue before the first placed one and behind the last.
    pub end: f64,
    /// For going from any state to any.
    pub open: f64,
    /// For each residue left out there.
    pub extend: f64,
}

const CHUNK: usize = 256;
/// Share of a row's weight below which a state passes nothing on.
const NEXT_TO_NOTHING: f32 = 1e-12;
/// Where fewer than one state in so many passes anything on, it is faster to go from them than to all.
const FEW: usize = 4;

/// Transitions of one sequence's residues, from both their ends.
pub(super) struct Layers {
    forward: Vec<Ways>,
    backward: Vec<Ways>,
}

impl Layers {
    /// `layers[a]` leads from a residue to the one `a + 1` later: those between are left out.
    pub(super) fn new(layers: &[Incoming], states: usize) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::Empty("there are no transitions"));
        }
        for layer in layers {
            same_length("states and their transitions differ in number", states, layer.states())?;
        }
        Ok(Self {
            forward: layers.iter().map(Ways::into).collect(),
            backward: layers.iter().map(Ways::out_of).collect(),
        })
    }
}

impl Breaks {
    pub(super) fn check(&self) -> Result<()> {
        for (name, value) in [("end", self.end), ("open", self.open), ("extend", self.extend)] {
            if value.is_nan() || value < 0.0 {
                let rule = "zero or more";
                return Err(Error::Parameter { name, rule, value });
            }
        }
        Ok(())
    }

    /// Of so many residues left out at an end; an infinite cost of none is nothing.
    fn ends(&self, left_out: usize) -> f64 {
        if left_out == 0 { 0.0 } else { self.end * left_out as f64 }
    }
}

/// Forward–backward: the share of all paths, weighted by their probability, that has a residue on a state.
///
/// A path may visit a state more than once. Shape (residue, state); what is missing to 1 in a row are the paths that
/// leave the residue out. All zero if there is no path.
pub fn posterior(emission: Emission, layers: &[Incoming], breaks: Breaks, control: &Control) -> Result<Array2<f32>> {
    emission.check()?;
    breaks.check()?;
    let layers = Layers::new(layers, emission.states())?;
    control.expect(2 * emission.len() as u64);
    shares(emission, &layers, breaks, control)
}

/// The same of what has been checked.
pub(super) fn shares(emission: Emission, layers: &Layers, breaks: Breaks, control: &Control) -> Result<Array2<f32>> {
    let forward = sweep(emission, [&layers.forward, &layers.backward], breaks, false, control)?;
    let backward = sweep(emission, [&layers.backward, &layers.forward], breaks, true, control)?;
    Ok(together(emission, forward, &backward, breaks))
}

/// Ways to each state from others: listed ones less what the state gives to all.
struct Ways {
    starts: Vec<usize>,
    links: Vec<(u32, f32)>,
    /// Weight of going anywhere: of the state that is left, seen from either end.
    rest: Vec<f32>,
    any_rest: bool,
    backward: bool,
}

impl Ways {
    fn into(layer: &Incoming) -> Self {
        let rest: Vec<f32> = layer.rest.iter().map(|v| v.exp()).collect();
        let any_rest = rest.iter().any(|&v| v > 0.0);
        let (mut starts, mut links) = (vec![0], Vec::new());
        for to in 0..layer.states() {
            let more = |&(from, value): &(u32, f32)| (from, value.exp() - rest[from as usize]);
            links.extend(layer.to(to).iter().map(more));
            if any_rest {
                links.push((to as u32, -rest[to]));
            }
            starts.push(links.len());
        }
        let backward = false;
        Self {
            starts,
            links,
            rest,
            any_rest,
            backward,
        }
    }

    fn out_of(layer: &Incoming) -> Self {
        let there = Self::into(layer);
        let states = layer.states();
        let mut starts = vec![0; states + 1];
        there.links.iter().for_each(|&(from, _)| starts[from as usize + 1] += 1);
        for state in 0..states {
            starts[state + 1] += starts[state];
        }
        let (mut next, mut links) = (starts.clone(), vec![(0, 0.0); there.links.len()]);
        for to in 0..states {
            for &(from, weight) in &there.links[there.starts[to]..there.starts[to + 1]] {
                links[next[from as usize]] = (to as u32, weight);
                next[from as usize] += 1;
            }
        }
        let backward = true;
        Self {
            starts,
            links,
            backward,
            ..there
        }
    }

    fn of(&self, state: usize) -> &[(u32, f32)] {
        &self.links[self.starts[state]..self.starts[state + 1]]
    }

    /// Add to `sums` what arrives at each state, times `scale`; `back` are the same ways from their other end.
    fn carry(&self, back: &Self, given: &[f32], scale: f64, sums: &mut [f64]) {
        let all: f64 = match (self.any_rest, self.backward) {
            (false, _) => 0.0,
            (true, true) => given.iter().map(|&g| f64::from(g)).sum(),
            (true, false) => self.rest.iter().zip(given).map(|(&w, &g)| f64::from(w * g)).sum(),
        };
        let active = given.iter().filter(|&&g| g > NEXT_TO_NOTHING).count();
        if !self.any_rest && active * FEW < given.len() {
            for (state, &weight) in given.iter().enumerate().filter(|(_, g)| **g > NEXT_TO_NOTHING) {
                let weight = scale * f64::from(weight);
                back.of(state)
                    .iter()
                    .for_each(|&(other, w)| sums[other as usize] += weight * f64::from(w));
            }
            return;
        }
        sums.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, part)| {
            for (place, sum) in part.iter_mut().enumerate() {
                let state = chunk * CHUNK + place;
                let listed = self
                    .of(state)
                    .iter()
                    .map(|&(other, w)| f64::from(w * given[other as usize]));
                let rest = if self.backward {
                    f64::from(self.rest[state]) * all
                } else {
                    all
                };
                *sum += scale * (rest + listed.sum::<f64>()).max(0.0);
            }
        });
    }
}

/// Weights of all partial paths that end (or begin) with a residue on a state, each row scaled; and the scales' logs.
struct Sweep {
    weights: Array2<f32>,
    log_scale: Vec<f64>,
}

fn sweep(
    emission: Emission,
    [ways, back]: [&[Ways]; 2],
    breaks: Breaks,
    backward: bool,
    control: &Control,
) -> Result<Sweep> {
    let (length, states) = (emission.len(), emission.states());
    let mut weights = Array2::<f32>::zeros((length, states));
    let mut log_scale = vec![f64::NEG_INFINITY; length];
    let mut log_broken = f64::NEG_INFINITY;
    for done in 0..length {
        control.step()?;
        let residue = |done: usize| if backward { length - 1 - done } else { done };
        if let Some(last) = done.checked_sub(1) {
            log_broken = log_sum(log_broken - breaks.extend, log_scale[residue(last)] - breaks.open);
        }
        let log_anywhere = log_sum(log_broken, -breaks.ends(done));
        let before = done.saturating_sub(ways.len())..done;
        let top = before
            .clone()
            .map(|b| log_scale[residue(b)])
            .fold(log_anywhere, f64::max);
        if top == f64::NEG_INFINITY {
            continue;
        }
        let mut row = vec![(log_anywhere - top).exp(); states];
        for b in before {
            let scale = (log_scale[residue(b)] - top).exp();
            if let Some(given) = weights.row(residue(b)).as_slice() {
                ways[done - b - 1].carry(&back[done - b - 1], given, scale, &mut row);
            }
        }
        for (state, weight) in row.iter_mut().enumerate() {
            *weight *= f64::from(emission.of(residue(done), state)).exp();
        }
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            log_scale[residue(done)] = top + sum.ln();
            let mut own = weights.row_mut(residue(done));
            own.iter_mut()
                .zip(row)
                .for_each(|(to, weight)| *to = (weight / sum) as f32);
        }
    }
    Ok(Sweep { weights, log_scale })
}

/// ln(e^a + e^b); -inf stands for nothing.
fn log_sum(a: f64, b: f64) -> f64 {
    let top = a.max(b);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + ((a - top).exp() + (b - top).exp()).ln()
}

fn together(emission: Emission, forward: Sweep, backward: &Sweep, breaks: Breaks) -> Array2<f32> {
    let length = emission.len();
    let ended = |residue: usize| forward.log_scale[residue] - breaks.ends(length - 1 - residue);
    let total = (0..length).map(ended).fold(f64::NEG_INFINITY, log_sum);
    let mut found = forward.weights;
    if total == f64::NEG_INFINITY {
        found.fill(0.0);
        return found;
    }
    for (residue, mut row) in found.rows_mut().into_iter().enumerate() {
        let log_scale = forward.log_scale[residue] + backward.log_scale[residue] - total;
        for (state, share) in row.iter_mut().enumerate() {
            let both = f64::from(*share) * f64::from(backward.weights[[residue, state]]);
            // Both sweeps count what the residue says.
            let once = log_scale - f64::from(emission.of(residue, state));
            *share = if both > 0.0 {
                (both * once.exp()).min(1.0) as f32
            } else {
                0.0
            };
        }
    }
    found
}
