//! The cost of a torsion angle off its range.
use crate::vector::{cross, dot, minus};

/// Radians beyond the range from which the force grows no more.
const LINEAR: f64 = 1.0;
/// Å⁴: three atoms nearly in line have no torsion.
const STRAIGHT: f64 = 1e-3;

/// Harmonic beyond `slack` from the angle `at`, linear far off; IUPAC's sign.
pub(super) fn turn(
    atoms: [i32; 4],
    [at, slack]: [f64; 2],
    stiffness: f64,
    xyz: &[[f64; 3]],
    slope: &mut [[f64; 3]],
) -> f64 {
    let atoms = atoms.map(|atom| atom as usize);
    let [i, j, k, l] = atoms.map(|atom| xyz[atom]);
    let (first, axis, last) = (minus(j, i), minus(k, j), minus(l, k));
    let (m, n) = (cross(first, axis), cross(axis, last));
    let (mm, nn, length) = (dot(m, m), dot(n, n), dot(axis, axis).sqrt());
    if mm < STRAIGHT || nn < STRAIGHT {
        return 0.0;
    }
    let angle = (length * dot(first, n)).atan2(dot(m, n));
    let off = wrapped(angle - at);
    let beyond = off - off.clamp(-slack, slack);
    let held = beyond.clamp(-LINEAR, LINEAR);
    let force = 2.0 * stiffness * held;
    // Blondel & Karplus 1996, J. Comput. Chem. 17, 1132.
    let outer = [-length / mm, length / nn];
    let [before, after] = [first, last].map(|side| dot(side, axis) / (length * length));
    for x in 0..3 {
        let (by_i, by_l) = (outer[0] * m[x], outer[1] * n[x]);
        let by_j = after * by_l - (1.0 + before) * by_i;
        let by_k = before * by_i - (1.0 + after) * by_l;
        for (atom, by) in atoms.into_iter().zip([by_i, by_j, by_k, by_l]) {
            slope[atom][x] += force * by;
        }
    }
    stiffness * held * (2.0 * beyond - held)
}

/// From -π to π.
fn wrapped(angle: f64) -> f64 {
    let turns = (angle / std::f64::consts::TAU).round();
    angle - turns * std::f64::consts::TAU
}
