//! A sequence through points in space as a hidden Markov model: residues are the steps, points the states.

mod beam;
mod posterior;
mod rows;
mod transitions;
mod visits;
mod viterbi;

pub use beam::{Beam, Costs, Geometry, Traced, trace_sequence};
pub use posterior::{Breaks, posterior};
pub use transitions::{Incoming, Transitions};
pub use visits::{Belief, Passing, visits};
pub use viterbi::{StatePath, viterbi};

use ndarray::ArrayView2;

use crate::error::{Error, Result, same_length};

/// What each residue says of each state: `emission` is (kind of residue, state), `sequence` names each residue's kind.
#[derive(Clone, Copy)]
pub struct Emission<'a> {
    /// Log probabilities or log-odds; -inf forbids a state to a kind.
    pub by_kind: ArrayView2<'a, f32>,
    /// The kind of each residue.
    pub sequence: &'a [i32],
    /// (residue, state): added to the above, if there is any.
    pub more: Option<ArrayView2<'a, f32>>,
}

impl<'a> Emission<'a> {
    /// The same with other additions.
    fn with<'b>(&self, more: ArrayView2<'b, f32>) -> Emission<'b>
    where
        'a: 'b,
    {
        Emission {
            more: Some(more),
            ..*self
        }
    }

    fn states(&self) -> usize {
        self.by_kind.ncols()
    }

    fn len(&self) -> usize {
        self.sequence.len()
    }

    #[inline]
    fn of(&self, residue: usize, state: usize) -> f32 {
        self.by_kind[[self.sequence[residue] as usize, state]] + self.more_of(residue, state)
    }

    #[inline]
    fn more_of(&self, residue: usize, state: usize) -> f32 {
        self.more.map_or(0.0, |more| more[[residue, state]])
    }

    fn check(&self) -> Result<()> {
        if self.sequence.is_empty() {
            return Err(Error::Empty("there are no residues to place"));
        }
        if self.states() == 0 {
            return Err(Error::Empty("there are no states to place residues on"));
        }
        if self.states() > i32::MAX as usize {
            return Err(Error::Parameter {
                name: "states",
                rule: "fewer than 2^31",
                value: self.states() as f64,
            });
        }
        let outside = |&kind: &i32| usize::try_from(kind).map_or(true, |kind| kind >= self.by_kind.nrows());
        if let Some(row) = self.sequence.iter().position(outside) {
            return Err(Error::Row {
                what: "a residue is of a kind that has no emission",
                row,
            });
        }
        if let Some(more) = self.more {
            same_length(
                "residues and additions to their emission differ in number",
                self.len(),
                more.nrows(),
            )?;
            same_length(
                "states and additions to their emission differ in number",
                self.states(),
                more.ncols(),
            )?;
        }
        let all = self
            .by_kind
            .indexed_iter()
            .chain(self.more.iter().flat_map(|more| more.indexed_iter()));
        let odd = all.into_iter().find(|(_, v)| !is_log(**v));
        odd.map_or(Ok(()), |((row, column), _)| Err(Error::CellNotFinite { row, column }))
    }
}

/// A logarithm that sums can take: finite, or -inf for what cannot be.
fn is_log(value: f32) -> bool {
    value < f32::INFINITY
}
