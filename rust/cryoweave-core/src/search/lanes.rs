//! Fourier transforms of eight lines side by side: each number is eight, one of each line.
//!
//! Every operation is then the same for all lanes, so that nothing is ever shuffled within a vector. With transforms of
//! one line at a time, most of the time goes into bringing lines of a box into rows.
use std::f64::consts::TAU;
use std::ops::{Add, Mul, Sub};

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
#[cfg(target_arch = "x86_64")]
use {pulp::x86::V3, std::arch::x86_64::__m256};

/// Lines side by side: f32 in the vectors of most machines.
pub(super) const LANES: usize = 8;

/// One number of each line.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
pub(super) struct Lanes(pub(super) [f32; LANES]);

/// One complex number of each line.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Complex {
    pub(super) re: Lanes,
    pub(super) im: Lanes,
}

pub(super) const ZERO: Complex = Complex {
    re: Lanes([0.0; LANES]),
    im: Lanes([0.0; LANES]),
};

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] += other.0[i];
        }
        self
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] -= other.0[i];
        }
        self
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] *= other.0[i];
        }
        self
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(mut self, by: f32) -> Self {
        for i in 0..LANES {
            self.0[i] *= by;
        }
        self
    }
}

impl Add for Complex {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }
}

impl Sub for Complex {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self {
            re: self.re - other.re,
            im: self.im - other.im,
        }
    }
}

impl Mul for Complex {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

impl Mul<f32> for Complex {
    type Output = Self;
    #[inline(always)]
    fn mul(self, by: f32) -> Self {
        Self {
            re: self.re * by,
            im: self.im * by,
        }
    }
}

impl Complex {
    #[inline(always)]
    pub(super) fn conj(self) -> Self {
        Self {
            re: self.re,
            im: self.im * -1.0,
        }
    }
}

/// Run a closure, to be marked `#[inline(always)]`, with the widest vectors of the machine.
#[inline(always)]
pub(super) fn wide<R>(run: impl FnMut() -> R) -> R {
    struct Wide<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Wide<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    Arch::new().dispatch(Wide(run))
}

/// Arithmetic with eight numbers in registers: compilers do not keep arrays there by themselves.
trait Registers: Copy {
    type Eight: Copy;
    fn load(self, values: Lanes) -> Self::Eight;
    fn store(self, values: Self::Eight) -> Lanes;
    fn add(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    fn sub(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    fn times(self, a: Self::Eight, by: f32) -> Self::Eight;
    /// `a by + c`.
    fn times_add(self, a: Self::Eight, by: f32, c: Self::Eight) -> Self::Eight;
}

#[cfg(target_arch = "x86_64")]
impl Registers for V3 {
    type Eight = __m256;
    #[inline(always)]
    fn load(self, values: Lanes) -> __m256 {
        pulp::cast(values.0)
    }
    #[inline(always)]
    fn store(self, values: __m256) -> Lanes {
        Lanes(pulp::cast(values))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_add_ps(a, b)
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_sub_ps(a, b)
    }
    #[inline(always)]
    fn times(self, a: __m256, by: f32) -> __m256 {
        self.avx._mm256_mul_ps(a, self.avx._mm256_set1_ps(by))
    }
    #[inline(always)]
    fn times_add(self, a: __m256, by: f32, c: __m256) -> __m256 {
        self.fma._mm256_fmadd_ps(a, self.avx._mm256_set1_ps(by), c)
    }
}

/// Where there are no such registers.
#[derive(Clone, Copy)]
struct Plain;

impl Registers for Plain {
    type Eight = Lanes;
    #[inline(always)]
    fn load(self, values: Lanes) -> Lanes {
        values
    }
    #[inline(always)]
    fn store(self, values: Lanes) -> Lanes {
        values
    }
    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        a - b
    }
    #[inline(always)]
    fn times(self, a: Lanes, by: f32) -> Lanes {
        a * by
    }
    #[inline(always)]
    fn times_add(self, a: Lanes, by: f32, c: Lanes) -> Lanes {
        a * by + c
    }
}

/// A complex number of each line in registers.
#[derive(Clone, Copy)]
struct Number<R: Registers> {
    with: R,
    re: R::Eight,
    im: R::Eight,
}

impl<R: Registers> Add for Number<R> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            with: self.with,
            re: self.with.add(self.re, other.re),
            im: self.with.add(self.im, other.im),
        }
    }
}

impl<R: Registers> Sub for Number<R> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self {
            with: self.with,
            re: self.with.sub(self.re, other.re),
            im: self.with.sub(self.im, other.im),
        }
    }
}

impl<R: Registers> Mul<f32> for Number<R> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, by: f32) -> Self {
        Self {
            with: self.with,
            re: self.with.times(self.re, by),
            im: self.with.times(self.im, by),
        }
    }
}

impl<R: Registers> Number<R> {
    #[inline(always)]
    fn load(with: R, value: Complex) -> Self {
        Self {
            with,
            re: with.load(value.re),
            im: with.load(value.im),
        }
    }

    #[inline(always)]
    fn store(self) -> Complex {
        Complex {
            re: self.with.store(self.re),
            im: self.with.store(self.im),
        }
    }

    /// Times a number of length 1 that is the same for all lines.
    #[inline(always)]
    fn turned(self, [re, im]: Root) -> Self {
        let with = self.with;
        Self {
            with,
            re: with.times_add(self.im, -im, with.times(self.re, re)),
            im: with.times_add(self.re, im, with.times(self.im, re)),
        }
    }

    /// `self by + other`.
    #[inline(always)]
    fn times_add(self, by: f32, other: Self) -> Self {
        let with = self.with;
        Self {
            with,
            re: with.times_add(self.re, by, other.re),
            im: with.times_add(self.im, by, other.im),
        }
    }

    /// `self − i other` and `self + i other`.
    #[inline(always)]
    fn quarters(self, other: Self) -> [Self; 2] {
        let with = self.with;
        let minus = Self {
            with,
            re: with.add(self.re, other.im),
            im: with.sub(self.im, other.re),
        };
        let plus = Self {
            with,
            re: with.sub(self.re, other.im),
            im: with.add(self.im, other.re),
        };
        [minus, plus]
    }
}

/// How eight numbers of eight lines are turned around.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    #[cfg(target_arch = "x86_64")]
    vectors: Option<V3>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            vectors: V3::try_new(),
        }
    }

    /// Lines become numbers and numbers lines; beyond `from` all is 0, and beyond `to` it is left out.
    #[inline(always)]
    pub(super) fn transpose(self, from: &[Complex], to: &mut [Complex]) {
        if let (Some(from), Some(to)) = (from.first_chunk(), to.first_chunk_mut()) {
            *to = self.block(from);
        } else {
            let mut whole = [ZERO; LANES];
            let (many, wanted) = (from.len().min(LANES), to.len().min(LANES));
            whole[..many].copy_from_slice(&from[..many]);
            to[..wanted].copy_from_slice(&self.block(&whole)[..wanted]);
        }
    }

    #[inline(always)]
    fn block(self, block: &[Complex; LANES]) -> [Complex; LANES] {
        let (mut re, mut im) = ([[0.0; LANES]; LANES], [[0.0; LANES]; LANES]);
        for i in 0..LANES {
            (re[i], im[i]) = (block[i].re.0, block[i].im.0);
        }
        let (re, im) = (self.real(re), self.real(im));
        let mut out = [ZERO; LANES];
        for i in 0..LANES {
            (out[i].re.0, out[i].im.0) = (re[i], im[i]);
        }
        out
    }

    #[inline(always)]
    fn real(self, rows: [[f32; LANES]; LANES]) -> [[f32; LANES]; LANES] {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.vectors {
            return shuffled(vectors, rows);
        }
        std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]))
    }
}

/// Three rounds that exchange neighbours, pairs and halves: compilers do not find them by themselves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn shuffled(vectors: V3, rows: [[f32; LANES]; LANES]) -> [[f32; LANES]; LANES] {
    let avx = vectors.avx;
    let rows: [__m256; LANES] = rows.map(pulp::cast);
    let (mut by_1, mut by_2, mut by_4) = (rows, rows, rows);
    for i in (0..LANES).step_by(2) {
        by_1[i] = avx._mm256_unpacklo_ps(rows[i], rows[i + 1]);
        by_1[i + 1] = avx._mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for i in [0, 1, 4, 5] {
        let first = i / 4 * 4 + 2 * (i % 4);
        by_2[first] = avx._mm256_shuffle_ps::<0b01_00_01_00>(by_1[i], by_1[i + 2]);
        by_2[first + 1] = avx._mm256_shuffle_ps::<0b11_10_11_10>(by_1[i], by_1[i + 2]);
    }
    for i in 0..LANES / 2 {
        by_4[i] = avx._mm256_permute2f128_ps::<0x20>(by_2[i], by_2[i + 4]);
        by_4[i + 4] = avx._mm256_permute2f128_ps::<0x31>(by_2[i], by_2[i + 4]);
    }
    by_4.map(pulp::cast)
}

/// Real and imaginary part of a number of length 1.
type Root = [f32; 2];

/// exp(−2πi k / n).
fn root(k: usize, n: usize) -> Root {
    let (sin, cos) = (-TAU * (k % n) as f64 / n as f64).sin_cos();
    [cos as f32, sin as f32]
}

/// Transforms of lines of one length.
pub(super) struct Fft {
    n: usize,
    passes: Vec<Pass>,
    #[cfg(target_arch = "x86_64")]
    vectors: Option<V3>,
}

/// One factor of the length (Stockham's order: what comes out is sorted).
struct Pass {
    radix: usize,
    /// Numbers beside each other that have the same roots.
    stride: usize,
    /// Of each of the `n / radix / stride` groups, one for each of its `radix` numbers.
    turns: Vec<Root>,
    /// Of the factor itself.
    roots: Vec<Root>,
}

impl Fft {
    pub(super) fn new(n: usize) -> Self {
        let (mut left, mut stride) = (n, 1);
        let mut passes = Vec::new();
        while left > 1 {
            let radix = [8, 4, 2, 3, 5].into_iter().find(|radix| left % radix == 0);
            let radix = radix.unwrap_or_else(|| (7..=left).step_by(2).find(|odd| left % odd == 0).unwrap_or(left));
            let groups = left / radix;
            passes.push(Pass {
                radix,
                stride,
                turns: (0..groups)
                    .flat_map(|p| (0..radix).map(move |j| root(p * j, left)))
                    .collect(),
                roots: (0..radix).map(|j| root(j, radix)).collect(),
            });
            (left, stride) = (groups, stride * radix);
        }
        Self {
            n,
            passes,
            #[cfg(target_arch = "x86_64")]
            vectors: V3::try_new(),
        }
    }

    /// Σ_x line(x) exp(−2πi k x / n) in place; `scratch` holds at least as many numbers.
    pub(super) fn process(&self, line: &mut [Complex], scratch: &mut [Complex]) {
        let (line, scratch) = (&mut line[..self.n], &mut scratch[..self.n]);
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.vectors {
            vectors.vectorize(Passes {
                passes: &self.passes,
                with: vectors,
                line,
                scratch,
            });
            return;
        }
        Passes {
            passes: &self.passes,
            with: Plain,
            line,
            scratch,
        }
        .call();
    }
}

struct Passes<'a, R> {
    passes: &'a [Pass],
    with: R,
    line: &'a mut [Complex],
    scratch: &'a mut [Complex],
}

impl<R: Registers> NullaryFnOnce for Passes<'_, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (at, pass) in self.passes.iter().enumerate() {
            if at % 2 == 0 {
                pass.run(self.with, self.line, self.scratch);
            } else {
                pass.run(self.with, self.scratch, self.line);
            }
        }
        if self.passes.len() % 2 == 1 {
            self.line.copy_from_slice(self.scratch);
        }
    }
}

impl Pass {
    #[inline(always)]
    fn run<R: Registers>(&self, with: R, from: &[Complex], to: &mut [Complex]) {
        let roots = &self.roots;
        match self.radix {
            2 => self.each(
                with,
                from,
                to,
                #[inline(always)]
                |[a, b]| [a + b, a - b],
            ),
            3 => self.each(
                with,
                from,
                to,
                #[inline(always)]
                |parts: [Number<R>; 3]| odd(parts, roots),
            ),
            4 => self.each(
                with,
                from,
                to,
                #[inline(always)]
                |parts| four(parts),
            ),
            5 => self.each(
                with,
                from,
                to,
                #[inline(always)]
                |parts: [Number<R>; 5]| odd(parts, roots),
            ),
            8 => self.each(
                with,
                from,
                to,
                #[inline(always)]
                |parts| eight(parts),
            ),
            _ => self.any(with, from, to),
        }
    }

    #[inline(always)]
    fn each<R: Registers, const N: usize>(
        &self,
        with: R,
        from: &[Complex],
        to: &mut [Complex],
        small: impl Fn([Number<R>; N]) -> [Number<R>; N],
    ) {
        let (stride, apart) = (self.stride, from.len() / N);
        let groups = to.chunks_exact_mut(N * stride).zip(self.turns.chunks_exact(N));
        for (p, (to, turns)) in groups.enumerate() {
            for q in 0..stride {
                let mut parts = [Number::load(with, from[p * stride + q]); N];
                for j in 1..N {
                    parts[j] = Number::load(with, from[j * apart + p * stride + q]);
                }
                let found = small(parts);
                to[q] = found[0].store();
                for j in 1..N {
                    to[j * stride + q] = if p == 0 { found[j] } else { found[j].turned(turns[j]) }.store();
                }
            }
        }
    }

    /// Any factor, as the definition says.
    #[inline(always)]
    fn any<R: Registers>(&self, with: R, from: &[Complex], to: &mut [Complex]) {
        let (radix, stride, apart) = (self.radix, self.stride, from.len() / self.radix);
        let groups = to.chunks_exact_mut(radix * stride).zip(self.turns.chunks_exact(radix));
        for (p, (to, turns)) in groups.enumerate() {
            for (k, (to, turn)) in to.chunks_exact_mut(stride).zip(turns).enumerate() {
                for (q, to) in to.iter_mut().enumerate() {
                    let mut sum = Number::load(with, ZERO);
                    for j in 0..radix {
                        let part = Number::load(with, from[j * apart + p * stride + q]);
                        sum = sum + part.turned(self.roots[j * k % radix]);
                    }
                    *to = sum.turned(*turn).store();
                }
            }
        }
    }
}

#[inline(always)]
fn four<R: Registers>([a, b, c, d]: [Number<R>; 4]) -> [Number<R>; 4] {
    let (even, odd) = (a + c, b + d);
    let [one, three] = (a - c).quarters(b - d);
    [even + odd, one, even - odd, three]
}

#[inline(always)]
fn eight<R: Registers>([a, b, c, d, e, f, g, h]: [Number<R>; 8]) -> [Number<R>; 8] {
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let even = four([a + e, b + f, c + g, d + h]);
    // (a − e) + (b − f) w − i (c − g) + (d − h) w³ with w = exp(−πi/4), and its like.
    let [first, third] = (a - e).quarters(c - g);
    let one = (b - f).turned([half, -half]);
    let three = (d - h).turned([-half, -half]);
    let (sum, difference) = (one + three, one - three);
    let [second, fourth] = third.quarters(difference);
    [
        even[0],
        first + sum,
        even[1],
        second,
        even[2],
        first - sum,
        even[3],
        fourth,
    ]
}

/// An odd factor: numbers that are mirrored have the same cosine and opposite sines.
#[inline(always)]
fn odd<R: Registers, const N: usize>(parts: [Number<R>; N], roots: &[Root]) -> [Number<R>; N] {
    let mut found = [parts[0]; N];
    for j in 1..=N / 2 {
        found[0] = found[0] + parts[j] + parts[N - j];
    }
    for k in 1..=N / 2 {
        let [cos, sin] = roots[k];
        let mut even = (parts[1] + parts[N - 1]).times_add(cos, parts[0]);
        let mut sine = (parts[1] - parts[N - 1]) * -sin;
        for j in 2..=N / 2 {
            let [cos, sin] = roots[j * k % N];
            even = (parts[j] + parts[N - j]).times_add(cos, even);
            sine = (parts[j] - parts[N - j]).times_add(-sin, sine);
        }
        [found[k], found[N - k]] = even.quarters(sine);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::array::from_fn;

    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn transforms_are_those_of_the_definition() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in (1..=40).chain([49, 60, 64, 72, 80, 96, 121, 128]) {
            let line: Vec<Complex> = (0..n)
                .map(|_| Complex {
                    re: Lanes(from_fn(|_| rng.random::<f32>() - 0.5)),
                    im: Lanes(from_fn(|_| rng.random::<f32>() - 0.5)),
                })
                .collect();
            let mut found = line.clone();
            Fft::new(n).process(&mut found, &mut vec![ZERO; n]);
            for (k, found) in found.iter().enumerate() {
                for lane in 0..LANES {
                    let (mut re, mut im) = (0.0, 0.0);
                    for (x, value) in line.iter().enumerate() {
                        let (sin, cos) = (-TAU * (k * x % n) as f64 / n as f64).sin_cos();
                        let (a, b) = (f64::from(value.re.0[lane]), f64::from(value.im.0[lane]));
                        re += a * cos - b * sin;
                        im += a * sin + b * cos;
                    }
                    let away = (re - f64::from(found.re.0[lane])).hypot(im - f64::from(found.im.0[lane]));
                    assert!(away < 1e-5, "{n} {k} {lane} {away}");
                }
            }
        }
    }

    #[test]
    fn a_transposed_block_has_its_rows_as_columns() {
        let block: [Complex; LANES] = from_fn(|i| Complex {
            re: Lanes(from_fn(|j| (8 * i + j) as f32)),
            im: Lanes(from_fn(|j| -((8 * i + j) as f32))),
        });
        let (mut found, mut cut) = ([ZERO; LANES], [ZERO; 3]);
        Turn::new().transpose(&block, &mut found);
        Turn::new().transpose(&block[..5], &mut cut);
        for (j, row) in block.iter().enumerate() {
            for i in 0..LANES {
                assert_eq!((found[i].re.0[j], found[i].im.0[j]), (row.re.0[i], row.im.0[i]));
            }
            for (i, number) in cut.iter().enumerate() {
                assert_eq!(number.re.0[j], if j < 5 { row.re.0[i] } else { 0.0 });
            }
        }
    }
}
