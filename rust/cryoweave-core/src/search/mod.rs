//! Exhaustive rigid search: for every rotation of a template, its score at every voxel of a target.
//!
//! Each thread turns, transforms and multiplies for itself; memory is a few numbers a voxel and thread, whatever the
//! number of rotations.
mod fft;
mod lanes;
mod lines;
mod template;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::rotations::check_matrices;
pub use fft::fast_size;
use fft::{Buffers, Parts, Plan, Products, Spectra};
use lanes::{LANES, wide};
pub use template::Template;

/// A local variance below this share of the largest is noise in the arithmetic, and gives no score.
const FLAT: f32 = 1e-5;

/// How a template is compared with the map around a voxel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// `Σ t T`, summed over the channels: overlap, or of vectors the sum of their products.
    Sum,
    /// The same over the length of the template: the cosine, up to the length of the target.
    Cosine,
    /// Correlation about the mean under weights that turn with the template, whose channels are `w t` (of sum 0) and
    /// `w`; up to the length of `√w t`.
    Local,
}

impl Score {
    fn products(self, channels: usize) -> Products {
        match (self, channels) {
            (Self::Local, _) => &[&[(0, 0)], &[(1, 0)], &[(1, 1)]],
            (_, 1) => &[&[(0, 0)]],
            (_, 2) => &[&[(0, 0), (1, 1)]],
            _ => &[&[(0, 0), (1, 1), (2, 2)]],
        }
    }
}

/// A map in which templates are looked for: cyclic, so it needs an empty rim as wide as a template's radius.
pub struct Target<'a> {
    /// Each channel in the order (z, y, x); for a local score only the density.
    pub channels: &'a [&'a [f32]],
    /// Voxels along z, y and x.
    pub shape: [usize; 3],
    /// Å along x, y and z.
    pub voxel_xyz: [f64; 3],
    /// Voxels where a template's centre may lie; everywhere if there is none.
    pub allowed: Option<&'a [bool]>,
    /// By which a score is multiplied at each voxel, e.g. the inverse of a local deviation; by 1 if there is none.
    pub factor: Option<&'a [f32]>,
}

/// The best that was found at each voxel and for each rotation.
#[derive(Debug, PartialEq)]
pub struct Found {
    /// Best score at each voxel; -infinity where no centre may lie.
    pub score: Vec<f32>,
    /// Rotation that has it.
    pub rotation: Vec<u32>,
    /// Best score of each rotation.
    pub best: Vec<f32>,
    /// Voxel that has it.
    pub voxel: Vec<u32>,
}

/// Compare a template in every rotation with every voxel of the target.
///
/// Of equal scores the first rotation stays, and of its voxels always the same one, so that the number of threads changes
/// nothing.
pub fn rotational_search(
    target: &Target,
    template: &Template,
    score: Score,
    rotations: &[[[f64; 3]; 3]],
    control: &Control,
) -> Result<Found> {
    check_matrices(rotations)?;
    let engine = Engine::new(target, template, score, control)?;
    control.expect(rotations.len() as u64);
    let next = AtomicUsize::new(0);
    let threads = rayon::current_num_threads().min(rotations.len()).max(1);
    let parts: Vec<(Found, Vec<usize>)> = (0..threads)
        .into_par_iter()
        .with_max_len(1)
        .map(|_| engine.work(rotations, &next, control))
        .collect::<Result<_>>()?;
    Ok(engine.merged(parts, rotations.len()))
}

struct Engine<'a> {
    target: &'a Target<'a>,
    template: &'a Template,
    score: Score,
    plan: Plan,
    spectra: Spectra,
    parts: Parts,
    /// Where a centre may lie and what a score is multiplied by, laid out as the plan has it.
    allowed: Option<Vec<bool>>,
    factor: Option<Vec<f32>>,
    /// Local variance below which there is no score.
    flat: f32,
}

impl<'a> Engine<'a> {
    fn new(target: &'a Target<'a>, template: &'a Template, score: Score, control: &Control) -> Result<Self> {
        check(target, template, score)?;
        let [nz, ny, nx] = target.shape;
        let plan = Plan::new(target.shape);
        let layout = plan.layout;
        let squares: Vec<f32>;
        let spectra = if score == Score::Local {
            let values = target.channels[0];
            squares = values.iter().map(|value| value * value).collect();
            plan.target(&[values, &squares], control)?
        } else {
            plan.target(target.channels, control)?
        };
        let allowed = match target.allowed {
            Some(allowed) => Some(layout.laid_out(allowed, false)),
            None if nz % LANES == 0 => None,
            None => Some(layout.laid_out(&vec![true; nz * ny * nx], false)),
        };
        let rows = match &allowed {
            Some(allowed) => allowed
                .chunks_exact(layout.row())
                .map(|row| row.contains(&true))
                .collect(),
            None => vec![true; layout.blocks() * ny],
        };
        let largest = target.channels[0].iter().map(|value| value * value).fold(0.0, f32::max);
        let reach = (template.radius() / target.voxel_xyz[2] + 1e-3).floor() as usize;
        let holds = |block: &usize| (block * LANES..nz.min((block + 1) * LANES)).any(|z| z.min(nz - z) <= reach);
        Ok(Self {
            target,
            template,
            score,
            plan,
            spectra,
            parts: Parts::new((0..layout.blocks()).filter(holds).collect(), rows, ny),
            allowed,
            factor: target.factor.map(|factor| layout.laid_out(factor, 0.0)),
            flat: FLAT * largest,
        })
    }

    /// One thread's share of the rotations: what it found, and which they were.
    fn work(&self, rotations: &[[[f64; 3]; 3]], next: &AtomicUsize, control: &Control) -> Result<(Found, Vec<usize>)> {
        let voxels = self.plan.layout.len();
        let products = self.score.products(self.template.channels());
        let mut buffers = self.plan.buffers(self.template.channels(), products.len());
        let mut found = Found {
            score: vec![f32::NEG_INFINITY; voxels],
            rotation: vec![0; voxels],
            best: Vec::new(),
            voxel: Vec::new(),
        };
        let mut mine = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(rotation) = rotations.get(index) else { break };
            control.step()?;
            self.one(rotation, index as u32, products, &mut buffers, &mut found, control)?;
            mine.push(index);
        }
        Ok((found, mine))
    }

    /// One rotation: turn, transform, multiply, transform back, keep the best.
    fn one(
        &self,
        rotation: &[[f64; 3]; 3],
        index: u32,
        products: Products,
        buffers: &mut Buffers,
        found: &mut Found,
        control: &Control,
    ) -> Result<()> {
        let [nz, ny, nx] = self.target.shape;
        let turned = self.template.turned(rotation, self.target.voxel_xyz);
        let mut sums = Sums::default();
        let fill = |z: usize, y: usize, rows: &mut [Vec<f32>]| {
            let found = turned.row(signed(z, nz), signed(y, ny), nx, rows);
            if let Some((_, many)) = found {
                wide(
                    #[inline(always)]
                    || sums.add(rows, many, self.score),
                );
            }
            found
        };
        self.plan.forward(buffers, &self.parts.filled, fill, control)?;
        self.plan
            .correlate(buffers, &self.spectra, products, &self.parts, control)?;
        let (arch, mut best) = (Arch::new(), (f32::NEG_INFINITY, 0));
        let take = |first: usize, rows: &mut [Vec<f32>]| {
            let at = first..first + rows[0].len();
            wide(
                #[inline(always)]
                || {
                    sums.score(rows, self.score, self.flat);
                    self.weigh(&mut rows[0], at.clone());
                },
            );
            let most = arch.dispatch(Keep {
                row: &rows[0],
                score: &mut found.score[at.clone()],
                rotation: &mut found.rotation[at],
                index,
            });
            if most > best.0 {
                let x = rows[0].iter().position(|&value| value == most).unwrap_or(0);
                best = (most, self.plan.layout.voxel(first + x) as u32);
            }
        };
        self.plan.inverse(buffers, &self.parts, take, control)?;
        found.best.push(best.0);
        found.voxel.push(best.1);
        Ok(())
    }

    /// A row of scores times the target's factor, -infinity where no centre may lie.
    #[inline(always)]
    fn weigh(&self, row: &mut [f32], at: std::ops::Range<usize>) {
        if let Some(factor) = &self.factor {
            for (value, factor) in row.iter_mut().zip(&factor[at.clone()]) {
                *value *= factor;
            }
        }
        if let Some(allowed) = &self.allowed {
            for (value, &allowed) in row.iter_mut().zip(&allowed[at]) {
                *value = if allowed { *value } else { f32::NEG_INFINITY };
            }
        }
    }

    /// All threads' findings in one, voxels in the order (z, y, x).
    fn merged(&self, parts: Vec<(Found, Vec<usize>)>, rotations: usize) -> Found {
        let voxels = self.target.shape.iter().product();
        let mut all = Found {
            score: vec![f32::NEG_INFINITY; voxels],
            rotation: vec![0; voxels],
            best: vec![f32::NEG_INFINITY; rotations],
            voxel: vec![0; rotations],
        };
        for (found, mine) in parts {
            for (i, index) in mine.into_iter().enumerate() {
                all.best[index] = found.best[i];
                all.voxel[index] = found.voxel[i];
            }
            let kept = all.score.iter_mut().zip(&mut all.rotation);
            for ((score, rotation), place) in kept.zip(self.plan.layout.places()) {
                let (value, index) = (found.score[place], found.rotation[place]);
                if value > *score || (value == *score && index < *rotation) {
                    (*score, *rotation) = (value, index);
                }
            }
        }
        all
    }
}

/// What a turned template sums to.
#[derive(Default)]
struct Sums {
    squares: f64,
    first: f64,
    weight: f64,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, rows: &[Vec<f32>], many: usize, score: Score) {
        match score {
            Score::Sum => {}
            Score::Cosine => {
                self.squares += rows
                    .iter()
                    .map(|row| sum_of(&row[..many], |value| value * value))
                    .sum::<f64>()
            }
            Score::Local => {
                self.first += sum_of(&rows[0][..many], |value| value);
                self.weight += sum_of(&rows[1][..many], |value| value);
            }
        }
    }

    /// Scores from the outputs of the correlation, into the first row.
    #[inline(always)]
    fn score(&self, rows: &mut [Vec<f32>], score: Score, flat: f32) {
        match (score, rows) {
            (Score::Cosine, [row, ..]) => {
                let scale = if self.squares > 0.0 {
                    self.squares.sqrt().recip()
                } else {
                    0.0
                } as f32;
                for value in row.iter_mut() {
                    *value *= scale;
                }
            }
            (Score::Local, [row, sums, squares]) => {
                let (weight, first) = (self.weight as f32, self.first as f32);
                let (floor, inverse) = (flat * weight, weight.recip());
                for ((value, &sum), &square) in row.iter_mut().zip(&*sums).zip(&*squares) {
                    let variance = square - sum * sum * inverse;
                    let centred = *value - first * sum * inverse;
                    *value = if variance > floor {
                        centred / variance.sqrt()
                    } else {
                        0.0
                    };
                }
            }
            _ => {}
        }
    }
}

#[inline(always)]
fn sum_of(row: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let parts = row.chunks_exact(LANES);
    let rest = parts.remainder();
    let mut sums = [0.0; LANES];
    for part in parts {
        for (sum, &value) in sums.iter_mut().zip(part) {
            *sum += of(value);
        }
    }
    f64::from(sums.iter().sum::<f32>() + rest.iter().map(|&value| of(value)).sum::<f32>())
}

/// A row of scores beside the best so far.
struct Keep<'a> {
    row: &'a [f32],
    score: &'a mut [f32],
    rotation: &'a mut [u32],
    index: u32,
}

impl WithSimd for Keep<'_> {
    /// The row's largest score.
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let mut most = [f32::NEG_INFINITY; LANES];
        let whole = self.row.len() / LANES * LANES;
        let ((row, rest), (score, score_rest)) = (self.row.split_at(whole), self.score.split_at_mut(whole));
        let (rotation, rotation_rest) = self.rotation.split_at_mut(whole);
        let beside = score.chunks_exact_mut(LANES).zip(rotation.chunks_exact_mut(LANES));
        for (row, (score, rotation)) in row.chunks_exact(LANES).zip(beside) {
            // After some rotations hardly a voxel finds a better one.
            let mut better = false;
            for lane in 0..LANES {
                better |= row[lane] > score[lane];
                most[lane] = if row[lane] > most[lane] { row[lane] } else { most[lane] };
            }
            if better {
                replace(row, score, rotation, self.index);
            }
        }
        replace(rest, score_rest, rotation_rest, self.index);
        most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

#[inline(always)]
fn replace(row: &[f32], score: &mut [f32], rotation: &mut [u32], index: u32) {
    for ((&value, score), rotation) in row.iter().zip(score).zip(rotation) {
        if value > *score {
            (*score, *rotation) = (value, index);
        }
    }
}

fn check(target: &Target, template: &Template, score: Score) -> Result<()> {
    let voxels: usize = target.shape.iter().product();
    if voxels == 0 || voxels > u32::MAX as usize {
        return Err(Error::Parameter {
            name: "the target's size",
            rule: "between 1 and 2^32 voxels",
            value: voxels as f64,
        });
    }
    if let Some(value) = (target.voxel_xyz.into_iter()).find(|value| !(value.is_finite() && *value > 0.0)) {
        return Err(Error::Parameter {
            name: "the target's voxel",
            rule: "positive and finite",
            value,
        });
    }
    let wanted = if score == Score::Local { 1 } else { template.channels() };
    same_length(
        "the template and the target differ in channels",
        target.channels.len(),
        wanted,
    )?;
    if score == Score::Local {
        same_length("a local score needs the channels w t and w", template.channels(), 2)?;
    }
    for channel in target.channels {
        same_length(
            "the target's shape and its voxels differ in number",
            channel.len(),
            voxels,
        )?;
        if let Some(at) = channel.iter().position(|value| !value.is_finite()) {
            let [_, ny, nx] = target.shape;
            return Err(Error::NotFinite([at / (ny * nx), at / nx % ny, at % nx]));
        }
    }
    if let Some(allowed) = target.allowed {
        same_length(
            "the target and the voxels allowed differ in number",
            allowed.len(),
            voxels,
        )?;
    }
    if let Some(factor) = target.factor {
        same_length("the target and its factors differ in number", factor.len(), voxels)?;
        if let Some(value) = factor.iter().find(|value| !value.is_finite()) {
            return Err(Error::Parameter {
                name: "a factor of the target",
                rule: "finite",
                value: f64::from(*value),
            });
        }
    }
    let room = target
        .shape
        .iter()
        .zip([2, 1, 0])
        .map(|(&side, axis)| side as f64 * target.voxel_xyz[axis]);
    let room = room.fold(f64::INFINITY, f64::min);
    if 2.0 * template.radius() >= room {
        return Err(Error::Parameter {
            name: "twice the template's radius",
            rule: "smaller than the target's box",
            value: 2.0 * template.radius(),
        });
    }
    Ok(())
}

/// Distance from the centre along one cyclic axis.
fn signed(at: usize, n: usize) -> f32 {
    if at <= n / 2 { at as f32 } else { at as f32 - n as f32 }
}
