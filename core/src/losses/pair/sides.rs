//! Each side on its own, with a reference.
use super::*;

/// NCA for pairs: the list form `nca` with two answers.
pub struct NcaPair;
impl Entry<1> for NcaPair {
    const ABOUT: About = About {
        id: 1030,
        name: "nca_pair",
        inputs: slot::LOGP | slot::REF | slot::BETA,
        partials: slot::LOGP,
        formula: "-log sigma(beta a) - log sigma(-beta a) / 2 - log sigma(-beta b) / 2",
        source: "Chen et al. 2024, arXiv:2402.05369",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for NcaPair {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (a, b) = (beta * x.chosen.log_ratio(), beta * x.rejected.log_ratio());
        let (zero, half, one) = (a.lit(0.0), a.lit(0.5), a.lit(1.0));
        // softplus(-a) + softplus(a) / 2 share their logarithm
        let own = (-a.abs()).exp().log1p() * a.lit(1.5) + a.select_lt(zero, one, half) * a.abs();
        PairOut::scores(
            own + half * b.softplus(),
            beta * (half * a.sigmoid() - (-a).sigmoid()),
            beta * half * b.sigmoid(),
        )
    }
}

/// BCO for pairs. `shift` is the running mean of the rewards (ms-swift, LLaMA-Factory's `pref_bco_weight`, older TRL); absent
/// it is 0 (TRL 1.16, Liger).
pub struct BcoPair;
impl Entry<1> for BcoPair {
    const ABOUT: About = About {
        id: 1031,
        name: "bco_pair",
        aliases: &["biased_nca"],
        inputs: slot::LOGP | slot::REF | slot::SHIFT | slot::BETA,
        partials: slot::LOGP,
        formula: "-log sigma(beta a - shift) - log sigma(-(beta b - shift))",
        source: "Jung et al. 2024, arXiv:2404.04656",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for BcoPair {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let ([c, dc], [r, dr]) =
            (logistic(beta * x.chosen.log_ratio() - x.shift), logistic(x.shift - beta * x.rejected.log_ratio()));
        PairOut::scores(c + r, beta * dc, -(beta * dr))
    }
}

/// SPPO: the log ratios are regressed on (P - 1/2) / beta. The margin slots hold the win rates P; absent: 1 and 0, TRL's,
/// Liger's and ms-swift's `sppo_hard`. The authors' code has `scale` 0.5; their scripts have beta 0.001.
pub struct Sppo;
impl Entry<2> for Sppo {
    const ABOUT: About = About {
        id: 1032,
        name: "sppo",
        aliases: &["sppo_hard"],
        margins: [1.0, 0.0],
        inputs: slot::LOGP | slot::REF | slot::MARGIN | slot::BETA,
        partials: slot::LOGP,
        formula: "t = (P - 1/2) / beta; scale ((a - t_c)^2 + (b - t_r)^2)",
        source: "Wu et al. 2024, arXiv:2405.00675",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, param("scale", 1.0, "factor of the squares").above(0.0)];
}
impl PairLoss<2> for Sppo {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta, scale]: [R; 2]) -> PairOut<R> {
        let half = beta.lit(0.5);
        let c = x.chosen.log_ratio() - (x.chosen.margin - half) / beta;
        let r = x.rejected.log_ratio() - (x.rejected.margin - half) / beta;
        PairOut::scores(scale * (c * c + r * r), scale * (c + c), scale * (r + r))
    }
}

/// APO-zero: the chosen answer up, the rejected one down. Not convex, flat at both ends.
pub struct ApoZero;
impl Entry<1> for ApoZero {
    const ABOUT: About = About {
        id: 1033,
        name: "apo_zero",
        inputs: slot::LOGP | slot::REF | slot::BETA,
        partials: slot::LOGP,
        formula: "sigma(-beta a) + sigma(beta b)",
        source: "D'Oosterlinck et al. 2024, arXiv:2408.06266",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for ApoZero {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (a, b) = (beta * x.chosen.log_ratio(), beta * x.rejected.log_ratio());
        PairOut::scores((-a).sigmoid() + b.sigmoid(), -bell(a, beta), bell(b, beta))
    }
}

/// APO-down: both answers down, the rejected one further.
pub struct ApoDown;
impl Entry<1> for ApoDown {
    const ABOUT: About = About {
        id: 1034,
        name: "apo_down",
        inputs: slot::LOGP | slot::REF | slot::BETA,
        partials: slot::LOGP,
        formula: "sigma(beta a) + sigma(-beta (a - b))",
        source: "D'Oosterlinck et al. 2024, arXiv:2408.06266",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl PairLoss<1> for ApoDown {
    type Base = Self;
    #[inline(always)]
    fn eval<R: Real>(x: Pair<R>, [beta]: [R; 1]) -> PairOut<R> {
        let (a, u) = (beta * x.chosen.log_ratio(), beta * x.difference());
        let pull = bell(u, beta);
        PairOut::scores(a.sigmoid() + (-u).sigmoid(), bell(a, beta) - pull, pull)
    }
}
