//! The states that each residue is looked for on.
use rayon::prelude::*;

use super::Emission;

/// For each residue its states, ascending.
pub(super) struct Rows {
    starts: Vec<usize>,
    states: Vec<u32>,
}

impl Rows {
    /// All that are not forbidden to a residue.
    pub(super) fn allowed(emission: &Emission) -> Self {
        let states = emission.states() as u32;
        let allowed =
            |residue: usize| (0..states).filter(move |&s| emission.of(residue, s as usize) > f32::NEG_INFINITY);
        Self::from_each((0..emission.len()).map(|residue| allowed(residue).collect()))
    }

    pub(super) fn of(&self, residue: usize) -> &[u32] {
        &self.states[self.starts[residue]..self.starts[residue + 1]]
    }

    /// The `keep` states of each residue with the highest values; of equal ones the first.
    pub(super) fn narrowed(&self, keep: usize, value: impl Fn(usize, usize) -> f64 + Sync) -> Self {
        let best = |residue: usize| {
            let mut own: Vec<(f64, u32)> = self
                .of(residue)
                .iter()
                .map(|&state| (value(residue, state as usize), state))
                .collect();
            if own.len() > keep {
                own.select_nth_unstable_by(keep, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                own.truncate(keep);
            }
            let mut states: Vec<u32> = own.into_iter().map(|(_, state)| state).collect();
            states.sort_unstable();
            states
        };
        let each: Vec<Vec<u32>> = (0..self.starts.len() - 1).into_par_iter().map(best).collect();
        Self::from_each(each.into_iter())
    }

    fn from_each(each: impl Iterator<Item = Vec<u32>>) -> Self {
        let (mut starts, mut states) = (vec![0], Vec::new());
        for row in each {
            states.extend(row);
            starts.push(states.len());
        }
        Self { starts, states }
    }
}
