//! Losses of all answers to one prompt, evaluated in f64.
//!
//! A list has any number of members, so an entry loops: it runs over scalars (and dual numbers), never over lanes, and
//! the recorder writes no CUDA text for it.
use super::{positive, term};
use crate::catalog::{About, Entry, Param, param, required, slot};
use crate::real::Real;

/// One answer of a list.
#[derive(Clone, Copy, Debug)]
pub struct Member<R> {
    /// Score under the policy.
    pub logp: R,
    /// Score under the reference; 0 without one.
    pub ref_logp: R,
    /// Number of live tokens.
    pub len: R,
    /// Reward or rank.
    pub target: R,
}
/// A loss of the kind `list`.
pub trait ListLoss<const N: usize>: Entry<N> {
    /// Returns the value; `grad`, as long as the list, receives the partials with respect to `logp`. `member(i)` reads
    /// the i-th answer, best first where the entry says so. A list has a member: one without is 0, and nobody asks.
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, p: [R; N], grad: &mut [R]) -> R;
}
impl<R: Real> Member<R> {
    /// `logp - ref_logp`
    pub fn log_ratio(self) -> R {
        self.logp - self.ref_logp
    }
}

/// log(e^a + e^b); -inf where both are.
fn log_add<R: Real>(a: R, b: R) -> R {
    let top = a.max(b);
    // where both are -inf the difference would be NaN
    let gap = top.select_le(a.lit(f64::NEG_INFINITY), a.lit(0.0), a - b);
    top + (-gap.abs()).exp().log1p()
}

/// Plackett-Luce likelihood of a ranking: each of the first `top_m` answers wins against all that follow it.
pub struct PlackettLuce;
impl Entry<2> for PlackettLuce {
    const ABOUT: About = About {
        id: 3001,
        name: "plackett_luce",
        inputs: slot::LOGP | slot::REF,
        formula: "best first, r_i = beta a_i; sum over k <= min(top_m, K - 1) of lse_{i >= k} r_i - r_k",
        source: "Plackett 1975; Rafailov et al. 2023, arXiv:2305.18290, appendix A.3",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [
        param("beta", 0.1, "strength of the pull towards the reference").above(0.0),
        param("top_m", f64::INFINITY, "number of leading ranks that count; infinity: all").from(1.0).or_infinite(),
    ];
}
impl ListLoss<2> for PlackettLuce {
    /// With Z_k = lse_{i >= k} r_i and Y_k = Z_{k+1} - r_k: L = sum softplus(Y_k), and
    /// dL/dr_i = sum_{k < i} e^{r_i - Z_k} - sigma(Y_i): no difference of near-equal numbers anywhere.
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [beta, top_m]: [R; 2], grad: &mut [R]) -> R {
        let score = |i: usize| beta * member(i).log_ratio();
        let (zero, none) = (beta.lit(0.0), beta.lit(f64::NEG_INFINITY));
        let last = grad.len() - 1;
        // 1 where rank k counts; the last answer has nobody left to win against
        let counts = |k: usize| beta.lit(k as f64).select_lt(top_m, beta.lit(if k < last { 1.0 } else { 0.0 }), zero);

        // from the worst to the best: grad[k] holds Z_{k+1}
        let (mut value, mut z) = (zero, none);
        for k in (0..=last).rev() {
            let r = score(k);
            value = value + positive(counts(k), (z - r).softplus(), zero);
            grad[k] = z;
            z = log_add(r, z);
        }
        // from the best to the worst: lost = log sum_{k < i} e^-Z_k over the ranks that count
        let mut lost = none;
        for (i, g) in grad.iter_mut().enumerate() {
            let (r, below) = (score(i), *g);
            let own = positive(counts(i), (below - r).sigmoid(), zero);
            let shared = positive(beta.lit(i as f64), (r + lost).exp(), zero);
            lost = positive(counts(i), log_add(lost, -log_add(r, below)), lost);
            *g = beta * (shared - own);
        }
        value
    }
}

const BETA: Param = param("beta", 0.1, "strength of the pull towards the reference").above(0.0);
const ALPHA: Param = required("alpha", "temperature of the rewards").above(0.0);

/// `a == b ? yes : no`
fn equal<R: Real>(a: R, b: R, yes: R, no: R) -> R {
    a.select_le(b, b.select_le(a, yes, no), no)
}
/// `x / len`, 0 for a sequence without tokens.
fn per<R: Real>(x: R, len: R) -> R {
    positive(len, x / len, x.lit(0.0))
}
/// `[t, r]` with log sum_i e^x(i) = t + r: the maximum, and the log of the sum in its units, which keeps what the others
/// add however small it is.
fn log_sum<R: Real>(n: usize, zero: R, x: impl Fn(usize) -> R) -> [R; 2] {
    let (mut top, mut at) = (zero.lit(f64::NEG_INFINITY), zero);
    for i in 0..n {
        at = top.select_lt(x(i), zero.lit(i as f64), at);
        top = top.max(x(i));
    }
    let mut others = zero;
    for i in 0..n {
        others = others + equal(at, zero.lit(i as f64), zero, (x(i) - top).exp());
    }
    [top, others.log1p()]
}
/// log of the share of `x` in a sum that [`log_sum`] formed.
fn log_share<R: Real>(x: R, [top, rest]: [R; 2]) -> R {
    (x - top) - rest
}

/// Preference Ranking Optimization, rewards descending: every answer against all that follow it, each difference of
/// rewards the temperature of its term; plus the log-prob of the best. Score `sum`: the entry divides by the lengths
/// itself. Without rewards it is `plackett_luce` on means.
pub struct PreferenceRanking;
impl Entry<2> for PreferenceRanking {
    const ABOUT: About = About {
        id: 3002,
        name: "preference_ranking",
        aliases: &["pro"],
        inputs: slot::LOGP | slot::LENGTH | slot::LIST_TARGET,
        formula: "best first, s = l / T, T_k^i = R_k - R_i, T_k its maximum over i > k; sum_{k < K} \
                  log(e^(s_k T_k) + sum_{i > k} e^(s_i T_k^i) + epsilon) - s_k T_k; - sft_weight (K - 1)^2 l_1",
        source: "Song et al. 2023, arXiv:2306.17492; temperatures as in the authors' code",
        ..About::SUM
    };
    const PARAMS: [Param; 2] = [
        param("sft_weight", 0.05, "weight of the best answer's negative log-prob").from(0.0),
        param("epsilon", 0.0, "added inside the logarithm; the authors' code: 1e-10").from(0.0),
    ];
    const CONSTANTS: Option<[&'static str; 2]> = Some(["sft_weight", "log_epsilon"]);
    fn derive([weight, epsilon]: [f64; 2]) -> [f64; 2] {
        [weight, Real::log(epsilon)]
    }
}
impl ListLoss<2> for PreferenceRanking {
    /// With O_k the log of the sum without the winner: L_k = softplus(O_k - u_k), and the shares of the losers are those
    /// inside O_k times sigma(O_k - u_k).
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [weight, log_epsilon]: [R; 2], grad: &mut [R]) -> R {
        let (zero, last) = (weight.lit(0.0), grad.len() - 1);
        let mean = |i: usize| per(member(i).logp, member(i).len);
        grad.fill(zero);
        let mut value = zero;
        for k in 0..last {
            let gap = |i: usize| member(k).target - member(i).target;
            // the last of the others is epsilon
            let loser = |j: usize| if j < last - k { term(gap(k + 1 + j), mean(k + 1 + j)) } else { log_epsilon };
            let sum = log_sum(last - k + 1, zero, loser);
            let lead = sum[0] - term(gap(last), mean(k)) + sum[1];
            let lost = lead.sigmoid();
            value = value + lead.softplus();
            grad[k] = grad[k] - gap(last) * lost;
            for (j, g) in grad[k + 1..].iter_mut().enumerate() {
                *g = *g + term(gap(k + 1 + j), log_share(loser(j), sum).exp() * lost);
            }
        }
        for (i, g) in grad.iter_mut().enumerate() {
            *g = per(*g, member(i).len);
        }
        let sft = weight * weight.lit((last * last) as f64);
        grad[0] = grad[0] - sft;
        value - term(sft, member(0).logp)
    }
}

/// RRHF: every pair of answers whose length-normalised log-probs contradict their rewards, and the log-prob of the best
/// (the first of the highest reward). Equal rewards or equal scores add nothing. Score `sum`: the entry divides itself.
pub struct Rrhf;
impl Entry<4> for Rrhf {
    const ABOUT: About = About {
        id: 3003,
        name: "rrhf",
        inputs: slot::LOGP | slot::LENGTH | slot::LIST_TARGET,
        formula: "p = l / T^length_power; rank_weight sum over r_i < r_j of max(0, p_i - p_j) \
                  - (sft_weight + sft_mean_weight / T_best) l_best",
        source: "Yuan et al. 2023, arXiv:2304.05302",
        ..About::SUM
    };
    const PARAMS: [Param; 4] = [
        param("length_power", 1.0, "exponent of the length that a log-prob is divided by").from(0.0),
        param("rank_weight", 1.0, "weight of the ranking part; the authors' code: 100").from(0.0),
        param("sft_weight", 1.0, "weight of the best answer's negative log-prob").from(0.0),
        param("sft_mean_weight", 0.0, "weight of the best answer's negative mean log-prob").from(0.0),
    ];
}
impl ListLoss<4> for Rrhf {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [power, rank, sft, sft_mean]: [R; 4], grad: &mut [R]) -> R {
        let (zero, one) = (power.lit(0.0), power.lit(1.0));
        // exact for the power 1, so that equal means tie
        let norm = |i: usize| equal(power, one, member(i).len, (power * member(i).len.log()).exp());
        let score = |i: usize| positive(member(i).len, member(i).logp / norm(i), zero);
        let (mut best, mut at) = (zero.lit(f64::NEG_INFINITY), zero);
        for i in 0..grad.len() {
            at = best.select_lt(member(i).target, zero.lit(i as f64), at);
            best = best.max(member(i).target);
        }
        let mut value = zero;
        for i in 0..grad.len() {
            let mut count = zero;
            for j in 0..grad.len() {
                let (own, other) = (member(i).target, member(j).target);
                let gap = score(i) - score(j);
                // i should lose and is ahead; i should win and is behind
                let ahead = own.select_lt(other, positive(gap, one, zero), zero);
                let behind = other.select_lt(own, positive(-gap, one, zero), zero);
                value = value + own.select_lt(other, zero.max(gap), zero);
                count = count + ahead - behind;
            }
            grad[i] = positive(member(i).len, rank * count / norm(i), zero);
        }
        value = term(rank, value);
        for (i, g) in grad.iter_mut().enumerate() {
            let m = member(i);
            let weight = equal(at, zero.lit(i as f64), sft + per(sft_mean, m.len), zero);
            value = value - term(weight, m.logp);
            *g = *g - weight;
        }
        value
    }
}

/// InfoNCA: cross entropy of the softmax of the implicit rewards with the softmax of the given ones, which is constant.
pub struct Infonca;
impl Entry<2> for Infonca {
    const ABOUT: About = About {
        id: 3004,
        name: "infonca",
        inputs: slot::LOGP | slot::REF | slot::LIST_TARGET,
        formula: "h = beta a, q = softmax(r / alpha); lse(h) - sum q h",
        source: "Chen et al. 2024, arXiv:2402.05369",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, ALPHA];
}
impl ListLoss<2> for Infonca {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [beta, alpha]: [R; 2], grad: &mut [R]) -> R {
        let zero = beta.lit(0.0);
        let (h, r) = (|i: usize| beta * member(i).log_ratio(), |i: usize| member(i).target / alpha);
        let (policy, target) = (log_sum(grad.len(), zero, h), log_sum(grad.len(), zero, r));
        let mut value = zero;
        for (i, g) in grad.iter_mut().enumerate() {
            let (p, q) = (log_share(h(i), policy), log_share(r(i), target).exp());
            value = value + term(q, -p);
            *g = beta * (p.exp() - q);
        }
        value
    }
}

/// NCA: every answer on its own, pulled up by its share of the rewards and down by 1 / K.
pub struct Nca;
impl Entry<2> for Nca {
    const ABOUT: About = About {
        id: 3005,
        name: "nca",
        inputs: slot::LOGP | slot::REF | slot::LIST_TARGET,
        formula: "h = beta a, q = softmax(r / alpha); -sum of q log sigma(h) + log sigma(-h) / K",
        source: "Chen et al. 2024, arXiv:2402.05369",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [BETA, ALPHA];
}
impl ListLoss<2> for Nca {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [beta, alpha]: [R; 2], grad: &mut [R]) -> R {
        let (zero, count) = (beta.lit(0.0), beta.lit(grad.len() as f64));
        let r = |i: usize| member(i).target / alpha;
        let target = log_sum(grad.len(), zero, r);
        let mut value = zero;
        for (i, g) in grad.iter_mut().enumerate() {
            let (h, q) = (beta * member(i).log_ratio(), log_share(r(i), target).exp());
            value = value + (term(q, (-h).softplus()) + h.softplus() / count);
            *g = beta * (h.sigmoid() / count - q * (-h).sigmoid());
        }
        value
    }
}

/// EXO on whole lists: KL of the softmax of the implicit rewards to the softmax of the given ones, which is constant.
pub struct Exo;
impl Entry<2> for Exo {
    const ABOUT: About = About {
        id: 3006,
        name: "exo",
        inputs: slot::LOGP | slot::REF | slot::LIST_TARGET,
        formula: "p = softmax(beta_pi a), q = softmax(r / beta_r); KL(p || q)",
        source: "Ji et al. 2024, arXiv:2402.00856",
        ..About::SUM_OR_MEAN
    };
    const PARAMS: [Param; 2] = [
        Param { name: "beta_pi", default: 1.0, ..BETA },
        param("beta_r", 1.0, "temperature of the rewards").above(0.0),
    ];
}
impl ListLoss<2> for Exo {
    /// The KL as a sum of p log(p/q) - p + q, none of which is negative.
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [beta, temperature]: [R; 2], grad: &mut [R]) -> R {
        let (zero, one) = (beta.lit(0.0), beta.lit(1.0));
        let (h, r) = (|i: usize| beta * member(i).log_ratio(), |i: usize| member(i).target / temperature);
        let (policy, target) = (log_sum(grad.len(), zero, h), log_sum(grad.len(), zero, r));
        let mut value = zero;
        for i in 0..grad.len() {
            let (log_p, log_q) = (log_share(h(i), policy), log_share(r(i), target));
            let (p, q, d) = (log_p.exp(), log_q.exp(), log_p - log_q);
            let one = d.select_lt(-one, p * (d - one) + q, p * d.h());
            value = value + p.select_le(zero, q, one);
        }
        for (i, g) in grad.iter_mut().enumerate() {
            let log_p = log_share(h(i), policy);
            let (p, d) = (log_p.exp(), log_p - log_share(r(i), target));
            // an answer that the target excludes outweighs every other
            let gap = equal(d, d.lit(f64::INFINITY), d, d - value);
            *g = p.select_le(zero, zero, beta * p * gap);
        }
        value
    }
}

/// AFT: no answer may score above one of a higher reward, on per-token means. Without the paper's boundary terms.
pub struct Aft;
impl Entry<0> for Aft {
    const ABOUT: About = About {
        id: 3007,
        name: "aft",
        inputs: slot::LOGP | slot::LIST_TARGET,
        formula: "s = l / T; log(1 + sum over R_i > R_j of e^(s_j - s_i))",
        source: "Wang et al. 2023, arXiv:2309.02144",
        ..About::MEAN
    };
    const PARAMS: [Param; 0] = [];
}
impl ListLoss<0> for Aft {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, _: [R; 0], grad: &mut [R]) -> R {
        let n = grad.len();
        let zero = member(0).logp.lit(0.0);
        let none = zero.lit(f64::NEG_INFINITY);
        let gap = |i: usize, j: usize| {
            let (good, bad) = (member(i), member(j));
            bad.target.select_lt(good.target, bad.logp - good.logp, none)
        };
        let mut top = zero;
        for i in 0..n {
            for j in 0..n {
                top = top.max(gap(i, j));
            }
        }
        let mut sum = zero;
        for i in 0..n {
            for j in 0..n {
                sum = sum + (gap(i, j) - top).exp();
            }
        }
        // without the largest term, which is 1: the 1 of the formula, or one of the sum
        let rest = positive(top, sum - zero.lit(1.0) + (-top).exp(), sum).log1p();
        for (i, g) in grad.iter_mut().enumerate() {
            let (mut up, mut down) = (zero, zero);
            for j in 0..n {
                up = up + log_share(gap(j, i), [top, rest]).exp();
                down = down + log_share(gap(i, j), [top, rest]).exp();
            }
            *g = up - down;
        }
        top + rest
    }
}

/// e^x over a sum that [`log_sum`] formed, an infinite largest term included.
fn share<R: Real>(x: R, sum: [R; 2]) -> R {
    equal(x, sum[0], -sum[1], log_share(x, sum)).exp()
}
/// REAL: rollouts with a positive target (their reward or advantage) are classified against the others. The reference is
/// the policy that sampled. 0 where one of the two classes is missing.
pub struct RealLoss;
impl Entry<1> for RealLoss {
    const ABOUT: About = About {
        id: 3008,
        name: "real",
        inputs: slot::LOGP | slot::REF | slot::LIST_TARGET,
        formula: "s = mean_t (logp - old), P and N by target > 0 or not; log(1 + sum_N e^(s / tau)) + log(1 + sum_P e^(-s / tau))",
        source: "ms-swift, loss type real",
        ..About::MEAN
    };
    const PARAMS: [Param; 1] = [param("tau", 0.5, "temperature").above(0.0)];
}
impl ListLoss<1> for RealLoss {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [tau]: [R; 1], grad: &mut [R]) -> R {
        let (zero, one, n) = (tau.lit(0.0), tau.lit(1.0), grad.len());
        let none = zero.lit(f64::NEG_INFINITY);
        let score = |i: usize| member(i).log_ratio() / tau;
        // the last of the sum is the 1
        let bad = |i: usize| if i < n { positive(member(i).target, none, score(i)) } else { zero };
        let good = |i: usize| if i < n { positive(member(i).target, -score(i), none) } else { zero };
        let (mut ups, mut downs) = (zero, zero);
        for i in 0..n {
            ups = ups + positive(member(i).target, one, zero);
            downs = downs + positive(member(i).target, zero, one);
        }
        let both = ups.min(downs);
        let (lost, won) = (log_sum(n + 1, zero, bad), log_sum(n + 1, zero, good));
        for (i, g) in grad.iter_mut().enumerate() {
            let slope = positive(member(i).target, -share(good(i), won), share(bad(i), lost));
            *g = positive(both, slope / tau, zero);
        }
        positive(both, (lost[0] + lost[1]) + (won[0] + won[1]), zero)
    }
}

/// Group variance policy optimisation: centred log ratios are regressed on the targets, which are centred rewards. The
/// reference is the policy that sampled. A list of one is 0.
pub struct Gvpo;
impl Entry<1> for Gvpo {
    const ABOUT: About = About {
        id: 3009,
        name: "gvpo",
        inputs: slot::LOGP | slot::REF | slot::LIST_TARGET,
        formula: "u = beta sum_t (logp - old); sum of ((u - mean u) - A)^2 / (2 (K - 1)), the mean constant",
        source: "Zhang et al. 2025, arXiv:2504.19599; as in verl-recipe",
        ..About::SUM
    };
    const PARAMS: [Param; 1] = [BETA];
}
impl ListLoss<1> for Gvpo {
    fn eval<R: Real>(member: impl Fn(usize) -> Member<R>, [beta]: [R; 1], grad: &mut [R]) -> R {
        let (zero, one, n) = (beta.lit(0.0), beta.lit(1.0), beta.lit(grad.len() as f64));
        let u = |i: usize| beta * member(i).log_ratio();
        let mut sum = zero;
        for i in 0..grad.len() {
            sum = sum + u(i);
        }
        let mean = (sum / n).detach();
        let others = n - one;
        let mut value = zero;
        for (i, g) in grad.iter_mut().enumerate() {
            let d = (u(i) - mean) - member(i).target;
            value = value + d * d;
            *g = positive(others, beta * d / others, zero);
        }
        positive(others, value * one.lit(0.5) / others, zero)
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! {
    List ListLoss ListVisitor with_list [] { PlackettLuce, PreferenceRanking, Rrhf, Infonca, Nca, Exo, Aft, RealLoss, Gvpo }
}
