//! The formulas of every divergence, over [`Real`]: one column of two rows of logits at a time.
//!
//! The two sides are called a and b, in the order of the definition: forward_kl is KL(a || b) with the teacher as a, and
//! reverse_kl the same with the student as a. a and b are probabilities, d = log a - log b.
use crate::real::Real;
use crate::record::{BLOCK, CHAINS, RowFloat, clamp_row, combine, exp_row};

/// Constants of a row, in f32: what the sums and gradients of its columns read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pair {
    /// Maxima of a and b.
    pub m: [f32; 2],
    /// Their log sum exp less the maximum.
    pub l: [f32; 2],
    /// e^-l
    pub scale: [f32; 2],
    /// l of a less l of b: d = r - gamma.
    pub gamma: f32,
    /// Parameters of the form.
    pub p: [f32; 2],
    /// Log ratio without normalisers at the largest columns of a and of b.
    pub r: [f32; 2],
    /// Weights there, as [`Formula::anchors`] gives them.
    pub w: [f32; 2],
    /// What else it gives.
    pub s: [f32; 2],
    /// And more.
    pub t: [f32; 2],
    /// Means of the weights relative to `w`, under a and under b.
    pub mean: [f32; 2],
    /// Factors of the weighted terms of both gradients.
    pub c: [f32; 2],
    /// Factors of a - b in them.
    pub e: [f32; 2],
    /// What the values found, as [`crate::divergence::Form::finish`] gives it.
    pub x: [f32; 4],
}
impl Pair {
    /// Whether logits are subtracted before their maxima: exact for rows that are nearly alike, while the other way is for
    /// rows with different offsets.
    #[inline(always)]
    pub fn near(&self) -> bool {
        (self.m[0] - self.m[1]).abs() <= 1.0
    }
    /// The log ratio of the transformed logits without normalisers; `-inf` or `+inf` where a or b alone is dead, 0 where
    /// both are.
    #[inline(always)]
    pub fn ratio<R: Real>(&self, xa: R, xb: R) -> R {
        with_dead(self.finite_ratio(xa, xb))
    }
    #[inline(always)]
    fn finite_ratio<R: Real>(&self, xa: R, xb: R) -> R {
        let (ma, mb) = (like(xa, self.m[0]), like(xa, self.m[1]));
        if self.near() { (xa - xb) - (ma - mb) } else { (xa - ma) - (xb - mb) }
    }
    /// A column from its transformed logits and e^(x - m) of both sides.
    #[inline(always)]
    pub fn column<R: Real>(&self, x: [R; 2], exp: [R; 2]) -> Column<R> {
        let r = self.ratio(x[0], x[1]);
        self.column_of(x, exp, r, false)
    }
    /// The same of a column that is live on both sides and no further below their maxima than [`crate::record::EXP_LOW`]:
    /// fewer cases, the same bits.
    #[inline(always)]
    pub fn finite_column<R: Real>(&self, x: [R; 2], exp: [R; 2]) -> Column<R> {
        let r = self.finite_ratio(x[0], x[1]);
        self.column_of(x, exp, r, true)
    }
    #[inline(always)]
    fn column_of<R: Real>(&self, x: [R; 2], exp: [R; 2], r: R, finite: bool) -> Column<R> {
        let [xa, xb] = x;
        Column {
            p: [exp[0] * like(xa, self.scale[0]), exp[1] * like(xa, self.scale[1])],
            log: [(xa - like(xa, self.m[0])) - like(xa, self.l[0]), (xb - like(xa, self.m[1])) - like(xa, self.l[1])],
            r,
            d: r - like(xa, self.gamma),
            x,
            finite,
        }
    }
    /// A column of the plain form.
    pub fn plain(&self, xa: f32, xb: f32) -> Column<f32> {
        self.column([xa, xb], [exp_row(clamp_row(xa - self.m[0])), exp_row(clamp_row(xb - self.m[1]))])
    }
}
/// [`Pair::ratio`] where the maxima are lanes too.
#[inline(always)]
pub fn ratio<R: Real>(xa: R, xb: R, ma: R, mb: R) -> R {
    let near = (xa - xb) - (ma - mb);
    let r = (ma - mb).abs().select_le(xa.lit(1.0), near, (xa - ma) - (xb - mb));
    with_dead(r)
}
/// The log ratio is infinite by itself where a or b alone is dead, and no number where both are.
#[inline(always)]
fn with_dead<R: Real>(r: R) -> R {
    r.select_le(r.lit(f64::INFINITY), r, r.lit(0.0))
}
/// A constant beside `x`.
#[inline(always)]
fn like<R: Real>(x: R, v: f32) -> R {
    x.lit(v as f64)
}
#[inline(always)]
fn limit<R: Real>(x: R, top: R) -> R {
    x.at_most(top).at_least(-top)
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column<R> {
    /// Probabilities of a and b; exactly 0 where dead.
    pub p: [R; 2],
    /// Their logarithms.
    pub log: [R; 2],
    /// log a - log b without normalisers.
    pub r: R,
    /// log a - log b.
    pub d: R,
    /// Transformed logits.
    pub x: [R; 2],
    /// It comes from [`Pair::finite_column`], so that d is below 200 in absolute value.
    pub finite: bool,
}
impl<R: Real> Column<R> {
    /// a - b without cancellation.
    #[inline(always)]
    pub fn delta(&self) -> R {
        difference(self.p[0], self.p[1], self.d)
    }
}
/// a - b = sign(e) max(a, b) (1 - e^-|e|), e = log a - log b.
#[inline(always)]
pub fn difference<R: Real>(a: R, b: R, e: R) -> R {
    let (zero, top) = (a.lit(0.0), a.lit(f32::MAX as f64));
    let e = limit(e, top);
    let part = -(-e.abs()).expm1();
    zero.select_lt(e, a * part, -(b * part))
}
/// The term a e + b - a >= 0 of KL(a || b), e = log a - log b. F(0, b) = b, F(a, 0) = inf, F(0, 0) = 0.
#[inline(always)]
pub fn term<R: Real>(a: R, b: R, e: R) -> R {
    term_and_difference(a, b, e, false)[0]
}
/// [`term`], and a - b, which is a e less it. `finite`: e is.
#[inline(always)]
pub fn term_and_difference<R: Real>(a: R, b: R, e: R, finite: bool) -> [R; 2] {
    if finite {
        let (product, apart) = (a * e, a - b);
        let (near, far) = (a * (-e).exp_rem_near(), product - apart);
        // e^2 < 1/4 where |e| < 1/2: rounding keeps the order, and the square is there already
        let (size, quarter) = (e * e, a.lit(0.25));
        return [size.select_lt(quarter, near, far), size.select_lt(quarter, product - near, apart)];
    }
    let (half, low, inf) = (a.lit(0.5), a.lit(-f32::MAX as f64), a.lit(f64::INFINITY));
    // a is 0 below; above the value is infinite whatever the product is
    let (product, apart) = (a * e.at_least(low), a - b);
    let (near, far) = (a * (-e).exp_rem_near(), product - apart);
    let size = e.abs();
    let x = size.select_lt(half, near, far);
    [inf.select_le(e, inf, x), size.select_lt(half, product - near, apart)]
}
/// log a - log(w a + (1 - w) b): -log1p((1 - w)(e^-d - 1)), and d - log1p(w (e^d - 1)) where e^-d is too large. Finite.
#[inline(always)]
pub fn mix<R: Real>(d: R, w: R, rest: R) -> R {
    let (cut, top) = (d.lit(-64.0), d.lit(f32::MAX as f64));
    let d = limit(d, top);
    let e = d.select_lt(cut, d, -d).expm1();
    let l = (d.select_lt(cut, w, rest) * e).log1p();
    d.select_lt(cut, d - l, -l)
}
/// Where d = log a - log b leads to from M = w a + rest b, rest = 1 - w.
struct Middle<R> {
    /// log a - log M, log b - log M; finite. The second has an error of d's rounding.
    log: [R; 2],
    /// e^-d - 1, and e^d - 1 where `below`.
    step: R,
    /// d
    d: R,
}
impl<R: Real> Middle<R> {
    /// d from which on a is the larger or little below.
    const CUT: f64 = -1.0;
    #[inline(always)]
    fn new(d: R, w: R, rest: R) -> Middle<R> {
        let (cut, top) = (d.lit(Self::CUT), d.lit(f32::MAX as f64));
        let d = limit(d, top);
        let step = d.select_lt(cut, d, -d).expm1();
        let l = (d.select_lt(cut, w, rest) * step).log1p();
        Middle { log: [d.select_lt(cut, d - l, -l), d.select_lt(cut, -l, -l - d)], step, d }
    }
    /// a - b without cancellation.
    #[inline(always)]
    fn delta(&self, a: R, b: R) -> R {
        self.d.select_lt(self.d.lit(Self::CUT), b * self.step, -(a * self.step))
    }
}
/// log of a^s b^(1 - s); `-inf` where both are dead.
#[inline(always)]
pub fn power<R: Real>(c: &Column<R>, s: R, rest: R) -> R {
    let zero = s.lit(0.0);
    zero.select_lt(c.d, c.log[0] - rest * c.d, c.log[1] + s * c.d)
}
/// s a + (1 - s) b - a^s b^(1 - s) without cancellation.
#[inline(always)]
pub fn psi<R: Real>(c: &Column<R>, s: R, rest: R) -> R {
    let (zero, one, [a, b]) = (s.lit(0.0), s.lit(1.0), c.p);
    let size = c.d.abs();
    let most = one.max(s.abs()).max(rest.abs());
    let up = zero.select_lt(c.d, rest, s);
    let near = zero.select_lt(c.d, a, b) * (up * (-size).exp_rem() - (-(up * size)).exp_rem());
    let far = (s * a + rest * b) - power(c, s, rest).exp();
    (size * most).select_le(s.lit(8.0), near, far)
}
/// `x` where `weight` > 0, else 0: a weight of 0 beside an infinite factor counts as 0.
#[inline(always)]
fn live<R: Real>(weight: R, x: R) -> R {
    let zero = weight.lit(0.0);
    zero.select_lt(weight, x, zero)
}
/// p (s^d - s^dk) as p times a difference near the anchor, as a difference of products far from it. `step` is the exponent's
/// distance from the anchor, `product` the logarithm of p s^d.
#[inline(always)]
fn exponential<R: Real>(p: R, step: R, anchor: f32, product: R) -> R {
    let at = like(p, anchor);
    step.abs().select_lt(p.lit(1.0), p * at * step.expm1(), product.exp() - p * at)
}

/// A divergence D of a and b. Its gradient with respect to the transformed logits of a is c_0 (v_a - a mean_a) + e_0 (a - b),
/// v_a = a (w_j - w_k), where k is the largest column of a, and that of b alike: differences to the largest column keep
/// the gradient of a nearly certain row.
pub trait Formula {
    /// Sums that the value takes, at most 5.
    const SUMS: usize;
    /// The value needs the exact normalisers.
    const EXACT: bool = false;
    /// The means of the weights need what the values found, or a visit of their own.
    const LATE: bool = false;
    /// Whether there are weighted terms of a and b.
    const WEIGHTS: [bool; 2] = [true; 2];
    /// Whether a - b is part of the gradients.
    const DELTA: bool = false;
    /// The value divides by the chain rule: that of a set is the sum over its parts of [`Formula::sums`] at the parts' masses
    /// and of [`Formula::inner`] times the value inside the part.
    const CHAIN: bool = false;
    /// Factors of the values inside a part with the masses `c`.
    #[inline(always)]
    fn inner<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
        [c.p[0], c.d.lit(0.0)]
    }
    /// What the columns add to the sums.
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5];
    /// The same, and a - b.
    #[inline(always)]
    fn sums_and_delta<R: Real>(k: &Pair, c: &Column<R>) -> ([R; 5], R) {
        (Self::sums(k, c), c.delta())
    }
    /// v_a and v_b.
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2];
    /// `w`, `s` and `t` of a pair from the columns with the largest a and the largest b.
    fn anchors(k: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3];
    /// Gradients.
    #[inline(always)]
    fn gradient<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let zero = c.d.lit(0.0);
        let mut g = [zero; 2];
        let v = Self::weighted(k, c);
        let delta = if Self::DELTA { c.delta() } else { zero };
        for i in 0..2 {
            if Self::WEIGHTS[i] {
                g[i] = (v[i] - c.p[i] * like(zero, k.mean[i])) * like(zero, k.c[i]);
            }
            if Self::DELTA {
                g[i] = g[i] + delta * like(zero, k.e[i]);
            }
        }
        g
    }
}
/// Weights w of a and b to v.
#[inline(always)]
fn relative<R: Real>(k: &Pair, c: &Column<R>, w: [R; 2]) -> [R; 2] {
    let [a, b] = w;
    [live(c.p[0], c.p[0] * (a - like(a, k.w[0]))), live(c.p[1], c.p[1] * (b - like(b, k.w[1])))]
}
macro_rules! relative {
    ($w:path) => {
        #[inline(always)]
        fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
            relative(k, c, $w(k, c))
        }
        fn anchors(k: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
            [[$w(k, c[0])[0], $w(k, c[1])[1]], [0.0; 2], [0.0; 2]]
        }
    };
}
#[inline(always)]
fn one<R: Real>(x: R) -> [R; 5] {
    let zero = x.lit(0.0);
    [x, zero, zero, zero, zero]
}

/// KL(a || b)
#[derive(Debug)]
pub struct Kl;
#[inline(always)]
fn kl_weights<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
    [c.r, -c.r]
}
impl Formula for Kl {
    const SUMS: usize = 1;
    const WEIGHTS: [bool; 2] = [true, false];
    const DELTA: bool = true;
    const CHAIN: bool = true;
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        one(term(c.p[0], c.p[1], c.d))
    }
    #[inline(always)]
    fn sums_and_delta<R: Real>(_: &Pair, c: &Column<R>) -> ([R; 5], R) {
        let [x, delta] = term_and_difference(c.p[0], c.p[1], c.d, c.finite);
        (one(x), delta)
    }
    relative!(kl_weights);
}
/// p_0 KL(a || b) + p_1 KL(b || a)
#[derive(Debug)]
pub struct TwoWay;
impl Formula for TwoWay {
    const SUMS: usize = 2;
    const DELTA: bool = true;
    const CHAIN: bool = true;
    #[inline(always)]
    fn inner<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
        c.p
    }
    #[inline(always)]
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5] {
        Self::sums_and_delta(k, c).0
    }
    #[inline(always)]
    fn sums_and_delta<R: Real>(k: &Pair, c: &Column<R>) -> ([R; 5], R) {
        let (f, r, zero) = (like(c.d, k.p[0]), like(c.d, k.p[1]), c.d.lit(0.0));
        let [x, delta] = term_and_difference(c.p[0], c.p[1], c.d, c.finite);
        ([f * x, r * term_and_difference(c.p[1], c.p[0], -c.d, c.finite)[0], zero, zero, zero], delta)
    }
    relative!(kl_weights);
}
/// log a - log M, M = w a + (1 - w) b, less that of an anchor: with `step` the log ratio d relative to the anchor it is
/// -log1p(share (e^-step - 1)), where `share` is that of b in the anchor's M. Far from the anchor, and where that is dead on
/// one side, it is log a - log M itself; near it `key` is below [`NEAR`].
#[inline(always)]
fn to_middle<R: Real>(d: R, step: R, share: f32, w: R, rest: R) -> [R; 2] {
    let cut = d.lit(NEAR);
    // beyond it the share and e^-step leave too little of 1
    let share = like(d, share);
    let high = share.select_lt(d.lit(0.5), cut, d.lit(4.0));
    let key = step.select_lt(high, step.abs(), cut);
    [key, mix(key.select_lt(cut, step, d), w, key.select_lt(cut, share, rest))]
}
/// Log ratios that count as near an anchor's.
const NEAR: f64 = 32.0;
/// Share (1 - w) b / M of b in M = w a + (1 - w) b, d = log a - log b.
fn share(d: f32, w: f32, rest: f32) -> f32 {
    let (w, rest, e) = (w as f64, rest as f64, Real::exp(-(d as f64)));
    if e == f64::INFINITY { 1.0 } else { (rest * e / (w + rest * e)) as f32 }
}
/// p_0 KL(a || M) + p_1 KL(b || M), M = p_0 a + p_1 b, p_1 = 1 - p_0
#[derive(Debug)]
pub struct Jsd;
#[inline(always)]
fn jsd_weights<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
    let (w, rest) = (like(c.d, k.p[0]), like(c.d, k.p[1]));
    [mix(c.d, w, rest), mix(-c.d, rest, w)]
}
impl Formula for Jsd {
    const SUMS: usize = 1;
    #[inline(always)]
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5] {
        Self::sums_and_delta(k, c).0
    }
    #[inline(always)]
    fn sums_and_delta<R: Real>(k: &Pair, c: &Column<R>) -> ([R; 5], R) {
        let (w, rest, [a, b]) = (like(c.d, k.p[0]), like(c.d, k.p[1]), c.p);
        let m = Middle::new(c.d, w, rest);
        let ([ea, eb], wa, wb) = (m.log, w * a, rest * b);
        // what M adds to one term it takes from the other
        let near = wa * (-ea).exp_rem_near() + wb * (-eb).exp_rem_near();
        let x = c.d.abs().select_lt(c.d.lit(0.5), near, wa * ea + wb * eb);
        (one(x), m.delta(a, b))
    }
    #[inline(always)]
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let (w, rest, cut, [a, b]) = (like(c.d, k.p[0]), like(c.d, k.p[1]), c.d.lit(NEAR), c.p);
        let [key_a, xa] = to_middle(c.d, c.r - like(c.r, k.r[0]), k.s[0], w, rest);
        let [key_b, xb] = to_middle(-c.d, like(c.r, k.r[1]) - c.r, k.s[1], rest, w);
        let va = key_a.select_lt(cut, xa, xa - like(xa, k.w[0]));
        let vb = key_b.select_lt(cut, xb, xb - like(xb, k.w[1]));
        [live(a, a * va), live(b, b * vb)]
    }
    fn anchors(k: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        let [w, rest] = k.p;
        let other = [share(c[0].d, w, rest), share(-c[1].d, rest, w)];
        [[jsd_weights(k, c[0])[0], jsd_weights(k, c[1])[1]], other, [0.0; 2]]
    }
}
/// KL(a || M), M = p_0 a + p_1 b, p_1 = 1 - p_0; the weights are e - p_0 (e^e - 1) and 1 - e^e, e = log a - log M.
#[derive(Debug)]
pub struct Skew;
impl Formula for Skew {
    const SUMS: usize = 1;
    #[inline(always)]
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5] {
        Self::sums_and_delta(k, c).0
    }
    #[inline(always)]
    fn sums_and_delta<R: Real>(k: &Pair, c: &Column<R>) -> ([R; 5], R) {
        let (w, rest, [a, b]) = (like(c.d, k.p[0]), like(c.d, k.p[1]), c.p);
        let m = Middle::new(c.d, w, rest);
        (one(term(a, w * a + rest * b, m.log[0])), m.delta(a, b))
    }
    #[inline(always)]
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let (w, rest, cut, [a, b]) = (like(c.d, k.p[0]), like(c.d, k.p[1]), c.d.lit(NEAR), c.p);
        // with e = ek + x: x - w e^ek (e^x - 1), w e^ek = 1 - share
        let [key, x] = to_middle(c.d, c.r - like(c.r, k.r[0]), k.s[0], w, rest);
        let near = like(x, k.s[0]) * x - like(x, k.t[0]) * x.exp_rem();
        let va = key.select_lt(cut, near, (x - w * x.expm1()) - like(x, k.w[0]));
        // e^ek (e^x - 1)
        let [key, x] = to_middle(c.d, c.r - like(c.r, k.r[1]), k.s[1], w, rest);
        let ratio = x.expm1();
        let vb = key.select_lt(cut, like(x, k.t[1]) / w * ratio, ratio - like(x, k.w[1]));
        [live(a, a * va), -live(b, b * vb)]
    }
    fn anchors(k: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        let [w, rest] = k.p;
        let e = [mix(c[0].d, w, rest), mix(c[1].d, w, rest)];
        let other = [share(c[0].d, w, rest), share(c[1].d, w, rest)];
        [[e[0] - w * e[0].expm1(), e[1].expm1()], other, [share(-c[0].d, rest, w), share(-c[1].d, rest, w)]]
    }
}
/// C = 1 - sum a^s b^(1 - s), s = p_0; x_0 is log(1 - C), and the weights are (a / b)^(s - 1) and (a / b)^s over 1 - C
#[derive(Debug)]
pub struct Power;
impl Formula for Power {
    const SUMS: usize = 1;
    const LATE: bool = true;
    const CHAIN: bool = true;
    #[inline(always)]
    fn inner<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        [power(c, like(c.d, k.p[0]), like(c.d, k.p[1])).exp(), c.d.lit(0.0)]
    }
    #[inline(always)]
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5] {
        one(psi(c, like(c.d, k.p[0]), like(c.d, k.p[1])))
    }
    #[inline(always)]
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let (s, rest) = (like(c.d, k.p[0]), like(c.d, k.p[1]));
        let product = power(c, s, rest) - like(c.d, k.x[0]);
        let (at_a, at_b) = (rest * (like(c.r, k.r[0]) - c.r), s * (c.r - like(c.r, k.r[1])));
        [exponential(c.p[0], at_a, k.w[0], product), exponential(c.p[1], at_b, k.w[1], product)]
    }
    fn anchors(k: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        [[(-k.p[1] * c[0].d - k.x[0]).exp_finite(), (k.p[0] * c[1].d - k.x[0]).exp_finite()], [0.0; 2], [0.0; 2]]
    }
}
/// 1 - sum sqrt(a b)
#[derive(Debug)]
pub struct Hellinger2;
impl Formula for Hellinger2 {
    const SUMS: usize = 1;
    const LATE: bool = true;
    const CHAIN: bool = true;
    #[inline(always)]
    fn inner<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
        [power(c, c.d.lit(0.5), c.d.lit(0.5)).exp(), c.d.lit(0.0)]
    }
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        let (zero, half) = (c.d.lit(0.0), c.d.lit(0.5));
        let e = -(c.d.abs() * half);
        let e = limit(e, e.lit(f32::MAX as f64)).expm1();
        one(half * (zero.select_lt(c.d, c.p[0], c.p[1]) * (e * e)))
    }
    #[inline(always)]
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let half = c.d.lit(0.5);
        let product = half * (c.log[0] + c.log[1]);
        let (at_a, at_b) = (half * (like(c.r, k.r[0]) - c.r), half * (c.r - like(c.r, k.r[1])));
        [exponential(c.p[0], at_a, k.w[0], product), exponential(c.p[1], at_b, k.w[1], product)]
    }
    fn anchors(_: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        [[(-0.5 * c[0].d).exp_finite(), (0.5 * c[1].d).exp_finite()], [0.0; 2], [0.0; 2]]
    }
}
/// sum (a - b)^2 / b
#[derive(Debug)]
pub struct Chi2;
impl Formula for Chi2 {
    const SUMS: usize = 1;
    const LATE: bool = true;
    const CHAIN: bool = true;
    #[inline(always)]
    fn inner<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
        [power(c, c.d.lit(2.0), c.d.lit(-1.0)).exp(), c.d.lit(0.0)]
    }
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        let (zero, top) = (c.d.lit(0.0), c.d.lit(f32::MAX as f64));
        let e = (-limit(c.d, top).abs()).expm1();
        one(zero.select_lt(c.d, (c.log[0] + c.d).exp(), c.p[1]) * (e * e))
    }
    #[inline(always)]
    fn weighted<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let (at_a, at_b) = (c.r - like(c.r, k.r[0]), c.r - like(c.r, k.r[1]));
        let product = c.log[0] + c.d;
        [exponential(c.p[0], at_a, k.w[0], product), exponential(c.p[1], at_b + at_b, k.w[1], product)]
    }
    fn anchors(_: &Pair, c: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        [[c[0].d.exp_finite(), (2.0 * c[1].d).exp_finite()], [0.0; 2], [0.0; 2]]
    }
}
/// sum |a - b| / 2
#[derive(Debug)]
pub struct Tvd;
#[inline(always)]
fn sign<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
    let (zero, one) = (c.d.lit(0.0), c.d.lit(1.0));
    let s = zero.select_lt(c.d, one, c.d.select_lt(zero, -one, zero));
    [s, s]
}
impl Formula for Tvd {
    const SUMS: usize = 1;
    const EXACT: bool = true;
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        one(c.d.lit(0.5) * c.delta().abs())
    }
    relative!(sign);
}
/// Weights of the cosine: x_0 is D, x_1 is |a|, x_2 is |b|, x_3 is |a| - |b|. b / |b| - a / |a| is formed from a - b where
/// the norms are alike.
#[inline(always)]
pub fn cosine_weights<R: Real>(k: &Pair, a: R, b: R, delta: R) -> [R; 2] {
    let (value, n, m, q) = (like(a, k.x[0]), like(a, k.x[1]), like(a, k.x[2]), like(a, k.x[3]));
    let alike = k.x[3].abs() < 0.5 * k.x[1];
    let apart = if alike { (b * q - delta * m) / (n * m) } else { b / m - a / n };
    [(-apart - value * a / n) / n, (apart - value * b / m) / m]
}
/// 1 - <a, b> / (|a| |b|) of the probabilities
#[derive(Debug)]
pub struct CosineProbs;
#[inline(always)]
fn cosine_of<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
    cosine_weights(k, c.p[0], c.p[1], c.delta())
}
#[inline(always)]
fn cosine_sums<R: Real>(a: R, b: R, delta: R) -> [R; 5] {
    [delta * delta, delta * (a + b), a * a, b * b, a * b]
}
impl Formula for CosineProbs {
    const SUMS: usize = 5;
    // sums and gradients need the same a - b
    const EXACT: bool = true;
    const LATE: bool = true;
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        cosine_sums(c.p[0], c.p[1], c.delta())
    }
    relative!(cosine_of);
}
/// The same of the transformed logits, columns dead on either side left out.
#[derive(Debug)]
pub struct CosineLogits;
impl CosineLogits {
    #[inline(always)]
    fn both<R: Real>(c: &Column<R>, x: R) -> R {
        let (zero, dead) = (x.lit(0.0), x.lit(f64::NEG_INFINITY));
        c.x[0].select_le(dead, zero, c.x[1].select_le(dead, zero, x))
    }
}
impl Formula for CosineLogits {
    const SUMS: usize = 5;
    const WEIGHTS: [bool; 2] = [false; 2];
    #[inline(always)]
    fn sums<R: Real>(_: &Pair, c: &Column<R>) -> [R; 5] {
        let (a, b) = (Self::both(c, c.x[0]), Self::both(c, c.x[1]));
        cosine_sums(a, b, a - b)
    }
    #[inline(always)]
    fn weighted<R: Real>(_: &Pair, c: &Column<R>) -> [R; 2] {
        [c.d.lit(0.0); 2]
    }
    fn anchors(_: &Pair, _: [&Column<f32>; 2]) -> [[f32; 2]; 3] {
        [[0.0; 2]; 3]
    }
    #[inline(always)]
    fn gradient<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
        let (a, b) = (Self::both(c, c.x[0]), Self::both(c, c.x[1]));
        let [ga, gb] = cosine_weights(k, a, b, a - b);
        [Self::both(c, ga) * like(a, k.c[0]), Self::both(c, gb) * like(a, k.c[1])]
    }
}
/// -sum a log b, less l of b
#[derive(Debug)]
pub struct CrossEntropy;
#[inline(always)]
fn cross_weights<R: Real>(k: &Pair, c: &Column<R>) -> [R; 2] {
    let w = like(c.d, k.m[1]) - c.x[1];
    [w, w]
}
impl Formula for CrossEntropy {
    const SUMS: usize = 1;
    const WEIGHTS: [bool; 2] = [true, false];
    const DELTA: bool = true;
    #[inline(always)]
    fn sums<R: Real>(k: &Pair, c: &Column<R>) -> [R; 5] {
        let (zero, inf, dead) = (c.d.lit(0.0), c.d.lit(f64::INFINITY), c.d.lit(f64::NEG_INFINITY));
        let [w, _] = cross_weights(k, c);
        let x = c.x[1].select_le(dead, inf, live(c.p[0], c.p[0] * w));
        one(c.x[0].select_le(dead, zero, x))
    }
    relative!(cross_weights);
}

/// e^x of an anchor, at most the largest number.
trait Anchor {
    fn exp_finite(self) -> f32;
}
impl Anchor for f32 {
    fn exp_finite(self) -> f32 {
        let e = Real::exp(self as f64);
        if e > f32::MAX as f64 { f32::MAX } else { e as f32 }
    }
}

/// Sums of a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Those of the value.
    pub value: [f32; 5],
    /// Of a - b.
    pub delta: f32,
    /// Of v_a and v_b.
    pub moments: [f32; 2],
}
/// What a pass over the columns sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The sums of the value.
    pub value: bool,
    /// v_a and v_b.
    pub moments: bool,
}

/// The sums of a block of transformed logits, the shorter side padded with `-inf`: the plain form of the kernel. Chains of
/// columns and their order are those of [`crate::record`].
pub fn sums<F: Formula>(k: &Pair, xa: &[f32; BLOCK], xb: &[f32; BLOCK], pass: Pass) -> Sums {
    let mut s = [[0.0f32; CHAINS]; 8];
    for j in 0..BLOCK {
        let (c, l) = (k.plain(xa[j], xb[j]), j % CHAINS);
        let delta = if pass.value {
            let (x, delta) = F::sums_and_delta(k, &c);
            for (s, x) in s.iter_mut().zip(&x[..F::SUMS]) {
                s[l] += x;
            }
            delta
        } else {
            c.delta()
        };
        s[5][l] += delta;
        if pass.moments {
            let v = F::weighted(k, &c);
            for i in 0..2 {
                if F::WEIGHTS[i] {
                    s[6 + i][l] += v[i];
                }
            }
        }
    }
    let [v0, v1, v2, v3, v4, delta, a, b] = s.map(combine);
    Sums { value: [v0, v1, v2, v3, v4], delta, moments: [a, b] }
}
/// log of a^s b^(1 - s) of a block, in place of xa: the logits of pi.
pub fn powers(k: &Pair, xa: &mut [f32; BLOCK], xb: &[f32; BLOCK]) {
    for (xa, &xb) in xa.iter_mut().zip(xb) {
        *xa = power(&k.plain(*xa, xb), k.p[0], k.p[1]);
    }
}
/// Gradients of a block with respect to the transformed logits, in place of them; 0 where dead. `hard` times the probability
/// is subtracted from that of its side.
pub fn gradients<F: Formula>(k: &Pair, xa: &mut [f32; BLOCK], xb: &mut [f32; BLOCK], hard: Option<(usize, f32)>) {
    for (xa, xb) in xa.iter_mut().zip(xb) {
        let c = k.plain(*xa, *xb);
        let mut g = F::gradient(k, &c);
        if let Some((side, h)) = hard {
            g[side] = g[side] - c.p[side] * h;
        }
        let [ga, gb] = g;
        *xa = if *xa == f32::NEG_INFINITY { f32::ZERO } else { ga };
        *xb = if *xb == f32::NEG_INFINITY { f32::ZERO } else { gb };
    }
}

/// Runs a body with the formula of a form as type `$f`.
#[macro_export]
#[doc(hidden)]
macro_rules! with_formula {
    ($form:expr, $f:ident => $body:expr) => {{
        use $crate::divergence::Form;
        use $crate::divergence::formula;
        match $form {
            Form::Kl => {
                type $f = formula::Kl;
                $body
            }
            Form::TwoWay { .. } => {
                type $f = formula::TwoWay;
                $body
            }
            Form::Jsd { .. } => {
                type $f = formula::Jsd;
                $body
            }
            Form::Skew { .. } => {
                type $f = formula::Skew;
                $body
            }
            Form::Power { .. } => {
                type $f = formula::Power;
                $body
            }
            Form::Hellinger2 => {
                type $f = formula::Hellinger2;
                $body
            }
            Form::Chi2 => {
                type $f = formula::Chi2;
                $body
            }
            Form::Tvd => {
                type $f = formula::Tvd;
                $body
            }
            Form::CosineProbs => {
                type $f = formula::CosineProbs;
                $body
            }
            Form::CosineLogits => {
                type $f = formula::CosineLogits;
                $body
            }
            Form::CrossEntropy | Form::Zero => {
                type $f = formula::CrossEntropy;
                $body
            }
        }
    }};
}
