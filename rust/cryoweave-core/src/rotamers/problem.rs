//! Costs of candidates, alone and in pairs, and which candidates can be left out.
use rayon::prelude::*;

use super::{Candidates, Rules};
use crate::control::Control;
use crate::error::Result;

/// Times that dead ends are looked for at most: each round may open new ones.
const ROUNDS: usize = 20;
/// By how much a candidate must lose, so that of two alike one stays.
const MARGIN: f64 = 1e-9;

pub(super) struct Problem {
    pub(super) groups: Vec<Group>,
    /// Energy of pairs of groups that have one candidate each.
    constant: f64,
}

pub(super) struct Group {
    /// Of each candidate, with its overlaps with groups of one candidate.
    pub(super) costs: Vec<f64>,
    /// Candidates that may still be chosen.
    pub(super) alive: Vec<usize>,
    /// Groups that some candidates overlap with.
    pub(super) beside: Vec<Beside>,
}

pub(super) struct Beside {
    pub(super) group: usize,
    /// Energies, row by row: own candidate, candidate there.
    energies: Vec<f64>,
    columns: usize,
}

impl Beside {
    pub(super) fn at(&self, own: usize, there: usize) -> f64 {
        self.energies[own * self.columns + there]
    }
}

impl Problem {
    pub(super) fn new(given: &Candidates) -> Self {
        let groups = given.groups.windows(2).map(|range| Group {
            costs: given.costs[range[0]..range[1]].to_vec(),
            alive: (0..range[1] - range[0]).collect(),
            beside: Vec::new(),
        });
        Self {
            groups: groups.collect(),
            constant: 0.0,
        }
    }

    /// Add the overlaps of these pairs of groups, between candidates that are still alive.
    pub(super) fn add(
        &mut self,
        given: &Candidates,
        rules: Rules,
        pairs: &[[usize; 2]],
        control: &Control,
    ) -> Result<()> {
        let found: Vec<Vec<f64>> = pairs
            .par_iter()
            .map(|&pair| {
                control.check()?;
                Ok(self.overlaps(given, rules, pair))
            })
            .collect::<Result<_>>()?;
        for (&[a, b], energies) in pairs.iter().zip(found) {
            if energies.iter().all(|&energy| energy == 0.0) {
                continue;
            }
            let (rows, columns) = (self.groups[a].costs.len(), self.groups[b].costs.len());
            match (rows, columns) {
                (1, 1) => self.constant += energies[0],
                (1, _) => add_to(&mut self.groups[b].costs, &energies),
                (_, 1) => add_to(&mut self.groups[a].costs, &energies),
                _ => {
                    let turned = (0..rows * columns)
                        .map(|k| energies[(k % rows) * columns + k / rows])
                        .collect();
                    self.groups[b].beside.push(Beside {
                        group: a,
                        energies: turned,
                        columns: rows,
                    });
                    self.groups[a].beside.push(Beside {
                        group: b,
                        energies,
                        columns,
                    });
                }
            }
        }
        Ok(())
    }

    fn overlaps(&self, given: &Candidates, rules: Rules, [a, b]: [usize; 2]) -> Vec<f64> {
        let columns = self.groups[b].costs.len();
        let mut energies = vec![0.0; self.groups[a].costs.len() * columns];
        for &own in &self.groups[a].alive {
            for &there in &self.groups[b].alive {
                energies[own * columns + there] = overlap(given, rules, given.groups[a] + own, given.groups[b] + there);
            }
        }
        energies
    }

    /// Leave out what costs so much more than the group's best.
    pub(super) fn leave_out(&mut self, window: f64) {
        for group in &mut self.groups {
            let best = group.costs.iter().copied().fold(f64::INFINITY, f64::min);
            group.alive.retain(|&candidate| group.costs[candidate] <= best + window);
        }
    }

    /// Leave out each candidate that another of its group beats whatever the other groups do.
    pub(super) fn eliminate(&mut self, control: &Control) -> Result<()> {
        for _ in 0..ROUNDS {
            let kept: Vec<Vec<usize>> = (0..self.groups.len())
                .into_par_iter()
                .map(|group| {
                    control.check()?;
                    Ok(self.undefeated(group))
                })
                .collect::<Result<_>>()?;
            let before: usize = self.groups.iter().map(|group| group.alive.len()).sum();
            for (group, kept) in self.groups.iter_mut().zip(kept) {
                group.alive = kept;
            }
            if before == self.groups.iter().map(|group| group.alive.len()).sum::<usize>() {
                break;
            }
        }
        Ok(())
    }

    fn undefeated(&self, group: usize) -> Vec<usize> {
        let own = &self.groups[group];
        let beaten = |loser: usize| {
            own.alive
                .iter()
                .any(|&winner| winner != loser && self.beats(own, winner, loser))
        };
        own.alive.iter().copied().filter(|&loser| !beaten(loser)).collect()
    }

    /// Whether `loser` costs more than `winner` even among the candidates that suit it best.
    fn beats(&self, own: &Group, winner: usize, loser: usize) -> bool {
        let mut lead = own.costs[loser] - own.costs[winner];
        for beside in &own.beside {
            let there = self.groups[beside.group].alive.iter();
            let least = there.map(|&there| beside.at(loser, there) - beside.at(winner, there));
            lead += least.fold(f64::INFINITY, f64::min);
        }
        lead > MARGIN
    }

    /// Energy of one candidate for each group.
    pub(super) fn energy(&self, chosen: &[usize]) -> f64 {
        let own = self
            .groups
            .iter()
            .zip(chosen)
            .map(|(group, &candidate)| group.costs[candidate]);
        let pairs = self.groups.iter().enumerate().flat_map(|(index, group)| {
            let once = group.beside.iter().filter(move |beside| beside.group > index);
            once.map(move |beside| beside.at(chosen[index], chosen[beside.group]))
        });
        self.constant + own.sum::<f64>() + pairs.sum::<f64>()
    }
}

fn add_to(costs: &mut [f64], more: &[f64]) {
    for (cost, more) in costs.iter_mut().zip(more) {
        *cost += more;
    }
}

fn overlap(given: &Candidates, rules: Rules, one: usize, other: usize) -> f64 {
    let mut energy = 0.0;
    for a in given.atoms[one]..given.atoms[one + 1] {
        for b in given.atoms[other]..given.atoms[other + 1] {
            let bond = if given.polar[a] && given.polar[b] {
                rules.hydrogen_bond
            } else {
                0.0
            };
            let least = given.radius[a] + given.radius[b] - bond;
            let (p, q) = (given.xyz[a], given.xyz[b]);
            let square = (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2) + (p[2] - q[2]).powi(2);
            if least > 0.0 && square < least * least {
                energy += rules.stiffness * (least - square.sqrt()).powi(2);
            }
        }
    }
    energy
}
