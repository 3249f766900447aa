//! Correlation of maps through real Fourier transforms in three dimensions, by one thread in buffers of its own.
//!
//! Rows go in and come out one by one, so that neither a turned template nor its correlation ever lies in memory as a
//! whole: what is kept are spectra in the layout `(z, kx, ky)`. Along z a spectrum is transformed, multiplied with the
//! target's and transformed back a few lines at a time, while it is in the cache.
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use crate::control::Control;
use crate::error::{Error, Result};

pub(super) type C32 = Complex<f32>;
/// Rows that are moved together between the layouts: eight complex numbers fill one cache line.
const BLOCK: usize = 8;
const ZERO: C32 = C32 { re: 0.0, im: 0.0 };

/// The transforms of one box; cheap to share between threads.
pub(super) struct Plan {
    pub(super) shape: [usize; 3],
    half: usize,
    x_forward: Arc<dyn RealToComplex<f32>>,
    x_inverse: Arc<dyn ComplexToReal<f32>>,
    y: [Arc<dyn Fft<f32>>; 2],
    z: [Arc<dyn Fft<f32>>; 2],
}

/// What each output of a correlation is the sum of: pairs of a template's channel and a target's.
pub(super) type Products = &'static [&'static [(usize, usize)]];

/// One thread's buffers.
pub(super) struct Buffers {
    spectra: Vec<Vec<C32>>,
    rows: Vec<Vec<f32>>,
    lines: Vec<C32>,
    work: Vec<Vec<C32>>,
    sums: Vec<Vec<C32>>,
    scratch: Vec<C32>,
}

/// Spectra of the target's channels in the layout `(kx, ky, z)`, divided by the number of voxels.
pub(super) struct Spectra(Vec<Vec<C32>>);

/// Which planes of a template hold anything, and which planes of the correlation are wanted.
pub(super) struct Planes {
    pub(super) filled: Vec<usize>,
    pub(super) wanted: Vec<bool>,
}

impl Plan {
    pub(super) fn new(shape: [usize; 3]) -> Self {
        let [nz, ny, nx] = shape;
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        Self {
            shape,
            half: nx / 2 + 1,
            x_forward: real.plan_fft_forward(nx),
            x_inverse: real.plan_fft_inverse(nx),
            y: [complex.plan_fft_forward(ny), complex.plan_fft_inverse(ny)],
            z: [complex.plan_fft_forward(nz), complex.plan_fft_inverse(nz)],
        }
    }

    /// Buffers for so many channels of the template and so many outputs.
    pub(super) fn buffers(&self, channels: usize, outputs: usize) -> Buffers {
        let [nz, ny, nx] = self.shape;
        let most = channels.max(outputs);
        let scratch = [
            self.x_forward.get_scratch_len(),
            self.x_inverse.get_scratch_len(),
            self.y[0].get_inplace_scratch_len(),
            self.y[1].get_inplace_scratch_len(),
            self.z[0].get_inplace_scratch_len(),
            self.z[1].get_inplace_scratch_len(),
        ];
        Buffers {
            spectra: vec![vec![ZERO; nz * self.half * ny]; most],
            rows: vec![vec![0.0; nx]; most],
            lines: vec![ZERO; BLOCK * self.half * most],
            work: vec![vec![ZERO; BLOCK * nz]; channels],
            sums: vec![vec![ZERO; BLOCK * nz]; outputs],
            scratch: vec![ZERO; scratch.into_iter().max().unwrap_or(0)],
        }
    }

    /// Spectra of a target's channels, each in raster order.
    pub(super) fn target(&self, channels: &[&[f32]], control: &Control) -> Result<Spectra> {
        let [nz, ny, nx] = self.shape;
        let mut buffers = self.buffers(1, 1);
        let all: Vec<usize> = (0..nz).collect();
        let scale = 1.0 / (nz * ny * nx) as f32;
        let spectra = channels.iter().map(|values| {
            let fill = |z: usize, y: usize, rows: &mut [Vec<f32>]| {
                rows[0].copy_from_slice(&values[(z * ny + y) * nx..][..nx]);
                true
            };
            self.forward(&mut buffers, 1, &all, fill, control)?;
            let mut spectrum = vec![ZERO; self.half * ny * nz];
            for kx in 0..self.half {
                for ky in (0..ny).step_by(BLOCK) {
                    let many = BLOCK.min(ny - ky);
                    self.along_z(&mut buffers, 0, kx, ky, &all);
                    let out = &mut spectrum[(kx * ny + ky) * nz..][..many * nz];
                    for (out, value) in out.iter_mut().zip(&buffers.work[0]) {
                        *out = value * scale;
                    }
                }
            }
            Ok(spectrum)
        });
        Ok(Spectra(spectra.collect::<Result<_>>()?))
    }

    /// Multiply what [`Plan::forward`] left in the buffers with the target, and transform it back along z.
    pub(super) fn correlate(
        &self,
        buffers: &mut Buffers,
        target: &Spectra,
        products: Products,
        planes: &Planes,
        control: &Control,
    ) -> Result<()> {
        for kx in 0..self.half {
            control.check()?;
            for ky in (0..self.shape[1]).step_by(BLOCK) {
                for channel in 0..buffers.work.len() {
                    self.along_z(buffers, channel, kx, ky, &planes.filled);
                }
                self.multiply(buffers, target, products, (kx, ky), &planes.wanted);
            }
        }
        Ok(())
    }

    /// Transform along x and y: `fill` writes a row of each channel, or says that it is empty. Only the planes in
    /// `filled` are touched.
    pub(super) fn forward(
        &self,
        buffers: &mut Buffers,
        channels: usize,
        filled: &[usize],
        mut fill: impl FnMut(usize, usize, &mut [Vec<f32>]) -> bool,
        control: &Control,
    ) -> Result<()> {
        let ny = self.shape[1];
        let (half, plane) = (self.half, self.half * ny);
        for &z in filled {
            control.check()?;
            for first in (0..ny).step_by(BLOCK) {
                let many = BLOCK.min(ny - first);
                let mut any = false;
                for j in 0..many {
                    let full = fill(z, first + j, &mut buffers.rows);
                    any |= full;
                    for channel in 0..channels {
                        let line = &mut buffers.lines[(channel * BLOCK + j) * half..][..half];
                        if full {
                            let row = &mut buffers.rows[channel];
                            self.x_forward
                                .process_with_scratch(row, line, &mut buffers.scratch)
                                .map_err(|_| LENGTHS)?;
                        } else {
                            line.fill(ZERO);
                        }
                    }
                }
                for channel in 0..channels {
                    let lines = &buffers.lines[channel * BLOCK * half..];
                    let out = &mut buffers.spectra[channel][z * plane..][..plane];
                    for (kx, out) in out.chunks_exact_mut(ny).enumerate() {
                        let out = &mut out[first..first + many];
                        if any {
                            for (j, out) in out.iter_mut().enumerate() {
                                *out = lines[j * half + kx];
                            }
                        } else {
                            out.fill(ZERO);
                        }
                    }
                }
            }
            for spectrum in &mut buffers.spectra[..channels] {
                self.y[0].process_with_scratch(&mut spectrum[z * plane..][..plane], &mut buffers.scratch);
            }
        }
        Ok(())
    }

    /// A block of lines along z of one channel, transformed, in `buffers.work`.
    fn along_z(&self, buffers: &mut Buffers, channel: usize, kx: usize, ky: usize, filled: &[usize]) {
        let [nz, ny, _] = self.shape;
        let many = BLOCK.min(ny - ky);
        let work = &mut buffers.work[channel][..many * nz];
        if filled.len() < nz {
            work.fill(ZERO);
        }
        for &z in filled {
            let from = &buffers.spectra[channel][(z * self.half + kx) * ny + ky..][..many];
            for (line, value) in work.chunks_exact_mut(nz).zip(from) {
                line[z] = *value;
            }
        }
        self.z[0].process_with_scratch(work, &mut buffers.scratch);
    }

    /// Products with the target's spectra, transformed back along z into the planes that are wanted.
    fn multiply(
        &self,
        buffers: &mut Buffers,
        target: &Spectra,
        products: Products,
        (kx, ky): (usize, usize),
        wanted: &[bool],
    ) {
        let [nz, ny, _] = self.shape;
        let many = BLOCK.min(ny - ky);
        for (output, terms) in products.iter().enumerate() {
            let sums = &mut buffers.sums[output][..many * nz];
            for (at, &(channel, with)) in terms.iter().enumerate() {
                let work = &buffers.work[channel][..many * nz];
                let target = &target.0[with][(kx * ny + ky) * nz..][..many * nz];
                Arch::new().dispatch(Multiply {
                    sums,
                    work,
                    target,
                    add: at > 0,
                });
            }
            self.z[1].process_with_scratch(sums, &mut buffers.scratch);
            for (z, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
                let to = &mut buffers.spectra[output][(z * self.half + kx) * ny + ky..][..many];
                for (value, line) in to.iter_mut().zip(sums.chunks_exact(nz)) {
                    *value = line[z];
                }
            }
        }
    }

    /// Back along y and x: `take` gets the rows of all outputs in the planes that are wanted, in the order of z and y.
    pub(super) fn inverse(
        &self,
        buffers: &mut Buffers,
        outputs: usize,
        wanted: &[bool],
        mut take: impl FnMut(usize, usize, &mut [Vec<f32>]),
        control: &Control,
    ) -> Result<()> {
        let [_, ny, nx] = self.shape;
        let (half, plane) = (self.half, self.half * ny);
        for (z, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            control.check()?;
            for spectrum in &mut buffers.spectra[..outputs] {
                self.y[1].process_with_scratch(&mut spectrum[z * plane..][..plane], &mut buffers.scratch);
            }
            for first in (0..ny).step_by(BLOCK) {
                let many = BLOCK.min(ny - first);
                for output in 0..outputs {
                    let from = &buffers.spectra[output][z * plane..][..plane];
                    let lines = &mut buffers.lines[output * BLOCK * half..];
                    for (kx, from) in from.chunks_exact(ny).enumerate() {
                        for (j, value) in from[first..first + many].iter().enumerate() {
                            lines[j * half + kx] = *value;
                        }
                    }
                }
                for j in 0..many {
                    for output in 0..outputs {
                        let line = &mut buffers.lines[(output * BLOCK + j) * half..][..half];
                        // These two are real but for rounding, and the library asks for an exact zero.
                        line[0].im = 0.0;
                        if nx % 2 == 0 {
                            line[half - 1].im = 0.0;
                        }
                        let row = &mut buffers.rows[output];
                        self.x_inverse
                            .process_with_scratch(line, row, &mut buffers.scratch)
                            .map_err(|_| LENGTHS)?;
                    }
                    take(z, first + j, &mut buffers.rows[..outputs]);
                }
            }
        }
        Ok(())
    }
}

const LENGTHS: Error = Error::Length {
    what: "a row and its transform differ in length",
    left: 0,
    right: 0,
};

/// `conj(work) target`, which takes the place of the sums or is added to them.
struct Multiply<'a> {
    sums: &'a mut [C32],
    work: &'a [C32],
    target: &'a [C32],
    add: bool,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let keep = if self.add { 1.0 } else { 0.0 };
        for ((sum, a), b) in self.sums.iter_mut().zip(self.work).zip(self.target) {
            *sum = C32 {
                re: keep * sum.re + a.re * b.re + a.im * b.im,
                im: keep * sum.im + a.re * b.im - a.im * b.re,
            };
        }
    }
}

/// The smallest number from `n` on whose prime factors are 2 and 3 (and one 5 at most): for these transforms are fast.
pub fn fast_size(n: usize) -> usize {
    (n.max(1)..)
        .find(|&size| {
            let mut rest = if size % 5 == 0 { size / 5 } else { size };
            for factor in [2, 3] {
                while rest % factor == 0 {
                    rest /= factor;
                }
            }
            rest == 1
        })
        .unwrap_or(n)
}
