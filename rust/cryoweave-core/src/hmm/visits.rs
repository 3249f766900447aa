//! How likely each residue is on each state where no state may hold two residues: loopy belief propagation.
use ndarray::Array2;

use super::posterior::{Layers, shares};
use super::rows::Rows;
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
    /// States that each residue is looked for on in the end, for each copy of its sequence: half as many in every round
    /// as in the one before, those with the best odds, until there are so few.
    pub keep: usize,
}

/// Of one sequence, shapes (residue, state).
pub struct Belief {
    /// The share of the paths that has a residue on a state; of several copies of a sequence, that of each.
    pub shares: Array2<f32>,
    /// What the other residues' claims to a state leave of it, as a logarithm: 0 or less; -inf where it was not looked
    /// for in the end.
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
    if passing.keep == 0 {
        let (name, rule, value) = ("keep", "1 or more", 0.0);
        return Err(Error::Parameter { name, rule, value });
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
    let mut rows: Vec<Rows> = sequences.iter().map(|(emission, _)| Rows::allowed(emission)).collect();
    let mut room = states;
    for round in 0..=passing.rounds {
        for (((emission, _), belief), rows) in sequences.iter().zip(&mut beliefs).zip(&rows) {
            let told = emission.with(belief.messages.view());
            belief.shares = shares(told, rows, &layers, breaks, control)?;
        }
        if round < passing.rounds {
            if room > passing.keep {
                room = passing.keep.max(room / 2);
                narrow(sequences, &mut beliefs, &mut rows, room, passing.keep);
            }
            send(sequences, &mut beliefs, &rows, passing.pace);
        }
    }
    Ok(beliefs)
}

/// Look for each residue on fewer states.
fn narrow(sequences: &[(Emission, usize)], beliefs: &mut [Belief], rows: &mut [Rows], room: usize, keep: usize) {
    for (((_, copies), belief), rows) in sequences.iter().zip(beliefs).zip(rows) {
        let Belief { shares, messages } = belief;
        let value = |residue, state| odds(shares[[residue, state]], messages[[residue, state]], *copies);
        *rows = rows.narrowed(room.max(keep.saturating_mul(*copies)), value);
        for (residue, (mut shares, mut messages)) in shares.rows_mut().into_iter().zip(messages.rows_mut()).enumerate()
        {
            let mut kept = rows.of(residue).iter().peekable();
            for (state, (share, message)) in (0..).zip(shares.iter_mut().zip(&mut messages)) {
                if kept.next_if_eq(&&state).is_none() {
                    (*share, *message) = (0.0, f32::NEG_INFINITY);
                }
            }
        }
    }
}

/// Every state hears all residues' odds and tells each what the others leave.
fn send(sequences: &[(Emission, usize)], beliefs: &mut [Belief], rows: &[Rows], pace: f64) {
    let states = beliefs[0].shares.ncols();
    let mut claims = vec![0.0; states];
    for (((_, copies), belief), rows) in sequences.iter().zip(beliefs.iter()).zip(rows) {
        for (residue, (shares, messages)) in belief.shares.rows().into_iter().zip(belief.messages.rows()).enumerate() {
            for &state in rows.of(residue) {
                let state = state as usize;
                claims[state] += odds(shares[state], messages[state], *copies);
            }
        }
    }
    for (((_, copies), belief), rows) in sequences.iter().zip(beliefs.iter_mut()).zip(rows) {
        let each = belief.shares.rows().into_iter().zip(belief.messages.rows_mut());
        for (residue, (shares, mut messages)) in each.enumerate() {
            for &state in rows.of(residue) {
                let state = state as usize;
                let message = &mut messages[state];
                let others = (claims[state] - odds(shares[state], *message, *copies)).max(0.0);
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
