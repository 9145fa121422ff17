//! Without a reference.
use super::*;

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
        param("gamma", 0.5, "margin of the scaled difference"),
        LABEL_SMOOTHING,
    ];
}
impl PairLoss<3> for Simpo {
    type Base = Self;
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

/// CPO: `dpo` on the log-probs themselves, sums. Its NLL of the chosen answers, pooled over the batch's tokens, is a term of
/// its own. The CPO authors' code now trains `arpo`.
pub struct Cpo;
impl Entry<2> for Cpo {
    const ABOUT: About = About {
        id: 1035,
        name: "cpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo on l, no reference",
        source: "Xu et al. 2024, arXiv:2401.08417",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for Cpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// ARPO: the rejected log-prob counts tau, which grows with the gap of the means and is differentiated.
pub struct Arpo;
impl Entry<1> for Arpo {
    const ABOUT: About = About {
        id: 1036,
        name: "arpo",
        inputs: slot::LOGP | slot::LENGTH | slot::BETA,
        partials: slot::LOGP,
        formula: "G = l_c / T_c - l_r / T_r, tau = min(1, 0.9 exp(0.4 |G|) - 1); -log sigma(beta (l_c - tau l_r))",
        source: "the CPO authors' code, github.com/fe1ixxu/CPO_SIMPO",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Arpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (l, r, zero, one) = (x.chosen.logp, x.rejected.logp, beta.lit(0.0), beta.lit(1.0));
        let g = per_token(l, x.chosen.len) - per_token(r, x.rejected.len);
        let sign = g.select_lt(zero, -one, positive(g, one, zero));
        let size = g.select_lt(zero, -g, positive(g, g, zero));
        let e = (size * g.lit(0.4)).exp() * g.lit(0.9);
        // where tau is 1 it is constant
        let open = e.select_lt(g.lit(2.0), one, zero);
        let tau = positive(open, e - one, one);
        let steep = sign * positive(open, e * g.lit(0.4), zero);
        let [value, slope] = logistic(beta * (l - tau * r));
        let (s, moved) = (beta * slope, positive(steep.abs(), steep * r, zero));
        PairOut::scores(value, s * (one - per_token(moved, x.chosen.len)), s * (per_token(moved, x.rejected.len) - tau))
    }
}

/// AlphaPO: `simpo` on the alpha map of the mean log-probs ([`crate::losses::map`]); alpha 0 is `simpo`, TRL's default. 0.25 is
/// typical. Not alpha-DPO.
pub struct Alphapo;
impl Entry<4> for Alphapo {
    const ABOUT: About = About {
        id: 1037,
        name: "alphapo",
        preset_of: Simpo::ABOUT.id,
        inputs: slot::LOGP | slot::BETA,
        formula: "g(x) = -exp(-alpha x) / alpha; simpo with g(l / T)",
        source: "Gupta et al. 2025, arXiv:2501.03884",
        ..About::MEAN
    };
    const PARAMS: [Param; 4] =
        [Simpo::PARAMS[0], required("alpha", "exponent of the map, of either sign"), Simpo::PARAMS[1], LABEL_SMOOTHING];
}
impl PairLoss<4> for Alphapo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, alpha, gamma, eps]: [R; 4]) -> PairOut<R> {
        let map = Alpha { alpha, max_exponent: beta.lit(f64::INFINITY) };
        let g = map.difference(x.chosen.logp, x.rejected.logp, None);
        let [value, slope] = smoothed_logistic(beta * g.difference - gamma, eps);
        PairOut::scores(value, term(beta * slope, g.chosen), -term(beta * slope, g.rejected))
    }
}

/// x, or -2^-24 where x is not below 0: a mean log-prob that rounding brought there. The derivative is the one at the bound.
#[inline(always)]
fn lowered<R: Real>(x: R) -> R {
    // x - x is 0; a dual number keeps its derivative
    x.select_lt(x.lit(0.0), x, x.lit(-5.960464477539063e-8) + (x - x.detach()))
}
/// Log odds of a mean log-prob and their derivative.
#[inline(always)]
fn log_odds<R: Real>(x: R) -> [R; 2] {
    [x - x.log1mexp(), -(x.lit(1.0) / x.expm1())]
}

const LAM: Param = param("lam", 0.1, "weight of the comparison").from(0.0);

/// ORPO on means. `lam` is the peers' `beta`. The NLL is the chosen answer's mean, as in LLaMA-Factory; TRL pools the batch's
/// tokens, prompt included, and Liger pools: `nll_weight` 0 and an NLL term of its own.
pub struct Orpo;
impl Entry<2> for Orpo {
    const ABOUT: About = About {
        id: 1038,
        name: "orpo",
        below_zero: true,
        formula: "o(x) = x - log(1 - e^x); -n l_c - lam log sigma(o(l_c) - o(l_r))",
        source: "Hong et al. 2024, arXiv:2403.07691",
        ..About::MEAN
    };
    const PARAMS: [Param; 2] = [LAM, param("nll_weight", 1.0, "weight n of the chosen answer's NLL").from(0.0)];
}
impl PairLoss<2> for Orpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [lam, n]: [R; 2]) -> PairOut<R> {
        let (c, r) = (lowered(x.chosen.logp), lowered(x.rejected.logp));
        let ([oc, dc], [or, dr]) = (log_odds(c), log_odds(r));
        let [value, slope] = logistic(oc - or);
        let s = lam * slope;
        PairOut::scores(term(lam, value) - term(n, c), s * dc - n, -(s * dr))
    }
}

/// Aligned SFT on means; also called absolute likelihood. Bounds `orpo` from above. Not `anchored_sft`. `lam` is
/// turbo-alignment's `beta`.
pub struct Asft;
impl Entry<1> for Asft {
    const ABOUT: About = About {
        id: 1039,
        name: "asft",
        below_zero: true,
        formula: "-(1 + lam) l_c - lam log(1 - e^l_r)",
        source: "Wang et al. 2024, arXiv:2409.10571",
        ..About::MEAN
    };
    const PARAMS: [Param; 1] = [LAM];
}
impl PairLoss<1> for Asft {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [lam]: [R; 1]) -> PairOut<R> {
        let (c, r, up) = (lowered(x.chosen.logp), lowered(x.rejected.logp), lam + lam.lit(1.0));
        PairOut::scores(-(up * c) - term(lam, r.log1mexp()), -up, lam / (-r).expm1())
    }
}

/// ASFT with scaled log odds; 0.001 to 0.5 are in use.
pub struct AsftTempered;
impl Entry<1> for AsftTempered {
    const ABOUT: About = About {
        id: 1040,
        name: "asft_tempered",
        below_zero: true,
        formula: "o(x) = x - log(1 - e^x); -log sigma(beta o(l_c)) - log sigma(-beta o(l_r))",
        source: "Wang et al. 2024, arXiv:2409.10571",
        ..About::MEAN
    };
    const PARAMS: [Param; 1] = [required("beta", "scale of the log odds").above(0.0)];
}
impl PairLoss<1> for AsftTempered {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let ([oc, dc], [or, dr]) = (log_odds(lowered(x.chosen.logp)), log_odds(lowered(x.rejected.logp)));
        let ([c, sc], [r, sr]) = (logistic(beta * oc), logistic(-(beta * or)));
        PairOut::scores(c + r, beta * sc * dc, -(beta * sr * dr))
    }
}

/// SimPER: inverse perplexities, no parameter.
pub struct Simper;
impl Entry<0> for Simper {
    const ABOUT: About = About {
        id: 1041,
        name: "simper",
        formula: "-exp(l_c) + exp(l_r)",
        source: "Xiao et al. 2025, arXiv:2502.00883",
        ..About::MEAN
    };
    const PARAMS: [Param; 0] = [];
}
impl PairLoss<0> for Simper {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, []: [R; 0]) -> PairOut<R> {
        let (c, r) = (x.chosen.logp.exp(), x.rejected.logp.exp());
        PairOut::scores(r - c, -c, r)
    }
}

/// A hinge on the gap of the means.
pub struct ReluPo;
impl Entry<1> for ReluPo {
    const ABOUT: About = About {
        id: 1042,
        name: "relu_po",
        formula: "max(0, gamma - (l_c - l_r))",
        source: "Wu et al. 2025 (RePO), arXiv:2503.07426",
        ..About::MEAN
    };
    const PARAMS: [Param; 1] = [required("gamma", "margin of the means")];
}
impl PairLoss<1> for ReluPo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [gamma]: [R; 1]) -> PairOut<R> {
        let gap = gamma - (x.chosen.logp - x.rejected.logp);
        let on = positive(gap, gap.lit(1.0), gap.lit(0.0));
        PairOut::scores(ramp(gap), -on, on)
    }
}
