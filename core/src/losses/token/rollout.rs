//! Entries on the tokens of a rollout beside `ppo_clip`, and value losses.
//!
//! Those of the score-function kind have a value `weight * logp` with a constant weight: their value moves with an offset
//! of the log-probs, their gradient does not.
use super::super::{positive, term};
use super::{CLIP_HIGH, Token, TokenLoss, TokenOut, clipped, weighted};
use crate::catalog::{About, Entry, Param, param, required, slot};
use crate::real::Real;

/// `v` where there is an advantage, else 0, whatever v is. NaN does not vanish.
#[inline(always)]
pub(in crate::losses) fn by_advantage<R: Real>(advantage: R, v: R) -> R {
    positive(advantage.abs(), v, advantage.abs())
}
/// `rho * v`, and 0 where the ratio is 0: an exponential outweighs what v can be.
#[inline(always)]
fn at_ratio<R: Real>(rho: R, v: R) -> R {
    rho.select_le(rho.lit(0.0), rho, rho * v)
}
/// `yes` where `x <= bound`, 0 where it is above, NaN where it cannot be said.
#[inline(always)]
fn kept<R: Real>(x: R, bound: R, yes: R) -> R {
    x.select_le(bound, yes, bound.select_lt(x, x.lit(0.0), x - x))
}
/// |x| and its sign; the sign of 0 is 0.
#[inline(always)]
pub(in crate::losses) fn size_and_sign<R: Real>(x: R) -> [R; 2] {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    // at 0 a constant, so that there is no slope there on either side
    let size = x.select_lt(zero, -x, zero.select_lt(x, x, x.abs().detach()));
    [size, x.select_lt(zero, -one, zero.select_lt(x, one, x.abs().detach()))]
}
/// The first where the advantage is above 0, else the second.
#[inline(always)]
pub(in crate::losses) fn by_sign<R: Real>(advantage: R, up: R, down: R) -> R {
    positive(advantage, up, down)
}

/// How `cispo` makes its bounds, by the number of the variant.
pub(in crate::losses) const CISPO_BOUNDS: &[&str] = &["raw_high", "one_plus_high", "two_sided", "raw_two_sided"];
pub(in crate::losses) const CISPO: [Param; 2] = [
    param("clip_low", 0.0, "lower bound of the weight, or its distance below 1; the variant decides")
        .from(0.0)
        .or_infinite(),
    required("clip_high", "upper bound of the weight, or its distance above 1; the variant decides")
        .above(0.0)
        .or_infinite(),
];
/// Log bounds of the weight of `cispo`.
pub(crate) fn cispo_bounds(variant: u32, [low, high]: [f64; 2]) -> [f64; 2] {
    let none = f64::NEG_INFINITY;
    match variant {
        1 => [none, Real::log(high)],
        2 => [none, Real::log1p(high)],
        3 => [if low >= 1.0 { none } else { Real::log1p(-low) }, Real::log1p(high)],
        _ => [Real::log(low), Real::log(high)],
    }
}
/// Constant weight of `cispo` times the negative advantage.
#[inline(always)]
pub(in crate::losses) fn cispo_weight<R: Real>(x: R, advantage: R, [low, high]: [R; 2]) -> R {
    by_advantage(advantage, -(advantage * x.max(low).min(high).exp()))
}
/// Clipped importance-sampling policy optimisation: the ratio is a clipped constant weight, so that clipped tokens keep
/// their gradient. How the parameters make the bounds of the weight is the variant: `raw_high` [0, clip_high] (TRL,
/// Liger, ms-swift), `one_plus_high` [0, 1 + clip_high] (open-instruct), `two_sided` [1 - clip_low, 1 + clip_high] (verl,
/// NeMo-RL, slime, ROLL), `raw_two_sided` [clip_low, clip_high] (`tis` of ROLL with 0 and 1).
pub struct Cispo;
impl Entry<2> for Cispo {
    const ABOUT: About = About {
        id: 4011,
        name: "cispo",
        variants: CISPO_BOUNDS,
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "-clip(r, low, high) A logp, r = e^(logp - old) constant; the variant makes low and high",
        source: "MiniMax 2025, arXiv:2506.13585; variants: TRL, open-instruct, verl, ROLL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 2] = CISPO;
    const CONSTANTS: Option<[&'static str; 2]> = Some(["log_low", "log_high"]);
    fn derive_variant(variant: u32, p: [f64; 2]) -> [f64; 2] {
        cispo_bounds(variant, p)
    }
}
impl TokenLoss<2> for Cispo {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, bounds: [R; 2]) -> TokenOut<R> {
        weighted(cispo_weight(x.log_ratio, x.advantage, bounds), x.logp)
    }
}

/// Parameters of `sapo`.
pub(in crate::losses) const SAPO: [Param; 2] = [
    param("tau_pos", 1.0, "temperature of the gate where the advantage is positive").above(0.0),
    param("tau_neg", 1.05, "temperature of the gate elsewhere").above(0.0),
];
/// value and d/dx of -(4 A / tau) sigma(tau (e^x - 1)): one exponential of a sum, where a product would be inf * 0.
#[inline(always)]
pub(in crate::losses) fn soft_gate<R: Real>(x: R, advantage: R, [up, down]: [R; 2]) -> [R; 2] {
    let tau = by_sign(advantage, up, down);
    let v = tau * x.expm1();
    let scale = x.lit(-4.0) * advantage;
    let log = x.lit(f64::INFINITY).select_le(x, -x, x + (v.log_sigmoid() + (-v).log_sigmoid()));
    [by_advantage(advantage, scale / tau * v.sigmoid()), by_advantage(advantage, scale * log.exp())]
}
/// Soft adaptive policy optimisation: a smooth gate in the place of the clip.
pub struct Sapo;
impl Entry<2> for Sapo {
    const ABOUT: About = About {
        id: 4012,
        name: "sapo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "r = e^(logp - old), tau = tau_pos for A > 0, else tau_neg; -(4 A / tau) sigma(tau (r - 1))",
        source: "Gao et al. 2025, arXiv:2511.20347; as in TRL and verl",
        ..About::EMPTY
    };
    const PARAMS: [Param; 2] = SAPO;
}
impl TokenLoss<2> for Sapo {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, p: [R; 2]) -> TokenOut<R> {
        let [value, logp] = soft_gate(x.log_ratio, x.advantage, p);
        TokenOut { value, logp, entropy: logp.lit(0.0) }
    }
}

/// The score-function loss without a ratio; an importance weight is a stage behind it.
pub struct Reinforce;
impl Entry<0> for Reinforce {
    const ABOUT: About = About {
        id: 4013,
        name: "reinforce",
        aliases: &["gpg"],
        inputs: slot::LOGP | slot::ADVANTAGE,
        formula: "-A logp",
        source: "Williams 1992; as in verl (gpg), NeMo-RL and ROLL (vanilla)",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for Reinforce {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(-x.advantage, x.logp)
    }
}

/// Parameters of `topr`.
pub(in crate::losses) const TOPR: [Param; 2] = [
    param("weight_pos", 1.0, "weight of what was rewarded").from(0.0),
    param("weight_neg", 1.0, "weight of what was not").from(0.0),
];
/// Constant weight of `topr` times the negative advantage: the ratio, at most 1, counts where nothing was rewarded.
#[inline(always)]
pub(in crate::losses) fn topr_weight<R: Real>(x: R, advantage: R, flag: R, [up, down]: [R; 2]) -> R {
    let a = positive(flag.abs(), up, term(down, x.min(x.lit(0.0)).exp()));
    by_advantage(advantage, -(a * advantage))
}
/// Tapered off-policy REINFORCE. `flag` marks tokens of rewarded answers; the side comes from it, not from the sign of the
/// advantage, and with a centred advantage the two may disagree.
pub struct Topr;
impl Entry<2> for Topr {
    const ABOUT: About = About {
        id: 4014,
        name: "topr",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE | slot::FLAG,
        formula: "r = e^(logp - old) constant; -weight_pos A logp where flagged, else -weight_neg min(r, 1) A logp",
        source: "Le Roux et al. 2025, arXiv:2503.14286; as in ROLL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 2] = TOPR;
}
impl TokenLoss<2> for Topr {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, p: [R; 2]) -> TokenOut<R> {
        weighted(topr_weight(x.log_ratio, x.advantage, x.flag, p), x.logp)
    }
}

/// e^logp - e^old without cancellation, from the log ratio as well.
#[inline(always)]
pub fn probability_gap<R: Real>(logp: R, old: R, log_ratio: R) -> R {
    let size = logp.max(old).exp() * -(-log_ratio.abs()).expm1();
    log_ratio.select_lt(logp.lit(0.0), -size, size)
}
/// p h(d) for d = log(p / q): one of the two terms of the KL of two coins, never negative.
#[inline(always)]
fn side<R: Real>(p: R, q: R, d: R) -> R {
    let near = d.select_lt(d.lit(-8.0), q + p * (d - d.lit(1.0)), p * d.h());
    p.select_le(p.lit(0.0), q, near)
}
/// KL(coin with e^old || coin with e^logp), from the log ratio as well: a sum of terms none of which is negative.
#[inline(always)]
pub fn coin_kl<R: Real>(logp: R, old: R, log_ratio: R) -> R {
    let zero = logp.lit(0.0);
    // a log-prob that rounding left above 0 is 0
    let (l, o) = (logp.min(zero), old.min(zero));
    side(o.exp(), l.exp(), -log_ratio) + side(-o.expm1(), -l.expm1(), o.log1mexp() - l.log1mexp())
}
const DELTA_LOW: Param =
    param("delta_low", 0.2, "largest divergence that is kept where the advantage is negative").from(0.0);
const DELTA_HIGH: Param = param("delta_high", 0.2, "largest divergence that is kept where it is positive").from(0.0);
const RATIO_MAX: Param =
    param("ratio_max", 20.0, "cap of the ratio as a weight; verl ships 3").above(0.0).or_infinite();
const DPPO: [Param; 3] = [DELTA_LOW, DELTA_HIGH, RATIO_MAX];
const DPPO_CONSTANTS: Option<[&str; 3]> = Some(["delta_low", "delta_high", "log_ratio_max"]);
fn dppo_constants([low, high, ratio]: [f64; 3]) -> [f64; 3] {
    [low, high, Real::log(ratio)]
}
/// Constant weight of a token that is kept.
#[inline(always)]
fn capped<R: Real>(x: Token<R>, log_max: R) -> R {
    -(x.advantage * x.log_ratio.min(log_max).exp())
}
/// Divergence PPO with the total variation as the measure: a token that moved too far in the direction of its advantage
/// is dropped. Bounds are inclusive.
pub struct DppoTv;
impl Entry<3> for DppoTv {
    const ABOUT: About = About {
        id: 4015,
        name: "dppo_tv",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "r = min(e^(logp - old), ratio_max) constant, d = e^logp - e^old; -r A logp where \
                  d <= delta_high for A > 0, d >= -delta_low else",
        source: "Qi et al. 2026, arXiv:2602.04879; as in verl",
        ..About::EMPTY
    };
    const PARAMS: [Param; 3] = DPPO;
    const CONSTANTS: Option<[&'static str; 3]> = DPPO_CONSTANTS;
    fn derive(p: [f64; 3]) -> [f64; 3] {
        dppo_constants(p)
    }
}
impl TokenLoss<3> for DppoTv {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [low, high, log_max]: [R; 3]) -> TokenOut<R> {
        let (d, weight) = (probability_gap(x.logp, x.old, x.log_ratio), capped(x, log_max));
        let weight = by_sign(x.advantage, kept(d, high, weight), kept(-d, low, weight));
        weighted(by_advantage(x.advantage, weight), x.logp)
    }
}
/// Divergence PPO with the KL of the token's coin (this token or another) as the measure.
pub struct DppoKl;
impl Entry<3> for DppoKl {
    const ABOUT: About = About {
        id: 4016,
        name: "dppo_kl",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "r = min(e^(logp - old), ratio_max) constant, D = KL of the coins with e^old and e^logp; -r A logp \
                  where D <= delta_high or r <= 1 for A > 0, D <= delta_low or r >= 1 else",
        source: "Qi et al. 2026, arXiv:2602.04879; as in verl",
        ..About::EMPTY
    };
    const PARAMS: [Param; 3] = DPPO;
    const CONSTANTS: Option<[&'static str; 3]> = DPPO_CONSTANTS;
    fn derive(p: [f64; 3]) -> [f64; 3] {
        dppo_constants(p)
    }
}
impl TokenLoss<3> for DppoKl {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [low, high, log_max]: [R; 3]) -> TokenOut<R> {
        let (d, weight, zero) = (coin_kl(x.logp, x.old, x.log_ratio), capped(x, log_max), x.logp.lit(0.0));
        let up = x.log_ratio.select_le(zero, weight, kept(d, high, weight));
        let down = zero.select_le(x.log_ratio, weight, kept(d, low, weight));
        weighted(by_advantage(x.advantage, by_sign(x.advantage, up, down)), x.logp)
    }
}

const ADV_TAU: Param = param("adv_tau", 1.0, "weight of the advantage term").from(0.0);
const KL_TAU: Param = param("kl_tau", 1e-3, "weight of the squared log ratio").from(0.0);
const MASK_LOW: Param = param("mask_low", 0.2, "largest fall of the probability that is kept").from(0.0);
const MASK_HIGH: Param = param("mask_high", 0.2, "largest rise of the probability that is kept").from(0.0);
/// -adv_tau A r keep + kl_tau x^2 with a pull of the advantage term that is already formed, and its derivative.
#[inline(always)]
fn ratio_and_square<R: Real>(x: R, pull: R, kl_tau: R) -> TokenOut<R> {
    let twice = kl_tau + kl_tau;
    TokenOut { value: pull + term(kl_tau, x * x), logp: pull + term(twice, x), entropy: x.lit(0.0) }
}
/// -adv_tau A r, 0 without an advantage.
#[inline(always)]
fn pull<R: Real>(x: R, advantage: R, adv_tau: R) -> R {
    by_advantage(advantage, -term(adv_tau, advantage * x.exp()))
}
/// The default loss of prime-rl: the ratio itself, neither clipped nor constant, on tokens whose probability did not move
/// too far in the direction of the advantage, and a squared log ratio on all. `old` holds the inference engine's log-probs.
pub struct DppoTvRatio;
impl Entry<4> for DppoTvRatio {
    const ABOUT: About = About {
        id: 4017,
        name: "dppo_tv_ratio",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "x = logp - old, d = e^logp - e^old; -adv_tau A e^x where d <= mask_high for A > 0, d >= -mask_low \
                  else; + kl_tau x^2 everywhere",
        source: "prime-rl, loss type default",
        ..About::EMPTY
    };
    const PARAMS: [Param; 4] = [ADV_TAU, KL_TAU, MASK_LOW, MASK_HIGH];
}
impl TokenLoss<4> for DppoTvRatio {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [adv_tau, kl_tau, low, high]: [R; 4]) -> TokenOut<R> {
        let (d, v) = (probability_gap(x.logp, x.old, x.log_ratio), pull(x.log_ratio, x.advantage, adv_tau));
        let v = by_advantage(x.advantage, by_sign(x.advantage, kept(d, high, v), kept(-d, low, v)));
        ratio_and_square(x.log_ratio, v, kl_tau)
    }
}
/// The loss type `ipo` of prime-rl (no relation to the pair loss): as `dppo_tv_ratio` with one bound for both directions.
pub struct PrimeIpo;
impl Entry<3> for PrimeIpo {
    const ABOUT: About = About {
        id: 4018,
        name: "prime_ipo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "x = logp - old; -adv_tau A e^x where |e^logp - e^old| <= threshold; + kl_tau x^2 everywhere",
        source: "prime-rl, loss type ipo",
        ..About::EMPTY
    };
    const PARAMS: [Param; 3] =
        [ADV_TAU, KL_TAU, param("threshold", 0.1, "largest change of the probability that is kept").from(0.0)];
}
impl TokenLoss<3> for PrimeIpo {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [adv_tau, kl_tau, threshold]: [R; 3]) -> TokenOut<R> {
        let v =
            kept(probability_gap(x.logp, x.old, x.log_ratio).abs(), threshold, pull(x.log_ratio, x.advantage, adv_tau));
        ratio_and_square(x.log_ratio, by_advantage(x.advantage, v), kl_tau)
    }
}
/// The loss type `ref_kl` of prime-rl: `ref` holds the teacher, its log ratio at the current policy is the advantage.
pub struct PrimeRefKl;
impl Entry<3> for PrimeRefKl {
    const ABOUT: About = About {
        id: 4019,
        name: "prime_ref_kl",
        inputs: slot::LOGP | slot::OLD | slot::REF,
        formula: "x = logp - old, A = ref - logp constant; -adv_tau A e^x where e^logp - e^old >= -mask_low; + kl_tau x^2 \
                  everywhere",
        source: "prime-rl, loss type ref_kl",
        ..About::EMPTY
    };
    const PARAMS: [Param; 3] = [ADV_TAU, KL_TAU, MASK_LOW];
}
impl TokenLoss<3> for PrimeRefKl {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [adv_tau, kl_tau, low]: [R; 3]) -> TokenOut<R> {
        let advantage = (x.ref_logp - x.logp).detach();
        let v = -term(adv_tau, at_ratio(x.log_ratio.exp(), advantage));
        let v = by_advantage(advantage, kept(-probability_gap(x.logp, x.old, x.log_ratio), low, v));
        ratio_and_square(x.log_ratio, v, kl_tau)
    }
}

/// Direct reward optimisation: the score function with a square that holds the policy to the one that sampled.
pub struct Dro;
impl Entry<1> for Dro {
    const ABOUT: About = About {
        id: 4020,
        name: "dro",
        aliases: &["kimi15"],
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "-A logp + tau / 2 (logp - old)^2",
        source: "Richemond et al. 2024, arXiv:2405.19107; as in verl and ROLL (kimi15)",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [param("tau", 0.1, "strength of the square").above(0.0)];
}
impl TokenLoss<1> for Dro {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [tau]: [R; 1]) -> TokenOut<R> {
        let infinity = tau.lit(f64::INFINITY);
        let square = tau * tau.lit(0.5) * (x.log_ratio * x.log_ratio);
        // the square outweighs an infinite log-prob
        let value = infinity.select_le(square, square, square - term(x.advantage, x.logp));
        TokenOut { value, logp: tau * x.log_ratio - x.advantage, entropy: tau.lit(0.0) }
    }
}

/// KL-Cov: the ratio without a clip, and a pull towards the old policy on the tokens that `cov_select` marked (`flag`).
pub struct KlCov;
impl Entry<1> for KlCov {
    const ABOUT: About = About {
        id: 4021,
        name: "kl_cov",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE | slot::FLAG,
        formula: "x = logp - old; -A e^x, + coef |x| where flagged",
        source: "Cui et al. 2025, arXiv:2505.22617; as in verl",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [param("coef", 1.0, "strength of the pull").from(0.0)];
}
impl TokenLoss<1> for KlCov {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [coef]: [R; 1]) -> TokenOut<R> {
        let infinity = coef.lit(f64::INFINITY);
        let v = by_advantage(x.advantage, -(x.advantage * x.log_ratio.exp()));
        let [size, sign] = size_and_sign(x.log_ratio);
        let coef = positive(x.flag.abs(), coef, coef.lit(0.0));
        // the exponential outweighs the distance
        let value = infinity.select_le(v.abs(), v, v + term(coef, size));
        TokenOut { value, logp: v + term(coef, sign), entropy: coef.lit(0.0) }
    }
}

/// `ppo_clip` with the negative advantages left out: only the upper clip can act. `old` is the anchor of the caller's
/// choice.
pub struct NoonPpo;
impl Entry<1> for NoonPpo {
    const ABOUT: About = About {
        id: 4022,
        name: "noon_ppo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "r = e^(logp - old); -max(A, 0) min(r, 1 + clip_high)",
        source: "He and Maghsudi 2025, arXiv:2508.07768 (PAMA)",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [CLIP_HIGH];
    const CONSTANTS: Option<[&'static str; 1]> = Some(["log_high"]);
    fn derive([high]: [f64; 1]) -> [f64; 1] {
        [Real::log1p(high)]
    }
}
impl TokenLoss<1> for NoonPpo {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [high]: [R; 1]) -> TokenOut<R> {
        let none = high.lit(f64::NEG_INFINITY);
        let [value, logp] = clipped(x.log_ratio, x.advantage.max(high.lit(0.0)), [none, high, high, high]);
        TokenOut { value, logp, entropy: logp.lit(0.0) }
    }
}

/// Self-distillation with a gate: `ref` holds the teacher; how far it is ahead opens the gate, which is constant.
pub struct Sdar;
impl Entry<1> for Sdar {
    const ABOUT: About = About {
        id: 4023,
        name: "sdar",
        inputs: slot::LOGP | slot::REF,
        formula: "g = sigma(gate_beta (ref - logp)) constant; g (ref - logp)",
        source: "ms-swift, loss term sdar",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [param("gate_beta", 5.0, "steepness of the gate").above(0.0)];
}
impl TokenLoss<1> for Sdar {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [beta]: [R; 1]) -> TokenOut<R> {
        let gap = x.logp - x.ref_logp;
        weighted(-(beta * -gap).sigmoid(), gap)
    }
}

/// Nash learning from human feedback by mirror descent. The advantage is P - 1/2, P the probability that the answer beats
/// one of the mixture.
pub struct NashMd;
impl Entry<1> for NashMd {
    const ABOUT: About = About {
        id: 4024,
        name: "nash_md",
        inputs: slot::LOGP | slot::REF | slot::ADVANTAGE,
        formula: "(beta (logp - ref) - A) logp, the factor constant",
        source: "Munos et al. 2023, arXiv:2312.00886; as in TRL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [param("beta", 0.1, "strength of the pull towards the reference").from(0.0)];
}
impl TokenLoss<1> for NashMd {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [beta]: [R; 1]) -> TokenOut<R> {
        weighted(term(beta, x.logp - x.ref_logp) - x.advantage, x.logp)
    }
}

/// `nll` on the tokens of rewarded answers (`flag`). Averaged over those alone where they are the mask, or the tokens that
/// are kept with the denominator `kept`.
pub struct PositiveNll;
impl Entry<0> for PositiveNll {
    const ABOUT: About = About {
        id: 4025,
        name: "positive_nll",
        inputs: slot::LOGP | slot::FLAG,
        formula: "-logp where flagged, else 0",
        source: "Yue et al. 2025, arXiv:2504.05118 (VAPO); as in NeMo-RL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 0] = [];
}
impl TokenLoss<0> for PositiveNll {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, _: [R; 0]) -> TokenOut<R> {
        weighted(positive(x.flag.abs(), x.logp.lit(-1.0), x.logp.lit(0.0)), x.logp)
    }
}

const CLIP: Param =
    param("clip", f64::INFINITY, "largest step from the old value that counts; infinity: any").from(0.0).or_infinite();
/// e, or the clipped e where that is larger; and whether (1) or not (0) the value itself decides. Compared are sizes, so
/// no square overflows; on a tie the unclipped one holds.
#[inline(always)]
fn clipped_error<R: Real>(x: Token<R>, clip: R) -> [R; 2] {
    let (zero, one) = (clip.lit(0.0), clip.lit(1.0));
    let e = x.logp - x.ref_logp;
    let step = x.log_ratio.select_lt(zero, -clip, clip);
    let far = (x.old + step) - x.ref_logp;
    let own = far.abs().select_le(e.abs(), one, zero);
    let beyond = clip.select_lt(x.log_ratio.abs(), own, one);
    [zero.select_lt(beyond, e, far), beyond]
}
/// Squared error of a value with a clipped step: value in `logp`, old value in `old`, return in `ref`.
pub struct ValueMse;
impl Entry<1> for ValueMse {
    const ABOUT: About = About {
        id: 4026,
        name: "value_mse",
        inputs: slot::LOGP | slot::OLD | slot::REF,
        formula: "value in logp, return in ref; e = logp - ref, c = old + clip(logp - old, -clip, clip) - ref; \
                  max(e^2, c^2) / 2",
        source: "Schulman et al. 2017, OpenAI baselines; as in verl, OpenRLHF, NeMo-RL",
        ..About::EMPTY
    };
    const PARAMS: [Param; 1] = [CLIP];
}
impl TokenLoss<1> for ValueMse {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [clip]: [R; 1]) -> TokenOut<R> {
        let [e, own] = clipped_error(x, clip);
        let zero = clip.lit(0.0);
        TokenOut { value: e * e * e.lit(0.5), logp: own.select_le(zero, zero, e), entropy: zero }
    }
}
/// `value_mse` with Huber's function in the place of the square.
pub struct ValueHuber;
impl Entry<2> for ValueHuber {
    const ABOUT: About = About {
        id: 4027,
        name: "value_huber",
        formula: "as value_mse with e^2 / 2 where |e| < delta, else delta (|e| - delta / 2)",
        source: "Huber 1964; as in AReaL",
        ..ValueMse::ABOUT
    };
    const PARAMS: [Param; 2] = [CLIP, param("delta", 10.0, "error from which on the loss is linear").above(0.0)];
}
impl TokenLoss<2> for ValueHuber {
    #[inline(always)]
    fn eval<R: Real>(x: Token<R>, [clip, delta]: [R; 2]) -> TokenOut<R> {
        let [e, own] = clipped_error(x, clip);
        let (zero, half) = (clip.lit(0.0), clip.lit(0.5));
        let far = delta * (e.abs() - half * delta);
        let slope = e.max(-delta).min(delta);
        let value = e.abs().select_lt(delta, e * e * half, far);
        TokenOut { value, logp: own.select_le(zero, zero, slope), entropy: zero }
    }
}
