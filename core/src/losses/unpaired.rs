//! Losses of one labelled answer, evaluated in f64.
use super::{positive, term};
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
/// Value and partials of an unpaired entry; what the entry has no partial for is 0.
#[derive(Clone, Copy, Debug)]
pub struct UnpairedOut<R> {
    /// The loss.
    pub value: R,
    /// Partial with respect to `logp`.
    pub logp: R,
    /// Partial with respect to `baseline`.
    pub baseline: R,
}
impl<R: Real> UnpairedOut<R> {
    #[inline(always)]
    fn of(value: R, logp: R) -> Self {
        UnpairedOut { value, logp, baseline: value.lit(0.0) }
    }
}
/// A loss of the kind `unpaired`.
pub trait UnpairedLoss<const N: usize>: Entry<N> {
    /// Value and partials.
    fn eval<R: Real>(x: Unpaired<R>, p: [R; N]) -> UnpairedOut<R>;
}
impl<R: Real> Unpaired<R> {
    /// `logp - ref_logp`
    #[inline(always)]
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}

const BETA: Param = param("beta", 0.1, "strength of the pull towards the reference").above(0.0);
const DESIRABLE_WEIGHT: Param = param("desirable_weight", 1.0, "weight of a desirable answer").from(0.0);
const UNDESIRABLE_WEIGHT: Param = param("undesirable_weight", 1.0, "weight of an undesirable answer").from(0.0);

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
    const PARAMS: [Param; 3] = [BETA, DESIRABLE_WEIGHT, UNDESIRABLE_WEIGHT];
}
impl UnpairedLoss<3> for Kto {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta, desirable, undesirable]: [R; 3]) -> UnpairedOut<R> {
        let weight = positive(x.label, desirable, undesirable);
        let slope = positive(x.label, -beta, beta);
        let v = slope * (x.log_ratio() - x.baseline);
        let value = weight * v.sigmoid();
        UnpairedOut::of(value, slope * value * (-v).sigmoid())
    }
}

/// `kto` with the baseline 0: anchored preference optimization of single rows.
pub struct ApoZeroUnpaired;
impl Entry<3> for ApoZeroUnpaired {
    const ABOUT: About = About {
        id: 2002,
        name: "apo_zero_unpaired",
        inputs: slot::LOGP | slot::REF | slot::LABEL,
        preset_of: Kto::ABOUT.id,
        formula: "kto with baseline = 0",
        source: "D'Oosterlinck et al. 2024, arXiv:2408.06266; unpaired as in TRL",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 3] = Kto::PARAMS;
}
impl UnpairedLoss<3> for ApoZeroUnpaired {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, p: [R; 3]) -> UnpairedOut<R> {
        Kto::eval(Unpaired { baseline: x.logp.lit(0.0), ..x }, p)
    }
}

/// Binary Classifier Optimization. The shift is the running mean of the rewards (`bco_shift`), constant. The row's weight
/// (`density_ratio`) applies to undesirable rows only and never enters a divisor.
pub struct Bco;
impl Entry<1> for Bco {
    const ABOUT: About = About {
        id: 2003,
        name: "bco",
        inputs: slot::LOGP | slot::REF | slot::LABEL | slot::WEIGHT | slot::SHIFT,
        formula: "v = beta a - shift; desirable: -log sigma(v); undesirable: -weight log sigma(-v)",
        source: "Jung et al. 2024, arXiv:2404.04656",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl UnpairedLoss<1> for Bco {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta]: [R; 1]) -> UnpairedOut<R> {
        let v = beta * x.log_ratio() - x.shift;
        let wrong = positive(x.label, -v, v);
        let weight = positive(x.label, v.lit(1.0), x.weight);
        let slope = positive(x.label, -beta, beta);
        UnpairedOut::of(term(weight, wrong.softplus()), term(weight, slope * wrong.sigmoid()))
    }
}

/// Preference-oriented fine-tuning: the answer's mean log-prob against the mean over other, aligned models of their own
/// means (the baseline, formed with their tokenisers and lengths). `-grad / beta` is the factor on plain NLL.
pub struct Poft;
impl Entry<2> for Poft {
    const ABOUT: About = About {
        id: 2004,
        name: "poft",
        aux: true,
        inputs: slot::LOGP | slot::BASELINE,
        formula: "-log sigma(beta (l / T - baseline) + gamma)",
        source: "Fan et al. 2024, arXiv:2412.12865",
        ..About::MEAN
    };
    const PARAMS: [Param; 2] = [
        Param { default: 1.0, doc: "scale of the difference of mean log-probs", ..BETA },
        param("gamma", 0.0, "added to the scaled difference"),
    ];
}
impl UnpairedLoss<2> for Poft {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta, gamma]: [R; 2]) -> UnpairedOut<R> {
        let v = beta * (x.logp - x.baseline) + gamma;
        UnpairedOut::of((-v).softplus(), -(beta * (-v).sigmoid()))
    }
}

/// 2 / beta softplus(v), dv/dlogp = beta.
#[inline(always)]
fn forget<R: Real>(v: R, beta: R) -> UnpairedOut<R> {
    let two = v.lit(2.0);
    UnpairedOut::of(two * v.softplus() / beta, two * v.sigmoid())
}
/// Negative Preference Optimization: an answer to forget, against the reference. The factor 2 / beta makes beta another
/// scale than that of `dpo`.
pub struct Npo;
impl Entry<1> for Npo {
    const ABOUT: About = About {
        id: 2005,
        name: "npo",
        inputs: slot::LOGP | slot::REF,
        formula: "-2 / beta log sigma(-beta a)",
        source: "Zhang et al. 2024, arXiv:2404.05868",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl UnpairedLoss<1> for Npo {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta]: [R; 1]) -> UnpairedOut<R> {
        forget(beta * x.log_ratio(), beta)
    }
}

/// SimNPO: `npo` on the per-token mean, without a reference.
pub struct Simnpo;
impl Entry<2> for Simnpo {
    const ABOUT: About = About {
        id: 2006,
        name: "simnpo",
        formula: "-2 / beta log sigma(-beta (l / T + delta))",
        source: "Fan et al. 2024, arXiv:2410.07163",
        ..About::MEAN
    };
    const PARAMS: [Param; 2] = [
        Param { default: 4.5, doc: "scale of the mean log-prob", ..BETA },
        param("delta", 0.0, "added to the mean log-prob"),
    ];
}
impl UnpairedLoss<2> for Simnpo {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta, delta]: [R; 2]) -> UnpairedOut<R> {
        forget(beta * (x.logp + delta), beta)
    }
}

/// A*-PO: regression of the log ratio onto the advantage, reward minus the optimal value (`a_star_value`), which travels
/// in the baseline.
pub struct AStarPo;
impl Entry<1> for AStarPo {
    const ABOUT: About = About {
        id: 2007,
        name: "a_star_po",
        aliases: &["a2po"],
        inputs: slot::LOGP | slot::REF | slot::BASELINE,
        partials: slot::LOGP | slot::BASELINE,
        formula: "baseline = r - V; (beta2 a - baseline)^2",
        source: "Brantley et al. 2025, arXiv:2505.20686",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [Param { name: "beta2", default: 1e-3, doc: "scale of the log ratio", ..BETA }];
}
impl UnpairedLoss<1> for AStarPo {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta]: [R; 1]) -> UnpairedOut<R> {
        let gap = beta * x.log_ratio() - x.baseline;
        let slope = gap + gap;
        UnpairedOut { value: gap * gap, logp: beta * slope, baseline: -slope }
    }
}

/// Cross entropy of an implicit reward model (PRIME) with the outcome, a number in [0, 1] that travels in the baseline.
pub struct PrimeCe;
impl Entry<1> for PrimeCe {
    const ABOUT: About = About {
        id: 2008,
        name: "prime_ce",
        inputs: slot::LOGP | slot::REF | slot::BASELINE,
        formula: "y = baseline; -y log sigma(beta a) - (1 - y) log sigma(-beta a)",
        source: "Cui et al. 2025, arXiv:2502.01456",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [Param { default: 0.05, doc: "scale of the implicit reward", ..BETA }];
}
impl UnpairedLoss<1> for PrimeCe {
    #[inline(always)]
    fn eval<R: Real>(x: Unpaired<R>, [beta]: [R; 1]) -> UnpairedOut<R> {
        let v = beta * x.log_ratio();
        let other = v.lit(1.0) - x.baseline;
        let weight = v.select_lt(v.lit(0.0), x.baseline, other);
        let value = (-v.abs()).exp().log1p() + term(weight, v.abs());
        UnpairedOut::of(value, beta * (other * v.sigmoid() - x.baseline * (-v).sigmoid()))
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! {
    Unpaired UnpairedLoss UnpairedVisitor with_unpaired [OfUnpaired] {
        Kto, ApoZeroUnpaired, Bco, Poft, Npo, Simnpo, AStarPo, PrimeCe,
    }
}
