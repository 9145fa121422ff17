//! Jensen-Shannon divergences in the mode `fast`: a second visit of the row pair that [`super::read`] has summed up, whose columns
//! all lie near the maxima.
//!
//! With M = w a + (1 - w) b a column takes one logarithm, that of M, and two terms: a (log a - log M) and b (log b - log M). They
//! are right to some units of rounding of the logarithms, so that a small divergence is none for this mode.
use super::*;
use crate::rows::bits;

/// Smaller divergences go the way of `portable`, which keeps their digits and gives 0 for equal rows.
pub(super) const LEAST: f64 = 1.0 / 4096.0;

/// 1 / c and log c of the middles c of the eighths of [1, 2), as their bits; the logarithm is that of the rounded inverse.
const INVERSE: [u32; 8] =
    [0x3f70_f0f1, 0x3f57_9436, 0x3f43_0c31, 0x3f32_1643, 0x3f23_d70a, 0x3f17_b426, 0x3f0d_3dcb, 0x3f04_2108];
const LOG: [u32; 8] =
    [0x3d78_5185, 0x3e2f_f983, 0x3e8b_3ae5, 0x3eb9_cebf, 0x3ee4_7fbf, 0x3f05_f397, 0x3f18_3eba, 0x3f29_516a];
/// log x of normal numbers > 0, within 2^-26 beside the rounding of the result; finite for every other x >= 0.
#[inline(always)]
fn log<S: Sixteen, const N: usize>(s: S, x: [V<S>; N]) -> [V<S>; N] {
    let (mut f, mut c, mut p, mut e) = (x, x, x, x);
    for i in 0..N {
        // the exponent behind 2^23, which makes it a number
        e[i].0 = s.ior(s.shr::<23>(x[i].0), bits(s, 0x4b00_0000));
        let eighth = s.shr::<20>(x[i].0);
        f[i].0 = s.ior(s.iand(x[i].0, bits(s, 0x007f_ffff)), bits(s, 0x3f80_0000));
        p[i].0 = s.lookup(eighth, &INVERSE);
        c[i].0 = s.lookup(eighth, &LOG);
    }
    for i in 0..N {
        e[i] = e[i] - splat(s, 8_388_608.0 + 127.0);
        f[i] = fma(f[i], p[i], splat(s, -1.0));
    }
    // log(1 + f), |f| <= 1 / 17
    for i in 0..N {
        p[i] = fma(f[i], splat(s, 0.2), splat(s, -0.25));
        c[i] = fma(e[i], splat(s, core::f32::consts::LN_2), c[i]);
    }
    for i in 0..N {
        p[i] = fma(p[i], f[i], splat(s, 1.0 / 3.0));
    }
    for i in 0..N {
        p[i] = fma(p[i], f[i], splat(s, -0.5));
    }
    for i in 0..N {
        p[i] = c[i] + fma(p[i], f[i] * f[i], f[i]);
    }
    p
}
/// What the columns of a row pair are made of.
#[derive(Clone, Copy)]
struct Middle<S: Sixteen> {
    of: [Origin<S>; 2],
    /// Factors of the exponentials.
    scale: [V<S>; 2],
    /// Maxima, and what log a and log b are less than the columns less these: two steps, so that an offset of all columns costs
    /// nothing.
    m: [V<S>; 2],
    log: [V<S>; 2],
    w: [V<S>; 2],
}
impl<S: Sixteen> Middle<S> {
    /// Of maxima, log sums less the maxima, and weights.
    #[inline(always)]
    fn new(s: S, m: [f32; 2], l: [f64; 2], w: [f32; 2]) -> Self {
        let scale = |side: usize| (Real::exp(-l[side]) / Origin::<S>::own(m[side])) as f32;
        Middle {
            of: [Origin::new(s, m[0]), Origin::new(s, m[1])],
            scale: [splat(s, scale(0)), splat(s, scale(1))],
            m: [splat(s, m[0]), splat(s, m[1])],
            log: [splat(s, l[0] as f32), splat(s, l[1] as f32)],
            w: [splat(s, w[0]), splat(s, w[1])],
        }
    }
    /// a, b and log M of columns that are finite and above [`Origin::low`].
    #[inline(always)]
    fn at<const N: usize>(&self, s: S, x: [[V<S>; N]; 2]) -> ([[V<S>; N]; 2], [V<S>; N]) {
        let mut p = x;
        for side in 0..2 {
            let [w, q] = self.of[side].exp_parts(s, x[side]);
            for i in 0..N {
                p[side][i] = w[i] * q[i] * self.scale[side];
            }
        }
        let mut m = p[0];
        for i in 0..N {
            m[i] = fma(p[0][i], self.w[0], p[1][i] * self.w[1]);
        }
        (p, log(s, m))
    }
}
/// Sums of a (log a - log M) and b (log b - log M).
#[derive(Clone, Copy)]
struct Terms<S: Sixteen> {
    of: Middle<S>,
    total: [[V<S>; 2]; 2],
    block: [[V<S>; 2]; 2],
}
impl<S: Sixteen> Terms<S> {
    /// N vectors of columns of both sides; of the LAST few each times `live`, which is 0 where there is none.
    #[inline(always)]
    fn add<const N: usize, const LAST: bool>(&mut self, s: S, x: [[V<S>; N]; 2], live: [V<S>; N]) {
        let (mut p, m) = self.of.at(s, x);
        for side in 0..2 {
            if LAST {
                for i in 0..N {
                    p[side][i] = p[side][i] * live[i];
                }
            }
            for i in 0..N {
                let e = ((x[side][i] - self.of.m[side]) - self.of.log[side]) - m[i];
                let to = &mut self.block[side][i % 2];
                *to = fma(p[side][i], e, *to);
            }
        }
    }
    /// Chunks of both halves of a block.
    #[inline(always)]
    fn block<T: Cell, const SCALED: bool>(
        &mut self,
        s: S,
        [a, b]: [&[[T; 32]]; 2],
        factors: [V<S>; 2],
        ends: [usize; 2],
    ) {
        let more = [inside(a, BLOCK, ends[0]), inside(b, BLOCK, ends[1])];
        let ((a0, a1), (b0, b1)) = (a.split_at(a.len() / 2), b.split_at(b.len() / 2));
        for ((a0, a1), (b0, b1)) in a0.iter().zip(a1).zip(b0.iter().zip(b1)) {
            prefetch(a0, BLOCK, more[0]);
            prefetch(a1, BLOCK, more[0]);
            prefetch(b0, BLOCK, more[1]);
            prefetch(b1, BLOCK, more[1]);
            let ([x0, x1], [y0, y1]) =
                (both::<S, T, SCALED>(s, a0, b0, factors), both::<S, T, SCALED>(s, a1, b1, factors));
            if S::ROOMY {
                let x = [[x0[0], x0[1], y0[0], y0[1]], [x1[0], x1[1], y1[0], y1[1]]];
                self.add::<4, false>(s, x, x[0]);
            } else {
                self.add::<2, false>(s, [x0, x1], x0);
                self.add::<2, false>(s, [y0, y1], y0);
            }
        }
        for (a, b) in a1[a0.len()..].iter().zip(&b1[b0.len()..]) {
            let x = both::<S, T, SCALED>(s, a, b, factors);
            self.add::<2, false>(s, x, x[0]);
        }
        self.close(s);
    }
    #[inline(always)]
    fn close(&mut self, s: S) {
        for side in 0..2 {
            for i in 0..2 {
                self.total[side][i] = self.total[side][i] + self.block[side][i];
            }
        }
        self.block = [[splat(s, 0.0); 2]; 2];
    }
}
/// KL(a || M) and KL(b || M) of a row pair with these records, each column times a factor if SCALED; `w` is the weight of a.
#[inline(never)]
pub(super) fn means<S: Sixteen, T: Cell, const SCALED: bool>(
    s: S,
    x: [&[T]; 2],
    factors: [f32; 2],
    ends: [usize; 2],
    sides: &[Record; 2],
    w: [f32; 2],
) -> [f64; 2] {
    s.enter(
        #[inline(always)]
        || {
            let zero = [[splat(s, 0.0); 2]; 2];
            let of = Middle::new(s, [sides[0].m, sides[1].m], [sides[0].log_sum(), sides[1].log_sum()], w);
            let mut terms = Terms { of, total: zero, block: zero };
            let by = [splat(s, factors[0]), splat(s, factors[1])];
            let (a, b) = (x[0].as_chunks::<32>().0, x[1].as_chunks::<32>().0);
            for (a, b) in a.chunks(BLOCK / 32).zip(b.chunks(BLOCK / 32)) {
                terms.block::<T, SCALED>(s, [a, b], by, ends);
            }
            if x[0].len() > 32 * a.len() {
                let (last, live) = last::<S, T, SCALED>(s, x, factors);
                let x = [f32::load(s, &last[0]), f32::load(s, &last[1])];
                terms.add::<2, true>(s, x, f32::load(s, &live));
                terms.close(s);
            }
            [T::sum(s, terms.total[0]) as f64, T::sum(s, terms.total[1]) as f64]
        },
    )
}
/// Gradients of the divergence of a and b: `c_a a (log a - log M - w_a - mean_a)`, and that of b alike.
pub(in crate::divergence) struct Gradients<S: Sixteen> {
    of: Middle<S>,
    low: [V<S>; 2],
    c: [V<S>; 2],
    /// What the probabilities of a side lose.
    hard: Option<(usize, f32)>,
}
impl<S: Sixteen> Gradients<S> {
    #[inline(always)]
    pub(in crate::divergence) fn new(s: S, k: &Pair, hard: Option<(usize, f32)>) -> Self {
        let mut of = Middle::new(s, k.m, [k.l[0] as f64, k.l[1] as f64], k.p);
        for side in 0..2 {
            let mean = k.w[side] as f64 + k.mean[side] as f64;
            of.log[side] = splat(s, (k.l[side] as f64 + mean) as f32);
        }
        Gradients {
            of,
            low: [splat(s, Origin::<S>::low(k.m[0])), splat(s, Origin::<S>::low(k.m[1]))],
            c: [splat(s, k.c[0]), splat(s, k.c[1])],
            hard,
        }
    }
}
impl<S: Sixteen> Maker<S> for Gradients<S> {
    #[inline(always)]
    fn make<const N: usize>(&self, s: S, x: [[V<S>; N]; 2]) -> [[V<S>; N]; 2] {
        let mut z = x;
        for side in 0..2 {
            for i in 0..N {
                z[side][i] = self.low[side].larger(x[side][i]);
            }
        }
        let (p, m) = self.of.at(s, z);
        let mut g = p;
        for side in 0..2 {
            for i in 0..N {
                let e = ((z[side][i] - self.of.m[side]) - self.of.log[side]) - m[i];
                g[side][i] = p[side][i] * e * self.c[side];
            }
        }
        if let Some((side, h)) = self.hard {
            for i in 0..N {
                g[side][i] = g[side][i] - p[side][i] * splat(s, h);
            }
        }
        g
    }
}
