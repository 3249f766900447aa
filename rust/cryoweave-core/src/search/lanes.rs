//! Eight numbers side by side, one of each of eight lines: in memory, in registers, and turned around.
use std::ops::{Add, Mul, Sub};

use pulp::{Arch, Simd, WithSimd};
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
pub(super) trait Registers: Copy {
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
pub(super) struct Plain;

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
pub(super) struct Number<R: Registers> {
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
    pub(super) fn load(with: R, value: Complex) -> Self {
        Self {
            with,
            re: with.load(value.re),
            im: with.load(value.im),
        }
    }

    #[inline(always)]
    pub(super) fn store(self) -> Complex {
        Complex {
            re: self.with.store(self.re),
            im: self.with.store(self.im),
        }
    }

    /// Times a number of length 1 that is the same for all lines.
    #[inline(always)]
    pub(super) fn turned(self, [re, im]: Root) -> Self {
        let with = self.with;
        Self {
            with,
            re: with.times_add(self.im, -im, with.times(self.re, re)),
            im: with.times_add(self.re, im, with.times(self.im, re)),
        }
    }

    /// `self by + other`.
    #[inline(always)]
    pub(super) fn times_add(self, by: f32, other: Self) -> Self {
        let with = self.with;
        Self {
            with,
            re: with.times_add(self.re, by, other.re),
            im: with.times_add(self.im, by, other.im),
        }
    }

    /// `self − i other` and `self + i other`.
    #[inline(always)]
    pub(super) fn quarters(self, other: Self) -> [Self; 2] {
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
pub(super) type Root = [f32; 2];

#[cfg(test)]
mod tests {
    use std::array::from_fn;

    use super::*;

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
            for (i, number) in found.iter().enumerate() {
                assert_eq!((number.re.0[j], number.im.0[j]), (row.re.0[i], row.im.0[i]));
            }
            for (i, number) in cut.iter().enumerate() {
                assert_eq!(number.re.0[j], if j < 5 { row.re.0[i] } else { 0.0 });
            }
        }
    }
}
