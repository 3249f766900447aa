//! The best stretch of a sequence along bonded points.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use ndarray::{ArrayView1, ArrayView2};

use super::{check_cost, distance};
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

/// For each residue the nearest placed ones before and after it, and how far the chain reaches from them.
struct Anchors<'a> {
    chain: &'a [[f64; 3]],
    placed: Vec<usize>,
    step: f64,
    slack: f64,
}

/// `None`: nothing may lie there any more.
type Near = Option<Vec<([f64; 3], f64)>>;

impl<'a> Anchors<'a> {
    fn of(chain: &'a [[f64; 3]], step: f64, slack: f64) -> Self {
        let known = |residue: &usize| chain[*residue].iter().all(|c| c.is_finite());
        let placed = (0..chain.len()).filter(known).collect();
        Self {
            chain,
            placed,
            step,
            slack,
        }
    }

    fn near(&self, residue: usize) -> Near {
        let behind = self.placed.partition_point(|&one| one < residue);
        if self.placed.get(behind) == Some(&residue) {
            return None;
        }
        let both = [behind.checked_sub(1), Some(behind)];
        let anchors = both.into_iter().flatten().filter_map(|at| self.placed.get(at));
        Some(
            anchors
                .map(|&at| {
                    let far = self.step * at.abs_diff(residue) as f64 + self.slack;
                    (self.chain[at], far)
                })
                .collect(),
        )
    }
}

/// The scores of one residue, where it may lie.
struct Open<'a> {
    scores: ArrayView1<'a, f32>,
    threshold: f32,
    ground: &'a Ground<'a>,
    near: Near,
}

impl Open<'_> {
    /// With what the way there brings, if that is above 0 and the residue may lie there.
    fn gains(&self, point: usize, way: f32) -> Option<f32> {
        let sum = way + (self.scores[point] - self.threshold);
        let free = sum > 0.0 && !self.ground.used[point];
        if !free {
            return None;
        }
        let at = self.ground.xyz[point];
        let reached = |near: &Vec<([f64; 3], f64)>| near.iter().all(|&(from, far)| distance(at, from) <= far);
        self.near.as_ref().is_some_and(reached).then_some(sum)
    }
}

const NONE: u32 = u32::MAX;

/// A residue at a point by one way, and the best sum that ends so; always above 0.
#[derive(Clone, Copy)]
struct State {
    residue: u32,
    point: u32,
    sum: f32,
    /// The state before, or `NONE`.
    from: u32,
}

/// States of one residue by their way: without a bond from the residue before, by point, and by step.
struct Layer {
    fresh: Vec<u32>,
    step: Vec<u32>,
    filled: (Vec<u32>, Vec<u32>),
}

impl Layer {
    fn new(points: usize, steps: usize) -> Self {
        Self {
            fresh: vec![NONE; points],
            step: vec![NONE; steps],
            filled: (Vec::new(), Vec::new()),
        }
    }

    fn clear(&mut self) {
        self.filled.0.drain(..).for_each(|at| self.fresh[at as usize] = NONE);
        self.filled.1.drain(..).for_each(|at| self.step[at as usize] = NONE);
    }
}

/// All states of all residues so far.
struct Table {
    states: Vec<State>,
    /// The best state of each point that has one, by residue; points ascend.
    tops: Vec<Vec<(u32, u32)>>,
    now: Layer,
    last: Layer,
    /// The best state of each point for the residue at hand.
    top: Vec<u32>,
    /// The best leap to each point: what it brings, and the state where it began.
    leap: Vec<(f32, u32)>,
    /// Where the steps of each point, the pairs of each step and the leaps of each point begin.
    firsts: [Vec<u32>; 3],
}

fn firsts(values: &[i32], groups: usize) -> Vec<u32> {
    let begin = |group: usize| values.partition_point(|&value| (value as usize) < group) as u32;
    (0..=groups).map(begin).collect()
}

fn part(firsts: &[u32], group: usize) -> std::ops::Range<usize> {
    firsts[group] as usize..firsts[group + 1] as usize
}

impl Table {
    fn new(ways: &Ways, points: usize, residues: usize) -> Self {
        let steps = ways.tail.len();
        Self {
            states: Vec::new(),
            tops: Vec::with_capacity(residues),
            now: Layer::new(points, steps),
            last: Layer::new(points, steps),
            top: vec![NONE; points],
            leap: vec![(0.0, NONE); points],
            firsts: [
                firsts(ways.tail, points),
                firsts(ways.after, steps),
                firsts(ways.start, points),
            ],
        }
    }

    fn sum(&self, state: u32) -> f32 {
        self.states
            .get(state as usize)
            .map_or(f32::NEG_INFINITY, |state| state.sum)
    }

    fn push(&mut self, residue: usize, point: usize, sum: f32, from: u32) -> u32 {
        let (residue, point) = (residue as u32, point as u32);
        self.states.push(State {
            residue,
            point,
            sum,
            from,
        });
        self.states.len() as u32 - 1
    }

    /// The next residue.
    fn add(&mut self, residue: usize, open: Open, ways: &Ways, rules: &Rules) {
        std::mem::swap(&mut self.now, &mut self.last);
        self.now.clear();
        if open.near.is_none() {
            self.tops.push(Vec::new());
            return;
        }
        let leapt = self.leap_to(residue, ways, rules);
        self.begin(residue, &open);
        for point in leapt {
            self.leap[point as usize] = (0.0, NONE);
        }
        if residue > 0 {
            self.go_on(residue, &open, ways);
        }
        let mut tops: Vec<(u32, u32)> = Vec::new();
        for (point, state) in self.top.iter_mut().enumerate() {
            if *state != NONE {
                tops.push((point as u32, *state));
                *state = NONE;
            }
        }
        self.tops.push(tops);
    }

    /// The best leap to each point; those that have one.
    fn leap_to(&mut self, residue: usize, ways: &Ways, rules: &Rules) -> Vec<u32> {
        let mut found = Vec::new();
        for gap in 1..=rules.gap.min(residue.saturating_sub(1)) {
            let cost = (rules.gap_open + rules.gap_extend * (gap - 1) as f64) as f32;
            for &(point, state) in &self.tops[residue - 1 - gap] {
                let brings = self.states[state as usize].sum - cost;
                if brings <= 0.0 {
                    continue;
                }
                let all = part(&self.firsts[2], point as usize);
                for (&end, &fewest) in ways.end[all.clone()].iter().zip(&ways.fewest[all]) {
                    if i64::from(fewest) > gap as i64 {
                        break;
                    }
                    let best = &mut self.leap[end as usize];
                    if brings > best.0 {
                        if best.1 == NONE {
                            found.push(end as u32);
                        }
                        *best = (brings, state);
                    }
                }
            }
        }
        found
    }

    /// States without a bond from the residue before.
    fn begin(&mut self, residue: usize, open: &Open) {
        for point in 0..self.leap.len() {
            let (brings, from) = self.leap[point];
            if let Some(sum) = open.gains(point, brings) {
                let state = self.push(residue, point, sum, from);
                self.now.fresh[point] = state;
                self.now.filled.0.push(point as u32);
                self.top[point] = state;
            }
        }
    }

    /// States by a step from the residue before.
    fn go_on(&mut self, residue: usize, open: &Open, ways: &Ways) {
        for index in 0..self.tops[residue - 1].len() {
            let (point, best) = self.tops[residue - 1][index];
            let most = self.sum(best);
            for step in part(&self.firsts[0], point as usize) {
                let head = ways.head[step] as usize;
                // No way to this point brings more than its best.
                if open.gains(head, most + ways.bond[step]).is_none() {
                    continue;
                }
                let from = self.previous(point as usize, step, ways);
                let Some(sum) = open.gains(head, self.sum(from) + ways.bond[step]) else {
                    continue;
                };
                let state = self.push(residue, head, sum, from);
                self.now.step[step] = state;
                self.now.filled.1.push(step as u32);
                if sum > self.sum(self.top[head]) {
                    self.top[head] = state;
                }
            }
        }
    }

    /// The best state from which a step may go on.
    fn previous(&self, point: usize, step: usize, ways: &Ways) -> u32 {
        let mut best = self.last.fresh[point];
        let mut sum = self.sum(best);
        for pair in part(&self.firsts[1], step) {
            let state = self.last.step[ways.before[pair] as usize];
            if self.sum(state) > sum {
                (best, sum) = (state, self.sum(state));
            }
        }
        best
    }

    fn best(&self, points: usize, rules: &Rules, control: &Control) -> Result<Vec<Stretch>> {
        let tops = self.tops.iter().flatten();
        // Bits of positive numbers are in their order.
        let mut ends: BinaryHeap<(u32, Reverse<u32>, Reverse<u32>, u32)> = tops
            .map(|&(_, index)| (self.states[index as usize], index))
            .filter(|(state, _)| f64::from(state.sum) > rules.least)
            .map(|(state, index)| (state.sum.to_bits(), Reverse(state.residue), Reverse(state.point), index))
            .collect();
        let (mut found, mut seen, mut taken) = (Vec::<Stretch>::new(), HashSet::new(), vec![false; points]);
        while let Some((bits, Reverse(residue), Reverse(point), index)) = ends.pop() {
            control.check()?;
            let worth = found.first().map_or(rules.least, |best| best.score * rules.share);
            if found.len() == rules.most || f64::from(f32::from_bits(bits)) < worth {
                break;
            }
            if taken[point as usize] || seen.contains(&(residue, point)) {
                continue;
            }
            let one = self.traced(index, rules.longest);
            if one.points.iter().any(|&point| taken[point as usize]) {
                continue;
            }
            let way = one.residues.iter().zip(&one.points);
            seen.extend(way.map(|(&residue, &point)| (residue as u32, point as u32)));
            if one.residues.len() >= rules.shortest && one.score > rules.least && one.score >= worth {
                one.points.iter().for_each(|&point| taken[point as usize] = true);
                found.push(one);
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(found)
    }

    /// Back from the last residue as long as the points are new and the stretch is not too long.
    fn traced(&self, end: u32, longest: usize) -> Stretch {
        let (mut residues, mut points) = (Vec::new(), Vec::new());
        let mut taken = HashSet::new();
        let mut at = end;
        while let Some(state) = self.states.get(at as usize) {
            if residues.len() == longest || !taken.insert(state.point) {
                break;
            }
            residues.push(state.residue as i32);
            points.push(state.point as i32);
            at = state.from;
        }
        let left = self.states.get(at as usize).map_or(0.0, |state| f64::from(state.sum));
        residues.reverse();
        points.reverse();
        Stretch {
            score: f64::from(self.states[end as usize].sum) - left,
            residues,
            points,
        }
    }
}
