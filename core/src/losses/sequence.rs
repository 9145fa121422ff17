//! Losses of a whole sequence: a token map, a reduction, a function of the reduced value. Evaluated in f64.
//!
//! The kernel forms C = sum_t c_t (divided by max(len, 1) for a mean) over the live tokens. An entry either depends on C,
//! and the kernel writes dL/dlogp_t = F'(C) dC/dc_t c'_t; or ([`SequenceLoss::EACH`]) C is a constant that all tokens of
//! the sequence share, F is evaluated for each of them with its own log-prob and advantage, and its gradient stays there.
use super::Token;
use super::term;
use super::token::rollout::{
    CISPO, CISPO_BOUNDS, SAPO, TOPR, by_advantage, by_sign, cispo_bounds, cispo_weight, soft_gate, topr_weight,
};
use super::token::{CLIP, LOG_BOUNDS, clipped, log_bounds};
use crate::catalog::{About, Entry, Param, param, slot};
use crate::real::Real;

/// How c_t becomes C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Sum over the live tokens.
    Sum,
    /// Their mean.
    Mean,
}
/// c_t of one token.
#[derive(Clone, Copy, Debug)]
pub struct MapOut<R> {
    /// c_t
    pub value: R,
    /// Its derivative with respect to `logp`; 0 where C is constant.
    pub logp: R,
}
/// What the sequence function is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<R> {
    /// C, the reduced token map.
    pub c: R,
    /// Log-prob of the token, for an entry that is evaluated for each.
    pub logp: R,
    /// Sum of `logp - old` over the live tokens, constant.
    pub log_ratio: R,
    /// Number of live tokens.
    pub len: R,
    /// Advantage of the sequence; of the token for an entry that is evaluated for each.
    pub advantage: R,
    /// Mark of the token, for an entry that is evaluated for each.
    pub flag: R,
    /// Learned log-normaliser.
    pub log_z: R,
}
/// Value and partials of the sequence function; what the entry has no partial for is 0.
#[derive(Clone, Copy, Debug)]
pub struct SequenceOut<R> {
    /// The loss.
    pub value: R,
    /// F'(C), or the partial with respect to the token's own log-prob.
    pub slope: R,
    /// Partial with respect to `log_z`.
    pub log_z: R,
}
impl<R: Real> SequenceOut<R> {
    #[inline(always)]
    fn new([value, slope]: [R; 2]) -> Self {
        SequenceOut { value, slope, log_z: value.lit(0.0) }
    }
}
/// A loss of the kind `sequence`.
pub trait SequenceLoss<const N: usize>: Entry<N> {
    /// How the token map is reduced.
    const REDUCTION: Reduction;
    /// C is constant, and F is evaluated for each token.
    const EACH: bool = false;
    /// c_t and its derivative.
    fn map<R: Real>(x: Token<R>, p: [R; N]) -> MapOut<R>;
    /// F and its partials.
    fn eval<R: Real>(x: Sequence<R>, p: [R; N]) -> SequenceOut<R>;
}

/// c_t = logp - old
#[inline(always)]
fn log_ratio<R: Real>(x: Token<R>) -> MapOut<R> {
    MapOut { value: x.log_ratio, logp: x.logp.lit(1.0) }
}
/// The same for a C that is constant.
#[inline(always)]
fn constant<R: Real>(x: R) -> MapOut<R> {
    MapOut { value: x.detach(), logp: x.lit(0.0) }
}
/// `weight * logp` with a constant weight.
#[inline(always)]
fn weighted<R: Real>(weight: R, logp: R) -> SequenceOut<R> {
    let weight = weight.detach();
    SequenceOut::new([term(weight, logp), weight])
}
const RATIO: About = About { inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE, ..About::EMPTY };

/// Group Sequence Policy Optimization: `ppo_clip` of the length-normalised ratio of the whole sequence, the gradient
/// through the ratio. The paper's bounds are near 3e-4 and 4e-4; the defaults are those of `ppo_clip`, as in trainers.
pub struct Gspo;
impl Entry<4> for Gspo {
    const ABOUT: About = About {
        id: 5001,
        name: "gspo",
        aliases: &["ppo_clip"],
        formula: "C = mean_t (logp - old); ppo_clip of r = e^C",
        source: "Zheng et al. 2025, arXiv:2507.18071",
        ..RATIO
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl SequenceLoss<4> for Gspo {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        log_ratio(x)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 4]) -> SequenceOut<R> {
        SequenceOut::new(clipped(x.c, x.advantage, bounds))
    }
}

/// `gspo` with an advantage of each token: all share the ratio of the sequence in value, each has its own gradient.
pub struct GspoToken;
impl Entry<4> for GspoToken {
    const ABOUT: About = About {
        id: 5002,
        name: "gspo_token",
        formula: "C = mean_t (logp - old) constant; each token: ppo_clip of r = e^(C + logp - sg(logp)) with its own A",
        source: "Zheng et al. 2025, arXiv:2507.18071, section 4.3",
        ..RATIO
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl SequenceLoss<4> for GspoToken {
    const REDUCTION: Reduction = Reduction::Mean;
    const EACH: bool = true;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        constant(x.log_ratio)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 4]) -> SequenceOut<R> {
        let own = x.logp - x.logp.detach();
        let own = own.select_le(own, own, own.lit(0.0));
        SequenceOut::new(clipped(x.c.detach() + own, x.advantage, bounds))
    }
}

/// Length-unbiased sequence policy optimisation: `gspo` times the number of tokens.
pub struct Luspo;
impl Entry<4> for Luspo {
    const ABOUT: About = About {
        id: 5003,
        name: "luspo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE | slot::LENGTH,
        formula: "C = mean_t (logp - old); L times ppo_clip of r = e^C",
        source: "TRL, loss type luspo",
        ..RATIO
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl SequenceLoss<4> for Luspo {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        log_ratio(x)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 4]) -> SequenceOut<R> {
        let [value, slope] = clipped(x.c, x.advantage, bounds);
        SequenceOut::new([term(x.len, value), term(x.len, slope)])
    }
}

/// The clipped ratio of whole sequences, as in the RLOO trainer.
pub struct RlooSequence;
impl Entry<4> for RlooSequence {
    const ABOUT: About = About {
        id: 5004,
        name: "rloo_sequence",
        formula: "C = sum_t (logp - old); ppo_clip of r = e^C",
        source: "Ahmadian et al. 2024, arXiv:2402.14740; as in TRL",
        ..RATIO
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl SequenceLoss<4> for RlooSequence {
    const REDUCTION: Reduction = Reduction::Sum;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        log_ratio(x)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 4]) -> SequenceOut<R> {
        SequenceOut::new(clipped(x.c, x.advantage, bounds))
    }
}

/// `sapo` of the length-normalised ratio of the sequence.
pub struct SapoSequence;
impl Entry<2> for SapoSequence {
    const ABOUT: About = About {
        id: 5005,
        name: "sapo",
        formula: "C = mean_t (logp - old); sapo of r = e^C",
        source: "Gao et al. 2025, arXiv:2511.20347; as in TRL",
        ..RATIO
    };
    const PARAMS: [Param; 2] = SAPO;
}
impl SequenceLoss<2> for SapoSequence {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 2]) -> MapOut<R> {
        log_ratio(x)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, p: [R; 2]) -> SequenceOut<R> {
        SequenceOut::new(soft_gate(x.c, x.advantage, p))
    }
}

/// Geometric-mean policy optimisation: the log ratio of each token is clipped on the side that its advantage pushes it to.
/// The bounds are distances in log space.
pub struct Gmpo;
impl Entry<2> for Gmpo {
    const ABOUT: About = About {
        id: 5006,
        name: "gmpo",
        aliases: &["geo_mean"],
        formula: "x = logp - old; C = mean_t of min(x, clip_high) for A > 0, of max(x, -clip_low) else; -A e^C",
        source: "Zhao et al. 2025, arXiv:2507.20673; as in TRL and verl (geo_mean)",
        ..RATIO
    };
    const PARAMS: [Param; 2] = [
        param("clip_low", 0.4, "log ratios below -clip_low are clipped").from(0.0).or_infinite(),
        param("clip_high", 0.4, "log ratios above clip_high are clipped").from(0.0).or_infinite(),
    ];
}
impl SequenceLoss<2> for Gmpo {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, [low, high]: [R; 2]) -> MapOut<R> {
        let (v, zero, one) = (x.log_ratio, low.lit(0.0), low.lit(1.0));
        let up = [v.min(high), high.select_lt(v, zero, one)];
        let down = [v.max(-low), v.select_lt(-low, zero, one)];
        MapOut { value: by_sign(x.advantage, up[0], down[0]), logp: by_sign(x.advantage, up[1], down[1]) }
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, _: [R; 2]) -> SequenceOut<R> {
        let v = by_advantage(x.advantage, -(x.advantage * x.c.exp()));
        SequenceOut::new([v, v])
    }
}

/// Bounds of the logs that `vespo` takes: of the weight, and of a token's log ratio.
const VESPO_LOW: f64 = -18.420680743952367; // log 1e-8
const VESPO_HIGH: f64 = 20.0;
/// Value-enhanced soft policy optimisation: REINFORCE with a smooth, constant function of the sequence's ratio as its
/// weight. An importance weight of tokens is part of that ratio. Largest at the ratio k / lambda.
pub struct Vespo;
impl Entry<4> for Vespo {
    const ABOUT: About = About {
        id: 5007,
        name: "vespo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE | slot::IMPORTANCE,
        formula: "C = sum_t clip(logp - old, -20, 20) + clip(log w, log 1e-8, 20) constant, at most 20, at least log 1e-8; \
                  phi = e^(k C - lambda (e^C - 1)); each token: -phi A logp",
        source: "TRL, loss type vespo",
        ..RATIO
    };
    const PARAMS: [Param; 4] = [
        param("k_pos", 2.0, "exponent of the ratio where the advantage is not negative"),
        param("lambda_pos", 3.0, "decay in the ratio there").from(1e-4),
        param("k_neg", 3.0, "exponent of the ratio elsewhere"),
        param("lambda_neg", 2.0, "decay in the ratio there").from(1e-4),
    ];
}
impl SequenceLoss<4> for Vespo {
    const REDUCTION: Reduction = Reduction::Sum;
    const EACH: bool = true;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        let (low, high) = (x.logp.lit(VESPO_LOW), x.logp.lit(VESPO_HIGH));
        constant(x.log_ratio.max(-high).min(high) + x.importance.log().max(low).min(high))
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, [k_pos, lambda_pos, k_neg, lambda_neg]: [R; 4]) -> SequenceOut<R> {
        let zero = x.c.lit(0.0);
        let k = x.advantage.select_lt(zero, k_neg, k_pos);
        let lambda = x.advantage.select_lt(zero, lambda_neg, lambda_pos);
        let c = x.c.max(zero.lit(VESPO_LOW)).min(zero.lit(VESPO_HIGH));
        let phi = (k * c - lambda * c.expm1()).exp();
        weighted(by_advantage(x.advantage, -(phi * x.advantage)), x.logp)
    }
}

/// FlowRL: trajectory balance with length-normalised log-probs. The weight is the ratio of the sequence, capped, constant.
pub struct Flowrl;
impl Entry<2> for Flowrl {
    const ABOUT: About = About {
        id: 5008,
        name: "flowrl",
        inputs: slot::LOGP | slot::OLD | slot::REF | slot::ADVANTAGE | slot::LOG_Z,
        partials: slot::LOGP | slot::LOG_Z,
        formula: "w = min(e^(sum_t logp - old), weight_max) constant, D = log_z + mean_t (logp - ref) - reward_scale A; w D^2",
        source: "Zhu et al. 2025, arXiv:2509.15207; as in verl-recipe",
        ..RATIO
    };
    const PARAMS: [Param; 2] = [
        param("reward_scale", 15.0, "weight of the reward, which is the mean of the advantages"),
        param("weight_max", 10.0, "cap of the ratio as a weight").above(0.0).or_infinite(),
    ];
    const CONSTANTS: Option<[&'static str; 2]> = Some(["reward_scale", "log_weight_max"]);
    fn derive([scale, cap]: [f64; 2]) -> [f64; 2] {
        [scale, Real::log(cap)]
    }
}
impl SequenceLoss<2> for Flowrl {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 2]) -> MapOut<R> {
        MapOut { value: x.logp - x.ref_logp, logp: x.logp.lit(1.0) }
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, [scale, log_cap]: [R; 2]) -> SequenceOut<R> {
        let w = x.log_ratio.min(log_cap).exp().detach();
        let d = (x.log_z + x.c) - term(scale, x.advantage);
        let slope = term(w, d + d);
        SequenceOut { value: term(w, d * d), slope, log_z: slope }
    }
}

/// Self-play preference optimisation on a reward: the log ratio of the sequence is regressed on it.
pub struct SppoReward;
impl Entry<1> for SppoReward {
    const ABOUT: About = About {
        id: 5009,
        name: "sppo_reward",
        formula: "C = sum_t (logp - old); (C - eta A)^2, A the reward",
        source: "Wu et al. 2024, arXiv:2405.00675; as in verl-recipe",
        ..RATIO
    };
    const PARAMS: [Param; 1] = [param("eta", 1.0, "weight of the reward").from(0.0)];
}
impl SequenceLoss<1> for SppoReward {
    const REDUCTION: Reduction = Reduction::Sum;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 1]) -> MapOut<R> {
        log_ratio(x)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, [eta]: [R; 1]) -> SequenceOut<R> {
        let d = x.c - term(eta, x.advantage);
        SequenceOut::new([d * d, d + d])
    }
}

/// `topr` with one weight for the whole sequence.
pub struct ToprSequence;
impl Entry<2> for ToprSequence {
    const ABOUT: About = About {
        id: 5010,
        name: "topr",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE | slot::FLAG,
        formula: "r = e^(sum_t logp - old) constant; each token: -weight_pos A logp where flagged, else \
                  -weight_neg min(r, 1) A logp",
        source: "Le Roux et al. 2025, arXiv:2503.14286",
        ..RATIO
    };
    const PARAMS: [Param; 2] = TOPR;
}
impl SequenceLoss<2> for ToprSequence {
    const REDUCTION: Reduction = Reduction::Sum;
    const EACH: bool = true;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 2]) -> MapOut<R> {
        constant(x.log_ratio)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, p: [R; 2]) -> SequenceOut<R> {
        weighted(topr_weight(x.c, x.advantage, x.flag, p), x.logp)
    }
}

/// `cispo` with one weight for the whole sequence.
pub struct CispoSequence;
impl Entry<2> for CispoSequence {
    const ABOUT: About = About {
        id: 5011,
        name: "cispo",
        variants: CISPO_BOUNDS,
        formula: "r = e^(mean_t logp - old) constant; each token: -clip(r, low, high) A logp; the variant makes low and high",
        source: "MiniMax 2025, arXiv:2506.13585; as in TRL and ms-swift",
        ..RATIO
    };
    const PARAMS: [Param; 2] = CISPO;
    const CONSTANTS: Option<[&'static str; 2]> = Some(["log_low", "log_high"]);
    fn derive_variant(variant: u32, p: [f64; 2]) -> [f64; 2] {
        cispo_bounds(variant, p)
    }
}
impl SequenceLoss<2> for CispoSequence {
    const REDUCTION: Reduction = Reduction::Mean;
    const EACH: bool = true;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 2]) -> MapOut<R> {
        constant(x.log_ratio)
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 2]) -> SequenceOut<R> {
        weighted(cispo_weight(x.c, x.advantage, bounds), x.logp)
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! {
    Sequence SequenceLoss SequenceVisitor with_sequence [OfSequenceMap OfSequence] {
        Gspo, GspoToken, Luspo, RlooSequence, SapoSequence, Gmpo, Vespo, Flowrl, SppoReward, ToprSequence, CispoSequence,
    }
}
