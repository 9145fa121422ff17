//! Reward models: the scores are rewards r of both answers, no reference, no beta.
use super::*;

/// Bradley-Terry, with a margin where one is given. TRL's, ms-swift's, LLaMA-Factory's and NeMo's reward loss, OpenRLHF's
/// `PairWiseLoss` and `LogExpLoss`.
pub struct Bt;
impl Entry<0> for Bt {
    const ABOUT: About = About {
        id: 1043,
        name: "bt",
        aliases: &["bradley_terry"],
        inputs: slot::LOGP | slot::MARGIN,
        partials: slot::LOGP | slot::MARGIN,
        formula: "-log sigma(r_c - r_r - margin)",
        source: "Bradley and Terry 1952; margin: Touvron et al. 2023 (Llama 2), arXiv:2307.09288",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 0] = [];
}
impl PairLoss<0> for Bt {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, []: [R; 0]) -> PairOut<R> {
        let d = x.chosen.logp - x.rejected.logp - x.margin();
        PairOut::of(logistic(d), d.lit(1.0))
    }
}

/// Bradley-Terry with rewards drawn to a sum of 0: TRL's `center_rewards_coefficient`.
pub struct BtCenter;
impl Entry<1> for BtCenter {
    const ABOUT: About = About {
        id: 1044,
        name: "bt_center",
        inputs: slot::LOGP | slot::MARGIN,
        partials: slot::LOGP | slot::MARGIN,
        formula: "-log sigma(r_c - r_r - margin) + center (r_c + r_r)^2",
        source: "Eisenstein et al. 2023, arXiv:2312.09244; TRL",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [param("center", 0.01, "weight of the squared sum").from(0.0)];
}
impl PairLoss<1> for BtCenter {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [center]: [R; 1]) -> PairOut<R> {
        let (mut out, sum) = (Bt::eval(x, []), x.chosen.logp + x.rejected.logp);
        let pull = term(center, sum + sum);
        out.value = out.value + term(center, sum * sum);
        (out.chosen.logp, out.rejected.logp) = (out.chosen.logp + pull, out.rejected.logp + pull);
        out
    }
}

/// Bradley-Terry with absolute labels h in the margin slots (Baichuan). `alpha` may be given for each pair in `item_beta`; 0: the
/// pair has none, and h is not looked at.
pub struct BtMse;
impl Entry<1> for BtMse {
    const ABOUT: About = About {
        id: 1045,
        name: "bt_mse",
        margins: [f64::NAN; 2],
        inputs: slot::LOGP | slot::MARGIN | slot::BETA,
        partials: slot::LOGP,
        formula: "-log sigma(r_c - r_r) + alpha ((r_c - h_c)^2 + (r_r - h_r)^2)",
        source: "Yang et al. 2023 (Baichuan 2), arXiv:2309.10305",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [param("alpha", 0.0, "weight of the absolute labels").from(0.0)];
}
impl PairLoss<1> for BtMse {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [alpha]: [R; 1]) -> PairOut<R> {
        let [value, slope] = logistic(x.chosen.logp - x.rejected.logp);
        let (c, r) = (x.chosen.logp - x.chosen.margin, x.rejected.logp - x.rejected.margin);
        PairOut::scores(value + term(alpha, c * c + r * r), slope + term(alpha, c + c), term(alpha, r + r) - slope)
    }
}

/// Bradley-Terry weighted by annotated strength: `item_weight`.
pub struct BtScaled;
impl Entry<0> for BtScaled {
    const ABOUT: About = About {
        id: 1046,
        name: "bt_scaled",
        preset_of: Bt::ABOUT.id,
        inputs: slot::LOGP | slot::MARGIN,
        partials: slot::LOGP | slot::MARGIN,
        formula: "bt, the strength of a pair as its weight",
        source: "Wang et al. 2024 (HelpSteer2-Preference), arXiv:2410.01257",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 0] = [];
}
impl PairLoss<0> for BtScaled {
    type Base = Bt;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 0]) -> PairOut<R> {
        Bt::eval(x, p)
    }
}

/// Bradley-Terry with less weight on pairs that are already right (InternLM2), without its penalty outside a score band.
pub struct BtFocal;
impl Entry<1> for BtFocal {
    const ABOUT: About = About {
        id: 1047,
        name: "bt_focal",
        inputs: slot::LOGP,
        partials: slot::LOGP,
        formula: "d = r_c - r_r; -(1 - 2 max(0, sigma(d) - 1/2))^gamma log sigma(d)",
        source: "Cai et al. 2024 (InternLM2), arXiv:2403.17297",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [param("gamma", 2.0, "exponent of the weight").from(0.0)];
}
impl PairLoss<1> for BtFocal {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [gamma]: [R; 1]) -> PairOut<R> {
        let (d, zero) = (x.chosen.logp - x.rejected.logp, gamma.lit(0.0));
        // 1 - 2 (sigma(d) - 1/2) = 2 sigma(-d)
        let factor = term(gamma, positive(d, d.lit(core::f64::consts::LN_2) - d.softplus(), zero)).exp();
        let [value, slope] = logistic(d);
        let g = factor * slope - positive(d, gamma * d.sigmoid() * factor * value, zero);
        PairOut::scores(factor * value, g, -g)
    }
}

/// Bradley-Terry with ties: `margin_chosen` is 1 for a tie, 0 where the chosen side won. The variant is the model: that of
/// Rao and Kupper, whose eta 0 has no ties (a tie is infinitely bad), or that of Davidson.
pub struct BtTies;
impl Entry<2> for BtTies {
    const ABOUT: About = About {
        id: 1048,
        name: "bt_ties",
        variants: &["rao_kupper", "davidson"],
        margins: [f64::NAN, 0.0],
        inputs: slot::LOGP | slot::MARGIN,
        partials: slot::LOGP,
        formula: "d = r_c - r_r; rao_kupper: won softplus(eta - d), tied softplus(eta - d) + softplus(eta + d) \
                  - log(e^(2 eta) - 1); davidson, Z = log(e^(d/2) + e^(-d/2) + nu): won Z - d/2, tied Z - log nu",
        source: "Rao and Kupper 1967; Davidson 1970",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [
        required("eta", "log of the threshold; rao_kupper").from(0.0).of_variant(1),
        required("log_nu", "log of the weight of ties; davidson").of_variant(2),
    ];
    /// An eta below 0 is Davidson's model.
    fn derive_variant(variant: u32, [eta, log_nu]: [f64; 2]) -> [f64; 2] {
        if variant == 2 { [-1.0, log_nu] } else { [eta, 0.0] }
    }
}
/// Value and slope of the model of Rao and Kupper.
#[inline(always)]
fn rao_kupper<R: Real>(d: R, tied: R, eta: R) -> [R; 2] {
    let (two, won) = (eta + eta, (eta - d).softplus());
    let tie = won + (eta + d).softplus() - two - (-two).log1mexp();
    [positive(tied, tie, won), positive(tied, sigmoid_gap(d - eta, -(d + eta)), -(eta - d).sigmoid())]
}
/// Value and slope of the model of Davidson.
#[inline(always)]
fn davidson<R: Real>(d: R, tied: R, nu: R) -> [R; 2] {
    let (zero, one, half) = (d.lit(0.0), d.lit(1.0), d.lit(0.5));
    let (size, at) = (d.abs(), d.abs() * half);
    // weights of better, worse and tie against the largest of better and tie, which is 1
    let wide = nu.select_le(at, one, zero);
    let far = positive(wide, zero, at - nu).exp();
    let worse = positive(wide, -size, -(at + nu)).exp();
    let even = positive(wide, nu - at, zero).exp();
    let rest = (positive(wide, even, far) + worse).log1p();
    let (best, below) = (positive(wide, zero, nu - at), positive(wide, at - nu, zero));
    let total = far + worse + even;
    let (plus, minus) = (d.select_lt(zero, worse, far) / total, d.select_lt(zero, far, worse) / total);
    let won = best + d.select_lt(zero, size, zero) + rest;
    [positive(tied, below + rest, won), positive(tied, (plus - minus) * half, -(minus + even / total * half))]
}
impl PairLoss<2> for BtTies {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [eta, nu]: [R; 2]) -> PairOut<R> {
        let (d, tied) = (x.chosen.logp - x.rejected.logp, x.chosen.margin);
        let ([v, g], [w, h]) = (rao_kupper(d, tied, eta), davidson(d, tied, nu));
        let other = eta.lit(0.0);
        let (value, slope) = (eta.select_lt(other, w, v), eta.select_lt(other, h, g));
        PairOut::scores(value + (tied - tied), slope, -slope)
    }
    fn learns(variant: u32) -> Option<usize> {
        Some(variant.saturating_sub(1) as usize)
    }
    fn learned(x: Pair<f64>, [eta, nu]: [f64; 2]) -> f64 {
        let (d, tied) = (x.chosen.logp - x.rejected.logp, x.chosen.margin > 0.0);
        if eta < 0.0 {
            let at = 0.5 * d.abs();
            let top = if nu > at { nu } else { at };
            let (sides, even) = (Real::exp(at - top) + Real::exp(-at - top), Real::exp(nu - top));
            (if tied { -sides } else { even }) / (sides + even)
        } else if tied {
            // sigma(eta - d) + sigma(eta + d) - 2 / (1 - e^(-2 eta)), every term of one sign
            -(Real::sigmoid(d - eta) + Real::sigmoid(-(d + eta)) + 2.0 / Real::expm1(2.0 * eta))
        } else {
            Real::sigmoid(eta - d)
        }
    }
}

/// Safe RLHF's cost model: the chosen slot holds the cost of the less safe answer, the margin slots +1 for unsafe, -1 for
/// safe.
pub struct CostModel;
impl Entry<0> for CostModel {
    const ABOUT: About = About {
        id: 1050,
        name: "cost_model",
        margins: [f64::NAN; 2],
        inputs: slot::LOGP | slot::MARGIN,
        partials: slot::LOGP,
        formula: "-log sigma(h - l) - log sigma(s_h h) - log sigma(s_l l)",
        source: "Dai et al. 2023, arXiv:2310.12773, equation 6",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 0] = [];
}
impl PairLoss<0> for CostModel {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, []: [R; 0]) -> PairOut<R> {
        let (h, l, s, t) = (x.chosen.logp, x.rejected.logp, x.chosen.margin, x.rejected.margin);
        let ([pair, d], [high, dh], [low, dl]) = (logistic(h - l), logistic(s * h), logistic(t * l));
        PairOut::scores(pair + high + low, d + s * dh, t * dl - d)
    }
}
