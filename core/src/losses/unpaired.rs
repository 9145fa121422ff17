//! Losses of one labelled answer, evaluated in f64.
use super::positive;
use crate::catalog::{About, Entry, Param, param, slot};
use crate::real::Real;

/// What an unpaired entry is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Unpaired<R> {
    /// Score under the policy.
    pub logp: R,
    /// Score under the reference; 0 without one.
    pub ref_logp: R,
    /// Number of live tokens.
    pub len: R,
    /// Desirable where > 0.
    pub label: R,
    /// The row's weight; read only by entries that apply it themselves ([`slot::WEIGHT`]).
    pub weight: R,
    /// A number of the batch, constant.
    pub baseline: R,
    /// A running shift of the reward, constant.
    pub shift: R,
}
/// Value and partial of an unpaired entry.
#[derive(Clone, Copy, Debug)]
pub struct UnpairedOut<R> {
    /// The loss.
    pub value: R,
    /// Partial with respect to `logp`.
    pub logp: R,
}
/// A loss of the kind `unpaired`.
pub trait UnpairedLoss<const N: usize>: Entry<N> {
    /// Value and partial.
    fn eval<R: Real>(x: Unpaired<R>, p: [R; N]) -> UnpairedOut<R>;
}
impl<R: Real> Unpaired<R> {
    /// `logp - ref_logp`
    #[inline(always)]
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}

/// Kahneman-Tversky Optimization. The baseline is the batch's estimate of the KL to the reference, constant.
pub struct Kto;
impl Entry<3> for Kto {
    const ABOUT: About = About {
        id: 2001,
        name: "kto",
        inputs: slot::LOGP | slot::REF | slot::LABEL | slot::BASELINE,
        formula: "x = beta (a - baseline); desirable: w_d sigma(-x); undesirable: w_u sigma(x)",
        source: "Ethayarajh et al. 2024, arXiv:2402.01306",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 3] = [
        param("beta", 0.1, "strength of the pull towards the reference").above(0.0),
        param("desirable_weight", 1.0, "weight of a desirable answer").from(0.0),
        param("undesirable_weight", 1.0, "weight of an undesirable answer").from(0.0),
    ];
}
impl UnpairedLoss<3> for Kto {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta, desirable, undesirable]: [R; 3]) -> UnpairedOut<R> {
        let weight = positive(x.label, desirable, undesirable);
        let slope = positive(x.label, -beta, beta);
        let v = slope * (x.log_ratio() - x.baseline);
        let value = weight * v.sigmoid();
        UnpairedOut { value, logp: slope * value * (-v).sigmoid() }
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! { Unpaired UnpairedLoss UnpairedVisitor with_unpaired [OfUnpaired] { Kto } }
