//! The likeliest path of states, if wished without a state that it visits twice.
use rayon::prelude::*;

use super::{Emission, Incoming, is_log};
use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// States one after the other, and how likely they are.
#[derive(Clone, Debug, PartialEq)]
pub struct StatePath {
    /// The state of each residue from the first on; shorter than the sequence where no state was left to go to.
    pub states: Vec<i32>,
    /// Log probability of path and residues together; -inf if there is no state to begin in.
    pub log_probability: f64,
}

const NOWHERE: u32 = u32::MAX;
/// States that one task looks at.
const CHUNK: usize = 256;

/// Viterbi's algorithm. With `once`, the best path to each state is carried along, and no state is gone to that is on it.
///
/// That is no longer the likeliest of all paths that visit each state at most once (which is NP-hard), but the
/// likeliest extension of the best paths so far.
pub fn viterbi(
    emission: Emission,
    initial: &[f32],
    transitions: &Incoming,
    once: bool,
    control: &Control,
) -> Result<StatePath> {
    emission.check()?;
    let states = emission.states();
    same_length(
        "states and their transitions differ in number",
        states,
        transitions.states(),
    )?;
    same_length(
        "states and their initial values differ in number",
        states,
        initial.len(),
    )?;
    if let Some(row) = initial.iter().position(|&v| !is_log(v)) {
        let what = "an initial value is not a logarithm";
        return Err(Error::Row { what, row });
    }
    control.expect(emission.len() as u64);
    let first = |s: usize| f64::from(initial[s]) + f64::from(emission.of(0, s));
    let mut best: Vec<f64> = (0..states).map(first).collect();
    let mut visited = Visited::new(if once { states } else { 0 });
    let mut back: Vec<Vec<u32>> = Vec::new();
    for residue in 1..emission.len() {
        control.step()?;
        let (next, from) = advance(emission, residue, &best, transitions, &visited);
        if next.iter().all(|&v| v == f64::NEG_INFINITY) {
            break;
        }
        visited.follow(&from);
        back.push(from);
        best = next;
    }
    control.step()?;
    Ok(trace(&best, &back))
}

/// The best way to each state of a residue, and the state that it comes from.
fn advance(
    emission: Emission,
    residue: usize,
    best: &[f64],
    transitions: &Incoming,
    visited: &Visited,
) -> (Vec<f64>, Vec<u32>) {
    let anywhere = |s: usize| best[s] + f64::from(transitions.rest[s]);
    let mut order: Vec<u32> = (0..best.len() as u32)
        .filter(|&s| anywhere(s as usize) > f64::NEG_INFINITY)
        .collect();
    order.sort_by(|&a, &b| anywhere(b as usize).total_cmp(&anywhere(a as usize)));
    let into = |to: usize| {
        let here = f64::from(emission.of(residue, to));
        let (mut most, mut from) = (f64::NEG_INFINITY, NOWHERE);
        if here == f64::NEG_INFINITY {
            return (most, from);
        }
        let listed = transitions.to(to);
        for &(s, value) in listed {
            let score = best[s as usize] + f64::from(value);
            if score > most && !visited.by(s as usize, to) {
                (most, from) = (score, s);
            }
        }
        let free = |s: u32| {
            s as usize != to
                && listed.binary_search_by_key(&s, |&(other, _)| other).is_err()
                && !visited.by(s as usize, to)
        };
        // The first that may go there is the best of those that are not listed.
        let other = order
            .iter()
            .take_while(|&&s| anywhere(s as usize) > most)
            .find(|&&s| free(s));
        if let Some(&s) = other {
            (most, from) = (anywhere(s as usize), s);
        }
        (most + here, from)
    };
    let mut next = vec![(f64::NEG_INFINITY, NOWHERE); best.len()];
    next.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, part)| {
        for (place, found) in part.iter_mut().enumerate() {
            *found = into(chunk * CHUNK + place);
        }
    });
    next.into_iter().unzip()
}

fn trace(best: &[f64], back: &[Vec<u32>]) -> StatePath {
    let mut last = 0;
    for (state, &value) in best.iter().enumerate() {
        if value > best[last] {
            last = state;
        }
    }
    if best[last] == f64::NEG_INFINITY {
        return StatePath {
            states: Vec::new(),
            log_probability: f64::NEG_INFINITY,
        };
    }
    let mut states = vec![last as i32];
    let mut at = last;
    for from in back.iter().rev() {
        at = from[at] as usize;
        states.push(at as i32);
    }
    states.reverse();
    StatePath {
        states,
        log_probability: best[last],
    }
}

/// For each state, the states of the best path to it, one bit each.
struct Visited {
    words: usize,
    bits: Vec<u64>,
}

impl Visited {
    /// Paths of one state each; of none if paths need not be known.
    fn new(states: usize) -> Self {
        let words = states.div_ceil(64);
        let mut bits = vec![0; words * states];
        for s in 0..states {
            bits[s * words + s / 64] |= 1 << (s % 64);
        }
        Self { words, bits }
    }

    #[inline]
    fn by(&self, path: usize, state: usize) -> bool {
        self.words > 0 && self.bits[path * self.words + state / 64] >> (state % 64) & 1 == 1
    }

    /// Each state's path is now that of the state it was gone to from, and itself.
    fn follow(&mut self, from: &[u32]) {
        if self.words == 0 {
            return;
        }
        let mut next = vec![0u64; self.bits.len()];
        let (words, old) = (self.words, &self.bits);
        next.par_chunks_mut(words)
            .zip(from)
            .enumerate()
            .for_each(|(s, (path, &before))| {
                if before != NOWHERE {
                    path.copy_from_slice(&old[before as usize * words..][..words]);
                    path[s / 64] |= 1 << (s % 64);
                }
            });
        self.bits = next;
    }
}
