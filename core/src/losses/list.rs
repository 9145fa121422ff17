//! Losses of all answers to one prompt, evaluated in f64.
//!
//! A list has any number of members, so an entry loops: it runs over scalars (and dual numbers), never over lanes, and
//! the recorder writes no CUDA text for it.
use super::positive;
use crate::catalog::{About, Entry, Param, param, slot};
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
    /// the i-th answer, best first where the entry says so. A list without members is 0.
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
        let Some(last) = grad.len().checked_sub(1) else { return zero };
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

// Every entry of this kind. A new one is written above and named here.
super::entries! { List ListLoss ListVisitor with_list [] { PlackettLuce } }
