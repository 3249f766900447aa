//! Backbone torsions: what φ and ψ cost by a table, and the peptide planes whose torsions cost least together.
use ndarray::{ArrayView2, ArrayView3, ArrayView4};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::check_points;
use crate::vector::{cross, dot, minus, torsion};

const CHUNK: usize = 64;
/// The most that the angle at a Cα may cost: where Cα atoms are off, none of the planes has a good one.
const WORST_ANGLE: f64 = 20.0;

/// Peptide planes to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Cα of every residue, Å.
    pub calpha: &'a [[f64; 3]],
    /// Whether residue i is bonded to residue i + 1.
    pub bonded: &'a [bool],
    /// C and N of each peptide in each of its turns about the axis between its Cα atoms: (n - 1, turns, 2, 3).
    pub atoms: ArrayView4<'a, f64>,
    /// What each turn costs by itself: (n - 1, turns).
    pub costs: ArrayView2<'a, f64>,
    /// Row of the table for each residue.
    pub kinds: &'a [i32],
    /// Cost of φ and ψ: (kinds, bins, bins), bins from -180° on, each known at its middle.
    pub table: ArrayView3<'a, f64>,
    /// Radians that N–Cα–C should have.
    pub angle: f64,
    /// Cost per radian² off it.
    pub angle_stiffness: f64,
}

/// Turns of every peptide (-1 where there is no bond) that cost least together, by Viterbi, and what they cost.
pub fn choose_planes(planes: &Planes, control: &Control) -> Result<(Vec<i32>, f64)> {
    check(planes)?;
    let peptides = planes.bonded.len();
    let turns = planes.costs.ncols();
    let steps: Vec<Vec<f64>> = (0..peptides)
        .into_par_iter()
        .with_max_len(CHUNK)
        .map(|i| {
            control.check()?;
            let joined = i > 0 && planes.bonded[i - 1] && planes.bonded[i];
            Ok(if joined { joint_costs(planes, i) } else { Vec::new() })
        })
        .collect::<Result<_>>()?;
    let mut chosen = vec![-1; peptides];
    let (mut total, mut first) = (0.0, 0);
    while first < peptides {
        if !planes.bonded[first] {
            first += 1;
            continue;
        }
        let end = (first..peptides).find(|&i| !planes.bonded[i]).unwrap_or(peptides);
        total += best_piece(planes, &steps[first..end], first, turns, &mut chosen[first..end]);
        first = end;
    }
    Ok((chosen, total))
}

/// Costs at residue i of every turn before it (rows) with every turn after it.
fn joint_costs(planes: &Planes, i: usize) -> Vec<f64> {
    let turns = planes.costs.ncols();
    let at = |peptide: usize, turn: usize, atom: usize| -> [f64; 3] {
        std::array::from_fn(|x| planes.atoms[[peptide, turn, atom, x]])
    };
    let ca = planes.calpha[i];
    let mut costs = Vec::with_capacity(turns * turns);
    for before in 0..turns {
        let (c_before, n) = (at(i - 1, before, 0), at(i - 1, before, 1));
        for after in 0..turns {
            let (c, n_after) = (at(i, after, 0), at(i, after, 1));
            let torsions = [torsion(c_before, n, ca, c), torsion(n, ca, c, n_after)];
            let off = between(n, ca, c) - planes.angle;
            let bend = (planes.angle_stiffness * off * off).min(WORST_ANGLE);
            costs.push(bend + looked_up(planes.table, planes.kinds[i] as usize, torsions));
        }
    }
    costs
}

/// The cheapest turns of peptides that follow each other; returns their cost.
fn best_piece(planes: &Planes, steps: &[Vec<f64>], first: usize, turns: usize, chosen: &mut [i32]) -> f64 {
    let mut reached: Vec<f64> = planes.costs.row(first).to_vec();
    let mut from: Vec<Vec<usize>> = Vec::with_capacity(steps.len());
    for (k, step) in steps.iter().enumerate().skip(1) {
        let (mut next, mut best) = (vec![f64::INFINITY; turns], vec![0; turns]);
        for (before, &so_far) in reached.iter().enumerate() {
            for (after, &cost) in step[before * turns..][..turns].iter().enumerate() {
                if so_far + cost < next[after] {
                    (next[after], best[after]) = (so_far + cost, before);
                }
            }
        }
        for (after, next) in next.iter_mut().enumerate() {
            *next += planes.costs[[first + k, after]];
        }
        (reached, _) = (next, from.push(best));
    }
    let least = |a: &usize, b: &usize| reached[*a].total_cmp(&reached[*b]);
    let mut turn = (0..turns).min_by(least).unwrap_or(0);
    let total = reached[turn];
    for k in (0..chosen.len()).rev() {
        chosen[k] = turn as i32;
        if k > 0 {
            turn = from[k - 1][turn];
        }
    }
    total
}

/// Costs of pairs φ, ψ (radians) by the tables of their kinds, bilinear and going on beyond ±180°.
pub fn torsion_costs(
    kinds: &[i32],
    angles: &[[f64; 2]],
    table: ArrayView3<f64>,
    control: &Control,
) -> Result<Vec<f64>> {
    same_length("kinds and angles differ in length", kinds.len(), angles.len())?;
    check_table(table)?;
    check_kinds(kinds, table)?;
    if let Some(row) = angles
        .iter()
        .position(|pair| pair.iter().any(|angle| !angle.is_finite()))
    {
        let what = "an angle is not finite";
        return Err(Error::Row { what, row });
    }
    control.check()?;
    let rows = kinds.iter().zip(angles);
    Ok(rows
        .map(|(&kind, &pair)| looked_up(table, kind as usize, pair))
        .collect())
}

fn looked_up(table: ArrayView3<f64>, kind: usize, angles: [f64; 2]) -> f64 {
    let bins = table.dim().1;
    let place = angles.map(|angle| {
        let at = (angle / std::f64::consts::TAU + 0.5) * bins as f64 - 0.5;
        let below = at.floor();
        let index = below.rem_euclid(bins as f64) as usize % bins;
        (index, (index + 1) % bins, at - below)
    });
    let [(i, next_i, u), (j, next_j, v)] = place;
    let row = |i: usize| (1.0 - v) * table[[kind, i, j]] + v * table[[kind, i, next_j]];
    (1.0 - u) * row(i) + u * row(next_i)
}

fn check(planes: &Planes) -> Result<()> {
    check_points(planes.calpha)?;
    let n = planes.calpha.len();
    let (peptides, turns, atoms, axes) = planes.atoms.dim();
    same_length("residues and kinds differ in length", n, planes.kinds.len())?;
    same_length("bonds must be one less than residues", planes.bonded.len() + 1, n)?;
    same_length("planes and bonds differ in length", peptides, planes.bonded.len())?;
    same_length("costs and bonds differ in length", planes.costs.nrows(), peptides)?;
    same_length("planes and their costs differ in turns", turns, planes.costs.ncols())?;
    same_length("a plane is given by two atoms", atoms, 2)?;
    same_length("an atom is given by three coordinates", axes, 3)?;
    if turns == 0 {
        return Err(Error::Empty("there is no turn of the planes to choose from"));
    }
    check_table(planes.table)?;
    check_kinds(planes.kinds, planes.table)?;
    let rows = [
        (
            "a plane has a coordinate that is not finite",
            outer(planes.atoms.iter(), turns * 6),
        ),
        ("the cost of a plane is not finite", outer(planes.costs.iter(), turns)),
    ];
    if let Some((what, Some(row))) = rows.into_iter().find(|(_, row)| row.is_some()) {
        return Err(Error::Row { what, row });
    }
    for (name, value) in [("angle", planes.angle), ("angle_stiffness", planes.angle_stiffness)] {
        if !(value.is_finite() && value >= 0.0) {
            let rule = "finite and at least 0";
            return Err(Error::Parameter { name, rule, value });
        }
    }
    Ok(())
}

/// The row, of so many values each, that holds the first value which is not finite.
fn outer<'a>(mut values: impl Iterator<Item = &'a f64>, each: usize) -> Option<usize> {
    values.position(|value| !value.is_finite()).map(|place| place / each)
}

fn check_table(table: ArrayView3<f64>) -> Result<()> {
    let (_, rows, columns) = table.dim();
    same_length("a table must have as many rows as columns", rows, columns)?;
    if table.is_empty() {
        return Err(Error::Empty("the table of torsions is empty"));
    }
    match outer(table.iter(), rows * columns) {
        Some(row) => Err(Error::Row {
            what: "the table of torsions holds a value that is not finite",
            row,
        }),
        None => Ok(()),
    }
}

fn check_kinds(kinds: &[i32], table: ArrayView3<f64>) -> Result<()> {
    let known = |kind: &i32| usize::try_from(*kind).is_ok_and(|kind| kind < table.dim().0);
    match kinds.iter().position(|kind| !known(kind)) {
        Some(row) => Err(Error::Row {
            what: "a residue's kind has no table",
            row,
        }),
        None => Ok(()),
    }
}

/// Angle a–b–c in radians.
fn between(a: [f64; 3], b: [f64; 3], c: [f64; 3]) -> f64 {
    let (left, right) = (minus(a, b), minus(c, b));
    let across = cross(left, right);
    dot(across, across).sqrt().atan2(dot(left, right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, Array4};

    #[test]
    fn a_torsion_has_the_sign_of_iupac() {
        let found = torsion([1.0, 0.0, 0.0], [0.0; 3], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]);
        assert!((found - std::f64::consts::FRAC_PI_2).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_table_is_read_at_the_middle_of_its_bins_and_goes_on_beyond_the_border() {
        let table = Array3::from_shape_fn((2, 4, 4), |(k, i, j)| (100 * k + 10 * i + j) as f64);
        let at = |phi: f64, psi: f64| looked_up(table.view(), 1, [phi.to_radians(), psi.to_radians()]);
        assert!((at(-135.0, -45.0) - 101.0).abs() < 1e-9);
        assert!((at(-90.0, -45.0) - 106.0).abs() < 1e-9);
        assert!((at(180.0, -45.0) - 116.0).abs() < 1e-9);
        assert!((at(-180.0, -45.0) - at(180.0, -45.0)).abs() < 1e-9);
    }

    #[test]
    fn pieces_are_chosen_apart_and_a_missing_bond_has_no_plane() {
        let calpha = [[0.0, 0.0, 0.0], [3.8, 0.0, 0.0], [7.0, 2.0, 0.0], [9.0, 5.0, 1.0]];
        let atoms = Array4::from_shape_fn((3, 2, 2, 3), |(i, t, a, x)| calpha[i + a][x] + ((t + x) % 2) as f64);
        let mut costs = Array2::zeros((3, 2));
        costs[[0, 0]] = 5.0;
        costs[[2, 1]] = 5.0;
        let table = Array3::zeros((1, 3, 3));
        let planes = Planes {
            calpha: &calpha,
            bonded: &[true, false, true],
            atoms: atoms.view(),
            costs: costs.view(),
            kinds: &[0; 4],
            table: table.view(),
            angle: 1.94,
            angle_stiffness: 1.0,
        };
        assert_eq!(choose_planes(&planes, &Control::default()), Ok((vec![1, -1, 0], 0.0)));
    }
}
