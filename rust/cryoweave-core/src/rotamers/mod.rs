//! One candidate for each group of atoms, so that their own costs and their overlaps are least together.
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::{check_points, neighbour_pairs};

mod problem;
mod solve;

use problem::Problem;

/// Groups of atoms, each in several places to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// Atoms of all candidates, one candidate after the other, Å.
    pub xyz: &'a [[f64; 3]],
    /// Å: two atoms that do not overlap are at least the sum of theirs apart.
    pub radius: &'a [f64],
    /// Atoms that may share a hydrogen bond with another such.
    pub polar: &'a [bool],
    /// First atom of each candidate, and the end.
    pub atoms: &'a [usize],
    /// First candidate of each group, and the end.
    pub groups: &'a [usize],
    /// What each candidate costs by itself.
    pub costs: &'a [f64],
    /// Groups that never overlap with each other.
    pub free: &'a [[i32; 2]],
}

/// What overlaps cost, and how to search.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Energy per Å² of overlap.
    pub stiffness: f64,
    /// Å that two polar atoms may come closer.
    pub hydrogen_bond: f64,
    /// A candidate that costs this much more than its group's best, beside what never moves, is left out.
    pub window: f64,
    /// Of the annealing, for groups that are too entangled to be solved exactly.
    pub seed: u64,
}

/// Index of each group's best candidate (counted within the group), and the energy of all together.
///
/// Dead ends are eliminated (Goldstein 1994, Biophys. J. 66, 1335); what hangs together then is searched exactly if it
/// is small, else annealed. Energies between groups of one candidate count too.
pub fn choose_candidates(given: &Candidates, rules: Rules, control: &Control) -> Result<(Vec<i32>, f64)> {
    check(given, rules)?;
    let pairs = near_groups(given, control)?;
    let fixed = |group: usize| given.groups[group + 1] - given.groups[group] == 1;
    let (settled, open): (Vec<[usize; 2]>, Vec<[usize; 2]>) =
        pairs.iter().partition(|pair| pair.iter().any(|&g| fixed(g)));
    let mut problem = Problem::new(given);
    problem.add(given, rules, &settled, control)?;
    problem.leave_out(rules.window);
    problem.add(given, rules, &open, control)?;
    problem.eliminate(control)?;
    let chosen = solve::solve(&problem, rules.seed, control)?;
    let energy = problem.energy(&chosen);
    Ok((chosen.into_iter().map(|candidate| candidate as i32).collect(), energy))
}

/// Pairs of groups, of which some candidates may touch.
fn near_groups(given: &Candidates, control: &Control) -> Result<Vec<[usize; 2]>> {
    let count = given.groups.len() - 1;
    let spheres: Vec<([f64; 3], f64)> = (0..count).into_par_iter().map(|group| sphere(given, group)).collect();
    let widest = spheres.iter().map(|sphere| sphere.1).fold(0.0, f64::max);
    if widest == 0.0 {
        return Ok(Vec::new());
    }
    let centres: Vec<[f64; 3]> = spheres.iter().map(|sphere| sphere.0).collect();
    let near = neighbour_pairs(&centres, 2.0 * widest, control)?;
    let mut free: Vec<[i32; 2]> = given.free.iter().map(|&[a, b]| [a.min(b), a.max(b)]).collect();
    free.sort_unstable();
    let touching = near.pairs.iter().zip(&near.distances).filter(|(pair, distance)| {
        let reach: f64 = pair.iter().map(|&group| spheres[group as usize].1).sum();
        **distance <= reach
            && free
                .binary_search(&[pair[0].min(pair[1]), pair[0].max(pair[1])])
                .is_err()
    });
    Ok(touching.map(|(pair, _)| pair.map(|group| group as usize)).collect())
}

/// Centre and radius of a sphere around all candidates of a group, with the radii of their atoms.
fn sphere(given: &Candidates, group: usize) -> ([f64; 3], f64) {
    let atoms = given.atoms[given.groups[group]]..given.atoms[given.groups[group + 1]];
    let count = atoms.len().max(1) as f64;
    let centre: [f64; 3] =
        std::array::from_fn(|x| given.xyz[atoms.clone()].iter().map(|at| at[x]).sum::<f64>() / count);
    let reach = |atom: usize| {
        let square: f64 = (0..3).map(|x| (given.xyz[atom][x] - centre[x]).powi(2)).sum();
        square.sqrt() + given.radius[atom]
    };
    (centre, atoms.map(reach).fold(0.0, f64::max))
}

fn check(given: &Candidates, rules: Rules) -> Result<()> {
    check_points(given.xyz)?;
    let atoms = given.xyz.len();
    same_length("atoms and radii differ in length", atoms, given.radius.len())?;
    same_length("atoms and their polarity differ in length", atoms, given.polar.len())?;
    same_length(
        "candidates and costs differ in length",
        given.atoms.len(),
        given.costs.len() + 1,
    )?;
    ascending("a candidate's first atom is out of order", given.atoms, atoms, 0)?;
    ascending(
        "a group has no candidate, or its first is out of order",
        given.groups,
        given.costs.len(),
        1,
    )?;
    let rows = [
        (
            "a radius is negative or not finite",
            given
                .radius
                .iter()
                .position(|radius| !(radius.is_finite() && *radius >= 0.0)),
        ),
        (
            "a cost is not finite",
            given.costs.iter().position(|cost| !cost.is_finite()),
        ),
        (
            "a free pair names a group that does not exist",
            given.free.iter().position(|pair| {
                pair.iter()
                    .any(|&group| usize::try_from(group).map_or(true, |group| group + 1 >= given.groups.len()))
            }),
        ),
    ];
    if let Some((what, Some(row))) = rows.into_iter().find(|(_, row)| row.is_some()) {
        return Err(Error::Row { what, row });
    }
    let values = [
        ("stiffness", rules.stiffness),
        ("hydrogen_bond", rules.hydrogen_bond),
        ("window", rules.window),
    ];
    for (name, value) in values {
        if value.is_nan() || value < 0.0 || (name != "window" && value.is_infinite()) {
            let rule = "finite and at least 0";
            return Err(Error::Parameter { name, rule, value });
        }
    }
    Ok(())
}

/// Refuse offsets that do not go from 0 to `end` in steps of at least `step`.
fn ascending(what: &'static str, offsets: &[usize], end: usize, step: usize) -> Result<()> {
    if offsets.first() != Some(&0) || offsets.last() != Some(&end) {
        return Err(Error::Row { what, row: 0 });
    }
    match offsets.windows(2).position(|pair| pair[1] < pair[0] + step) {
        Some(row) => Err(Error::Row { what, row }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
