//! What atoms gain and pay where they are: density, restrained distances and chirality, contacts.
use super::Restraints;
use super::turn::turn;
use crate::grid::Solid;
use crate::grid::frame::Frame;
use crate::grid::interpolate::value_and_gradient;
use crate::vector::{cross, dot, minus};

/// Å off a restraint's range beyond which its force grows no more, so that one bad start cannot tear a chain.
const LINEAR: f64 = 2.0;
/// Å below which two atoms count as one point.
const TOUCHING: f64 = 1e-9;

/// Two atoms and the distance that they keep.
pub(super) type Close = ([i32; 2], f64);

pub(super) struct Energy<'a> {
    pub(super) map: &'a Solid<'a>,
    pub(super) frame: &'a Frame,
    /// Gain of each atom for each unit of density.
    pub(super) weights: &'a [f64],
    /// Where each atom started, and its energy per Å² from there.
    pub(super) start: &'a [[f64; 3]],
    pub(super) hold: &'a [f64],
    pub(super) restraints: &'a Restraints<'a>,
    /// Energy per Å² closer than atoms may come.
    pub(super) contact_stiffness: f64,
    /// Atoms that may come too close, renewed now and then.
    pub(super) close: Vec<Close>,
}

impl Energy<'_> {
    /// The energy, and its gradient written over `slope`.
    pub(super) fn at(&self, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
        slope.fill([0.0; 3]);
        let mut energy = self.density(xyz, slope) + self.held(xyz, slope);
        let given = self.restraints;
        for (row, &pair) in given.pairs.iter().enumerate() {
            energy += spring(pair, given.range[row], given.stiffness[row], xyz, slope);
        }
        for (row, &atoms) in given.corners.iter().enumerate() {
            energy += corner(atoms, given.volume[row], given.volume_stiffness, xyz, slope);
        }
        for (row, &atoms) in given.turns.iter().enumerate() {
            energy += turn(atoms, given.turn_range[row], given.turn_stiffness, xyz, slope);
        }
        for &(pair, least) in &self.close {
            energy += spring(pair, [least, f64::INFINITY], self.contact_stiffness, xyz, slope);
        }
        energy
    }

    /// Harmonic in the distance from the start, linear far from it.
    fn held(&self, xyz: &[[f64; 3]], slope: &mut [[f64; 3]]) -> f64 {
        let mut energy = 0.0;
        for (atom, &hold) in self.hold.iter().enumerate().filter(|&(_, &hold)| hold > 0.0) {
            let off = minus(xyz[atom], self.start[atom]);
            let length = dot(off, off).sqrt();
            let near = length.min(LINEAR);
            for (slope, off) in slope[atom].iter_mut().zip(off) {
                *slope += 2.0 * hold * near / length.max(TOUCHING) * off;
            }
            energy += hold * near * (2.0 * length - near);
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
    let mut apart = minus(xyz[i], xyz[j]);
    let mut length = dot(apart, apart).sqrt();
    if length < TOUCHING {
        // Atoms on one point part along an axis; not all along the same, or they would end on a line.
        (apart, length) = ([0.0; 3], TOUCHING);
        apart[(i + j) % 3] = TOUCHING;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use ndarray::Array3;

    const STEP: f64 = 1e-6;

    /// Atoms and restraints of every kind: inside, below, above and far off their ranges, both volumes, contacts.
    fn with_energy<T>(look: impl Fn(&Energy) -> T) -> T {
        let map = Array3::from_shape_fn((6, 7, 8), |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 23) as f32 * 0.1);
        let frame = Frame::new([6, 7, 8], [1.1, 0.9, 1.3], [-1.0, 2.0, 0.5]).unwrap();
        let solid = Solid::finite(map.view(), &Control::default()).unwrap();
        let restraints = Restraints {
            pairs: &[[0, 1], [1, 2], [3, 0], [2, 3], [4, 1]],
            range: &[[1.5, 1.5], [2.0, 9.0], [0.5, 1.0], [9.0, f64::INFINITY], [0.1, 0.2]],
            stiffness: &[20.0, 3.0, 1.5, 4.0, 2.0],
            corners: &[[0, 1, 2, 3], [3, 2, 1, 4]],
            volume: &[2.6, -2.6],
            volume_stiffness: 0.2,
            turns: &[[0, 1, 2, 3], [4, 2, 0, 1], [3, 1, 0, 2]],
            turn_range: &[[0.4, 0.2], [-2.0, 0.0], [3.0, 0.1]],
            turn_stiffness: 1.7,
        };
        look(&Energy {
            map: &solid,
            frame: &frame,
            weights: &[1.0, 0.6, -0.4, 2.0, 1.0],
            start: &[
                [1.2, 4.0, 2.0],
                [0.0; 3],
                [3.0, 6.0, 9.0],
                [0.2, 3.3, 5.0],
                [9.7, 9.9, 1.0],
            ],
            hold: &[2.0, 0.0, 1.0, 3.0, 0.5],
            restraints: &restraints,
            contact_stiffness: 2.0,
            close: vec![([0, 2], 4.2), ([1, 3], 3.9)],
        })
    }

    /// The last atom lies outside of the map.
    const ATOMS: [[f64; 3]; 5] = [
        [1.0, 4.1, 2.3],
        [2.3, 4.9, 2.9],
        [3.1, 6.2, 4.4],
        [0.2, 3.3, 5.1],
        [9.7, 9.9, 1.0],
    ];

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        with_energy(|energy| {
            let mut slope = [[f64::NAN; 3]; 5];
            energy.at(&ATOMS, &mut slope);
            for atom in 0..5 {
                for axis in 0..3 {
                    let moved = |by: f64| {
                        let mut xyz = ATOMS;
                        xyz[atom][axis] += by;
                        energy.at(&xyz, &mut [[0.0; 3]; 5])
                    };
                    let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                    let found = slope[atom][axis];
                    assert!(
                        (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                        "atom {atom}, axis {axis}: {found} against {expected}"
                    );
                }
            }
        });
    }

    #[test]
    fn a_spring_is_harmonic_outside_of_its_range_and_linear_far_off() {
        let at = |length: f64| {
            let mut slope = [[0.0; 3]; 2];
            let paid = spring([0, 1], [3.0, 5.0], 2.0, &[[0.0; 3], [0.0, length, 0.0]], &mut slope);
            assert_eq!(slope[0], slope[1].map(|x| -x));
            (paid, slope[1][1])
        };
        assert_eq!(at(3.0), (0.0, 0.0));
        assert_eq!(at(4.9), (0.0, 0.0));
        assert_eq!(at(6.0), (2.0, 4.0));
        assert_eq!(at(2.0), (2.0, -4.0));
        assert_eq!(at(7.0), (8.0, 8.0));
        assert_eq!(at(10.0), (32.0, 8.0));
    }

    #[test]
    fn atoms_on_one_point_part() {
        for pair in [[0, 1], [1, 0], [1, 2]] {
            let mut slope = [[0.0; 3]; 3];
            let paid = spring(pair, [1.5, 1.5], 1.0, &[[7.0; 3]; 3], &mut slope);
            let pushed = slope[pair[0] as usize].map(|x| -x);
            assert!((paid - 2.25).abs() < 1e-8);
            assert!((dot(pushed, pushed).sqrt() - 3.0).abs() < 1e-8);
            assert_eq!(pushed, slope[pair[1] as usize]);
        }
    }
}
