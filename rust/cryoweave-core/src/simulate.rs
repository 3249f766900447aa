//! Density of atoms on a grid: every atom a sum of Gaussians, which separate into one table for each axis.
use std::f64::consts::PI;

use ndarray::Array3;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::grid::frame::Frame;
use crate::grid::mask::span;
use crate::grid::{check_points, shaped, zeroed};

/// Gaussians reach this many of their (widest) standard deviations along each axis.
const TRUNCATE: f64 = 4.0;
/// Slabs that share an atom's tables.
const SLABS: usize = 8;
/// Gaussians in the parametrisation of electron scattering factors.
pub const TERMS: usize = 5;

/// `Σ amplitude · exp(-exponent · r²)` around a place.
struct Atom<const N: usize> {
    zyx: [f64; 3],
    reach: f64,
    amplitude: [f64; N],
    exponent: [f64; N],
}

/// Each point as `weight` times a normalised Gaussian of width `sigma` Å, cut off at a cube of half side 4 sigma.
pub fn simulate_blurred(
    frame: &Frame,
    points: &[[f64; 3]],
    weight: &[f64],
    sigma: &[f64],
    control: &Control,
) -> Result<Array3<f32>> {
    check_points(points)?;
    same_length("points and weights differ in number", points.len(), weight.len())?;
    same_length("points and sigmas differ in number", points.len(), sigma.len())?;
    check_all("weight", "finite", weight, |value| value.is_finite())?;
    check_all("sigma", "positive and finite", sigma, |value| {
        value.is_finite() && value > 0.0
    })?;
    let atoms = points
        .iter()
        .zip(weight)
        .zip(sigma)
        .map(|((&point, weight), sigma)| Atom {
            zyx: frame.to_zyx(point),
            reach: TRUNCATE * sigma,
            amplitude: [weight / ((2.0 * PI).powf(1.5) * sigma.powi(3))],
            exponent: [0.5 / (sigma * sigma)],
        });
    paint(frame, atoms.collect(), control)
}

/// Electron scattering: row `element[i]` of the tables gives the five Gaussians `a exp(-b s²)` of atom `i`.
pub struct Scattering<'a> {
    /// Row of the tables for each atom.
    pub element: &'a [i64],
    /// Amplitudes of each element's Gaussians.
    pub a: &'a [[f64; TERMS]],
    /// Widths of each element's Gaussians in Å².
    pub b: &'a [[f64; TERMS]],
    /// Isotropic displacement of each atom in Å².
    pub b_factor: &'a [f64],
    /// Added to every atom's displacement in Å²: the blur that stands for the resolution.
    pub b_resolution: f64,
    /// Occupancy of each atom.
    pub occupancy: &'a [f64],
}

/// Potential of atoms by their electron scattering factors, cut off at a cube of half side 4 sigma of the widest term.
///
/// A Gaussian `a exp(-b s²)` with displacement `B` is `a (4π/(b+B))^{3/2} exp(-4π² r²/(b+B))` in space.
pub fn simulate_electron(
    frame: &Frame,
    points: &[[f64; 3]],
    scattering: &Scattering,
    control: &Control,
) -> Result<Array3<f32>> {
    check_points(points)?;
    same_length(
        "points and elements differ in number",
        points.len(),
        scattering.element.len(),
    )?;
    same_length(
        "points and B factors differ in number",
        points.len(),
        scattering.b_factor.len(),
    )?;
    same_length(
        "points and occupancies differ in number",
        points.len(),
        scattering.occupancy.len(),
    )?;
    same_length(
        "tables a and b differ in number of elements",
        scattering.a.len(),
        scattering.b.len(),
    )?;
    check_all("occupancy", "finite", scattering.occupancy, |value| value.is_finite())?;
    check_all("coefficients_a", "finite", scattering.a.as_flattened(), |value| {
        value.is_finite()
    })?;
    let atoms: Vec<Atom<TERMS>> = points
        .iter()
        .enumerate()
        .map(|(at, &point)| scattering.atom(at, frame.to_zyx(point)))
        .collect::<Result<_>>()?;
    paint(frame, atoms, control)
}

impl Scattering<'_> {
    fn atom(&self, at: usize, zyx: [f64; 3]) -> Result<Atom<TERMS>> {
        let element = self.element[at];
        let row = usize::try_from(element).ok().filter(|&row| row < self.a.len());
        let Some(row) = row else {
            return Err(Error::Parameter {
                name: "element",
                rule: "a row of the tables",
                value: element as f64,
            });
        };
        let width = self.b[row].map(|b| b + self.b_factor[at] + self.b_resolution);
        check_all("b + B + B(resolution)", "positive and finite", &width, |value| {
            value.is_finite() && value > 0.0
        })?;
        let widest = width.iter().copied().fold(0.0, f64::max);
        Ok(Atom {
            zyx,
            reach: TRUNCATE * (widest / (8.0 * PI * PI)).sqrt(),
            amplitude: std::array::from_fn(|i| self.occupancy[at] * self.a[row][i] * (4.0 * PI / width[i]).powf(1.5)),
            exponent: width.map(|width| 4.0 * PI * PI / width),
        })
    }
}

/// Add all atoms up. Blocks of slabs are independent and take their atoms in one order, whatever the threads.
fn paint<const N: usize>(frame: &Frame, mut atoms: Vec<Atom<N>>, control: &Control) -> Result<Array3<f32>> {
    let mut out = zeroed::<f32>(frame.shape_zyx)?;
    let [_, ny, nx] = frame.shape_zyx;
    if out.is_empty() {
        return shaped(frame.shape_zyx, out);
    }
    atoms.sort_by(|a, b| a.zyx[0].total_cmp(&b.zyx[0]));
    let farthest = atoms.iter().map(|atom| atom.reach).fold(0.0, f64::max) / frame.voxel_xyz[2] + 1.0;
    control.expect(frame.shape_zyx[0].div_ceil(SLABS) as u64);
    out.par_chunks_mut(ny * nx * SLABS).enumerate().try_for_each_init(
        Tables::<N>::default,
        |tables, (at, block)| {
            control.step()?;
            let first = at * SLABS;
            let slabs = block.len() / (ny * nx);
            let from = atoms.partition_point(|atom| atom.zyx[0] < first as f64 - farthest);
            let near = |atom: &&Atom<N>| atom.zyx[0] <= (first + slabs) as f64 + farthest;
            for atom in atoms.iter().skip(from).take_while(near) {
                control.check()?;
                add(block, frame, atom, first, tables);
            }
            Ok(())
        },
    )?;
    shaped(frame.shape_zyx, out)
}

/// Heights of each Gaussian along each axis; kept between atoms so that nothing is allocated for each.
struct Tables<const N: usize> {
    z: [Vec<f64>; N],
    y: [Vec<f64>; N],
    x: [Vec<f32>; N],
}

impl<const N: usize> Default for Tables<N> {
    fn default() -> Self {
        let empty = || std::array::from_fn(|_| Vec::new());
        Self {
            z: empty(),
            y: empty(),
            x: std::array::from_fn(|_| Vec::new()),
        }
    }
}

/// Add one atom to the slabs from `first` on.
fn add<const N: usize>(block: &mut [f32], frame: &Frame, atom: &Atom<N>, first: usize, tables: &mut Tables<N>) {
    let [_, ny, nx] = frame.shape_zyx;
    let sides = frame.voxel_zyx();
    let slabs = block.len() / (ny * nx);
    let along_z = span(atom.zyx[0] - first as f64, atom.reach / sides[0], slabs);
    let along_y = span(atom.zyx[1], atom.reach / sides[1], ny);
    let along_x = span(atom.zyx[2], atom.reach / sides[2], nx);
    if along_z.is_empty() || along_y.is_empty() || along_x.is_empty() {
        return;
    }
    for i in 0..N {
        let height =
            |axis: usize, at: usize| (-atom.exponent[i] * ((at as f64 - atom.zyx[axis]) * sides[axis]).powi(2)).exp();
        refill(
            &mut tables.z[i],
            along_z.clone().map(|z| atom.amplitude[i] * height(0, first + z)),
        );
        refill(&mut tables.y[i], along_y.clone().map(|y| height(1, y)));
        refill(&mut tables.x[i], along_x.clone().map(|x| height(2, x) as f32));
    }
    for (k, z) in along_z.enumerate() {
        for (j, y) in along_y.clone().enumerate() {
            let row = &mut block[(z * ny + y) * nx..][along_x.clone()];
            for i in 0..N {
                let scale = (tables.z[i][k] * tables.y[i][j]) as f32;
                for (value, height) in row.iter_mut().zip(&tables.x[i]) {
                    *value += scale * height;
                }
            }
        }
    }
}

fn refill<T>(table: &mut Vec<T>, heights: impl Iterator<Item = T>) {
    table.clear();
    table.extend(heights);
}

fn check_all(name: &'static str, rule: &'static str, values: &[f64], good: impl Fn(f64) -> bool) -> Result<()> {
    match values.iter().find(|&&value| !good(value)) {
        Some(&value) => Err(Error::Parameter { name, rule, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::new([20, 21, 22], [1.0, 0.9, 1.1], [-5.0, 0.0, 5.0]).unwrap()
    }

    #[test]
    fn the_density_integrates_to_the_weight() {
        let centre = frame().to_xyz([9.7, 10.2, 11.1]);
        let map = simulate_blurred(&frame(), &[centre], &[6.0], &[1.5], &Control::default()).unwrap();
        let total: f64 = map.iter().map(|&value| f64::from(value)).sum::<f64>() * (1.0 * 0.9 * 1.1);
        assert!((total - 6.0).abs() < 0.01, "{total}");
    }

    #[test]
    fn no_atoms_and_no_voxels_give_zeros() {
        let none = simulate_blurred(&frame(), &[], &[], &[], &Control::default()).unwrap();
        assert!(none.iter().all(|&value| value == 0.0));
        let empty = Frame::new([3, 0, 3], [1.0; 3], [0.0; 3]).unwrap();
        let map = simulate_blurred(&empty, &[[0.0; 3]], &[1.0], &[1.0], &Control::default()).unwrap();
        assert_eq!(map.dim(), (3, 0, 3));
        let far = simulate_blurred(&frame(), &[[1e300; 3]], &[1.0], &[1.0], &Control::default()).unwrap();
        assert!(far.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn wrong_input_is_refused() {
        let run =
            |weight: &[f64], sigma: &[f64]| simulate_blurred(&frame(), &[[0.0; 3]], weight, sigma, &Control::default());
        assert!(run(&[], &[1.0]).is_err());
        assert!(run(&[1.0], &[0.0]).is_err());
        assert!(run(&[f64::NAN], &[1.0]).is_err());
        let (a, b) = ([[1.0; TERMS]], [[1.0; TERMS]]);
        let electron = |element, b_factor| {
            let scattering = Scattering {
                element: &[element],
                a: &a,
                b: &b,
                b_factor: &[b_factor],
                b_resolution: 0.0,
                occupancy: &[1.0],
            };
            simulate_electron(&frame(), &[[0.0; 3]], &scattering, &Control::default())
        };
        assert!(electron(0, 0.0).is_ok());
        assert!(electron(1, 0.0).is_err());
        assert!(electron(-1, 0.0).is_err());
        assert!(electron(0, -1.0).is_err());
    }
}
