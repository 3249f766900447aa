//! Atoms pulled into density under restraints on distances, chirality, torsions and contacts.
use ndarray::ArrayView3;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::graph::neighbour_pairs;
use crate::grid::frame::Frame;
use crate::grid::{Solid, check_points};

mod check;
pub(crate) mod descent;
mod energy;
mod turn;

use energy::{Close, Energy};

/// Å beyond the contact distance within which a pair is watched until the next renewal.
const WATCHED: f64 = 3.0;
/// Force (energy per Å) below which an atom is at rest.
const REST: f64 = 1e-3;
/// Å that no atom moves farther in one step.
const LONGEST: f64 = 0.5;

/// Atoms to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Atoms<'a> {
    /// Positions, Å.
    pub xyz: &'a [[f64; 3]],
    /// Gain of each for each unit of density.
    pub weights: &'a [f64],
    /// Energy of each per Å² from where it started, not negative.
    pub hold: &'a [f64],
}

/// What is known about the atoms' geometry.
#[derive(Clone, Copy, Debug)]
pub struct Restraints<'a> {
    /// Pairs of atoms.
    pub pairs: &'a [[i32; 2]],
    /// Å between which a pair costs nothing, the upper one perhaps infinite; by pair.
    pub range: &'a [[f64; 2]],
    /// Energy per Å² off the range, not negative; by pair.
    pub stiffness: &'a [f64],
    /// A centre and its three neighbours.
    pub corners: &'a [[i32; 4]],
    /// Signed volume (Å³) that the neighbours span as seen from the centre; by corner.
    pub volume: &'a [f64],
    /// Energy per Å⁶ off the volume.
    pub volume_stiffness: f64,
    /// Four atoms in a row.
    pub turns: &'a [[i32; 4]],
    /// Their torsion angle, and how far off it costs nothing (radians); by turn.
    pub turn_range: &'a [[f64; 2]],
    /// Energy per radian² beyond that.
    pub turn_stiffness: f64,
}

/// Which atoms may not come closer than a distance; pairs that are restrained are left to their restraint.
#[derive(Clone, Copy, Debug)]
pub struct Contacts<'a> {
    /// The atoms, each once.
    pub atoms: &'a [i32],
    /// Å of each; two atoms keep the sum of theirs.
    pub reach: &'a [f64],
    /// Energy per Å² closer.
    pub stiffness: f64,
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Times that contacts are looked for anew.
    pub cycles: usize,
    /// Most steps in each cycle.
    pub steps: usize,
}

/// Where atoms came to rest.
#[derive(Debug, PartialEq)]
pub struct Refined {
    /// Positions, Å.
    pub xyz: Vec<[f64; 3]>,
    /// Energy of density and restraints there.
    pub energy: f64,
}

/// Minimise restraint energy less weight × tricubic density.
pub fn refine_atoms(
    map: ArrayView3<f32>,
    frame: &Frame,
    atoms: Atoms,
    restraints: Restraints,
    contacts: Contacts,
    effort: Effort,
    control: &Control,
) -> Result<Refined> {
    check_points(atoms.xyz)?;
    check::lengths(&atoms, &restraints, &contacts)?;
    check::indices(atoms.xyz.len(), &restraints, &contacts)?;
    check::numbers(&atoms, &restraints, &contacts)?;
    let map = Solid::finite(map, control)?;
    let mut restrained: Vec<[i32; 2]> = restraints.pairs.iter().map(|&pair| ordered(pair)).collect();
    restrained.sort_unstable();
    let mut energy = Energy {
        map: &map,
        frame,
        weights: atoms.weights,
        start: atoms.xyz,
        hold: atoms.hold,
        restraints: &restraints,
        contact_stiffness: contacts.stiffness,
        close: Vec::new(),
    };
    let mut xyz = atoms.xyz.to_vec();
    let limits = descent::Limits {
        steps: effort.steps,
        tolerance: REST,
        longest: LONGEST,
    };
    for _ in 0..effort.cycles {
        energy.close = close(&xyz, &contacts, &restrained, control)?;
        descent::descend(&mut xyz, &limits, |at, slope| energy.at(at, slope), control)?;
    }
    // Once more, for atoms that came close since, or were so from the start if there is no cycle.
    energy.close = close(&xyz, &contacts, &restrained, control)?;
    let reached = energy.at(&xyz, &mut vec![[0.0; 3]; xyz.len()]);
    if !reached.is_finite() {
        return Err(Error::Parameter {
            name: "energy",
            rule: "finite: positions, weights or stiffness are too large",
            value: reached,
        });
    }
    Ok(Refined { xyz, energy: reached })
}

/// Pairs that may come too close, and the distance that each keeps.
fn close(xyz: &[[f64; 3]], contacts: &Contacts, restrained: &[[i32; 2]], control: &Control) -> Result<Vec<Close>> {
    let places: Vec<[f64; 3]> = contacts.atoms.iter().map(|&atom| xyz[atom as usize]).collect();
    let farthest = contacts.reach.iter().copied().fold(0.0, f64::max);
    let near = neighbour_pairs(&places, 2.0 * farthest + WATCHED, control)?;
    let named = near.pairs.iter().map(|pair| {
        let [i, j] = pair.map(|i| i as usize);
        let least = contacts.reach[i] + contacts.reach[j];
        (ordered([contacts.atoms[i], contacts.atoms[j]]), least)
    });
    Ok(named
        .filter(|(pair, _)| restrained.binary_search(pair).is_err())
        .collect())
}

fn ordered([i, j]: [i32; 2]) -> [i32; 2] {
    [i.min(j), i.max(j)]
}
