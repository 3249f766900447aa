//! Fourier transforms of eight lines side by side: each number is eight, one of each line.
//!
//! Every operation is then the same for all lanes, so that nothing is ever shuffled within a vector. With transforms of
//! one line at a time, most of the time goes into bringing lines of a box into rows.
use std::f64::consts::TAU;

use pulp::NullaryFnOnce;
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

use super::lanes::{Complex, Number, Plain, Registers, Root, ZERO};

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

    use rand::{Rng, SeedableRng};

    use super::super::lanes::{LANES, Lanes};
    use super::*;

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
}
