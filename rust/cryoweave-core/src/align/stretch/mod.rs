//! The best stretch of a sequence along bonded points.
mod open;
mod table;

use ndarray::ArrayView2;

use self::open::{Anchors, Open};
use self::table::Table;
use super::check_cost;
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::metrics::check_points;

/// Bonds as steps, each in both directions, and pairs of points that residues in between may be left out of.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// The point that each step leaves, ascending.
    pub tail: &'a [i32],
    /// The point that it comes to.
    pub head: &'a [i32],
    /// What it gains; not above 0.
    pub bond: &'a [f32],
    /// Pairs of steps that may follow each other: the first of each,
    pub before: &'a [i32],
    /// and the second, ascending.
    pub after: &'a [i32],
    /// Pairs of points for a leap: where it begins, ascending,
    pub start: &'a [i32],
    /// where it ends,
    pub end: &'a [i32],
    /// and how many residues must be left out in it at least; ascending for each start.
    pub fewest: &'a [i32],
}

/// What a stretch costs and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Taken from each score.
    pub threshold: f32,
    /// Residues that may be left out between two placed ones,
    pub gap: usize,
    /// the cost of the first,
    pub gap_open: f64,
    /// and of each more.
    pub gap_extend: f64,
    /// Fewest residues.
    pub shortest: usize,
    /// Most residues.
    pub longest: usize,
    /// The sum is above this.
    pub least: f64,
    /// Most stretches,
    pub most: usize,
    /// and what each is worth at least, as a share of the best.
    pub share: f64,
    /// Å that the chain spans for each residue,
    pub step: f64,
    /// and Å beyond that are tolerated.
    pub slack: f64,
}

/// The points, and what is placed already.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Å.
    pub xyz: &'a [[f64; 3]],
    /// Points that hold a residue.
    pub used: &'a [bool],
    /// Where each residue of the chain is; not finite for one without a place.
    pub chain: &'a [[f64; 3]],
}

/// Residues on points, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// What they gain together.
    pub score: f64,
    /// Index of each.
    pub residues: Vec<i32>,
    /// Its point.
    pub points: Vec<i32>,
}

/// The stretch with the largest sum of scores `(residue, point)` and bonds that is long enough, and further ones of
/// the same table that share no point with better ones; the best first.
///
/// Ends are looked at by falling sums, those on the way of a better one passed over; of equal ones the first residue, then
/// the first point. A way back ends where it would come to a point twice. Only sums above 0 are kept: to go on from a
/// sum that is not is no better than to begin anew, since no bond gains anything. So time and memory go with what fits, not with
/// residues times points, but for one look at each score.
pub fn best_stretches(
    scores: ArrayView2<f32>,
    ways: Ways,
    ground: Ground,
    rules: Rules,
    control: &Control,
) -> Result<Vec<Stretch>> {
    check(scores, &ways, &ground, &rules)?;
    let mut table = Table::new(&ways, ground.xyz.len(), scores.nrows());
    let anchors = Anchors::of(ground.chain, rules.step, rules.slack);
    for residue in 0..scores.nrows() {
        control.check()?;
        let open = Open {
            scores: scores.row(residue),
            threshold: rules.threshold,
            ground: &ground,
            near: anchors.near(residue),
        };
        table.add(residue, open, &ways, &rules);
    }
    table.best(ground.xyz.len(), &rules, control)
}

fn check(scores: ArrayView2<f32>, ways: &Ways, ground: &Ground, rules: &Rules) -> Result<()> {
    let points = ground.xyz.len();
    same_length("scores and points differ in length", scores.ncols(), points)?;
    same_length(
        "scores and residues differ in length",
        scores.nrows(),
        ground.chain.len(),
    )?;
    same_length("used and points differ in length", ground.used.len(), points)?;
    same_length("steps differ in length", ways.tail.len(), ways.head.len())?;
    same_length("steps and bonds differ in length", ways.tail.len(), ways.bond.len())?;
    same_length("pairs of steps differ in length", ways.before.len(), ways.after.len())?;
    same_length("leaps differ in length", ways.start.len(), ways.end.len())?;
    same_length("leaps differ in length", ways.start.len(), ways.fewest.len())?;
    check_points(ground.xyz)?;
    within("a step names a point that does not exist", ways.tail, points)?;
    within("a step names a point that does not exist", ways.head, points)?;
    within("a pair names a step that does not exist", ways.before, ways.tail.len())?;
    within("a pair names a step that does not exist", ways.after, ways.tail.len())?;
    within("a leap names a point that does not exist", ways.start, points)?;
    within("a leap names a point that does not exist", ways.end, points)?;
    for (what, values) in [
        ("steps must ascend by the point that they leave", ways.tail),
        ("pairs of steps must ascend by the second", ways.after),
        ("leaps must ascend by their start", ways.start),
    ] {
        if let Some(row) = values.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(Error::Row { what, row: row + 1 });
        }
    }
    let steady = |row: usize| ways.start[row] != ways.start[row + 1] || ways.fewest[row] <= ways.fewest[row + 1];
    if let Some(row) = (1..ways.start.len()).find(|&row| !steady(row - 1)) {
        let what = "leaps of one start must ascend by what they leave out";
        return Err(Error::Row { what, row });
    }
    if let Some(row) = ways.bond.iter().position(|&gain| gain > 0.0 || gain.is_nan()) {
        let what = "a bond must not gain anything";
        return Err(Error::Row { what, row });
    }
    if !scores.iter().all(|score| score.is_finite()) {
        let found = scores.indexed_iter().find(|(_, score)| !score.is_finite());
        let (row, column) = found.map_or((0, 0), |(place, _)| place);
        return Err(Error::CellNotFinite { row, column });
    }
    let costs = [
        ("gap_open", rules.gap_open),
        ("gap_extend", rules.gap_extend),
        ("least", rules.least),
        ("step", rules.step),
        ("slack", rules.slack),
        ("share", rules.share),
        ("threshold", f64::from(rules.threshold.abs())),
    ];
    costs.into_iter().try_for_each(|(name, value)| check_cost(name, value))
}

fn within(what: &'static str, values: &[i32], end: usize) -> Result<()> {
    match values.iter().position(|&value| value < 0 || value as usize >= end) {
        Some(row) => Err(Error::Row { what, row }),
        None => Ok(()),
    }
}
