//! Losses of a chosen and a rejected answer, evaluated in f64.
use super::{positive, term};
use crate::catalog::{About, Entry, Param, param, slot};
use crate::real::Real;

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
    /// Value and partials.
    fn eval<R: Real>(x: Pair<R>, p: [R; N]) -> PairOut<R>;
}

impl<R: Real> Side<R> {
    /// `logp - ref_logp`
    #[inline(always)]
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}
impl<R: Real> Pair<R> {
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

/// Direct Preference Optimization; with `label_smoothing` its conservative form (cDPO).
pub struct Dpo;
impl Entry<2> for Dpo {
    const ABOUT: About = About {
        id: 1001,
        name: "dpo",
        aliases: &["sigmoid", "cdpo"],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b) - margin; -(1 - eps) log sigma(u) - eps log sigma(-u)",
        source: "Rafailov et al. 2023, arXiv:2305.18290; label smoothing: Mitchell 2023",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for Dpo {
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eps]: [R; 2]) -> PairOut<R> {
        let u = beta * (x.chosen.log_ratio() - x.rejected.log_ratio()) - x.margin();
        let [value, slope] = smoothed_logistic(u, eps);
        let mut out = PairOut::constant(value);
        (out.chosen.logp, out.rejected.logp) = (beta * slope, -(beta * slope));
        (out.chosen.margin, out.rejected.margin) = (-slope, slope);
        out
    }
}

/// Identity Preference Optimization: a regression of the difference of per-token log ratios. Score `sum`: the entry
/// divides by the lengths itself. A side without tokens counts as 0.
pub struct Ipo;
impl Entry<1> for Ipo {
    const ABOUT: About = About {
        id: 1002,
        name: "ipo",
        inputs: slot::LOGP | slot::REF | slot::LENGTH | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "(a / T_c - b / T_r - margin / beta - 1 / (2 beta))^2",
        source: "Azar et al. 2023, arXiv:2310.12036; per token as in TRL",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Ipo {
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        #[inline(always)]
        fn per_token<R: Real>(v: R, len: R) -> R {
            positive(len, v / len, v.lit(0.0))
        }
        let (a, b) = (per_token(x.chosen.log_ratio(), x.chosen.len), per_token(x.rejected.log_ratio(), x.rejected.len));
        let q = a - b - (x.margin() + beta.lit(0.5)) / beta;
        let slope = q + q;
        let mut out = PairOut::constant(q * q);
        out.chosen.logp = per_token(slope, x.chosen.len);
        out.rejected.logp = -per_token(slope, x.rejected.len);
        (out.chosen.margin, out.rejected.margin) = (-(slope / beta), slope / beta);
        out
    }
}

/// Simple Preference Optimization: `dpo` on per-token means, without a reference, with the margin gamma.
pub struct Simpo;
impl Entry<3> for Simpo {
    const ABOUT: About = About {
        id: 1003,
        name: "simpo",
        inputs: slot::LOGP | slot::BETA,
        preset_of: Dpo::ABOUT.id,
        formula: "dpo on means l / T, no reference, margin = gamma",
        source: "Meng et al. 2024, arXiv:2405.14734",
        ..About::MEAN
    };
    const PARAMS: [Param; 3] = [
        Param { default: 2.0, doc: "scale of the difference of mean log-probs", ..BETA },
        param("gamma", 0.5, "margin of the scaled difference").from(0.0),
        LABEL_SMOOTHING,
    ];
}
impl PairLoss<3> for Simpo {
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, gamma, eps]: [R; 3]) -> PairOut<R> {
        let zero = beta.lit(0.0);
        let chosen = Side { ref_logp: zero, margin: gamma, ..x.chosen };
        let rejected = Side { ref_logp: zero, margin: zero, ..x.rejected };
        let mut out = Dpo::eval(Pair { chosen, rejected, ..x }, [beta, eps]);
        (out.chosen.margin, out.rejected.margin) = (zero, zero);
        out
    }
}

/// Token-level DPO, first form: the sequential KL of both sides enters the difference and is differentiated.
pub struct Tdpo1;
impl Entry<1> for Tdpo1 {
    const ABOUT: About = About {
        id: 1004,
        name: "tdpo1",
        inputs: slot::LOGP | slot::REF | slot::KL | slot::BETA,
        partials: slot::LOGP | slot::KL,
        formula: "-log sigma(beta ((a - b) - (kl_r - kl_c)))",
        source: "Zeng et al. 2024, arXiv:2404.11999",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Tdpo1 {
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let u = beta * ((x.chosen.log_ratio() - x.rejected.log_ratio()) - (x.rejected.kl - x.chosen.kl));
        let mut out = PairOut::constant((-u).softplus());
        let s = beta * (-u).sigmoid();
        (out.chosen.logp, out.chosen.kl, out.rejected.logp, out.rejected.kl) = (-s, -s, s, s);
        out
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! { Pair PairLoss PairVisitor with_pair [OfPair] { Dpo, Ipo, Simpo, Tdpo1 } }
