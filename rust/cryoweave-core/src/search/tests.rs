//! Against loops without any transform.
use std::slice::from_ref;

use super::fft::{Parts, Plan};
use super::*;
use crate::rotations::{matrix, random_rotations};
use rand::{Rng, SeedableRng};

const IDENTITY: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const SHAPES: [[usize; 3]; 7] = [
    [4, 4, 4],
    [5, 5, 5],
    [7, 6, 5],
    [3, 10, 9],
    [1, 9, 2],
    [12, 1, 1],
    [16, 8, 3],
];

fn noise(many: usize, seed: u64) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..many).map(|_| rng.random::<f32>() - 0.5).collect()
}

/// `Σ_o small(o) large(place + o)` in a cyclic box.
fn correlation(small: &[f32], large: &[f32], [nz, ny, nx]: [usize; 3]) -> Vec<f64> {
    let at = |z: usize, y: usize, x: usize| ((z % nz) * ny + y % ny) * nx + x % nx;
    let mut found = vec![0.0; large.len()];
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                for (o, &value) in small.iter().enumerate() {
                    let other = large[at(z + o / (ny * nx), y + o / nx % ny, x + o % nx)];
                    found[at(z, y, x)] += f64::from(value) * f64::from(other);
                }
            }
        }
    }
    found
}

/// What the transforms make of it, for one output of these products.
fn transformed(small: &[Vec<f32>], large: &[Vec<f32>], shape: [usize; 3], products: Products) -> Vec<Vec<f32>> {
    let [nz, ny, nx] = shape;
    let (plan, control) = (Plan::new(shape), Control::default());
    let channels: Vec<&[f32]> = large.iter().map(|channel| &channel[..]).collect();
    let spectra = plan.target(&channels, &control).unwrap();
    let mut buffers = plan.buffers(small.len(), products.len());
    let filled = |z: usize| {
        small
            .iter()
            .any(|one| one[z * ny * nx..][..ny * nx].iter().any(|&value| value != 0.0))
    };
    let layout = plan.layout;
    let blocks = 0..layout.blocks();
    let parts = Parts::new(
        blocks
            .clone()
            .filter(|block| (block * LANES..nz.min((block + 1) * LANES)).any(filled))
            .collect(),
        vec![true; blocks.len() * ny],
        ny,
    );
    let fill = |z: usize, y: usize, rows: &mut [Vec<f32>]| {
        let mut any = false;
        for (row, channel) in rows.iter_mut().zip(small) {
            row.copy_from_slice(&channel[(z * ny + y) * nx..][..nx]);
            any |= row.iter().any(|&value| value != 0.0);
        }
        any.then_some((0, nx))
    };
    plan.forward(&mut buffers, &parts.filled, fill, &control).unwrap();
    plan.correlate(&mut buffers, &spectra, products, &parts, &control)
        .unwrap();
    let mut found = vec![vec![0.0; layout.len()]; products.len()];
    let take = |first: usize, rows: &mut [Vec<f32>]| {
        for (to, row) in found.iter_mut().zip(rows) {
            to[first..][..row.len()].copy_from_slice(row);
        }
    };
    plan.inverse(&mut buffers, &parts, take, &control).unwrap();
    let raster = |one: &Vec<f32>| layout.places().map(|place| one[place]).collect();
    found.iter().map(raster).collect()
}

fn near(found: &[f32], slow: &[f64]) {
    for (&found, &slow) in found.iter().zip(slow) {
        assert!((f64::from(found) - slow).abs() < 1e-4, "{found} {slow}");
    }
}

#[test]
fn transforms_correlate_as_a_loop_does() {
    for shape in SHAPES {
        let voxels = shape.iter().product();
        let (small, large) = (noise(voxels, 1), noise(voxels, 2));
        let found = transformed(from_ref(&small), from_ref(&large), shape, &[&[(0, 0)]]);
        near(&found[0], &correlation(&small, &large, shape));
    }
}

#[test]
fn channels_add_up_and_outputs_stay_apart() {
    for shape in SHAPES {
        let voxels = shape.iter().product();
        let small: Vec<_> = (0..2).map(|i| noise(voxels, i)).collect();
        let large: Vec<_> = (0..3).map(|i| noise(voxels, 5 + i)).collect();
        let products: Products = &[&[(0, 0), (1, 2)], &[(1, 0)], &[(0, 1)]];
        let found = transformed(&small, &large, shape, products);
        for (found, terms) in found.iter().zip(products) {
            let mut slow = vec![0.0; voxels];
            for &(one, other) in *terms {
                let part = correlation(&small[one], &large[other], shape);
                for (sum, value) in slow.iter_mut().zip(part) {
                    *sum += value;
                }
            }
            near(found, &slow);
        }
    }
}

#[test]
fn empty_rows_and_planes_are_left_out_without_a_trace() {
    for shape in [[9, 8, 7], [6, 12, 5]] {
        let [_, ny, nx] = shape;
        let voxels = shape.iter().product();
        let large = noise(voxels, 4);
        let mut small = noise(voxels, 3);
        for (at, value) in small.iter_mut().enumerate() {
            if at / (ny * nx) % 3 == 1 || at / nx % ny > 2 {
                *value = 0.0;
            }
        }
        let found = transformed(from_ref(&small), from_ref(&large), shape, &[&[(0, 0)]]);
        near(&found[0], &correlation(&small, &large, shape));
    }
}

fn small_template(shape: [usize; 3], channels: usize) -> (Vec<f32>, Template) {
    let [nz, ny, nx] = shape;
    let mut values = noise(channels * nz * ny * nx, 7);
    for (at, value) in values.iter_mut().enumerate() {
        let (z, y, x) = (at / (ny * nx) % nz, at / nx % ny, at % nx);
        if z == 0 || y == 0 || x == 0 || z + 1 == nz || y + 1 == ny || x + 1 == nx {
            *value = 0.0;
        }
    }
    let template = Template::new(&values, shape, [1.0; 3], [2.0, 2.0, 3.0], false).unwrap();
    (values, template)
}

/// A turned template at every offset of a box of this side.
fn read(template: &Template, rotation: &[[f64; 3]; 3], side: usize, channels: usize) -> Vec<Vec<f32>> {
    let turned = template.turned(rotation, [1.0; 3]);
    let mut found = vec![vec![0.0; side.pow(3)]; channels];
    for z in 0..side {
        for y in 0..side {
            let mut rows = vec![vec![f32::NAN; side]; channels];
            let row = turned.row(signed(z, side), signed(y, side), side, &mut rows);
            let (first, many) = row.unwrap_or((0, 0));
            for (to, row) in found.iter_mut().zip(&rows) {
                for (i, value) in row[..many].iter().enumerate() {
                    to[(z * side + y) * side + (first + i as i32).rem_euclid(side as i32) as usize] = *value;
                }
            }
        }
    }
    found
}

#[test]
fn reading_at_the_identity_gives_the_voxels() {
    for (side, channels) in [(10, 1), (11, 1), (10, 2), (11, 3)] {
        let shape = [5, 6, 7];
        let (values, template) = small_template(shape, channels);
        let found = read(&template, &IDENTITY, side, channels);
        for (channel, found) in found.iter().enumerate() {
            let mut known = vec![0.0; side.pow(3)];
            for z in 0..5 {
                for y in 0..6 {
                    for x in 0..7 {
                        let at =
                            [(z, 2), (y, 2), (x, 3)].map(|(at, centre): (usize, usize)| (at + side - centre) % side);
                        known[(at[0] * side + at[1]) * side + at[2]] = values[((channel * 5 + z) * 6 + y) * 7 + x];
                    }
                }
            }
            for (found, known) in found.iter().zip(&known) {
                assert!((found - known).abs() < 1e-5, "{found} {known}");
            }
        }
    }
}

#[test]
fn nothing_lies_beyond_the_radius() {
    let (_, template) = small_template([5, 6, 7], 1);
    let side = 15;
    for turn in random_rotations(20, 3) {
        let found = &read(&template, &matrix(&turn), side, 1)[0];
        assert!(found.iter().any(|&value| value != 0.0));
        for (at, _) in found.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let o = [at / (side * side), at / side % side, at % side].map(|n| signed(n, side));
            let away = o.iter().map(|n| f64::from(n * n)).sum::<f64>().sqrt();
            assert!(away <= template.radius() + 1e-3, "{away} {}", template.radius());
        }
    }
}

#[test]
fn fast_sizes_are_kept_and_others_grow() {
    let grown = [0, 1, 7, 13, 25, 100, 125, 251].map(fast_size);
    assert_eq!(grown, [1, 1, 8, 15, 27, 108, 128, 256]);
}
