//! How many of a reference's local distances a model keeps, without superposition.
use rayon::prelude::*;

use super::check_points;
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::Cells;

/// Atoms that one task counts the distances of.
const TASK: usize = 256;

/// Which atoms are compared, and how.
#[derive(Clone, Copy, Debug)]
pub struct Lddt<'a> {
    /// Atoms of the model, in Å.
    pub model: &'a [[f64; 3]],
    /// Atoms of the reference, in Å.
    pub reference: &'a [[f64; 3]],
    /// For each reference atom the model atom that it is, or negative if the model lacks it.
    pub partner: &'a [i32],
    /// For each reference atom its residue, counted from 0; distances within a residue do not count.
    pub residue: &'a [i32],
    /// Distances up to this in the reference count, in Å.
    pub radius: f64,
    /// A distance that changes by no more than the threshold is kept; the score is the mean over thresholds, in Å.
    pub thresholds: &'a [f64],
}

/// Kept shares of distances, from 0 to 1; NaN where there is no distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Of all distances.
    pub total: f64,
    /// Of the distances that each residue's atoms have to atoms of other residues.
    pub residues: Vec<f64>,
}

/// Local distance difference test; a distance to an atom that the model lacks is not kept.
///
/// Mariani et al. 2013, Bioinformatics 29, 2722.
pub fn lddt(input: Lddt, control: &Control) -> Result<Kept> {
    let residues = check(&input)?;
    let atoms = sorted_by_cell(&input);
    let around = atoms.cells.surroundings();
    let n = input.reference.len();
    control.expect(n.div_ceil(TASK) as u64);
    let tasks: Vec<Vec<[u64; 2]>> = (0..n.div_ceil(TASK))
        .into_par_iter()
        .map(|task| {
            control.step()?;
            let places = task * TASK..n.min((task + 1) * TASK);
            let count = |place| control.check().map(|()| atoms.count(place, &around, &input));
            places.map(count).collect()
        })
        .collect::<Result<_>>()?;
    // Whole numbers: their sums do not depend on any order.
    let mut sums = vec![[0u64; 2]; residues];
    for (&atom, found) in atoms.cells.order.iter().zip(tasks.iter().flatten()) {
        let sum = &mut sums[input.residue[atom as usize] as usize];
        *sum = [sum[0] + found[0], sum[1] + found[1]];
    }
    let share = |[kept, all]: [u64; 2]| kept as f64 / (all * input.thresholds.len() as u64) as f64;
    let total = sums
        .iter()
        .fold([0, 0], |sum, found| [sum[0] + found[0], sum[1] + found[1]]);
    Ok(Kept {
        total: share(total),
        residues: sums.into_iter().map(share).collect(),
    })
}

/// The number of residues, if the input makes sense.
fn check(input: &Lddt) -> Result<usize> {
    check_points(input.model)?;
    check_points(input.reference)?;
    let atoms = input.reference.len();
    for (what, length) in [
        ("reference atoms and partners differ in length", input.partner.len()),
        ("reference atoms and residues differ in length", input.residue.len()),
    ] {
        same_length(what, atoms, length)?;
    }
    let rule = "positive and finite";
    let positive = |value: f64| value > 0.0 && value.is_finite();
    let thresholds = input.thresholds.iter().map(|&value| ("a threshold", value));
    if let Some((name, value)) = [("radius", input.radius)]
        .into_iter()
        .chain(thresholds)
        .find(|p| !positive(p.1))
    {
        return Err(Error::Parameter { name, rule, value });
    }
    if input.thresholds.is_empty() {
        return Err(Error::Empty("there is no threshold"));
    }
    let models = input.model.len();
    if let Some(row) = input
        .partner
        .iter()
        .position(|&i| usize::try_from(i).is_ok_and(|i| i >= models))
    {
        let what = "a partner is no atom of the model";
        return Err(Error::Row { what, row });
    }
    // A residue has an atom, so that a stray number cannot ask for all memory there is.
    let (what, most) = (
        "a residue's number is negative or above the number of atoms",
        atoms as i64,
    );
    if let Some(row) = input.residue.iter().position(|&r| r < 0 || i64::from(r) >= most) {
        return Err(Error::Row { what, row });
    }
    Ok(input.residue.iter().max().map_or(0, |&last| last as usize + 1))
}

/// The atoms of one cell side by side in memory.
struct Atoms {
    cells: Cells,
    reference: Vec<[f64; 3]>,
    /// NaN for an atom that the model lacks: no distance to it is near any other.
    model: Vec<[f64; 3]>,
    residue: Vec<i32>,
}

fn sorted_by_cell(input: &Lddt) -> Atoms {
    let cells = Cells::new(input.reference, input.radius);
    let at = |atom: &u32| *atom as usize;
    let partner = |atom: &u32| usize::try_from(input.partner[at(atom)]).map_or([f64::NAN; 3], |i| input.model[i]);
    Atoms {
        reference: cells.order.iter().map(|i| input.reference[at(i)]).collect(),
        model: cells.order.iter().map(partner).collect(),
        residue: cells.order.iter().map(|i| input.residue[at(i)]).collect(),
        cells,
    }
}

impl Atoms {
    /// Thresholds that the distances from one atom keep, and the number of distances.
    fn count(&self, place: usize, around: &[[(u32, u32); 9]], input: &Lddt) -> [u64; 2] {
        let (reference, model, residue) = (self.reference[place], self.model[place], self.residue[place]);
        let limit = input.radius * input.radius;
        let cell = self.cells.cell_of(self.cells.order[place] as usize);
        let [mut kept, mut all] = [0u64; 2];
        for &(first, last) in &around[cell] {
            let places = self.cells.starts[first as usize] as usize..self.cells.starts[last as usize] as usize;
            let others = self.reference[places.clone()].iter().zip(&self.model[places.clone()]);
            for ((&other, &other_model), &other_residue) in others.zip(&self.residue[places]) {
                let square = squared(reference, other);
                if square <= limit && other_residue != residue {
                    let change = (squared(model, other_model).sqrt() - square.sqrt()).abs();
                    all += 1;
                    kept += input
                        .thresholds
                        .iter()
                        .map(|&most| u64::from(change <= most))
                        .sum::<u64>();
                }
            }
        }
        [kept, all]
    }
}

fn squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    let [x, y, z] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    x * x + y * y + z * z
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

    fn run(model: &[[f64; 3]], reference: &[[f64; 3]], partner: &[i32], residue: &[i32]) -> Result<Kept> {
        let input = Lddt {
            model,
            reference,
            partner,
            residue,
            radius: 15.0,
            thresholds: &THRESHOLDS,
        };
        lddt(input, &Control::default())
    }

    #[test]
    fn distances_are_kept_by_threshold() {
        let reference = [[0.0; 3], [10.0, 0.0, 0.0], [0.0, 15.0, 0.0], [100.0, 0.0, 0.0]];
        let mut model = reference;
        model[1][0] = 11.5;
        let found = run(&model, &reference, &[0, 1, 2, 3], &[0, 1, 2, 3]).unwrap();
        assert_eq!(found.residues[..3], [0.75, 0.5, 1.0]);
        assert!(found.residues[3].is_nan());
        assert_eq!(found.total, 0.75);
    }

    #[test]
    fn what_the_model_lacks_is_not_kept() {
        let points = [[0.0; 3], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]];
        let found = run(&points, &points, &[0, -1, 2], &[0, 1, 2]).unwrap();
        assert_eq!((found.total, found.residues), (1.0 / 3.0, vec![0.5, 0.0, 0.5]));
        assert!(run(&[], &points, &[-1; 3], &[0, 0, 0]).unwrap().total.is_nan());
        assert_eq!(run(&[], &[], &[], &[]).unwrap().residues, vec![]);
    }

    #[test]
    fn bad_input_is_refused() {
        let one = [[0.0; 3]];
        assert!(matches!(run(&one, &one, &[1], &[0]), Err(Error::Row { row: 0, .. })));
        assert!(matches!(run(&one, &one, &[0], &[1]), Err(Error::Row { .. })));
        assert!(matches!(run(&one, &one, &[0], &[-1]), Err(Error::Row { .. })));
        assert!(matches!(run(&one, &one, &[], &[0]), Err(Error::Length { .. })));
        assert!(matches!(run(&one, &one, &[0], &[]), Err(Error::Length { .. })));
        assert_eq!(run(&[[f64::NAN; 3]], &one, &[0], &[0]), Err(Error::PointNotFinite(0)));
        let good = Lddt {
            model: &one,
            reference: &one,
            partner: &[0],
            residue: &[0],
            radius: 15.0,
            thresholds: &THRESHOLDS,
        };
        let control = Control::default();
        for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(lddt(Lddt { radius, ..good }, &control).is_err());
        }
        for thresholds in [&[][..], &[0.0], &[f64::NAN]] {
            assert!(lddt(Lddt { thresholds, ..good }, &control).is_err());
        }
        control.cancel();
        assert_eq!(lddt(good, &control), Err(Error::Cancelled));
    }
}
