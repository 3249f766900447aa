//! Correlation of maps through Fourier transforms in three dimensions, by one thread in buffers of its own.
//!
//! Rows go in and come out one by one, so that neither a turned template nor its correlation ever lies in memory as a
//! whole: what is kept are spectra in the layout `(block of z, kx, ky)`, eight planes side by side. Along x two real
//! rows are the two parts of a complex one. Along z eight lines of a spectrum are transformed, multiplied with the
//! target's and transformed back while they are in the cache.
//!
//! Only forward transforms are needed: `conj(T) M` goes back as its conjugate does forward, since what comes out is real.

use super::lanes::{Complex, LANES, Turn, ZERO, wide};
use super::lines::Fft;
use crate::control::Control;
use crate::error::Result;

/// The transforms of one box; cheap to share between threads.
pub(super) struct Plan {
    pub(super) layout: Layout,
    half: usize,
    x: Fft,
    y: Fft,
    z: Fft,
    turn: Turn,
}

/// Where a voxel lies: eight planes are side by side, the last of them filled up with planes that do not exist.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Voxels along z, y and x.
    pub(super) shape: [usize; 3],
}

impl Layout {
    /// Eights of planes.
    pub(super) fn blocks(self) -> usize {
        self.shape[0].div_ceil(LANES)
    }

    /// Numbers in a box, and in one row of eight planes.
    pub(super) fn len(self) -> usize {
        self.blocks() * self.shape[1] * self.row()
    }

    pub(super) fn row(self) -> usize {
        self.shape[2] * LANES
    }

    /// Where each voxel lies, in the order (z, y, x).
    pub(super) fn places(self) -> impl Iterator<Item = usize> {
        let [nz, ny, nx] = self.shape;
        (0..nz).flat_map(move |z| {
            let first = z / LANES * ny * nx * LANES + z % LANES;
            (0..ny * nx).map(move |at| first + at * LANES)
        })
    }

    /// The voxel, in the order (z, y, x), at a place.
    pub(super) fn voxel(self, place: usize) -> usize {
        let [_, ny, nx] = self.shape;
        let (block, rest) = (place / (ny * nx * LANES), place % (ny * nx * LANES));
        (block * LANES + rest % LANES) * ny * nx + rest / LANES
    }

    /// Values in the order (z, y, x), laid out; `empty` where no voxel is.
    pub(super) fn laid_out<T: Copy>(self, values: &[T], empty: T) -> Vec<T> {
        let mut out = vec![empty; self.len()];
        for (place, value) in self.places().zip(values) {
            out[place] = *value;
        }
        out
    }
}

/// What each output of a correlation is the sum of: pairs of a template's channel and a target's.
pub(super) type Products = &'static [&'static [(usize, usize)]];

/// One thread's buffers.
pub(super) struct Buffers {
    spectra: Vec<Vec<Complex>>,
    /// A row of each channel.
    rows: Vec<Vec<f32>>,
    /// Two rows of eight planes of each channel or output, as the parts of complex numbers.
    lines: Vec<Vec<Complex>>,
    /// The same rows of each output, apart.
    outputs: [Vec<Vec<f32>>; 2],
    work: Vec<Vec<Complex>>,
    sums: Vec<Complex>,
    scratch: Vec<Complex>,
}

/// Conjugate spectra of the target's channels, in eights of ky: `(kx, block of ky, z)`, divided by the number of voxels.
pub(super) struct Spectra(Vec<Vec<Complex>>);

/// What of a box holds anything or is wanted.
pub(super) struct Parts {
    /// Blocks of planes where the template holds anything.
    pub(super) filled: Vec<usize>,
    /// Blocks of planes in which rows of the correlation are wanted.
    pub(super) wanted: Vec<usize>,
    /// Which rows of these, `(block, y)`.
    pub(super) rows: Vec<bool>,
}

impl Parts {
    pub(super) fn new(filled: Vec<usize>, rows: Vec<bool>, ny: usize) -> Self {
        let planes = rows.chunks_exact(ny).enumerate();
        let wanted = planes
            .filter(|(_, rows)| rows.contains(&true))
            .map(|(block, _)| block)
            .collect();
        Self { filled, wanted, rows }
    }
}

impl Plan {
    pub(super) fn new(shape: [usize; 3]) -> Self {
        let [z, y, x] = shape.map(Fft::new);
        Self {
            layout: Layout { shape },
            half: shape[2] / 2 + 1,
            x,
            y,
            z,
            turn: Turn::new(),
        }
    }

    /// Buffers for so many channels of the template and so many outputs.
    pub(super) fn buffers(&self, channels: usize, outputs: usize) -> Buffers {
        let [nz, ny, nx] = self.layout.shape;
        let most = channels.max(outputs);
        Buffers {
            spectra: vec![vec![ZERO; self.layout.blocks() * self.half * ny]; most],
            rows: vec![vec![0.0; nx]; channels],
            lines: vec![vec![ZERO; nx]; most],
            outputs: [(); 2].map(|()| vec![vec![0.0; self.layout.row()]; outputs]),
            work: vec![vec![ZERO; nz.next_multiple_of(LANES)]; channels],
            sums: vec![ZERO; nz.next_multiple_of(LANES)],
            scratch: vec![ZERO; nz.max(ny).max(nx)],
        }
    }

    /// Spectra of a target's channels, each in the order (z, y, x).
    pub(super) fn target(&self, channels: &[&[f32]], control: &Control) -> Result<Spectra> {
        let [nz, ny, nx] = self.layout.shape;
        let mut buffers = self.buffers(1, 0);
        let all: Vec<usize> = (0..self.layout.blocks()).collect();
        let scale = 1.0 / (nz * ny * nx) as f32;
        let spectra = channels.iter().map(|values| {
            let fill = |z: usize, y: usize, rows: &mut [Vec<f32>]| {
                rows[0].copy_from_slice(&values[(z * ny + y) * nx..][..nx]);
                Some((0, nx))
            };
            self.forward(&mut buffers, &all, fill, control)?;
            let mut spectrum = Vec::with_capacity(self.half * ny.div_ceil(LANES) * nz);
            for kx in 0..self.half {
                for ky in (0..ny).step_by(LANES) {
                    self.along_z(&mut buffers, 0, kx, ky, &all);
                    spectrum.extend(buffers.work[0][..nz].iter().map(|value| value.conj() * scale));
                }
            }
            Ok(spectrum)
        });
        Ok(Spectra(spectra.collect::<Result<_>>()?))
    }

    /// Transform along x and y: `fill` writes what a row of each channel holds, and says at which x (cyclic) it begins and
    /// how much it is. Only the blocks in `filled` are touched.
    pub(super) fn forward(
        &self,
        buffers: &mut Buffers,
        filled: &[usize],
        mut fill: impl FnMut(usize, usize, &mut [Vec<f32>]) -> Option<(i32, usize)>,
        control: &Control,
    ) -> Result<()> {
        let [_, ny, _] = self.layout.shape;
        let plane = self.half * ny;
        let channels = buffers.rows.len();
        for &block in filled {
            control.check()?;
            for y in (0..ny).step_by(2) {
                let any = self.pair(buffers, block, y, &mut fill);
                for (line, spectrum) in buffers.lines[..channels].iter_mut().zip(&mut buffers.spectra) {
                    let spectrum = &mut spectrum[block * plane..][..plane];
                    if any {
                        self.x.process(line, &mut buffers.scratch);
                        wide(
                            #[inline(always)]
                            || apart(line, spectrum, y, ny),
                        );
                    } else {
                        for out in spectrum.chunks_exact_mut(ny) {
                            out[y..ny.min(y + 2)].fill(ZERO);
                        }
                    }
                }
            }
            for spectrum in &mut buffers.spectra[..channels] {
                for line in spectrum[block * plane..][..plane].chunks_exact_mut(ny) {
                    self.y.process(line, &mut buffers.scratch);
                }
            }
        }
        Ok(())
    }

    /// Two rows of eight planes of all channels, in `buffers.lines`; false if all are empty.
    fn pair(
        &self,
        buffers: &mut Buffers,
        block: usize,
        first: usize,
        fill: &mut impl FnMut(usize, usize, &mut [Vec<f32>]) -> Option<(i32, usize)>,
    ) -> bool {
        let [nz, ny, nx] = self.layout.shape;
        let mut any = false;
        for y in first..ny.min(first + 2) {
            for z in block * LANES..nz.min((block + 1) * LANES) {
                let Some((start, many)) = fill(z, y, &mut buffers.rows) else {
                    continue;
                };
                let start = start.rem_euclid(nx as i32) as usize;
                let lines = &mut buffers.lines[..buffers.rows.len()];
                if !any {
                    lines.iter_mut().for_each(|line| line.fill(ZERO));
                    any = true;
                }
                for (line, row) in lines.iter_mut().zip(&buffers.rows) {
                    let (ahead, behind) = line.split_at_mut(start);
                    for (value, from) in behind.iter_mut().chain(ahead).zip(&row[..many]) {
                        let part = if y == first { &mut value.re } else { &mut value.im };
                        part.0[z % LANES] = *from;
                    }
                }
            }
        }
        any
    }

    /// Multiply what [`Plan::forward`] left in the buffers with the target, and transform it back along z.
    pub(super) fn correlate(
        &self,
        buffers: &mut Buffers,
        target: &Spectra,
        products: Products,
        parts: &Parts,
        control: &Control,
    ) -> Result<()> {
        let [nz, ny, _] = self.layout.shape;
        for kx in 0..self.half {
            control.check()?;
            for ky in (0..ny).step_by(LANES) {
                for channel in 0..buffers.work.len() {
                    self.along_z(buffers, channel, kx, ky, &parts.filled);
                }
                let at = (kx * ny.div_ceil(LANES) + ky / LANES) * nz;
                for (output, terms) in products.iter().enumerate() {
                    let (work, sums) = (&buffers.work, &mut buffers.sums[..nz]);
                    wide(
                        #[inline(always)]
                        || {
                            for (i, &(channel, with)) in terms.iter().enumerate() {
                                multiply(sums, &work[channel], &target.0[with][at..at + nz], i > 0);
                            }
                        },
                    );
                    self.z.process(sums, &mut buffers.scratch);
                    self.spread(buffers, output, kx, ky, &parts.wanted);
                }
            }
        }
        Ok(())
    }

    /// Eight lines along z of one channel, transformed, in `buffers.work`.
    fn along_z(&self, buffers: &mut Buffers, channel: usize, kx: usize, ky: usize, filled: &[usize]) {
        let [_, ny, _] = self.layout.shape;
        let (work, spectrum) = (&mut buffers.work[channel], &buffers.spectra[channel]);
        if filled.len() < self.layout.blocks() {
            work.fill(ZERO);
        }
        wide(
            #[inline(always)]
            || {
                for &block in filled {
                    let from = &spectrum[(block * self.half + kx) * ny..][ky..ny.min(ky + LANES)];
                    self.turn.transpose(from, &mut work[block * LANES..][..LANES]);
                }
            },
        );
        self.z.process(work, &mut buffers.scratch);
    }

    /// The sums back to the blocks of planes that are wanted.
    fn spread(&self, buffers: &mut Buffers, output: usize, kx: usize, ky: usize, wanted: &[usize]) {
        let [_, ny, _] = self.layout.shape;
        let (sums, spectrum) = (&buffers.sums, &mut buffers.spectra[output]);
        wide(
            #[inline(always)]
            || {
                for &block in wanted {
                    let to = &mut spectrum[(block * self.half + kx) * ny..][ky..ny.min(ky + LANES)];
                    self.turn.transpose(&sums[block * LANES..][..LANES], to);
                }
            },
        );
    }

    /// Back along y and x: `take` gets rows of eight planes of all outputs, and where in the layout they begin.
    pub(super) fn inverse(
        &self,
        buffers: &mut Buffers,
        parts: &Parts,
        mut take: impl FnMut(usize, &mut [Vec<f32>]),
        control: &Control,
    ) -> Result<()> {
        let [_, ny, _] = self.layout.shape;
        let plane = self.half * ny;
        let outputs = buffers.outputs[0].len();
        for &block in &parts.wanted {
            control.check()?;
            for spectrum in &mut buffers.spectra[..outputs] {
                for line in spectrum[block * plane..][..plane].chunks_exact_mut(ny) {
                    self.y.process(line, &mut buffers.scratch);
                }
            }
            for (pair, wanted) in parts.rows[block * ny..][..ny].chunks(2).enumerate() {
                if !wanted.contains(&true) {
                    continue;
                }
                let y = 2 * pair;
                for (output, spectrum) in buffers.spectra[..outputs].iter().enumerate() {
                    let line = &mut buffers.lines[output];
                    let spectrum = &spectrum[block * plane..][..plane];
                    wide(
                        #[inline(always)]
                        || together(spectrum, line, y, ny),
                    );
                    self.x.process(line, &mut buffers.scratch);
                    let [a, b] = &mut buffers.outputs;
                    let rows = a[output].chunks_exact_mut(LANES).zip(b[output].chunks_exact_mut(LANES));
                    for (value, (a, b)) in line.iter().zip(rows) {
                        a.copy_from_slice(&value.re.0);
                        b.copy_from_slice(&value.im.0);
                    }
                }
                for (j, rows) in buffers.outputs.iter_mut().enumerate() {
                    if wanted.get(j) == Some(&true) {
                        take((block * ny + y + j) * self.layout.row(), rows);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The transforms of two real rows from that of the complex row that they make, into the columns y and y + 1.
#[inline(always)]
fn apart(line: &[Complex], spectrum: &mut [Complex], y: usize, ny: usize) {
    for (kx, out) in spectrum.chunks_exact_mut(ny).enumerate() {
        let (here, mirror) = (line[kx], line[(line.len() - kx) % line.len()].conj());
        out[y] = (here + mirror) * 0.5;
        if let Some(second) = out.get_mut(y + 1) {
            let twice = here - mirror;
            *second = Complex {
                re: twice.im,
                im: twice.re * -1.0,
            } * 0.5;
        }
    }
}

/// The reverse: one complex row whose transform has the two real ones as its parts.
#[inline(always)]
fn together(spectrum: &[Complex], line: &mut [Complex], y: usize, ny: usize) {
    for (kx, from) in spectrum.chunks_exact(ny).enumerate() {
        let (a, b) = (from[y], from.get(y + 1).copied().unwrap_or(ZERO));
        line[(line.len() - kx) % line.len()] = Complex {
            re: a.re + b.im,
            im: b.re - a.im,
        };
        line[kx] = Complex {
            re: a.re - b.im,
            im: a.im + b.re,
        };
    }
}

/// `work target`, which takes the place of the sums or is added to them.
#[inline(always)]
fn multiply(sums: &mut [Complex], work: &[Complex], target: &[Complex], add: bool) {
    for ((sum, a), b) in sums.iter_mut().zip(work).zip(target) {
        *sum = if add { *sum + *a * *b } else { *a * *b };
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
