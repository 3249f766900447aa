//! Sparse transitions between states.
use super::is_log;
use crate::error::{Error, Result, same_length};

/// Log probabilities of going from one state to another.
#[derive(Clone, Copy)]
pub struct Transitions<'a> {
    /// (from, to), each pair once and no state to itself.
    pub pairs: &'a [[i32; 2]],
    /// Of each pair.
    pub values: &'a [f32],
    /// From each state to any state that is not listed; -inf if it leads nowhere else.
    pub rest: &'a [f32],
}

/// The same, by the state that is gone to.
pub struct Incoming {
    starts: Vec<usize>,
    /// (from, log probability), by state gone to, then by state come from.
    links: Vec<(u32, f32)>,
    /// From each state to any that is not listed.
    pub(super) rest: Vec<f32>,
}

impl Incoming {
    /// Check and sort them.
    pub fn new(transitions: Transitions, states: usize) -> Result<Self> {
        let Transitions { pairs, values, rest } = transitions;
        same_length(
            "transitions and their values differ in length",
            pairs.len(),
            values.len(),
        )?;
        same_length(
            "states and their other transitions differ in length",
            states,
            rest.len(),
        )?;
        let outside = |state: i32| usize::try_from(state).map_or(true, |state| state >= states);
        let wrong = |row, what| Err(Error::Row { what, row });
        if let Some(row) = pairs.iter().position(|p| outside(p[0]) || outside(p[1])) {
            return wrong(row, "a transition names a state that does not exist");
        }
        if let Some(row) = pairs.iter().position(|p| p[0] == p[1]) {
            return wrong(row, "a transition leads from a state to itself");
        }
        if let Some(row) = values.iter().position(|&v| !is_log(v)) {
            return wrong(row, "a transition's value is not a logarithm");
        }
        if let Some(row) = rest.iter().position(|&v| !is_log(v)) {
            return wrong(row, "a state's other transitions have a value that is not a logarithm");
        }
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_unstable_by_key(|&row| (pairs[row][1], pairs[row][0]));
        if let Some(two) = order.windows(2).find(|two| pairs[two[0]] == pairs[two[1]]) {
            return wrong(two[0].max(two[1]), "a transition is listed twice");
        }
        let mut starts = vec![0; states + 1];
        pairs.iter().for_each(|pair| starts[pair[1] as usize + 1] += 1);
        for state in 0..states {
            starts[state + 1] += starts[state];
        }
        let links = order
            .into_iter()
            .map(|row| (pairs[row][0] as u32, values[row]))
            .collect();
        Ok(Self {
            starts,
            links,
            rest: rest.to_vec(),
        })
    }

    /// The listed ways to a state, by the state come from.
    #[inline]
    pub(super) fn to(&self, state: usize) -> &[(u32, f32)] {
        &self.links[self.starts[state]..self.starts[state + 1]]
    }

    pub(super) fn states(&self) -> usize {
        self.rest.len()
    }
}
