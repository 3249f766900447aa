//! How like a Gaussian the density falls off around each atom, where no other atom is nearer.
use ndarray::{Array2, ArrayView3};
use rayon::prelude::*;

use super::spiral::spiral;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::graph::{Cells, check_points};
use crate::grid::Solid;
use crate::grid::frame::Frame;
use crate::grid::interpolate::trilinear;

/// Distance between shells in Å, and their number beside the atom's own place: the last is at 2 Å.
const STEP: f64 = 0.1;
const SHELLS: usize = 20;
/// Clear places that a shell should have; the atom's own place counts as many.
const PLACES: usize = 8;
/// A shell that has too few among 8 directions is tried with 10, 12, … until this many tries were made.
const TRIES: usize = 50;
/// A place is clear if no atom lies within this part of the shell's radius; the shell's own atom never does.
const CLEAR: f64 = 0.9;
/// Atoms farther than this from an atom hide none of its places.
const REACH: f64 = (1.0 + CLEAR) * STEP * SHELLS as f64;
/// Density whose relative spread is below this is flat: what differs is rounding.
const FLAT: f64 = 1e-12;
const BLOCK: usize = 32;

/// For each atom and sigma, the correlation of the density around the atom with `exp(-r² / 2 sigma²)`.
///
/// Density is read at the atom and on shells around it, at places that are clear of all other atoms. Atoms that lie at
/// one place do not hide each other. Beyond the map density is zero. The correlation is 0 where there is none: in
/// flat density, or if all shells are hidden. Time is linear in atoms; sigmas cost next to nothing.
pub fn radial_correlation(
    map: ArrayView3<f32>,
    frame: &Frame,
    points: &[[f64; 3]],
    sigmas: &[f64],
    control: &Control,
) -> Result<Array2<f64>> {
    check_points(points)?;
    if let Some(&value) = sigmas.iter().find(|sigma| !(sigma.is_finite() && **sigma > 0.0)) {
        let (name, rule) = ("sigma", "positive and finite");
        return Err(Error::Parameter { name, rule, value });
    }
    let map = Solid::finite(map, control)?;
    let around = Around::new(&map, frame, points);
    let mut out = Array2::zeros((points.len(), sigmas.len()));
    if sigmas.is_empty() {
        return Ok(out);
    }
    control.expect(points.len().div_ceil(BLOCK) as u64);
    let rows = out.as_slice_mut().unwrap_or_default();
    rows.par_chunks_mut(BLOCK * sigmas.len())
        .enumerate()
        .try_for_each_init(Profile::default, |profile, (block, rows)| {
            control.step()?;
            for (offset, row) in rows.chunks_mut(sigmas.len()).enumerate() {
                control.check()?;
                around.read(block * BLOCK + offset, profile);
                profile.correlate(sigmas, row);
            }
            Ok(())
        })?;
    Ok(out)
}

/// The map, and the atoms sorted so that those near one are found at once.
struct Around<'a> {
    map: &'a Solid<'a>,
    frame: &'a Frame,
    points: &'a [[f64; 3]],
    cells: Cells,
    surroundings: Vec<[(u32, u32); 9]>,
    in_cells: Vec<[f64; 3]>,
    directions: Vec<Vec<[f64; 3]>>,
}

/// Another atom as seen from the one in question.
#[derive(Clone, Copy)]
struct Other {
    offset: [f64; 3],
    squared: f64,
}

/// The directions that another atom hides on a shell.
struct Cap {
    axis: [f64; 3],
    least: f64,
}

/// Density at the places around one atom; kept between atoms so that nothing is allocated for each.
#[derive(Default)]
struct Profile {
    others: Vec<Other>,
    caps: Vec<Cap>,
    clear: Vec<[f64; 3]>,
    density: Vec<f64>,
    counts: [usize; SHELLS + 1],
}

impl<'a> Around<'a> {
    fn new(map: &'a Solid<'a>, frame: &'a Frame, points: &'a [[f64; 3]]) -> Self {
        let cells = Cells::new(points, REACH);
        Self {
            map,
            frame,
            points,
            surroundings: cells.surroundings(),
            in_cells: cells.order.iter().map(|&i| points[i as usize]).collect(),
            cells,
            directions: (0..TRIES).map(|k| spiral(PLACES + 2 * k)).collect(),
        }
    }

    /// Read the density at one atom and around it.
    fn read(&self, atom: usize, profile: &mut Profile) {
        let centre = self.points[atom];
        self.look_around(atom, &mut profile.others);
        profile.density.clear();
        profile.density.resize(PLACES, self.density(centre));
        profile.counts = [0; SHELLS + 1];
        profile.counts[0] = PLACES;
        for shell in 1..=SHELLS {
            let radius = STEP * shell as f64;
            if !self.clear_directions(radius, profile) {
                continue;
            }
            profile.counts[shell] = profile.clear.len();
            for direction in &profile.clear {
                let place = std::array::from_fn(|a| centre[a] + radius * direction[a]);
                profile.density.push(self.density(place));
            }
        }
    }

    fn density(&self, place: [f64; 3]) -> f64 {
        trilinear(self.map, self.frame, place).unwrap_or(0.0)
    }

    /// Atoms that could hide a place of this one, the nearest first.
    fn look_around(&self, atom: usize, others: &mut Vec<Other>) {
        let centre = self.points[atom];
        others.clear();
        for &(first, last) in &self.surroundings[self.cells.cell_of(atom)] {
            let places = self.cells.starts[first as usize] as usize..self.cells.starts[last as usize] as usize;
            for other in &self.in_cells[places] {
                let offset: [f64; 3] = std::array::from_fn(|a| other[a] - centre[a]);
                let squared = offset.iter().map(|c| c * c).sum::<f64>();
                if squared > 0.0 && squared < REACH * REACH {
                    others.push(Other { offset, squared });
                }
            }
        }
        others.sort_unstable_by(|a, b| a.squared.total_cmp(&b.squared));
    }

    /// Fill `clear` with the directions in which the shell is clear; false if no try gives enough of them.
    fn clear_directions(&self, radius: f64, profile: &mut Profile) -> bool {
        let Profile {
            others, caps, clear, ..
        } = profile;
        caps.clear();
        let reached = others
            .iter()
            .take_while(|other| other.squared < ((1.0 + CLEAR) * radius).powi(2));
        caps.extend(reached.map(|other| Cap::new(radius, other)));
        for directions in &self.directions {
            clear.clear();
            clear.extend(directions.iter().filter(|&u| !caps.iter().any(|cap| cap.hides(u))));
            if clear.len() >= PLACES {
                return true;
            }
        }
        false
    }
}

impl Cap {
    /// With `u` a direction, `o` the offset of the other atom and `d` its length, `|radius u - o| < CLEAR radius` is
    /// `u · o > ((1 - CLEAR²) radius² + d²) / 2 radius`.
    fn new(radius: f64, other: &Other) -> Self {
        Self {
            axis: other.offset,
            least: ((1.0 - CLEAR * CLEAR) * radius * radius + other.squared) / (2.0 * radius),
        }
    }

    fn hides(&self, u: &[f64; 3]) -> bool {
        u[0] * self.axis[0] + u[1] * self.axis[1] + u[2] * self.axis[2] > self.least
    }
}

impl Profile {
    /// Pearson's correlation of the density with each Gaussian, which is one number a shell.
    fn correlate(&self, sigmas: &[f64], out: &mut [f64]) {
        let n = self.density.len() as f64;
        let mean = self.density.iter().sum::<f64>() / n;
        let (mut squares, mut largest) = (0.0, 0_f64);
        let mut sums = [0.0; SHELLS + 1];
        let mut values = self.density.iter();
        for (sum, &count) in sums.iter_mut().zip(&self.counts) {
            for &value in values.by_ref().take(count) {
                *sum += value - mean;
                squares += (value - mean).powi(2);
                largest = largest.max(value.abs());
            }
        }
        let flat = squares <= n * (FLAT * largest).powi(2);
        for (out, sigma) in out.iter_mut().zip(sigmas) {
            let heights: [f64; SHELLS + 1] =
                std::array::from_fn(|shell| (-0.5 * (STEP * shell as f64 / sigma).powi(2)).exp());
            let weighted = |of: &dyn Fn(usize) -> f64| -> f64 { (0..=SHELLS).map(of).sum() };
            let middle = weighted(&|k| self.counts[k] as f64 * heights[k]) / n;
            let spread = weighted(&|k| self.counts[k] as f64 * (heights[k] - middle).powi(2));
            let both = weighted(&|k| sums[k] * (heights[k] - middle));
            let undefined = flat || spread <= n * FLAT * FLAT;
            *out = if undefined {
                0.0
            } else {
                (both / (spread * squares).sqrt()).clamp(-1.0, 1.0)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn frame() -> Frame {
        Frame::new([24, 25, 26], [0.5, 0.5, 0.5], [-6.0, -6.0, -6.0]).unwrap()
    }

    /// A Gaussian of width 0.6 Å around the origin, on top of `offset`.
    fn bump(offset: f32) -> Array3<f32> {
        Array3::from_shape_fn((24, 25, 26), |(z, y, x)| {
            let xyz = frame().to_xyz([z as f64, y as f64, x as f64]);
            offset + (-xyz.iter().map(|c| c * c).sum::<f64>() / 0.72).exp() as f32
        })
    }

    fn at(map: &Array3<f32>, points: &[[f64; 3]], sigmas: &[f64]) -> Result<Array2<f64>> {
        radial_correlation(map.view(), &frame(), points, sigmas, &Control::default())
    }

    #[test]
    fn a_gaussian_is_like_itself_whatever_its_offset_and_less_like_a_narrower_one() {
        for offset in [0.0, -3.0, 100.0] {
            let found = at(&bump(offset), &[[0.0; 3]], &[0.6, 0.3]).unwrap();
            assert!(found[[0, 0]] > 0.98, "{found}");
            assert!(found[[0, 1]] < found[[0, 0]] - 0.02, "{found}");
        }
        let hole = bump(0.0).mapv(|value| -value);
        assert!(at(&hole, &[[0.0; 3]], &[0.6]).unwrap()[[0, 0]] < -0.98);
    }

    #[test]
    fn there_is_no_correlation_with_what_is_flat() {
        let flat = Array3::from_elem((24, 25, 26), 0.1);
        for (map, place) in [(&flat, [0.0; 3]), (&bump(0.0), [1e300, 0.0, 0.0])] {
            assert_eq!(
                at(map, &[place], &[0.6, 1e200, 1e-200])
                    .unwrap()
                    .into_raw_vec_and_offset()
                    .0,
                [0.0; 3]
            );
        }
    }

    #[test]
    fn atoms_at_one_place_do_not_hide_each_other_but_a_cage_does() {
        let map = bump(0.0);
        let alone = at(&map, &[[0.0; 3]], &[0.6]).unwrap()[[0, 0]];
        let twice = at(&map, &[[0.0; 3], [0.0; 3]], &[0.6]).unwrap();
        assert_eq!((twice[[0, 0]], twice[[1, 0]]), (alone, alone));
        let mut cage: Vec<[f64; 3]> = spiral(100).into_iter().map(|u| u.map(|c| 0.12 * c)).collect();
        cage.insert(0, [0.0; 3]);
        for radius in [0.5, 1.0, 2.0] {
            cage.extend(spiral(100).into_iter().map(|u| u.map(|c| radius * c)));
        }
        assert_eq!(at(&map, &cage, &[0.6]).unwrap()[[0, 0]], 0.0);
    }

    #[test]
    fn what_cannot_be_is_refused_and_nothing_gives_nothing() {
        let map = bump(0.0);
        assert_eq!(
            at(&map, &[[0.0; 3], [f64::NAN; 3]], &[0.6]),
            Err(Error::PointNotFinite(1))
        );
        for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(at(&map, &[[0.0; 3]], &[sigma]).is_err());
        }
        assert_eq!(at(&map, &[], &[0.6]).unwrap().dim(), (0, 1));
        assert_eq!(at(&map, &[[0.0; 3]], &[]).unwrap().dim(), (1, 0));
        let mut holed = bump(0.0);
        holed[[1, 2, 3]] = f32::NAN;
        assert_eq!(at(&holed, &[], &[0.6]), Err(Error::NotFinite([1, 2, 3])));
        let cancelled = Control::default();
        cancelled.cancel();
        let stopped = radial_correlation(map.view(), &frame(), &[[0.0; 3]], &[0.6], &cancelled);
        assert_eq!(stopped, Err(Error::Cancelled));
    }
}
