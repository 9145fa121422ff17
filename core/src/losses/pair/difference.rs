//! Functions of u = beta D - margin, D = a - b the difference of the log ratios, and what is regressed or shifted near it.
use super::*;

/// Direct Preference Optimization; with `label_smoothing` its conservative form (cDPO).
pub struct Dpo;
impl Entry<2> for Dpo {
    const ABOUT: About = About {
        id: 1001,
        name: "dpo",
        aliases: &["sigmoid", "cdpo"],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        takes_map: true,
        formula: "u = beta (a - b) - margin; -(1 - eps) log sigma(u) - eps log sigma(-u)",
        source: "Rafailov et al. 2023, arXiv:2305.18290; label smoothing: Mitchell 2023",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for Dpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eps]: [R; 2]) -> PairOut<R> {
        PairOut::of(smoothed_logistic(beta * x.difference() - x.margin(), eps), beta)
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
        takes_map: true,
        formula: "(a / T_c - b / T_r - margin / beta - 1 / (2 beta))^2",
        source: "Azar et al. 2023, arXiv:2310.12036; per token as in TRL",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Ipo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (a, b) = (per_token(x.chosen.log_ratio(), x.chosen.len), per_token(x.rejected.log_ratio(), x.rejected.len));
        let q = a - b - (x.margin() + beta.lit(0.5)) / beta;
        let slope = q + q;
        let mut out = PairOut::scores(q * q, per_token(slope, x.chosen.len), -per_token(slope, x.rejected.len));
        (out.chosen.margin, out.rejected.margin) = (-(slope / beta), slope / beta);
        out
    }
}

/// DPO on per-token means of the log ratios (LN-DPO). Score `sum`: the entry divides by the lengths itself. TRL's
/// `sigmoid_norm`, open-instruct's `dpo_norm`, NeMo's `preference_average_log_probs`. Useful betas are 10 to 50 times those of
/// `dpo`, so there is no default.
pub struct DpoLn;
impl Entry<2> for DpoLn {
    const ABOUT: About = About {
        id: 1005,
        name: "dpo_ln",
        aliases: &["sigmoid_norm", "dpo_norm", "ln_dpo"],
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::LENGTH | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a / T_c - b / T_r) - margin; -(1 - eps) log sigma(u) - eps log sigma(-u)",
        source: "Meng et al. 2024, arXiv:2405.14734, section 4; Lambert et al. 2024 (Tulu 3), arXiv:2411.15124, section 5",
        ..About::SUM
    };
    const PARAMS: [Param; 2] = [required("beta", BETA.doc).above(0.0), LABEL_SMOOTHING];
}
impl PairLoss<2> for DpoLn {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eps]: [R; 2]) -> PairOut<R> {
        let (a, b) = (per_token(x.chosen.log_ratio(), x.chosen.len), per_token(x.rejected.log_ratio(), x.rejected.len));
        let [value, slope] = smoothed_logistic(beta * (a - b) - x.margin(), eps);
        let (g, mut out) = (beta * slope, PairOut::of([value, slope], beta));
        (out.chosen.logp, out.rejected.logp) = (per_token(g, x.chosen.len), -per_token(g, x.rejected.len));
        out
    }
}

/// Robust DPO: unbiased where a share `label_smoothing` of the pairs is labelled the wrong way round; unbounded below. TRL's,
/// Liger's and ms-swift's `robust`.
pub struct RobustDpo;
impl Entry<2> for RobustDpo {
    const ABOUT: About = About {
        id: 1006,
        name: "robust_dpo",
        aliases: &["robust"],
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b) - margin; (-(1 - eps) log sigma(u) + eps log sigma(-u)) / (1 - 2 eps)",
        source: "Chowdhury et al. 2024, arXiv:2403.00409",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for RobustDpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eps]: [R; 2]) -> PairOut<R> {
        let u = beta * x.difference() - x.margin();
        let (one, zero) = (u.lit(1.0), u.lit(0.0));
        let (right, rest) = (one - eps, one - (eps + eps));
        // the two softplus share their logarithm, whose factor (1 - 2 eps) cancels
        let side = term(u.select_lt(zero, right, -eps), u.abs()) / rest;
        let value = (-u.abs()).exp().log1p() + side;
        let slope = -(right * (-u).sigmoid() + eps * u.sigmoid()) / rest;
        PairOut::of([value, slope], beta)
    }
}

/// The hinge on the scaled difference (RSO). TRL's CPO `hinge` is the same without a reference. Not SLiC-HF: that is `slic`.
pub struct Hinge;
impl Entry<1> for Hinge {
    const ABOUT: About = About {
        id: 1007,
        name: "hinge",
        aliases: &["rso"],
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "max(0, 1 - (beta (a - b) - margin))",
        source: "Liu et al. 2023, arXiv:2309.06657",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for Hinge {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        PairOut::of(hinge(beta * x.difference() - x.margin()), beta)
    }
}

/// IPO on sums: OpenRLHF's `ipo`, TRL's until it took means, the DPO authors' code. The form per token is `ipo`.
pub struct IpoSum;
impl Entry<1> for IpoSum {
    const ABOUT: About = About {
        id: 1008,
        name: "ipo_sum",
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "(a - b - margin / beta - 1 / (2 beta))^2",
        source: "Azar et al. 2023, arXiv:2310.12036, equation 17",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for IpoSum {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let q = x.difference() - (x.margin() + beta.lit(0.5)) / beta;
        let slope = q + q;
        let mut out = PairOut::scores(q * q, slope, -slope);
        (out.chosen.margin, out.rejected.margin) = (-(slope / beta), slope / beta);
        out
    }
}

/// EXO for pairs: the KL from the policy's coin to the smoothed label. It is bounded in u, so that its gradient vanishes for
/// badly wrong pairs. `label_smoothing` 0 has no finite value and is refused. The authors' code takes the unnormalised target
/// (0, -10): another number.
pub struct ExoPair;
impl Entry<2> for ExoPair {
    const ABOUT: About = About {
        id: 1009,
        name: "exo_pair",
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b) - margin; KL(sigma(u) || 1 - eps) of two coins",
        source: "Ji et al. 2024, arXiv:2402.00856, equation 17",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, Param { default: 1e-3, ..LABEL_SMOOTHING }.above(0.0)];
    const CONSTANTS: Option<[&'static str; 2]> = Some(["beta", "target"]);
    fn derive([beta, eps]: [f64; 2]) -> [f64; 2] {
        [beta, Real::log1p(-eps) - Real::log(eps)]
    }
}
impl PairLoss<2> for ExoPair {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, target]: [R; 2]) -> PairOut<R> {
        let u = beta * x.difference() - x.margin();
        PairOut::of([kl_coins(u, target), bell(u, u - target)], beta)
    }
}

/// DiscoPOP, the log-ratio modulated loss found by search. Not monotone: at `tau` 0.05 the slope is positive around 0. TRL's
/// beta is 0.1.
pub struct Discopop;
impl Entry<2> for Discopop {
    const ABOUT: About = About {
        id: 1010,
        name: "discopop",
        takes_map: true,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b) - margin; -sigma(-u / tau) log sigma(u) + sigma(u / tau) exp(-u)",
        source: "Lu et al. 2024, arXiv:2406.08414",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] =
        [Param { default: 0.05, ..BETA }, param("tau", 0.05, "temperature of the blend").above(0.0).below(1.0)];
}
impl PairLoss<2> for Discopop {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, tau]: [R; 2]) -> PairOut<R> {
        let u = beta * x.difference() - x.margin();
        let (zero, one, w) = (u.lit(0.0), u.lit(1.0), u / tau);
        let (left, right) = ((-w).sigmoid(), w.sigmoid());
        // sigma(w) e^-u as one exponential: the product is 0 * inf
        let e = (u.select_lt(zero, u * ((one - tau) / tau), -u) - (-w.abs()).exp().log1p()).exp();
        let soft = (-u).softplus();
        let value = term(left, soft) + e;
        let slope = left / tau * (e - term(right, soft)) - left * (-u).sigmoid() - e;
        PairOut::of([value, slope], beta)
    }
}

const REWARD_SCALE: Param = param("eta", 1.0, "scale of the true rewards").above(0.0);
/// What the three entries on the gap of true rewards in the margin slots share: the value and its partials in u and v.
#[inline(always)]
fn reward_aware<R: Real>([value, u, v]: [R; 3], beta: R, eta: R) -> PairOut<R> {
    let mut out = PairOut::scores(value, beta * u, -(beta * u));
    (out.chosen.margin, out.rejected.margin) = (eta * v, -(eta * v));
    out
}

/// Reward-aware preference optimisation: the KL from the coin of the true reward gap (margin slots) to the policy's. An
/// infinite gap is a hard label and gives `dpo`; v = logit(1 - eps) gives `cdpo` less a constant.
pub struct RpoBackwardKl;
impl Entry<2> for RpoBackwardKl {
    const ABOUT: About = About {
        id: 1011,
        name: "rpo_backward_kl",
        aliases: &["rpo_bwd_kl"],
        margins: [f64::NAN; 2],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b), v = eta margin; KL(sigma(v) || sigma(u)) of two coins",
        source: "Nvidia 2024 (Nemotron-4 340B), arXiv:2406.11704, section 3.3.2; NeMo-Aligner",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, REWARD_SCALE];
}
impl PairLoss<2> for RpoBackwardKl {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eta]: [R; 2]) -> PairOut<R> {
        let (u, v) = (beta * x.difference(), eta * x.margin());
        reward_aware([kl_coins(v, u), sigmoid_gap(u, v), bell(v, v - u)], beta, eta)
    }
}

/// Reward-aware preference optimisation, the KL the other way round. An infinite gap gives an infinite loss.
pub struct RpoForwardKl;
impl Entry<2> for RpoForwardKl {
    const ABOUT: About = About {
        id: 1012,
        name: "rpo_forward_kl",
        aliases: &["rpo_fwd_kl"],
        margins: [f64::NAN; 2],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "u = beta (a - b), v = eta margin; KL(sigma(u) || sigma(v)) of two coins",
        source: "Nvidia 2024 (Nemotron-4 340B), arXiv:2406.11704, section 3.3.2; NeMo-Aligner",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, REWARD_SCALE];
}
impl PairLoss<2> for RpoForwardKl {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eta]: [R; 2]) -> PairOut<R> {
        let (u, v) = (beta * x.difference(), eta * x.margin());
        reward_aware([kl_coins(u, v), bell(u, u - v), sigmoid_gap(v, u)], beta, eta)
    }
}

/// Reward-aware preference optimisation as a regression of the gap.
pub struct RpoSquare;
impl Entry<2> for RpoSquare {
    const ABOUT: About = About {
        id: 1013,
        name: "rpo_square",
        aliases: &["rpo_sq"],
        margins: [f64::NAN; 2],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "(beta (a - b) - eta margin)^2",
        source: "Nvidia 2024 (Nemotron-4 340B), arXiv:2406.11704, section 3.3.2; NeMo-Aligner",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, REWARD_SCALE];
}
impl PairLoss<2> for RpoSquare {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eta]: [R; 2]) -> PairOut<R> {
        let (u, v) = (beta * x.difference(), eta * x.margin());
        let q = u - v;
        let slope = q + q;
        reward_aware([q * q, slope, -slope], beta, eta)
    }
}

/// DPO with an offset: margin alpha log(s_c - s_r) of the annotated strengths in the margin slots.
pub struct Odpo;
impl Entry<2> for Odpo {
    const ABOUT: About = About {
        id: 1014,
        name: "odpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo with margin = alpha log(s_c - s_r)",
        source: "Amini et al. 2024, arXiv:2402.10571",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for Odpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// DPO with a price on length: margin -alpha (T_c - T_r). A positive alpha penalises length: it follows from the reward
/// beta log ratio + alpha T, though some papers print the other sign. SamPO's `lenN`.
pub struct RDpo;
impl Entry<3> for RDpo {
    const ABOUT: About = About {
        id: 1015,
        name: "r_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::LENGTH | slot::BETA,
        partials: slot::LOGP,
        formula: "dpo with margin = -alpha (T_c - T_r)",
        source: "Park et al. 2024, arXiv:2403.19159",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 3] = [BETA, required("alpha", "price of a token, > 0 penalises length"), LABEL_SMOOTHING];
}
impl PairLoss<3> for RDpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, alpha, eps]: [R; 3]) -> PairOut<R> {
        let u = beta * x.difference() + alpha * (x.chosen.len - x.rejected.len);
        let mut out = PairOut::of(smoothed_logistic(u, eps), beta);
        (out.chosen.margin, out.rejected.margin) = (u.lit(0.0), u.lit(0.0));
        out
    }
}

/// DPO-Shift: the rejected log ratio counts less. A schedule of `lam` is the caller's.
pub struct DpoShift;
impl Entry<2> for DpoShift {
    const ABOUT: About = About {
        id: 1016,
        name: "dpo_shift",
        inputs: slot::LOGP | slot::REF | slot::BETA,
        partials: slot::LOGP,
        formula: "-log sigma(beta (a - lam b))",
        source: "Yang et al. 2025, arXiv:2502.07599",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, param("lam", 0.75, "weight of the rejected log ratio").above(0.0).up_to(1.0)];
}
impl PairLoss<2> for DpoShift {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, lam]: [R; 2]) -> PairOut<R> {
        let [value, slope] = logistic(beta * (x.chosen.log_ratio() - lam * x.rejected.log_ratio()));
        PairOut::scores(value, beta * slope, -(beta * lam * slope))
    }
}

/// DPO-Positive (Smaug): a penalty inside the sigmoid where the chosen answer lost likelihood. At a = 0, where training
/// starts, there is none, and the derivative is that of a > 0.
pub struct Dpop;
impl Entry<2> for Dpop {
    const ABOUT: About = About {
        id: 1017,
        name: "dpop",
        aliases: &["dpo_positive"],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "-log sigma(beta (a - b - lam max(0, -a)) - margin)",
        source: "Pal et al. 2024, arXiv:2402.13228, equation 3",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, param("lam", 50.0, "weight of the penalty").from(0.0)];
}
impl PairLoss<2> for Dpop {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, lam]: [R; 2]) -> PairOut<R> {
        let (a, zero) = (x.chosen.log_ratio(), beta.lit(0.0));
        let lost = term(lam, positive(-a, -a, zero));
        let [value, slope] = logistic(beta * (a - x.rejected.log_ratio() - lost) - x.margin());
        let mut out = PairOut::of([value, slope], beta);
        out.chosen.logp = beta * (positive(-a, lam, zero) + a.lit(1.0)) * slope;
        out
    }
}

/// Cal-DPO: the log ratios of both sides are also regressed on +-1 / (2 beta); no beta in the sigmoid. beta is that of the
/// authors' script (their configuration has 0.002).
pub struct CalDpo;
impl Entry<2> for CalDpo {
    const ABOUT: About = About {
        id: 1018,
        name: "cal_dpo",
        inputs: slot::LOGP | slot::REF | slot::BETA,
        partials: slot::LOGP,
        formula: "t = 1 / (2 beta); -log sigma(a - b) + w ((a - t)^2 + (b + t)^2)",
        source: "Xiao et al. 2024, arXiv:2412.14516",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] =
        [Param { default: 1e-3, ..BETA }, param("cal_weight", 0.5, "weight w of the regression").from(0.0)];
}
impl PairLoss<2> for CalDpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, w]: [R; 2]) -> PairOut<R> {
        let (a, b, t) = (x.chosen.log_ratio(), x.rejected.log_ratio(), beta.lit(0.5) / beta);
        let [value, slope] = logistic(a - b);
        let (c, r) = (a - t, b + t);
        PairOut::scores(value + term(w, c * c + r * r), slope + term(w, c + c), term(w, r + r) - slope)
    }
}

/// DPO of the chosen answer under the true and under the corrupted image, whose sequence stands in the rejected slot.
pub struct ImageDpo;
impl Entry<2> for ImageDpo {
    const ABOUT: About = About {
        id: 1023,
        name: "image_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo(a, e), the corrupted image in the rejected slot",
        source: "Wang et al. 2024 (mDPO), arXiv:2406.11839",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for ImageDpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// DPO of diffusion models: scores are -1/2 of the mean squared denoising errors at one noise and step. beta has no
/// default; 2000 to 5000 are in use.
pub struct DiffusionDpo;
impl Entry<2> for DiffusionDpo {
    const ABOUT: About = About {
        id: 1026,
        name: "diffusion_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo with scores -error / 2",
        source: "Wallace et al. 2023, arXiv:2311.12908",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [required("beta", BETA.doc).above(0.0), LABEL_SMOOTHING];
}
impl PairLoss<2> for DiffusionDpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// DPO with a beta of each pair from its reward gap: `item_beta`.
pub struct MmDpo;
impl Entry<2> for MmDpo {
    const ABOUT: About = About {
        id: 1027,
        name: "mm_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo with beta_0 (1 + w (1 - exp(-k (r_c - r_r)))) of each pair as beta",
        source: "Zhang et al. 2025 (MM-RLHF), arXiv:2502.10391",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for MmDpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// DPO with the batch's beta and kept pairs from `beta_dpo_stats`: `item_beta` and `item_mask`.
pub struct BetaDpo;
impl Entry<2> for BetaDpo {
    const ABOUT: About = About {
        id: 1028,
        name: "beta_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "dpo with the beta and the pairs that the batch statistics give",
        source: "Wu et al. 2024, arXiv:2407.08639",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for BetaDpo {
    type Base = Dpo;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, p: [R; 2]) -> PairOut<R> {
        Dpo::eval(x, p)
    }
}

/// DPO against answers that refuse, for unlearning; the factor 2 / beta makes beta another scale.
pub struct IdkDpo;
impl Entry<2> for IdkDpo {
    const ABOUT: About = About {
        id: 1029,
        name: "idk_dpo",
        preset_of: Dpo::ABOUT.id,
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP | slot::MARGIN,
        formula: "(2 / beta) dpo, the refusal chosen",
        source: "open-unlearning; Maini et al. 2024 (TOFU), arXiv:2401.06121",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, LABEL_SMOOTHING];
}
impl PairLoss<2> for IdkDpo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, eps]: [R; 2]) -> PairOut<R> {
        let [value, slope] = smoothed_logistic(beta * x.difference() - x.margin(), eps);
        let factor = beta.lit(2.0) / beta;
        let mut out = PairOut::of([factor * value, factor * slope], beta);
        (out.chosen.logp, out.rejected.logp) = (slope + slope, -(slope + slope));
        out
    }
}
