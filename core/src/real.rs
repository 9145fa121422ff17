//! The closed vocabulary every formula is written in.
//!
//! A type implements the twelve required operations of [`Real`]; each is one IEEE operation or one bit operation, so
//! every implementation (scalar, lanes, CUDA text) gives the same bits. Everything else is written once, over one
//! coefficient table a format. NaN payloads are not part of the promise.
//!
//! Rules for a formula: no comparison to `bool` (use `select_*`), literals come from a value (`x.lit(0.5)`), no function
//! from outside this trait, `#[inline(always)] fn` only (a closure or array combinator over lanes loses the instruction
//! set and costs 30 times).
//!
//! Largest errors in ulp, measured (f32: every float, `cargo xtask exhaustive`; f64: 4,000 points a function against 50
//! digits). The tests hold the bounds of the last column.
//!
//! | | f32 | f64 | bound |
//! |---|---|---|---|
//! | `exp` | 1.05 | 1.01 | 1.1 |
//! | `log` | 0.84 | 0.73 | 1.1 |
//! | `log1p` | 0.90 | 0.74 | 1.1 |
//! | `expm1` | 1.59 | 1.39 | 2 |
//! | `softplus`, `log_sigmoid` | 1.68 | 1.57 | 2 |
//! | `log1mexp` | 2.08 | 1.84 | 2.1 |
//! | `exp_rem`, `h` | 2.10 | 1.59 | 3 |
//! | `tanh` | 2.31 | 1.99 | 3 |
//! | `sigmoid` | 2.41 | 1.75 | 3 |
//!
//! A zero keeps its sign through `expm1` and `tanh`, not through `log1p`.
use crate::coef::*;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A real number, or a fixed number of them side by side, in one floating-point format.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// Coefficients and limits of the format: [`F32`] or [`F64`].
    const FORMAT: &'static Format;

    /// `v` rounded to the format, in the shape of `self` (a lane type needs the token that a value carries).
    fn lit(self, v: f64) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    /// Clears the sign bit.
    fn abs(self) -> Self;
    /// `self < b ? yes : no`; a NaN on either side gives `no`.
    fn select_lt(self, b: Self, yes: Self, no: Self) -> Self;
    /// `self <= b ? yes : no`; a NaN on either side gives `no`.
    fn select_le(self, b: Self, yes: Self, no: Self) -> Self;
    /// 2^self for an integral `self` with a normal result; anything else gives unspecified (equal) bits.
    fn exp2i(self) -> Self;
    /// The integer e of `self = m * 2^e`, m in [sqrt(1/2), sqrt(2)), for a positive normal number.
    fn exponent(self) -> Self;
    /// The m of [`Real::exponent`].
    fn mantissa(self) -> Self;
    /// Stop-gradient: identity, except for dual numbers.
    #[inline(always)]
    fn detach(self) -> Self {
        self
    }

    // Written once. A type overrides one of these only to judge it (dual) or to name it (recorder).

    /// The smaller; NaN if either is NaN; of two equal numbers (also of two zeros) the receiver.
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        b.select_lt(self, b, self.select_le(b, self, self + b))
    }
    /// The larger; NaN if either is NaN; of two equal numbers (also of two zeros) the receiver.
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.select_lt(b, b, b.select_le(self, self, self + b))
    }
    /// `self`, at least `low`, which is no zero; a NaN stays.
    #[inline(always)]
    fn at_least(self, low: Self) -> Self {
        self.select_lt(low, low, self)
    }
    /// `self`, at most `top`, which is no zero; a NaN stays.
    #[inline(always)]
    fn at_most(self, top: Self) -> Self {
        top.select_lt(self, top, self)
    }
    /// e^x
    #[inline(always)]
    fn exp(self) -> Self {
        elementary::exp(self)
    }
    /// e^x - 1
    #[inline(always)]
    fn expm1(self) -> Self {
        elementary::expm1(self)
    }
    /// e^x - 1 - x without cancellation, never negative (k3, terms of a divergence).
    #[inline(always)]
    fn exp_rem(self) -> Self {
        elementary::exp_rem(self)
    }
    /// x + e^-x - 1 without cancellation, never negative: one term of a divergence at the log ratio x.
    #[inline(always)]
    fn h(self) -> Self {
        (-self).exp_rem()
    }
    /// [`Real::exp_rem`] for abs(x) < 1, the same bits for a third of the work; beyond, nothing in particular.
    #[inline(always)]
    fn exp_rem_near(self) -> Self {
        elementary::exp_rem_near(self)
    }
    /// Natural logarithm; -inf at 0, NaN below.
    #[inline(always)]
    fn log(self) -> Self {
        elementary::log(self)
    }
    /// log(1 + x); -inf at -1, NaN below.
    #[inline(always)]
    fn log1p(self) -> Self {
        elementary::log1p(self)
    }
    /// Hyperbolic tangent.
    #[inline(always)]
    fn tanh(self) -> Self {
        elementary::tanh(self)
    }
    /// 1 / (1 + e^-x). Its complement is `(-x).sigmoid()`, never `1 - x.sigmoid()`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        elementary::sigmoid(self)
    }
    /// log(1 + e^x)
    #[inline(always)]
    fn softplus(self) -> Self {
        elementary::softplus(self)
    }
    /// log of the sigmoid
    #[inline(always)]
    fn log_sigmoid(self) -> Self {
        -(-self).softplus()
    }
    /// log(1 - e^x) for x < 0; -inf at 0, NaN above.
    #[inline(always)]
    fn log1mexp(self) -> Self {
        elementary::log1mexp(self)
    }
}

/// Everything about a floating-point format that the elementary functions need.
///
/// A constant, as are the coefficients: from a `static` of another crate a kernel would read them, one by one and in f64,
/// for every vector.
#[derive(Debug)]
pub struct Format {
    /// Name of the type in C.
    pub name: &'static str,
    /// 1.5 * 2^(p-1): adding and subtracting it rounds to an integer.
    round: f64,
    ln2: &'static [f64; 2],
    exp: &'static [f64],
    log: &'static [f64],
    rem: &'static [f64],
    /// Below: `exp` gives 0.
    exp_min: f64,
    /// Above: `exp` gives infinity.
    exp_max: f64,
    /// Below: `expm1` gives -1.
    expm1_min: f64,
    /// Below in absolute value: `expm1` and `tanh` give x.
    tiny: f64,
    min_normal: f64,
    /// A power of two that makes every denormal normal.
    widen: f64,
}
/// IEEE single precision.
pub const F32: Format = Format {
    name: "float",
    round: 12582912.0,
    ln2: &LN2_F32,
    exp: &EXP_F32,
    log: &LOG_F32,
    rem: &REM_F32,
    exp_min: -104.0,
    exp_max: 88.72283935546875,
    expm1_min: -18.0,
    tiny: 5.960464477539063e-8,
    min_normal: f32::MIN_POSITIVE as f64,
    widen: 25.0,
};
/// IEEE double precision.
pub const F64: Format = Format {
    name: "double",
    round: 6755399441055744.0,
    ln2: &LN2_F64,
    exp: &EXP_F64,
    log: &LOG_F64,
    rem: &REM_F64,
    exp_min: -745.2,
    exp_max: 709.782712893384,
    expm1_min: -38.0,
    tiny: 1.1102230246251565e-16,
    min_normal: f64::MIN_POSITIVE,
    widen: 54.0,
};

macro_rules! scalar {
    ($t:ident, $format:ident, $bits:ident, $p:literal, $bias:literal, $sqrt_half:literal, $fma:path) => {
        impl Real for $t {
            const FORMAT: &'static Format = &$format;
            #[inline(always)]
            fn lit(self, v: f64) -> Self {
                v as $t
            }
            #[inline(always)]
            #[allow(clippy::disallowed_methods)] // fma is one IEEE operation, the same everywhere
            fn fma(self, b: Self, c: Self) -> Self {
                #[cfg(feature = "std")]
                return self.mul_add(b, c);
                #[cfg(not(feature = "std"))]
                $fma(self, b, c)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            #[inline(always)]
            fn select_lt(self, b: Self, yes: Self, no: Self) -> Self {
                if self < b { yes } else { no }
            }
            #[inline(always)]
            fn select_le(self, b: Self, yes: Self, no: Self) -> Self {
                if self <= b { yes } else { no }
            }
            // The sum puts the integer into the low bits of the significand.
            #[inline(always)]
            fn exp2i(self) -> Self {
                <$t>::from_bits((self + ((1u64 << $p) + $bias) as $t).to_bits() << $p)
            }
            // Adding 1 - sqrt(1/2) in bits carries into the exponent field exactly for mantissas from sqrt(2) on.
            #[inline(always)]
            fn exponent(self) -> Self {
                let u = self.to_bits().wrapping_add((1.0 as $t).to_bits() - $sqrt_half) >> $p;
                <$t>::from_bits(u | ((1u64 << $p) as $t).to_bits()) - ((1u64 << $p) + $bias) as $t
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                let u = self.to_bits().wrapping_add((1.0 as $t).to_bits() - $sqrt_half);
                <$t>::from_bits((u & ((1 << $p) - 1)).wrapping_add($sqrt_half))
            }
        }
    };
}
scalar!(f32, F32, u32, 23, 127, 0x3f35_04f3, libm::fmaf);
scalar!(f64, F64, u64, 52, 1023, 0x3fe6_a09e_667f_3bcd, libm::fma);

/// The bodies of the default methods, for the recorder, which names the methods. Everybody else calls the methods.
pub mod elementary {
    #![allow(missing_docs)]
    use super::Real;

    /// Horner's rule over fused multiply-adds.
    #[inline(always)]
    fn poly<R: Real>(x: R, c: &[f64]) -> R {
        let mut y = x.lit(c[c.len() - 1]);
        for k in (0..c.len() - 1).rev() {
            y = y.fma(x, x.lit(c[k]));
        }
        y
    }
    #[inline(always)]
    fn round<R: Real>(x: R) -> R {
        let m = x.lit(R::FORMAT.round);
        x + m - m
    }
    /// x = n ln 2 + r with integral n; returns (n, e^r - 1).
    #[inline(always)]
    fn reduce<R: Real>(x: R) -> (R, R) {
        let m = x.lit(R::FORMAT.round);
        let n = x.fma(x.lit(core::f64::consts::LOG2_E), m) - m;
        let [hi, lo] = *R::FORMAT.ln2;
        let r = n.fma(x.lit(-lo), n.fma(x.lit(-hi), x));
        (n, (r * r).fma(poly(r, R::FORMAT.exp), r))
    }

    #[inline(always)]
    pub fn exp<R: Real>(x: R) -> R {
        let (n, p) = reduce(x);
        // two factors, so that the result may be denormal and is rounded once
        let h = round(n * x.lit(0.5));
        let y = (p + x.lit(1.0)) * h.exp2i() * (n - h).exp2i();
        let y = x.select_lt(x.lit(R::FORMAT.exp_min), x.lit(0.0), y);
        x.lit(R::FORMAT.exp_max).select_lt(x, x.lit(f64::INFINITY), y)
    }

    /// [`expm1`] between `expm1_min` and `exp_max`, apart from what is tiny.
    #[inline(always)]
    fn expm1_inside<R: Real>(x: R) -> R {
        let (n, p) = reduce(x);
        let h = (n - x.lit(1.0)).exp2i(); // half the scale: 2^1024 does not exist
        let y = h.fma(p, h - x.lit(0.5));
        y + y
    }

    #[inline(always)]
    pub fn expm1<R: Real>(x: R) -> R {
        let y = expm1_inside(x);
        let y = x.select_lt(x.lit(R::FORMAT.expm1_min), x.lit(-1.0), y);
        let y = x.lit(R::FORMAT.exp_max).select_lt(x, x.lit(f64::INFINITY), y);
        x.abs().select_lt(x.lit(R::FORMAT.tiny), x, y)
    }

    #[inline(always)]
    pub fn exp_rem_near<R: Real>(x: R) -> R {
        x * x * poly(x, R::FORMAT.rem)
    }
    #[inline(always)]
    pub fn exp_rem<R: Real>(x: R) -> R {
        let near = exp_rem_near(x);
        // The polynomial reaches to 1: the difference below loses too much before. It is formed at half the scale, like
        // expm1, with 2^n - 1 - x (exact where it matters) as one addend: expm1(x) - x would lose another ulp.
        let (n, p) = reduce(x);
        let (h, half) = ((n - x.lit(1.0)).exp2i(), x.lit(0.5));
        let y = h.fma(p, (h - half) - half * x);
        let far = x.select_lt(x.lit(R::FORMAT.expm1_min), x.lit(-1.0) - x, y + y);
        let far = x.lit(R::FORMAT.exp_max).select_lt(x, x.lit(f64::INFINITY), far);
        x.abs().select_lt(x.lit(1.0), near, far)
    }

    /// log((1 + f) 2^e) + c
    #[inline(always)]
    fn log_core<R: Real>(f: R, e: R, c: R) -> R {
        let s = f / (f + f.lit(2.0));
        let z = s * s;
        let half = f * f * f.lit(0.5);
        let [hi, lo] = *R::FORMAT.ln2;
        let t = s.fma(z.fma(poly(z, R::FORMAT.log), half), e.fma(f.lit(lo), c));
        e.fma(f.lit(hi), f - (half - t))
    }

    #[inline(always)]
    pub fn log<R: Real>(x: R) -> R {
        let (zero, up) = (x.lit(0.0), R::FORMAT.widen);
        let small = x.lit(R::FORMAT.min_normal);
        let w = x.select_lt(small, x * x.lit(exp2(up)), x);
        let e = w.exponent() - x.select_lt(small, x.lit(up), zero);
        let y = log_core(w.mantissa() - x.lit(1.0), e, zero);
        let y = x.select_lt(x.lit(f64::INFINITY), y, x);
        zero.select_lt(x, y, zero.select_le(x, x.lit(f64::NEG_INFINITY), x.lit(f64::NAN)))
    }

    #[inline(always)]
    pub fn log1p<R: Real>(x: R) -> R {
        let (zero, one) = (x.lit(0.0), x.lit(1.0));
        let u = x + one;
        let v = u - one;
        let lost = (one - (u - v)) + (x - v); // u + lost == 1 + x exactly
        let e = u.exponent();
        let m = u.mantissa() - one;
        // log(u + lost) = log u + lost / u, and 1 / (1 + m) is 1 - m + m^2 well enough for less than half an ulp
        let c = lost * e.select_lt(x.lit(64.0), (-e).exp2i(), zero) * (one - m * (one - m));
        let (k, half) = (e.abs(), x.lit(0.5));
        let y = log_core(k.select_lt(half, x, m), e, k.select_lt(half, zero, c));
        let y = x.select_lt(x.lit(f64::INFINITY), y, x);
        x.lit(-1.0).select_lt(x, y, x.lit(-1.0).select_le(x, x.lit(f64::NEG_INFINITY), x.lit(f64::NAN)))
    }

    #[inline(always)]
    pub fn tanh<R: Real>(x: R) -> R {
        let (one, two, most, all) = (x.lit(1.0), x.lit(2.0), x.lit(20.0), x.abs());
        // from 20 on the result is 1
        let a = all.at_most(most);
        // below 1 from expm1(-2|x|), above as 1 - 2 / (e^2|x| + 1): neither cancels there
        let t = expm1_inside(a * a.select_lt(one, -two, two));
        let q = a.select_lt(one, -t, two) / (t + two);
        let y = a.select_lt(one, q, one - q);
        let y = x.select_lt(x.lit(0.0), -y, y);
        all.select_lt(x.lit(R::FORMAT.tiny), x, y)
    }

    #[inline(always)]
    pub fn sigmoid<R: Real>(x: R) -> R {
        let e = (-x.abs()).exp();
        x.select_lt(x.lit(0.0), e, x.lit(1.0)) / (e + x.lit(1.0))
    }

    #[inline(always)]
    pub fn softplus<R: Real>(x: R) -> R {
        let zero = x.lit(0.0);
        zero.select_lt(x, x, zero) + (-x.abs()).exp().log1p()
    }

    #[inline(always)]
    pub fn log1mexp<R: Real>(x: R) -> R {
        x.lit(-core::f64::consts::LN_2).select_lt(x, (-x.expm1()).log(), (-x.exp()).log1p())
    }

    /// 2^k as a constant; `powi` is not in core.
    const fn exp2(k: f64) -> f64 {
        f64::from_bits(((k as i64 + 1023) as u64) << 52)
    }
}
