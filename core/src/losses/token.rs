//! Losses of single tokens, of a rollout or of an answer to learn or to forget, evaluated in f32.
use super::{positive, term};
use crate::catalog::{About, Entry, Param, param, slot};
use crate::real::Real;

pub(super) mod rollout;
pub use rollout::*;

/// What a token entry is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Token<R> {
    /// Log-prob under the policy, the one that is trained.
    pub logp: R,
    /// `logp - old`; 0 where there is no other policy, whatever `logp` is.
    pub log_ratio: R,
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
    /// Importance weight, for an entry that takes its logarithm; everywhere else it is a stage.
    pub importance: R,
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
        let [value, logp] = clipped(x.log_ratio, x.advantage, bounds);
        TokenOut { value, logp, entropy: logp.lit(0.0) }
    }
}

/// `weight * logp` with a weight that is constant, and 0 where the weight is 0: p log p has the limit 0.
#[inline(always)]
fn weighted<R: Real>(weight: R, logp: R) -> TokenOut<R> {
    let weight = weight.detach();
    TokenOut { value: term(weight, logp), logp: weight, entropy: logp.lit(0.0) }
}
/// Negative log-likelihood of the token. Float weights are a stage, so this is also the weighted form.
pub struct Nll;
impl Entry<0> for Nll {
    const ABOUT: About = About {
        id: 4002,
        name: "nll",
        aliases: &["weighted_nll"],
        formula: "-logp",
        source: "maximum likelihood",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for Nll {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(x.logp.lit(-1.0), x.logp)
    }
}

/// Dynamic fine-tuning: NLL weighted by the token's own probability, constant.
pub struct Dft;
impl Entry<0> for Dft {
    const ABOUT: About = About {
        id: 4003,
        name: "dft",
        formula: "-p logp, p = e^logp constant",
        source: "Wu et al. 2025, arXiv:2508.05629",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for Dft {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(-x.logp.exp(), x.logp)
    }
}

/// The token weight of CHORD: NLL weighted by p (1 - p), constant.
pub struct ChordPhi;
impl Entry<0> for ChordPhi {
    const ABOUT: About = About {
        id: 4004,
        name: "chord_phi",
        formula: "-p (1 - p) logp, p = e^logp constant",
        source: "Zhang et al. 2025, arXiv:2508.11408",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for ChordPhi {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(x.logp.exp() * x.logp.expm1(), x.logp)
    }
}

/// `x^alpha` for x >= 0, with 0^0 = 1; below 0 as at 0.
#[inline(always)]
fn power<R: Real>(x: R, alpha: R) -> R {
    let zero = x.lit(0.0);
    x.select_le(zero, positive(alpha, zero, x.lit(1.0)), (alpha * x.log()).exp())
}
const ALPHA: Param = param("alpha", 1.0, "exponent of the entropy").from(0.0);
/// Entropy-adaptive fine-tuning: NLL weighted by the entropy of the 20 most probable tokens over 3, constant.
pub struct Eaft;
impl Entry<1> for Eaft {
    const ABOUT: About = About {
        id: 4005,
        name: "eaft",
        inputs: slot::LOGP | slot::ENTROPY,
        formula: "-(H / 3)^alpha logp, H constant, of the 20 most probable tokens",
        source: "Diao et al. 2026, arXiv:2601.02151; as in LLaMA-Factory",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [ALPHA];
}
impl TokenLoss<1> for Eaft {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [alpha]: [R; 1]) -> TokenOut<R> {
        weighted(-power(x.entropy / x.entropy.lit(3.0), alpha), x.logp)
    }
}

/// `eaft` without the division by 3.
pub struct EaftRaw;
impl Entry<1> for EaftRaw {
    const ABOUT: About = About {
        id: 4006,
        name: "eaft_raw",
        formula: "-H^alpha logp, H constant, of the 20 most probable tokens",
        source: "Diao et al. 2026, arXiv:2601.02151; as in axolotl",
        ..Eaft::ABOUT
    };
    const PARAMS: [Param; 1] = [ALPHA];
}
impl TokenLoss<1> for EaftRaw {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [alpha]: [R; 1]) -> TokenOut<R> {
        weighted(-power(x.entropy, alpha), x.logp)
    }
}

/// Token-wise constrained fine-tuning for deep alignment: beta_t > 0 of the token travels in the advantage.
pub struct TokenConstrained;
impl Entry<0> for TokenConstrained {
    const ABOUT: About = About {
        id: 4007,
        name: "token_constrained",
        inputs: slot::LOGP | slot::REF | slot::ADVANTAGE,
        formula: "beta_t = advantage; -2 / beta_t log sigma(beta_t (logp - ref))",
        source: "Qi et al. 2024, arXiv:2406.05946",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for TokenConstrained {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        let (beta, two) = (x.advantage, x.logp.lit(2.0));
        let v = -(beta * (x.logp - x.ref_logp));
        TokenOut { value: two * v.softplus() / beta, logp: -(two * v.sigmoid()), entropy: two.lit(0.0) }
    }
}

/// The log-prob itself, to be lowered: unbounded below.
pub struct GradientAscent;
impl Entry<0> for GradientAscent {
    const ABOUT: About = About {
        id: 4008,
        name: "gradient_ascent",
        formula: "logp",
        source: "Jang et al. 2022, arXiv:2210.01504",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for GradientAscent {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(x.logp.lit(1.0), x.logp)
    }
}

/// Weighted gradient ascent: tokens that are probable are forgotten first.
pub struct Wga;
impl Entry<1> for Wga {
    const ABOUT: About = About {
        id: 4009,
        name: "wga",
        formula: "p^beta logp, p = e^logp constant",
        source: "Wang et al. 2025, arXiv:2502.19301",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [param("beta", 1.0, "exponent of the probability").above(0.0)];
}
impl TokenLoss<1> for Wga {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [beta]: [R; 1]) -> TokenOut<R> {
        weighted((beta * x.logp).exp(), x.logp)
    }
}

/// SatImp: gradient ascent weighted by saturation and importance.
pub struct Satimp;
impl Entry<2> for Satimp {
    const ABOUT: About = About {
        id: 4010,
        name: "satimp",
        formula: "p^beta1 (1 - p)^beta2 logp, p = e^logp constant",
        source: "Yang et al. 2025, arXiv:2505.11953",
        ..About::EMPTY
    };
    const PARAMS: [Param; 2] = [
        param("beta1", 5.0, "exponent of the probability").from(0.0),
        param("beta2", 1.0, "exponent of its complement").from(0.0),
    ];
}
impl TokenLoss<2> for Satimp {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [beta1, beta2]: [R; 2]) -> TokenOut<R> {
        weighted((term(beta1, x.logp) + term(beta2, x.logp.log1mexp())).exp(), x.logp)
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! {
    Token TokenLoss TokenVisitor with_token [OfToken] {
        PpoClip, Nll, Dft, ChordPhi, Eaft, EaftRaw, TokenConstrained, GradientAscent, Wga, Satimp,
        Cispo, Sapo, Reinforce, Topr, DppoTv, DppoKl, DppoTvRatio, PrimeIpo, PrimeRefKl, Dro, KlCov, NoonPpo, Sdar, NashMd,
        PositiveNll, ValueMse, ValueHuber,
    }
}
