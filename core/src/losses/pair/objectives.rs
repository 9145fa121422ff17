//! Several objectives, token-level DPO, and pairs with an anchor.
use super::*;

const OWN_WEIGHT: Param = required("own_weight", "weight w_0 of this batch's objective").above(0.0);

/// Multi-objective DPO: the margin slots hold sum_i w_i R_i of the other objectives' rewards. Weights need not sum to 1.
pub struct Modpo;
impl Entry<2> for Modpo {
    const ABOUT: About = About {
        id: 1019,
        name: "modpo",
        reward: Reward::Objective,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "z = (beta (a - b) - margin) / w_0; -log sigma(z)",
        source: "Zhou et al. 2023, arXiv:2310.03708, equation 9; code",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, OWN_WEIGHT];
}
impl PairLoss<2> for Modpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, own]: [R; 2]) -> PairOut<R> {
        let [value, slope] = logistic((beta * x.difference() - x.margin()) / own);
        PairOut::of([value, slope / own], beta)
    }
    fn learns(_: u32) -> Option<usize> {
        Some(1)
    }
    fn learned(x: Pair<f64>, [beta, own]: [f64; 2]) -> f64 {
        let z = (beta * x.difference() - x.margin()) / own;
        let weight = Real::sigmoid(-z);
        if weight == 0.0 { 0.0 } else { weight * (z / own) }
    }
}

/// The hinge form of `modpo`.
pub struct ModpoHinge;
impl Entry<2> for ModpoHinge {
    const ABOUT: About = About {
        id: 1020,
        name: "modpo_hinge",
        reward: Reward::Objective,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "z = (beta (a - b) - margin) / w_0; max(0, 1 - z)",
        source: "Zhou et al. 2023, arXiv:2310.03708, equation 9; code",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, OWN_WEIGHT];
}
impl PairLoss<2> for ModpoHinge {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, own]: [R; 2]) -> PairOut<R> {
        let [value, slope] = hinge((beta * x.difference() - x.margin()) / own);
        PairOut::of([value, slope / own], beta)
    }
    fn learns(_: u32) -> Option<usize> {
        Some(1)
    }
    fn learned(x: Pair<f64>, [beta, own]: [f64; 2]) -> f64 {
        let z = (beta * x.difference() - x.margin()) / own;
        if z < 1.0 { z / own } else { z - z }
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
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let u = beta * ((x.chosen.log_ratio() - x.rejected.log_ratio()) - (x.rejected.kl - x.chosen.kl));
        let mut out = PairOut::constant((-u).softplus());
        let s = beta * (-u).sigmoid();
        (out.chosen.logp, out.chosen.kl, out.rejected.logp, out.rejected.kl) = (-s, -s, s, s);
        out
    }
}

/// Token-level DPO, second form: the gap of the KLs counts alpha, and the chosen side's is not differentiated. Which of the
/// two forms is meant must be said: the authors' command and their code's default differ.
pub struct Tdpo2;
impl Entry<2> for Tdpo2 {
    const ABOUT: About = About {
        id: 1021,
        name: "tdpo2",
        inputs: slot::LOGP | slot::REF | slot::KL | slot::BETA,
        partials: slot::LOGP | slot::KL,
        formula: "-log sigma(beta ((a - b) - alpha (kl_r - sg(kl_c))))",
        source: "Zeng et al. 2024, arXiv:2404.11999, equation 17",
        ..About::SUM
    };
    const PARAMS: [Param; 2] = [BETA, param("alpha", 0.5, "weight of the gap of the KLs").from(0.0)];
}
impl PairLoss<2> for Tdpo2 {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, alpha]: [R; 2]) -> PairOut<R> {
        let gap = term(alpha, x.rejected.kl - x.chosen.kl.detach());
        let [value, slope] = logistic(beta * (x.difference() - gap));
        let s = beta * slope;
        let mut out = PairOut::scores(value, s, -s);
        out.rejected.kl = -(alpha * s);
        out
    }
}

/// mDPO: the anchor is the chosen answer under the corrupted image. Its second term alone is `image_dpo`.
pub struct Mdpo;
impl Entry<2> for Mdpo {
    const ABOUT: About = About {
        id: 1022,
        name: "mdpo",
        inputs: slot::LOGP | slot::REF | slot::ANCHOR | slot::BETA,
        partials: slot::LOGP | slot::ANCHOR,
        formula: "-log sigma(beta (a - b)) - log sigma(beta (a - e)) - log sigma(beta a - delta)",
        source: "Wang et al. 2024, arXiv:2406.11839",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, param("delta", 0.0, "reward that the chosen answer should exceed")];
}
impl PairLoss<2> for Mdpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, delta]: [R; 2]) -> PairOut<R> {
        let (a, b, e) = (x.chosen.log_ratio(), x.rejected.log_ratio(), x.anchor.log_ratio());
        let ([pair, dp], [image, di], [own, d]) =
            (logistic(beta * (a - b)), logistic(beta * (a - e)), logistic(beta * a - delta));
        let mut out = PairOut::scores(pair + image + own, beta * (dp + di + d), -(beta * dp));
        out.anchor = -(beta * di);
        out
    }
}

/// POVID: the mean of two DPO terms; the anchor is the answer of the pass over the noisy image, scored on the clean one.
pub struct Povid;
impl Entry<1> for Povid {
    const ABOUT: About = About {
        id: 1024,
        name: "povid",
        inputs: slot::LOGP | slot::REF | slot::ANCHOR | slot::BETA,
        partials: slot::LOGP | slot::ANCHOR,
        formula: "-(log sigma(beta (a - b)) + log sigma(beta (a - e))) / 2",
        source: "Zhou et al. 2024, arXiv:2402.11411",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Povid {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (a, b, e) = (x.chosen.log_ratio(), x.rejected.log_ratio(), x.anchor.log_ratio());
        let ([pair, dp], [image, di]) = (logistic(beta * (a - b)), logistic(beta * (a - e)));
        let half = beta * beta.lit(0.5);
        let mut out = PairOut::scores((pair + image) * beta.lit(0.5), half * (dp + di), -(half * dp));
        out.anchor = -(half * di);
        out
    }
}

/// SLiC-HF on sums; the anchor is the fine-tuning target, or the chosen answer (HALOs).
pub struct Slic;
impl Entry<2> for Slic {
    const ABOUT: About = About {
        id: 1025,
        name: "slic",
        inputs: slot::LOGP | slot::ANCHOR,
        partials: slot::LOGP | slot::ANCHOR,
        formula: "max(0, delta - l_c + l_r) - lam l_anchor",
        source: "Zhao et al. 2023, arXiv:2305.10425",
        ..About::SUM
    };
    const PARAMS: [Param; 2] =
        [param("delta", 1.0, "margin of the log-probs"), param("lam", 0.1, "weight of the target").from(0.0)];
}
impl PairLoss<2> for Slic {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [delta, lam]: [R; 2]) -> PairOut<R> {
        let gap = delta - x.chosen.logp + x.rejected.logp;
        let (zero, one) = (gap.lit(0.0), gap.lit(1.0));
        let on = positive(gap, one, zero);
        let mut out = PairOut::scores(ramp(gap) - term(lam, x.anchor.logp), -on, on);
        out.anchor = -lam;
        out
    }
}
