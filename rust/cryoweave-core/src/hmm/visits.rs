//! How likely each residue is on each state where no state may hold two residues: loopy belief propagation.
use ndarray::Array2;

use super::posterior::{Layers, shares};
use super::{Breaks, Emission, Incoming};
use crate::control::Control;
use crate::error::{Error, Result};

/// How messages are passed.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    /// Times that all are sent.
    pub rounds: usize,
    /// Share of a new message in the one that is sent, 0 to 1.
    pub pace: f64,
}

/// Of one sequence, shapes (residue, state).
pub struct Belief {
    /// The share of the paths that has a residue on a state; of several copies of a sequence, that of each.
    pub shares: Array2<f32>,
    /// What the other residues' claims to a state leave of it, as a logarithm: 0 or less.
    pub messages: Array2<f32>,
}

/// Most of the odds that a residue is on a state.
const CERTAIN: f64 = 1e6;

/// Forward–backward over each sequence in turn, with messages between residues that claim the same state.
///
/// Each sequence comes with its number of copies in the map. In the factor graph of chains and of states that hold one
/// residue at most, a state tells a residue `-ln(1 + sum of the other residues' odds)`, odds without what the state itself
/// told them (Kschischang 2001, IEEE Trans. Inf. Theory 47, 498). Nothing proves that this settles; `pace` below 1 helps.
/// What is added to an emission is taken for the messages of an earlier call, to go on from.
pub fn visits(
    sequences: &[(Emission, usize)],
    layers: &[Incoming],
    breaks: Breaks,
    passing: Passing,
    control: &Control,
) -> Result<Vec<Belief>> {
    let Some(((first, _), others)) = sequences.split_first() else {
        return Err(Error::Empty("there are no sequences"));
    };
    let states = first.states();
    for (emission, _) in sequences {
        emission.check()?;
    }
    if let Some(row) = others.iter().position(|(other, _)| other.states() != states) {
        let what = "a sequence has another number of states than the first";
        return Err(Error::Row { what, row: row + 1 });
    }
    if !(passing.pace > 0.0 && passing.pace <= 1.0) {
        let (name, rule) = ("pace", "above 0 and at most 1");
        return Err(Error::Parameter {
            name,
            rule,
            value: passing.pace,
        });
    }
    breaks.check()?;
    let layers = Layers::new(layers, states)?;
    let residues: usize = sequences.iter().map(|(emission, _)| emission.len()).sum();
    control.expect(2 * (residues * (passing.rounds + 1)) as u64);
    let start = |(emission, _): &(Emission, usize)| {
        let shares = Array2::zeros((emission.len(), states));
        let messages = emission.more.map_or_else(|| shares.clone(), |more| more.to_owned());
        Belief { shares, messages }
    };
    let mut beliefs: Vec<Belief> = sequences.iter().map(start).collect();
    for round in 0..=passing.rounds {
        for ((emission, _), belief) in sequences.iter().zip(&mut beliefs) {
            let told = emission.with(belief.messages.view());
            belief.shares = shares(told, &layers, breaks, control)?;
        }
        if round < passing.rounds {
            send(sequences, &mut beliefs, passing.pace);
        }
    }
    Ok(beliefs)
}

/// Every state hears all residues' odds and tells each what the others leave.
fn send(sequences: &[(Emission, usize)], beliefs: &mut [Belief], pace: f64) {
    let states = beliefs[0].shares.ncols();
    let mut claims = vec![0.0; states];
    for ((_, copies), belief) in sequences.iter().zip(beliefs.iter()) {
        for (shares, messages) in belief.shares.rows().into_iter().zip(belief.messages.rows()) {
            for (claim, (&share, &message)) in claims.iter_mut().zip(shares.iter().zip(&messages)) {
                *claim += odds(share, message, *copies);
            }
        }
    }
    for ((_, copies), belief) in sequences.iter().zip(beliefs.iter_mut()) {
        for (shares, mut messages) in belief.shares.rows().into_iter().zip(belief.messages.rows_mut()) {
            for (claim, (&share, message)) in claims.iter().zip(shares.iter().zip(&mut messages)) {
                let others = (claim - odds(share, *message, *copies)).max(0.0);
                let sent = (1.0 - pace) * f64::from(*message) - pace * others.ln_1p();
                *message = sent as f32;
            }
        }
    }
}

/// Of any copy of a residue on a state, without what the state told it.
fn odds(share: f32, message: f32, copies: usize) -> f64 {
    let share = f64::from(share) * copies as f64;
    let with = if share < 1.0 {
        (share / (1.0 - share)).min(CERTAIN)
    } else {
        CERTAIN
    };
    with * (-f64::from(message)).exp()
}
