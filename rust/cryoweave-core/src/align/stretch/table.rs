//! Sums of all residues at all points, and the ways back from the best.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::open::Open;
use super::{Rules, Stretch, Ways};
use crate::control::Control;
use crate::error::Result;

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
pub(super) struct Table {
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
    pub(super) fn new(ways: &Ways, points: usize, residues: usize) -> Self {
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
    pub(super) fn add(&mut self, residue: usize, open: Open, ways: &Ways, rules: &Rules) {
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

    pub(super) fn best(&self, points: usize, rules: &Rules, control: &Control) -> Result<Vec<Stretch>> {
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
