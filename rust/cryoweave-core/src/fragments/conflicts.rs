//! Which fragments cannot both be in a model.
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::{check_points, neighbour_pairs};

/// Fragments one after the other, each with its residues in ascending order.
#[derive(Clone, Copy)]
pub struct Fragments<'a> {
    /// The sequence that each is of.
    pub sequence: &'a [i32],
    /// Where the residues of each begin, and the end.
    pub starts: &'a [usize],
    /// Index in the sequence of each residue.
    pub residue: &'a [i32],
    /// Å.
    pub xyz: &'a [[f64; 3]],
}

/// When two fragments do not go together.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Å that a chain may span for each residue that it goes forward.
    pub reach: f64,
    /// Å that two places of one residue of one chain may be apart.
    pub same: f64,
    /// Å that two residues must at least be apart.
    pub clash: f64,
}

/// Two fragments, the first before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Their numbers.
    pub pair: [i32; 2],
    /// They clash, whatever chains they are in.
    pub clash: bool,
    /// They cannot be in one chain.
    pub chain: bool,
}

/// Residues forward up to which all pairs are compared, and not only the ends.
const NEAR: i32 = 10;

/// All conflicts, sorted. Equal residues of one sequence do not clash; they are one residue if near, and none if not.
pub fn conflicts(fragments: Fragments, rules: Rules, control: &Control) -> Result<Vec<Conflict>> {
    fragments.check()?;
    for (name, value) in [("reach", rules.reach), ("same", rules.same), ("clash", rules.clash)] {
        if !(value.is_finite() && value > 0.0) {
            let rule = "positive and finite";
            return Err(Error::Parameter { name, rule, value });
        }
    }
    let count = fragments.sequence.len();
    control.expect(count as u64);
    let clashing = fragments.clashing(rules.clash, control)?;
    let rows: Vec<Vec<Conflict>> = (0..count)
        .into_par_iter()
        .map(|a| {
            control.step()?;
            let mut clash = clashing[a].iter().copied().peekable();
            let mut row = Vec::new();
            for b in a + 1..count {
                let clashes = clash.next_if_eq(&(b as u32)).is_some();
                let chain = fragments.sequence[a] == fragments.sequence[b] && fragments.apart(a, b, rules);
                if clashes || chain {
                    row.push(Conflict {
                        pair: [a as i32, b as i32],
                        clash: clashes,
                        chain: chain || clashes,
                    });
                }
            }
            Ok(row)
        })
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}

impl Fragments<'_> {
    fn check(&self) -> Result<()> {
        check_points(self.xyz)?;
        same_length(
            "residues and places differ in length",
            self.residue.len(),
            self.xyz.len(),
        )?;
        same_length(
            "fragments and their starts differ in length",
            self.sequence.len() + 1,
            self.starts.len(),
        )?;
        let (first, last) = (self.starts[0], self.starts[self.sequence.len()]);
        let wrong = |row, what| Err(Error::Row { what, row });
        if first != 0 || last != self.xyz.len() {
            return wrong(0, "fragments do not cover all residues");
        }
        for (row, two) in self.starts.windows(2).enumerate() {
            if two[0] >= two[1] {
                return wrong(row, "a fragment has no residue");
            }
            if self.residue[two[0]] < 0 {
                return wrong(row, "a fragment has a negative residue");
            }
            if self.residue[two[0]..two[1]].windows(2).any(|r| r[0] >= r[1]) {
                return wrong(row, "a fragment's residues do not ascend");
            }
        }
        Ok(())
    }

    fn rows(&self, fragment: usize) -> std::ops::Range<usize> {
        self.starts[fragment]..self.starts[fragment + 1]
    }

    /// The later fragments that each clashes with, ascending.
    fn clashing(&self, closest: f64, control: &Control) -> Result<Vec<Vec<u32>>> {
        let mut owner = vec![0u32; self.xyz.len()];
        for fragment in 0..self.sequence.len() {
            owner[self.rows(fragment)].fill(fragment as u32);
        }
        let mut found = vec![Vec::new(); self.sequence.len()];
        let near = neighbour_pairs(self.xyz, closest, control)?;
        for (pair, &distance) in near.pairs.iter().zip(&near.distances) {
            let [i, j] = pair.map(|row| row as usize);
            let (a, b) = (owner[i].min(owner[j]), owner[i].max(owner[j]));
            let same = self.sequence[a as usize] == self.sequence[b as usize] && self.residue[i] == self.residue[j];
            if a != b && !same && distance < closest {
                found[a as usize].push(b);
            }
        }
        found.par_iter_mut().for_each(|row: &mut Vec<u32>| {
            row.sort_unstable();
            row.dedup();
        });
        Ok(found)
    }

    /// Whether one chain cannot hold both.
    fn apart(&self, a: usize, b: usize, rules: Rules) -> bool {
        let (one, other) = (self.rows(a), self.rows(b));
        let ends = |rows: &std::ops::Range<usize>| [rows.start, rows.end - 1];
        for i in ends(&one) {
            if ends(&other).into_iter().any(|j| self.too_far(i, j, rules)) {
                return true;
            }
        }
        let residue = &self.residue[other.clone()];
        one.into_iter().any(|i| {
            let first = residue.partition_point(|&r| r < self.residue[i] - NEAR);
            let end = residue.partition_point(|&r| r <= self.residue[i].saturating_add(NEAR));
            (other.start + first..other.start + end).any(|j| self.too_far(i, j, rules))
        })
    }

    fn too_far(&self, i: usize, j: usize, rules: Rules) -> bool {
        let forward = (self.residue[i] - self.residue[j]).unsigned_abs();
        let most = if forward == 0 {
            rules.same
        } else {
            rules.reach * f64::from(forward)
        };
        let distance2: f64 = (0..3).map(|axis| (self.xyz[i][axis] - self.xyz[j][axis]).powi(2)).sum();
        distance2 > most * most
    }
}
