//! Losses of single tokens of a rollout, evaluated in f32.
use super::positive;
use crate::catalog::{About, Entry, Param, param, slot};
use crate::real::Real;

/// What a token entry is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Token<R> {
    /// Log-prob under the policy, the one that is trained.
    pub logp: R,
    /// Log-prob under the policy that sampled the token (or a proximal, or an anchor policy).
    pub old: R,
    /// Log-prob under the reference (or a teacher).
    pub ref_logp: R,
    /// Log-prob under the inference engine.
    pub sampler: R,
    /// Advantage.
    pub advantage: R,
    /// Entropy of the token's distribution.
    pub entropy: R,
    /// A mark, not 0 where set.
    pub flag: R,
}
/// Value and partials of a token entry; what the entry has no partial for is 0.
#[derive(Clone, Copy, Debug)]
pub struct TokenOut<R> {
    /// The loss.
    pub value: R,
    /// Partial with respect to `logp`.
    pub logp: R,
    /// Partial with respect to `entropy`.
    pub entropy: R,
}
/// A loss of the kind `token`.
pub trait TokenLoss<const N: usize>: Entry<N> {
    /// Value and partials.
    fn eval<R: Real>(x: Token<R>, p: [R; N]) -> TokenOut<R>;
}

const CLIP_LOW: Param =
    param("clip_low", 0.2, "ratios below 1 - clip_low are clipped; 1 or more: none is").from(0.0).or_infinite();
const CLIP_HIGH: Param =
    param("clip_high", 0.2, "ratios above 1 + clip_high are clipped; infinity: none is").from(0.0).or_infinite();
const DELTA: Param =
    param("delta", f64::INFINITY, "second cap of the ratio, for both signs; infinity: none").above(0.0).or_infinite();
const DUAL_CLIP: Param =
    param("dual_clip", f64::INFINITY, "cap of the ratio where the advantage is negative; infinity: none")
        .above(1.0)
        .or_infinite();
/// Parameters of everything that clips like PPO.
pub(super) const CLIP: [Param; 4] = [CLIP_LOW, CLIP_HIGH, DELTA, DUAL_CLIP];
/// Names of [`log_bounds`].
pub(super) const LOG_BOUNDS: [&str; 4] = ["log_low", "log_cap", "log_roof", "log_dual"];

/// Bounds of the log ratio: below (A < 0), above for A > 0, above for A < 0, dual clip.
pub(super) fn log_bounds([low, high, delta, dual]: [f64; 4]) -> [f64; 4] {
    let low = if low >= 1.0 { f64::NEG_INFINITY } else { Real::log1p(-low) };
    let (high, delta) = (Real::log1p(high), Real::log(delta));
    [low, Real::min(high, delta), Real::max(high, delta), Real::log(dual)]
}
/// value and d/dx of -min(min(r, delta) A, clip(r) A), r = e^x, at most -dual A for A < 0. Decided on logs: one
/// exponential, and the derivative is the value or exactly 0. On a bound the ratio counts as unclipped; A = 0 gives 0
/// whatever x is.
#[inline(always)]
pub(super) fn clipped<R: Real>(x: R, advantage: R, [low, cap, roof, dual]: [R; 4]) -> [R; 2] {
    let zero = x.lit(0.0);
    let roof = dual.select_lt(roof, dual, roof);
    let low = advantage.select_lt(zero, low, x.lit(f64::NEG_INFINITY));
    let high = advantage.select_lt(zero, roof, cap);
    let kept = x.select_lt(low, low, high.select_lt(x, high, x));
    let value = -advantage * kept.exp();
    let slope = x.select_lt(low, zero, high.select_lt(x, zero, value));
    // A NaN advantage is its own absolute value: it does not vanish.
    [positive(advantage.abs(), value, advantage.abs()), positive(advantage.abs(), slope, advantage.abs())]
}

/// Clipped surrogate of PPO, GRPO and DAPO with bounds of its own on either side, a second cap and a dual clip.
pub struct PpoClip;
impl Entry<4> for PpoClip {
    const ABOUT: About = About {
        id: 4001,
        name: "ppo_clip",
        aliases: &["ppo", "grpo", "bnpo", "dr_grpo", "dapo", "vanilla"],
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "r = e^(logp - old); -min(min(r, delta) A, clip(r, 1 - clip_low, 1 + clip_high) A); \
                  at most -dual_clip A for A < 0",
        source: "Schulman et al. 2017, arXiv:1707.06347; dual clip: Ye et al. 2020, arXiv:1912.09729; delta: TRL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl TokenLoss<4> for PpoClip {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, bounds: [R; 4]) -> TokenOut<R> {
        let [value, logp] = clipped(x.logp - x.old, x.advantage, bounds);
        TokenOut { value, logp, entropy: logp.lit(0.0) }
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! { Token TokenLoss TokenVisitor with_token [OfToken] { PpoClip } }
