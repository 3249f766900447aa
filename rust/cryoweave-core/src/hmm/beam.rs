//! One sequence through points of which some are missing and some false: both may be passed over, none is visited twice.
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{Emission, Incoming, is_log};
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::{check_points, neighbour_pairs};
use crate::vector::{minus, norm, torsion};

mod kept;

use kept::{Hypothesis, NONE, Row, Waiting};

/// Points that one task looks at.
const CHUNK: usize = 32;

/// Log-odds of the shape of a chain against that of points anywhere, by distances in steps of `step` Å from zero on, with
/// straight lines in between. Beyond a table's end its shape cannot be.
#[derive(Clone, Copy)]
pub struct Geometry<'a> {
    /// Å.
    pub step: f64,
    /// (residues forward less one, bin): of the distance of two residues. All but the first row leave residues out.
    pub spans: ArrayView2<'a, f32>,
    /// Of the distance of residues i and i + 2 where both steps are bonds.
    pub bend: &'a [f32],
    /// Of the dihedral angle of four residues with bonds in between; equal bins from -π on, around the circle.
    pub twist: &'a [f32],
}

/// What may happen apart from bonds, and how many hypotheses live on.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Of each residue left out at the ends.
    pub end: f64,
    /// Of a gap: a step that follows no span.
    pub gap_open: f64,
    /// Of each residue left out in a gap.
    pub gap_extend: f64,
    /// Å that the chain reaches for each residue that it goes forward in a gap.
    pub reach: f64,
    /// Of each Å that a gap is wider than that, and the most that this comes to: the sequence may lack residues.
    pub excess: [f64; 2],
    /// Å within which a point is as good as visited where another is.
    pub apart: f64,
    /// Hypotheses kept for each residue and point.
    pub per_point: usize,
    /// Hypotheses kept for each residue.
    pub width: usize,
    /// Hypotheses that wait for the far end of a gap.
    pub waiting: usize,
}

/// The whole problem.
#[derive(Clone, Copy)]
pub struct Beam<'a> {
    /// What each residue gains on each point.
    pub emission: Emission<'a>,
    /// Å.
    pub xyz: &'a [[f64; 3]],
    /// Further log-odds of each bond, by direction.
    pub bonds: &'a Incoming,
    /// The chain's shape.
    pub geometry: Geometry<'a>,
    /// What else may be.
    pub costs: Costs,
}

/// A sequence's way.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// Each residue's point, or -1.
    pub nodes: Vec<i32>,
    /// Sum of all log-odds less all costs, without what is added to the emission.
    pub score: f64,
}

/// The best way found; not surely the best there is. All nodes are -1 if none gains anything.
pub fn trace_sequence(beam: Beam, control: &Control) -> Result<Traced> {
    beam.check()?;
    let near = Neighbours::new(beam.xyz, beam.geometry.longest(), control)?;
    let same = Neighbours::new(beam.xyz, beam.costs.apart, control)?;
    let length = beam.emission.len();
    control.expect(length as u64);
    let mut rows: Vec<Row> = Vec::with_capacity(length);
    let mut waiting = Waiting::new(beam.costs.waiting);
    let layers = beam.geometry.spans.nrows();
    for residue in 0..length {
        control.step()?;
        if let Some(last) = residue.checked_sub(1) {
            waiting.admit(&rows[last], last, beam.costs.gap_extend);
        }
        if residue > layers {
            rows[residue - layers - 1].forget();
        }
        let found: Vec<Vec<Hypothesis>> = (0..beam.xyz.len())
            .into_par_iter()
            .with_min_len(CHUNK)
            .map(|point| beam.candidates_at(residue, point, &rows, &waiting, &near))
            .collect();
        let row = Row::new(
            found,
            beam.costs.width,
            |h| {
                if h.residue == residue {
                    None
                } else {
                    Some(bits_of(&rows, &waiting, h))
                }
            },
            &same,
        );
        rows.push(row);
    }
    Ok(beam.best(&rows))
}

/// The points that a hypothesis has visited.
fn bits_of<'a>(rows: &'a [Row], waiting: &'a Waiting, h: &Hypothesis) -> &'a [u64] {
    match h.waited {
        NONE => rows[h.residue].bits(h.parent as usize),
        place => waiting.bits(place as usize),
    }
}

/// The points around each.
pub(super) struct Neighbours {
    starts: Vec<usize>,
    links: Vec<(u32, f32)>,
}

impl Neighbours {
    fn new(xyz: &[[f64; 3]], radius: f64, control: &Control) -> Result<Self> {
        let mut starts = vec![0; xyz.len() + 1];
        if radius <= 0.0 {
            return Ok(Self {
                starts,
                links: Vec::new(),
            });
        }
        let found = neighbour_pairs(xyz, radius, control)?;
        found.pairs.iter().flatten().for_each(|&i| starts[i as usize + 1] += 1);
        for i in 0..xyz.len() {
            starts[i + 1] += starts[i];
        }
        let (mut next, mut links) = (starts.clone(), vec![(0, 0.0); 2 * found.pairs.len()]);
        for (pair, &distance) in found.pairs.iter().zip(&found.distances) {
            for (from, to) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                links[next[from as usize]] = (to as u32, distance as f32);
                next[from as usize] += 1;
            }
        }
        Ok(Self { starts, links })
    }

    pub(super) fn of(&self, point: usize) -> &[(u32, f32)] {
        &self.links[self.starts[point]..self.starts[point + 1]]
    }
}

impl Geometry<'_> {
    /// Å beyond which no two residues are in a span.
    fn longest(&self) -> f64 {
        let possible = |&bin: &usize| self.spans.column(bin).iter().any(|v| *v > f32::NEG_INFINITY);
        let bins = (0..self.spans.ncols()).rev().find(possible).unwrap_or(0);
        bins as f64 * self.step
    }

    fn span(&self, forward: usize, distance: f32) -> f32 {
        let row = self.spans.row(forward - 1);
        match row.as_slice() {
            Some(row) => at_distance(row, f64::from(distance) / self.step),
            None => f32::NEG_INFINITY,
        }
    }

    fn twist_of(&self, [a, b, c, d]: [[f64; 3]; 4]) -> f32 {
        let turn = (torsion(a, b, c, d) / std::f64::consts::TAU + 0.5) * self.twist.len() as f64;
        let low = turn.floor();
        let at = |bin: f64| self.twist[bin as usize % self.twist.len()];
        between(at(low), at(low + 1.0), (turn - low) as f32)
    }
}

/// A table's value between two bins.
fn at_distance(table: &[f32], place: f64) -> f32 {
    let low = place as usize;
    let Some(&below) = table.get(low) else {
        return f32::NEG_INFINITY;
    };
    let above = table.get(low + 1).copied().unwrap_or(f32::NEG_INFINITY);
    between(below, above, (place - low as f64) as f32)
}

/// Infinite values too, of which no part is nothing.
fn between(below: f32, above: f32, part: f32) -> f32 {
    if part == 0.0 {
        below
    } else {
        below * (1.0 - part) + above * part
    }
}

impl Beam<'_> {
    fn check(&self) -> Result<()> {
        self.emission.check()?;
        check_points(self.xyz)?;
        let points = self.xyz.len();
        same_length("points and states differ in number", points, self.emission.states())?;
        same_length("points and their bonds differ in number", points, self.bonds.states())?;
        let Geometry {
            step,
            spans,
            bend,
            twist,
        } = self.geometry;
        if !(step.is_finite() && step > 0.0) {
            let (name, rule) = ("step", "positive and finite");
            return Err(Error::Parameter {
                name,
                rule,
                value: step,
            });
        }
        if spans.is_empty() || bend.is_empty() || twist.is_empty() {
            return Err(Error::Empty("a table of the chain's shape is empty"));
        }
        if let Some(((row, column), _)) = spans.indexed_iter().find(|(_, v)| !is_log(**v)) {
            return Err(Error::CellNotFinite { row, column });
        }
        if let Some(row) = bend.iter().chain(twist).position(|&v| !is_log(v)) {
            let what = "a value of the chain's shape is not a logarithm";
            return Err(Error::Row { what, row });
        }
        self.costs.check()
    }

    /// The best hypotheses that have this residue on this point.
    fn candidates_at(
        &self,
        residue: usize,
        point: usize,
        rows: &[Row],
        waiting: &Waiting,
        near: &Neighbours,
    ) -> Vec<Hypothesis> {
        let mut best = Vec::with_capacity(self.costs.per_point + 1);
        let here = self.emission.of(residue, point);
        if here == f32::NEG_INFINITY {
            return best;
        }
        let keep = |best: &mut Vec<Hypothesis>, h: Hypothesis| kept::keep(best, h, self.costs.per_point);
        keep(
            &mut best,
            Hypothesis::start(residue, point, here - (self.costs.end * residue as f64) as f32),
        );
        let layers = self.geometry.spans.nrows().min(residue);
        for &(other, distance) in near.of(point) {
            for forward in 1..=layers {
                let row = &rows[residue - forward];
                let span = self.geometry.span(forward, distance);
                if span == f32::NEG_INFINITY || !row.has(other as usize) {
                    continue;
                }
                let bond = if forward == 1 {
                    self.bond(other as usize, point)
                } else {
                    0.0
                };
                for (place, before) in row.on(other as usize) {
                    if row.visited(place, point) {
                        continue;
                    }
                    let shape = if forward == 1 { self.shape(before, point) } else { 0.0 };
                    let score = before.score + here + span + bond + shape;
                    keep(
                        &mut best,
                        before.onward(score, point, residue - forward, place, forward == 1),
                    );
                }
            }
        }
        for (place, one) in waiting.iter().enumerate() {
            let left_out = residue - one.residue - 1;
            if waiting.visited(place, point) {
                continue;
            }
            let apart = minus(self.xyz[one.point as usize], self.xyz[point]);
            let cost = self.costs.gap(norm(apart), left_out);
            keep(&mut best, one.onward(one.score + here - cost as f32, point, place));
        }
        best
    }

    fn bond(&self, from: usize, to: usize) -> f32 {
        let listed = self.bonds.to(to);
        match listed.binary_search_by_key(&(from as u32), |&(other, _)| other) {
            Ok(place) => listed[place].1,
            Err(_) => self.bonds.rest[from],
        }
    }

    /// Bend and twist where the chain comes to a point by bonds.
    fn shape(&self, before: &Hypothesis, point: usize) -> f32 {
        if !before.bonded {
            return 0.0;
        }
        let (here, at) = (self.xyz[point], |i: u32| self.xyz[i as usize]);
        let across = minus(at(before.previous), here);
        let bend = at_distance(self.geometry.bend, norm(across) / self.geometry.step);
        if before.earlier == NONE {
            return bend;
        }
        bend + self
            .geometry
            .twist_of([at(before.earlier), at(before.previous), at(before.point), here])
    }

    /// The best hypothesis that could be the end, back to its start.
    fn best(&self, rows: &[Row]) -> Traced {
        let length = self.emission.len();
        let (mut score, mut at) = (0.0, None);
        for (residue, row) in rows.iter().enumerate() {
            let cost = (self.costs.end * (length - 1 - residue) as f64) as f32;
            for (place, h) in row.all().iter().enumerate() {
                if h.score - cost > score {
                    (score, at) = (h.score - cost, Some((residue, place)));
                }
            }
        }
        let mut nodes = vec![-1; length];
        let mut more = 0.0;
        while let Some((residue, place)) = at {
            let h = &rows[residue].all()[place];
            nodes[residue] = h.point as i32;
            more += self.emission.more_of(residue, h.point as usize);
            at = (h.parent != NONE).then_some((h.residue, h.parent as usize));
        }
        Traced {
            nodes,
            score: f64::from(score - more),
        }
    }
}

impl Costs {
    fn gap(&self, distance: f64, left_out: usize) -> f64 {
        let [each, most] = self.excess;
        let excess = (distance - self.reach * (left_out + 1) as f64).max(0.0);
        self.gap_open + self.gap_extend * left_out as f64 + (each * excess).min(most)
    }

    fn check(&self) -> Result<()> {
        let numbers = [
            ("end", self.end),
            ("gap_open", self.gap_open),
            ("gap_extend", self.gap_extend),
            ("reach", self.reach),
            ("excess", self.excess[0]),
            ("most excess", self.excess[1]),
            ("apart", self.apart),
        ];
        for (name, value) in numbers {
            if !(0.0..=1e9).contains(&value) {
                let rule = "a number from 0 to 1e9";
                return Err(Error::Parameter { name, rule, value });
            }
        }
        for (name, value) in [("per_point", self.per_point), ("width", self.width)] {
            if value == 0 {
                let rule = "at least 1";
                return Err(Error::Parameter { name, rule, value: 0.0 });
            }
        }
        Ok(())
    }
}
