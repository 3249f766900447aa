//! Sets of rotations: uniform ones that come near every rotation, local ones around one, and random ones.
//!
//! The uniform sets follow C. F. F. Karney, "Quaternions in molecular modeling", J. Mol. Graph. Model. 25, 595 (2007):
//! the rotations of the octahedron cut the space of unit quaternions into 24 equal cells; in each lies the same piece
//! of a body-centred cubic grid, in the coordinates (b, c, d)/a of a quaternion (a, b, c, d).
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// A quaternion (real part first) of unit length.
pub type Quaternion = [f64; 4];
/// Rows of a rotation matrix.
pub type Matrix = [[f64; 3]; 3];

/// Spacing of the grid, its stretch away from the middle of a cell, number of rotations, and covering radius in
/// degrees. The first two were searched for the least radius at this number; the radius is that of the worst place which
/// hill climbing from the worst of 100,000 found, rounded up (most lie where cells meet and their grids do not join).
const SETS: [(f64, f64, usize, f64); 20] = [
    (0.67155, 0.0, 24, 62.8),
    (0.33393, 0.6, 648, 20.9),
    (0.25085, 1.9, 1_992, 16.1),
    (0.18950, 1.6, 4_344, 12.2),
    (0.15215, 1.8, 7_416, 9.8),
    (0.12640, 1.8, 12_648, 8.2),
    (0.11607, 0.0, 19_560, 7.45),
    (0.10279, 0.5, 27_672, 6.6),
    (0.08897, 1.0, 39_384, 5.7),
    (0.08249, 0.0, 53_256, 5.3),
    (0.07357, 0.1, 70_728, 4.71),
    (0.06841, 0.4, 89_592, 4.4),
    (0.05840, 0.0, 141_096, 3.75),
    (0.05519, 0.0, 170_664, 3.55),
    (0.05059, 0.7, 207_576, 3.25),
    (0.04510, 0.5, 294_024, 2.9),
    (0.04310, 0.5, 342_024, 2.8),
    (0.03903, 0.0, 460_344, 2.5),
    (0.03426, 0.4, 679_896, 2.2),
    (0.02939, 0.0, 1_073_016, 1.9),
];
/// Of a set finer than all of these: covering radius in degrees over the spacing. Within a cell it is 64; at its corners,
/// where grids do not join, up to 89.8 was found (the table's spacings are such that they nearly do).
const FINEST: f64 = 92.0;
/// Half of a cell's width: tan(45°/2).
const CELL: f64 = std::f64::consts::SQRT_2 - 1.0;
/// Below this step (degrees) there would be hundreds of millions.
const LEAST_STEP: f64 = 0.5;

/// A set of rotations such that every rotation is at most `step` degrees away from one of them, and its covering radius.
pub fn uniform_rotations(step: f64) -> Result<(Vec<Quaternion>, f64)> {
    if !(step >= LEAST_STEP && step.is_finite()) {
        return Err(Error::Parameter {
            name: "the angular step",
            rule: "at least 0.5 degrees",
            value: step,
        });
    }
    let (spacing, stretch, radius) = SETS
        .iter()
        .find(|set| set.3 <= step)
        .map_or((step / FINEST, 0.0, step), |&(spacing, stretch, _, radius)| {
            (spacing, stretch, radius)
        });
    let cell = cell(spacing, stretch);
    let turns = octahedral();
    Ok((
        turns
            .iter()
            .flat_map(|turn| cell.iter().map(|q| product(turn, q)))
            .collect(),
        radius,
    ))
}

/// Points of the body-centred cubic grid that lie in the cell around the identity.
fn cell(spacing: f64, stretch: f64) -> Vec<Quaternion> {
    let place = |i: i64| {
        let at = i as f64 * spacing / 2.0;
        if stretch == 0.0 {
            at
        } else {
            (stretch * at).sinh() / stretch
        }
    };
    let most = (2.0 * CELL / spacing).ceil() as i64 + 1;
    let steps: Vec<(i64, f64)> = (-most..=most)
        .map(|i| (i, place(i)))
        .filter(|(_, at)| at.abs() <= CELL)
        .collect();
    let mut found = Vec::new();
    for &(i, b) in &steps {
        for &(_, c) in steps.iter().filter(|(j, _)| (j - i) % 2 == 0) {
            for &(_, d) in steps.iter().filter(|(k, _)| (k - i) % 2 == 0) {
                if b.abs() + c.abs() + d.abs() <= 1.0 {
                    let length = (1.0 + b * b + c * c + d * d).sqrt();
                    found.push([1.0 / length, b / length, c / length, d / length]);
                }
            }
        }
    }
    found
}

/// The 24 rotations of the octahedron.
fn octahedral() -> Vec<Quaternion> {
    let mut found: Vec<Quaternion> = Vec::new();
    let half = std::f64::consts::FRAC_1_SQRT_2;
    for axis in 0..4 {
        found.push(std::array::from_fn(|i| f64::from(i == axis)));
    }
    for signs in 0..8 {
        let sign = |bit: usize| if signs >> bit & 1 == 0 { 0.5 } else { -0.5 };
        found.push([0.5, sign(0), sign(1), sign(2)]);
    }
    for a in 0..4 {
        for b in a + 1..4 {
            for sign in [1.0, -1.0] {
                found.push(std::array::from_fn(|i| match i {
                    _ if i == a => half,
                    _ if i == b => sign * half,
                    _ => 0.0,
                }));
            }
        }
    }
    found
}

/// Rotations up to `radius` degrees around the identity, at most `step` degrees from any there; the identity is first.
///
/// A body-centred cubic grid of rotation vectors: its covering radius is √5/4 of the spacing, and vectors are never
/// nearer to each other than the rotations that they stand for. Points up to a step beyond the ball are drawn to its rim,
/// which brings them nearer to all within.
pub fn local_rotations(radius: f64, step: f64) -> Result<Vec<Quaternion>> {
    if !(0.0..=180.0).contains(&radius) {
        return Err(Error::Parameter {
            name: "the radius",
            rule: "between 0 and 180 degrees",
            value: radius,
        });
    }
    if !(step > 0.0 && step >= radius / 60.0) {
        return Err(Error::Parameter {
            name: "the angular step",
            rule: "positive, and at least a sixtieth of the radius",
            value: step,
        });
    }
    if radius <= step {
        return Ok(vec![[1.0, 0.0, 0.0, 0.0]]);
    }
    let spacing = step.to_radians() * 4.0 / 5.0_f64.sqrt();
    let rim = radius.to_radians();
    let reach = rim + step.to_radians();
    let most = (2.0 * reach / spacing).floor() as i64;
    let mut vectors = Vec::new();
    for i in -most..=most {
        for j in (-most..=most).filter(|j| (j - i) % 2 == 0) {
            for k in (-most..=most).filter(|k| (k - i) % 2 == 0) {
                let vector = [i, j, k].map(|n| n as f64 * spacing / 2.0);
                let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
                if length <= reach {
                    vectors.push(vector.map(|x| x * (rim / length.max(rim))));
                }
            }
        }
    }
    let length = |v: &[f64; 3]| v.iter().map(|x| x * x).sum::<f64>();
    vectors.sort_by(|a, b| length(a).total_cmp(&length(b)));
    Ok(vectors.iter().map(exponential).collect())
}

/// Uniformly distributed random rotations; the same seed gives the same.
pub fn random_rotations(count: usize, seed: u64) -> Vec<Quaternion> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let q: Quaternion = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        let square: f64 = q.iter().map(|x| x * x).sum();
        if square <= 1.0 && square > 1e-6 {
            found.push(q.map(|x| x / square.sqrt()));
        }
    }
    found
}

/// The rotation about a vector by its length in radians.
pub fn exponential(vector: &[f64; 3]) -> Quaternion {
    let angle = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if angle < 1e-12 {
        0.5
    } else {
        (angle / 2.0).sin() / angle
    };
    [
        (angle / 2.0).cos(),
        vector[0] * scale,
        vector[1] * scale,
        vector[2] * scale,
    ]
}

/// First `b`, then `a`.
pub fn product(a: &Quaternion, b: &Quaternion) -> Quaternion {
    [
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ]
}

/// The matrix of a rotation.
pub fn matrix([a, b, c, d]: &Quaternion) -> Matrix {
    [
        [
            1.0 - 2.0 * (c * c + d * d),
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            1.0 - 2.0 * (b * b + d * d),
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            1.0 - 2.0 * (b * b + c * c),
        ],
    ]
}

/// Entries of a matrix times its transpose may be this far from those of the identity, for matrices read from text.
const ROUNDED: f64 = 1e-3;

/// Refuse what is no proper rotation: values that are not finite, other lengths or angles, a mirror.
pub fn check_matrices<'a>(matrices: impl IntoIterator<Item = &'a Matrix>) -> Result<()> {
    let proper = |m: &Matrix| {
        let product = |i: usize, j: usize| (0..3).map(|k| m[i][k] * m[j][k]).sum::<f64>();
        let near = |i: usize, j: usize| (product(i, j) - f64::from(i == j)).abs() <= ROUNDED;
        let [a, b, c] = m;
        let volume = a[0] * (b[1] * c[2] - b[2] * c[1])
            + a[1] * (b[2] * c[0] - b[0] * c[2])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        (0..3).all(|i| (i..3).all(|j| near(i, j))) && volume > 0.0
    };
    match matrices.into_iter().position(|matrix| !proper(matrix)) {
        Some(row) => Err(Error::Row {
            what: "a matrix is no proper rotation",
            row,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn angle(a: &Quaternion, b: &Quaternion) -> f64 {
        let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        2.0 * dot.abs().min(1.0).acos().to_degrees()
    }

    fn nearest(sets: &[Quaternion], q: &Quaternion) -> f64 {
        sets.iter().map(|other| angle(q, other)).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn every_set_has_its_number_of_different_rotations_and_covers_its_radius() {
        for &(_, _, count, radius) in SETS.iter().filter(|set| set.2 < 20_000) {
            let (found, said) = uniform_rotations(radius).unwrap();
            assert_eq!((found.len(), said), (count, radius));
            let worst = random_rotations(300, 1)
                .iter()
                .map(|q| nearest(&found, q))
                .fold(0.0, f64::max);
            assert!(worst <= radius, "{worst} {radius}");
            for (i, q) in found.iter().enumerate().take(40) {
                let rest: Vec<Quaternion> = found
                    .iter()
                    .enumerate()
                    .filter(|(j, _)| *j != i)
                    .map(|(_, q)| *q)
                    .collect();
                assert!(nearest(&rest, q) > 1e-3);
            }
        }
    }

    #[test]
    fn a_finer_step_than_the_table_has_is_kept_too() {
        let (found, radius) = uniform_rotations(1.8).unwrap();
        assert!(found.len() > 1_073_016 && radius == 1.8);
        // Around a corner of a cell, where it is worst.
        let corner = [CELL, 1.0 - 2.0 * CELL, CELL];
        let worst = random_rotations(40, 2)
            .iter()
            .map(|q| {
                let near = product(
                    &[1.0, corner[0], corner[1], corner[2]],
                    &exponential(&[q[1], q[2], q[3]].map(|x| 0.02 * x)),
                );
                nearest(
                    &found,
                    &near.map(|x| x / near.iter().map(|x| x * x).sum::<f64>().sqrt()),
                )
            })
            .fold(0.0, f64::max);
        assert!(worst <= radius, "{worst}");
        assert!(uniform_rotations(0.1).is_err() && uniform_rotations(f64::NAN).is_err());
    }

    #[test]
    fn local_sets_cover_their_ball() {
        let found = local_rotations(12.0, 3.0).unwrap();
        assert_eq!(found[0], [1.0, 0.0, 0.0, 0.0]);
        assert!(found.iter().all(|q| angle(q, &found[0]) <= 12.0 + 1e-6));
        for q in random_rotations(40, 3) {
            let length = (1.0 - q[0] * q[0]).sqrt();
            for degrees in [5.0_f64, 12.0] {
                let vector = [q[1], q[2], q[3]].map(|x| x / length * degrees.to_radians());
                assert!(nearest(&found, &exponential(&vector)) <= 3.0);
            }
        }
        assert_eq!(local_rotations(0.0, 1.0).unwrap().len(), 1);
        assert_eq!(local_rotations(3.0, 3.0).unwrap().len(), 1);
        assert!(local_rotations(10.0, 0.0).is_err() && local_rotations(f64::NAN, 1.0).is_err());
    }

    #[test]
    fn only_proper_rotations_pass() {
        let good: Vec<Matrix> = random_rotations(9, 1).iter().map(matrix).collect();
        assert!(check_matrices(&good).is_ok());
        for bad in [
            good[1].map(|row| row.map(|x| -x)),
            good[1].map(|row| row.map(|x| 1.01 * x)),
            [good[1][0], good[1][0], good[1][2]],
            [[f64::NAN, 0.0, 0.0], good[1][1], good[1][2]],
        ] {
            assert!(matches!(
                check_matrices([&good[0], &bad]),
                Err(Error::Row { row: 1, .. })
            ));
        }
    }

    #[test]
    fn matrices_and_products_agree() {
        let [a, b] = [random_rotations(2, 5)[0], random_rotations(2, 5)[1]];
        let (ma, mb, mab) = (matrix(&a), matrix(&b), matrix(&product(&a, &b)));
        for i in 0..3 {
            for j in 0..3 {
                let sum: f64 = (0..3).map(|k| ma[i][k] * mb[k][j]).sum();
                assert!((sum - mab[i][j]).abs() < 1e-12);
            }
        }
    }
}
