//! How likely each residue is on each state, over all paths of one sequence.
use ndarray::Array2;
use rayon::prelude::*;

use super::rows::Rows;
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
    shares(emission, &Rows::allowed(&emission), &layers, breaks, control)
}

/// The same of what has been checked, each residue on the states of its row only.
pub(super) fn shares(
    emission: Emission,
    rows: &Rows,
    layers: &Layers,
    breaks: Breaks,
    control: &Control,
) -> Result<Array2<f32>> {
    let forward = sweep(
        emission,
        rows,
        [&layers.forward, &layers.backward],
        breaks,
        false,
        control,
    )?;
    let backward = sweep(
        emission,
        rows,
        [&layers.backward, &layers.forward],
        breaks,
        true,
        control,
    )?;
    Ok(together(emission, rows, forward, &backward, breaks))
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

    /// Add to `sums` what arrives at each state of `to`, times `scale`; `back` are the same ways from their other end.
    fn carry(&self, back: &Self, given: &Given, scale: f64, to: &Wanted, sums: &mut [f64]) {
        let all: f64 = match (self.any_rest, self.backward) {
            (false, _) => 0.0,
            (true, true) => given.weights.iter().map(|&g| f64::from(g)).sum(),
            (true, false) => {
                let each = self.rest.iter().zip(given.weights);
                each.map(|(&w, &g)| f64::from(w * g)).sum()
            }
        };
        if !self.any_rest && given.passing.len() * FEW < to.states.len() {
            for &state in given.passing {
                let weight = scale * f64::from(given.weights[state as usize]);
                for &(other, w) in back.of(state as usize) {
                    if let Some(sum) = sums.get_mut(to.place[other as usize] as usize) {
                        *sum += weight * f64::from(w);
                    }
                }
            }
            return;
        }
        let parts = sums.par_chunks_mut(CHUNK).zip(to.states.par_chunks(CHUNK));
        parts.for_each(|(sums, states)| {
            for (sum, &state) in sums.iter_mut().zip(states) {
                let listed = self.of(state as usize).iter();
                let listed = listed.map(|&(other, w)| f64::from(w * given.weights[other as usize]));
                let rest = if self.backward {
                    f64::from(self.rest[state as usize]) * all
                } else {
                    all
                };
                *sum += scale * (rest + listed.sum::<f64>()).max(0.0);
            }
        });
    }
}

/// What a residue's states give, and those that give more than next to nothing.
struct Given<'a> {
    weights: &'a [f32],
    passing: &'a [u32],
}

/// The states that a residue may be on, and each one's place among them.
struct Wanted<'a> {
    states: &'a [u32],
    place: &'a [u32],
}

/// No place.
const NOWHERE: u32 = u32::MAX;

/// Weights of all partial paths that end (or begin) with a residue on a state, each row scaled; and the scales' logs.
struct Sweep {
    weights: Array2<f32>,
    log_scale: Vec<f64>,
}

fn sweep(
    emission: Emission,
    rows: &Rows,
    [ways, back]: [&[Ways]; 2],
    breaks: Breaks,
    backward: bool,
    control: &Control,
) -> Result<Sweep> {
    let (length, states) = (emission.len(), emission.states());
    let mut weights = Array2::<f32>::zeros((length, states));
    let mut log_scale = vec![f64::NEG_INFINITY; length];
    let mut passing: Vec<Vec<u32>> = vec![Vec::new(); length];
    let mut place = vec![NOWHERE; states];
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
        let own = rows.of(residue(done));
        (0..).zip(own).for_each(|(at, &state)| place[state as usize] = at);
        let mut row = vec![(log_anywhere - top).exp(); own.len()];
        for b in before {
            let scale = (log_scale[residue(b)] - top).exp();
            if let Some(weights) = weights.row(residue(b)).as_slice() {
                let passing = &passing[residue(b)];
                let (states, place) = (own, &*place);
                let given = Given { weights, passing };
                ways[done - b - 1].carry(&back[done - b - 1], &given, scale, &Wanted { states, place }, &mut row);
            }
        }
        own.iter().for_each(|&state| place[state as usize] = NOWHERE);
        for (&state, weight) in own.iter().zip(&mut row) {
            *weight *= f64::from(emission.of(residue(done), state as usize)).exp();
        }
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            log_scale[residue(done)] = top + sum.ln();
            let mut to = weights.row_mut(residue(done));
            for (&state, weight) in own.iter().zip(row) {
                to[state as usize] = (weight / sum) as f32;
            }
            let much = |&&state: &&u32| to[state as usize] > NEXT_TO_NOTHING;
            passing[residue(done)] = own.iter().filter(much).copied().collect();
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

fn together(emission: Emission, rows: &Rows, forward: Sweep, backward: &Sweep, breaks: Breaks) -> Array2<f32> {
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
        for &state in rows.of(residue) {
            let share = &mut row[state as usize];
            let both = f64::from(*share) * f64::from(backward.weights[[residue, state as usize]]);
            // Both sweeps count what the residue says.
            let once = log_scale - f64::from(emission.of(residue, state as usize));
            *share = if both > 0.0 {
                (both * once.exp()).min(1.0) as f32
            } else {
                0.0
            };
        }
    }
    found
}
