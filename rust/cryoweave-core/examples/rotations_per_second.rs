//! Rotations a second of the search against what its transforms alone take, by one thread each, on this machine.
//!
//! `cargo run --release --example rotations_per_second [side] [rotations]`
use std::time::Instant;

use cryoweave_core::control::Control;
use cryoweave_core::error::Result;
use cryoweave_core::search::{Score, Target, Template, rotational_search};
use rand::{Rng, SeedableRng};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<usize>().unwrap_or(64));
    let (side, many) = (words.next().unwrap_or(64), words.next().unwrap_or(500));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let voxels = side * side * side;
    let map: Vec<f32> = (0..voxels).map(|_| rng.random()).collect();
    let small = side / 2 + 2;
    let ball = |at: usize| {
        let away = |n: usize| (n as f32 - (small as f32 - 1.0) / 2.0).powi(2);
        let far = away(at / (small * small)) + away(at / small % small) + away(at % small);
        if far.sqrt() < small as f32 / 2.0 - 1.5 {
            1.0
        } else {
            0.0
        }
    };
    let values: Vec<f32> = (0..3 * small * small * small)
        .map(|at| ball(at % small.pow(3)) * rng.random::<f32>())
        .collect();
    let turn = |i: usize| {
        let (sin, cos) = (i as f64).sin_cos();
        [
            [cos, -sin, 0.0],
            [sin * sin, sin * cos, -cos],
            [sin * cos, cos * cos, sin],
        ]
    };
    let rotations: Vec<_> = (0..many).map(turn).collect();
    for (name, score, target, channels) in [
        ("cosine", Score::Cosine, 1, 1),
        ("vectors", Score::Cosine, 3, 3),
        ("local", Score::Local, 1, 2),
    ] {
        let centre = [(small as f64 - 1.0) / 2.0; 3];
        let part = &values[..channels * small.pow(3)];
        let template = Template::new(part, [small; 3], [1.0; 3], centre, channels == 3)?;
        let channels = vec![&map[..]; target];
        let target = Target {
            channels: &channels,
            shape: [side; 3],
            voxel_xyz: [1.0; 3],
            allowed: None,
            factor: None,
        };
        let begun = Instant::now();
        rotational_search(&target, &template, score, &rotations, &Control::default())?;
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} rotations/s, {:.3} ms each",
            many as f64 / seconds,
            1e3 * seconds / many as f64
        );
    }
    Ok(())
}
