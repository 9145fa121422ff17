//! Estimators of KL(policy || reference) from one sampled token, evaluated in f32. z = ref_logp - logp.
//!
//! Weights by the ratio, the straight-through gradient and clamps are stages around an estimator, the same for all.
use super::token::rollout::size_and_sign;
use crate::catalog::{About, Entry, Param, slot};
use crate::real::Real;

/// What an estimator is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Estimate<R> {
    /// Log-prob under the policy.
    pub logp: R,
    /// Log-prob under the reference.
    pub ref_logp: R,
    /// Log-prob under the policy that sampled the token.
    pub old: R,
}
/// Value and partial of an estimator.
#[derive(Clone, Copy, Debug)]
pub struct EstimateOut<R> {
    /// The estimate.
    pub value: R,
    /// Partial with respect to `logp`.
    pub logp: R,
}
/// An entry of the kind `estimator`.
pub trait KlEstimator<const N: usize>: Entry<N> {
    /// Value and partial.
    fn eval<R: Real>(x: Estimate<R>, p: [R; N]) -> EstimateOut<R>;
}
const ABOUT: About = About {
    inputs: slot::LOGP | slot::REF,
    source: "Schulman 2020, Approximating KL Divergence (joschu.net/blog/kl-approx.html)",
    ..About::EMPTY
};

/// The unbiased estimator: the log ratio itself. Its gradient alone pulls nowhere.
pub struct K1;
impl Entry<0> for K1 {
    const ABOUT: About = About { id: 6001, name: "k1", aliases: &["kl"], formula: "logp - ref", ..ABOUT };
    const PARAMS: [Param; 0] = [];
}
impl KlEstimator<0> for K1 {
    #[inline(always)]
    fn eval<R: Real>(x: Estimate<R>, _: [R; 0]) -> EstimateOut<R> {
        EstimateOut { value: x.logp - x.ref_logp, logp: x.logp.lit(1.0) }
    }
}

/// Half the squared log ratio.
pub struct K2;
impl Entry<0> for K2 {
    const ABOUT: About = About { id: 6002, name: "k2", aliases: &["mse"], formula: "(logp - ref)^2 / 2", ..ABOUT };
    const PARAMS: [Param; 0] = [];
}
impl KlEstimator<0> for K2 {
    #[inline(always)]
    fn eval<R: Real>(x: Estimate<R>, _: [R; 0]) -> EstimateOut<R> {
        let x = x.logp - x.ref_logp;
        EstimateOut { value: x.lit(0.5) * (x * x), logp: x }
    }
}

/// The low-variance estimator, never negative.
pub struct K3;
impl Entry<0> for K3 {
    const ABOUT: About =
        About { id: 6003, name: "k3", aliases: &["low_var_kl"], formula: "z = ref - logp; e^z - 1 - z", ..ABOUT };
    const PARAMS: [Param; 0] = [];
}
impl KlEstimator<0> for K3 {
    #[inline(always)]
    fn eval<R: Real>(x: Estimate<R>, _: [R; 0]) -> EstimateOut<R> {
        let z = x.ref_logp - x.logp;
        EstimateOut { value: z.exp_rem(), logp: -z.expm1() }
    }
}

/// The size of the log ratio.
pub struct Abs;
impl Entry<0> for Abs {
    const ABOUT: About = About { id: 6004, name: "abs", formula: "|logp - ref|", source: "verl, ROLL", ..ABOUT };
    const PARAMS: [Param; 0] = [];
}
impl KlEstimator<0> for Abs {
    #[inline(always)]
    fn eval<R: Real>(x: Estimate<R>, _: [R; 0]) -> EstimateOut<R> {
        let [value, logp] = size_and_sign(x.logp - x.ref_logp);
        EstimateOut { value, logp }
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! { Estimator KlEstimator EstimatorVisitor with_estimator [OfEstimator] { K1, K2, K3, Abs } }
