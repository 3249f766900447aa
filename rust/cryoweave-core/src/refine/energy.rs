//! What atoms gain and pay where they are: density, restrained distances and chirality, contacts.
use super::{Contacts, Restraints};
use crate::grid::Solid;
use crate::grid::frame::Frame;
use crate::grid::interpolate::value_and_gradient;

/// Å off a restraint's range beyond which its force grows no more, so that one bad start cannot tear a chain.
const LINEAR: f64 = 2.0;

pub(super) struct Energy<'a> {
    pub(super) map: &'a Solid<'a>,
    pub(super) frame: &'a Frame,
    /// Gain of each atom for each unit of density.
    pub(super) weights: &'a [f64],
    pub(super) restraints: &'a Restraints<'a>,
    pub(super) contacts: Contacts<'a>,
    /// Atoms that may come too close, renewed now and then.
    pub(super) close: Vec<[i32; 2]>,
}

impl Energy<'_> {
    /// The energy, and its gradient written over `slope`.
    pub(super) fn at(&self, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
        slope.fill([0.0; 3]);
        let mut energy = self.density(xyz, slope);
        let given = self.restraints;
        for (row, &pair) in given.pairs.iter().enumerate() {
            energy += spring(pair, given.range[row], given.stiffness[row], xyz, slope);
        }
        for (row, &atoms) in given.corners.iter().enumerate() {
            energy += corner(atoms, given.volume[row], given.volume_stiffness, xyz, slope);
        }
        let apart = [self.contacts.distance, f64::INFINITY];
        for &pair in &self.close {
            energy += spring(pair, apart, self.contacts.stiffness, xyz, slope);
        }
        energy
    }

    fn density(&self, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
        let mut energy = 0.0;
        for ((&at, slope), &weight) in xyz.iter().zip(slope).zip(self.weights) {
            if let Some((value, by_axis)) = value_and_gradient(self.map, self.frame, at) {
                energy -= weight * value;
                for (slope, by) in slope.iter_mut().zip(by_axis) {
                    *slope -= weight * by;
                }
            }
        }
        energy
    }
}

/// Harmonic outside of a range, linear far from it.
fn spring([i, j]: [i32; 2], [lower, upper]: [f64; 2], stiffness: f64, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
    let (i, j) = (i as usize, j as usize);
    let apart = minus(xyz[i], xyz[j]);
    let length = dot(apart, apart).sqrt().max(1e-9);
    let off = length - length.clamp(lower, upper);
    if off == 0.0 {
        return 0.0;
    }
    let held = off.clamp(-LINEAR, LINEAR);
    let force = 2.0 * stiffness * held / length;
    for axis in 0..3 {
        slope[i][axis] += force * apart[axis];
        slope[j][axis] -= force * apart[axis];
    }
    stiffness * held * (2.0 * off - held)
}

/// Harmonic in the signed volume that three atoms span with a fourth, the first.
fn corner(atoms: [i32; 4], ideal: f64, stiffness: f64, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
    let [at, i, j, k] = atoms.map(|atom| atom as usize);
    let [a, b, c] = [i, j, k].map(|other| minus(xyz[other], xyz[at]));
    let by_a = cross(b, c);
    let off = dot(a, by_a) - ideal;
    let force = 2.0 * stiffness * off;
    for (atom, by) in [(i, by_a), (j, cross(c, a)), (k, cross(a, b))] {
        for axis in 0..3 {
            slope[atom][axis] += force * by[axis];
            slope[at][axis] -= force * by[axis];
        }
    }
    stiffness * off * off
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}
