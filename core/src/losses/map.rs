//! The map g of f-divergence preference optimisation (Wang et al. 2023, arXiv:2309.16240): entries of the score difference
//! may see g(a) / T_c - g(b) / T_r in place of a / T_c - b / T_r.
//!
//! | map | g(x) | g'(x) |
//! |---|---|---|
//! | `identity` (reverse KL) | x | 1 |
//! | `js` | log sigma(x) | sigma(-x) |
//! | `alpha` | -e^(-alpha x) / alpha | e^(-alpha x) |
//!
//! `alpha` at 1 is the map of the forward KL. TRL's coefficient is 1 - alpha, the one of ms-swift and of older TRL alpha.
use super::{positive, term};
use crate::real::Real;

/// Below this absolute value of alpha the map is the identity.
pub const ALPHA_ZERO: f64 = 1e-6;

/// The map of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ScoreMap {
    /// x
    #[default]
    Identity,
    /// log sigma(x)
    Js,
    /// -e^(-alpha x) / alpha
    Alpha {
        /// Any finite number; the identity below [`ALPHA_ZERO`] in absolute value.
        alpha: f64,
        /// Bound of -alpha x, whose derivative is 0 above it; infinity: none. TRL has 80, with f16 11.
        max_exponent: f64,
    },
}
impl ScoreMap {
    /// Nothing is to be done.
    pub fn is_identity(&self) -> bool {
        match self {
            ScoreMap::Identity => true,
            ScoreMap::Alpha { alpha, .. } => alpha.abs() < ALPHA_ZERO,
            ScoreMap::Js => false,
        }
    }
}

/// A mapped difference and its partials with respect to a and b (of b: with the other sign).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Mapped<R> {
    pub difference: R,
    pub chosen: R,
    pub rejected: R,
}

/// [log sigma(x) - log sigma(y), log sigma(-x) - log sigma(-y)] to full relative accuracy, also near x = y.
#[inline(always)]
pub(super) fn d_log_sigma<R: Real>(x: R, y: R) -> [R; 2] {
    let (zero, d) = (x.lit(0.0), x - y);
    // near: log1p from the larger of the two; the other one differs by d
    let (high, low) = (d.select_lt(zero, y, x), d.abs());
    let near = ((-high).sigmoid() * low.expm1()).log1p();
    let near = d.select_lt(zero, -near, near);
    // far: softplus(-y) - softplus(-x), linear parts and logarithms on their own
    let lift = (-y.abs()).exp().log1p() - (-x.abs()).exp().log1p();
    let (px, py) = (x.select_lt(zero, zero, x), y.select_lt(zero, zero, y));
    let (nx, ny) = (x.select_lt(zero, -x, zero), y.select_lt(zero, -y, zero));
    let one = x.lit(1.0);
    [low.select_lt(one, near, (ny - nx) + lift), low.select_lt(one, near - d, (py - px) + lift)]
}

/// Scores divided by the lengths, where an entry asks for it: `weights` are 1 / T, 0 for no tokens.
#[inline(always)]
pub fn js<R: Real>(a: R, b: R, weights: Option<[R; 2]>) -> Mapped<R> {
    let (ga, gb) = ((-a).sigmoid(), (-b).sigmoid());
    match weights {
        None => Mapped { difference: d_log_sigma(a, b)[0], chosen: ga, rejected: gb },
        Some([c, r]) => {
            Mapped { difference: term(c, a.log_sigmoid()) - term(r, b.log_sigmoid()), chosen: ga * c, rejected: gb * r }
        }
    }
}

/// Constants of the alpha map in the shape of a value.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Alpha<R> {
    pub alpha: R,
    pub max_exponent: R,
}
impl<R: Real> Alpha<R> {
    /// See [`js`]. The larger exponential is a factor: what remains lies between -1 and 1 over alpha, and a difference of 0
    /// stays 0 under any factor.
    #[inline(always)]
    pub fn difference(self, a: R, b: R, weights: Option<[R; 2]>) -> Mapped<R> {
        let (zero, one, top) = (a.lit(0.0), a.lit(1.0), self.max_exponent);
        let [c, r] = match weights {
            None => [one, one],
            Some(w) => w,
        };
        let (x, y) = (-(self.alpha * a), -(self.alpha * b));
        let (ga, gb) = (top.select_lt(x, zero, x.exp()), top.select_lt(y, zero, y.exp()));
        let (x, y) = (top.select_lt(x, top, x), top.select_lt(y, top, y));
        let (most, gap) = (x.select_lt(y, y, x), -(x - y).abs());
        let inner = match weights {
            // the exponents are equal, also where both are infinite
            None => {
                let e = gap.expm1();
                x.select_lt(y, -e, e)
            }
            Some(_) => {
                let e = gap.exp();
                x.select_lt(y, r - e * c, e * r - c)
            }
        };
        // 0 * inf is 0, and its derivative infinite
        let (e, max) = (most.exp(), a.lit(f64::MAX));
        let lost = inner.abs().select_le(zero, e.select_le(max, zero, one), zero);
        let origin = if weights.is_none() { (a - b) * max * max } else { zero };
        let mapped = positive(lost, origin, e * inner / self.alpha);
        // alpha = 0: the limit
        let flat = self.alpha.abs().select_lt(a.lit(ALPHA_ZERO), one, zero);
        let plain = match weights {
            None => a - b,
            Some(_) => term(c, a) - term(r, b),
        };
        Mapped {
            difference: positive(flat, plain, mapped),
            chosen: term(c, positive(flat, one, ga)),
            rejected: term(r, positive(flat, one, gb)),
        }
    }
}
