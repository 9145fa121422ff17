//! Losses of a chosen and a rejected answer, evaluated in f64; an entry stands in the file of its group.
use super::map::{Alpha, d_log_sigma};
use super::{positive, term};
use crate::catalog::{About, Entry, Param, Reward, param, required, slot};
use crate::real::Real;

mod difference;
mod free;
mod objectives;
mod reward;
mod sides;
pub use difference::*;
pub use free::*;
pub use objectives::*;
pub use reward::*;
pub use sides::*;

/// One side of a pair.
#[derive(Clone, Copy, Debug)]
pub struct Side<R> {
    /// Score under the policy.
    pub logp: R,
    /// Score under the reference; 0 without one.
    pub ref_logp: R,
    /// Number of live tokens.
    pub len: R,
    /// KL(reference || policy) summed over the tokens.
    pub kl: R,
    /// Margin; 0 without one, infinities allowed.
    pub margin: R,
}
/// The third sequence of a pair.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<R> {
    /// Score under the policy.
    pub logp: R,
    /// Score under the reference; 0 without one.
    pub ref_logp: R,
}
/// What a pair entry is fed with. A per-pair beta replaces parameter 0 (entries that read [`slot::BETA`]).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Pair<R> {
    pub chosen: Side<R>,
    pub rejected: Side<R>,
    pub anchor: Anchor<R>,
    /// A running shift of the rewards, constant; 0 without one.
    pub shift: R,
}
/// Partials of one side.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct SideGrad<R> {
    pub logp: R,
    pub kl: R,
    pub margin: R,
}
/// Value and partials of a pair entry; what the entry has no partial for ([`About::partials`]) is 0.
#[derive(Clone, Copy, Debug)]
pub struct PairOut<R> {
    /// The loss.
    pub value: R,
    /// Partials of the chosen side.
    pub chosen: SideGrad<R>,
    /// Partials of the rejected side.
    pub rejected: SideGrad<R>,
    /// Partial with respect to the anchor's `logp`.
    pub anchor: R,
}
/// A loss of the kind `pair`.
pub trait PairLoss<const N: usize>: Entry<N> {
    /// The entry that kernels are compiled for: itself, or of a preset that differs in name, defaults and slots alone the
    /// entry that it is a preset of.
    type Base: PairLoss<N>;
    /// Value and partials.
    fn eval<R: Real>(x: Pair<R>, p: [R; N]) -> PairOut<R>;
    /// The parameter that may be learned, if one may (of a variant; 0: the entry has none).
    fn learns(_variant: u32) -> Option<usize> {
        None
    }
    /// The partial of the value with respect to it.
    fn learned(_: Pair<f64>, _: [f64; N]) -> f64 {
        0.0
    }
}

impl<R: Real> Side<R> {
    /// `logp - ref_logp`
    #[inline(always)]
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}
impl<R: Real> Pair<R> {
    /// a - b
    #[inline(always)]
    fn difference(self) -> R {
        self.chosen.log_ratio() - self.rejected.log_ratio()
    }
    /// Delta, the margin by which the chosen side should win.
    #[inline(always)]
    pub fn margin(self) -> R {
        self.chosen.margin - self.rejected.margin
    }
}
impl<R: Real> PairOut<R> {
    /// A value whose partials are all 0.
    #[inline(always)]
    pub fn constant(value: R) -> Self {
        let zero = value.lit(0.0);
        let side = SideGrad { logp: zero, kl: zero, margin: zero };
        PairOut { value, chosen: side, rejected: side, anchor: zero }
    }
    /// A value with partials with respect to the two scores.
    #[inline(always)]
    fn scores(value: R, chosen: R, rejected: R) -> Self {
        let mut out = PairOut::constant(value);
        (out.chosen.logp, out.rejected.logp) = (chosen, rejected);
        out
    }
    /// F(u) and F'(u) of u = beta (a - b) - margin.
    #[inline(always)]
    fn of([value, slope]: [R; 2], beta: R) -> Self {
        let mut out = PairOut::scores(value, beta * slope, -(beta * slope));
        (out.chosen.margin, out.rejected.margin) = (-slope, slope);
        out
    }
}
impl<R: Real> Anchor<R> {
    /// `logp - ref_logp`
    #[inline(always)]
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}

const BETA: Param = param("beta", 0.1, "strength of the pull towards the reference").above(0.0);
const LABEL_SMOOTHING: Param =
    param("label_smoothing", 0.0, "probability that a pair is labelled the wrong way round").from(0.0).below(0.5);

/// value and slope of (1 - eps) softplus(-u) + eps softplus(u). The two softplus share their logarithm:
/// log1p(e^-|u|) + |u| times the weight of the side on which u lies.
#[inline(always)]
fn smoothed_logistic<R: Real>(u: R, eps: R) -> [R; 2] {
    let right = u.lit(1.0) - eps;
    let weight = u.select_lt(u.lit(0.0), right, eps);
    let value = (-u.abs()).exp().log1p() + term(weight, u.abs());
    [value, eps * u.sigmoid() - right * (-u).sigmoid()]
}

/// softplus(-u) and its slope.
#[inline(always)]
fn logistic<R: Real>(u: R) -> [R; 2] {
    [(-u).softplus(), -(-u).sigmoid()]
}
/// max(0, 1 - u) and its slope, 0 at the kink.
#[inline(always)]
fn hinge<R: Real>(u: R) -> [R; 2] {
    let (zero, one) = (u.lit(0.0), u.lit(1.0));
    [ramp(one - u), u.select_lt(one, -one, zero)]
}
/// max(0, x) whose slope at 0 is 0; NaN stays.
#[inline(always)]
fn ramp<R: Real>(x: R) -> R {
    x.select_le(x.lit(0.0), x.lit(0.0), x)
}
/// v / len; 0 for a side without tokens.
#[inline(always)]
fn per_token<R: Real>(v: R, len: R) -> R {
    positive(len, v / len, v.lit(0.0))
}
/// sigma(x) sigma(-x) c, and 0 where the first factor is, whatever c is.
#[inline(always)]
fn bell<R: Real>(x: R, c: R) -> R {
    term(x.sigmoid() * (-x).sigmoid(), c)
}
/// sigma(x) - sigma(y) = sigma(x) sigma(-y) (1 - e^(y - x)) to full relative accuracy.
#[inline(always)]
fn sigmoid_gap<R: Real>(x: R, y: R) -> R {
    let d = x - y;
    let (high, low) = (d.select_lt(d.lit(0.0), y, x), d.select_lt(d.lit(0.0), x, y));
    let size = -(high.sigmoid() * (-low).sigmoid() * (-d.abs()).expm1());
    d.select_lt(d.lit(0.0), -size, size)
}
/// One term of KL(p || q), plus q - p, at d = log p - log q: never negative, no 0 * inf.
#[inline(always)]
fn kl_term<R: Real>(p: R, d: R, q: R) -> R {
    let one = p.lit(1.0);
    positive(p, d.select_lt(-one, p * (d - one) + q, p * d.h()), q)
}
/// KL between the coins of log odds x and y.
#[inline(always)]
fn kl_coins<R: Real>(x: R, y: R) -> R {
    let [yes, no] = d_log_sigma(x, y);
    kl_term(x.sigmoid(), yes, y.sigmoid()) + kl_term((-x).sigmoid(), no, (-y).sigmoid())
}

// Every entry of this kind. A new one is written in the file of its group and named here.
super::entries! { Pair PairLoss PairVisitor with_pair [OfPair] {
    Dpo, Ipo, Simpo, Tdpo1, DpoLn, RobustDpo, Hinge, IpoSum, ExoPair, Discopop, RpoBackwardKl, RpoForwardKl, RpoSquare, Odpo,
    RDpo, DpoShift, Dpop, CalDpo, Modpo, ModpoHinge, Tdpo2, Mdpo, ImageDpo, Povid, Slic, DiffusionDpo, MmDpo, BetaDpo, IdkDpo,
    NcaPair, BcoPair, Sppo, ApoZero, ApoDown, Cpo, Arpo, Alphapo, Orpo, Asft, AsftTempered, Simper, ReluPo, Bt, BtCenter,
    BtMse, BtScaled, BtFocal, BtTies, CostModel,
} }
